"""Tables of text: parsed like by hand, refused with the line, kept in the cache and taken from it."""

from __future__ import annotations

import os
import re
import time
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceassay.contracts import DataError
from faceassay_protocols.readers import columns as columns_module
from faceassay_protocols.readers.columns import Layout, parsed, read_columns
from faceassay_protocols.readers.tree import open_tree

LAYOUT = Layout({"image": "word", "number": "number", "x": "real", "label": "flag"})
TITLED = Layout({"template": "number", "subject": "number"}, separator="commas")
TEXT = b"1.jpg 1 0.5 1\n2.jpg 70 -3e-2 0\n10.jpg 2147483647 12 0\n"


def by_hand(content):
    """Parse the table line by line; raise ValueError where a line does not fit."""
    found = []
    for line in re.split(r"\r\n|\r|\n", content.decode("utf-8-sig")):
        if not (words := line.replace("\t", " ").split(" ") if line.strip(" \t") else []):
            continue
        image, number, x, label = (word for word in words if word)
        if not (re.fullmatch(r"-?[0-9]+", number) and re.fullmatch(r"-?[0-9]+", label)):
            raise ValueError(line)
        if not (0 <= int(number) < 2**31 and 0 <= int(label) <= 1 and np.isfinite(float(x)) and "_" not in x):
            raise ValueError(line)
        found.append((image.encode(), int(number), float(x), bool(int(label))))
    if not found or "\0" in content.decode():
        raise ValueError("empty")
    return found


def as_rows(columns):
    return list(zip(*(columns[title].tolist() for title in columns), strict=True))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tree(tmp_path, cache):
    (tmp_path / "pack").mkdir()
    file = tmp_path / "pack" / "table.txt"
    file.write_bytes(TEXT)
    past = time.time() - 60  # a file this old is taken for settled
    os.utime(file, (past, past))
    return open_tree(tmp_path / "pack")


@pytest.fixture
def no_parser(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("parsed again")

    def install():
        monkeypatch.setattr(columns_module, "parsed", refuse)

    return install


def test_kinds_are_kept_in_their_types():
    columns = parsed(TEXT, "table.txt", LAYOUT)
    assert [columns[title].dtype.kind for title in LAYOUT.columns] == ["S", "i", "f", "b"]
    assert columns["number"].dtype == np.int32
    assert as_rows(columns) == by_hand(TEXT)


@pytest.mark.parametrize(
    "variant",
    [
        TEXT.replace(b"\n", b"\r\n"),
        TEXT.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + TEXT,
        b"\xef\xbb\xbf \n" + TEXT + b"\n \n\t\n",
        TEXT.replace(b" ", b"\t"),
        TEXT.replace(b" ", b" \t ").replace(b"\n", b"  \r\n "),
        TEXT.removesuffix(b"\n"),
    ],
)
def test_the_way_of_writing_does_not_matter(variant):
    assert as_rows(parsed(variant, "table.txt", LAYOUT)) == by_hand(TEXT)


def test_names_may_look_like_hexadecimal_numbers():
    content = b"0x10.jpg 1 0.5 1\n0X10 2 1 0\n"
    assert as_rows(parsed(content, "table.txt", LAYOUT)) == by_hand(content)


def test_reals_are_rounded_like_python_rounds_them():
    reals = np.random.default_rng(0).uniform(0, 1, 3000)
    text = "".join(f"a 0 {real!r} 0\n" for real in reals.tolist())
    np.testing.assert_array_equal(parsed(text.encode(), "", LAYOUT)["x"], reals)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"3.jpg 1 0.5", "3 columns instead of 4"),
        (b"3.jpg 1 0.5 1 9", "5 columns instead of 4"),
        (b"3.jpg one 0.5 1", "number is 'one', not a number from 0 to 2147483647"),
        (b"3.jpg 1.0 0.5 1", "number is '1.0'"),
        (b"3.jpg -1 0.5 1", "number is '-1'"),
        (b"3.jpg 2147483648 0.5 1", "number is '2147483648'"),
        (b"3.jpg 99999999999999999999 0.5 1", "number is '99999999999999999999'"),
        (b"3.jpg 1 nan 1", "x is 'nan', not a finite number"),
        (b"3.jpg 1 inf 1", "x is 'inf'"),
        (b"3.jpg 1 1e999 1", "x is '1e999'"),
        (b"3.jpg 1 0,5 1", "x is '0,5'"),
        (b"3.jpg 0x10 0.5 1", "number is '0x10'"),
        (b"3.jpg 1 0.5 0X1", "label is '0X1'"),
        (b"3.jpg 1 0x1 1", "x is '0x1'"),
        (b"3.jpg 1 0.5 2", "label is '2', not 0 or 1"),
        (b"3.jpg 1 0.5 -1", "label is '-1'"),
        (b"3.jpg x 0.5 2", "number is 'x'.*label is '2'"),
        (b"\xff.jpg 1 0.5 1", "UTF-8"),
        (b"3\0.jpg 1 0.5 1", "image is"),
    ],
)
def test_a_wrong_line_is_named(line, said):
    with pytest.raises(DataError, match=rf"^table\.txt:5: .*{said}"):
        parsed(TEXT + b"\n" + line + b"\n" + TEXT, "table.txt", LAYOUT)


