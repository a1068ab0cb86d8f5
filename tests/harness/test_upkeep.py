"""A store kept in order: what it lists, finds damaged, and lets go; what stays because somebody needs it."""

import json
import shutil

import pytest

import tiny_matrix as tiny
from faceassay.contracts import StoreError
from faceassay.states import State, required_stages, state_of
from faceassay.store import Store
from faceassay.upkeep.checking import findings
from faceassay.upkeep.collecting import garbage, sweep
from faceassay.upkeep.listing import listed
from finished_matrix import command, finished_matrix, forget

PLAN, SYNTHESIS = "plan of tiny-blend, seed 0", "synthesis tiny-blend, seed 0"
REAL = "recognizer Real, seed 0"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_matrix(tmp_path_factory)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the store that a run of the tiny matrix filled; no test changes it."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINY_EVENTS", str(folder))
        store = Store.open(folder / "store")
        assert tiny.run(tiny.graph_of()[1], store) == {}
    return store


@pytest.fixture
def store(run, tmp_path):
    return Store.open(shutil.copytree(run.root, tmp_path / "store"))


@pytest.fixture
def graph():
    return tiny.graph_of()[1]


@pytest.fixture
def stages(graph):
    return tiny.by_title(graph)


def folder_of(store, stage):
    return store.folder(stage.kind, stage.digest)


def damage(store):
    return [finding.said for finding in findings(store) if finding.damage]


def notes(store):
    return [finding.said for finding in findings(store) if not finding.damage]


def test_every_artifact_is_listed_with_its_size(store, graph):
    found = listed(store, {})
    assert {one.key for one in found} == set(graph.stages)
    on_disk = {stage.digest: folder_of(store, stage) for stage in graph.stages.values()}
    for one in found:
        files = [path for path in on_disk[one.key].rglob("*") if path.is_file() and path.name != "record.json"]
        assert one.bytes == sum(path.stat().st_size for path in files)


def test_the_list_is_in_the_order_in_which_things_were_made(store):
    dates = [one.finished for one in listed(store, {})]
    assert dates == sorted(dates)


def test_the_list_of_a_kind_holds_no_other(store):
    assert {one.kind for one in listed(store, {}, "recognizer")} == {"recognizer"}


def test_the_list_names_who_uses_what(store, stages):
    found = {one.title: one.users for one in listed(store, {stages[PLAN].digest: ["a", "b"]})}
    assert found[PLAN] == ("a", "b")
    assert found[SYNTHESIS] == ()


def test_a_sound_store_has_no_findings(store):
    assert list(findings(store)) == []


def test_a_changed_byte_is_found_and_its_file_named(store, stages):
    path = folder_of(store, stages[REAL]) / "sub" / "mean.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (said,) = damage(store)
    assert str(path) in said


def test_a_missing_record_is_found(store, stages):
    (folder_of(store, stages[PLAN]) / "record.json").unlink()
    assert damage(store) == [
        f"{folder_of(store, stages[PLAN])} has no record.json: remove it and run again to have it made anew"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "written with schema 2"),
        ({"content": "0" * 64}, "its content is not that of its files"),
        ({"digest": "0" * 64}, "its key is not that of"),
        ({"kind": "generator"}, "it is of kind 'generator'"),
        ({"cost": {}}, "cost.seconds: Field required"),
        ({"title": 3}, "title: Input should be a valid string"),
        ({"given_up": ["plan.json"]}, "it gives up files that are no weights"),
    ],
    ids=["schema", "content", "digest", "kind", "cost", "title", "given up"],
)
def test_a_record_that_contradicts_itself_is_found(store, stages, change, said):
    path = folder_of(store, stages[PLAN]) / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    (found,) = damage(store)
    assert said in found


def test_a_key_that_was_tampered_with_is_found(store, stages):
    path = folder_of(store, stages[PLAN]) / "record.json"
    record = json.loads(path.read_text())
    record["key"]["plugin"]["parameters"]["images"] = 13
    path.write_text(json.dumps(record))
    (found,) = damage(store)
    assert "its key is not that of" in found


def test_a_changed_word_of_a_record_that_contradicts_nothing_is_found(store, stages):
    path = folder_of(store, stages[REAL]) / "record.json"
    record = json.loads(path.read_text())
    record["cost"]["seconds"] += 1
    path.write_text(json.dumps(record))
    (said,) = damage(store)
    assert "it was changed after it was written" in said


def test_a_folder_that_is_no_artifact_is_found(store):
    (store.root / "artifacts" / "plan" / "mine").mkdir()
    (said,) = damage(store)
    assert said.endswith("mine is no artifact: its name is no key")


def test_an_unreadable_failure_is_found(store):
    (store.root / "failures").mkdir(exist_ok=True)
    (store.root / "failures" / f"{'0' * 64}.json").write_text("{")
    (said,) = damage(store)
    assert "cannot be read" in said


