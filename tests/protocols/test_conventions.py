"""Which settings belong to which convention, as the public code has them, and how identities spell them."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from faceassay.contracts.evaluation import METRIC_ID
from faceassay_protocols.conventions import NAMED, REST_OF_THE_GRID, ConventionName, chosen

PUBLIC_CODE = {
    # name: (flip, keeps the norm, detector score, rule of k-fold accuracy, has TinyFace)
    "insightface_eval_ijbc": (True, True, True, "grid-0.01", False),
    "adaface": (True, True, False, "grid-0.01", True),
    "cvlface": (True, False, True, "grid-0.01", True),
    "tface": (False, False, False, "grid-0.01", False),
    "facexzoo": (False, False, True, "train-range-1000", False),
}


def settings_of(convention):
    return convention.flip, convention.keep_norm, convention.detector_score


@pytest.mark.parametrize("name", PUBLIC_CODE)
def test_a_named_convention_is_what_the_public_code_does(name):
    convention = NAMED[name]
    assert (*settings_of(convention), convention.accuracy, convention.identification) == PUBLIC_CODE[name]
    assert (convention.name, convention.rule) == (name, "nearest")


def test_all_but_facexzoo_add_the_mirrored_image_on_the_pair_sets():
    assert {name: convention.flip_pairs for name, convention in NAMED.items()} == {
        "insightface_eval_ijbc": True, "adaface": True, "cvlface": True, "tface": True, "facexzoo": False
    }  # fmt: skip


def test_the_names_to_choose_from_are_the_conventions_and_all():
    assert get_args(ConventionName) == (*NAMED, "all")
    assert set(NAMED) == set(PUBLIC_CODE)


def test_all_are_the_named_ones():
    assert [convention.name for convention in chosen(["all"])] == list(NAMED)


def test_all_of_the_grid_are_the_eight_settings_each_once():
    grid = chosen(["all"], grid=True)
    assert sorted(map(settings_of, grid)) == sorted(product([False, True], repeat=3))
    assert len({convention.name for convention in grid}) == 8


@pytest.mark.parametrize("convention", REST_OF_THE_GRID, ids=lambda convention: convention.name)
def test_the_rest_of_the_grid_is_named_by_what_it_does(convention):
    norm, detector, flip = convention.name.split("_")
    assert settings_of(convention) == (flip == "flip", norm == "keep", detector == "det")


def test_chosen_conventions_keep_their_order_each_once():
    names = ["tface", "adaface", "tface"]
    assert [convention.name for convention in chosen(names)] == ["tface", "adaface"]


def test_all_beside_a_name_is_all():
    assert chosen(["tface", "all"]) == chosen(["all"])


def test_identities_of_template_metrics_carry_every_setting():
    grid = chosen(["all"], grid=True)
    names = [convention.template_words("tar_at_fpr:1e-4", "float64") for convention in grid]
    assert len({name.split("/", 2)[2] for name in names}) == 8
    assert all(METRIC_ID.fullmatch(name) for name in names)
    assert NAMED["cvlface"].template_words("x", "float32") == "x/cvlface/nearest/flip-sum/norm-one/det/float32"
    assert NAMED["adaface"].template_words("x", "float64") == "x/adaface/nearest/flip-sum/norm-kept/no-det/float64"
    assert NAMED["tface"].template_words("x", "float64") == "x/tface/nearest/no-flip/norm-one/no-det/float64"


def test_identities_of_pair_metrics_carry_convention_definition_and_flip():
    assert NAMED["facexzoo"].pair_words("accuracy:10fold", "train-range-1000") == (
        "accuracy:10fold/facexzoo/train-range-1000/no-flip"
    )
    assert NAMED["adaface"].pair_words("auc") == "auc/adaface/flip-sum"
