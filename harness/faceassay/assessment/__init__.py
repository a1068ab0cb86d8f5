"""Own what is measured on image sets through a recognizer that no method saw: pure functions on arrays, no stages."""

from __future__ import annotations

from typing import ClassVar

from faceassay.contracts import Plugin


class Assessment(Plugin):
    """Measure an image set by the embeddings of a judge; what exactly, the kind of the stage says."""

    name: ClassVar[str] = "assessment"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Consistency, separation, diversity, nearest training images and overlaps of a set"
