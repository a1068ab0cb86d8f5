"""The search for alpha and beta on a generator of noisy patterns, where every measure has a closed form.

Class k is a pattern e_k, orthogonal to the others. A mix makes a (w_i e_i + w_j e_j) / |w| with noise of variance v(w)
in each of n pixels. With t = a^2 / (a^2 + n v) the expected m_s is t and m_d is 1 - sqrt(t) (w_i + w_j) / (2 |w|).
"""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch

from faceassay.contracts import FaceassayError
from faceassay.sampling import CountedNetwork, NetworkDenoiser
from faceassay.stages import search as stage
from faceassay_plugins.augmentations.auggen import AugGen
from faceassay_plugins.augmentations.auggen_search import GRID, AugGenSearch
from faceassay_plugins.augmentations.cell_measures import Measures, both_orders, measure, unit_length, winner
from fakes import Log, sources, stage_context, toy_faces

SIZE, CLASSES, AMPLITUDE = 8, 5, 4.0
PIXELS = 3 * SIZE * SIZE
PATTERNS = np.linalg.qr(np.random.default_rng(0).normal(size=(PIXELS, CLASSES)))[0].T
QUIET = AMPLITUDE**2 / PIXELS * (1 / 0.9 - 1)
"""The variance at which t is 0.9."""
QUIETEST = (0.7, 0.9)


def variance(weights):
    """Return a variance that is least at these weights, in either order, and for a class by itself."""
    weights = np.sort(weights, axis=1)
    off = np.where((weights == 0).any(1), 0, ((weights - QUIETEST) ** 2).sum(1))
    return QUIET * (1 + 10 * off)


class PatternGenerator:
    """A fitted generator of noisy patterns; ``stop_after`` conditions it is interrupted."""

    image_size, device = SIZE, "cpu"
    identities = tuple(f"s{k + 1}" for k in range(CLASSES))

    def __init__(self, variance=variance, patterns=PATTERNS, stop_after=None):
        self.variance, self.patterns, self.stop_after = variance, patterns, stop_after
        self.asked = []
        self.networks = {role: CountedNetwork(denoise) for role in ("main", "guide")}

    @property
    def evaluations(self):
        return sum(network.evaluations for network in self.networks.values())

    def denoiser(self, condition, *, role="main"):
        if self.stop_after is not None and len(self.asked) == self.stop_after:
            raise KeyboardInterrupt
        self.asked.append((role, condition))
        weights = condition.weights if condition.weights.shape[1] == 2 else np.pad(condition.weights, ((0, 0), (0, 1)))
        mean = (self.patterns[condition.indices] * condition.weights[:, :, None]).sum(1)
        mean *= AMPLITUDE / np.linalg.norm(condition.weights, axis=1, keepdims=True)
        known = np.concatenate([mean, self.variance(weights)[:, None]], axis=1)
        return NetworkDenoiser(self.networks[role], torch.from_numpy(known).float())


def denoise(x, sigma, known):
    mean, v = known[:, :-1].view(x.shape), known[:, -1].view(-1, 1, 1, 1)
    noise = sigma.view(-1, 1, 1, 1) ** 2
    return (v * x + noise * mean) / (v + noise)


class PixelRecognizer:
    """An embedding is the image in the generator's order of pixels."""

    image_size = SIZE

    def embed(self, images):
        return ((images.astype(np.float32) - 127.5) / 127.5).transpose(0, 3, 1, 2).reshape(len(images), -1)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def real():
    return toy_faces(identities=CLASSES, per_identity=2, size=SIZE)


SMALL = {"pairs": 4, "images": 3, "grid": (0.5, 0.7, 0.9), "steps": 6, "guidance": 1}


def searched(real, folder, generator=None, log=None, **parameters):
    opened = sources(real=real, generator=generator or PatternGenerator(), recognizer=PixelRecognizer())
    return AugGenSearch(**{**SMALL, **parameters}).run(opened, stage_context(folder, log=log))


@pytest.fixture(scope="module")
def whole_grid(tmp_path_factory):
    """Return the document of a search over the papers' grid."""
    faces = toy_faces(identities=CLASSES, per_identity=2, size=SIZE)
    return searched(faces, tmp_path_factory.mktemp("grid"), grid=GRID, pairs=8, images=4, steps=16)


