"""A matrix with a validation set: what it changes, what a plugin must do, what is told, what is refused where."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import tiny_matrix as tiny
from faceassay import given as givens
from faceassay.assessing.graph import expand_assessment
from faceassay.contracts import ChoosingRecognizer, Chosen, FaceassayError, parameter
from faceassay.expand import expand
from faceassay.given import ValidationInput
from faceassay.judging import _trained_on
from faceassay.pricing import price
from faceassay.registry import Origin, Registry
from faceassay.report.cards import cards
from faceassay.report.notes import sections
from faceassay.results import collect
from faceassay.spec import SpecError, read_matrix
from faceassay.stages import recognizer as recognizer_stage
from faceassay.store import Store
from faceassay.table import build
from faceassay.tracking import _cell_entry
from faceassay.validation import PairValidation
from faceassay_plugins.datasets.folder import Folder
from fakes import Log, sources, stage_context, toy_faces
from matrices import changed, position
from tiny_plugins import TinyFaces, TinyGenerator, TinyRecognizer

WORD = "validation: {data: val, checks: 4}\n"
WITHOUT = changed(
    ("train: train\n", "  val: {plugin: tiny-faces, prefix: v, seed: 2, people: 3}\ntrain: train\n"),
    ("{plugin: tiny-recognizer}", "{plugin: tiny-choosing}"),
    ("  - {name: Blend, group: FR_syn, augmentation: {plugin: tiny-blend}}\n", """\
  - {name: Looking, group: FR_syn, augmentation: {plugin: tiny-blend, wants: [generator]}, generator: {rounds: 2}}
  - {name: Other real, group: FR_real, data: more}
"""),
    ("recognizer: {", "generator: {plugin: tiny-generator, wants: [recognizer]}\nrecognizer: {"),
    ("data:\n", "data:\n  more: {plugin: tiny-faces, prefix: m, seed: 3}\n"),
    text=tiny.MATRIX,
)  # fmt: skip
MATRIX = changed(("recognizer: {", f"{WORD}recognizer: {{"), text=WITHOUT)


class TinyChoosing(TinyRecognizer, ChoosingRecognizer):
    """Train as it does and pretend that the state at ``best`` was the best."""

    name = "tiny-choosing"

    best: int = parameter(10, description="updates of the best state")

    def trained_for(self, updates):
        return type(self)(updates=updates, best=self.best)

    def architecture(self):
        return {"choosing": True}

    def fit_choosing(self, data, validation, run):
        self.fit(data, run)
        scores = [(update, 1 / (1 + abs(update - self.best))) for update in validation.points(self.updates)]
        return Chosen.best_of(scores)


class Lone(TinyFaces):
    """Have one person with many images and others with one each."""

    name = "lone"

    def open(self):
        faces = super().open()
        kept = np.flatnonzero((faces.labels == 0) | (np.arange(len(faces)) % 6 == 0))
        faces.pixels, faces.labels = faces.pixels[kept], faces.labels[kept]
        faces.item_ids = tuple(faces.item_ids[i] for i in kept)
        return faces


class Large(TinyFaces):
    name = "large"

    def open(self):
        faces = super().open()
        faces.pixels = faces.pixels.repeat(2, axis=1).repeat(2, axis=2)
        return faces


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Return a function that reads a matrix which may name this file's plugins too."""
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))
    datasets = {("dataset", cls.name): cls for cls in (Folder, Large, Lone)}
    classes = {**tiny.registry().classes, **datasets, ("recognizer", "tiny-choosing"): TinyChoosing}
    registry = Registry(classes, dict.fromkeys(classes, Origin("tiny", "tiny", "1")))

    def read(text=MATRIX):
        path = tmp_path / "matrix.yaml"
        path.write_text(text)
        return read_matrix(path, registry)

    return read


