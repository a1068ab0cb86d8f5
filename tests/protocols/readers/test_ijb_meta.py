"""The lists of IJB: read like by hand, checked against one another."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceassay.contracts import DataError
from faceassay_protocols.readers import columns, ijb_meta
from faceassay_protocols.readers.ijb_meta import read_meta
from faceassay_protocols.readers.tree import open_tree
from miniatures.ijb import write_ijb


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def ijb(tmp_path):
    return write_ijb(tmp_path)


def read(ijb):
    return read_meta(open_tree(ijb.path), "", ijb.code)


def edit(ijb, kind, change):
    """Rewrite a file from its list of lines."""
    file = ijb.file(kind)
    lines = change(file.read_text(encoding="utf-8").splitlines())
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def assert_read_as_written(meta, ijb):
    assert meta.names == ijb.names
    assert meta.template_ids.tolist() == ijb.templates
    assert meta.media_ids.tolist() == ijb.media
    np.testing.assert_array_equal(meta.landmarks, ijb.landmarks)
    assert meta.detector_scores.tolist() == ijb.scores
    assert list(zip(meta.first_ids, meta.second_ids, meta.is_same, strict=True)) == ijb.pairs
    assert dict(zip(*(part.tolist() for part in meta.subjects), strict=True)) == ijb.subject_of


@pytest.mark.parametrize("name", ["ijb-b", "ijb-c"])
@pytest.mark.parametrize("form", [{}, {"line_end": "\r\n", "bom": True}])
def test_lists_are_read_as_written(tmp_path, name, form):
    ijb = write_ijb(tmp_path, name, **form)
    for _ in range(2):  # parsed, then from the cache
        meta = read(ijb)
        assert_read_as_written(meta, ijb)
        assert meta.warnings == []


def test_types_are_those_of_the_pack(ijb):
    meta = read(ijb)
    assert [meta.template_ids.dtype, meta.media_ids.dtype, meta.subjects[0].dtype] == [np.int64] * 3
    assert [meta.first_ids.dtype, meta.second_ids.dtype, meta.is_same.dtype] == [np.int32, np.int32, bool]
    assert [meta.landmarks.dtype, meta.detector_scores.dtype] == [np.float64] * 2


def test_the_miniature_has_sparse_numbers_and_videos(ijb):
    assert max(ijb.templates) > 2 * len(set(ijb.templates))
    assert np.unique(ijb.media, return_counts=True)[1].max() == 3


def test_a_second_opening_parses_nothing(ijb, monkeypatch):
    read(ijb)
    monkeypatch.setattr(columns, "parsed", None)
    assert_read_as_written(read(ijb), ijb)


def test_repeated_pairs_and_templates_alone_are_counted_once_and_for_all(ijb, monkeypatch):
    (one, other, _), *_ = ijb.pairs
    more = [f"{other} {one} 0", f"{one} {other} 1", f"{one} {one} 1"]
    edit(ijb, "template_pair_label.txt", lambda lines: [*lines, *more])
    for _ in range(2):  # parsed, then from the cache
        repeated, alone = (warning.partition("label.txt: ")[2] for warning in read(ijb).warnings[:2])
        low, high = sorted((one, other))
        assert repeated == f"2 of 75 pairs pair templates that another one pairs too, such as {low} and {high}"
        assert alone == f"1 of 75 pairs pair a template with itself, such as {one}"
        monkeypatch.setattr(ijb_meta, "_odd_pairs", None)


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0, 1, 2**31 - 1]))))
def test_odd_pairs_are_those_that_a_loop_finds(listed):
    seen, repeated, alone = set(), [], []
    for pair in listed:
        repeated += [pair] if frozenset(pair) in seen else []
        alone += [pair[0]] if len({*pair}) == 1 else []
        seen.add(frozenset(pair))
    first, second = np.array(listed, dtype=np.int32).reshape(-1, 2).T
    odd = ijb_meta._odd_pairs({"first": first, "second": second})
    counted = {title: int(column[0]) for title, column in odd.items()}
    assert (counted["repeated"], counted["alone"]) == (len(repeated), len(alone))
    assert not repeated or {counted["first"], counted["second"]} in [{*pair} for pair in repeated]
    assert not alone or counted["with"] in alone


def test_all_files_read_are_named(ijb):
    assert sorted(read(ijb).files) == sorted(f"meta/{file.name}" for file in ijb.meta.iterdir())


def test_only_the_lists_of_templates_and_pairs_are_needed(tmp_path):
    meta = read(write_ijb(tmp_path, lists=False, landmarks=False))
    assert (meta.landmarks, meta.detector_scores, meta.subjects) == (None, None, None)
    assert len(meta.files) == 2


@pytest.mark.parametrize("kind", ["face_tid_mid.txt", "template_pair_label.txt"])
def test_a_missing_list_is_named(ijb, kind):
    ijb.file(kind).unlink()
    with pytest.raises(DataError, match=kind):
        read(ijb)


@pytest.mark.parametrize("kind", ["face_tid_mid.txt", "template_pair_label.txt", "name_5pts_score.txt"])
def test_a_malformed_line_is_named(ijb, kind):
    edit(ijb, kind, lambda lines: [*lines[:6], "1.jpg x", *lines[6:]])
    with pytest.raises(DataError, match=rf"{kind}:7: 2 columns instead of"):
        read(ijb)


def test_landmarks_in_another_order_are_joined_by_name(ijb):
    edit(ijb, "name_5pts_score.txt", lambda lines: [*lines[3:5], *lines[:3], *lines[5:]])
    meta = read(ijb)
    assert_read_as_written(meta, ijb)
    (warning,) = meta.warnings
    assert f"5 of {len(ijb.names)} images stand in other rows" in warning


def test_reversed_landmarks_are_joined_by_name(ijb):
    edit(ijb, "name_5pts_score.txt", lambda lines: lines[::-1])
    assert_read_as_written(read(ijb), ijb)


def test_landmarks_of_other_images_are_refused(ijb):
    edit(ijb, "name_5pts_score.txt", lambda lines: [line.replace("4.jpg ", "x.jpg ", 1) for line in lines])
    wrong = [name for name in ijb.names if name.endswith("4.jpg")]
    with pytest.raises(DataError, match=rf"{len(wrong)} are missing \(14\.jpg, .*{len(wrong)} are not in that list"):
        read(ijb)


def test_fewer_landmarks_are_refused(ijb):
    edit(ijb, "name_5pts_score.txt", lambda lines: lines[1:])
    with pytest.raises(DataError, match=r"1 are missing \(1\.jpg\), 0 are not in that list \(none\)"):
        read(ijb)


@pytest.mark.parametrize("kind", ["face_tid_mid.txt", "name_5pts_score.txt"])
def test_an_image_listed_twice_is_refused(ijb, kind):
    edit(ijb, kind, lambda lines: [*lines, lines[4]])
    with pytest.raises(DataError, match=rf"{kind}.*more than once: 5\.jpg"):
        read(ijb)


def test_paired_templates_without_images_are_refused(ijb):
    edit(ijb, "template_pair_label.txt", lambda lines: [*lines, "99999 1 0", "2000000000 99999 0"])
    with pytest.raises(DataError, match=r"template_pair_label.*templates have no image.*99999, 2000000000"):
        read(ijb)


def test_templates_without_pairs_are_counted(ijb):
    edit(ijb, "face_tid_mid.txt", lambda lines: [*lines, "x.jpg 4000 1", "y.jpg 4001 2", "z.jpg 4001 3"])
    edit(ijb, "name_5pts_score.txt", lambda lines: lines + [f"{n}.jpg{lines[0].removeprefix('1.jpg')}" for n in "xyz"])
    (warning,) = read(ijb).warnings
    assert "2 templates are in no pair: 4000, 4001" in warning


def test_a_template_of_two_subjects_is_refused(ijb):
    template = ijb.templates[0]
    edit(ijb, "1N_probe_mixed.csv", lambda lines: [*lines, f"{template},777,x.png"])
    with pytest.raises(DataError, match=rf"more than one subject: {template}\."):
        read(ijb)


def test_labels_against_the_subjects_are_counted(ijb):
    def flip_some(lines):
        words = [line.split() for line in lines]
        genuine = [row for row in words if row[2] == "1"][:1]
        impostor = [row for row in words if row[2] == "0"][:2]
        for row in genuine + impostor:
            row[2] = "0" if row[2] == "1" else "1"
        return [" ".join(row) for row in words]

    edit(ijb, "template_pair_label.txt", flip_some)
    said = read(ijb).warnings
    assert [re.search(r": (\d+ \w+ pairs are of .*) by", warning)[1] for warning in said] == [
        "2 genuine pairs are of different subjects",
        "1 impostor pairs are of one subject",
    ]


def test_pairs_of_unknown_subjects_are_no_contradiction(ijb):
    edit(ijb, "1N_probe_mixed.csv", lambda lines: lines[:3])
    assert not any("pairs are of" in warning for warning in read(ijb).warnings)


def test_a_list_without_titles_is_refused(ijb):
    edit(ijb, "1N_gallery_G1.csv", lambda lines: lines[1:])
    with pytest.raises(DataError, match=r"G1\.csv:1: the row of titles is missing"):
        read(ijb)


def test_lists_that_miss_templates_of_pairs_are_not_used(ijb):
    """Half of the six subjects are in each gallery."""
    ijb.file("1N_gallery_G2.csv").unlink()
    meta = read(ijb)
    (warning,) = meta.warnings
    assert "3 of 18 templates are not in the 1:N lists" in warning
    assert meta.subjects is None


def test_swapped_columns_of_subjects_are_refused(ijb):
    edit(ijb, "1N_probe_mixed.csv", lambda lines: ["SUBJECT_ID,TEMPLATE_ID,FILENAME", *lines[1:]])
    with pytest.raises(DataError, match=r"mixed\.csv:1: subject_id is the title"):
        read(ijb)
