"""Own the training of the EDM2 denoiser: steps, checkpoints, history, result files. The loss itself is in ``loss``.

Everything random in step k comes from a generator seeded by the stage's seed and k, inside a fork of torch's random
state: a resumed training makes the same bytes as an uninterrupted one, and the caller's random state is untouched.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from faceassay import DivergenceError, FaceassayError, FaceDataset, IntArray, StageContext, seeds
from faceassay.sampling import from_images
from faceassay_plugins.generators.edm2.ema import PowerAverage
from faceassay_plugins.generators.edm2.images import TrainingImages, evenly_chosen
from faceassay_plugins.generators.edm2.loss import Uncertainty, noise_levels, uncertain_loss, weighted_errors
from faceassay_plugins.generators.edm2.network import Denoiser, precision_on, sampling_network
from faceassay_plugins.generators.edm2.plugin import Edm2

BETAS = (0.9, 0.99)
"""Of Adam (EDM2)."""
HISTORY_ROWS = 16
"""Rows of the history of a training that is long enough."""
MEASURED_IMAGES = 128
"""At most so many images of a set measure its error in the history."""


def train(plugin: Edm2, data: FaceDataset, run: StageContext) -> None:
    """Train on ``data``, going on from the newest checkpoint, and write the result into ``run.folder``.

    Raises:
        DataError: when there are no images.
        ValueError: when the parameters do not fit the images.
        FaceassayError: when several processes share the stage.
        DivergenceError: when the loss is not finite.
    """
    if run.world != 1:
        raise FaceassayError(f"edm2 trains in one process, not in {run.world}: set world to 1")
    training = Training(plugin, data, run)
    training.resume()
    while training.step < plugin.updates:
        training.advance()
        if run.checkpoints.due():
            training.save()
        run.progress(training.images, plugin.work(len(data)))
    training.write()


@contextmanager
def randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's random state on the CPU and on ``device``, and put back what was there at the end."""
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            torch.cuda.manual_seed(seed)
        yield


