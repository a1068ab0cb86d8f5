"""The store under an adversary: crashes at the worst moment, changed bytes, other processes, no space."""

import errno
import hashlib
import json
import os
import shutil
from multiprocessing import get_context

import pytest

import tiny_matrix as tiny
from faceassay.contracts import StoreError
from faceassay.store import Store

KEY = "ab" * 32
FILES = {"weights.bin": b"\x00\x01weights", "sub/scores.npy": b"scores"}


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


def work_folder(store, key=KEY, files=FILES):
    work = store.staging(key) / "work"
    shutil.rmtree(work, ignore_errors=True)
    for name, content in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(content)
    return work


def commit(store, key=KEY, files=FILES, **facts):
    return store.commit("recognizer", key, work_folder(store, key, files), facts)


def found_wrong(store):
    """Return what a process that opens the store anew finds wrong with the artifact."""
    with pytest.raises(StoreError) as caught:
        Store.open(store.root).verified("recognizer", KEY)
    return str(caught.value)


def test_a_committed_artifact_holds_the_files_that_were_written(store):
    commit(store)
    folder = store.verified("recognizer", KEY)
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES


def test_the_record_holds_size_and_sha256_of_every_file_and_of_nothing_else(store):
    record = commit(store)
    expected = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} for name, content in FILES.items()
    }
    assert record["files"] == expected


def test_the_record_on_disk_is_the_one_that_commit_returns(store):
    assert commit(store, title="a title", inputs={}) == store.record("recognizer", KEY)


def test_the_record_keeps_the_facts_it_is_given(store):
    record = commit(store, title="a title", log=["one", "two"])
    assert (record["title"], record["log"], record["kind"], record["digest"]) == (
        "a title", ["one", "two"], "recognizer", KEY
    )  # fmt: skip


def test_the_content_hash_does_not_depend_on_the_order_in_which_files_were_written(store):
    forwards = commit(store)
    backwards = commit(store, "cd" * 32, dict(reversed(FILES.items())))
    assert forwards["content"] == backwards["content"]


@pytest.mark.parametrize(
    "files",
    [
        {**FILES, "weights.bin": b"\x00\x02weights"},
        {"renamed.bin": FILES["weights.bin"], "sub/scores.npy": b"scores"},
        {**FILES, "more": b""},
    ],
    ids=["other bytes", "other name", "one file more"],
)
def test_the_content_hash_changes_with_the_content(store, files):
    assert commit(store)["content"] != commit(store, "cd" * 32, files)["content"]


def test_the_content_hash_does_not_depend_on_the_facts(store):
    assert commit(store, cost=1)["content"] == commit(store, "cd" * 32, cost=2)["content"]


def test_a_commit_removes_the_staging_folder_and_an_earlier_failure(store):
    store.fail(KEY, {"reason": "the disk was on fire"})
    (store.staging(KEY) / "checkpoints").mkdir(parents=True)
    commit(store)
    assert not store.staging(KEY).exists()
    assert store.failure(KEY) is None


def test_a_second_commit_replaces_the_artifact_as_a_whole(store):
    commit(store)
    commit(store, files={"other.bin": b"other"})
    folder = Store.open(store.root).verified("recognizer", KEY)
    assert {path.name for path in folder.iterdir()} == {"other.bin", "record.json"}


def test_a_commit_replaces_an_artifact_also_from_a_work_folder_outside_of_staging(store):
    commit(store)
    work = store.root / "elsewhere"
    work.mkdir()
    (work / "other.bin").write_bytes(b"other")
    store.commit("recognizer", KEY, work, {})
    assert (Store.open(store.root).verified("recognizer", KEY) / "other.bin").exists()


def crash_at(monkeypatch, number):
    """Let the ``number``-th rename raise, as if the machine had stopped right before it."""
    rename, seen = os.rename, []

    def crashing(*arguments, **options):
        seen.append(arguments)
        if len(seen) == number:
            raise KeyboardInterrupt("power failure")
        return rename(*arguments, **options)

    monkeypatch.setattr(os, "rename", crashing)


