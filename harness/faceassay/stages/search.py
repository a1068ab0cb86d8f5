"""Run the search of an augmentation's parameters and keep its document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faceassay.contracts import FaceassayError, Search, Sources, StageContext


def run(plugin: Search, sources: Sources, context: StageContext) -> None:
    """Search and write ``search.json``.

    Raises:
        FaceassayError: when what was found is no JSON document of finite numbers.
    """
    found = plugin.run(sources, context)
    try:
        text = json.dumps(dict(found), allow_nan=False, indent=1)
    except (TypeError, ValueError) as error:
        raise FaceassayError(f"search {plugin.name!r} found what no JSON document can hold: {error}") from error
    (context.folder / "search.json").write_text(text)


def load(plugin: Search, folder: Path, device: str) -> Mapping[str, Any]:
    """Open the document of a search."""
    document: Mapping[str, Any] = json.loads((folder / "search.json").read_text())
    return document
