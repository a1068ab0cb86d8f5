"""Own who is in the templates of a template pack: the unit that its bootstrap resamples. Scores nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, IntArray
from faceassay_protocols.wording import listed

TemplateIds = NDArray[np.integer]


def subjects_of_templates(
    first_ids: TemplateIds, second_ids: TemplateIds, is_same: NDArray[np.bool_]
) -> tuple[IntArray, IntArray]:
    """Tell subjects from the labelled pairs, for packs without lists of subjects.

    Templates that same pairs connect, directly or over others, are of one subject; a template in no same pair is its
    own. Two groups of one person that no same pair joins stay apart, which makes an interval somewhat too narrow.

    Args:
        first_ids, second_ids: template numbers of each pair, int [P].
        is_same: bool [P].

    Returns:
        Template numbers, rising, and the subject of each, 0 to S - 1; int64 [K] each, as in `TemplatePack.subjects`.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    templates = np.union1d(np.unique(first_ids), np.unique(second_ids)).astype(np.int64)
    ends = tuple(np.searchsorted(templates, ids[is_same]) for ids in (first_ids, second_ids))
    edges = csr_array((np.ones(len(ends[0])), ends), shape=(len(templates), len(templates)))
    _, subject = connected_components(edges, directed=False)
    return templates, subject.astype(np.int64)


def people_of_pairs(
    subjects: tuple[IntArray, IntArray], first_ids: TemplateIds, second_ids: TemplateIds
) -> tuple[IntArray, IntArray]:
    """Return the subjects of both templates of each pair, int64 [P] each.

    Args:
        subjects: template numbers and the subject of each, int64 [K] each.
        first_ids, second_ids: template numbers of each pair, int [P].

    Raises:
        DataError: when a template of a pair has no subject (names the pairs).
    """
    order = np.argsort(subjects[0])
    templates, people = subjects[0][order], subjects[1][order]
    first, second = (_people(templates, people, ids) for ids in (first_ids, second_ids))
    return first, second


def _people(templates: IntArray, people: IntArray, ids: TemplateIds) -> IntArray:
    row = np.minimum(np.searchsorted(templates, ids), len(templates) - 1)
    unknown = templates[row] != ids
    if unknown.any():
        raise DataError(f"templates of pairs {listed(unknown)} are in no list of subjects: use the lists of this pack")
    return people[row]
