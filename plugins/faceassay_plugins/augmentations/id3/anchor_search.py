"""Own ID3's anchors as a stage: they are searched for once and serve every seed. The geometry is in ``identities``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from faceassay.contracts import FloatArray, Search, Sources, StageContext, parameter
from faceassay.identity import centres, embedded
from faceassay_plugins.identities import Kind, anchors, cosine_bound, nearest_cosines


class AnchorSearch(Search):
    """Place anchors on the sphere of the recognizer's embeddings (ID3, section 3.5)."""

    name: ClassVar[str] = "id3-anchors"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "ID3's anchors: unit vectors far from each other (Tammes problem)"

    count: int = parameter(10000, ge=2, unit="identities", description="number of anchors N")
    kind: Kind = parameter("tammes", description="tammes: far from each other; random: uniform on the sphere")
    optimiser_steps: int = parameter(1000, ge=1, unit="steps", description="steps where no closed form is known")

    def needs(self) -> frozenset[str]:
        """Name the recognizer, whose embeddings have the anchors' width."""
        return frozenset({"recognizer"})

    def work(self, identities: int) -> int:
        """Return 0: no image is sampled."""
        return 0

    def run(self, sources: Sources, run: StageContext) -> Mapping[str, Any]:
        """Place the anchors and say how far they are from each other and from real people.

        Returns:
            ``anchors``, float32 [N, d]; their ``largest_cosine``, ``mean_nearest_cosine`` and the ``bound`` that no
            anchors are below; ``to_real_centres``: the cosines to the nearest real class centre, largest and mean.

        Raises:
            DataError: when an embedding of the recognizer, or the centre of a class, has no direction.
        """
        told, real = real_centres(sources, run)
        width = real.shape[1]
        placed = anchors(
            self.count,
            width,
            self.kind,
            run.seed,
            steps=self.optimiser_steps,
            device=run.device,
            checkpoints=run.checkpoints,
            progress=run.progress,
        )
        nearest, to_real = nearest_cosines(placed), nearest_cosines(placed, real)
        found = {
            "kind": self.kind,
            "width": width,
            "largest_cosine": float(nearest.max()),
            "mean_nearest_cosine": float(nearest.mean(dtype=np.float64)),
            "bound": cosine_bound(self.count, width),
            "to_real_centres": {
                "centres": told,
                "largest": float(to_real.max()),
                "mean_nearest": float(to_real.mean(dtype=np.float64)),
            },
        }
        run.log(_sentence(self.count, found))
        return {"anchors": placed, **found}


def real_centres(sources: Sources, run: StageContext) -> tuple[str, FloatArray]:
    """Return what stands for the real people, and its vectors, [L, d].

    The rows of the recognizer's margin head where it has one for each real class; mean embeddings otherwise, as of a
    recognizer that was trained on others.
    """
    data, recognizer = sources.real, sources.recognizer
    width = embedded(recognizer, data, np.arange(1)).shape[1]
    run.count_passes({"recognizer_forward": 1})
    own = recognizer.class_centres()
    if own is not None and own.shape == (len(data.identities), width):
        return "class centres of the recognizer", own
    embeddings = embedded(recognizer, data, np.arange(len(data)), run.progress)
    run.count_passes({"recognizer_forward": len(data)})
    return "mean embeddings of the real images", centres(embeddings, data.labels, len(data.identities))


def _sentence(count: int, found: Mapping[str, Any]) -> str:
    real = found["to_real_centres"]
    return (
        f"{count} {found['kind']} anchors in {found['width']} dimensions: the largest cosine between two is "
        f"{found['largest_cosine']:.4f} (none can be below {found['bound']:.4f}), to the nearest other "
        f"{found['mean_nearest_cosine']:.4f} on average; to the nearest of the {real['centres']} at most "
        f"{real['largest']:.4f}, {real['mean_nearest']:.4f} on average"
    )
