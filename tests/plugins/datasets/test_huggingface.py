"""Hugging Face datasets, written with pyarrow in the layout of `save_to_disk`; nothing of the library is needed."""

import json
import os
import pickle

import numpy as np
import pyarrow
import pytest

from faceassay import DataError, FaceDataset
from faceassay_plugins.datasets.huggingface import HuggingFace
from miniatures.recordio import picture

LABELS = [2, 2, 0, 0, 1, 1]
IMAGES = [picture(row) for row in range(6)]
IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def structs(images, kind=IMAGE):
    return pyarrow.array([{"bytes": image, "path": None} for image in images], type=kind)


def write(folder, parts, features=None, names=None, batch=2, **state):
    """Write Arrow streams of columns, and the two documents beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    names = names or [f"data-{number:05d}-of-{len(parts):05d}.arrow" for number in range(len(parts))]
    for name, columns in zip(names, parts, strict=True):
        table = pyarrow.table(columns)
        options = pyarrow.ipc.IpcWriteOptions(compression=state.pop("compression", None))
        with pyarrow.ipc.new_stream(str(folder / name), table.schema, options=options) as stream:
            stream.write_table(table, max_chunksize=batch)
        os.utime(folder / name, (1_000_000_000, 1_000_000_000))
    document = {"_data_files": [{"filename": name} for name in names], "_split": "train", **state}
    (folder / "state.json").write_text(json.dumps(document))
    if features is not None:
        (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    return folder


def simple(folder, labels=LABELS, images=IMAGES, features=None, **state):
    return write(folder, [{"image": structs(images), "label": labels}], features, **state)


def opened(path, **parameters):
    return HuggingFace(path=path, **{"image_size": 12, **parameters}).open()


def message_of(path, **parameters):
    with pytest.raises(DataError) as caught:
        opened(path, **parameters)
    return str(caught.value)


def stored(dataset):
    return [dataset.encoded(row) for row in range(len(dataset))]


@pytest.fixture
def faces(tmp_path):
    """Make a dataset of two files with named class labels."""
    parts = [{"image": structs(IMAGES[rows]), "label": LABELS[rows]} for rows in (slice(0, 3), slice(3, 6))]
    features = {
        "image": {"_type": "Image"},
        "label": {"names": ["anna", "bela", "carla", "none"], "_type": "ClassLabel"},
    }
    return write(tmp_path / "faces", parts, features)


def test_it_is_a_face_dataset(faces):
    assert isinstance(opened(faces), FaceDataset)


def test_images_are_read_bit_for_bit_in_the_order_of_the_rows(faces):
    assert stored(opened(faces)) == IMAGES


def test_class_labels_have_names_and_those_without_images_are_left_out(faces):
    dataset = opened(faces)
    assert dataset.identities == ("anna", "bela", "carla")
    assert (dataset.labels.dtype, dataset.labels.tolist()) == (np.int64, LABELS)


def test_item_ids_are_row_numbers(faces):
    assert opened(faces).item_ids[4] == "000000004"


@pytest.mark.parametrize("batch", [1, 2, 6])
def test_batches_of_any_length(tmp_path, batch):
    assert stored(opened(simple(tmp_path, batch=batch))) == IMAGES


def test_whole_numbers_without_names(tmp_path):
    dataset = opened(simple(tmp_path, [10, 10, 2, 2, 0, 0]))
    assert (dataset.identities, dataset.labels.tolist()) == (("0", "2", "10"), [2, 2, 1, 1, 0, 0])


def test_texts(tmp_path):
    assert opened(simple(tmp_path, ["b", "b", "a", "a", "c", "c"])).identities == ("a", "b", "c")


@pytest.mark.parametrize("kind", [pyarrow.binary(), pyarrow.large_binary()])
def test_columns_of_plain_bytes_with_other_names(tmp_path, kind):
    write(tmp_path, [{"face": pyarrow.array(IMAGES, type=kind), "who": LABELS}])
    assert stored(opened(tmp_path, image_column="face", label_column="who")) == IMAGES


def test_a_split_of_several_is_chosen(faces, tmp_path):
    faces.rename(faces.parent / "train")
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert len(opened(tmp_path, split="train")) == 6
    assert "choose one of the splits train, test" in message_of(tmp_path)
    assert "choose one of the splits train, test" in message_of(tmp_path, split="other")


def test_a_single_split_needs_no_choice(faces, tmp_path):
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["faces"]}')
    assert len(opened(tmp_path)) == 6


def test_a_split_outside_the_folder_is_refused(tmp_path):
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["../x"]}')
    assert "choose one of the splits" in message_of(tmp_path)


def test_opening_again_reads_no_columns(faces, monkeypatch):
    os.utime(faces / "dataset_info.json", (1_000_000_000, 1_000_000_000))
    first = opened(faces)
    monkeypatch.setattr(pyarrow.ipc, "open_stream", lambda *_: pytest.fail("read again"))
    assert (opened(faces).fingerprint, stored(opened(faces))) == (first.fingerprint, IMAGES)


def test_it_survives_pickling(faces):
    assert stored(pickle.loads(pickle.dumps(opened(faces)))) == IMAGES


@pytest.mark.parametrize("place", ["state.json", "dataset_info.json"])
def test_a_damaged_document_is_refused(faces, place):
    (faces / place).write_text("{")
    assert place in message_of(faces)


def test_a_folder_that_is_none_is_refused(tmp_path):
    assert "give the folder that save_to_disk wrote" in message_of(tmp_path)


@pytest.mark.parametrize("names", [["../data.arrow"], ["/etc/passwd"], [], [3], [None]])
def test_files_outside_the_folder_are_refused(faces, names):
    (faces / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    assert "names no Arrow files of this folder" in message_of(faces)


def test_a_missing_file_is_named(faces):
    (faces / "data-00001-of-00002.arrow").unlink()
    assert "data-00001-of-00002.arrow" in message_of(faces)


def test_a_table_of_indices_is_refused(tmp_path):
    assert "flatten_indices" in message_of(simple(tmp_path, _indices_data_files=[{"filename": "i.arrow"}]))


def test_compressed_batches_are_refused(tmp_path):
    assert "compressed" in message_of(simple(tmp_path, compression="lz4"))


def test_a_missing_column_is_named(faces):
    assert "no column 'face' among image, label: say image_column" in message_of(faces, image_column="face")


def test_paths_without_images_are_refused(tmp_path):
    images = pyarrow.array([{"bytes": None, "path": "a.png"}] * 6, type=IMAGE)
    assert "embed" in message_of(write(tmp_path, [{"image": images, "label": LABELS}]))


def test_rows_that_are_null_are_refused(tmp_path):
    images = pyarrow.array([None, *({"bytes": image, "path": None} for image in IMAGES[1:])], type=IMAGE)
    assert "not the bytes of image files" in message_of(write(tmp_path, [{"image": images, "label": LABELS}]))


def test_pixels_are_refused(tmp_path):
    assert "images are list" in message_of(write(tmp_path, [{"image": [[1, 2]] * 6, "label": LABELS}]))


@pytest.mark.parametrize("labels", [[0.5] * 6, [None, 1, 1, 0, 0, 0], [True] * 6, [[1]] * 6])
def test_labels_that_are_no_identities_are_refused(tmp_path, labels):
    assert "labels must be whole numbers or texts" in message_of(simple(tmp_path, labels))


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_without_a_name_is_refused(tmp_path, label):
    features = {"label": {"names": ["a", "b"]}}
    message = message_of(simple(tmp_path, [0, 0, 1, 1, 1, label], features=features))
    assert f"labels beyond the 2 class names: row 5 ({label})" in message


def test_an_empty_image_is_found_at_opening(tmp_path):
    assert "row 1 (zero bytes)" in message_of(simple(tmp_path, images=[IMAGES[0], b"", *IMAGES[2:]]))


def test_what_is_no_image_is_found_at_opening(tmp_path):
    assert "row 1 (no image format)" in message_of(simple(tmp_path, images=[IMAGES[0], b"GIF89a", *IMAGES[2:]]))


def test_a_dataset_without_rows_is_refused(tmp_path):
    assert "holds no rows" in message_of(simple(tmp_path, pyarrow.array([], pyarrow.int64()), []))


def test_identities_with_few_images_are_named(faces):
    assert "3 of 3 identities have fewer than min_images: 3 images: anna (2)" in message_of(faces, min_images=3)


def test_a_file_cut_anywhere_is_refused(tmp_path):
    simple(tmp_path, [0, 0], IMAGES[:2], batch=1)
    file = tmp_path / "data-00000-of-00001.arrow"
    content = file.read_bytes()
    for length in range(0, len(content), 4):
        file.write_bytes(content[:length])
        message_of(tmp_path)


def test_a_single_changed_byte_never_ends_in_another_error(tmp_path):
    simple(tmp_path, [0, 0], [picture(0, (4, 4)), picture(1, (4, 4))], batch=1)
    file = tmp_path / "data-00000-of-00001.arrow"
    content = file.read_bytes()
    for place in range(0, len(content), 5):
        file.write_bytes(content[:place] + bytes([content[place] ^ 0x15]) + content[place + 1 :])
        try:
            opened(tmp_path, min_images=1).images(np.arange(2))
        except DataError:
            continue


def test_a_file_named_twice_is_refused(tmp_path):
    folder = write(tmp_path / "set", [{"image": structs(IMAGES), "label": LABELS}], names=["a.arrow"])
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "a.arrow"}] * 2}))
    assert "Arrow files that are named twice: a.arrow" in message_of(folder)


def test_rows_behind_the_end_of_a_stream_are_not_passed_over(faces):
    file = min(faces.glob("*.arrow"))
    file.write_bytes(2 * file.read_bytes())
    assert "more lies behind it" in message_of(faces)


def test_batches_without_rows_are_nothing(tmp_path):
    folder = simple(tmp_path / "set")
    table = pyarrow.table({"image": structs(IMAGES), "label": LABELS})
    empty = pyarrow.RecordBatch.from_pylist([], schema=table.schema)
    with pyarrow.ipc.new_stream(str(min(folder.glob("*.arrow"))), table.schema) as stream:
        for batch in (empty, *table.to_batches(max_chunksize=4), empty):
            stream.write_batch(batch)
    assert stored(opened(folder)) == IMAGES


def test_images_that_are_all_empty_are_named(tmp_path):
    assert "row 0 (zero bytes)" in message_of(simple(tmp_path / "set", images=[b""] * 6))


def test_class_names_that_are_there_twice_are_refused(tmp_path):
    features = {"label": {"names": ["anna", "bela", "anna"]}}
    assert "identities run together: anna" in message_of(simple(tmp_path / "set", features=features))


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    columns = [structs(IMAGES), pyarrow.array(LABELS), pyarrow.array(LABELS)]
    folder = simple(tmp_path / "set")
    table = pyarrow.Table.from_arrays(columns, names=["image", "label", "label"])
    with pyarrow.ipc.new_stream(str(min(folder.glob("*.arrow"))), table.schema) as stream:
        stream.write_table(table)
    assert "more than one column 'label'" in message_of(folder)
