"""Own the training of an IResNet: updates, checkpoints, divergence, the result. Parameters are the plugin's.

Everything random in step k comes from the stage's seed and k (or the number of the epoch), so a training that was
killed and resumed writes the same bytes as one that was not.

Several processes share a training: each draws the randomness of the whole batch, the classes that take part in its loss
too, and takes its own share of the images; gradients are averaged. BatchNorm sees a share, so their number changes the
result; of its running statistics those of the first process are kept (as in insightface).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from faceassay import seeds
from faceassay.contracts import (
    Chosen,
    DivergenceError,
    FaceassayError,
    FaceDataset,
    ImageBatch,
    IntArray,
    StageContext,
    Validation,
)
from faceassay_plugins.recognizers.iresnet.batches import read_ahead, reader
from faceassay_plugins.recognizers.iresnet.choice import Choice
from faceassay_plugins.recognizers.iresnet.course import batches, learning_rate, sampled_classes
from faceassay_plugins.recognizers.iresnet.fitted import embedded
from faceassay_plugins.recognizers.iresnet.loss import MarginHead, Objective, loss_without_knowledge, precision_on
from faceassay_plugins.recognizers.iresnet.network import initialise
from faceassay_plugins.recognizers.iresnet.processes import average, mean
from faceassay_plugins.recognizers.iresnet.transforms import Share, Transforms

if TYPE_CHECKING:
    from faceassay_plugins.recognizers.iresnet.plugin import IResNet

HISTORY_ROWS = 100
PATIENCE_SHARE, PATIENCE_STEPS = 0.1, 100
"""A training whose loss, after its warm-up, is above that of a network which knows nothing for a tenth of all steps and
at least 100, one after the other, has diverged."""


def train(recipe: IResNet, data: FaceDataset, run: StageContext, validation: Validation | None = None) -> Chosen | None:
    """Train ``recipe`` on ``data`` and write the last state, or that which ``validation`` chooses, into ``run.folder``.

    The first process measures, while the others wait for it at the next step: its running statistics are kept.

    Returns:
        Which state was chosen; None without validation, and in all processes but the first.

    Raises:
        FaceassayError: when images have another size, there are fewer than two identities, the processes cannot share
            the batches, or the checkpoint is another training's.
        DivergenceError: when the loss or a weight is not finite, or the loss is too high for too long.
    """
    _require_trainable(recipe, data, run)
    total = recipe.updates_for(len(data))
    training = Training(recipe, len(data.identities), total, run, validation)
    first, rows, read = training.resume(), training.share.rows, reader(data)
    order = islice(batches(len(data), recipe.batch_size, run.seed, first), total - first)
    shares = read_ahead(lambda index: read(index[rows]), order, run.threads)
    for step, (index, images) in enumerate(shares, start=first):
        training.update(step, images, data.labels[index])
        if run.rank == 0:
            training.measure(step + 1)
            if run.checkpoints.due():
                training.save(step + 1)
            run.progress((step + 1) * recipe.batch_size, total * recipe.batch_size)
    if run.rank:
        return None
    training.write(data)
    return training.choice.chosen() if validation else None


class Training:
    """Hold all that changes in a training: weights, class centres, momentum, history; ``total`` updates long.

    Attributes:
        share: the images of each batch that this process takes.
    """

    def __init__(
        self, recipe: IResNet, identities: int, total: int, run: StageContext, validation: Validation | None = None
    ) -> None:
        self.recipe, self.identities, self.total, self.run = recipe, identities, total, run
        self.validation, self.choice = validation, Choice()
        self.share = Share.of_process(recipe.batch_size, run.rank, run.world)
        self.device = torch.device(run.device)
        random = torch.Generator().manual_seed(seeds.derive(run.seed, "weights"))
        self.network = recipe.backbone()
        initialise(self.network, random)
        self.head = MarginHead(recipe, identities, random, run.world).to(self.device)
        self.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.objective: nn.Module = Objective(self.network, self.head, precision_on(self.device, recipe.precision))
        self.weights = self.objective.state_dict()
        groups = decay_groups(self.objective, recipe)
        self.optimizer = torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum)
        self.transforms = _transforms(recipe)
        self.history: list[dict[str, float]] = []
        self.recent_losses: list[float] = []
        self.excess = 0

    def update(self, step: int, images: ImageBatch, labels: IntArray) -> None:
        """Make one optimizer step.

        Args:
            step: which.
            images: this process's share of the batch, uint8 [b, H, W, 3].
            labels: classes of the whole batch, int64 [B].

        Raises:
            DivergenceError: see ``train``; the state before this step is saved.
        """
        rate = learning_rate(self.recipe, step, self.total)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self._loss(step, images, labels)
        self._note(step, self._averaged_over_processes(loss.detach()), rate)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        average([weight.grad for weight in self.network.parameters() if weight.grad is not None], self.run.world)
        if self.recipe.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.gradient_clip)
        self.optimizer.step()

    def measure(self, steps: int) -> None:
        """Measure the state after ``steps`` steps where the validation asks for it; the training does not notice.

        Raises:
            DivergenceError: when a weight is not finite.
        """
        if self.validation is None or steps not in self.validation.points(self.total):
            return
        self._require_finite(steps)
        self.network.eval()
        score = self.validation.score(partial(embedded, self.network))
        self.network.train()
        self.choice.add(steps, score, self.weights)
        self.history.append({"step": steps, "validation": score})

    def save(self, steps: int) -> None:
        """Store the state after ``steps`` steps."""
        document = {
            "training": self._identity(),
            "history": self.history,
            "recent_losses": self.recent_losses,
            "excess": self.excess,
            "scores": self.choice.scores,
        }
        self.run.checkpoints.save(steps, {**self.weights, **self._momenta(), **self.choice.tensors()}, document)

    def resume(self) -> int:
        """Take up the newest checkpoint, if there is one, and return the number of steps already made.

        Raises:
            FaceassayError: when it is of a training with other parameters, classes, seed or number of processes.
        """
        found = self.run.checkpoints.load()
        if found is None:
            return 0
        steps, tensors, document = found
        _require_same(document["training"], self._identity())
        for name, value in {**self.weights, **self._momenta()}.items():
            value.copy_(tensors[name])
        self.history, self.recent_losses = document["history"], document["recent_losses"]
        self.excess = document["excess"]
        self.choice.restore(document["scores"], tensors)
        self.run.log(f"resumed after {steps} of {self.total} updates")
        return steps

    def write(self, data: FaceDataset) -> None:
        """Write network, class centres (raw rows of E), history and configuration; the bytes hold no time or path.

        Raises:
            DivergenceError: when the last update left a value that is not finite.
        """
        self._require_finite(self.total)
        if self.validation is not None:
            self.choice.put_into(self.weights)
        folder = self.run.folder
        network = {name: value.cpu().contiguous() for name, value in self.network.state_dict().items()}
        save_file(network, folder / "network.safetensors")
        save_file({"centres": self.head.centres.detach().cpu()}, folder / "centres.safetensors")
        configuration = {
            "parameters": self.recipe.model_dump(mode="json"),
            "identity_count": len(data.identities),
            "identities": list(data.identities),
            "images": len(data),
            "updates": self.total,
            "processes": self.run.world,
        }
        _write_json(folder / "config.json", configuration)
        _write_json(folder / "history.json", self.history)

    def _require_finite(self, steps: int) -> None:
        if not all(bool(value.isfinite().all()) for value in self.weights.values()):
            raise self._divergence(f"weights are not finite after step {steps - 1} of {self.total}")

    def _loss(self, step: int, images: ImageBatch, labels: IntArray) -> Tensor:
        pixels = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2).float() / 255
        changed = self.transforms(pixels, seeds.derive(self.run.seed, "transforms"), step, self.share)
        own = torch.from_numpy(labels[self.share.rows]).to(self.device)
        loss: Tensor = self.objective(2 * changed - 1, own, self._kept(step), self._classes(step, labels))
        return loss

    def _classes(self, step: int, labels: IntArray) -> Tensor | None:
        """Draw the classes whose centres take part, the same in all processes; None for all."""
        rate = self.recipe.sample_rate
        if rate == 1:
            return None
        seed = seeds.derive(self.run.seed, "classes")
        return torch.from_numpy(sampled_classes(labels, self.identities, rate, seed, step)).to(self.device)

    def _kept(self, step: int) -> Tensor | None:
        """Draw the factors of dropout: 0 or 1 / (1 - p)."""
        share = 1 - self.recipe.dropout
        if share == 1:
            return None
        random = torch.Generator(self.device).manual_seed(seeds.derive(self.run.seed, "dropout", {"step": step}))
        factors = torch.empty(self.share.of, *self.network.final_shape, device=self.device)
        return factors.bernoulli_(share, generator=random)[self.share.rows] / share

    def _note(self, step: int, loss: float, rate: float) -> None:
        """Keep one row of history for every hundredth of the training, with the mean loss since the last one."""
        self._require_convergence(step, loss)
        self.recent_losses.append(loss)
        if (step + 1) % -(-self.total // HISTORY_ROWS) == 0 or step + 1 == self.total:
            mean = math.fsum(self.recent_losses) / len(self.recent_losses)
            self.history.append({"step": step + 1, "loss": mean, "learning_rate": rate})
            self.recent_losses = []

    def _require_convergence(self, step: int, loss: float) -> None:
        ceiling = loss_without_knowledge(self.recipe, self.identities)
        warmed = step >= self.recipe.warmup * self.total
        excess = self.excess + 1 if warmed and loss > ceiling else 0
        if not math.isfinite(loss):
            self._give_up(step, f"the loss is {loss} at step {step} of {self.total}")
        if excess >= max(PATIENCE_STEPS, PATIENCE_SHARE * self.total):
            self._give_up(
                step,
                f"the loss is {loss:.3g} at step {step} of {self.total} and has been above {ceiling:.3g}, that of a "
                f"network which knows nothing, for {excess} steps",
            )
        self.excess = excess

    def _give_up(self, step: int, found: str) -> None:
        if self.run.rank == 0:
            self.save(step)
        raise self._divergence(f"{found}; the state after {step} steps is saved")

    def _divergence(self, found: str) -> DivergenceError:
        clip = "set gradient_clip" if self.recipe.gradient_clip is None else "lower gradient_clip"
        return DivergenceError(
            f"the training of iresnet diverged: {found}: lower learning_rate (now {self.recipe.learning_rate:g}), "
            f"raise warmup, lower margin, or {clip}"
        )

    def _averaged_over_processes(self, loss: Tensor) -> float:
        return float(mean(loss, self.run.world))

    def _identity(self) -> dict[str, Any]:
        """Return what makes this training another one."""
        facts = {"identities": self.identities, "updates": self.total, "seed": self.run.seed, "world": self.run.world}
        measured = {"validation": self.validation.fingerprint} if self.validation else {}
        return {**self.recipe.model_dump(mode="json"), **facts, **measured}

    def _momenta(self) -> dict[str, Tensor]:
        """Return the momentum buffers by number; those not yet made are made, as zeros."""
        if not self.recipe.momentum:
            return {}
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        states = [self.optimizer.state[weight] for weight in weights]
        for weight, state in zip(weights, states, strict=True):
            state.setdefault("momentum_buffer", torch.zeros_like(weight))
        return {f"momentum.{i}": state["momentum_buffer"] for i, state in enumerate(states)}


def decay_groups(objective: nn.Module, recipe: IResNet) -> list[dict[str, Any]]:
    """Return the trained weights in two groups of the optimizer: those that decay, and those that do not."""
    norms = [module for module in objective.modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d)]
    of_norms = {id(weight) for norm in norms for weight in norm.parameters()}
    rules: dict[str, Callable[[nn.Parameter], bool]] = {
        "all": lambda weight: False,
        "matrices": lambda weight: weight.ndim <= 1,
        "not_batchnorm": lambda weight: id(weight) in of_norms,
    }
    spared = rules[recipe.decay]
    trained = [weight for weight in objective.parameters() if weight.requires_grad]
    return [
        {"params": [weight for weight in trained if not spared(weight)], "weight_decay": recipe.weight_decay},
        {"params": [weight for weight in trained if spared(weight)], "weight_decay": 0.0},
    ]


def _transforms(recipe: IResNet) -> Transforms:
    return Transforms(
        crop=recipe.crop_probability,
        low_resolution=recipe.low_resolution_probability,
        photometric=recipe.photometric_probability,
        flip=recipe.flip_probability,
        crop_mode=recipe.crop_mode,
    )


def _require_trainable(recipe: IResNet, data: FaceDataset, run: StageContext) -> None:
    try:
        recipe.check(data.image_size, len(data.identities))
        recipe.check_world(run.world)
    except ValueError as error:
        raise FaceassayError(str(error)) from error
    if run.world > 1 and not torch.distributed.is_initialized():
        raise FaceassayError(
            f"iresnet is to train in {run.world} processes, but torch.distributed is not initialised: "
            "start the stage through the launcher, or set world to 1"
        )


def _require_same(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    names = [name for name in {**saved, **wanted} if saved.get(name) != wanted.get(name)]
    if names:
        said = ", ".join(f"{name} {saved.get(name)} there and {wanted.get(name)} here" for name in names)
        raise FaceassayError(
            f"the checkpoint is of another training of iresnet ({said}): train with what it was made with, "
            "or remove it to begin anew"
        )


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
