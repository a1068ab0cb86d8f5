"""Random reads from training sets beside decoding, opening 4.2 million images, a union of three sets."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from measuring import GIB, Measured, alternated, faster, peak_above_inputs, timed
from PIL import Image

from faceassay import FaceDataset
from faceassay.blocks import write_block
from faceassay.shards import assemble
from faceassay.unions import union
from faceassay_plugins.datasets.recordio.plugin import RecordIo
from faceassay_plugins.datasets.shards.plugin import Shards
from miniatures.recordio import im2rec

IMAGES, READS, SIZE = 2_000, 20_000, 112
MANY, PEOPLE = 4_235_242, 205_990
OPENING_SECONDS, OPENING_PEAK = 3.0, 1.5 * GIB
NOTES = f"""\
- Reads: {READS:,} images of {SIZE} px in random order, files in memory, one thread; the reference decodes as many JPEG
  images of these faces with Pillow.
- Opening: a RecordIO set of {MANY:,} tiny records and {PEOPLE:,} identities, as WebFace4M has them; the reference is
  the first opening, which reads the file twice (index, fingerprint). The union is of three such sets.
"""


def jpegs(count: int) -> list[bytes]:
    """Return JPEG images of about the size that aligned faces have."""
    coarse = np.random.default_rng(0).integers(0, 256, (count, 14, 14, 3), dtype=np.uint8)
    streams = [io.BytesIO() for _ in coarse]
    for pixels, stream in zip(coarse, streams, strict=True):
        image = Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        image.save(stream, "JPEG", quality=95)
    return [stream.getvalue() for stream in streams]


def recordio(folder: Path) -> FaceDataset:
    rec = im2rec(jpegs(IMAGES), [float(row % 200) for row in range(IMAGES)]).write(folder)
    return RecordIo(path=rec).open()


def shards(folder: Path) -> FaceDataset:
    """Write and open shards of our own; their images are PNG."""
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(jpeg))) for jpeg in jpegs(IMAGES)])
    write_block(folder / "block", 0, pixels, np.arange(IMAGES) % 200)
    assemble([folder / "block"], folder / "shards", [f"s{k}" for k in range(200)])
    return Shards(path=folder / "shards").open()


def reads(name: str, made: Callable[[Path], FaceDataset]) -> Measured:
    """Measure random reads of stored files against decoding as many."""
    order = np.random.default_rng(0).integers(0, IMAGES, READS).tolist()
    faces = jpegs(IMAGES)
    with tempfile.TemporaryDirectory() as folder:
        data = made(Path(folder))

        def read() -> None:
            for row in order:
                data.encoded(row)

        def decode() -> None:
            for row in order[: READS // 10]:
                np.asarray(Image.open(io.BytesIO(faces[row])).convert("RGB"))

        ours, reference = alternated(read, decode, repeats=3)
    return faster(f"{READS:,} random reads, {name}", ours, reference * 10, 15)


def many_records(folder: Path) -> Path:
    """Write a set as insightface does (header, images, identities) whose images are eight bytes each."""
    total = 1 + MANY + PEOPLE
    word = np.zeros((total, 10), dtype="<u4")
    word[:, 0], word[:, 1] = 0xCED7230A, 32
    label = word[:, 3].view("<f4")
    label[1 : MANY + 1] = np.arange(MANY) * PEOPLE // MANY
    word[1 : MANY + 1, 8] = 0xE0FFD8FF
    word[0, 2] = word[MANY + 1 :, 2] = 2
    word[0, 8:] = np.array([MANY + 1, total], dtype="<f4").view("<u4")
    word.tofile(folder / "train.rec")
    (folder / "train.idx").write_text("".join(f"{key}\t{40 * key}\n" for key in range(total)))
    (folder / "property").write_text(f"{PEOPLE},112,112\n")
    for file in folder.iterdir():
        os.utime(file, (1_000_000_000, 1_000_000_000))
    return folder / "train.rec"


def opening() -> Measured:
    """Measure opening millions of images a second time, in a process that has not seen them."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FACEASSAY_CACHE"] = f"{folder}/cache"
        rec = many_records(Path(folder))
        first = [sys.executable, "-c", "import sys, readers; readers.RecordIo(path=sys.argv[1]).open()", str(rec)]
        cold = timed(lambda: subprocess.run(first, check=True, cwd=Path(__file__).parent))
        seconds: list[float] = []
        peak = peak_above_inputs(lambda: seconds.append(timed(lambda: RecordIo(path=rec).open())))
    (warm,) = seconds
    holds = warm <= OPENING_SECONDS and peak <= OPENING_PEAK
    wanted = f"{OPENING_SECONDS:g} s, {OPENING_PEAK / GIB:g} GiB above the imports"
    work, ratio = f"opening {MANY:,} images again", f"{cold / warm:.0f}x faster"
    return Measured(work, warm, cold, ratio, wanted, holds, peak, "above the imports")


def union_of_three() -> Measured:
    """Measure what a union of three sets takes beside them: labels, and nothing for images or their names."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FACEASSAY_CACHE"] = f"{folder}/cache"
        data = RecordIo(path=many_records(Path(folder))).open()
        kept: list[FaceDataset] = []

        def unite() -> None:
            kept.append(union({"a": data, "b": data, "c": data}))
            assert len(kept[0].item_ids) == len(kept[0].labels) == 3 * MANY

        seconds: list[float] = []
        peak = peak_above_inputs(lambda: seconds.append(timed(unite)))
    labels = kept[0].labels.nbytes
    wanted = "memory for labels alone, at most 2.5 times theirs"
    ratio = f"{peak / labels:.2f}x the labels"
    work = f"union of three sets of {MANY:,} images"
    return Measured(work, seconds[0], seconds[0], ratio, wanted, peak <= 2.5 * labels, peak, "above the inputs")


CASES: Mapping[str, Callable[[], Measured]] = {
    "recordio-reads": partial(reads, "RecordIO", recordio),
    "shard-reads": partial(reads, "tar shards", shards),
    "recordio-opening": opening,
    "union": union_of_three,
}
