"""Own what a training step sees, and the error of a network on fixed images. Knows no optimizer.

Everything random in step k comes from a generator seeded by the training's seed and k, inside a fork of torch's random
state: a resumed training makes the same bytes as an uninterrupted one, and the caller's random state is untouched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor

from faceassay import ImageBatch, IntArray, StageContext, seeds
from faceassay.datasets import evenly_chosen
from faceassay.sampling import from_images
from faceassay_plugins.generators.edm2.images import ReadAhead
from faceassay_plugins.generators.edm2.loss import weighted_errors
from faceassay_plugins.generators.edm2.network import Denoiser
from faceassay_plugins.generators.edm2.scheme import Scheme

MEASURED_IMAGES = 128
"""At most so many images of a set measure its error in the history."""


@contextmanager
def randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's random state on the CPU and on ``device``, and put back what was there at the end."""
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            torch.cuda.manual_seed(seed)
        yield


class Batches:
    """Draw the batches of one network's training.

    Where several processes share the training, each draws the randomness of the whole batch and takes its own share:
    together they see what one process would see.
    """

    def __init__(self, scheme: Scheme, run: StageContext, seed: int) -> None:
        self.scheme, self.data, self.shown, self.seed = scheme, scheme.data, scheme.shown, seed
        self.batch_size, self.device = scheme.plugin.batch_size, torch.device(run.device)
        size = self.batch_size // run.world
        self.share = slice(run.rank * size, (run.rank + 1) * size)
        self._ahead = None if self.shown.resident else ReadAhead(self.shown.read)

    def draw(self, step: int) -> tuple[Any, ...]:
        """Return this process's share of the batch of ``step``: the arguments of the scheme's objective."""
        size, side = self.batch_size, self.data.image_size
        with self.randomness("step", step):
            rows = self._drawn()
            mirrored = torch.rand(size, 1, 1, 1, device=self.device) < 0.5 if self.scheme.mirrors else None
            sigma = self.scheme.noise_levels(torch.randn(size, device=self.device))
            noise = torch.randn(size, 3, side, side, device=self.device)
            own = self.scheme.draw(size)
        x = self._tensor(self._images(rows, step))
        if mirrored is not None:
            x = torch.where(mirrored[self.share], x.flip(-1), x)
        shares = [drawn[self.share] for drawn in (noise, sigma, *own)]
        return self.scheme.batch(rows, x, *shares)

    def randomness(self, purpose: str, step: int = 0, rank: int = 0) -> AbstractContextManager[None]:
        """Seed torch's random state for ``purpose``."""
        axes = {"step": step, **({"rank": rank} if rank else {})}
        return randomness(seeds.derive(self.seed, purpose, axes), self.device)

    @torch.no_grad()
    def error(self, network: Denoiser, rows: IntArray) -> float | None:
        """Return the mean weighted error on at most 128 of the images ``rows``, None where there are none.

        The noise levels are evenly spread quantiles of those in training, the noise is the same each time.
        """
        rows = evenly_chosen(rows, MEASURED_IMAGES)
        if not len(rows):
            return None
        errors = []
        with self.randomness("error"):
            quantiles = (torch.randperm(len(rows)) + 0.5) / len(rows)
            levels = self.scheme.noise_levels(torch.special.ndtri(quantiles).to(self.device))
            for block in torch.split(torch.arange(len(rows)), self.batch_size):
                chosen = rows[block.numpy()]
                x, condition = self._tensor(self.shown.read(chosen)), self.scheme.conditions(chosen)
                errors.append(weighted_errors(network, x, torch.randn_like(x), levels[block], condition))
        return torch.cat(errors).mean().item()

    def _drawn(self) -> IntArray:
        """Draw the images of a step, the first thing that its randomness decides; return this process's share."""
        drawn = torch.randint(len(self.shown.rows), (self.batch_size,)).numpy()
        rows: IntArray = self.shown.rows[drawn[self.share]]
        return rows

    def _images(self, rows: IntArray, step: int) -> ImageBatch:
        if self._ahead is None:
            return self.shown.read(rows)
        with self.randomness("step", step + 1):
            following = self._drawn()
        return self._ahead.take(rows, following)

    def _tensor(self, images: ImageBatch) -> Tensor:
        return from_images(images).to(self.device)
