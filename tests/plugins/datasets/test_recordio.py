"""RecordIO sets written by an implementation of their own, read back bit for bit; layouts, identities, caches."""

import os
import pickle
import threading

import numpy as np
import pytest

from faceassay import DataError, FaceDataset
from faceassay.datasets import damaged_images
from faceassay.unions import union
from faceassay_plugins.datasets import archive
from faceassay_plugins.datasets.images import decode
from faceassay_plugins.datasets.recordio import index, layout
from faceassay_plugins.datasets.recordio.plugin import RecordIo
from faceassay_plugins.datasets.recordio.records import payload_of
from miniatures.recordio import MAGIC, RecordSet, framed, im2rec, insightface, payload, picture

OF_MXNET = """
0a23d7ce1f000000000000000000a04001000000000000000000000000000000ffd8ffe06f6e65000a23d7ce1c000020000000000000a04002000000
000000000000000000000000ffd8ffe00a23d7ce000000400a23d7ce0300006074776f000a23d7ce2000000002000000000000000300000000000000
00000000000000000000803f000040400a23d7ce200000000200000000000000000000000000000000000000000000000000404000008040
"""
"""Written by MXNet 1.9.1: two images of label 5, the second with the magic number twice, an identity, the header."""
LABELS = [0, 0, 1, 1, 1, 2, 2]
PICTURES = [picture(seed) for seed in range(len(LABELS))]


def opened(path, **parameters):
    return RecordIo(path=path, **{"image_size": 12, **parameters}).open()


def stored(dataset):
    return [dataset.encoded(row) for row in range(len(dataset))]


@pytest.fixture
def rec(tmp_path):
    return insightface(PICTURES, LABELS).write(tmp_path / "set", classes=3)


def long_ago(*files):
    for file in files:
        os.utime(file, (1_000_000_000, 1_000_000_000))


def test_it_is_a_face_dataset(rec):
    assert isinstance(opened(rec), FaceDataset)


def test_insightface_images_are_read_bit_for_bit_in_the_order_of_keys(rec):
    assert stored(opened(rec)) == PICTURES


def test_insightface_labels_and_names(rec):
    dataset = opened(rec)
    assert (dataset.labels.dtype, dataset.labels.tolist()) == (np.int64, LABELS)
    assert dataset.identities == ("0", "1", "2")


def test_item_ids_are_the_keys(rec):
    assert opened(rec).item_ids == tuple(str(key) for key in range(1, 8))


def test_images_are_decoded(rec):
    index = np.array([6, 0, 3])
    assert np.array_equal(opened(rec).images(index), [decode(PICTURES[row], 12, "crop") for row in index])


def test_the_folder_that_holds_the_file_will_do(rec):
    assert stored(opened(rec.parent)) == PICTURES


def test_what_mxnet_wrote(tmp_path):
    (tmp_path / "train.rec").write_bytes(bytes.fromhex(OF_MXNET))
    (tmp_path / "train.idx").write_text("1\t0\n2\t40\n3\t96\n0\t136\n")
    dataset = opened(tmp_path, labels="record")
    assert stored(dataset) == [b"\xff\xd8\xff\xe0one", b"\xff\xd8\xff\xe0" + MAGIC + MAGIC + b"two"]
    assert (dataset.identities, dataset.labels.tolist()) == (("5",), [0, 0])


def test_what_mxnet_wrote_is_what_the_tests_write(tmp_path):
    images = [b"\xff\xd8\xff\xe0one", b"\xff\xd8\xff\xe0" + MAGIC + MAGIC + b"two"]
    payloads = {1: payload(5.0, images[0], 1), 2: payload(5.0, images[1], 2)}
    payloads |= {3: payload([1.0, 3.0], identifier=3), 0: payload([3.0, 4.0])}
    rec = RecordSet(payloads, [1, 2, 3, 0]).write(tmp_path)
    assert rec.read_bytes() == bytes.fromhex(OF_MXNET)
    assert rec.with_suffix(".idx").read_text() == "1\t0\n2\t40\n3\t96\n0\t136\n"


def test_im2rec_images_are_all_keys(tmp_path):
    dataset = opened(im2rec(PICTURES, [float(label) for label in LABELS]).write(tmp_path))
    assert (stored(dataset), dataset.labels.tolist()) == (PICTURES, LABELS)
    assert dataset.item_ids[0] == "0"


