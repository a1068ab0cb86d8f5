"""Own the choice of classes to mix. Knows nothing of how they are mixed."""

from faceassay_plugins.selection.capping import require_pairs
from faceassay_plugins.selection.combined import select_combined
from faceassay_plugins.selection.correlation import DistanceCorrelation, Statistic, distance_correlation
from faceassay_plugins.selection.drawing import random_mixes, random_pairs
from faceassay_plugins.selection.extremes import select_pairs

__all__ = [
    "DistanceCorrelation",
    "Statistic",
    "distance_correlation",
    "random_mixes",
    "random_pairs",
    "require_pairs",
    "select_combined",
    "select_pairs",
]
