"""Own what a record must say before anything believes it: its form, and that key, files and content agree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from faceassay.contracts import StoreError
from faceassay.graph import REPORTED_KINDS, THREADED_KINDS
from faceassay.keys import KeyDocumentError, digest
from faceassay.store import RECORD, SEAL, STORE_SCHEMA, sealed

KINDS = THREADED_KINDS | REPORTED_KINDS
"""Every kind of stage."""
WEIGHTS = {"generator", "recognizer"}, ".safetensors"
"""The kinds whose weights may be given up, and how the names of such files end."""
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _File(_Part):
    sha256: Digest
    bytes: Count


class _Cost(_Part):
    seconds: Number
    attempts: Count
    device: str
    work: Count
    unit: str
    peak_memory_bytes: Count
    network_evaluations: Count
    passes: dict[str, Count]
    finished: str


class _Environment(_Part):
    python: str
    platform: str
    processor: str
    cores: Count | None
    packages: dict[str, str | None]


class _Plugin(_Part):
    name: str
    version: str
    source: str
    parameters: dict[str, Any]


class _Key(_Part):
    kind: str
    plugin: _Plugin
    core: str
    inputs: dict[str, dict[str, Any]]
    axes: dict[str, int]
    seed: int


class _Record(_Part):
    """Hold a record; what other versions add to it is let through."""

    kind: str
    digest: Digest
    title: str
    key: _Key
    inputs: dict[str, dict[str, str]]
    cost: _Cost
    environment: _Environment
    log: list[str]
    files: dict[str, _File]
    content: Digest
    given_up: list[str] = Field(default_factory=list)
    code: dict[str, dict[str, str]] = Field(default_factory=dict)
    distribution: str = ""


def refuse_bad_record(record: Any, kind: str, key: str) -> None:
    """Check a record that another machine wrote, or a disk has held for long.

    Args:
        record: what was read.
        kind: kind of stage that it should be of.
        key: digest of the key that it should be of.

    Raises:
        StoreError: when it is of another schema, not formed as records are, or contradicts itself.
    """
    schema = record.get("schema") if isinstance(record, Mapping) else None
    if schema != STORE_SCHEMA:
        newer = isinstance(schema, int) and schema > STORE_SCHEMA
        remedy = "use a newer faceassay" if newer else "use the version of faceassay that wrote it"
        raise StoreError(f"its record has schema {schema}, this version reads schema {STORE_SCHEMA}: {remedy}")
    try:
        _Record.model_validate(record)
        trouble = _contradiction(record, kind, key)
    except ValidationError as error:
        first = error.errors()[0]
        trouble = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except KeyDocumentError as error:
        trouble = str(error)
    if trouble:
        raise StoreError(f"its record is wrong ({trouble})")


def given_up_weights(kind: str, names: Mapping[str, Any]) -> list[str]:
    """Return those of the files of an artifact that are weights of a generator or a recognizer."""
    kinds, ending = WEIGHTS
    return sorted(name for name in names if kind in kinds and name.endswith(ending))


def _contradiction(record: Mapping[str, Any], kind: str, key: str) -> str:
    if kind not in KINDS or (record["kind"], record["key"]["kind"]) != (kind, kind):
        return f"it is of kind {record['kind']!r} in the place of {kind!r}"
    if record["digest"] != key or digest(record["key"]) != key:
        return f"its key is not that of {key[:12]}"
    strange = [name for name in record["files"] if not is_inside(name)]
    if strange:
        return f"it names the file {strange[0]!r}"
    if digest({name: described["sha256"] for name, described in record["files"].items()}) != record["content"]:
        return "its content is not that of its files"
    if not set(record.get("given_up", ())) <= set(given_up_weights(kind, record["files"])):
        return "it gives up files that are no weights"
    if SEAL in record and sealed(record)[SEAL] != record[SEAL]:
        return "it was changed after it was written: its seal does not fit"
    return ""


def is_inside(name: str) -> bool:
    """Tell whether ``name`` is the path of a file of an artifact: relative, plain, inside, and not the record."""
    plain = re.fullmatch(r"[^\\\x00-\x1f]{1,200}", name) is not None
    return plain and name != RECORD and str(PurePosixPath(name)) == name and not name.startswith("/") and (
        not {"", ".", ".."} & set(name.split("/"))
    )  # fmt: skip
