"""Own how well real images agree with their own person as a recognizer sees them: what lb, ub and W are read off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceassay.contracts import DataError, FloatArray, IntArray
from faceassay.identity import centres


@dataclass(frozen=True, eq=False)
class Agreement:
    """Hold the cosines of real images to the mean embedding of their own class.

    Attributes:
        cosines: float64 [N], of the images that are not alone in their class.
        labels: their classes, int64 [N].
    """

    cosines: NDArray[np.float64]
    labels: IntArray

    def percentile(self, percent: float) -> float:
        """Return a percentile of the cosines, ``percent`` from 0 to 100.

        Raises:
            DataError: when there are none.
        """
        if not len(self.cosines):
            raise DataError("no real person has two images, so none tells how alike they are: give lb and ub")
        return float(np.percentile(self.cosines, percent))

    @property
    def variance(self) -> float:
        """The mean squared distance of a cosine from the mean of its class; 0 where there are none."""
        if not len(self.cosines):
            return 0.0
        _, classes, images = np.unique(self.labels, return_inverse=True, return_counts=True)
        means = np.bincount(classes, self.cosines) / images
        return float(np.mean((self.cosines - means[classes]) ** 2))


def agreement(embeddings: FloatArray, labels: IntArray, classes: int) -> Agreement:
    """Return how well images agree with the mean embedding of their own class.

    Args:
        embeddings: unit rows [N, d].
        labels: class of each, int64 [N], 0 to L - 1.
        classes: their number L.

    Raises:
        DataError: when a mean has no direction.
    """
    # an image alone in its class is its own mean: its cosine of 1 tells nothing
    together = np.bincount(labels, minlength=classes)[labels] > 1
    own = centres(embeddings, labels, classes)[labels]
    cosines = np.einsum("nd,nd->n", embeddings, own, dtype=np.float64)
    return Agreement(cosines[together], labels[together])
