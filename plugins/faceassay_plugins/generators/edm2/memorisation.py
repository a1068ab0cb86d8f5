"""Own the look at what a finished training makes: a grid of samples, and how near they are to training images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceassay import Condition, FaceDataset, ImageBatch, StageContext, seeds
from faceassay.datasets import evenly_chosen
from faceassay.quality import Nearest, nearest_in, quantiles
from faceassay_plugins.generators.edm2.backbone import Edm2Backbone
from faceassay_plugins.generators.edm2.images import TrainingImages

if TYPE_CHECKING:
    from faceassay_plugins.generators.edm2.scheme import Scheme

SAMPLES = 64
"""Samples at most, one for each of as many classes, evenly chosen."""
COMPARED = 128
"""Real images at most, held out or trained on, whose distances stand beside those of the samples."""
GRID_COLUMNS = 8
YARDSTICKS = ("held_out", "real")
"""Whose distances say what is near, the first one that there is."""


def look(scheme: Scheme, run: StageContext) -> None:
    """Sample the main network that lies in ``run.folder``; write the samples and their distances there.

    Written are ``samples.png``, ``memorisation.json`` and, as ``nearest_of_*.npy``, the distance of each sample to
    the nearest training image, of each held-out image to the nearest training image, and of each training image to
    the nearest other one.
    """
    data = scheme.data
    classes, condition = scheme.samples(SAMPLES)
    samples = _samples(scheme.plugin, condition, len(classes), data.image_size, run)
    Image.fromarray(grid(samples)).save(run.folder / "samples.png")
    nearest = _nearest(samples, data, scheme.shown)
    for name, found in nearest.items():
        np.save(run.folder / f"nearest_of_{name}.npy", found.distances)
    own = float((data.labels[nearest["samples"].rows] == classes).mean())
    document = {
        "sample_steps": scheme.plugin.sample_steps,
        **summary({n: f.distances for n, f in nearest.items()}, own),
    }
    (run.folder / "memorisation.json").write_text(json.dumps(document, indent=1) + "\n")


def grid(images: ImageBatch) -> NDArray[np.uint8]:
    """Lay images [N, H, W, 3] out in rows of at most eight, uint8 [rows x H, columns x W, 3]; what is left is black."""
    count, height, width, _ = images.shape
    columns = min(count, GRID_COLUMNS)
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, height, width, 3), np.uint8)
    cells[:count] = images
    return cells.reshape(rows, columns, height, width, 3).swapaxes(1, 2).reshape(rows * height, columns * width, 3)


def summary(distances: dict[str, NDArray[np.float64]], own_class: float) -> dict[str, Any]:
    """Say what share of the samples is nearer to a training image than nearly all real images are.

    Args:
        distances: to the nearest training image, in grey levels, of ``samples`` and, where there are such images, of
            ``held_out`` ones and of ``real`` ones trained on (to the nearest other one).
        own_class: share of the samples whose nearest training image is of the class that was asked for.

    Returns:
        The numbers, and a statement of them. Samples that are like held-out images have a share ``nearer`` of 5 %.
    """
    samples = distances["samples"]
    document: dict[str, Any] = {
        "images": {name: len(found) for name, found in distances.items()},
        "nearest_training": {name: quantiles(found) for name, found in distances.items()},
        "own_class": own_class,
        "yardstick": next((name for name in YARDSTICKS if name in distances), None),
        "nearer": None,
        "statement": f"{own_class:.1%} of {len(samples)} samples are nearest to an image of the class asked for",
    }
    if document["yardstick"] is not None:
        limit = document["nearest_training"][document["yardstick"]]["q05"]
        document["nearer"] = float((samples < limit).mean())
        images = {"held_out": "held-out images", "real": "training images (to another one)"}[document["yardstick"]]
        document["statement"] += (
            f"; {document['nearer']:.1%} are nearer to a training image than 5 % of the {images} are "
            f"({limit:.1f} grey levels)"
        )
    return document


def _samples(plugin: Edm2Backbone, condition: Condition, count: int, image_size: int, run: StageContext) -> ImageBatch:
    from faceassay import sampling

    fitted = plugin.load(run.folder, run.device)
    noise = seeds.row_noise(seeds.noise_keys(seeds.derive(run.seed, "samples"), 0, count), image_size)
    denoiser = fitted.denoiser(condition)
    sampled = sampling.heun(denoiser, sampling.to_noise(noise, run.device), steps=plugin.sample_steps)
    run.count_evaluations(fitted.evaluations)
    return sampling.to_images(sampled)


def _nearest(samples: ImageBatch, data: FaceDataset, shown: TrainingImages) -> dict[str, Nearest]:
    """Return the nearest training images of all sets, from one pass over the training images."""
    held_out = evenly_chosen(shown.held_out, COMPARED)
    real = evenly_chosen(shown.rows, COMPARED if len(shown.rows) > 1 else 0)
    images = np.concatenate([samples, data.images(held_out), data.images(real)])
    own = np.concatenate([np.full(len(samples) + len(held_out), -1), real])
    found = nearest_in(images, data, shown.rows, own)
    parts = [np.split(part, np.cumsum([len(samples), len(held_out)])) for part in found]
    sets = zip(("samples", *YARDSTICKS), *parts, strict=True)
    return {name: Nearest(distances, rows) for name, distances, rows in sets if len(rows)}
