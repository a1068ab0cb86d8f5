"""What a training step of id3 sees: conditions, drops, noise levels, the weights of the terms, and bad inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edm2_fits import scheme_of
from faceassay import AttributeTable, DataError, FaceassayError
from faceassay_plugins.generators.edm2.batches import Batches
from faceassay_plugins.generators.id3.schedule import identity_weight
from faceassay_plugins.generators.id3.scheme import spread
from fakes import Log, stage_context
from id3_inputs import AGE, YAW, Blind, Linear, attributes_of


@pytest.fixture
def scheme(identical, faces, inputs, tmp_path):
    return scheme_of(identical, faces, stage_context(tmp_path), **inputs)


def drawn(scheme, tmp_path, step=1, seed=7, **share):
    return Batches(scheme, replace(stage_context(tmp_path), **share), seed).draw(step)


def with_parameters(identical, **parameters):
    return identical.model_copy(update=parameters)


def test_an_image_is_conditioned_on_its_unit_embedding(scheme, faces):
    embedded = Blind().embed(faces.pixels[[3, 0]]).astype(np.float64)
    found = scheme.conditions(np.array([3, 0]))["identity"].numpy()
    assert found == pytest.approx(embedded / np.linalg.norm(embedded, axis=1, keepdims=True), abs=1e-6)


def test_attributes_are_standardised_by_the_training_images_alone(identical, faces, inputs, tmp_path):
    plugin = with_parameters(identical, held_out=0.3)
    scheme = scheme_of(plugin, faces, stage_context(tmp_path), **inputs)
    known = inputs["attributes"].values[scheme.shown.rows].astype(np.float64)
    expected = (inputs["attributes"].values - np.nanmean(known, 0)) / np.nanstd(known, 0)
    found = scheme.conditions(np.arange(24))["attributes"].numpy()
    assert found == pytest.approx(np.nan_to_num(expected), abs=1e-5)
    assert found[2].tolist() == [0, 0]


@pytest.mark.parametrize(("identity", "attributes"), [(0.1, 0.1), (0.4, 0.0), (0.0, 0.7)])
def test_conditions_are_dropped_at_their_rates_and_independently(
    identity, attributes, identical, faces, inputs, tmp_path
):
    plugin = with_parameters(identical, drop_identity=identity, drop_attributes=attributes)
    kept = scheme_of(plugin, faces, stage_context(tmp_path), **inputs).draw(40_000)[:2]
    dropped = (~torch.stack(kept)).double()
    # The standard deviation of a rate is below 0.0025.
    assert dropped.mean(1).tolist() == pytest.approx([identity, attributes], abs=0.0125)
    assert (dropped[0] * dropped[1]).mean().item() == pytest.approx(identity * attributes, abs=0.0125)


def test_a_dropped_condition_is_zero_and_its_embedding_still_the_target(identical, faces, inputs, tmp_path):
    plugin = with_parameters(identical, drop_identity=0.5, drop_attributes=0.5, batch_size=64)
    scheme = scheme_of(plugin, faces, stage_context(tmp_path), **inputs)
    batch = drawn(scheme, tmp_path)
    seen = batch.condition["identity"]
    empty = ~seen.any(1)
    assert 0 < empty.sum() < 64
    assert torch.equal(seen[~empty], batch.identity[~empty])
    assert torch.allclose(batch.identity.norm(dim=1), torch.ones(64))
    assert 0 < (~batch.condition["attributes"].any(1)).sum() < 64


def test_without_attributes_there_is_one_condition_and_no_need(identical, faces, tmp_path):
    plugin = with_parameters(identical, attributes=False)
    scheme = scheme_of(plugin, faces, stage_context(tmp_path), recognizer=Linear())
    assert list(drawn(scheme, tmp_path).condition) == ["identity"]
    assert (scheme.conditioning.identity, scheme.conditioning.attributes) == (5, 0)


@pytest.mark.parametrize(("size", "few"), [(4, 1), (16, 1), (128, 8), (10, 3), (5, 0), (7, 6)])
def test_reconstructed_images_are_spread_evenly_over_the_batch(size, few):
    mask = spread(size, few)
    assert (len(mask), mask.sum()) == (size, few)
    gaps = np.diff(np.flatnonzero(mask))
    assert not len(gaps) or gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize(("share", "few"), [(1 / 16, 1), (0.5, 8), (0, 0), (0.2, 3)])
def test_the_share_of_reconstructed_images_is_seen_at_the_lowest_level(share, few, identical, faces, inputs, tmp_path):
    plugin = with_parameters(identical, reconstruction_share=share, batch_size=16)
    batch = drawn(scheme_of(plugin, faces, stage_context(tmp_path), **inputs), tmp_path)
    carries = batch.weights[:, 2] > 0
    assert carries.sum() == few
    assert torch.allclose(batch.sigma[carries], torch.tensor(0.010000500))
    assert (batch.weights[carries, :2] == 0).all()
    assert (batch.weights[~carries, 0] == 16 / (16 - few)).all()
    assert batch.weights[:, 0].sum().item() == pytest.approx(16)
    assert batch.weights[:, 2].sum().item() == pytest.approx(16 if few else 0)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_the_identity_term_is_weighted_by_the_time_of_the_level(factor, identical, faces, inputs, tmp_path):
    plugin = with_parameters(identical, identity_weight=factor, batch_size=16)
    batch = drawn(scheme_of(plugin, faces, stage_context(tmp_path), **inputs), tmp_path)
    carries = batch.weights[:, 0] > 0
    times = plugin.schedule.relative_times(batch.sigma[carries].double().numpy())
    expected = factor * identity_weight(times) * 16 / 15
    assert batch.weights[carries, 1].numpy() == pytest.approx(expected, rel=1e-6)
    assert 0.134 < batch.weights[carries, 1].min() / factor * 15 / 16 < 0.25


def test_noise_levels_are_log_normal_by_default(scheme):
    assert scheme.noise_levels(torch.tensor([-1.0, 0, 2])).log().tolist() == pytest.approx([-2.4, -0.8, 2.4], abs=1e-5)


def test_uniform_times_are_those_of_equation_3(identical, faces, inputs, tmp_path):
    plugin = with_parameters(identical, noise_levels="uniform_t", timesteps=6, beta_first=0.01, beta_last=0.04)
    scheme = scheme_of(plugin, faces, stage_context(tmp_path), **inputs)
    levels = scheme.noise_levels(torch.randn(20_000))
    assert levels.dtype == torch.float32
    values, counts = levels.unique(return_counts=True)
    assert values.tolist() == pytest.approx(plugin.schedule.sigmas[1:], rel=1e-6)
    assert (counts / 20_000).tolist() == pytest.approx([0.2] * 5, abs=0.015)


def test_step_and_seed_decide_a_batch(scheme, tmp_path):
    first, again, other_step, other_seed = (
        drawn(scheme, tmp_path, *which) for which in ((1, 7), (1, 7), (2, 7), (1, 8))
    )
    assert torch.equal(first.noise, again.noise)
    assert torch.equal(first.condition["identity"], again.condition["identity"])
    assert not torch.equal(first.noise, other_step.noise)
    assert not torch.equal(first.noise, other_seed.noise)


def test_images_and_their_conditions_stay_together(scheme, faces, tmp_path):
    batch = drawn(scheme, tmp_path)
    embedded = Linear().features(batch.x)
    assert torch.allclose(torch.nn.functional.normalize(embedded, dim=1), batch.identity, atol=1e-5)


def test_the_shares_make_up_the_batch_of_one_process(identical, faces, inputs, tmp_path):
    plugin = with_parameters(identical, batch_size=8, drop_identity=0.5, reconstruction_share=0.25)
    scheme = scheme_of(plugin, faces, stage_context(tmp_path), **inputs)
    whole, *shares = (drawn(scheme, tmp_path, **share) for share in ({}, *({"rank": r, "world": 2} for r in (0, 1))))
    for name in ("x", "noise", "sigma", "identity", "weights"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(share, name) for share in shares]))
    for name, values in whole.condition.items():
        assert torch.equal(values, torch.cat([share.condition[name] for share in shares]))
    assert all((share.weights[:, 2] > 0).sum() == 1 for share in shares)


def test_samples_are_conditioned_on_a_training_image_of_each_class(identical, faces, inputs, tmp_path):
    scheme = scheme_of(with_parameters(identical, held_out=0.3), faces, stage_context(tmp_path), **inputs)
    classes, condition = scheme.samples(3)
    rows = [scheme.shown.rows[faces.labels[scheme.shown.rows] == k][0] for k in (0, 1, 3)]
    assert classes.tolist() == [0, 1, 3]
    assert np.array_equal(condition["identity"], scheme.given["identity"][rows])
    assert np.array_equal(condition["attributes"], inputs["attributes"].values[rows], equal_nan=True)


def test_an_attribute_that_is_the_same_for_all_is_logged(identical, faces, tmp_path):
    table, log = attributes_of(faces), Log()
    table.values[:, 1] = 30
    scheme_of(identical, faces, stage_context(tmp_path, log=log), recognizer=Linear(), attributes=table)
    assert [line for line in log.lines if "attribute age is the same for all training images" in line]


def test_a_recognizer_without_gradient_is_refused_where_one_is_needed(identical, faces, inputs, tmp_path):
    blind = {**inputs, "recognizer": Blind()}
    with pytest.raises(FaceassayError, match="Blind gives none"):
        scheme_of(identical, faces, stage_context(tmp_path), **blind)
    plugin = with_parameters(identical, identity_weight=0.0)
    scheme = scheme_of(plugin, faces, stage_context(tmp_path), **blind)
    assert scheme.features is None


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_recognizer_of_other_images_is_refused(weight, identical, faces, inputs, tmp_path):
    plugin = with_parameters(identical, identity_weight=weight)
    with pytest.raises(FaceassayError, match="takes images of 16 px and these have 8 px"):
        scheme_of(plugin, faces, stage_context(tmp_path), **{**inputs, "recognizer": Linear(image_size=16)})


def test_missing_attributes_are_an_error(identical, faces, tmp_path):
    with pytest.raises(FaceassayError, match="no input 'attributes'"):
        scheme_of(identical, faces, stage_context(tmp_path), recognizer=Linear())


def test_attributes_of_other_images_are_an_error(identical, faces, inputs, tmp_path):
    fewer = AttributeTable((YAW, AGE), inputs["attributes"].values[:20])
    with pytest.raises(DataError, match="attributes of 20 images and 24 real images"):
        scheme_of(identical, faces, stage_context(tmp_path), recognizer=Linear(), attributes=fewer)


def test_an_image_without_direction_is_an_error(identical, faces, inputs, tmp_path):
    class Numb(Linear):
        def embed(self, images):
            return super().embed(images) * (np.arange(len(images)) != 5)[:, None]

    with pytest.raises(DataError, match="embedding of image 5"):
        scheme_of(identical, faces, stage_context(tmp_path), **{**inputs, "recognizer": Numb()})


@pytest.mark.parametrize("world", [1, 2])
def test_every_process_that_embeds_the_images_counts(world, identical, faces, inputs, tmp_path):
    log = Log()
    scheme_of(identical, faces, replace(stage_context(tmp_path, log=log), world=world), **inputs)
    assert log.passes == {"recognizer_forward": world * len(faces)}