class Training:
    """Hold the state of a training between two steps.

    Attributes:
        step: optimizer steps done.
        averages: the weight averages that become the networks for sampling, by role.
        losses: the losses since the last row of the history.
        history: the rows of history.json so far.
    """

    def __init__(self, plugin: Edm2, data: FaceDataset, run: StageContext) -> None:
        self.plugin, self.data, self.run = plugin, data, run
        self.device = torch.device(run.device)
        self.architecture = plugin.architecture(data.image_size, len(data.identities))
        self.shown = TrainingImages(data, plugin.held_out, seeds.derive(run.seed, "held out"))
        with self._randomness("initial weights"):
            self.network = Denoiser(self.architecture).to(self.device)
            self.uncertainty = Uncertainty().to(self.device)
        self.network.precision = precision_on(self.device, plugin.precision)
        self.parameters = [*self.network.parameters(), *self.uncertainty.parameters()]
        self.optimizer = torch.optim.Adam(self.parameters, betas=BETAS, fused=True)
        lengths = {"main": plugin.main_length, "guide": plugin.guide_length}
        tensors = self.network.state_dict()
        self.averages = {role: PowerAverage(length, tensors) for role, length in lengths.items()}
        self.step = 0
        self.losses: list[float] = []
        self.history: list[dict[str, Any]] = []

    @property
    def images(self) -> int:
        """Images seen."""
        return self.step * self.plugin.batch_size

    def advance(self) -> None:
        """Make one optimizer step.

        Raises:
            DivergenceError: when the loss is not finite; the last checkpoint stays.
        """
        self.step += 1
        with self._randomness("step", self.step):
            loss = self._loss()
        self.losses.append(loss.item())
        if not math.isfinite(self.losses[-1]):
            raise DivergenceError(
                f"edm2: the loss of step {self.step} of {self.plugin.updates} is {self.losses[-1]}: "
                f"lower learning_rate (now {self.plugin.learning_rate:g})"
            )
        self._update(loss)
        self._average()
        if self.step % math.ceil(self.plugin.updates / HISTORY_ROWS) == 0 or self.step == self.plugin.updates:
            self.history.append(self._row())
            self.losses = []

    def resume(self) -> None:
        """Take up the newest checkpoint, if there is one."""
        found = self.run.checkpoints.load()
        if found is None:
            return
        self.step, tensors, document = found
        self.losses, self.history = document["losses"], document["history"]
        self.network.load_state_dict(_part(tensors, "network"))
        self.uncertainty.load_state_dict(_part(tensors, "uncertainty"))
        for role, average in self.averages.items():
            average.tensors = {name: tensor.to(self.device) for name, tensor in _part(tensors, role).items()}
        self._restore_optimizer(_part(tensors, "optimizer"))
        self.run.log(f"resumed after {self.step} of {self.plugin.updates} updates")

    def save(self) -> None:
        """Checkpoint the state."""
        moments = self.optimizer.state_dict()["state"]
        states = {
            "network": self.network.state_dict(),
            "uncertainty": self.uncertainty.state_dict(),
            "optimizer": {f"{i}.{name}": tensor for i, state in moments.items() for name, tensor in state.items()},
            **{role: average.tensors for role, average in self.averages.items()},
        }
        tensors = {f"{part}.{name}": tensor for part, state in states.items() for name, tensor in state.items()}
        self.run.checkpoints.save(self.step, tensors, {"losses": self.losses, "history": self.history})

    def write(self) -> None:
        """Write the networks for sampling, what is needed to load them, and the history."""
        for role, average in self.averages.items():
            tensors = {name: tensor.cpu().contiguous() for name, tensor in average.tensors.items()}
            save_file(tensors, self.run.folder / f"{role}.safetensors")
        config = {
            "image_size": self.data.image_size,
            "identities": list(self.data.identities),
            "parameters": self.plugin.model_dump(mode="json"),
            "weights": sum(parameter.numel() for parameter in self.network.parameters()),
            "images_seen": {"main": self.images, "guide": self.plugin.guide_updates * self.plugin.batch_size},
            "training_images": len(self.shown.rows),
            "held_out_items": [self.data.item_ids[row] for row in self.shown.held_out],
        }
        for name, document in {"config": config, "history": self.history}.items():
            (self.run.folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")

    def _loss(self) -> Tensor:
        drawn = torch.randint(len(self.shown.rows), (self.plugin.batch_size,))
        x, class_weights = self._batch(self.shown.rows[drawn.numpy()])
        if self.plugin.flip:
            x = torch.where(torch.rand(len(x), 1, 1, 1, device=self.device) < 0.5, x.flip(-1), x)
        sigma = self._noise_levels(torch.randn(len(x), device=self.device))
        errors = weighted_errors(self.network, x, torch.randn_like(x), sigma, class_weights)
        return uncertain_loss(errors, self.uncertainty(sigma))

    def _update(self, loss: Tensor) -> None:
        self.optimizer.param_groups[0]["lr"] = self.plugin.learning_rate_at(self.images)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        for parameter in self.parameters:
            if parameter.grad is not None:
                torch.nan_to_num_(parameter.grad, nan=0, posinf=0, neginf=0)
        self.optimizer.step()

    def _average(self) -> None:
        tensors = self.network.state_dict()
        self.averages["main"].update(tensors, self.images, self.plugin.batch_size)
        if self.step <= self.plugin.guide_updates:
            self.averages["guide"].update(tensors, self.images, self.plugin.batch_size)

    def _row(self) -> dict[str, Any]:
        main = sampling_network(self.architecture, self.averages["main"].tensors, self.network.precision, self.device)
        return {
            "images": self.images,
            "learning_rate": self.plugin.learning_rate_at(self.images),
            "loss": math.fsum(self.losses) / len(self.losses) / (3 * self.data.image_size**2),
            "training_error": self._error(main, self.shown.rows),
            "held_out_error": self._error(main, self.shown.held_out),
        }

    @torch.no_grad()
    def _error(self, network: Denoiser, rows: IntArray) -> float | None:
        rows = evenly_chosen(rows, MEASURED_IMAGES)
        if not len(rows):
            return None
        errors = []
        with self._randomness("error"):
            quantiles = (torch.randperm(len(rows)) + 0.5) / len(rows)
            levels = self._noise_levels(torch.special.ndtri(quantiles).to(self.device))
            for block in torch.split(torch.arange(len(rows)), self.plugin.batch_size):
                x, class_weights = self._batch(rows[block.numpy()])
                errors.append(weighted_errors(network, x, torch.randn_like(x), levels[block], class_weights))
        return torch.cat(errors).mean().item()

    def _batch(self, rows: IntArray) -> tuple[Tensor, Tensor]:
        labels = torch.from_numpy(self.data.labels[rows])
        class_weights = functional.one_hot(labels, self.architecture.classes).float()
        return from_images(self.shown.read(rows)).to(self.device), class_weights.to(self.device)

    def _noise_levels(self, standard_normal: Tensor) -> Tensor:
        return noise_levels(standard_normal, self.plugin.noise_mean, self.plugin.noise_deviation)

    def _randomness(self, purpose: str, step: int = 0) -> AbstractContextManager[None]:
        return randomness(seeds.derive(self.run.seed, purpose, {"step": step}), self.device)

    def _restore_optimizer(self, tensors: Mapping[str, Tensor]) -> None:
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})


def _part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
