"""Own what is trained in one stage: one network, or two where the guide has its own. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from faceassay.contracts import Role
from faceassay_plugins.generators.edm2.architecture import Architecture
from faceassay_plugins.generators.edm2.backbone import Edm2Backbone
from faceassay_plugins.generators.edm2.conditioning import Conditioning


@dataclass(frozen=True)
class KeptAverage:
    """Say which average of a network's weights is kept.

    Attributes:
        name: of its file, without suffix.
        length: its relative length.
        updates: the optimizer steps that it covers.
    """

    name: str
    length: float
    updates: int


@dataclass(frozen=True)
class Course:
    """Say how one network is trained.

    Attributes:
        role: what the network is for; an average of this name is among ``averages``.
        architecture: its shape.
        start: optimizer steps of the stage before its first one.
        updates: its own optimizer steps.
        averages: what is kept of it.
    """

    role: Role
    architecture: Architecture
    start: int
    updates: int
    averages: tuple[KeptAverage, ...]


def courses(plugin: Edm2Backbone, image_size: int, conditioning: Conditioning) -> tuple[Course, ...]:
    """Return the courses of a stage in their order.

    A guide with a network of its own comes first: it is the shorter course, and checkpoints of the longer one carry
    its result along.

    Raises:
        ValueError: when the parameters do not fit the image size.
    """
    guide = KeptAverage("guide", plugin.guide_length, plugin.guide_updates)
    lasting = {"main": plugin.main_length, **plugin.further_averages}
    averages = tuple(KeptAverage(name, length, plugin.updates) for name, length in lasting.items())
    shape, lesser = (plugin.shape(image_size, conditioning, role) for role in ("main", "guide"))
    if plugin.guide_channels is None:
        return (Course("main", shape, 0, plugin.updates, (*averages, guide)),)
    first = Course("guide", lesser, 0, guide.updates, (guide,))
    return first, Course("main", shape, guide.updates, plugin.updates, averages)
