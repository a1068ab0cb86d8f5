"""Own the hooks a plugin may implement. Hooks return classes; the registry makes instances from specs.

A plugin is any module (or object) named by an entry point of the group ``faceassay``::

    from faceassay import hookimpl

    @hookimpl
    def faceassay_augmentations():
        from my_package.swirl import Swirl
        return [Swirl]
"""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from faceassay.contracts import (
    AttributePredictor,
    Augmentation,
    DatasetPlugin,
    EvaluationProtocol,
    Executor,
    Figure,
    Generator,
    Observer,
    Recognizer,
)

ENTRY_POINT_GROUP = "faceassay"

hookspec = pluggy.HookspecMarker("faceassay")
hookimpl = pluggy.HookimplMarker("faceassay")


@hookspec
def faceassay_datasets() -> Sequence[type[DatasetPlugin]]:  # type: ignore[empty-body]
    """Return dataset classes: sources of identity-labelled face images."""


@hookspec
def faceassay_generators() -> Sequence[type[Generator]]:  # type: ignore[empty-body]
    """Return generator classes: conditional denoisers trained on real images."""


@hookspec
def faceassay_augmentations() -> Sequence[type[Augmentation]]:  # type: ignore[empty-body]
    """Return augmentation classes: real images (and a generator) to a synthetic set."""


@hookspec
def faceassay_recognizers() -> Sequence[type[Recognizer]]:  # type: ignore[empty-body]
    """Return recognizer classes: images to embeddings."""


@hookspec
def faceassay_protocols() -> Sequence[type[EvaluationProtocol]]:  # type: ignore[empty-body]
    """Return evaluation protocol classes."""


@hookspec
def faceassay_attributes() -> Sequence[type[AttributePredictor]]:  # type: ignore[empty-body]
    """Return attribute predictor classes: images to named columns, such as a pose in degrees."""


@hookspec
def faceassay_figures() -> Sequence[type[Figure]]:  # type: ignore[empty-body]
    """Return figure classes: pictures drawn from what a matrix has made."""


@hookspec
def faceassay_executors() -> Sequence[type[Executor]]:  # type: ignore[empty-body]
    """Return executor classes: where stages run."""


@hookspec
def faceassay_observers() -> Sequence[type[Observer]]:  # type: ignore[empty-body]
    """Return observer classes: progress displays and trackers."""


KINDS: dict[str, type] = {
    "dataset": DatasetPlugin,
    "generator": Generator,
    "augmentation": Augmentation,
    "recognizer": Recognizer,
    "protocol": EvaluationProtocol,
    "attribute": AttributePredictor,
    "figure": Figure,
    "executor": Executor,
    "observer": Observer,
}
"""Plugin kind -> its contract; the hook of a kind is ``faceassay_<kind>s``."""
