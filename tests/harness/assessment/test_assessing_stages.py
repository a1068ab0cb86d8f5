"""The stages that assess image sets, each run alone on arrays: what they write, and what they refuse."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from faceassay.assessment import Assessment
from faceassay.contracts import Attribute, AttributeTable, DataError, FaceassayError
from faceassay.stages import agreement, classes, distribution, embedding, neighbours, overlap
from faceassay.stages.embedding import Embedded
from fakes import ArrayDataset, Log, WholePack, sources, stage_context, toy_faces

PLUGIN = Assessment()


@dataclass
class Means:
    """Embed an image by the means of its quarters and channels, less a grey."""

    image_size: int = 8
    spoil: int | None = None

    def embed(self, images):
        quarters = images.reshape(len(images), 2, 4, 2, 4, 3).mean(axis=(2, 4)).reshape(len(images), -1)
        vectors = (quarters - 128).astype(np.float32)
        if self.spoil is not None:
            vectors[images[:, 0, 0, 0] == self.spoil] = np.nan
        return vectors


def faces(identities, per_identity, seed):
    return toy_faces(identities, per_identity, 8, seed)


REAL, SYNTHETIC, STRANGERS = faces(5, 6, 0), faces(3, 4, 1), faces(30, 5, 2)


def made(stage, folder, **inputs):
    context = stage_context(folder)
    stage.run(PLUGIN, sources(**inputs), context)
    return stage.load(PLUGIN, context.folder, "cpu")


def embedded(data, folder):
    return made(embedding, folder, images=data, recognizer=Means())


def unit(data):
    vectors = Means().embed(data.pixels).astype(float)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_an_embedding_holds_unit_vectors_and_the_hashes_of_pixels(tmp_path):
    found = embedded(STRANGERS, tmp_path)  # more than one batch
    np.testing.assert_allclose(found.vectors, unit(STRANGERS), rtol=1e-5, atol=1e-7)
    assert found.pixels[7].tobytes() == hashlib.sha256(STRANGERS.pixels[7].tobytes()).digest()
    assert isinstance(found.vectors, np.memmap)


def test_embeddings_of_a_pack_are_those_of_its_images(tmp_path):
    np.testing.assert_array_equal(
        embedded(WholePack(REAL), tmp_path / "pack").vectors, embedded(REAL, tmp_path / "set").vectors
    )


@pytest.mark.parametrize("wrap", [lambda data: data, WholePack])
def test_an_embedding_without_direction_names_its_image(wrap, tmp_path):
    data = faces(30, 5, 2)
    data.pixels[:, 0, 0, 0], data.pixels[70, 0, 0, 0] = 1, 0
    with pytest.raises(DataError, match=r"embedding of image 70 \(item70\) is zero or not finite"):
        made(embedding, tmp_path, images=wrap(data), recognizer=Means(spoil=0))


def test_a_judge_of_another_size_is_refused(tmp_path):
    with pytest.raises(FaceassayError, match="takes images of 16 px and these have 8 px"):
        made(embedding, tmp_path, images=REAL, recognizer=Means(image_size=16))


def told(data, *columns):
    described = tuple(Attribute(f"a{i}", "units", -1e9, 1e9) for i in range(len(columns)))
    return AttributeTable(described, np.stack(columns, axis=1).astype(np.float32))


def test_classes_are_measured_by_embeddings_pixels_and_attributes(tmp_path):
    values = np.arange(12.0) ** 2
    inputs = {"images": SYNTHETIC, "embedding": embedded(SYNTHETIC, tmp_path / "e")}
    found = made(classes, tmp_path, **inputs, **{"attributes/0": told(SYNTHETIC, values)})
    cosines = unit(SYNTHETIC) @ unit(SYNTHETIC).T
    own = [cosines[4 * k : 4 * k + 4, 4 * k : 4 * k + 4] for k in range(3)]
    np.testing.assert_allclose(found.consistency, [(block.sum() - 4) / 12 for block in own], rtol=1e-5)
    np.testing.assert_allclose(found.attribute_spread[:, 0], values.reshape(3, 4).std(1, ddof=1), rtol=1e-6)
    assert found.counts.tolist() == [4, 4, 4]
    assert (found.pixel_spread > 0).all()
    assert (found.nearest_class != np.arange(3)).all()


def test_without_attributes_classes_are_measured_all_the_same(tmp_path):
    found = made(classes, tmp_path, images=SYNTHETIC, embedding=embedded(SYNTHETIC, tmp_path / "e"))
    assert found.attribute_spread.shape == (3, 0)


def neighbours_of(data, folder):
    inputs = {"images": data, "embedding": embedded(data, folder / "mine")} if data is not REAL else {}
    return made(neighbours, folder, **inputs, real=REAL, real_embedding=embedded(REAL, folder / "real"))


def test_the_nearest_training_image_is_found(tmp_path):
    found = neighbours_of(SYNTHETIC, tmp_path)
    cosines = unit(SYNTHETIC) @ unit(REAL).T
    np.testing.assert_allclose(found.cosines, cosines.max(1), rtol=1e-5)
    assert (found.rows == cosines.argmax(1)).all()
    assert found.copies == 0


def test_real_images_are_compared_with_those_of_other_people(tmp_path):
    found = neighbours_of(REAL, tmp_path)
    cosines = unit(REAL) @ unit(REAL).T
    cosines[REAL.labels[:, None] == REAL.labels] = -1
    np.testing.assert_allclose(found.cosines, cosines.max(1), rtol=1e-5)
    assert (found.copies, found.copied) == (0, ())


def test_planted_copies_are_the_closest_pairs(tmp_path):
    planted = ArrayDataset(SYNTHETIC.pixels.copy(), SYNTHETIC.labels, SYNTHETIC.identities)
    planted.pixels[[3, 9]] = REAL.pixels[[17, 4]]
    found = neighbours_of(planted, tmp_path)
    assert (found.copies, found.copied) == (2, ("item3 = item17", "item9 = item4"))
    pairs = {(pair["image"], pair["training_image"]): pair for pair in found.pairs[:2]}
    assert set(pairs) == {("item3", "item17"), ("item9", "item4")}
    first = pairs["item3", "item17"]
    assert (first["identity"], first["training_identity"], first["pixel_difference"]) == ("s1", "s3", 0.0)
    assert first["cosine"] == pytest.approx(1, abs=1e-6)
    assert (found.pictures[0, 0] == found.pictures[0, 1]).all()
    assert len(found.pairs) == len(found.pictures) == neighbours.PAIRS


def test_a_training_set_of_one_person_has_no_neighbours(tmp_path):
    alone = faces(1, 3, 0)
    found = made(neighbours, tmp_path, real=alone, real_embedding=embedded(alone, tmp_path / "e"))
    assert np.isnan(found.cosines).all()
    assert (found.pairs, len(found.pictures)) == ([], 0)


def test_attributes_are_compared_with_those_of_the_real_images(tmp_path):
    real, mine = np.arange(30.0), np.arange(12.0) + 3
    inputs = {"attributes/0": told(REAL, real * 0), "attributes/1": told(REAL, real)}
    (found,) = made(
        distribution, tmp_path, images=SYNTHETIC, real=REAL, **inputs, **{"of_set/1": told(SYNTHETIC, mine)}
    )
    assert found["quantiles"][2] == np.median(mine)
    assert found["quantiles_real"][2] == np.median(real)
    assert found["deviation_real"] == pytest.approx(real.std(ddof=1))
    assert found["distance"] == pytest.approx(np.abs(np.quantile(mine, G) - np.quantile(real, G)).mean(), rel=0.02)
    assert (sum(found["counts"]), sum(found["counts_real"])) == (12, 30)
    assert len(found["replicates"]) == 1000


G = (np.arange(20000) + 0.5) / 20000


def test_an_attribute_that_nobody_knows_is_not_compared(tmp_path):
    unknown = told(SYNTHETIC, np.full(12, np.nan))
    inputs = {"attributes/0": told(REAL, np.arange(30.0)), "of_set/0": unknown}
    (found,) = made(distribution, tmp_path, images=SYNTHETIC, real=REAL, **inputs)
    assert (found["known"], "distance" in found) == (0, False)


def asked_for(identities):
    return SimpleNamespace(plan=SimpleNamespace(columns={"identity": identities}))


def test_agreement_is_the_cosine_to_the_identity_asked_for(tmp_path):
    wanted = np.random.default_rng(0).normal(size=(12, 12)).astype(np.float32)
    anchors = np.array([[2, 0], [0, 3], [1, 1]], np.float32)
    search = {"anchors": anchors, "largest_cosine": 0.5, "rounds": 4, "to_real": {"people": 3, "largest": 0.25}}
    found = made(agreement, tmp_path, synthesis=SYNTHETIC, plan=asked_for(wanted), recognizer=Means(), search=search)
    expected = (unit(SYNTHETIC) * wanted).sum(1) / np.linalg.norm(wanted, axis=1)
    np.testing.assert_allclose(found.cosines, expected, rtol=1e-4)
    np.testing.assert_allclose(found.anchors, [np.sqrt(0.5)] * 3, rtol=1e-6)
    assert found.searched == {"largest_cosine": 0.5, "to_real: largest": 0.25}
    np.testing.assert_allclose(found.class_means(SYNTHETIC.labels, 3), expected.reshape(3, 4).mean(1), rtol=1e-4)


def test_agreement_in_blocks_is_as_a_whole(tmp_path, monkeypatch):
    inputs = {"synthesis": SYNTHETIC, "plan": asked_for(np.eye(12, dtype=np.float32)), "recognizer": Means()}
    whole = made(agreement, tmp_path / "whole", **inputs)
    monkeypatch.setattr(agreement, "BLOCK", 5)
    np.testing.assert_allclose(made(agreement, tmp_path / "parts", **inputs).cosines, whole.cosines, rtol=1e-6)


def test_a_plan_that_asks_for_nobody_has_no_agreement(tmp_path):
    plan = SimpleNamespace(plan=SimpleNamespace(columns={}))
    assert made(agreement, tmp_path, synthesis=SYNTHETIC, plan=plan, recognizer=Means()) is None


def test_identities_of_another_recognizer_are_refused(tmp_path):
    with pytest.raises(FaceassayError, match=r"identities of 5 numbers, the recognizer's have 12"):
        made(agreement, tmp_path, synthesis=SYNTHETIC, plan=asked_for(np.ones((12, 5))), recognizer=Means())


def people(prefix, data):
    return ArrayDataset(data.pixels, data.labels, tuple(f"{prefix}{i}" for i in range(len(data.identities))))


def overlap_of(benchmark, folder, images=REAL, held_out=STRANGERS, **more):
    inputs = {"images": people("r", images), "embedding": embedded(images, folder / "i"), **more}
    if held_out is not None:
        inputs |= {"held_out": people("h", held_out), "held_out_embedding": embedded(held_out, folder / "h")}
    pack = {"benchmark": WholePack(benchmark), "benchmark_embedding": embedded(benchmark, folder / "b")}
    return made(overlap, folder, **inputs, **pack)


def words(found):
    return {kind: verdict.word for kind, verdict in found["verdicts"].items()}


def test_a_benchmark_of_strangers_is_clean(tmp_path):
    found = overlap_of(people("b", faces(6, 5, 9)), tmp_path)
    assert words(found) == dict.fromkeys(("content", "names", "embedding"), "clean")
    assert found["above"]["held_out"] == 150
    assert found["above"]["recognised"] == found["above"]["known"] == 30


def test_a_benchmark_with_other_images_of_training_people_is_found_by_embedding(tmp_path):
    planted = faces(6, 5, 9)
    planted.pixels[:5] = np.clip(REAL.pixels[:5].astype(int) + 2, 0, 255)
    found = overlap_of(people("b", planted), tmp_path)
    assert words(found) == {"content": "clean", "names": "clean", "embedding": "contaminated"}
    assert found["above"]["above"] >= 5


def test_a_benchmark_with_a_training_image_or_name_says_which(tmp_path):
    planted = people("b", faces(6, 5, 9))
    planted.pixels[11] = REAL.pixels[8]
    planted.identities = (*planted.identities[:-1], "r2")
    found = overlap_of(planted, tmp_path)
    assert (found["shared_names"], found["shared_images"]) == (["r2"], [["item11", "item8"]])
    assert words(found) | {"embedding": ""} == {"content": "contaminated", "names": "contaminated", "embedding": ""}


def test_without_held_out_people_embeddings_tell_nothing(tmp_path):
    found = overlap_of(people("b", faces(6, 5, 9)), tmp_path, held_out=None)
    assert found["verdicts"]["embedding"] == ("unknown", overlap.NO_HELD_OUT)
    assert found["above"] is None


@pytest.mark.parametrize("how", ["names", "pixels"])
def test_held_out_people_of_the_benchmark_itself_tell_nothing(how, tmp_path):
    benchmark = people("h", faces(6, 5, 9)) if how == "names" else people("b", faces(6, 5, 9))
    if how == "pixels":
        benchmark.pixels[3] = STRANGERS.pixels[0]
    assert overlap_of(benchmark, tmp_path)["verdicts"]["embedding"] == ("unknown", overlap.OWN)


def test_held_out_people_of_the_set_itself_tell_nothing(tmp_path):
    taken = people("r", faces(5, 6, 0))
    taken.pixels[4] = STRANGERS.pixels[9]
    assert overlap_of(people("b", faces(6, 5, 9)), tmp_path, images=taken)["verdicts"]["embedding"] == (
        "unknown",
        overlap.IN_SET,
    )


def test_classes_that_scatter_have_no_power(tmp_path):
    scattered = ArrayDataset(REAL.pixels, np.arange(30) % 5, REAL.identities)
    found = overlap_of(people("b", faces(6, 5, 9)), tmp_path, images=scattered)
    assert found["above"]["recognised"] < 15
    assert words(found)["embedding"] == "unknown"


def test_names_of_a_made_set_are_those_of_real_people_only(tmp_path):
    benchmark = people("b", faces(6, 5, 9))
    benchmark.identities = ("r1", *benchmark.identities[1:])
    strangers = people("x", REAL)
    assert words(overlap_of(benchmark, tmp_path / "a", real=strangers))["names"] == "unknown"
    assert words(overlap_of(benchmark, tmp_path / "b", real=people("r", REAL)))["names"] == "contaminated"


def test_progress_ends_with_all_images(tmp_path):
    log = Log()
    embedding.run(PLUGIN, sources(images=STRANGERS, recognizer=Means()), stage_context(tmp_path, log=log))
    assert log.progress == [(64, 150), (128, 150), (150, 150)]


def test_stored_embeddings_open_as_they_were_written(tmp_path):
    assert isinstance(embedded(REAL, tmp_path), Embedded)
