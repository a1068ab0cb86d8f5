"""faceassay: does this augmentation really help face recognition, and would it help again?

Plugin authors import the contracts from here. Importing this module imports neither torch nor mlflow.
"""

from faceassay.contracts import *  # noqa: F403
from faceassay.contracts import __all__ as _contracts
from faceassay.hookspecs import hookimpl

__all__ = [*_contracts, "hookimpl"]
