"""Selection, sampling and training of the generator beside bare loops over the same networks."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from measuring import Measured, alternated, peak_above_inputs, slower
from safetensors.torch import save_file

from faceassay import FittedGenerator, LabelMix, PlanBlock, Sources, sampling
from faceassay_plugins.augmentations.auggen import AugGen
from faceassay_plugins.augmentations.scoremix import ScoreMix
from faceassay_plugins.generators.edm2.batches import Batches
from faceassay_plugins.generators.edm2.courses import courses
from faceassay_plugins.generators.edm2.images import TrainingImages
from faceassay_plugins.generators.edm2.loss import Objective
from faceassay_plugins.generators.edm2.network import Denoiser, sampling_network
from faceassay_plugins.generators.edm2.plugin import Edm2
from faceassay_plugins.generators.edm2.training import Results, Training
from faceassay_plugins.selection import select_pairs
from fakes import stage_context, toy_faces

THREADS = 2
CLASSES, DIMENSIONS, PAIRS, STRIP = 10_000, 512, 10_000, 1024
BATCH, STEPS, TRAINED_TOGETHER = 4, 3, 8
NAMES = [f"s{i + 1}" for i in range(1000)]
NOTES = f"""\
- Selection: {PAIRS:,} pairs of {CLASSES:,} class centres of {DIMENSIONS} numbers, exactly; the reference is the
  product of the centres with each other in float32, the upper triangle alone, in blocks of {STRIP:,}.
- Networks: presets of `edm2` with random weights and {len(NAMES):,} classes, float32 on a CPU. Sampling:
  {2 * STEPS - 1} evaluations of {BATCH} images by `heun` beside as many bare forward passes. ScoreMix and AugGen: a
  whole block, guidance 1.
- Forward at batch 1: the network for sampling, its weights normalised once, beside one that normalises at each call.
- Training step: the reference draws and averages nothing: forward pass, loss, backward pass, Adam.
"""


def selection(metric: str, order: str) -> Measured:
    """Measure the exact choice of pairs against the product of all centres."""
    centres = np.random.default_rng(0).standard_normal((CLASSES, DIMENSIONS), dtype=np.float32)
    choose = partial(select_pairs, centres, PAIRS, order=order, metric=metric)
    peak = peak_above_inputs(choose)

    def product() -> None:
        for start in range(0, CLASSES, STRIP):
            centres[start : start + STRIP] @ centres[start:].T

    ours, reference = alternated(choose, product, repeats=3)
    return slower(f"{order} pairs by {metric}", ours, reference, 2.5, peak, 2**29, "above the inputs")


def network_of(preset: str, classes: int) -> Denoiser:
    """Return the network of a preset with random weights; gains that start at zero are set: all of it counts."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    network = Denoiser(Edm2(**Edm2.presets[preset]).architecture(side_of(preset), classes))
    for name, weights in network.named_parameters():
        if name.endswith("gain"):
            weights.data.fill_(0.5)
    return network.eval().requires_grad_(False)


def side_of(preset: str) -> int:
    return int(preset.rpartition("-")[2])


def fitted(preset: str, folder: Path) -> FittedGenerator:
    """Return the generator of a preset as it is loaded after training."""
    save_file(network_of(preset, len(NAMES)).state_dict(), folder / "main.safetensors")
    plugin = Edm2(**Edm2.presets[preset])
    config = {"image_size": side_of(preset), "identities": NAMES, "parameters": plugin.model_dump(mode="json")}
    (folder / "config.json").write_text(json.dumps(config))
    return plugin.load(folder, "cpu")


def noise_for(preset: str) -> np.ndarray:
    side = side_of(preset)
    return np.random.default_rng(0).standard_normal((BATCH, 3, side, side), dtype=np.float32)


