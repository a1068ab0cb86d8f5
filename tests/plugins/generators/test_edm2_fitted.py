"""The trained generator: conditions, counts, roles, condition vectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from faceassay import LabelMix, sampling
from faceassay_plugins.generators.edm2.fitted import FittedEdm2


def plain(*classes):
    return LabelMix(np.array(classes, dtype=np.int64)[:, None], np.ones((len(classes), 1)))


def mix(a, b, alpha, beta):
    return LabelMix(np.array([[a, b]]), np.array([[alpha, beta]]))


@pytest.fixture
def fitted(small, trained):
    return small.load(trained, "cpu")


@pytest.fixture
def x():
    return torch.randn(1, 3, 8, 8)


SIGMA = torch.tensor([1.0])


def test_it_knows_size_identities_and_device(fitted, faces):
    assert (fitted.image_size, fitted.identities, fitted.device) == (8, faces.identities, "cpu")


def test_loading_reads_no_network(tmp_path, small):
    assert isinstance(small.load(tmp_path, "cpu"), FittedEdm2)


def test_sampling_with_32_heun_steps_evaluates_63_times_per_image(fitted):
    sampling.heun(fitted.denoiser(plain(0, 1)), torch.randn(2, 3, 8, 8), steps=32)
    assert fitted.evaluations == 2 * 63


def test_a_guide_doubles_the_evaluations(fitted):
    main, guide = fitted.denoiser(plain(0)), fitted.denoiser(plain(0), role="guide")
    sampling.heun(sampling.autoguide(main, guide, 1.3), torch.randn(1, 3, 8, 8), steps=32)
    assert fitted.evaluations == 126


def test_a_guided_mix_of_two_scores_costs_252_evaluations(fitted):
    pairs = {
        role: sampling.mix_scores([fitted.denoiser(plain(k), role=role) for k in (0, 1)], [0.5, 0.5])
        for role in ("main", "guide")
    }
    sampling.heun(sampling.autoguide(pairs["main"], pairs["guide"], 1.3), torch.randn(1, 3, 8, 8), steps=32)
    assert fitted.evaluations == 252


def test_conditions_over_one_network_share_it(fitted):
    assert fitted.denoiser(plain(0)).network is fitted.denoiser(plain(1)).network


def test_the_guide_denoises_differently(fitted, x):
    assert not torch.equal(fitted.denoiser(plain(0))(x, SIGMA), fitted.denoiser(plain(0), role="guide")(x, SIGMA))


def test_classes_denoise_differently(fitted, x):
    assert not torch.equal(fitted.denoiser(plain(0))(x, SIGMA), fitted.denoiser(plain(1))(x, SIGMA))


def test_a_mix_becomes_a_dense_row(fitted):
    row = fitted.denoiser(mix(3, 1, 0.7, 0.2)).condition
    assert row.dtype == torch.float32
    assert row.tolist() == [pytest.approx([0, 0.2, 0, 0.7])]


def test_a_class_mixed_with_itself_adds_up(fitted):
    assert fitted.denoiser(mix(2, 2, 0.5, 0.5)).condition.tolist() == [[0, 0, 1, 0]]


def test_a_mix_of_no_classes_is_no_class(fitted):
    nothing = LabelMix(np.zeros((2, 0), np.int64), np.zeros((2, 0)))
    assert fitted.denoiser(nothing).condition.tolist() == [[0] * 4] * 2


@pytest.mark.parametrize("outside", [-1, 4])
def test_a_class_outside_the_label_space_is_an_error(fitted, outside):
    with pytest.raises(ValueError, match=r"label space 0\.\.3"):
        fitted.denoiser(plain(outside))


def test_a_condition_that_is_no_mix_is_an_error(fitted):
    with pytest.raises(ValueError, match="LabelMix"):
        fitted.denoiser({"embedding": torch.zeros(1, 4)})


@pytest.mark.parametrize("batch", [0, 1])
def test_small_batches_pass(fitted, batch):
    denoised = fitted.denoiser(plain(*range(batch)))(torch.randn(batch, 3, 8, 8), torch.ones(batch))
    assert denoised.shape == (batch, 3, 8, 8)
    assert fitted.evaluations == batch


def test_gradients_reach_the_noisy_image(fitted, x):
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(fitted.denoiser(plain(0))(x, SIGMA).sum(), x)
    assert gradient.any()


def test_denoising_the_same_twice_gives_the_same_bytes(small, trained, x):
    first, second = (small.load(trained, "cpu").denoiser(plain(1))(x, SIGMA) for _ in range(2))
    assert torch.equal(first, second)


def test_loading_and_sampling_leave_global_random_state_alone(fitted, x):
    before = torch.get_rng_state()
    sampling.heun(fitted.denoiser(plain(0)), x, steps=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_condition_vectors_are_the_columns_of_the_normalised_label_matrix(fitted, trained):
    matrix = load_file(trained / "main.safetensors")["embedding.label.weight"].double().numpy()
    rows = matrix / np.sqrt((matrix**2).mean(1, keepdims=True))
    vectors = fitted.condition_vectors()
    assert (vectors.shape, vectors.dtype) == ((4, 16), np.float32)
    assert np.allclose(vectors, rows.T, atol=2e-3)


def test_condition_vectors_are_what_the_network_adds_for_a_class(fitted):
    embedding = fitted.denoiser(plain(0)).network.function.embedding
    assert np.allclose(embedding.label(torch.eye(4)).numpy(), fitted.condition_vectors(), atol=1e-5)
