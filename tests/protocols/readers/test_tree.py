"""Access to a pack's files: folder and zip alike, never outside, and refusals instead of crashes."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faceassay.contracts import DataError
from faceassay_protocols.readers.tree import (
    LARGEST_FILE,
    combined_sha256,
    inside,
    joined,
    open_tree,
    says_aligned,
    subtree_with,
)

FILES = {"list.txt": b"one\ntwo\n", "images/b.jpg": b"bb", "images/a.jpg": b"a" * 99, "images/deep/c.jpg": b"c"}


def zip_bytes(files, compression=zipfile.ZIP_DEFLATED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def in_zip(path, files, compression=zipfile.ZIP_DEFLATED):
    path.write_bytes(zip_bytes(files, compression))
    return open_tree(path)


def in_folder(path, files):
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return open_tree(path)


@pytest.fixture(params=["folder", "zip"])
def tree(request, tmp_path):
    return in_zip(tmp_path / "p.zip", FILES) if request.param == "zip" else in_folder(tmp_path / "p", FILES)


def test_files_are_read_as_they_were_stored(tree):
    assert {name: tree.read(name) for name in FILES} == FILES


def test_files_and_folders_are_listed_sorted_and_apart(tree):
    assert list(tree.listed()) == ["list.txt"]
    assert list(tree.folders()) == ["images"]
    assert list(tree.listed("images")) == ["images/a.jpg", "images/b.jpg"]
    assert list(tree.folders("images")) == ["images/deep"]
    assert list(tree.listed("nowhere")) == list(tree.folders("list.txt")) == []


def test_only_files_are_contained(tree):
    assert "images/a.jpg" in tree
    assert "images" not in tree
    assert "images/z.jpg" not in tree
    assert "x" * 5000 not in tree


def test_a_missing_file_is_named(tree):
    with pytest.raises(DataError, match=r"images/z\.jpg: .*[Nn]o such file.*fetch the benchmark again"):
        tree.read("images/z.jpg")


def test_missing_files_have_no_hash(tree):
    with pytest.raises(DataError, match=r"images/y\.jpg.*images/z\.jpg"):
        tree.sha256(["list.txt", "images/y.jpg", "images/z.jpg"])


def test_the_hash_of_a_zip_is_that_of_the_file(tmp_path):
    tree = in_zip(tmp_path / "p.zip", FILES)
    assert tree.sha256(["list.txt"]) == hashlib.sha256((tmp_path / "p.zip").read_bytes()).hexdigest()


def test_the_hash_of_a_folder_is_that_of_names_and_hashes(tmp_path):
    tree = in_folder(tmp_path / "p", FILES)
    names = ["images/a.jpg", "list.txt"]
    lines = b"".join(n.encode() + b"\0" + hashlib.sha256(FILES[n]).hexdigest().encode() + b"\n" for n in names)
    assert tree.sha256(reversed(names)) == hashlib.sha256(lines).hexdigest()


def test_hashes_of_several_parts_depend_on_their_order():
    assert combined_sha256("a") == "a"
    assert combined_sha256("a", "b") == hashlib.sha256(b"a\nb").hexdigest() != combined_sha256("b", "a")


@pytest.mark.parametrize("outer", ["", "pack/", "deep/er/"])
def test_an_outer_folder_is_found_through(tmp_path, outer):
    files = {outer + name: data for name, data in FILES.items()}
    for tree in (in_zip(tmp_path / "p.zip", files), in_folder(tmp_path / "p", files)):
        assert subtree_with(tree, "list.txt", "images") == outer.rstrip("/")
        assert subtree_with(tree, "images/deep/c.jpg") == outer.rstrip("/")


def test_all_entries_are_wanted_in_one_folder(tree):
    with pytest.raises(DataError, match=r"holds no list\.txt and a\.jpg"):
        subtree_with(tree, "list.txt", "a.jpg")


def test_what_lies_too_deep_is_not_found(tmp_path):
    tree = in_folder(tmp_path / "p", {"a/b/c/list.txt": b""})
    with pytest.raises(DataError, match=r"holds no list\.txt"):
        subtree_with(tree, "list.txt")


def test_hidden_files_and_those_of_macintosh_archivers_are_not_listed(tmp_path):
    files = {".x": b"", "__MACOSX/list.txt": b"", ".git/y": b"", "list.txt": b""}
    tree = in_zip(tmp_path / "p.zip", files)
    assert (list(tree.listed()), list(tree.folders())) == (["list.txt"], [])


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("a/../b.jpg", "b.jpg"),
        ("./a//b.jpg", "a/b.jpg"),
        ("a\\b.jpg", "a/b.jpg"),
        ("", ""),
        ("my:pairs.txt", "my:pairs.txt"),
        ("sets/c:d", "sets/c:d"),
    ],
)
def test_names_inside_are_normalised(name, normal):
    assert inside(name, "list:1") == normal


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../a",
        "a/../../b",
        "/etc/passwd",
        "//etc/passwd",
        "\\\\host\\a",
        "C:\\a",
        "c:a",
        "a/../c:b",
        "./c:",
        "a\0b",
    ],
)
def test_names_that_lead_out_are_refused(name):
    with pytest.raises(DataError, match=r"list:1: .* leads out of the pack"):
        inside(name, "list:1")


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ab./\\:\0", max_size=12))
def test_no_name_gets_out(name):
    with suppress(DataError):
        parts = inside(name, "list").split("/")
        assert ".." not in parts
        assert parts[0][:2] not in ("a:", "b:")
        assert not any("\0" in part for part in parts)
        assert parts == [""] or all(parts)


def test_a_folder_reads_nothing_outside(tmp_path):
    (tmp_path / "secret").write_bytes(b"s")
    tree = in_folder(tmp_path / "p", FILES)
    for use in (tree.read, tree.__contains__, lambda name: tree.sha256([name])):
        with pytest.raises(DataError, match="leads out of the pack"):
            use("../secret")


def test_members_that_lead_out_of_a_zip_write_nothing_and_reach_no_file(tmp_path):
    (tmp_path / "secret").write_bytes(b"s")
    tree = in_zip(tmp_path / "p.zip", {"../secret": b"member", "/etc/passwd": b"member", **FILES})
    assert tree.read("../secret") == b"member"
    assert list(tree.listed()) == ["list.txt"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["p.zip", "secret"]


def test_a_member_of_no_name_is_harmless(tmp_path):
    content = zip_bytes({"x": b"1", "list.txt": b"2"})
    (tmp_path / "p.zip").write_bytes(content.replace(b"\x01\0\0\0\x00\0x", b"\0\0\0\0\0\0x"))
    with suppress(DataError):
        open_tree(tmp_path / "p.zip").listed()


def test_an_encrypted_member_is_refused(tmp_path):
    content = bytearray(zip_bytes({"list.txt": b"one"}))
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + flags] |= 1
    (tmp_path / "p.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"p\.zip/list\.txt: cannot be read from the zip .*password"):
        open_tree(tmp_path / "p.zip").read("list.txt")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_corrupt_member_is_refused(tmp_path, compression):
    content = bytearray(zip_bytes({"list.txt": bytes(range(256)) * 9}, compression))
    start = 30 + len("list.txt")
    content[start + 12 : start + 40] = bytes(28)
    (tmp_path / "p.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"p\.zip/list\.txt: cannot be read from the zip"):
        open_tree(tmp_path / "p.zip").read("list.txt")


def test_a_member_that_claims_to_be_huge_is_not_read(tmp_path):
    content = bytearray(zip_bytes({"list.txt": b"one"}))
    struct.pack_into("<I", content, content.index(b"PK\1\2") + 24, LARGEST_FILE + 1)
    (tmp_path / "p.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"list\.txt: too large"):
        open_tree(tmp_path / "p.zip").read("list.txt")


def test_a_member_larger_than_it_claims_is_refused(tmp_path):
    content = bytearray(zip_bytes({"list.txt": bytes(10**6)}))
    struct.pack_into("<I", content, content.index(b"PK\1\2") + 24, 10)
    (tmp_path / "p.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"list\.txt: cannot be read"):
        open_tree(tmp_path / "p.zip").read("list.txt")


def test_a_file_too_large_for_a_pack_is_not_read(tmp_path):
    tree = in_folder(tmp_path / "p", FILES)
    with (tmp_path / "p" / "sparse").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(DataError, match="sparse: too large"):
        tree.read("sparse")


def test_a_file_may_be_asked_to_be_smaller(tree):
    assert tree.read("images/a.jpg", 99) == FILES["images/a.jpg"]
    with pytest.raises(DataError, match=r"images/a\.jpg: too large: .* more than 98 bytes; fetch it again"):
        tree.read("images/a.jpg", 98)


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"\x80\x04.", "a pickle: packs of insightface end in .bin"), (b"<html>", "a web page: the download failed")],
)
def test_what_looks_like_something_else_is_told(tmp_path, content, what):
    (tmp_path / "lfw.pkl").write_bytes(content)
    with pytest.raises(DataError, match=rf"lfw\.pkl: neither a folder nor a zip; it looks like {what}"):
        open_tree(tmp_path / "lfw.pkl")


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", zip_bytes(FILES)[:-30]])
def test_what_is_no_zip_is_refused(tmp_path, content):
    (tmp_path / "p.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"p\.zip: neither a folder nor a readable zip"):
        open_tree(tmp_path / "p.zip")


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such file or folder"):
        open_tree(tmp_path / "nowhere")


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
    st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_a_damaged_zip_is_read_or_refused(tmp_path, compression, changes):
    content = bytearray(zip_bytes(FILES, compression))
    for at, byte in changes:
        content[at % len(content)] = byte
    (tmp_path / "p.zip").write_bytes(content)
    with suppress(DataError):
        tree = open_tree(tmp_path / "p.zip")
        for folder in ("", *tree.folders()):
            for name in tree.listed(folder):
                tree.read(name)


def test_joining_to_the_top_adds_nothing():
    assert joined("", "a") == "a"
    assert joined("b", "a") == "b/a"


def test_a_colon_in_names_is_no_drive(tmp_path):
    tree = in_folder(tmp_path / "p", {"lfw:112/my:pairs.txt": b"x"})
    assert "lfw:112/my:pairs.txt" in tree
    assert tree.read("lfw:112/my:pairs.txt") == b"x"


@pytest.mark.parametrize("name", ["aligned", "Aligned images", "lfw_align_112", "112x112-ALIGNED", "lfw2aligned"])
def test_a_word_that_begins_with_align_says_aligned(name):
    assert says_aligned(name)


@pytest.mark.parametrize(
    "name", ["lfw_unaligned", "not_aligned", "Non-Aligned", "misaligned", "un aligned", "NotAligned", "maligned", "raw"]
)
def test_other_names_do_not_say_aligned(name):
    assert not says_aligned(name)
