"""Verification: stages that are run once more, what is certified, and above all what is not."""

import hashlib
import importlib
import json
import math
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import tiny_matrix as tiny
import tiny_plugins
from faceassay.certificates import rerunning
from faceassay.certificates.comparing import differences, relative_difference
from faceassay.certificates.rerunning import Verdict, verify
from faceassay.certificates.sampling import finished as finished_stages
from faceassay.certificates.sampling import sample
from faceassay.certificates.tolerances import NONE, TOLERANCES, Tolerance, environment_differences
from faceassay.contracts import FaceassayError, Resources
from faceassay.shards import assemble, write_block
from faceassay.store import Store
from faceassay.upkeep.records import KINDS
from finished_matrix import command, finished_matrix, forget

PLAN, SYNTHESIS = "plan of tiny-blend, seed 0", "synthesis tiny-blend, seed 0"
REAL, MIXED = "recognizer Real, seed 0", "recognizer Blend + real, seed 0"
FEATURES = "features near of Real, seed 0"
ALLOWED = Tolerance(1e-3, 2, "a test")
DICE = '''
"""Own an augmentation that throws dice nobody can throw again."""
import os
import numpy as np
from faceassay import Augmentation, SynthesisPlan, hookimpl


class Dice(Augmentation):
    name, version, summary = "dice", "1", "other pixels each time"

    def planned_images(self, identities):
        return 4

    def plan(self, sources, run):
        none = np.empty((4, 0))
        return SynthesisPlan(("a", "b"), np.arange(4) % 2, none.astype(int), none, 2)

    def render(self, sources, block, noise):
        size = sources.real.image_size
        pixels = np.frombuffer(os.urandom(len(block) * size * size * 3), np.uint8)
        return pixels.reshape(len(block), size, size, 3)


@hookimpl
def faceassay_augmentations():
    return [Dice]
'''


@pytest.fixture(autouse=True)
def _events(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_matrix(tmp_path_factory)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the store that a run of the tiny matrix filled; no test changes it."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINY_EVENTS", str(folder))
        store = Store.open(folder / "store")
        assert tiny.run(tiny.graph_of()[1], store) == {}
    return store


@pytest.fixture
def store(run, tmp_path):
    return Store.open(shutil.copytree(run.root, tmp_path / "store"))


@pytest.fixture
def graph():
    return tiny.graph_of()[1]


@pytest.fixture
def stages(graph):
    return tiny.by_title(graph)


def checked(stage, store):
    return verify(stage, Store.open(store.root), Resources())


def snapshot(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_stage_that_gives_the_same_bytes_is_certified(run, graph):
    found = [checked(stage, run) for stage in graph.stages.values()]
    assert {one.verdict for one in found} == {Verdict.SAME}


def test_a_verification_runs_the_plugin_and_touches_nothing_in_the_store(store, stages):
    before = snapshot(store.root)
    assert checked(stages[SYNTHESIS], store).verdict is Verdict.SAME
    assert len(tiny_plugins.events("render")) == 6
    assert snapshot(store.root) == before


def test_an_interrupted_verification_leaves_nothing_behind(store, stages, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before = snapshot(store.root)
    tiny_plugins.switch("interrupt-render", 3)
    with pytest.raises(KeyboardInterrupt):
        checked(stages[SYNTHESIS], store)
    assert snapshot(store.root) == before
    assert list(scratch.iterdir()) == []


def test_a_damaged_artifact_is_said_to_be_damaged(store, stages):
    path = store.folder("recognizer", stages[REAL].digest) / "sub" / "mean.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    one = checked(stages[REAL], store)
    assert one.verdict is Verdict.DAMAGED
    assert str(path) in one.reason


def test_a_damaged_input_is_said_to_be_damaged(store, stages):
    path = store.folder("plan", stages[PLAN].digest) / "plan.json"
    path.write_text("{}")
    one = checked(stages[SYNTHESIS], store)
    assert one.verdict is Verdict.DAMAGED
    assert one.reason.startswith(f"its input plan ({PLAN}): ")


def test_a_stage_whose_input_is_gone_cannot_be_verified(store, stages):
    forget(stages[PLAN], store.root)
    one = checked(stages[SYNTHESIS], store)
    assert (one.verdict, one.reason) == (Verdict.UNVERIFIABLE, f"its input plan ({PLAN}) is not in the store")


def without_weights(store, stage):
    path = store.folder(stage.kind, stage.digest) / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "given_up": ["sub/mean.npy"]}))
    (path.parent / "sub" / "mean.npy").unlink()


