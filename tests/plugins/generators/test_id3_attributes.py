"""Raw units to numbers without unit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from faceassay import AttributeTable, DataError
from faceassay_plugins.generators.id3.attributes import AttributeScale
from id3_inputs import AGE, YAW

NAN = np.nan


def table(*rows):
    return AttributeTable((YAW, AGE), np.array(rows, np.float32))


def scale_of(*rows):
    return AttributeScale.of(table(*rows), lambda line: None)


def test_known_values_decide_mean_and_deviation():
    scale = scale_of((-10, 20), (10, NAN), (NAN, 40), (0, 60))
    assert scale.means == pytest.approx([0, 40])
    assert scale.deviations == pytest.approx([np.sqrt(200 / 3), np.sqrt(800 / 3)])


def test_standardised_training_values_have_mean_zero_and_deviation_one():
    values = np.random.default_rng(0).uniform((-80, 0), (80, 90), (500, 2)).astype(np.float32)
    found = scale_of(*values).standardised(values)
    assert found.dtype == np.float32
    assert found.mean(0) == pytest.approx([0, 0], abs=1e-6)
    assert found.std(0) == pytest.approx([1, 1], rel=1e-6)


def test_what_is_unknown_is_zero():
    scale = scale_of((-10, 20), (10, 40))
    found = scale.standardised(np.array([(NAN, NAN), (10, NAN)], np.float32))
    assert found.tolist() == [[0, 0], [1, 0]]


def test_an_attribute_without_spread_is_told_and_keeps_its_unit():
    lines = []
    scale = AttributeScale.of(table(*[(0.1, 20)] * 7, (NAN, 40)), lines.append)
    assert scale.deviations[0] == 1
    assert scale.standardised(np.array([(0.1, 20), (3.1, 20)], np.float32))[:, 0] == pytest.approx([0, 3], abs=1e-6)
    assert lines == ["the attribute yaw is the same for all training images: it tells the generator nothing"]


def test_an_attribute_that_no_image_has_is_an_error():
    with pytest.raises(DataError, match="no training image has a known value of age"):
        scale_of((1, NAN), (2, NAN))


@pytest.mark.parametrize(
    ("values", "message"),
    [([(91, 20)], "yaw: 91"), ([(0, -1)], "age: -1"), ([(np.inf, 20)], "yaw: inf"), ([(0, 1, 2)], r"must be \[N, 2\]")],
)
def test_values_that_no_image_can_have_are_an_error(values, message):
    with pytest.raises(DataError, match=message):
        scale_of((-10, 20), (10, 40)).standardised(np.array(values, np.float32))


def test_the_document_brings_the_scale_back():
    scale = scale_of((-10, 20), (10, 45))
    again = AttributeScale.read(json.loads(json.dumps(scale.document())))
    assert again.columns == (YAW, AGE)
    assert (again.means == scale.means).all()
    assert (again.deviations == scale.deviations).all()
