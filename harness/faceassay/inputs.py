"""Own the opening of a stage's inputs from the store: verified, lazily, by the module of their kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from faceassay.contracts import Sources
from faceassay.graph import Stage
from faceassay.store import Store


def stage_module(kind: str) -> ModuleType:
    """Return the module that runs and opens stages of ``kind``."""
    return import_module(f"faceassay.stages.{kind}")


def open_artifact(stage: Stage, store: Store, device: str = "cpu") -> Any:
    """Open the artifact of ``stage`` after verifying its files.

    Raises:
        StoreError: when it is missing or damaged.
    """
    return stage_module(stage.kind).load(stage.plugin, store.verified(stage.kind, stage.digest), device)


def open_sources(stage: Stage, store: Store, device: str = "cpu") -> Sources:
    """Return the inputs of ``stage``, each opened when it is first read."""
    openers: dict[str, Callable[[], Any]] = {
        name: partial(open_artifact, source, store, device)
        if isinstance(source, Stage)
        else partial(source.open, device, stage.threads)
        for name, source in stage.inputs.items()
    }
    return Sources(openers)


def input_contents(stage: Stage, store: Store) -> dict[str, Mapping[str, str]]:
    """Return what the record keeps of each input: key and content hash, or the data's fingerprint."""
    contents: dict[str, Mapping[str, str]] = {}
    for name, source in stage.inputs.items():
        if not isinstance(source, Stage):
            contents[name] = {"name": source.name, "fingerprint": source.fingerprint}
        else:
            store.verified(source.kind, source.digest)
            record = store.record(source.kind, source.digest) or {}
            contents[name] = {"key": source.digest, "content": record["content"]}
    return contents
