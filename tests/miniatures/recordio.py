"""Training sets in RecordIO, written from the description of the format: a second implementation, in plain Python."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

MAGIC = bytes.fromhex("0a23d7ce")


def picture(seed=0, size=(12, 12), kind="PNG"):
    """Return the file of a small smooth picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(stream, kind)
    return stream.getvalue()


def framed(payload):
    """Return a record as dmlc-core writes it: cut at every aligned magic number, which is left out."""
    parts, begin = [], 0
    for at in range(0, len(payload) - 3, 4):
        if payload[at : at + 4] == MAGIC:
            parts.append(payload[begin:at])
            begin = at + 4
    parts.append(payload[begin:])
    kinds = [0] if len(parts) == 1 else [1] + [2] * (len(parts) - 2) + [3]
    record = b""
    for kind, part in zip(kinds, parts, strict=True):
        record += MAGIC + struct.pack("<I", kind * 2**29 + len(part)) + part + b"\0" * ((4 - len(part) % 4) % 4)
    return record


def payload(label, image=b"", identifier=0):
    """Return header, labels and image; a list of labels is written behind the header, a single one in it."""
    if isinstance(label, list):
        return struct.pack("<IfQQ", len(label), 0.0, identifier, 0) + struct.pack(f"<{len(label)}f", *label) + image
    return struct.pack("<IfQQ", 0, label, identifier, 0) + image


@dataclass
class RecordSet:
    """Payloads by key; written in the order ``order``, by default that of the keys."""

    payloads: dict[int, bytes]
    order: list[int] = field(default_factory=list)

    def write(self, folder, name="train", classes=None):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        lines, content = [], b""
        for key in self.order or sorted(self.payloads):
            lines.append(f"{key}\t{len(content)}\n")
            content += framed(self.payloads[key])
        (folder / f"{name}.rec").write_bytes(content)
        (folder / f"{name}.idx").write_text("".join(lines))
        if classes is not None:
            (folder / "property").write_text(f"{classes},112,112\n")
        return folder / f"{name}.rec"


def insightface(images, labels, key_zero_last=True):
    """Return a set with a header, images from key 1 on, and one record for each identity."""
    count, people = len(images), sorted(set(labels))
    payloads = {0: payload([count + 1, count + 1 + len(people)])}
    payloads |= {1 + k: payload(float(labels[k]), images[k], 1 + k) for k in range(count)}
    for place, person in enumerate(people):
        keys = [1 + k for k in range(count) if labels[k] == person]
        payloads[count + 1 + place] = payload([min(keys), max(keys) + 1])
    order = [*range(1, len(payloads)), 0] if key_zero_last else []
    return RecordSet(payloads, order)


def im2rec(images, labels, start=0):
    """Return a set without header; labels are numbers or lists."""
    payloads = {
        start + k: payload(label, image, k) for k, (image, label) in enumerate(zip(images, labels, strict=True))
    }
    return RecordSet(payloads)
