"""Own the files that record a subset: which images of which set, and by what rule they were chosen. Copies no image."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from faceassay.contracts import DATA_VARIABLE, DataError, DatasetPlugin, FaceDataset, data_paths
from faceassay.sets.choosing import Rule

SCHEMA = 1
_REMEDY = "Choose it again with 'faceassay data subset', or bring the file again"


@dataclass(frozen=True)
class Subset:
    """Hold what the file of a subset says.

    Attributes:
        plugin: name of the dataset plugin that opens the whole set.
        parameters: its parameters; paths are relative to the file or to ``$FACEASSAY_DATA`` where they can be.
        items: for each identity the item ids of its images in the whole set.
    """

    plugin: str
    parameters: Mapping[str, Any]
    items: Mapping[str, tuple[str, ...]]


def write_subset(
    file: Path, plugin: DatasetPlugin, data: FaceDataset, rule: Rule, items: Mapping[str, tuple[str, ...]]
) -> None:
    """Record the images ``items`` of ``data``, which ``plugin`` opened; the file appears whole or not at all.

    Raises:
        DataError: when the file cannot be written.
    """
    document = {
        "faceassay_subset": SCHEMA,
        "rule": asdict(rule),
        "rule_in_words": inspect.getdoc(Rule),
        "source": {
            "plugin": plugin.name,
            "version": plugin.version,
            "parameters": _portable(plugin, file.absolute().parent),
            "fingerprint": data.fingerprint,
            "identities": len(data.identities),
            "images": len(data),
        },
        "identities": len(items),
        "images": sum(map(len, items.values())),
        "sha256": _digest(items),
        "items": items,
    }
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        unfinished.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(file)
    except OSError as error:
        raise DataError(f"{file} cannot be written ({error.strerror or error}): give another place") from error


def read_subset(file: Path) -> Subset:
    """Return what ``file`` says.

    Raises:
        DataError: when it is none, of another schema, or damaged.
    """
    try:
        document = json.loads(file.read_bytes())
        if document["faceassay_subset"] != SCHEMA:
            raise ValueError(f"schema {document['faceassay_subset']}, this version reads {SCHEMA}")
        items = {str(name): tuple(map(str, ids)) for name, ids in document["items"].items()}
        if _digest(items) != document["sha256"]:
            raise ValueError("its images are not those that were written")
        source = document["source"]
        return Subset(str(source["plugin"]), dict(source["parameters"]), items)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{file} does not say which images of a set are chosen ({error}). {_REMEDY}") from error


def _digest(items: Mapping[str, tuple[str, ...]]) -> str:
    return hashlib.sha256(json.dumps([[name, *ids] for name, ids in items.items()]).encode()).hexdigest()


def _portable(plugin: DatasetPlugin, folder: Path) -> dict[str, Any]:
    """Return the parameters; a path is as a matrix file in ``folder`` would write it where it can be."""
    roots = [folder.resolve(), *(Path(root).resolve() for root in filter(None, [os.environ.get(DATA_VARIABLE)]))]
    parameters: dict[str, Any] = plugin.model_dump(mode="json")
    for name, path in data_paths(plugin).items():
        if isinstance(path, Path):
            parameters[name] = next((_below(path, root) for root in roots if path.is_relative_to(root)), str(path))
    return parameters


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
