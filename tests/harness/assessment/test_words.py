"""What the report says of its judge: no more than is known."""

from __future__ import annotations

from types import SimpleNamespace

from faceassay.report.assessment.words import judged_by
from faceassay.spec.model import BroughtEntry
from faceassay.spec.reader import TrainedJudge
from judged_matrix import Deep


def said(judge):
    return judged_by(SimpleNamespace(matrix=SimpleNamespace(judge=judge, spec=SimpleNamespace(seeds=[3, 4]))))


def test_no_method_looks_through_a_judge_that_is_trained_here():
    text = said(TrainedJudge(Deep(depth=2), "others"))
    assert text == "Judge: deep (depth 2) trained on data 'others', seed 3. No method looks through it."


def test_of_a_brought_judge_only_its_file_is_known(tmp_path):
    (tmp_path / "judge.onnx").touch()
    text = said(BroughtEntry(path=tmp_path / "judge.onnx"))
    assert text.startswith(
        "Judge: judge.onnx (brought). Its file is not that of the recognizer that methods look through"
    )
    assert "No method looks through it" not in text
