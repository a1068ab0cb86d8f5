"""Own the parameters of ``id3`` beside those of the backbone. Networks and training are in the other modules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import model_validator

from faceassay import FittedGenerator, Sources, StageContext, parameter
from faceassay_plugins.generators.edm2.backbone import Edm2Backbone
from faceassay_plugins.generators.id3.conditioning import VectorConditioning
from faceassay_plugins.generators.id3.presets import PRESETS
from faceassay_plugins.generators.id3.schedule import Schedule

if TYPE_CHECKING:
    from faceassay_plugins.generators.edm2.images import TrainingImages
    from faceassay_plugins.generators.edm2.scheme import Scheme

EXPECTED_EMBEDDING, EXPECTED_ATTRIBUTES = 512, 4
"""What estimates of the size take for granted: the usual embedding, and age and three angles of pose (ID3, 3.2.2)."""


class Id3(Edm2Backbone):
    """Train an EDM2 denoiser under an identity embedding and attributes with the identity-preserving loss of ID3.

    The loss is equation 3 of the paper with EDM2's weights of the denoising term:
    weighted denoising error - identity_weight x lambda_t kappa y^T f(denoised) + reconstruction at the lowest level.
    """

    name: ClassVar[str] = "id3"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = (
        "diffusion model under an identity embedding and attributes, identity-preserving loss (ID3)"
    )
    paper: ClassVar[str | None] = (
        "Li et al. 2024, ID3: Identity-Preserving-yet-Diversified Diffusion Models for Synthetic Face Recognition, "
        "section 3.2, equation 3; network: Karras et al. 2024 (EDM2)"
    )

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS

    attributes: bool = parameter(
        True, description="condition on the attributes of the matrix beside the embedding (ID3: age and pose)"
    )
    drop_identity: float = parameter(
        0.1, ge=0, lt=1, description="probability that the network does not see an image's embedding (our choice)"
    )
    drop_attributes: float = parameter(
        0.1, ge=0, lt=1, description="probability that the network does not see an image's attributes (our choice)"
    )
    identity_weight: float = parameter(
        1.0,
        ge=0,
        le=1000,
        description="factor of the identity term, whose own weight lambda_t kappa falls from 0.25 to 0.13 with t "
        "(ID3, equation 3: 1); 0 leaves the term out",
    )
    reconstruction_share: float = parameter(
        1 / 16,
        ge=0,
        lt=1,
        description="share of each batch, one image at least, that is seen at sigma_1 and carries the reconstruction "
        "term of equation 3 in place of the others (the share is our choice); 0 leaves the term out",
    )
    noise_levels: Literal["lognormal", "uniform_t"] = parameter(
        "lognormal",
        description="noise levels in training: log-normal by noise_mean and noise_deviation (EDM), or those of t drawn "
        "uniformly from 2 to T (ID3, equation 3)",
    )
    timesteps: int = parameter(1000, ge=2, le=2000, description="number T of times t that noise levels stand for (ID3)")
    beta_first: float = parameter(
        1e-4, gt=0, le=0.05, description="beta_1 of the linear schedule (IDiff-Face, UIFace; ID3's own is not known)"
    )
    beta_last: float = parameter(
        0.02, gt=0, le=0.05, description="beta_T of the linear schedule (IDiff-Face, UIFace; ID3's own is not known)"
    )

    @model_validator(mode="after")
    def _noise_rises(self) -> Self:
        if self.beta_first > self.beta_last:
            raise ValueError(f"beta_first {self.beta_first:g} is above beta_last {self.beta_last:g}: noise must rise")
        return self

    @model_validator(mode="after")
    def _batch_holds_both_kinds(self) -> Self:
        if self.reconstructed >= self.batch_size:
            raise ValueError(
                f"{self.reconstructed} of the {self.batch_size} images of a batch are for the reconstruction term: "
                "lower reconstruction_share (0 leaves the term out) or raise batch_size"
            )
        return self

    @property
    def reconstructed(self) -> int:
        """Images of each batch that carry the reconstruction term."""
        return max(1, round(self.reconstruction_share * self.batch_size)) if self.reconstruction_share else 0

    @property
    def schedule(self) -> Schedule:
        """The noise levels of the times t."""
        return Schedule(self.timesteps, self.beta_first, self.beta_last)

    def conditioning(self, identities: int) -> VectorConditioning:
        """Return the usual widths; those of the recognizer and of the matrix's attributes are known when it trains."""
        return VectorConditioning(EXPECTED_EMBEDDING, EXPECTED_ATTRIBUTES if self.attributes else 0)

    def conditioned_on(self) -> frozenset[str]:
        """Name identities, and the attributes where they are conditions."""
        return frozenset({"identities", *(["attributes"] if self.attributes else [])})

    def needs(self) -> frozenset[str]:
        """Name the recognizer f, and the attributes where they are conditions."""
        return frozenset({"recognizer", *(["attributes"] if self.attributes else [])})

    def needs_gradient(self) -> bool:
        """Return whether the identity term, a function of what f sees in denoised images, is in the loss."""
        return self.identity_weight != 0

    def passes_for(self, images: int) -> Mapping[str, int]:
        """Return the passes through the recognizer: of every image, and of what a batch has for the identity term."""
        steps = self.work(images) // self.batch_size
        looked_at = steps * (self.batch_size - self.reconstructed) if self.needs_gradient() else 0
        return {"recognizer_forward": images + looked_at, "recognizer_backward": looked_at}

    def scheme(self, sources: Sources, shown: TrainingImages, run: StageContext) -> Scheme:
        """Return embeddings and attributes as conditions, and equation 3; embeds all images.

        Raises:
            FaceassayError: when the recognizer takes images of another size or passes no gradient where one is needed.
            DataError: when the attributes are not those of the images, or an embedding has no direction.
        """
        from faceassay_plugins.generators.id3.scheme import IdentityScheme

        return IdentityScheme(self, sources, shown, run)

    def load(self, folder: Path, device: str) -> FittedGenerator:
        """Load what ``fit`` wrote; networks are read when first used."""
        from faceassay_plugins.generators.id3.fitted import FittedId3

        return FittedId3(folder, device)
