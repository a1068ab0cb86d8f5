"""Claims about the matrix of made-up numbers: their text beside it, read and checked."""

from __future__ import annotations

from dataclasses import replace

from faceassay.claims.check import check_claims
from faceassay.spec.claims import FILE, read_claims

HEAD = "schema: 1\nclaims:\n"
MIX = "id: X, statement: it helps, lhs: Blend + real, rhs: Real"
"""The beginning of a claim about the mixed row."""


def read(matrix, folder, text):
    """Return the claims of ``text`` beside ``matrix`` in ``folder``, and what is wrong with them in words."""
    (folder / FILE).write_text(text)
    claims, problems = read_claims(replace(matrix, path=folder / "matrix.yaml"))
    return claims, [str(problem).removeprefix(f"{folder}/") for problem in problems]


def checked(parts, folder, *claims):
    """Return the findings of claims, each the inside of a YAML mapping."""
    text = HEAD + "".join(f"  - {{{claim}}}\n" for claim in claims)
    said = []
    for part in parts:
        found, problems = read(part.matrix, folder, text)
        assert problems == []
        said.append(replace(part, matrix=replace(part.matrix, claims=found)))
    return check_claims(said)
