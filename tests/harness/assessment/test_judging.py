"""Who may judge and who is held out: every refusal has its place and its remedy."""

from __future__ import annotations

import json

import numpy as np
import pytest

import faceassay.brought.artifact
from faceassay import keys
from faceassay.contracts import FaceassayError
from faceassay.expand import expand
from faceassay.given import DataInput
from faceassay.judging import Provenance
from faceassay.spec import SpecError
from faceassay.spec.model import BroughtEntry
from faceassay.spec.reader import TrainedJudge
from faceassay.store import Store
from judged_matrix import MATRIX, Deep, read, registry
from tiny_plugins import TinyFaces, TinyRecognizer

JUDGE = "judge: {plugin: tiny-recognizer, updates: 5, data: others}"
LINE = next(number for number, line in enumerate(MATRIX.splitlines(), 1) if line == JUDGE)
KEY = "ab" * 32


@pytest.fixture
def plugins(monkeypatch):
    """Let artifacts find the tiny plugins."""
    monkeypatch.setattr(faceassay.brought.artifact, "load_plugins", registry)


def with_judge(judge, **changes):
    text = MATRIX.replace(JUDGE, f"judge: {judge}" if judge else "")
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    return text


def refusal(folder, text):
    with pytest.raises(SpecError) as caught:
        expand(read(folder, text))
    return str(caught.value)


def test_another_network_or_other_images_may_judge(tmp_path, plugins):
    deep = ("recognizer: {plugin: tiny-recognizer}", "recognizer: {plugin: deep}")
    for judge in ("{plugin: tiny-recognizer, data: others}", "{plugin: deep, depth: 2}", "{plugin: tiny-recognizer}"):
        expand(read(tmp_path, with_judge(judge, recognizer=deep)))


def test_a_judge_is_trained_on_train_unless_told(tmp_path, plugins):
    assert read(tmp_path, with_judge("{plugin: deep}")).judge == TrainedJudge(Deep(), "train")


@pytest.mark.parametrize("judge", ["{plugin: tiny-recognizer}", "{plugin: tiny-recognizer, updates: 9, data: train}"])
def test_the_network_that_methods_look_through_may_not_judge_whatever_its_training(judge, tmp_path):
    said = refusal(tmp_path, with_judge(judge))
    assert said.startswith(f"{tmp_path}/matrix.yaml:{LINE}:8: judge: it is the recognizer trained on data 'train'")
    assert "differs from it in seed or training only" in said
    assert "train it on other images with 'data: NAME'" in said


def test_the_same_images_under_another_name_are_the_same(tmp_path):
    again = ("train: {", "again: {plugin: tiny-faces, prefix: q, people: 5}\n  train: {")
    text = with_judge("{plugin: tiny-recognizer, data: again}", data=again)
    assert "it is the recognizer trained on data 'train'" in refusal(tmp_path, text)


def test_a_synthetic_set_is_not_judged_by_what_was_trained_on_it(tmp_path):
    twice = "again: {plugin: tiny-faces, prefix: q, seed: 4}\n  copied: {plugin: tiny-faces, prefix: z, seed: 4}"
    made = ("copied: {plugin: tiny-faces, prefix: z, people: 5}", twice)
    for name in ("copied", "again"):
        text = with_judge(f"{{plugin: deep, data: {name}}}", made=made)
        assert "judge: it is trained on the synthetic set of row 'Copies'" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ("{plugin: unheard}", "no recognizer plugin is called 'unheard'"),
        ("{plugin: tiny-recognizer, data: nowhere}", "no entry of data is called 'nowhere'"),
        ("{plugin: tiny-recognizer, depth: 3}", "depth: unknown parameter"),
        ("{data: others}", "name a recognizer that no method looks through"),
        ("{path: nothing.onnx}", "no such file or folder"),
    ],
)
def test_a_judge_that_cannot_be_made_is_refused_at_its_place(judge, said, tmp_path):
    message = refusal(tmp_path, with_judge(judge))
    assert f"matrix.yaml:{LINE}:" in message
    assert said in message


def test_a_judge_of_another_size_is_refused(tmp_path, monkeypatch):
    of = DataInput.of
    monkeypatch.setattr(
        DataInput, "of", lambda name, *rest: _sized(of(name, *rest), 32 if name == "others" else 16)
    )  # fmt: skip
    said = refusal(tmp_path, MATRIX)
    assert "judge: data 'others' has images of 32 px, data 'train' of 16 px: give both one image_size" in said


def _sized(data, size):
    return DataInput(data.name, data.plugin, data.identities, data.fingerprint, data.images, data.people, size)


