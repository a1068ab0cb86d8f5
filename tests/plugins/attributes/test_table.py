"""Tables of attributes that users bring: what is read, what is refused and in which words, and what is in the key."""

from __future__ import annotations

import datetime
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from faceassay.contracts import Attribute, AttributeTable, DataError
from faceassay.keys import plugin_document
from faceassay_plugins.attributes import table as tables
from faceassay_plugins.attributes.table import Table
from faceassay_plugins.attributes.table_files import number_in, read_rows

AGE = {"name": "age", "unit": "years", "low": 0, "high": 100}
SMILE = {"name": "smile", "unit": "", "low": -0.1, "high": 0.1}
ITEMS = ["s1/1.pgm", "s1/2.pgm", "s2/1.pgm"]
CSV = "image,note,age\ns1/1.pgm,a,31\ns1/2.pgm,b,32.5\ns2/1.pgm,c,1e1\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def made(tmp_path):
    """Return a function that writes a text or a data frame and returns the plugin that reads it."""

    def made(content=CSV, *columns, name="ages.csv", **parameters):
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path, index=False)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return Table(path=path, **{"key": "image", "values": columns or (AGE,), **parameters})

    return made


def told(plugin, items=ITEMS):
    plugin.check_items(items)
    return plugin.predict(np.zeros((len(items), 8, 8, 3), np.uint8), items)


def refused(plugin, items=ITEMS):
    with pytest.raises(DataError) as caught:
        plugin.check_items(items)
    return str(caught.value)


# --- what is read


def test_values_are_found_by_the_names_of_images_in_any_order(made):
    assert told(made()).tolist() == [[31], [32.5], [10]]
    assert told(made(), ITEMS[::-1]).tolist() == [[10], [32.5], [31]]
    assert told(made()).dtype == np.float32


def test_the_columns_are_those_that_were_described(made):
    assert made("", AGE, SMILE).columns() == (Attribute("age", "years", 0, 100), Attribute("smile", "", -0.1, 0.1))


def test_parquet_and_csv_tell_the_same(made):
    frame = pd.DataFrame({"image": ITEMS, "age": [31, 32.5, 10], "smile": [0.1, -0.1, 0]})
    text = frame.to_csv(index=False)
    assert np.array_equal(told(made(text, AGE, SMILE)), told(made(frame, AGE, SMILE, name="ages.parquet")))


def test_a_file_is_told_by_its_content_not_by_its_name(made):
    assert told(made(pd.DataFrame({"image": ITEMS, "age": [1, 2, 3]}), name="ages.csv")).tolist() == [[1], [2], [3]]


@pytest.mark.parametrize("kind", [str, "string[pyarrow]", "large"])
def test_every_kind_of_text_is_a_key_in_parquet(made, kind):
    import pyarrow as pa
    from pyarrow import parquet

    plugin = made(pd.DataFrame({"image": ["x"], "age": [0]}), name="a.parquet")
    text = pa.large_string() if kind == "large" else pa.string()
    parquet.write_table(pa.table({"image": pa.array(ITEMS, text), "age": [1, 2, 3]}), plugin.path)
    assert told(plugin).tolist() == [[1], [2], [3]]


def test_keys_are_text(made):
    assert told(made("image,age\n001,7\n1,8\n"), ["001", "1"]).tolist() == [[7], [8]]


def test_names_may_be_quoted_and_hold_anything(made):
    name = 'Zoë, "the\nfirst"/1.png'
    assert told(made(f'\ufeffimage,age\n"{name.replace(chr(34), chr(34) * 2)}",4\n'), [name]).tolist() == [[4]]


def test_rows_of_other_images_are_ignored_whatever_they_say(made):
    assert told(made(CSV + "other,d,nonsense\nother,e,900\n")).tolist() == [[31], [32.5], [10]]


def test_the_ends_of_the_range_are_in_it_in_float32_too(made):
    values = told(made("image,smile\na,0.1\nb,-0.1\n", SMILE), ["a", "b"])
    AttributeTable((Attribute(**SMILE),), values)


def test_missing_values_may_be_dropped(made):
    plugin = made("image,age,smile\ns1/1.pgm,,0.1\ns1/2.pgm,5,\n", AGE, SMILE, missing="drop")
    np.testing.assert_array_equal(told(plugin), np.array([[np.nan, 0.1], [5, np.nan], [np.nan] * 2], np.float32))


def test_missing_values_of_parquet_may_be_dropped(made):
    frame = pd.DataFrame({"image": ITEMS[:2], "age": [np.nan, 3]})
    np.testing.assert_array_equal(told(made(frame, missing="drop", name="a.parquet")), [[np.nan], [3], [np.nan]])


def test_the_table_is_read_once_for_many_batches(made, monkeypatch):
    plugin, reads = made(), []
    monkeypatch.setattr(tables, "read_rows", lambda *about: reads.append(about) or read_rows(*about))
    for name in ITEMS:
        plugin.predict(np.zeros((1, 8, 8, 3), np.uint8), [name])
    assert len(reads) == 1


def test_a_table_that_changed_is_read_again(made):
    plugin = made()
    told(plugin)
    plugin.path.write_text(CSV.replace("31", "33"))
    os.utime(plugin.path, ns=(1, 1))
    assert told(plugin)[0] == 33


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_as_it_was_written(value):
    assert number_in(repr(value)) == number_in(f" {value!r} ") == value


@given(st.text("0123456789+-.eE_ \tnaif", max_size=12))
def test_any_text_is_a_finite_number_or_none(text):
    assert np.isnan(number_in(text)) or number_in(text) == float(text)


