"""Own what a reader must know of checkpoints: which state of its training each recognizer is, and what chose it."""

from __future__ import annotations

from collections.abc import Iterator

from faceassay.contracts import Chosen
from faceassay.graph import Row
from faceassay.report.words import counted
from faceassay.results import Results


def checkpoint_of(results: Results, row: Row) -> str:
    """Return which checkpoint the recognizers of a row are: the last, or for each seed which one was the best."""
    entry = results.matrix.spec.validation
    if entry is None:
        return "checkpoint: last"
    of_seeds = ((seed, results.chosen(stage)) for seed, stage in row.recognizers.items())
    told = ", ".join(f"seed {seed} {_told(chosen, row.updates)}" for seed, chosen in of_seeds)
    return f"checkpoint: best on '{entry.data}' ({told})"


def choice(results: Results) -> Iterator[tuple[str, str]]:
    """Yield how checkpoints are chosen, nothing where the last ones are kept."""
    entry = results.matrix.spec.validation
    if entry is None:
        return
    pairs = f"{entry.pairs:,}"
    yield (
        "checkpoint",
        f"the best of {counted(entry.checks, 'state')}, evenly spaced over each training, on data '{entry.data}': area "
        f"under the ROC curve of the cosines of at most {pairs} same and {pairs} different pairs, of equal ones the "
        "earliest state; that of the best flatters it. Rows without real training images are chosen by these real "
        "people too",
    )


def score_of(chosen: Chosen) -> str:
    """Return the score of a state in words."""
    return f"AUC {chosen.score:.4f} at update {chosen.update:,}"


def _told(chosen: Chosen | None, updates: int) -> str:
    return f"{score_of(chosen)} of {updates:,}" if chosen else "not trained yet"
