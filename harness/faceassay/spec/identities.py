"""Own which identities a column may have: of all settings of its protocol, and of an average. Computes no metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any, Literal, get_args, get_origin

from faceassay.contracts import EvaluationProtocol

JOINED = "+"
"""What stands between the identities of the members of an average; no identity holds it."""


def joined_identity(members: Iterable[str]) -> str:
    """Return the identity of a mean of metrics: theirs, each once, in order."""
    return JOINED.join(dict.fromkeys(members))


def possible_identities(protocol: EvaluationProtocol) -> frozenset[str]:
    """Return all identities that the metrics of ``protocol`` can have.

    Every parameter that is one of a few words, or a list of such, takes each of them; rates, ranks and folds stay.
    """
    choices = {name: list(_choices(field.annotation)) for name, field in type(protocol).model_fields.items()}
    names = [name for name, values in choices.items() if _matters(protocol, name, values)]
    settings = (dict(zip(names, chosen, strict=True)) for chosen in product(*(choices[name] for name in names)))
    others = (metric for chosen in settings for metric in protocol.model_copy(update=chosen).metric_ids())
    return frozenset((*protocol.metric_ids(), *others))


def _matters(protocol: EvaluationProtocol, name: str, values: Iterable[Any]) -> bool:
    """Return whether the identities depend on a parameter, so that only those that do are combined."""
    own = protocol.metric_ids()
    return any(protocol.model_copy(update={name: value}).metric_ids() != own for value in values)


def _choices(annotation: Any) -> Iterator[Any]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is bool:
        yield from (False, True)
    elif origin is Literal:
        yield from inner
    elif origin is tuple and inner:
        yield from ((value,) for value in _choices(inner[0]))
