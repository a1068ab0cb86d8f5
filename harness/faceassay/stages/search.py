"""Run the search of an augmentation's parameters and keep what it found: a document, and arrays beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import FaceassayError, Search, Sources, StageContext

ARRAYS = "arrays"


def run(plugin: Search, sources: Sources, context: StageContext) -> None:
    """Search and write ``search.json``, and each array as ``arrays/NAME.npy``.

    Raises:
        FaceassayError: when what was found is no JSON document of finite numbers, or an array holds anything else or
            has a name that is no identifier.
    """
    found = plugin.run(sources, context)
    arrays = {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
    useless = [name for name, array in arrays.items() if not (name.isidentifier() and _is_finite(array))]
    if useless:
        named = ", ".join(f"{name!r} ({arrays[name].dtype} {arrays[name].shape})" for name in useless)
        raise FaceassayError(f"search {plugin.name!r} found {named}: arrays hold finite numbers, by plain names")
    try:
        text = json.dumps({k: v for k, v in found.items() if k not in arrays}, allow_nan=False, indent=1)
    except (TypeError, ValueError) as error:
        raise FaceassayError(f"search {plugin.name!r} found what no JSON document can hold: {error}") from error
    (context.folder / "search.json").write_text(text)
    for name, array in arrays.items():
        (context.folder / ARRAYS).mkdir(exist_ok=True)
        np.save(context.folder / ARRAYS / f"{name}.npy", array, allow_pickle=False)


def _is_finite(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "biuf" and bool(np.isfinite(array).all())


def load(plugin: Search, folder: Path, device: str) -> Mapping[str, Any]:
    """Open what a search found; arrays are memory-mapped."""
    document: Mapping[str, Any] = json.loads((folder / "search.json").read_text())
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in sorted((folder / ARRAYS).glob("*.npy"))}
    return {**document, **arrays}