def test_a_crash_before_the_rename_leaves_no_artifact(store, monkeypatch):
    crash_at(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        commit(store)
    assert Store.open(store.root).record("recognizer", KEY) is None
    assert list(store.records()) == []


def test_a_commit_after_a_crashed_one_makes_a_sound_artifact(store, monkeypatch):
    with monkeypatch.context() as patched:
        crash_at(patched, 1)
        with pytest.raises(KeyboardInterrupt):
            commit(store)
    commit(store)
    assert Store.open(store.root).verified("recognizer", KEY) == store.folder("recognizer", KEY)


@pytest.mark.parametrize("number", [1, 2], ids=["before the old is moved", "between old and new"])
def test_a_crash_while_an_artifact_is_replaced_never_leaves_a_mixture(store, monkeypatch, number):
    commit(store)
    with monkeypatch.context() as patched:
        crash_at(patched, number)
        with pytest.raises(KeyboardInterrupt):
            commit(store, files={"other.bin": b"other"})
    again = Store.open(store.root)
    if again.record("recognizer", KEY) is not None:
        assert {path.name for path in again.verified("recognizer", KEY).iterdir()} == {
            "weights.bin",
            "sub",
            "record.json",
        }
    commit(again, files={"other.bin": b"other"})
    assert (Store.open(store.root).verified("recognizer", KEY) / "other.bin").read_bytes() == b"other"


def test_every_file_and_folder_is_flushed_before_the_artifact_appears(store, monkeypatch):
    flushed, fsync, rename = [], os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda handle: (flushed.append(os.fstat(handle).st_ino), fsync(handle)))
    work, at_rename = work_folder(store), []
    monkeypatch.setattr(os, "rename", lambda *paths: (at_rename.extend(flushed), rename(*paths)))
    store.commit("recognizer", KEY, work, {})
    folder = store.folder("recognizer", KEY)
    assert {path.stat().st_ino for path in [folder, *folder.rglob("*")]} <= set(at_rename)
    assert folder.parent.stat().st_ino in flushed


def test_a_file_called_record_json_of_a_plugin_is_refused(store):
    with pytest.raises(StoreError, match=r"record\.json.*name of the store's own file"):
        commit(store, files={**FILES, "record.json": b'{"epochs": 3}'})


def test_a_flipped_byte_is_found_and_the_file_and_the_remedy_are_named(store):
    commit(store)
    path = store.folder("recognizer", KEY) / "sub" / "scores.npy"
    path.write_bytes(b"scorez")
    assert str(path) in (said := found_wrong(store))
    assert f"remove the folder {store.folder('recognizer', KEY)} and run again" in said


def test_a_missing_file_is_found(store):
    commit(store)
    path = store.folder("recognizer", KEY) / "weights.bin"
    path.unlink()
    assert f"{path} is missing" in found_wrong(store)


def test_an_extra_file_is_found(store):
    commit(store)
    path = store.folder("recognizer", KEY) / "sub" / "stray.npy"
    path.write_bytes(b"")
    assert f"{path} does not belong to the artifact" in found_wrong(store)


def test_a_missing_artifact_is_named_with_its_remedy(store):
    with pytest.raises(StoreError, match=r"recognizer abababababab is not in the store .*: run the matrix again"):
        store.verified("recognizer", KEY)


def test_the_files_are_read_once_per_process_only(store):
    commit(store)
    again = Store.open(store.root)
    again.verified("recognizer", KEY)
    (store.folder("recognizer", KEY) / "weights.bin").write_bytes(b"changed behind our back")
    assert again.verified("recognizer", KEY)


def test_removing_the_folder_as_the_message_says_is_a_remedy(store):
    commit(store)
    (store.folder("recognizer", KEY) / "weights.bin").unlink()
    shutil.rmtree(store.folder("recognizer", KEY))
    commit(store)
    assert Store.open(store.root).verified("recognizer", KEY)


