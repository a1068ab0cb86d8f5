"""The kit itself: plugins that keep their contract pass, and each sentence that is broken is told by its check."""

from __future__ import annotations

import importlib.metadata
import json
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import faceassay
from breaking import BROKEN, RendersBgr, SeedsNumpy, WritesIntoTheNoise
from conforming import GOOD, Good, GoodDataset, GoodFigure, GoodGenerator, GoodRecognizer
from faceassay import StageContext, hookimpl
from faceassay.cli import main
from faceassay.contracts import FaceassayError
from faceassay.testing import BrokenContract, Status, checks_for, faces, parametrize_with_checks, run_checks

HARNESS = Path(faceassay.__file__).parents[1]


def failed(plugin, **options):
    return {result.check: result for result in run_checks(plugin, **options) if not result.is_good}


@pytest.mark.parametrize("plugin", GOOD)
def test_plugin_that_keeps_its_contract_passes(plugin):
    assert failed(plugin) == {}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_sentence_is_told_by_its_check(name):
    plugin, checks = BROKEN[name]
    found = failed(plugin)
    assert {*found} == checks
    for result in found.values():
        assert f"({result.line}) says: {result.contract} Do this: " in result.message


@pytest.mark.parametrize("good", [plugin for plugin in GOOD if plugin is not Good])
def test_every_check_is_seen_to_bite(good):
    caught = set().union(*(checks for _, checks in BROKEN.values()))
    assert {check.name for check in checks_for(good)} - caught == set()


@pytest.mark.parametrize("check", {check.name: check for plugin in GOOD for check in checks_for(plugin)}.values())
def test_sentence_stands_at_its_line(check):
    file, number = check.line.split(":")
    lines = (HARNESS / file).read_text().splitlines()[int(number) - 1 :]
    assert check.contract.split()[0] in lines[0]
    assert check.contract in " ".join(" ".join(lines[:4]).split())


def test_message_names_the_line_of_the_plugin_that_writes():
    message = failed(WritesIntoTheNoise)["inputs_stay_as_they_are"].message
    source = Path(sys.modules[WritesIntoTheNoise.__module__].__file__)
    number = 1 + source.read_text().splitlines().index("        noise *= 0.5")
    assert message.startswith("it writes into noise of a block: ")
    assert f"{source}:{number}: `noise *= 0.5`" in message


def test_kit_puts_back_what_a_plugin_disturbs():
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    run_checks(SeedsNumpy)
    run_checks(BROKEN["SetsTheDtype"][0])
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before
    assert (torch.get_default_dtype(), torch.is_grad_enabled()) == (torch.float32, True)


def test_expected_failure_keeps_its_reason():
    results = run_checks(RendersBgr, expected_failures={"colours_keep_their_order": "a method of swapped colours"})
    [found] = [result for result in results if result.check == "colours_keep_their_order"]
    assert (found.status, found.message) == (Status.EXPECTED_FAILURE, "a method of swapped colours")
    assert all(result.is_good for result in results)


def test_expected_failure_that_passes_is_no_good():
    found = failed(GoodFigure, expected_failures={"needs_are_known": "it asks for the moon"})
    assert found["needs_are_known"].status == Status.UNEXPECTEDLY_PASSED


def test_expected_failure_of_no_check_is_refused():
    with pytest.raises(FaceassayError, match="no check is called needs_are_knwn"):
        run_checks(GoodFigure, expected_failures={"needs_are_knwn": "a slip"})


def test_plugin_of_no_kind_is_refused():
    with pytest.raises(FaceassayError, match="is a plugin of no kind"):
        checks_for(faceassay.Plugin)


def test_plugin_with_required_parameters_says_how_to_give_them():
    class Needy(GoodFigure):
        where: str = faceassay.parameter(description="a place")

    with pytest.raises(FaceassayError, match="give --set where=VALUE"):
        run_checks(Needy)


def test_example_may_write_files():
    class Reading(GoodDataset):
        text: str = faceassay.parameter(description="what the file held")

        @classmethod
        def example(cls, folder):
            (folder / "a.txt").write_text("here")
            return cls(text=(folder / "a.txt").read_text())

    assert next(result for result in run_checks(Reading) if result.check == "opens").status == Status.PASSED


