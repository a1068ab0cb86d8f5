"""Checkpoints: what comes back, and what a kill or a damaged file leaves of them."""

import json
import math
import os
from types import SimpleNamespace

import pytest
import torch

import tiny_matrix as tiny
from faceassay.checkpoints import FolderCheckpoints

TENSORS = {
    "weights": torch.arange(12, dtype=torch.float32).reshape(3, 4) / 7,
    "half": torch.tensor([1.0, -0.0, math.nan, math.inf], dtype=torch.bfloat16),
    "steps": torch.tensor(41, dtype=torch.int64),
    "empty": torch.empty(0, 3),
}
DOCUMENT = {"losses": [0.1, 1e-300], "name": "bjørn", "nested": {"rows": [[1, 2], []]}}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


@pytest.fixture
def checkpoints(folder):
    return FolderCheckpoints(folder)


def at(step):
    return {"weights": torch.full((4,), float(step))}


def keep_two(checkpoints, monkeypatch):
    """Save steps 1 and 2 and be killed before step 1 is dropped."""
    checkpoints.save(1, at(1))
    with monkeypatch.context() as patched:
        patched.setattr("faceassay.checkpoints.shutil.rmtree", _killed_when_complete)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(2, at(2))


def _killed_when_complete(path, ignore_errors=False):
    if path.name == "step-000000000001":
        raise KeyboardInterrupt


def damage(path, how):
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        content = bytearray(path.read_bytes())
        content[how] ^= 1
        path.write_bytes(content)


def test_tensors_come_back_bit_by_bit(checkpoints):
    checkpoints.save(3, TENSORS)
    _, tensors, _ = checkpoints.load()
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {n: t.dtype for n, t in TENSORS.items()}
    for name, tensor in TENSORS.items():
        assert torch.equal(
            tensors[name].flatten().view(torch.uint8) if tensor.ndim else tensors[name],
            tensor.flatten().view(torch.uint8) if tensor.ndim else tensor,
        )
        assert tensors[name].shape == tensor.shape


def test_step_and_document_come_back(checkpoints):
    checkpoints.save(3, TENSORS, DOCUMENT)
    step, _, document = checkpoints.load()
    assert (step, document) == (3, DOCUMENT)


def test_a_document_that_json_writes_in_other_types_is_still_intact(checkpoints):
    checkpoints.save(3, at(3), {"pair": (1, 2), "by number": {7: math.nan}})
    step, _, document = checkpoints.load()
    assert (step, document["pair"], list(document["by number"])) == (3, [1, 2], ["7"])


def test_without_a_checkpoint_there_is_none(checkpoints):
    assert checkpoints.load() is None


def test_views_and_tensors_that_need_a_gradient_can_be_saved(checkpoints):
    whole = torch.arange(6.0, requires_grad=True).reshape(2, 3)
    checkpoints.save(1, {"transposed": whole.T})
    _, tensors, _ = checkpoints.load()
    assert torch.equal(tensors["transposed"], whole.detach().T)


def test_the_newest_wins_and_is_the_only_one_left(checkpoints, folder):
    for step in (9, 10, 200):
        checkpoints.save(step, at(step))
    assert checkpoints.load()[0] == 200
    assert [path.name for path in folder.iterdir()] == ["step-000000000200"]


def test_another_process_reads_what_was_saved(checkpoints, folder):
    checkpoints.save(5, at(5))
    assert FolderCheckpoints(folder).load()[0] == 5


def test_saving_the_same_step_twice_keeps_the_later(checkpoints):
    checkpoints.save(5, at(5))
    checkpoints.save(5, at(50))
    assert checkpoints.load()[1]["weights"][0] == 50


def test_the_older_one_is_there_until_the_newer_is_complete(checkpoints, monkeypatch):
    keep_two(checkpoints, monkeypatch)
    assert checkpoints.load()[0] == 2


