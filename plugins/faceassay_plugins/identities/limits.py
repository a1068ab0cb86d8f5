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
        cosines: to the mean of all images of the class, the image itself among them, float64 [N], of the images that
            are not alone in their class.
        to_others: to the mean of the other images, float64 [N].
        labels: their classes, int64 [N].
    """

    cosines: NDArray[np.float64]
    to_others: NDArray[np.float64]
    labels: IntArray

    def percentile(self, percent: float) -> float:
        """Return a percentile of the cosines, ``percent`` from 0 to 100; few images of a person raise it.

        Raises:
            DataError: when there are none.
        """
        if not len(self.cosines):
            raise DataError("no real person has two images, so none tells how alike they are: give lb and ub")
        return float(np.percentile(self.cosines, percent))

    @property
    def variance(self) -> float | None:
        """The variance of ``to_others`` within classes of three images or more, None without any.

        The mean of all images leans to each of them, more so to the outlying ones, which narrows ``cosines``; and of
        two images both agree alike.
        """
        _, classes, images = np.unique(self.labels, return_inverse=True, return_counts=True)
        means = np.bincount(classes, self.to_others) / images
        squares = ((self.to_others - means[classes]) ** 2)[images[classes] > 2]
        freedom = len(squares) - int((images > 2).sum())
        return float(squares.sum() / freedom) if freedom else None


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
    means = centres(embeddings, labels, classes)
    cosines = np.einsum("nd,nd->n", embeddings, means[labels], dtype=np.float64)
    lengths = np.bincount(labels, cosines, classes).astype(np.float64)  # of the sums of the embeddings of the classes
    to_others = _to_others(cosines, lengths[labels])
    return Agreement(cosines[together], to_others[together], labels[together])


def _to_others(cosines: NDArray[np.float64], lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x^T (s - x) / |s - x| of unit vectors x by their cosines to the sum s of their class and its length.

    0 where the others cancel out.
    """
    along = cosines * lengths
    others = np.sqrt(np.maximum(lengths**2 - 2 * along + 1, 0))
    found: NDArray[np.float64] = np.where(others > 1e-6, (along - 1) / np.maximum(others, 1e-6), 0.0)
    return found
