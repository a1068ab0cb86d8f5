"""Own the training of one EDM2 network: steps, checkpoints, divergence, history. What it sees is in ``batches``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from faceassay import DivergenceError, StageContext
from faceassay_plugins.generators.edm2.batches import Batches
from faceassay_plugins.generators.edm2.courses import Course
from faceassay_plugins.generators.edm2.ema import PowerAverage
from faceassay_plugins.generators.edm2.loss import error_without_network
from faceassay_plugins.generators.edm2.network import Denoiser, precision_on, sampling_network

BETAS = (0.9, 0.99)
"""Of Adam (EDM2)."""
HISTORY_ROWS = 16
"""Rows of the history of a training that is long enough."""
ERROR_CEILING = 10
"""A training whose error exceeds this many times that of a network that outputs zero ..."""
PATIENCE = 100
"""... in so many steps one after the other has diverged. Training starts from a network that outputs zero."""

Checkpoint = tuple[int, Mapping[str, Tensor], Mapping[str, Any]]


@dataclass
class Results:
    """Hold what the trainings of a stage have brought.

    Attributes:
        averages: state of each network for sampling, by name of its file.
        history: the rows of history.json.
    """

    averages: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


class Training:
    """Hold the state of one network's training between two steps.

    Attributes:
        step: optimizer steps done.
        losses: the losses since the last row of the history.
        noted: what else the objective notes, since then, by name.
        excess: steps up to now, one after the other, whose error was above the ceiling.
        results: those of the trainings before this one, and the history of this one.
        averages: the weight averages that become networks for sampling, by name.
    """

    def __init__(self, course: Course, batches: Batches, run: StageContext, results: Results) -> None:
        self.course, self.batches, self.run, self.results = course, batches, run, results
        self.scheme, self.plugin = batches.scheme, batches.scheme.plugin
        self.device = torch.device(run.device)
        with batches.randomness("initial weights"):
            self.objective = self.scheme.objective(Denoiser(course.architecture), batches.seed).to(self.device)
        self.network = self.objective.denoiser
        self.network.precision = precision_on(self.device, self.plugin.precision)
        # With several processes it averages gradients over their shares of the batch.
        self.shared = self.objective if run.world == 1 else DistributedDataParallel(self.objective)
        self.parameters = list(self.objective.parameters())
        self.optimizer = torch.optim.Adam(self.parameters, betas=BETAS, fused=True)
        self.weights = self.network.state_dict()
        self.averages = {kept.name: PowerAverage(kept.length, self.weights) for kept in course.averages}
        self.step = self.excess = 0
        self.losses: list[float] = []
        self.noted: dict[str, list[float]] = {name: [] for name in self.objective.notes}

    @property
    def images(self) -> int:
        """Images seen."""
        return self.step * self.plugin.batch_size

    def complete(self) -> Results:
        """Make all steps that are left, with checkpoints, and return what there is now.

        Raises:
            DivergenceError: see ``advance``.
        """
        total = self.plugin.work(len(self.batches.data))
        while self.step < self.course.updates:
            self.advance()
            if self.run.rank == 0:
                if self.run.checkpoints.due():
                    self.save()
                self.run.progress(self.images + self.course.start * self.plugin.batch_size, total)
        return Results(self._all_averages(), self.results.history)

    def advance(self) -> None:
        """Make one optimizer step.

        Raises:
            DivergenceError: when the loss is not finite, or the error has been above the ceiling for too long; the
                state before this step is saved.
        """
        step = self.step + 1
        batch = self.batches.draw(step)
        with self.batches.randomness("dropout", step, self.run.rank):
            loss, *measured = self.shared(*batch)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        norms = torch.stack(torch._foreach_norm([p.grad for p in self.parameters if p.grad is not None]))
        seen = torch.stack([norms.sum(), loss.detach(), *measured])
        norm, loss_now, error, *noted = self._averaged_over_processes(seen)
        self._require_convergence(step, loss_now, error)
        self.step = step
        self.losses.append(loss_now)
        for name, value in zip(self.noted, noted, strict=True):
            self.noted[name].append(value)
        self.run.count_passes(self.scheme.passes_per_step)
        self._update(clean=math.isfinite(norm))
        self._average()
        if self.step % math.ceil(self.course.updates / HISTORY_ROWS) == 0 or self.step == self.course.updates:
            self._note()

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take up the state that ``save`` wrote."""
        step, tensors, document = checkpoint
        self.step, self.losses, self.excess = step - self.course.start, document["losses"], document["excess"]
        self.run.count_passes({name: step * passes for name, passes in self.scheme.passes_per_step.items()})
        self.noted = document["noted"]
        self.results = Results(history=document["history"])
        self.objective.load_state_dict(_part(tensors, "objective"))
        for name in document["averages"]:
            average = {key: tensor.to(self.device) for key, tensor in _part(tensors, name).items()}
            if name in self.averages:
                self.averages[name].tensors = average
            else:
                self.results.averages[name] = average
        self._restore_optimizer(_part(tensors, "optimizer"))
        whose = " of the guide" if self.course.role == "guide" else ""
        self.run.log(f"resumed after {self.step} of {self.course.updates} updates{whose}")

    def save(self) -> None:
        """Checkpoint the state, and that the trainings before this one are over."""
        moments = self.optimizer.state_dict()["state"]
        averages = self._all_averages()
        states = {
            "objective": self.objective.state_dict(),
            "optimizer": {f"{i}.{name}": tensor for i, state in moments.items() for name, tensor in state.items()},
            **averages,
        }
        tensors = {f"{part}/{name}": tensor for part, state in states.items() for name, tensor in state.items()}
        document = {
            "role": self.course.role,
            "averages": list(averages),
            "losses": self.losses,
            "noted": self.noted,
            "excess": self.excess,
            "history": self.results.history,
        }
        self.run.checkpoints.save(self.course.start + self.step, tensors, document)

    def _require_convergence(self, step: int, loss: float, error: float) -> None:
        ceiling = ERROR_CEILING * error_without_network(self.plugin.sigma_data)
        excess = self.excess + 1 if error > ceiling else 0
        whose = "" if self.course.role == "main" else " of the guide"
        at = f"step {step} of {self.course.updates}{whose}"
        if not math.isfinite(loss):
            self._give_up(f"the loss of {at} is {loss}")
        if excess >= PATIENCE:
            self._give_up(
                f"the loss grows: at {at} it is {loss / self._values:.3g} per value, and the error has been above "
                f"{ceiling:g} for {excess} steps (a network that outputs zero has at most {ceiling / ERROR_CEILING:g})"
            )
        self.excess = excess

    def _give_up(self, reason: str) -> None:
        if self.run.rank == 0:
            self.save()
        raise DivergenceError(
            f"{self.plugin.name}: {reason}: lower learning_rate (now {self.plugin.learning_rate:g}); "
            f"the state after {self.step} steps is saved"
        )

    def _update(self, *, clean: bool) -> None:
        """Let Adam use the gradients; where one is not finite it counts as zero (EDM2)."""
        if not clean:
            for parameter in self.parameters:
                if parameter.grad is not None:
                    torch.nan_to_num_(parameter.grad, nan=0, posinf=0, neginf=0)
        self.optimizer.param_groups[0]["lr"] = self.plugin.learning_rate_at(self.images)
        self.optimizer.step()

    def _average(self) -> None:
        for kept in self.course.averages:
            if self.step <= kept.updates:
                self.averages[kept.name].update(self.weights, self.images, self.plugin.batch_size)

    def _note(self) -> None:
        """Add a row to the history: loss and notes since the last one, and the errors of the averages still moving."""
        moving = [kept.name for kept in self.course.averages if self.step <= kept.updates]
        errors = {name: self._errors(name) for name in moving} if self.run.rank == 0 else {self.course.role: {}}
        row = {
            "role": self.course.role,
            "images": self.images,
            "learning_rate": self.plugin.learning_rate_at(self.images),
            "loss": _mean(self.losses) / self._values,
            **{name: _mean(values) for name, values in self.noted.items()},
            **errors.pop(self.course.role),
            "others": errors,
        }
        self.results.history.append(row)
        self.losses, self.noted = [], {name: [] for name in self.noted}

    def _errors(self, name: str) -> dict[str, float | None]:
        tensors, precision = self.averages[name].tensors, self.network.precision
        network = sampling_network(self.course.architecture, tensors, precision, self.device)
        sets = {"training_error": self.batches.shown.rows, "held_out_error": self.batches.shown.held_out}
        return {what: self.batches.error(network, rows) for what, rows in sets.items()}

    @property
    def _values(self) -> int:
        """Numbers of one image that the loss is a sum over."""
        return 3 * self.course.architecture.image_size**2 if self.objective.summed else 1

    def _all_averages(self) -> dict[str, dict[str, Tensor]]:
        own = {name: average.tensors for name, average in self.averages.items()}
        return {**self.results.averages, **own}

    def _averaged_over_processes(self, numbers: Tensor) -> list[float]:
        if self.run.world > 1:
            torch.distributed.all_reduce(numbers)
            numbers /= self.run.world
        averaged: list[float] = numbers.tolist()
        return averaged

    def _restore_optimizer(self, tensors: Mapping[str, Tensor]) -> None:
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    prefix = f"{name}/"
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