def expected(alpha, beta):
    """Return m_d and m_s in closed form."""
    t = AMPLITUDE**2 / (AMPLITUDE**2 + PIXELS * variance(np.array([[alpha, beta]]))[0])
    return 1 - np.sqrt(t) * (alpha + beta) / (2 * np.hypot(alpha, beta)), t


def test_the_best_weights_are_those_of_the_closed_form(whole_grid):
    best = max(itertools.combinations_with_replacement(GRID, 2), key=lambda cell: sum(expected(*cell)))
    assert best == (0.6, 1.0)
    assert (whole_grid["alpha"], whole_grid["beta"]) == best


def test_every_cell_has_the_measures_of_the_closed_form(whole_grid):
    # 8 pairs of 4 images in 192 dimensions: a cosine has sd 1 / sqrt(192) at most, 48 pairs of images are averaged.
    for cell in whole_grid["cells"]:
        m_d, m_s = expected(cell["alpha"], cell["beta"])
        assert cell["m_d"] == pytest.approx(m_d, abs=0.05)
        assert cell["m_s"] == pytest.approx(m_s, abs=0.05)
        assert cell["m_total"] == cell["m_d"] + cell["m_s"]


def test_the_whole_grid_is_reported_once_for_both_orders(whole_grid):
    assert GRID == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
    cells = [(cell["alpha"], cell["beta"]) for cell in whole_grid["cells"]]
    assert cells == list(itertools.combinations_with_replacement(GRID, 2))


def test_the_document_says_what_reproduced_images_look_like(whole_grid):
    assert whole_grid["reproduced"]["m_s"] == pytest.approx(0.9, abs=0.05)
    assert whole_grid["reproduced"]["norm"] == pytest.approx(1)
    assert whole_grid["reproduced"]["length"] == pytest.approx(AMPLITUDE / np.sqrt(0.9), rel=0.05)


# --- what is sampled


def test_every_cell_has_the_same_pairs_and_images(real, tmp_path):
    generator = PatternGenerator()
    searched(real, tmp_path, generator)
    mixed = [condition for _, condition in generator.asked if condition.indices.shape[1] == 2]
    assert len(mixed) == 9
    assert all(np.array_equal(condition.indices, mixed[0].indices) for condition in mixed)
    tried = [tuple(condition.weights[0]) for condition in mixed]
    assert tried == list(itertools.product(SMALL["grid"], repeat=2))


def test_every_cell_has_the_same_noise(real, tmp_path):
    # Where condition and noise are the same, so are the images, and with them all measures.
    cells = searched(real, tmp_path, PatternGenerator(lambda weights: np.full(len(weights), QUIET)))["cells"]
    equal = [cell for cell in cells if cell["alpha"] == cell["beta"]]
    assert len({(cell["m_d"], cell["m_s"], cell["alike"]) for cell in equal}) == 1


