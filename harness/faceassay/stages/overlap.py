"""Look for the people of a set in a benchmark: by pixels, by name, and by the embeddings of a judge."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from faceassay.assessment import Assessment
from faceassay.assessment.classes import ClassSums, leave_one_out
from faceassay.assessment.neighbours import nearest, shared_rows
from faceassay.assessment.overlap import Above, Verdict, by_content, by_embedding, by_name
from faceassay.contracts import FaceDataset, Pack, Sources, StageContext
from faceassay.datasets import proper_names

NO_HELD_OUT = "no held-out people: name an entry of data as held_out"
OWN = "the held-out people are in the benchmark themselves: hold out others"
IN_SET = "images of the held-out people are in the set itself: hold out others"


def run(plugin: Assessment, sources: Sources, context: StageContext) -> None:
    """Compare ``images`` with ``benchmark``, calibrated on ``held_out``, and write ``overlap.json`` and the cosines.

    ``real`` tells which names are those of people: a set that is made has other classes too.
    """
    images, pack, embedding = sources.open("images"), sources.open("benchmark"), sources.open("embedding")
    theirs = sources.open("benchmark_embedding")
    people = {*sources.real.identities} if "real" in sources else {*images.identities}
    named = {*proper_names(images.identities)} & people
    tested = {*proper_names(pack.people)}
    shared = sorted(named & tested)
    same = shared_rows(theirs.pixels, embedding.pixels)
    above, unknown = _above(sources, context, images, pack)
    verdicts = {
        "content": by_content(len(same), len(pack)),
        "names": by_name(len(shared), len(tested), len(named)),
        "embedding": by_embedding(above, unknown),
    }
    document = {
        "verdicts": {kind: verdict._asdict() for kind, verdict in verdicts.items()},
        "shared_names": shared,
        "shared_images": [[pack.names[row], images.item_ids[other]] for row, other in same],
        "above": asdict(above) if above else None,
    }
    (context.folder / "overlap.json").write_text(json.dumps(document, indent=1))


def load(plugin: Assessment, folder: Path, device: str) -> dict[str, Any]:
    """Open what was found: verdicts by kind, shared names and images, and the counts behind the embeddings' verdict."""
    document: dict[str, Any] = json.loads((folder / "overlap.json").read_text())
    verdicts = {kind: Verdict(**told) for kind, told in document["verdicts"].items()}
    return document | {"verdicts": verdicts}


def _above(
    sources: Sources, context: StageContext, images: FaceDataset, pack: Pack
) -> tuple[Above | None, str]:  # fmt: skip
    """Return the counts, or None and why there are none."""
    if "held_out" not in sources:
        return None, NO_HELD_OUT
    held_out, strangers = sources.open("held_out"), sources.open("held_out_embedding")
    theirs, embedding = sources.open("benchmark_embedding"), sources.open("embedding")
    if {*proper_names(held_out.identities)} & {*pack.people} or shared_rows(theirs.pixels, strangers.pixels):
        return None, OWN
    if shared_rows(strangers.pixels, embedding.pixels):
        return None, IN_SET
    sums = ClassSums.of(embedding.vectors, images.labels, len(images.identities))
    centres, known = sums.centres()
    if not len(centres):
        return None, "no class has a centre"
    far, near = nearest(strangers.vectors, centres), nearest(theirs.vectors, centres, progress=context.progress)
    own = leave_one_out(embedding.vectors, images.labels, sums)
    for name, cosines in (("held_out", far.cosines), ("benchmark", near.cosines), ("own", own)):
        np.save(context.folder / f"{name}.npy", cosines)
    np.save(context.folder / "nearest_class.npy", known[near.rows])
    return Above.of(far.cosines, near.cosines, own), ""
