"""Which reader opens what, which folds are refused, and what of a reader is in the keys of features."""

from __future__ import annotations

import json
import lzma
import shutil

import numpy as np
import pytest
from pydantic import ValidationError

from faceassay import keys
from faceassay.contracts import DataError
from faceassay.sourcecode import closure
from faceassay_protocols.ijb import IjbC
from faceassay_protocols.pair_sets import CfpFp, Lfw
from faceassay_protocols.readers.gallery_files import GalleryFiles
from faceassay_protocols.readers.pair_files import PairFiles, require_folds
from faceassay_protocols.readers.template_files import TemplateFiles
from faceassay_protocols.readers.tree import LARGEST_LIST
from faceassay_protocols.tinyface import TinyFace
from miniatures.bins import alternating, photographs, write_bin
from miniatures.ijb import write_ijb
from miniatures.pairs import write_agedb, write_calfw, write_cfp, write_cplfw, write_lfw, zip_of
from miniatures.tinyface import write_tinyface

WRITERS = {
    "lfw": write_lfw,
    "cfp-fp": write_cfp,
    "cfp-ff": write_cfp,
    "agedb-30": write_agedb,
    "calfw": write_calfw,
    "cplfw": write_cplfw,
}
METRICS = (
    *("verification", "roc", "templates", "identification", "range_thresholds", "all_pairs", "conventions"),
    *("pair_evaluation", "template_evaluation", "gallery_evaluation", "embeddings", "scores", "uncertainty"),
)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Return the folder of each native set, one same and one different pair in each of ten folds."""
    folder = tmp_path_factory.mktemp("sets")
    return {name: writer(folder / name, same=1) for name, writer in WRITERS.items()}


@pytest.fixture(scope="module")
def ten_folds(tmp_path_factory):
    """Return an insightface pack of 20 pairs."""
    return write_bin(tmp_path_factory.mktemp("bin") / "some.bin", photographs(40), alternating(20))


@pytest.fixture(scope="module")
def ijb(tmp_path_factory):
    return write_ijb(tmp_path_factory.mktemp("ijb"), "ijb-c", subjects=2).path


@pytest.fixture(scope="module")
def tinyface(tmp_path_factory):
    return write_tinyface(tmp_path_factory.mktemp("tinyface"), people=2, distractors=3)


def opened(benchmark, path, **parameters):
    return PairFiles(benchmark=benchmark, path=path, **parameters).open(None)


def pairs_of(pack):
    return [(pack.names[a], pack.names[b]) for a, b in zip(pack.first, pack.second, strict=True)]


LISTS = {
    "lfw": "pairs.txt",
    "cfp-fp": "Protocol/Pair_list_P.txt",
    "cfp-ff": "Protocol/Split/FF/03/diff.txt",
    "agedb-30": "04_FINAL_protocol_30_years.mat",
    "calfw": "pairs_CALFW.txt",
    "cplfw": "pairs_CPLFW.txt",
}


# --- the right reader


@pytest.mark.parametrize("benchmark", WRITERS)
def test_native_files_are_read_from_a_folder_and_from_a_zip_alike(benchmark, sets, tmp_path):
    folder = shutil.copytree(sets[benchmark], tmp_path / "set")
    packs = [
        opened(benchmark, folder),
        opened(benchmark, zip_of(folder)),
        opened(benchmark, zip_of(folder, outer=True)),
    ]
    for pack in packs:
        assert pack.is_same.tolist() == [True, False] * 10
        assert pack.fold.tolist() == np.repeat(np.arange(10), 2).tolist()
        assert pack.identity is not None
        assert [name.rpartition("/")[2] for name in pack.names] == [name.rpartition("/")[2] for name in packs[0].names]
    assert pairs_of(packs[0]) == pairs_of(packs[1])


@pytest.mark.parametrize("benchmark", LISTS)
def test_a_list_that_unpacks_to_far_too_much_is_not_read(benchmark, sets, tmp_path):
    folder = shutil.copytree(sets[benchmark], tmp_path / "set")
    with (folder / LISTS[benchmark]).open("r+b") as file:
        file.truncate(LARGEST_LIST + 1)
    for path in (folder, zip_of(folder)):
        with pytest.raises(DataError, match=f"{LISTS[benchmark]}: too large"):
            opened(benchmark, path)


@pytest.mark.parametrize("benchmark", WRITERS)
def test_packs_in_a_folder_or_zip_without_a_list_are_pointed_to(benchmark, ten_folds, tmp_path):
    folder = tmp_path / "faces"
    (folder / "val").mkdir(parents=True)
    for name in ("a.bin", "val/b.bin.xz"):
        shutil.copy(ten_folds, folder / name)
    with pytest.raises(DataError, match=r"to score one, give the file itself \(a\.bin, val/b\.bin\.xz\)"):
        opened(benchmark, folder)
    with pytest.raises(DataError, match=r"give the file itself, unpacked \(a\.bin, "):
        opened(benchmark, zip_of(folder))


def test_the_two_protocols_of_cfp_are_different_pairs(sets):
    frontal, profile = (opened(name, sets[name]) for name in ("cfp-ff", "cfp-fp"))
    assert not any("profile" in name for name in frontal.names)
    assert all("frontal" in one and "profile" in other for one, other in pairs_of(profile))


@pytest.mark.parametrize("benchmark", WRITERS)
def test_an_insightface_pack_is_read_plain_and_compressed(benchmark, ten_folds, tmp_path):
    compressed = tmp_path / "some.bin.xz"
    compressed.write_bytes(lzma.compress(ten_folds.read_bytes()))
    plain, other = (opened(benchmark, path, image_size=16) for path in (ten_folds, compressed))
    assert plain.is_same.tolist() == other.is_same.tolist() == alternating(20)
    assert (plain.identity, len(plain)) == (None, 40)
    np.testing.assert_array_equal(plain.images(np.arange(40)), other.images(np.arange(40)))


def test_a_folder_that_is_named_like_a_pack_is_read_as_a_folder(sets, tmp_path):
    folder = shutil.copytree(sets["lfw"], tmp_path / "lfw.bin")
    assert len(opened("lfw", folder).first) == 20


@pytest.mark.parametrize("aligned", [False, True])
def test_templates_are_read_from_a_folder_and_from_a_zip_alike(aligned, tmp_path):
    written = write_ijb(tmp_path, "ijb-c", subjects=2, aligned=aligned)
    packs = [TemplateFiles(benchmark="ijb-c", path=path).open(None) for path in (written.path, zip_of(written.path))]
    for pack in packs:
        assert pack.template_ids.tolist() == written.templates
        assert [*zip(pack.first_ids, pack.second_ids, pack.is_same, strict=True)] == written.pairs
    np.testing.assert_array_equal(*(pack.images(np.arange(3)) for pack in packs))


def test_a_gallery_is_read_from_a_folder_and_from_a_zip_alike(tinyface):
    packs = [GalleryFiles(path=path, counts="warn").open(None) for path in (tinyface.parent, zip_of(tinyface.parent))]
    assert packs[0].names == packs[1].names
    for name in ("probe_ids", "gallery_ids"):
        np.testing.assert_array_equal(*(getattr(pack, name) for pack in packs))
    np.testing.assert_array_equal(*(pack.images(np.arange(5)) for pack in packs))


def test_other_counts_than_those_of_tinyface_are_refused_unless_allowed(tinyface):
    with pytest.raises(DataError, match="3728"):
        GalleryFiles(path=tinyface.parent).open(None)
    allowed = GalleryFiles(path=tinyface.parent, counts="warn").open(None)
    assert any("3728" in warning for warning in allowed.warnings)


# --- folds


def test_a_list_with_five_folds_says_what_to_write(tmp_path):
    path = write_lfw(tmp_path / "lfw", folds=5, same=2)
    with pytest.raises(
        DataError, match=r"5 folds where 10 are expected, two at least: for lfw name them as folds 1\.\.5"
    ):
        opened("lfw", path)
    assert opened("lfw", path, folds="1..5").fold.tolist() == np.repeat(np.arange(5), 4).tolist()


def test_official_folds_are_kept_as_they_are_listed(tmp_path):
    path = write_lfw(tmp_path / "lfw", folds=10, same=2)
    some, every = opened("lfw", path, folds="6..10"), opened("lfw", path)
    assert pairs_of(some) == pairs_of(every)[20:]
    assert some.fold.tolist() == np.repeat(np.arange(5), 4).tolist()
    assert some.is_same.tolist() == [True, True, False, False] * 5


def test_folds_that_the_list_does_not_have_are_refused(tmp_path):
    path = write_lfw(tmp_path / "lfw", folds=5, same=2)
    with pytest.raises(DataError, match="folds 4 to 8 of a list with folds 1 to 5"):
        opened("lfw", path, folds="4..8")


@pytest.mark.parametrize("folds", ["3", "a..b", "-1..3", "1..2..3", "6..6", "0..3", "7..6"])
def test_folds_are_written_first_to_last(folds, tmp_path):
    with pytest.raises(ValidationError, match="folds"):
        PairFiles(benchmark="lfw", path=tmp_path, folds=folds)


def test_a_single_fold_is_refused(tmp_path):
    with pytest.raises(DataError, match="1 folds where 10 are expected, two at least: give a list with two or more"):
        opened("lfw", write_lfw(tmp_path / "lfw", folds=1, same=2))


def test_a_pack_sorted_by_class_is_refused_before_any_embedding(tmp_path):
    path = write_bin(tmp_path / "sorted.bin", photographs(80), [True] * 20 + [False] * 20)
    with pytest.raises(DataError, match="fold 1 of 10 holds 4 same and 0 different pairs: its accuracy means nothing"):
        opened("calfw", path, image_size=16)


@pytest.mark.parametrize(("label", "said"), [(True, "4 same and 0 different"), (False, "0 same and 4 different")])
def test_one_fold_of_one_class_is_enough_to_refuse(label, said, tmp_path):
    is_same = alternating(40)
    is_same[8:12] = [label] * 4
    path = write_bin(tmp_path / "odd.bin", photographs(80), is_same)
    with pytest.raises(DataError, match=f"fold 3 of 10 holds {said}"):
        opened("lfw", path, image_size=16)


def test_folds_are_counted_by_their_numbers_not_by_their_size(sets):
    pack = opened("lfw", sets["lfw"])
    require_folds(pack, 10, "here")
    with pytest.raises(DataError, match="here: 10 folds where 5 are expected"):
        require_folds(pack, 5, "here")


def test_an_insightface_pack_has_no_official_folds_and_no_list(ten_folds, sets):
    for more in ({"folds": "6..10"}, {"pairs": sets["lfw"] / "pairs.txt"}):
        with pytest.raises(ValidationError, match="neither a list of pairs nor official folds"):
            Lfw(path=ten_folds, **more)


# --- keys


def plugins(sets, ijb, tinyface):
    return [
        Lfw(path=sets["lfw"], pairs=sets["lfw"] / "pairs.txt"),
        CfpFp(path=sets["cfp-fp"]),
        IjbC(path=ijb),
        TinyFace(path=tinyface),
    ]


@pytest.mark.parametrize("row", range(4))
def test_no_path_is_in_a_key(row, sets, ijb, tinyface):
    protocol = plugins(sets, ijb, tinyface)[row]
    for plugin in (protocol, protocol.reader()):
        document = keys.plugin_document(plugin)
        assert not {"path", "pairs"} & document["parameters"].keys()
        assert str(protocol.path) not in json.dumps(document)


@pytest.mark.parametrize("row", range(4))
def test_what_the_recognizer_is_shown_is_in_the_key_of_its_reader(row, sets, ijb, tinyface):
    protocol = plugins(sets, ijb, tinyface)[row]
    larger = type(protocol)(**{**dict(protocol), "image_size": 128, "other_sizes": "resize"})
    parameters = keys.plugin_document(larger.reader())["parameters"]
    assert (parameters["image_size"], parameters["other_sizes"]) == (128, "resize")
    assert keys.plugin_document(larger)["parameters"]["image_size"] == 128


def test_special_parameters_reach_the_reader_and_its_key(sets, ijb, tinyface):
    lfw = Lfw(path=sets["lfw"], folds="2..7").reader()
    templates = IjbC(path=ijb, align="none", images_in="aligned").reader()
    gallery = TinyFace(path=tinyface, counts="warn", images_in="crops").reader()
    assert keys.plugin_document(lfw)["parameters"]["folds"] == "2..7"
    assert keys.plugin_document(templates)["parameters"]["align"] == "none"
    assert keys.plugin_document(templates)["parameters"]["benchmark"] == "ijb-c"
    assert keys.plugin_document(gallery)["parameters"]["counts"] == "warn"
    assert keys.plugin_document(gallery)["parameters"]["images_in"] == "crops"


def test_metrics_are_in_the_key_of_the_protocol_alone(sets):
    one, other = Lfw(path=sets["lfw"]), Lfw(path=sets["lfw"], conventions=("all",), fprs=(0.1,), replicates=3)
    assert keys.plugin_document(one.reader()) == keys.plugin_document(other.reader())
    assert keys.plugin_document(one) != keys.plugin_document(other)


@pytest.mark.parametrize("row", range(4))
def test_the_same_pack_at_another_place_has_the_same_key(row, sets, ijb, tinyface, tmp_path):
    protocol = plugins(sets, ijb, tinyface)[row]
    base = tinyface.parent if row == 3 else protocol.path
    moved = shutil.copytree(base, tmp_path / "else" / "where")
    lists = {"pairs": moved / "pairs.txt"} if row == 0 else {}
    counts = {"counts": "warn"} if row == 3 else {}
    here = type(protocol)(**{**dict(protocol), "path": base, **counts})
    there = type(protocol)(**{**dict(protocol), "path": moved, **lists, **counts})
    assert keys.plugin_document(here) == keys.plugin_document(there)
    assert keys.plugin_document(here.reader()) == keys.plugin_document(there.reader())
    assert here.reader().open(None).fingerprint == there.reader().open(None).fingerprint


@pytest.mark.parametrize("reader", ["pair_files", "template_files", "gallery_files", "dealt_pairs", "reduced_probes"])
def test_no_metric_is_in_the_code_that_a_reader_reaches(reader):
    """Otherwise every change of a metric would embed every image again."""
    reached = closure(f"faceassay_protocols.readers.{reader}")
    assert "faceassay_protocols.packs" in reached
    metrics = tuple(f"faceassay_protocols.{name}" for name in METRICS)
    assert [name for name in reached if name.startswith(metrics)] == []
