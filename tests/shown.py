"""Own what README and docs show: their blocks, the place where shown commands run, and what these commands read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from miniatures.bins import alternating, photographs, write_bin
from miniatures.ijb import write_ijb

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))
_FENCED = re.compile(r"^(?P<fence>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=fence)[ ]*$", flags=re.S | re.M)


@dataclass(frozen=True)
class Block:
    """A block of a document: its language, its text, and the line that it begins at."""

    language: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a Markdown file in their order."""
    text = page.read_text(encoding="utf-8")
    found = _FENCED.finditer(text)
    return [Block(match["language"].strip(), match["text"], text[: match.start()].count("\n") + 1) for match in found]


def commands_in(text: str) -> Iterator[str]:
    """Yield the commands of a block of shell: its lines, without comments; a backslash at the end goes on."""
    lines = (line.strip() for line in text.replace("\\\n", " ").splitlines())
    return (line for line in lines if line and not line.startswith("#"))


def run(command: list[str], **more):
    """Run a command as a user would, in a process of its own; return what it prints."""
    environment = {**os.environ, "FACEASSAY_PYTHON": sys.executable, "PYTHONPATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def furnish(folder: Path) -> None:
    """Put into ``folder`` what shown commands read: the matrices of the reports, and something to score.

    That is a miniature ``lfw.bin`` and ``IJBC``, a network, and embeddings of the first.
    """
    for report in sorted((ROOT / "reports").glob("*/matrix.yaml")):
        leave = shutil.ignore_patterns("*.html", "quality")
        shutil.copytree(report.parent, folder / "reports" / report.parent.name, ignore=leave)
    write_bin(folder / "lfw.bin", photographs(40, 112), alternating(20))
    write_ijb(folder)
    mean_of_blocks(folder / "model.onnx")
    np.savez(folder / "embeddings.npz", embeddings=np.random.default_rng(0).normal(size=(40, 16)))


def mean_of_blocks(path: Path) -> None:
    """Write a network whose embedding is the image at 8x8 pixels."""
    onnx = pytest.importorskip("onnx")
    images, rows = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("images", [1, 3, 112, 112]), ("rows", [1, 192]))
    )
    nodes = [
        onnx.helper.make_node("AveragePool", ["images"], ["small"], kernel_shape=[14, 14], strides=[14, 14]),
        onnx.helper.make_node("Flatten", ["small"], ["rows"]),
    ]
    graph = onnx.helper.make_graph(nodes, "mean", [images], [rows])
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
