"""Own the generator stage of EDM2 from opened inputs to written files: the trainings in their order, the results."""

from __future__ import annotations

import json
from itertools import dropwhile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from faceassay import FaceassayError, Sources, StageContext, seeds
from faceassay_plugins.generators.edm2.backbone import Edm2Backbone
from faceassay_plugins.generators.edm2.batches import Batches
from faceassay_plugins.generators.edm2.courses import Course, courses
from faceassay_plugins.generators.edm2.images import TrainingImages
from faceassay_plugins.generators.edm2.memorisation import look
from faceassay_plugins.generators.edm2.scheme import Scheme
from faceassay_plugins.generators.edm2.training import Results, Training


def train(plugin: Edm2Backbone, sources: Sources, run: StageContext) -> None:
    """Train on the real images, going on from the newest checkpoint, and write the result into ``run.folder``.

    Raises:
        DataError: when there are no images.
        ValueError: when the parameters do not fit the images.
        FaceassayError: when the processes that share the stage cannot share its batches, or the recognizer or the
            attributes are not what the generator is conditioned on.
        DivergenceError: when the loss is not finite or grows.
    """
    _require_shares(plugin, run)
    data = sources.real
    shown = TrainingImages(data, plugin.held_out, seeds.derive(run.seed, "held out"))
    scheme = plugin.scheme(sources, shown, run)
    results, found = Results(), run.checkpoints.load()
    for course in _left(courses(plugin, data.image_size, scheme.conditioning), found[2]["role"] if found else None):
        training = Training(course, Batches(scheme, run, _seed(course, run)), run, results)
        if found:
            training.restore(found)
            found = None
        results = training.complete()
    if run.rank == 0:
        _write(scheme, results, run.folder)
        if plugin.sample_steps:
            look(scheme, run)


def _left(whole: tuple[Course, ...], under_way: str | None) -> list[Course]:
    """Return the courses from the one ``under_way`` on; all where none is."""
    return list(dropwhile(lambda course: under_way not in (None, course.role), whole))


def _seed(course: Course, run: StageContext) -> int:
    return run.seed if course.role == "main" else seeds.derive(run.seed, course.role)


def _require_shares(plugin: Edm2Backbone, run: StageContext) -> None:
    try:
        plugin.check_world(run.world)
    except ValueError as error:
        raise FaceassayError(f"{plugin.name}: {error}") from error
    if run.world > 1 and not torch.distributed.is_initialized():
        raise FaceassayError(
            f"{plugin.name} is to run in {run.world} processes, but torch.distributed is not initialised: "
            "start the stage through the launcher, or set world to 1"
        )


def _write(scheme: Scheme, results: Results, folder: Path) -> None:
    for name, tensors in results.averages.items():
        written = {key: tensor.cpu().contiguous() for key, tensor in tensors.items()}
        save_file(written, folder / f"{name}.safetensors")
    for name, document in {"config": _config(scheme), "history": results.history}.items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


def _config(scheme: Scheme) -> dict[str, Any]:
    plugin, data, shown = scheme.plugin, scheme.data, scheme.shown
    size, conditioning = data.image_size, scheme.conditioning
    updates = {"main": plugin.updates, "guide": plugin.guide_updates}
    return {
        "image_size": size,
        "identities": list(data.identities),
        "parameters": plugin.model_dump(mode="json"),
        "weights": {role: plugin.shape(size, conditioning, role).parameters for role in ("main", "guide")},
        "images_seen": {role: count * plugin.batch_size for role, count in updates.items()},
        "training_images": len(shown.rows),
        "held_out_items": [data.item_ids[row] for row in shown.held_out],
        **scheme.description(),
    }
