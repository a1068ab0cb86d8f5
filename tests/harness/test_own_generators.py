"""Rows with a generator of their own: whose parameters count, what is shared, and what is refused where."""

from __future__ import annotations

import pytest

import tiny_matrix as tiny
from faceassay.contracts import Figure, Search, parameter
from faceassay.expand import expand, expand_figure
from faceassay.registry import Origin, Registry
from faceassay.report.notes import _spread
from faceassay.report.settings import settings
from faceassay.results import collect
from faceassay.spec import SpecError, read_matrix
from faceassay.store import Store
from matrices import changed, position
from tiny_plugins import TinyBlend, TinyGenerator

MATRIX = changed(
    ("recognizer: {", "generator: {plugin: tiny-generator, rounds: 2, wants: [recognizer]}\nrecognizer: {"),
    (
        "group: FR_mix, augmentation: {plugin: tiny-blend}",
        "group: FR_mix, augmentation: {plugin: tiny-blend, wants: [generator]}",
    ),
    (
        "group: FR_syn, augmentation: {plugin: tiny-blend}",
        "group: FR_syn, augmentation: {plugin: tiny-blend, wants: [generator]}, generator: {rounds: 3}",
    ),
    text=tiny.MATRIX,
)
OWN = "generator: {rounds: 3}"
WHOLE = "generator: {plugin: tiny-generator, rounds: 2, wants: [recognizer]}\n"


class Picky(TinyGenerator):
    """Refuse thirteen rounds."""

    name = "picky"
    temper: float = parameter(1.0, description="how picky")

    def check(self, image_size, identities):
        if self.rounds == 13:
            raise ValueError(f"not 13 rounds on {image_size} px and {identities} people")


class OfIdentities(TinyGenerator):
    """Be conditioned on something else."""

    name = "of-identities"

    def conditioned_on(self):
        return frozenset({"identities"})


class Demanding(TinyBlend):
    """Ask for one condition more."""

    name = "tiny-demanding"
    wants: tuple[str, ...] = ("generator",)

    def conditions_on(self):
        return frozenset({"classes", "attributes"})


class Sampling(Search):
    name = "sampling"
    version = "1"
    summary = "samples from the generator"

    def work(self, identities):
        return 1

    def run(self, sources, run):
        raise NotImplementedError


class TinyHunter(TinyBlend):
    name = "tiny-hunter"

    def search(self):
        return Sampling()


class Sampled(Figure):
    name = "sampled"
    version = "1"
    summary = "samples of the generator"

    def needs(self):
        return frozenset({"generator"})

    def draw(self, sources, run):
        raise NotImplementedError


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a matrix which may name this file's plugins too."""
    known = {
        ("generator", "picky"): Picky,
        ("generator", "of-identities"): OfIdentities,
        ("augmentation", "tiny-hunter"): TinyHunter,
        ("augmentation", "tiny-demanding"): Demanding,
    }
    classes = {**tiny.registry().classes, **known}
    registry = Registry(classes, dict.fromkeys(classes, Origin("tiny", "tiny", "1")))

    def read(text=MATRIX):
        path = tmp_path / "matrix.yaml"
        path.write_text(text)
        return read_matrix(path, registry)

    return read


@pytest.fixture
def refused_once(read):
    """Return a function that checks that a text has one problem, at a fragment, with a message."""

    def check(text, fragment, message):
        with pytest.raises(SpecError) as caught:
            expand(read(text))
        ((line, column, said),) = [(p.place.line, p.place.column, p.message) for p in caught.value.problems]
        assert (line, column) == position(text, fragment)
        assert message in said

    return check


def own(text):
    """Return the matrix with another generator in its last row."""
    return changed((OWN, f"generator: {text}"), text=MATRIX)


def of_kind(graph, kind):
    return [stage for stage in graph.stages.values() if stage.kind == kind]


