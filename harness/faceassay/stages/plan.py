"""List the images of a synthesis, one row per image, with the key of each row's noise."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Augmentation, FaceassayError, IntArray, Sources, StageContext, SynthesisPlan
from faceassay.seeds import noise_keys


@dataclass(frozen=True)
class StoredPlan:
    """A plan with what its rows imply.

    Attributes:
        plan: the plan.
        noise: the noise key of each row, uint64 [N].
        degrees: number of synthetic identities that each real class is a source of, int64 [L]; None where rows have no
            sources.
    """

    plan: SynthesisPlan
    noise: NDArray[np.uint64]
    degrees: IntArray | None = None


def run(plugin: Augmentation, sources: Sources, context: StageContext) -> None:
    """Make the plan and write it.

    Writes ``plan.parquet`` (label, noise, sources, weights), ``plan.json``, ``columns/NAME.npy``, and ``degrees.npy``
    where rows have sources.

    Raises:
        FaceassayError: when a row is made from a class that the real images do not have.
    """
    import pandas as pd

    plan = plugin.plan(sources, context)
    degrees = degrees_of(plan, len(sources.real.identities)) if plan.sources.size else None
    noise = noise_keys(context.seed, 0, len(plan))
    columns = {"label": plan.labels, "noise": noise, "sources": list(plan.sources), "weights": list(plan.weights)}
    pd.DataFrame(columns).to_parquet(context.folder / "plan.parquet", index=False)
    document = {"identities": plan.identities, "block_size": plan.block_size}
    (context.folder / "plan.json").write_text(json.dumps(document))
    (context.folder / "columns").mkdir()
    for name, column in plan.columns.items():
        np.save(context.folder / "columns" / f"{name}.npy", column)
    if degrees is not None:
        np.save(context.folder / "degrees.npy", degrees)


def degrees_of(plan: SynthesisPlan, classes: int) -> IntArray:
    """Return the number of synthetic identities that each class is a source of, int64 [classes].

    Raises:
        FaceassayError: when a source is no class index.
    """
    low, high = plan.sources.min(), plan.sources.max()
    if low < 0 or high >= classes:
        raise FaceassayError(
            f"the plan makes images from classes {low}..{high}, the real images have 0..{classes - 1}: "
            "sources must be indices into the identities of the real images"
        )
    pairs = plan.labels[:, None] * np.int64(classes) + plan.sources
    return np.bincount(np.unique(pairs) % classes, minlength=classes).astype(np.int64)


def load(plugin: Augmentation, folder: Path, device: str) -> StoredPlan:
    """Open a stored plan."""
    import pandas as pd

    table = pd.read_parquet(folder / "plan.parquet")
    document = json.loads((folder / "plan.json").read_text())
    plan = SynthesisPlan(
        identities=tuple(document["identities"]),
        labels=table["label"].to_numpy(np.int64),
        sources=np.array(table["sources"].to_list(), dtype=np.int64).reshape(len(table), -1),
        weights=np.array(table["weights"].to_list(), dtype=np.float64).reshape(len(table), -1),
        block_size=document["block_size"],
        columns={path.stem: np.load(path, mmap_mode="r") for path in sorted((folder / "columns").glob("*.npy"))},
    )
    degrees = folder / "degrees.npy"
    return StoredPlan(plan, table["noise"].to_numpy(np.uint64), np.load(degrees) if degrees.exists() else None)