@pytest.mark.parametrize("how", ["missing", "empty", "truncated", -1, 60, 5])
@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
def test_a_damaged_newest_falls_back_to_the_older(checkpoints, folder, monkeypatch, name, how):
    keep_two(checkpoints, monkeypatch)
    damage(folder / "step-000000000002" / name, how)
    step, tensors, _ = checkpoints.load()
    assert (step, tensors["weights"].tolist()) == (1, [1.0] * 4)


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
def test_a_damaged_only_one_counts_as_none(checkpoints, folder, name):
    checkpoints.save(1, at(1))
    damage(folder / "step-000000000001" / name, "truncated")
    assert checkpoints.load() is None


def test_every_flipped_bit_of_the_state_is_noticed(checkpoints, folder):
    checkpoints.save(12, at(12), {"losses": [0.25]})
    path = folder / "step-000000000012" / "state.json"
    content = path.read_bytes()
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            path.write_bytes(flipped)
            found = checkpoints.load()
            assert found is None or (found[0], found[2]) == (12, {"losses": [0.25]}), bytes(flipped)


@pytest.mark.parametrize("content", [b"[]", b"{}", b"null", b'{"step": 1}', b'{"sha256": 7}'])
def test_a_state_that_is_json_but_no_state_counts_as_none(checkpoints, folder, content):
    checkpoints.save(1, at(1))
    (folder / "step-000000000001" / "state.json").write_bytes(content)
    assert checkpoints.load() is None


def test_after_damage_a_new_checkpoint_can_be_saved_and_read(checkpoints, folder):
    checkpoints.save(1, at(1))
    damage(folder / "step-000000000001" / "state.json", "truncated")
    checkpoints.save(1, at(1))
    assert checkpoints.load()[0] == 1


@pytest.mark.parametrize("call", [1, 2], ids=["in the tensors", "in the state"])
def test_a_kill_between_two_files_leaves_the_older_one(checkpoints, folder, monkeypatch, call):
    checkpoints.save(1, at(1))
    seen, fsync = [], os.fsync

    def killed(handle):
        seen.append(handle)
        if len(seen) == call:
            raise KeyboardInterrupt
        fsync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(2, at(2))
    assert FolderCheckpoints(folder).load()[0] == 1
    FolderCheckpoints(folder).save(2, at(2))
    assert FolderCheckpoints(folder).load()[0] == 2


def test_a_killed_saver_never_leaves_less_than_it_reported(tmp_path):
    reported = tmp_path / "reported"
    saver = tiny.process(tiny.save_forever, tmp_path / "checkpoints", reported)
    tiny.wait_until(lambda: reported.exists() and int(reported.read_text() or 0) > 20, what="twenty checkpoints")
    saver.kill()
    saver.join()
    step, tensors, document = FolderCheckpoints(tmp_path / "checkpoints").load()
    assert step >= int(reported.read_text())
    assert document == {"step": step}
    assert torch.equal(tensors["weights"], torch.full((1000,), float(step)))


def test_a_checkpoint_is_due_once_the_interval_has_passed_since_the_last(folder, monkeypatch):
    clock = iter([1019.9, 1020.0, 1020.0, 1039.9, 1040.0])
    monkeypatch.setattr("faceassay.checkpoints.time", SimpleNamespace(monotonic=lambda: next(clock)))
    checkpoints = FolderCheckpoints(folder, interval=20.0, _saved_at=1000.0)
    before = [checkpoints.due(), checkpoints.due()]
    checkpoints.save(1, at(1))
    assert [*before, checkpoints.due(), checkpoints.due()] == [False, True, False, True]


def test_an_interval_of_nothing_makes_every_step_due(folder):
    assert FolderCheckpoints(folder, interval=0.0).due()


def test_the_state_is_readable_json(checkpoints, folder):
    checkpoints.save(4, at(4), DOCUMENT)
    state = json.loads((folder / "step-000000000004" / "state.json").read_text())
    assert (state["step"], state["document"]) == (4, DOCUMENT)
