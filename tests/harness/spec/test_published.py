"""The file of published numbers: exact values with their rounding, and every mistake at its line."""

from __future__ import annotations

import csv

import pytest

from faceassay.registry import load_plugins
from faceassay.spec import SpecError, read_matrix
from faceassay.spec.published import COLUMNS, NOT_STATED, Known, read_published
from matrices import MATRIX

METRICS = {"LFW accuracy": ("accuracy/grid", "accuracy/exact"), "Avg": ("accuracy/grid", "accuracy/exact", "rank:1")}
KNOWN = Known(rows={"Real", "Mix"}, columns=["LFW accuracy", "Avg"], metrics=METRICS, beginnings=("IJB ",))


@pytest.fixture
def read(tmp_path):
    def read(*rows, known=KNOWN, header=COLUMNS):
        with (tmp_path / "p.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        return read_published(tmp_path / "p.csv", known)

    return read


def line(row="Real", column="Avg", value="76.45", unit="percent", source="paper, table 1", note="", metric=NOT_STATED):
    return row, column, metric, value, unit, source, note


def test_percent_become_fractions_with_the_rounding_of_their_digits(read):
    ((value,), problems) = read(line(note="odd"))
    assert problems == []
    assert (value.value, value.rounding) == (0.7645, 0.00005)
    assert (value.row, value.column, value.source, value.note) == ("Real", "Avg", "paper, table 1", "odd")


def test_fractions_stay_fractions(read):
    ((value,), _) = read(line(value="0.948", unit="fraction"))
    assert (value.value, value.rounding) == (0.948, 0.0005)


@pytest.mark.parametrize(
    ("column", "metric", "stated"),
    [
        ("Avg", NOT_STATED, None),
        ("LFW accuracy", "accuracy/exact", "accuracy/exact"),
        ("Avg", "accuracy/grid+rank:1", "accuracy/grid+rank:1"),
        ("IJB tar", "anything/the profile knows nothing of", "anything/the profile knows nothing of"),
    ],
)
def test_a_metric_is_its_identity_or_not_stated(read, column, metric, stated):
    ((value,), problems) = read(line(column=column, metric=metric))
    assert problems == []
    assert value.metric == stated


def test_whole_percent_are_rounded_to_half_a_percent(read):
    ((value,), _) = read(line(value="76"))
    assert (value.value, value.rounding) == (0.76, 0.005)


def test_columns_that_a_profile_leaves_out_are_known_by_their_beginning(read):
    assert read(line(column="IJB tar"))[1] == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (line(row="Reel"), "no row of the matrix is called 'Reel'; did you mean 'Real'?"),
        (line(column="Awg"), "no column of the table is called 'Awg'; did you mean 'Avg'?"),
        (line(unit="%"), "unit '%' must be percent or fraction"),
        (line(value="76,45"), "'76,45' is no number"),
        (line(value="nan"), "'nan' is no number"),
        (line(source=""), "a number needs its source: paper and table"),
        (("Real", "Avg"), "2 values, 7 are needed: row, column, metric, value, unit, source, note"),
        (line(metric=""), "metric must be its identity as the paper states it, or 'not stated'"),
        (
            line(metric="accuracy/gri"),
            "no setting of the benchmark gives a metric 'accuracy/gri'; "
            "did you mean 'accuracy/grid' or 'accuracy/exact'?",
        ),
        (
            line(metric="accuracy/grid+rank:2"),
            "no setting of the benchmark gives a metric 'rank:2'; did you mean 'rank:1'?",
        ),
        (
            line(column="LFW accuracy", metric="rank:1"),
            "no setting of the benchmark gives a metric 'rank:1'; known: accuracy/exact, accuracy/grid, not stated",
        ),
    ],
)
def test_mistakes_are_refused_at_their_line(read, row, message):
    values, (problem,) = read(line("Mix"), row)
    assert [value.row for value in values] == ["Mix"]
    assert (problem.place.line, problem.message) == (3, message)


def test_a_number_given_twice_is_refused(read):
    _, (problem,) = read(line(), line("Mix"), line(value="1"))
    assert (problem.place.line, problem.message) == (4, "row 'Real', column 'Avg' is given twice for one source")


def test_several_sources_may_print_a_number_for_one_row_and_column(read):
    values, problems = read(line(), line(value="77", source="another paper"))
    assert problems == []
    assert [(value.source, value.value) for value in values] == [("paper, table 1", 0.7645), ("another paper", 0.77)]


def test_another_header_is_refused(read):
    _, (problem,) = read(line(), header=("row", "value"))
    assert problem.message == "the first line must be row,column,metric,value,unit,source,note"


def test_a_file_that_is_not_there_is_refused(tmp_path):
    _, (problem,) = read_published(tmp_path / "none.csv", KNOWN)
    assert "cannot be read" in problem.message


def test_its_names_are_those_of_the_matrix(tmp_path):
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
    entry = "published: {path: p.csv, comparable_in: larger}\nprofiles: {large: {seeds: [1]}}\n"
    (tmp_path / "m.yaml").write_text(MATRIX + entry)
    rows = [
        COLUMNS,
        line(column="pairs accuracy:2fold", metric="accuracy:2fold/grid-0.01/no-flip"),
        line(row="Mix"),
        line(column="pairs auc", metric="auc/flip"),
    ]
    with (tmp_path / "p.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(SpecError) as caught:
        read_matrix(tmp_path / "m.yaml", load_plugins())
    said = [(p.place.file.rpartition("/")[2], p.place.line, p.message.partition(";")[0]) for p in caught.value.problems]
    assert sorted(said) == [
        ("m.yaml", 39, "no profile is called 'larger'"),
        ("p.csv", 3, "no column of the table is called 'Avg'"),
        ("p.csv", 3, "no row of the matrix is called 'Mix'"),
        ("p.csv", 4, "no setting of the benchmark gives a metric 'auc/flip'"),
    ]
