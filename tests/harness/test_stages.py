"""Each stage by itself: what it writes, what it reads back, what it refuses. The store and the order are elsewhere."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from faceassay.blocks import block_is_complete
from faceassay.contracts import (
    Augmentation,
    Curve,
    DataError,
    Evaluation,
    EvaluationProtocol,
    FaceassayError,
    Features,
    Interval,
    Recognizer,
    SynthesisPlan,
)
from faceassay.seeds import noise_keys, row_noise
from faceassay.stages import evaluation, features, plan, recognizer, synthesis
from faceassay.stages.plan import StoredPlan
from faceassay.unions import Mixture
from fakes import ArrayDataset, Log, WholePack, sources, stage_context, toy_faces

SIZE = 16


@pytest.fixture
def real():
    return toy_faces(identities=4, per_identity=3, size=SIZE)


# --- plan


class Listed(Augmentation):
    name = "listed"
    version = "1"
    summary = "lists what it is told to list"
    held: list = []  # noqa: RUF012 - a plan is no parameter

    def planned_images(self, identities):
        return len(self.held[0])

    def plan(self, sources, run):
        return self.held[0]

    def render(self, sources, block, noise):
        raise AssertionError("a plan renders nothing")


def a_plan(rows=7, k=2, block_size=3, **columns):
    rng = np.random.default_rng(0)
    return SynthesisPlan(
        identities=("synthetic:Zoë+s1", "s2", "new, one"),
        labels=rng.integers(0, 3, rows),
        sources=rng.integers(0, 4, (rows, k)),
        weights=rng.normal(size=(rows, k)),
        block_size=block_size,
        columns=columns,
    )


def written(made, folder, seed=7):
    context = stage_context(folder, seed)
    plugin = Listed(held=[made])
    plan.run(plugin, sources(real=toy_faces(identities=4, per_identity=1, size=SIZE)), context)
    return plan.load(plugin, context.folder, "cpu"), context.folder


@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_a_plan_is_read_back_as_it_was_written(k, tmp_path):
    made = a_plan(k=k)
    stored, _ = written(made, tmp_path)
    back = stored.plan
    assert (back.identities, back.block_size) == (made.identities, made.block_size)
    for name in ("labels", "sources", "weights"):
        assert np.array_equal(getattr(back, name), getattr(made, name)), name
        assert getattr(back, name).dtype == getattr(made, name).dtype
        assert getattr(back, name).shape == getattr(made, name).shape


def test_the_columns_of_a_plan_keep_type_and_shape(tmp_path):
    columns = {
        "images": np.arange(14).reshape(7, 2),
        "anchor": np.random.default_rng(0).normal(size=(7, 3, 2)).astype(np.float32),
        "kept": np.arange(7) % 2 == 0,
    }
    back = written(a_plan(**columns), tmp_path)[0].plan.columns
    assert set(back) == set(columns)
    for name, column in columns.items():
        assert back[name].dtype == column.dtype
        assert np.array_equal(back[name], column)


def test_each_row_of_a_plan_has_the_noise_key_of_seed_and_row(tmp_path):
    stored, _ = written(a_plan(), tmp_path, seed=11)
    assert stored.noise.dtype == np.uint64
    assert np.array_equal(stored.noise, noise_keys(11, 0, 7))


def test_two_methods_with_one_seed_have_the_same_noise(tmp_path):
    one, _ = written(a_plan(k=1), tmp_path / "one")
    other, _ = written(a_plan(k=3, rows=5), tmp_path / "other")
    assert np.array_equal(one.noise[:5], other.noise)


def test_a_plan_is_a_table_that_others_can_read(tmp_path):
    made = a_plan()
    _, folder = written(made, tmp_path)
    table = pd.read_parquet(folder / "plan.parquet")
    assert list(table.columns) == ["label", "noise", "sources", "weights"]
    assert table["label"].tolist() == made.labels.tolist()
    assert [row.tolist() for row in table["sources"]] == made.sources.tolist()
    assert json.loads((folder / "plan.json").read_text()) == {"identities": list(made.identities), "block_size": 3}


def test_the_same_plan_is_the_same_bytes(tmp_path):
    folders = [written(a_plan(images=np.arange(7)), tmp_path / name)[1] for name in ("one", "other")]
    contents = [{path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()} for folder in folders]
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"plan.parquet", "plan.json", "images.npy", "degrees.npy"}


def sourced(labels, sources):
    """Return a plan of these rows."""
    names, rows = tuple(f"n{k}" for k in range(max(labels) + 1)), np.array(sources)
    return SynthesisPlan(names, np.array(labels), rows, np.ones(rows.shape), block_size=4)


def test_a_degree_counts_the_synthetic_identities_of_a_class_once_however_many_images_they_have(tmp_path):
    made = sourced([0, 0, 0, 1, 2, 2], [[0, 1], [0, 1], [1, 0], [1, 2], [2, 1], [2, 2]])
    degrees = written(made, tmp_path)[0].degrees
    assert degrees.dtype == np.int64
    assert degrees.tolist() == [1, 3, 2, 0]  # the fourth real person is nobody's source


def test_degrees_are_those_counted_row_by_row(tmp_path):
    made = a_plan(rows=40, k=3)
    counted = [len({label for label, row in zip(made.labels, made.sources, strict=True) if k in row}) for k in range(4)]
    assert written(made, tmp_path)[0].degrees.tolist() == counted


def test_a_plan_without_sources_has_no_degrees(tmp_path):
    stored, folder = written(a_plan(k=0), tmp_path)
    assert stored.degrees is None
    assert not (folder / "degrees.npy").exists()


@pytest.mark.parametrize("wrong", [-1, 4])
def test_a_source_that_is_no_real_class_is_an_error(wrong, tmp_path):
    with pytest.raises(FaceassayError, match=r"from classes .*, the real images have 0\.\.3: sources must be indices"):
        written(sourced([0, 0], [[0, 1], [2, wrong]]), tmp_path)


# --- synthesis


class Painted(Augmentation):
    """Paint each image in the grey of its label, with the row's noise as texture; may be told to fail or to cheat."""

    name = "painted"
    version = "1"
    summary = "paints noise"
    rendered: list = []  # noqa: RUF012 - the same list for a plugin and its copies is wanted
    wrong: object = None
    fails_at: int = -1

    def planned_images(self, identities):
        return 7

    def plan(self, sources, run):
        return a_plan()

    def render(self, sources, block, noise):
        if block.index == self.fails_at:
            raise ArithmeticError("told to fail")
        self.rendered.append(block.index)
        if "generator" in sources:
            sources.generator.evaluations += 10 * len(block)
        return self.wrong if self.wrong is not None else painted(block.labels, noise)


