"""TorchScript archives: the same numbers as by hand, tuples, baked-in batches, and what is no such archive."""

import warnings
import zipfile

import numpy as np
import pytest

from faceassay.brought import torchscript
from faceassay.brought.preprocessing import Preprocessing, prepared
from faceassay.contracts import DataError, DifferentiableRecognizer, FaceassayError
from faceassay.identity import differentiable
from faceassay.sampling import from_images
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


def opened(path, stated=Preprocessing()):  # noqa: B008 - frozen
    return torchscript.load(path, stated, image_size=networks.SIDE)


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


WRAPS = {
    "plain": {},
    "tuple": {"wrap": lambda embedding: (embedding, embedding.norm(dim=1, keepdim=True))},
    "one": {"fixed": 1},
    "four axes": {"wrap": lambda embedding: embedding[:, :, None, None]},
}


@pytest.mark.parametrize("options", WRAPS.values(), ids=WRAPS)
@pytest.mark.parametrize("stated", [Preprocessing(), Preprocessing("bgr", 0, 255), Preprocessing("bgr", 100, 64)])
def test_features_are_the_embeddings_of_the_same_images(saved, stated, options):
    recognizer, images = opened(saved(**options), stated), networks.faces()
    seen, embedded = recognizer.features(from_images(images)), recognizer.embed(images)
    assert (seen.dtype, tuple(seen.shape)) == (from_images(images).dtype, embedded.shape)
    np.testing.assert_allclose(seen.numpy(), embedded, rtol=1e-5, atol=1e-5 * np.abs(embedded).max())


@pytest.mark.parametrize("options", WRAPS.values(), ids=WRAPS)
@pytest.mark.parametrize("stated", [Preprocessing(), Preprocessing("bgr", 100, 64)])
def test_gradients_through_it_are_those_of_differences(saved, stated, options):
    rng = np.random.default_rng(3)
    x, towards = rng.uniform(-1, 1, (2, 3, networks.SIDE, networks.SIDE)), rng.normal(0, 1, (2, networks.WIDTH))

    def by_hand(x):
        grey = 127.5 * (x + 1)
        ordered = grey if stated.colour == "rgb" else grey[:, ::-1]
        return (networks.expected((ordered - stated.mean) / stated.std) * towards).sum()

    seen = tensor(x)
    (opened(saved(**options), stated).features(seen) * tensor(towards).detach()).sum().backward()
    for _ in range(5):
        along, step = rng.normal(0, 1, x.shape), 1e-6
        slope = (by_hand(x + step * along) - by_hand(x - step * along)) / (2 * step)
        assert (seen.grad.numpy() * along).sum() == pytest.approx(slope, rel=1e-4, abs=1e-4)


def tensor(values):
    import torch

    return torch.tensor(values, dtype=torch.float32, requires_grad=True)


def test_no_weight_of_it_takes_a_gradient(saved):
    recognizer = opened(saved())
    weights = list(recognizer.module.module.parameters())
    assert len(weights) == 2
    assert not any(weight.requires_grad for weight in weights)


def test_another_preprocessing_can_be_looked_through_too(saved):
    assert isinstance(opened(saved()).variant(Preprocessing("bgr")), DifferentiableRecognizer)


def test_images_of_another_size_are_refused(saved):
    with pytest.raises(FaceassayError, match=r"images \(2, 3, 4, 4\) do not fit a recognizer of \[B, 3, 8, 8\]"):
        opened(saved()).features(tensor(np.zeros((2, 3, 4, 4))))


def test_a_network_that_lets_no_gradient_through_embeds_and_cannot_be_looked_through(tmp_path):
    import torch

    class Silent(torch.nn.Module):
        def forward(self, x: torch.Tensor):
            with torch.no_grad():
                embedding = 2 * x.flatten(1)[:, :5]
            return embedding

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Silent()).save(tmp_path / "silent.pt")
    recognizer = opened(tmp_path / "silent.pt")
    assert recognizer.embed(networks.faces()).shape == (5, 5)
    with pytest.raises(FaceassayError, match="a gradient through the recognizer is needed"):
        differentiable(recognizer, networks.SIDE)
