"""Averages in a matrix: whole identities of their members, unlike metrics only on purpose."""

from __future__ import annotations

import pytest

from faceassay.registry import load_plugins
from faceassay.spec import SpecError, read_matrix
from matrices import MATRIX, position

TEXT = MATRIX + """\
  - name: small
    data: test
    protocol: {plugin: lowres-identification, probe_size: 6}
averages:
  - name: Avg
    of:
      - {benchmark: pairs, metric: accuracy:2fold}
      - {benchmark: pairs, metric: auc}
    mixes_units: true
"""  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("averages")
    for name in ("train", "test"):
        (folder / name).mkdir()
    return folder


@pytest.fixture
def read(folder):
    def read(text):
        (folder / "m.yaml").write_text(text)
        return read_matrix(folder / "m.yaml", load_plugins())

    return read


def test_members_are_found_by_the_head_of_their_identity(read):
    matrix = read(TEXT)
    metrics = matrix.benchmarks[0].protocol.metric_ids()
    (average,) = matrix.averages
    assert [name for name, _ in average.members] == ["pairs", "pairs"]
    assert [metric for _, metric in average.members] == [metrics[0], metrics[2]]
    assert average.kinds == ("accuracy", "auc")


def test_a_member_may_be_a_whole_identity(read):
    identity = read(MATRIX).benchmarks[0].protocol.metric_ids()[2]
    assert read(TEXT.replace("metric: auc", f"metric: {identity}")).averages[0].members[1] == ("pairs", identity)


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        ("    mixes_units: true\n", "", "auc", "auc is unlike accuracy, the first of them: average like with like"),
        ("metric: auc", "metric: acu", "acu", "pairs has no metric 'acu'; did you mean 'auc'?"),
        ("pairs, metric: auc", "pear, metric: auc", "pear", "no benchmark is called 'pear'; did you mean 'pairs'?"),
        ("      - {benchmark: pairs, metric: auc}\n", "", "- {benchmark: pairs, metric: acc", "at least 2 items"),
        ("mixes_units", "mixes_unit", "mixes_unit: true", "unknown parameter; did you mean 'mixes_units'?"),
    ],
)
def test_mistakes_are_refused_at_their_place(read, old, new, at, message):
    assert TEXT.count(old) == 1
    text = TEXT.replace(old, new)
    with pytest.raises(SpecError) as caught:
        read(text)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.place.line == position(text, at)[0]


def test_a_head_that_several_metrics_share_is_refused(read):
    conventions = "{plugin: lfw, path: test, conventions: [adaface, facexzoo], replicates: 0}"
    text = TEXT.replace("{plugin: lowres-identification, probe_size: 6}", conventions).replace(
        "name: small\n    data: test", "name: small"
    )
    with pytest.raises(SpecError) as caught:
        read(text.replace("pairs, metric: auc", "small, metric: accuracy:10fold"))
    assert "may be any of accuracy:10fold/adaface" in str(caught.value)


def test_two_averages_of_one_name_are_refused(read):
    with pytest.raises(SpecError, match="'Avg' is given twice"):
        read(TEXT + TEXT[TEXT.index("  - name: Avg") :])
