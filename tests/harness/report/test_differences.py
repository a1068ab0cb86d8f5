"""Differences from the baseline row in Markdown, HTML, LaTeX and CSV: numbers, words, and where there are none."""

from __future__ import annotations

import csv
import io

import pytest

from faceassay.inference import detectable
from faceassay.report.differences import CSV_COLUMNS, differences_csv, verdict_line
from faceassay.report.html import page
from faceassay.report.latex import latex
from faceassay.report.text import markdown
from faceassay.report.words import points, reach
from faceassay.report.write import write_report
from faceassay.table import build
from finished_matrix import command, finished_matrix
from scored_matrix import MATRIX, NEAR, ROWS, WITH_GENERATOR, scored, steady

LABELS = ("near distance:1", "far distance:2", "both")


@pytest.fixture
def results(tmp_path):
    return scored(tmp_path, *steady(4), seeds=4)


@pytest.fixture
def effects(results):
    """The effects of both rows in the first column."""
    return [one.difference.effect for one in build(results).standings[0].standings]


def section(text):
    return text.partition("## Differences from Real\n\n")[2].partition("\n## ")[0]


def of_csv(results):
    return list(csv.DictReader(io.StringIO(differences_csv(build(results)))))


def grid(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]


def test_markdown_has_a_line_for_each_column_and_row(results, effects):
    header, _, *lines = grid(section(markdown(results, build(results))))
    assert header == ["Column", "Method", "Difference", "95 % limits", "p (Holm)", "Verdict", "Seeds", "Detectable"]
    assert [line[:2] for line in lines] == [[column, row] for column in LABELS for row in ROWS[1:]]
    low, high = effects[0].interval()
    found = 100 * detectable(effects[0].standard_error, 3)
    assert lines[0][2:4] == ["+20.10", f"{100 * low:+.2f} to {100 * high:+.2f}"]
    assert lines[0][4:] == [f"{2 * effects[0].p_different():.0e}", "better", "4", f"{found:.2f}"]
    assert lines[1][5] == "not separable"


def test_the_table_marks_ties_and_the_winner(results):
    lines = {line[0]: line[6:] for line in grid(markdown(results, build(results)))[2:5]}
    assert lines["Blend + real"] == ["**70.10 ± 0.92** a"] * 3
    assert [cell[-1] for cell in (*lines["Real"], *lines["Blend"])] == ["b"] * 6


def test_a_tied_best_row_is_not_bold(tmp_path):
    values, drawn = steady(4)
    values = {key: [value + 0.199 * (key[0] == "Blend") for value in of_row] for key, of_row in values.items()}
    assert "**" not in markdown(*both(scored(tmp_path, values, drawn, seeds=4))).partition("## How")[0]


def both(results):
    return results, build(results)


def test_html_marks_ties_and_shows_the_differences(results):
    text = page(*both(results))
    assert '<td class="winner">70.10 <span class="spread">± 0.92</span><sup>a</sup>' in text
    assert text.count("<sup>b</sup>") == 6
    table = text.partition('<table id="differences">')[2].partition("</table>")[0]
    assert table.count("<tr>") == 1 + 6
    assert "<td>+20.10</td>" in table


def test_latex_raises_the_letters_and_prints_the_winner_bold(results):
    text = latex(*both(results))
    assert r"\textbf{70.10 \(\pm\) 0.92}\textsuperscript{a}" in text
    assert r"50.00 \(\pm\) 0.86\textsuperscript{b}" in text
    assert "share a letter" in text


@pytest.mark.parametrize(("text", "said"), [(MATRIX, False), (WITH_GENERATOR, True)])
def test_limits_say_that_they_cover_no_other_training_of_a_generator(tmp_path, text, said):
    results = scored(tmp_path, *steady(4), seeds=4, text=text)
    assert ("less one; conditional on one training of each generator" in section(markdown(*both(results)))) == said


@pytest.mark.parametrize(("seeds", "said"), [(1, "1 seed"), (2, "2 seeds")])
def test_too_few_seeds_are_a_sentence_and_no_letters(tmp_path, seeds, said):
    results = scored(tmp_path, *steady(seeds), seeds=seeds)
    text = markdown(*both(results))
    assert f"- No winner is marked ({said}: inconclusive, 3 are needed).\n" in text
    assert f"- {said}: inconclusive, 3 are needed." in section(text)
    assert (grid(section(text)), "**7" in text) == ([], False)
    assert ('id="differences"' in page(*both(results)), "<sup>" in page(*both(results))) == (False, False)
    assert "share a letter" not in latex(*both(results))


