"""Attributes of images: the table that holds them, and the stage that tells them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from faceassay.contracts import Attribute, AttributePredictor, AttributeTable, DataError, FaceassayError
from faceassay.stages import attributes
from faceassay.stages.attributes import BATCH
from fakes import Log, sources, stage_context, toy_faces

YAW, AGE = Attribute("yaw", "degrees", -90, 90), Attribute("age", "years", 0, 100)


def table(values, *columns):
    return AttributeTable(columns or (YAW, AGE), np.array(values, np.float32))


# --- the table


def test_a_table_has_as_many_rows_as_images():
    assert len(table([[0, 1], [2, 3], [4, 5]])) == 3
    assert len(table(np.empty((0, 2)))) == 0


def test_the_ends_of_a_range_and_what_is_unknown_are_in_it():
    table([[-90, 0], [90, 100], [np.nan, np.nan]])


def test_values_out_of_range_are_named_with_their_images_in_every_column():
    with pytest.raises(DataError) as caught:
        table([[0, 101], [-91, 50], [np.inf, -1]])
    assert str(caught.value) == (
        "yaw: -91 (image 1), inf (image 2) outside -90 to 90 degrees; "
        "age: 101 (image 0), -1 (image 2) outside 0 to 100 years"
    )


def test_a_number_too_large_for_float32_is_in_no_range():
    with pytest.raises(DataError, match="wealth: inf"):
        table([[np.inf]], Attribute("wealth", "euro", 0, 1e300))


def test_many_values_out_of_range_are_counted():
    with pytest.raises(DataError, match=r"110 \(image 9\) and 15 more outside 0 to 100 years"):
        table(np.arange(101, 126)[:, None], AGE)


@given(arrays.arrays(np.float32, (5, 2), elements=st.floats(-200, 200, width=32)))
def test_a_table_is_refused_exactly_when_a_value_leaves_its_range(values):
    inside = all(-90 <= yaw <= 90 and 0 <= age <= 100 for yaw, age in values)
    if inside:
        assert table(values).values is not None
    else:
        with pytest.raises(DataError, match="outside"):
            table(values)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 3), (2, 3, 2)])
def test_a_table_of_another_shape_is_refused(shape):
    with pytest.raises(DataError, match=r"must be \[N, 2\], one column each"):
        table(np.zeros(shape))


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(DataError, match="two attributes have one name: yaw, yaw"):
        table([[0, 0]], YAW, Attribute("yaw", "radians", -2, 2))


def test_tables_are_joined_side_by_side():
    light = Attribute("light", "", 0, 1)
    joined = AttributeTable.joined([table([[1, 2], [3, 4]]), table([[0.5], [np.nan]], light)])
    assert joined.columns == (YAW, AGE, light)
    np.testing.assert_array_equal(joined.values, [[1, 2, 0.5], [3, 4, np.nan]])
    assert joined.values.dtype == np.float32


def test_tables_of_different_images_are_not_joined():
    with pytest.raises(DataError, match="attributes of 2 and 3 images are of one set"):
        AttributeTable.joined([table([[0], [0]], YAW), table([[0], [0], [0]], AGE)])


def test_tables_with_a_column_in_common_are_not_joined():
    with pytest.raises(DataError, match="two attributes have one name: yaw, age, age"):
        AttributeTable.joined([table([[0, 0]]), table([[0]], AGE)])


# --- what a stage reads


def test_a_stage_reads_the_attributes_of_all_predictors_in_their_order():
    opened = sources(**{"real": None, "attributes/0": table([[1]], AGE), "attributes/1": table([[2]], YAW)}).attributes
    assert [column.name for column in opened.columns] == ["age", "yaw"]
    assert opened.values.tolist() == [[1, 2]]


def test_a_stage_without_attributes_says_what_to_declare():
    with pytest.raises(FaceassayError, match=r"has no input 'attributes' .*needs\(\) must name 'attributes'"):
        _ = sources(real=None).attributes


# --- the stage


class Told(AttributePredictor):
    """Tell of each image its first pixel and its number, or whatever it is told to return."""

    name = "told"
    version = "1"
    summary = "tells what it is told"
    seen: list = []  # noqa: RUF012 - what it is given is no parameter
    wrong: object = None

    def columns(self):
        return (Attribute("grey", "grey levels", 0, 255), Attribute("number", "images", 0, 600))

    def predict(self, images, item_ids):
        self.seen.append((images.shape, list(item_ids)))
        numbers = [int(name.removeprefix("item")) for name in item_ids]
        return np.stack([images[:, 0, 0, 0], numbers], axis=1) if self.wrong is None else self.wrong


@pytest.fixture(scope="module")
def real():
    return toy_faces(identities=30, per_identity=20)


def test_attributes_are_stored_and_read_back(real, tmp_path):
    plugin, log = Told(seen=[]), Log()
    context = stage_context(tmp_path, log=log)
    attributes.run(plugin, sources(real=real), context)
    back = attributes.load(plugin, context.folder, "cpu")
    assert back.columns == plugin.columns()
    assert back.values.dtype == np.float32
    np.testing.assert_array_equal(back.values, np.stack([real.pixels[:, 0, 0, 0], np.arange(600)], axis=1))
    assert log.progress == [(256, 600), (512, 600), (600, 600)]
    assert sorted(path.name for path in context.folder.iterdir()) == ["columns.json", "values.npy"]


def test_few_images_are_in_memory_at_a_time_and_come_with_their_names(real, tmp_path):
    plugin = Told(seen=[])
    attributes.run(plugin, sources(real=real), stage_context(tmp_path))
    assert [shape[0] for shape, _ in plugin.seen] == [BATCH, BATCH, 600 - 2 * BATCH]
    assert [name for _, names in plugin.seen for name in names] == list(real.item_ids)


def test_columns_are_a_document_that_others_can_read(real, tmp_path):
    context = stage_context(tmp_path)
    attributes.run(Told(seen=[]), sources(real=real), context)
    first, _ = json.loads((context.folder / "columns.json").read_text())
    assert first == {"name": "grey", "unit": "grey levels", "low": 0, "high": 255}


def test_attributes_of_chosen_images_are_told(real):
    rows = np.array([7, 3, 599])
    np.testing.assert_array_equal(
        attributes.predicted(Told(seen=[]), real, rows), np.stack([real.pixels[rows, 0, 0, 0], rows], axis=1)
    )


def test_of_no_images_there_are_no_attributes(real):
    assert attributes.predicted(Told(seen=[]), real, np.empty(0, np.int64)).shape == (0, 2)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((24, 1)), np.zeros((23, 2)), np.zeros(24), np.zeros((24, 2, 1)), [[0, 0]] * 24, "text", 3.0],
    ids=lambda wrong: f"{type(wrong).__name__}{getattr(wrong, 'shape', '')}",
)
def test_a_prediction_of_another_shape_is_refused_by_name(wrong, tmp_path):
    with pytest.raises(FaceassayError, match=r"attribute 'told' returned .*: predict\(\) must return \[24, 2\]"):
        attributes.run(Told(seen=[], wrong=wrong), sources(real=toy_faces()), stage_context(tmp_path))


def test_an_attribute_may_be_unknown(tmp_path):
    context = stage_context(tmp_path)
    attributes.run(Told(seen=[], wrong=np.full((24, 2), np.nan)), sources(real=toy_faces()), context)
    assert np.isnan(attributes.load(Told(), context.folder, "cpu").values).all()


def test_a_prediction_out_of_range_is_refused_with_image_and_range(tmp_path):
    wrong = np.zeros((24, 2))
    wrong[5, 0] = 256
    with pytest.raises(DataError, match=r"^grey: 256 \(image 5\) outside 0 to 255 grey levels$"):
        attributes.run(Told(seen=[], wrong=wrong), sources(real=toy_faces()), stage_context(tmp_path))
    assert list((tmp_path / "work").iterdir()) == []
