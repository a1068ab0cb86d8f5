"""Stores that move between machines: what comes through, what never does, and archives that somebody made up."""

import io
import json
import shutil
import tarfile

import pytest

from faceassay.contracts import StoreError
from faceassay.keys import digest
from faceassay.store import Store
from faceassay.upkeep.packing import pack
from faceassay.upkeep.unpacking import Fate, unpack
from finished_matrix import command, finished_matrix, forget

WEIGHTS = b"weights" * 100
OTHER = b"otherw." * 100
COST = {
    **{"seconds": 1.0, "attempts": 1, "device": "cpu", "work": 3, "unit": "images", "peak_memory_bytes": 5},
    **{"network_evaluations": 0, "passes": {}, "finished": "2026-01-02T03:04:05+00:00"},
}
MACHINE = {"python": "3.11", "platform": "x", "processor": "y", "cores": 2, "packages": {}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_matrix(tmp_path_factory)


@pytest.fixture
def theirs(tmp_path):
    return Store.open(tmp_path / "theirs")


@pytest.fixture
def ours(tmp_path):
    return Store.open(tmp_path / "ours")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "store.tar"


def key_of(kind, number=0):
    plugin = {"name": "net", "version": "1", "source": "s", "parameters": {"number": number}}
    return {"kind": kind, "plugin": plugin, "core": "c", "inputs": {}, "axes": {}, "seed": 1}


def add(store, kind="recognizer", number=0, files=None):
    """Commit an artifact with a sound record and return its key."""
    key = key_of(kind, number)
    work = store.staging(digest(key)) / "work"
    for name, content in (files or {"net.safetensors": WEIGHTS, "sub/history.json": b"[]"}).items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(content)
    about = {"cost": COST, "environment": MACHINE, "log": [], "inputs": {}}
    store.commit(kind, digest(key), work, {"title": f"{kind} {number}", "key": key, **about})
    return digest(key)


def snapshot(root):
    """Return every file of a store but its locks, with its bytes."""
    files = [path for path in root.rglob("*") if path.is_file() and path.parent.name != "locks"]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def members(file):
    """Return headers and contents; a long name is in the header only, not in an extension of it that would win."""
    with tarfile.open(file) as tar:
        found = [(member, tar.extractfile(member).read()) for member in tar]
    for member, _ in found:
        member.pax_headers = {}
    return found


def write(file, entries):
    """Write an archive of (header or name, content), as an attacker might."""
    with tarfile.open(file, "w") as tar:
        for header, content in entries:
            member = header if isinstance(header, tarfile.TarInfo) else tarfile.TarInfo(header)
            if member.isreg():
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def renamed(old, new):
    def change(entries):
        for member, _ in entries:
            member.name = member.name.replace(old, new)
        return entries

    return change


def test_a_store_comes_through_whole(theirs, ours, file):
    for number in range(3):
        add(theirs, number=number)
    packed = pack(theirs, file)
    assert packed.artifacts == 3
    assert unpack(ours, file).fates[Fate.ADDED] == 3
    assert snapshot(ours.root) == snapshot(theirs.root)


def test_the_same_store_gives_the_same_bytes(theirs, file, tmp_path):
    add(theirs)
    pack(theirs, file)
    pack(Store.open(shutil.copytree(theirs.root, tmp_path / "copy")), tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == file.read_bytes()


def test_only_what_is_named_is_packed(theirs, ours, file):
    wanted, other = add(theirs), add(theirs, number=1)
    pack(theirs, file, {wanted})
    unpack(ours, file)
    assert ours.record("recognizer", wanted)
    assert ours.record("recognizer", other) is None


def test_without_weights_all_other_files_come_through(theirs, ours, file):
    key = add(theirs)
    images = add(theirs, "synthesis", files={"part.safetensors": b"an input of nobody"})
    pack(theirs, file, without_weights=True)
    unpack(ours, file)
    folder = ours.verified("recognizer", key, without_weights=True)
    assert (folder / "sub" / "history.json").read_bytes() == b"[]"
    assert not (folder / "net.safetensors").exists()
    assert (ours.verified("synthesis", images) / "part.safetensors").exists()
    with pytest.raises(StoreError, match=r"without net\.safetensors"):
        ours.verified("recognizer", key)


def test_weights_can_be_had_later(theirs, ours, file):
    key = add(theirs)
    pack(theirs, file, without_weights=True)
    unpack(ours, file)
    pack(theirs, file)
    assert unpack(ours, file).fates[Fate.COMPLETED] == 1
    assert (ours.verified("recognizer", key) / "net.safetensors").read_bytes() == WEIGHTS


def test_an_archive_without_weights_takes_none_away(theirs, ours, file):
    key = add(theirs)
    pack(theirs, file, without_weights=True)
    add(ours)
    assert unpack(ours, file).fates[Fate.THERE] == 1
    assert ours.verified("recognizer", key)


def test_what_was_given_up_stays_so_on_the_way_on(theirs, ours, file, tmp_path):
    key = add(theirs)
    pack(theirs, file, without_weights=True)
    unpack(ours, file)
    pack(ours, tmp_path / "on.tar")
    third = Store.open(tmp_path / "third")
    unpack(third, tmp_path / "on.tar")
    assert third.record("recognizer", key) == ours.record("recognizer", key)


def test_what_is_there_with_the_same_content_is_left_alone(theirs, ours, file):
    add(theirs)
    pack(theirs, file)
    unpack(ours, file)
    before = snapshot(ours.root)
    assert unpack(ours, file).fates == {**dict.fromkeys(Fate, 0), Fate.THERE: 1}
    assert snapshot(ours.root) == before


def test_other_content_under_the_same_key_is_refused_and_named(theirs, ours, file):
    key = add(theirs)
    pack(theirs, file)
    add(ours, files={"net.safetensors": OTHER, "sub/history.json": b"[]"})
    before = snapshot(ours.root)
    imported = unpack(ours, file)
    assert imported.fates[Fate.REFUSED] == 1
    assert imported.said[0].startswith(f"{key[:12]} recognizer 0 differs in net.safetensors (made ")
    assert snapshot(ours.root) == before


def test_other_content_is_replaced_where_theirs_is_preferred(theirs, ours, file):
    key = add(theirs)
    pack(theirs, file)
    add(ours, files={"net.safetensors": OTHER, "more.json": b"[]"})
    imported = unpack(ours, file, prefer_theirs=True)
    assert imported.fates[Fate.REPLACED] == 1
    assert "differs in more.json, net.safetensors, sub/history.json" in imported.said[0]
    assert snapshot(Store.open(ours.root).verified("recognizer", key)) == snapshot(theirs.folder("recognizer", key))


def test_the_others_come_in_beside_one_that_is_refused(theirs, ours, file):
    add(theirs)
    other = add(theirs, number=1)
    pack(theirs, file)
    add(ours, files={"net.safetensors": OTHER})
    fates = unpack(ours, file).fates
    assert (fates[Fate.ADDED], fates[Fate.REFUSED]) == (1, 1)
    assert ours.verified("recognizer", other)


def test_a_damaged_artifact_is_not_packed_and_no_archive_is_left(theirs, file):
    path = theirs.folder("recognizer", add(theirs)) / "net.safetensors"
    path.write_bytes(OTHER)
    with pytest.raises(StoreError, match=f"{path} is not what was written"):
        pack(theirs, file)
    assert list(file.parent.iterdir()) == [theirs.root]


def test_an_artifact_that_lacks_a_file_is_not_packed(theirs, file):
    path = theirs.folder("recognizer", add(theirs)) / "net.safetensors"
    path.unlink()
    with pytest.raises(StoreError, match=f"{path} cannot be read"):
        pack(theirs, file)


@pytest.mark.parametrize("text", ["{", "{}", '{"schema": 1}', '{"schema": 2}'])
def test_an_artifact_whose_record_is_wrong_is_not_left_out_in_silence(theirs, file, text):
    add(theirs, number=1)
    folder = theirs.folder("recognizer", add(theirs))
    (folder / "record.json").write_text(text)
    with pytest.raises(StoreError, match=str(folder)):
        pack(theirs, file)


def test_an_empty_store_is_not_packed(theirs, file):
    with pytest.raises(StoreError, match="nothing to pack"):
        pack(theirs, file)


def refused(ours, file, match):
    """Check that an archive is refused before anything of it is in the store."""
    before = snapshot(ours.root)
    with pytest.raises(StoreError, match=match):
        unpack(ours, file)
    assert snapshot(ours.root) == before
    assert not any((ours.root / "staging").glob("*"))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_truncated_archive_is_refused(theirs, ours, file, share):
    for number in range(3):
        add(theirs, number=number)
    pack(theirs, file)
    whole = members(file)
    end = whole[-1][0].offset_data + whole[-1][0].size
    file.write_bytes(file.read_bytes()[: int(end * share)])
    refused(ours, file, "cannot be read as an archive|lacks|truncated|no JSON")


def test_an_archive_cut_between_two_artifacts_is_refused(theirs, ours, file):
    for number in range(2):
        add(theirs, number=number)
    pack(theirs, file)
    write(file, members(file)[:-3])
    refused(ours, file, "does not hold what its contents.json names: is it truncated")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (renamed("artifacts/", "../artifacts/"), "no part of a store"),
        (renamed("artifacts/", "/artifacts/"), "no part of a store"),
        (renamed("/net.safetensors", "/../../../../net.safetensors"), "is not, or not once more, in the record"),
        (renamed("/net.safetensors", "//net.safetensors"), "is not, or not once more, in the record"),
        (renamed("/net.safetensors", "/stray"), "is not, or not once more, in the record"),
        (renamed("artifacts/recognizer", "artifacts/reckoner"), "it is of kind 'recognizer'"),
        (renamed("contents.json", "content.json"), "does not begin with contents.json"),
        (lambda entries: [entries[0], *entries[2:]], "comes before the record of its artifact"),
        (lambda entries: entries[:-1], "lacks sub/history.json"),
        (lambda entries: [*entries, entries[-1]], "is not, or not once more, in the record"),
        (lambda entries: [*entries, *entries[1:]], "is there twice"),
        (lambda entries: entries[1:], "does not begin with contents.json"),
        (lambda entries: [], "is it truncated"),
        (lambda entries: [*entries[:2], (entries[2][0], WEIGHTS + b"x"), entries[3]], "its record says 700"),
    ],
    ids=["up", "absolute", "out of its folder", "slashes", "stray file", "kind", "no contents", "no record",
         "file lost", "file twice", "artifact twice", "no beginning", "nothing", "size"],
)  # fmt: skip
def test_an_archive_of_another_layout_is_refused(theirs, ours, file, change, match):
    add(theirs)
    pack(theirs, file)
    write(file, change(members(file)))
    refused(ours, file, match)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_an_archive_with_anything_but_plain_files_is_refused(theirs, ours, file, kind):
    add(theirs)
    pack(theirs, file)
    entries = members(file)
    entries[2][0].type, entries[2][0].linkname = kind, "/etc/passwd"
    write(file, entries)
    refused(ours, file, "is no plain file")


