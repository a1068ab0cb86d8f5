"""Trainings on the EDM2 backbone as their tests need them: whole, interrupted, or before the first step."""

from __future__ import annotations

from dataclasses import replace

from faceassay_plugins.generators.edm2.batches import Batches
from faceassay_plugins.generators.edm2.courses import courses
from faceassay_plugins.generators.edm2.images import TrainingImages
from faceassay_plugins.generators.edm2.training import Results, Training
from fakes import sources, stage_context


class Interruption(Exception):
    pass


def fit(plugin, data, folder, stop_at=None, recognizer=None, attributes=None, **options):
    run = stage_context(folder, **options)

    def progress(done, total):
        if done == stop_at:
            raise Interruption

    inputs = sources(real=data, recognizer=recognizer, attributes=attributes)
    plugin.fit(inputs, replace(run, progress=progress))
    return contents(run.folder)


def training_of(plugin, data, folder, **inputs):
    """Return the training of the main network before its first step."""
    run = stage_context(folder)
    scheme = scheme_of(plugin, data, run, **inputs)
    (course,) = courses(plugin, data.image_size, scheme.conditioning)
    return Training(course, Batches(scheme, run, run.seed), run, Results())


def scheme_of(plugin, data, run, **inputs):
    """Return what the generator adds to the training; which images are held out is the same for all runs."""
    return plugin.scheme(sources(real=data, **inputs), TrainingImages(data, plugin.held_out, 1), run)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
