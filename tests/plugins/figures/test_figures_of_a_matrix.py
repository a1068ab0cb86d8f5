"""The bundled figures drawn by the command from a small matrix that has run, with a trained generator."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from faceassay.cli import main
from faceassay.execute import Order
from faceassay.expand import expand, expand_figure
from faceassay.inputs import open_artifact
from faceassay.registry import load_plugins
from faceassay.spec import read_matrix
from faceassay.store import Store
from matrices import changed, write_faces

SEARCHED = "alpha: null, beta: null, search_pairs: 2, search_images: 2, search_grid: [0.5, 0.7]"
MATRIX = changed(
    (
        "benchmarks:\n",
        "  - name: AugGen\n    group: FR_syn\n"
        f"    augmentation: {{plugin: auggen, {SEARCHED}, pairs: 2, images_per_pair: 1, steps: 2, guidance: 1}}\n"
        "benchmarks:\n",
    )
)
SMALL = {
    "mixing-grid": ("--set", "steps=2", "--set", "weights=0+1", "--set", "guidance=1"),
    "mixing-columns": ("--method", "ScoreMix", "--set", "steps=2", "--set", "pairs=1"),
    "distance-matrices": (),
    "distance-signal": ("--set", "permutations=9"),
    "search-heatmap": ("--method", "AugGen"),
    "degrees": ("--method", "Blend + real"),
    "memorisation": ("--method", "ScoreMix"),
}
NEEDED = {"generator", "recognizer", "search", "plan", "synthesis"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the folder of a matrix, what its figures need having run."""
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FACEASSAY_CACHE", str(folder / "cache"))
        write_faces(folder)
        (folder / "matrix.yaml").write_text(MATRIX)
        graph, store = expand(read_matrix(folder / "matrix.yaml", load_plugins())), Store.open(folder / "store")
        wanted = [stage for stage in graph.stages.values() if stage.kind in NEEDED and "+" not in stage.title]
        assert [Order(stage, store.root)().error for stage in wanted] == [None] * len(wanted)
        yield folder


def figure(folder, *arguments):
    name, *rest = arguments
    where = (str(folder / "matrix.yaml"), "--store", str(folder / "store"))
    return CliRunner().invoke(main, ["figure", name, *where, *rest])


def test_every_bundled_figure_is_drawn_here():
    assert set(SMALL) == set(load_plugins().names("figure"))


@pytest.mark.parametrize("name", SMALL)
def test_a_figure_is_drawn_from_the_store(name, made):
    result = figure(made, name, *SMALL[name])
    assert result.exit_code == 0, result.output
    files = result.output.split()
    assert [path.rpartition(".")[2] for path in files[:2]] == ["png", "svg"]
    assert len(files) > 2


def test_a_trained_generator_makes_the_corner_of_the_grid_as_a_plain_sample(made):
    from faceassay.contracts import LabelMix
    from faceassay.sampling import heun, to_images, to_noise
    from faceassay.seeds import noise_keys, row_noise

    assert figure(made, "mixing-grid", *SMALL["mixing-grid"]).exit_code == 0
    stem = made / "figures" / "mixing_grid-guidance_1-steps_2-weights_0_1"
    grid = np.load(f"{stem}-score.npy")
    plugin = load_plugins().get("figure", "mixing-grid")()
    matrix = read_matrix(made / "matrix.yaml", load_plugins())
    [stage] = expand_figure(matrix, plugin, None, 0).targets()
    generator = open_artifact(stage.inputs["generator"], Store.open(made / "store"))
    condition = LabelMix(np.array([[0]]), np.ones((1, 1)))
    plain = to_images(heun(generator.denoiser(condition), to_noise(row_noise(noise_keys(0, 0, 1), 16)), steps=2))[0]
    # The network's bytes depend on the batch: float32 rounding may move a value over the edge of a grey level.
    assert np.abs(grid[0, 1].astype(int) - plain).max() <= 1
    assert json.loads((made / "figures" / f"{stem.name}-grid.json").read_text())["first"] == "s1"


def test_the_evaluations_of_a_drawing_are_in_its_record(made):
    assert figure(made, "mixing-grid", *SMALL["mixing-grid"]).exit_code == 0
    parameters = {"steps": 2, "weights": (0.0, 1.0), "guidance": 1}
    plugin = load_plugins().get("figure", "mixing-grid")(**parameters)
    [stage] = expand_figure(read_matrix(made / "matrix.yaml", load_plugins()), plugin, None, 0).targets()
    record = Store.open(made / "store").record("figure", stage.digest)
    spaces, images, calls, classes = 2, 4, 3, 2
    assert record["cost"]["network_evaluations"] == spaces * images * calls * classes


def test_a_row_without_a_search_is_told_who_has_one(made):
    result = figure(made, "search-heatmap", "--method", "ScoreMix")
    assert result.exit_code == 2
    assert "row 'ScoreMix' has none" in result.output
    assert "--method: 'AugGen'" in result.output


def test_a_misspelt_identity_is_named_with_the_nearest(made):
    result = figure(made, "mixing-grid", "--set", "first=s44")
    assert result.exit_code == 2
    assert "'s44' (did you mean 's4'?)" in result.output
