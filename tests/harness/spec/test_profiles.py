"""What a profile keeps of a matrix: entries by name, their places, and every mistake at its own."""

from __future__ import annotations

import pytest

from faceassay.registry import load_plugins
from faceassay.spec import SpecError, read_matrix
from matrices import changed, position

FIRST = "  - name: first\n    data: test\n    protocol: {plugin: pair-verification}\n"
MATRIX = (
    changed(("  - name: pairs\n", f"{FIRST}  - name: pairs\n"))
    + """\
profiles:
  few:
    seeds: [3]
    methods:
      - {name: New, group: FR_real, recognizer: {updates: 9}}
    only:
      methods: [New, ScoreMix]
      benchmarks: [pairs]
      data: [train, test]
"""
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("profiles")
    for name in ("train", "test"):
        (folder / name).mkdir()
    return folder


@pytest.fixture
def read(folder):
    def read(text, profile="few"):
        (folder / "m.yaml").write_text(text)
        return read_matrix(folder / "m.yaml", load_plugins(), profile)

    return read


@pytest.fixture
def refused(read):
    def refused(text):
        with pytest.raises(SpecError) as caught:
            read(text)
        return [(p.place.line, p.place.column, p.message) for p in caught.value.problems]

    return refused


def test_only_the_named_entries_are_left_in_the_order_of_the_matrix(read):
    matrix = read(MATRIX)
    assert [method.name for method in matrix.methods] == ["ScoreMix", "New"]
    assert [benchmark.name for benchmark in matrix.benchmarks] == ["pairs"]
    assert matrix.spec.seeds == [3]


def test_what_is_gone_is_known(read):
    assert read(MATRIX).dropped == {
        "methods": {"Real", "Blend + real"}, "benchmarks": {"first"}, "data": frozenset(),
    }  # fmt: skip


def test_without_the_profile_everything_is_there(read):
    matrix = read(MATRIX, None)
    assert [method.name for method in matrix.methods] == ["Real", "Blend + real", "ScoreMix"]
    assert matrix.dropped == {}


def test_errors_in_what_is_left_are_at_their_own_place(refused):
    text = MATRIX.replace("folds: 2", "folds: two")
    ((line, column, _),) = refused(text)
    assert (line, column) == position(text, "two")


def test_errors_in_what_the_profile_adds_are_at_their_own_place(refused):
    text = MATRIX.replace("updates: 9", "updates: nine")
    ((line, column, _),) = refused(text)
    assert (line, column) == position(text, "nine")


def test_errors_in_what_is_left_out_do_not_matter(read):
    assert read(MATRIX.replace("plugin: blend,", "plugin: blond,"))


def test_data_may_be_left_out_too(refused):
    text = MATRIX.replace("data: [train, test]", "data: [train]")
    ((line, _, message),) = refused(text)
    assert line == position(text, "test", MATRIX[: MATRIX.index("name: pairs")].count("test") + 1)[0]
    assert message.startswith("no entry of data is called 'test'")


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        ("[New, ScoreMix]", "[New, ScorMix]", "ScorMix", "no entry of methods is called 'ScorMix'; did you mean"),
        ("[New, ScoreMix]", "New", "New\n      bench", "only.methods: is a list of names"),
        ("benchmarks: [pairs]", "benchmark: [pairs]", "[pairs]", "nothing can be left out of 'benchmark'"),
    ],
)  # fmt: skip
def test_mistakes_are_refused_at_their_place(refused, old, new, at, message):
    text = MATRIX.replace(old, new)
    problems = refused(text)
    assert [(line, column) for line, column, said in problems if message in said] == [position(text, at)]


def test_only_must_be_a_mapping(refused):
    text = MATRIX[: MATRIX.index("    only:")] + "    only: [ScoreMix]\n"
    ((line, column, message),) = refused(text)
    assert (line, column) == position(text, "[ScoreMix]")
    assert "is a mapping" in message
