"""ONNX files as they come: stale inputs, baked-in batches, several outputs, weights elsewhere, damage."""

import sys

import numpy as np
import pytest

from faceassay.brought import onnx_model
from faceassay.brought.network import one_by_one
from faceassay.brought.preprocessing import Preprocessing, prepared
from faceassay.contracts import DataError, DifferentiableRecognizer, FaceassayError
from faceassay.identity import differentiable
from miniatures import networks

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")
helper = onnx.helper

GREY_LEVELS = Preprocessing("rgb", 0, 1)
NORM = helper.make_node("ReduceL2", ["embedding"], ["norm"], axes=[1], keepdims=1)
TWICE = helper.make_node("Add", ["embedding", "embedding"], ["twice"])


@pytest.fixture
def saved(tmp_path):
    def save(*arguments, **options):
        path = tmp_path / "net.onnx"
        onnx.save(networks.model(*arguments, **options), path)
        return path

    return save


def assert_embeds(recognizer, stated=Preprocessing(), factor=1.0, rtol=1e-5):  # noqa: B008 - frozen
    images = networks.faces()
    wanted = networks.expected(prepared(images, stated)) * factor
    embedded = recognizer.embed(images)
    assert embedded.dtype == np.float32
    np.testing.assert_allclose(embedded, wanted, rtol=rtol, atol=rtol * np.abs(wanted).max())


def takes_batches(recognizer):
    return type(recognizer.network) is not type(one_by_one(recognizer.network))


@pytest.mark.parametrize("fixed", [None, 1, 4])
def test_a_batch_size_of_the_export_is_lifted(saved, fixed):
    recognizer = onnx_model.load(saved(fixed), Preprocessing())
    assert takes_batches(recognizer)
    assert_embeds(recognizer)


@pytest.mark.parametrize("stated", [Preprocessing("bgr"), GREY_LEVELS, Preprocessing("bgr", 100, 50)])
def test_preprocessing_is_applied(saved, stated):
    assert_embeds(onnx_model.load(saved(), stated), stated)


def test_nobody_looks_through_a_network_that_runs_outside_torch(saved):
    recognizer = onnx_model.load(saved(), Preprocessing())
    assert not isinstance(recognizer, DifferentiableRecognizer)
    with pytest.raises(FaceassayError, match=r"a gradient through the recognizer is needed .* ONNX runs outside torch"):
        differentiable(recognizer, networks.SIDE)


def test_image_size_and_centres(saved):
    recognizer = onnx_model.load(saved(), Preprocessing())
    assert recognizer.image_size == networks.SIDE
    assert recognizer.class_centres() is None


@pytest.mark.parametrize("flatten", [[1, 64], [1, -1]])
def test_a_batch_of_one_baked_into_a_reshape_is_given_one_image_at_a_time(saved, flatten, capfd):
    recognizer = onnx_model.load(saved(1, flatten=flatten), Preprocessing())
    assert not takes_batches(recognizer)
    assert_embeds(recognizer)
    assert capfd.readouterr().err == ""


def test_a_larger_batch_baked_into_a_reshape_is_refused(saved):
    with pytest.raises(DataError, match=r"net\.onnx: the network fails on one image of 8 px"):
        onnx_model.load(saved(4, flatten=[4, 64]), Preprocessing())


def test_inputs_that_no_node_reads_are_dropped(saved):
    assert_embeds(onnx_model.load(saved(stale=[f"old{i}" for i in range(29)]), Preprocessing()))


def test_weights_listed_as_inputs_are_no_inputs(tmp_path):
    model = networks.model()
    for weight in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
    onnx.save(model, tmp_path / "net.onnx")
    assert_embeds(onnx_model.load(tmp_path / "net.onnx", Preprocessing()))


