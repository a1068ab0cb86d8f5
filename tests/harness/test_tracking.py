"""MLflow as a view of the store: what it is told, when it is told again, and that a run does without it.

What MLflow holds is read from its database with SQL, not through MLflow. Its tables are made once for the module, which
takes some ten seconds, and copied for every test.
"""

import dataclasses
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from types import SimpleNamespace

import pytest

from faceassay import tracking
from faceassay.contracts import FaceassayError
from faceassay.report.write import write_report
from faceassay.tracking import MlflowWriter
from finished_matrix import COLUMNS, METHODS, PACK, SEEDS, break_stage, command, finished_matrix, finished_packed
from matrices import changed, write_faces

RUNS = {f"{method}, seed {seed}" for method in METHODS for seed in SEEDS} | {"table"}
NOBODY = "http://127.0.0.1:9"
REPORT = ("table.csv", "differences.csv", "table.md", "table.tex", "cost.csv", "table.html", "cards.md", "cards.json")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_matrix(tmp_path_factory)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory):
    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    MlflowWriter(uri=f"sqlite:///{path}").run_started([], {})
    return path


@pytest.fixture
def here(tmp_path, monkeypatch, empty_database):
    """Work in a folder whose MLflow holds nothing yet."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".faceassay").mkdir()
    shutil.copy(empty_database, tmp_path / ".faceassay")
    return tmp_path


@pytest.fixture(scope="module")
def synced(finished, empty_database, tmp_path_factory):
    """A folder whose MLflow holds the finished matrix; only read."""
    folder = tmp_path_factory.mktemp("synced")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        (folder / ".faceassay").mkdir()
        shutil.copy(empty_database, folder / ".faceassay")
        sync(finished)
    return folder


def sync(finished, results=None):
    MlflowWriter().run_finished(results or finished.results(), [finished.out / name for name in REPORT])


def rows(folder, query):
    with closing(sqlite3.connect(folder / ".faceassay" / "mlflow.db")) as database:
        return database.execute(query).fetchall()


def read(folder, stage="active"):
    """Return what MLflow holds: name of a run -> its id, status, metrics, params and tags."""
    found = {}
    for run, name, status in rows(folder, f"SELECT run_uuid, name, status FROM runs WHERE lifecycle_stage='{stage}'"):
        held = {
            table: dict(rows(folder, f"SELECT key, value FROM {table} WHERE run_uuid='{run}'"))
            for table in ("metrics", "params", "tags")
        }
        assert name not in found
        found[name] = SimpleNamespace(id=run, status=status, **held)
    return found


def ids(folder):
    return {name: run.id for name, run in read(folder).items()}


def said(folder):
    """Return what the runs say, without their ids."""
    return {name: (run.status, run.metrics, run.params, run.tags) for name, run in read(folder).items()}


def artifacts(folder):
    """Return the files of the run of the table by their path."""
    place = folder / ".faceassay" / "mlartifacts" / "toy" / read(folder)["table"].id / "artifacts"
    return {path.relative_to(place).as_posix(): path for path in place.rglob("*") if path.is_file()}


def client():
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=MlflowWriter().address())


def record(finished, stage):
    return json.loads((finished.store / "artifacts" / stage.kind / stage.digest / "record.json").read_text())


def test_there_is_one_experiment_with_a_run_for_each_method_and_seed_and_one_for_the_table(synced):
    assert [name for (name,) in rows(synced, "SELECT name FROM experiments") if name != "Default"] == ["toy"]
    assert set(read(synced)) == RUNS
    assert {run.status for run in read(synced).values()} == {"FINISHED"}


def test_metrics_are_those_of_the_store(synced, finished):
    for method in METHODS:
        for seed in SEEDS:
            metrics = read(synced)[f"{method}, seed {seed}"].metrics
            for benchmark, metric in COLUMNS:
                stage = finished.stage(f"evaluation {benchmark} of {method}, seed {seed}")
                path = finished.store / "artifacts" / "evaluation" / stage.digest / "evaluation.json"
                assert metrics[f"{benchmark}/{metric}"] == json.loads(path.read_text())["metrics"][metric]


def evaluation(finished, method, benchmark, seed):
    """Read an evaluation from the file in the store."""
    stage = finished.stage(f"evaluation {benchmark} of {method}, seed {seed}")
    path = finished.store / "artifacts" / "evaluation" / stage.digest / "evaluation.json"
    return json.loads(path.read_text())


def test_limits_are_those_of_the_evaluation_of_the_seed(synced, finished):
    for method in METHODS:
        for seed in SEEDS:
            metrics = read(synced)[f"{method}, seed {seed}"].metrics
            for benchmark, metric in COLUMNS:
                first = evaluation(finished, method, benchmark, seed)["intervals"][metric][0]
                told = [metrics[f"{benchmark}/{metric}.{end}"] for end in ("low", "high")]
                assert told == [first["low"], first["high"]]


def test_no_metric_has_the_name_of_a_folder_of_another(synced):
    """A tracking address that is a folder keeps every metric in a file of its name."""
    names = {name for run in read(synced).values() for name in run.metrics}
    assert [name for name in names if any(other.startswith(f"{name}/") for other in names)] == []


def test_packs_are_told_by_their_sha256_with_what_varies_and_the_cautions(synced, finished):
    tags = read(synced)["Real, seed 0"].tags
    said = evaluation(finished, "Real", "pairs", 0)
    assert tags["faceassay.pack.pairs"] == said["notes"]["sha256"] == finished.graph.data["test"].fingerprint
    assert tags["faceassay.intervals.pairs"].startswith("95 % limits over identities (percentile bootstrap, ")
    ((metric, caution),) = said["cautions"].items()
    assert tags["faceassay.cautions.pairs"] == f"{metric}: {caution}"
    assert "faceassay.warnings.pairs" not in tags


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return finished_packed(tmp_path_factory)


def test_warnings_of_a_pack_are_told(packed):
    entry = tracking._cell_entry(packed.results(), "Real", 3)
    (warning,) = evaluation(packed, "Real", "pack", 3)["warnings"]
    assert entry.tags["faceassay.warnings.pack"] == warning
    assert f"{PACK}: 40 pairs, LFW has 6000" in warning
    assert "pack/accuracy:10fold/insightface_eval_ijbc/grid-0.01/flip-sum.low" in entry.metrics
    assert "bare/auc/flip-sum" in entry.metrics
    assert "bare/auc/flip-sum.low" not in entry.metrics


def test_warnings_fit_into_a_tag(packed):
    results = packed.results()
    cells = tuple(dataclasses.replace(result, warnings=["a" * 1500] * 9) for result in results.cells)
    entry = tracking._cell_entry(dataclasses.replace(results, cells=cells), "Real", 3)
    assert len(entry.tags["faceassay.warnings.pack"]) == tracking.TAG_CHARACTERS
    assert max(map(len, (*entry.tags, *entry.metrics))) <= 250


def test_another_warning_is_another_run(packed):
    results = packed.results()
    cells = tuple(dataclasses.replace(result, warnings=["another"]) for result in results.cells)
    before, again, after = (
        tracking._cell_entry(one, "Real", 3).content()
        for one in (results, packed.results(), dataclasses.replace(results, cells=cells))
    )
    assert before == again != after


def test_costs_are_those_of_the_records(synced, finished):
    metrics = read(synced)["Blend + real, seed 7"].metrics
    told = {name: value for name, value in metrics.items() if name.startswith("cost/")}
    expected = {}
    for title in ("recognizer Blend + real, seed 7", "synthesis blend, seed 7"):
        stage = finished.stage(title)
        cost = record(finished, stage)["cost"]
        for name in ("seconds", "network_evaluations", "peak_memory_bytes"):
            expected[f"cost/{stage.kind}/{name}"] = cost[name]
        if stage.kind == "recognizer":
            expected["cost/recognizer/images_per_second"] = 3 * 8 / cost["seconds"]
    assert told == expected


def test_passes_are_told_where_there_were_any(finished):
    results, stage = finished.results(), finished.stage("synthesis blend, seed 7")
    passing = {"cost": {"seconds": 1.0, "passes": {"denoiser_backward": 12}}}
    told = tracking._cost(SimpleNamespace(record=lambda of: passing), stage)
    assert told == {"cost/synthesis/seconds": 1.0, "cost/synthesis/denoiser_backward": 12.0}
    assert not any("backward" in name for name in tracking._cost(results, stage))


def test_a_run_has_the_course_of_its_recognizers_training(synced, finished):
    for name in ("Real, seed 0", "Blend + real, seed 7"):
        stage, run = finished.stage(f"recognizer {name}"), read(synced)[name]
        history = finished.store / "artifacts" / "recognizer" / stage.digest / "history.json"
        course = {
            (f"training/{what}", row["step"], row[what])
            for row in json.loads(history.read_text())
            for what in ("loss", "learning_rate")
        }
        query = f"SELECT key, step, value FROM metrics WHERE run_uuid='{run.id}' AND key LIKE 'training/%'"
        assert set(rows(synced, query)) == course
        assert len(course) == 6


def test_parameters_are_those_of_the_keys(synced, finished):
    params = read(synced)["Blend, alone, seed 0"].params
    assert (params["n_s"], params["n_r"], params["updates"]) == ("15", "0", "3")
    for title in ("recognizer Blend, alone, seed 0", "synthesis blend, seed 0"):
        stage = finished.stage(title)
        plugin = record(finished, stage)["key"]["plugin"]
        told = {name.partition(".")[2]: value for name, value in params.items() if name.startswith(f"{stage.kind}.")}
        assert told.pop("plugin") == f"{plugin['name']} {plugin['version']}"
        assert told == {name: str(value) for name, value in plugin["parameters"].items()}


def test_a_real_only_run_has_no_parameters_of_a_synthesis(synced):
    run = read(synced)["Real, seed 0"]
    assert not [name for name in (*run.params, *run.metrics, *run.tags) if "synthesis" in name]


def test_data_is_told_by_its_fingerprint(synced, finished):
    for run in (run for name, run in read(synced).items() if name != "table"):
        for name, source in finished.graph.data.items():
            assert run.tags[f"faceassay.data.{name}"] == source.fingerprint


def test_keys_lead_to_the_artifacts(synced, finished):
    tags = read(synced)["Blend + real, seed 7"].tags
    told = {name.removeprefix("faceassay.key."): key for name, key in tags.items() if ".key." in name}
    assert set(told) == {"recognizer", "synthesis", "evaluation.pairs", "evaluation.lowres"}
    for name, key in told.items():
        assert (finished.store / "artifacts" / name.partition(".")[0] / key / "record.json").is_file()
    assert (tags["method"], tags["seed"]) == ("Blend + real", "7")


def test_a_generator_is_told_with_what_it_made():
    """The toy matrix has none, so the stages are stand-ins: a synthesis reads generator and plan."""

    def stage(kind):
        return SimpleNamespace(kind=kind)

    graph = SimpleNamespace(ancestors=lambda last: map(stage, ("synthesis", "plan", "generator", "recognizer")))
    last = stage("recognizer")
    told = tracking._told_stages(SimpleNamespace(graph=graph), last)
    assert [found.kind for found in told] == ["generator", "synthesis", "recognizer"]
    assert told[-1] is last


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Return the folder of a matrix with a generator that has run with its MLflow."""
    folder = tmp_path_factory.mktemp("generated")
    write_faces(folder)
    (folder / "matrix.yaml").write_text(changed(("  learning_rate: 0.01", "  learning_rate: 0.01\n  held_out: 0.3")))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        ran = command("run", "matrix.yaml", "--quiet")
        assert ran.exit_code == 0, ran.output
    return folder


