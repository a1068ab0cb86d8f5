"""Trainings on the EDM2 backbone in processes of their own that share the batches, over gloo on the CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing

from faceassay import Generator
from fakes import Log, sources, stage_context, toy_faces


def fit_together(plugin: Generator, folder: Path, world: int = 2, interval: float = 0, **inputs: Any) -> None:
    """Train ``plugin`` on four toy people in ``world`` processes; each notes its progress in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    multiprocessing.spawn(_fit_share, (world, plugin, inputs, str(folder), interval), nprocs=world)


def _fit_share(rank: int, world: int, plugin: Generator, inputs: dict[str, Any], folder: str, interval: float) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    try:
        log = Log()
        run = replace(stage_context(Path(folder), interval=interval, log=log), rank=rank, world=world)
        faces = toy_faces(identities=4, per_identity=6, size=8)
        plugin.fit(sources(real=faces, **inputs), run)
        (Path(folder) / f"progress-{rank}").write_text(str(len(log.progress)))
    finally:
        distributed.destroy_process_group()
