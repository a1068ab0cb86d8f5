"""Own the reading of an archive that nobody vouches for: everything about it is checked before a byte is unpacked.

Only plain files of the known layout pass, of the sizes that their records state, inside their artifact's folder.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faceassay.contracts import StoreError
from faceassay.store import RECORD, Record, given_up
from faceassay.upkeep.packing import CONTENTS, artifacts_named
from faceassay.upkeep.records import refuse_bad_record

LARGEST_DOCUMENT = 64 * 2**20
"""Bytes of a record or a list of contents that are read at most."""
_PLACE = re.compile(r"artifacts/([a-z]{1,40})/([0-9a-f]{64})/(.+)", re.DOTALL)


@dataclass(frozen=True)
class Archived:
    """Hold one artifact of an archive: its record, and its files by name."""

    record: Record
    files: Mapping[str, tarfile.TarInfo]

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(member.size for member in self.files.values())


@dataclass
class _Scan:
    """Collect the artifacts of an archive as their members come."""

    tar: tarfile.TarFile
    found: dict[tuple[str, str], Archived] = field(default_factory=dict)
    _place: tuple[str, str] | None = None
    _record: Record = field(default_factory=dict)
    _files: dict[str, tarfile.TarInfo] = field(default_factory=dict)

    def take(self, member: tarfile.TarInfo) -> None:
        matched = _PLACE.fullmatch(member.name)
        if matched is None:
            raise StoreError(f"it holds {member.name!r}, which is no part of a store")
        kind, key, name = matched.groups()
        if name == RECORD:
            self.close()
            self._open(kind, key, member)
        elif (kind, key) != self._place:
            raise StoreError(f"{member.name} comes before the record of its artifact")
        else:
            self._file(name, member)

    def close(self) -> None:
        """End the artifact whose members came last."""
        if self._place is not None:
            missing = sorted(_expected(self._record) - set(self._files))
            if missing:
                raise StoreError(f"{'/'.join(self._place)} lacks {', '.join(missing)}")
            self.found[self._place] = Archived(self._record, self._files)

    def _open(self, kind: str, key: str, member: tarfile.TarInfo) -> None:
        if (kind, key) in self.found or (kind, key) == self._place:
            raise StoreError(f"{member.name} is there twice")
        record = document(self.tar, member)
        try:
            refuse_bad_record(record, kind, key)
        except StoreError as error:
            raise StoreError(f"artifact {kind}/{key}: {error}") from error
        self._place, self._record, self._files = (kind, key), record, {}

    def _file(self, name: str, member: tarfile.TarInfo) -> None:
        if name not in _expected(self._record) or name in self._files:
            raise StoreError(f"{member.name} is not, or not once more, in the record of its artifact")
        if member.size != self._record["files"][name]["bytes"]:
            stated = self._record["files"][name]["bytes"]
            raise StoreError(f"{member.name} has {member.size} bytes, its record says {stated}")
        self._files[name] = member


@contextmanager
def archive(file: Path) -> Iterator[tuple[tarfile.TarFile, list[Archived]]]:
    """Open an archive after checking all its headers and records.

    Raises:
        StoreError: when it cannot be read, is truncated, or holds anything but sound artifacts.
    """
    with ExitStack() as stack:
        try:
            tar = stack.enter_context(tarfile.open(file, "r:"))
            found = list(_scanned(tar).values())
        except (tarfile.TarError, EOFError, OSError) as error:
            raise StoreError(f"{file} cannot be read as an archive of a store ({error}): copy it again") from error
        except StoreError as error:
            raise StoreError(f"{file}: {error}") from error
        yield tar, found


def document(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Any:
    """Return the JSON document that ``member`` holds.

    Raises:
        StoreError: when it is too large or no JSON.
    """
    if member.size > LARGEST_DOCUMENT:
        raise StoreError(f"{member.name} has {member.size} bytes, more than any such document")
    stream = tar.extractfile(member)
    try:
        return json.loads(stream.read() if stream else b"")
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{member.name} is no JSON ({error})") from error


def _scanned(tar: tarfile.TarFile) -> Mapping[tuple[str, str], Archived]:
    scan, named = _Scan(tar), None
    for member in tar:
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
            raise StoreError(f"{member.name!r} is no plain file")
        if named is None:
            if member.name != CONTENTS:
                raise StoreError(f"it does not begin with {CONTENTS}: give what faceassay store export wrote")
            named = list(artifacts_named(document(tar, member)))
        else:
            scan.take(member)
    scan.close()
    if named is None or named != list(scan.found):
        raise StoreError(f"it does not hold what its {CONTENTS} names: is it truncated? Copy it again")
    return scan.found


def _expected(record: Record) -> set[str]:
    return set(record["files"]) - set(given_up(record))
