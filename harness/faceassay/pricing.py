"""Own the price of stages before they run: network evaluations, training images and floating-point operations.

Computed from the architectures alone, so that what nobody has run yet, or cannot run here, has a price too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faceassay.contracts import Generator, Recognizer, Role
from faceassay.graph import Stage

PER_MULTIPLY_ADD = 2
PASSES_OF_TRAINING = 3
"""Forward passes that a training image costs: one forward, and two for the gradients of activations and weights."""
VIEWS = 2
"""What is embedded of an image of a benchmark: itself and its mirror image."""
SAMPLING_KINDS = frozenset({"search", "synthesis"})
ASSUMPTIONS = (
    f"FLOP: {PER_MULTIPLY_ADD} for each multiply-add of convolutions, linear maps and attention; "
    f"a training image costs {PASSES_OF_TRAINING} forward passes; class centres, decoding and optimizer are left out"
)


@dataclass(frozen=True)
class Price:
    """Hold what stages cost, whatever they run on.

    Attributes:
        evaluations: network evaluations of sampling: one for each image that passes through one network.
        training_images: images that pass through a network in training, each as often as it does.
        flops: floating-point operations of the networks, None where an architecture does not tell.
    """

    evaluations: int = 0
    training_images: int = 0
    flops: int | None = 0

    def gpu_hours(self, teraflops: float) -> float | None:
        """Return the hours of one device that sustains ``teraflops`` (10^12 operations a second)."""
        return None if self.flops is None else self.flops / (teraflops * 1e12 * 3600)


def price(stage: Stage) -> Price:
    """Return what a stage costs."""
    plugin, work = stage.plugin, stage.work
    if stage.kind == "generator":
        return Price(0, work, _flops(PASSES_OF_TRAINING * work, _generator_size(stage, "main")))
    if stage.kind == "recognizer":
        return Price(0, work, _flops(PASSES_OF_TRAINING * work, _recognizer_size(plugin)))
    if stage.kind in SAMPLING_KINDS:
        return _sampling(stage)
    if stage.kind == "features":
        recognizer = stage.inputs["recognizer"]
        size = _recognizer_size(recognizer.plugin) if isinstance(recognizer, Stage) else None
        return Price(flops=_flops(VIEWS * work, size))
    return Price()


def total(prices: Iterable[Price]) -> Price:
    """Return the sum; operations are unknown where those of one are."""
    prices = list(prices)
    flops = [one.flops for one in prices if one.flops is not None]
    return Price(
        sum(one.evaluations for one in prices),
        sum(one.training_images for one in prices),
        sum(flops) if len(flops) == len(prices) else None,
    )


def _sampling(stage: Stage) -> Price:
    per_image = getattr(stage.plugin, "evaluations_per_image", None)
    if per_image is None or per_image() == 0:
        return Price()
    of_guide = getattr(stage.plugin, "guide_evaluations_per_image", None)
    guide = of_guide() if of_guide else 0
    counts: dict[Role, int] = {"main": per_image() - guide, "guide": guide}
    generator = stage.inputs.get("generator")
    if not isinstance(generator, Stage):
        return Price(stage.work * per_image(), 0, None)
    parts = [_flops(stage.work * count, _generator_size(generator, role)) for role, count in counts.items() if count]
    known = [part for part in parts if part is not None]
    return Price(stage.work * per_image(), 0, sum(known) if len(known) == len(parts) else None)


def _generator_size(stage: Stage, role: Role) -> int | None:
    plugin, real = stage.plugin, stage.inputs["real"]
    people, side = getattr(real, "people", None), getattr(real, "image_size", None)
    if not isinstance(plugin, Generator) or people is None or side is None:
        return None
    return plugin.multiply_adds(side, len(people), role)


def _recognizer_size(plugin: object) -> int | None:
    return plugin.multiply_adds() if isinstance(plugin, Recognizer) else None


def _flops(passes: int, multiply_adds: int | None) -> int | None:
    return None if multiply_adds is None else PER_MULTIPLY_ADD * passes * multiply_adds