def test_keys_may_start_at_one_without_a_header(tmp_path):
    dataset = opened(im2rec(PICTURES, [float(label) for label in LABELS], start=1).write(tmp_path))
    assert (stored(dataset), dataset.item_ids[0]) == (PICTURES, "1")


def test_the_first_of_several_labels_counts(tmp_path):
    labels = [[float(label), 99.5] for label in LABELS]
    dataset = opened(im2rec(PICTURES, labels).write(tmp_path))
    assert (stored(dataset), dataset.labels.tolist()) == (PICTURES, LABELS)


def test_very_many_labels_are_passed_over(tmp_path):
    labels = [[float(label)] + [0.5] * 3000 for label in LABELS]
    dataset = opened(im2rec(PICTURES, labels).write(tmp_path))
    assert (stored(dataset), dataset.labels.tolist()) == (PICTURES, LABELS)


def test_records_in_any_order_in_the_file(tmp_path):
    written = insightface(PICTURES, LABELS)
    order = np.random.default_rng(0).permutation(len(written.payloads)).tolist()
    assert stored(opened(RecordSet(written.payloads, order).write(tmp_path))) == PICTURES


def test_an_index_in_any_order(rec):
    idx = rec.with_suffix(".idx")
    lines = idx.read_text().splitlines(keepends=True)
    idx.write_text("".join(lines[k] for k in np.random.default_rng(1).permutation(len(lines))))
    assert stored(opened(rec)) == PICTURES


def test_an_index_without_a_last_line_end(rec):
    idx = rec.with_suffix(".idx")
    idx.write_text(idx.read_text().rstrip())
    assert stored(opened(rec)) == PICTURES


@pytest.mark.parametrize("places", [[0], [4], [0, 1], [1, 2, 7], [3, 90]])
def test_images_that_hold_the_magic_number_are_put_together(tmp_path, places):
    """The image begins 24 bytes into its record, at a multiple of four."""
    images = []
    for seed in range(4):
        content = bytearray(picture(seed) + bytes(400))
        for place in places:
            content[4 * place + 8 : 4 * place + 12] = MAGIC
        images.append(bytes(content))
    rec = im2rec(images, [0.0, 0.0, 1.0, 1.0]).write(tmp_path)
    assert rec.read_bytes().count(MAGIC) > 4
    assert stored(opened(rec)) == images


def test_a_magic_number_that_is_not_aligned_cuts_nothing():
    content = payload(1.0, b"abc" + MAGIC + b"defgh")
    assert framed(content).count(MAGIC) == 2
    assert payload_of(framed(content)) == content


@pytest.mark.parametrize("seed", range(30))
def test_any_content_comes_back(seed):
    rng = np.random.default_rng(seed)
    words = [MAGIC if rng.random() < 0.4 else rng.bytes(4) for _ in range(rng.integers(0, 12))]
    content = b"".join(words) + rng.bytes(rng.integers(0, 4))
    assert payload_of(framed(content)) == content


def test_the_beginnings_are_read_in_pieces(rec, monkeypatch):
    expected = opened(rec)
    monkeypatch.setattr(index, "_WINDOW", 300)
    again = index.read_index(archive.Archive(rec), rec.with_suffix(".idx"))
    found = layout.image_records(archive.Archive(rec), again)
    assert found.labels.tolist() == expected.labels.tolist()
    assert found.keys.tolist() == list(range(1, 8))


def test_identities_are_named_by_their_number(tmp_path):
    dataset = opened(im2rec(PICTURES, [7.0, 7.0, 100.0, 100.0, 100.0, 20.0, 20.0]).write(tmp_path))
    assert dataset.identities == ("7", "20", "100")
    assert dataset.labels.tolist() == [0, 0, 2, 2, 2, 1, 1]


def write_list(rec, paths, name="list.txt", keys=None):
    keys = range(len(paths)) if keys is None else keys
    rec.with_name(name).write_text("".join(f"{key}\t{path}\n" for key, path in zip(keys, paths, strict=True)))


