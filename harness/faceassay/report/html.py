"""Own the page ``table.html``: one static file that opens without a network. Everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faceassay.claims.findings import Finding
from faceassay.contracts import Curve, FaceDataset
from faceassay.report import card_pages, claims, differences, published, quality
from faceassay.report.figures import curves_svg, panel_images, png_address
from faceassay.report.notes import absent, missing, sections
from faceassay.report.text import TEXT_COLUMNS
from faceassay.report.words import cell_text, counted, extent, headings, joined, title
from faceassay.results import Results
from faceassay.table import FACT_COLUMNS, Table

SHOWN_SIDE = 76
"""Side in pixels at which an image is shown; smaller ones are enlarged without smoothing."""


@dataclass(frozen=True)
class Panel:
    """Hold some images of one set: (address, identity) each."""

    name: str
    extent: str
    enlarged: bool
    images: tuple[tuple[str, str], ...]


def page(results: Results, table: Table, findings: Sequence[Finding] = ()) -> str:
    """Return the whole page, with what was found of claims."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("faceassay.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        title=title(results),
        extent=extent(results),
        facts=FACT_COLUMNS,
        text_columns=TEXT_COLUMNS,
        benchmarks=[(b.name, b.protocol.metric_ids()) for b in results.matrix.benchmarks],
        averages=headings(results)[len(results.columns()) :],
        rows=[(row.facts, [cell_text(cell) for cell in row.cells]) for row in table.rows],
        missing=missing(results),
        absent=absent(results),
        sections=sections(results, table),
        cards=card_pages,
        differences=differences,
        differing=differences.difference_rows(results, table),
        differing_heading=differences.heading(results),
        differing_notes=list(differences.difference_notes(results, table)) if len(table.rows) > 1 else [],
        claims=claims,
        claimed=claims.claims_rows(findings),
        claimed_summary=claims.summary(findings),
        claimed_notes=list(claims.claims_notes(results.matrix.claims, findings)) if results.matrix.claims else [],
        published=published,
        compared=published.published_rows(results, table),
        published_notes=list(published.published_notes(results)),
        quality=quality,
        measured=quality.quality_rows(results),
        panels=list(_panels(results)),
        side=SHOWN_SIDE,
        seeds=len(table.seeds),
        plots=[svg for _, svg in figures(results)],
    )


def _panels(results: Results) -> Iterator[Panel]:
    """Yield the real training images, then each distinct synthesis of the first seed."""
    train, seed = results.matrix.spec.train, results.matrix.spec.seeds[0]
    real = results.graph.data[train]
    if not real.absent:
        yield _panel(f"Real images, data '{train}'", real.open(), "people")
    for row, methods in quality.distinct_syntheses(results, seed).values():
        images = results.synthetic_images(row, seed)
        if images is not None:
            yield _panel(f"{joined(methods)}, seed {seed}", images, "classes")


def _panel(name: str, data: FaceDataset, people: str) -> Panel:
    images, identities = panel_images(data)
    shown = tuple((png_address(image), person) for image, person in zip(images, identities, strict=True))
    size = f"{counted(len(data), 'image')} of {len(data.identities):,} {people}, {data.image_size} px"
    return Panel(name, size, data.image_size < SHOWN_SIDE, shown)


def figures(results: Results) -> Iterator[tuple[str, str]]:
    """Yield (name, SVG) of every curve of every benchmark, all methods in one plot."""
    methods = [method.name for method in results.matrix.methods]
    for benchmark in results.matrix.benchmarks:
        curves: dict[str, dict[str, list[Curve]]] = {}
        for result in results.cells:
            evaluation = results.evaluation(result.cell) if result.cell.benchmark == benchmark.name else None
            for name, curve in (evaluation.curves if evaluation else {}).items():
                curves.setdefault(name, {name: [] for name in methods})[result.cell.method].append(curve)
        for name, of_methods in curves.items():
            yield f"{benchmark.name}-{name}", curves_svg(list(of_methods.items()), f"{benchmark.name}: {name}")