def generator_of(graph, row):
    """Return the stage of the generator that the synthesis of a row reads."""
    return graph.rows[row].syntheses[0].inputs["generator"]


def test_a_generator_conditioned_on_something_else_is_refused_before_it_is_trained(refused_once):
    said = "needs a generator conditioned on classes, generator of-identities is conditioned on identities"
    refused_once(own("{plugin: of-identities}"), "{plugin: tiny-blend, wants: [generator]}, generator", said)


def test_a_generator_that_lacks_a_condition_is_refused_before_it_is_trained(refused_once):
    said = (
        "needs a generator conditioned on attributes and classes, generator tiny-generator is conditioned on classes: "
        "give the row a 'generator:' of its own, or other parameters"
    )
    text = changed(("tiny-blend, wants: [generator]}, generator", "tiny-demanding}, generator"), text=MATRIX)
    refused_once(text, "{plugin: tiny-demanding}", said)


# --- whose parameters count


def test_an_override_is_merged_over_the_generator_of_the_matrix(read):
    real, mixed, synthetic = read().methods
    assert (mixed.generator.rounds, mixed.generator.wants) == (2, ("recognizer",))
    assert (synthetic.generator.rounds, synthetic.generator.wants) == (3, ("recognizer",))
    assert real.generator == mixed.generator  # read by nobody


def test_a_generator_that_names_a_plugin_inherits_nothing(read):
    generator = read(own("{plugin: picky}")).methods[2].generator
    assert (generator.name, generator.rounds, generator.wants, generator.temper) == ("picky", 1, (), 1.0)


def test_the_same_plugin_named_again_inherits_nothing_either(read):
    generator = read(own("{plugin: tiny-generator}")).methods[2].generator
    assert (generator.rounds, generator.wants) == (1, ())


def test_a_matrix_needs_no_generator_when_every_row_that_reads_one_has_its_own(read):
    text = (
        own("{plugin: picky}")
        .replace(WHOLE, "")
        .replace(
            "FR_mix, augmentation: {plugin: tiny-blend, wants: [generator]}",
            "FR_mix, augmentation: {plugin: tiny-blend, wants: [generator]}, generator: {plugin: picky, rounds: 5}",
        )
    )
    matrix = read(text)
    assert matrix.generator is None
    assert [stage.plugin.rounds for stage in of_kind(expand(matrix), "generator")] == [5, 1]


# --- what is shared


def test_each_row_reads_its_own_generator(read):
    graph = expand(read())
    assert generator_of(graph, "Blend + real").plugin.rounds == 2
    assert generator_of(graph, "Blend").plugin.rounds == 3
    assert len(of_kind(graph, "generator")) == 2
    for row, rounds in (("Blend + real", 2), ("Blend", 3)):
        assert graph.rows[row].syntheses[0].inputs["plan"].inputs["generator"].plugin.rounds == rounds


@pytest.mark.parametrize(
    "text",
    ["{rounds: 2}", "{plugin: tiny-generator, rounds: 2, wants: [recognizer]}", "{}"],
    ids=["same", "named", "none"],
)
def test_equal_generators_are_one_stage(read, text):
    graph = expand(read(own(text)))
    assert len(of_kind(graph, "generator")) == 1
    assert len(of_kind(graph, "synthesis")) == 1


def test_a_rows_own_generator_changes_no_other_row(read):
    before, after = expand(read()), expand(read(own("{rounds: 4}")))
    changed_ = [stage.title for digest, stage in before.stages.items() if digest not in after.stages]
    assert sorted(changed_) == sorted([
        "generator tiny-generator", "plan of tiny-blend, seed 0", "synthesis tiny-blend, seed 0",
        "image quality of tiny-blend, seed 0", "recognizer Blend, seed 0", "features near of Blend, seed 0",
        "evaluation near of Blend, seed 0",
    ])  # fmt: skip


