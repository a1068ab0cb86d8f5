"""Own the choice of the stages that are verified: by a seed, spread over kinds."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from itertools import islice, zip_longest

from faceassay.contracts import FaceassayError
from faceassay.graph import Graph, Stage
from faceassay.states import State, state_of
from faceassay.store import Store


def finished(graph: Graph, store: Store, kinds: Collection[str] = ()) -> list[Stage]:
    """Return the finished stages of a matrix, of ``kinds`` only where any are named.

    Raises:
        FaceassayError: when the matrix has no stage of such a kind, or none is finished.
    """
    known = sorted({stage.kind for stage in graph.stages.values()})
    strange = sorted(set(kinds) - set(known))
    if strange:
        raise FaceassayError(f"the matrix has no stage of kind {strange[0]!r}; known: {', '.join(known)}")
    done = (State.DONE, State.WITHOUT_WEIGHTS)
    wanted = [stage for stage in graph.stages.values() if not kinds or stage.kind in kinds]
    found = [stage for stage in wanted if state_of(stage, store) in done]
    if not found:
        raise FaceassayError(f"nothing to verify in the store {store.root}: no such stage is finished; run the matrix")
    return found


def sample(stages: Iterable[Stage], count: int, seed: int) -> list[Stage]:
    """Return ``count`` of ``stages``, or all when there are not so many.

    One of each kind comes first, then a second of each, and so on; which one, and which kind, the seed decides: the
    order is that of the sha256 of seed and key.
    """
    kinds: dict[str, list[Stage]] = {}
    for stage in sorted(stages, key=lambda stage: _lot(seed, stage.digest)):
        kinds.setdefault(stage.kind, []).append(stage)
    rows = [kinds[kind] for kind in sorted(kinds, key=lambda kind: _lot(seed, kind))]
    return list(islice(_dealt(rows), count))


def _dealt(rows: list[list[Stage]]) -> Iterator[Stage]:
    for several in zip_longest(*rows):
        yield from (stage for stage in several if stage is not None)


def _lot(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
