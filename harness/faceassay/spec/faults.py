"""Own the words for what pydantic finds wrong with a file of ours. Validates nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from faceassay.spec.near import near
from faceassay.spec.yaml import Path_


def named_fault(model: type[BaseModel], where: Path_, detail: Any) -> str:
    """Return the same as `fault` behind the name of the value: ``methods.0.group: ...``."""
    name = ".".join(map(str, (*where, *detail["loc"])))
    return f"{name or 'file'}: {fault(model, detail)}"


def fault(model: type[BaseModel], detail: Any) -> str:
    """Return in words what an entry of pydantic's ``errors()`` says of a value of ``model``, without its place."""
    if detail["type"] == "extra_forbidden":
        part = _part(model, detail["loc"])
        known = [field.alias or known for known, field in part.model_fields.items()] if part else []
        return f"unknown parameter{near(str(detail['loc'][-1]), known) if part else ''}"
    given = "" if detail["type"] == "missing" or isinstance(detail["input"], dict | list) else _given(detail["input"])
    return f"{detail['msg'].removeprefix('Value error, ')}{given}"


def _part(model: type[BaseModel], where: Sequence[str | int]) -> type[BaseModel] | None:
    """Return the model that the value at ``where`` is a field of, None where it is no field of a model."""
    part: type[BaseModel] | None = model
    for step in where[:-1]:
        if part is not None and isinstance(step, str):
            field = part.model_fields.get(step)
            part = next(_models(field.annotation), None) if field else None
    return part


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _given(value: Any) -> str:
    return f" (got {value!r})"
