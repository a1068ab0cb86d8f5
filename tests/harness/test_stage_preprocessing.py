"""The check of colour order and scaling, on networks whose mistakes are known, and on many that make none."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from faceassay.brought.network import recognizer_of
from faceassay.brought.preprocessing import Preprocessing
from faceassay.contracts import FaceassayError, PairSample, Sources
from faceassay.stages import preprocessing

SIDE, PEOPLE = 8, 100


class Photographs:
    """Two images of each of 100 people; the pairs are of one person and of neighbours."""

    image_size = SIDE

    def __init__(self, pixels):
        self.pixels = pixels.clip(0, 255).astype(np.uint8)
        self.asked = []

    def images(self, index):
        self.asked += list(index)
        return self.pixels[index]

    def sample_pairs(self, count):
        person = np.arange(PEOPLE)[: count // 2]
        first, second = np.tile(2 * person, 2), np.concatenate([2 * person + 1, (2 * person + 3) % (2 * PEOPLE)])
        return PairSample(first, second, np.arange(len(first)) < len(person))


def photographs(seed=0, signal=(50.0, 50.0, 50.0), noise=25.0, *, grey=False):
    """Return people who are smooth patterns with ``signal`` grey levels of contrast in red, green, blue."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, 1, (PEOPLE, 4, 4, 3)) * signal
    if grey:
        coarse = coarse[..., :1].repeat(3, axis=3)
    patterns = coarse.repeat(2, axis=1).repeat(2, axis=2).repeat(2, axis=0)
    shape = (*patterns.shape[:3], 1 if grey else 3)
    return Photographs(128 + patterns + rng.normal(0, noise, shape))


@pytest.fixture
def checked(tmp_path):
    def check(network, stated, pack):
        recognizer = recognizer_of(network, stated, SIDE)
        context = SimpleNamespace(folder=tmp_path, seed=5, progress=lambda *_: None, count_evaluations=lambda _: None)
        preprocessing.run(None, Sources({"recognizer": lambda: recognizer, "benchmark": lambda: pack}), context)
        return preprocessing.load(None, tmp_path, "cpu")

    return check


def reads_first_channel(x):
    return x[:, 0].reshape(len(x), -1)


def wants_unit_range(x):
    """Clip as a network saturates that was made for -1 to 1."""
    return np.tanh(1.5 * x).reshape(len(x), -1)


def random_network(seed):
    """Return two random layers, in which colours and levels count as they happen to."""
    rng = np.random.default_rng(seed)
    hidden, last = rng.normal(0, 1 / 14, (3 * SIDE**2, 64)), rng.normal(0, 1 / 8, (64, 16))
    bias = rng.normal(0, 0.3, 64)
    return lambda x: (np.maximum(x.reshape(len(x), -1) @ hidden + bias, 0) @ last).astype(np.float32)


def test_a_wrong_colour_order_is_named(checked):
    red_tells = photographs(signal=(50, 10, 4))
    found = checked(reads_first_channel, Preprocessing("bgr"), red_tells)
    (sentence,) = found["suspicions"]
    assert sentence.startswith("colour order: with rgb the same and different pairs separate better (AUC ")
    assert sentence.endswith("on 200 pairs): is the model's input really bgr?")
    assert checked(reads_first_channel, Preprocessing("rgb"), red_tells)["suspicions"] == []


def test_a_wrong_scaling_is_named_by_the_best_alternative(checked):
    found = checked(wants_unit_range, Preprocessing("rgb", 0, 1), photographs())
    (sentence,) = found["suspicions"]
    assert sentence.startswith("scaling: with (grey level - 127.5) / 127.5 the same")
    assert sentence.endswith("is the model's input really (grey level - 0) / 1?")
    assert checked(wants_unit_range, Preprocessing(), photographs())["suspicions"] == []


def test_colour_order_is_no_matter_on_grey_images(checked):
    found = checked(reads_first_channel, Preprocessing("bgr"), photographs(grey=True))
    stated, other = found["stated"], found["alternatives"][0]
    assert other["colour"] == "rgb"
    assert (stated["auc"], stated["d_prime"]) == (other["auc"], other["d_prime"])
    assert not any(sentence.startswith("colour") for sentence in found["suspicions"])


def test_random_networks_are_hardly_ever_suspected(checked):
    stated = (Preprocessing(), Preprocessing("bgr", 0, 255))
    runs = [(random_network(seed), stated[seed % 2], photographs(seed, noise=60 + seed)) for seed in range(24)]
    assert sum(bool(checked(*one)["suspicions"]) for one in runs) <= 1


def test_the_numbers_are_those_of_the_pairs(checked):
    pack = photographs(noise=70)
    found = checked(reads_first_channel, Preprocessing(), pack)
    sample = pack.sample_pairs(200)
    x = pack.pixels[..., 0].reshape(200, -1) / 127.5 - 1
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    scores = (unit[sample.first] * unit[sample.second]).sum(1)
    assert found["pairs"] == 200
    assert found["stated"]["auc"] == pytest.approx(roc_auc_score(sample.is_same, scores), abs=1e-4)
    assert [one["std"] for one in found["alternatives"]] == [127.5, 255, 1]


def test_every_image_is_read_once(checked):
    pack = photographs()
    checked(reads_first_channel, Preprocessing(), pack)
    assert sorted(pack.asked) == list(range(200))


def test_embeddings_that_overflow_separate_nothing(checked):
    def overflows(x):
        with np.errstate(over="ignore", invalid="ignore"):
            return np.exp(x.reshape(len(x), -1).astype(np.float32)) * np.float32(1e30)

    found = checked(overflows, Preprocessing("rgb", 0, 1), photographs())
    assert found["stated"]["auc"] == 0.5
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["suspicions"]


def test_a_trained_recognizer_has_nothing_to_check(tmp_path):
    sources = Sources({"recognizer": lambda: SimpleNamespace(image_size=SIDE), "benchmark": photographs})
    with pytest.raises(FaceassayError, match="only ONNX and TorchScript"):
        preprocessing.run(None, sources, SimpleNamespace(folder=tmp_path, seed=0))