@pytest.mark.parametrize(
    ("title", "whose"), [(REAL, "its artifact"), (FEATURES, f"its input recognizer ({REAL})")]
)  # fmt: skip
def test_a_stage_without_weights_cannot_be_verified(store, stages, title, whose):
    without_weights(store, stages[REAL])
    one = checked(stages[title], store)
    said = f"{whose} is kept without its weights (sub/mean.npy)"
    assert (one.verdict, one.reason) == (Verdict.UNVERIFIABLE, said)
    assert tiny_plugins.events("fit") == []


def test_a_stage_that_fails_the_second_time_is_no_certificate(run, stages):
    tiny_plugins.switch("fail-fit-24", "out of luck")
    one = checked(stages[REAL], run)
    assert one.verdict is Verdict.FAILED
    assert "out of luck" in one.reason


def remade(store, stage, change):
    """Let a stage have made other numbers, in an artifact that is sound in itself."""
    record = dict(store.record(stage.kind, stage.digest))
    work = store.staging(stage.digest) / "work"
    shutil.copytree(store.folder(stage.kind, stage.digest), work)
    (work / "record.json").unlink()
    np.save(work / "sub" / "mean.npy", change(np.load(work / "sub" / "mean.npy")))
    about = ("title", "key", "inputs", "cost", "environment", "log", "code")
    store.commit(stage.kind, stage.digest, work, {name: record[name] for name in about})


def elsewhere(monkeypatch):
    """Let the second run be on other hardware."""
    monkeypatch.setattr(
        rerunning, "describe_environment", lambda: {"processor": "another", "packages": {}, "platform": ""}
    )  # fmt: skip


def test_a_difference_in_the_last_digit_is_none_to_overlook_on_the_same_machine(store, stages):
    remade(store, stages[REAL], lambda mean: mean * (1 + 1e-12))
    one = checked(stages[REAL], store)
    assert one.verdict is Verdict.DIFFERENT
    assert one.reason.startswith("sub/mean.npy: 1e-12 of the largest number")
    assert "the same kind of machine" in one.reason


def test_the_same_difference_is_within_tolerance_on_other_hardware(store, stages, monkeypatch):
    remade(store, stages[REAL], lambda mean: mean * (1 + 1e-12))
    elsewhere(monkeypatch)
    one = checked(stages[REAL], store)
    assert one.verdict is Verdict.WITHIN
    assert "-> another" in one.reason


def test_a_large_difference_is_one_on_any_hardware_and_named(store, stages, monkeypatch):
    def change(mean):
        mean = mean.copy()
        mean.flat[np.abs(mean).argmax()] *= 0.75
        return mean

    remade(store, stages[REAL], change)
    elsewhere(monkeypatch)
    one = checked(stages[REAL], store)
    assert one.verdict is Verdict.DIFFERENT
    assert one.reason.startswith("sub/mean.npy: ")
    assert "0.001 is allowed" in one.reason


def test_every_kind_has_a_tolerance_with_a_reason():
    assert set(TOLERANCES) == KINDS
    assert all(tolerance.reason for tolerance in TOLERANCES.values())


MACHINE = {
    **{"python": "3.11.7", "platform": "Linux-6.1-x86_64-with-glibc2.36", "processor": "A", "instructions": ["avx2"]},
    **{"variables": {}, "packages": {"torch": "2.6", "faceassay": "0.1"}, "device": "cpu", "cores": 2},
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"cores": 64, "platform": "Linux-9.9-x86_64-with-glibc2.36"}, []),
        ({"packages": {"torch": "2.6", "faceassay": "0.2"}}, []),
        ({"packages": {"torch": "2.7", "faceassay": "0.1"}}, ["torch: 2.6 -> 2.7"]),
        ({"processor": "B"}, ["processor: A -> B"]),
        ({"instructions": ["avx2", "fma"]}, ["instructions: avx2 -> avx2 fma"]),
        ({"variables": {"MKL_CBWR": "AVX"}}, ["variables: none -> MKL_CBWR=AVX"]),
        ({"device": "cuda"}, ["device: cpu -> cuda"]),
        ({"platform": "Linux-6.1-x86_64-with-glibc2.40"}, ["C library: glibc2.36 -> glibc2.40"]),
    ],
)
def test_what_makes_bytes_is_what_tells_two_machines_apart(change, said):
    assert environment_differences(MACHINE, {**MACHINE, **change}) == said


