"""Trainings of iresnet in processes of their own that share the batches, over gloo on the CPU, and their reference."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
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

KEPT, START = "kept", "start"


def faces(people: int = 4):
    return toy_faces(identities=people, per_identity=24 // people, size=16)


def fit_together(
    recipe: IResNet,
    folder: Path,
    world: int = 2,
    keep: Collection[int] = (),
    resume: bool = False,
    people: int = 4,
    validation: PairValidation | None = None,
) -> None:
    """Train ``recipe`` on toy people in ``world`` processes.

    Copies of the checkpoints of steps ``keep`` stay, in KEPT-STEP and START-STEP; with ``resume`` a training takes up
    each of those in KEPT-STEP.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shared = (world, recipe.model_dump(), folder, keep, resume, people, validation)
    multiprocessing.spawn(_fit_share, shared, nprocs=world)


@dataclass
class _Keeping(FolderCheckpoints):
    """Save after every step."""

    keep: Collection[int] = ()

    def save(self, step, tensors, document=None):
        super().save(step, tensors, document)
        if step in self.keep:
            shutil.copytree(self.folder, _kept(self.folder.parent, step) / self.folder.name)
            shutil.copytree(self.folder, self.folder.parent / f"{START}-{step}")


def _kept(folder: Path, step: int) -> Path:
    return folder / f"{KEPT}-{step}"


def _fit_share(
    rank: int,
    world: int,
    parameters: dict[str, Any],
    folder: Path,
    keep: Collection[int],
    resume: bool,
    people: int,
    validation: PairValidation | None,
) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    try:
        for place in [folder, *(_kept(folder, step) for step in keep if resume)]:
            log, checkpoints = Log(), _Keeping(place / "checkpoints", 0, keep=keep if place == folder else ())
            run = replace(stage_context(place, log=log), rank=rank, world=world, checkpoints=checkpoints)
            chosen = train(IResNet.model_validate(parameters), faces(people), run, validation)
            (place / f"progress-{rank}").write_text(str(len(log.progress)))
            (place / f"chosen-{rank}").write_text(json.dumps(chosen and [chosen.update, chosen.scores]))
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


def reference(
    recipe: IResNet, folder: Path, world: int = 2, keeps: int = 0, people: int = 4, start: Path | None = None
) -> Training:
    """Train slice by slice in one process and return the training as it is at its end.

    Where ``start`` is given, the checkpoint there, of a training in ``world`` processes, is gone on from.
    """
    data, total = faces(people), recipe.updates_for(24)
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
