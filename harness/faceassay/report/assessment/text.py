"""Own the dataset quality report as Markdown for people and CSV for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from faceassay.assessing import numbers as of
from faceassay.assessing.numbers import SetNumbers
from faceassay.assessment.distribution import QUANTILES
from faceassay.assessment.resampling import Estimate
from faceassay.report.assessment.content import Content
from faceassay.report.assessment.footnotes import footnotes
from faceassay.report.assessment.words import HEADINGS, held_out_people, judged_by, shown
from faceassay.report.plain import as_csv, escaped, grid

CSV_COLUMNS = (
    "row", "seeds", "measure", "of", "value", "low", "high", "population", "method", "n",
    "real value", "real low", "real high",
)  # fmt: skip
PAIRED, OVERLAP = "paired difference", "overlap"


def quality_csv(content: Content) -> str:
    """Return every number with all digits, one line each, the real images' own beside it."""
    rows: list[list[Any]] = []
    for one in (content.real, *content.sets):
        for number in (number for number in one.numbers if number.measure != of.HALVES):
            beside = content.beside(number, one) if one is not content.real else None
            rows.append([one.name, one.seeds, number.measure, number.about, *_full(number.estimate), *_limited(beside)])
    for line in content.differences:
        about = f"{line.measure}, against {line.against}"
        rows.append([line.name, line.seeds, PAIRED, about, *_full(line.estimate), *_limited(None)])
    for found in content.overlaps:
        for kind, word in (("", found.word), *((kind, verdict.word) for kind, verdict in found.verdicts.items())):
            about = f"{found.benchmark}, {kind}" if kind else found.benchmark
            rows.append([found.name, found.seeds, OVERLAP, about, word, *[None] * 8])
    return as_csv(CSV_COLUMNS, rows)


def quality_markdown(content: Content, pictures: Mapping[str, str]) -> str:
    """Return the report.

    Args:
        content: what it shows.
        pictures: file name of each picture by its title.
    """
    spec = content.matrix.spec
    profile = f" (profile {content.matrix.profile})" if content.matrix.profile else ""
    parts = [f"# Dataset quality: {escaped((spec.title or spec.name) + profile)}"]
    parts += [escaped(judged_by(content)), escaped(held_out_people(content))]
    parts += ["## Identity", _identity(content), *_lacking(content), *_remarks(content)]
    for heading, section in (
        ("Attributes", _attributes(content)),
        ("Agreement with the method's own recognizer", _agreement(content)),
        ("Paired differences", _differences(content)),
        ("People of the benchmarks", _overlaps(content)),
        ("Closest pairs", _pairs(content)),
    ):
        parts += [f"## {heading}", *lines] if (lines := list(section)) else []
    parts += ["## Pictures"] if pictures else []
    parts += [f"![{escaped(title)}]({name})" for title, name in pictures.items()]
    parts += ["## What the numbers are", _bullets(footnotes(content))]
    return "\n\n".join(parts) + "\n"


def _identity(content: Content) -> str:
    rows = [
        [*_about(one), f"{one.images:,}", f"{one.classes:,}", *(shown(m, one.number(m)) for m in HEADINGS)]
        for one in (content.real, *content.sets)
    ]
    return grid(("Images of", "Seeds", "Images", "Classes", *HEADINGS.values()), rows, (0,))


def _attributes(content: Content) -> Iterator[str]:
    percents = ", ".join(f"{100 * quantile:g}" for quantile in QUANTILES)
    rows = [
        [
            *_about(one), entry["name"], entry["unit"],
            _quantiles(entry, "quantiles"), _quantiles(entry, "quantiles_real"),
            shown(of.DISTANCE, one.number(of.DISTANCE, entry["name"])),
            shown(of.HALVES, one.number(of.HALVES, entry["name"])),
            shown(of.ATTRIBUTE, one.number(of.ATTRIBUTE, entry["name"])),
            shown(of.ATTRIBUTE, content.real.number(of.ATTRIBUTE, entry["name"])),
        ]
        for one in content.sets
        for entry in one.attributes
    ]  # fmt: skip
    if rows:
        header = (
            "Images of", "Seeds", "Attribute", "Unit", f"Quantiles {percents} %", "Real", "Distance from real",
            "Between halves of real", "Diversity within a class", "Real",
        )  # fmt: skip
        yield grid(header, rows, (0, 2, 3))


