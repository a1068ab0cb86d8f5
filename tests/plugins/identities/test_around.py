"""Identity embeddings around an anchor: their cosines to it are prescribed, those between them have a closed form."""

import numpy as np
import pytest

from faceassay_plugins.identities import anchors, around, tammes_code, within_cosines

V = np.array([-1.0, -0.3, 0.0, 0.5, 0.6999, 1.0])


def rng(seed=0):
    return np.random.default_rng(seed)


def anchor(width=16, seed=3):
    return anchors(2, width, "random", seed)[0]


@pytest.mark.parametrize("spread", ["independent", "tammes"])
@pytest.mark.parametrize("width", [4, 16, 512])
def test_cosines_to_the_anchor_are_as_prescribed(spread, width):
    w = anchor(width)
    code = tammes_code(len(V), width - 1, steps=20) if spread == "tammes" else None
    found = around(w, V, rng(), code)
    assert found.dtype == np.float32
    rows = found.astype(np.float64)
    assert np.abs(rows @ w.astype(np.float64) - V).max() < 1e-6
    assert np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-6


def test_the_length_of_the_anchor_does_not_matter():
    assert np.allclose(around(7 * anchor(), V, rng()), around(anchor(), V, rng()), atol=1e-7)


def test_the_whole_complement_can_be_filled():
    """2 (d - 1) directions on the d - 1 axes orthogonal to the anchor, all at right angles or opposite."""
    w, v = anchor(5), np.full(8, 0.6)
    directions = (around(w, v, rng(), tammes_code(8, 4)).astype(np.float64) - 0.6 * w) / 0.8
    found = within_cosines(directions)
    assert np.abs(found[found > -0.5]).max() < 1e-6
    assert (found < -0.999999).sum() == 4


def test_independent_samples_have_the_square_of_the_mean_cosine_between_them():
    """0.6^2 = 0.36 for v in [0.5, 0.7)."""
    found = [
        within_cosines(around(anchor(512, seed), rng(seed).uniform(0.5, 0.7, 20), rng(seed + 1000))).mean()
        for seed in range(100)
    ]
    assert np.mean(found) == pytest.approx(0.36, abs=0.003)


def test_cosines_between_samples_of_a_simplex_have_a_closed_form():
    """v_j v_k + sqrt(1 - v_j^2) sqrt(1 - v_k^2) u_j.u_k with u_j.u_k = -1 / (m - 1)."""
    v = np.linspace(0.5, 0.7, 10)
    found = within_cosines(around(anchor(64), v, rng(), tammes_code(10, 63)))
    j, k = np.triu_indices(10, 1)
    expected = v[j] * v[k] - np.sqrt(1 - v[j] ** 2) * np.sqrt(1 - v[k] ** 2) / 9
    assert found == pytest.approx(expected, abs=1e-6)


def test_more_independent_samples_begin_with_the_same():
    v = np.linspace(0.1, 0.9, 9)
    assert np.array_equal(around(anchor(), v, rng())[:4], around(anchor(), v[:4], rng()))


def test_every_identity_has_a_rotation_of_its_own():
    code, v = tammes_code(6, 15), np.full(6, 0.5)
    first, second = around(anchor(), v, rng(0), code), around(anchor(), v, rng(1), code)
    assert not np.allclose(first, second, atol=0.1)


def test_directions_are_uniform_in_the_complement():
    """Their second moment is (I - w w^T) / (d - 1)."""
    w = anchor(4).astype(np.float64)
    u = around(w, np.zeros(20_000), rng()).astype(np.float64)
    assert u.T @ u / len(u) == pytest.approx((np.eye(4) - np.outer(w, w)) / 3, abs=0.01)


def test_one_sample_has_no_cosine_to_another():
    assert within_cosines(around(anchor(), V[:1], rng())).shape == (0,)
