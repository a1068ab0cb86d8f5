"""The parameters of the generator: schedule, counts, bounds, and what importing it costs."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from pydantic import ValidationError

from faceassay_plugins.generators.edm2 import Edm2

PUBLISHED = Edm2(
    images=1_073_741_824,
    batch_size=2048,
    learning_rate=0.012,
    decay_images=35_000 * 2048,
    rampup_images=10_000_000,
)


@pytest.mark.parametrize(
    ("images", "rate"),
    [
        (1_000_000, 0.0012),
        (10_000_000, 0.012),
        (71_680_000, 0.012),
        (4 * 71_680_000, 0.006),
        (1_073_741_824, 0.012 / math.sqrt(14.97966)),
    ],
)
def test_the_published_schedule_rises_stays_and_falls_as_one_over_the_root(images, rate):
    assert PUBLISHED.learning_rate_at(images) == pytest.approx(rate, rel=1e-5)


def test_by_default_a_short_training_rises_for_a_twentieth_and_falls_after_a_third():
    plugin = Edm2(images=60_000, learning_rate=0.01)
    rates = [plugin.learning_rate_at(n) for n in (1_500, 3_000, 20_000, 60_000)]
    assert rates == pytest.approx([0.005, 0.01, 0.01, 0.01 / math.sqrt(3)])


def test_a_long_training_rises_over_ten_million_images_by_default():
    assert Edm2(images=10**9, learning_rate=0.01).learning_rate_at(5_000_000) == pytest.approx(0.005)


def test_training_is_rounded_up_to_whole_batches():
    plugin = Edm2(images=1000, batch_size=128)
    assert (plugin.updates, plugin.work(7)) == (8, 1024)


def test_the_guide_is_taken_after_an_eighth_by_default():
    assert Edm2(images=128 * 64).guide_updates == 8


def test_the_guide_is_taken_after_one_step_at_least():
    assert Edm2(images=128, guide_fraction=0.01).guide_updates == 1


def test_it_needs_nothing_beside_the_images():
    assert Edm2().needs() == frozenset()


def test_every_parameter_is_described():
    assert all(field.description for field in Edm2.model_fields.values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0},
        {"decay_images": 0},
        {"main_length": 0.3},
        {"guide_fraction": 0},
        {"held_out": 1},
        {"dropout": 1},
        {"precision": "float16"},
        {"sigma_data": 0},
    ],
)
def test_parameters_out_of_bounds_are_refused(wrong):
    with pytest.raises(ValidationError):
        Edm2(**wrong)


def test_importing_the_plugin_imports_no_torch():
    program = "import sys, faceassay_plugins.generators.edm2; sys.exit('torch' in sys.modules)"
    paths = [path for path in sys.path if path]
    assert subprocess.run([sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}; {program}"]).returncode == 0