@pytest.fixture
def dcface(tmp_path):
    """Make DCFace's layout: labels that mean nothing, the identity in the path of the list."""
    rec = im2rec(PICTURES, [float(k) for k in range(7)]).write(tmp_path / "dcface", name="file")
    write_list(rec, [f"{person}/{k}.jpg" for k, person in enumerate([10, 10, 2, 2, 2, 5, 5])])
    return rec


def test_paths_say_who_is_on_the_images(dcface):
    dataset = opened(dcface)
    assert dataset.identities == ("2", "5", "10")
    assert dataset.labels.tolist() == [2, 2, 0, 0, 0, 1, 1]
    assert dataset.item_ids[2] == "2:2/2.jpg"
    assert stored(dataset) == PICTURES


def test_a_list_in_any_order(dcface):
    lines = dcface.with_name("list.txt").read_text().splitlines(keepends=True)
    expected = opened(dcface).labels.tolist()
    dcface.with_name("list.txt").write_text("".join(lines[::-1]))
    assert opened(dcface).labels.tolist() == expected


def test_the_whole_folder_is_the_identity(dcface):
    write_list(dcface, ["a/x/1.jpg", "a/x/2.jpg", "b/x/1.jpg", "b/x/2.jpg", "b/x/3.jpg", "c/1.jpg", "c/2.jpg"])
    assert opened(dcface).identities == ("a/x", "b/x", "c")


def test_labels_that_are_asked_for_are_used_with_a_warning(dcface):
    with pytest.warns(UserWarning, match="group the images otherwise"):
        dataset = opened(dcface, labels="record", min_images=1)
    assert len(dataset.identities) == 7


def test_labels_that_agree_with_the_list_are_used_without_a_warning(tmp_path, recwarn):
    rec = im2rec(PICTURES, [float(label) for label in LABELS]).write(tmp_path)
    write_list(rec, [f"p{label}/{k}.jpg" for k, label in enumerate(LABELS)])
    assert opened(rec, labels="record").identities == ("0", "1", "2")
    assert not recwarn.list


def test_the_list_of_cvlface(tmp_path):
    rec = im2rec(PICTURES, [float(label) for label in LABELS]).write(tmp_path)
    lines = [f"{k}\t{label}/{k}.jpg\t{label}\n" for k, label in enumerate(LABELS)]
    rec.with_suffix(".tsv").write_text("".join(lines))
    assert opened(rec).item_ids[2] == "2:1/2.jpg"


def test_the_list_of_im2rec(tmp_path):
    rec = im2rec(PICTURES, [0.0] * 7).write(tmp_path)
    lines = [f"{k}\t0.000000\tp{label}/{k}.jpg\n" for k, label in enumerate(LABELS)]
    rec.with_suffix(".lst").write_text("".join(lines))
    assert opened(rec).identities == ("p0", "p1", "p2")


def test_the_list_of_insightface_has_no_keys_and_is_passed_over(rec):
    rec.with_suffix(".lst").write_text("".join(f"1\t/raid/faces/{label}/x.jpg\t{label}\n" for label in LABELS))
    assert opened(rec).identities == ("0", "1", "2")


def test_labels_without_a_list_that_are_no_identities_are_taken_when_asked_for(dcface):
    dcface.with_name("list.txt").unlink()
    assert opened(dcface, labels="record", min_images=1).labels.tolist() == list(range(7))


def test_opening_again_reads_no_records(rec, monkeypatch):
    long_ago(rec, rec.with_suffix(".idx"))
    first = opened(rec)
    monkeypatch.setattr(index, "_read_keys", lambda idx: pytest.fail("read again"))
    again = opened(rec)
    assert (again.fingerprint, again.labels.tolist(), stored(again)) == (first.fingerprint, LABELS, PICTURES)


def test_a_changed_file_is_read_again(rec):
    long_ago(rec, rec.with_suffix(".idx"))
    opened(rec)
    changed = insightface(PICTURES[::-1], LABELS).write(rec.parent, classes=3)
    assert stored(opened(changed)) == PICTURES[::-1]


@pytest.mark.parametrize("damage", [lambda kept: kept[:-100], lambda kept: b"", lambda kept: b"PK" + kept[2:200]])
def test_a_damaged_cache_is_made_anew(rec, tmp_path, damage):
    long_ago(rec, rec.with_suffix(".idx"))
    opened(rec)
    (kept,) = (tmp_path / "cache" / "arrays").glob("*.npz")
    kept.write_bytes(damage(kept.read_bytes()))
    assert stored(opened(rec)) == PICTURES


