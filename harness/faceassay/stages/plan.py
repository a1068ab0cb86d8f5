"""List the images of a synthesis, one row per image, with the key of each row's noise."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import Augmentation, Sources, StageContext, SynthesisPlan
from faceassay.seeds import noise_keys


@dataclass(frozen=True)
class StoredPlan:
    """A plan with the noise key of each row, uint64 [N]."""

    plan: SynthesisPlan
    noise: NDArray[np.uint64]


def run(plugin: Augmentation, sources: Sources, context: StageContext) -> None:
    """Make the plan; write ``plan.parquet`` (label, noise, sources, weights), ``plan.json``, ``columns/NAME.npy``."""
    import pandas as pd

    plan = plugin.plan(sources, context)
    noise = noise_keys(context.seed, 0, len(plan))
    columns = {"label": plan.labels, "noise": noise, "sources": list(plan.sources), "weights": list(plan.weights)}
    pd.DataFrame(columns).to_parquet(context.folder / "plan.parquet", index=False)
    document = {"identities": plan.identities, "block_size": plan.block_size}
    (context.folder / "plan.json").write_text(json.dumps(document))
    (context.folder / "columns").mkdir()
    for name, column in plan.columns.items():
        np.save(context.folder / "columns" / f"{name}.npy", column)


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
        columns={path.stem: np.load(path) for path in sorted((folder / "columns").glob("*.npy"))},
    )
    return StoredPlan(plan, table["noise"].to_numpy(np.uint64))
