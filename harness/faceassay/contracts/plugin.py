"""Own the base of every plugin: a frozen, validated set of parameters with a name. Knows no plugin kind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

DATA_VARIABLE = "FACEASSAY_DATA"
ABSENT = "absent"
"""Name, in the context of a validation, of a list that takes the data paths that are not there: no error then."""


class Plugin(BaseModel):
    """Carry the parameters of one plugin: its fields are its parameters, typed, bounded and described.

    Subclasses set ``name`` (what a spec writes), ``version`` (raised when results change on purpose), ``summary``
    (one line for ``faceassay list``) and, where it applies, ``paper`` (citation with equation or section) and
    ``presets``: named sets of parameter values that a spec takes by ``preset: NAME`` and may override one by one.

    What every plugin promises, and ``faceassay check`` tests: Parameters come back from a spec unchanged, under the
    same key. A parameter that the plugin does not have is refused. A plugin never writes into what it is handed. It
    neither seeds nor draws from the global random states of Python, NumPy and torch. It leaves torch's settings as they
    are: threads, default dtype, gradients, determinism.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: ClassVar[str]
    version: ClassVar[str]
    summary: ClassVar[str]
    paper: ClassVar[str | None] = None
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    @classmethod
    def example(cls, folder: Path) -> Self:
        """Return a small instance, for ``faceassay check``: all that it does takes a second.

        Args:
            folder: an empty folder for the files that it needs, which it may write.
        """
        return cls()


class Trainable(Plugin):
    """Add the cheap check that runs before anything expensive to the plugins that read training images.

    A plugin whose results do not depend on the seed of the stage says so by ``seeded = False``: of all others another
    seed makes another result.
    """

    seeded: ClassVar[bool] = True

    def check(self, image_size: int, identities: int) -> None:
        """Check the parameters against the data, before any stage runs. What it lets pass works, one identity too.

        Args:
            image_size: side of the square images in pixels.
            identities: number of real training identities.

        Raises:
            ValueError: when the plugin cannot work on such data, with the remedy.
        """

    def check_world(self, world: int) -> None:
        """Check that ``world`` processes can train it together, before any stage runs.

        Raises:
            ValueError: when they cannot, with the remedy.
        """


def parameter(default: Any = ..., *, description: str, unit: str | None = None, **bounds: Any) -> Any:
    """Declare one parameter of a plugin.

    Args:
        default: the default value; leave out for a required parameter.
        description: what the parameter does, for ``faceassay describe``.
        unit: the unit of the value (``px``, ``images``, ``epochs``), where it has one.
        bounds: pydantic's ``ge``, ``gt``, ``le``, ``lt``, ``min_length``, ``max_length``, ``pattern``.
    """
    extra: Mapping[str, Any] = {} if unit is None else {"unit": unit}
    return Field(default, description=description, json_schema_extra=dict(extra), **bounds)


class _DataPathMark:
    """Mark a field whose value is replaced, in keys, by the fingerprint of what the path holds."""


def _existing(path: Path, info: ValidationInfo) -> Path:
    context = info.context or {}
    tried = [path] if path.is_absolute() else [Path(root) / path for root in _roots(context)]
    for candidate in tried:
        if os.path.exists(candidate):  # unlike Path.exists, False also for a name too long or a folder kept shut
            return candidate.resolve()
    if ABSENT in context:  # whoever validates takes note of it and goes on
        context[ABSENT].append(path)
        return path
    places = ", ".join(str(place) for place in tried)
    raise ValueError(f"no such file or folder (tried {places}): give an absolute path or set {DATA_VARIABLE}")


def _roots(context: Mapping[str, Any]) -> list[Path]:
    variable = os.environ.get(DATA_VARIABLE)
    return [Path(context.get("folder", "."))] + ([Path(variable)] if variable else [])


DataPath = Annotated[Path, AfterValidator(_existing), _DataPathMark()]
"""A path to the user's data: relative to the spec's folder or to the variable FACEASSAY_DATA; must exist."""


def data_paths(plugin: Plugin) -> dict[str, Any]:
    """Return the parameters of ``plugin`` that hold data paths, by name: a path, several of them, or None."""
    fields = type(plugin).model_fields.items()
    marked = [name for name, field in fields if any(map(_holds_mark, (field.annotation, *field.metadata)))]
    return {name: getattr(plugin, name) for name in marked}


def _holds_mark(annotation: Any) -> bool:
    """Tell whether ``annotation`` is a data path or made of some, as in ``DataPath | None``."""
    return isinstance(annotation, _DataPathMark) or any(map(_holds_mark, get_args(annotation)))
