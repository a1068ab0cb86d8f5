"""Which profiles are cross-fitted parts of one matrix, and which are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faceassay.claims.pooling import require_cross_fitted
from faceassay.contracts import FaceassayError
from scored_matrix import MATRIX
from tiny_matrix import graph_of

TEXT = MATRIX.replace("SEEDS", "[0, 1, 2]")
OTHER_PEOPLE = TEXT.replace("prefix: b", "prefix: c")


def test_parts_that_are_tested_on_other_people_are_accepted():
    require_cross_fitted([graph_of(TEXT), graph_of(OTHER_PEOPLE)])


def test_one_profile_is_one():
    require_cross_fitted([graph_of(TEXT)])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (OTHER_PEOPLE.replace("name: Blend, group: FR_syn", "name: Mix, group: FR_syn"), r"other rows \(.*Blend.*Mix"),
        (OTHER_PEOPLE.replace("[0, 1, 2]", "[0, 1, 3]"), r"other seeds \(2, 3\)"),
        (OTHER_PEOPLE.replace("[0, 1, 2]", "[0, 2, 1]"), "other seeds, or another order"),
        (OTHER_PEOPLE.replace("stride: 2", "stride: 3").replace("distance:2", "distance:3"), "have other columns"),
        (
            OTHER_PEOPLE.replace("train: train", "train: train\nbaseline: Blend"),
            r"have other baselines \(Real, Blend\)",
        ),
        (
            OTHER_PEOPLE.replace("seeds: [0, 1, 2]", "seeds: [0, 1, 2]\ngenerator_seeds: [0, 1, 2]"),
            "numbers of generators",
        ),
        (TEXT, "share 18 evaluations"),
        (TEXT.replace("prefix: b, seed: 1", "prefix: b, seed: 4"), "are both tested on b1, b2, b3 and others"),
    ],
)
def test_others_are_refused(text, problem):
    with pytest.raises(FaceassayError, match=problem):
        require_cross_fitted([graph_of(TEXT), graph_of(text)])


def test_parts_that_are_tested_on_one_pack_that_names_nobody_are_refused():
    """Recognizers of other people share no evaluation, and a pack of pairs without names shares no name."""
    parts = []
    for text in (TEXT, TEXT.replace("prefix: a", "prefix: e")):
        matrix, graph = graph_of(text)
        nameless = {name: replace(pack, people=()) for name, pack in graph.packs.items()}
        parts.append((matrix, replace(graph, packs=nameless)))
    with pytest.raises(FaceassayError, match=r"are tested on one pack \(near, far\): give profiles"):
        require_cross_fitted(parts)
