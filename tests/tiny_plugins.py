"""Real plugins in NumPy that take milliseconds, importable by spawned processes, and that write down what they did.

The folder that the variable TINY_EVENTS names holds ``events.txt``, to which every plugin appends what it does, and
switches: empty or one-line files that make a plugin fail, wait, or be interrupted without changing any key.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from faceassay.contracts import (
    Attribute,
    AttributePredictor,
    Augmentation,
    DataError,
    DatasetPlugin,
    Evaluation,
    EvaluationProtocol,
    Generator,
    PackReader,
    Recognizer,
    SynthesisPlan,
    parameter,
)
from faceassay.seeds import generator
from fakes import WholePack, toy_faces


def _folder():
    return Path(os.environ["TINY_EVENTS"])


def note(*words):
    """Append one line; a short append is atomic, so processes do not mix their lines."""
    with (_folder() / "events.txt").open("a") as file:
        file.write(" ".join(map(str, words)) + "\n")


def events(*start):
    """Return the words behind ``start`` of every event that begins so."""
    path = _folder() / "events.txt"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [line[len(start) :] for line in lines if tuple(line[: len(start)]) == start]


def switch(name, text=""):
    """Turn a behaviour on: ``fail-fit-24`` (images), ``wait-render`` (seconds), ``interrupt-step`` (which), ..."""
    (_folder() / name).write_text(str(text))


def off(name):
    """Turn a behaviour off."""
    (_folder() / name).unlink(missing_ok=True)


def switched(name):
    """Return the text of a switch, None when it is off."""
    try:
        return (_folder() / name).read_text()
    except FileNotFoundError:
        return None


def _obey(what, number=None):
    if (seconds := switched(f"wait-{what}")) is not None:
        time.sleep(float(seconds))
    if (reason := switched(f"fail-{what}")) is not None:
        raise ArithmeticError(reason or f"the {what}\nwas told to fail")
    if switched(f"interrupt-{what}") in ("", str(number)):
        raise KeyboardInterrupt
    if switched(f"exit-{what}") in ("", str(number)):
        os._exit(9)
    if switched(f"full-{what}") is not None:
        raise OSError(28, "No space left on device")


class TinyFaces(DatasetPlugin):
    name = "tiny-faces"
    version = "1"
    summary = "smooth random patterns, one per person"

    prefix: str = parameter("a", description="first letter of the names")
    people: int = parameter(4, description="identities", ge=1)
    seed: int = parameter(0, description="of the pixels")

    def open(self):
        faces = toy_faces(self.people, 6, 16, self.seed)
        faces.identities = tuple(name.replace("s", self.prefix) for name in faces.identities)
        return faces


class TinyBlend(Augmentation):
    """Average two classes and add the row's noise."""

    name = "tiny-blend"
    version = "2.5"
    summary = "means of two people with noise"

    images: int = parameter(12, description="images to make", ge=1)
    block_size: int = parameter(2, description="images per block", ge=1)
    reads: str = parameter("real", description="the input that it reads, declared or not")
    wants: tuple[str, ...] = parameter((), description="the inputs that it declares")

    def needs(self):
        return frozenset(self.wants)

    def planned_images(self, identities):
        return self.images

    def plan(self, sources, run):
        note("plan", run.scratch.name)
        pairs = generator(run.seed).integers(0, len(sources.real.identities), (self.images, 2))
        labels = np.arange(self.images) % 2
        half = np.full(pairs.shape, 0.5)
        return SynthesisPlan(("new one", "new two"), labels, pairs.astype(np.int64), half, self.block_size)

    def render(self, sources, block, noise):
        note("render", block.index, os.getpid())
        _obey("render", block.index)
        sources.open(self.reads)
        sources.passes["recognizer_forward"] += len(block)
        data = sources.real
        means = np.stack([data.pixels[data.labels == i].mean(0) for i in range(len(data.identities))])
        mixed = (means[block.sources] * block.weights[:, :, None, None, None]).sum(1)
        return (mixed + 20 * noise.transpose(0, 2, 3, 1)).clip(0, 255).astype(np.uint8)