def test_an_input_read_inside_a_branch_counts(saved):
    branch = helper.make_graph(
        [helper.make_node("Identity", ["second"], ["chosen"])],
        "branch",
        [],
        [helper.make_tensor_value_info("chosen", onnx.TensorProto.FLOAT, None)],
    )
    node = helper.make_node("If", ["condition"], ["either"], then_branch=branch, else_branch=branch)
    constant = helper.make_node(
        "Constant", [], ["condition"], value=helper.make_tensor("t", onnx.TensorProto.BOOL, [], [True])
    )
    path = saved(more_nodes=[constant, node], stale=["second"], outputs={"embedding": [1, 5], "either": None})
    with pytest.raises(DataError, match=r"has 2 inputs \(image \[1, 3, 8, 8\], second"):
        onnx_model.load(path, Preprocessing())


def test_channels_last_and_half_precision(saved):
    assert_embeds(onnx_model.load(saved(layout="nhwc"), Preprocessing()))
    assert_embeds(onnx_model.load(saved(half=True), Preprocessing()), rtol=5e-3)


def test_the_norm_beside_the_embedding_is_not_taken_for_it(saved):
    path = saved(more_nodes=[NORM], outputs={"norm": [1, 1], "embedding": [1, 5]})
    assert_embeds(onnx_model.load(path, Preprocessing()))


def test_feature_maps_beside_the_embedding_are_not_taken_for_it(saved):
    assert_embeds(onnx_model.load(saved(outputs={"positive": [1, 4, 4, 4], "embedding": [1, 5]}), Preprocessing()))


def test_two_candidates_are_listed_and_one_can_be_named(saved):
    path = saved(more_nodes=[TWICE], outputs={"embedding": [1, 5], "twice": [1, 5]})
    with pytest.raises(DataError, match=r"2 outputs \(embedding \[1, 5\], twice \[1, 5\]\): set output"):
        onnx_model.load(path, Preprocessing())
    assert_embeds(onnx_model.load(path, Preprocessing(), output="twice"), factor=2)
    with pytest.raises(DataError, match="no output 'thrice': set output to one of embedding, twice"):
        onnx_model.load(path, Preprocessing(), output="thrice")


def test_a_pooled_output_of_four_axes_is_flattened(saved):
    node = helper.make_node("GlobalAveragePool", ["positive"], ["pooled"])
    recognizer = onnx_model.load(saved(more_nodes=[node], outputs={"pooled": [1, 4, 1, 1]}), GREY_LEVELS)
    assert recognizer.embed(networks.faces()).shape == (5, 4)


def test_feature_maps_are_no_embedding(saved):
    with pytest.raises(DataError, match="no embedding"):
        onnx_model.load(saved(outputs={"positive": [1, 4, 4, 4]}), Preprocessing())


def test_a_size_that_the_file_leaves_open_is_the_users(saved):
    assert onnx_model.load(saved(side=None), Preprocessing(), image_size=8).image_size == 8
    with pytest.raises(DataError, match="images of 8 px, not the image_size 12"):
        onnx_model.load(saved(), Preprocessing(), image_size=12)


def test_an_input_of_one_channel_is_refused(tmp_path):
    node = helper.make_node("Flatten", ["image"], ["embedding"])
    model = helper.make_model(
        helper.make_graph(
            [node],
            "grey",
            [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 1, 8, 8])],
            [helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, [1, 64])],
        )
    )
    onnx.save(model, tmp_path / "grey.onnx")
    with pytest.raises(DataError, match=r"input is image \[1, 1, 8, 8\]: it must be \[B, 3, S, S\] or"):
        onnx_model.load(tmp_path / "grey.onnx", Preprocessing())


