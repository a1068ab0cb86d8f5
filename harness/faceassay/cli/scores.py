"""Own how ``faceassay evaluate`` shows its results: a table of metrics with intervals, a legend, then what went wrong.

A metric's identity is ``METRIC/SETTINGS``. The table shows the metric and the name that the settings begin with; the
legend spells each of the settings out once, so that every identity can be read from the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabulate import tabulate

LEVEL = 0.95
"""The coverage that the heading names; an interval of another one says so itself."""
HEADER = ("benchmark", "metric", "convention", "%", f"{LEVEL:.0%} interval", "over")


def score_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table, its settings, then of each benchmark the files and what embedded them."""
    parts: Mapping[str, Any] = document["benchmarks"]
    settings = _settings(parts)
    populations = _further_populations(parts)
    rows = [row for name, part in parts.items() for row in _rows(name, part, settings, populations)]
    align = ("left", "left", "left", "right", "right", "left", *("right" for _ in populations))
    table = [
        [*HEADER, *populations],
        *rows,
    ]  # a header of tabulate's own makes each column two characters wider
    yield tabulate(table, tablefmt="plain", disable_numparse=True, colalign=align)
    yield ""
    if any(about["caution"] for part in parts.values() for about in part.get("metrics", {}).values()):
        yield "* a warning says what this rests on"
    yield from (f"[{number}] METRIC/{text}" for text, number in settings.items())
    for name, part in parts.items():
        files = ", ".join(path if kind == "path" else f"{kind} {path}" for kind, path in part["files"].items())
        yield f"{name}: {files}" + (f", sha256 {part['pack']['sha256']}" if "pack" in part else "")
        facts = ", ".join(_fact(*fact) for fact in part.get("pack", {}).items() if fact[0] != "sha256")
        yield from [f"  {facts}"] if facts else []
    for source in dict.fromkeys(_source(part["embedded_by"]) for part in parts.values()):
        yield f"embedded by {source}"


def _fact(name: str, value: str | int | float) -> str:
    """Say a fact about a pack; fractions are shares, so they are shown in percent like the metrics."""
    shown = f"{100 * value:.2f} %" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
    head, bracket, rest = name.partition(" (")
    return f"{head.replace('_', ' ')}{bracket}{rest} {shown}"


def failure_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield why a benchmark has no numbers."""
    for name, part in document["benchmarks"].items():
        if "failure" in part:
            yield f"{name} failed: {part['failure']}"


def warning_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a reader of the table must know: deviations of packs, suspicions, cautions about metrics."""
    for name, part in document["benchmarks"].items():
        for warning in part["warnings"]:
            yield f"warning: {name}: {warning}"
        cautions: dict[str, list[str]] = {}
        for metric, about in part.get("metrics", {}).items():
            if about["caution"]:
                cautions.setdefault(about["caution"], []).append(metric)
        for caution, metrics in cautions.items():
            yield f"warning: {name}, {_abridged(metrics)}: {caution}"


def _settings(parts: Mapping[str, Any]) -> dict[str, int]:
    """Return the settings in every identity with their numbers in the legend, from 1."""
    found = (_split(metric)[1] for part in parts.values() for metric in part.get("metrics", {}))
    return {text: number for number, text in enumerate(dict.fromkeys(filter(None, found)), 1)}


def _further_populations(parts: Mapping[str, Any]) -> list[str]:
    """Return the populations of all intervals but the first of a metric; each has a column."""
    metrics = [about for part in parts.values() for about in part.get("metrics", {}).values()]
    return list(dict.fromkeys(one["population"] for about in metrics for one in about["intervals"][1:]))


def _rows(
    name: str, part: Mapping[str, Any], settings: Mapping[str, int], populations: Sequence[str]
) -> Iterator[list[str]]:
    """Yield a row for each metric; those of one metric under several conventions are neighbours."""
    if "failure" in part:
        yield [name, "", "", "failed", "", "", *("" for _ in populations)]
    metrics: Mapping[str, Any] = part.get("metrics", {})
    order = list(dict.fromkeys(_split(identity)[0] for identity in metrics))
    for identity in sorted(metrics, key=lambda identity: order.index(_split(identity)[0])):
        about, (metric, text) = metrics[identity], _split(identity)
        first, rest = about["intervals"][:1], about["intervals"][1:]
        yield [
            name,
            metric,
            f"{_convention(text)} [{settings[text]}]" if text else "",
            f"{100 * about['value']:.2f}" + ("*" if about["caution"] else ""),
            _limits(first),
            "".join(one["population"] for one in first),
            *(_limits([one for one in rest if one["population"] == population]) for population in populations),
        ]


def _limits(intervals: Sequence[Mapping[str, Any]]) -> str:
    levels = ["" if one["level"] == LEVEL else f" ({one['level']:.0%})" for one in intervals]
    limits = [f"{100 * one['low']:.2f}-{100 * one['high']:.2f}" for one in intervals]
    return ", ".join(text + level for text, level in zip(limits, levels, strict=True))


def _split(identity: str) -> tuple[str, str]:
    metric, _, settings = identity.partition("/")
    return metric, settings


def _convention(settings: str) -> str:
    return settings.partition("/")[0]


def _abridged(identities: Sequence[str]) -> str:
    """Name metrics and, in brackets, the conventions under which they are meant."""
    metrics, settings = zip(*map(_split, identities), strict=True)
    conventions = ", ".join(dict.fromkeys(filter(None, map(_convention, settings))))
    return ", ".join(dict.fromkeys(metrics)) + (f" ({conventions})" if conventions else "")


def _source(embedded_by: Mapping[str, Any]) -> str:
    brought = embedded_by["brought"]
    words = [embedded_by["name"], brought["kind"], f"sha256 {brought['fingerprint']}"]
    prepared = brought.get("preprocessing")
    if prepared:
        words.append(f"{prepared['colour']}, (grey level - {prepared['mean']:g}) / {prepared['std']:g}")
    return ", ".join(words)
