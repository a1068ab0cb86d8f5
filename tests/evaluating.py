"""What the tests of ``faceassay evaluate`` share: packs by title, what a call came to, numbers by hand."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from miniatures.brought import embedded, matrix
from miniatures.pairs import pairs, photographs

FEW = ",replicates=20"
CONVENTIONS = ("insightface_eval_ijbc", "adaface", "cvlface", "tface", "facexzoo")
WEIGHTS = matrix(width=2, seed=6)
"""Two numbers an image: too few to tell all pairs apart, so that accuracies are not all 1."""
PACKS = {
    "lfw bin": ("lfw", "lfw.bin", "pairs"),
    "lfw bin.xz": ("lfw", "lfw.bin.xz", "pairs"),
    "lfw folder": ("lfw", "lfw", "identities"),
    "lfw zip": ("lfw", "lfw.zip", "identities"),
    "lfw zip of its folder": ("lfw", "outer/lfw.zip", "identities"),
    "lfw list given": ("lfw", "faces,pairs={packs}/list/lfw_pairs.txt", "identities"),
    "lfw five folds": ("lfw", "lfw,folds=6..10", "identities"),
    "cfp-fp bin": ("cfp-fp", "lfw.bin", "pairs"),
    "cfp-fp folder": ("cfp-fp", "cfp", "identities"),
    "cfp-fp zip": ("cfp-fp", "cfp.zip", "identities"),
    "cfp-ff folder": ("cfp-ff", "cfp", "identities"),
    "cfp-ff bin": ("cfp-ff", "lfw.bin", "pairs"),
    "agedb-30 folder": ("agedb-30", "agedb", "identities"),
    "agedb-30 bin": ("agedb-30", "lfw.bin", "pairs"),
    "calfw folder": ("calfw", "calfw", "identities"),
    "calfw bin": ("calfw", "lfw.bin", "pairs"),
    "cplfw folder": ("cplfw", "cplfw", "identities"),
    "cplfw bin": ("cplfw", "lfw.bin", "pairs"),
    "ijb-b": ("ijb-b", "ijbb/IJBB", "subjects"),
    "ijb-c": ("ijb-c", "ijbc/IJBC", "subjects"),
    "ijb-c zip": ("ijb-c", "ijbc/IJBC.zip", "subjects"),
    "ijb-c without 1:N lists": ("ijb-c", "bare/IJBC", "templates that genuine pairs join"),
    "ijb-c aligned": ("ijb-c", "aligned/IJBC", "subjects"),
    "tinyface": ("tinyface", "tiny,counts=warn", "identities"),
}
"""By title the benchmark, its files in the folder of packs, and the population of its first intervals."""
IMAGES = {"lfw bin": 120, "lfw folder": 60, "lfw five folds": 31, "ijb-c": 90, "tinyface": 40}
"""Images of a pack; five folds have 15 people with two each, and the last different pair one of the first person."""


@dataclass
class Said:
    """What a call came to; ``results`` are the benchmarks in its JSON file."""

    code: int
    stdout: str
    stderr: str
    document: dict

    @property
    def results(self):
        return self.document["benchmarks"]

    @property
    def lfw(self):
        return self.results["lfw"]


def bin_of_photographs(people=30, seed=0):
    """Return images and labels of a pack whose pairs are those of the miniature LFW."""
    images = {(person, image): content for person, image, content in photographs(people, seed)}
    listed = pairs(10, people // 10)
    return [images[one] for _, _, *two in listed for one in two], [same for _, same, *_ in listed]


def decoded(images):
    return np.stack([cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1] for one in images])


def by_hand(images, is_same, *, flip):
    """Return the ten-fold accuracy, by one loop over thresholds in each fold."""
    vectors = embedded(decoded(images), WEIGHTS) + flip * embedded(decoded(images), WEIGHTS, flip=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distances, same = ((vectors[::2] - vectors[1::2]) ** 2).sum(1), np.array(is_same)
    right = []
    for fold in np.split(np.arange(len(same)), 10):
        rest = np.setdiff1d(np.arange(len(same)), fold)
        train = [((distances[rest] < step * 0.01) == same[rest]).mean() for step in range(400)]
        right.append(((distances[fold] < 0.01 * int(np.argmax(train))) == same[fold]).mean())
    return float(np.mean(right))


def artifacts(store):
    """Return the kinds and digests of the stages that a store holds."""
    return {(path.parent.name, path.name) for path in (store / "artifacts").glob("*/*")}


def kinds_of(digests):
    return sorted(kind for kind, _ in digests)


def save(path, embeddings, flipped=None):
    arrays = {"embeddings": embeddings} | ({} if flipped is None else {"flipped": flipped})
    if path.suffix == ".npy":
        np.save(path, embeddings)
    elif path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        from safetensors.numpy import save_file

        save_file(arrays, path)
    return str(path)
