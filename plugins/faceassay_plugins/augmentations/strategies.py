"""Own the strategies of choosing pairs by name (ScoreMix, table 2): what they read, and the spaces they measure in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from faceassay.contracts import FaceassayError, FloatArray, IntArray, Sources
from faceassay_plugins.selection import random_pairs, select_combined, select_pairs

Strategy = Literal[
    "random",
    "close-embedding-cosine",
    "dist-embedding-cosine",
    "close-condition-cosine",
    "dist-condition-cosine",
    "close-condition-l2",
    "dist-condition-l2",
    "top-close-condition-dist-embedding",
    "worst-close-condition-dist-embedding",
]
"""The rows of table 2."""

_READ: Mapping[str, str] = {"embedding": "recognizer", "condition": "generator"}


def inputs_read(strategy: Strategy) -> frozenset[str]:
    """Name the inputs that a strategy measures distances with."""
    return frozenset(source for word, source in _READ.items() if word in strategy)


def choose_pairs(strategy: Strategy, sources: Sources, count: int, seed: int, max_uses: int | None) -> IntArray:
    """Return ``count`` pairs of the real classes, int64 [count, 2] with i < j, in the order of the strategy.

    Raises:
        FaceassayError: when recognizer or generator have no vector for each class.
        ValueError: when there are too few pairs.
    """
    classes = len(sources.real.identities)
    if strategy == "random":
        return random_pairs(classes, count, seed, max_uses=max_uses)
    if strategy in _COMBINED:
        embeddings, conditions = class_centres(sources), condition_vectors(sources)
        return select_combined(embeddings, conditions, count, order=_COMBINED[strategy], max_uses=max_uses)
    near, space, metric = strategy.split("-")
    return select_pairs(
        _SPACES[space](sources),
        count,
        order="closest" if near == "close" else "farthest",
        metric="l2" if metric == "l2" else "cosine",
        max_uses=max_uses,
    )


def class_centres(sources: Sources) -> FloatArray:
    """Return the class centres E of the recognizer, float32 [L, d_E], one for each real class."""
    remedy = "use a recognizer with a classification head, trained on the real images"
    return _checked(sources.recognizer.class_centres(), sources, "recognizer", "class centres", remedy)


def condition_vectors(sources: Sources) -> FloatArray:
    """Return the condition vectors C of the generator, float32 [L, d_C], one for each real class."""
    require_label_space(sources)
    remedy = "use a generator with learned class conditions, trained on the real images"
    return _checked(sources.generator.condition_vectors(), sources, "generator", "condition vectors", remedy)


def require_label_space(sources: Sources) -> None:
    """Check that the generator's classes are the real ones.

    Raises:
        FaceassayError: when their number, names or order differ.
    """
    real, known = tuple(sources.real.identities), tuple(sources.generator.identities)
    if real != known:
        raise FaceassayError(
            f"the generator knows {len(known)} classes ({_some(known)}), the real images have {len(real)} "
            f"({_some(real)}): train the generator on these images"
        )


def _checked(vectors: FloatArray | None, sources: Sources, plugin: str, what: str, remedy: str) -> FloatArray:
    if vectors is None:
        raise FaceassayError(f"the {plugin} has no {what} to measure distances with: {remedy}")
    classes = len(sources.real.identities)
    if len(vectors) != classes:
        raise FaceassayError(
            f"the {plugin} has {len(vectors)} {what}, the real images have {classes} classes: {remedy}"
        )
    return vectors


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


_SPACES: Mapping[str, Callable[[Sources], Any]] = {"embedding": class_centres, "condition": condition_vectors}
_COMBINED: Mapping[str, Literal["top", "worst"]] = {
    "top-close-condition-dist-embedding": "top",
    "worst-close-condition-dist-embedding": "worst",
}