def test_several_wrong_lines_are_named_together():
    with pytest.raises(DataError, match=r"table\.txt:1: .*; table\.txt:5: "):
        parsed(b"1.jpg\n" + TEXT + b"1.jpg\n", "table.txt", LAYOUT)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b" \t\n", b"\x1a"])
@pytest.mark.parametrize("layout", [LAYOUT, TITLED])
def test_an_empty_file_is_refused(content, layout):
    with pytest.raises(DataError, match=r"^table\.txt"):
        parsed(content, "table.txt", layout)


def test_titled_tables_may_have_further_columns():
    content = b'\xef\xbb\xbfTEMPLATE_ID,SUBJECT_ID,FILE\r\n5,1,"a,b"\r\n"7", 2,c\r\n'
    assert as_rows(parsed(content, "", TITLED)) == [(5, 1), (7, 2)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"5,1\n7,2\n", "table.txt:1: the row of titles is missing"),
        (b"T,S\n5,1\n7\n", "table.txt"),
        (b"T,S,F\n5,1,a\n7,x,b\n", "table.txt:3: subject is 'x'"),
        (b"T,S,F\n5,-1,a\n", "table.txt:2: subject is '-1'"),
        (b"T,S,F\n5,0x1,a\n", "table.txt:2: subject is '0x1'"),
        (b"\nT,S\n5,1\n", "table.txt:1: the row of titles is missing"),
        (b"T,S,F\n5,1,a\n7,2\n8,3,b\n", "table.txt:3: 2 columns instead of 3 (T, S, F)"),
        (b"T,S,F\n5,1,a\n\n7,2,b,c\n", "table.txt:4: 4 columns instead of 3 (T, S, F)"),
        (b"SUBJECT_ID,TEMPLATE_ID\n5,1\n", "table.txt:1: subject_id is the title where the column of templates should"),
        (b'\xef\xbb\xbf"SUBJECT","TEMPLATE"\r\n5,1\n', "table.txt:1: "),
        (b"T,S\n", "table.txt"),
        (b"T\n5\n", "table.txt:2: 1 columns instead of 2"),
    ],
)
def test_wrong_titled_tables_are_refused(content, said):
    with pytest.raises(DataError, match=re.escape(said)):
        parsed(content, "table.txt", TITLED)


pieces = st.sampled_from(
    ["", "1.jpg", "é", "0", "1", "2147483648", "-1", "1.5", "nan", "1e5", "+1", "0x1", " ", "\t", "\0", '"']
)
edits = st.lists(st.tuples(st.integers(0, 11), pieces), max_size=3)


@settings(max_examples=300, deadline=None)
@given(edits, st.sampled_from(["\n", "\r\n", "\r"]))
def test_edited_tables_are_parsed_like_by_hand_or_refused(changes, end):
    words = TEXT.decode().split()
    for at, piece in changes:
        words[at] = piece
    content = end.join(" ".join(words[start : start + 4]) for start in range(0, 12, 4)).encode()
    try:
        expected = by_hand(content)
    except ValueError:
        with pytest.raises(DataError, match=r"^table\.txt"):
            parsed(content, "table.txt", LAYOUT)
    else:
        assert as_rows(parsed(content, "table.txt", LAYOUT)) == expected


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused(content):
    for layout in (LAYOUT, TITLED):
        try:
            columns = parsed(content, "table.txt", layout)
        except DataError:
            continue
        assert len({len(column) for column in columns.values()}) == 1


