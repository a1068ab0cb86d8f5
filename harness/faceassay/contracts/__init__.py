"""The contracts between the parts: what plugins implement and what the core promises. Imports nothing else of ours."""

from faceassay.contracts.attributes import Attribute, AttributePredictor, AttributeTable
from faceassay.contracts.errors import DataError, DivergenceError, FaceassayError, StoreError
from faceassay.contracts.evaluation import (
    Curve,
    Evaluation,
    EvaluationProtocol,
    Fact,
    Features,
    Interval,
    Pack,
    PackReader,
    PairSample,
)
from faceassay.contracts.execution import Executor, Observer, Outcome, Resources, StageOrder, StageView
from faceassay.contracts.faces import DatasetPlugin, FaceDataset, FaceImages, FloatArray, ImageBatch, IntArray
from faceassay.contracts.figures import Figure
from faceassay.contracts.generation import (
    Augmentation,
    Condition,
    Denoiser,
    FittedGenerator,
    Generator,
    LabelMix,
    PlanBlock,
    Role,
    Search,
    SynthesisPlan,
)
from faceassay.contracts.plugin import DATA_VARIABLE, DataPath, Plugin, Trainable, data_paths, parameter
from faceassay.contracts.recognition import DifferentiableRecognizer, FittedRecognizer, Recognizer
from faceassay.contracts.running import Checkpoints, Sources, StageContext

__all__ = [
    "DATA_VARIABLE",
    "Attribute",
    "AttributePredictor",
    "AttributeTable",
    "Augmentation",
    "Checkpoints",
    "Condition",
    "Curve",
    "DataError",
    "DataPath",
    "DatasetPlugin",
    "Denoiser",
    "DifferentiableRecognizer",
    "DivergenceError",
    "Evaluation",
    "EvaluationProtocol",
    "Executor",
    "FaceDataset",
    "FaceImages",
    "FaceassayError",
    "Fact",
    "Features",
    "Figure",
    "FittedGenerator",
    "FittedRecognizer",
    "FloatArray",
    "Generator",
    "ImageBatch",
    "IntArray",
    "Interval",
    "LabelMix",
    "Observer",
    "Outcome",
    "Pack",
    "PackReader",
    "PairSample",
    "PlanBlock",
    "Plugin",
    "Recognizer",
    "Resources",
    "Role",
    "Search",
    "Sources",
    "StageContext",
    "StageOrder",
    "StageView",
    "StoreError",
    "SynthesisPlan",
    "Trainable",
    "data_paths",
    "parameter",
]