def test_a_generator_that_nobody_reads_is_not_trained(read):
    graph = expand(read(MATRIX.replace("tiny-blend, wants: [generator]}}\n", "tiny-blend}}\n", 1)))
    assert [stage.plugin.rounds for stage in of_kind(graph, "generator")] == [3]


def test_a_search_reads_the_generator_of_its_row(read):
    text = MATRIX.replace("plugin: tiny-blend, wants: [generator]", "plugin: tiny-hunter, wants: [generator]")
    graph = expand(read(text))
    searches = {graph.rows[row].syntheses[0].inputs["plan"].inputs["search"] for row in ("Blend + real", "Blend")}
    assert {search.inputs["generator"].plugin.rounds for search in searches} == {2, 3}


@pytest.mark.parametrize(("row", "rounds"), [(None, 2), ("Real", 2), ("Blend + real", 2), ("Blend", 3)])
def test_a_figure_shows_the_generator_of_its_row(read, row, rounds):
    (stage,) = expand_figure(read(), Sampled(), row, 0).targets()
    assert stage.inputs["generator"].plugin.rounds == rounds


def test_reports_name_the_generators_of_rows(read, tmp_path):
    matrix = read(
        own("{plugin: picky}").replace(WHOLE, "").replace("tiny-blend, wants: [generator]}}\n", "tiny-blend}}\n")
    )
    results = collect(matrix, expand(matrix), Store.open(tmp_path / "store"))
    assert dict(settings(results))["generator"] == "picky, version 1, seed 0"
    assert "conditional on one generator" in _spread(results, 2)


# --- what is refused


@pytest.mark.parametrize(
    ("text", "fragment", "message"),
    [
        ("{roundz: 3}", "3}", "methods.2.generator.roundz: unknown parameter; did you mean 'rounds'?"),
        ("{rounds: 0}", "0}", "greater than or equal to 1 (got 0)"),
        ("{rounds: many}", "many", "valid integer (got 'many')"),
        ("{plugin: pickie}", "pickie", "no generator plugin is called 'pickie'; did you mean 'picky'?"),
        ("{plugin: tiny-blend}", "tiny-blend}", "no generator plugin is called 'tiny-blend'"),
        ("{preset: toy}", "toy}", "no preset of 'tiny-generator' is called 'toy'"),
        ("{plugin: picky, rounds: 13}", "{plugin: picky", "picky: not 13 rounds on 16 px and 4 people"),
    ],
)
def test_a_mistake_in_a_rows_generator_is_reported_there(refused_once, text, fragment, message):
    refused_once(own(text), fragment, message)


def test_parameters_of_no_generator_are_refused(refused_once):
    text = MATRIX.replace(WHOLE, "").replace("tiny-blend, wants: [generator]}}\n", "tiny-blend}}\n")
    refused_once(text, "{rounds: 3}", "must be a mapping with 'plugin: NAME'")


def test_a_row_without_a_generator_is_still_refused_where_another_row_has_one(refused_once):
    text = own("{plugin: picky}").replace(WHOLE, "")
    refused_once(text, "{plugin: tiny-blend, wants", "tiny-blend needs a generator: add 'generator:' to the spec")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("group: FR_real", "group: FR_real, generator: {rounds: 9}", "a row without augmentation reads no generator"),
        (
            "wants: [generator]}, generator: {rounds: 3}",
            "wants: []}, generator: {rounds: 9}",
            "tiny-blend reads no gen",
        ),
    ],
)
def test_a_generator_that_its_row_does_not_read_is_refused(refused_once, old, new, message):
    text = changed((old, new), text=MATRIX)
    refused_once(text, "{rounds: 9}", message)


def test_of_an_augmentation_that_is_wrong_itself_nothing_else_is_said(refused_once):
    text = changed(("wants: [generator]}, generator: {rounds: 3}", "images: 0}, generator: {rounds: 3}"), text=MATRIX)
    refused_once(text, "0}, generator", "greater than or equal to 1 (got 0)")