class Counter:
    evaluations = 0


def painted(labels, noise):
    return (60 * (labels[:, None, None, None] + 1) + 10 * noise.transpose(0, 2, 3, 1)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def stored():
    return StoredPlan(a_plan(), noise_keys(5, 0, 7))


@pytest.fixture
def inputs(real, stored):
    return sources(real=real, plan=stored, generator=Counter())


def painter(**told):
    return Painted(**{"rendered": [], **told}) if "rendered" not in told else Painted(**told)


def contents(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


def test_a_synthesis_holds_every_row_in_order(inputs, stored, tmp_path):
    context = stage_context(tmp_path)
    synthesis.run(painter(), inputs, context)
    made = synthesis.load(painter(), context.folder, "cpu")
    assert np.array_equal(made.images(np.arange(7)), painted(stored.plan.labels, row_noise(stored.noise, SIZE)))
    assert np.array_equal(made.labels, stored.plan.labels)
    assert tuple(made.identities) == stored.plan.identities
    assert made.image_size == SIZE


def test_blocks_are_rendered_as_the_plan_cuts_them(inputs, tmp_path):
    plugin = painter()
    synthesis.run(plugin, inputs, stage_context(tmp_path))
    assert plugin.rendered == [0, 1, 2]


def test_a_synthesis_tells_its_progress_and_counts_evaluations(inputs, tmp_path):
    log = Log()
    synthesis.run(painter(), inputs, stage_context(tmp_path, log=log))
    assert log.progress == [(0, 7), (3, 7), (6, 7), (7, 7)]
    assert log.evaluations == 70


def test_without_a_generator_nothing_is_counted(real, stored, tmp_path):
    log = Log()
    synthesis.run(painter(), sources(real=real, plan=stored), stage_context(tmp_path, log=log))
    assert log.evaluations == 0


def test_a_synthesis_goes_on_after_a_failure_with_the_blocks_it_has(inputs, tmp_path):
    first = painter(fails_at=2)
    with pytest.raises(ArithmeticError):
        synthesis.run(first, inputs, stage_context(tmp_path))
    again, log = painter(), Log()
    synthesis.run(again, inputs, stage_context(tmp_path, log=log))
    assert (first.rendered, again.rendered) == ([0, 1], [2])
    assert log.evaluations == 70  # those of the first attempt are in it


def test_a_synthesis_that_went_on_has_the_bytes_of_one_that_did_not_stop(inputs, tmp_path):
    with pytest.raises(ArithmeticError):
        synthesis.run(painter(fails_at=1), inputs, stage_context(tmp_path / "stopped"))
    for name in ("stopped", "whole"):
        synthesis.run(painter(), inputs, stage_context(tmp_path / name))
    assert contents(tmp_path / "stopped" / "work") == contents(tmp_path / "whole" / "work")


def test_a_damaged_block_is_rendered_again(inputs, tmp_path):
    with pytest.raises(ArithmeticError):
        synthesis.run(painter(fails_at=2), inputs, stage_context(tmp_path))
    block = synthesis.block_path(tmp_path, 0)
    block.write_bytes(block.read_bytes()[:-700])
    again = painter()
    synthesis.run(again, inputs, stage_context(tmp_path))
    assert again.rendered == [0, 2]


def test_a_block_without_its_facts_is_rendered_again(inputs, stored, tmp_path):
    with pytest.raises(ArithmeticError):
        synthesis.run(painter(fails_at=2), inputs, stage_context(tmp_path))
    synthesis.block_path(tmp_path, 1).with_suffix(".json").unlink()
    assert synthesis.missing_blocks(stored, tmp_path) == [1, 2]


def test_blocks_rendered_in_any_order_make_the_same_bytes(inputs, stored, tmp_path):
    for index in (2, 0, 1):
        synthesis.render_block(painter(), inputs, stored, index, tmp_path / "mixed")
    unused = painter()
    synthesis.run(unused, inputs, stage_context(tmp_path / "mixed"))
    synthesis.run(painter(), inputs, stage_context(tmp_path / "whole"))
    assert unused.rendered == []
    assert contents(tmp_path / "mixed" / "work") == contents(tmp_path / "whole" / "work")


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((3, SIZE, SIZE, 3), np.float32),
        np.zeros((2, SIZE, SIZE, 3), np.uint8),
        np.zeros((3, SIZE, SIZE), np.uint8),
        np.zeros((3, 3, SIZE, SIZE), np.uint8),
        np.zeros((3, SIZE + 1, SIZE, 3), np.uint8),
        np.zeros((3, SIZE, SIZE, 4), np.uint8),
        [[0]],
        "images",
    ],
    ids=lambda wrong: f"{type(wrong).__name__}{getattr(wrong, 'shape', '')}{getattr(wrong, 'dtype', '')}",
)
def test_a_plugin_that_renders_anything_else_is_refused_by_name(wrong, inputs, tmp_path):
    plugin = painter(wrong=wrong)
    with pytest.raises(FaceassayError, match=r"augmentation 'painted' rendered .* uint8 \[3, 16, 16, 3\] RGB"):
        synthesis.run(plugin, inputs, stage_context(tmp_path))
    assert not block_is_complete(synthesis.block_path(tmp_path, 0))


