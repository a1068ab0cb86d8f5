"""Own the checks of a protocol: its pack, its metrics on embeddings that are perfect or know nothing, replicates."""

from __future__ import annotations

from collections import Counter
from typing import Any
from unittest import SkipTest

import numpy as np

from faceassay.contracts import (
    DataError,
    Evaluation,
    EvaluationProtocol,
    Features,
    FloatArray,
    IntArray,
    Pack,
    PackReader,
    Sources,
)
from faceassay.contracts.evaluation import METRIC_ID
from faceassay.seeds import generator
from faceassay.stages import evaluation as evaluation_stage
from faceassay.testing.checks import BrokenContract, check, require
from faceassay.testing.disturbance import watched
from faceassay.testing.faces import faces
from faceassay.testing.inputs import Handed, Told, content, context
from faceassay.testing.manners import Conduct, manners
from faceassay.testing.reading import read, reading
from faceassay.testing.subject import Subject

TEST_PEOPLE, TEST_IMAGES = 10, 6
WIDTH = 512
"""Length of the made-up embeddings: random directions in so many dimensions have cosines of 0.04 to each other."""
ALL_PAIRS = 10**6


def pack(subject: Subject) -> Pack:
    """Return the pack, opened once for all checks."""
    return subject.once("opening the pack", lambda: pack_anew(subject))


def pack_anew(subject: Subject) -> Pack:
    """Open the pack, with drawn faces where it is made from a dataset."""
    reader = subject.plugin.reader()
    return reader.open(faces(TEST_PEOPLE, TEST_IMAGES) if reader.needs_data else None)  # type: ignore[no-any-return]


@check(
    "EvaluationProtocol",
    "Define an evaluation.",
    do="mend the error: the pack is made from 60 drawn faces of 10 people, or say with --set where its files are.",
)
def evaluates(subject: Subject) -> None:
    """Open the pack and evaluate embeddings that know the people."""
    require(isinstance(subject.plugin.reader(), PackReader), "reader() returns no PackReader")
    _perfect(subject)


@check(
    "EvaluationProtocol.metric_ids",
    "They are those that ``evaluate`` computes, in the same order, and consist of letters, digits and ``_-.:/``.",
    do="let metric_ids() and evaluate() take the names from one place.",
)
def metrics_are_those_announced(subject: Subject) -> None:
    """Compare names with metrics."""
    told, found = subject.plugin.metric_ids(), tuple(_perfect(subject).metrics)
    require(told == found, f"metric_ids() announces {', '.join(told)}; evaluate() computes {', '.join(found)}")
    wrong = [name for name in told if not METRIC_ID.fullmatch(name)] + [
        n for n, often in Counter(told).items() if often > 1
    ]
    require(not wrong, f"{', '.join(map(repr, wrong))} cannot be the identity of a metric, or is there twice")


@check(
    "Evaluation",
    "value as a fraction 0 to 1 unless the identity says otherwise; finite.",
    do="return fractions, not percent; where the unit is another one, name it in the identity and expect this to fail.",
)
def metrics_are_fractions(subject: Subject) -> None:
    """Look at the metrics of both kinds of embeddings."""
    for evaluation in (_perfect(subject), _ignorant(subject)):
        wrong = {n: value for n, value in evaluation.metrics.items() if not (np.isfinite(value) and 0 <= value <= 1)}
        require(not wrong, f"no fractions: {', '.join(f'{name} = {value}' for name, value in wrong.items())}")


@check(
    "EvaluationProtocol.evaluate",
    "Embeddings that are alike for one person and far apart for two give the perfect score, 1.",
    do="see that a smaller distance, or a larger cosine, means the same person; an error rate is 1 minus itself.",
)
def perfect_embeddings_give_a_perfect_score(subject: Subject) -> None:
    """Evaluate embeddings with one direction for each person."""
    short = {name: value for name, value in _perfect(subject).metrics.items() if value != 1}
    require(not short, f"perfect embeddings give {', '.join(f'{name} = {value:.4g}' for name, value in short.items())}")


