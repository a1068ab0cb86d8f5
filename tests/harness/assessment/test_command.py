"""The command ``quality`` on tiny plugins: what it makes, says and refuses; the report for people and for programs."""

from __future__ import annotations

import csv
import io
import re
import shutil

import pytest
from click.testing import CliRunner
from PIL import Image

import faceassay.registry
import tiny_plugins
from faceassay.assessing.graph import expand_assessment
from faceassay.assessment import resampling
from faceassay.cli import main
from faceassay.contracts import FaceassayError
from faceassay.expand import expand
from faceassay.store import Store
from judged_matrix import MATRIX, read, registry
from tiny_matrix import run

ONE_SEED = MATRIX.replace("seeds: [0, 1]", "seeds: [0]")
MEASURES = {
    "consistency within a class", "separation of classes", "separation of classes, the two nearest",
    "pixel diversity within a class", "attribute diversity within a class", "attribute distance",
    "nearest training image", "nearer than calibrated", "copies of training images",
}  # fmt: skip


def invoke(folder, *arguments, text=ONE_SEED):
    """Run the command on ``text`` and the store in ``folder``."""
    read(folder, text)
    where = (str(folder / "matrix.yaml"), "--store", str(folder / "store"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINY_EVENTS", str(folder))
        patch.setattr(faceassay.registry, "load_plugins", registry)
        patch.setattr(resampling, "REPLICATES", 100)
        return CliRunner().invoke(main, ["quality", *where, *arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder whose store holds the finished matrix."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINY_EVENTS", str(folder))
        assert not run(expand(read(folder, ONE_SEED)), Store.open(folder / "store"))
    return folder


@pytest.fixture(scope="module")
def assessed(made, tmp_path_factory):
    """Return a copy of it that is assessed, and what the command said."""
    folder = shutil.copytree(made, tmp_path_factory.mktemp("assessed"), dirs_exist_ok=True)
    result = invoke(folder)
    assert result.exit_code == 0, result.output
    return folder, result.output


@pytest.fixture
def fresh(made, tmp_path):
    """Return a copy of the finished matrix that may be changed."""
    return shutil.copytree(made, tmp_path / "fresh")


@pytest.fixture(scope="module")
def rows(assessed):
    return list(csv.DictReader(io.StringIO((assessed[0] / "quality/quality.csv").read_text())))


@pytest.fixture(scope="module")
def text(assessed):
    return (assessed[0] / "quality/quality.md").read_text()


def value(rows, row, measure, of=""):
    (found,) = [one for one in rows if (one["row"], one["measure"], one["of"]) == (row, measure, of)]
    return found


def test_it_writes_and_shows_the_report(assessed, text):
    folder, said = assessed
    assert text in said
    names = {path.name for path in (folder / "quality").iterdir()}
    plots = {
        f"{name}.{kind}" for name in ("nearest-training-images", "classes", "attributes") for kind in ("png", "svg")
    }
    closest = {f"closest-pairs-of-{name}.png" for name in ("blend-+-real-blend-seed-0", "asked-w-0-seed-0", "copies")}
    assert {"quality.md", "quality.csv"} | plots | closest <= names
    assert all(f"({name})" in text for name in names if name.endswith(".png"))
    assert Image.open(folder / "quality/closest-pairs-of-copies.png").width > 400


def test_every_set_has_every_measure_beside_the_real_one(rows):
    for row in ("Blend + real; Blend", "Asked W=0", "Asked W=1", "Copies"):
        own = [one for one in rows if one["row"] == row and one["measure"] in MEASURES]
        assert {one["measure"] for one in own} == MEASURES
        assert all(one["value"] and one["real value"] for one in own)


def test_every_mean_and_share_has_an_interval_with_its_population(rows):
    without = {"separation of classes, the two nearest", "copies of training images", "overlap"}
    of_two = {"separation of classes", "nearest other anchor"}
    for one in rows:
        shared = one["n"] == "2" and (one["measure"] in of_two or one["of"].startswith("separation of classes"))
        if shared:
            assert not one["low"], one
        elif one["measure"] not in without and not one["measure"].startswith("search: "):
            assert float(one["low"]) <= float(one["high"]), one
            assert one["population"], one
            assert one["method"], one
    assert len({one["row"] for one in rows if one["measure"] == "separation of classes" and not one["low"]}) == 3


def test_a_set_of_copies_is_as_the_real_images_and_all_too_near(rows):
    for measure in ("consistency within a class", "separation of classes", "pixel diversity within a class"):
        found = value(rows, "Copies", measure)
        assert found["value"] == found["real value"]
    assert value(rows, "Copies", "copies of training images")["value"] == "30.0"
    assert value(rows, "Copies", "nearer than calibrated")["value"] == "1.0"
    assert float(value(rows, "Copies", "attribute distance", "brightness")["value"]) == 0


def test_what_a_row_asked_for_is_compared_by_its_own_recognizer_under_its_name(rows, text):
    name = "agreement with its own recognizer, which the method used"
    low, high = (float(value(rows, f"Asked W={weight}", name)["value"]) for weight in (0, 1))
    assert low < high <= 1
    assert not [one for one in rows if one["measure"] == name and one["row"] not in ("Asked W=0", "Asked W=1")]
    assert value(rows, "Asked W=0", "search: largest_cosine")["value"] == "0.25"
    assert "no evidence from outside" in " ".join(text.split())


def test_rows_that_asked_for_the_same_are_compared_in_pairs(rows):
    found = [one for one in rows if one["measure"] == "paired difference"]
    assert {(one["row"], one["of"].rpartition(", against ")[2]) for one in found} == {("Asked W=1", "Asked W=0")}
    consistency = next(one for one in found if one["of"].startswith("consistency"))
    after, before = (value(rows, f"Asked W={weight}", "consistency within a class") for weight in (1, 0))
    assert float(consistency["value"]) == pytest.approx(float(after["value"]) - float(before["value"]))


def test_a_leaking_benchmark_is_contaminated_and_one_of_strangers_is_not(rows):
    real = "real images, data 'train'"
    assert value(rows, real, "overlap", "near")["value"] == "clean"
    assert value(rows, real, "overlap", "leak")["value"] == "contaminated"
    assert value(rows, real, "overlap", "leak, content")["value"] == "contaminated"
    assert value(rows, "Copies", "overlap", "leak")["value"] == "contaminated"


def test_predictors_that_cannot_tell_are_named(text, rows):
    assert text.count("attributes that cannot be told of these images are left out: listed") == 3
    ages = {one["row"] for one in rows if one["of"] == "age"}
    assert ages == {"real images, data 'train'", "Copies"}


def test_the_judge_and_the_held_out_people_are_named(text):
    assert "Judge: tiny-recognizer trained on data 'others', seed 0." in text
    assert "Held-out people: data 'strangers', 102 images" in text
    assert "95 % quantile of 102 held-out images" in text


def test_once_more_computes_nothing_and_writes_the_same_bytes(assessed):
    folder, _ = assessed
    before = {path.name: path.read_bytes() for path in (folder / "quality").iterdir()}
    events = len(tiny_events(folder))
    assert invoke(folder, "--quiet").output == ""
    assert {path.name: path.read_bytes() for path in (folder / "quality").iterdir()} == before
    assert len(tiny_events(folder)) == events


def tiny_events(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINY_EVENTS", str(folder))
        return tiny_plugins.events()


def test_some_rows_alone(assessed, tmp_path):
    folder, _ = assessed
    result = invoke(folder, "--method", "Asked W=0", "--against", "Blend", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    found = list(csv.DictReader(io.StringIO((tmp_path / "quality/quality.csv").read_text())))
    assert {one["row"] for one in found} == {"real images, data 'train'", "Blend", "Asked W=0"}
    assert {one["of"].rpartition(", against ")[2] for one in found if one["measure"] == "paired difference"} <= {
        "Blend"
    }


def test_without_held_out_people_it_says_so(assessed, tmp_path):
    result = invoke(
        assessed[0], "--method", "Copies", "--out", str(tmp_path), text=ONE_SEED.replace("held_out: strangers", "")
    )
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "Held-out people: none, the matrix names none" in said
    assert "95 % quantile of 30 real images, each compared with those of other people" in said
    assert "embedding: no held-out people" in said


def test_synthetic_sets_are_not_made_and_the_command_that_makes_them_is_named(tmp_path):
    result = invoke(tmp_path)
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert "not in the store yet: plan of tiny-blend, seed 0" in said
    assert f"faceassay run {tmp_path}/matrix.yaml --store {tmp_path}/store makes them" in said
    assert "recognizer judge" not in said
    assert not (tmp_path / "events.txt").exists()


def test_without_a_judge_it_says_what_to_add(fresh):
    result = invoke(fresh, text=re.sub("judge: .*", "", ONE_SEED))
    assert result.exit_code == 2
    assert "has no judge for the dataset quality report" in result.output
    assert "'judge: {plugin: NAME, data: NAME}'" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--method", "Real"), "no row with a synthetic set is called 'Real'; known: 'Blend + real', 'Blend'"),
        (("--against", "Real"), "--against 'Real' is no assessed row; known: 'Blend + real', 'Blend'"),
    ],
)
def test_rows_without_a_synthetic_set_are_refused(arguments, said, fresh):
    result = invoke(fresh, *arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_held_out_images_that_something_was_trained_on_are_refused(fresh):
    judges_own = "{plugin: reversed, prefix: d, seed: 2}"
    text = ONE_SEED.replace("{plugin: tiny-faces, prefix: d, seed: 3, people: 17}", judges_own)
    result = invoke(fresh, "--method", "Copies", text=text)
    assert result.exit_code == 2
    assert "images of data 'strangers' were trained on (item0 = item23; item1 = item22" in result.output


def test_absent_data_is_listed(fresh):
    text = ONE_SEED.replace(
        "copied: {plugin: tiny-faces, prefix: z, people: 5}",
        "copied: {plugin: lost, path: nowhere, expect: {images: 9, identities: 3, image_size: 16}}",
    )
    result = invoke(fresh, "--method", "Blend", "--method", "Copies", text=text)
    assert result.exit_code == 0, result.output
    assert "**Not assessed**" in result.output
    assert "**Copies**: absent: data 'copied' is not there" in result.output


def test_a_set_that_cannot_be_measured_is_listed_and_the_rest_is_there(fresh):
    text = ONE_SEED.replace("attributes: [", "attributes: [{plugin: fussy}, ")
    result = invoke(fresh, "--method", "Blend", "--method", "Copies", text=text)
    assert result.exit_code == 1
    assert "attribute 'fussy' returned" in result.output
    assert "**Not assessed**" in result.output
    assert "| Copies " in result.output


def test_a_matrix_without_synthetic_sets_has_nothing_to_assess(tmp_path):
    text = re.sub(r"  - \{name: (Blend|Asked|Copies).*\n", "", ONE_SEED)
    with pytest.raises(FaceassayError, match="no row with a synthetic set"):
        expand_assessment(read(tmp_path, text))


def test_real_images_are_measured_once_for_all_rows_and_seeds(tmp_path):
    plan = expand_assessment(read(tmp_path))
    titles = [stage.title for stage in plan.graph.stages.values()]
    assert [title for title in titles if title == "embeddings of real"] == ["embeddings of real"]
    assert [one.seeds for one in plan.sets if one.methods[0].startswith("Asked")] == [(0,), (1,), (0,), (1,)]
    assert next(one for one in plan.sets if "Copies" in one.methods).seeds == ()
    assert titles.count("recognizer judge, seed 0") == 1


def test_a_matrix_that_names_a_judge_runs_no_other_stages(tmp_path):
    with_judge = set(expand(read(tmp_path)).stages)
    text = MATRIX.replace("held_out: strangers", "")
    assert with_judge == set(expand(read(tmp_path, re.sub("judge: .*", "", text))).stages)