def test_what_an_older_record_does_not_tell_is_left_out():
    older = {name: value for name, value in MACHINE.items() if name not in ("instructions", "variables")}
    assert environment_differences(older, MACHINE) == []


def compared(tmp_path, write, old, new, allowed=ALLOWED):
    """Write ``old`` and ``new`` into two folders by ``write`` and return the largest difference of each file."""
    folders = [tmp_path / "old", tmp_path / "new"]
    for folder, content in zip(folders, (old, new), strict=True):
        folder.mkdir()
        write(folder, content)
    return differences(*folders, tuple(map(recorded, folders)), allowed)


def recorded(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        "files": {
            path.relative_to(folder).as_posix(): {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in files
        }
    }


def as_npy(folder, array):
    np.save(folder / "a.npy", array)


def as_tensors(folder, array):
    save_file({"same": torch.ones(2), "b": torch.tensor(array)}, folder / "a.safetensors")


def as_half(folder, array):
    save_file({"b": torch.tensor(array, dtype=torch.bfloat16)}, folder / "a.safetensors")


def as_columns(folder, array):
    pd.DataFrame({"same": [1, 2], "b": [list(array), list(array)]}).to_parquet(folder / "a.parquet")


def as_json(folder, array):
    (folder / "a.json").write_text(json.dumps({"same": "x", "b": [{"c": list(array)}]}))


@pytest.mark.parametrize("write", [as_npy, as_tensors, as_half, as_columns, as_json])
def test_the_largest_difference_is_a_part_of_the_largest_number(tmp_path, write):
    """8 becomes 7.5: a sixteenth of 8, whatever the file; all three numbers are exact in any float."""
    (one,) = compared(tmp_path, write, np.array([1.0, -2.0, 8.0]), np.array([1.0, -2.0, 7.5]))
    assert one.largest == 1 / 16
    assert not one.within


@pytest.mark.parametrize("write", [as_npy, as_tensors, as_columns, as_json])
def test_a_small_difference_is_within(tmp_path, write):
    (one,) = compared(tmp_path, write, np.array([1.0, 1024.0]), np.array([1.0, 1024.0 + 0.5]))
    assert one.largest == 0.5 / 1024
    assert one.within


@pytest.mark.parametrize("write", [as_npy, as_tensors, as_columns])
def test_whole_numbers_may_not_differ(tmp_path, write):
    (one,) = compared(tmp_path, write, np.array([1, 1024]), np.array([1, 1025]))
    assert one.largest == math.inf
    assert "1 of 2 entries differ" in one.said or "2 of 4 entries differ" in one.said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (np.zeros(2), np.zeros(3)),
        (np.zeros(2), np.zeros(2, np.float32)),
        (np.array([1.0, np.nan]), np.array([1.0, 1.0])),
        (np.array([1.0, 1.0]), np.array([1.0, np.nan])),
        (np.array([np.inf, 1.0]), np.array([-np.inf, 1.0])),
        (np.zeros(2), np.array([0.0, 1e-30])),
    ],
    ids=["shape", "type", "no number before", "no number now", "sign of infinity", "zeros"],
)
def test_what_cannot_be_compared_is_different(tmp_path, old, new):
    (one,) = compared(tmp_path, as_npy, old, new)
    assert one.largest == math.inf
    assert not one.within


def test_no_number_at_the_same_place_is_no_difference():
    assert relative_difference(np.array([np.nan, np.inf, 1.0]), np.array([np.nan, np.inf, 1.0])) == 0.0


@pytest.mark.parametrize(
    ("old", "new"),
    [({"a": 1}, {"a": 2}), ({"a": "x"}, {"a": "y"}), ({"a": True}, {"a": 1}), ({"a": []}, {}), ({"a": None}, {"a": 0})],
)
def test_texts_and_counts_of_a_document_may_not_differ(tmp_path, old, new):
    (one,) = compared(tmp_path, lambda folder, value: (folder / "a.json").write_text(json.dumps(value)), old, new)
    assert not one.within