def test_unresumed_training_is_told_by_its_files():
    message = failed(BROKEN["ResumesFromNothing"][0])["training_repeats_and_resumes"].message
    assert message.startswith("trained on from a checkpoint, other bytes are in how.txt. ")


def test_training_that_drops_its_progress_is_not_the_same():
    class Restarts(GoodRecognizer):
        def fit(self, data, run: StageContext):
            found = run.checkpoints.load()
            if found:
                run.checkpoints.start = (0, *found[1:])
            super().fit(data, run)

    assert {*failed(Restarts)} == {"training_repeats_and_resumes"}


def test_faces_are_the_same_each_time_and_red():
    assert faces().fingerprint == faces.__wrapped__().fingerprint
    means = faces().pixels.mean(axis=(1, 2))
    assert (means[:, 0] > means[:, 1] + 10).all()
    assert (means[:, 1] > means[:, 2] + 10).all()


@parametrize_with_checks([GoodFigure, GoodDataset()])
def test_checks_as_parameters(check):
    check()


@parametrize_with_checks([BROKEN["DrawsTheMoon"][0]], expected_failures={"needs_are_known": "it asks for the moon"})
def test_expected_failure_as_a_parameter_is_a_strict_xfail(check):
    check()


def test_check_raises_what_is_broken():
    marks = parametrize_with_checks([BROKEN["DrawsTheMoon"][0]])
    [broken] = [one.values[0] for one in marks.args[1] if one.id == "figure-good-figure-needs_are_known"]
    with pytest.raises(BrokenContract, match=r"needs\(\) names 'moon', which nothing serves"):
        broken()


# --- faceassay check


class Mine:
    """What a distribution of two plugins registers; one of them renders BGR."""

    @hookimpl
    def faceassay_figures(self):
        return [GoodFigure]

    @hookimpl
    def faceassay_augmentations(self):
        return [type("Bgr", (RendersBgr,), {"name": "bgr", "__module__": RendersBgr.__module__})]

    @hookimpl
    def faceassay_generators(self):
        return [GoodGenerator, type("Bgr", (GoodGenerator,), {"name": "bgr", "__module__": RendersBgr.__module__})]


class Point(importlib.metadata.EntryPoint):
    """An entry point of an object that is there."""

    def load(self):
        if self.name == "broken":
            raise OSError("no licence found")
        return Mine()

    @property
    def dist(self):
        return importlib.metadata.distribution("faceassay")


@pytest.fixture
def registered(monkeypatch):
    points = [Point(name, "conforming", "faceassay") for name in ("mine", "broken")]
    monkeypatch.setattr("faceassay.registry.entry_points", lambda group: points)


def invoke(*arguments):
    return CliRunner().invoke(main, ("check", *arguments), prog_name="faceassay")


def test_check_prints_a_line_for_each_check(registered):
    result = invoke("good-figure")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line.split()[1] for line in lines[:-1]] == [check.name for check in checks_for(GoodFigure)]
    assert lines[-1] == "good-figure: 4 checks, none failed"


def test_check_names_the_broken_line_of_the_contract(registered):
    result = invoke("bgr", "--kind", "augmentation")
    assert result.exit_code == 1
    [line] = [line for line in result.output.splitlines() if line.startswith("failed")]
    assert re.search(r"Augmentation\.render \(faceassay/contracts/generation\.py:\d+\) says: Colours keep", line)
    assert result.output.splitlines()[-1] == f"bgr: {len(checks_for(Good))} checks, 1 failed"


def test_check_as_json(registered):
    result = invoke("good-figure", "--json")
    found = json.loads(result.output)
    assert {one["status"] for one in found} == {"passed"}
    assert {*found[0]} == {"check", "contract", "line", "status", "message"}


def test_check_of_a_name_of_two_kinds_asks_which(registered):
    result = invoke("bgr")
    assert result.exit_code == 1
    assert "add --kind generator or augmentation" in result.output


def test_check_with_parameters(registered):
    result = invoke("bgr", "--kind", "augmentation", "--set", "count=0")
    assert result.exit_code == 2
    assert "count" in result.output


def test_check_of_a_broken_plugin_says_what_it_is_from(registered):
    result = invoke("mine-too")
    assert result.exit_code == 1
    version = importlib.metadata.version("faceassay")
    assert f"faceassay {version} (entry point 'broken') did not load: OSError: no licence found" in result.output
