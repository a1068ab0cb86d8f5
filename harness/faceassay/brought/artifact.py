"""Own the opening of a trained recognizer from the folder in which a store keeps it, wherever that folder is now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from faceassay import keys
from faceassay.contracts import (
    DataError,
    DifferentiableRecognizer,
    FaceassayError,
    FittedRecognizer,
    FloatArray,
    ImageBatch,
    Recognizer,
)
from faceassay.fingerprints import file_digests
from faceassay.registry import load_plugins

if TYPE_CHECKING:
    from torch import Tensor

RECORD = "record.json"
"""The store's own file in the folder of an artifact."""


@dataclass(frozen=True)
class Artifact:
    """Hold what the record of a trained recognizer says.

    Attributes:
        folder: where it is.
        plugin: name of the recognizer plugin that trained it.
        parameters: of the plugin.
        inputs: what it was trained on, as its key says.
        files: sha256 (hex) of each file by its path in the folder.
        content: sha256 (hex) of all of them.
    """

    folder: Path
    plugin: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Any]
    files: Mapping[str, str]
    content: str

    @classmethod
    def of(cls, folder: Path) -> Artifact:
        """Read the record in ``folder``; no other file is touched.

        Raises:
            DataError: when there is none, or it is not the record of a recognizer.
        """
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            kind, made = record["kind"], record["key"]["plugin"]
            files = {name: described["sha256"] for name, described in record["files"].items()}
            inputs = record["key"].get("inputs", {})
            artifact = cls(folder, made["name"], made["parameters"], inputs, files, keys.digest(files))
            recorded = record["content"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{folder} holds no trained recognizer ({RECORD}: {type(error).__name__} {error}): "
                "give the folder of one in a store, artifacts/recognizer/..., or an ONNX or TorchScript file"
            ) from error
        if kind != "recognizer" or artifact.content != recorded:
            what = f"holds a {kind}" if kind != "recognizer" else "is not what was written (its files differ)"
            raise DataError(f"{folder / RECORD} {what}: give the folder of a trained recognizer")
        return artifact

    def recognizer(self) -> Recognizer:
        """Return the plugin with the parameters that trained it.

        Raises:
            FaceassayError: when the plugin is not installed, or its parameters are no longer what they were.
        """
        cls: Any = load_plugins().get("recognizer", self.plugin)
        try:
            recognizer: Recognizer = cls.model_validate(self.parameters)
        except ValidationError as error:
            raise FaceassayError(
                f"{self.folder}: the installed {self.plugin!r} does not take the parameters that trained this: "
                f"{error.errors()[0]['msg']}; install the version that the record names"
            ) from error
        return recognizer

    def verify(self) -> None:
        """Check the sha256 of every file.

        Raises:
            DataError: naming the files that are missing, do not belong here, or are not what was written.
        """
        present = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}
        found = file_digests(self.folder, sorted(self.files))
        wrong = [name for name, sha256 in self.files.items() if found[name] != sha256]
        strangers = sorted(present - {RECORD, *self.files})
        if wrong or strangers:
            raise DataError(
                f"{self.folder}: {', '.join(wrong + strangers)} not what was written: copy the artifact from its store"
            )


def load(folder: Path, *, device: str = "cpu") -> FittedRecognizer:
    """Open the trained recognizer in ``folder`` after verifying its files.

    Raises:
        FaceassayError: when the plugin that trained it is not installed.
        DataError: when the folder holds no trained recognizer, or a file is not what was written.
    """
    artifact = Artifact.of(folder)
    artifact.verify()
    return artifact.recognizer().load(folder, device)


def without_centres(recognizer: FittedRecognizer) -> FittedRecognizer:
    """Return ``recognizer`` without class centres; gradients pass through it where they did."""
    if isinstance(recognizer, DifferentiableRecognizer):
        return _DifferentiableHeadless(recognizer, recognizer)
    return _Headless(recognizer)


@dataclass(frozen=True, eq=False)
class _Headless:
    recognizer: FittedRecognizer

    @property
    def image_size(self) -> int:
        return self.recognizer.image_size

    def embed(self, images: ImageBatch) -> FloatArray:
        return self.recognizer.embed(images)

    def class_centres(self) -> None:
        return None


@dataclass(frozen=True, eq=False)
class _DifferentiableHeadless(_Headless):
    differentiable: DifferentiableRecognizer

    def features(self, x: Tensor) -> Tensor:
        return self.differentiable.features(x)