# --- what is refused


def test_everything_that_is_wrong_is_said_at_once(made):
    text = "image,age\na,1\nb,x\nc,120\nd,\ne,1\ne,1\nf,-inf\n"
    plugin = made(text)
    assert refused(plugin, list("abcdefgh")) == (
        f"{plugin.path}: no finite number as age: x (b, row 3), -inf (f, row 8); "
        "age outside 0 to 100 years: 120 (c, row 4); no age for d; more than one row for e (row 7); no row for g, h: "
        "correct the table, or drop what is missing with 'missing: drop'"
    )


def test_a_long_list_of_faults_is_cut_short_to_a_count(made):
    said = refused(made("image,age\n" + "".join(f"i{k},x\n" for k in range(40))), [f"i{k}" for k in range(1000)])
    assert "x (i9, row 11) and 30 more" in said
    assert "no row for i40, i41, i42, i43, i44, i45, i46, i47, i48, i49 and 950 more" in said
    assert len(said) < 1000


@pytest.mark.parametrize(
    "cell",
    ["nan", "NaN", "inf", "1_000", "0x10", "twelve", "1,5", "1 2", "=1+1", "__import__('os')", "\u0661", "1e999"],
)
def test_what_is_no_finite_number_is_refused(made, cell):
    said = refused(made(f'image,age\ns1/1.pgm,"{cell}"\n'), ITEMS[:1])
    assert f"no finite number as age: {cell} (s1/1.pgm, row 2)" in said


def test_infinity_in_parquet_is_refused_with_its_row(made):
    frame = pd.DataFrame({"image": ITEMS, "age": [1, np.inf, 2]})
    assert "no finite number as age: inf (s1/2.pgm, row 2)" in refused(made(frame, name="a.parquet"))


def test_dropping_what_is_missing_drops_nothing_that_is_wrong(made):
    said = refused(made("image,age\ns1/1.pgm,200\n", missing="drop"))
    assert "age outside 0 to 100 years: 200 (s1/1.pgm, row 2): correct the table" in said
    assert "missing: drop" not in said


def test_range_is_judged_before_rounding_to_float32(made):
    assert "smile outside -0.1 to 0.1" in refused(made("image,smile\na,0.1000000001\n", SMILE), ["a"])


@pytest.mark.parametrize("items", [["s1/1.pgm", "s9/9.pgm"], ["bad"]])
def test_a_prediction_refuses_what_the_check_would_have_refused(made, items):
    plugin = made(CSV + "bad,x,1000\n")
    with pytest.raises(DataError, match=r"no row for s9/9\.pgm|outside 0 to 100 years: 1000 \(bad, row 5\)"):
        plugin.predict(np.zeros((len(items), 8, 8, 3), np.uint8), items)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,age\n", r"has no column 'image' \(it has: name, age\)"),
        ("image,Age\n", r"has no column 'age' \(it has: image, Age\)"),
        ("", r"has no column 'image', 'age' \(it has: none\)"),
        ("image,age,age\n", r"has more than one column 'age'"),
        ("image,age\na,1,2\n", r"ages\.csv:2: 3 cells where the header has 2"),
        ("image,age\na\n", r"ages\.csv:2: 1 cells where the header has 2"),
        ('image,age\n"a"b,1\n', "is neither CSV in UTF-8 nor parquet"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", "is neither CSV in UTF-8 nor parquet"),
        ("image,age\nZoë,1\n".encode("latin-1"), "is neither CSV in UTF-8 nor parquet"),
        (b"PAR1 and then nothing", "is no intact parquet file"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(made, content, message):
    plugin = made(content)
    for check in (lambda: plugin.check_items(["a"]), lambda: plugin.check(16, 4)):
        with pytest.raises(DataError, match=message):
            check()


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(DataError, match="give a CSV or parquet file"):
        Table(path=tmp_path, key="image", values=(AGE,)).check(16, 4)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"image": [1, 2], "age": [1, 2]}, "column 'image' is int64, must be text"),
        ({"image": ["a", "b"], "age": ["1", "2"]}, r"column 'age' is (large_)?string, must be numbers"),
        ({"image": ["a"], "age": [True]}, "column 'age' is bool, must be numbers"),
        ({"image": ["a"], "age": [datetime.date(2000, 1, 1)]}, r"column 'age' is date32\[day\], must be numbers"),
    ],
)
def test_parquet_of_other_types_is_refused(made, frame, message):
    with pytest.raises(DataError, match=message):
        made(pd.DataFrame(frame), name="a.parquet").check(16, 4)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"values": []}, "at least 1 item"),
        ({"values": [AGE, AGE]}, "must be different columns"),
        ({"key": "age"}, "must be different columns"),
        ({"values": [{**AGE, "low": 100}]}, "low must be below high"),
        ({"values": [{**AGE, "high": float("inf")}]}, "finite number"),
        ({"values": [{**AGE, "scale": 2}]}, "Extra inputs"),
        ({"path": "nowhere.csv"}, "no such file"),
    ],
)
def test_parameters_that_say_no_table_are_refused(made, parameters, message):
    with pytest.raises(ValidationError, match=message):
        made(**parameters) if "path" not in parameters else Table(key="image", values=(AGE,), **parameters)


# --- the key


def test_the_content_of_the_table_is_in_the_key_and_its_place_is_not(made):
    here, there, other = made(), made(name="moved.csv"), made(CSV.replace("31", "30"), name="other.csv")
    assert plugin_document(here) == plugin_document(there)
    assert plugin_document(here) != plugin_document(other)
    assert str(here.path) not in str(plugin_document(here))
