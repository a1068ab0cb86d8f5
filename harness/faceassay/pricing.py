"""Own the price of stages before they run: network evaluations, training images and floating-point operations.

Computed from the architectures alone, so that what nobody has run yet, or cannot run here, has a price too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faceassay.contracts import Augmentation, Generator, Recognizer, Role, Search
from faceassay.given import ValidationInput
from faceassay.graph import Stage

PER_MULTIPLY_ADD = 2
PASSES_OF_TRAINING = 3
"""Forward passes that a training image costs: one forward, and two for the gradients of activations and weights."""
VIEWS = 2
"""What is embedded of an image of a benchmark: itself and its mirror image."""
SAMPLING_KINDS = frozenset({"search", "synthesis"})
ASSUMPTIONS = (
    f"FLOP: {PER_MULTIPLY_ADD} for each multiply-add of convolutions, linear maps and attention; "
    f"a training image costs {PASSES_OF_TRAINING} forward passes, a pass backwards through "
    "frozen weights one; class centres, decoding and optimizer are left out"
)


@dataclass(frozen=True)
class Price:
    """Hold what stages cost, whatever they run on.

    Attributes:
        evaluations: network evaluations of sampling: one for each image that passes through one network.
        training_images: images that pass through a network in training, each as often as it does.
        flops: floating-point operations of the networks, None where an architecture does not tell.
        passes: other passes: through recognizers that are looked through or measured on validation images (these at
            most), and backwards through denoisers in sampling.
    """

    evaluations: int = 0
    training_images: int = 0
    flops: int | None = 0
    passes: int = 0

    def gpu_hours(self, teraflops: float) -> float | None:
        """Return the hours of one device that sustains ``teraflops`` (10^12 operations a second)."""
        return None if self.flops is None else self.flops / (teraflops * 1e12 * 3600)


def price(stage: Stage) -> Price:
    """Return what a stage costs."""
    work = stage.work
    if stage.kind == "generator":
        return _training(stage)
    if stage.kind == "recognizer":
        measured = stage.inputs.get("validation")
        passes = measured.passes if isinstance(measured, ValidationInput) else 0
        return Price(0, work, _flops(PASSES_OF_TRAINING * work + passes, _recognizer_size(stage)), passes)
    if stage.kind in SAMPLING_KINDS:
        return _sampling(stage)
    if stage.kind == "features":
        return Price(flops=_flops(VIEWS * work, _recognizer_size(stage)))
    return Price()


def total(prices: Iterable[Price]) -> Price:
    """Return the sum; operations are unknown where those of one are."""
    prices = list(prices)
    return Price(
        sum(one.evaluations for one in prices),
        sum(one.training_images for one in prices),
        _sum(one.flops for one in prices),
        sum(one.passes for one in prices),
    )


def _training(stage: Stage) -> Price:
    """Return what the training of a generator costs, the recognizer that it looks through included."""
    plugin, real, work = stage.plugin, stage.inputs["real"], stage.work
    passes = sum(plugin.passes_for(getattr(real, "images", 0)).values()) if isinstance(plugin, Generator) else 0
    parts = [_flops(PASSES_OF_TRAINING * work, _generator_size(stage, "main"))]
    if passes:
        parts.append(_flops(passes, _recognizer_size(stage)))
    return Price(0, work, _sum(parts), passes)


def _sampling(stage: Stage) -> Price:
    plugin = stage.plugin
    if not isinstance(plugin, Search | Augmentation):
        return Price()
    evaluations, passes = plugin.evaluations_per_image(), plugin.passes_per_image()
    backwards, every = passes.get("denoiser_backward", 0), sum(passes.values())
    of_guide = getattr(plugin, "guide_evaluations_per_image", None)
    guide = of_guide() if of_guide else 0
    guide += backwards * guide // max(evaluations, 1)  # both networks are gone through as often backwards
    counts: dict[Role, int] = {"main": evaluations + backwards - guide, "guide": guide}
    parts = [_flops(stage.work * count, _generator_size(stage, role)) for role, count in counts.items() if count]
    if every > backwards:
        parts.append(_flops(stage.work * (every - backwards), _recognizer_size(stage)))
    return Price(stage.work * evaluations, 0, _sum(parts), stage.work * every)


def _sum(parts: Iterable[int | None]) -> int | None:
    parts = list(parts)
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _generator_size(stage: Stage, role: Role) -> int | None:
    """Return the multiply-adds of a network of the generator that ``stage`` is or reads."""
    generator = stage if stage.kind == "generator" else stage.inputs.get("generator")
    if not isinstance(generator, Stage):
        return None
    plugin, real = generator.plugin, generator.inputs["real"]
    people, side = getattr(real, "people", None), getattr(real, "image_size", None)
    if not isinstance(plugin, Generator) or people is None or side is None:
        return None
    return plugin.multiply_adds(side, len(people), role)


def _recognizer_size(stage: Stage) -> int | None:
    """Return the multiply-adds of the recognizer that ``stage`` is or reads; what was brought does not tell."""
    recognizer = stage if stage.kind == "recognizer" else stage.inputs.get("recognizer")
    plugin = recognizer.plugin if isinstance(recognizer, Stage) else None
    return plugin.multiply_adds() if isinstance(plugin, Recognizer) else None


def _flops(passes: int, multiply_adds: int | None) -> int | None:
    return None if multiply_adds is None else PER_MULTIPLY_ADD * passes * multiply_adds