# --- recognizer


class Taking(Recognizer):
    name = "taking"
    version = "1"
    summary = "keeps the set that it was given"
    given: list = []  # noqa: RUF012

    def updates_for(self, images):
        return images

    def trained_for(self, updates):
        return self

    def work(self, images):
        return images

    def fit(self, data, run):
        self.given.append(data)
        (run.folder / "seed.txt").write_text(str(run.seed))

    def load(self, folder, device):
        return (folder / "seed.txt").read_text(), device


@pytest.fixture
def synthetic():
    faces = toy_faces(identities=2, per_identity=2, size=SIZE, seed=5)
    return ArrayDataset(faces.pixels, faces.labels, ("s2", "synthetic:s1+s2"))


def trained_on(folder, **inputs):
    plugin = Taking(given=[])
    recognizer.run(plugin, sources(**inputs), stage_context(folder))
    return plugin.given[0]


def test_a_recognizer_trains_on_real_images_alone(real, tmp_path):
    assert trained_on(tmp_path, real=real) is real


def test_a_recognizer_trains_on_synthetic_images_alone(synthetic, tmp_path):
    assert trained_on(tmp_path, synthesis=synthetic) is synthetic


def test_a_recognizer_trains_on_the_union_of_both(real, synthetic, tmp_path):
    data = trained_on(tmp_path, real=real, synthesis=synthetic, mixture=Mixture())
    assert tuple(data.identities) == (*real.identities, "synthetic:s1+s2")
    assert data.labels.tolist() == [*real.labels.tolist(), 1, 1, 4, 4]
    assert np.array_equal(data.images(np.arange(16)), np.concatenate([real.pixels, synthetic.pixels]))