@pytest.mark.parametrize("content", [b"", b"no network", b"\x08\x08\x12\x04"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.onnx: "):
        onnx_model.load(path, Preprocessing())


def test_a_file_cut_short_is_named(saved):
    path = saved()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"net\.onnx: "):
        onnx_model.load(path, Preprocessing())


def external(folder, location="weights.bin"):
    path = folder / "net.onnx"
    onnx.save(networks.model(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_beside_the_file_are_read_and_named(tmp_path):
    path = external(tmp_path)
    assert onnx_model.external_files(path) == ["weights.bin"]
    assert_embeds(onnx_model.load(path, Preprocessing()))
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(DataError, match=r"net\.onnx: its weights in other files"):
        onnx_model.load(path, Preprocessing())


@pytest.mark.parametrize("location", ["../weights.bin", "/dev/zero"])
def test_weights_outside_the_folder_are_refused(tmp_path, location):
    (tmp_path / "inner").mkdir()
    path = external(tmp_path / "inner", location)
    (tmp_path / "inner" / "weights.bin").rename(tmp_path / "weights.bin")
    with pytest.raises(DataError, match="outside its own folder"):
        onnx_model.external_files(path)
    with pytest.raises(DataError, match="its weights in other files"):
        onnx_model.load(path, Preprocessing())


def test_weights_of_a_function_are_read_and_named(tmp_path):
    node = helper.make_node("Constant", [], ["matrix"], value=networks.kept_outside(networks.MATRIX, "m", "m.bin"))
    onnx.save(networks.with_function([node]), tmp_path / "net.onnx")
    networks.MATRIX.tofile(tmp_path / "m.bin")
    assert onnx_model.external_files(tmp_path / "net.onnx") == ["m.bin"]
    assert_embeds(onnx_model.load(tmp_path / "net.onnx", Preprocessing()))


def kept_in_a_branch_of_a_function():
    info = helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, networks.MATRIX.shape)
    kept = networks.kept_outside(networks.MATRIX, "kept", "m.bin")
    branch = helper.make_graph([helper.make_node("Identity", ["kept"], ["out"])], "branch", [], [info], [kept])
    always = onnx.numpy_helper.from_array(np.array(True))
    return networks.with_function(
        [
            helper.make_node("Constant", [], ["always"], value=always),
            helper.make_node("If", ["always"], ["matrix"], then_branch=branch, else_branch=branch),
        ]
    )


def kept_as_sparse_values():
    values = networks.kept_outside(networks.MATRIX.ravel(), "kept", "m.bin")
    values.name = "matrix"
    model, places = networks.without_matrix(), onnx.numpy_helper.from_array(np.arange(networks.MATRIX.size))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, networks.MATRIX.shape))
    return model


@pytest.mark.parametrize("make", [kept_in_a_branch_of_a_function, kept_as_sparse_values])
def test_weights_that_onnxruntime_would_take_from_the_current_folder_are_refused(tmp_path, monkeypatch, make):
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "inner" / "net.onnx"
    path.write_bytes(make().SerializeToString())
    for folder in (tmp_path, tmp_path / "inner"):
        networks.MATRIX.tofile(folder / "m.bin")
    assert onnx_model.external_files(path) == ["m.bin"]
    with pytest.raises(DataError, match=r"net\.onnx: it keeps weights where they cannot be read from"):
        onnx_model.load(path, Preprocessing())


def test_a_network_too_large_for_one_file_is_refused(saved, monkeypatch):
    from google.protobuf.message import EncodeError

    class TooLarge:
        """Do what protobuf does with more than 2 GiB."""

        def __init__(self, model):
            self.graph = model.graph

        def SerializeToString(self):
            raise EncodeError("Failed to serialize proto")

    whole = onnx_model._whole_model
    monkeypatch.setattr(onnx_model, "_whole_model", lambda path: TooLarge(whole(path)))
    with pytest.raises(DataError, match=r"net\.onnx: with its weights it is larger than 2 GiB"):
        onnx_model.load(saved(), Preprocessing())


def test_random_outputs_are_refused(saved):
    noise = helper.make_node("RandomNormalLike", ["embedding"], ["noise"])
    with pytest.raises(DataError, match=r"net\.onnx: the network embeds the same image differently"):
        onnx_model.load(saved(more_nodes=[noise], outputs={"noise": [1, 5]}), Preprocessing())


def test_a_device_that_onnxruntime_lacks_leaves_it_on_the_cpu(saved):
    assert_embeds(onnx_model.load(saved(), Preprocessing(), device="cuda:1", threads=1))


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_says_what_to_install(saved, monkeypatch, package):
    path = saved()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(FaceassayError, match=rf"{package}: pip install 'faceassay\[onnx\]'"):
        onnx_model.load(path, Preprocessing())
