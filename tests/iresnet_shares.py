"""Trainings of iresnet in processes of their own that share the batches, over gloo on the CPU, and their reference."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, multiprocessing, nn

from faceassay.checkpoints import FolderCheckpoints
from faceassay.validation import PairValidation
from faceassay_plugins.recognizers.iresnet.course import batches
from faceassay_plugins.recognizers.iresnet.loss import Objective
from faceassay_plugins.recognizers.iresnet.plugin import IResNet
from faceassay_plugins.recognizers.iresnet.training import Training, train
from fakes import Log, stage_context, toy_faces

KEPT = "kept"


def faces():
    return toy_faces(identities=4, per_identity=6, size=16)


def fit_together(
    recipe: IResNet, folder: Path, world: int = 2, keep: int = 0, validation: PairValidation | None = None
) -> None:
    """Train ``recipe`` on four toy people in ``world`` processes; keep a copy of the checkpoint of step ``keep``."""
    folder.mkdir(parents=True, exist_ok=True)
    multiprocessing.spawn(_fit_share, (world, recipe.model_dump(), str(folder), keep, validation), nprocs=world)


@dataclass
class _Keeping(FolderCheckpoints):
    """Save after every step."""

    keep: int = 0

    def save(self, step, tensors, document=None):
        super().save(step, tensors, document)
        if step == self.keep:
            shutil.copytree(self.folder, self.folder.parent / KEPT)


def _fit_share(
    rank: int, world: int, parameters: dict[str, Any], folder: str, keep: int, validation: PairValidation | None
) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    try:
        log, checkpoints = Log(), _Keeping(Path(folder) / "checkpoints", 0, keep=keep)
        run = replace(stage_context(Path(folder), log=log), rank=rank, world=world, checkpoints=checkpoints)
        chosen = train(IResNet.model_validate(parameters), faces(), run, validation)
        (Path(folder) / f"progress-{rank}").write_text(str(len(log.progress)))
        (Path(folder) / f"chosen-{rank}").write_text(json.dumps(chosen and [chosen.update, chosen.scores]))
    finally:
        distributed.destroy_process_group()


class SliceBySlice(nn.Module):
    """Compute in one process what several compute: BatchNorm sees each slice of the batch by itself.

    Of its running statistics those of the slice ``keeps`` stay; the head sees the whole batch.
    """

    def __init__(self, objective: Objective, world: int, keeps: int = 0) -> None:
        super().__init__()
        self.objective, self.world, self.keeps = objective, world, keeps

    def forward(self, x: Tensor, labels: Tensor, kept: Tensor | None, classes: Tensor | None) -> Tensor:
        network, before = self.objective.network, _buffers(self.objective.network)
        left, embedded = before, []
        for number, part in enumerate(torch.arange(len(x)).chunk(self.world)):
            _restore(network, before)
            embedded.append(network(x[part], None if kept is None else kept[part]))
            left = _buffers(network) if number == self.keeps else left
        _restore(network, left)
        return self.objective.head(torch.cat(embedded), labels, classes)


def reference(recipe: IResNet, folder: Path, world: int = 2, keeps: int = 0, start: Path | None = None) -> Training:
    """Train slice by slice in one process and return the training as it is at its end.

    Where ``start`` is given, the checkpoint there, of a training in ``world`` processes, is gone on from.
    """
    data, total = faces(), recipe.updates_for(24)
    training = Training(recipe, len(data.identities), total, stage_context(folder))
    first = _taken_up(training, start, world) if start else 0
    training.objective = SliceBySlice(training.objective, world, keeps)
    order = batches(len(data), recipe.batch_size, training.run.seed, first)
    for step, index in enumerate(islice(order, total - first), start=first):
        training.update(step, data.images(index), data.labels[index])
    return training


def _taken_up(training: Training, start: Path, world: int) -> int:
    """Give a training the state of one in several processes; return the number of steps already made."""
    alone = training.run
    training.run = replace(alone, world=world, checkpoints=FolderCheckpoints(start))
    first = training.resume()
    training.run = alone
    return first


def _buffers(network: nn.Module) -> dict[str, Tensor]:
    return {name: buffer.clone() for name, buffer in network.named_buffers()}


def _restore(network: nn.Module, buffers: dict[str, Tensor]) -> None:
    for name, buffer in network.named_buffers():
        buffer.data.copy_(buffers[name])  # past autograd, which has saved the buffer
