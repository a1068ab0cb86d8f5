"""Sets written as folder, .zip, shards and RecordIO, each read by another program than its own, and by its own."""

import io
import json
import tarfile
import urllib.parse
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from faceassay import DataError, WritableDataset
from faceassay_plugins.datasets.folder import Folder
from faceassay_plugins.datasets.recordio.plugin import RecordIo
from faceassay_plugins.datasets.recordio.records import payload_of, record_of
from faceassay_plugins.datasets.shards.plugin import Shards
from faceassay_plugins.datasets.written import safe_name
from faceassay_plugins.datasets.zipped import Zip
from miniatures.recordio import MAGIC, RecordSet, framed, payload, picture
from stored_faces import StoredFaces, stored_faces

FORMS = {"folder": Folder, "zip": Zip, "shards": Shards, "recordio": RecordIo}
KINDS = ("JPEG", "PNG", "WEBP", "BMP", "PPM")
SUFFIXES = (".jpg", ".png", ".webp", ".bmp", ".ppm")


@pytest.fixture
def faces():
    """People in an order that is not the natural one; ten images in five formats under ids without a suffix."""
    data = stored_faces({"s10": 3, "s2": 5, "a": 2}, KINDS)
    return data.in_order([9, 0, 3, 1, 4, 2, 5, 6, 8, 7])


def write(form, data, target):
    return FORMS[form].write(data, target, lambda done: None)


def opened(form, target, **more):
    return FORMS[form](path=target, min_images=1, image_size=12, **more).open()


def by_identity(data):
    found = {}
    for row, label in enumerate(data.labels):
        found.setdefault(data.identities[label], []).append(data.encoded(row))
    return found


def grey(kind, mode="L"):
    stream = io.BytesIO()
    Image.new(mode, (4, 4), 200).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_form_can_be_written(form):
    assert issubclass(FORMS[form], WritableDataset)


@pytest.mark.parametrize("form", FORMS)
def test_own_reader_finds_the_same_bytes_of_the_same_people_in_the_same_order(form, faces, tmp_path):
    write(form, faces, tmp_path / "set")
    assert by_identity(opened(form, tmp_path / "set")) == by_identity(faces)


@pytest.mark.parametrize("form", FORMS)
def test_what_was_written_is_where_it_is_said_to_be(form, faces, tmp_path):
    written, back = write(form, faces, tmp_path / "set"), opened(form, tmp_path / "set")
    assert [back.encoded(k) for k in range(10)] == [faces.encoded(row) for row in written.rows]
    names = [written.identities[label] for label in faces.labels[written.rows]]
    assert [back.identities[label] for label in back.labels] == names


@pytest.mark.parametrize("form", FORMS)
def test_equal_sets_are_written_equal(form, faces, tmp_path):
    for name in ("one", "two"):
        write(form, faces, tmp_path / name)
    assert opened(form, tmp_path / "one").fingerprint == opened(form, tmp_path / "two").fingerprint


@pytest.mark.parametrize("form", FORMS)
def test_progress_tells_every_image(form, faces, tmp_path):
    told = []
    FORMS[form].write(faces, tmp_path / "set", told.append)
    assert sum(told) == len(faces)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_no_image_is_refused_by_name(form, faces, tmp_path):
    faces.contents[4] = b"%PDF"
    with pytest.raises(DataError, match=f"image {faces.item_ids[4]}: begins like no JPEG"):
        write(form, faces, tmp_path / "set")


@pytest.mark.parametrize("form", FORMS)
def test_form_recognises_what_it_wrote_and_no_other_does(form, faces, tmp_path):
    target = tmp_path / ("set.zip" if form == "zip" else "set")
    write(form, faces, target)
    assert [name for name, cls in FORMS.items() if cls.recognises(target)] == [form]


def test_zip_as_another_program_reads_it(faces, tmp_path):
    write("zip", faces, tmp_path / "set.zip")
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    ids = [(faces.identities[label], item) for label, item in zip(faces.labels, faces.item_ids, strict=True)]
    assert sorted(found.values()) == sorted(faces.contents)
    assert {name.split("/")[0] for name in found} == {name for name, _ in ids}


def test_files_keep_their_names_with_the_suffix_of_what_they_are(tmp_path):
    data = stored_faces({"a": 5}, KINDS)
    data.item_ids = ("x/1.jpg", "k:y/2.JPEG", "3", "4.part", "z/10")
    write("folder", data, tmp_path / "set")
    assert {file.name: file.read_bytes() for file in (tmp_path / "set/a").iterdir()} == dict(
        zip(["1.jpg", "2.png", "3.webp", "4.part.bmp", "10.ppm"], data.contents, strict=True)
    )


@pytest.mark.parametrize("ids", [("x/1", "y/1"), ("2", "1"), ("a/", "b/")], ids=["same", "descending", "none"])
def test_files_are_called_by_their_rows_where_their_names_would_not_do(ids, tmp_path):
    data = stored_faces({"a": 2})
    data.item_ids = ids
    write("folder", data, tmp_path / "set")
    assert sorted(file.name for file in (tmp_path / "set/a").iterdir()) == ["000000000.png", "000000001.png"]


@pytest.mark.parametrize(
    ("content", "suffix"),
    [*((picture(kind=kind), suffix) for kind, suffix in zip(KINDS, SUFFIXES, strict=True)), (grey("PPM"), ".pgm")],
    ids=[*KINDS, "PGM"],
)
def test_suffix_says_what_the_bytes_are(content, suffix, tmp_path):
    data = stored_faces({"a": 1})
    data.contents = [content]
    write("folder", data, tmp_path / "set")
    assert [file.suffix for file in (tmp_path / "set/a").iterdir()] == [suffix]


