"""Own the verdict on whether people of a set are in a benchmark: by content, by name and by embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from faceassay.contracts import FloatArray

Word = Literal["contaminated", "clean", "unknown"]
HELD_OUT_QUANTILE = 0.99
SIGNIFICANCE = 0.01
FEWEST_POWER = 0.5
FEWEST_HELD_OUT = 100
"""Images that a 99 % quantile can be taken of."""


class Verdict(NamedTuple):
    """Hold a verdict and the numbers behind it, in words."""

    word: Word
    reason: str


@dataclass(frozen=True)
class Above:
    """Count what lies above the threshold of strangers.

    Attributes:
        threshold: 99 % quantile of the held-out images' cosines to the nearest class centre, the cosine of one of them.
        held_out: their number.
        beyond: those of them above the threshold.
        above, images: images of the benchmark nearer than the threshold to some centre, and all.
        recognised, known: images of the set above it for the centre of the other images of their class, and all that
            have such.
    """

    threshold: float
    held_out: int
    beyond: int
    above: int
    images: int
    recognised: int
    known: int

    @classmethod
    def of(cls, held_out: FloatArray, benchmark: FloatArray, own: FloatArray) -> Above:
        """Count from cosines, float32: of held-out and of the benchmark's images to the nearest centre, of own images
        to the rest of their class (NaN: none)."""  # fmt: skip
        threshold = float(np.quantile(held_out, HELD_OUT_QUANTILE, method="inverted_cdf"))
        known = own[np.isfinite(own)]
        counts = [(int((cosines > threshold).sum()), len(cosines)) for cosines in (benchmark, known)]
        (above, images), (recognised, of_known) = counts
        return cls(threshold, len(held_out), int((held_out > threshold).sum()), above, images, recognised, of_known)

    @property
    def power(self) -> float:
        """Share of the set's own images that the threshold would find, NaN where no class has two images."""
        return self.recognised / self.known if self.known else float("nan")

    @property
    def expected(self) -> float:
        """Share of the benchmark's images above it where these are as strange to the set as the held-out ones."""
        return (self.beyond + 1) / (self.held_out + 1)

    def p_value(self) -> float:
        """Return the probability of so many images above it, or more, where they are as strange as the held-out ones.

        The threshold is one of N held-out cosines with b beyond it. Images of one distribution with these pass it by
        Beta(b + 1, N - b), so their count is beta-binomial (Wilks 1941, tolerance limits): of few held-out images the
        threshold is too vague to take 1 % for its true share.
        """
        return self._p_value(self.above)

    @property
    def could_tell(self) -> bool:
        """Whether the benchmark has images enough that at least all of them above it would be significant."""
        return self._p_value(self.images) < SIGNIFICANCE

    def _p_value(self, above: int) -> float:
        from scipy.stats import betabinom

        counts = np.arange(above, self.images + 1)
        log_mass = betabinom.logpmf(counts, self.images, self.beyond + 1, self.held_out - self.beyond)
        return min(1.0, float(np.exp(log_mass).sum()))


def by_content(shared: int, images: int) -> Verdict:
    """Judge by images whose pixels are the same."""
    said = f"{shared} of {images} images of the benchmark have the pixels of an image of the set"
    return Verdict("contaminated" if shared else "clean", said)


def by_name(shared: int, people: int, named: int) -> Verdict:
    """Judge by names that both have.

    Args:
        shared: names in both.
        people: names of the benchmark, 0 where it carries none but numbers.
        named: names of real people in the set, 0 where there are none but numbers.
    """
    if not people or not named:
        return Verdict("unknown", f"the {'set' if people else 'benchmark'} carries no names of people")
    said = f"{shared} of {people} names of the benchmark are among {named} of the set"
    return Verdict("contaminated" if shared else "clean", said)


def by_embedding(found: Above | None, unknown: str = "") -> Verdict:
    """Judge by the cosine to the nearest class centre.

    Args:
        found: the counts, None where they tell nothing.
        unknown: then why.
    """
    if found is None or not found.images or not found.held_out:
        return Verdict("unknown", unknown or "there is no image to compare")
    if found.held_out < FEWEST_HELD_OUT:
        few = f"{found.held_out} held-out images are too few for a 99 % quantile: hold out {FEWEST_HELD_OUT} or more"
        return Verdict("unknown", few)
    p_value, power = found.p_value(), found.power
    share = 100 * found.above / found.images
    said = (
        f"{found.above} of {found.images} images ({share:.2f} %, {100 * found.expected:.2f} % expected, "
        f"p = {p_value:.2g}) nearer to a class centre than {found.threshold:.3f}, the 99 % quantile of "
        f"{found.held_out} held-out images; of the set's own images {100 * power:.1f} % are ({found.known} images)"
    )
    if p_value < SIGNIFICANCE:
        return Verdict("contaminated", said)
    if not found.could_tell:
        return Verdict("unknown", f"{said}: the benchmark has too few images to tell")
    enough = power >= FEWEST_POWER
    return Verdict("clean" if enough else "unknown", said + ("" if enough else ": too few to find people by"))


def together(verdicts: list[Verdict]) -> Word:
    """Return the word for a benchmark: contaminated if any kind says so, else what the embeddings, given last, say."""
    return "contaminated" if any(verdict.word == "contaminated" for verdict in verdicts) else verdicts[-1].word
