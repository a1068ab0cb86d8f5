"""table.md: a table that parses as one, notes that say what the numbers are of, nothing that turns into markup."""

import dataclasses
import re

import pytest

from faceassay.report.text import markdown
from faceassay.table import build
from finished_matrix import METHODS, break_stage, command, finished_matrix

LOST = "evaluation pairs of Blend + real, seed 7"
HEADER = [
    "Method", "Group", "Aux", "n_s", "n_r", "Updates",
    "pairs accuracy:2fold", "pairs tar_at_fpr:1e-2", "pairs auc", "lowres rank:1", "lowres rank:5",
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_matrix(tmp_path_factory)


@pytest.fixture(scope="module")
def text(finished):
    return (finished.out / "table.md").read_text()


@pytest.fixture
def store(finished, tmp_path):
    return finished.copy_of_store(tmp_path / "store")


def rendered(results):
    return markdown(results, build(results))


def tables(text):
    """Return the tables of a Markdown text as lists of rows of cells, by GitHub's rules."""
    found = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line)
            assert (cells[0], cells[-1]) == ("", "")
            found[-1].append([cell.strip() for cell in cells[1:-1]])
        elif found[-1]:
            found.append([])
    return [rows for rows in found if rows]


def section(text, heading):
    """Return the lines of a section."""
    return text.partition(f"## {heading}\n\n")[2].partition("\n\n")[0].splitlines()


def test_the_comparison_is_one_table_of_even_rows(text):
    comparison = tables(text)[0]
    assert comparison[0] == HEADER
    assert {len(row) for row in comparison} == {len(HEADER)}
    assert all(re.fullmatch(r":-+|-+:", cell) for cell in comparison[1])
    assert tuple(row[0] for row in comparison[2:]) == METHODS


def test_cells_show_mean_and_deviation_in_percent(finished, text):
    first = build(finished.results()).rows[0].cells[0].values
    mean = sum(first) / 2
    deviation = abs(first[0] - first[1]) / 2**0.5
    assert tables(text)[0][2][6] == f"{100 * mean:.2f} ± {100 * deviation:.2f}"


def test_pipes_and_angle_brackets_are_escaped_in_cells(text):
    assert tables(text)[0][3][2] == r"none \| &lt;u&gt;at all&lt;/u&gt;"


def test_no_text_of_the_matrix_turns_into_markup(text):
    assert "<" not in text
    assert ">" not in text
    assert text.startswith("# Toy &lt;i&gt;faces&lt;/i&gt; \\| nobody\n")
    assert r"- made &lt;b&gt;up&lt;/b&gt; \| not &lt;script&gt;alert(2)&lt;/script&gt; real" in text.splitlines()


def test_line_breaks_in_a_reason_do_not_break_the_text(finished, store):
    break_stage(finished.stage(LOST), store, "one\n\n# two\r\n| three")
    lines = rendered(finished.results(store)).splitlines()
    assert f"- **Blend + real**: failed: {LOST}: one  # two  \\| three" in lines


def test_the_spread_names_its_population(text):
    said = section(text, "How to read it")[0]
    assert "± is the sample standard deviation over 2 seeds of recognizer and synthesis;" in said
    assert "it says nothing about other people or pairs" in said


def test_a_spread_with_a_generator_is_conditional_on_that_one(finished):
    results = finished.results()
    matrix = dataclasses.replace(results.matrix, generator=results.matrix.recognizer)
    text = rendered(dataclasses.replace(results, matrix=matrix))
    assert "seeds of recognizer and synthesis, conditional on one generator;" in section(text, "How to read it")[0]


def test_one_seed_has_no_spread_and_says_so(finished):
    results = finished.results()
    spec = results.matrix.spec.model_copy(update={"seeds": [0]})
    text = rendered(dataclasses.replace(results, matrix=dataclasses.replace(results.matrix, spec=spec)))
    assert "One seed: no spread can be given." in text
    assert "±" not in text


def test_columns_with_short_names_have_their_identities_below(text):
    assert section(text, "Columns") == [
        "- **pairs accuracy:2fold**: accuracy:2fold/grid-0.01/flip-sum",
        "- **pairs tar_at_fpr:1e-2**: tar_at_fpr:1e-2/nearest_exact/flip-sum",
        "- **pairs auc**: auc/flip-sum",
        "- **lowres rank:1**: rank:1/cosine/flip-sum",
        "- **lowres rank:5**: rank:5/cosine/flip-sum",
    ]


