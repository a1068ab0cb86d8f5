"""Put intervals on benchmark metrics: paired bootstraps over identities or pairs, and exact limits on few counts."""

from faceassay_protocols.uncertainty.accuracy import FoldAccuracyMetric, RangeAccuracyMetric
from faceassay_protocols.uncertainty.curve import AucMetric, TarMetric
from faceassay_protocols.uncertainty.draws import identity_draws
from faceassay_protocols.uncertainty.intervals import extreme_intervals, percentile_intervals, resolution_caution
from faceassay_protocols.uncertainty.replicates import pair_replicates, rank_replicates
from faceassay_protocols.uncertainty.subjects import people_of_pairs, subjects_of_templates
from faceassay_protocols.uncertainty.weights import PairMetric, PairScores

__all__ = [
    "AucMetric",
    "FoldAccuracyMetric",
    "PairMetric",
    "PairScores",
    "RangeAccuracyMetric",
    "TarMetric",
    "extreme_intervals",
    "identity_draws",
    "pair_replicates",
    "people_of_pairs",
    "percentile_intervals",
    "rank_replicates",
    "resolution_caution",
    "subjects_of_templates",
]
