"""Own what the dataset quality report says of its measures: what each is, of what population, and what it is not."""

from __future__ import annotations

from collections.abc import Iterator

from faceassay.assessing.numbers import AGREEMENT, Calibration
from faceassay.assessment.overlap import FEWEST_POWER, SIGNIFICANCE
from faceassay.assessment.resampling import METHOD
from faceassay.report.assessment.content import Content

INTERVALS = (
    f"95 % limits, over identities ({METHOD}) unless another population is named; they say nothing about other seeds, "
    "another judge or another generator. Nothing is ranked. Whether two rows of the same identities differ, the paired "
    "differences say; otherwise overlapping intervals leave it open. Of few identities they are too narrow: in "
    "simulations they held the truth 91 to 94 times in 100 with 20 identities, 78 to 87 times with 5."
)
OF_CLASSES = {
    "Consistency": (
        "mean cosine over the pairs of images of a class, mean over classes of two and more images; high means that a "
        "class is one person to the judge. Repeating one image raises it: read it beside the diversity."
    ),
    "Separation": (
        "cosine of a class centre to the nearest other one, mean over classes (the other centres being kept in the "
        "bootstrap); low means different people. It grows with the number of classes. Two nearest classes: the largest "
        "of these cosines, which no bootstrap puts an interval on. Classes that are nearest to each other share one "
        "number: limits of the separation and of its differences are too narrow (80 to 88 times in 100, simulated)."
    ),
    "Pixel diversity": (
        "root mean square difference over the pairs of images of a class, all pixels and channels, in grey levels "
        "(0 to 255), in closed form over all pairs; mean over classes."
    ),
    "Attributes": (
        "diversity: standard deviation within a class, divided by that over all real images, mean over classes. "
        "Distance: Wasserstein-1 distance from the real images in such deviations (identities of both sets resampled; "
        "resampling adds noise, so that the limits of a small distance lie above it); beside it the distance between "
        "two random halves of the real people."
    ),
}
OWN_RECOGNIZER = (
    "cosine of f(x) to the identity y that the plan asked for, f being the recognizer that the method was made with: "
    "it was optimised for this number, so the number is no evidence from outside. Nearest other anchor: cosine of each "
    "anchor of the search to the nearest other one, mean over anchors."
)
OVERLAP = (
    "content: images whose decoded pixels are the same. Names: where both carry names of people. Embedding: images of "
    "the benchmark nearer to a class centre than 99 % of the held-out images are; significantly more of them than "
    "further held-out images would be (beta-binomial over images, as the threshold is that of a sample, "
    f"p < {SIGNIFICANCE:g}; images of one person are not independent, so that few people weigh more than they should) "
    "is contamination. Clean needs images enough to be significant, and a threshold that at least "
    f"{100 * FEWEST_POWER:.0f} % of the set's own images pass for the rest of their class; that is an optimistic power "
    "where the judge was trained on them. It takes the held-out people to be as strange to the set as the benchmark's "
    "would be: other cameras or another population move the threshold."
)
PAIRED = (
    "between rows of one seed with the same identity names, images per identity and identities asked for: mean over "
    f"identities of the difference of an identity's own number ({METHOD}); an interval that holds 0 is a tie."
)


def footnotes(content: Content) -> Iterator[tuple[str, str]]:
    """Yield (measure, what it is)."""
    yield "Intervals", INTERVALS
    yield from OF_CLASSES.items()
    yield "Nearest training image", _calibrated(content.calibration)
    if any(one.number(AGREEMENT) for one in content.sets):
        yield "Agreement", OWN_RECOGNIZER
    yield "Overlap", OVERLAP
    if content.differences:
        yield "Paired differences", PAIRED


def _calibrated(found: Calibration) -> str:
    return (
        "cosine of each image to the nearest training image, mean over images. Nearer than calibrated: share of images "
        f"nearer than {found.threshold:.3f}, the 95 % quantile of {found.images} {found.on} (5 % expected of images as "
        "strange to the training images as those), with Wilson limits over images, which are not independent within a "
        "class. Of the real images: to those of other people. Copies: images with the pixels of a training image."
    )
