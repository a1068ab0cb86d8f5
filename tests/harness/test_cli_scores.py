"""How ``faceassay evaluate`` shows results: numbers, intervals and, from the text alone, every metric's identity."""

from __future__ import annotations

import re

import pytest

from faceassay.cli.scores import failure_lines, score_lines, warning_lines
from faceassay_protocols.ijb import IjbC
from faceassay_protocols.pair_sets import Lfw
from faceassay_protocols.tinyface import TinyFace

SHA256 = "ab" * 32
WIDTH = 120


def interval(low, high, population="identities", level=0.95):
    return {"low": low, "high": high, "population": population, "method": "by hand", "level": level}


def metric(value, *intervals, caution=""):
    return {"value": value, "intervals": list(intervals), "caution": caution}


def part(metrics=None, warnings=(), failure=None, **more):
    about = {
        "embedded_by": {"name": "model.onnx", "brought": {"kind": "onnx", "fingerprint": SHA256}},
        "files": {"path": "/data/lfw.bin"},
        "warnings": list(warnings),
    }
    if failure:
        return about | {"failure": failure} | more
    return about | {"pack": {"sha256": SHA256}, "metrics": metrics or {}} | more


def document(**parts):
    return {"benchmarks": {name.replace("_", "-"): about for name, about in parts.items()}}


def shown(**parts):
    """Return the lines of the table, and those below it."""
    lines = "\n".join(score_lines(document(**parts))).split("\n")
    end = lines.index("")
    return lines[:end], lines[end + 1 :]


def test_a_number_is_percent_with_its_interval_and_what_varies():
    table, below = shown(lfw=part({"accuracy:10fold/adaface/flip-sum": metric(0.99432, interval(0.9921, 0.99651))}))
    assert [line.split() for line in table] == [
        ["benchmark", "metric", "convention", "%", "95%", "interval", "over"],
        ["lfw", "accuracy:10fold", "adaface", "[1]", "99.43", "99.21-99.65", "identities"],
    ]
    assert below == [
        "[1] METRIC/adaface/flip-sum",
        f"lfw: /data/lfw.bin, sha256 {SHA256}",
        f"embedded by model.onnx, onnx, sha256 {SHA256}",
    ]


def test_further_intervals_have_a_column_for_what_varies():
    table, _ = shown(
        ijb_b=part({"tar/a": metric(0.5, interval(0.4, 0.6, "subjects"), interval(0.3, 0.7, "false accepts"))}),
        ijb_c=part({"tar/a": metric(0.5, interval(0.4, 0.6, "subjects"), interval(0.1, 0.9, "genuine pairs"))}),
    )
    assert table[0].endswith("  over      false accepts  genuine pairs")
    assert table[1].endswith("  40.00-60.00  subjects    30.00-70.00")
    assert table[2].endswith("  40.00-60.00  subjects                   10.00-90.00")


def test_a_number_without_interval_is_shown_without():
    table, _ = shown(lfw=part({"accuracy/a": metric(1.0)}))
    assert table[1].split() == ["lfw", "accuracy", "a", "[1]", "100.00"]


def test_a_metric_without_settings_is_shown_by_its_name():
    table, below = shown(own=part({"size:1": metric(0.25)}))
    assert table[1].split() == ["own", "size:1", "25.00"]
    assert not [line for line in below if line.startswith("[")]


def test_an_interval_of_another_level_says_so():
    table, _ = shown(own=part({"size/a": metric(0.25, interval(0.2, 0.3, level=0.9))}))
    assert "20.00-30.00 (90%)" in table[1]


def test_two_intervals_over_one_population_are_both_shown():
    exact = [interval(0.1, 0.4, "pairs"), interval(0.15, 0.35, "pairs", level=0.9)]
    table, _ = shown(own=part({"size/a": metric(0.25, interval(0.2, 0.3), *exact)}))
    assert table[1].endswith("10.00-40.00, 15.00-35.00 (90%)")


def test_a_number_with_a_caution_is_marked():
    table, below = shown(lfw=part({"tar:1/a": metric(0.5, caution="few pairs"), "tar:2/a": metric(0.6)}))
    assert [line.split()[-1] for line in table[1:]] == ["50.00*", "60.00"]
    assert below[0].startswith("* ")
    assert not [line for line in shown(lfw=part({"tar:2/a": metric(0.6)}))[1] if line.startswith("*")]


def test_what_has_failed_is_a_row_with_its_files():
    parts = {"lfw": part(failure="it is torn"), "calfw": part({"accuracy/a": metric(0.5)})}
    table, below = shown(**parts)
    assert table[1].split() == ["lfw", "failed"]
    assert table[2].split()[:2] == ["calfw", "accuracy"]
    assert "lfw: /data/lfw.bin" in below
    assert list(failure_lines(document(**parts))) == ["lfw failed: it is torn"]