def test_a_recognizer_trains_on_what_the_mixture_says(real, synthetic, tmp_path):
    data = trained_on(tmp_path, real=real, synthesis=synthetic, mixture=Mixture("apart", "sources"))
    assert len(data) == 2 * len(real)
    assert {name.partition("/")[0] for name in data.identities} == {"real", "synthetic"}


def test_a_recognizer_is_opened_by_its_plugin(real, tmp_path):
    plugin, context = Taking(given=[]), stage_context(tmp_path, seed=9)
    recognizer.run(plugin, sources(real=real), context)
    assert recognizer.load(plugin, context.folder, "cpu") == ("9", "cpu")


# --- features


class Pixels:
    """A fitted recognizer whose embedding of an image is the image."""

    image_size = SIZE

    def __init__(self):
        self.batches = []

    def embed(self, images):
        assert images.flags.c_contiguous
        self.batches.append(len(images))
        return images.reshape(len(images), -1).astype(np.float32)

    def class_centres(self):
        return None


class Fixed(EvaluationProtocol):
    """Embed every image; evaluate to what it is told."""

    name = "fixed"
    version = "1"
    summary = "evaluates to what it is told"
    result: object = None
    announced: tuple = ("accuracy:a", "tar:b")

    def metric_ids(self):
        return self.announced

    def reader(self):
        raise AssertionError("a stage opens its inputs itself")

    def evaluate(self, pack, features):
        return self.result


def embedded(data, folder, log=None):
    fitted, context = Pixels(), stage_context(folder, log=log)
    features.run(None, sources(benchmark=WholePack(data), recognizer=fitted), context)
    return features.load(None, context.folder, "cpu"), fitted


def test_features_are_the_embeddings_of_the_images_in_order(real, tmp_path):
    made, _ = embedded(real, tmp_path)
    assert made.embeddings.dtype == np.float32
    assert np.array_equal(made.embeddings.reshape(real.pixels.shape), real.pixels)


def test_flipped_features_are_those_of_the_mirrored_images(real, tmp_path):
    made, _ = embedded(real, tmp_path)
    mirrored = [np.asarray(ImageOps.mirror(Image.fromarray(image))) for image in real.pixels]
    assert np.array_equal(made.flipped.reshape(real.pixels.shape), mirrored)
    assert not np.array_equal(made.flipped, made.embeddings)


class Stopping(Pixels):
    """Embed eight times, then stop."""

    def embed(self, images):
        if len(self.batches) == 4:
            raise KeyboardInterrupt
        return super().embed(images)


def test_a_stopped_embedding_goes_on_where_it_was_and_ends_in_the_same_bytes(tmp_path):
    data = toy_faces(identities=5, per_identity=40, size=SIZE)
    whole, _ = embedded(data, tmp_path / "whole")
    context, given = stage_context(tmp_path / "stopped", interval=0), {"benchmark": WholePack(data)}
    with pytest.raises(KeyboardInterrupt):
        features.run(None, sources(**given, recognizer=Stopping()), context)
    fitted = Pixels()
    features.run(None, sources(**given, recognizer=fitted), context)
    again = features.load(None, context.folder, "cpu")
    assert fitted.batches == [64, 64, 8, 8]
    assert np.array_equal(again.embeddings, whole.embeddings)
    assert np.array_equal(again.flipped, whole.flipped)


