"""Plugins that break one sentence of a contract each, made from those that keep it; importable, so that keys work."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, replace

import numpy as np
import torch
from pydantic import ConfigDict, PrivateAttr, field_validator

from conforming import (
    Finding,
    Good,
    GoodAttribute,
    GoodDataset,
    GoodFigure,
    GoodGenerator,
    GoodProtocol,
    GoodReader,
    GoodRecognizer,
    GoodSearch,
    Linear,
    Means,
)
from faceassay import Evaluation, LabelMix, PairSample, parameter
from faceassay.testing import FaceArrays, faces
from faceassay_plugins.datasets.folder import Folder
from faceassay_protocols.packs import PairPack

BROKEN = {}
"""Name of a broken plugin -> the plugin, and the checks that must catch it."""


def breaks(*checks):
    def kept(cls):
        BROKEN[cls.__name__] = cls, {*checks}
        return cls

    return kept


# --- parameters


@breaks("parameters_survive_a_spec")
class GrowingParameter(GoodFigure):
    size: int = parameter(1, description="grows each time it is read")

    @field_validator("size")
    @classmethod
    def _grows(cls, size):
        return size + 1


@breaks("unknown_parameters_are_refused")
class TakesAnything(GoodFigure):
    model_config = ConfigDict(extra="ignore")


@breaks("parameters_are_described")
class SaysNothing(GoodFigure):
    size: int = 1


# --- augmentations


@breaks("plans_and_renders")
class FailsToRender(Good):
    def render(self, sources, block, noise):
        raise ZeroDivisionError("no reason")


@breaks("needs_are_known")
class NeedsTheMoon(Good):
    def needs(self):
        return super().needs() | {"moon"}


@breaks("reads_what_it_needs")
class ReadsInSecret(Good):
    def plan(self, sources, run):
        sources.open("recognizer").class_centres()
        return super().plan(sources, run)


@breaks("reads_what_it_needs")
class NeedsWhatItNeverReads(Good):
    def needs(self):
        return super().needs() | {"attributes"}


@breaks("images_are_uint8_rgb")
class RendersFloats(Good):
    def render(self, sources, block, noise):
        return super().render(sources, block, noise).astype(np.float32)


@breaks("colours_keep_their_order")
class RendersBgr(Good):
    def render(self, sources, block, noise):
        return super().render(sources, block, noise)[..., ::-1].copy()


@breaks("rendering_repeats", "blocks_render_in_any_order")
class RendersChance(Good):
    def render(self, sources, block, noise):
        chance = np.random.default_rng().integers(1, 100)  # one number for all rows and blocks of a class
        return super().render(sources, block, noise) + np.uint8(chance if self.drawn(block) else 0)

    def drawn(self, block):
        return block.index == 1  # rows that are rendered alone are those of block 0


@breaks("blocks_render_in_any_order")
class CountsBlocks(Good):
    _blocks: int = PrivateAttr(0)

    def render(self, sources, block, noise):
        self._blocks += 1
        return super().render(sources, block, noise) // np.uint8(self._blocks)


@breaks("rows_render_alone")
class CentresBatches(Good):
    def render(self, sources, block, noise):
        return super().render(sources, block, noise - noise.mean(0) * (len(noise) > 1) + noise.mean(0)[:1].mean())


@breaks("another_seed_makes_other_images")
class IgnoresTheSeed(Good):
    def render(self, sources, block, noise):
        return super().render(sources, block, np.ones_like(noise))


@breaks("another_seed_makes_other_images")
class ClaimsNoSeed(Good):
    seeded = False


@breaks("inputs_stay_as_they_are")
class WritesIntoTheNoise(Good):
    def render(self, sources, block, noise):
        noise *= 0.5
        return super().render(sources, block, noise)


@breaks("inputs_stay_as_they_are")
class WritesPastTheFlag(Good):
    def render(self, sources, block, noise):
        images = super().render(sources, block, noise)
        torch.from_numpy(block.columns["place"]).zero_()
        return images


@breaks("global_random_states_stay")
class SeedsNumpy(Good):
    def render(self, sources, block, noise):
        np.random.seed(0)
        return super().render(sources, block, noise)


@breaks("global_random_states_stay")
class DrawsFromPython(Good):
    def plan(self, sources, run):
        random.random()
        return super().plan(sources, run)


@breaks("global_random_states_stay")
class DrawsFromTorch(Good):
    def render(self, sources, block, noise):
        torch.randn(1)
        return super().render(sources, block, noise)


@breaks("torch_settings_stay")
class SwitchesGradientsOff(Good):
    def plan(self, sources, run):
        torch.set_grad_enabled(False)
        return super().plan(sources, run)


@breaks("torch_settings_stay")
class SetsThreads(Good):
    def render(self, sources, block, noise):
        torch.set_num_threads(2)
        return super().render(sources, block, noise)


@breaks("evaluations_are_told_beforehand")
class ForetellsLess(Good):
    def evaluations_per_image(self):
        return 1


@breaks("evaluations_are_counted")
class CallsInsides(Good):
    def denoiser(self, sources, block):
        mix = LabelMix(block.sources, block.weights)

        def inside(role):
            denoise = sources.generator.denoiser(mix, role=role)
            return lambda x, sigma: denoise.network.function(x, sigma, denoise.condition)

        return self.guided(inside)


class Looks(Good):
    """Look at the images through the recognizer, and tell of it."""

    def needs(self):
        return super().needs() | {"recognizer"}

    def passes_per_image(self):
        return {"recognizer_forward": 1}

    def render(self, sources, block, noise):
        images = super().render(sources, block, noise)
        sources.recognizer.embed(images)
        sources.passes["recognizer_forward"] += len(images)
        return images


@breaks("passes_are_counted")
class LooksInSecret(Looks):
    def render(self, sources, block, noise):
        images = super().render(sources, block, noise)
        sources.passes.clear()
        return images


@breaks("passes_are_told_beforehand")
class ForetellsNoLook(Looks):
    def passes_per_image(self):
        return {}


@breaks("one_identity_is_refused_or_works")
class NeedsCompany(Good):
    def plan(self, sources, run):
        sources.real.identities[1]
        return super().plan(sources, run)


@breaks("planning_repeats")
class PlansByChance(Good):
    def plan(self, sources, run):
        plan = super().plan(sources, run)
        return replace(plan, columns={"place": np.frombuffer(os.urandom(len(plan)), np.uint8)})


@breaks("planning_counts_what_it_does")
class PlansExpensively(Good):
    def plan(self, sources, run):
        run.count_evaluations(50)
        return super().plan(sources, run)


@breaks("planning_counts_what_it_does")
class PlansInSecret(Good):
    def plan(self, sources, run):
        plan = super().plan(sources, run)
        images = torch.zeros(len(plan), 3, sources.real.image_size, sources.real.image_size)
        sources.generator.denoiser(LabelMix(plan.sources, plan.weights))(images, torch.ones(len(plan)))
        return plan


@breaks("planned_images_are_listed")
class PlansMore(Good):
    def planned_images(self, identities):
        return 7


@breaks("plan_is_sound")
class NamesNobody(Good):
    def plan(self, sources, run):
        plan = super().plan(sources, run)
        return replace(plan, identities=(*plan.identities, "nobody"))


@breaks("labels_are_honest")
class LabelsTheNext(Good):
    def plan(self, sources, run):
        names = sources.real.identities
        return replace(super().plan(sources, run), identities=(*names[1:], names[0]))


@breaks("labels_are_honest")
class AlmostNames(Good):
    def plan(self, sources, run):
        return replace(super().plan(sources, run), identities=tuple(f"{n} " for n in sources.real.identities))


@breaks("people_join_by_name")
class NamesByNumber(Good):
    def plan(self, sources, run):
        return replace(super().plan(sources, run), identities=tuple(map(str, range(len(sources.real.identities)))))


# --- searches


class ForgetfulFinding(Finding):
    def run(self, sources, run):
        found = super().run(sources, run)
        return {**found, "resumed": run.checkpoints.load() is not None}


class SecretFinding(Finding):
    def run(self, sources, run):
        found = super().run(sources, run)
        sources.recognizer.embed(sources.real.images(np.arange(2)))
        return found


class IdleFinding(Finding):
    def needs(self):
        return frozenset({"recognizer", "generator"})


class SeedingFinding(Finding):
    def run(self, sources, run):
        torch.manual_seed(1)
        return super().run(sources, run)


@breaks("search_repeats_and_resumes")
class Forgets(GoodSearch):
    searching = ForgetfulFinding()


@breaks("search_counts_what_it_does")
class SearchesInSecret(GoodSearch):
    searching = SecretFinding()


@breaks("search_reads_what_it_needs")
class SearchesIdly(GoodSearch):
    searching = IdleFinding()


@breaks("search_disturbs_nothing")
class SearchSeeds(GoodSearch):
    searching = SeedingFinding()


# --- generators


@breaks("trains_and_loads")
class FailsToTrain(GoodGenerator):
    def fit(self, sources, run):
        raise ZeroDivisionError("no reason")


@breaks("reads_what_it_needs")
class TrainsInSecret(GoodGenerator):
    def fit(self, sources, run):
        sources.open("attributes")
        super().fit(sources, run)


@breaks("training_repeats_and_resumes")
class TrainsByChance(GoodGenerator):
    def fit(self, sources, run):
        super().fit(sources, run)
        (run.folder / "when.txt").write_bytes(os.urandom(8))


@breaks("training_repeats_and_resumes")
class ResumesFromNothing(GoodGenerator):
    def fit(self, sources, run):
        super().fit(sources, run)
        (run.folder / "how.txt").write_text(str(run.checkpoints.load() is None))


@breaks("another_seed_makes_another_generator")
class TrainsAlike(GoodGenerator):
    def fit(self, sources, run):
        super().fit(sources, replace(run, seed=0))


@breaks("work_is_told_beforehand")
class WorksMore(GoodGenerator):
    def work(self, images):
        return images


class LookingGenerator(GoodGenerator):
    def needs(self):
        return frozenset({"recognizer"})

    def passes_for(self, images):
        return {"recognizer_forward": images}

    def fit(self, sources, run):
        sources.recognizer.embed(sources.real.images(np.arange(len(sources.real))))
        run.count_passes({"recognizer_forward": len(sources.real)})
        super().fit(sources, run)


@breaks("passes_are_counted")
class TrainsUncounted(LookingGenerator):
    def fit(self, sources, run):
        super().fit(sources, replace(run, count_passes=lambda passes: None))


@breaks("passes_are_told_beforehand")
class TrainsUntold(LookingGenerator):
    def passes_for(self, images):
        return {"recognizer_forward": 1}


class OtherNames(Means):
    def __post_init__(self):
        super().__post_init__()
        self.identities = ("somebody",)


class OneChannel(Means):
    def network(self, x, sigma, condition):
        return super().network(x, sigma, condition)[:, :1]


class BatchMean(Means):
    def network(self, x, sigma, condition):
        return super().network(x, sigma, condition) - x.mean(0)


class Uncounted(Means):
    @property
    def evaluations(self):
        return self.networks["main"].evaluations


@dataclass
class Shaken(Means):
    def __post_init__(self):
        super().__post_init__()
        chance = torch.Generator()
        chance.seed()
        self.means = self.means + 0.1 * torch.rand(1, generator=chance)


class TakesAnyClass(Means):
    def denoiser(self, condition, *, role="main"):
        known = np.minimum(condition.indices, len(self.means) - 1) if isinstance(condition, LabelMix) else None
        mix = (
            LabelMix(known, condition.weights)
            if known is not None
            else LabelMix(np.zeros((1, 1), int), np.ones((1, 1)))
        )
        return super().denoiser(mix, role=role)


@breaks("serves_what_it_was_trained_on")
class ServesOthers(GoodGenerator):
    fitted = OtherNames


@breaks("denoised_images_are_sound")
class ServesOneChannel(GoodGenerator):
    fitted = OneChannel


@breaks("images_are_denoised_alone")
class ServesBatches(GoodGenerator):
    fitted = BatchMean


@breaks("evaluations_are_counted")
class ServesUncounted(GoodGenerator):
    fitted = Uncounted


@breaks("loading_repeats")
class ServesShaken(GoodGenerator):
    fitted = Shaken


@breaks("wrong_conditions_are_refused")
class ServesAnyClass(GoodGenerator):
    fitted = TakesAnyClass


@breaks("inputs_stay_as_they_are")
class WritesIntoLabels(GoodGenerator):
    def fit(self, sources, run):
        super().fit(sources, run)
        sources.real.labels[0] = 1


@breaks("global_random_states_stay")
class SeedsTorch(GoodGenerator):
    def fit(self, sources, run):
        torch.manual_seed(run.seed)
        super().fit(sources, run)


@breaks("torch_settings_stay")
class SetsTheDtype(GoodGenerator):
    def fit(self, sources, run):
        super().fit(sources, run)
        torch.set_default_dtype(torch.float64)


@breaks("one_identity_is_refused_or_works")
class TrainsOnTwo(GoodGenerator):
    def fit(self, sources, run):
        sources.real.identities[1]
        super().fit(sources, run)


# --- recognizers


@breaks("trains_and_embeds")
class FailsToEmbed(GoodRecognizer):
    def fit(self, data, run):
        raise ZeroDivisionError("no reason")


@breaks("training_repeats_and_resumes")
class RecognizesByChance(GoodRecognizer):
    def fit(self, data, run):
        super().fit(data, run)
        (run.folder / "when.txt").write_bytes(os.urandom(8))


@breaks("another_seed_makes_another_recognizer")
class RecognizesAlike(GoodRecognizer):
    def fit(self, data, run):
        super().fit(data, replace(run, seed=0))


@breaks("work_is_told_beforehand")
class RecognizesWithMoreWork(GoodRecognizer):
    def fit(self, data, run):
        super().fit(data, replace(run, progress=lambda done, total: run.progress(done, 2 * total)))


@breaks("updates_are_a_number", "trains_for_as_long_as_told")
class UpdatesInHalves(GoodRecognizer):
    def updates_for(self, images):
        return self.updates / 2


@breaks("trains_for_as_long_as_told")
class TrainsAsLongAsEver(GoodRecognizer):
    updates: int = parameter(5, ge=1, description="steps")

    def trained_for(self, updates):
        return self


class Doubles(Linear):
    def embed(self, images):
        return super().embed(images).astype(np.float64)


class Batched(Linear):
    def features(self, x):
        return super().features(x - x.mean(0) * (len(x) > 1))


class Bgr(Linear):
    def embed(self, images):
        return super().embed(images[..., ::-1].copy())


class Scribbles(Linear):
    def embed(self, images):
        embeddings = super().embed(images)
        images[:] = 0
        return embeddings


@dataclass
class ShakenMap(Linear):
    def __post_init__(self):
        chance = torch.Generator()
        chance.seed()
        self.matrix = self.matrix + 0.01 * torch.rand(1, generator=chance)


@breaks("embeddings_are_float32")
class EmbedsDoubles(GoodRecognizer):
    fitted = Doubles


@breaks("images_are_embedded_alone")
class EmbedsBatches(GoodRecognizer):
    fitted = Batched


@breaks("features_are_the_embeddings")
class EmbedsBgr(GoodRecognizer):
    fitted = Bgr


@breaks("inputs_stay_as_they_are")
class EmbedsAndScribbles(GoodRecognizer):
    fitted = Scribbles


@breaks("loading_repeats")
class EmbedsShaken(GoodRecognizer):
    fitted = ShakenMap


@breaks("class_centres_are_of_the_identities")
class CentresOfOthers(GoodRecognizer):
    def load(self, folder, device):
        return replace(super().load(folder, device), centres=np.zeros((2, 6), np.float32))


@breaks("global_random_states_stay")
class RecognizerSeeds(GoodRecognizer):
    def fit(self, data, run):
        random.seed(run.seed)
        super().fit(data, run)


@breaks("torch_settings_stay")
class RecognizerSets(GoodRecognizer):
    def fit(self, data, run):
        super().fit(data, run)
        torch.use_deterministic_algorithms(False)


@breaks("one_identity_is_refused_or_works")
class RecognizesTwo(GoodRecognizer):
    def fit(self, data, run):
        data.identities[1]
        super().fit(data, run)


# --- datasets


def opened_as(of):
    return of(**{**vars(faces()), "pixels": faces().pixels.copy()})


def shows(*checks, **methods):
    """Keep a dataset whose set has other methods."""

    def kept(name):
        of = type(name, (FaceArrays,), methods)
        opening = {"open": lambda self: opened_as(of), "__module__": __name__, "__qualname__": name}
        breaks(*checks)(type(GoodDataset)(name, (GoodDataset,), opening))

    return kept


IMAGES = FaceArrays.images


@breaks("opens")
class FailsToOpen(GoodDataset):
    def open(self):
        raise ZeroDivisionError("no reason")


@breaks("labels_and_names_fit")
class CountsFromOne(GoodDataset):
    def open(self):
        return replace(faces(), labels=faces().labels + 1)


@breaks("labels_and_names_repeat")
class NamesByChance(GoodDataset):
    def open(self):
        return Unhashed(**{**vars(faces()), "item_ids": tuple(os.urandom(8).hex() for _ in range(len(faces())))})


class Unhashed(FaceArrays):
    """Hash no names."""

    fingerprint = "0" * 64


@breaks("global_random_states_stay")
class OpensWithSeed(GoodDataset):
    def open(self):
        np.random.seed(3)
        return faces()


@breaks("torch_settings_stay")
class OpensWithThreads(GoodDataset):
    def open(self):
        torch.set_num_threads(2)
        return faces()


def reading_views(self, index):
    return self.pixels[index[0] : index[1] + 1 : index[1] - index[0]] if len(index) == 2 else IMAGES(self, index)


def reading_into(self, index):
    found = IMAGES(self, index)
    index.sort()
    index[:] = 0
    return found


shows("opening_repeats", fingerprint=property(lambda self: os.urandom(32).hex()))("HashesTime")
shows(
    "images_are_uint8_rgb", "any_index_is_read", "opening_repeats", images=lambda self, i: IMAGES(self, i).astype(float)
)("ReadsFloats")
BROKEN["ReadsFloats"][1].discard("opening_repeats")
shows("any_index_is_read", images=lambda self, i: np.stack([self.pixels[row] for row in i]))("ReadsNoNothing")
shows("images_are_the_callers_own", images=reading_views)("ReadsViews")
shows("stored_files_are_images", "colours_keep_their_order", encoded=lambda self, i: b"no image")("StoresNothing")
shows("colours_keep_their_order", images=lambda self, i: IMAGES(self, i)[..., ::-1].copy())("ReadsBgr")
shows("inputs_stay_as_they_are", images=reading_into)("WritesIntoTheIndex")


@breaks("recognises_its_own")
class TakesAnyFolder(Folder):
    @classmethod
    def recognises(cls, path):
        return True


@breaks("writing_is_read_back")
class WritesUnderOtherNames(Folder):
    @classmethod
    def write(cls, data, target, advance):
        written = Folder.write(data.renamed(tuple(reversed(data.identities))), target, advance)
        return replace(written, identities=data.identities)


# --- protocols


@breaks("evaluates")
class FailsToEvaluate(GoodProtocol):
    def evaluate(self, pack, features):
        raise ZeroDivisionError("no reason")


@breaks("metrics_are_those_announced", "evaluations_are_stored_whole")
class AnnouncesAnother(GoodProtocol):
    def evaluate(self, pack, features):
        found = super().evaluate(pack, features)
        return Evaluation({"accuracy": found.metrics[self.metric_ids()[0]]}, found.scores)


@breaks("metrics_are_fractions", "perfect_embeddings_give_a_perfect_score")
class MeasuresPercent(GoodProtocol):
    def evaluate(self, pack, features):
        found = super().evaluate(pack, features)
        return Evaluation({name: 100 * value for name, value in found.metrics.items()}, found.scores)


@breaks("perfect_embeddings_give_a_perfect_score")
class MeasuresDistance(GoodProtocol):
    def cosines(self, pack, unit):
        return 1 - super().cosines(pack, unit)


@breaks("ignorant_embeddings_do_not")
class LooksAtLabels(GoodProtocol):
    def cosines(self, pack, unit):
        return pack.is_same.astype(float)


@breaks("evaluating_repeats")
class MeasuresByChance(GoodProtocol):
    def evaluate(self, pack, features):
        found = super().evaluate(pack, features)
        chance = np.random.default_rng().random((5, 1))
        return Evaluation(found.metrics, {**found.scores, "replicates": chance})


@breaks("wrong_embeddings_are_refused")
class TakesAnything2(GoodProtocol):
    def evaluate(self, pack, features):
        rows = np.nan_to_num(np.resize(features.embeddings, (len(pack), features.embeddings.shape[1]))) + 1e-9
        return super().evaluate(pack, replace(features, embeddings=rows))


@breaks("replicates_are_of_the_metrics", "evaluations_are_stored_whole")
class ReplicatesTwo(GoodProtocol):
    def evaluate(self, pack, features):
        found = super().evaluate(pack, features)
        return Evaluation(found.metrics, {**found.scores, "replicates": np.ones((5, 2))})


@breaks("inputs_stay_as_they_are")
class Normalises(GoodProtocol):
    def evaluate(self, pack, features):
        found = super().evaluate(pack, features)
        features.embeddings[:] = 1
        return found


@breaks("global_random_states_stay")
class BootstrapsGlobally(GoodProtocol):
    def evaluate(self, pack, features):
        np.random.seed(1)
        return super().evaluate(pack, features)


@breaks("torch_settings_stay")
class EvaluatesInDoubles(GoodProtocol):
    def evaluate(self, pack, features):
        torch.set_default_dtype(torch.float64)
        return super().evaluate(pack, features)


def packs(*checks, **methods):
    """Keep a protocol whose pack has other methods."""

    def kept(name):
        def opened(self, data):
            pack = GoodReader.open(self, data)
            return type("Pack", (type(pack),), methods)(**vars(pack))

        reader = type(GoodReader)(f"{name}Reader", (GoodReader,), {"open": opened, "__module__": __name__})
        members = {"reader": lambda self: reader(), "__module__": __name__, "__qualname__": name}
        breaks(*checks)(type(GoodProtocol)(name, (GoodProtocol,), members))

    return kept


def pairs_by_chance(self, count):
    found = PairPack.sample_pairs(self, count)
    order = np.random.default_rng().permutation(len(found.first))
    return PairSample(found.first[order], found.second[order], found.is_same[order])


packs("opening_repeats", fingerprint=property(lambda self: os.urandom(32).hex()))("PackOfTime")
packs("sampled_pairs_are_rows", sample_pairs=pairs_by_chance)("PackOfChance")
packs("names_are_unique", names=property(lambda self: ["same"] * len(self)))("PackOfOneName")
packs("images_are_uint8_rgb", "any_index_is_read", images=lambda self, i: self.source.images(i).astype(float))(
    "PackOfFloats"
)


# --- attributes and figures


@breaks("values_are_in_range")
class TellsTooMuch(GoodAttribute):
    def predict(self, images, item_ids):
        return super().predict(images, item_ids) + 200


@breaks("images_are_told_alone")
class TellsBatches(GoodAttribute):
    def predict(self, images, item_ids):
        values = super().predict(images, item_ids)
        return values.mean(keepdims=True).repeat(len(values), 0)


@breaks("inputs_stay_as_they_are")
class TellsAndScribbles(GoodAttribute):
    def predict(self, images, item_ids):
        values = super().predict(images, item_ids)
        images[:] = 0
        return values


@breaks("global_random_states_stay")
class TellsAtRandom(GoodAttribute):
    def predict(self, images, item_ids):
        torch.manual_seed(0)
        return super().predict(images, item_ids)


@breaks("torch_settings_stay")
class TellsWithoutGradients(GoodAttribute):
    def predict(self, images, item_ids):
        torch.set_grad_enabled(False)
        return super().predict(images, item_ids)


@breaks("needs_are_known")
class DrawsTheMoon(GoodFigure):
    def needs(self):
        return frozenset({"moon"})
