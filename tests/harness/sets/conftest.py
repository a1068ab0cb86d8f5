"""Fixtures of the tests of whole sets: a cache of their own."""

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