def test_rows_that_an_earlier_attempt_lost_are_embedded_again(tmp_path):
    data = toy_faces(identities=5, per_identity=40, size=SIZE)
    context, given = stage_context(tmp_path, interval=0), {"benchmark": WholePack(data)}
    with pytest.raises(KeyboardInterrupt):
        features.run(None, sources(**given, recognizer=Stopping()), context)
    (context.scratch / "flipped.npy").unlink()
    fitted = Pixels()
    features.run(None, sources(**given, recognizer=fitted), context)
    assert sum(fitted.batches) == 2 * len(data)


def test_images_of_another_size_than_the_recognizer_takes_are_refused(tmp_path):
    data = toy_faces(identities=2, per_identity=4, size=2 * SIZE)
    with pytest.raises(DataError, match=rf"images of {2 * SIZE} px, the recognizer takes {SIZE} px: set .*image_size"):
        embedded(data, tmp_path)


def test_images_are_embedded_in_fixed_batches_plain_and_mirrored(tmp_path):
    log = Log()
    _, fitted = embedded(toy_faces(identities=5, per_identity=30, size=SIZE), tmp_path, log)
    assert fitted.batches == [64, 64, 64, 64, 22, 22]
    assert log.progress == [(64, 150), (128, 150), (150, 150)]


# --- evaluation


def evaluated(folder, result, **told):
    plugin, context = Fixed(result=result, **told), stage_context(folder)
    embeddings = np.zeros((1, 1), np.float32)
    pack = WholePack(toy_faces(), notes={"pairs": 3, "sha256": "ab"}, warnings=("not the known pack",))
    evaluation.run(plugin, sources(benchmark=pack, features=Features(embeddings, embeddings)), context)
    return evaluation.load(plugin, context.folder, "cpu")


def test_an_evaluation_is_read_back_as_it_was_written(tmp_path):
    scores = {"distances": np.random.default_rng(0).random(9), "is_same": np.arange(9) % 2 == 0, "tar.1e-4": np.eye(2)}
    curve = Curve(np.array([0.001, 1.0]), np.array([0.1, 1 / 3]), "false positive rate", "true accept rate", True)
    notes = {"population": "pairs", "pairs": 9, "fold_std": 0.1}
    intervals = {"accuracy:a": [Interval(0.1, 2 / 3, "identities", "percentile bootstrap, 9 replicates")]}
    made = Evaluation(
        {"accuracy:a": 1 / 3, "tar:b": 0.0}, scores, {"roc": curve}, notes, intervals, {"tar:b": "rough"}, ("odd",)
    )
    back = evaluated(tmp_path, made)
    assert list(back.metrics.items()) == [("accuracy:a", 1 / 3), ("tar:b", 0.0)]
    assert back.notes == {**notes, "sha256": "ab"}
    assert back.intervals == intervals
    assert back.cautions == {"tar:b": "rough"}
    assert back.warnings == ["not the known pack", "odd"]
    assert set(back.scores) == set(scores)
    for name, array in scores.items():
        assert back.scores[name].dtype == array.dtype
        assert np.array_equal(back.scores[name], array)
    assert np.array_equal(back.curves["roc"].x, curve.x)
    assert np.array_equal(back.curves["roc"].y, curve.y)
    assert (back.curves["roc"].x_label, back.curves["roc"].log_x) == (curve.x_label, True)


@pytest.mark.parametrize(
    "metrics", [{"accuracy:a": 1.0}, {"tar:b": 1.0, "accuracy:a": 1.0}, {"accuracy:a": 1.0, "tar:b": 1.0, "auc": 1.0}]
)
def test_metrics_that_were_not_announced_are_refused_by_name(metrics, tmp_path):
    with pytest.raises(FaceassayError, match="protocol 'fixed' announced accuracy:a, tar:b but computed"):
        evaluated(tmp_path, Evaluation(metrics, {}))


def test_replicates_of_another_number_of_metrics_are_refused(tmp_path):
    scores = {"replicates": np.zeros((5, 3))}
    with pytest.raises(FaceassayError, match=r"keeps replicates \[5, 3\], not \[R, 2\], a column for each metric"):
        evaluated(tmp_path, Evaluation({"accuracy:a": 0.5, "tar:b": 0.5}, scores))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_metric_that_is_no_number_is_refused_by_name(value, tmp_path):
    with pytest.raises(FaceassayError, match="protocol 'fixed' computed no finite number for tar:b"):
        evaluated(tmp_path, Evaluation({"accuracy:a": 0.5, "tar:b": value}, {}))