def test_the_guide_gets_the_same_condition(real, tmp_path):
    generator = PatternGenerator()
    searched(real, tmp_path, generator, guidance=1.3)
    assert [role for role, _ in generator.asked] == ["main", "guide"] * (len(generator.asked) // 2)
    for (_, main), (_, guide) in zip(generator.asked[::2], generator.asked[1::2], strict=True):
        assert np.array_equal(main.indices, guide.indices)
        assert np.array_equal(main.weights, guide.weights)


@pytest.mark.parametrize("guidance", [1, 1.3])
def test_evaluations_are_counted_as_estimated(guidance, real, tmp_path):
    log, every_class = Log(), {"guidance": guidance, "pairs": 10, "grid": (0.5, 0.9)}
    generator, search = PatternGenerator(), AugGenSearch(**{**SMALL, **every_class})
    searched(real, tmp_path, generator, log, **every_class)
    assert log.evaluations == generator.evaluations == search.work(CLASSES) * search.evaluations_per_image()


def test_the_estimate_of_the_paper_is_the_fact_sheets():
    search = AugGenSearch(guidance=1)
    assert search.work(10_000) == 121 * 64 * 8 + 128 * 8
    assert search.evaluations_per_image() == 63


def test_progress_never_goes_back_and_ends_at_the_total(real, tmp_path):
    log = Log()
    searched(real, tmp_path, log=log, pairs=10, grid=(0.5, 0.9))
    done = [at for at, _ in log.progress]
    assert done == sorted(done)
    assert log.progress[-1] == (4 * 30 + 15, 4 * 30 + 15)
    assert {total for _, total in log.progress} == {4 * 30 + 15}


# --- killed and resumed


@pytest.mark.parametrize("stop_after", [0, 1, 4, 9])
def test_a_killed_search_repeats_one_cell_at_most_and_ends_the_same(stop_after, real, tmp_path):
    logs = [Log(), Log()]
    wanted = searched(real, tmp_path / "whole", log=logs[0])
    killed, resumed = PatternGenerator(stop_after=stop_after), PatternGenerator()
    with pytest.raises(KeyboardInterrupt):
        searched(real, tmp_path / "killed", killed)
    assert json.dumps(searched(real, tmp_path / "killed", resumed, logs[1])) == json.dumps(wanted)
    assert len(killed.asked) + len(resumed.asked) == 10
    assert logs[0].evaluations == logs[1].evaluations


def test_a_cell_killed_in_the_middle_is_sampled_again_as_a_whole(real, tmp_path):
    big = {"pairs": 10, "images": 4}  # 40 images: two blocks for a cell, and one for the classes on their own
    wanted = searched(real, tmp_path / "whole", **big)
    killed, resumed = PatternGenerator(stop_after=1 + 2 * 3 + 1), PatternGenerator()
    with pytest.raises(KeyboardInterrupt):
        searched(real, tmp_path / "killed", killed, **big)
    assert searched(real, tmp_path / "killed", resumed, **big) == wanted
    assert len(resumed.asked) == 2 * 6


# --- the guard


def test_a_generator_that_makes_one_image_of_everything_is_refused(real, tmp_path):
    collapsed = PatternGenerator(patterns=np.ones((CLASSES, PIXELS)) / np.sqrt(PIXELS))
    with pytest.raises(FaceassayError, match=r"all 6 cells are refused \(collapsed; .*: train the generator longer"):
        searched(real, tmp_path, PatternGenerator(lambda weights: np.full(len(weights), 1e-6), collapsed.patterns))


def test_a_generator_without_variety_within_a_pair_is_refused(real, tmp_path):
    with pytest.raises(FaceassayError, match="the images of a pair are all alike"):
        searched(real, tmp_path, PatternGenerator(lambda weights: np.full(len(weights), 1e-6)))


REPRODUCED = Measures(m_d=0.1, m_s=0.6, alike=0.2, norm=1.0)


@pytest.mark.parametrize(
    ("measures", "reason"),
    [
        ({"norm": 0.49}, "no faces"),
        ({"m_s": 0.97}, "collapsed"),  # a tenth of the variety of reproduced images is 0.04
        ({"alike": 0.93}, "collapsed"),  # and here 0.08
        ({"norm": 0.51, "m_s": 0.95, "alike": 0.91}, None),
        ({"norm": 3.0}, None),
    ],
)
def test_the_guard_refuses_what_is_no_face_or_always_the_same(measures, reason):
    refusal = Measures(**{"m_d": 0.5, "m_s": 0.6, "alike": 0.1, "norm": 1.0, **measures}).refusal(REPRODUCED)
    assert refusal is None if reason is None else refusal.startswith(reason)


def test_a_recognizer_to_which_everybody_looks_alike_refuses_nothing_that_varies_as_reproduced_images_do():
    assert Measures(0.01, 0.996, 0.992, 1.0).refusal(Measures(0.01, 0.997, 0.991, 1.0)) is None
    assert Measures(0.01, 0.9995, 0.9995, 1.0).refusal(Measures(0.01, 0.9995, 0.9995, 1.0)) is not None


def cell(alpha, beta, total, refused=None):
    return {"alpha": alpha, "beta": beta, "m_total": total, "refused": refused}


@pytest.mark.parametrize(
    ("cells", "won"),
    [
        ([cell(0.1, 0.1, 1.0), cell(0.2, 0.2, 1.1)], (0.2, 0.2)),
        ([cell(0.1, 0.1, 1.0), cell(0.2, 0.2, 1.1, "collapsed: x")], (0.1, 0.1)),
        ([cell(0.4, 0.8, 1.0), cell(0.5, 0.7, 1.0), cell(0.3, 0.9, 1.0)], (0.5, 0.7)),
        ([cell(0.3, 0.6, 1.0), cell(0.2, 0.5, 1.0)], (0.2, 0.5)),  # 0.6 - 0.3 is not 0.5 - 0.2 in float64
        ([cell(0.1, 0.9, 1.0), cell(0.5, 0.5, 1.0 - 1e-12)], (0.5, 0.5)),
        ([cell(0.1, 0.9, 1.0), cell(0.5, 0.5, 1.0 - 1e-6)], (0.1, 0.9)),
    ],
)
def test_the_largest_total_wins_and_ties_go_to_equal_weights(cells, won):
    found = winner(cells)
    assert (found["alpha"], found["beta"]) == won


# --- measures, one cosine at a time


def test_the_measures_are_means_of_cosines():
    rng = np.random.default_rng(3)
    raw, means = rng.normal(size=(3, 4, 6)), unit_length(rng.normal(size=(5, 6)))
    pairs = np.array([[0, 1], [1, 4], [2, 3]])

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    found = measure(raw, means, pairs, norm=2.0)
    rows = [(r, f) for r in range(3) for f in raw[r]]
    assert found.m_d == pytest.approx(
        np.mean([1 - (cosine(f, means[pairs[r, 0]]) + cosine(f, means[pairs[r, 1]])) / 2 for r, f in rows])
    )
    couples = list(itertools.combinations(rows, 2))
    assert found.m_s == pytest.approx(np.mean([cosine(f, g) for (r, f), (s, g) in couples if r == s]))
    assert found.alike == pytest.approx(np.mean([cosine(f, g) for (r, f), (s, g) in couples if r != s]))
    assert found.norm == pytest.approx(np.mean([np.linalg.norm(f) for _, f in rows]) / 2)


def test_both_orders_are_averaged():
    cells = both_orders(
        [(0.1, 0.2, Measures(0.2, 0.4, 0.1, 1.0)), (0.2, 0.1, Measures(0.4, 0.5, 0.3, 2.0))]
        + [(same, same, Measures(0.0, 0.0, 0.0, 1.0)) for same in (0.1, 0.2)],
        REPRODUCED,
    )
    assert [(one["alpha"], one["beta"]) for one in cells] == [(0.1, 0.2), (0.1, 0.1), (0.2, 0.2)]
    mixed = cells[0]
    assert [mixed[name] for name in ("m_d", "m_s", "alike", "norm")] == pytest.approx([0.3, 0.45, 0.2, 1.5])


# --- AugGen


def test_auggen_plans_with_the_weights_that_were_found(real, tmp_path):
    plugin = AugGen(alpha=None, beta=None, pairs=3, images_per_pair=2)
    plan = plugin.plan(sources(real=real, search={"alpha": 0.4, "beta": 0.9}), stage_context(tmp_path))
    assert plan.weights.tolist() == [[0.4, 0.9]] * 6


def test_auggen_searches_only_for_weights_that_are_not_given():
    assert AugGen().search() is None
    search = AugGen(alpha=None, beta=None, steps=7, guidance=2.5, search_pairs=9, search_grid=(0.5, 1.0)).search()
    assert (search.steps, search.guidance, search.pairs, search.images, search.grid) == (7, 2.5, 9, 8, (0.5, 1.0))


def test_one_weight_alone_is_an_error():
    with pytest.raises(ValueError, match="alpha and beta are searched for together: give both or none"):
        AugGen(alpha=None)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "5 classes make 10 pairs, 64 are asked for: lower 'search_pairs'"),
        ({"search_pairs": 3, "search_grid": (0.5, 0.5)}, "search_grid names a weight twice"),
    ],
)
def test_a_search_that_cannot_be_made_is_found_beforehand(parameters, message):
    with pytest.raises(ValueError, match=message):
        AugGen(alpha=None, beta=None, pairs=3, **parameters).check(image_size=SIZE, identities=CLASSES)
    AugGen(pairs=3).check(image_size=SIZE, identities=CLASSES)


# --- the stage


def test_the_stage_keeps_the_document(real, tmp_path):
    opened = sources(real=real, generator=PatternGenerator(), recognizer=PixelRecognizer())
    plugin, context = AugGenSearch(**SMALL), stage_context(tmp_path / "stage")
    stage.run(plugin, opened, context)
    assert stage.load(plugin, context.folder, "cpu") == searched(real, tmp_path / "alone")


class Odd(AugGenSearch):
    found: float = 0.0

    def run(self, sources, run):
        return {"alpha": self.found * np.float64("nan") if self.found else object()}


@pytest.mark.parametrize("found", [0.0, 1.0])
def test_a_document_that_json_cannot_hold_is_an_error(found, tmp_path):
    with pytest.raises(FaceassayError, match="search 'auggen-search' found what no JSON document can hold"):
        stage.run(Odd(found=found), sources(), stage_context(tmp_path))