def test_a_generator_has_a_run_with_the_course_of_its_training(generated):
    (history,) = (generated / ".faceassay" / "store" / "artifacts" / "generator").glob("*/history.json")
    run = read(generated)["generator edm2"]
    said = rows(generated, f"SELECT key, step, value FROM metrics WHERE run_uuid='{run.id}' AND key LIKE 'training/%'")
    expected = {
        (f"training/main/{name}", row["images"], row[name])
        for row in json.loads(history.read_text())
        for name in ("loss", "learning_rate", "training_error", "held_out_error")
    }
    assert len(expected) >= 8  # two steps or more
    assert set(said) == expected
    assert run.params["generator.channels"] == "8"


def test_a_generator_has_a_run_with_its_samples(generated):
    run = read(generated)["generator edm2"]
    place = generated / ".faceassay" / "mlartifacts" / "tiny" / run.id / "artifacts"
    kept = {path.name for path in place.iterdir()}
    assert kept == {"samples.png", "memorisation.json", "config.json", "history.json", "record.json"}
    (made,) = (generated / ".faceassay" / "store" / "artifacts" / "generator").glob("*/samples.png")
    assert (place / "samples.png").read_bytes() == made.read_bytes()


def test_the_table_is_there_as_files_with_its_figures(synced, finished):
    files = artifacts(synced)
    assert set(files) == {*REPORT, "figures/pairs-roc.svg", "figures/lowres-cmc.svg"}
    assert all(files[name].read_bytes() == (finished.out / name).read_bytes() for name in REPORT)
    page = (finished.out / "table.html").read_text()
    assert all(path.read_text() in page for name, path in files.items() if name.endswith(".svg"))