def test_benchmarks_say_protocol_data_counts_and_population(text):
    pairs, lowres = section(text, "Benchmarks")
    assert pairs.startswith("- **pairs**: pair-verification on data 'test': pairs ")
    assert "images 36, people 6, folds 2. Population: pairs of images of the test people" in pairs
    assert "probe size 6" in lowres


def test_data_is_named_with_size_and_fingerprint(finished, text):
    train = finished.graph.data["train"].fingerprint
    lines = section(text, "Data and settings")
    assert f"- **data 'train'**: folder, 24 images of 4 people, 16 px (training), sha256 {train[:16]}" in lines
    assert "- **seeds**: 0, 7 (base seed 5)" in lines


def test_nothing_is_missing_from_a_finished_matrix(text):
    assert "no number" not in text
    assert "faceassay run" not in text


def test_missing_cells_are_counted_with_the_command_that_runs_them(finished, store):
    break_stage(finished.stage(LOST), store, "out of luck")
    text = rendered(finished.results(store))
    assert (
        f"**1 of 12 cells has no number**; to run what is missing: `faceassay run {finished.matrix} --store {store}`"
        in text
    )
    assert f"- **Blend + real**: failed: {LOST}: out of luck" in text.splitlines()


def test_the_command_quotes_a_path_with_blanks_and_names_the_profile(finished, tmp_path):
    results = finished.results(tmp_path / "empty")
    matrix = dataclasses.replace(results.matrix, path=tmp_path / "my matrix.yaml", profile="longer")
    text = rendered(dataclasses.replace(results, matrix=matrix))
    assert f"`faceassay run '{tmp_path}/my matrix.yaml' --profile longer --store {tmp_path}/empty`" in text
    assert "(profile longer)" in text.splitlines()[0]


def test_that_command_runs_what_is_missing(finished, store):
    break_stage(finished.stage(LOST), store, "out of luck")
    said = re.search(r"`faceassay (.+)`", rendered(finished.results(store)))[1].split()
    assert command(*said, "--store", store, "--out", store / "out", "--no-mlflow", "--quiet").exit_code == 0
    assert finished.results(store).failures() == []


def test_a_failed_seed_is_marked_and_a_failed_cell_says_failed(finished, store):
    for title in (LOST, "evaluation lowres of Real, seed 0", "evaluation lowres of Real, seed 7"):
        break_stage(finished.stage(title), store, "out of luck")
    rows = tables(rendered(finished.results(store)))[0]
    assert re.fullmatch(r"\d+\.\d\d \(1 of 2 seeds\)", rows[3][6])
    assert rows[2][9:] == ["failed", "failed"]
    assert re.fullmatch(r"\d+\.\d\d ± \d+\.\d\d", rows[3][9])


def test_an_empty_store_gives_a_table_of_what_is_not_run(finished, tmp_path):
    text = rendered(finished.results(tmp_path / "empty"))
    rows = tables(text)
    assert {cell for row in rows[0][2:] for cell in row[6:]} == {"not run"}
    assert len(rows) == 1
    assert "**12 of 12 cells have no number**" in text
    assert "- **Real; Blend + real; Blend, alone**: not run" in text.splitlines()


def test_the_quality_of_a_synthesis_stands_once_for_all_methods_that_use_it(finished, text):
    measured = tables(text)[1]
    assert [row[:3] for row in measured[2:]] == [["Blend + real; Blend, alone", seed, "15"] for seed in ("0", "7")]
    quality = finished.results().quality(finished.graph.rows["Blend + real"], 0)["nearest_training"]
    assert measured[2][5] == f"{quality['median']:.1f} ({quality['q05']:.1f})"
    assert measured[2][3] == "not measured"


def test_a_quality_that_failed_is_said(finished, store):
    break_stage(finished.stage("image quality of blend, seed 7"), store, "no detector")
    text = rendered(finished.results(store))
    assert "**Image qualities are missing**" in text
    assert "- **image quality**: failed: image quality of blend, seed 7: no detector" in text.splitlines()
