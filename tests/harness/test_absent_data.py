"""Data that is not there: planned and priced with the counts expected of it, shown as absent, an error to nobody."""

from __future__ import annotations

import shutil

import pytest
from click.testing import CliRunner

import faceassay.registry
from faceassay.cli import main
from faceassay.cli.matrix import expanded
from faceassay.contracts import DataError, Figure
from faceassay.graph import Stage
from faceassay.registry import Origin, Registry, load_plugins
from faceassay.results import collect
from faceassay.states import State, required_stages, state_of
from faceassay.store import Store
from faceassay.tracking import MlflowWriter
from matrices import changed, write_faces

ROWS = """\
  - {name: Other, group: FR_real, data: other}
  - {name: Published, group: FR_syn, data: made}
  - {name: Published + real, group: FR_mix, data: made}
benchmarks:
  - name: away
    protocol: {plugin: lfw, path: packs/lfw.bin, image_size: 16, replicates: 0}
    expect: {images: 12000, image_size: 16}
"""
MATRIX = changed(
    ("train: train\n", """\
  other: {plugin: folder, path: there/other, image_size: 16, expect: {identities: 7, images: 70, image_size: 16}}
  made: {plugin: folder, path: made, image_size: 16, expect: {identities: 3, images: 9, image_size: 16}}
train: train
"""),
    ("benchmarks:\n", ROWS),
    ("""\
  - name: ScoreMix
    group: FR_syn
    augmentation: {plugin: scoremix, pairs: 3, images_per_pair: 2, steps: 2}
""", ""),
    ("folds: 2}\n", "folds: 2}\n    expect: {images: 18, image_size: 16}\n"),
)  # fmt: skip
ROW = "  - {name: Other, group: FR_real, data: other}\n"
OTHER = "data 'other' is not there: supply there/other beside the matrix or under FACEASSAY_DATA"
AWAY = "benchmark 'away' is not there: supply packs/lfw.bin beside the matrix or under FACEASSAY_DATA"