def test_syncing_again_adds_nothing(here, finished):
    sync(finished)
    first = ids(here)
    sync(finished)
    assert ids(here) == first
    assert read(here, "deleted") == {}


@pytest.fixture(scope="module")
def rebuilt(finished, synced, tmp_path_factory):
    """A folder whose MLflow was deleted and synced again by another process; and what that process said."""
    folder = tmp_path_factory.mktemp("rebuilt")
    shutil.copytree(synced / ".faceassay", folder / ".faceassay")
    shutil.rmtree(folder / ".faceassay")
    words = ("mlflow", "sync", finished.matrix, "--store", finished.store, "--out", finished.out)
    return folder, in_a_fresh_process("sys.meta_path.pop(0)\n" + MAIN, folder, *words)


def test_a_deleted_database_is_rebuilt_the_same(rebuilt, synced, finished):
    folder, _ = rebuilt
    assert said(folder) == said(synced)
    assert set(artifacts(folder)) == set(artifacts(synced))
    assert all(artifacts(folder)[name].read_bytes() == (finished.out / name).read_bytes() for name in REPORT)


def test_what_mlflow_notes_about_its_tables_stays_out_of_the_display(rebuilt):
    folder, output = rebuilt
    assert output == f"MLflow at sqlite:///{folder}/.faceassay/mlflow.db holds what the store says of toy\n"


