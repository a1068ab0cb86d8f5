"""Own the trained ``id3`` as augmentations see it: embeddings and raw attributes to what its networks take."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceassay import Attribute, Condition, DataError, FloatArray
from faceassay.contracts import Role
from faceassay.identity import unit_rows
from faceassay.sampling import NetworkDenoiser
from faceassay_plugins.generators.edm2.serving import FittedBackbone
from faceassay_plugins.generators.id3.attributes import AttributeScale
from faceassay_plugins.generators.id3.conditioning import ATTRIBUTES, IDENTITY, VectorConditioning
from faceassay_plugins.generators.id3.plugin import Id3


class FittedId3(FittedBackbone):
    """Serve denoisers under identity embeddings and attributes."""

    kind = Id3

    @property
    def embedding_width(self) -> int:
        """Numbers d of an identity embedding."""
        width: int = self.config["conditions"][IDENTITY]
        return width

    @property
    def attribute_columns(self) -> tuple[Attribute, ...]:
        """The A attributes in the order of their columns; none where the generator was trained without."""
        return self._scale.columns

    @property
    def conditioning(self) -> VectorConditioning:
        """The widths of embedding and attributes."""
        return VectorConditioning(self.embedding_width, len(self.attribute_columns))

    def denoiser(self, condition: Condition, *, role: Role = "main") -> NetworkDenoiser:
        """Return the denoiser under embeddings and attributes; ``guide`` is the early state or the lesser network.

        Args:
            condition: arrays or tensors by name; a name that is left out is a condition dropped for all images.
                ``identity``: [B, d], rows of any length above 0, which are scaled to length one;
                ``attributes``: [B, A] in the units of ``attribute_columns``. NaN is an unknown value, to which the
                network sees the mean of its training; a row of NaN is a dropped condition.
            role: the main network or the lesser one.

        Raises:
            ValueError: when names, shapes or numbers of rows do not fit, an embedding is zero or not finite, or an
                attribute is out of the range of its column.
        """
        if not isinstance(condition, Mapping) or not condition or not set(condition) <= {IDENTITY, ATTRIBUTES}:
            given = ", ".join(condition) or "nothing" if isinstance(condition, Mapping) else type(condition).__name__
            raise ValueError(
                f"id3 is conditioned on a mapping of {IDENTITY} [B, {self.embedding_width}], {ATTRIBUTES} "
                f"[B, {len(self.attribute_columns)}] or both (got {given}); rows of NaN attributes are dropped ones"
            )
        return NetworkDenoiser(self.network(role), self._tensors(condition))

    def condition_vectors(self) -> None:
        """Return None: classes have no condition vectors here."""

    @cached_property
    def _scale(self) -> AttributeScale:
        return AttributeScale.read(self.config["conditions"][ATTRIBUTES])

    def _tensors(self, condition: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return what the network takes, float32 [B, ...] on the device: zeros for what is left out."""
        widths = {IDENTITY: self.embedding_width, ATTRIBUTES: len(self.attribute_columns)}
        given = {name: _array(name, values, widths[name]) for name, values in condition.items()}
        if len({len(values) for values in given.values()}) > 1:
            raise ValueError(f"id3: {' and '.join(f'{len(v)} rows of {n}' for n, v in given.items())} are of one batch")
        rows = len(next(iter(given.values())))
        try:
            taken = {
                IDENTITY: unit_rows(given[IDENTITY], IDENTITY) if IDENTITY in given else None,
                ATTRIBUTES: self._scale.standardised(given[ATTRIBUTES]) if ATTRIBUTES in given else None,
            }
        except DataError as error:
            raise ValueError(f"id3: {error}") from error
        filled = {n: np.zeros((rows, widths[n]), np.float32) if v is None else v for n, v in taken.items()}
        return {name: torch.from_numpy(values).to(self.device) for name, values in filled.items() if widths[name]}


def _array(name: str, values: Any, width: int) -> FloatArray:
    array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values, dtype=np.float32)
    if array.ndim != 2 or array.shape[1] != width:
        raise ValueError(f"id3: {name} {list(array.shape)} must be [B, {width}]")
    return array
