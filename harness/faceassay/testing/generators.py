"""Own the checks of a generator: its training, and the denoisers that it serves."""

from __future__ import annotations

from collections import Counter
from typing import Any
from unittest import SkipTest

import numpy as np

from faceassay.contracts import LabelMix
from faceassay.testing.checks import BrokenContract, check, require
from faceassay.testing.disturbance import watched
from faceassay.testing.faces import faces
from faceassay.testing.fitting import (
    ROUNDING,
    conduct,
    first,
    fit_frozen,
    load,
    loaded,
    require_one_identity,
    require_other_seed_tells,
    require_repeats,
    require_work,
)
from faceassay.testing.inputs import OTHER_SEED
from faceassay.testing.manners import manners
from faceassay.testing.reference import ReferenceRecognizer, reference_attributes
from faceassay.testing.subject import Subject

KNOWN = frozenset({"recognizer", "attributes"})
IMAGES = 4
LEVELS = (0.01, 0.5, 5.0, 80.0)
"""Noise levels at which images are denoised."""


@check(
    "Generator",
    "Train a conditional denoiser on real images.",
    do="mend the error: the set is small (24 images of 6 people at 16 px), but complete.",
)
def trains_and_loads(subject: Subject) -> None:
    """Train and load."""
    first(subject)
    loaded(subject)


@check(
    "Generator.needs",
    "They are exactly what ``fit`` reads.",
    do="let needs() name what is read under these parameters, any of recognizer and attributes.",
)
def reads_what_it_needs(subject: Subject) -> None:
    """Compare what was read with what was declared."""
    fitted, needs = first(subject), subject.plugin.needs()
    require(needs <= KNOWN, f"needs() names {', '.join(sorted(map(repr, needs - KNOWN)))}, which nothing serves")
    require(not fitted.undeclared, f"reads {', '.join(fitted.undeclared)}, which needs() does not name")
    require(needs <= fitted.read, f"needs() names {', '.join(sorted(needs - fitted.read))}, which is never read")


@check(
    "Generator.fit",
    "The same inputs and seed write the same bytes, however often the training was killed and went on from a "
    "checkpoint.",
    do="draw from run.seed and the step alone, keep all that changes in a checkpoint, write neither time nor path.",
)
def training_repeats_and_resumes(subject: Subject) -> None:
    """Train again, then from a checkpoint on."""
    require_repeats(subject)


@check(
    "Trainable",
    "A plugin whose results do not depend on the seed of the stage says so by ``seeded = False``: of all others "
    "another seed makes another result.",
    do="use run.seed, or set the class attribute seeded = False.",
)
def another_seed_makes_another_generator(subject: Subject) -> None:
    """Train with another seed."""
    require_other_seed_tells(subject, OTHER_SEED)


@check(
    "Generator.work",
    "It is the total of the progress that ``fit`` tells.",
    do="return the images of all batches, and call run.progress(images so far, the same number) to the end.",
)
def work_is_told_beforehand(subject: Subject) -> None:
    """Compare work with progress."""
    require_work(subject)


@check(
    "Sources",
    "whoever looks through a recognizer or backwards through a denoiser adds to those that ``PASSES`` names.",
    do="call run.count_passes({'recognizer_forward': len(images)}) and the like in fit().",
)
def passes_are_counted(subject: Subject) -> None:
    """Compare what was told of passes with what the recognizer saw."""
    made, told = first(subject).made, first(subject).told
    require(made == told, f"{_words(made)} were made, {_words(told)} were counted")


@check(
    "Generator.passes_for",
    "They are those that ``fit`` makes.",
    do="return the passes of the whole training by the names of PASSES.",
)
def passes_are_told_beforehand(subject: Subject) -> None:
    """Compare the estimate with what the recognizer saw."""
    told, made = +Counter(subject.plugin.passes_for(len(faces()))), first(subject).made
    require(told == made, f"passes_for() foretells {_words(told)}, {_words(made)} were made")


@check(
    "FittedGenerator",
    "Serve a trained conditional denoiser: of the size and the identities of the images that it was trained on.",
    do="keep image_size and identities beside the weights.",
)
def serves_what_it_was_trained_on(subject: Subject) -> None:
    """Compare size, names and condition vectors with the set."""
    fitted, data = loaded(subject), faces()
    require(
        fitted.image_size == data.image_size, f"image_size is {fitted.image_size}, the images have {data.image_size}"
    )
    require(
        tuple(fitted.identities) == data.identities, f"identities are {tuple(fitted.identities)}, not {data.identities}"
    )
    vectors = fitted.condition_vectors()
    if vectors is not None:
        is_right = vectors.dtype == np.float32 and vectors.ndim == 2 and len(vectors) == len(data.identities)
        require(
            is_right and bool(np.isfinite(vectors).all()), f"condition_vectors() is {vectors.dtype} {vectors.shape}"
        )


@check(
    "Denoiser.__call__",
    "Denoise ``x`` ([B, C, H, W], data range [-1, 1]) at noise level ``sigma`` ([B], above 0).",
    do="return a tensor like x, without NaN at any noise level from 0.002 to 80.",
)
def denoised_images_are_sound(subject: Subject) -> None:
    """Denoise at low and high noise, by the main network."""
    import torch

    x, _ = _noisy()
    denoised = _denoised(subject, slice(None))
    require(denoised.shape == x.shape, f"a denoiser returned {list(denoised.shape)} for images {list(x.shape)}")
    require(denoised.is_floating_point(), f"a denoiser returned {denoised.dtype}")
    require(bool(torch.isfinite(denoised).all()), "denoised images are not finite")


