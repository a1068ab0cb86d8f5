"""The course of a training: which images each step sees, and at which learning rate."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from faceassay_plugins.recognizers.iresnet.course import batches, learning_rate, sampled_classes
from faceassay_plugins.recognizers.iresnet.plugin import IResNet


def first_batches(count, images, size, seed=5, first=0):
    return [index.tolist() for index in itertools.islice(batches(images, size, seed, first), count)]


def test_each_epoch_is_a_permutation():
    stream = np.concatenate(first_batches(10, 12, 6)).reshape(5, 12)
    assert (np.sort(stream, axis=1) == np.arange(12)).all()
    assert len({tuple(epoch) for epoch in stream}) == 5


def test_batches_are_full_and_run_over_the_end_of_an_epoch():
    drawn = np.array(first_batches(5, 7, 3))
    assert drawn.shape == (5, 3)
    assert sorted(drawn.ravel()[:7]) == sorted(drawn.ravel()[7:14]) == list(range(7))


def test_a_set_smaller_than_a_batch_repeats_within_it():
    (batch,) = first_batches(1, 3, 8)
    assert np.bincount(batch).min() >= 2


@pytest.mark.parametrize(("images", "size"), [(7, 3), (12, 6), (3, 8)])
def test_the_order_can_be_entered_at_any_step(images, size):
    whole = first_batches(9, images, size)
    for first in range(9):
        assert first_batches(9 - first, images, size, first=first) == whole[first:]


def test_another_seed_has_another_order():
    assert first_batches(1, 50, 20, seed=5) != first_batches(1, 50, 20, seed=6)


def test_steps_fall_by_ten_at_the_epochs_of_adaface():
    adaface = IResNet(epochs=26, warmup=0.0)
    per_epoch = [learning_rate(adaface, 100 * epoch, 2600) for epoch in range(26)]
    expected = [0.1] * 12 + [0.01] * 8 + [0.001] * 4 + [0.0001] * 2
    assert per_epoch == pytest.approx(expected)


def test_warm_up_rises_linearly_over_its_fraction():
    rates = [learning_rate(IResNet(warmup=0.25, milestones=()), step, 40) for step in range(12)]
    assert rates == pytest.approx([0.01 * (step + 1) for step in range(10)] + [0.1, 0.1])


@pytest.mark.parametrize(("schedule", "half"), [("linear", 0.05), ("cosine", 0.05)])
def test_smooth_schedules_fall_to_nothing(schedule, half):
    smooth = IResNet(schedule=schedule, warmup=0.0)
    assert learning_rate(smooth, 0, 1000) == pytest.approx(0.1)
    assert learning_rate(smooth, 500, 1000) == pytest.approx(half)
    assert learning_rate(smooth, 999, 1000) < 0.0002


LABELS = np.array([3, 90, 3, 41])


def sampled(labels=LABELS, classes=100, rate=0.2, seed=5, step=0):
    return sampled_classes(labels, classes, rate, seed, step)


def test_sampled_classes_are_those_of_the_batch_and_others_up_to_the_share():
    found = sampled()
    assert (np.diff(found) > 0).all()
    assert len(found) == 20
    assert {3, 41, 90} <= set(found)


def test_a_batch_of_more_classes_than_the_share_keeps_its_own():
    assert sampled(np.arange(10, 40), rate=0.1).tolist() == list(range(10, 40))


def test_other_classes_are_drawn_evenly_by_step():
    counts = np.bincount(np.concatenate([sampled(step=step) for step in range(800)]), minlength=100)
    assert (counts[[3, 41, 90]] == 800).all()
    others = np.delete(counts, [3, 41, 90])
    assert abs(others - 800 * 17 / 97).max() < 5 * (800 * 17 / 97) ** 0.5


def test_the_classes_of_a_step_depend_on_seed_and_step_alone():
    assert sampled().tolist() == sampled().tolist()
    assert len({tuple(sampled(seed=seed, step=step)) for seed in (5, 6) for step in (0, 1)}) == 4


def test_a_smooth_schedule_rises_first_where_there_is_a_warm_up():
    rates = [learning_rate(IResNet(schedule="linear", warmup=0.5), step, 10) for step in range(10)]
    assert rates == pytest.approx([0.1 * min(1, (step + 1) / 5) * (1 - step / 10) for step in range(10)])
