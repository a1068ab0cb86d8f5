"""Conversions: whole or not at all, compared with the source, begun anew after an interruption."""

import numpy as np
import pytest

from faceassay.contracts import DataError, DataPath, WritableDataset, Written, parameter
from faceassay.sets.converting import convert
from stored_faces import StoredFaces, stored_faces


class OneFile(WritableDataset):
    """Keep a set in one file of hexadecimal lines; class attributes make it lie."""

    name = "one-file"
    version = "1"
    summary = "hexadecimal lines"

    path: DataPath = parameter(description="the file")

    def open(self):
        lines = [line.split() for line in self.path.read_text().splitlines()]
        names = tuple(dict.fromkeys(name for name, _ in lines))
        labels = np.array([names.index(name) for name, _ in lines], dtype=np.int64)
        contents = [bytes.fromhex(content) for _, content in lines]
        return StoredFaces(contents, labels, names, tuple(map(str, range(len(lines)))))

    @classmethod
    def write(cls, data, target, advance):
        with target.open("x") as file:
            for row in range(len(data)):
                cls.line(file, data.identities[data.labels[row]], data.encoded(row))
                advance(1)
        return Written(np.arange(len(data)), tuple(data.identities))

    @classmethod
    def line(cls, file, name, content):
        file.write(f"{name} {content.hex()}\n")


class WrongBytes(OneFile):
    """Change a byte of every file."""

    @classmethod
    def line(cls, file, name, content):
        file.write(f"{name} {content[:-1].hex()}00\n")


class WrongPeople(OneFile):
    """Give all images to one person."""

    @classmethod
    def line(cls, file, name, content):
        file.write(f"a {content.hex()}\n")


class TooMany(OneFile):
    """Write everything twice."""

    @classmethod
    def line(cls, file, name, content):
        file.write(f"{name} {content.hex()}\n" * 2)


class Full(OneFile):
    """Find the disk full at the second image."""

    @classmethod
    def line(cls, file, name, content):
        if file.tell():
            raise OSError(28, "No space left on device")
        super().line(file, name, content)


class Interrupted(OneFile):
    """Be interrupted at the first image."""

    @classmethod
    def line(cls, file, name, content):
        raise KeyboardInterrupt


@pytest.fixture
def faces():
    return stored_faces({"a": 2, "b": 3})


def nothing(done):
    pass


def test_written_set_is_returned_as_it_is_read(faces, tmp_path):
    back = convert(faces, OneFile, tmp_path / "set", nothing)
    assert (back.contents, back.identities) == (faces.contents, faces.identities)


def test_nothing_but_the_target_is_left(faces, tmp_path):
    convert(faces, OneFile, tmp_path / "set", nothing)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_progress_tells_every_image_twice(faces, tmp_path):
    told = []
    convert(faces, OneFile, tmp_path / "set", told.append)
    assert sum(told) == 2 * len(faces)


@pytest.mark.parametrize("there", ["file", "folder", "broken link"])
def test_existing_target_is_refused_and_left_alone(there, faces, tmp_path):
    target = tmp_path / "set"
    if there == "file":
        target.write_text("mine")
    elif there == "folder":
        target.mkdir()
    else:
        target.symlink_to("nowhere")
    with pytest.raises(DataError, match="set exists: give another name"):
        convert(faces, OneFile, target, nothing)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_target_that_appears_meanwhile_is_left_alone(faces, tmp_path):
    target = tmp_path / "set"
    with pytest.raises(DataError, match="exists"):
        convert(faces, OneFile, target, lambda done: target.write_text("somebody's"))
    assert target.read_text() == "somebody's"
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_missing_folder_is_named(faces, tmp_path):
    with pytest.raises(DataError, match="nowhere is no folder: make it first"):
        convert(faces, OneFile, tmp_path / "nowhere/set", nothing)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (WrongBytes, "a/0.png is read back with other bytes"),
        (WrongPeople, "b/2.png is read back as one of 'a'"),
        (TooMany, "5 images were to be written, 10 are read back"),
        (Full, "cannot be written .No space left on device"),
    ],
    ids=["bytes", "people", "count", "disk"],
)
def test_what_goes_wrong_leaves_nothing_behind(form, message, faces, tmp_path):
    with pytest.raises(DataError, match=message):
        convert(faces, form, tmp_path / "set", nothing)
    assert list(tmp_path.iterdir()) == []


def test_unreadable_source_leaves_nothing_behind(faces, tmp_path):
    faces.contents[4] = None
    with pytest.raises(DataError, match=r"b/4\.png cannot be read"):
        convert(faces, OneFile, tmp_path / "set", nothing)
    assert list(tmp_path.iterdir()) == []


def test_interruption_leaves_nothing_behind(faces, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        convert(faces, Interrupted, tmp_path / "set", nothing)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_killed_conversion_left_is_replaced(folder, faces, tmp_path):
    left = tmp_path / ".set.unfinished"
    if folder:
        (left / "a").mkdir(parents=True)
    else:
        left.write_text("half")
    convert(faces, OneFile, tmp_path / "set", nothing)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