def test_what_is_left_over_is_worth_knowing_and_no_damage(store):
    store.staging("0" * 64).mkdir(parents=True)
    (store.root / "notes.txt").touch()
    store.fail("1" * 64, {"title": "a net", "kind": "recognizer", "reason": "out of luck"})
    assert damage(store) == []
    said = notes(store)
    assert any("is no part of a store" in line for line in said)
    assert any("is what an interrupted stage goes on from" in line for line in said)
    assert "a net failed: out of luck" in said


def keys(found):
    return {one.key for one in found}


def test_what_a_kept_matrix_needs_stays(store, graph):
    assert garbage(store, set(graph.stages)) == []


def test_what_no_kept_matrix_needs_goes(store, graph):
    other = tiny.graph_of(tiny.MATRIX.replace("plugin: tiny-blend}}", "plugin: tiny-blend, images: 20}}"))[1]
    found = garbage(store, set(other.stages))
    assert keys(found) == set(graph.stages) - set(other.stages) != set()
    assert list(sweep(store, found)) == []
    assert {record["digest"] for record in store.records()} == set(graph.stages) & set(other.stages)
    assert damage(store) == []


def test_every_artifact_stays_where_nobody_says_what_is_needed(store):
    assert garbage(store, None) == []


def test_failures_go(store, graph):
    store.fail("1" * 64, {"title": "a net", "kind": "recognizer", "reason": "out of luck"})
    found = garbage(store, set(graph.stages))
    list(sweep(store, found))
    assert [one.path.parent.name for one in found] == ["failures"]
    assert store.failure("1" * 64) is None


def test_what_an_interrupted_stage_left_goes_unless_a_kept_matrix_goes_on_from_it(store, graph, stages):
    forget(stages[REAL], store.root)
    for key in (stages[REAL].digest, "2" * 64):
        (store.staging(key) / "checkpoints").mkdir(parents=True)
    assert keys(garbage(store, set(graph.stages))) == {"2" * 64}
    assert keys(garbage(store, None)) == set()


def test_staging_of_a_finished_stage_goes(store, graph, stages):
    (store.staging(stages[REAL].digest) / "replaced").mkdir(parents=True)
    found = garbage(store, set(graph.stages))
    list(sweep(store, found))
    assert not store.staging(stages[REAL].digest).exists()
    assert store.record("recognizer", stages[REAL].digest)


def test_what_another_process_works_on_or_reads_stays(store, stages, tmp_path):
    """A stage is under way that reads the plan: neither its own unfinished work nor the plan may go."""
    running, held = stages[SYNTHESIS], tmp_path / "held"
    forget(running, store.root)
    store.staging(running.digest).mkdir(parents=True)
    inputs = {"plan": {"key": stages[PLAN].digest, "content": "x"}, "real": {"name": "train", "fingerprint": "y"}}
    (store.staging(running.digest) / "inputs.json").write_text(json.dumps(inputs))
    other = tiny.process(tiny.hold_lock, store.root, running.digest, held)
    tiny.wait_until(held.exists, what="the lock")
    found = keys(garbage(store, ()))
    other.kill()
    other.join()
    assert not {running.digest, stages[PLAN].digest} & found
    assert stages[REAL].digest in found


def test_what_is_locked_meanwhile_stays(store, stages, tmp_path):
    found, held = [one for one in garbage(store, ()) if one.key == stages[PLAN].digest], tmp_path / "held"
    other = tiny.process(tiny.hold_lock, store.root, stages[PLAN].digest, held)
    tiny.wait_until(held.exists, what="the lock")
    (said,) = sweep(store, found)
    other.kill()
    other.join()
    assert "another process is working on" in said
    assert store.record("plan", stages[PLAN].digest)


def test_a_figure_stays_while_all_that_it_was_drawn_from_does(store, stages):
    for name, source in (("3" * 64, stages[PLAN]), ("4" * 64, None)):
        work = store.staging(name) / "work"
        work.mkdir(parents=True)
        key = {"inputs": {"plan": {"stage": source.digest if source else "5" * 64}, "real": {"data": {}}}}
        store.commit("figure", name, work, {"key": key, "title": "a figure"})
    found = keys(garbage(store, {stages[PLAN].digest}))
    assert "3" * 64 not in found
    assert "4" * 64 in found


def without_weights(store, stage, name="sub/mean.npy"):
    """Leave a file of an artifact behind, as an import without weights does."""
    path = folder_of(store, stage) / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "given_up": [name]}))
    (folder_of(store, stage) / name).unlink()
    return Store.open(store.root)


def test_an_artifact_without_weights_serves_those_who_read_other_files(store, stages):
    again = without_weights(store, stages[REAL])
    assert again.verified("recognizer", stages[REAL].digest, without_weights=True) == folder_of(store, stages[REAL])
    with pytest.raises(StoreError, match=r"is in the store .* without sub/mean\.npy: import it with its weights"):
        again.verified("recognizer", stages[REAL].digest)


