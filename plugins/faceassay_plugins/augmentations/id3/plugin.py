"""Own ID3's plan: which identity embedding and attributes each image is sampled under. Sampling is in ``sampling``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from faceassay.contracts import (
    Augmentation,
    FaceassayError,
    FloatArray,
    Sources,
    StageContext,
    SynthesisPlan,
    parameter,
)
from faceassay.identity import embedded
from faceassay_plugins.augmentations.id3.anchor_search import AnchorSearch
from faceassay_plugins.augmentations.id3.attributes import Drawing, drawn_attributes
from faceassay_plugins.augmentations.id3.drawing import Drawn, drawn_around
from faceassay_plugins.augmentations.id3.sampling import IdentityGuidedSampling
from faceassay_plugins.identities import Agreement, Code, Kind, agreement, tammes_code


class Id3(IdentityGuidedSampling, Augmentation):
    """Sample new identities around anchors, each image under its own identity embedding and attributes.

    The label of an image is its anchor (ID3, algorithm 3). The embeddings around an anchor are our construction, since
    equation 9 could not be had: see ``identities.around``.
    """

    name: ClassVar[str] = "id3"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "ID3: new identities around anchors, sampled with the gradient of a recognizer"
    paper: ClassVar[str | None] = "ID3 (NeurIPS 2024), section 3.5, algorithms 2 and 3, equations 6 to 9"

    anchors: int = parameter(10000, ge=2, unit="identities", description="number of anchors, each a new identity")
    images_per_identity: int = parameter(50, ge=1, unit="images", description="images of each identity")
    anchor_kind: Kind = parameter(
        "tammes", description="tammes: far from each other (ID3); random: uniform on the sphere (its ablation)"
    )
    anchor_steps: int = parameter(
        1000, ge=1, unit="steps", description="steps of the optimisation, where no closed form is known"
    )
    lb: float | None = parameter(
        None,
        ge=-1,
        lt=1,
        description="least cosine of an embedding to its anchor (ID3's appendix: 0.5 or 0.7); none: low_percentile",
    )
    ub: float | None = parameter(
        None,
        gt=-1,
        le=1,
        description="what that cosine stays below (ID3's appendix: 0.7 or 0.9); none: high_percentile",
    )
    low_percentile: float = parameter(
        10,
        ge=0,
        le=100,
        unit="%",
        description="lb as a percentile of the real images' cosines to the mean of their class, themselves included",
    )
    high_percentile: float = parameter(90, ge=0, le=100, unit="%", description="ub likewise")
    spread: Literal["independent", "tammes"] = parameter(
        "independent",
        description="directions from the anchor to the embeddings of one identity: independent, or far from each other",
    )
    attributes: Drawing = parameter(
        "bootstrap",
        description="bootstrap: those of real images, drawn with replacement; widened: their deviation from the mean "
        "scaled; none: no attributes (ID3's ablation)",
    )
    widening: float = parameter(1.5, gt=0, description="factor of widened")
    block_size: int = parameter(32, ge=1, unit="images", description="images rendered together")

    @model_validator(mode="after")
    def _limits_rise(self) -> Self:
        if self.lb is not None and self.ub is not None and self.lb >= self.ub:
            raise ValueError(f"lb must be below ub (got {self.lb:g} and {self.ub:g})")
        if self.low_percentile >= self.high_percentile:
            got = f"{self.low_percentile:g} and {self.high_percentile:g}"
            raise ValueError(f"low_percentile must be below high_percentile (got {got})")
        if self.spread == "tammes" and self.images_per_identity < 2:
            raise ValueError("spread tammes is about two or more images: raise images_per_identity")
        return self

    @classmethod
    def example(cls, folder: Path) -> Self:
        """Return a few images of a few anchors in three steps."""
        return cls(anchors=3, images_per_identity=3, anchor_steps=5, block_size=5, steps=3)

    def needs(self) -> frozenset[str]:
        """Name generator and recognizer, and the attributes where images have any."""
        return super().needs() | {"generator", "recognizer"} | self._drawn()

    def conditions_on(self) -> frozenset[str]:
        """Name identities, and the attributes where images have any."""
        return self._drawn() | {"identities"}

    def planned_images(self, identities: int) -> int:
        """Return anchors x images per identity, whatever the number of real ones."""
        return self.anchors * self.images_per_identity

    def search(self) -> AnchorSearch:
        """Return the search for the anchors."""
        return AnchorSearch(count=self.anchors, kind=self.anchor_kind, optimiser_steps=self.anchor_steps)

    def plan(self, sources: Sources, run: StageContext) -> SynthesisPlan:
        """List the images of each anchor in a row, with the columns ``identity``, ``v`` and ``attributes``.

        Raises:
            FaceassayError: when the generator is not conditioned on the recognizer's embeddings and these attributes,
                the limits that the real images set do not rise, or a real identity is called like an anchor.
            DataError: when an embedding of a real image has no direction, or no image has all attributes.
        """
        anchors: FloatArray = sources.search["anchors"]
        names, columns = self._names(sources), {}
        require_identity_conditions(sources, anchors.shape[1])
        if self.attributes != "none":
            require_attribute_conditions(sources)
            widening = self.widening if self.attributes == "widened" else 1.0
            counts = self.anchors, self.images_per_identity
            columns["attributes"] = drawn_attributes(sources.attributes, widening, *counts, run.seed)
        alike = self._agreement(sources, run)
        limits = self.limits(alike)
        code = self._code(anchors.shape[1], run)
        drawn = drawn_around(anchors, self.images_per_identity, limits, run.seed, code)
        self._tell(run, alike, limits, drawn)
        rows = len(drawn.v)
        return SynthesisPlan(
            identities=names,
            labels=np.arange(self.anchors).repeat(self.images_per_identity),
            sources=np.empty((rows, 0), dtype=np.int64),
            weights=np.empty((rows, 0)),
            block_size=self.block_size,
            columns={"identity": drawn.identity, "v": drawn.v, **columns},
        )

    def limits(self, alike: Agreement) -> tuple[float, float]:
        """Return lb and ub, as given or read off the real images.

        Raises:
            FaceassayError: when they do not rise.
        """
        low = alike.percentile(self.low_percentile) if self.lb is None else self.lb
        high = min(1.0, alike.percentile(self.high_percentile)) if self.ub is None else self.ub
        if not -1 <= low < high:
            raise FaceassayError(
                f"lb {low:.6g} ({self._origin(self.lb, self.low_percentile)}) must be -1 or more and below ub "
                f"{high:.6g} ({self._origin(self.ub, self.high_percentile)}): give both lb and ub"
            )
        return low, high

    def _drawn(self) -> frozenset[str]:
        return frozenset() if self.attributes == "none" else frozenset({"attributes"})

    def _names(self, sources: Sources) -> tuple[str, ...]:
        names = tuple(f"anchor-{i + 1:05d}" for i in range(self.anchors))
        if shared := {*names} & {*sources.real.identities}:
            raise FaceassayError(
                f"{len(shared)} real identities are called like anchors ({min(shared)}), and images of one name join: "
                "give the real ones other names"
            )
        return names

    def _agreement(self, sources: Sources, run: StageContext) -> Agreement:
        data = sources.real
        embeddings = embedded(sources.recognizer, data, np.arange(len(data)), run.progress)
        run.count_passes({"recognizer_forward": len(data)})
        return agreement(embeddings, data.labels, len(data.identities))

    def _code(self, width: int, run: StageContext) -> Code | None:
        if self.spread == "independent":
            return None
        return tammes_code(self.images_per_identity, width - 1, run.seed, steps=self.anchor_steps, device=run.device)

    def _tell(self, run: StageContext, alike: Agreement, limits: tuple[float, float], drawn: Drawn) -> None:
        origins = self._origin(self.lb, self.low_percentile), self._origin(self.ub, self.high_percentile)
        run.log(
            f"cosines to the anchor: v in [{limits[0]:.4f}, {limits[1]:.4f}), lb {origins[0]}, ub {origins[1]}; drawn "
            f"{drawn.v.mean(dtype=np.float64):.4f} on average"
        )
        if drawn.mean_within is not None:
            run.log(
                f"cosines between two samples of one identity: {drawn.mean_within:.4f} on average, at least "
                f"{drawn.least_within:.4f}"
            )
        run.log(
            f"{self._predicted(alike.variance)}; epsilon multiplies W by sqrt(1 + sigma^2) / sigma; this row: "
            f"{self.guidance_space}"
        )

    def _predicted(self, variance: float | None) -> str:
        """Say what W adds to the cosine of an image to its identity: under p exp(W cos) about W Var(cos)."""
        if variance is None:
            return f"W = {self.weight:g} adds W Var(cos), which is unknown: no real person has three images"
        return (
            f"W = {self.weight:g} is to add about W Var(cos) = {self.weight * variance:.2g} to the cosine of an image "
            f"to its identity (guidance_space score; variance {variance:.2g} within real people, of each image's "
            "cosine to the mean of the person's others)"
        )

    @staticmethod
    def _origin(given: float | None, percentile: float) -> str:
        return f"percentile {percentile:g} of the real images" if given is None else "as given"


def require_identity_conditions(sources: Sources, width: int) -> None:
    """Check that the generator is conditioned on embeddings [B, width].

    Raises:
        FaceassayError: when it is conditioned on something else, or on embeddings of another width.
    """
    generator = sources.generator
    takes = getattr(generator, "embedding_width", None)
    if takes is None:
        raise FaceassayError(
            f"augmentation id3 asks for a generator conditioned on identity embeddings, {type(generator).__name__} is "
            "not: give the row a 'generator: {plugin: id3}' of its own"
        )
    if takes != width:
        raise FaceassayError(
            f"the generator takes identity embeddings of width {takes}, the recognizer's have {width}: train the "
            "generator on the embeddings of this recognizer"
        )


def require_attribute_conditions(sources: Sources) -> None:
    """Check that the generator is conditioned on the attributes that the plan draws.

    Raises:
        FaceassayError: when it was trained on others, or none.
    """
    drawn, takes = sources.attributes.columns, getattr(sources.generator, "attribute_columns", ())
    if tuple(takes) != tuple(drawn):
        names = [", ".join(column.name for column in columns) or "none" for columns in (takes, drawn)]
        raise FaceassayError(
            f"the generator was trained on the attributes {names[0]}, those of the real images are {names[1]}: "
            "train it on these, or set attributes to none"
        )
