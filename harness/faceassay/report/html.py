"""Own the page ``table.html``: one static file that opens without a network. Everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterator

from faceassay.contracts import Curve, FaceDataset
from faceassay.report.figures import curves_svg, panel_images, png_address
from faceassay.report.words import footnotes, quality_rows, shown, title
from faceassay.results import Results
from faceassay.table import FACT_COLUMNS, Table


def page(results: Results, table: Table) -> str:
    """Return the whole page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("faceassay.report", "."), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("page.html.j2").render(
        title=title(results),
        facts=FACT_COLUMNS,
        benchmarks=[(b.name, b.protocol.metric_ids()) for b in results.matrix.benchmarks],
        rows=[(row.facts, [(shown(cell), cell.failure or "") for cell in row.cells]) for row in table.rows],
        notes=footnotes(results, table),
        quality=quality_rows(results),
        panels=list(_panels(results)),
        plots=[svg for _, svg in figures(results)],
    )


def _panels(results: Results) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield (caption, [(image address, identity)]) for the real images and each method's synthetic ones."""
    yield "Real training images", _addresses(results.graph.data[results.matrix.spec.train].open())
    seed, seen = results.matrix.spec.seeds[0], set()
    for method, row in results.graph.rows.items():
        images = results.synthetic_images(row, seed)
        if images is not None and row.syntheses[seed].digest not in seen:
            seen.add(row.syntheses[seed].digest)
            yield f"Synthetic images of {method}, seed {seed}", _addresses(images)


def _addresses(data: FaceDataset) -> list[tuple[str, str]]:
    images, names = panel_images(data)
    return [(png_address(image), name) for image, name in zip(images, names, strict=True)]


def figures(results: Results) -> Iterator[tuple[str, str]]:
    """Yield (name, SVG) of every curve of every benchmark, all methods in one plot."""
    for benchmark in results.matrix.benchmarks:
        curves: dict[str, dict[str, list[Curve]]] = {}
        for result in results.cells:
            evaluation = results.evaluation(result.cell) if result.cell.benchmark == benchmark.name else None
            for name, curve in (evaluation.curves if evaluation else {}).items():
                curves.setdefault(name, {}).setdefault(result.cell.method, []).append(curve)
        for name, of_methods in curves.items():
            yield f"{benchmark.name}-{name}", curves_svg(list(of_methods.items()), f"{benchmark.name}: {name}")
