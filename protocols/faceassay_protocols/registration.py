"""Register the bundled evaluation protocols, like any other distribution would."""

from __future__ import annotations

from faceassay.contracts import EvaluationProtocol
from faceassay.hookspecs import hookimpl


@hookimpl
def faceassay_protocols() -> list[type[EvaluationProtocol]]:
    """Return the bundled protocols."""
    from faceassay_protocols.ijb import IjbB, IjbC
    from faceassay_protocols.lowres import LowResolutionIdentification
    from faceassay_protocols.pair_sets import AgeDb30, Calfw, CfpFf, CfpFp, Cplfw, Lfw
    from faceassay_protocols.pairs import PairVerification
    from faceassay_protocols.tinyface import TinyFace

    pair_sets: list[type[EvaluationProtocol]] = [Lfw, CfpFp, CfpFf, AgeDb30, Calfw, Cplfw]
    return [PairVerification, LowResolutionIdentification, *pair_sets, IjbB, IjbC, TinyFace]
