"""Own what a reader must know of the settings: recognizers, generators and who uses them, attributes, seeds."""

from __future__ import annotations

from collections.abc import Iterator

from faceassay.contracts import Plugin
from faceassay.graph import Stage
from faceassay.report.checkpoints import choice
from faceassay.report.words import joined
from faceassay.results import Results
from faceassay.spec import MatrixSpec


def settings(results: Results) -> Iterator[tuple[str, str]]:
    """Yield (what, its settings)."""
    matrix, spec = results.matrix, results.matrix.spec
    yield "recognizer", _versioned(matrix.recognizer)
    yield from choice(results)
    yield from _original(results)
    used = generators(results)
    for stage, rows in used.items():
        users = f" ({joined(rows)})" if len(used) > len(spec.generators) else ""
        number = stage.axes["generator_seed"]
        yield "generator", f"{_versioned(stage.plugin)}, seed {number}{_of_seeds(matrix, number)}{users}"
    for predictor in matrix.attributes:
        columns = ", ".join(f"{column.name} ({column.unit})" for column in predictor.columns())
        yield "attributes", f"{_versioned(predictor)}: {columns}"
    yield "seeds", f"{', '.join(map(str, spec.seeds))} (base seed {spec.base_seed})"


def _of_seeds(matrix: MatrixSpec, number: int) -> str:
    """Return which seeds use the generator of seed ``number``; nothing where all do."""
    if len(matrix.spec.generators) == 1:
        return ""
    seeds = [str(seed) for seed in matrix.spec.seeds if matrix.generator_seed_of(seed) == number]
    return f" for {'seed' if len(seeds) == 1 else 'seeds'} {', '.join(seeds)}"


def generators(results: Results) -> dict[Stage, list[str]]:
    """Return the trained generators that rows use, each with the names of these rows."""
    used: dict[Stage, list[str]] = {}
    for row in results.graph.rows.values():
        made_by = (stage for synthesis in row.syntheses.values() for stage in results.graph.ancestors(synthesis))
        for generator in dict.fromkeys(stage for stage in made_by if stage.kind == "generator"):
            used.setdefault(generator, []).append(row.method)
    return used


def _original(results: Results) -> Iterator[tuple[str, str]]:
    """Yield the brought recognizer that methods look through, with its fingerprint where one of them does."""
    entry = results.matrix.spec.original
    if entry is None:
        return
    looked_through = (stage.inputs.get("recognizer") for stage in results.graph.stages.values())
    brought = next((given for given in looked_through if given is not None and not isinstance(given, Stage)), None)
    text = "methods look through it, not through one trained here" if brought else "no method looks through it"
    held = f", sha256 {brought.fingerprint[:16]}" if brought else ""
    yield "original recognizer", f"{entry.path.name}{held}: {text}"


def _versioned(plugin: Plugin) -> str:
    return f"{plugin.name}, version {plugin.version}"