def sampler(preset: str) -> Measured:
    """Measure the sampler against bare forward passes."""
    with tempfile.TemporaryDirectory() as folder:
        denoise = fitted(preset, Path(folder)).denoiser(LabelMix(np.arange(BATCH)[:, None], np.ones((BATCH, 1))))
    noise, network = torch.from_numpy(noise_for(preset)), denoise.network.function

    @torch.no_grad()
    def forwards() -> None:
        for _ in range(2 * STEPS - 1):
            network(noise, noise.new_ones(BATCH), denoise.condition)

    ours, reference = alternated(lambda: sampling.heun(denoise, noise, steps=STEPS), forwards, repeats=3)
    return slower(f"sampling, edm2 {preset}", ours, reference, 1.05, None, None, "")


def mixing(preset: str) -> Measured:
    """Measure a block of ScoreMix against one of AugGen."""
    with tempfile.TemporaryDirectory() as folder:
        generator = fitted(preset, Path(folder))
        noise, work = noise_for(preset), []
        sources = Sources({"generator": lambda: generator})
        for method in (ScoreMix, AugGen):
            augmentation = method(pairs=1, images_per_pair=BATCH, steps=STEPS, guidance=1.0)
            weights = np.tile(np.array([0.5, 0.5]), (BATCH, 1))
            block = PlanBlock(0, 0, np.zeros(BATCH, dtype=np.int64), np.tile([0, 1], (BATCH, 1)), weights)
            work.append(partial(augmentation.render, sources, block, noise))
        ours, reference = alternated(*work, repeats=3)
    return slower(f"ScoreMix beside AugGen, edm2 {preset}", ours, reference, 2.05, None, None, "")


def frozen(preset: str) -> Measured:
    """Measure one forward pass with weights normalised once against one that normalises them."""
    normalising, side = network_of(preset, len(NAMES)), side_of(preset)
    architecture = Edm2(**Edm2.presets[preset]).architecture(side, len(NAMES))
    network = sampling_network(architecture, normalising.state_dict(), torch.float32, torch.device("cpu"))
    given = torch.randn(1, 3, side, side), torch.ones(1), torch.eye(len(NAMES))[:1]
    ours, reference = alternated(lambda: network(*given), lambda: normalising(*given), repeats=7)
    return slower(f"forward at batch 1, edm2 {preset}", ours, reference, 0.85, None, None, "")


def training(preset: str) -> Measured:
    """Measure a training step against forward pass, loss, backward pass and Adam alone."""
    torch.set_num_threads(THREADS)
    side = side_of(preset)
    plugin = Edm2(**{**Edm2.presets[preset], "batch_size": TRAINED_TOGETHER, "images": 10**6})
    data = toy_faces(identities=len(NAMES), per_identity=2, size=side)
    with tempfile.TemporaryDirectory() as folder:
        run = stage_context(Path(folder), threads=THREADS)
        scheme = plugin.scheme(Sources({"real": lambda: data}), TrainingImages(data, 0.0, 0), run)
        (course,) = courses(plugin, side, scheme.conditioning)
        ours = Training(course, Batches(scheme, run, run.seed), run, Results())
        bare, batch = Objective(Denoiser(course.architecture)), ours.batches.draw(1)
        adam = torch.optim.Adam(bare.parameters(), lr=1e-3, betas=(0.9, 0.99), fused=True)

        def step() -> None:
            adam.zero_grad()
            bare(*batch)[0].backward()
            adam.step()

        mine, reference = alternated(ours.advance, step, repeats=3)
    return slower(f"training step, edm2 {preset}, batch {TRAINED_TOGETHER}", mine, reference, 1.05, None, None, "")


CASES: Mapping[str, Callable[[], Measured]] = {
    "farthest-cosine": partial(selection, "cosine", "farthest"),
    "closest-l2": partial(selection, "l2", "closest"),
    "sampling": partial(sampler, "c64-64"),
    "scoremix": partial(mixing, "c64-64"),
    "frozen-weights": partial(frozen, "xs-64"),
    "training-step": partial(training, "c64-64"),
}