def test_two_seeds_say_what_they_could_have_found(tmp_path):
    results = scored(tmp_path, *steady(2), seeds=2)
    found = [reach(column.detectable) for column in build(results).standings]
    said = "; ".join(f"{label}: {one}" for label, one in zip(LABELS, found, strict=True))
    assert f"- **Detectable with 80 % power, in points**: {said}\n" in section(markdown(*both(results)))


def test_one_seed_could_have_found_nothing_that_anyone_knows(tmp_path):
    assert "Detectable" not in section(markdown(*both(scored(tmp_path, *steady(1), seeds=1))))


def test_what_is_inconclusive_says_why_once(tmp_path):
    values, drawn = steady(4)
    values["Blend", "near"][1] = "failed: recognizer: out of luck"
    results = scored(tmp_path, values, drawn, seeds=4)
    text = section(markdown(*both(results)))
    assert text.count("- **Inconclusive, Blend**: a seed of the row or of Real is lacking\n") == 1
    assert "out of luck" not in text
    assert grid(text)[3] == ["near distance:1", "Blend", "", "", "", "inconclusive", "4", "unknown"]


def test_a_benchmark_without_replicates_says_so(tmp_path):
    text = section(markdown(*both(scored(tmp_path, steady(4)[0], {}, seeds=4))))
    assert "- **Inconclusive, Blend + real; Blend**: no replicates\n" in text


def test_a_table_of_one_row_has_no_differences(tmp_path):
    lines = MATRIX.splitlines(keepends=True)
    text = "".join(line for line in lines if "name: Blend" not in line)
    results = scored(tmp_path, *steady(4), seeds=4, text=text)
    assert "## Differences" not in markdown(*both(results))
    assert "Differences from" not in page(*both(results))


def test_csv_has_every_number_of_a_difference(results, effects):
    first = of_csv(results)[0]
    assert list(first) == list(CSV_COLUMNS)
    effect, (low, high) = effects[0], effects[0].interval()
    numbers = {
        "difference": effect.mean, "low": low, "high": high, "p": effect.p_different(),
        "p holm": 2 * effect.p_different(), "degrees": 3, "standard error": effect.standard_error,
        "people variance": effect.people, "seeds variance": effect.seeds, "generators variance": 0,
        "detectable": detectable(effect.standard_error, 3),
    }  # fmt: skip
    assert {name: float(first[name]) for name in numbers} == pytest.approx(numbers, rel=1e-9)
    words = [first[name] for name in ("column", "method", "against", "verdict", "seeds", "reason")]
    assert words == ["/".join(NEAR), "Blend + real", "Real", "better", "4", ""]


def test_csv_of_too_few_seeds_has_the_difference_and_why_it_has_no_more(tmp_path):
    first = of_csv(scored(tmp_path, *steady(1), seeds=1))[0]
    filled = {name: value for name, value in first.items() if value}
    assert filled == {
        "column": "near/distance:1", "method": "Blend + real", "against": "Real", "difference": "0.2", "seeds": "1",
        "verdict": "inconclusive", "reason": "1 seed: inconclusive, 3 are needed",
    }  # fmt: skip


def test_csv_of_a_failed_cell_has_no_number(tmp_path):
    values, drawn = steady(4)
    values["Real", "near"][0] = "failed: x"
    first = of_csv(scored(tmp_path, values, drawn, seeds=4))[0]
    assert [first[name] for name in ("difference", "p holm", "verdict", "reason")] == [
        "",
        "",
        "inconclusive",
        "failed: x",
    ]


def test_the_csv_of_a_report_is_that_of_the_store(tmp_path_factory, tmp_path):
    finished = finished_matrix(tmp_path_factory)
    write_report(finished.results(), tmp_path)
    assert (tmp_path / "differences.csv").read_bytes() == (finished.out / "differences.csv").read_bytes()
    assert command("report", finished.matrix, "--store", finished.store, "--out", tmp_path / "again").exit_code == 0
    assert (tmp_path / "again" / "differences.csv").read_bytes() == (finished.out / "differences.csv").read_bytes()


def test_words_of_numbers():
    assert [points(value) for value in (0.0123, -0.0035, 0.00001, -0.00001)] == ["+1.23", "-0.35", "0.00", "0.00"]
    assert [reach(value) for value in (0.0152, 1.2, None)] == ["1.52", "over 100", "unknown"]


def test_the_line_under_the_table_says_how_ties_are_told(results):
    assert verdict_line(build(results)).startswith("Rows of a column that share a letter are not separable")
