"""Fingerprints against hashlib, and a cache that is seen to avoid reading, to notice changes and to survive damage."""

import hashlib
import os
import sqlite3
import threading

import pytest

from faceassay import fingerprints
from faceassay.contracts import DataError
from faceassay.fingerprints import file_digests, path_fingerprint, tree_fingerprint, unread

LONG_AGO = 1_000_000_000


class Reads:
    """Count the files that are really read."""

    def __init__(self, monkeypatch):
        self.names = []
        examine = fingerprints._examine
        monkeypatch.setattr(
            fingerprints, "_examine", lambda root, path, check: self.names.append(path) or examine(root, path, check)
        )


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("FACEASSAY_CACHE", str(folder))
    return folder


@pytest.fixture
def reads(monkeypatch):
    return Reads(monkeypatch)


@pytest.fixture
def root(tmp_path, cache):
    folder = tmp_path / "data"
    for name, content in {"a.bin": b"alpha", "sub/b.bin": b"beta", "sub/c.bin": b"gamma"}.items():
        write(folder / name, content)
    return folder


PATHS = ["sub/c.bin", "a.bin", "sub/b.bin"]


def write(file, content, mtime=LONG_AGO):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, (mtime, mtime))


def refuse_beta(content):
    if content == b"beta":
        raise ValueError("it is beta")


def refuse_nothing(content):
    pass


def test_digests_are_the_sha256_of_the_bytes(root):
    assert file_digests(root, ["a.bin"]) == {"a.bin": hashlib.sha256(b"alpha").hexdigest()}


def test_digests_keep_the_order_of_the_paths(root):
    assert list(file_digests(root, PATHS)) == PATHS


def test_digests_of_no_files(root):
    assert file_digests(root, []) == {}


def test_a_checked_file_has_the_same_digest(root):
    assert file_digests(root, PATHS, check=refuse_nothing) == file_digests(root, PATHS)


