"""TorchScript archives: the same numbers as by hand, tuples, baked-in batches, and what is no such archive."""

import warnings
import zipfile

import numpy as np
import pytest

from faceassay.brought import torchscript
from faceassay.brought.preprocessing import Preprocessing, prepared
from faceassay.contracts import DataError
from miniatures import networks


@pytest.fixture
def saved(tmp_path):
    def save(**options):
        path = tmp_path / "net.pt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            networks.scripted(**options).save(path)
        return path

    return save


def assert_embeds(path, stated=Preprocessing()):  # noqa: B008 - frozen
    recognizer = torchscript.load(path, stated, image_size=networks.SIDE)
    images = networks.faces()
    wanted = networks.expected(prepared(images, stated))
    embedded = recognizer.embed(images)
    assert embedded.dtype == np.float32
    np.testing.assert_allclose(embedded, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("stated", [Preprocessing(), Preprocessing("bgr", 0, 255)])
def test_embeddings_by_hand(saved, stated):
    assert_embeds(saved(), stated)


def test_the_first_of_a_tuple_is_the_embedding(saved):
    assert_embeds(saved(wrap=lambda embedding: (embedding, embedding.norm(dim=1, keepdim=True))))


def test_a_batch_of_one_baked_in_is_given_one_image_at_a_time(saved):
    assert_embeds(saved(fixed=1))


def test_repeated_batches_come_out_byte_for_byte(saved):
    recognizer = torchscript.load(saved(), Preprocessing(), image_size=networks.SIDE)
    first, *others = (recognizer.embed(networks.faces()) for _ in range(4))
    assert all(other.tobytes() == first.tobytes() for other in others)


def test_dropout_left_on_is_refused(saved):
    import torch

    path = saved(wrap=lambda embedding: torch.nn.functional.dropout(embedding, 0.5, training=True))
    with pytest.raises(DataError, match=r"net\.pt: the network embeds the same image differently"):
        torchscript.load(path, Preprocessing(), image_size=networks.SIDE)


def test_a_dictionary_is_no_embedding(saved):
    path = saved(wrap=lambda embedding: [embedding, embedding])
    with pytest.raises(DataError, match=r"net\.pt: the network returns list, not a tensor"):
        torchscript.load(path, Preprocessing(), image_size=networks.SIDE)


def test_a_size_that_does_not_fit_is_named_with_the_network(saved):
    with pytest.raises(DataError, match=r"net\.pt: the network fails on \(1, 3, 16, 16\)"):
        torchscript.load(saved(), Preprocessing(), image_size=16)


def test_opening_warns_of_nothing(saved):
    path = saved()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torchscript.load(path, Preprocessing(), image_size=networks.SIDE)


def test_archives_are_told_from_checkpoints_and_others(saved, tmp_path):
    import torch

    torch.save({"weight": torch.zeros(3)}, tmp_path / "state.pth")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "text.pt").write_text("no archive")
    assert torchscript.is_archive(saved())
    assert not any(torchscript.is_archive(tmp_path / name) for name in ("state.pth", "old.pth", "text.pt", "none.pt"))


def test_an_archive_of_other_objects_is_refused_with_the_reason(saved, tmp_path):
    with zipfile.ZipFile(saved()) as whole, zipfile.ZipFile(tmp_path / "armed.pt", "w") as armed:
        for name in whole.namelist():
            armed.writestr(name, b"\x80\x02cposix\nsystem\n." if name.endswith("/data.pkl") else whole.read(name))
    with pytest.raises(DataError, match=r"no readable TorchScript archive \(Unknown type name 'posix\.system'"):
        torchscript.load(tmp_path / "armed.pt", Preprocessing())


def test_a_damaged_archive_is_named(saved):
    path = saved()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"net\.pt: it is no readable TorchScript archive"):
        torchscript.load(path, Preprocessing())
