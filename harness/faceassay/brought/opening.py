"""Own brought recognizers as inputs of stages: of which kind a file is, its place in a key, its opening."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from faceassay import keys
from faceassay.brought import onnx_model, torchscript
from faceassay.brought.artifact import Artifact, without_centres
from faceassay.brought.artifact import load as load_artifact
from faceassay.brought.preprocessing import Preprocessing
from faceassay.contracts import DataError, FittedRecognizer
from faceassay.fingerprints import file_digests, path_fingerprint, tree_fingerprint
from faceassay.sourcecode import source_digest

Kind = Literal["onnx", "torchscript", "artifact"]
CODE = {"onnx": "faceassay.brought.onnx_model", "torchscript": "faceassay.brought.torchscript"}
"""The module of the core that runs each kind of network; a trained artifact is run by its plugin."""


@dataclass(frozen=True)
class BroughtRecognizer:
    """Be a recognizer in a file as an input of a stage; it is opened anew wherever the stage runs.

    Attributes:
        path: an ONNX file, a TorchScript archive, or the folder of a trained recognizer in a store.
        kind: which of these it is.
        fingerprint: sha256 (hex) of the content, weights in other files included.
        preprocessing: what prepares the images; None for an artifact, which prepares them itself.
        image_size: side of the images in pixels where the user said it.
        output: name of the embedding among several outputs of an ONNX network.
        centres: whether the class centres of an artifact are those of the classes that they are asked for.
    """

    path: Path
    kind: Kind
    fingerprint: str
    preprocessing: Preprocessing | None = None
    image_size: int | None = None
    output: str | None = None
    centres: bool = True

    @classmethod
    def of(
        cls,
        path: Path,
        *,
        preprocessing: Preprocessing | None = None,
        image_size: int | None = None,
        output: str | None = None,
    ) -> BroughtRecognizer:
        """Look at the file to learn its kind and fingerprint; a network without ``preprocessing`` has the usual one.

        Raises:
            FaceassayError: when it is an ONNX file and onnx is not installed.
            DataError: when the file is none of the three kinds, or is given what its kind does not take.
        """
        kind = kind_of(path)
        given: dict[str, Any] = {"preprocessing": preprocessing, "image_size": image_size, "output": output}
        refused, reason = _REFUSED[kind]
        wrong = [name for name in refused if given[name] is not None]
        if wrong:
            raise DataError(f"{path}: {' and '.join(wrong)} cannot be given: {reason}")
        prepared_by = None if kind == "artifact" else preprocessing or Preprocessing()
        return cls(path.absolute(), kind, content_fingerprint(path, kind), prepared_by, image_size, output)

    @property
    def name(self) -> str:
        """Name of the file or folder."""
        return self.path.name

    @property
    def absent(self) -> str:
        """Nothing: what was brought is there."""
        return ""

    @property
    def document(self) -> dict[str, Any]:
        """The part of a key that stands for this recognizer."""
        return {
            "brought": {
                "kind": self.kind,
                "fingerprint": self.fingerprint,
                "code": _code(self.kind, self.path),
                "preprocessing": self.preprocessing and self.preprocessing.document,
                "image_size": self.image_size,
                "output": self.output,
                "centres": self.centres,
            }
        }

    def open(self, device: str = "cpu", threads: int = 2) -> FittedRecognizer:
        """Open the recognizer on ``device``; ``threads`` counts for ONNX, torch has its own setting.

        Raises:
            FaceassayError: when a package or plugin that it needs is not installed.
            DataError: when the file changed since its fingerprint was taken, or cannot be used.
        """
        if content_fingerprint(self.path, self.kind) != self.fingerprint:
            raise DataError(f"{self.path} changed meanwhile: run again")
        if self.preprocessing is None:
            recognizer = load_artifact(self.path, device=device)
            return recognizer if self.centres else without_centres(recognizer)
        if self.kind == "onnx":
            return onnx_model.load(
                self.path,
                self.preprocessing,
                image_size=self.image_size,
                output=self.output,
                device=device,
                threads=threads,
            )
        size = self.image_size or onnx_model.FALLBACK_SIZE
        return torchscript.load(self.path, self.preprocessing, image_size=size, device=device)


_REFUSED: dict[Kind, tuple[tuple[str, ...], str]] = {
    "onnx": ((), ""),
    "torchscript": (("output",), "a TorchScript network returns its embedding, or a tuple that begins with it"),
    "artifact": (
        ("preprocessing", "image_size", "output"),
        "a trained recognizer prepares its images as it did in training",
    ),
}


def kind_of(path: Path) -> Kind:
    """Return what ``path`` is, without running or unpickling anything.

    Raises:
        DataError: when there is nothing, or nothing of these kinds.
    """
    if path.is_dir():
        return "artifact"
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    if path.suffix.lower() == ".onnx":
        return "onnx"
    if torchscript.is_archive(path):
        return "torchscript"
    raise DataError(
        f"{path} is neither an ONNX file (.onnx) nor a whole TorchScript archive nor a trained recognizer's folder. "
        "Weights without their network, as torch.save writes them, are not opened: "
        "export the network with torch.onnx.export, or with torch.jit.trace(...).save"
    )


def content_fingerprint(path: Path, kind: Kind) -> str:
    """Return sha256 (hex) of what ``path`` holds: a file, a file with the weights kept beside it, or an artifact.

    Raises:
        FaceassayError: when it is an ONNX file and onnx is not installed.
        DataError: when a file cannot be read.
    """
    if kind == "artifact":
        return Artifact.of(path).content
    beside = onnx_model.external_files(path) if kind == "onnx" else []
    if beside:
        return tree_fingerprint({"": path_fingerprint(path), **file_digests(path.parent, beside)})
    return path_fingerprint(path)


@lru_cache
def _code(kind: Kind, path: Path) -> Any:
    """Return what a key says of the code that runs the recognizer; of a trained one, of the plugin installed now."""
    if kind == "artifact":
        return keys.plugin_document(Artifact.of(path).recognizer())
    return source_digest(CODE[kind], packages=("faceassay",))