@pytest.mark.parametrize("form", ["folder", "zip", "recordio"])
@pytest.mark.parametrize(
    "name", ["../x", "a/b", ".hidden", "c:", "100%", "back\\slash", "line\nbreak", "tab\t", "é 李"]
)
def test_names_that_cannot_be_folders_are_written_reversibly(form, name, tmp_path):
    data = stored_faces({name: 2, "b": 2})
    write(form, data, tmp_path / "set")
    back = opened(form, tmp_path / "set")
    names = [urllib.parse.unquote(name, errors="surrogateescape") for name in back.identities]
    assert sorted(names) == sorted([name, "b"])
    assert [path.name for path in tmp_path.iterdir()] == ["set"] or (tmp_path / "cache").is_dir()


@pytest.mark.parametrize("name", ["", "x" * 300])
def test_names_that_cannot_be_written_are_refused(name, tmp_path):
    with pytest.raises(DataError, match="cannot be the name of a folder"):
        write("folder", stored_faces({name: 2}), tmp_path / "set")


@given(st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()))
def test_safe_name_is_reversible_and_safe(name):
    safe = safe_name(name)
    assert urllib.parse.unquote(safe) == name
    assert "/" not in safe
    assert not safe.startswith(".")


def test_shards_as_another_program_reads_them(faces, tmp_path):
    write("shards", faces, tmp_path / "set")
    with tarfile.open(tmp_path / "set/shard-00000.tar") as tar:
        members = {info.name: tar.extractfile(info).read() for info in tar}
    names = [f"{row:09d}" for row in range(10)]
    images = [
        members[next(name for name in members if name.startswith(key) and not name.endswith("cls"))] for key in names
    ]
    assert images == faces.contents
    assert [int(members[f"{key}.cls"]) for key in names] == faces.labels.tolist()
    assert json.loads((tmp_path / "set/identities.json").read_text()) == list(faces.identities)


def test_shards_keep_any_name_and_order(faces, tmp_path):
    faces.identities = ("../x", "", ".")
    write("shards", faces, tmp_path / "set")
    back = opened("shards", tmp_path / "set")
    assert tuple(back.identities) == faces.identities
    assert back.labels.tolist() == faces.labels.tolist()


def test_shards_of_others_readers_need_no_index(faces, tmp_path):
    write("shards", faces, tmp_path / "set")
    back = Shards(path=tmp_path / "set/shard-00000.tar", min_images=1).open()
    assert [back.encoded(row) for row in range(10)] == faces.contents


def test_recordio_is_byte_for_byte_what_a_second_implementation_writes(tmp_path):
    """Identity b before a by number of label: natural order of names."""
    data = stored_faces({"b": 2, "a": 3}, ("JPEG", "PNG"))
    data.contents[1] += b"\0" * (-len(data.contents[1]) % 4) + MAGIC + b"tail"
    write("recordio", data, tmp_path / "set")
    images = [data.contents[row] for row in (2, 3, 4, 0, 1)]
    expected = {1 + k: payload([0.0, 0.0, 0.0, 1.0, 1.0][k], image, 1 + k) for k, image in enumerate(images)}
    expected |= {6: payload([1, 4], b"", 6), 7: payload([4, 6], b"", 7), 0: payload([6, 8])}
    RecordSet(expected, [*range(1, 8), 0]).write(tmp_path / "other", classes=2)
    for name in ("train.rec", "train.idx"):
        assert (tmp_path / "set" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    assert (tmp_path / "set/property").read_text() == "2,12,12\n"


def test_recordio_names_a_first_image_whose_size_cannot_be_read(tmp_path):
    data = stored_faces({"a": 2})
    data.contents[0] = data.contents[0][:12]
    with pytest.raises(DataError, match=r"image a/0\.png is damaged"):
        write("recordio", data, tmp_path / "set")


def test_recordio_lists_the_names(tmp_path):
    write("recordio", stored_faces({"b": 1, "a": 1}), tmp_path / "set")
    assert (tmp_path / "set/list.txt").read_text() == "1\ta/1.png\n2\tb/0.png\n"


def test_recordio_without_its_list_has_numbers_for_names_in_the_same_order(faces, tmp_path):
    write("recordio", faces, tmp_path / "set")
    back = opened("recordio", tmp_path / "set", labels="record")
    assert tuple(back.identities) == ("0", "1", "2")
    assert list(by_identity(back).values()) == [by_identity(faces)[name] for name in ("a", "s2", "s10")]


@given(st.lists(st.sampled_from([b"", b"a", b"abc", b"abcd", MAGIC, MAGIC[:3], b"\0"]), max_size=8).map(b"".join))
def test_record_is_framed_as_by_a_second_implementation(content):
    assert record_of(content) == framed(content)
    assert payload_of(record_of(content)) == content


def test_recordio_refuses_more_than_float32_counts(tmp_path):
    class Endless(StoredFaces):
        def __len__(self):
            return 2**24 - 1

    small = stored_faces({"a": 1})
    many = Endless(small.contents, small.labels, small.identities, small.item_ids)
    with pytest.raises(DataError, match=r"too many for RecordIO.*write shards"):
        write("recordio", many, tmp_path / "set")


def test_round_trip_through_all_forms_gives_back_every_byte(tmp_path):
    data = stored_faces({"s1": 2, "s2": 4, "s10": 3}, KINDS)
    source = data
    for form in ("zip", "recordio", "shards", "folder"):
        write(form, source, tmp_path / form)
        source = opened(form, tmp_path / form)
    assert [source.encoded(row) for row in range(len(data))] == data.contents
    assert tuple(source.identities) == data.identities
    assert np.array_equal(source.labels, data.labels)
