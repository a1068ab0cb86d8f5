"""Own who may judge: recognizers brought from outside, the judge and the held-out people, and why some are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from faceassay import keys
from faceassay.brought.artifact import Artifact
from faceassay.brought.opening import BroughtRecognizer
from faceassay.brought.preprocessing import Preprocessing
from faceassay.contracts import FaceassayError, Recognizer
from faceassay.given import DataInput
from faceassay.identity import require_size
from faceassay.people import named, same_images, shared_people
from faceassay.spec import MatrixSpec
from faceassay.spec.model import BroughtEntry
from faceassay.spec.reader import TrainedJudge
from faceassay.spec.yaml import Problem

OTHER = "choose another network (such as another depth), or train it on other images with 'data: NAME'"


def brought_recognizer(entry: BroughtEntry) -> BroughtRecognizer:
    """Return a trained recognizer that a spec names by its path.

    Raises:
        FaceassayError: when the file is no recognizer, or is given what its kind does not take.
    """
    stated = entry.model_fields_set & {"colour", "mean", "std"}
    preprocessing = Preprocessing(entry.colour, entry.mean, entry.std) if stated else None
    return BroughtRecognizer.of(
        entry.path, preprocessing=preprocessing, image_size=entry.image_size, output=entry.output
    )


@dataclass(frozen=True)
class Provenance:
    """Say where a recognizer is from, as far as is known.

    Attributes:
        network: plugin and architecture as canonical JSON; empty where unknown.
        data: fingerprint of the images that it is trained on (their name, where they are absent); empty where unknown.
        content: sha256 (hex) of a trained one; empty for one that is still to be trained.
    """

    network: str = ""
    data: str = ""
    content: str = ""

    @classmethod
    def of_training(cls, recognizer: Recognizer, data: DataInput) -> Provenance:
        """Describe a recognizer that is trained on ``data``."""
        return cls(_network(recognizer), data.fingerprint or data.name)

    @classmethod
    def of_brought(cls, brought: BroughtRecognizer) -> Provenance:
        """Describe a trained recognizer; only that of a store says how it came about.

        Raises:
            FaceassayError: when the plugin that trained it is not installed.
        """
        if brought.kind != "artifact":
            return cls(content=brought.fingerprint)
        artifact = Artifact.of(brought.path)
        return cls(_network(artifact.recognizer()), _trained_on(artifact.inputs), brought.fingerprint)

    def is_like(self, other: Provenance) -> bool:
        """Tell whether both are one recognizer, or one network trained twice on the same images."""
        alike = self.network and self.data and (self.network, self.data) == (other.network, other.data)
        return bool(alike or (self.content and self.content == other.content))


def original_recognizer(entry: BroughtEntry, real: DataInput) -> BroughtRecognizer:
    """Return the recognizer that methods look through; a trained one has class centres where it saw these images alone.

    Those of another training are other people's, however many there are.

    Raises:
        FaceassayError: as ``brought_recognizer``.
    """
    brought = brought_recognizer(entry)
    knows_them = brought.kind != "artifact" or Provenance.of_brought(brought).data == real.fingerprint
    return brought if knows_them else replace(brought, centres=False)


def judging_problems(matrix: MatrixSpec, data: Mapping[str, DataInput]) -> list[Problem]:
    """Return what keeps the judge of a matrix from judging, and the held-out people from being held out."""
    place = matrix.located.place
    problems = [Problem(place(("held_out",)), text) for text in _not_held_out(matrix, data)]
    try:
        faults = list(_faults(matrix, data))
    except (FaceassayError, ValueError) as error:
        faults = [str(error)]
    return problems + [Problem(place(("judge",)), f"judge: {text}") for text in faults]


def _faults(matrix: MatrixSpec, data: Mapping[str, DataInput]) -> Iterator[str]:
    judge, real = matrix.judge, data[matrix.spec.train]
    if judge is None:
        return
    if isinstance(judge, TrainedJudge):
        source = data[judge.data]
        if source.image_size != real.image_size:
            yield (
                f"data {source.name!r} has images of {source.image_size} px, data {real.name!r} of "
                f"{real.image_size} px: give both one image_size"
            )
        judge.recognizer.check(source.image_size, len(source.people))
        judged = [row.name for row in matrix.methods if row.synthetic and same_images(data[row.synthetic], source)]
        if judged and not same_images(source, real):
            yield (
                f"it is trained on the synthetic set of row {judged[0]!r}, whose classes it would find as it was "
                "taught: train it on other images with 'data: NAME'"
            )
        provenance = Provenance.of_training(judge.recognizer, source)
    else:
        brought = brought_recognizer(judge)
        require_size(brought.open().image_size, real.image_size)
        provenance = Provenance.of_brought(brought)
    if provenance.is_like(_looked_through(matrix, real)):
        whose = "brought as 'original'" if matrix.spec.original else f"trained on data {real.name!r}"
        yield (
            f"it is the recognizer {whose}, which methods look through, or differs from it in seed or training only: "
            f"it would confirm what they optimised; {OTHER}, or bring another with 'path: FILE'"
        )


def _looked_through(matrix: MatrixSpec, real: DataInput) -> Provenance:
    if matrix.spec.original:
        return Provenance.of_brought(brought_recognizer(matrix.spec.original))
    return Provenance.of_training(matrix.recognizer, real)


def _not_held_out(matrix: MatrixSpec, data: Mapping[str, DataInput]) -> Iterator[str]:
    """Yield with which data that something is trained on the held-out people are shared."""
    if matrix.spec.held_out is None:
        return
    held_out = data[matrix.spec.held_out]
    judges = [matrix.judge.data] if isinstance(matrix.judge, TrainedJudge) else []
    for name in dict.fromkeys([*matrix.trained_on, *judges]):
        trained = data[name]
        shared = shared_people(trained, held_out).names
        if same_images(held_out, trained) or shared:
            of = f"{len(shared)} identities ({named(shared)})" if shared else "all images"
            remedy = f"hold out other people, or give people who are not those of data {name!r} other names"
            yield f"data {held_out.name!r} shares {of} with data {name!r}, which is trained on: {remedy}"
    if held_out.image_size != data[matrix.spec.train].image_size:
        yield f"data {held_out.name!r} has images of {held_out.image_size} px: give it the image_size of the others"


def _network(recognizer: Recognizer) -> str:
    return keys.canonical([recognizer.name, dict(recognizer.architecture())])


def _trained_on(inputs: Mapping[str, Any]) -> str:
    """Return the fingerprint of the only data in the key of a trained recognizer; empty where there is other."""
    if {*inputs} - {"validation"} != {"real"}:
        return ""
    return str(inputs["real"].get("data", {}).get("fingerprint", ""))
