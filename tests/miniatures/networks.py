"""Tiny networks as the files that users bring: a convolution, flattened, times a matrix. ``expected`` is that by hand.

``fixed`` is the batch size that the file states, None for a free one. Import it after ``pytest.importorskip("onnx")``.
"""

from __future__ import annotations

import numpy as np

SIDE, WIDTH = 8, 5
RNG = np.random.default_rng(7)
KERNEL = RNG.normal(0, 0.5, (4, 3, 2, 2)).astype(np.float32)  # stride 2, so that patches do not overlap
MATRIX = RNG.normal(0, 0.1, (4 * 16, WIDTH)).astype(np.float32)


def expected(x):
    """Return what the networks make of prepared images float32 [B, 3, 8, 8]."""
    patches = x.reshape(len(x), 3, 4, 2, 4, 2)  # B, channel, row, y, column, x
    convolved = np.einsum("bcrysx,ocyx->bors", patches.astype(np.float64), KERNEL.astype(np.float64))
    return np.maximum(convolved, 0).reshape(len(x), -1) @ MATRIX.astype(np.float64)


def faces(count=5, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def embedded(given):
    """Return the embeddings of `faces`; importable by a spawned process."""
    return given.open("cpu", 1).embed(faces())


def model(fixed=1, *, flatten=None, layout="nchw", half=False, more_nodes=(), outputs=None, stale=(), side=SIDE):
    """Return the network as an ONNX model.

    Args:
        fixed: batch size of the input and output, None for a free one.
        flatten: shape to reshape to instead of flattening.
        layout: of the input.
        half: compute in float16.
        more_nodes: nodes after the embedding.
        outputs: names and shapes; by default the embedding alone.
        stale: names listed as inputs that no node reads.
        side: of the images, None for a free one.
    """
    from onnx import TensorProto, helper, numpy_helper

    number, batch = (np.float16 if half else np.float32), fixed or "batch"
    element = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    weights = {"kernel": KERNEL.astype(number), "matrix": MATRIX.astype(number)}
    nodes = [
        helper.make_node("Conv", ["laid", "kernel"], ["convolved"], strides=[2, 2]),
        helper.make_node("Relu", ["convolved"], ["positive"]),
        helper.make_node("Flatten", ["positive"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["embedding"]),
    ]
    if flatten is not None:
        weights["shape"] = np.array(flatten, np.int64)
        nodes[2] = helper.make_node("Reshape", ["positive", "shape"], ["flat"])
    axes = [0, 3, 1, 2] if layout == "nhwc" else [0, 1, 2, 3]
    nodes.insert(0, helper.make_node("Transpose", ["image"], ["laid"], perm=axes))
    size = side or "side"
    shape = [batch, size, size, 3] if layout == "nhwc" else [batch, 3, size, size]
    inputs = [helper.make_tensor_value_info("image", element, shape)]
    inputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in stale]
    graph = helper.make_graph(
        [*nodes, *more_nodes],
        "tiny",
        inputs,
        [
            helper.make_tensor_value_info(name, element, dims)
            for name, dims in (outputs or {"embedding": [batch, WIDTH]}).items()
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def kept_outside(array, name, location):
    """Return a tensor whose numbers lie in the file ``location``."""
    from onnx import TensorProto, numpy_helper

    tensor = numpy_helper.from_array(array, name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(array.nbytes))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def without_matrix():
    """Return the network as an ONNX model that nobody gives its matrix."""
    bare = model(None)
    (matrix,) = (tensor for tensor in bare.graph.initializer if tensor.name == "matrix")
    bare.graph.initializer.remove(matrix)
    return bare


def with_function(nodes):
    """Return the network as an ONNX model in which a function makes the ``matrix`` by ``nodes`` and multiplies."""
    from onnx import helper

    whole = without_matrix()
    head = [*nodes, helper.make_node("MatMul", ["flat", "matrix"], ["embedding"])]
    opset = helper.make_opsetid("", 13)
    whole.functions.append(helper.make_function("own", "Head", ["flat"], ["embedding"], head, [opset]))
    whole.graph.node[-1].CopyFrom(helper.make_node("Head", ["flat"], ["embedding"], domain="own"))
    whole.opset_import.append(helper.make_opsetid("own", 1))
    return whole


def scripted(fixed=None, *, wrap=None):
    """Return the network as a traced TorchScript module; ``wrap`` maps its embedding to what it returns."""
    import torch

    class Tiny(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.kernel = torch.nn.Parameter(torch.from_numpy(KERNEL))
            self.matrix = torch.nn.Parameter(torch.from_numpy(MATRIX))

        def forward(self, x):
            positive = torch.nn.functional.conv2d(x, self.kernel, stride=2).relu()
            flat = positive.reshape(fixed, -1) if fixed else positive.flatten(1)
            embedding = flat @ self.matrix
            return wrap(embedding) if wrap else embedding

    return torch.jit.trace(Tiny().eval(), torch.zeros(fixed or 2, 3, SIDE, SIDE))
