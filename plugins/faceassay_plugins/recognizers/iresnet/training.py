"""Own the training of an IResNet: batches, updates, checkpoints, the files of the result. Parameters are the plugin's.

Everything random in step k comes from the stage's seed and k (or the number of the epoch), so a training that was
killed and resumed writes the same bytes as one that was not.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from faceassay import seeds
from faceassay.contracts import DivergenceError, FaceassayError, FaceDataset, ImageBatch, IntArray, StageContext
from faceassay_plugins.recognizers import margins
from faceassay_plugins.recognizers.iresnet.network import initialise
from faceassay_plugins.recognizers.iresnet.transforms import Transforms

if TYPE_CHECKING:
    from faceassay_plugins.recognizers.iresnet.plugin import IResNet

CACHED_BYTES = 256 * 2**20
"""Images that decode to at most this much are read once and kept."""
HISTORY_ROWS = 100
DECAY_AT_MILESTONE = 0.1
CENTRES_STD = 0.01
MARGINS = {"arcface": margins.arcface, "cosface": margins.cosface}


def train(recipe: IResNet, data: FaceDataset, run: StageContext) -> None:
    """Train ``recipe`` on ``data`` and write the result into ``run.folder``.

    Raises:
        FaceassayError: when images have another size, there are fewer than two identities, or ``run.world`` > 1.
        DivergenceError: when the loss or a weight is not finite.
    """
    _require_trainable(recipe, data, run)
    total = recipe.updates_for(len(data))
    training = Training(recipe, len(data.identities), total, run)
    first, labels = training.resume(), data.labels
    order = islice(batches(len(data), recipe.batch_size, run.seed, first), total - first)
    for step, (index, images) in enumerate(_read_ahead(_reader(data), order), start=first):
        training.update(step, images, labels[index])
        if run.checkpoints.due():
            training.save(step + 1)
        run.progress((step + 1) * recipe.batch_size, total * recipe.batch_size)
    training.write(data)


def batches(images: int, batch_size: int, seed: int, first: int = 0) -> Iterator[IntArray]:
    """Yield the image numbers of every batch from step ``first`` on, int64 [batch_size], without end.

    Each epoch is a permutation of all images; the permutations follow on each other and are cut into full batches, so
    no batch is too small for BatchNorm, no image is dropped, and a set smaller than a batch repeats within it.
    """
    order = seeds.derive(seed, "order")
    epoch, offset = divmod(first * batch_size, images)
    pending = seeds.generator(order, epoch).permutation(images)[offset:]
    while True:
        while len(pending) < batch_size:
            epoch += 1
            pending = np.concatenate([pending, seeds.generator(order, epoch).permutation(images)])
        yield pending[:batch_size]
        pending = pending[batch_size:]


def learning_rate(recipe: IResNet, step: int, total: int) -> float:
    """Return the learning rate of ``step`` (0 to ``total`` - 1): a linear warm-up times the schedule."""
    progress = step / total
    warmed = min(1.0, (step + 1) / (recipe.warmup * total)) if recipe.warmup else 1.0
    match recipe.schedule:
        case "steps":
            factor = DECAY_AT_MILESTONE ** sum(progress >= milestone for milestone in recipe.milestones)
        case "linear":
            factor = 1 - progress
        case "cosine":
            factor = (1 + math.cos(math.pi * progress)) / 2
    return float(recipe.learning_rate * warmed * factor)


class Training:
    """Hold all that changes in a training: weights, class centres, momentum, history; ``total`` updates long."""

    def __init__(self, recipe: IResNet, identities: int, total: int, run: StageContext) -> None:
        self.recipe, self.total, self.run = recipe, total, run
        random = torch.Generator().manual_seed(seeds.derive(run.seed, "weights"))
        network = recipe.backbone()
        initialise(network, random)
        centres = torch.empty(identities, recipe.embedding).normal_(0, CENTRES_STD, generator=random)
        network.to(run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network = network
        self.centres = nn.Parameter(centres.to(run.device))
        self.optimizer = _optimizer([*self.network.parameters(), self.centres], recipe)
        self.transforms = _transforms(recipe)
        self.history: list[dict[str, float]] = []
        self.recent_losses: list[float] = []

    def update(self, step: int, images: ImageBatch, labels: IntArray) -> None:
        """Make one optimizer step on ``images`` (uint8 [B, H, W, 3]) with their ``labels`` (int64 [B])."""
        rate = learning_rate(self.recipe, step, self.total)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self._loss(step, images, torch.from_numpy(labels).to(self.run.device))
        self._record(step, float(loss.detach()), rate)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.recipe.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.gradient_clip)
        self.optimizer.step()

    def save(self, steps: int) -> None:
        """Store the state after ``steps`` steps."""
        document = {"history": self.history, "recent_losses": self.recent_losses}
        self.run.checkpoints.save(steps, {**self._values(), **self._momenta()}, document)

    def resume(self) -> int:
        """Take up the newest checkpoint, if there is one, and return the number of steps already made."""
        found = self.run.checkpoints.load()
        if found is None:
            return 0
        steps, tensors, document = found
        for name, value in {**self._values(), **self._momenta()}.items():
            value.copy_(tensors[name])
        self.history, self.recent_losses = document["history"], document["recent_losses"]
        self.run.log(f"resumed after {steps} of {self.total} updates")
        return steps

    def write(self, data: FaceDataset) -> None:
        """Write network, class centres (raw rows of E), history and configuration; the bytes hold no time or path.

        Raises:
            DivergenceError: when the last update left a value that is not finite.
        """
        if not all(bool(value.isfinite().all()) for value in self._values().values()):
            raise _divergence(f"weights are not finite after step {self.total - 1} of {self.total}")
        folder = self.run.folder
        network = {name: value.cpu().contiguous() for name, value in self.network.state_dict().items()}
        save_file(network, folder / "network.safetensors")
        save_file({"centres": self.centres.detach().cpu()}, folder / "centres.safetensors")
        configuration = {
            "parameters": self.recipe.model_dump(mode="json"),
            "identity_count": len(data.identities),
            "identities": list(data.identities),
            "images": len(data),
            "updates": self.total,
        }
        _write_json(folder / "config.json", configuration)
        _write_json(folder / "history.json", self.history)

    def _loss(self, step: int, images: ImageBatch, labels: Tensor) -> Tensor:
        pixels = torch.from_numpy(images).to(self.run.device).permute(0, 3, 1, 2).float() / 255
        changed = self.transforms(pixels, seeds.derive(self.run.seed, "transforms"), step)
        embedded = self.network(2 * changed - 1, self._kept(step, len(images)))
        cosine = functional.linear(functional.normalize(embedded), functional.normalize(self.centres))
        logits = MARGINS[self.recipe.loss](cosine, labels, scale=self.recipe.scale, margin=self.recipe.margin)
        return functional.cross_entropy(logits, labels)

    def _kept(self, step: int, count: int) -> Tensor | None:
        """Draw the factors of dropout: 0 or 1 / (1 - p)."""
        share = 1 - self.recipe.dropout
        if share == 1:
            return None
        random = torch.Generator(self.run.device).manual_seed(seeds.derive(self.run.seed, "dropout", {"step": step}))
        factors = torch.empty(count, *self.network.final_shape, device=self.run.device)
        return factors.bernoulli_(share, generator=random) / share

    def _record(self, step: int, loss: float, rate: float) -> None:
        """Keep one row of history for every hundredth of the training, with the mean loss since the last one."""
        if not math.isfinite(loss):
            raise _divergence(f"the loss is {loss} at step {step} of {self.total}")
        self.recent_losses.append(loss)
        if (step + 1) % -(-self.total // HISTORY_ROWS) == 0 or step + 1 == self.total:
            mean = math.fsum(self.recent_losses) / len(self.recent_losses)
            self.history.append({"step": step + 1, "loss": mean, "learning_rate": rate})
            self.recent_losses = []

    def _values(self) -> dict[str, Tensor]:
        network = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        return {**network, "centres": self.centres.detach()}

    def _momenta(self) -> dict[str, Tensor]:
        """Return the momentum buffers by number; those not yet made are made, as zeros."""
        if not self.recipe.momentum:
            return {}
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        states = [self.optimizer.state[weight] for weight in weights]
        for weight, state in zip(weights, states, strict=True):
            state.setdefault("momentum_buffer", torch.zeros_like(weight))
        return {f"momentum.{i}": state["momentum_buffer"] for i, state in enumerate(states)}


def _optimizer(parameters: Sequence[nn.Parameter], recipe: IResNet) -> torch.optim.SGD:
    trained = [weight for weight in parameters if weight.requires_grad]
    groups = [
        {"params": [weight for weight in trained if weight.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [weight for weight in trained if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum)


def _transforms(recipe: IResNet) -> Transforms:
    return Transforms(
        crop=recipe.crop_probability,
        low_resolution=recipe.low_resolution_probability,
        photometric=recipe.photometric_probability,
        flip=recipe.flip_probability,
    )


def _divergence(found: str) -> DivergenceError:
    return DivergenceError(f"the training of iresnet diverged: {found}; lower learning_rate, or set gradient_clip")


def _require_trainable(recipe: IResNet, data: FaceDataset, run: StageContext) -> None:
    if run.world != 1:
        raise FaceassayError(f"iresnet trains in one process (got world {run.world}): run it with world 1")
    try:
        recipe.check(data.image_size, len(data.identities))
    except ValueError as error:
        raise FaceassayError(str(error)) from error


def _reader(data: FaceDataset) -> Callable[[IntArray], ImageBatch]:
    if len(data) * data.image_size**2 * 3 > CACHED_BYTES:
        return data.images
    pixels = data.images(np.arange(len(data)))
    return lambda index: pixels[index]


def _read_ahead(
    read: Callable[[IntArray], ImageBatch], order: Iterator[IntArray]
) -> Iterator[tuple[IntArray, ImageBatch]]:
    """Yield the images of each batch, reading the next one in a thread meanwhile."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        coming = deque((index, reader.submit(read, index)) for index in islice(order, 1))
        while coming:
            index, images = coming.popleft()
            coming.extend((after, reader.submit(read, after)) for after in islice(order, 1))
            yield index, images.result()


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