def test_the_second_reading_does_not_parse(tree, no_parser):
    expected = as_rows(read_columns(tree, "table.txt", LAYOUT, kept_in="ijb"))
    no_parser()
    again = read_columns(tree, "table.txt", LAYOUT, kept_in="ijb")
    assert as_rows(again) == expected == by_hand(TEXT)
    assert all(isinstance(column, np.memmap) for column in again.values())


def test_another_content_is_parsed(tree):
    read_columns(tree, "table.txt", LAYOUT, kept_in="ijb")
    (tree.path / "table.txt").write_bytes(b"9.jpg 9 9 1\n")
    assert as_rows(read_columns(tree, "table.txt", LAYOUT, kept_in="ijb")) == [(b"9.jpg", 9, 9.0, True)]


def test_another_layout_is_parsed(tree):
    read_columns(tree, "table.txt", LAYOUT, kept_in="ijb")
    other = Layout({"image": "word", "number": "real", "x": "real", "label": "number"})
    assert read_columns(tree, "table.txt", other, kept_in="ijb")["number"].dtype == np.float64


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"nonsense" * 30, "cut", "other type", "other length"])
def test_a_damaged_cache_is_parsed_again_and_mended(tree, cache, no_parser, damage):
    read_columns(tree, "table.txt", LAYOUT, kept_in="ijb")
    (kept,) = cache.rglob("number.npy")
    if damage == "cut":
        kept.write_bytes(kept.read_bytes()[:-2])
    elif isinstance(damage, str):
        np.save(kept, np.zeros(3) if damage == "other type" else np.zeros(2, dtype=np.int32))
    else:
        kept.write_bytes(damage)
    assert as_rows(read_columns(tree, "table.txt", LAYOUT, kept_in="ijb")) == by_hand(TEXT)
    no_parser()
    assert as_rows(read_columns(tree, "table.txt", LAYOUT, kept_in="ijb")) == by_hand(TEXT)


def test_a_cache_that_cannot_be_written_costs_parsing(tree, cache):
    cache.mkdir(exist_ok=True)
    (cache / "ijb").write_text("in the way")
    for _ in range(2):
        assert as_rows(read_columns(tree, "table.txt", LAYOUT, kept_in="ijb")) == by_hand(TEXT)


def test_a_full_disk_leaves_nothing_behind(tree, cache, monkeypatch):
    def full(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(columns_module.np, "save", full)
    assert as_rows(read_columns(tree, "table.txt", LAYOUT, kept_in="ijb")) == by_hand(TEXT)
    assert [path for path in (cache / "ijb").rglob("*") if path.is_file()] == []


def test_a_wrong_file_is_not_kept(tree, cache):
    (tree.path / "table.txt").write_bytes(b"1.jpg 1 1 7\n")
    for _ in range(2):
        with pytest.raises(DataError, match=r"table\.txt:1: label"):
            read_columns(tree, "table.txt", LAYOUT, kept_in="ijb")
    assert not list(cache.rglob("*.npy"))


def test_members_of_a_zip_are_kept_apart(tmp_path, cache, no_parser):
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        archive.writestr("a/table.txt", TEXT)
        archive.writestr("b/table.txt", "x 1 1 1\n")
    past = time.time() - 60
    os.utime(tmp_path / "pack.zip", (past, past))
    tree = open_tree(tmp_path / "pack.zip")
    first = [as_rows(read_columns(tree, f"{side}/table.txt", LAYOUT, kept_in="ijb")) for side in "ab"]
    no_parser()
    assert [as_rows(read_columns(tree, f"{side}/table.txt", LAYOUT, kept_in="ijb")) for side in "ab"] == first
    assert first == [by_hand(TEXT), [(b"x", 1, 1.0, True)]]


def test_a_missing_file_is_named(tree):
    with pytest.raises(DataError, match=r"other\.txt"):
        read_columns(tree, "other.txt", LAYOUT, kept_in="ijb")