def _quantiles(entry: Mapping[str, Any], name: str) -> str:
    return ", ".join(f"{value:.3g}" for value in entry[name]) if name in entry else "none known"


def _agreement(content: Content) -> Iterator[str]:
    rows = []
    for one in content.sets:
        if agreed := one.number(of.AGREEMENT):
            searched = [n for n in one.numbers if n.measure.startswith("search: ")]
            said = ", ".join(f"{n.measure.removeprefix('search: ')} {n.estimate.value:.4g}" for n in searched)
            anchors = shown(of.ANCHORS, one.number(of.ANCHORS))
            rows.append([*_about(one), shown(of.AGREEMENT, agreed), anchors, said or "none"])
    if rows:
        header = ("Images of", "Seeds", "cos(f(x), y), its own recognizer", "Nearest other anchor", "Its search says")
        yield grid(header, rows, (0, 4))


def _differences(content: Content) -> Iterator[str]:
    rows = [
        [line.name, line.against, line.seeds, line.measure, shown("", line.estimate), line.estimate.n]
        for line in content.differences
    ]
    if rows:
        yield grid(("Images of", "Minus", "Seeds", "Measure", "Difference", "Identities"), rows, (0, 1, 3))
    elif content.against is not None:
        yield f"No row shares identity names and images per identity with {escaped(repr(content.against))}."


def _overlaps(content: Content) -> Iterator[str]:
    rows = [
        [
            line.name, line.seeds, line.benchmark, line.word,
            *(line.verdicts[kind].word if line.verdicts else "unknown" for kind in ("content", "names", "embedding")),
        ]
        for line in content.overlaps
    ]  # fmt: skip
    yield grid(("People of", "Seeds", "Benchmark", "Verdict", "Content", "Names", "Embedding"), rows, (0, 2))
    yield _bullets(
        (" ".join(filter(None, [line.name, line.seeds and f"(seeds {line.seeds})", "and", line.benchmark])), said)
        for line in content.overlaps
        for said in ["; ".join(f"{k}: {v.reason}" for k, v in line.verdicts.items()) or line.trouble]
    )


def _pairs(content: Content) -> Iterator[str]:
    rows = [
        [
            *_about(one), f"{pair['identity']}: {pair['image']}",
            f"{pair['training_identity']}: {pair['training_image']}",
            f"{pair['cosine']:.3f}", f"{pair['pixel_difference']:.1f}",
        ]
        for one in content.sets
        for pair in one.neighbours.pairs
    ]  # fmt: skip
    if rows:
        header = ("Images of", "Seeds", "Image", "Nearest training image", "Cosine", "Pixel difference, grey levels")
        yield grid(header, rows, (0, 2, 3))


def _lacking(content: Content) -> Iterator[str]:
    if content.lacking:
        yield "**Not assessed**:"
        yield _bullets(content.lacking)


def _remarks(content: Content) -> Iterator[str]:
    remarks = [(one.name, note) for one in (content.real, *content.sets) for note in one.notes]
    if remarks:
        yield _bullets(dict.fromkeys(remarks))


def _bullets(items: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- **{escaped(about)}**: {escaped(text)}" for about, text in items)


def _about(one: SetNumbers) -> list[str]:
    return [one.name, one.seeds]


def _full(estimate: Estimate) -> Sequence[Any]:
    interval = estimate.interval
    limits = (interval.low, interval.high, interval.population, interval.method) if interval else (None,) * 4
    return [_finite(estimate.value), *limits, estimate.n]


def _limited(estimate: Estimate | None) -> Sequence[Any]:
    return [None] * 3 if estimate is None else _full(estimate)[:3]


def _finite(value: float) -> float | None:
    return value if value == value else None
