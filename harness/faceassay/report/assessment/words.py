"""Own what the dataset quality report says of its measures: what each is, of what population, and what it is not."""

from __future__ import annotations

from collections.abc import Iterator

from faceassay.assessing import numbers as of
from faceassay.assessment.overlap import FEWEST_POWER, SIGNIFICANCE
from faceassay.assessment.resampling import METHOD, Estimate
from faceassay.report.assessment.content import Content
from faceassay.spec.model import BroughtEntry
from faceassay.spec.reader import TrainedJudge

HEADINGS = {
    of.CONSISTENCY: "Consistency",
    of.SEPARATION: "Separation",
    of.LARGEST: "Two nearest classes",
    of.PIXELS: "Pixel diversity",
    of.NEAREST: "Nearest training image",
    of.NEARER: "Nearer than calibrated, %",
    of.COPIES: "Copies",
}
"""Measures of the first table, with their headings."""
DECIMALS = {of.PIXELS: 1, of.COPIES: 0}
IN_PERCENT = {of.NEARER}


def shown(measure: str, estimate: Estimate | None) -> str:
    """Return a number with its limits as text, such as ``0.412 [0.380, 0.447]``; ``none`` where nothing defines it."""
    if estimate is None or not estimate.n or estimate.value != estimate.value:
        return "none"
    factor, digits = (100, 2) if measure in IN_PERCENT else (1, DECIMALS.get(measure, 3))
    values = [estimate.value, *((estimate.interval.low, estimate.interval.high) if estimate.interval else ())]
    value, *limits = (f"{factor * one:.{digits}f}" for one in values)
    return f"{value} [{', '.join(limits)}]" if limits else value


def judged_by(content: Content) -> str:
    """Return who judges, and why that is no method's own recognizer."""
    judge = content.matrix.judge
    if isinstance(judge, TrainedJudge):
        network = ", ".join(f"{name} {value}" for name, value in judge.recognizer.architecture().items())
        named = f"{judge.recognizer.name}{f' ({network})' if network else ''} trained on data {judge.data!r}"
        seed = f", seed {content.matrix.spec.seeds[0]}"
    else:
        named, seed = (judge.path.name if isinstance(judge, BroughtEntry) else ""), " (brought)"
    return f"Judge: {named}{seed}. No method looks through it."


def held_out_people(content: Content) -> str:
    """Return who the held-out people are."""
    name = content.matrix.spec.held_out
    if content.held_out is None:
        why = "their data is absent" if name else "the matrix names none (`held_out: NAME`)"
        return f"Held-out people: none, {why}; nothing can be said of overlaps by embedding."
    return f"Held-out people: data {name!r}, {len(content.held_out.cosines)} images, which nothing was trained on."


def footnotes(content: Content) -> Iterator[tuple[str, str]]:
    """Yield (measure, what it is)."""
    found = content.calibration
    yield (
        "Intervals",
        (
            f"95 % limits, over identities ({METHOD}) unless another population is named; they say nothing about "
            "other seeds, another judge or another generator. Nothing is ranked. Whether two rows of the same "
            "identities differ, the paired differences say; otherwise overlapping intervals leave it open."
        ),
    )
    yield (
        "Consistency",
        (
            "mean cosine over the pairs of images of a class, mean over classes of two and more images; high means "
            "that a class is one person to the judge. Repeating one image raises it: read it beside the diversity."
        ),
    )
    yield (
        "Separation",
        (
            "cosine of a class centre to the nearest other one, mean over classes (the other centres being kept in "
            "the bootstrap); low means different people. It grows with the number of classes. Two nearest classes: "
            "the largest of these cosines, which no bootstrap puts an interval on."
        ),
    )
    yield (
        "Pixel diversity",
        (
            "root mean square difference over the pairs of images of a class, all pixels and channels, in grey "
            "levels (0 to 255), in closed form over all pairs; mean over classes."
        ),
    )
    yield (
        "Attributes",
        (
            "diversity: standard deviation within a class, divided by that over all real images, mean over classes. "
            "Distance: Wasserstein-1 distance from the real images in such deviations (both sets' identities "
            "resampled; resampling adds noise, so that the limits of a small distance lie high); beside it the "
            "distance between two random halves of the real people."
        ),
    )
    yield (
        "Nearest training image",
        (
            "cosine of each image to the nearest training image, mean over images. Nearer than calibrated: share of "
            f"images nearer than {found.threshold:.3f}, the 95 % quantile of {found.images} {found.on} (5 % expected "
            "of images as strange to the training images as those), with Wilson limits over images, which are not "
            "independent within a class. Of the real images: to those of other people. Copies: images with the "
            "pixels of a training image."
        ),
    )
    if any(one.number(of.AGREEMENT) for one in content.sets):
        yield (
            "Agreement",
            (
                "cosine of f(x) to the identity y that the plan asked for, f being the recognizer that the method "
                "was made with: it was optimised for this number, so the number is no evidence from outside. "
                "Nearest other anchor: cosine of each anchor of the search to the nearest other one, mean over "
                "anchors."
            ),
        )
    yield (
        "Overlap",
        (
            "content: images whose decoded pixels are the same. Names: where both carry names of people. Embedding: "
            "images of the benchmark nearer to a class centre than 99 % of the held-out images are; significantly "
            f"more than 1 % of them (exact binomial over images, p < {SIGNIFICANCE:g}; images of one person are not "
            "independent, so that few people weigh more than they should) is contamination. Clean needs a threshold "
            f"that at least {100 * FEWEST_POWER:.0f} % of the set's own images pass for the rest of their class; "
            "that is an optimistic power where the judge was trained on them. It takes the held-out people to be as "
            "strange to the set as the benchmark's would be: other cameras or another population move the threshold."
        ),
    )
    if content.differences:
        yield (
            "Paired differences",
            (
                "between rows of one seed with the same identity names, images per identity and identities asked "
                f"for, mean over identities of the difference of an identity's own number ({METHOD}); an interval "
                "that holds 0 is a tie."
            ),
        )