def test_a_document_that_is_written_otherwise_says_the_same(tmp_path):
    (one,) = compared(tmp_path, lambda folder, text: (folder / "a.json").write_text(text), '{"a": 1}', '{ "a": 1 }')
    assert (one.largest, one.within) == (0.0, True)


def test_a_file_of_an_unknown_form_may_not_differ(tmp_path):
    (one,) = compared(tmp_path, lambda folder, text: (folder / "a.bin").write_text(text), "a", "b")
    assert not one.within


def test_a_file_that_only_one_has_is_a_difference(tmp_path):
    (one,) = compared(tmp_path, lambda folder, name: (folder / name).write_text("x"), "a.txt", "b.txt")[:1]
    assert (one.file, one.said, one.within) == ("a.txt", "made at first only", False)


def test_a_file_that_cannot_be_read_is_a_difference(tmp_path):
    (one,) = compared(tmp_path, lambda folder, text: (folder / "a.npy").write_text(text), "a", "b")
    assert "cannot be read" in one.said
    assert not one.within


def as_png(folder, pixels):
    Image.fromarray(pixels).save(folder / "a.png")


def as_shards(folder, pixels):
    write_block(folder.parent / f"{folder.name}.tar", 0, np.stack([pixels, pixels]), np.array([0, 1]))
    assemble([folder.parent / f"{folder.name}.tar"], folder, ["ann", "bob"])


@pytest.mark.parametrize("write", [as_png, as_shards])
@pytest.mark.parametrize(("greys", "within"), [(2, True), (3, False)])
def test_pixels_differ_in_grey_levels(tmp_path, write, greys, within):
    old = np.full((16, 16, 3), 100, np.uint8)
    new = old.copy()
    new[3, 4, 1] -= greys
    (one,) = compared(tmp_path, write, old, new)
    assert (one.largest, one.within) == (greys, within)


def test_the_same_bytes_are_no_difference(tmp_path):
    assert compared(tmp_path, as_npy, np.zeros(3), np.zeros(3), NONE) == []


def test_a_sample_is_spread_over_kinds(run, graph):
    found = finished_stages(graph, run)
    kinds = {stage.kind for stage in found}
    assert {stage.kind for stage in sample(found, len(kinds), 0)} == kinds
    assert len({stage.digest for stage in sample(found, 100, 0)}) == len(graph.stages)


def test_the_seed_decides_the_sample_and_the_order_of_stages_does_not(run, graph):
    found = finished_stages(graph, run)
    chosen = sample(found, 4, 0)
    assert sample(reversed(found), 4, 0) == chosen
    assert any(sample(found, 4, seed) != chosen for seed in range(1, 9))


def test_every_stage_is_as_likely_as_any_other_of_its_kind(run, graph):
    """First of its kind: over 600 seeds each of three recognizers has a third, give or take four standard errors."""
    found = finished_stages(graph, run, ["recognizer"])
    firsts = [sample(found, 1, seed)[0].digest for seed in range(600)]
    shares = [firsts.count(stage.digest) / 600 for stage in found]
    assert len(shares) == 3
    assert all(abs(share - 1 / 3) < 4 * math.sqrt(1 / 3 * 2 / 3 / 600) for share in shares)


def test_a_kind_that_the_matrix_has_not_is_refused(run, graph):
    with pytest.raises(FaceassayError, match="no stage of kind 'recogniser'; known: evaluation, features"):
        finished_stages(graph, run, ["recogniser"])


def test_nothing_finished_is_nothing_to_verify(graph, tmp_path):
    with pytest.raises(FaceassayError, match="nothing to verify"):
        finished_stages(graph, Store.open(tmp_path / "empty"))