def test_a_file_of_other_bytes_is_refused_and_nothing_of_its_artifact_kept(theirs, ours, file):
    add(theirs)
    pack(theirs, file)
    entries = members(file)
    entries[2] = (entries[2][0], OTHER)
    write(file, entries)
    refused(ours, file, "net.safetensors is not what its record says")


def with_record(file, **changes):
    """Change the record of the first artifact of an archive, and make the rest of the archive fit."""
    entries = members(file)
    record = json.loads(entries[1][1])
    for name, change in changes.items():
        record[name] = change(record[name]) if callable(change) else change
    entries[1] = (entries[1][0], json.dumps(record).encode())
    write(file, entries)


def outside(files):
    return {"../../../../../outside" if name == "net.safetensors" else name: one for name, one in files.items()}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"files": outside}, "it names the file '../../../../../outside'"),
        ({"files": lambda files: {**files, "/etc/x": files["net.safetensors"]}}, "it names the file '/etc/x'"),
        (
            {"files": lambda files: {**files, "record.json": files["net.safetensors"]}},
            "it names the file",
        ),
        ({"files": lambda files: {**files, "a\\b": files["net.safetensors"]}}, "it names the file"),
        ({"files": lambda files: {**files, "x": {"sha256": "0" * 64, "bytes": -1}}}, "files.x.bytes"),
        ({"content": "0" * 64}, "its content is not that of its files"),
        ({"key": lambda key: {**key, "seed": 2}}, "its key is not that of"),
        ({"key": lambda key: {**key, "seed": float("nan")}}, "key.seed"),
        ({"given_up": ["sub/history.json"]}, "it gives up files that are no weights"),
        ({"cost": {}}, "cost.seconds: Field required"),
        ({"schema": 2}, "its record has schema 2, this version reads schema 1: use a newer faceassay"),
        ({"schema": "x"}, "its record has schema x"),
        ({"log": "text"}, "log: Input should be a valid list"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_an_archive_with_a_bad_record_is_refused(theirs, ours, file, changes, match):
    add(theirs)
    pack(theirs, file)
    with_record(file, **changes)
    refused(ours, file, match.replace("(", r"\("))


@pytest.mark.parametrize(
    ("contents", "match"),
    [
        ({"archive": 2}, "archive schema 2 with store schema 1, this version reads 1 with 1"),
        ({"store": 2}, "archive schema 1 with store schema 2"),
        ({"artifacts": 5}, "is not formed as it should be"),
        ({"artifacts": [["recognizer"]]}, "is not formed as it should be"),
        ({"artifacts": []}, "is it truncated"),
    ],
)
def test_an_archive_with_bad_contents_is_refused(theirs, ours, file, contents, match):
    add(theirs)
    pack(theirs, file)
    entries = members(file)
    entries[0] = (entries[0][0], json.dumps({**json.loads(entries[0][1]), **contents}).encode())
    write(file, entries)
    refused(ours, file, match)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00" + bytes(600), b"[" * 100_000])
def test_what_is_no_archive_is_refused(ours, file, content):
    file.write_bytes(content)
    refused(ours, file, "cannot be read as an archive|is it truncated")


@pytest.mark.parametrize("text", [b"[" * 100_000, b"\xff", b"", b"nul"])
def test_a_document_that_is_no_json_is_refused(theirs, ours, file, text):
    add(theirs)
    pack(theirs, file)
    entries = members(file)
    write(file, [entries[0], (entries[1][0], text), *entries[2:]])
    refused(ours, file, "is no JSON")


def test_a_file_that_is_not_there_is_refused(ours, file):
    refused(ours, file, "No such file")


def test_a_disk_that_is_too_full_is_found_before_anything_is_written(theirs, ours, file, monkeypatch):
    add(theirs)
    pack(theirs, file)
    monkeypatch.setattr("faceassay.upkeep.unpacking.shutil.disk_usage", lambda path: type("Usage", (), {"free": 10}))
    refused(ours, file, "the archive needs")


def test_an_interrupted_import_leaves_whole_artifacts_only(theirs, ours, file, monkeypatch):
    for number in range(3):
        add(theirs, number=number)
    pack(theirs, file)
    adopt, seen = Store.adopt, []

    def interrupted(self, *arguments):
        seen.append(arguments)
        if len(seen) == 2:
            raise KeyboardInterrupt
        adopt(self, *arguments)

    monkeypatch.setattr(Store, "adopt", interrupted)
    with pytest.raises(KeyboardInterrupt):
        unpack(ours, file)
    monkeypatch.undo()
    assert len(list(ours.records())) == 1
    assert not any((ours.root / "staging").glob("*"))
    fates = unpack(ours, file).fates
    assert (fates[Fate.ADDED], fates[Fate.THERE]) == (2, 1)
    assert snapshot(ours.root) == snapshot(theirs.root)


def test_a_matrix_moves_to_another_machine_and_has_nothing_left_to_run(finished, tmp_path):
    file, root = tmp_path / "store.tar", tmp_path / "store"
    made = command("store", "export", file, "--store", finished.store, "--matrix", finished.matrix, "--without-weights")
    assert made.exit_code == 0, made.output
    came = command("store", "import", file, "--store", root)
    assert (came.exit_code, came.output) == (0, f"{len(finished.graph.stages)} added\n")
    assert command("store", "check", "--store", root).exit_code == 0
    assert "nothing to run" in command("plan", finished.matrix, "--store", root).output
    told = command("report", finished.matrix, "--store", root, "--out", tmp_path / "out")
    assert told.exit_code == 0, told.output
    assert (tmp_path / "out" / "table.csv").read_bytes() == (finished.out / "table.csv").read_bytes()


def test_import_over_a_store_that_has_others_exits_with_one(finished, tmp_path):
    file, root = tmp_path / "store.tar", finished.copy_of_store(tmp_path / "store")
    command("store", "export", file, "--store", finished.store)
    stage = finished.stage("recognizer Real, seed 0")
    store = Store.open(root)
    kept = store.record(stage.kind, stage.digest)
    forget(stage, root)
    work = store.staging(stage.digest) / "work"
    work.mkdir(parents=True)
    (work / "config.json").write_text("{}")
    about = ("title", "key", "inputs", "cost", "environment", "log")
    store.commit(stage.kind, stage.digest, work, {name: kept[name] for name in about})
    shown = command("store", "import", file, "--store", root)
    assert shown.exit_code == 1
    assert f"{stage.digest[:12]} recognizer Real, seed 0 differs in " in shown.output
    assert "--prefer theirs" in shown.output
    replaced = command("store", "import", file, "--store", root, "--prefer", "theirs")
    assert replaced.exit_code == 0
    assert "is stale" in replaced.output
    assert Store.open(root).record(stage.kind, stage.digest)["content"] == kept["content"]


def test_an_archive_that_is_none_is_one_line_and_no_traceback(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"x" * 2000)
    shown = command("store", "import", tmp_path / "x.tar", "--store", tmp_path / "store")
    assert shown.exit_code == 2
    assert len(shown.output.splitlines()) == 1
