"""The optimised anchors: known solutions of the Tammes problem, kept bytes, and memory."""

import math
import subprocess
import sys

import numpy as np
import pytest

from faceassay.checkpoints import FolderCheckpoints
from faceassay_plugins.identities import anchors, nearest_cosines, tammes
from faceassay_plugins.identities.tammes import spread_out

LARGE = """
import resource, torch
from faceassay_plugins.identities import anchors
torch.set_num_threads(1)
assert anchors(10_000, 512, steps=1).shape == (10_000, 512)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


class Interruption(Exception):
    pass


def largest(vectors):
    rows = np.asarray(vectors, dtype=np.float64)
    return (rows @ rows.T)[np.triu_indices(len(rows), 1)].max()


@pytest.mark.parametrize(
    ("count", "degrees", "tolerance"),
    [
        *((7, 77.8695, 1e-4), (8, 74.8585, 1e-4), (9, 70.5288, 1e-4), (11, 63.4349, 1e-4), (12, 63.4349, 1e-4)),
        *((10, 66.1468, 2e-3), (24, 43.6908, 1e-4)),  # of ten points there is a local optimum 0.001 above
    ],
)
def test_known_angles_on_the_ordinary_sphere(count, degrees, tolerance):
    """The proven optimal angles of the Tammes problem for d = 3 (Schuette and van der Waerden, Danzer, Robinson)."""
    assert largest(anchors(count, 3, steps=600)) == pytest.approx(math.cos(math.radians(degrees)), abs=tolerance)


@pytest.mark.parametrize(("count", "width", "cosine"), [(16, 5, 1 / 5), (27, 6, 1 / 4), (56, 7, 1 / 3)])
def test_known_codes_of_more_dimensions(count, width, cosine):
    """The Clebsch and Schlaefli codes and that of E7, all optimal."""
    assert largest(anchors(count, width, steps=600)) == pytest.approx(cosine, abs=1e-4)


def test_anchors_end_far_below_random_ones():
    placed, drawn = anchors(300, 30, steps=150), anchors(300, 30, "random")
    assert nearest_cosines(placed).max() < 0.3 < 0.6 < nearest_cosines(drawn).max()


def test_the_best_iterate_is_kept():
    """However few the steps: the first ones may well make it worse."""
    start = anchors(60, 8, "random")
    for steps in range(12):
        assert largest(spread_out(start, steps)) <= largest(start) + 1e-6


def test_no_step_leaves_the_start():
    start = anchors(60, 8, "random")
    assert np.array_equal(spread_out(start, 0), start)


def test_equal_seeds_make_equal_bytes():
    assert anchors(80, 9, steps=40, seed=4).tobytes() == anchors(80, 9, steps=40, seed=4).tobytes()


def test_blocks_change_nothing_but_rounding(monkeypatch):
    start = anchors(70, 9, "random")
    whole = spread_out(start, 4)
    monkeypatch.setattr(tammes, "BLOCK", 16)
    assert np.allclose(spread_out(start, 4), whole, atol=1e-5)


@pytest.mark.parametrize("stop", [1, 23, 40])
def test_an_interrupted_search_goes_on_to_the_same_bytes(tmp_path, stop):
    whole = anchors(80, 9, steps=40, seed=4)
    checkpoints = FolderCheckpoints(tmp_path, interval=0)

    def interrupt(done, total):
        if done == stop:
            raise Interruption

    with pytest.raises(Interruption):
        anchors(80, 9, steps=40, seed=4, checkpoints=checkpoints, progress=interrupt)
    seen = []
    resumed = anchors(
        80, 9, steps=40, seed=4, checkpoints=checkpoints, progress=lambda done, total: seen.append((done, total))
    )
    assert resumed.tobytes() == whole.tobytes()
    assert seen[0][0] >= stop
    assert seen[-1] == (40, 40)


@pytest.mark.slow
def test_ten_thousand_anchors_fit_into_two_gibibytes():
    run = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=True)
    assert int(run.stdout) * 1024 < 2 * 2**30
