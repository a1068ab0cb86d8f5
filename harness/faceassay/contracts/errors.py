"""Own the errors a user may see: what happened, where, and what to do. Nothing else raises user-facing types."""

from __future__ import annotations


class FaceassayError(Exception):
    """Report a problem the user can act on; the command line prints it as one line without a traceback."""


class DataError(FaceassayError):
    """Report data that cannot be used: a missing folder, a corrupt image, an identity with too few images."""


class StoreError(FaceassayError):
    """Report a store or an artifact that cannot be trusted: wrong schema, changed bytes, no space."""


class DivergenceError(FaceassayError):
    """Report a training that produced NaN, infinity or an exploding loss, with the step at which it did."""