@check(
    "EvaluationProtocol.evaluate",
    "Embeddings that know nothing of the people do not.",
    do="see that the scores come from the embeddings, row by row, and labels from the pack.",
)
def ignorant_embeddings_do_not(subject: Subject) -> None:
    """Evaluate embeddings with one direction for each image."""
    same = [name for name, value in _ignorant(subject).metrics.items() if value == 1]
    require(not same, f"random embeddings give the perfect score too: {', '.join(same)}")


@check(
    "EvaluationProtocol.evaluate",
    "The same embeddings give the same numbers.",
    do="draw replicates from a fixed seed and the pack alone, and keep nothing between two evaluations.",
)
def evaluating_repeats(subject: Subject) -> None:
    """Evaluate again, after others and under other global random states, on a pack opened again."""
    before = _ignorant(subject)
    _evaluate(subject, _directions(_people(pack(subject))), pack_anew(subject))
    with watched(99):
        again = subject.plugin.evaluate(pack_anew(subject), _features(_random(len(pack(subject)))))
    for name in ("metrics", "scores"):
        same = content(_arrays(getattr(before, name))) == content(_arrays(getattr(again, name)))
        require(same, f"the same embeddings give other {name} the second time")


@check(
    "EvaluationProtocol.evaluate",
    "DataError: when the features do not belong to the pack, or an embedding is NaN or zero (names the images).",
    do="compare the number of rows with the pack, and refuse rows that have no direction.",
)
def wrong_embeddings_are_refused(subject: Subject) -> None:
    """Give one row too few, a row of NaN, a row of zeros."""
    _perfect(subject)
    right = _directions(_people(pack(subject)))
    wrong = {
        "one embedding too few": right[:-1],
        "an embedding of NaN": right.copy(),
        "an embedding of zeros": right.copy(),
    }
    wrong["an embedding of NaN"][0] = np.nan
    wrong["an embedding of zeros"][0] = 0
    for what, embeddings in wrong.items():
        try:
            _evaluate(subject, embeddings)
        except DataError:
            continue
        raise BrokenContract(f"evaluate() takes {what} without an error")


@check(
    "Evaluation",
    "the draws depend on the pack alone, so replicates of two recognizers on one pack are paired.",
    do="draw which people or pairs are repeated before looking at the embeddings, from a fixed seed.",
)
def replicates_are_of_the_metrics(subject: Subject) -> None:
    """Look at the replicates and the intervals; perfect embeddings score 1 in every replicate."""
    evaluation = _perfect(subject)
    drawn = evaluation.scores.get("replicates")
    if drawn is None or not len(drawn):
        raise SkipTest("it keeps no replicates")
    require(
        drawn.shape[1:] == (len(evaluation.metrics),),
        f"replicates are {list(drawn.shape)}, a column for each metric is due",
    )
    for which in (evaluation, _ignorant(subject)):
        values = np.asarray(which.scores["replicates"], np.float64)
        require(bool(((values >= 0) & (values <= 1)).all()), "replicates are no fractions 0 to 1")
        limits = [(one.low, one.high) for several in which.intervals.values() for one in several]
        require(all(low <= high for low, high in limits), "an interval ends before it begins")


@check(
    "Pack.sample_pairs",
    "Return at most ``count`` pairs, half of them same, spread over the pack; always the same ones.",
    do="draw nothing at random, and return rows of images.",
)
def sampled_pairs_are_rows(subject: Subject) -> None:
    """Sample a few pairs, twice."""
    opened = pack(subject)
    one, other = opened.sample_pairs(6), opened.sample_pairs(6)
    rows = np.concatenate([one.first, one.second])
    require(
        len(one.first) == len(one.second) == len(one.is_same) <= 6, "sample_pairs(6) returned more, or uneven, arrays"
    )
    require(
        not len(rows) or 0 <= rows.min() <= rows.max() < len(opened), "sample_pairs() names rows that are no images"
    )
    require(content(vars(one)) == content(vars(other)), "sample_pairs() returned other pairs the second time")


