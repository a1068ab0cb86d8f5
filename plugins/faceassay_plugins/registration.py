"""Register the bundled plugins, like any other distribution would."""

from __future__ import annotations

from faceassay.contracts import AttributePredictor, Augmentation, DatasetPlugin, Figure, Generator, Recognizer
from faceassay.hookspecs import hookimpl


@hookimpl
def faceassay_datasets() -> list[type[DatasetPlugin]]:
    """Return the bundled datasets."""
    from faceassay_plugins.datasets.folder import Folder
    from faceassay_plugins.datasets.huggingface import HuggingFace
    from faceassay_plugins.datasets.orl import Orl
    from faceassay_plugins.datasets.recordio.plugin import RecordIo
    from faceassay_plugins.datasets.shards.plugin import Shards
    from faceassay_plugins.datasets.subset import Subset
    from faceassay_plugins.datasets.zipped import Zip

    return [Orl, Folder, Zip, Shards, RecordIo, HuggingFace, Subset]


@hookimpl
def faceassay_generators() -> list[type[Generator]]:
    """Return the bundled generators."""
    from faceassay_plugins.generators.edm2.plugin import Edm2
    from faceassay_plugins.generators.id3.plugin import Id3

    return [Edm2, Id3]


@hookimpl
def faceassay_augmentations() -> list[type[Augmentation]]:
    """Return the bundled augmentations."""
    from faceassay_plugins.augmentations.auggen import AugGen
    from faceassay_plugins.augmentations.blend import Blend
    from faceassay_plugins.augmentations.id3.plugin import Id3
    from faceassay_plugins.augmentations.repro import Repro
    from faceassay_plugins.augmentations.scoremix import ScoreMix

    return [Repro, AugGen, ScoreMix, Blend, Id3]


@hookimpl
def faceassay_recognizers() -> list[type[Recognizer]]:
    """Return the bundled recognizers."""
    from faceassay_plugins.recognizers.iresnet.plugin import IResNet

    return [IResNet]


@hookimpl
def faceassay_attributes() -> list[type[AttributePredictor]]:
    """Return the bundled predictors of attributes."""
    from faceassay_plugins.attributes.photometry import Photometry
    from faceassay_plugins.attributes.pose import Pose
    from faceassay_plugins.attributes.table import Table

    return [Photometry, Pose, Table]


@hookimpl
def faceassay_figures() -> list[type[Figure]]:
    """Return the bundled figures."""
    from faceassay_plugins.figures.degrees import Degrees
    from faceassay_plugins.figures.distance_matrices import DistanceMatrices
    from faceassay_plugins.figures.distance_signal import DistanceSignal
    from faceassay_plugins.figures.memorisation import Memorisation
    from faceassay_plugins.figures.mixing_columns import MixingColumns
    from faceassay_plugins.figures.mixing_grid import MixingGrid
    from faceassay_plugins.figures.search_heatmap import SearchHeatmap

    return [MixingGrid, MixingColumns, DistanceMatrices, DistanceSignal, SearchHeatmap, Degrees, Memorisation]
