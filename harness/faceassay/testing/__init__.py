"""Own the conformance kit: does a plugin do what its contract says? For plugin authors; the core does not import it.

``run_checks(Swirl)`` returns results as data, ``parametrize_with_checks([Swirl])`` makes tests of them,
``faceassay check swirl`` prints them. ``faces()`` is the tiny real set that every check reads.
"""

from faceassay.testing.checks import BrokenContract, Check, CheckResult, Status
from faceassay.testing.faces import FaceArrays, faces
from faceassay.testing.running import BoundCheck, checks_for, parametrize_with_checks, run_checks

__all__ = [
    "BoundCheck",
    "BrokenContract",
    "Check",
    "CheckResult",
    "FaceArrays",
    "Status",
    "checks_for",
    "faces",
    "parametrize_with_checks",
    "run_checks",
]
