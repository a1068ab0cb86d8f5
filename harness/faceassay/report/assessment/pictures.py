"""Own the pictures of the dataset quality report, the same in bytes for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from faceassay.assessing.numbers import CONSISTENCY, SEPARATION, SetNumbers
from faceassay.drawing import COLOURS, NO_METADATA, SETTINGS
from faceassay.report.assessment.content import Content
from faceassay.report.figures import DASHES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 40
DOTS_PER_INCH = 120
SHORT = 24
"""Characters of a name that a caption has room for."""
REAL = {"color": "0.45", "ls": (0, (3, 1)), "lw": 1.5}
HELD_OUT = {"color": "black", "ls": (0, (1, 1)), "lw": 1.5}


def drawn(content: Content) -> dict[str, dict[str, bytes]]:
    """Return the pictures by title: of each its files by format, png and svg; photographs as png only."""
    pictures = {
        "Nearest training images": _saved(lambda: _nearest(content), "png", "svg"),
        "Classes": _saved(lambda: _classes(content), "png", "svg"),
    }
    if any("counts" in entry for one in content.sets for entry in one.attributes):
        pictures["Attributes"] = _saved(lambda: _attributes(content), "png", "svg")
    for one in content.sets:
        if one.neighbours.pairs:
            title = f"Closest pairs of {one.name}" + (f", seed {one.seeds}" if one.seeds else "")
            pictures[title] = _saved(lambda one=one: _pairs(one), "png")  # type: ignore[misc]
    return pictures


def _saved(draw: Callable[[], Figure], *formats: str) -> dict[str, bytes]:
    import matplotlib

    files = {}
    with matplotlib.rc_context({**SETTINGS, "svg.hashsalt": "faceassay"}):
        figure = draw()
        for kind in formats:
            stream = io.BytesIO()
            figure.savefig(stream, format=kind, dpi=DOTS_PER_INCH, metadata=NO_METADATA[kind])
            files[kind] = stream.getvalue()
    return files


def _nearest(content: Content) -> Figure:
    figure, (axes,) = _panels(1)
    curves = [(content.real.name + ", other people", content.real.neighbours.cosines, REAL)]
    curves += [("held-out images", content.held_out.cosines, HELD_OUT)] if content.held_out else []
    curves += [(_label(one), one.neighbours.cosines, _style(i)) for i, one in enumerate(content.sets)]
    _densities(axes, curves)
    if np.isfinite(content.calibration.threshold):
        axes.axvline(content.calibration.threshold, color="0.7", lw=1)
    axes.set(xlabel="cosine to the nearest training image, by the judge", ylabel="density")
    return _with_legend(figure, axes)


def _classes(content: Content) -> Figure:
    figure, panels = _panels(2)
    for axes, measure in zip(panels, (CONSISTENCY, SEPARATION), strict=True):
        curves = [(content.real.name, content.real.by_class[measure], REAL)]
        curves += [(_label(one), one.by_class[measure], _style(i)) for i, one in enumerate(content.sets)]
        _densities(axes, curves)
        what = "pairs of images" if measure == CONSISTENCY else "nearest other centre"
        axes.set(title=measure, xlabel=f"cosine, {what}", ylabel="density of classes")
    return _with_legend(figure, panels[0])


def _attributes(content: Content) -> Figure:
    names = dict.fromkeys(e["name"] for one in content.sets for e in one.attributes if "counts" in e)
    figure, panels = _panels(len(names))
    for axes, name in zip(panels, names, strict=True):
        entries = [(i, one, e) for i, one in enumerate(content.sets) for e in one.attributes if e["name"] == name]
        known = [(i, one, entry) for i, one, entry in entries if "counts" in entry]
        _, _, first = known[0]
        _steps(axes, first["edges"], first["counts_real"], content.real.name, REAL)
        for i, one, entry in known:
            _steps(axes, entry["edges"], entry["counts"], _label(one), _style(i))
        axes.set(title=name, xlabel=first["unit"], ylabel="density")
    return _with_legend(figure, panels[0])


def _pairs(one: SetNumbers) -> Figure:
    """Show each pair in a column, all in one pair of axes, which is quick to draw."""
    from matplotlib.figure import Figure

    count = len(one.neighbours.pairs)
    figure = Figure(figsize=(1.9 * count, 5.2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for column, (pair, pictures) in enumerate(zip(one.neighbours.pairs, one.neighbours.pictures, strict=True)):
        difference = f"cosine {pair['cosine']:.3f}, pixels {pair['pixel_difference']:.1f}"
        captions = (
            f"{_short(pair['identity'])}\n{_short(pair['image'])}",
            f"{difference}\n{_short(pair['training_identity'])}\n{_short(pair['training_image'])}",
        )
        left = 1.1 * column + 0.05
        for bottom, picture, caption in zip((1.6, 0.05), pictures, captions, strict=True):
            axes.imshow(picture, interpolation="nearest", extent=(left, left + 1, bottom, bottom + 1), aspect="auto")
            axes.text(left + 0.5, bottom + 1.04, caption, fontsize=7, ha="center", va="bottom")
    axes.set(xlim=(0, 1.1 * count), ylim=(0, 3))
    return figure


def _panels(count: int) -> tuple[Figure, Sequence[Any]]:
    from matplotlib.figure import Figure

    columns = min(count, 3)
    lines = -(-count // columns)
    figure = Figure(figsize=(6.4 if count == 1 else 4.4 * columns, 3.4 * lines + 1), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in panels[count:]:
        axes.set_axis_off()
    return figure, list(panels[:count])


def _densities(axes: Any, curves: Sequence[tuple[str, np.ndarray, dict[str, Any]]]) -> None:
    known = [(name, values[np.isfinite(values)], style) for name, values, style in curves]
    every = np.concatenate([values for _, values, _ in known]).astype(np.float64)
    edges = np.histogram_bin_edges(every, BINS) if len(every) else np.linspace(-1, 1, BINS + 1)
    for name, values, style in known:
        if len(values):
            _steps(axes, edges, np.histogram(values, edges)[0], name, style)


def _steps(axes: Any, edges: Any, counts: Any, name: str, style: dict[str, Any]) -> None:
    widths, counts = np.diff(edges), np.asarray(counts, np.float64)
    axes.stairs(counts / np.maximum(counts.sum() * widths, 1e-12), edges, label=name, **style)


def _with_legend(figure: Figure, axes: Any) -> Figure:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return figure


def _style(number: int) -> dict[str, Any]:
    return {"color": COLOURS[number % len(COLOURS)], "ls": DASHES[number // len(COLOURS) % len(DASHES)], "lw": 1.3}


def _label(one: SetNumbers) -> str:
    return one.name + (f", seed {one.seeds}" if one.seeds else "")


def _short(name: str) -> str:
    return name if len(name) <= SHORT else "..." + name[3 - SHORT :]
