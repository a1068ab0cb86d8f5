"""Own the estimate of what stages will cost: from recorded costs only, never from a number written down in code."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median

from faceassay.graph import Stage
from faceassay.keys import digest
from faceassay.store import Store

Rates = Mapping[tuple[str, ...], float]


def recorded_rates(store: Store, cost_table: Path | None = None) -> Rates:
    """Return seconds per unit of work: by kind, plugin and parameters, and by kind and plugin.

    Args:
        store: its records count first.
        cost_table: a ``cost.csv`` of an earlier run of the matrix, used where the store has no record.
    """
    seen: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for record in store.records():
        plugin, cost = record["key"]["plugin"], record["cost"]
        if cost["work"]:
            rate = cost["seconds"] / cost["work"]
            seen[record["kind"], plugin["name"], digest(plugin["parameters"])].append(rate)
            seen[record["kind"], plugin["name"]].append(rate)
    for kind, name, rate in _tabled(cost_table):
        if (kind, name) not in seen:
            seen["table", kind, name].append(rate)
    return {key: median(rates) for key, rates in seen.items()}


def estimate(stage: Stage, rates: Rates) -> float | None:
    """Return the expected seconds of ``stage``, or None when nothing like it was ever run."""
    plugin = stage.key.document["plugin"]
    for key in (
        (stage.kind, plugin["name"], digest(plugin["parameters"])),
        (stage.kind, plugin["name"]),
        ("table", stage.kind, plugin["name"]),
    ):
        if key in rates:
            return rates[key] * stage.work
    return None


def expected_bytes(stages: Iterable[Stage]) -> int:
    """Return the disk space that ``stages`` will need at most.

    Images count as if not compressed, twice; embeddings as the widest in use; and there is some room.
    """
    stages = list(stages)
    side = [getattr(source, "image_size", None) or 0 for stage in stages for source in stage.inputs.values()]
    pixels = 3 * max(side, default=0) ** 2
    images, embedded = (sum(stage.work for stage in stages if stage.kind == kind) for kind in ("synthesis", "features"))
    return 2 * images * pixels + embedded * EMBEDDING + ROOM


EMBEDDING = 2 * 512 * 4
"""Bytes of the embeddings of an image, plain and mirrored, 512 numbers of float32 each."""
ROOM = 256 * 2**20
"""Bytes kept free for checkpoints and records."""


def _tabled(path: Path | None) -> Iterable[tuple[str, str, float]]:
    if path is None or not path.is_file():
        return
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rate = _rate(row)
            if rate is not None:
                yield row["kind"], row["plugin"], rate


def _rate(row: Mapping[str, str | None]) -> float | None:
    """Return seconds per unit, or None where a line of the table is damaged: an estimate is no reason to stop."""
    try:
        seconds, work = float(row["seconds"] or 0), float(row["work"] or 0)
    except (KeyError, ValueError):
        return None
    return seconds / work if work > 0 and row.get("kind") and row.get("plugin") else None
