"""Training of the recognizer, with files decoded and images augmented, beside a bare loop over the same network."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from measuring import Measured, alternated, slower
from PIL import Image
from torch.nn import functional

from faceassay_plugins.datasets.images import decode
from faceassay_plugins.recognizers.iresnet import batches
from faceassay_plugins.recognizers.iresnet.course import batches as order_of
from faceassay_plugins.recognizers.iresnet.plugin import IResNet
from faceassay_plugins.recognizers.iresnet.training import Training
from fakes import stage_context, toy_faces

CLASSES, PER_CLASS, BATCH, SIDE, STEPS = 200, 2, 32, 112, 2
NETWORKS = {"small": {"depth": (1, 1, 1, 1), "width": 24}, "mid": {"depth": 18, "width": 48}}
NOTES = f"""\
- Recognizer: {STEPS} steps of {BATCH} images of {SIDE} px, JPEG files decoded ahead in as many threads as torch has,
  AdaFace's augmentations, ArcFace, clipping, SGD; `small` has {NETWORKS["small"]["width"]} channels and one block a
  stage, `mid` {NETWORKS["mid"]["width"]} and IR18's blocks. The reference has its images in memory, channels last:
  forward pass, softmax over cosines, backward pass, SGD.
"""


class Files:
    """Serve toy faces as a set of files does: each image is decoded whenever it is read."""

    def __init__(self) -> None:
        faces = toy_faces(CLASSES, PER_CLASS, SIDE)
        self.labels, self.identities, self.image_size = faces.labels, faces.identities, SIDE
        self.files = [jpeg(pixels) for pixels in faces.pixels]

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, index):
        return np.stack([decode(self.files[row], SIDE, "crop") for row in index])


def jpeg(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def training(size: str, threads: int) -> Measured:
    """Measure steps of the training as it is against those of a bare loop."""
    torch.set_num_threads(threads)
    recipe = IResNet(**NETWORKS[size], batch_size=BATCH, updates=10**6)
    data, bare = Files(), recipe.backbone().to(memory_format=torch.channels_last).train()
    with tempfile.TemporaryDirectory() as folder:
        ours = Training(recipe, CLASSES, 10**6, stage_context(Path(folder), threads=threads))
        read = batches.read_ahead(data.images, order_of(len(data), BATCH, 1), threads)
        centres = torch.nn.Parameter(ours.head.centres.detach().clone())
        sgd = torch.optim.SGD([*bare.parameters(), centres], lr=0.1, momentum=0.9, weight_decay=5e-4)
        x = torch.randn(BATCH, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
        labels = torch.arange(BATCH)

        def steps() -> None:
            for step, (index, images) in enumerate(islice(read, STEPS)):
                ours.update(step, images, data.labels[index])

        def loop() -> None:
            for _ in range(STEPS):
                sgd.zero_grad()
                cosine = functional.normalize(bare(x)) @ functional.normalize(centres).T
                functional.cross_entropy(64 * cosine, labels).backward()
                sgd.step()

        steps(), loop()
        mine, reference = alternated(steps, loop, repeats=5)
    work = f"training iresnet {size}, {SIDE} px, {threads} thread{'s' if threads > 1 else ''}"
    return slower(work, mine, reference, 1 / 0.95, None, None, "")


CASES: Mapping[str, Callable[[], Measured]] = {
    f"recognizer-{size}-{threads}": partial(training, size, threads) for size in NETWORKS for threads in (1, 2)
}