def test_a_changed_result_replaces_its_run_only(here, finished):
    sync(finished)
    before, results = ids(here), finished.results()
    changed = results.cell("Real", "pairs", 7)
    other = dataclasses.replace(changed, metrics={name: value / 2 for name, value in changed.metrics.items()})
    cells = tuple(other if cell is changed else cell for cell in results.cells)
    sync(finished, dataclasses.replace(results, cells=cells))
    after = ids(here)
    assert {name for name in after if after[name] != before[name]} == {"Real, seed 7"}
    assert read(here)["Real, seed 7"].metrics["pairs/auc/flip-sum"] == changed.metrics["auc/flip-sum"] / 2


def test_a_changed_report_replaces_the_run_of_the_table_only(here, finished):
    sync(finished)
    before = ids(here)
    files = write_report(finished.results(), here / "out")
    (here / "out" / "table.md").write_text("another")
    MlflowWriter().run_finished(finished.results(), files)
    after = ids(here)
    assert {name for name in after if after[name] != before[name]} == {"table"}
    assert artifacts(here)["table.md"].read_text() == "another"


def test_runs_deleted_by_hand_are_written_again(here, finished):
    sync(finished)
    before = ids(here)
    client().delete_run(before["Real, seed 0"])
    sync(finished)
    assert set(read(here)) == RUNS
    assert {name for name in RUNS if ids(here)[name] != before[name]} == {"Real, seed 0"}


def test_a_run_that_was_torn_off_is_written_anew(here, finished):
    sync(finished)
    before = ids(here)
    client().delete_tag(before["Real, seed 0"], "faceassay.content")
    sync(finished)
    assert {name for name in RUNS if ids(here)[name] != before[name]} == {"Real, seed 0"}