def test_a_cache_that_cannot_be_written_only_costs_time(rec, monkeypatch):
    monkeypatch.setenv("FACEASSAY_CACHE", "/dev/null/nowhere")
    assert stored(opened(rec)) == PICTURES


def test_the_fingerprint_does_not_depend_on_the_place(rec, tmp_path):
    before = opened(rec).fingerprint
    rec.parent.rename(tmp_path / "moved")
    assert opened(tmp_path / "moved").fingerprint == before


@pytest.mark.parametrize("parameters", [{"image_size": 16}, {"fit": "pad"}])
def test_the_fingerprint_depends_on_the_decoding(rec, parameters):
    assert opened(rec, **parameters).fingerprint != opened(rec).fingerprint


def test_the_fingerprint_depends_on_what_says_who_is_on_the_images(tmp_path):
    rec = im2rec(PICTURES, [float(label) for label in LABELS]).write(tmp_path)
    write_list(rec, [f"{label}/{k}.jpg" for k, label in enumerate([0, 0, 0, 1, 1, 2, 2])])
    of_paths = opened(rec).fingerprint
    with pytest.warns(UserWarning, match="otherwise"):
        assert opened(rec, labels="record").fingerprint != of_paths


def test_the_fingerprint_depends_on_the_images(rec, tmp_path):
    other = insightface([picture(77), *PICTURES[1:]], LABELS).write(tmp_path / "other")
    assert opened(other).fingerprint != opened(rec).fingerprint


def test_it_survives_pickling(rec):
    dataset = opened(rec)
    dataset.encoded(0)
    assert stored(pickle.loads(pickle.dumps(dataset))) == PICTURES


def test_many_threads_read_at_once(rec):
    dataset, wrong = opened(rec), []

    def read(seed):
        for row in np.random.default_rng(seed).integers(0, 7, 300).tolist():
            if dataset.encoded(row) != PICTURES[row]:
                wrong.append(row)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_is_wrong_with_good_images(rec):
    assert list(damaged_images(opened(rec))) == []


def test_damaged_images_are_found_and_named(tmp_path):
    images = [PICTURES[0], PICTURES[1][:60], PICTURES[2], PICTURES[3][:80]]
    rec = im2rec(images, [0.0, 0.0, 1.0, 1.0]).write(tmp_path)
    complaints = list(damaged_images(opened(rec)))
    assert [complaint.split(": damaged")[0] for complaint in complaints] == [f"{rec}: key 1", f"{rec}: key 3"]


def test_a_union_names_the_records_of_both(rec):
    both = union({"first": opened(rec), "second": opened(rec)})
    assert (both.item_ids[0], both.item_ids[-1]) == ("first/1", "second/7")


def test_sets_of_other_sizes_make_no_union(rec):
    with pytest.raises(DataError, match="cannot be one set"):
        union({"first": opened(rec), "second": opened(rec, image_size=16)})


def listed(folder, ids):
    """Write images without labels whose headers have the numbers ``ids``, and the list that says who they are."""
    folder.mkdir()
    payloads = {key: payload(0.0, image, number) for key, (image, number) in enumerate(zip(PICTURES, ids, strict=True))}
    lines = (f"{key}\t{label}/{key}.jpg\n" for key, label in enumerate(LABELS))
    (folder / "list.txt").write_text("".join(lines))
    return RecordSet(payloads).write(folder)


def test_an_index_whose_lines_are_exchanged_is_noticed_where_a_list_says_who_is_on_an_image(tmp_path):
    with pytest.warns(UserWarning, match=r"2 records have the number of another one's key"):
        opened(listed(tmp_path / "set", [0, 5, 2, 3, 4, 1, 6]))


@pytest.mark.parametrize("ids", [range(7), [0] * 7, range(1, 8), [2**40 + k for k in range(7)]])
def test_numbers_that_are_no_other_record_s_key_are_nothing(tmp_path, ids, recwarn):
    assert stored(opened(listed(tmp_path / "set", ids))) == PICTURES
    assert not recwarn.list
