"""Own how the dataset quality report shows numbers, and who judges. What the measures are, the footnotes say."""

from __future__ import annotations

from faceassay.assessing import numbers as of
from faceassay.assessment.resampling import Estimate
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
        return f"Judge: {named}, seed {content.matrix.spec.seeds[0]}. No method looks through it."
    named = judge.path.name if isinstance(judge, BroughtEntry) else ""
    return (
        f"Judge: {named} (brought). Its file is not that of the recognizer that methods look through; "
        "what it was trained on is for those who brought it to say."
    )


def held_out_people(content: Content) -> str:
    """Return who the held-out people are."""
    name = content.matrix.spec.held_out
    if content.held_out is None:
        why = "their data is absent" if name else "the matrix names none (`held_out: NAME`)"
        return f"Held-out people: none, {why}; nothing can be said of overlaps by embedding."
    images = len(content.held_out.cosines)
    return f"Held-out people: data {name!r}, {images} images, which nothing in this matrix was trained on."
