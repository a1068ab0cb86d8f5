"""Plugins of every kind that keep their contract in few lines; the tests of the kit break one sentence at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from faceassay import (
    Attribute,
    AttributePredictor,
    DataError,
    DatasetPlugin,
    Evaluation,
    EvaluationProtocol,
    Figure,
    Generator,
    LabelMix,
    PackReader,
    Recognizer,
    Search,
    SynthesisPlan,
    parameter,
)
from faceassay.denoising import DenoisingAugmentation
from faceassay.sampling import CountedNetwork, NetworkDenoiser, from_images
from faceassay.seeds import generator
from faceassay.testing import faces
from faceassay_protocols.packs import PairPack


class Finding(Search):
    """Look at a few images and find a weight; keeps its progress."""

    name = "finding"
    version = "1"
    summary = "a search"

    def needs(self):
        return frozenset({"recognizer"})

    def work(self, identities):
        return 0

    def run(self, sources, run):
        step, tensors, document = run.checkpoints.load() or (0, {"sums": torch.zeros(3)}, {"looks": 0})
        sums, looks = tensors["sums"].clone(), document["looks"]
        for place in range(step, 3):
            rows = generator(run.seed, place).integers(0, len(sources.real), 2)
            sums[place] = float(self.looked(sources, rows).mean())
            looks += 2
            run.checkpoints.save(place + 1, {"sums": sums}, {"looks": looks})
        run.count_passes({"recognizer_forward": looks})
        return {"weight": 0.5 + 0.01 * float(sums.sum()), "sums": sums.numpy()}

    def looked(self, sources, rows):
        return sources.recognizer.embed(sources.real.images(rows))


class Good(DenoisingAugmentation):
    """Sample each person under its own condition, two images each."""

    name = "good"
    version = "1"
    summary = "sampled people"

    steps: int = parameter(3, ge=2, description="steps of the sampler")
    count: int = parameter(1, ge=1, description="images of each person")

    def planned_images(self, identities):
        return identities * self.count

    def plan(self, sources, run):
        people = len(sources.real.identities)
        labels = np.arange(people, dtype=np.int64).repeat(self.count)
        names = tuple(f"new:{name}" for name in sources.real.identities)
        places = generator(run.seed).random(len(labels))
        return SynthesisPlan(names, labels, labels[:, None], np.ones((len(labels), 1)), 3, {"place": places})

    def denoiser(self, sources, block):
        mix = LabelMix(block.sources, block.weights)
        return self.guided(lambda role: sources.generator.denoiser(mix, role=role))


class GoodSearch(Good):
    """Weigh the condition by what a search found."""

    searching: ClassVar = Finding()

    def search(self):
        return self.searching

    def plan(self, sources, run):
        plan = super().plan(sources, run)
        weights = np.full((len(plan), 1), float(sources.search["weight"]))
        return SynthesisPlan(plan.identities, plan.labels, plan.sources, weights, 3)


@dataclass
class Means:
    """A fitted generator of class means."""

    means: torch.Tensor
    identities: tuple[str, ...]
    device: str = "cpu"

    def __post_init__(self):
        self.networks = {role: CountedNetwork(self.network) for role in ("main", "guide")}

    @property
    def image_size(self):
        return self.means.shape[-1]

    @property
    def evaluations(self):
        return sum(network.evaluations for network in self.networks.values())

    def network(self, x, sigma, condition):
        noise = sigma.view(-1, 1, 1, 1) ** 2
        return (0.1 * x + noise * condition) / (0.1 + noise)

    def denoiser(self, condition, *, role="main"):
        if not isinstance(condition, LabelMix):
            raise ValueError("a LabelMix is needed")
        if condition.indices.max() >= len(self.means):
            raise ValueError("no such class")
        weights = torch.from_numpy(condition.weights).float()[:, :, None, None, None]
        return NetworkDenoiser(self.networks[role], (self.means[condition.indices] * weights).sum(1))

    def condition_vectors(self):
        return self.means.flatten(1).numpy()


class GoodGenerator(Generator):
    """Follow the mean image of each class by seeded steps."""

    name = "good-generator"
    version = "1"
    summary = "means"
    fitted: ClassVar = Means

    def work(self, images):
        return 4

    def fit(self, sources, run):
        data = sources.real
        step, tensors, _ = run.checkpoints.load() or (0, {"means": torch.zeros(len(data.identities), 3, 16, 16)}, {})
        means = tensors["means"]
        while step < 4:
            step += 1
            rows = generator(run.seed, step).integers(0, len(data), 8)
            for row, image in zip(rows, self.seen(data, rows), strict=True):
                means[data.labels[row]] = 0.8 * means[data.labels[row]] + 0.2 * image
            run.progress(step, 4)
            if run.checkpoints.due():
                run.checkpoints.save(step, {"means": means})
        save_file({"means": means}, run.folder / "means.safetensors")
        (run.folder / "names.txt").write_text("\n".join(data.identities))

    def seen(self, data, rows):
        return from_images(data.images(rows))

    def load(self, folder, device):
        names = tuple((folder / "names.txt").read_text().split("\n"))
        return self.fitted(load_file(folder / "means.safetensors")["means"], names)


@dataclass
class Linear:
    """A fitted recognizer that is a linear map."""

    matrix: torch.Tensor
    centres: np.ndarray
    image_size: int = 16

    def features(self, x):
        return x.flatten(1) @ self.matrix

    def embed(self, images):
        return self.features(from_images(images)).numpy()

    def class_centres(self):
        return self.centres


class GoodRecognizer(Recognizer):
    """Map by random numbers and a mean image that is followed step by step."""

    name = "good-recognizer"
    version = "1"
    summary = "linear"
    fitted: ClassVar = Linear

    updates: int = parameter(3, ge=1, description="steps")

    def updates_for(self, images):
        return self.updates

    def trained_for(self, updates):
        return type(self).model_validate({"updates": updates})

    def work(self, images):
        return self.updates * 4

    def fit(self, data, run):
        step, tensors, _ = run.checkpoints.load() or (0, {"mean": torch.zeros(3, 16, 16)}, {})
        mean = tensors["mean"]
        while step < self.updates:
            step += 1
            rows = generator(run.seed, step).integers(0, len(data), 4)
            mean = 0.5 * mean + 0.5 * self.seen(data, rows).mean(0)
            run.progress(step * 4, self.work(len(data)))
            if run.checkpoints.due():
                run.checkpoints.save(step, {"mean": mean})
        matrix = torch.from_numpy(generator(run.seed).standard_normal((768, 6)).astype(np.float32))
        matrix = matrix * (1 + mean.reshape(-1, 1))
        save_file({"matrix": matrix, "centres": matrix[: len(data.identities)].clone()}, run.folder / "map.safetensors")

    def seen(self, data, rows):
        return from_images(data.images(rows))

    def load(self, folder, device):
        found = load_file(folder / "map.safetensors")
        return self.fitted(found["matrix"], found["centres"].numpy())


class GoodDataset(DatasetPlugin):
    name = "good-dataset"
    version = "1"
    summary = "drawn faces"

    def open(self):
        return faces()


class GoodReader(PackReader):
    name = "good-protocol"
    version = "1"
    summary = "all pairs"
    needs_data = True

    def open(self, data):
        first, second = (rows.astype(np.int64) for rows in np.triu_indices(len(data), 1))
        is_same = data.labels[first] == data.labels[second]
        images = Named(data)
        return PairPack(source=images, first=first, second=second, is_same=is_same, fold=np.zeros(len(first), np.int64))


@dataclass
class Named:
    """A dataset whose images have names."""

    data: object

    def __len__(self):
        return len(self.data)

    def __getattr__(self, name):
        return getattr(self.data, "item_ids" if name == "names" else name)


class GoodProtocol(EvaluationProtocol):
    """Count the pairs that a cosine of 0.5 tells apart."""

    name = "good-protocol"
    version = "1"
    summary = "accuracy at a cosine of 0.5"

    def metric_ids(self):
        return ("accuracy:cosine-0.5",)

    def reader(self):
        return GoodReader()

    def evaluate(self, pack, features):
        lengths = np.linalg.norm(features.embeddings, axis=1, keepdims=True)
        if len(features.embeddings) != len(pack) or not np.isfinite(lengths).all() or not lengths.all():
            raise DataError("embeddings do not fit: embed the images again")
        right = (self.cosines(pack, features.embeddings / lengths) > 0.5) == pack.is_same
        drawn = right[generator(1).integers(0, len(right), (5, len(right)))].mean(axis=1)[:, None]
        return Evaluation({self.metric_ids()[0]: float(right.mean())}, {"right": right, "replicates": drawn})

    def cosines(self, pack, unit):
        return (unit[pack.first] * unit[pack.second]).sum(1)


class GoodAttribute(AttributePredictor):
    name = "good-attribute"
    version = "1"
    summary = "mean red"

    def columns(self):
        return (Attribute("red", "grey levels", 0, 255),)

    def predict(self, images, item_ids):
        return images[..., 0].mean((1, 2))[:, None].astype(np.float32)


class GoodFigure(Figure):
    name = "good-figure"
    version = "1"
    summary = "nothing"

    def draw(self, sources, run):
        raise NotImplementedError


GOOD = (Good, GoodSearch, GoodGenerator, GoodRecognizer, GoodDataset, GoodProtocol, GoodAttribute, GoodFigure)
