"""What a search found, kept and read back: a document, and arrays beside it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from faceassay.contracts import FaceassayError, Search
from faceassay.stages import search
from fakes import sources, stage_context


class Finding(Search):
    name = "finding"
    version = "1"
    summary = "finds what it is told to find"
    found: dict = {}  # noqa: RUF012 - what is found is no parameter

    def work(self, identities):
        return 1

    def run(self, sources, run):
        return self.found


def written(folder, **found):
    plugin, context = Finding(found=found), stage_context(folder)
    search.run(plugin, sources(), context)
    return search.load(plugin, context.folder, "cpu"), context.folder


def test_a_document_is_read_back(tmp_path):
    found, folder = written(tmp_path, alpha=0.5, grid=[[1, 2], [3, 4]], named={"a": None})
    assert found == {"alpha": 0.5, "grid": [[1, 2], [3, 4]], "named": {"a": None}}
    assert [path.name for path in folder.iterdir()] == ["search.json"]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.arange(3),
        np.array([True, False]),
        np.empty((0, 5), np.float32),
        np.float64(2) * np.ones(()),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_keeps_type_and_shape(tmp_path, array):
    found, folder = written(tmp_path, anchors=np.asarray(array), alpha=1)
    assert np.array_equal(found["anchors"], array)
    assert (found["anchors"].dtype, found["anchors"].shape) == (array.dtype, array.shape)
    assert found["alpha"] == 1
    assert json.loads((folder / "search.json").read_text()) == {"alpha": 1}


def test_an_array_is_mapped_and_cannot_be_changed(tmp_path):
    found, _ = written(tmp_path, anchors=np.zeros((4, 2)))
    assert isinstance(found["anchors"], np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        found["anchors"][0] = 1


def test_the_same_arrays_are_the_same_bytes(tmp_path):
    folders = [written(tmp_path / name, a=np.arange(5.0), b=np.arange(3))[1] for name in ("one", "other")]
    one, other = ({p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()} for folder in folders)
    assert one == other
    assert set(one) == {"search.json", "a.npy", "b.npy"}


@pytest.mark.parametrize("value", [np.nan, np.inf, {1, 2}, {"inner": np.zeros(2)}, b"bytes"], ids=repr)
def test_what_no_document_can_hold_is_refused_by_name(tmp_path, value):
    with pytest.raises(FaceassayError, match="search 'finding' found what no JSON document can hold"):
        written(tmp_path, alpha=value)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("anchors", np.array([1.0, np.nan])),
        ("anchors", np.array([np.inf], np.float32)),
        ("anchors", np.array([None, 1], object)),
        ("anchors", np.array(["a"])),
        ("anchors", np.array([1j])),
        ("../anchors", np.zeros(1)),
        ("", np.zeros(1)),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.dtype),
)
def test_an_array_of_anything_but_finite_numbers_by_a_plain_name_is_refused(tmp_path, name, array):
    with pytest.raises(FaceassayError, match=r"search 'finding' found .*: arrays hold finite numbers, by plain names"):
        written(tmp_path, **{name: array})
    assert list((tmp_path / "work").iterdir()) == []