def store_of(folder, recognizer, data, size=16, name="other"):
    """Commit a trained recognizer as a matrix would; ``name`` goes into its content."""
    store = Store.open(folder / name)
    work = store.staging(KEY) / "work"
    (work / "sub").mkdir(parents=True)
    np.save(work / "sub" / "mean.npy", np.full((size, size, 3), float(len(name))))
    inputs = {"real": {"data": {"fingerprint": data}}}
    store.commit("recognizer", KEY, work, {"key": {"plugin": keys.plugin_document(recognizer), "inputs": inputs}})
    return store.folder("recognizer", KEY)


TRAIN = TinyFaces(people=5).open().fingerprint


def test_a_brought_judge_may_judge(tmp_path, plugins):
    folder = store_of(tmp_path, TinyRecognizer(), "f" * 64)
    matrix = read(tmp_path, with_judge(f"{{path: {folder}}}"))
    assert isinstance(matrix.judge, BroughtEntry)
    expand(matrix)


def test_a_brought_judge_that_was_trained_like_the_matrix_s_recognizer_is_refused(tmp_path, plugins):
    folder = store_of(tmp_path, TinyRecognizer(updates=3), TRAIN)
    assert "it is the recognizer trained on data 'train'" in refusal(tmp_path, with_judge(f"{{path: {folder}}}"))


def test_a_brought_judge_of_another_size_is_refused(tmp_path, plugins):
    folder = store_of(tmp_path, Deep(), "f" * 64, size=8)
    said = refusal(tmp_path, with_judge(f"{{path: {folder}}}"))
    assert "judge: the recognizer takes images of 8 px and these have 16 px" in said


def test_the_original_recognizer_may_not_judge(tmp_path, plugins):
    folder = store_of(tmp_path, Deep(), "")
    text = with_judge(f"{{path: {folder}}}", train=("train: train", f"train: train\noriginal: {{path: {folder}}}"))
    assert "it is the recognizer brought as 'original'" in refusal(tmp_path, text)


def test_beside_an_original_recognizer_the_matrix_s_own_may_judge(tmp_path, plugins):
    folder = store_of(tmp_path, Deep(), "e" * 64)
    original = ("train: train", f"train: train\noriginal: {{path: {folder}}}")
    expand(read(tmp_path, with_judge("{plugin: tiny-recognizer}", train=original)))


def test_a_judge_trained_like_the_original_is_refused(tmp_path, plugins):
    folder = store_of(tmp_path, Deep(depth=2, updates=4), TRAIN)
    original = ("train: train", f"train: train\noriginal: {{path: {folder}}}")
    assert "brought as 'original'" in refusal(tmp_path, with_judge("{plugin: deep, depth: 2}", train=original))
    expand(read(tmp_path, with_judge("{plugin: deep, depth: 3}", train=original)))


def test_a_recognizer_of_two_sets_is_like_none_of_one(tmp_path, plugins):
    folder = store_of(tmp_path, TinyRecognizer(), TRAIN)
    record = json.loads((folder / "record.json").read_text())
    record["key"]["inputs"]["synthesis"] = {"stage": "s"}
    (folder / "record.json").write_text(json.dumps(record))
    expand(read(tmp_path, with_judge(f"{{path: {folder}}}")))


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (Provenance("n", "d"), Provenance("n", "d", "c"), True),
        (Provenance("n", "d"), Provenance("n", "e"), False),
        (Provenance("n", "d"), Provenance("m", "d"), False),
        (Provenance(content="c"), Provenance("n", "d", "c"), True),
        (Provenance(content="c"), Provenance(content="k"), False),
        (Provenance("n"), Provenance("n"), False),
        (Provenance(), Provenance(), False),
    ],
)
def test_recognizers_are_alike_by_content_or_by_network_and_images(one, other, alike):
    assert one.is_like(other) == other.is_like(one) == alike


@pytest.mark.parametrize(
    ("held_out", "said"),
    [
        ("train", "data 'train' shares 5 identities (a1, a2, a3, a4, a5) with data 'train', which is trained on"),
        ("others", "data 'others' shares 4 identities (c1, c2, c3, c4) with data 'others'"),
        ("copied", "data 'copied' shares 5 identities"),
        ("leaky", "data 'leaky' shares all images with data 'train'"),
    ],
)
def test_people_that_something_is_trained_on_are_not_held_out(held_out, said, tmp_path):
    message = refusal(tmp_path, MATRIX.replace("held_out: strangers", f"held_out: {held_out}"))
    assert said in message
    assert f"matrix.yaml:{LINE + 1}:11" in message


def test_held_out_people_are_an_entry_of_data(tmp_path):
    with pytest.raises(FaceassayError, match="no entry of data is called 'strangrs'; did you mean 'strangers'"):
        read(tmp_path, MATRIX.replace("held_out: strangers", "held_out: strangrs"))
