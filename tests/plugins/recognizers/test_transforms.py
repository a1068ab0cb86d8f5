"""The training transforms: what they change, what they leave, and where their randomness comes from."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch

from faceassay import seeds
from faceassay_plugins.recognizers.iresnet import transforms
from faceassay_plugins.recognizers.iresnet.transforms import (
    Share,
    Transforms,
    crop,
    flip,
    low_resolution,
    photometric,
)

EACH = pytest.mark.parametrize("transform", [crop, low_resolution, photometric, flip])


def images(count=64, size=32, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(0.05, 0.95, (count, 3, size, size))).float()


def random(seed=0):
    return np.random.default_rng(seed)


def boxes(cropped):
    """Return top, bottom, left, right of what is not black, per image."""
    for image in cropped:
        seen = (image != 0).all(dim=0)
        rows, columns = torch.where(seen.any(1))[0], torch.where(seen.any(0))[0]
        yield rows[0].item(), rows[-1].item() + 1, columns[0].item(), columns[-1].item() + 1


@EACH
def test_probability_zero_is_the_identity(transform):
    x = images()
    assert torch.equal(transform(x, random(), 0.0), x)


@EACH
def test_the_probability_is_the_share_of_changed_images(transform):
    x = images(600, 16)
    changed = (transform(x, random(), 0.2) != x).flatten(1).any(1).float().mean()
    assert 0.14 < changed < 0.26


@EACH
def test_the_input_is_left_unchanged(transform):
    x = images()
    before = x.clone()
    transform(x, random(), 1.0)
    assert torch.equal(x, before)


@EACH
def test_the_draws_taken_do_not_depend_on_the_probability(transform):
    after = []
    for probability in (0.0, 0.3, 1.0):
        generator = random()
        transform(images(), generator, probability)
        after.append(generator.random())
    assert len(set(after)) == 1


@EACH
def test_results_stay_in_range(transform):
    x = images()
    changed = transform(x, random(), 1.0)
    assert changed.shape == x.shape
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_a_crop_is_unchanged_inside_its_box_and_black_outside():
    x = images()
    cropped = crop(x, random(), 1.0)
    for before, after, (top, bottom, left, right) in zip(x, cropped, boxes(cropped), strict=True):
        inside = torch.zeros(32, 32, dtype=torch.bool)
        inside[top:bottom, left:right] = True
        assert torch.equal(after, torch.where(inside, before, 0.0))


def test_crops_have_the_area_and_aspect_of_the_papers():
    size, rounding = 112, 1.0
    for top, bottom, left, right in boxes(crop(images(200, size), random(), 1.0)):
        height, width = bottom - top, right - left
        assert (height + rounding) * (width + rounding) >= 0.2 * size**2
        if (height, width) != (size, size):
            assert (width - rounding) / (height + rounding) <= 4 / 3
            assert (height - rounding) / (width + rounding) <= 4 / 3


def test_crops_reach_every_border_and_differ():
    found = list(boxes(crop(images(300), random(), 1.0)))
    assert min(top for top, *_ in found) == 0
    assert max(bottom for _, bottom, *_ in found) == 32
    assert len(set(found)) > 200


def test_a_crop_where_no_attempt_fits_is_the_whole_image(monkeypatch):
    monkeypatch.setattr(transforms, "SMALLEST_AREA", 4.0)
    x = images(4)

    class Large:
        def uniform(self, low, high, shape):
            return np.full(shape, max(low, high))

        def random(self, shape):
            return np.zeros(shape)

    assert torch.equal(crop(x, Large(), 1.0), x)


def test_low_resolution_keeps_constant_images():
    x = torch.full((40, 3, 32, 32), 0.37)
    assert torch.allclose(low_resolution(x, random(), 1.0), x, atol=1e-5)


def test_low_resolution_loses_detail():
    x = images(200)
    changed = low_resolution(x, random(), 1.0)
    assert changed.diff(dim=-1).abs().mean() < 0.8 * x.diff(dim=-1).abs().mean()


def test_low_resolution_is_opencvs_resize_twice():
    cv2 = pytest.importorskip("cv2")
    methods = [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]
    x = images(30, 64)
    changed = low_resolution(x, random(3), 1.0)
    replay = random(3)
    replay.random(30)
    sides = (replay.uniform(0.2, 1, 30) * 64).astype(int)
    down, up = (replay.random((2, 30)) * 5).astype(int)
    for row, image in enumerate(x.permute(0, 2, 3, 1).numpy()):
        small = cv2.resize(image, (sides[row], sides[row]), interpolation=methods[down[row]]).clip(0, 1)
        large = cv2.resize(small, (64, 64), interpolation=methods[up[row]]).clip(0, 1)
        np.testing.assert_allclose(changed[row].permute(1, 2, 0).numpy(), large, atol=5e-5)


def colour(x, changes):
    """Apply (kind, factor) pairs to one image pixel by pixel, by the definitions of torchvision."""
    x = x.numpy().astype(np.float64).copy()
    for kind, factor in changes:
        grey = 0.299 * x[0] + 0.587 * x[1] + 0.114 * x[2]
        origin = {"brightness": 0.0, "contrast": grey.mean(), "saturation": grey}[kind]
        x = np.clip(origin + factor * (x - origin), 0, 1)
    return x


def test_photometric_scales_brightness_contrast_and_saturation_in_the_drawn_order():
    x = images(12)
    changed = photometric(x, random(5), 1.0)
    replay = random(5)
    replay.random(12)
    factors = replay.uniform(0.5, 1.5, (3, 12))
    order = replay.random((3, 12)).argsort(axis=0)
    names = np.array(["brightness", "contrast", "saturation"])
    for row in range(12):
        expected = colour(x[row], zip(names[order[:, row]], factors[:, row], strict=True))
        np.testing.assert_allclose(changed[row].numpy(), expected, atol=1e-6)


def test_photometric_keeps_black_black():
    x = torch.zeros(20, 3, 16, 16)
    assert torch.equal(photometric(x, random(), 1.0), x)


def test_photometric_keeps_the_hue():
    flat = torch.tensor([0.5, 0.3, 0.35]).view(1, 3, 1, 1).expand(20, 3, 16, 16).contiguous()
    hue = colorsys.rgb_to_hsv(0.5, 0.3, 0.35)[0]
    for image in photometric(flat, random(), 1.0):
        assert colorsys.rgb_to_hsv(*image[:, 0, 0].tolist())[0] == pytest.approx(hue, abs=1e-3)


def test_flip_mirrors_left_to_right():
    x = images()
    np.testing.assert_array_equal(flip(x, random(), 1.0).numpy(), x.numpy()[..., ::-1])


def test_the_order_is_crop_low_resolution_photometric_flip():
    x = images()
    generator = seeds.generator(11, 3)
    expected = x
    for transform in (crop, low_resolution, photometric, flip):
        expected = transform(expected, generator, 0.5)
    assert torch.equal(Transforms(0.5, 0.5, 0.5, 0.5)(x, 11, 3), expected)


def test_the_same_seed_and_step_give_the_same_batch():
    x, changed = images(), Transforms()
    assert torch.equal(changed(x, 11, 3), changed(x, 11, 3))


@pytest.mark.parametrize(("seed", "step"), [(11, 4), (12, 3)])
def test_another_seed_or_step_gives_another_batch(seed, step):
    x, changed = images(), Transforms()
    assert not torch.equal(changed(x, 11, 3), changed(x, seed, step))


def test_the_global_random_states_are_left_alone():
    x = images()
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    Transforms(1.0, 1.0, 1.0, 1.0)(x, 11, 3)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (np.random.get_state()[1] == numpy_before).all()


def test_an_empty_batch_stays_empty():
    assert Transforms(1.0, 1.0, 1.0, 1.0)(images(0), 1, 1).shape == (0, 3, 32, 32)


@pytest.mark.parametrize("mode", ["black", "stretch"])
@pytest.mark.parametrize("world", [1, 2, 4])
def test_what_happens_to_an_image_does_not_depend_on_who_changes_it(world, mode):
    x, changed = images(16), Transforms(0.5, 0.5, 0.5, 0.5, mode)
    shares = [Share.of_process(16, rank, world) for rank in range(world)]
    parts = [changed(x[share.rows], 11, 3, share) for share in shares]
    assert torch.allclose(torch.cat(parts), changed(x, 11, 3), atol=1e-6)


def test_a_stretched_crop_is_the_box_enlarged_by_torch():
    """Linear interpolation of half-pixel centres, as torchvision's RandomResizedCrop without antialiasing."""
    x = images(40)
    boxes_of = list(boxes(crop(x, random(7), 1.0)))
    stretched = crop(x, random(7), 1.0, mode="stretch")
    for before, after, (top, bottom, left, right) in zip(x, stretched, boxes_of, strict=True):
        box = before[None, :, top:bottom, left:right]
        expected = torch.nn.functional.interpolate(box, (32, 32), mode="bilinear", align_corners=False)
        assert torch.allclose(after, expected[0], atol=1e-5)


def test_stretched_crops_change_the_share_of_images_that_black_ones_do():
    x = images(400, 16)
    black, stretched = ((crop(x, random(), 0.2, mode=mode) != x).flatten(1).any(1) for mode in ("black", "stretch"))
    assert torch.equal(black, stretched)


def test_another_epoch_changes_an_image_in_another_way():
    x, changed = images(8), Transforms(1.0, 1.0, 1.0, 0.5)
    epochs = [changed(x, 11, step) for step in range(4)]
    assert all(not torch.equal(a, b) for i, a in enumerate(epochs) for b in epochs[:i])
