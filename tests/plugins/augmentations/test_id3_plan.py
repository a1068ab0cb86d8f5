"""The plan of ID3: embeddings around anchors, limits read off the real images, attributes drawn from them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from faceassay.contracts import Attribute, AttributeTable, DataError, FaceassayError
from faceassay.stages import plan as stage
from faceassay_plugins.augmentations.id3.plugin import Id3
from fakes import ArrayDataset, Log, sources, stage_context, toy_faces

WIDTH = 12
FACES = toy_faces(identities=4, per_identity=5, size=8, noise=40)
YAW, AGE = Attribute("yaw", "degrees", -90, 90), Attribute("age", "years", 0, 100)
VALUES = np.random.default_rng(0).uniform((-40, 10), (40, 70), (20, 2)).astype(np.float32)
GIVEN = {"lb": 0.5, "ub": 0.7}


class Recognizer:
    """Embed an image by a fixed random projection, of a spoiled one not even that."""

    image_size = 8

    def __init__(self, width=WIDTH, spoiled=None):
        self.projection = np.random.default_rng(1).normal(size=(8 * 8 * 3, width)).astype(np.float32)
        self.spoiled = spoiled

    def embed(self, images):
        found = (images.reshape(len(images), -1) / np.float32(255) - np.float32(0.5)) @ self.projection
        if self.spoiled is not None:
            found[3] = self.spoiled
        return found

    def class_centres(self):
        return None


class Generator:
    """A fitted generator as far as a plan looks at it."""

    def __init__(self, embedding_width=WIDTH, attribute_columns=(YAW, AGE)):
        self.embedding_width, self.attribute_columns = embedding_width, attribute_columns


class OfClasses:
    """A fitted generator that knows classes only."""


def inputs(plugin, folder, *, real=FACES, recognizer=None, generator=None, values=VALUES, columns=(YAW, AGE)):
    """Return the inputs of the plan, the anchors being those of the plugin's own search."""
    recognizer = recognizer or Recognizer()
    found = plugin.search().run(sources(real=real, recognizer=recognizer), stage_context(folder / "search"))
    attributes = {} if plugin.attributes == "none" else {"attributes": AttributeTable(columns, values)}
    given = {"real": real, "recognizer": recognizer, "generator": generator or Generator(), "search": found}
    return sources(**given, **attributes)


def planned(folder, log=None, passes=None, seed=7, real=FACES, recognizer=None, **parameters):
    """Return (plan, anchors)."""
    plugin = Id3(**{"anchors": 30, "images_per_identity": 6, "anchor_steps": 10, **parameters})
    opened = inputs(plugin, folder, real=real, recognizer=recognizer)
    run = stage_context(folder, seed=seed, log=log)
    count = Counter().update if passes is None else passes.update
    return plugin.plan(opened, replace(run, count_passes=count)), opened.search["anchors"]


def own_cosines(recognizer=None):
    """Return the cosines of the real images to the mean embedding of their class, by hand."""
    rows = (recognizer or Recognizer()).embed(FACES.pixels).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    means = np.array([rows[FACES.labels == k].mean(0) for k in range(4)])[FACES.labels]
    return (rows * means).sum(1) / np.linalg.norm(means, axis=1)


def to_others():
    """Return the cosines of the real images to the mean embedding of the other images of their class, by hand."""
    rows = Recognizer().embed(FACES.pixels).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    others = [FACES.labels == label for label in FACES.labels] & ~np.eye(len(rows), dtype=bool)
    means = np.array([rows[chosen].mean(0) for chosen in others])
    return (rows * means).sum(1) / np.linalg.norm(means, axis=1)


def within(plan, images):
    """Return the cosines between the samples of each identity, [N, m (m - 1) / 2]."""
    rows = plan.columns["identity"].astype(np.float64).reshape(-1, images, WIDTH)
    j, k = np.triu_indices(images, 1)
    return (rows @ rows.transpose(0, 2, 1))[:, j, k]


@pytest.mark.parametrize("spread", ["independent", "tammes"])
@pytest.mark.parametrize(("lb", "ub"), [(0.5, 0.7), (-1, 1), (0.9, 1)])
def test_cosines_to_the_anchor_lie_between_the_limits(tmp_path, spread, lb, ub):
    plan, anchors = planned(tmp_path, lb=lb, ub=ub, spread=spread)
    rows = plan.columns["identity"].astype(np.float64)
    cosines = (rows * anchors[plan.labels]).sum(1)
    assert np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-6
    assert np.abs(cosines - plan.columns["v"]).max() < 1e-6
    assert lb - 1e-6 < cosines.min() < lb + 0.1 * (ub - lb)
    assert ub + 1e-6 > cosines.max() > ub - 0.1 * (ub - lb)


