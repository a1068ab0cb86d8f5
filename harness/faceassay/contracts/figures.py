"""Own the contract of figures: pictures drawn from what a matrix has made. Saving them is the core's."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from faceassay.contracts.plugin import Plugin

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from faceassay.contracts.running import Sources, StageContext


class Figure(Plugin):
    """Draw one picture of a matrix, or of one of its methods at one seed."""

    def needs(self) -> frozenset[str]:
        """Name the inputs beside the real images.

        Any of ``generator`` and ``recognizer`` (trained on the real images: M_orig), which are the matrix's own, and of
        what belongs to one method: ``plan``, ``synthesis``, ``search``.
        """
        return frozenset()

    @abstractmethod
    def draw(self, sources: Sources, run: StageContext) -> Drawing:
        """Return the picture.

        Whatever is drawn from arrays may be written into ``run.folder`` beside it, so that others can draw it anew.

        Args:
            sources: the opened inputs.
            run: its seed is that of nothing else; the evaluations of the generator are counted afterwards.
        """
