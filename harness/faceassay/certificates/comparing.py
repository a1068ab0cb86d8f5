"""Own the comparison of two folders of one stage: which files differ, by how much at most, and whether that may be."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError

from faceassay.certificates.tolerances import Tolerance
from faceassay.shards import ShardDataset
from faceassay.store import Record

SHARDS = "shards.json"
"""The file that tells that a folder holds shards of images; what follows from the images is not compared again."""
BATCH = 256
UNREADABLE = (OSError, ValueError, SyntaxError, SafetensorError)
"""What readers raise for a file that is not what its name says."""
Array = NDArray[Any]
Parts = Mapping[str, Callable[[], Any]]
"""The parts of a file by name, each read when it is called for: arrays, texts, or whatever JSON holds."""


@dataclass(frozen=True)
class Difference:
    """Hold the largest difference within one file.

    Attributes:
        file: its path in the artifact.
        part: where in it: a tensor, a column, a place in a document; '' for the file as a whole.
        largest: the difference: of pixels in grey levels, of numbers as a part of the largest of their array; infinite
            where the two cannot be compared.
        limit: how much it may be.
        said: it in words.
    """

    file: str
    part: str
    largest: float
    limit: float
    said: str

    @property
    def within(self) -> bool:
        """Whether it is within the tolerance."""
        return self.largest <= self.limit


def differences(stored: Path, again: Path, records: tuple[Record, Record], allowed: Tolerance) -> list[Difference]:
    """Return for each file whose bytes differ the largest difference in it; empty when all bytes are the same.

    Args:
        stored, again: the two folders.
        records: what was recorded of each.
        allowed: the tolerance.
    """
    files = [{name: described["sha256"] for name, described in record["files"].items()} for record in records]
    names = sorted(name for name in {*files[0], *files[1]} if files[0].get(name) != files[1].get(name))
    found = []
    if names and all((folder / SHARDS).exists() for folder in (stored, again)):
        found = [_worst("images", _image_differences(stored, again, allowed))]
        names = [name for name in names if not (name.endswith(".tar") or name in (SHARDS, "index.npy"))]
    for name in names:
        if name not in files[0] or name not in files[1]:
            found.append(_incomparable(name, "", f"made {'again' if name in files[1] else 'at first'} only"))
        else:
            found.append(_worst(name, _differences(name, stored / name, again / name, allowed)))
    return found


def _worst(file: str, several: Iterator[Difference]) -> Difference:
    """Return the worst of the differences within a file; equal parts in other bytes differ by nothing."""
    return max(several, key=lambda one: one.largest, default=Difference(file, "", 0.0, 0.0, "equal, in other bytes"))


def _incomparable(file: str, part: str, said: str) -> Difference:
    return Difference(file, part, math.inf, 0.0, said)


def _differences(name: str, stored: Path, again: Path, allowed: Tolerance) -> Iterator[Difference]:
    read = READERS.get(Path(name).suffix)
    if read is None:
        yield _incomparable(name, "", "other bytes, of a form that has no tolerance")
        return
    try:
        first, second = read(stored), read(again)
        for part in dict.fromkeys([*first, *second]):
            if part not in first or part not in second:
                yield _incomparable(name, part, f"{part} is in one of both only")
            else:
                yield _difference(name, part, first[part](), second[part](), allowed)
    except UNREADABLE as error:
        yield _incomparable(name, "", f"cannot be read ({error})")


def _difference(file: str, part: str, old: Any, new: Any, allowed: Tolerance) -> Difference:
    if not isinstance(old, np.ndarray) or not isinstance(new, np.ndarray):
        same = type(old) is type(new) and old == new
        return Difference(file, part, 0.0, 0.0, "equal") if same else _incomparable(file, part, f"{old!r} -> {new!r}")
    if old.shape != new.shape or old.dtype != new.dtype:
        shapes = f"{old.dtype} {list(old.shape)} -> {new.dtype} {list(new.shape)}"
        return _incomparable(file, part, shapes)
    if old.dtype.kind == "f":
        largest = relative_difference(old, new)
        return Difference(file, part, largest, allowed.floats, f"{largest:.3g} of the largest number")
    if file.endswith(".png"):
        return _of_pixels(file, part, old, new, allowed)
    wrong = int((old != new).sum())
    return _incomparable(file, part, f"{wrong} of {old.size} entries differ") if wrong else Difference(
        file, part, 0.0, 0.0, "equal"
    )  # fmt: skip


def relative_difference(old: Array, new: Array) -> float:
    """Return the largest difference of two arrays of one shape as a part of the largest absolute number in ``old``.

    It is infinite where one of both is no finite number in another place than the other.
    """
    finite = np.isfinite(old)
    if not np.array_equal(old[~finite], new[~finite], equal_nan=True) or not np.isfinite(new[finite]).all():
        return math.inf
    before, after = old[finite].astype(np.float64), new[finite].astype(np.float64)
    apart = float(np.abs(before - after).max(initial=0.0))
    scale = float(np.abs(before).max(initial=0.0))
    return apart / scale if scale else math.copysign(math.inf, apart) if apart else 0.0


def _of_pixels(file: str, part: str, old: Array, new: Array, allowed: Tolerance) -> Difference:
    apart = np.abs(old.astype(np.int64) - new)
    largest, share = int(apart.max(initial=0)), float((apart > 0).mean())
    return Difference(
        file, part, float(largest), float(allowed.greys), f"{largest} of 255 grey levels, in {share:.2g} of the pixels"
    )


def _image_differences(stored: Path, again: Path, allowed: Tolerance) -> Iterator[Difference]:
    first, second = ShardDataset(stored), ShardDataset(again)
    if (len(first), first.image_size) != (len(second), second.image_size):
        yield _incomparable(
            "images", "", f"{len(first)} of {first.image_size} px -> {len(second)} of {second.image_size}"
        )
        return
    for start in range(0, len(first), BATCH):
        index = np.arange(start, min(start + BATCH, len(first)))
        yield _of_pixels("images", f"{start}..{index[-1]}", first.images(index), second.images(index), allowed)


def _array(path: Path) -> Parts:
    return {"": lambda: np.load(path, mmap_mode="r", allow_pickle=False)}


def _image(path: Path) -> Parts:
    with Image.open(path, formats=("PNG",)) as image:
        pixels = np.asarray(image)
    return {"": lambda: pixels}


def _tensors(path: Path) -> Parts:
    from safetensors import safe_open

    def read(name: str) -> Array:
        with safe_open(path, framework="pt") as file:
            tensor = file.get_tensor(name)
        pixels: Array = (tensor.double() if tensor.is_floating_point() else tensor).numpy()
        return pixels

    with safe_open(path, framework="pt") as file:
        return {name: partial(read, name) for name in file.keys()}  # noqa: SIM118 - no mapping


def _columns(path: Path) -> Parts:
    import pandas as pd

    table = pd.read_parquet(path)
    return {str(name): partial(np.array, table[name].to_list()) for name in table.columns}


def _document(path: Path) -> Parts:
    """Return the leaves of a document by place; a list of numbers is one leaf, an array."""
    leaves = dict(_leaves(json.loads(path.read_text(encoding="utf-8")), ""))
    return {place: partial(leaves.get, place) for place in leaves}


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, float):
        yield place, np.array(value)
    elif isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{place}.{name}" if place else name)
    elif isinstance(value, list) and value:
        if all(isinstance(inner, float | int) and not isinstance(inner, bool) for inner in value):
            yield place, np.array(value, dtype=np.float64)
            return
        for i, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{i}]")
    else:
        yield place, value


READERS: Mapping[str, Callable[[Path], Parts]] = {
    ".npy": _array,
    ".png": _image,
    ".safetensors": _tensors,
    ".parquet": _columns,
    ".json": _document,
}