def test_an_experiment_deleted_by_hand_comes_back(here, finished):
    sync(finished)
    client().delete_experiment(client().get_experiment_by_name("toy").experiment_id)
    sync(finished)
    assert client().get_experiment_by_name("toy").lifecycle_stage == "active"
    assert set(read(here)) == RUNS


def test_runs_of_others_in_the_experiment_are_left_alone(here, finished):
    sync(finished)
    experiment = client().get_experiment_by_name("toy").experiment_id
    foreign = client().create_run(experiment, run_name="mine").info.run_id
    sync(finished)
    assert read(here)["mine"].id == foreign


def test_runs_are_found_beyond_the_first_page():
    class Listing(list):
        token = ""

    def run(number):
        tags = {tracking.CELL_TAG: f"cell {number}", tracking.CONTENT_TAG: f"content {number}"}
        return SimpleNamespace(data=SimpleNamespace(tags=tags), info=SimpleNamespace(run_id=number))

    first, second = Listing([run(1)]), Listing([run(2)])
    first.token = "more"
    pages = {None: first, "more": second}
    fake = SimpleNamespace(search_runs=lambda experiments, max_results, page_token: pages[page_token])
    assert tracking._present_runs(fake, "1") == {"cell 1": (1, "content 1"), "cell 2": (2, "content 2")}


def test_a_failed_cell_fails_its_run_and_says_why(here, finished):
    store = finished.copy_of_store(here / "store")
    break_stage(finished.stage("evaluation pairs of Real, seed 7"), store, "out of luck" + 3000 * "!")
    sync(finished, finished.results(store))
    runs = read(here)
    assert {name for name, run in runs.items() if run.status != "FINISHED"} == {"Real, seed 7"}
    assert runs["Real, seed 7"].status == "FAILED"
    reason = runs["Real, seed 7"].tags["faceassay.missing"]
    assert reason.startswith("failed: evaluation pairs of Real, seed 7: out of luck!")
    assert len(reason) == tracking.TAG_CHARACTERS
    assert not [name for name in runs["Real, seed 7"].metrics if name.startswith("pairs/")]
    assert "lowres/rank:1/cosine/flip-sum" in runs["Real, seed 7"].metrics


def test_a_failed_cell_that_was_made_good_is_written_anew(here, finished):
    store = finished.copy_of_store(here / "store")
    break_stage(finished.stage("evaluation pairs of Real, seed 7"), store, "out of luck")
    sync(finished, finished.results(store))
    sync(finished)
    assert {run.status for run in read(here).values()} == {"FINISHED"}
    assert "faceassay.missing" not in read(here)["Real, seed 7"].tags


def test_a_profile_has_an_experiment_of_its_own(here, finished):
    results = finished.results()
    sync(finished, dataclasses.replace(results, matrix=dataclasses.replace(results.matrix, profile="longer")))
    assert ("toy/longer",) in rows(here, "SELECT name FROM experiments")


def test_a_run_logs_by_default(here, finished):
    ran = command("run", finished.matrix, "--store", finished.store, "--out", here / "out", "--quiet")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert set(read(here)) == RUNS


def test_the_command_syncs_and_says_where(here, finished):
    ran = command("mlflow", "sync", finished.matrix, "--store", finished.store, "--out", here / "out")
    assert ran.output == f"MLflow at sqlite:///{here}/.faceassay/mlflow.db holds what the store says of toy\n"
    assert set(read(here)) == RUNS


def test_the_address_is_the_parameter_then_the_variable_then_sqlite_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere")
    assert MlflowWriter(uri="http://elsewhere").address() == "http://elsewhere"
    assert MlflowWriter().address() == "http://somewhere"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert MlflowWriter().address() == f"sqlite:///{tmp_path}/.faceassay/mlflow.db"


def test_the_tracking_address_of_the_environment_is_respected(tmp_path, monkeypatch, finished, empty_database):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there" / ".faceassay").mkdir(parents=True)
    shutil.copy(empty_database, tmp_path / "there" / ".faceassay")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/there/.faceassay/mlflow.db")
    sync(finished)
    assert set(read(tmp_path / "there")) == RUNS
    assert not (tmp_path / ".faceassay" / "mlflow.db").exists()


