"""What ``faceassay plan`` says of the statistics: what seeds allow, and what they detect by earlier variances."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from faceassay.cli import power
from faceassay.cli.power import Variances, power_lines
from faceassay.inference import detectable
from faceassay.report.differences import differences_csv
from faceassay.store import Store
from faceassay.table import build
from finished_matrix import command, finished_matrix
from scored_matrix import MATRIX, WITH_GENERATOR, scored, steady
from tiny_matrix import graph_of

UNKNOWN = "detectable from 'Real' (80 % power, two-sided 5 %): unknown until two seeds of it have run; "


def lines(tmp_path, seeds, table=None):
    matrix, graph = graph_of(MATRIX.replace("SEEDS", str(list(range(seeds)))))
    return list(power_lines(matrix, graph, Store.open(tmp_path / "empty"), table or tmp_path / "none.csv"))


def pilot(tmp_path, seeds):
    """Write the differences of a run of ``seeds`` and return the table and the file."""
    table = build(scored(tmp_path / "scored", *steady(seeds), seeds=seeds))
    (tmp_path / "differences.csv").write_text(differences_csv(table))
    return table, tmp_path / "differences.csv"


def test_a_single_seed_allows_nothing(tmp_path):
    assert lines(tmp_path, 1) == [
        "statistics: 1 seed: inconclusive, 3 are needed; the signs of 1 paired difference alone reach p = 1 at best"
    ]


def test_two_seeds_are_inconclusive(tmp_path):
    first, second = lines(tmp_path, 2)
    assert first == (
        "statistics: 2 seeds: inconclusive, 3 are needed; the signs of 2 paired differences alone reach p = 0.5 at best"
    )
    assert second.startswith(UNKNOWN)


def test_without_an_earlier_run_it_is_known_in_spreads_over_seeds_only(tmp_path):
    first, second = lines(tmp_path, 3)
    assert first == (
        "statistics: 3 seeds, Student's t with 2 degrees of freedom; "
        "the signs of 3 paired differences alone reach p = 0.25 at best"
    )
    assert second == UNKNOWN + "over seeds alone it is 3.26 standard deviations of the paired differences"


@pytest.mark.parametrize("earlier", [2, 3])
def test_variances_of_an_earlier_run_say_what_more_seeds_will_detect(tmp_path, earlier):
    table, path = pilot(tmp_path, earlier)
    _, head, *columns = lines(tmp_path, 10, path)
    assert head == f"detectable from 'Real' (80 % power, two-sided 5 %; median over rows; variances of {path}):"
    estimates = [standing.difference.estimate for standing in table.standings[0].standings]
    errors = [math.sqrt(one.people + one.seeds * earlier / 10) for one in estimates]
    found = 100 * median(detectable(error, 9) for error in errors)
    assert columns[0] == f"  near distance:1: {found:.2f} points"
    assert [line.partition(":")[0] for line in columns] == ["  near distance", "  far distance", "  both"]


def test_as_many_seeds_as_before_detect_what_the_report_says(tmp_path):
    table, path = pilot(tmp_path, 4)
    assert lines(tmp_path, 4, path)[2] == f"  near distance:1: {100 * table.standings[0].detectable:.2f} points"


GENERATORS = WITH_GENERATOR.replace("seeds: SEEDS", "seeds: SEEDS\ngenerator_seeds: [0, 1]")


def of_generators(tmp_path, seeds, text=GENERATORS, planned=GENERATORS):
    """Return the table of a run, and what is planned by it; 'Blend' alone reads a generator."""
    results = scored(tmp_path / "scored", *steady(seeds), seeds=seeds, text=text)
    only = [row for row in differences_csv(build(results)).splitlines() if ",Blend + real," not in row]
    (tmp_path / "differences.csv").write_text("\n".join(only))
    matrix, graph = graph_of(planned.replace("SEEDS", str(list(range(seeds)))))
    return build(results), list(power_lines(matrix, graph, Store.open(tmp_path), tmp_path / "differences.csv"))


def test_several_generators_detect_what_the_report_says(tmp_path):
    """Four seeds of two generators are one degree of freedom, not three."""
    table, said = of_generators(tmp_path, 4)
    assert said[0].startswith(
        "statistics: 4 seeds, Student's t with 3 degrees of freedom, 1 where 2 generators are read; "
    )
    assert said[2] == f"  near distance:1: {100 * table.standings[0].standings[1].detectable:.2f} points"


def test_a_run_of_one_generator_does_not_tell_what_several_detect(tmp_path):
    _, said = of_generators(tmp_path, 4, text=WITH_GENERATOR)
    assert said[2] == "  near distance:1: unknown until rows that read a generator have run with two of them"


@pytest.mark.parametrize(
    ("earlier", "seeds", "generators", "variance", "degrees"),
    [
        (Variances(1, 2, 3, 6, 2), 6, 2, 1 + 2 + 3, 1),
        (Variances(1, 2, 3, 6, 2), 12, 4, 1 + 2 / 2 + 3 / 2, 3),
        (Variances(1, 2, 3, 6, 2), 6, 6, 1 + 2 + 3 / 3, 5),
        (Variances(1, 2, 3, 6, 2), 12, 1, 1 + 2 / 2, 11),
        (Variances(1, 2, 0, 3, 3), 6, 6, 1 + 2 / 2, 5),
        (Variances(1, 2, 0, 3, 3), 12, 6, 1 + 2 / 2, 5),
        (Variances(1, 2, 0, 3, 1), 6, 1, 1 + 2 / 2, 5),
    ],
)
def test_more_seeds_and_more_generators_lessen_each_its_own_variance(earlier, seeds, generators, variance, degrees):
    assert earlier.detectable(seeds, generators) == pytest.approx(detectable(math.sqrt(variance), degrees))


def test_the_store_is_asked_of_seeds_that_read_the_generators_they_have_read(tmp_path, monkeypatch):
    """Of seeds 0 to 5, in turn of generators 0 and 1, seed 0 was lost: 2 and 4 have read 0; 1 and 3 have read 1."""
    results = scored(tmp_path / "scored", *steady(6), seeds=6, text=GENERATORS)
    cells = tuple(replace(one, failure="not run") if one.cell.seed == 0 else one for one in results.cells)
    monkeypatch.setattr(power, "collect", lambda spec, graph, store: replace(results, cells=cells))
    found = power._stored(results.matrix, results.graph, results.store)
    (_, _), (row, variances) = found["near/distance:1"]
    kept = [[cell.metrics["distance:1"] for cell in cells if cell.cell.method == name and cell.cell.benchmark == "near"
             and cell.cell.seed in of] for name in ("Blend", "Real") for of in ((2, 4), (1, 3))]  # fmt: skip
    one, other = (np.subtract(kept[k], kept[k + 2]) for k in (0, 1))
    within = np.mean([np.var(one, ddof=1), np.var(other, ddof=1)]) / 4
    between = 2 * np.var([one.mean(), other.mean()], ddof=1) / 4
    assert (row, variances.seeds_used, variances.generators_used) == ("Blend", 4, 2)
    assert variances.seeds == pytest.approx(within, abs=1e-18)
    assert variances.generators == pytest.approx(max(0, between - within), abs=1e-18)


def test_a_column_that_never_ran_is_unknown(tmp_path):
    _, path = pilot(tmp_path, 4)
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "far" not in line))
    assert lines(tmp_path, 4, path)[3] == "  far distance:2: unknown until two seeds of it have run"


HEAD = "column,method,against,people variance,seeds variance,generators variance,seeds,generators\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2\n",
        HEAD + "near/distance:1,Blend,Real,x,1,1,3,1\n",
        HEAD + "near/distance:1,Blend,Real,1,1,1,1,1\n",
        HEAD + "near/distance:1,Blend,Real,-1,1,1,3,1\n",
        HEAD + "near/distance:1,Blend,Real,inf,1,1,3,1\n",
        HEAD + "near/distance:1,Blend,Real,1\n",
        HEAD + ",Blend,Real,1,1,1,3,1\n",
        HEAD + "near/distance:1,Blend,Real,1,1,1,3,0\n",
        HEAD + "near/distance:1,Gone,Real,1,1,1,3,1\n",
        HEAD + "near/distance:1,Blend,Blend + real,1,1,1,3,1\n",
        "\x00\xff",
    ],
)
def test_a_damaged_table_is_as_good_as_none(tmp_path, text):
    (tmp_path / "damaged.csv").write_text(text)
    assert lines(tmp_path, 3, tmp_path / "damaged.csv")[1].startswith(UNKNOWN)


def test_a_matrix_of_one_row_compares_nothing(tmp_path):
    text = "".join(line for line in MATRIX.splitlines(keepends=True) if "name: Blend" not in line)
    matrix, graph = graph_of(text.replace("SEEDS", "[0, 1, 2]"))
    assert list(power_lines(matrix, graph, Store.open(tmp_path), tmp_path / "none.csv")) == []


def test_the_store_is_asked_where_there_is_no_table(tmp_path_factory):
    finished = finished_matrix(tmp_path_factory)
    table = build(finished.results())
    planned = command("plan", finished.matrix, "--store", finished.store).output
    found = table.standings[2].detectable
    shown = "over 100" if found > 1 else f"{100 * found:.2f}"
    assert "two-sided 5 %; median over rows; variances of the store):\n" in planned
    assert f"\n  pairs auc: {shown} points\n" in planned