@check(
    "FittedGenerator.denoiser",
    "An image is denoised alike in every batch, but for the rounding of floats.",
    do="put the networks into eval(), and compute nothing over the images of a batch.",
)
def images_are_denoised_alone(subject: Subject) -> None:
    """Denoise a batch, and each image on its own."""
    import torch

    together = _denoised(subject, slice(None)).double()
    alone = torch.cat([_denoised(subject, slice(row, row + 1)) for row in range(IMAGES)]).double()
    apart = float((together - alone).abs().max() / together.abs().max())
    require(apart <= ROUNDING, f"an image denoised alone is {apart:.2g} of the largest value from itself in a batch")


@check(
    "FittedGenerator",
    "Network evaluations made so far: one for each image that passes through one network.",
    do="wrap each network in faceassay.sampling.CountedNetwork, and add up what they count.",
)
def evaluations_are_counted(subject: Subject) -> None:
    """Call denoisers a known number of times; the networks behind one shared forward pass count each."""
    fitted = load(subject)
    require(fitted.evaluations == 0, f"{fitted.evaluations} evaluations are counted before any was made")
    x, sigma = _noisy()
    calls = 0
    with watched(1):
        for role in ("main", "guide"):
            denoiser = fitted.denoiser(_condition(subject, slice(None)), role=role)
            for _ in range(2):
                denoiser(x, sigma)
                calls += 1
                told = fitted.evaluations
                require(
                    told == calls * IMAGES, f"{told} evaluations are counted after {calls} calls with {IMAGES} images"
                )


@check(
    "Generator.load",
    "Loaded again it gives the same output.",
    do="write all that the networks need into run.folder, and fill nothing with random numbers when loading.",
)
def loading_repeats(subject: Subject) -> None:
    """Load twice and denoise alike."""
    import torch

    outputs = [_denoised(subject, slice(None), load(subject)) for _ in range(2)]
    require(torch.equal(*outputs), "two loads of one training denoise differently")


@check(
    "FittedGenerator.denoiser",
    "Conditions of another kind, and classes that the generator does not know, are refused.",
    do="raise ValueError in denoiser(), before any image is made.",
)
def wrong_conditions_are_refused(subject: Subject) -> None:
    """Ask for a class that is not there, and for a condition of another kind."""
    fitted, people = loaded(subject), len(faces().identities)
    one = np.ones((1, 1))
    wrong = {"a name that no generator knows": {"no_such_condition": np.ones((1, 3), np.float32)}}
    if "classes" in subject.plugin.conditioned_on():
        wrong["the class behind the last"] = LabelMix(np.array([[people]]), one)  # type: ignore[assignment]
    else:
        wrong["a mix of classes"] = LabelMix(np.array([[0]]), one)  # type: ignore[assignment]
    for what, condition in wrong.items():
        try:
            fitted.denoiser(condition)
        except ValueError:
            continue
        raise BrokenContract(f"denoiser() takes {what} without an error")


@check(
    "Trainable.check",
    "What it lets pass works, one identity too.",
    do="raise ValueError in check(image_size, identities), with the remedy, where the plugin needs more people.",
)
def one_identity_is_refused_or_works(subject: Subject) -> None:
    """Train on one identity where check() takes it."""
    require_one_identity(subject)


def _condition(subject: Subject, rows: slice) -> Any:
    """Return the conditions of some images, of the kind that the generator names."""
    kinds, data = subject.plugin.conditioned_on(), faces()
    if kinds == {"classes"}:
        indices = np.stack([data.labels[:: len(data) // IMAGES][:IMAGES], np.zeros(IMAGES, np.int64)], axis=1)
        return LabelMix(indices[rows], np.tile((0.75, 0.25), (IMAGES, 1))[rows])
    if not kinds <= {"identities", "attributes"}:
        raise SkipTest(f"this kit has no conditions of the kind {', '.join(sorted(kinds))}")
    named = {"identities": ("identity", ReferenceRecognizer(data).embed(data.pixels))}
    named["attributes"] = ("attributes", reference_attributes(data).values)
    return {name: values[:IMAGES][rows] for name, values in (named[kind] for kind in sorted(kinds))}


def _noisy() -> tuple[Any, Any]:
    import torch

    from faceassay.sampling import from_images
    from faceassay.seeds import noise_keys, row_noise

    data, sigma = faces(), torch.tensor(LEVELS)
    noise = torch.from_numpy(row_noise(noise_keys(3, 0, IMAGES), data.image_size))
    return from_images(data.pixels[:IMAGES]) + sigma.view(-1, 1, 1, 1) * noise, sigma


def _denoised(subject: Subject, rows: slice, fitted: Any = None) -> Any:
    import torch

    x, sigma = _noisy()
    with watched(1), torch.no_grad():
        return (fitted or loaded(subject)).denoiser(_condition(subject, rows))(x[rows], sigma[rows])


def _words(passes: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(passes.items())) or "no passes"


GENERATOR = (
    trains_and_loads,
    reads_what_it_needs,
    training_repeats_and_resumes,
    another_seed_makes_another_generator,
    work_is_told_beforehand,
    passes_are_counted,
    passes_are_told_beforehand,
    serves_what_it_was_trained_on,
    denoised_images_are_sound,
    images_are_denoised_alone,
    evaluations_are_counted,
    loading_repeats,
    wrong_conditions_are_refused,
    *manners(conduct, fit_frozen),
    one_identity_is_refused_or_works,
)
