"""Own the record of a verification: which stages, which verdicts, both environments, sealed by its own sha256."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from faceassay.certificates.comparing import Difference
from faceassay.certificates.rerunning import Verdict, Verified
from faceassay.certificates.tolerances import TOLERANCES
from faceassay.keys import digest
from faceassay.spec import MatrixSpec
from faceassay.store import write_atomically

SCHEMA = 1
"""Version of the record."""
SEAL = "sha256"
"""Name of the record's last entry: sha256 (hex) of the canonical JSON of all others: sorted names, no spaces, ASCII."""


def record_of(matrix: MatrixSpec, sampled: Mapping[str, Any], verified: Sequence[Verified]) -> dict[str, Any]:
    """Return the record of a verification, sealed.

    Args:
        matrix: what was verified.
        sampled: how the stages were chosen, and of how many.
        verified: the verdicts.
    """
    kinds = sorted({one.stage.kind for one in verified})
    document = {
        "schema": SCHEMA,
        "matrix": matrix.spec.name,
        "profile": matrix.profile,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "faceassay": version("faceassay"),
        "sample": dict(sampled),
        "verdicts": counted(verified),
        "tolerances": {kind: asdict(TOLERANCES[kind]) for kind in kinds},
        "stages": [_stage(one) for one in verified],
    }
    return {**document, SEAL: digest(document)}


def write_record(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ``verification.json`` and ``verification.md`` into ``folder`` and return their paths."""
    paths = [folder / f"verification.{ending}" for ending in ("json", "md")]
    write_atomically(paths[0], json.dumps(document, indent=1) + "\n")
    write_atomically(paths[1], markdown(document))
    return paths


def counted(verified: Sequence[Verified]) -> dict[str, int]:
    """Return how often each verdict came out, in the order of verdicts."""
    counts = Counter(one.verdict for one in verified)
    return {str(verdict): counts[verdict] for verdict in Verdict if counts[verdict]}


def markdown(document: Mapping[str, Any]) -> str:
    """Return the record for people: a line, and a table of the stages."""
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in document["verdicts"].items())
    of, profile = document["sample"]["of"], f" (profile {document['profile']})" if document["profile"] else ""
    lines = [
        f"# Verification of {document['matrix']}{profile}",
        "",
        f"{len(document['stages'])} of {of} finished stages run once more on {document['date']}: {verdicts}.",
        f"The record is `verification.json`, {SEAL} `{document[SEAL]}`.",
        "",
        "| stage | key | verdict | why |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {_cell(one['title'])} | `{one['key'][:12]}` | {one['verdict']} | {_cell(one['reason'])} |"
        for one in document["stages"]
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _stage(one: Verified) -> dict[str, Any]:
    return {
        "key": one.stage.digest,
        "kind": one.stage.kind,
        "title": one.stage.title,
        "verdict": str(one.verdict),
        "reason": one.reason,
        "files": [_difference(difference) for difference in one.found],
        "environments_differ_in": list(one.apart),
        "then": dict(one.then),
        "now": dict(one.now),
        "seconds": one.seconds,
    }


def _difference(one: Difference) -> dict[str, Any]:
    measured = math.isfinite(one.largest)
    largest, limit = (one.largest, one.limit) if measured else (None, None)
    return {"file": one.file, "part": one.part, "largest": largest, "allowed": limit, "said": one.said}
