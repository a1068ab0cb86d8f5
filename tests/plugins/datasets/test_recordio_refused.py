"""RecordIO sets that are refused: cut, shifted, contradictory, with labels that are no identities; nothing by guess."""

import numpy as np
import pytest

from faceassay import DataError
from faceassay_plugins.datasets.recordio import layout
from faceassay_plugins.datasets.recordio.plugin import RecordIo
from miniatures.recordio import RecordSet, im2rec, insightface, payload, picture

LABELS = [0, 0, 1, 1, 1, 2, 2]
PICTURES = [picture(seed) for seed in range(len(LABELS))]


def opened(path, **parameters):
    return RecordIo(path=path, **{"image_size": 12, **parameters}).open()


def message_of(path, **parameters):
    with pytest.raises(DataError) as caught:
        opened(path, **parameters)
    return str(caught.value)


@pytest.fixture
def rec(tmp_path):
    return insightface(PICTURES, LABELS).write(tmp_path / "set", classes=3)


def simple(folder, labels=LABELS, images=PICTURES, **written):
    return im2rec(images, labels).write(folder, **written)


def test_a_file_cut_anywhere_is_refused(tmp_path):
    rec = simple(tmp_path, [0.0, 0.0], PICTURES[:2])
    content = rec.read_bytes()
    for length in range(0, len(content), 4):
        rec.write_bytes(content[:length])
        assert "truncated" in message_of(rec) or length == 0


def test_an_index_cut_anywhere_is_refused_or_whole(tmp_path):
    rec = simple(tmp_path, [0.0] * 3, PICTURES[:3], classes=1)
    idx = rec.with_suffix(".idx")
    content = idx.read_bytes()
    for length in range(len(content) - 1):  # all but the last line end
        idx.write_bytes(content[:length])
        message_of(rec, labels="record")


def test_a_single_changed_byte_never_gives_another_image(tmp_path):
    rec = simple(tmp_path, [0.0, 0.0], [picture(0, (4, 4)), picture(1, (4, 4))])
    content, images = rec.read_bytes(), {picture(0, (4, 4)), picture(1, (4, 4))}
    sizes = {len(image) for image in images}
    for place in range(0, len(content), 4):
        rec.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            found = [opened(rec, labels="record", min_images=1).encoded(row) for row in range(2)]
        except DataError:
            continue
        assert {len(image) for image in found} <= sizes  # the byte is in a header field or in the image itself


def test_bytes_in_front_are_refused(rec):
    rec.write_bytes(bytes(4) + rec.read_bytes())
    assert "no whole record where the index says: key 1 at byte 0" in message_of(rec)


def test_an_index_of_another_file_is_refused(rec, tmp_path):
    other = insightface(PICTURES[::-1], LABELS).write(tmp_path / "other")
    rec.with_suffix(".idx").write_bytes(other.with_suffix(".idx").read_bytes())
    assert "another set" in message_of(rec)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-1], "no whole record where the index says"),
        (lambda lines: lines[1:], "no key of train.idx stands for its first bytes"),
        (lambda lines: [*lines, "99\t10000000\n"], "no record where train.idx says: key 99 at byte 10000000"),
        (lambda lines: [*lines, "99\t0\n"], "no record where train.idx says"),
        (lambda lines: [*lines, lines[2].replace("3\t", "2\t")], "keys listed twice: 2"),
        (lambda lines: [*lines, "7\n"], "no index of records"),
        (lambda lines: [*lines, "x\t7\n"], "no index of records"),
        (lambda lines: [*lines, "9\t7.5\n"], "no index of records"),
        (lambda lines: [*lines, "9\t\n"], "no index of records"),
        (lambda lines: [], "no index of records"),
        (lambda lines: ["-1\t-4\n", *lines], "no key of train.idx stands for its first bytes"),
        (lambda lines: [*lines, "99\t6\n"], "no record where train.idx says"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(rec, change, said):
    idx = rec.with_suffix(".idx")
    idx.write_text("".join(change(idx.read_text().splitlines(keepends=True))))
    assert said in message_of(rec)


def test_a_file_without_its_index_is_refused(rec):
    rec.with_suffix(".idx").unlink()
    assert "its index train.idx beside it is needed" in message_of(rec)


def test_a_folder_of_several_sets_is_refused(rec):
    rec.with_name("val.rec").write_bytes(b"")
    assert "exactly one .rec file (found: train.rec, val.rec)" in message_of(rec.parent)


def test_a_folder_without_a_set_is_refused(tmp_path):
    assert "(found: none)" in message_of(tmp_path)


def test_an_empty_image_is_found_at_opening(tmp_path):
    rec = simple(tmp_path, images=[*PICTURES[:3], b"", *PICTURES[4:]])
    assert "key 3 (zero bytes)" in message_of(rec)


def test_an_empty_image_among_insightface_records_is_found(tmp_path):
    rec = insightface([*PICTURES[:3], b"", *PICTURES[4:]], LABELS).write(tmp_path)
    assert "key 4 (zero bytes)" in message_of(rec)


def test_what_is_no_image_is_found_at_opening(tmp_path):
    rec = simple(tmp_path, images=[b"GIF89a not for us", *PICTURES[1:]])
    assert "key 0 (no image format)" in message_of(rec)


def test_a_header_that_counts_more_images_is_refused(tmp_path):
    written = insightface(PICTURES, LABELS)
    written.payloads[0] = payload([9.0, 12.0])
    assert "its index has 11 keys from 0 to 10 and 7 images" in message_of(written.write(tmp_path))


def test_a_header_that_counts_fewer_images_is_refused(tmp_path):
    written = insightface(PICTURES, LABELS)
    written.payloads[0] = payload([6.0, 11.0])
    assert "counts images up to key 5" in message_of(written.write(tmp_path))


def test_a_set_of_a_header_alone_is_refused(tmp_path):
    assert "holds no images" in message_of(RecordSet({0: payload([1.0, 1.0])}).write(tmp_path))


def test_a_missing_key_is_refused_where_the_header_counts_it(tmp_path):
    written = insightface(PICTURES, LABELS)
    del written.payloads[4]
    written.order.remove(4)
    assert "10 keys from 0 to 10" in message_of(written.write(tmp_path))


def test_a_header_of_floats_too_large_to_be_exact_is_compared_as_floats(tmp_path, monkeypatch):
    """As Glint360K's would be; 2^24 is moved down."""
    monkeypatch.setattr(layout, "EXACT", 4)
    assert len(opened(insightface(PICTURES, LABELS).write(tmp_path)).item_ids) == 7


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (2.0**24, "labels of 2^24 or more"),
        (float("inf"), "labels of 2^24 or more"),
        (0.5, "labels that are no number of an identity: key 6 (0.5)"),
        (-1.0, "labels that are no number of an identity: key 6 (-1)"),
        (float("nan"), "key 6 (nan)"),
        (3.0, "labels beyond the 3 classes"),
    ],
)
def test_a_label_that_is_no_identity_is_refused(tmp_path, label, said):
    assert said in message_of(simple(tmp_path, [*LABELS[:6], label], classes=3))


