"""table.md: a table that parses as one, notes that say what the numbers are of, nothing that turns into markup."""

import dataclasses
import re

import pytest

from faceassay.report.text import markdown
from faceassay.table import build
from finished_matrix import METHODS, break_stage, command, finished_matrix, finished_packed

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


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return finished_packed(tmp_path_factory)


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


def test_benchmarks_say_protocol_data_counts_and_population(finished, text):
    pairs, lowres = section(text, "Benchmarks")
    sha256 = finished.graph.data["test"].fingerprint[:16]
    assert pairs.startswith("- **pairs**: pair-verification on data 'test': pairs ")
    counts = f"images 36, people 6, folds 2, sha256 {sha256}"
    assert f"{counts}. Population: pairs of images of the test people" in pairs
    assert ". Caution, tar_at_fpr:1e-2: 1e-2 is below the resolution of 90 impostor pairs" in pairs
    assert f"probe size 6, sha256 {sha256}. Population: probes" in lowres
    assert "interval" not in pairs + lowres
    assert "fold std" not in pairs


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
    assert "## Intervals" not in text


def test_the_quality_of_a_synthesis_stands_once_for_all_methods_that_use_it(finished, text):
    measured = tables(text)[2]
    assert [row[:3] for row in measured[2:]] == [["Blend + real; Blend, alone", seed, "15"] for seed in ("0", "7")]
    quality = finished.results().quality(finished.graph.rows["Blend + real"], 0)["nearest_training"]
    assert measured[2][5] == f"{quality['median']:.1f} ({quality['q05']:.1f})"
    assert measured[2][3] == "not measured"


def test_a_quality_that_failed_is_said(finished, store):
    break_stage(finished.stage("image quality of blend, seed 7"), store, "no detector")
    text = rendered(finished.results(store))
    assert "**Image qualities are missing**" in text
    assert "- **image quality**: failed: image quality of blend, seed 7: no detector" in text.splitlines()


def test_limits_are_a_table_of_their_own_below_the_columns(finished, text):
    limits = tables(text)[1]
    assert limits[0] == ["Method", *HEADER[6:]]
    assert [row[0] for row in limits[2:]] == list(METHODS)
    for row, of_method in zip(limits[2:], build(finished.results()).rows, strict=True):
        ends = [(100 * cell.interval.low, 100 * cell.interval.high) for cell in of_method.cells]
        assert row[1:] == [f"{low:.2f} to {high:.2f}" for low, high in ends]
    headings = re.findall(r"^## (.+)$", text, flags=re.M)
    assert headings[:3] == ["How to read it", "Columns", "Intervals"]


def below_the_limits(text):
    """Return the bullets between the table of limits and the next heading."""
    lines = text.partition("## Intervals\n")[2].partition("\n## ")[0].splitlines()
    return [line for line in lines if line.startswith("- ")]


def test_below_the_limits_stands_what_varies_within_them(text):
    coverage, pairs, lowres = below_the_limits(text)
    assert coverage.startswith("- Limits around the mean over 2 seeds, resampled with the same draws for all: ")
    assert coverage.endswith("other test people, or what else is named here, and no other seeds.")
    assert "95 % limits over identities (percentile bootstrap, " in pairs
    assert lowres == (
        "- **lowres**: 95 % limits over identities of the probes; the gallery is fixed "
        "(percentile bootstrap, 1000 replicates, mean of 2 seeds)"
    )


def test_a_failed_cell_has_no_limits_and_says_why(finished, store):
    for title in (LOST, "evaluation lowres of Real, seed 0", "evaluation lowres of Real, seed 7"):
        break_stage(finished.stage(title), store, "out of luck")
    limits = tables(rendered(finished.results(store)))[1]
    assert limits[2][4:] == ["failed", "failed"]
    assert {bool(re.fullmatch(r"\d+\.\d\d to \d+\.\d\d", cell)) for cell in limits[3][1:]} == {True}


def test_a_protocol_without_replicates_has_a_word_instead_of_limits(packed):
    text = (packed.out / "table.md").read_text()
    (row,) = tables(text)[1][2:]
    assert [row[3], row[5]] == ["none", "none"]
    assert re.fullmatch(r"\d+\.\d\d to \d+\.\d\d", row[4])
    coverage, pack, bare, none = below_the_limits(text)
    assert coverage.startswith("- Limits around each number: ")
    assert pack == "- **pack**: 95 % limits over pairs (percentile bootstrap, 50 replicates)"
    assert bare.startswith("- **bare**: 95 % limits over false accepts (exact Poisson, ")
    assert none.startswith("- A number without limits")


def test_a_report_without_any_limits_says_so_and_has_no_table_of_them(finished):
    table = build(finished.results())
    rows = tuple(
        dataclasses.replace(row, cells=tuple(dataclasses.replace(cell, interval=None) for cell in row.cells))
        for row in table.rows
    )
    text = markdown(finished.results(), dataclasses.replace(table, rows=rows))
    assert section(text, "Intervals") == [
        "- A number without limits comes from a protocol that keeps no replicates and gives no interval."
    ]
    assert len(tables(text)) == 2


def test_a_benchmark_with_files_of_its_own_says_so(packed):
    pack, bare = section((packed.out / "table.md").read_text(), "Benchmarks")
    sha256 = packed.results().cell("Real", "pack", 3).notes["sha256"]
    assert pack.startswith(f"- **pack**: lfw on its own files: sha256 {sha256[:16]}, pairs 40, ")
    assert bare.startswith("- **bare**: pair-verification on data 'test': ")
    assert "Population" not in pack
    assert ". Caution, tar_at_fpr:1e-3: 1e-3 is below the resolution of 20 impostor pairs" in pack


def test_a_hostile_warning_is_text(packed):
    text = (packed.out / "table.md").read_text()
    assert not set("<>") & set(text)
    escaped = 'lfw [x]\\(http:) &lt;b&gt;\\| "&gt;&lt;script&gt;alert(3).bin: 40 pairs, LFW has 6000'
    assert text.count(escaped) == 1
    assert re.search(r"\. Warning: [^|]*lfw \[x\]", text)
    assert re.findall(r"\]\(.*", text) == ["](cards.md)"]
