"""Choosing a state of a training by validation images: which is kept, and that the training does not notice."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from faceassay.contracts import Chosen, DivergenceError, FaceassayError
from faceassay.validation import PairValidation
from faceassay_plugins.recognizers.iresnet.plugin import IResNet
from faceassay_plugins.recognizers.iresnet.training import Training
from fakes import stage_context, toy_faces
from iresnet_shares import KEPT, fit_together

torch.set_num_threads(1)
UPDATES, CHECKS = 6, 3
"""Measured after 2, 4 and 6 updates."""
RECIPE = IResNet(
    depth=(1, 1, 1, 1), width=4, image_size=16, embedding=8, batch_size=8, updates=UPDATES, warmup=0.25, dropout=0.3
)
VALIDATION = PairValidation(toy_faces(identities=5, per_identity=4, seed=3, noise=90), CHECKS, 10**6)


class Scripted(PairValidation):
    """Give the scores of a list in turn, whatever the embeddings."""

    def __init__(self, *scores):
        super().__init__(VALIDATION.data, len(scores), 10**6)
        object.__setattr__(self, "script", list(scores))

    def score(self, embed):
        super().score(embed)
        return self.script.pop(0)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "work").iterdir())}


def chosen(folder, validation, **changes):
    recipe = RECIPE.model_copy(update=changes)
    return recipe.fit_choosing(toy_faces(), validation, stage_context(folder))


def last_after(folder, updates):
    """Return the files of a training that is killed after so many updates, as if it had ended there."""

    def interrupt(done, total):
        if done == updates * 8:
            raise KeyboardInterrupt

    context = stage_context(folder, interval=0)
    with pytest.raises(KeyboardInterrupt):
        RECIPE.fit(toy_faces(), dataclasses.replace(context, progress=interrupt))
    training = Training(RECIPE, 4, UPDATES, stage_context(folder))
    assert training.resume() == updates
    training.write(toy_faces())
    return contents(folder)


WEIGHTS = ("network.safetensors", "centres.safetensors")


@pytest.mark.parametrize(
    ("scores", "update"),
    [((0.9, 0.5, 0.6), 2), ((0.5, 0.9, 0.6), 4), ((0.5, 0.6, 0.9), 6), ((0.5, 0.9, 0.9), 4), ((0.7, 0.7, 0.7), 2)],
)
def test_the_earliest_of_the_best_states_is_written(tmp_path, scores, update):
    said = chosen(tmp_path / "chosen", Scripted(*scores))
    assert said == Chosen(update, tuple(zip((2, 4, 6), scores, strict=True)))
    ended = last_after(tmp_path / "ended", update)
    assert [contents(tmp_path / "chosen")[name] for name in WEIGHTS] == [ended[name] for name in WEIGHTS]


def test_the_training_does_not_notice_that_it_is_measured(tmp_path):
    RECIPE.fit(toy_faces(), stage_context(tmp_path / "last"))
    chosen(tmp_path / "measured", Scripted(0.1, 0.2, 0.3))
    last, measured = contents(tmp_path / "last"), contents(tmp_path / "measured")
    assert all(last[name] == measured[name] for name in (*WEIGHTS, "config.json"))
    rows = json.loads(measured["history.json"])
    assert [row for row in rows if "loss" in row] == json.loads(last["history.json"])
    assert [row for row in rows if "loss" not in row] == [
        {"step": 2, "validation": 0.1}, {"step": 4, "validation": 0.2}, {"step": 6, "validation": 0.3},
    ]  # fmt: skip


def test_a_score_is_that_of_the_written_network(tmp_path):
    said = chosen(tmp_path, VALIDATION)
    fitted = RECIPE.load(tmp_path / "work", "cpu")
    assert VALIDATION.score(fitted.embed) == said.score
    assert len({score for _, score in said.scores}) > 1


@pytest.mark.parametrize("interruption", range(1, UPDATES + 1))
@pytest.mark.parametrize("scores", [(0.9, 0.5, 0.6), (0.5, 0.6, 0.9)], ids=["first", "last"])
def test_a_training_that_was_killed_chooses_the_same_bytes(tmp_path, interruption, scores):
    said = chosen(tmp_path / "whole", Scripted(*scores))

    def interrupt(done, total):
        if done == interruption * 8:
            raise KeyboardInterrupt

    validation, context = Scripted(*scores), stage_context(tmp_path / "cut", interval=0)
    with pytest.raises(KeyboardInterrupt):
        RECIPE.fit_choosing(toy_faces(), validation, dataclasses.replace(context, progress=interrupt))
    assert len(validation.script) == CHECKS - interruption // 2
    assert RECIPE.fit_choosing(toy_faces(), validation, stage_context(tmp_path / "cut")) == said
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_checkpoint_of_another_validation_is_refused(tmp_path):
    RECIPE.fit_choosing(toy_faces(), VALIDATION, stage_context(tmp_path, interval=0))
    other = dataclasses.replace(VALIDATION, limit=5)
    with pytest.raises(FaceassayError, match=r"of another training of iresnet \(validation "):
        chosen(tmp_path, other)
    with pytest.raises(FaceassayError, match="and None here"):
        RECIPE.fit(toy_faces(), stage_context(tmp_path))


def test_a_divergence_is_seen_before_it_is_measured(tmp_path):
    with pytest.raises(DivergenceError, match="not finite after step 0 of 1"):
        chosen(tmp_path, VALIDATION, updates=1, learning_rate=3e38, gradient_clip=None, warmup=0.0)


def test_validation_images_of_another_size_are_refused(tmp_path):
    with pytest.raises(FaceassayError, match=r"do not fit a recognizer of \[B, 3, 16, 16\]"):
        chosen(tmp_path, PairValidation(toy_faces(size=32), 2, 9))


def test_several_processes_choose_as_the_first_one_does(tmp_path):
    """Its running statistics are kept, so it measures; killed after 3 updates they end in the same bytes."""
    fit_together(RECIPE, tmp_path, keep=[3], resume=True, validation=VALIDATION)
    first, second = (json.loads((tmp_path / f"chosen-{rank}").read_text()) for rank in (0, 1))
    fitted = RECIPE.load(tmp_path / "work", "cpu")
    assert dict(first[1])[first[0]] == VALIDATION.score(fitted.embed) == max(score for _, score in first[1])
    assert second is None
    assert contents(tmp_path / f"{KEPT}-3") == contents(tmp_path)
