"""Own what a network on this backbone is conditioned on, as far as its shape depends on it. Imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


class Conditioning(ABC):
    """Describe the part of a network that maps conditions to what they add to its embedding."""

    @abstractmethod
    def weights(self, channels: int) -> int:
        """Return the numbers of its linear maps to an embedding of ``channels``, learned or frozen."""

    def parameters(self, channels: int) -> int:
        """Return how many of them are learned: all, unless a subclass freezes some."""
        return self.weights(channels)

    @abstractmethod
    def module(self, channels: int) -> nn.Module:
        """Return that part: it maps the conditions of B images to [B, ``channels``] of unit magnitude on average."""


@dataclass(frozen=True)
class ClassConditioning(Conditioning):
    """Condition on weights of classes.

    Attributes:
        classes: their number L.
        learned: whether their condition vectors are learned, not given and frozen.
    """

    classes: int
    learned: bool = True

    def weights(self, channels: int) -> int:
        """Return those of one vector for each class."""
        return self.classes * channels

    def parameters(self, channels: int) -> int:
        """Return none where the vectors are frozen."""
        return self.weights(channels) if self.learned else 0

    def module(self, channels: int) -> nn.Module:
        """Return a map from class weights [B, L]."""
        from faceassay_plugins.generators.edm2.network import FrozenConditions, LearnedConditions

        return (LearnedConditions if self.learned else FrozenConditions)(self.classes, channels)
