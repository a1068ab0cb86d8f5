"""Compare how attributes are distributed in a set with how they are in the real images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from faceassay.assessment import Assessment
from faceassay.assessment.distribution import Sample, halves, wasserstein
from faceassay.contracts import AttributeTable, FaceDataset, Sources, StageContext
from faceassay.contracts.running import ATTRIBUTES

BINS = 40
OF_SET = "of_set/"
"""How the names of the inputs begin that hold the attributes of the set, in the order of those of the real images."""


def run(plugin: Assessment, sources: Sources, context: StageContext) -> None:
    """Compare the attributes of ``images`` with those of ``real``.

    Writes ``distribution.json``, one entry for each attribute, and ``NUMBER.npy`` with the replicates of its distance.
    """
    images, real = sources.open("images"), sources.real
    names = [name for name in sources.openers if name.startswith(OF_SET)]
    told = AttributeTable.joined([sources.open(name) for name in names])
    reference = AttributeTable.joined([sources.open(ATTRIBUTES + name.removeprefix("of_set")) for name in names])
    entries = []
    for number, column in enumerate(told.columns):
        entries.append({"name": column.name, "unit": column.unit})
        entries[-1] |= _compared(_sample(told, number, images), _sample(reference, number, real), number, context)
        context.progress(number + 1, len(told.columns))
    (context.folder / "distribution.json").write_text(json.dumps(entries, indent=1))


def load(plugin: Assessment, folder: Path, device: str) -> list[dict[str, Any]]:
    """Open what was compared: of each attribute counts, quantiles, deviations, the distance and its replicates."""
    entries: list[dict[str, Any]] = json.loads((folder / "distribution.json").read_text())
    return [
        entry | {"replicates": np.load(folder / f"{number}.npy")} if "distance" in entry else entry
        for number, entry in enumerate(entries)
    ]


def _sample(table: AttributeTable, number: int, data: FaceDataset) -> Sample:
    return Sample.known(table.values[:, number], data.labels, len(data.identities))


def _compared(sample: Sample, real: Sample, number: int, context: StageContext) -> dict[str, Any]:
    found: dict[str, Any] = {"known": len(sample.values), "known_real": len(real.values)}
    if not len(sample.values) or not len(real.values):
        return found
    distance = wasserstein(sample, real)
    np.save(context.folder / f"{number}.npy", distance.replicates)
    both = np.concatenate([sample.values, real.values])
    edges = np.histogram_bin_edges(both, BINS)
    return found | {
        "quantiles": sample.quantiles(),
        "quantiles_real": real.quantiles(),
        "deviation": _finite(sample.deviation()),
        "deviation_real": _finite(real.deviation()),
        "distance": distance.value,
        "halves_real": _finite(halves(real)),
        "edges": edges.tolist(),
        "counts": np.histogram(sample.values, edges)[0].tolist(),
        "counts_real": np.histogram(real.values, edges)[0].tolist(),
    }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
