"""Embed the images of a pack once per recognizer, plain and mirrored."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from faceassay.contracts import (
    DataError,
    Features,
    FloatArray,
    ImageBatch,
    IntArray,
    Pack,
    PackReader,
    Sources,
    StageContext,
)

BATCH = 64
"""Images embedded together: fixed, because the bytes of a batch depend on its size."""
AHEAD = 3
"""Batches read and decoded while the network works."""
FILES = ("embeddings.npy", "flipped.npy")


def run(plugin: PackReader, sources: Sources, context: StageContext) -> None:
    """Embed and write ``embeddings.npy`` and ``flipped.npy``, float32 [N, d], raw.

    Rows are written as they come and noted in checkpoints, so that a killed stage goes on where it was.

    Raises:
        DataError: when the pack's images are not of the size that the recognizer takes.
    """
    pack, recognizer = sources.open("benchmark"), sources.recognizer
    if pack.image_size != recognizer.image_size:
        sizes = f"gives images of {pack.image_size} px, the recognizer takes {recognizer.image_size} px"
        raise DataError(f"the benchmark {sizes}: set the benchmark's image_size, and other_sizes to resize")
    step, paths = _resumed(context), [context.scratch / name for name in FILES]
    arrays: list[FloatArray] = []
    for index, batch in _decoded(pack, step):
        embedded = [recognizer.embed(view) for view in (batch, np.ascontiguousarray(batch[:, :, ::-1]))]
        shape = (len(pack), embedded[0].shape[1])
        arrays = arrays or [_opened(path, shape, new=step == 0) for path in paths]
        for array, values in zip(arrays, embedded, strict=True):
            array[index] = values
        step = int(index[-1]) + 1
        context.progress(step, len(pack))
        if context.checkpoints.due():
            _flush(arrays)
            context.checkpoints.save(step, {})
    _flush(arrays)
    for path in paths:
        path.rename(context.folder / path.name)


def load(plugin: PackReader, folder: Path, device: str) -> Features:
    """Open stored embeddings, memory-mapped."""
    return Features(*(np.load(folder / name, mmap_mode="r") for name in FILES))


def _decoded(pack: Pack, start: int) -> Iterator[tuple[IntArray, ImageBatch]]:
    """Yield the rows and images of each batch from row ``start`` on, the next ones being decoded meanwhile."""
    batches = [np.arange(at, min(at + BATCH, len(pack))) for at in range(start, len(pack), BATCH)]
    with ThreadPoolExecutor(1) as reader:
        coming: list[Future[ImageBatch]] = [reader.submit(pack.images, index) for index in batches[:AHEAD]]
        try:
            for number, index in enumerate(batches):
                batch = coming.pop(0).result()
                if number + AHEAD < len(batches):
                    coming.append(reader.submit(pack.images, batches[number + AHEAD]))
                yield index, batch
        finally:
            reader.shutdown(cancel_futures=True)


def _resumed(context: StageContext) -> int:
    """Return how many rows an earlier attempt left behind."""
    step, _, _ = context.checkpoints.load() or (0, {}, {})
    return step if all((context.scratch / name).exists() for name in FILES) else 0


def _opened(path: Path, shape: tuple[int, int], *, new: bool) -> FloatArray:
    return open_memmap(path, "w+", dtype=np.float32, shape=shape) if new else open_memmap(path, "r+")


def _flush(arrays: list[FloatArray]) -> None:
    for array in arrays:
        array.flush()  # type: ignore[attr-defined]  # open_memmap's arrays have it
