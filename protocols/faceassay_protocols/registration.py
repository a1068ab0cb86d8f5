"""Register the bundled evaluation protocols, like any other distribution would."""

from __future__ import annotations

from faceassay.contracts import EvaluationProtocol
from faceassay.hookspecs import hookimpl


@hookimpl
def faceassay_protocols() -> list[type[EvaluationProtocol]]:
    """Return the bundled protocols."""
    from faceassay_protocols.lowres import LowResolutionIdentification
    from faceassay_protocols.pairs import PairVerification

    return [PairVerification, LowResolutionIdentification]
