"""Small recognizers of 112 px images as users bring them: means of a grid of cells, times a matrix.

``embedded`` is what they compute, by hand. Import ``write_onnx`` after ``pytest.importorskip("onnx")``.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

CELLS = 7


def matrix(width: int = 16, channels: tuple[float, ...] = (1, 1, 1), seed: int = 1) -> np.ndarray:
    """Return float32 [3 * 49, width]; ``channels`` weights what each of the three adds."""
    weights = np.random.default_rng(seed).normal(size=(3, CELLS * CELLS, width))
    return (weights * np.array(channels)[:, None, None]).reshape(-1, width).astype(np.float32)


def embedded(images: np.ndarray, weights: np.ndarray, *, flip: bool = False) -> np.ndarray:
    """Return float64 [N, width] of uint8 [N, S, S, 3] images in the order and scaling that is the default."""
    x = (images[:, :, ::-1] if flip else images).astype(np.float64) / 127.5 - 1
    count, side = len(x), images.shape[1] // CELLS
    cells = x.reshape(count, CELLS, side, CELLS, side, 3).mean(axis=(2, 4))
    return cells.transpose(0, 3, 1, 2).reshape(count, -1) @ weights.astype(np.float64)


def write_onnx(path: Path, weights: np.ndarray, side: int = 112) -> Path:
    """Write the network as an ONNX file with a free batch size and return ``path``."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    cell = [side // CELLS] * 2
    graph = helper.make_graph(
        [
            helper.make_node("AveragePool", ["image"], ["cells"], kernel_shape=cell, strides=cell),
            helper.make_node("Flatten", ["cells"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["embedding"]),
        ],
        "cells",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, side, side])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", weights.shape[1]])],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def write_convolution(path: Path, side: int = 112, width: int = 32, seed: int = 2) -> Path:
    """Write a network of two convolutions and a dense layer as an ONNX file and return ``path``."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)
    after = (side - 3) // 4 + 1
    after = (after - 3) // 2 + 1
    arrays = {
        "first": rng.normal(0, 0.2, (8, 3, 3, 3)),
        "second": rng.normal(0, 0.2, (16, 8, 3, 3)),
        "dense": rng.normal(0, 0.05, (16 * after * after, width)),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "first"], ["a"], strides=[4, 4]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Conv", ["b", "second"], ["c"], strides=[2, 2]),
            helper.make_node("Relu", ["c"], ["d"]),
            helper.make_node("Flatten", ["d"], ["e"]),
            helper.make_node("MatMul", ["e", "dense"], ["embedding"]),
        ],
        "convolutions",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, side, side])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", width])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def write_torchscript(path: Path, weights: np.ndarray, side: int = 112) -> Path:
    """Write the network as a traced TorchScript archive and return ``path``."""
    import torch

    class Cells(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = torch.nn.Parameter(torch.from_numpy(weights))

        def forward(self, x):
            return torch.nn.functional.avg_pool2d(x, side // CELLS).flatten(1) @ self.weights

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(Cells().eval(), torch.zeros(2, 3, side, side)).save(str(path))
    return path
