"""Own the protocols IJB-B and IJB-C 1:1. Files: `readers`; pooling and scores: `templates`."""

from __future__ import annotations

from typing import Any, ClassVar

from faceassay.contracts import Evaluation, EvaluationProtocol, Features, PackReader, parameter
from faceassay_protocols.conventions import ConventionName, chosen
from faceassay_protocols.embeddings import Precision
from faceassay_protocols.packs import TemplatePack
from faceassay_protocols.pairs import Rate
from faceassay_protocols.readers.template_files import TemplateFileParameters, TemplateFiles
from faceassay_protocols.template_evaluation import TemplateSettings, evaluate_templates


class Ijb(TemplateFileParameters, EvaluationProtocol):
    """Compare templates of several images in the listed pairs (1:1 mixed verification)."""

    conventions: tuple[ConventionName, ...] = parameter(
        ("insightface_eval_ijbc",),
        description="Whose settings: named evaluators, or all eight combinations of flip, norm and detector score",
        min_length=1,
    )
    fprs: tuple[Rate, ...] = parameter(
        (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1), description="False positive rates at which TAR is read", min_length=1
    )
    dtype: Precision = parameter("float64", description="What scores are computed in; the conventions use float64")
    replicates: int = parameter(200, description="Bootstrap replicates behind the intervals; 0 for none", ge=0)

    def metric_ids(self) -> tuple[str, ...]:
        """Return TAR at each rate under each convention."""
        return self._settings().ids()

    def reader(self) -> PackReader:
        """Return what opens the files."""
        said: dict[str, Any] = {name: getattr(self, name) for name in TemplateFileParameters.model_fields}
        return TemplateFiles.model_construct(**{**said, "benchmark": self.name})

    def evaluate(self, pack: TemplatePack, features: Features) -> Evaluation:
        """Compute the metrics and keep the scores behind them; see `evaluate_templates`."""
        return evaluate_templates(pack, features, self._settings())

    def _settings(self) -> TemplateSettings:
        return TemplateSettings(chosen(self.conventions, grid=True), self.fprs, self.dtype, self.replicates)


class IjbB(Ijb):
    """IARPA Janus Benchmark B, 1:1."""

    name: ClassVar[str] = "ijb-b"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "IJB-B 1:1: 12,115 templates, 8,010,270 pairs, TAR at FPRs"
    paper: ClassVar[str | None] = "Whitelam et al. 2017, IARPA Janus Benchmark-B Face Dataset"


class IjbC(Ijb):
    """IARPA Janus Benchmark C, 1:1."""

    name: ClassVar[str] = "ijb-c"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "IJB-C 1:1: 23,124 templates, 15,658,489 pairs, TAR at FPRs"
    paper: ClassVar[str | None] = "Maze et al. 2018, IARPA Janus Benchmark - C: Face Dataset and Protocol"
