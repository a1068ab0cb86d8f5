"""Several trainings of each generator: which seed uses which, what that changes, and what is said of it."""

from __future__ import annotations

import pytest

import tiny_matrix as tiny
from faceassay.cli.figure import figure as figure_command
from faceassay.contracts import Figure, Search
from faceassay.expand import expand, expand_figure
from faceassay.paired import generators_read
from faceassay.registry import Origin, Registry
from faceassay.report.notes import _spread
from faceassay.report.settings import generators, settings
from faceassay.results import collect
from faceassay.spec import SpecError, read_matrix
from faceassay.store import Store
from faceassay.tracking import _generator_entries
from matrices import changed, position
from tiny_plugins import TinyBlend

SEEDS = "seeds: [4, 0, 7, 2]\n"
MATRIX = changed(
    ("seeds: [0]\n", SEEDS),
    ("recognizer: {", "generator: {plugin: tiny-generator}\nrecognizer: {"),
    (
        "group: FR_mix, augmentation: {plugin: tiny-blend}",
        "group: FR_mix, augmentation: {plugin: tiny-hunter, wants: [generator]}",
    ),
    (
        "group: FR_syn, augmentation: {plugin: tiny-blend}",
        "group: FR_syn, augmentation: {plugin: tiny-blend, wants: [generator]}, generator: {rounds: 3}",
    ),
    text=tiny.MATRIX,
)
"""A mixed row with the generator of the matrix and a search in it, a synthetic row with one of its own."""
ONE_GENERATOR = changed((", generator: {rounds: 3}", ""), text=MATRIX)


class Sampling(Search):
    name = "sampling"
    version = "1"
    summary = "samples from the generator"

    def needs(self):
        return frozenset({"generator"})

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
    """Return a function that reads the matrix with other words for its generators."""
    classes = {**tiny.registry().classes, ("augmentation", "tiny-hunter"): TinyHunter}
    registry = Registry(classes, dict.fromkeys(classes, Origin("tiny", "tiny", "1")))

    def read(words="", text=MATRIX):
        path = tmp_path / "matrix.yaml"
        path.write_text(changed((SEEDS, f"{SEEDS}{words}\n"), text=text))
        return read_matrix(path, registry)

    return read


@pytest.fixture
def collected(read, tmp_path):
    """Return a function that collects the results of a matrix of which nothing has run."""

    def collected(words, text=MATRIX):
        matrix = read(words, text)
        return collect(matrix, expand(matrix), Store.open(tmp_path / "store"))

    return collected


def keys_of(graph, row, seed):
    """Return the keys of all that is made for a row and a seed."""
    made = graph.rows[row]
    evaluations = [cell.evaluation for cell in graph.cells if (cell.method, cell.seed) == (row, seed)]
    stages = [made.recognizers[seed], made.syntheses.get(seed), made.qualities.get(seed), *evaluations]
    return {stage.digest: stage.kind for last in stages if last for stage in (last, *graph.ancestors(last))}


# --- which seed uses which


@pytest.mark.parametrize(
    ("words", "generators"),
    [
        ("", [0, 0, 0, 0]),
        ("generator_seed: 3", [3, 3, 3, 3]),
        ("generator_seeds: [5]", [5, 5, 5, 5]),
        ("generator_seeds: [5, 1]", [5, 1, 5, 1]),
        ("generator_seeds: [0, 1, 2, 3]", [0, 1, 2, 3]),
    ],
)
def test_seeds_use_the_generators_in_turn(read, words, generators):
    matrix = read(words)
    assert [matrix.generator_seed_of(seed) for seed in matrix.spec.seeds] == generators


def test_a_seed_that_the_matrix_does_not_have_has_no_generator(read):
    with pytest.raises(ValueError, match="1 is not in list"):
        read("generator_seeds: [5, 1]").generator_seed_of(1)


def test_all_that_is_made_for_a_seed_is_made_as_with_its_generator_alone(read):
    """Search, plan, synthesis, quality, recognizer and evaluation, of the matrix's generator and of a row's own."""
    both = expand(read("generator_seeds: [5, 1]"))
    for number, seeds in ((5, (4, 7)), (1, (0, 2))):
        alone = expand(read(f"generator_seed: {number}"))
        for row in ("Real", "Blend + real", "Blend"):
            for seed in seeds:
                assert keys_of(both, row, seed) == keys_of(alone, row, seed)


def test_each_generator_is_trained_once_and_searched_once(read):
    graph = expand(read("generator_seeds: [5, 1]"))
    titles = [stage.title for stage in graph.stages.values() if stage.kind in ("generator", "search")]
    ours = ["generator tiny-generator, seed 1", "generator tiny-generator, seed 5"]
    assert sorted(titles) == sorted([*ours, *ours, "search of tiny-hunter, seed 1", "search of tiny-hunter, seed 5"])