@pytest.fixture
def ran(read, tmp_path, monkeypatch):
    """Return a function that runs a matrix, but for the generators' own rows, and collects its results."""
    monkeypatch.setattr(TinyGenerator, "load", lambda self, folder, device: SimpleNamespace(evaluations=0))

    def ran(text=MATRIX):
        matrix = read(text)
        graph, store = expand(matrix), Store.open(tmp_path / "store")
        assert tiny.run(graph, store) == {}
        return collect(matrix, graph, store)

    return ran


def of_kind(graph, kind):
    return [stage for stage in graph.stages.values() if stage.kind == kind]


# --- what of the matrix changes


def test_without_the_word_no_key_knows_of_validation(read):
    graph = expand(read(WITHOUT))
    assert all("validation" not in json.dumps(stage.key.document["inputs"]) for stage in graph.stages.values())
    assert {tuple(stage.key.document["inputs"]) for stage in of_kind(graph, "recognizer")} <= {
        ("real",), ("synthesis",), ("real", "synthesis", "mixture"),
    }  # fmt: skip


def test_data_that_validates_nothing_changes_no_key(read):
    without = changed(("  val: {plugin: tiny-faces, prefix: v, seed: 2, people: 3}\n", ""), text=WITHOUT)
    assert set(expand(read(WITHOUT)).stages) == set(expand(read(without)).stages)


def test_every_row_and_the_original_recognizer_are_chosen(read):
    graph = expand(read())
    trained = of_kind(graph, "recognizer")
    assert {stage.title for stage in trained} == {
        "recognizer Real, seed 0",  # the original recognizer is this one, by the same rule
        "recognizer Blend + real, seed 0",
        "recognizer Looking, seed 0",
        "recognizer Other real, seed 0",
    }
    assert all(isinstance(stage.inputs["validation"], ValidationInput) for stage in trained)
    (generator,) = of_kind(graph, "generator")
    assert generator.inputs["recognizer"] is graph.rows["Real"].recognizers[0]


def test_what_looks_through_no_recognizer_stays_as_it_was(read):
    before, after = expand(read(WITHOUT)), expand(read())
    stayed = {stage.title for key, stage in before.stages.items() if key in after.stages}
    assert stayed == {
        "plan of tiny-blend, seed 0", "synthesis tiny-blend, seed 0", "image quality of tiny-blend, seed 0",
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        ("checks: 4", "checks: 5"),
        ("checks: 4", "checks: 4, pairs: 7"),
        ("prefix: v, seed: 2", "prefix: v, seed: 9"),
        ("prefix: v, seed: 2, people: 3", "prefix: v, seed: 2, people: 4"),
    ],
)
def test_what_is_measured_is_in_the_keys_of_recognizers(read, change):
    before, after = (of_kind(expand(read(text)), "recognizer") for text in (MATRIX, changed(change, text=MATRIX)))
    assert not {stage.digest for stage in before} & {stage.digest for stage in after}


def test_the_code_that_measures_is_in_the_keys_of_recognizers(read, monkeypatch):
    before = {stage.digest for stage in of_kind(expand(read()), "recognizer")}
    monkeypatch.setattr(givens, "_measuring_digest", lambda: "other")
    assert not before & {stage.digest for stage in of_kind(expand(read()), "recognizer")}


def test_a_judge_keeps_its_last_checkpoint(read):
    plan = expand_assessment(read(changed((WORD, f"{WORD}judge: {{plugin: tiny-recognizer}}\n"), text=MATRIX)))
    assert plan.judge.plugin == TinyRecognizer()
    assert "validation" not in plan.judge.inputs


def test_a_brought_recognizer_that_was_chosen_was_still_trained_on_the_real_images():
    real, validation = {"data": {"fingerprint": "ab"}}, {"validation": {}}
    assert _trained_on({"real": real, "validation": validation}) == "ab"
    assert _trained_on({"real": real, "synthesis": {}, "validation": validation}) == ""


def test_the_plan_prices_what_is_embedded_at_most(read):
    recognizers = of_kind(expand(read()), "recognizer")
    assert {price(stage).passes for stage in recognizers} == {4 * 18}  # four states on three people with six images
    few = of_kind(expand(read(changed(("checks: 4", "checks: 4, pairs: 2"), text=MATRIX))), "recognizer")
    assert {price(stage).passes for stage in few} == {4 * 8}
    assert {price(stage).passes for stage in of_kind(expand(read(WITHOUT)), "recognizer")} == {0}