def test_a_verification_is_recorded_and_sealed(finished, tmp_path):
    words = ("verify", finished.matrix, "--store", finished.store, "--out", tmp_path, "--sample", 6, "--seed", 3)
    shown = command(*words)
    assert shown.exit_code == 0, shown.output
    assert shown.output.splitlines()[-1] == "6 same bytes"
    record = json.loads((tmp_path / "verification.json").read_text())
    assert record["verdicts"] == {"same bytes": 6}
    assert record["sample"]["of"] == len(finished.graph.stages)
    assert {one["key"] for one in record["stages"]} <= set(finished.graph.stages)
    assert all(one["then"]["processor"] == one["now"]["processor"] for one in record["stages"])
    sealed = {name: value for name, value in record.items() if name != "sha256"}
    text = json.dumps(sealed, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == record["sha256"]
    assert record["sha256"] in (tmp_path / "verification.md").read_text()


def test_a_sample_of_one_kind_holds_no_other(finished, tmp_path):
    command("verify", finished.matrix, "--store", finished.store, "--out", tmp_path, "--kind", "plan")
    record = json.loads((tmp_path / "verification.json").read_text())
    assert {one["kind"] for one in record["stages"]} == {"plan"}


def test_where_nothing_can_be_certified_the_exit_code_says_so(finished, tmp_path):
    root = finished.copy_of_store(tmp_path / "store")
    file = tmp_path / "bare.tar"
    command("store", "export", file, "--store", root, "--without-weights")
    command("store", "import", file, "--store", tmp_path / "bare")
    words = ("verify", finished.matrix, "--store", tmp_path / "bare", "--out", tmp_path, "--kind", "recognizer")
    shown = command(*words, "--sample", 2)
    assert shown.exit_code == 1
    assert "cannot be verified: its artifact is kept without its weights" in shown.output
    assert json.loads((tmp_path / "verification.json").read_text())["verdicts"] == {"cannot be verified": 2}


def test_an_interrupted_command_records_nothing(finished, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(rerunning, "verify", interrupted)
    shown = command("verify", finished.matrix, "--store", finished.store, "--out", tmp_path / "out")
    assert shown.exit_code == 130
    assert "interrupted: nothing was recorded, the store is as it was" in shown.output
    assert list((tmp_path / "out").iterdir()) == []


def test_damage_is_an_exit_code_of_one(finished, tmp_path):
    root = finished.copy_of_store(tmp_path / "store")
    for stage in finished.graph.stages.values():
        if stage.kind == "plan":
            (Store(root).folder("plan", stage.digest) / "plan.json").write_text("{}")
    shown = command("verify", finished.matrix, "--store", root, "--out", tmp_path, "--kind", "plan")
    assert shown.exit_code == 1
    assert "damaged: its artifact: " in shown.output


def test_a_plugin_that_throws_dice_is_found_out(finished, tmp_path, monkeypatch):
    """A strangers' distribution with a plugin that is not deterministic: its images are other ones each time."""
    site, matrix = tmp_path / "site", tmp_path / "matrix.yaml"
    about = {
        "zz_dice.py": DICE,
        "zz_dice-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: zz-dice\nVersion: 1.0\n",
        "zz_dice-1.0.dist-info/entry_points.txt": "[faceassay]\ndice = zz_dice\n",
        "zz_dice-1.0.dist-info/RECORD": "",
    }
    for name, text in about.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    text = finished.matrix.read_text().replace("{plugin: blend, pairs: 3, images_per_pair: 5}", "{plugin: dice}")
    matrix.write_text(text.replace("seeds: [0, 7]", "seeds: [0]"))
    for part in ("train", "test"):
        shutil.copytree(finished.folder / part, tmp_path / part)
    place = ("--store", tmp_path / "store", "--out", tmp_path / "out")
    try:
        ran = command("run", matrix, *place, "--no-mlflow", "--quiet")
        assert ran.exit_code == 0, ran.output
        shown = command("verify", matrix, *place, "--kind", "plan", "--kind", "synthesis")
    finally:
        sys.modules.pop("zz_dice", None)
    assert shown.exit_code == 1
    assert shown.output.splitlines()[-1] == "1 same bytes, 1 different"
    verdicts = json.loads((tmp_path / "out" / "verification.json").read_text())["stages"]
    (different,) = [one for one in verdicts if one["verdict"] == "different"]
    assert different["kind"] == "synthesis"
    assert different["files"][0]["file"] == "images"
    assert different["files"][0]["largest"] > 200  # 3,072 bytes of chance: none that far apart is beyond belief
    assert different["environments_differ_in"] == []