def test_weights_given_up_on_purpose_are_no_reason_to_run(store, graph, stages):
    again = without_weights(store, stages[REAL])
    assert state_of(stages[REAL], again) is State.WITHOUT_WEIGHTS
    assert required_stages(graph, again) == []


def test_weights_are_made_again_where_a_stage_that_must_run_reads_them(store, graph, stages, tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))
    again = without_weights(store, stages[REAL])
    before = tiny.contents(graph, store)
    forget(stages["features near of Real, seed 0"], again.root)
    forget(stages["evaluation near of Real, seed 0"], again.root)
    assert required_stages(graph, again)[0] is stages[REAL]
    assert tiny.run(graph, again) == {}
    assert tiny.contents(graph, again) == before
    assert state_of(stages[REAL], again) is State.DONE


def test_other_files_of_an_artifact_without_weights_are_still_verified(store, stages):
    again = without_weights(store, stages[REAL])
    (folder_of(store, stages[REAL]) / "stray").touch()
    with pytest.raises(StoreError, match="stray does not belong to the artifact"):
        again.verified("recognizer", stages[REAL].digest, without_weights=True)


def test_ls_as_a_command(finished):
    shown = command("store", "ls", "--store", finished.store, "--matrix", finished.matrix)
    assert shown.exit_code == 0, shown.output
    stage = finished.stage("recognizer Real, seed 0")
    (line,) = [line for line in shown.output.splitlines() if stage.digest[:12] in line]
    assert line.split()[0] == "recognizer"
    assert line.endswith(f" {finished.matrix}")
    assert shown.output.splitlines()[-1].startswith(f"{len(finished.graph.stages)} artifacts, ")


def test_ls_says_how_many_it_could_not_read(finished, tmp_path):
    root = finished.copy_of_store(tmp_path / "store")
    stage = finished.stage("recognizer Real, seed 0")
    (Store(root).folder(stage.kind, stage.digest) / "record.json").write_text("{")
    shown = command("store", "ls", "--store", root)
    assert "1 more cannot be read: see faceassay store check" in shown.output


def test_check_as_a_command(finished, tmp_path):
    root = finished.copy_of_store(tmp_path / "store")
    sound = command("store", "check", "--store", root)
    assert (sound.exit_code, sound.output) == (0, f"{len(finished.graph.stages)} artifacts, all sound\n")
    stage = finished.stage("recognizer Real, seed 0")
    (Store(root).folder(stage.kind, stage.digest) / "config.json").write_text("{}")
    damaged = command("store", "check", "--store", root)
    assert damaged.exit_code == 1
    assert "config.json is not what was written" in damaged.output


def test_gc_shows_what_would_go_and_removes_it_only_when_told(finished, tmp_path):
    root = finished.copy_of_store(tmp_path / "store")
    words = ("store", "gc", "--store", root, "--keep", f"{finished.matrix}:longer")
    shown = command(*words)
    assert shown.exit_code == 0, shown.output
    assert "nothing was removed, --yes does it" in shown.output
    assert len(list(Store(root).records())) == len(finished.graph.stages)
    done = command(*words, "--yes")
    assert done.output.splitlines()[-1].startswith("removed: ")
    kinds = {record["kind"] for record in Store(root).records()}
    assert kinds == {"plan", "synthesis", "quality"}  # what the profile shares with the file as it stands


def test_gc_with_every_profile_removes_nothing(finished, tmp_path):
    root = finished.copy_of_store(tmp_path / "store")
    shown = command("store", "gc", "--store", root, "--keep", finished.matrix, "--yes")
    assert shown.output == "removed: 0 things, 0 KiB\n"


def test_gc_without_a_matrix_to_keep_says_that_artifacts_stay(finished):
    shown = command("store", "gc", "--store", finished.store)
    assert "no --keep, so nobody said which artifacts are needed: all stay" in shown.output


def test_gc_refuses_a_matrix_whose_data_is_absent(finished, tmp_path):
    """Keys of absent data are like no others: everything that was made from it would seem to be needed by nobody."""
    expected = "expect: {identities: 4, images: 24, image_size: 16}"
    text = finished.matrix.read_text().replace(
        "path: train, image_size: 16}", f"path: gone, image_size: 16, {expected}}}"
    )
    matrix = tmp_path / "matrix.yaml"
    matrix.write_text(text)
    shutil.copytree(finished.folder / "test", tmp_path / "test")
    root = finished.copy_of_store(tmp_path / "store")
    shown = command("store", "gc", "--store", root, "--keep", matrix, "--yes")
    assert shown.exit_code == 2
    assert "name the profiles to keep" in shown.output
    assert len(list(Store(root).records())) == len(finished.graph.stages)


@pytest.mark.parametrize("words", [("ls", "--matrix", "nowhere.yaml"), ("gc", "--keep", "nowhere.yaml")])
def test_a_matrix_that_is_not_there_is_refused(finished, words):
    shown = command("store", *words, "--store", finished.store)
    assert (shown.exit_code, "no such file" in shown.output) == (2, True)
