"""The dataset `subset`: chosen images of a set that lies elsewhere, looked up, checked, told apart by fingerprint."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from faceassay import DataError, FaceDataset
from faceassay.contracts.plugin import ABSENT
from faceassay.sets.choosing import Rule, choose
from faceassay.sets.subset import read_subset, write_subset
from faceassay_plugins.datasets.folder import Folder
from faceassay_plugins.datasets.subset import Subset


@pytest.fixture
def whole(people):
    return Folder(path=people, min_images=1, image_size=16)


@pytest.fixture
def file(whole, tmp_path):
    """Choose one image of two people; beside the folder of the people."""
    file = tmp_path / "part.json"
    record(file, whole, Rule(high=1, count=2))
    return file


def record(file, plugin, rule):
    data = plugin.open()
    write_subset(file, plugin, data, rule, choose(data, rule, lambda done: None))


def edit(file, change):
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def test_subset_is_a_face_dataset(file):
    assert isinstance(Subset(path=file).open(), FaceDataset)


def test_chosen_images_are_those_of_the_whole_set(file, whole):
    part, data = Subset(path=file).open(), whole.open()
    places = [data.item_ids.index(item) for item in part.item_ids]
    assert [part.encoded(k) for k in range(2)] == [data.encoded(place) for place in places]
    assert (part.images(np.arange(2)) == data.images(np.array(places))).all()
    assert [part.identities[label] for label in part.labels] == [data.identities[data.labels[k]] for k in places]


def test_items_are_those_of_the_file(file):
    items = read_subset(file).items
    assert tuple(Subset(path=file).open().item_ids) == tuple(item for ids in items.values() for item in ids)


def test_path_is_recorded_relative_to_the_file(file):
    assert read_subset(file).parameters["path"] == "people"


def test_file_and_set_may_move_together(file, people, tmp_path):
    before = Subset(path=file).open().fingerprint
    (tmp_path / "elsewhere").mkdir()
    for path in (file, people):
        shutil.move(path, tmp_path / "elsewhere")
    assert Subset(path=tmp_path / "elsewhere/part.json").open().fingerprint == before


def test_path_under_the_data_variable_is_relative_to_it(whole, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEASSAY_DATA", str(tmp_path))
    (tmp_path / "matrices").mkdir()
    record(tmp_path / "matrices/part.json", whole, Rule(count=1))
    assert read_subset(tmp_path / "matrices/part.json").parameters["path"] == "people"
    assert len(Subset(path=tmp_path / "matrices/part.json").open()) == 2


def test_source_says_where_the_set_lies_now(file, people, tmp_path):
    before = Subset(path=file).open().fingerprint
    people.rename(tmp_path / "moved")
    assert Subset(path=file, source=tmp_path / "moved").open().fingerprint == before


def test_missing_source_is_refused_with_the_remedy(file, people):
    shutil.rmtree(people)
    with pytest.raises(ValueError, match=r"whole set cannot be opened: path: .*no such file or folder.*source: PATH"):
        Subset(path=file)


def test_missing_source_is_noted_where_data_may_be_absent(file, people):
    shutil.rmtree(people)
    absent = []
    Subset.model_validate({"path": str(file)}, context={ABSENT: absent})
    assert absent == [Path("people")]


def test_missing_file_is_noted_where_data_may_be_absent(tmp_path):
    absent = []
    Subset.model_validate({"path": "part.json"}, context={ABSENT: absent, "folder": str(tmp_path)})
    assert absent == [Path("part.json")]


def test_image_size_of_a_matrix_overrides_that_of_the_file(file):
    assert (Subset(path=file).open().image_size, Subset(path=file, image_size=8).open().image_size) == (16, 8)


def test_fingerprint_is_the_same_for_the_same_file(file):
    assert Subset(path=file).open().fingerprint == Subset(path=file).open().fingerprint


def test_fingerprint_depends_on_the_rule(file, whole, tmp_path):
    record(tmp_path / "other.json", whole, Rule(high=1, count=2, seed=3))
    other = Subset(path=tmp_path / "other.json").open()
    assert other.item_ids != Subset(path=file).open().item_ids
    assert other.fingerprint != Subset(path=file).open().fingerprint


def test_fingerprint_depends_on_the_content_of_the_set(file, people, save_picture):
    before = Subset(path=file).open().fingerprint
    save_picture(people / "s1/1.png", seed=99)
    assert Subset(path=file).open().fingerprint != before


def test_fingerprint_depends_on_how_images_are_decoded(file):
    assert Subset(path=file, image_size=8).open().fingerprint != Subset(path=file).open().fingerprint


def test_images_that_the_set_lacks_are_all_named(file, people):
    chosen = Subset(path=file).open().item_ids
    for item in chosen:
        (people / item).unlink()
    with pytest.raises(DataError) as raised:
        Subset(path=file).open()
    assert f"2 of 2 selected images are not in the set: {', '.join(sorted(chosen))}. The whole" in str(raised.value)


def test_images_of_somebody_else_are_named(file):
    def swap(document):
        names, ids = document["items"], list(document["items"].values())
        document["items"] = dict(zip(names, reversed(ids), strict=True))
        import hashlib

        rows = [[name, *own] for name, own in document["items"].items()]
        document["sha256"] = hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    edit(file, swap)
    with pytest.raises(DataError, match="2 of 2 selected images are of another identity there"):
        Subset(path=file).open()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: document["items"].popitem(), "not those that were written"),
        (lambda document: document.update(faceassay_subset=2), "schema 2, this version reads 1"),
        (lambda document: document.pop("source"), "does not say which images"),
        (lambda document: document["source"].update(plugin="zap"), "no dataset plugin is called 'zap'"),
        (lambda document: document["source"]["parameters"].update(fit="bend"), "fit: Input should be 'crop'"),
    ],
    ids=["items", "schema", "source", "plugin", "parameters"],
)
def test_changed_file_is_refused(file, change, message):
    edit(file, change)
    with pytest.raises(ValueError, match=message):
        Subset(path=file)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"faceassay_subset": 1, "items": [], "sha256": ""}'])
def test_other_files_are_refused(text, tmp_path):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(ValueError, match="does not say which images of a set are chosen"):
        Subset(path=tmp_path / "other.json")


def test_plugin_may_be_sent_to_other_processes(file):
    assert pickle.loads(pickle.dumps(Subset(path=file))).open().item_ids == Subset(path=file).open().item_ids


def test_subset_of_a_subset(file, tmp_path):
    record(tmp_path / "less.json", Subset(path=file), Rule(count=1))
    assert len(Subset(path=tmp_path / "less.json").open()) == 1


def test_file_keeps_rule_and_source(file, whole):
    document = json.loads(file.read_text())
    assert document["rule"] == {"low": 1, "high": 1, "count": 2, "images": None, "seed": 0, "identities": None}
    assert document["source"]["fingerprint"] == whole.open().fingerprint
    assert (document["images"], document["identities"], document["source"]["images"]) == (2, 2, 6)


def test_unwritable_file_is_refused(whole, tmp_path):
    with pytest.raises(DataError, match="cannot be written"):
        record(tmp_path / "no/part.json", whole, Rule())
