"""Fixtures of the dataset tests: a cache of their own, and a folder of small pictures."""

import os

import numpy as np
import pytest
from PIL import Image

LONG_AGO = 1_000_000_000


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def save_picture():
    """Return a function that writes a smooth random picture; its time is long past, so that it is remembered."""

    def save(file, seed=0, size=(20, 24), **options):
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(file, **options)
        os.utime(file, (LONG_AGO, LONG_AGO))
        return file

    return save


@pytest.fixture
def people(tmp_path, save_picture):
    """Make a folder of s1, s2, s10 with 2 pictures each (1.png, 10.jpg)."""
    root = tmp_path / "people"
    for number, name in enumerate(["s10", "s1", "s2"]):
        save_picture(root / name / "10.jpg", seed=2 * number)
        save_picture(root / name / "1.png", seed=2 * number + 1)
    return root
