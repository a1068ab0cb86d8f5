"""Own the union of what several conventions made of one pack. Computes no metric."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceassay.contracts import Evaluation


def merged(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Return one evaluation with the metrics of all, in order, and their ``replicates`` side by side.

    Scores, notes and curves of one name are those of the first evaluation that has them: conventions that differ in
    what they keep must name it differently.
    """
    backwards = evaluations[::-1]
    return Evaluation(
        metrics={name: value for one in evaluations for name, value in one.metrics.items()},
        scores={
            **{name: array for one in backwards for name, array in one.scores.items()},
            "replicates": np.concatenate([one.scores["replicates"] for one in evaluations], axis=1),
        },
        curves={name: curve for one in backwards for name, curve in one.curves.items()},
        notes={name: fact for one in backwards for name, fact in one.notes.items()},
        intervals={name: limits for one in evaluations for name, limits in one.intervals.items()},
        cautions={name: text for one in evaluations for name, text in one.cautions.items()},
        warnings=list(dict.fromkeys(text for one in evaluations for text in one.warnings)),
    )