def test_more_files_than_one_batch(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(fingerprints, "_BATCH", 7)
    for k in range(20):
        write(tmp_path / "many" / str(k), str(k).encode())
    digests = file_digests(tmp_path / "many", [str(k) for k in range(20)])
    assert digests == {str(k): hashlib.sha256(str(k).encode()).hexdigest() for k in range(20)}


def test_the_second_time_nothing_is_read(root, reads):
    first = file_digests(root, PATHS)
    reads.names.clear()
    assert file_digests(root, PATHS) == first
    assert reads.names == []


def test_an_unchanged_stamp_is_trusted(root):
    first = file_digests(root, PATHS)
    write(root / "a.bin", b"ALPHA")
    assert file_digests(root, PATHS) == first


@pytest.mark.parametrize(("content", "mtime"), [(b"ALPHA", LONG_AGO + 1), (b"longer", LONG_AGO)])
def test_a_changed_time_or_size_is_read_again(root, reads, content, mtime):
    file_digests(root, PATHS)
    reads.names.clear()
    write(root / "a.bin", content, mtime)
    assert file_digests(root, PATHS)["a.bin"] == hashlib.sha256(content).hexdigest()
    assert reads.names == ["a.bin"]


def test_a_file_put_in_place_of_another_is_read_again(root):
    file_digests(root, PATHS)
    write(root / "new.bin", b"ALPHA")
    (root / "new.bin").rename(root / "a.bin")
    assert file_digests(root, PATHS)["a.bin"] == hashlib.sha256(b"ALPHA").hexdigest()


def test_a_file_written_this_moment_is_not_remembered(root, reads):
    (root / "a.bin").write_bytes(b"fresh")
    file_digests(root, ["a.bin"])
    file_digests(root, ["a.bin"])
    assert reads.names == ["a.bin", "a.bin"]


def test_only_new_files_are_read(root, reads):
    file_digests(root, PATHS[:2])
    reads.names.clear()
    file_digests(root, PATHS)
    assert reads.names == PATHS[2:]


def test_a_name_that_is_not_unicode_is_remembered(root, reads):
    name = os.fsdecode(b"caf\xe9.bin")
    write(root / name, b"latin")
    file_digests(root, [name])
    assert file_digests(root, [name]) == {name: hashlib.sha256(b"latin").hexdigest()}
    assert reads.names == [name]


def test_a_file_read_without_the_check_is_checked_when_asked(root):
    file_digests(root, PATHS)
    with pytest.raises(DataError, match="it is beta"):
        file_digests(root, PATHS, check=refuse_beta)


def test_a_checked_file_serves_a_reader_without_check(root, reads):
    file_digests(root, PATHS, check=refuse_nothing)
    reads.names.clear()
    file_digests(root, PATHS)
    assert reads.names == []


def test_another_check_is_another_question(root, reads):
    file_digests(root, ["sub/b.bin"], check=refuse_nothing)
    with pytest.raises(DataError):
        file_digests(root, ["sub/b.bin"], check=refuse_beta)


def test_a_bad_file_is_not_remembered(root):
    for _ in range(2):
        with pytest.raises(DataError, match=r"b\.bin \(it is beta\)"):
            file_digests(root, PATHS, check=refuse_beta)


def test_good_files_are_remembered_beside_bad_ones(root, reads):
    with pytest.raises(DataError):
        file_digests(root, PATHS, check=refuse_beta)
    reads.names.clear()
    with pytest.raises(DataError):
        file_digests(root, PATHS, check=refuse_beta)
    assert reads.names == ["sub/b.bin"]


def test_all_bad_files_are_named_in_one_error(root):
    with pytest.raises(DataError) as caught:
        file_digests(root, ["gone.bin", *PATHS], check=refuse_beta)
    message = str(caught.value)
    assert message.startswith(f"{root}: 2 of 4 files cannot be used")
    assert "gone.bin (No such file or directory)" in message
    assert "sub/b.bin (it is beta)" in message
    assert "Restore or remove" in message


def test_many_bad_files_are_counted(root):
    with pytest.raises(DataError, match="; and 5 more") as caught:
        file_digests(root, [f"gone{k}" for k in range(15)])
    assert str(caught.value).count("No such file") == 10


def test_a_folder_in_place_of_a_file_is_bad(root):
    with pytest.raises(DataError, match=r"sub \(Is a directory\)"):
        file_digests(root, ["sub"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_bad(root):
    (root / "a.bin").chmod(0)
    with pytest.raises(DataError, match="Permission denied"):
        file_digests(root, ["a.bin"])


def cache_file(cache):
    (file,) = cache.iterdir()
    return file


@pytest.mark.parametrize("damage", [b"", b"garbage " * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_cache_is_ignored_and_replaced(root, cache, reads, damage):
    first = file_digests(root, PATHS)
    cache_file(cache).write_bytes(damage)
    assert file_digests(root, PATHS) == first
    reads.names.clear()
    file_digests(root, PATHS)
    assert reads.names == []


def test_a_truncated_cache_is_ignored(root, cache):
    first = file_digests(root, PATHS)
    file = cache_file(cache)
    file.write_bytes(file.read_bytes()[:5000])
    assert file_digests(root, PATHS) == first


def test_a_cache_of_another_schema_is_ignored(root, cache, reads):
    first = file_digests(root, PATHS)
    file = cache_file(cache)
    file.unlink()
    with sqlite3.connect(file) as foreign:
        foreign.execute("CREATE TABLE digests_v0 (path TEXT)")
    foreign.close()
    reads.names.clear()
    assert file_digests(root, PATHS) == first
    assert sorted(reads.names) == sorted(PATHS)


def test_a_cache_whose_table_has_other_columns_is_ignored(root, cache):
    first = file_digests(root, PATHS)
    file = cache_file(cache)
    file.unlink()
    with sqlite3.connect(file) as foreign:
        foreign.execute("CREATE TABLE digests_v1 (something TEXT)")
    foreign.close()
    assert file_digests(root, PATHS) == first


def test_a_cache_folder_that_cannot_be_made_is_no_error(root, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert len(file_digests(root, PATHS, cache=tmp_path / "file" / "cache")) == 3


def test_a_cache_that_cannot_be_written_is_no_error(root, cache):
    cache.mkdir(exist_ok=True)
    file_digests(root, PATHS[:1])
    holder = sqlite3.connect(cache_file(cache), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        quick = sqlite3.connect
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fingerprints.sqlite3, "connect", lambda file: quick(file, timeout=0.05))
            assert len(file_digests(root, PATHS)) == 3
    finally:
        holder.close()


def test_the_cache_folder_can_be_given(root, tmp_path, cache):
    file_digests(root, PATHS, cache=tmp_path / "elsewhere")
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1
    assert not cache.exists()


def test_the_cache_follows_the_xdg_variable(root, tmp_path, monkeypatch):
    monkeypatch.delenv("FACEASSAY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    file_digests(root, PATHS)
    assert len(list((tmp_path / "xdg" / "faceassay").iterdir())) == 1


def test_the_cache_is_at_home_by_default(root, tmp_path, monkeypatch):
    monkeypatch.delenv("FACEASSAY_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file_digests(root, PATHS)
    assert len(list((tmp_path / "home" / ".cache" / "faceassay").iterdir())) == 1


def test_two_roots_have_two_caches(root, tmp_path, cache):
    write(tmp_path / "other" / "a.bin", b"other")
    file_digests(root, ["a.bin"])
    assert file_digests(tmp_path / "other", ["a.bin"])["a.bin"] == hashlib.sha256(b"other").hexdigest()
    assert len(list(cache.iterdir())) == 2


def test_several_at_once_agree(root):
    results = []
    threads = [threading.Thread(target=lambda: results.append(file_digests(root, PATHS))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [file_digests(root, PATHS)] * 6


def test_the_tree_fingerprint_is_the_documented_hash():
    expected = hashlib.sha256(b"a\x0011\n" + "ü/b".encode() + b"\x0022\n").hexdigest()
    assert tree_fingerprint({"ü/b": "22", "a": "11"}) == expected


def test_the_tree_fingerprint_ignores_the_order(root):
    digests = file_digests(root, PATHS)
    assert tree_fingerprint(digests) == tree_fingerprint(dict(reversed(digests.items())))


def test_the_tree_fingerprint_sees_a_renamed_file():
    assert tree_fingerprint({"a": "11"}) != tree_fingerprint({"b": "11"})


def test_the_fingerprint_of_a_file_is_its_digest(root):
    assert path_fingerprint(root / "a.bin") == hashlib.sha256(b"alpha").hexdigest()


def test_the_fingerprint_of_a_folder_covers_all_files_below(root):
    assert path_fingerprint(root) == tree_fingerprint(file_digests(root, PATHS))


def test_the_fingerprint_of_a_folder_covers_hidden_files(root):
    before = path_fingerprint(root)
    write(root / ".hidden", b"x")
    assert path_fingerprint(root) != before


def test_the_fingerprint_of_a_folder_is_the_same_elsewhere(root, tmp_path):
    before = path_fingerprint(root)
    root.rename(tmp_path / "moved")
    assert path_fingerprint(tmp_path / "moved") == before


def test_the_fingerprint_of_a_folder_follows_links(root, tmp_path):
    write(tmp_path / "outside" / "d.bin", b"delta")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "alias.bin").symlink_to(root / "a.bin")
    assert path_fingerprint(root) == tree_fingerprint(file_digests(root, [*PATHS, "link/d.bin", "alias.bin"]))


def test_two_links_to_one_folder_both_count(root):
    (root / "again").symlink_to(root / "sub")
    assert path_fingerprint(root) == tree_fingerprint(file_digests(root, [*PATHS, "again/b.bin", "again/c.bin"]))


def test_a_link_to_the_folder_above_ends(root):
    before = path_fingerprint(root)
    (root / "sub" / "up").symlink_to(root)
    assert path_fingerprint(root) == before


def test_the_fingerprint_of_nothing_is_an_error(tmp_path, cache):
    with pytest.raises(DataError, match=r"gone \(No such file or directory\)"):
        path_fingerprint(tmp_path / "gone")


def test_what_was_fingerprinted_need_not_be_read_again(root, cache, reads):
    sizes = [file.stat().st_size for file in root.rglob("*") if file.is_file()]
    assert unread(root) == (len(sizes), sum(sizes))
    assert not reads.names
    path_fingerprint(root)
    assert unread(root) == (0, 0)


def test_what_changed_has_to_be_read_again(root, cache):
    path_fingerprint(root)
    changed = next(file for file in root.rglob("*") if file.is_file())
    changed.write_bytes(b"twelve bytes")
    assert unread(root) == (1, 12)


def test_a_file_alone_is_known_too(root, cache):
    file = next(file for file in root.rglob("*") if file.is_file())
    assert unread(file) == (1, file.stat().st_size)
    path_fingerprint(file)
    assert unread(file) == (0, 0)
