"""Own how the command line names a dataset: ``PLUGIN:PATH[,PARAMETER=VALUE...]``, or a path whose kind is guessed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faceassay.contracts import DatasetPlugin
    from faceassay.registry import Registry

HELP = "written PLUGIN:PATH[,PARAMETER=VALUE...], or PATH alone where what is there tells its kind"
_PLUGIN = re.compile(r"([A-Za-z][\w-]*):(.*)", re.DOTALL)
_PARAMETER = re.compile(r",(?=[A-Za-z_]\w*=)")


def named_dataset(text: str, registry: Registry) -> DatasetPlugin:
    """Return the dataset plugin that ``text`` names, with its parameters; identities may have a single image.

    Raises:
        FaceassayError: when no plugin, or more than one, is meant, or parameters are wrong.
    """
    from faceassay.cli.parameters import made, pairs

    where, *parameters = _PARAMETER.split(text)
    kind, path = _kind_and_path(where, registry)
    cls: Any = registry.get("dataset", kind)
    least = {"min_images": 1} if "min_images" in cls.model_fields else {}
    plugin: DatasetPlugin = made(cls, {**least, **({"path": path} if path else {}), **pairs(parameters)})
    return plugin


def _kind_and_path(where: str, registry: Registry) -> tuple[str, str]:
    said = _PLUGIN.fullmatch(where)
    if said and not os.path.lexists(where):
        return said[1], said[2]
    return _guessed(Path(where), registry), where


def _guessed(path: Path, registry: Registry) -> str:
    from faceassay.contracts import FaceassayError
    from faceassay.contracts.plugin import DATA_VARIABLE

    roots = [Path(), *(Path(root) for root in filter(None, [os.environ.get(DATA_VARIABLE)]))]
    place = next((root / path for root in roots if (root / path).exists()), None)
    names = registry.names("dataset")
    if place is None:
        raise FaceassayError(f"{path}: no such file or folder; name a dataset as PLUGIN:PATH ({', '.join(names)})")
    classes: dict[str, Any] = {name: registry.get("dataset", name) for name in names}
    found = [name for name, cls in classes.items() if cls.recognises(place)]
    if len(found) != 1:
        kinds = f"may be of the kinds {', '.join(found)}" if found else "is of no known kind"
        named = ", ".join(f"{name}:{path}" for name in found or names)
        raise FaceassayError(f"{path} {kinds}: name the plugin ({named})")
    return found[0]


@contextmanager
def counting(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far something is; yields what is told how much more was done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        bar = bars.add_task(what, total=total)
        yield lambda done: bars.advance(bar, done)