def test_numbers_of_one_metric_are_neighbours():
    metrics = {f"{head}/{convention}": metric(0.5) for convention in ("a", "b") for head in ("tar:1", "tar:2")}
    table, _ = shown(lfw=part(metrics))
    assert [line.split()[1:3] for line in table[1:]] == [["tar:1", "a"], ["tar:1", "b"], ["tar:2", "a"], ["tar:2", "b"]]


def test_benchmarks_with_the_same_settings_share_their_number():
    one = part({"accuracy/a/flip": metric(0.5)})
    table, below = shown(lfw=one, calfw=one, agedb=part({"accuracy/a/plain": metric(0.5)}))
    assert [re.search(r"\[(\d)\]", line)[1] for line in table[1:]] == ["1", "1", "2"]
    assert below[:2] == ["[1] METRIC/a/flip", "[2] METRIC/a/plain"]


def test_all_files_of_a_benchmark_are_named():
    files = {"path": "/data/lfw", "pairs": "/lists/pairs.txt"}
    assert f"lfw: /data/lfw, pairs /lists/pairs.txt, sha256 {SHA256}" in shown(lfw=part(files=files))[1]


def test_what_embedded_is_named_once_with_its_preprocessing():
    prepared = {"colour": "bgr", "mean": 0.0, "std": 255.0}
    by = {"name": "m.pt", "brought": {"kind": "torchscript", "fingerprint": SHA256, "preprocessing": prepared}}
    _, below = shown(lfw=part(embedded_by=by), calfw=part(embedded_by=by), own=part())
    assert below[-2:] == [
        f"embedded by m.pt, torchscript, sha256 {SHA256}, bgr, (grey level - 0) / 255",
        f"embedded by model.onnx, onnx, sha256 {SHA256}",
    ]


def test_warnings_name_their_benchmark():
    parts = {"lfw": part(warnings=["one", "two"]), "calfw": part(failure="torn", warnings=["three"])}
    assert list(warning_lines(document(**parts))) == [
        "warning: lfw: one",
        "warning: lfw: two",
        "warning: calfw: three",
    ]


def test_a_caution_about_several_numbers_is_one_line():
    about = {
        f"{head}/{convention}/nearest": metric(0.5, caution="few pairs")
        for convention in ("adaface", "tface")
        for head in ("tar:1", "tar:2")
    }
    lines = warning_lines(document(lfw=part({**about, "size:1": metric(1.0, caution="a toy")})))
    assert list(lines) == [
        "warning: lfw, tar:1, tar:2 (adaface, tface): few pairs",
        "warning: lfw, size:1: a toy",
    ]


@pytest.fixture
def everything(tmp_path):
    """Return what three benchmarks announce under all conventions, each number with the widest intervals there are."""
    wide = [interval(0.998, 1.0, population) for population in ("identities", "false accepts", "genuine pairs")]
    rates = {"fprs": (1e-6, 1e-5), "conventions": ("all",)}
    protocols = {
        "lfw#2": Lfw(path=tmp_path, all_pairs_fprs=(1e-6, 1e-5), **rates),
        "ijb-c": IjbC(path=tmp_path, **rates),
        "tinyface": TinyFace(path=tmp_path, conventions=("all",)),
    }
    return {
        name: part({identity: metric(1.0, *wide, caution="few") for identity in protocol.metric_ids()})
        for name, protocol in protocols.items()
    }


def test_every_identity_can_be_read_from_the_text(everything):
    table, below = shown(**everything)
    legend = dict(re.fullmatch(r"\[(\d+)\] METRIC/(.*)", line).groups() for line in below if line.startswith("["))
    read = [re.match(r"(\S+) +(\S+) +(\S+) \[(\d+)\]", line).groups() for line in table[1:]]
    assert all(legend[number].split("/")[0] == convention for _, _, convention, number in read)
    identities = [(name, f"{head}/{legend[number]}") for name, head, _, number in read]
    assert sorted(identities) == sorted(
        (name, identity) for name, about in everything.items() for identity in about["metrics"]
    )


def test_the_table_is_no_wider_than_a_terminal(everything):
    table, _ = shown(**everything)
    assert len(table) == 1 + 5 * 5 + 8 * 2 + 2 * 3
    assert max(map(len, table)) <= WIDTH


def test_facts_about_a_pack_stand_under_its_files():
    pack = {"sha256": SHA256, "pairs": 3000, "official_folds": "6-10 of 10", "fold_std (tface)": 0.0033}
    _, below = shown(lfw=part({"accuracy/tface": metric(0.5)}, pack=pack))
    place = next(number for number, line in enumerate(below) if line.startswith("lfw: "))
    assert below[place + 1] == "  pairs 3,000, official folds 6-10 of 10, fold std (tface) 0.33 %"
