"""Which identities a column may have: those of every setting of its protocol, and those of an average."""

from __future__ import annotations

from faceassay.spec.identities import joined_identity, possible_identities
from faceassay_protocols.lowres import LowResolutionIdentification
from faceassay_protocols.pairs import PairVerification


def test_settings_of_few_words_are_varied_together_and_numbers_are_not():
    protocol = PairVerification(folds=4, fprs=(0.001,))
    rules, mirrored = ("nearest", "nearest_exact", "at_most"), ("flip-sum", "no-flip")
    assert possible_identities(protocol) == {
        *(f"accuracy:4fold/grid-0.01/{flip}" for flip in mirrored),
        *(f"tar_at_fpr:1e-3/{rule}/{flip}" for rule in rules for flip in mirrored),
        *(f"auc/{flip}" for flip in mirrored),
    }


def test_own_identities_are_among_the_possible_ones():
    protocol = LowResolutionIdentification(ranks=(1, 3), flip=False)
    assert {*protocol.metric_ids()} < possible_identities(protocol)


def test_an_average_has_the_identities_of_its_members_each_once():
    assert joined_identity(["rank:1/cosine", "rank:5/cosine", "rank:1/cosine"]) == "rank:1/cosine+rank:5/cosine"
