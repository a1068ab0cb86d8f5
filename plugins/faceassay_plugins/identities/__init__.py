"""Own where synthetic identities lie on the sphere of a recognizer. Knows no generator and makes no image."""

from faceassay_plugins.identities.anchors import Kind, anchors, tammes_code
from faceassay_plugins.identities.around import around, within_cosines
from faceassay_plugins.identities.bounds import cosine_bound
from faceassay_plugins.identities.closed_forms import Code
from faceassay_plugins.identities.limits import Agreement, agreement
from faceassay_plugins.identities.nearest import nearest_cosines

__all__ = [
    "Agreement",
    "Code",
    "Kind",
    "agreement",
    "anchors",
    "around",
    "cosine_bound",
    "nearest_cosines",
    "tammes_code",
    "within_cosines",
]