def test_absent_validation_images_leave_recognizers_unrun(read):
    folder = "{plugin: folder, path: nowhere, image_size: 16, expect: {identities: 3, images: 18, image_size: 16}}"
    matrix = changed(("{plugin: tiny-faces, prefix: v, seed: 2, people: 3}", folder), text=MATRIX)
    graph = expand(read(matrix))
    assert all("data 'val' is not there" in stage.absent[0] for stage in of_kind(graph, "recognizer"))


# --- what a plugin must do


def chosen_by(folder, plugin, rank=0, **options):
    """Run the stage of a recognizer on a training of 20 updates, four of whose states are measured."""
    log = Log()
    inputs = sources(real=toy_faces(), validation=PairValidation(toy_faces(seed=5), 4, 9))
    recognizer_stage.run(plugin, inputs, replace(stage_context(folder, log=log), rank=rank, **options))
    return log


def test_the_stage_keeps_what_was_chosen_and_counts_the_passes(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))
    log = chosen_by(tmp_path, TinyChoosing())
    assert recognizer_stage.chosen_in(tmp_path / "work") == Chosen(
        10, ((5, 1 / 6), (10, 1.0), (15, 1 / 6), (20, 1 / 11))
    )
    embedded = PairValidation(toy_faces(seed=5), 4, 9).images
    assert log.passes == {"recognizer_forward": 4 * embedded}


def test_only_the_first_process_says_what_was_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))
    chosen_by(tmp_path, TinyChoosing(), rank=1)
    assert recognizer_stage.chosen_in(tmp_path / "work") is None


def test_a_plugin_without_a_choice_is_refused_by_the_stage_too(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))
    with pytest.raises(FaceassayError, match="tiny-recognizer cannot choose a checkpoint"):
        chosen_by(tmp_path, TinyRecognizer())


@pytest.mark.parametrize(
    "said",
    [
        None,
        Chosen(20, ((5, 0.1), (10, 0.9), (15, 0.2), (20, 0.3))),
        Chosen(15, ((5, 0.1), (10, 0.9), (15, 0.9), (20, 0.3))),
        Chosen(10, ((5, 0.1), (10, 0.9))),
        Chosen(10, ((4, 0.1), (10, 0.9), (15, 0.2), (20, 0.3))),
    ],
    ids=["nothing", "not-the-best", "not-the-earliest", "not-all", "other-states"],
)
def test_a_plugin_that_keeps_another_state_than_the_best_fails(tmp_path, monkeypatch, said):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))
    monkeypatch.setattr(TinyChoosing, "fit_choosing", lambda self, data, validation, run: said)
    with pytest.raises(FaceassayError, match=r"tiny-choosing did not keep the best of the states after \[5, 10, 15"):
        chosen_by(tmp_path, TinyChoosing())


# --- what is told


def notes(results):
    return [item for section in sections(results, build(results)) for item in section.items]


def test_without_the_word_every_row_has_its_last_checkpoint(read, tmp_path):
    matrix = read(WITHOUT)
    said = notes(collect(matrix, expand(matrix), Store.open(tmp_path / "store")))
    assert sum(text.endswith("checkpoint: last") for _, text in said) == 4
    assert not any(what == "checkpoint" for what, _ in said)


def test_notes_say_which_checkpoint_was_taken_for_each_seed(ran):
    results = ran(changed(("seeds: [0]", "seeds: [0, 3]"), text=MATRIX))
    said = {}
    for what, text in notes(results):
        said.setdefault(what, []).append(text)
    assert said["Real"][0].endswith(
        "checkpoint: best on 'val' (seed 0 AUC 1.0000 at update 10 of 20, seed 3 AUC 1.0000 at update 10 of 20)"
    )
    assert said["checkpoint"][0].startswith("the best of 4 states, evenly spaced over each training, on data 'val'")
    assert "at most 10,000 same and 10,000 different pairs" in said["checkpoint"][0]
    assert "data 'val' clean" in said["near"][1]


