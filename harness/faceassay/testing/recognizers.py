"""Own the checks of a recognizer: its training, and the embeddings that it serves."""

from __future__ import annotations

import json
from unittest import SkipTest

import numpy as np

from faceassay.contracts import DifferentiableRecognizer, FloatArray, ImageBatch, Recognizer
from faceassay.testing.checks import check, require
from faceassay.testing.disturbance import Disturbance, watched
from faceassay.testing.faces import faces
from faceassay.testing.fitting import (
    ROUNDING,
    first,
    fit_frozen,
    load,
    loaded,
    require_one_identity,
    require_other_seed_tells,
    require_repeats,
    require_work,
)
from faceassay.testing.inputs import OTHER_SEED, Handed
from faceassay.testing.manners import Conduct, manners
from faceassay.testing.subject import Subject

FEW = 3
"""Optimizer steps of a matched training."""


@check(
    "Recognizer",
    "Train a network that maps a face image to an embedding.",
    do="mend the error: the set is small (24 images of 6 people at 16 px), but complete.",
)
def trains_and_embeds(subject: Subject) -> None:
    """Train, load, embed."""
    first(subject)
    _embedded(subject)


@check(
    "Recognizer.fit",
    "The same images and seed write the same bytes, however often the training was killed and went on from a "
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
def another_seed_makes_another_recognizer(subject: Subject) -> None:
    """Train with another seed."""
    require_other_seed_tells(subject, OTHER_SEED)


@check(
    "Recognizer.work",
    "It is the total of the progress that ``fit`` tells.",
    do="return the images of all batches, and call run.progress(images so far, the same number) to the end.",
)
def work_is_told_beforehand(subject: Subject) -> None:
    """Compare work with progress."""
    require_work(subject)


@check(
    "Recognizer.updates_for",
    "Return the optimizer steps that ``fit`` makes on a set of ``images``: one or more.",
    do="return the length of the training in steps.",
)
def updates_are_a_number(subject: Subject) -> None:
    """Ask for the steps on sets of several sizes."""
    told = [subject.plugin.updates_for(images) for images in (1, len(faces()), 10_000)]
    require(all(isinstance(one, int) and one >= 1 for one in told), f"updates_for() returns {told}")


@check(
    "Recognizer.trained_for",
    "Return this recognizer with a training of exactly ``updates`` optimizer steps (matched controls).",
    do="return type(self).model_validate({**self.model_dump(), ...}) with the length changed and nothing else.",
)
def trains_for_as_long_as_told(subject: Subject) -> None:
    """Ask for a training of three steps, on any set."""
    plugin: Recognizer = subject.plugin
    short = plugin.trained_for(FEW)
    told = [short.updates_for(images) for images in (1, len(faces()), 10_000)]
    require(told == [FEW] * 3, f"trained_for({FEW}) trains for {told} steps on 1, {len(faces())} and 10,000 images")
    require(short.architecture() == plugin.architecture(), f"trained_for({FEW}) is another network")
    json.dumps(plugin.architecture())


@check(
    "FittedRecognizer.embed",
    "Return raw (not normalised) embeddings, float32 [B, d], of uint8 [B, H, W, 3] RGB images.",
    do="return a float32 array with one row for each image, finite.",
)
def embeddings_are_float32(subject: Subject) -> None:
    """Look at the embeddings of all images, and of one."""
    whole = _embedded(subject)
    one = _embed(subject, faces().pixels[:1])
    for embeddings, images in ((whole, len(faces())), (one, 1)):
        is_right = isinstance(embeddings, np.ndarray) and embeddings.dtype == np.float32 and embeddings.ndim == 2
        got = f"{getattr(embeddings, 'dtype', type(embeddings).__name__)} {list(getattr(embeddings, 'shape', []))}"
        require(
            is_right and embeddings.shape == (images, whole.shape[1]), f"embed() returned {got} for {images} images"
        )
    require(bool(np.isfinite(whole).all()), "embeddings are not finite")
    require(loaded(subject).image_size == faces().image_size, f"image_size is {loaded(subject).image_size}")


@check(
    "FittedRecognizer.embed",
    "An image is embedded alike in every batch, but for the rounding of floats.",
    do="put the network into eval(), so that BatchNorm does not look at the batch, and normalise nothing over it.",
)
def images_are_embedded_alone(subject: Subject) -> None:
    """Embed all images together, by fives, and one by one."""
    whole, pixels = np.asarray(_embedded(subject), np.float64), faces().pixels
    for size in (1, 5):
        parts = [_embed(subject, pixels[start : start + size]) for start in range(0, len(pixels), size)]
        apart = float(np.abs(np.concatenate(parts) - whole).max() / np.abs(whole).max())
        require(
            apart <= ROUNDING, f"in batches of {size} embeddings are {apart:.2g} of the largest value from themselves"
        )


@check(
    "DifferentiableRecognizer.features",
    "They are those that ``embed`` returns of the same images, red first.",
    do="let embed() call features() on faceassay.sampling.from_images(images): one order of colours, one scale.",
)
def features_are_the_embeddings(subject: Subject) -> None:
    """Compare features with embeddings, and see that a gradient reaches the images and no weight."""
    import torch

    from faceassay.sampling import from_images

    fitted = loaded(subject)
    if not isinstance(fitted, DifferentiableRecognizer):
        raise SkipTest("no gradient passes through it")
    with watched(1):
        x = from_images(faces().pixels).requires_grad_()
        features = fitted.features(x)
        (gradient,) = torch.autograd.grad(features.sum(), x)
    whole = np.asarray(_embedded(subject), np.float64)
    apart = float(np.abs(features.detach().numpy() - whole).max() / np.abs(whole).max())
    require(apart <= ROUNDING, f"features() is {apart:.2g} of the largest value from embed()")
    require(bool(torch.isfinite(gradient).all()) and bool(gradient.any()), "no gradient reaches the images")


@check(
    "FittedRecognizer.class_centres",
    "Return the rows of the margin head's weight E, float32 [L, d] (ScoreMix, section 4.3), or None.",
    do="return one row for each identity, in their order, as wide as an embedding.",
)
def class_centres_are_of_the_identities(subject: Subject) -> None:
    """Look at the class centres."""
    centres = loaded(subject).class_centres()
    if centres is None:
        raise SkipTest("it has no class centres")
    wanted = (len(faces().identities), _embedded(subject).shape[1])
    is_right = centres.dtype == np.float32 and centres.shape == wanted
    require(is_right, f"class_centres() is {centres.dtype} {list(centres.shape)}, not float32 {list(wanted)}")
    require(bool(np.isfinite(centres).all()), "class centres are not finite")


@check(
    "Recognizer.load",
    "Loaded again it gives the same output.",
    do="write all that the network needs into run.folder, and fill nothing with random numbers when loading.",
)
def loading_repeats(subject: Subject) -> None:
    """Load anew and embed alike."""
    with watched(99):
        again = load(subject).embed(faces().pixels.copy())
    require(np.array_equal(again, _embedded(subject)), "two loads of one training embed differently")


@check(
    "Trainable.check",
    "What it lets pass works, one identity too.",
    do="raise ValueError in check(image_size, identities), with the remedy, where the plugin needs more people.",
)
def one_identity_is_refused_or_works(subject: Subject) -> None:
    """Train on one identity where check() takes it."""
    require_one_identity(subject)


def _embed(subject: Subject, images: ImageBatch) -> FloatArray:
    with watched(1):
        embeddings: FloatArray = loaded(subject).embed(images.copy())
    return embeddings


def _embedded(subject: Subject) -> FloatArray:
    return subject.once("embedding all images", lambda: _embed(subject, faces().pixels))


def _watched_embedding(subject: Subject, is_frozen: bool = False) -> tuple[Disturbance, list[str]]:
    handed = Handed(is_frozen)
    images = handed.over("images that are embedded", faces().pixels)
    fitted = load(subject)
    with watched(1) as disturbance:
        fitted.embed(images)
    return disturbance, handed.changed()


def _conduct(subject: Subject) -> Conduct:
    disturbance, changed = _watched_embedding(subject)
    fitted = first(subject)
    return Conduct({"fit()": [fitted.disturbance], "embed()": [disturbance]}, [*fitted.changed, *changed])


def _frozen(subject: Subject) -> None:
    fit_frozen(subject)
    _watched_embedding(subject, is_frozen=True)


RECOGNIZER = (
    trains_and_embeds,
    training_repeats_and_resumes,
    another_seed_makes_another_recognizer,
    work_is_told_beforehand,
    updates_are_a_number,
    trains_for_as_long_as_told,
    embeddings_are_float32,
    images_are_embedded_alone,
    features_are_the_embeddings,
    class_centres_are_of_the_identities,
    loading_repeats,
    *manners(_conduct, _frozen),
    one_identity_is_refused_or_works,
)
