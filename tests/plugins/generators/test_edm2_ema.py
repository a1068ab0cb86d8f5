"""Power-function averages: exponents, and the average against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from faceassay_plugins.generators.edm2.ema import PowerAverage, exponent


@pytest.mark.parametrize(
    ("length", "gamma"), [(0.05, 16.972), (0.10, 6.937), (0.15, 3.558), (0.20, 1.826), (0.25, 0.720)]
)
def test_exponents_are_the_published_ones(length, gamma):
    assert exponent(length) == pytest.approx(gamma, abs=5e-4)


@pytest.mark.parametrize("length", [0.02, 0.1, 0.28])
def test_the_length_is_the_deviation_of_training_time_under_the_average(length):
    time = (np.arange(200_000) + 0.5) / 200_000
    weight = time ** exponent(length)
    mean = np.average(time, weights=weight)
    assert np.sqrt(np.average((time - mean) ** 2, weights=weight)) == pytest.approx(length, rel=1e-3)


@pytest.mark.parametrize("length", [0.0, -0.1, 0.3])
def test_a_length_without_an_exponent_is_an_error(length):
    with pytest.raises(ValueError, match="relative length"):
        exponent(length)


@pytest.mark.parametrize("length", [0.05, 0.1, 0.2])
def test_the_average_weighs_each_step_by_its_share_of_the_power_function(length):
    states = torch.randn(40, 3, dtype=torch.float64)
    average = PowerAverage(length, {"w": torch.zeros(3, dtype=torch.float64)})
    for step, state in enumerate(states, start=1):
        average.update({"w": state}, images=8 * step, batch=8)
    edges = (np.arange(41) / 40) ** (exponent(length) + 1)
    assert torch.allclose(average.tensors["w"], torch.from_numpy(np.diff(edges)) @ states)


def test_the_first_step_replaces_the_initial_weights():
    average = PowerAverage(0.05, {"w": torch.ones(2)})
    average.update({"w": torch.full((2,), 5.0)}, images=4, batch=4)
    assert average.tensors["w"].tolist() == [5, 5]


def test_an_average_is_a_copy():
    tensor = torch.ones(2)
    average = PowerAverage(0.05, {"w": tensor})
    tensor.mul_(3)
    assert average.tensors["w"].tolist() == [1, 1]


def test_a_longer_average_remembers_more():
    long, short = (PowerAverage(length, {"w": torch.zeros(1)}) for length in (0.2, 0.05))
    for step in range(1, 21):
        for average in (long, short):
            average.update({"w": torch.full((1,), float(step))}, images=step, batch=1)
    assert long.tensors["w"] < short.tensors["w"] < 20
