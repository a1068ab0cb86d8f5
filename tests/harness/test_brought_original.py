"""``original:`` in a matrix: the trained recognizer that methods look through, checked before anything runs."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from faceassay.brought.opening import BroughtRecognizer
from faceassay.cli.matrix import expanded
from faceassay.contracts import DifferentiableRecognizer
from faceassay.inputs import open_sources
from faceassay.keys import plugin_document
from faceassay.spec import SpecError
from faceassay.store import Store
from faceassay_plugins.augmentations.scoremix import ScoreMix
from faceassay_plugins.generators.edm2.plugin import Edm2
from faceassay_plugins.recognizers.iresnet.plugin import IResNet
from matrices import MATRIX, SIZE, position, write_faces

BOTH = frozenset({"generator", "recognizer"})


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Return the folder of a matrix whose ScoreMix reads the original recognizer."""
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(ScoreMix, "needs", lambda self: BOTH)
    write_faces(tmp_path)
    save_torchscript(tmp_path)
    return tmp_path


@pytest.fixture
def looks_through(monkeypatch):
    monkeypatch.setattr(ScoreMix, "needs_gradient", lambda self: True)


def save_torchscript(folder, side=SIZE, seed=0):
    torch.manual_seed(seed)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * side * side, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network.eval(), torch.zeros(2, 3, side, side)).save(folder / "own.pt")


def save_onnx(folder):
    onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(0).normal(0, 1, (3 * SIZE * SIZE, 4)).astype(np.float32)
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "weight"], ["y"])]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", ["n", 3, SIZE, SIZE]), ("y", ["n", 4]))
    ]
    graph = helper.make_graph(nodes, "own", values[:1], values[1:], [numpy_helper.from_array(weight, "weight")])
    opsets = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "own.onnx")


def matrix(folder, original="{path: own.pt, image_size: 16}"):
    text = MATRIX.replace("methods:", f"original: {original}\nmethods:", 1)
    (folder / "matrix.yaml").write_text(text)
    return text


def graph_of(folder, original="{path: own.pt, image_size: 16}"):
    matrix(folder, original)
    return expanded(folder / "matrix.yaml", None)[2]


def synthesis(graph):
    return next(stage for stage in graph.stages.values() if stage.kind == "synthesis" and "scoremix" in stage.title)


def refusal(folder, original):
    """Return where, as line and column in the text, and why a matrix is refused."""
    text = matrix(folder, original)
    with pytest.raises(SpecError) as caught:
        expanded(folder / "matrix.yaml", None)
    [problem] = caught.value.problems
    where = re.match(r"(.*):(\d+):(\d+): ", str(problem))
    assert where[1].endswith("matrix.yaml")
    assert (int(where[2]), int(where[3])) == position(text, original)
    return str(problem)


def test_methods_look_through_the_brought_recognizer(folder, looks_through):
    stage = synthesis(graph_of(folder))
    recognizer = open_sources(stage, Store(folder / "store")).recognizer
    assert isinstance(stage.inputs["recognizer"], BroughtRecognizer)
    assert isinstance(recognizer, DifferentiableRecognizer)
    assert recognizer.features(torch.zeros(1, 3, SIZE, SIZE)).shape == (1, 4)


def test_no_recognizer_is_trained_for_the_methods_beside_those_of_the_rows(folder):
    trained = [stage for stage in graph_of(folder).stages.values() if stage.kind == "recognizer"]
    assert [stage.title for stage in trained] == [
        "recognizer Real, seed 0",
        "recognizer Blend + real, seed 0",
        "recognizer ScoreMix, seed 0",
    ]


def test_a_generator_reads_it_too(folder, monkeypatch):
    monkeypatch.setattr(Edm2, "needs", lambda self: frozenset({"recognizer"}))
    generator = next(stage for stage in graph_of(folder).stages.values() if stage.kind == "generator")
    assert isinstance(generator.inputs["recognizer"], BroughtRecognizer)


def test_keys_hold_what_was_brought_and_how_it_is_used(folder):
    plain = synthesis(graph_of(folder))
    brought = plain.key.document["inputs"]["recognizer"]["brought"]
    assert (brought["kind"], len(brought["fingerprint"])) == ("torchscript", 64)
    assert synthesis(graph_of(folder, "{path: own.pt, image_size: 16, colour: bgr}")).digest != plain.digest
    (folder / "moved.pt").write_bytes((folder / "own.pt").read_bytes())
    assert synthesis(graph_of(folder, "{path: moved.pt, image_size: 16}")).digest == plain.digest
    save_torchscript(folder, seed=1)
    assert synthesis(graph_of(folder)).digest != plain.digest


def save_artifact(folder, trained_on):
    """Commit an untrained network as one that was trained on the images of a fingerprint; return its folder."""
    plugin = IResNet(depth=(1, 1, 1, 1), width=8, image_size=SIZE, embedding=6)
    store, key = Store.open(folder / trained_on), "cd" * 32
    work = store.staging(key) / "work"
    work.mkdir(parents=True)
    save_file(plugin.backbone().state_dict(), work / "network.safetensors")
    save_file({"centres": torch.ones(4, 6)}, work / "centres.safetensors")
    inputs = {"real": {"data": {"fingerprint": trained_on}}}
    store.commit("recognizer", key, work, {"key": {"plugin": plugin_document(plugin), "inputs": inputs}})
    return store.folder("recognizer", key)


def test_class_centres_count_where_the_recognizer_was_trained_on_these_images(folder):
    real = graph_of(folder).data["train"].fingerprint
    stages = [synthesis(graph_of(folder, f"{{path: {save_artifact(folder, saw)}}}")) for saw in (real, "others")]
    same, other = (open_sources(stage, Store(folder / "store")).recognizer.class_centres() for stage in stages)
    assert same.shape == (4, 6)
    assert other is None
    assert stages[0].inputs["recognizer"].fingerprint == stages[1].inputs["recognizer"].fingerprint
    assert len({stage.digest for stage in stages}) == 2


def test_an_onnx_file_is_refused_where_a_gradient_is_needed(folder, looks_through):
    save_onnx(folder)
    said = refusal(folder, "{path: own.onnx}")
    assert "original: a gradient through the recognizer is needed and NetworkRecognizer gives none" in said


def test_an_onnx_file_will_do_where_none_is(folder):
    save_onnx(folder)
    recognizer = synthesis(graph_of(folder, "{path: own.onnx}")).inputs["recognizer"]
    assert (recognizer.name, recognizer.kind) == ("own.onnx", "onnx")


@pytest.mark.parametrize("gradient", [False, True])
def test_another_image_size_is_refused(folder, monkeypatch, gradient):
    monkeypatch.setattr(ScoreMix, "needs_gradient", lambda self: gradient)
    save_torchscript(folder, 8)
    said = refusal(folder, "{path: own.pt, image_size: 8}")
    assert "original: the recognizer takes images of 8 px and these have 16 px" in said


def test_a_file_that_is_no_recognizer_is_refused(folder):
    (folder / "own.pt").write_text("no archive")
    said = refusal(folder, "{path: own.pt, image_size: 16}")
    assert "is neither an ONNX file" in said