def test_the_label_is_the_anchor(tmp_path):
    plan, _ = planned(tmp_path, **GIVEN)
    assert plan.identities[:2] == ("anchor-00001", "anchor-00002")
    assert len(plan.identities) == 30
    assert plan.labels.tolist() == [i for i in range(30) for _ in range(6)]
    assert plan.sources.shape == plan.weights.shape == (180, 0)
    assert len(plan) == Id3(anchors=30, images_per_identity=6).planned_images(4)


def test_columns_are_float32_one_row_for_each_image(tmp_path):
    plan, _ = planned(tmp_path, **GIVEN)
    shapes = {name: (column.dtype, column.shape) for name, column in plan.columns.items()}
    assert shapes == {
        "identity": (np.float32, (180, WIDTH)),
        "v": (np.float32, (180,)),
        "attributes": (np.float32, (180, 2)),
    }


def test_the_stage_keeps_the_plan(tmp_path):
    plugin = Id3(anchors=30, images_per_identity=6, anchor_steps=10)
    run = stage_context(tmp_path)
    stage.run(plugin, inputs(plugin, tmp_path), run)
    kept = stage.load(plugin, run.folder, "cpu").plan
    assert kept.blocks == 6
    last = {name: len(column) for name, column in kept.block(5).columns.items()}
    assert last == {"identity": 20, "v": 20, "attributes": 20}


def test_limits_are_percentiles_of_the_real_images(tmp_path):
    plan, _ = planned(tmp_path, low_percentile=20, high_percentile=80, images_per_identity=200)
    low, high = np.percentile(own_cosines(), (20, 80))
    assert low - 1e-6 < plan.columns["v"].min() < low + 0.01 * (high - low)
    assert high + 1e-6 > plan.columns["v"].max() > high - 0.01 * (high - low)


def test_one_limit_may_be_given(tmp_path):
    plan, _ = planned(tmp_path, lb=0.1, images_per_identity=100)
    assert plan.columns["v"].min() == pytest.approx(0.1, abs=0.01)
    assert plan.columns["v"].max() == pytest.approx(np.percentile(own_cosines(), 90), abs=0.01)


def test_a_given_limit_above_the_other_is_refused(tmp_path):
    with pytest.raises(FaceassayError, match=r"lb 0\.9999 \(as given\) must be .* below ub 0\.\d+ \(percentile 90"):
        planned(tmp_path, lb=0.9999)


def test_limits_of_equal_images_are_refused(tmp_path):
    same = ArrayDataset(np.full((4, 8, 8, 3), 90, np.uint8), np.array([0, 0, 1, 1]), ("a", "b"))
    plugin = Id3(anchors=3, images_per_identity=2, attributes="none")
    with pytest.raises(FaceassayError, match="give both lb and ub"):
        plugin.plan(inputs(plugin, tmp_path, real=same), stage_context(tmp_path))


def test_real_people_of_one_image_set_no_limits(tmp_path):
    alone = toy_faces(identities=4, per_identity=1, size=8)
    with pytest.raises(DataError, match="no real person has two images"):
        planned(tmp_path, real=alone, attributes="none")
    plan, _ = planned(tmp_path, real=alone, attributes="none", **GIVEN)
    assert len(plan) == 180


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lb": 0.7, "ub": 0.5}, "lb must be below ub"),
        ({"lb": 0.5, "ub": 0.5}, "lb must be below ub"),
        ({"lb": -1.1, "ub": 0.5}, "greater than or equal to -1"),
        ({"lb": 0.5, "ub": 1.1}, "less than or equal to 1"),
        ({"lb": 1.0}, "less than 1"),
        ({"ub": -1.0}, "greater than -1"),
        ({"lb": float("nan")}, "finite"),
        ({"low_percentile": 90, "high_percentile": 10}, "low_percentile must be below"),
        ({"anchors": 1}, "greater than or equal to 2"),
        ({"spread": "tammes", "images_per_identity": 1}, "raise images_per_identity"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, message):
    with pytest.raises(ValidationError, match=message):
        Id3(**parameters)


def test_independent_samples_of_an_identity_have_a_mean_cosine_of_036(tmp_path):
    """Within four standard errors of 0.6^2; two directions of d - 1 dimensions have a cosine of sd 1 / sqrt(d - 1)."""
    plan, _ = planned(tmp_path, anchors=400, anchor_kind="random", **GIVEN)
    found = within(plan, 6)
    assert found.mean() == pytest.approx(0.36, abs=4 * found.std() / np.sqrt(found.size))


