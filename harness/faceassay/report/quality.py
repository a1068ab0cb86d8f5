"""Own the words of the table of image qualities, the same in Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterator

from faceassay.graph import Row
from faceassay.report.words import joined, percent
from faceassay.results import Results
from faceassay.statistics import wilson_interval

HEADING = "The synthetic images, measured"
COLUMNS = (
    "Method", "Seed", "Images", "Face found", "Face found, real", "Nearest training image", "Nearest among real",
)  # fmt: skip
EXPLANATION = (
    "Face found: share of images in percent, with its 95 % Wilson interval over images. Nearest: median (5 % quantile) "
    "over images of the root mean square difference to the nearest training image in grey levels (0 to 255), and the "
    "same among the real images; a synthetic image much nearer to a training image than real images are to one another "
    "would be a copy."
)


def distinct_syntheses(results: Results, seed: int) -> dict[str, tuple[Row, list[str]]]:
    """Return the syntheses of ``seed`` by key, each with a row that uses it and the names of all that do."""
    found: dict[str, tuple[Row, list[str]]] = {}
    for method, row in results.graph.rows.items():
        if seed in row.syntheses:
            found.setdefault(row.syntheses[seed].digest, (row, []))[1].append(method)
    return found


def quality_rows(results: Results) -> list[list[str]]:
    """Return what was measured on the synthetic images, one row per distinct synthesis."""
    return [
        line
        for seed in results.matrix.spec.seeds
        for row, methods in distinct_syntheses(results, seed).values()
        for line in _quality_row(results, joined(methods), row, seed)
    ]


def _quality_row(results: Results, methods: str, row: Row, seed: int) -> Iterator[list[str]]:
    measured = results.quality(row, seed)
    if measured is not None:
        synthetic, real = measured["nearest_training"], measured["nearest_among_real"]
        yield [
            methods,
            str(seed),
            str(measured["images"]),
            _share(measured["faces"], measured["images"]),
            _share(measured["faces_real"], measured["real_images"]),
            f"{synthetic['median']:.1f} ({synthetic['q05']:.1f})",
            f"{real['median']:.1f} ({real['q05']:.1f})",
        ]


def _share(found: int | None, total: int) -> str:
    if found is None:
        return "not measured"
    low, high = wilson_interval(found, total)
    return f"{percent(found / total)} [{percent(low)}, {percent(high)}]"
