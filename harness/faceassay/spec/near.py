"""Own the suggestion of what a name that nobody knows may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names what is close to ``name``, or else everything known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=2)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?"
    return f"; known: {', '.join(names) or 'none'}"