def test_tammes_spread_samples_repel_each_other(tmp_path):
    """Six directions are a simplex: their cosines are -1 / 5."""
    plan, _ = planned(tmp_path, spread="tammes", **GIVEN)
    v = plan.columns["v"].astype(np.float64).reshape(-1, 6)
    j, k = np.triu_indices(6, 1)
    aside = np.sqrt(1 - v**2)
    assert within(plan, 6) == pytest.approx(v[:, j] * v[:, k] - aside[:, j] * aside[:, k] / 5, abs=1e-6)


def test_more_spread_samples_than_have_a_closed_form_are_optimised(tmp_path):
    plan, _ = planned(tmp_path, spread="tammes", anchors=3, images_per_identity=30, anchor_steps=60, lb=0.0, ub=0.01)
    loose, _ = planned(tmp_path, anchors=3, images_per_identity=30, lb=0.0, ub=0.01)
    assert within(plan, 30).max() < within(loose, 30).max() - 0.2


def test_equal_seeds_make_equal_plans(tmp_path):
    first, again, other = (planned(tmp_path, seed=seed, **GIVEN)[0].columns for seed in (7, 7, 8))
    for name, column in first.items():
        assert column.tobytes() == again[name].tobytes()
        assert not np.array_equal(column, other[name])


def test_plans_of_other_sizes_share_rows(tmp_path):
    """Anchors at random are the same ones, however many; an image's own draws depend on no other image."""
    small, _ = planned(tmp_path, anchor_kind="random", anchors=10, images_per_identity=4, **GIVEN)
    large, _ = planned(tmp_path, anchor_kind="random", anchors=25, images_per_identity=9, **GIVEN)
    for name, column in small.columns.items():
        rest = column.shape[1:]
        shared = large.columns[name].reshape(25, 9, *rest)[:10, :4]
        assert np.array_equal(column.reshape(10, 4, *rest), shared)


def test_changed_limits_leave_attributes_and_directions(tmp_path):
    first, anchors = planned(tmp_path, **GIVEN)
    second, _ = planned(tmp_path, lb=0.1, ub=0.2)
    assert np.array_equal(first.columns["attributes"], second.columns["attributes"])
    one, two = (
        (plan.columns["identity"] - v * anchors[plan.labels]) / np.sqrt(1 - v**2)
        for plan, v in ((plan, plan.columns["v"][:, None].astype(np.float64)) for plan in (first, second))
    )
    assert np.abs(one - two).max() < 1e-6


def test_bootstrapped_attributes_are_rows_of_the_real_ones(tmp_path):
    plan, _ = planned(tmp_path, images_per_identity=40, **GIVEN)
    real = {tuple(row) for row in VALUES.tolist()}
    drawn = Counter(map(tuple, plan.columns["attributes"].tolist()))
    assert set(drawn) == real
    assert max(drawn.values()) < 2 * 1200 / 20


def test_rows_with_an_unknown_value_are_left_out(tmp_path):
    values = VALUES.copy()
    values[::2, 1] = np.nan
    plugin = Id3(anchors=30, images_per_identity=6, anchor_steps=5)
    plan = plugin.plan(inputs(plugin, tmp_path, values=values), stage_context(tmp_path))
    assert {tuple(row) for row in plan.columns["attributes"].tolist()} == {tuple(row) for row in VALUES[1::2].tolist()}


def test_no_image_with_all_attributes_is_refused(tmp_path):
    values = VALUES.copy()
    values[::2, 1], values[1::2, 0] = np.nan, np.nan
    plugin = Id3(anchors=30, images_per_identity=6, anchor_steps=5)
    with pytest.raises(DataError, match="no real image has all of yaw, age: leave out a predictor"):
        plugin.plan(inputs(plugin, tmp_path, values=values), stage_context(tmp_path))


def test_widened_attributes_are_farther_from_the_mean_and_clipped(tmp_path):
    plain, _ = planned(tmp_path, **GIVEN)
    wide, _ = planned(tmp_path, attributes="widened", widening=4, **GIVEN)
    means = VALUES.mean(0, dtype=np.float64)
    expected = (means + 4 * (plain.columns["attributes"] - means)).clip((-90, 0), (90, 100))
    assert wide.columns["attributes"] == pytest.approx(expected, abs=1e-4)
    assert (wide.columns["attributes"].min(0) == (-90, 0)).all()
    AttributeTable((YAW, AGE), wide.columns["attributes"])


