"""Own parameters of plugins as texts of the command line: a list is written with a plus between its values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_origin


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """Return the texts NAME=VALUE as a mapping.

    Raises:
        FaceassayError: when one has another form or a name is given twice.
    """
    from faceassay.contracts import FaceassayError

    found = [text.partition("=") for text in texts]
    said = {name: value for name, sign, value in found if sign}
    if not all(sign for _, sign, _ in found):
        raise FaceassayError(f"a parameter is written PARAMETER=VALUE (got {', '.join(map(''.join, found))})")
    if len(said) < len(found):
        raise FaceassayError(f"a parameter is given twice in {', '.join(map(''.join, found))}")
    return said


def made(cls: Any, values: Mapping[str, Any]) -> Any:
    """Return the plugin of ``cls`` with parameters as they were typed; those that are no texts stay as they are.

    Raises:
        FaceassayError: with everything that is wrong with them.
    """
    from pydantic import ValidationError

    from faceassay.contracts import FaceassayError

    lists = [name for name, value in values.items() if isinstance(value, str) and _is_list(cls, name)]
    split = {**values, **{name: values[name].split("+") for name in lists}}
    try:
        return cls.model_validate(split, context={"folder": str(Path.cwd())})
    except ValidationError as error:
        raise FaceassayError("; ".join(_faults(cls, error.errors(include_url=False)))) from error


def _is_list(cls: Any, name: str) -> bool:
    return name in cls.model_fields and get_origin(cls.model_fields[name].annotation) is tuple


def _faults(cls: Any, errors: Sequence[Any]) -> Iterator[str]:
    """Yield what is wrong with the parameters; a list that lacks its wrong items is not told too short as well."""
    from faceassay.spec.faults import fault

    places = [error["loc"] for error in errors]
    for place, error in zip(places, errors, strict=True):
        if not any(len(place) < len(other) and place == other[: len(place)] for other in places):
            yield ": ".join(filter(None, (".".join(map(str, place)), fault(cls, error))))
