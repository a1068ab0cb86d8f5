"""Every bundled plugin does what its contract says; those that read files of a user are handed miniatures."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from faceassay.registry import load_plugins
from faceassay.sets.choosing import Rule
from faceassay.sets.subset import write_subset
from faceassay.testing import faces, run_checks
from faceassay_plugins.attributes.table import Table
from faceassay_plugins.augmentations.auggen import AugGen
from faceassay_plugins.augmentations.id3 import plugin as id3
from faceassay_plugins.augmentations.scoremix import ScoreMix
from faceassay_plugins.datasets.folder import Folder
from faceassay_plugins.datasets.huggingface import HuggingFace
from faceassay_plugins.datasets.subset import Subset
from faceassay_plugins.generators.edm2.plugin import Edm2
from faceassay_protocols.ijb import IjbB, IjbC
from faceassay_protocols.pair_sets import AgeDb30, Calfw, CfpFf, CfpFp, Cplfw, Lfw
from faceassay_protocols.tinyface import TinyFace
from miniatures import bins, ijb, pairs, tinyface

CLASSES = load_plugins().classes
TINY = {"steps": 2, "pairs": 3, "images_per_pair": 2, "block_size": 4}


def problems(plugin):
    return [result.message for result in run_checks(plugin) if not result.is_good]


def folder_of_faces(root):
    Folder.write(faces(), root / "faces", lambda images: None)
    return root / "faces"


def table(root):
    rows = "".join(f"{name},{20 + place}\n" for place, name in enumerate(faces().item_ids))
    (root / "ages.csv").write_text(f"image,age\n{rows}")
    column = {"name": "age", "unit": "years", "low": 0, "high": 100}
    return Table.model_validate({"path": root / "ages.csv", "key": "image", "values": [column]})


def subset(root):
    whole = Folder(path=folder_of_faces(root)).open()
    items = {name: [i for i in whole.item_ids if i.startswith(f"{name}/")] for name in whole.identities[:4]}
    write_subset(root / "four.json", Folder(path=root / "faces"), whole, Rule(), items)
    return Subset(path=root / "four.json")


def huggingface(root):
    data = faces()
    images = [{"bytes": data.encoded(row), "path": None} for row in range(len(data))]
    rows = pa.table({"image": images, "label": [data.identities[label] for label in data.labels]})
    with pa.OSFile(str(root / "data.arrow"), "wb") as file, pa.ipc.new_stream(file, rows.schema) as stream:
        stream.write_table(rows)
    state = {"_data_files": [{"filename": "data.arrow"}], "_indices_data_files": None}
    (root / "state.json").write_text(json.dumps(state))
    return HuggingFace(path=root)


def written(cls, write, **parameters):
    return lambda root: cls(path=write(root) or root, replicates=5, **parameters)


MINIATURES = {
    "table": table,
    "subset": subset,
    "huggingface": huggingface,
    "lfw": written(Lfw, pairs.write_lfw),
    "cfp-fp": written(CfpFp, pairs.write_cfp),
    "cfp-ff": written(CfpFf, pairs.write_cfp),
    "agedb-30": written(AgeDb30, pairs.write_agedb),
    "calfw": written(Calfw, pairs.write_calfw),
    "cplfw": written(Cplfw, pairs.write_cplfw),
    "ijb-b": written(IjbB, lambda root: ijb.write_ijb(root, "ijb-b").path, fprs=(0.1,)),
    "ijb-c": written(IjbC, lambda root: ijb.write_ijb(root, "ijb-c").path, fprs=(0.1,)),
    "tinyface": written(TinyFace, tinyface.write_tinyface, counts="warn", other_sizes="resize"),
}
VARIANTS = {
    "auggen with given weights": AugGen(**TINY),
    "auggen guided, pairs by conditions": AugGen(**TINY, selection="close-condition-cosine"),
    "scoremix under real labels": ScoreMix(**TINY, label_mode="source", mixing=(0.3, 0.8)),
    "scoremix, pairs by embedding, no guide": ScoreMix(**TINY, selection="dist-embedding-cosine", guidance=1),
    "scoremix of three classes": ScoreMix(**TINY, classes_per_mix=3, weights=(0.5, 0.0, 0.7)),
    "id3 without gradient and attributes": id3.Id3(
        anchors=3, images_per_identity=2, anchor_steps=2, steps=2, weight=0, attributes="none"
    ),
    "id3 with a late gradient": id3.Id3(
        anchors=3, images_per_identity=2, anchor_steps=2, steps=3, gradient="noisy", guided_below=1.0
    ),
    "edm2 on class centres": Edm2.example(None).model_copy(update={"condition": "class_centres", "sample_steps": 0}),
}


@pytest.mark.parametrize(("kind", "name"), [key for key in CLASSES if key[0] not in ("executor", "observer")])
def test_bundled_plugin_keeps_its_contract(kind, name, tmp_path):
    assert problems(MINIATURES[name](tmp_path) if name in MINIATURES else CLASSES[kind, name]) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_parameters_keep_the_contract(variant):
    assert problems(VARIANTS[variant]) == []


def test_pack_of_a_bin_keeps_the_contract(tmp_path):
    """No identities are known there."""
    path = bins.write_bin(tmp_path / "lfw.bin", bins.photographs(80, 112), bins.alternating(40))
    assert problems(Lfw(path=path, replicates=5)) == []