@pytest.fixture(autouse=True, scope="module")
def surroundings(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("FACEASSAY_DATA", raising=False)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the matrix; data ``made`` is there, ``other`` and the pack of ``away`` are not."""
    folder = tmp_path_factory.mktemp("absent")
    write_faces(folder)
    shutil.copytree(folder / "train" / "s1", folder / "made" / "s1")
    shutil.copytree(folder / "train" / "s2", folder / "made" / "new one")
    (folder / "matrix.yaml").write_text(MATRIX)
    return folder


@pytest.fixture(scope="module")
def ran(folder, tmp_path_factory):
    """Return what a run said, and where its report is."""
    out = tmp_path_factory.mktemp("out")
    words = ["run", folder / "matrix.yaml", "--store", out / "store", "--out", out, "--no-mlflow"]
    said = CliRunner().invoke(main, list(map(str, words)))
    return said, out


@pytest.fixture(scope="module")
def graph(folder):
    return expanded(folder / "matrix.yaml", None)[2]


def stages(graph, kind, text=""):
    return [stage for stage in graph.stages.values() if stage.kind == kind and text in stage.title]


def test_counts_are_those_that_are_expected(graph):
    other, away = graph.data["other"], graph.packs["away"]
    assert (other.images, len(other.people), other.image_size) == (70, 7, 16)
    assert (away.images, away.image_size, away.people) == (12000, 16, ())
    assert (graph.data["train"].images, graph.packs["pairs"].images) == (18, 18)


def test_what_needs_absent_data_is_absent_and_says_what_to_supply(graph):
    (recognizer,) = stages(graph, "recognizer", "Other")
    (evaluation,) = stages(graph, "evaluation", "away of Other")
    assert recognizer.absent == (OTHER,)
    assert evaluation.absent == (OTHER, AWAY)
    assert [s.absent for s in stages(graph, "recognizer", "Real")] == [()]


def test_absent_stages_are_never_required(graph, tmp_path):
    store = Store.open(tmp_path)
    required = required_stages(graph, store)
    assert required
    assert not any(stage.absent for stage in required)
    absent = [stage for stage in graph.stages.values() if stage.absent]
    assert absent
    assert {state_of(stage, store) for stage in absent} == {State.ABSENT}


def test_a_stage_of_absent_data_shares_no_key_with_one_of_the_data(folder, graph, tmp_path):
    there = shutil.copytree(folder, tmp_path / "there")
    shutil.copytree(there / "made", there / "there" / "other")
    complete = expanded(there / "matrix.yaml", None)[2]
    absent = {key for key, stage in graph.stages.items() if stage.absent == (OTHER,)}
    assert len(absent) == 3
    assert absent.isdisjoint(complete.stages)
    assert len(complete.stages) == len(graph.stages)


def test_what_is_expected_is_in_no_key_of_data_that_is_there(folder, graph, tmp_path):
    there = shutil.copytree(folder, tmp_path / "there")
    text = MATRIX.replace("identities: 3, images: 9", "identities: 30, images: 90").replace("images: 18", "images: 5")
    (there / "matrix.yaml").write_text(text)
    present = {key for key, stage in graph.stages.items() if not stage.absent}
    assert present <= expanded(there / "matrix.yaml", None)[2].stages.keys()


def test_absent_data_cannot_be_opened(graph):
    for given, said in ((graph.data["other"], OTHER), (graph.packs["away"], AWAY)):
        with pytest.raises(DataError, match=said):
            given.open()


def test_without_an_expectation_absent_data_is_an_error_as_before(folder, tmp_path):
    lost = shutil.copytree(folder, tmp_path / "lost")
    (lost / "matrix.yaml").write_text(MATRIX.replace(", expect: {identities: 7, images: 70, image_size: 16}", ""))
    said = CliRunner().invoke(main, ["plan", str(lost / "matrix.yaml")])
    assert said.exit_code == 2
    assert "no such file or folder" in said.output


def test_damaged_data_stays_an_error(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "there" / "other").mkdir(parents=True)
    said = CliRunner().invoke(main, ["plan", str(broken / "matrix.yaml")])
    assert said.exit_code == 2
    assert "holds no folders" in said.output


def test_a_run_with_absent_cells_only_succeeds(ran):
    said, _ = ran
    assert said.exit_code == 0, said.output
    assert "**6 of 10 cells are absent: their data is not there**" in said.output


def test_absent_cells_say_absent_and_the_rest_has_numbers(ran):
    _, out = ran
    lines = {line.split("|")[1].strip(): line for line in (out / "table.md").read_text().splitlines() if "FR_" in line}
    assert lines["Other"].count("absent") == 4
    assert lines["Published"].count("absent") == 1
    assert "failed" not in "".join(lines.values())


def test_the_report_says_what_to_supply(ran):
    _, out = ran
    for name in ("table.md", "table.html"):
        text = (out / name).read_text().replace("&#39;", "'")
        assert OTHER in text
        assert AWAY in text
        assert "no number" not in text


def test_each_thing_to_supply_is_said_once_with_the_rows_that_lack_it(ran):
    lines = (ran[1] / "table.md").read_text().splitlines()
    assert sorted(line for line in lines if "supply" in line) == [
        f"- **Other**: {OTHER}",
        f"- **every method**: {AWAY}",
    ]


def test_counts_other_than_expected_are_noted(ran):
    _, out = ran
    text = (out / "table.md").read_text()
    assert "expected 9 images, has 6; expected 3 identities, has 2" in text
    assert "expected 18" not in text


def test_people_of_one_name_are_said_to_be_one_class(ran):
    assert (
        "**Published + real**: 1 name of data 'made' and of data 'train' are the same"
        in (ran[1] / "table.md").read_text()
    )


def test_rows_on_other_data_count_its_images(graph):
    counts = {name: (row.synthetic_images, row.real_images) for name, row in graph.rows.items()}
    assert counts == {
        "Real": (0, 18), "Blend + real": (6, 18), "Other": (0, 70), "Published": (6, 0), "Published + real": (6, 18),
    }  # fmt: skip


def test_only_what_an_augmentation_made_is_measured(graph):
    assert [stage.title for stage in stages(graph, "quality")] == ["image quality of blend, seed 0"]


def test_a_row_reads_the_data_it_names(graph):
    def read(row):
        (recognizer,) = stages(graph, "recognizer", row)
        return {name: s.title if isinstance(s, Stage) else s.name for name, s in recognizer.inputs.items()}

    assert read("recognizer Other,") == {"real": "other"}
    assert read("recognizer Published,") == {"synthesis": "made"}
    both = {"real": "train", "synthesis": "made", "mixture": "people joined, equal images"}
    assert read("recognizer Published + real,") == both


def test_results_tell_absent_from_failed(folder, ran):
    _, spec, graph = expanded(folder / "matrix.yaml", None)
    results = collect(spec, graph, Store.open(ran[1] / "store"))
    assert results.failures() == []
    assert {cell.cell.method for cell in results.absent() if cell.cell.benchmark == "pairs"} == {"Other"}
    assert len([cell for cell in results.absent() if cell.cell.benchmark == "away"]) == 5


def test_a_benchmark_on_absent_data_is_absent_with_it(folder, tmp_path):
    lost = shutil.copytree(folder, tmp_path / "lost")
    (lost / "matrix.yaml").write_text(MATRIX.replace("data: test\n", "data: other\n").replace(ROW, ""))
    pack = expanded(lost / "matrix.yaml", None)[2].packs["pairs"]
    assert (pack.images, pack.absent) == (18, OTHER)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("group: FR_syn, data: made", "group: FR_syn", "needs an augmentation or, in its place, data"),
        ("data: made}\nbench", "data: made, augmentation: {plugin: blend}}\nbench", "needs an augmentation or"),
        ("group: FR_mix, data: made", "group: FR_mix, data: train", "trains on 'train' and other data"),
        ("group: FR_syn, data: made", "group: FR_syn, data: mad", "no entry of data is called 'mad'; did you mean"),
        ("expect: {images: 12000", "expect: {imags: 12000", "unknown parameter; did you mean 'images'"),
        ("identities: 7, images", "images", "Field required"),
        ("images: 70, image_size: 16", "images: 70, image_size: 32", "give both one image_size"),
    ],
)
def test_what_contradicts_itself_is_refused(folder, tmp_path, old, new, problem):
    assert MATRIX.count(old) == 1
    wrong = shutil.copytree(folder, tmp_path / "wrong")
    (wrong / "matrix.yaml").write_text(MATRIX.replace(old, new))
    said = CliRunner().invoke(main, ["plan", str(wrong / "matrix.yaml")])
    assert said.exit_code == 2
    assert problem in said.output


def test_people_of_other_data_must_not_be_tested(folder, tmp_path):
    both = shutil.copytree(folder, tmp_path / "both")
    shutil.copytree(both / "test" / "s9", both / "made" / "s9")
    said = CliRunner().invoke(main, ["plan", str(both / "matrix.yaml")])
    assert "tests 1 identities that are also trained on (s9): make data 'made' and 'test' disjoint" in said.output


def test_absent_cells_fail_no_run_of_mlflow(folder, ran, tmp_path, monkeypatch):
    from mlflow.tracking import MlflowClient

    monkeypatch.chdir(tmp_path)
    writer = MlflowWriter(uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    _, spec, graph = expanded(folder / "matrix.yaml", None)
    writer.run_finished(collect(spec, graph, Store.open(ran[1] / "store")), [])
    client = MlflowClient(tracking_uri=writer.address())
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert {run.info.status for run in runs} == {"FINISHED"}
    missing = {run.info.run_name: run.data.tags.get("faceassay.missing", "") for run in runs}
    assert missing["Other, seed 0"].startswith(f"absent: {OTHER}")


class Blank(Figure):
    name = "blank"
    version = "1"
    summary = "nothing"

    def draw(self, sources, run):
        raise NotImplementedError


def test_a_figure_of_absent_data_says_what_to_supply(folder, tmp_path, monkeypatch):
    bundled = load_plugins()
    known = {**bundled.classes, ("figure", "blank"): Blank}
    registry = Registry(known, {**bundled.origins, ("figure", "blank"): Origin("tests", "tests", "0")})
    monkeypatch.setattr(faceassay.registry, "load_plugins", lambda: registry)
    lost = shutil.copytree(folder, tmp_path / "lost")
    (lost / "matrix.yaml").write_text(MATRIX.replace("train: train\n", "train: other\n"))
    said = CliRunner().invoke(main, ["figure", "blank", str(lost / "matrix.yaml"), "--store", str(tmp_path / "store")])
    assert said.exit_code == 2
    assert OTHER in said.output