def test_one_generator_by_either_word_is_the_same_graph(read):
    one, other = (expand(read(words)) for words in ("generator_seed: 5", "generator_seeds: [5]"))
    assert [(key, stage.title) for key, stage in one.stages.items()] == [
        (key, stage.title) for key, stage in other.stages.items()
    ]


@pytest.mark.parametrize(("seed", "number"), [(4, 5), (0, 1), (2, 1)])
@pytest.mark.parametrize("row", [None, "Blend"])
def test_a_figure_shows_the_generator_of_its_seed(read, row, seed, number):
    (stage,) = expand_figure(read("generator_seeds: [5, 1]"), Sampled(), row, seed).targets()
    assert stage.inputs["generator"].axes == {"generator_seed": number}


def test_the_command_says_that_a_seed_tells_the_generator():
    (option,) = [option for option in figure_command.params if option.name == "seed"]
    assert "tells the generator" in option.help


# --- what is said of it


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        ("generator_seed: 5", ONE_GENERATOR, "synthesis, conditional on one generator;"),
        ("generator_seed: 5", MATRIX, "synthesis, conditional on one training of each generator;"),
        ("generator_seeds: [5, 1]", ONE_GENERATOR, "synthesis and over 2 generators, 2 seeds each;"),
        ("generator_seeds: [5, 1]", MATRIX, "synthesis and over 2 trainings of each generator, 2 seeds each;"),
        ("generator_seeds: [5, 1, 2, 3]", ONE_GENERATOR, "synthesis and over 4 generators, 1 seed each;"),
        (
            "generator_seeds: [5, 1]",
            ONE_GENERATOR.replace("tiny-hunter, wants: [generator]", "tiny-blend").replace(", wants: [generator]", ""),
            "synthesis; it says nothing",
        ),
    ],
)
def test_a_spread_says_how_many_generators_it_is_over(collected, words, text, said):
    assert f"over 4 seeds of recognizer and {said}" in _spread(collected(words, text), 4)


def test_a_difference_knows_which_generator_each_seed_reads(collected):
    results = collected("generator_seeds: [5, 1]")
    assert generators_read(results.matrix, results.graph, "Blend", "Real") == (5, 1, 5, 1)
    assert generators_read(results.matrix, results.graph, "Real", "Real") is None


def test_settings_name_each_generator_with_its_seeds_and_rows(collected):
    def told(*arguments):
        return [text for what, text in settings(collected(*arguments)) if what == "generator"]

    assert told("generator_seeds: [5, 1]", ONE_GENERATOR) == [
        "tiny-generator, version 1, seed 5 for seeds 4, 7",
        "tiny-generator, version 1, seed 1 for seeds 0, 2",
    ]
    assert told("generator_seeds: [5, 1, 2, 3]")[0] == "tiny-generator, version 1, seed 5 for seed 4 (Blend + real)"


def test_every_generator_has_a_run_of_its_own(collected, tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))
    results = collected("generator_seeds: [5, 1]")
    for stage in generators(results):
        tiny.run_stage(stage, results.store.root)
    assert {entry.name for entry in _generator_entries(results)} == {
        "generator tiny-generator, seed 5 of Blend + real",
        "generator tiny-generator, seed 1 of Blend + real",
        "generator tiny-generator, seed 5 of Blend",
        "generator tiny-generator, seed 1 of Blend",
    }


# --- what is refused


@pytest.mark.parametrize(
    ("words", "fragment", "message"),
    [
        ("generator_seeds: [0, 1, 2]", "[0, 1, 2]", "4 seeds cannot use 3 generators equally often: give 6 seeds"),
        ("generator_seeds: [0, 1, 2, 3, 5]", "[0, 1, 2, 3, 5]", "4 seeds cannot use 5 generators equally often"),
        ("generator_seed: 0\ngenerator_seeds: [0, 1]", "[0, 1]", "leave one of the two out"),
        ("generator_seeds: [3, 3]", "3]", "3 is given twice"),
        ("generator_seeds: []", "[]", "at least 1 item"),
        ("generator_seeds: [0, -1]", "-1]", "greater than or equal to 0 (got -1)"),
        ("generator_seeds: [0, 4294967296]", "4294967296]", "less than 4294967296"),
        ("generator_seeds: 2", "2\nthreads", "valid array"),
        ("generator_seeds: [0, '1']", "'1'", "valid integer"),
        ("generator_seeds: [0, 0.5]", "0.5]", "valid integer"),
        ("generator_seed: [0, 1]", "[0, 1]", "valid integer"),
    ],
)
def test_bad_generator_seeds_are_refused_where_they_stand(read, words, fragment, message):
    with pytest.raises(SpecError) as caught:
        read(words)
    ((line, column, said),) = [(p.place.line, p.place.column, p.message) for p in caught.value.problems]
    text = changed((SEEDS, f"{SEEDS}{words}\n"), text=MATRIX)
    assert (line, column) == position(text, fragment)
    assert message in said