@check(
    "Pack",
    "Name of each of the N images, unique: a path relative to the pack, or an index in it.",
    do="return one name for each image, none of them twice.",
)
def names_are_unique(subject: Subject) -> None:
    """Look at the names."""
    opened = pack(subject)
    require(len(opened.names) == len(opened), f"{len(opened.names)} names for {len(opened)} images")
    require(len({*opened.names}) == len(opened), "two images have one name")


@check(
    "Evaluation",
    "Hold the numbers of one protocol and the scores behind them.",
    do="return metrics as floats and scores as arrays.",
)
def evaluations_are_stored_whole(subject: Subject) -> None:
    """Evaluate as the stage does, which writes the evaluation, and open it."""
    expected = dict(_ignorant(subject).metrics)
    run, opened = context(subject.folder(), Told()), pack(subject)
    features = _features(_random(len(opened)))
    evaluation_stage.run(subject.plugin, Sources({"benchmark": lambda: opened, "features": lambda: features}), run)
    stored = evaluation_stage.load(subject.plugin, run.folder, "cpu")
    require(dict(stored.metrics) == expected, "what is stored and opened has other metrics")


def _people(opened: Pack) -> IntArray:
    """Return who is on each image as far as its pairs tell: the images that same pairs connect are one person's."""
    person = np.arange(len(opened))
    pairs = opened.sample_pairs(ALL_PAIRS)
    for one, other in zip(pairs.first[pairs.is_same].tolist(), pairs.second[pairs.is_same].tolist(), strict=True):
        person[person == person[other]] = person[one]
    return person


def _directions(person: IntArray) -> FloatArray:
    """Return one random direction for each person."""
    return _random(int(person.max()) + 1)[person]


def _random(rows: int) -> FloatArray:
    directions: FloatArray = generator(5).standard_normal((rows, WIDTH)).astype(np.float32)
    return directions


def _features(embeddings: FloatArray) -> Features:
    return Features(embeddings, embeddings.copy())


def _evaluate(subject: Subject, embeddings: FloatArray, opened: Pack | None = None) -> Evaluation:
    plugin: EvaluationProtocol = subject.plugin
    with watched(1):
        return plugin.evaluate(opened or pack(subject), _features(embeddings))


def _perfect(subject: Subject) -> Evaluation:
    return subject.once(
        "evaluating perfect embeddings", lambda: _evaluate(subject, _directions(_people(pack(subject))))
    )


def _ignorant(subject: Subject) -> Evaluation:
    _perfect(subject)
    return subject.once("evaluating random embeddings", lambda: _evaluate(subject, _random(len(pack(subject)))))


def _arrays(values: Any) -> Any:
    return {name: np.asarray(value) for name, value in values.items()}


def _watched(subject: Subject, is_frozen: bool = False) -> Conduct:
    _perfect(subject)
    handed, embeddings = Handed(is_frozen), _random(len(pack(subject)))
    features = Features(handed.over("embeddings", embeddings), handed.over("mirrored embeddings", embeddings))
    opening = read(lambda: pack_anew(subject), handed)
    with watched(1) as evaluating:
        subject.plugin.evaluate(pack(subject), features)
    return Conduct({"open() and images()": [opening], "evaluate()": [evaluating]}, handed.changed())


PROTOCOL = (
    evaluates,
    metrics_are_those_announced,
    metrics_are_fractions,
    perfect_embeddings_give_a_perfect_score,
    ignorant_embeddings_do_not,
    evaluating_repeats,
    wrong_embeddings_are_refused,
    replicates_are_of_the_metrics,
    sampled_pairs_are_rows,
    names_are_unique,
    evaluations_are_stored_whole,
    *manners(_watched, lambda subject: _watched(subject, is_frozen=True)),
    *reading(pack, pack_anew, "PackReader.open"),
)
