"""Own the averages of a matrix: which metrics of which benchmarks a column is the mean of. Computes none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from faceassay.contracts import EvaluationProtocol
from faceassay.contracts.evaluation import short_names
from faceassay.spec.identities import possible_identities
from faceassay.spec.model import AverageEntry, MemberEntry
from faceassay.spec.near import near
from faceassay.spec.yaml import Path_

Complain = Callable[[Path_, str], None]
"""Note a problem at a place within the average."""


@dataclass(frozen=True)
class Average:
    """A column that is the mean of others.

    Attributes:
        entry: what the matrix says of it.
        members: benchmark and metric identity of each.
    """

    entry: AverageEntry
    members: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.entry.name

    @property
    def kinds(self) -> tuple[str, ...]:
        """What kinds of metrics it is the mean of: ``accuracy``, ``tar_at_fpr``, ``rank``."""
        return tuple(dict.fromkeys(kind_of(metric) for _, metric in self.members))


def kind_of(metric: str) -> str:
    """Return what a metric measures: its identity up to the first colon or slash."""
    return metric.partition("/")[0].partition(":")[0]


def column_labels(benchmark: str, metrics: tuple[str, ...]) -> list[str]:
    """Return the headings of the columns of a benchmark: its name and the short name of each metric."""
    return [f"{benchmark} {name}" for name in short_names(metrics)]


def possible_metrics(
    protocols: Mapping[str, EvaluationProtocol], averages: Sequence[Average]
) -> dict[str, frozenset[str]]:
    """Return the headings of all columns, averages last, with the identities that the metric of each can have."""
    possible = {name: possible_identities(protocol) for name, protocol in protocols.items()}
    columns = {
        label: frozenset(other for other in possible[name] if _head(other) == _head(metric))
        for name, protocol in protocols.items()
        for label, metric in zip(column_labels(name, protocol.metric_ids()), protocol.metric_ids(), strict=True)
    }
    of_members = {
        average.name: frozenset(
            other for name, metric in average.members for other in possible[name] if _head(other) == _head(metric)
        )
        for average in averages
    }
    return {**columns, **of_members}


def _head(metric: str) -> str:
    return metric.partition("/")[0]


def resolved(entry: AverageEntry, protocols: Mapping[str, EvaluationProtocol | None], complain: Complain) -> Average:
    """Return the average with whole metric identities.

    Metrics that are unlike the first one are refused unless the average says that it mixes units.
    """
    found = [_identity(entry.of[i], protocols, partial(_at, complain, i)) for i in range(len(entry.of))]
    first = next(filter(None, found), None)
    for i, metric in enumerate(found):
        if metric and first and kind_of(metric) != kind_of(first) and not entry.mixes_units:
            remedy = "average like with like, or say 'mixes_units: true'"
            unlike = f"{kind_of(metric)} is unlike {kind_of(first)}, the first of them"
            complain(("of", i, "metric"), f"{unlike}: {remedy}")
    members = zip(entry.of, found, strict=True)
    return Average(entry, tuple((member.benchmark, metric) for member, metric in members if metric))


def _at(complain: Complain, i: int, name: str, message: str) -> None:
    complain(("of", i, name), message)


def _identity(
    member: MemberEntry, protocols: Mapping[str, EvaluationProtocol | None], complain: Callable[[str, str], None]
) -> str | None:
    if member.benchmark not in protocols:
        complain("benchmark", f"no benchmark is called {member.benchmark!r}{near(member.benchmark, protocols)}")
        return None
    protocol = protocols[member.benchmark]
    metrics = protocol.metric_ids() if protocol else ()
    named = [metric for metric in metrics if member.metric in (metric, metric.partition("/")[0])]
    if protocol and not named:
        heads = dict.fromkeys(metric.partition("/")[0] for metric in metrics)
        complain("metric", f"{member.benchmark} has no metric {member.metric!r}{near(member.metric, heads)}")
    elif len(named) > 1:
        complain("metric", f"{member.metric!r} may be any of {', '.join(named)}: give the whole identity")
    return named[0] if len(named) == 1 else None