class TinyGenerator(Generator):
    """Add up over its processes what each has; the first one writes."""

    name = "tiny-generator"
    version = "1"
    summary = "a sum over processes"

    wants: tuple[str, ...] = parameter((), description="the inputs that it declares")
    rounds: int = parameter(1, description="how often it adds up", ge=1)

    def needs(self):
        return frozenset(self.wants)

    def work(self, images):
        return 1

    def fit(self, sources, run):
        import torch
        from torch import distributed

        note("fit-rank", run.rank, run.world, torch.get_num_threads(), os.getpid())
        _obey(f"rank-{run.rank}")
        total = torch.tensor([run.rank + 1.0, len(sources.real)])
        if run.world > 1:
            distributed.all_reduce(total)
        run.log(f"logged by {run.rank}")
        run.count_evaluations(10)
        run.count_passes({"recognizer_forward": 7})
        sources.passes["recognizer_backward"] += 3
        run.progress(1, 1)
        if run.rank == 0:
            np.save(run.folder / "total.npy", total.numpy())

    def load(self, folder, device):
        return np.load(folder / "total.npy")


class TinyAttribute(AttributePredictor):
    """Tell the mean grey level; refuse the images whose names hold a text."""

    name = "tiny-attribute"
    version = "1"
    summary = "a mean"

    called: str = parameter("level", description="name of the column")
    high: float = parameter(255.0, description="end of its range")
    refuses: str = parameter("", description="text in the names of images that it cannot tell anything of")

    def columns(self):
        return (Attribute(self.called, "grey levels", 0, self.high),)

    def check_items(self, item_ids):
        named = [name for name in item_ids if self.refuses and self.refuses in name]
        if named:
            raise DataError(f"nothing is known of {', '.join(named)}: leave them out")

    def predict(self, images, item_ids):
        note("predict", self.called, *item_ids)
        return images.mean((1, 2, 3))[:, None]


class TinyRecognizer(Recognizer):
    """Follow the mean image by small random steps; keeps checkpoints like a real training."""

    name = "tiny-recognizer"
    version = "3"
    summary = "moves a mean image"

    updates: int = parameter(20, description="steps", ge=1)

    def updates_for(self, images):
        return self.updates

    def trained_for(self, updates):
        return type(self)(updates=updates)

    def work(self, images):
        return self.updates

    def fit(self, data, run):
        import torch

        note("fit", run.scratch.name, torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
        _obey(f"fit-{len(data)}")
        step, tensors, _ = run.checkpoints.load() or (0, {"mean": torch.zeros(data.images([0])[0].shape).double()}, {})
        run.log(f"starts after {step} steps")
        mean = tensors["mean"].numpy()
        while step < self.updates:
            step += 1
            note("step", run.scratch.name, step)
            _obey("step", step)
            rows = generator(run.seed, step).integers(0, len(data), 8)
            mean = 0.9 * mean + 0.1 * data.images(rows).mean(0)
            run.count_evaluations(8)
            if run.checkpoints.due():
                run.checkpoints.save(step, {"mean": torch.from_numpy(mean)})
            run.progress(step, self.updates)
        run.folder.joinpath("sub").mkdir()
        np.save(run.folder / "sub" / "mean.npy", mean)

    def load(self, folder, device):
        return TinyFitted(np.load(folder / "sub" / "mean.npy"))


class TinyFitted:
    def __init__(self, mean):
        self.mean = mean
        self.image_size = mean.shape[0]

    def embed(self, images):
        note("embed", len(images))
        return (images * (self.mean / 255)).reshape(len(images), -1)[:, ::16].astype(np.float32)

    def class_centres(self):
        return None


class TinyReader(PackReader):
    name = "tiny-protocol"
    version = "1"
    summary = "all images of a dataset"
    needs_data = True

    def open(self, data):
        return WholePack(data)


class TinyProtocol(EvaluationProtocol):
    name = "tiny-protocol"
    version = "1"
    summary = "mean distance of neighbours"

    stride: int = parameter(1, description="which neighbour", ge=1)

    def metric_ids(self):
        return (f"distance:{self.stride}",)

    def reader(self):
        return TinyReader()

    def evaluate(self, pack, features):
        note("evaluate", self.stride)
        _obey("protocol")
        shifted = np.roll(features.embeddings, self.stride, axis=0)
        distances = np.abs(features.embeddings - shifted).mean(1).astype(np.float64)
        return Evaluation({f"distance:{self.stride}": float(distances.mean())}, {"distances": distances})