def test_an_address_that_nobody_answers_is_an_error_within_seconds(monkeypatch):
    for name in tracking.QUIET_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    start = time.monotonic()
    with pytest.raises(FaceassayError, match=rf"MLflow at {NOBODY} cannot be used .* --no-mlflow"):
        MlflowWriter(uri=NOBODY).run_started([], {})
    assert time.monotonic() - start < 60


def test_a_database_that_cannot_be_made_is_an_error_at_once(tmp_path):
    (tmp_path / "file").write_text("no folder")
    start = time.monotonic()
    with pytest.raises(FaceassayError, match=r"cannot be used .* set MLFLOW_TRACKING_URI"):
        MlflowWriter(uri=f"sqlite:///{tmp_path}/file/mlflow.db").run_started([], {})
    assert time.monotonic() - start < 5


def test_a_database_that_is_none_is_an_error_at_once(tmp_path):
    (tmp_path / "mlflow.db").write_text("this is no database, and long enough to be seen as none" * 20)
    with pytest.raises(FaceassayError, match=r"DatabaseError"):
        MlflowWriter(uri=f"sqlite:///{tmp_path}/mlflow.db").run_started([], {})


def test_an_error_is_one_line_of_bearable_length():
    with pytest.raises(FaceassayError) as caught:
        MlflowWriter(uri="nonsense://address").run_started([], {})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_run_goes_on_without_mlflow_where_that_does_not_answer(tmp_path, monkeypatch, finished):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    ran = command("run", finished.matrix, "--store", finished.store, "--out", tmp_path / "out", "--quiet")
    assert ran.exit_code == 0
    assert (tmp_path / "out" / "table.csv").read_bytes() == (finished.out / "table.csv").read_bytes()
    (warning,) = ran.stderr.splitlines()
    assert warning.startswith(
        "warning: observer 'mlflow' failed and is left out from here on: FaceassayError: MLflow at"
    )


def test_syncing_where_nobody_answers_ends_with_one_line(tmp_path, monkeypatch, finished):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    ran = command("mlflow", "sync", finished.matrix, "--store", finished.store, "--out", tmp_path / "out")
    assert ran.exit_code == 2
    assert ran.stderr.startswith(f"MLflow at {NOBODY} cannot be used (")
    assert len(ran.stderr.splitlines()) == 1


def test_settings_of_the_user_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(FaceassayError):
        MlflowWriter(uri=NOBODY).run_started([], {})
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "3"


WATCH_THE_IMPORT = """
import importlib.abc, os, sys

class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "mlflow":
            print("imported with", *(os.environ.get(name) for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")))
            raise ImportError("no further")

sys.meta_path.insert(0, Watch())
"""
MAIN = "from faceassay.cli import main\nmain()"


def in_a_fresh_process(code, folder, *words):
    environment = {name: value for name, value in os.environ.items() if name not in tracking.QUIET_SETTINGS}
    environment.pop("MLFLOW_TRACKING_URI", None)
    ran = subprocess.run(
        [sys.executable, "-c", WATCH_THE_IMPORT + code, *map(str, words)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return ran.stdout + ran.stderr


def test_telemetry_is_off_before_mlflow_is_imported(tmp_path):
    code = "from faceassay.tracking import MlflowWriter\nMlflowWriter().run_started([], {})"
    assert "imported with true true\n" in in_a_fresh_process(code, tmp_path)


def test_without_tracking_mlflow_is_never_imported(tmp_path, finished):
    words = ("run", finished.matrix, "--store", finished.store, "--out", tmp_path / "out", "--no-mlflow", "--quiet")
    assert in_a_fresh_process(MAIN, tmp_path, *words) == ""
    assert (tmp_path / "out" / "table.csv").is_file()
    assert not (tmp_path / ".faceassay").exists()


def test_tracking_leaves_the_logging_of_others_as_it_was(here):
    import logging

    logging.disable(logging.DEBUG)
    try:
        MlflowWriter().run_started([], {})
        assert logging.root.manager.disable == logging.DEBUG
    finally:
        logging.disable(logging.NOTSET)
