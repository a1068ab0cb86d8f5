"""Own brought networks in use: their output as embeddings, batches that they may not take. Opens no file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceassay.brought.preprocessing import Preprocessing, prepared
from faceassay.contracts import DataError, FaceassayError, FloatArray, ImageBatch

Network = Callable[[FloatArray], FloatArray]
"""float32 [B, 3, S, S], prepared, to float32 [B, d]. Raises DataError when the network cannot."""

BATCH_TOLERANCE = 1e-4
"""How far an embedding, in a batch or again, may be from that of the image alone, relative to its largest value."""


@dataclass(frozen=True, eq=False)
class NetworkRecognizer:
    """Serve a brought network as a recognizer.

    Attributes:
        network: prepared images to embeddings.
        preprocessing: what prepares them.
        image_size: side in pixels of the images that it takes.
    """

    network: Network
    preprocessing: Preprocessing
    image_size: int

    def embed(self, images: ImageBatch) -> FloatArray:
        """Return raw (not normalised) embeddings, float32 [B, d], of uint8 [B, S, S, 3] RGB images.

        Raises:
            FaceassayError: when the images have another size than the network.
            DataError: when the network fails on them.
        """
        side = self.image_size
        if images.shape[1:] != (side, side, 3):
            raise FaceassayError(f"images {images.shape} do not fit a recognizer of [B, {side}, {side}, 3]")
        return self.network(prepared(images, self.preprocessing))

    def class_centres(self) -> None:
        """Return None: a brought network comes without its margin head."""

    def variant(self, preprocessing: Preprocessing) -> NetworkRecognizer:
        """Return the same network behind another preprocessing."""
        return replace(self, preprocessing=preprocessing)


def recognizer_of(network: Network, preprocessing: Preprocessing, image_size: int) -> NetworkRecognizer:
    """Return ``network`` as a recognizer after trying it on two images of noise, alone and together.

    Where the two do not come out of a batch as they do alone (a batch size baked into the network, ranges taken over
    the batch), the network is given one image at a time.

    Raises:
        DataError: when the network cannot embed a single image either, or embeds it otherwise each time.
    """
    noise = np.random.default_rng(0).integers(0, 256, (2, image_size, image_size, 3), dtype=np.uint8)
    x = prepared(noise, preprocessing)
    singly = one_by_one(network)
    alone = singly(x)
    if not _alike(singly(x), alone):
        raise DataError(
            "the network embeds the same image differently each time: "
            "export it in evaluation mode (model.eval()), without dropout and other random layers"
        )
    return NetworkRecognizer(network if _embeds_batches(network, x, alone) else singly, preprocessing, image_size)


def one_by_one(network: Network) -> Network:
    """Return ``network`` made to embed one image at a time."""
    return lambda x: np.concatenate([network(x[i : i + 1]) for i in range(len(x))])


def embeddings_of(output: Any, count: int) -> FloatArray:
    """Return the output of a network on ``count`` images, [count, d] or [count, d, 1, 1], as float32 [count, d].

    Raises:
        DataError: when it has another shape.
    """
    array: NDArray[Any] = np.asarray(output)
    is_rows = array.ndim >= 2 and array.size and array.shape[0] * array.shape[1] == array.size
    if not is_rows or len(array) != count or array.dtype.kind != "f":
        raise DataError(
            f"the output is {array.dtype} {list(array.shape)} for {count} image{'s' * (count > 1)}, "
            f"not floating [{count}, d]: it is no embedding"
        )
    return array.reshape(count, -1).astype(np.float32)


def _embeds_batches(network: Network, x: FloatArray, alone: FloatArray) -> bool:
    try:
        return _alike(network(x), alone)
    except DataError:
        return False


def _alike(embedded: FloatArray, alone: FloatArray) -> bool:
    """Tell whether embeddings agree within the tolerance; those that are not finite must agree exactly."""
    if embedded.shape != alone.shape:
        return False
    size = np.nan_to_num(np.abs(alone).max(1, keepdims=True), posinf=0)
    return bool(np.isclose(embedded, alone, rtol=0, atol=BATCH_TOLERANCE * size, equal_nan=True).all())


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the name of a brought file before what is wrong with it."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
