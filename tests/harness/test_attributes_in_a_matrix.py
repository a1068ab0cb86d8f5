"""Attributes in a matrix: who is told them, what is refused before anything runs, and what their keys depend on."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import tiny_matrix as tiny
import tiny_plugins
from faceassay.contracts import AttributePredictor, DataPath, Search, parameter
from faceassay.execute import Order
from faceassay.expand import expand
from faceassay.inputs import open_artifact, open_sources
from faceassay.registry import Origin, Registry
from faceassay.spec import SpecError, read_matrix
from faceassay.store import Store
from faceassay_plugins.attributes.table import Table
from matrices import changed, position
from tiny_plugins import TinyBlend, TinyFaces

MATRIX = changed(
    (
        "recognizer: {",
        """attributes:
  - {plugin: tiny-attribute}
  - {plugin: tiny-attribute, called: light, high: 300}
generator: {plugin: tiny-generator}
recognizer: {""",
    ),
    (
        "group: FR_mix, augmentation: {plugin: tiny-blend}",
        "group: FR_mix, augmentation: {plugin: tiny-blend, wants: [attributes], reads: attributes/1}",
    ),
    (
        "group: FR_syn, augmentation: {plugin: tiny-blend}",
        "group: FR_syn, augmentation: {plugin: tiny-blend, wants: [attributes], reads: attributes/1, images: 4}",
    ),
    text=tiny.MATRIX,
)
ATTRIBUTES = "attributes:\n  - {plugin: tiny-attribute}\n  - {plugin: tiny-attribute, called: light, high: 300}\n"


class TinyFiles(TinyFaces):
    """Faces that come with a file which may be absent."""

    name = "tiny-files"
    path: DataPath = parameter(description="a file")


class Hunting(Search):
    name = "hunting"
    version = "1"
    summary = "needs attributes to search"

    def needs(self):
        return frozenset({"attributes"})

    def work(self, identities):
        return 1

    def run(self, sources, run):
        raise NotImplementedError


class TinyHunter(TinyBlend):
    name = "tiny-hunter"

    def search(self):
        return Hunting()


@pytest.fixture(autouse=True)
def _surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def expanded(tmp_path):
    """Return a function that expands a matrix which may name this file's plugins too."""
    known = {("dataset", "tiny-files"): TinyFiles, ("augmentation", "tiny-hunter"): TinyHunter}
    classes = {**tiny.registry().classes, **known, ("attribute", "table"): Table}
    registry = Registry(classes, dict.fromkeys(classes, Origin("tiny", "tiny", "1")))

    def expanded(text=MATRIX):
        path = tmp_path / "matrix.yaml"
        path.write_text(text)
        return expand(read_matrix(path, registry))

    return expanded


@pytest.fixture
def refused(expanded):
    """Return a function that expands a text and returns its problems as (line, column, message)."""

    def refused(text):
        with pytest.raises(SpecError) as caught:
            expanded(text)
        return [(p.place.line, p.place.column, p.message) for p in caught.value.problems]

    return refused


def of_kind(graph, kind, title=""):
    return [stage for stage in graph.stages.values() if stage.kind == kind and title in stage.title]


def keys(graph, *kinds):
    return {digest for digest, stage in graph.stages.items() if stage.kind in kinds}


# --- who is told them


def test_each_predictor_is_one_stage_for_all_rows(expanded):
    stages = of_kind(expanded(), "attributes")
    assert [stage.plugin.called for stage in stages] == ["level", "light"]
    assert [(list(stage.inputs), stage.axes, stage.work, stage.unit) for stage in stages] == [
        (["real"], {}, 24, "images")
    ] * 2


def test_plan_and_synthesis_read_every_predictor(expanded):
    graph = expanded()
    stages = of_kind(graph, "attributes")
    for kind in ("plan", "synthesis"):
        for stage in of_kind(graph, kind):
            assert [stage.inputs[f"attributes/{i}"] for i in range(2)] == stages


def test_the_generator_that_needs_them_reads_them(expanded):
    graph = expanded(
        MATRIX.replace("{plugin: tiny-generator}", "{plugin: tiny-generator, wants: [attributes]}").replace(
            "wants: [attributes], reads: attributes/1}", "wants: [generator]}"
        )
    )
    (generator,) = of_kind(graph, "generator")
    assert {name for name in generator.inputs if name.startswith("attributes")} == {"attributes/0", "attributes/1"}
    (plan,) = (stage for stage in of_kind(graph, "plan") if "generator" in stage.inputs)
    assert not any(name.startswith("attributes") for name in plan.inputs)


def test_a_search_that_needs_them_reads_them(expanded):
    (search,) = of_kind(expanded(MATRIX.replace("tiny-blend, wants: [attributes],", "tiny-hunter,")), "search")
    assert set(search.inputs) == {"real", "attributes/0", "attributes/1"}


def test_what_nobody_needs_is_not_told(expanded):
    text = MATRIX.replace("wants: [attributes], reads: attributes/1", "wants: []")
    assert of_kind(expanded(text), "attributes") == []
    assert keys(expanded(text), "plan", "recognizer") == keys(
        expanded(text.replace(ATTRIBUTES, "")), "plan", "recognizer"
    )


def test_attributes_are_told_once_stored_and_joined(expanded, tmp_path):
    graph, store = expanded(), Store.open(tmp_path / "store")
    assert tiny.run(graph, store) == {}
    names = TinyFaces().open().item_ids
    assert tiny_plugins.events("predict") == [["level", *names], ["light", *names]]
    for stage in of_kind(graph, "synthesis"):
        told = open_sources(stage, store).attributes
        assert [column.name for column in told.columns] == ["level", "light"]
        means = TinyFaces().open().pixels.mean((1, 2, 3))
        np.testing.assert_allclose(told.values, np.stack([means, means], axis=1), rtol=1e-6)


def test_a_value_out_of_range_fails_the_rows_that_need_it(expanded, tmp_path):
    graph, store = expanded(MATRIX.replace("high: 300", "high: 1")), Store.open(tmp_path / "store")
    failures = tiny.run(graph, store)
    assert "light: " in failures["attributes tiny-attribute"]
    assert "outside 0 to 1 grey levels" in failures["attributes tiny-attribute"]
    (real,) = of_kind(graph, "evaluation", "of Real,")
    assert store.record("evaluation", real.digest)


# --- what is refused


@pytest.mark.parametrize("row", ["{name: Blend + real", "{name: Blend, "])
def test_a_row_that_needs_attributes_is_refused_without_any(refused, row):
    text = MATRIX.replace(ATTRIBUTES, "")
    said = [problem for problem in refused(text) if problem[0] == position(text, row)[0]]
    assert [message for *_, message in said] == [
        "tiny-blend needs attributes: add 'attributes: [{plugin: NAME}]' to the spec; "
        "`faceassay list` shows which there are"
    ]
    assert said[0][1] == text.splitlines()[said[0][0] - 1].index("{plugin: tiny-blend") + 1


def test_a_generator_that_needs_attributes_is_refused_without_any_where_it_is_read(refused):
    text = MATRIX.replace(ATTRIBUTES, "").replace("tiny-generator}", "tiny-generator, wants: [attributes]}")
    text = text.replace("wants: [attributes], reads: attributes/1, images: 4", "wants: [generator]")
    text = text.replace("wants: [attributes], reads: attributes/1", "wants: []")
    ((line, column, message),) = refused(text)
    assert (line, column) == position(text, "{plugin: tiny-blend, wants: [generator]")
    assert message.startswith("generator tiny-generator needs attributes: add 'attributes:")


def test_a_search_that_needs_attributes_is_refused_without_any(refused):
    text = MATRIX.replace(ATTRIBUTES, "").replace("tiny-blend, wants: [attributes],", "tiny-hunter,")
    assert [message.partition(":")[0] for *_, message in refused(text)] == ["tiny-hunter needs attributes"] * 2


@pytest.mark.parametrize(
    ("old", "new", "fragment", "message"),
    [
        (
            "tiny-attribute}",
            "tiny-atribute}",
            "tiny-atribute",
            "no attribute plugin is called 'tiny-atribute'; did you",
        ),
        ("high: 300", "hihg: 300", "300}", "attributes.1.hihg: unknown parameter; did you mean 'high'?"),
        ("called: light", "called: level", "{plugin: tiny-attribute, called", "'level' is an attribute that entry 1"),
        ("- {plugin: tiny-attribute}", "- tiny-attribute", "tiny-attribute", "must be a mapping with 'plugin: NAME'"),
    ],
)
def test_a_predictor_is_refused_at_its_place(refused, old, new, fragment, message):
    text = changed((old, new), text=MATRIX)
    problems = refused(text)
    assert any((line, column) == position(text, fragment) and message in said for line, column, said in problems), (
        problems
    )


def test_everything_that_predictors_cannot_tell_is_said_at_their_places(refused):
    text = MATRIX.replace("{plugin: tiny-attribute}", "{plugin: tiny-attribute, refuses: item3}")
    text = text.replace("high: 300", "high: 300, refuses: item23")
    first, second = refused(text)
    assert first[:2] == position(text, "{plugin: tiny-attribute, refuses")
    assert first[2] == "tiny-attribute: nothing is known of item3: leave them out"
    assert second[:2] == position(text, "{plugin: tiny-attribute, called")
    assert second[2] == "tiny-attribute: nothing is known of item23: leave them out"


def test_only_the_images_that_are_trained_on_are_checked(expanded):
    text = MATRIX.replace("high: 300", "high: 300, refuses: item23")
    assert expanded(text.replace("prefix: a}", "prefix: a, identities: a1..a3}"))  # of 24 images the first 18


def test_images_that_are_not_there_are_not_checked(expanded, refused, tmp_path):
    text = MATRIX.replace("high: 300", "high: 300, refuses: item")
    faces = "{plugin: tiny-files, path: faces.txt, expect: {images: 24, identities: 4, image_size: 16}}"
    text = text.replace("{plugin: tiny-faces, prefix: a}", faces)
    assert {stage.absent for stage in of_kind(expanded(text), "attributes")} == {
        ("data 'train' is not there: supply faces.txt beside the matrix or under FACEASSAY_DATA",)
    }
    (tmp_path / "faces.txt").touch()
    assert "nothing is known of" in refused(text)[0][2]


# --- keys


def test_a_parameter_of_a_predictor_changes_its_stage_and_what_reads_it(expanded):
    before, after = expanded(), expanded(MATRIX.replace("high: 300", "high: 301"))
    gone = Counter(stage.kind for digest, stage in before.stages.items() if digest not in after.stages)
    assert gone["attributes"] == 1
    assert gone["plan"] == gone["synthesis"] == 2
    kept = [stage.title for digest, stage in before.stages.items() if digest in after.stages]
    assert "recognizer Real, seed 0" in kept


def test_the_threads_are_in_the_key_of_attributes(expanded):
    for stage in of_kind(expanded(), "attributes"):
        assert stage.key.document["threads"] == 1


def test_no_seed_is_in_the_key_of_attributes(expanded):
    assert keys(expanded(), "attributes") == keys(expanded(MATRIX.replace("seeds: [0]", "seeds: [0, 1]")), "attributes")


def with_table(folder, age):
    rows = "".join(f"item{i},{age}\n" for i in range(24))
    (folder / "ages.csv").write_text("image,age\n" + rows)
    table = "{plugin: table, path: ages.csv, key: image, values: [{name: age, unit: years, low: 0, high: 100}]}"
    return changed(("{plugin: tiny-attribute, called: light, high: 300}", table), text=MATRIX)


def test_the_content_of_a_table_is_in_the_key_of_its_stage_alone(expanded, tmp_path):
    before = keys(expanded(with_table(tmp_path, 30)), "attributes")
    same = keys(expanded(with_table(tmp_path, 30)), "attributes")
    after = keys(expanded(with_table(tmp_path, 31)), "attributes")
    assert before == same
    assert len(before & after) == 1


def test_a_table_that_changed_after_the_matrix_was_read_makes_no_artifact(expanded, tmp_path):
    (stage,) = of_kind(expanded(with_table(tmp_path, 30)), "attributes", "table")
    with_table(tmp_path, 31)
    store = Store.open(tmp_path / "store")
    assert "path of table changed meanwhile: run again" in Order(stage, store.root)().error
    with_table(tmp_path, 30)
    assert Order(stage, store.root)().error is None
    assert open_artifact(stage, store).values[0] == 30


def test_a_table_that_lacks_images_is_refused_at_its_place(refused, tmp_path):
    text = with_table(tmp_path, 30)
    (tmp_path / "ages.csv").write_text("image,age\nitem0,101\n")
    ((line, column, said),) = refused(text)
    assert (line, column) == position(text, "{plugin: table")
    assert said.startswith("table: ")
    assert "age outside 0 to 100 years: 101 (item0, row 2)" in said
    assert "no row for item1, item2, " in said
    assert "and 13 more" in said


def test_a_file_that_is_no_table_is_refused_once(refused, tmp_path):
    text = with_table(tmp_path, 30)
    (tmp_path / "ages.csv").write_text("name,age\n")
    ((_, _, said),) = refused(text)
    assert "has no column 'image' (it has: name, age)" in said


def test_contracts_of_a_predictor_must_be_implemented():
    class Half(AttributePredictor):
        name = "half"
        version = "1"
        summary = "tells nothing"

        def columns(self):
            return ()

    with pytest.raises(TypeError, match="predict"):
        Half()


def test_an_undeclared_reading_of_attributes_fails(expanded, tmp_path):
    graph = expanded(MATRIX.replace("wants: [attributes], reads: attributes/1, images: 4", "reads: attributes"))
    failures = tiny.run(graph, Store.open(tmp_path / "store"))
    assert any("needs() must name 'attributes'" in reason for reason in failures.values())
