"""The trained id3: what a condition may be, what becomes of it, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edm2_fits import fit
from faceassay import LabelMix, sampling
from faceassay_plugins.generators.id3.fitted import FittedId3
from id3_inputs import AGE, YAW

NAN = np.nan
SIGMA = torch.tensor([1.0])


@pytest.fixture
def fitted(identical, trained_id3):
    return identical.load(trained_id3, "cpu")


@pytest.fixture(scope="module")
def plain(identical, faces, inputs, one_thread, tmp_path_factory):
    """Return a generator without attributes."""
    folder = tmp_path_factory.mktemp("plain")
    fit(identical.model_copy(update={"attributes": False}), faces, folder, **inputs)
    return identical.load(folder / "work", "cpu")


@pytest.fixture
def x():
    return torch.randn(1, 3, 8, 8)


def identity(*rows):
    return np.array(rows or [(3, 0, 0, 0, 4)], np.float32)


def attributes(*rows):
    return np.array(rows or [(10, 30)], np.float32)


def test_it_knows_its_widths_size_people_and_device(fitted, faces):
    assert (fitted.embedding_width, fitted.attribute_columns) == (5, (YAW, AGE))
    assert (fitted.image_size, fitted.identities, fitted.device) == (8, faces.identities, "cpu")


def test_loading_reads_no_network(tmp_path, identical):
    assert isinstance(identical.load(tmp_path, "cpu"), FittedId3)


def test_classes_have_no_condition_vectors(fitted):
    assert fitted.condition_vectors() is None


def test_embeddings_are_scaled_to_length_one(fitted):
    condition = fitted.denoiser({"identity": identity(), "attributes": attributes()}).condition
    assert condition["identity"].tolist() == [pytest.approx([0.6, 0, 0, 0, 0.8])]


def test_attributes_are_standardised_as_in_training(fitted, inputs):
    values = inputs["attributes"].values.astype(np.float64)
    condition = fitted.denoiser({"identity": identity(), "attributes": attributes((10, 30))}).condition
    expected = (np.array([10, 30]) - np.nanmean(values, 0)) / np.nanstd(values, 0)
    assert condition["attributes"].dtype == torch.float32
    assert condition["attributes"].numpy()[0] == pytest.approx(expected, abs=1e-5)


def test_tensors_and_arrays_are_the_same_condition(fitted, x):
    arrays = {"identity": identity(), "attributes": attributes()}
    tensors = {name: torch.from_numpy(values).double() for name, values in arrays.items()}
    assert torch.equal(fitted.denoiser(arrays)(x, SIGMA), fitted.denoiser(tensors)(x, SIGMA))


@pytest.mark.parametrize(("left_out", "there"), [("identity", attributes()), ("attributes", identity())])
def test_what_is_left_out_is_dropped_for_all_images(left_out, there, fitted):
    (name,) = {"identity", "attributes"} - {left_out}
    condition = fitted.denoiser({name: there}).condition
    assert condition[name].any()
    assert condition[left_out].tolist() == [[0] * {"identity": 5, "attributes": 2}[left_out]]


def test_rows_of_nan_are_dropped_for_their_images(fitted):
    rows = attributes((NAN, NAN), (10, 30))
    condition = fitted.denoiser({"identity": identity((1, 0, 0, 0, 0), (0, 1, 0, 0, 0)), "attributes": rows}).condition
    assert condition["attributes"].any(1).tolist() == [False, True]


def test_dropped_rows_are_what_is_left_out(fitted, x):
    left_out = fitted.denoiser({"identity": identity()})(x, SIGMA)
    dropped = fitted.denoiser({"identity": identity(), "attributes": attributes((NAN, NAN))})(x, SIGMA)
    assert torch.equal(left_out, dropped)


def test_without_attributes_the_embedding_is_the_condition(plain, x):
    assert plain.attribute_columns == ()
    denoiser = plain.denoiser({"identity": identity()})
    assert list(denoiser.condition) == ["identity"]
    assert denoiser(x, SIGMA).shape == x.shape
    assert plain.denoiser({"attributes": np.zeros((1, 0))}).condition["identity"].tolist() == [[0] * 5]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"identity": identity((1, 2))}, r"identity \[1, 2\] must be \[B, 5\]"),
        ({"identity": identity()[0]}, r"identity \[5\] must be \[B, 5\]"),
        ({"identity": identity((0, 0, 0, 0, 0))}, "identity 0 .length 0.*no direction"),
        ({"identity": identity((1, 0, 0, 0, 0), (1, NAN, 0, 0, 0))}, "identity 1 .length nan.*no direction"),
        ({"identity": identity((np.inf, 0, 0, 0, 0))}, "no direction"),
        ({"identity": identity(), "attributes": attributes((1, 2, 3))}, r"attributes \[1, 3\] must be \[B, 2\]"),
        ({"identity": identity(), "attributes": attributes((91, 30))}, "yaw: 91 .image 0. outside -90 to 90 degrees"),
        ({"identity": identity(), "attributes": attributes((0, np.inf))}, "age: inf"),
        ({"identity": identity(), "attributes": attributes((1, 2), (1, 2))}, "1 rows of identity and 2 rows of attr"),
        ({"embedding": identity()}, r"a mapping of identity \[B, 5\], attributes \[B, 2\] or both \(got embedding\)"),
        ({}, "got nothing"),
        (LabelMix(np.zeros((1, 1), np.int64), np.ones((1, 1))), "got LabelMix"),
    ],
)
def test_conditions_that_make_no_sense_are_refused(condition, message, fitted):
    with pytest.raises(ValueError, match=message):
        fitted.denoiser(condition)


def test_attributes_are_refused_where_there_are_none(plain):
    with pytest.raises(ValueError, match=r"attributes \[1, 2\] must be \[B, 0\]"):
        plain.denoiser({"identity": identity(), "attributes": attributes()})


def test_evaluations_are_counted(fitted):
    main = fitted.denoiser({"identity": identity((1, 0, 0, 0, 0), (0, 1, 0, 0, 0))})
    sampling.heun(main, torch.randn(2, 3, 8, 8), steps=4)
    assert fitted.evaluations == 2 * 7


def test_main_network_and_guide_denoise_differently(fitted, x):
    main, guide = (fitted.denoiser({"identity": identity()}, role=role)(x, SIGMA) for role in ("main", "guide"))
    assert not torch.equal(main, guide)


def test_conditions_over_one_network_are_evaluated_together(fitted, x):
    denoisers = [fitted.denoiser({"identity": identity(row)}) for row in ((1, 0, 0, 0, 0), (0, 1, 0, 0, 0))]
    denoisers += [fitted.denoiser({"attributes": attributes()})]
    together = sampling.evaluate_together(denoisers, x, SIGMA)
    assert fitted.evaluations == 3
    for denoiser, output in zip(denoisers, together, strict=True):
        assert torch.allclose(denoiser(x, SIGMA), output, atol=1e-6)


def test_gradients_reach_the_noisy_image(fitted, x):
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(fitted.denoiser({"identity": identity()})(x, SIGMA).sum(), x)
    assert gradient.any()


def test_an_empty_batch_passes(fitted):
    denoiser = fitted.denoiser({"identity": np.zeros((0, 5)), "attributes": np.zeros((0, 2))})
    assert denoiser(torch.zeros(0, 3, 8, 8), torch.zeros(0)).shape == (0, 3, 8, 8)
