"""Read a matrix from YAML: methods by benchmarks by seeds, with every problem reported at its place."""

from faceassay.spec.model import Spec
from faceassay.spec.reader import MatrixSpec, SpecError, read_matrix

__all__ = ["MatrixSpec", "Spec", "SpecError", "read_matrix"]
