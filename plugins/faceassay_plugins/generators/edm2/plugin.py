"""Own the generator ``edm2``: the backbone conditioned on classes. Networks and training are in the modules beside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from faceassay import FittedGenerator, Sources, StageContext, parameter
from faceassay_plugins.generators.edm2.backbone import Edm2Backbone
from faceassay_plugins.generators.edm2.conditioning import ClassConditioning
from faceassay_plugins.generators.edm2.presets import PRESETS

if TYPE_CHECKING:
    from faceassay_plugins.generators.edm2.images import TrainingImages
    from faceassay_plugins.generators.edm2.scheme import Scheme


class Edm2(Edm2Backbone):
    """Train a class-conditional EDM2 denoiser in pixel space."""

    name: ClassVar[str] = "edm2"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "class-conditional diffusion model in pixel space with magnitude-preserving layers (EDM2)"
    paper: ClassVar[str | None] = (
        "Karras et al. 2024, Analyzing and Improving the Training Dynamics of Diffusion Models (EDM2); "
        "guide: Karras et al. 2024, Guiding a Diffusion Model with a Bad Version of Itself"
    )

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS

    condition: Literal["learned", "class_centres"] = parameter(
        "learned",
        description="class_centres freezes the condition vectors to the class centres E of the recognizer trained on "
        "the real images (ScoreMix, section 4.3): unit rows under a seeded random map to the width d_C of the "
        "embedding (4 x channels), orthonormal where d_C >= d_E so that cosines stay exactly, Gaussian otherwise",
    )
    flip: bool = parameter(False, description="mirror half of the training images (EDM2: off)")

    def conditioning(self, identities: int) -> ClassConditioning:
        """Return weights of the classes as what the network is conditioned on."""
        return ClassConditioning(identities, self.condition == "learned")

    def needs(self) -> frozenset[str]:
        """Name the recognizer where its class centres are the conditions."""
        return frozenset({"recognizer"} if self.condition == "class_centres" else ())

    def scheme(self, sources: Sources, shown: TrainingImages, run: StageContext) -> Scheme:
        """Return classes as conditions and EDM2's loss."""
        from faceassay_plugins.generators.edm2.classes import ClassScheme

        return ClassScheme(self, sources, shown, run)

    def load(self, folder: Path, device: str) -> FittedGenerator:
        """Load what ``fit`` wrote; networks are read when first used."""
        from faceassay_plugins.generators.edm2.fitted import FittedEdm2

        return FittedEdm2(folder, device)