@pytest.mark.parametrize(
    ("labels", "classes", "said"),
    [
        ([0.0] * 7, None, "all are the same"),
        (list(range(7)), None, "every image has one of its own"),
        (LABELS, 4, "3 different ones, the file property says 4"),
    ],
)
def test_labels_that_look_like_no_identities_are_refused(tmp_path, labels, classes, said):
    message = message_of(simple(tmp_path, labels, classes=classes))
    assert said in message
    assert "list.txt: key, tab, IDENTITY/NAME.jpg" in message
    assert "say labels: record" in message


@pytest.mark.parametrize("text", ["many", "", "3,,", "9" * 5000, "0,112,112"])
def test_a_damaged_property_file_is_refused(rec, text):
    rec.with_name("property").write_text(text)
    assert "not the line CLASSES,HEIGHT,WIDTH" in message_of(rec)


def test_identities_with_few_images_are_named(rec):
    assert "2 of 3 identities have fewer than min_images: 3 images: 0 (2), 2 (2)" in message_of(rec, min_images=3)


def test_paths_without_a_list_are_refused(rec):
    assert "no list of paths" in message_of(rec, labels="paths")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["0\ta/0.jpg\n"], "lists 1 images where the .idx has 7, not key 1"),
        ([f"{k}\ta/0.jpg\n" for k in range(8)], "lists 8 images where the .idx has 7, also key 7"),
        ([f"{k}\ta/0.jpg\n" for k in (0, 1, 2, 3, 4, 5, 5)], "lists a key twice"),
        ([f"{k}\t{k}.jpg\n" for k in range(7)], "the path '0.jpg' names no folder"),
        ([f"{k}\t/{k}.jpg\n" for k in range(7)], "the path '/0.jpg' names no folder"),
        ([f"{k} a/0.jpg\n" for k in range(7)], "no list of images"),
        ([f"a/{k}.jpg\t{k}\n" for k in range(7)], "no list of images"),
        (["\n"], "no list of images"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(rec, tmp_path, lines, said):
    rec = simple(tmp_path / "listed")
    rec.with_name("list.txt").write_text("".join(lines))
    assert said in message_of(rec)


@pytest.mark.parametrize("change", [lambda content: content[: len(content) // 2], lambda content: bytes(len(content))])
def test_a_file_that_changes_under_an_open_set_is_noticed(rec, change):
    dataset = opened(rec)
    rec.write_bytes(change(rec.read_bytes()))
    with pytest.raises(DataError, match=r"train\.rec: key [0-9]+: .*; bring the file again"):
        dataset.images(np.arange(len(dataset)))


@pytest.mark.parametrize("index", [7, -1])
def test_there_are_no_other_images(rec, index):
    with pytest.raises(IndexError):
        opened(rec).images(np.array([index]))
