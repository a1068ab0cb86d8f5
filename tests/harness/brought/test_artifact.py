"""A trained recognizer's folder: opened by the plugin that its record names, wherever it lies, and only when whole."""

import json
import shutil

import numpy as np
import pytest
import torch

from faceassay import keys
from faceassay.brought import artifact
from faceassay.brought.artifact import Artifact
from faceassay.contracts import DataError, DifferentiableRecognizer, FaceassayError
from faceassay.registry import load_plugins
from faceassay.store import Store
from id3_inputs import Blind

PARAMETERS = {"depth": (1, 1, 1, 1), "width": 8, "image_size": 16, "embedding": 6}
KEY = "cd" * 32


@pytest.fixture
def trained(tmp_path):
    """Return the folder of an untrained network, committed to a store as a training would."""
    from safetensors.torch import save_file

    plugin = load_plugins().get("recognizer", "iresnet")(**PARAMETERS)
    store = Store.open(tmp_path / "store")
    work = store.staging(KEY) / "work"
    work.mkdir(parents=True)
    save_file(plugin.backbone().state_dict(), work / "network.safetensors")
    save_file({"centres": plugin.backbone().state_dict()["stem.0.weight"].flatten(1)}, work / "centres.safetensors")
    store.commit("recognizer", KEY, work, {"key": {"plugin": keys.plugin_document(plugin)}})
    return store.folder("recognizer", KEY)


def change_record(folder, change):
    record = json.loads((folder / "record.json").read_text())
    change(record)
    (folder / "record.json").write_text(json.dumps(record))


def images():
    return np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


def test_it_embeds_as_the_plugin_that_trained_it(trained, tmp_path):
    copied = shutil.copytree(trained, tmp_path / "elsewhere")
    direct = load_plugins().get("recognizer", "iresnet")(**PARAMETERS).load(trained, "cpu")
    opened = artifact.load(copied)
    assert opened.image_size == 16
    np.testing.assert_array_equal(opened.embed(images()), direct.embed(images()))
    np.testing.assert_array_equal(opened.class_centres(), direct.class_centres())


def test_without_its_class_centres_it_embeds_the_same_and_passes_gradients(trained):
    whole = artifact.load(trained)
    headless = artifact.without_centres(whole)
    assert headless.class_centres() is None
    assert headless.image_size == 16
    np.testing.assert_array_equal(headless.embed(images()), whole.embed(images()))
    assert isinstance(headless, DifferentiableRecognizer)
    x = torch.zeros(2, 3, 16, 16, requires_grad=True)
    assert torch.autograd.grad(headless.features(x).sum(), x)[0].shape == x.shape


def test_what_passes_no_gradient_passes_none_without_its_class_centres_either():
    assert not isinstance(artifact.without_centres(Blind()), DifferentiableRecognizer)


def test_its_content_is_that_of_the_store(trained, tmp_path):
    record = Store.open(tmp_path / "store").record("recognizer", KEY)
    assert Artifact.of(trained).content == record["content"]


@pytest.mark.parametrize("damage", ["change", "remove", "add"])
def test_a_folder_that_is_not_what_was_written_is_refused(trained, damage):
    file = trained / ("stranger.bin" if damage == "add" else "network.safetensors")
    if damage == "remove":
        file.unlink()
    else:
        file.write_bytes(b"changed")
    with pytest.raises(DataError, match=file.name):
        artifact.load(trained)


def test_a_record_whose_hashes_were_changed_is_refused(trained):
    change_record(trained, lambda record: record["files"]["network.safetensors"].update(sha256="0" * 64))
    with pytest.raises(DataError, match="is not what was written"):
        Artifact.of(trained)


def test_a_missing_plugin_is_named(trained):
    change_record(trained, lambda record: record["key"]["plugin"].update(name="irsnet"))
    with pytest.raises(FaceassayError, match="no recognizer plugin is called 'irsnet'; did you mean 'iresnet'"):
        artifact.load(trained)


def test_parameters_that_the_plugin_no_longer_takes_are_refused(trained):
    change_record(trained, lambda record: record["key"]["plugin"]["parameters"].update(magic=3))
    with pytest.raises(FaceassayError, match="'iresnet' does not take the parameters"):
        artifact.load(trained)


def test_another_kind_of_artifact_is_refused(trained):
    change_record(trained, lambda record: record.update(kind="generator"))
    with pytest.raises(DataError, match="holds a generator"):
        artifact.load(trained)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"kind": "recognizer", "key": {}, "files": {}}'])
def test_a_folder_without_a_proper_record_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "record.json").write_text(content)
    with pytest.raises(DataError, match="holds no trained recognizer"):
        Artifact.of(tmp_path)