def test_notes_of_a_matrix_that_has_not_run_say_so(read, tmp_path):
    matrix = read()
    said = notes(collect(matrix, expand(matrix), Store.open(tmp_path / "store")))
    assert any(text.endswith("checkpoint: best on 'val' (seed 0 not trained yet)") for _, text in said)


def test_cards_say_that_a_set_chooses_and_what_was_chosen(ran):
    made = {card.title: card for card in cards(ran())}
    assert made["data 'val'"].uses == ("it chooses the checkpoints of recognizers",)
    (looked_through,) = made["synthetic images of Looking"].auxiliary
    assert "trained on data 'train'; checkpoint chosen by data 'val'; key" in looked_through


def test_mlflow_is_told_which_checkpoint_was_taken(ran):
    tags = _cell_entry(ran(), "Real", 0).tags
    assert tags["faceassay.checkpoint"] == "best, AUC 1.0000 at update 10"


# --- what is refused


DATA = "val: {plugin: tiny-faces, prefix: v, seed: 2, people: 3}"


@pytest.mark.parametrize(
    ("change", "fragment", "message"),
    [
        (("data: val", "data: test"), "test, checks", "is what benchmark 'near' tests"),
        (("data: val", "data: train"), "train, checks", "with data 'train', which is trained on"),
        (("data: val", "data: more"), "more, checks", "with data 'more', which is trained on"),
        ((DATA, DATA.replace("prefix: v", "prefix: a")), "val, checks", "3 identities (a1, a2, a3) with data 'train'"),
        ((DATA, DATA.replace("prefix: v", "prefix: b")), "val, checks", "(b1, b2, b3) with benchmark 'near'"),
        ((DATA, DATA.replace("prefix: v", "prefix: m")), "val, checks", "with data 'more', which is trained on: name"),
        ((DATA, DATA.replace("people: 3", "people: 1")), "val, checks", "too few people with 2 images or more (1)"),
        ((DATA, DATA.replace("tiny-faces", "lone")), "val, checks", "images or more (1): name a set"),
        ((DATA, DATA.replace("tiny-faces", "large")), "val, checks", "images of 32 px, the training images 16 px"),
        (
            ("{plugin: tiny-choosing}", "{plugin: tiny-recognizer}"),
            "{plugin: tiny-recognizer}",
            "tiny-recognizer keeps its last checkpoint and cannot choose one: take 'validation' out",
        ),
        (
            ("name: Real, group: FR_real", "name: Real, group: FR_real, recognizer: {plugin: tiny-recognizer}"),
            "{plugin: tiny-recognizer}",
            "tiny-recognizer keeps its last checkpoint",
        ),
        (("data: val", "data: vall"), "vall", "no entry of data is called 'vall'; did you mean 'val'?"),
        (("checks: 4", "checks: 1"), "1}\nrecognizer", "greater than or equal to 2 (got 1)"),
        (("checks: 4", "checks: 2.5"), "2.5}", "valid integer"),
        (("checks: 4", "pairs: 0"), "0}\nrecognizer", "greater than or equal to 1 (got 0)"),
        (("checks: 4", "pairs: 100001"), "100001}", "less than or equal to 100000"),
        (("checks: 4", "check: 4"), "4}\nrecognizer", "unknown parameter; did you mean 'checks'?"),
        ((WORD, "validation: {checks: 4}\n"), "{checks: 4}", "validation.data: Field required"),
        ((WORD, "validation: val\n"), "val\nrecognizer", "validation: Input should be an object"),
    ],
)  # fmt: skip
def test_a_validation_set_that_cannot_choose_is_refused_where_it_stands(read, change, fragment, message):
    text = changed(change, text=MATRIX)
    with pytest.raises(SpecError) as caught:
        expand(read(text))
    ((line, column, said),) = [(p.place.line, p.place.column, p.message) for p in caught.value.problems]
    assert message in said
    assert (line, column) == position(text, fragment)