@pytest.mark.parametrize("content", [b"", b'{"schema": 1, "fil', b"\xff\xfe", b"[]", b"null"])
def test_an_unreadable_record_is_an_error_that_names_the_remedy(store, content):
    commit(store)
    (store.folder("recognizer", KEY) / "record.json").write_bytes(content)
    with pytest.raises(StoreError, match="remove the folder"):
        store.record("recognizer", KEY)


def test_a_record_of_another_schema_is_an_error(store):
    commit(store)
    path = store.folder("recognizer", KEY) / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 2}))
    with pytest.raises(StoreError, match="written with schema 2, not 1"):
        store.record("recognizer", KEY)


def test_unreadable_records_are_left_out_of_the_list(store):
    commit(store)
    commit(store, "cd" * 32)
    (store.folder("recognizer", KEY) / "record.json").write_text("{")
    assert [record["digest"] for record in store.records()] == ["cd" * 32]


@pytest.mark.parametrize("mark", ['{"schema": 99}', "{}", "[]", "", "\x00"])
def test_a_store_of_another_schema_is_refused(tmp_path, mark):
    (tmp_path / "store.json").write_text(mark)
    with pytest.raises(StoreError, match="--store DIR"):
        Store.open(tmp_path)


def test_a_store_where_no_folder_can_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be used .*choose another with --store DIR"):
        Store.open(tmp_path / "file" / "store")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_cannot_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match=r"cannot be used .*choose another with --store DIR"):
            Store.open(tmp_path / "store")
    finally:
        tmp_path.chmod(0o700)


def test_asking_for_a_lock_writes_nothing(store):
    before = sorted(store.root.rglob("*"))
    assert not store.is_locked(KEY)
    assert sorted(store.root.rglob("*")) == before


def test_a_failure_is_kept_until_it_is_replaced(store):
    store.fail(KEY, {"reason": "first"})
    store.fail(KEY, {"reason": "second"})
    assert Store.open(store.root).failure(KEY) == {"reason": "second"}


def full_disk(number):
    def refuse(handle):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_to_keep_a_failure_is_no_second_failure(store, monkeypatch, number):
    monkeypatch.setattr(os, "fsync", full_disk(number))
    store.fail(KEY, {"reason": "the disk is full"})
    assert store.failure(KEY) is None


def test_no_space_for_a_failure_keeps_the_one_that_was_there(store, monkeypatch):
    store.fail(KEY, {"reason": "first"})
    monkeypatch.setattr(os, "fsync", full_disk(errno.ENOSPC))
    store.fail(KEY, {"reason": "second"})
    assert store.failure(KEY) == {"reason": "first"}


def test_another_trouble_with_keeping_a_failure_is_not_hidden(store, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk(errno.EIO))
    with pytest.raises(OSError, match="error"):
        store.fail(KEY, {"reason": "lost"})


def test_no_space_during_a_commit_leaves_no_artifact(store, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk(errno.ENOSPC))
    with pytest.raises(OSError, match="No space"):
        commit(store)
    assert store.record("recognizer", KEY) is None


def test_a_lock_of_another_process_is_seen_and_freed_when_it_is_killed(store, tmp_path):
    held = tmp_path / "held"
    other = tiny.process(tiny.hold_lock, store.root, KEY, held)
    tiny.wait_until(held.exists, what="the lock")
    assert store.is_locked(KEY)
    assert not store.is_locked("cd" * 32)
    other.kill()
    other.join()
    assert not store.is_locked(KEY)
    with store.lock(KEY):
        pass


def test_a_lock_is_free_again_after_an_error_inside(store):
    with pytest.raises(ZeroDivisionError), store.lock(KEY):
        raise ZeroDivisionError
    assert not store.is_locked(KEY)


def test_two_processes_can_open_a_fresh_store_at_once(tmp_path):
    roots, barrier = [tmp_path / f"store{i}" for i in range(40)], get_context("spawn").Barrier(2)
    processes = [tiny.process(tiny.open_stores, roots, barrier) for _ in range(2)]
    assert [tiny.ended(started) for started in processes] == [0, 0]
    assert all({path.name for path in root.iterdir()} == {"store.json"} for root in roots)