def test_without_attributes_there_is_no_column(tmp_path):
    plan, _ = planned(tmp_path, attributes="none", **GIVEN)
    assert set(plan.columns) == {"identity", "v"}


@pytest.mark.parametrize(("attributes", "read"), [("bootstrap", True), ("widened", True), ("none", False)])
def test_attributes_are_needed_where_they_are_drawn(attributes, read):
    expected = {"generator", "recognizer"} | ({"attributes"} if read else set())
    assert Id3(attributes=attributes).needs() == expected


@pytest.mark.parametrize("attributes", ["bootstrap", "none"])
def test_a_generator_must_be_conditioned_on_what_is_drawn(attributes):
    expected = {"identities"} | ({"attributes"} if attributes == "bootstrap" else set())
    assert Id3(attributes=attributes).conditions_on() == expected


def test_the_search_knows_what_places_anchors_and_no_more():
    first = Id3(anchors=30, anchor_kind="random", anchor_steps=9).search()
    assert (first.count, first.kind, first.optimiser_steps) == (30, "random", 9)
    assert first == Id3(anchors=30, anchor_kind="random", anchor_steps=9, attributes="none", lb=0.1).search()


def test_the_log_says_what_was_drawn(tmp_path):
    log, passes = Log(), Counter()
    plan, _ = planned(tmp_path, log, passes, weight=2.0, lb=0.5)
    cosines, found = own_cosines(), within(plan, 6)
    variance = np.mean([to_others()[FACES.labels == k].var(ddof=1) for k in range(4)])
    high = np.percentile(cosines, 90)
    assert log.lines == [
        f"cosines to the anchor: v in [0.5000, {high:.4f}), lb as given, ub percentile 90 of the real images; drawn "
        f"{plan.columns['v'].mean():.4f} on average",
        f"cosines between two samples of one identity: {found.mean():.4f} on average, at least {found.min():.4f}",
        f"W = 2 is to add about W Var(cos) = {2 * variance:.2g} to the cosine of an image to its identity "
        f"(guidance_space score; variance {variance:.2g} within real people, of each image's cosine to the mean of the "
        "person's others); epsilon multiplies W by sqrt(1 + sigma^2) / sigma; this row: score",
    ]
    assert passes == {"recognizer_forward": 20}


def test_one_image_of_each_has_no_other_to_compare_with(tmp_path):
    log = Log()
    planned(tmp_path, log, images_per_identity=1, **GIVEN)
    assert [line.partition(":")[0].partition(" =")[0] for line in log.lines] == ["cosines to the anchor", "W"]


def test_a_generator_of_classes_is_refused(tmp_path):
    plugin = Id3(anchors=3)
    with pytest.raises(FaceassayError, match=r"OfClasses is not: give the row a 'generator: \{plugin: id3\}'"):
        plugin.plan(inputs(plugin, tmp_path, generator=OfClasses()), stage_context(tmp_path))


def test_a_generator_of_another_width_is_refused(tmp_path):
    plugin = Id3(anchors=3)
    with pytest.raises(FaceassayError, match="embeddings of width 5, the recognizer's have 12: train the generator"):
        plugin.plan(inputs(plugin, tmp_path, generator=Generator(5)), stage_context(tmp_path))


@pytest.mark.parametrize("columns", [(), (YAW,), (AGE, YAW)], ids=["none", "fewer", "another order"])
def test_a_generator_of_other_attributes_is_refused(tmp_path, columns):
    plugin, generator = Id3(anchors=3), Generator(attribute_columns=columns)
    with pytest.raises(FaceassayError, match="those of the real images are yaw, age: train it on these, or set"):
        plugin.plan(inputs(plugin, tmp_path, generator=generator), stage_context(tmp_path))


def test_a_real_identity_called_like_an_anchor_is_refused(tmp_path):
    real = replace(FACES, identities=("anchor-00002", "b", "c", "d"))
    with pytest.raises(FaceassayError, match=r"1 real identities are called like anchors \(anchor-00002\)"):
        planned(tmp_path, real=real)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_recognizer_without_use_is_refused(tmp_path, value):
    plugin = Id3(anchors=3, images_per_identity=2)
    opened = inputs(plugin, tmp_path)
    opened = sources(**{name: opened.open(name) for name in opened.openers} | {"recognizer": Recognizer(spoiled=value)})
    with pytest.raises(DataError, match="embedding of image 3"):
        plugin.plan(opened, stage_context(tmp_path))
