"""What a report says of recognizers, generators and their rows, attributes and seeds; nothing has to have run."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from faceassay.contracts import Attribute, AttributePredictor
from faceassay.expand import expand
from faceassay.registry import Origin, Registry, load_plugins
from faceassay.report.notes import sections
from faceassay.report.settings import generators, settings
from faceassay.results import collect
from faceassay.spec import read_matrix
from faceassay.store import Store
from faceassay.table import build
from matrices import MATRIX, changed, write_faces

SEEDS = ("seeds: [0]", "seeds: [0, 3]")
SCOREMIX = "  - name: ScoreMix\n    group: FR_syn\n"
OWN = "    generator: {channels: 16}\n"
REPRO = "  - {name: Repro, group: FR_syn, augmentation: {plugin: repro, images_per_class: 1, steps: 2}}\n"
LOOKING = ("plugin: scoremix, pairs", "plugin: scoremix, selection: dist-embedding-cosine, pairs")


class Tone(AttributePredictor):
    name = "tone"
    version = "7"
    summary = "how light an image is"

    def columns(self):
        return (Attribute("light", "grey levels", 0, 255), Attribute("contrast", "grey levels", 0, 128))

    def predict(self, images, item_ids):
        return np.zeros((len(images), 2), np.float32)


def registry():
    bundled = load_plugins()
    return Registry(
        {**bundled.classes, ("attribute", "tone"): Tone},
        {**bundled.origins, ("attribute", "tone"): Origin("here", "tests", "1")},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("settings")
    write_faces(folder)
    network = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(48, 8)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(network, torch.zeros(2, 3, 16, 16)).save(str(folder / "looked through.pt"))
    return folder


@pytest.fixture
def results(folder):
    def results(*changes):
        (folder / "m.yaml").write_text(changed(SEEDS, *changes))
        spec = read_matrix(folder / "m.yaml", registry())
        return collect(spec, expand(spec), Store.open(folder / "store"))

    return results


def with_two_generators():
    return SCOREMIX, REPRO + SCOREMIX + OWN


def test_one_generator_is_named_without_its_rows(results):
    assert list(settings(results())) == [
        ("recognizer", "iresnet, version 1"),
        ("generator", "edm2, version 1, seed 0"),
        ("seeds", "0, 3 (base seed 0)"),
    ]


def test_of_several_generators_it_is_said_which_row_uses_which(results):
    said = [text for about, text in settings(results(with_two_generators())) if about == "generator"]
    assert said == ["edm2, version 1, seed 0 (Repro)", "edm2, version 1, seed 0 (ScoreMix)"]


def test_generators_are_those_that_rows_use_each_once(results):
    used = generators(results(with_two_generators()))
    assert [(stage.plugin.channels, rows) for stage, rows in used.items()] == [(8, ["Repro"]), (16, ["ScoreMix"])]


def test_rows_of_one_generator_stand_together(results):
    (rows,) = generators(results((SCOREMIX, REPRO + SCOREMIX))).values()
    assert rows == ["Repro", "ScoreMix"]


def test_a_generator_that_no_row_uses_is_not_named(results):
    found = results((MATRIX[MATRIX.index(SCOREMIX) : MATRIX.index("benchmarks:")], ""))
    assert found.matrix.generator is not None
    assert "generator" not in dict(settings(found))


def test_attributes_are_named_with_their_units(results):
    found = results(("recognizer:\n", "attributes: [{plugin: tone}]\nrecognizer:\n"))
    assert dict(settings(found))["attributes"] == "tone, version 7: light (grey levels), contrast (grey levels)"


@pytest.mark.parametrize(
    ("needs", "text"),
    [
        ([LOOKING], "methods look through it, not through one trained here"),
        ([], "no method looks through it"),
    ],
)
def test_a_brought_recognizer_is_named_by_its_file(results, needs, text):
    brought = ("recognizer:\n", "original: {path: looked through.pt, image_size: 16}\nrecognizer:\n")
    about, said = list(settings(results(brought, *needs)))[1]
    assert about == "original recognizer"
    assert said.startswith("looked through.pt")
    assert said.endswith(text)
    assert ("sha256" in said) is bool(needs)


def test_spreads_are_conditional_on_the_generators_that_are_used(results):
    def first_note(*changes):
        found = results(*changes)
        return sections(found, build(found))[0].items[0][1]

    assert "seeds of recognizer and synthesis, conditional on one generator;" in first_note()
    assert ", conditional on one training of each generator;" in first_note(with_two_generators())
    none = (MATRIX[MATRIX.index(SCOREMIX) : MATRIX.index("benchmarks:")], "")
    assert "seeds of recognizer and synthesis; it says" in first_note(none)
