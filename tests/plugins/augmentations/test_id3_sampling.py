"""How ID3's parameters reach the sampler, what a block is rendered from, and that passes are counted as priced."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from faceassay.contracts import DataError, FaceassayError, PlanBlock
from faceassay.sampling import CountedNetwork, NetworkDenoiser
from faceassay.seeds import row_noise
from faceassay_plugins.augmentations.id3.sampling import IdentityGuidedSampling
from fakes import sources
from gaussians import assert_images

SIZE, WIDTH, VARIANCE = 8, 4, 0.01
MATRIX = np.random.default_rng(1).normal(0, 1, (WIDTH, 3 * SIZE * SIZE)).astype(np.float32)


class Guided(IdentityGuidedSampling):
    """The sampling without any plan."""

    name = "guided"
    version = "1"
    summary = "a test"

    def planned_images(self, identities):
        return 0

    def plan(self, sources, run):
        raise NotImplementedError


class NamedGenerator:
    """A fitted generator of Gaussian images around the first attribute or 0; notes what it is asked."""

    image_size = SIZE
    device = "cpu"
    identities = ()

    def __init__(self):
        self.asked = []
        self.networks = {role: CountedNetwork(self.denoise) for role in ("main", "guide")}

    @property
    def evaluations(self):
        return sum(network.evaluations for network in self.networks.values())

    def denoise(self, x, sigma, condition):
        noise = sigma.view(-1, 1, 1, 1) ** 2
        return (VARIANCE * x + noise * condition["mean"].view(-1, 1, 1, 1)) / (VARIANCE + noise)

    def denoiser(self, condition, *, role="main"):
        self.asked.append((role, condition))
        attributes = condition.get("attributes", np.zeros((len(condition["identity"]), 1), np.float32))
        return NetworkDenoiser(self.networks[role], {"mean": torch.from_numpy(attributes[:, 0])})


class Linear:
    """A fitted recognizer that one can look through: f(x) = A x."""

    image_size = SIZE

    def features(self, x):
        return x.flatten(1) @ torch.from_numpy(MATRIX).T

    def embed(self, images):
        raise NotImplementedError


class Opaque:
    image_size = SIZE

    def embed(self, images):
        raise NotImplementedError


def columns(count=4, attributes=True):
    rng = np.random.default_rng(2)
    found = {"identity": rng.normal(0, 1, (count, WIDTH)).astype(np.float32)}
    return {**found, **({"attributes": np.linspace(-0.5, 0.5, count, dtype=np.float32)[:, None]} if attributes else {})}


def block(rows=slice(None), **options):
    chosen = {name: values[rows] for name, values in columns(**options).items()}
    count = len(chosen["identity"])
    return PlanBlock(
        0, 0, np.zeros(count, np.int64), np.zeros((count, 0), np.int64), np.zeros((count, 0)), columns=chosen
    )


def noise(rows=slice(None), count=4):
    return row_noise(np.arange(count, dtype=np.uint64)[rows], SIZE)


def rendered(plugin, inputs, rows=slice(None), **options):
    return plugin.render(inputs, block(rows, **options), noise(rows))


def inputs(**changes):
    return sources(**{"generator": NamedGenerator(), "recognizer": Linear(), **changes})


def agreement(images):
    embedded = (images.transpose(0, 3, 1, 2).reshape(len(images), -1) / 127.5 - 1) @ MATRIX.T
    wanted = columns()["identity"]
    lengths = np.linalg.norm(embedded, axis=1) * np.linalg.norm(wanted, axis=1)
    return (embedded * wanted).sum(1) / lengths


def test_a_block_is_conditioned_on_its_columns():
    given = inputs()
    rendered(Guided(steps=2), given)
    [(role, condition)] = given.generator.asked
    assert (role, set(condition)) == ("main", {"identity", "attributes"})
    assert all(np.array_equal(condition[name], column) for name, column in columns().items())


def test_attributes_that_the_plan_does_not_have_are_left_out():
    given = inputs()
    rendered(Guided(steps=2), given, attributes=False)
    assert set(given.generator.asked[0][1]) == {"identity"}


def test_the_guide_is_asked_under_the_same_condition():
    given = inputs()
    rendered(Guided(steps=2, guidance=1.3), given)
    (main, condition), (guide, other) = given.generator.asked
    assert (main, guide) == ("main", "guide")
    assert condition is other


def test_at_weight_zero_the_images_are_the_generators_and_no_recognizer_is_opened():
    given = sources(generator=NamedGenerator())
    images = rendered(Guided(weight=0, steps=40), given)
    means = columns()["attributes"][:, 0]
    assert_images(images, means, np.full(4, VARIANCE**0.5), noise(), off=2)
    assert not given.passes
    assert Guided(weight=0).needs() == {"generator"}
    assert not Guided(weight=0).needs_gradient()
    assert Guided(weight=0).passes_per_image() == {}


def test_what_it_needs_with_a_weight():
    assert Guided().needs() == {"generator", "recognizer"}
    assert Guided().needs_gradient()


@pytest.mark.parametrize("space", ["score", "epsilon"])
@pytest.mark.parametrize("gradient", ["exact", "c_skip", "noisy"])
def test_images_are_nearer_to_their_identities_the_larger_the_weight(space, gradient):
    options = {"guidance_space": space, "gradient": gradient, "sigma_data": VARIANCE**0.5, "steps": 40}
    means = [agreement(rendered(Guided(weight=weight, **options), inputs())) for weight in (0, 1, 5)]
    assert (means[0] < means[1]).all()
    assert (means[1] < means[2]).all()


MODES = [
    {},
    {"gradient": "c_skip"},
    {"gradient": "noisy", "guidance": 1.3},
    {"guidance": 1.3},
    {"guidance": 0},
    {"guided_below": 1.0},
    {"guided_below": 80.0},
    {"guided_below": 0.002},
    {"guided_below": 0.3, "guidance": 1.3, "steps": 9},
    {"sampler": "langevin", "step_size": 1e-4, "diffusion_steps": 12},
    {"sampler": "langevin", "step_size": 1e-4, "diffusion_steps": 12, "guided_below": 0.1, "guidance": 1.3},
    {"weight": 0, "guidance": 1.3},
]


@pytest.mark.parametrize("mode", MODES)
def test_passes_and_evaluations_are_those_that_were_priced(mode):
    plugin, given = Guided(**{"steps": 6, **mode}), inputs()
    rendered(plugin, given)
    assert given.generator.evaluations == 4 * plugin.evaluations_per_image()
    assert given.generator.networks["guide"].evaluations == 4 * plugin.guide_evaluations_per_image()
    assert dict(given.passes) == {name: 4 * count for name, count in plugin.passes_per_image().items()}


def test_prices_by_hand():
    """32 steps of Heun's method: 63 calls; levels below 1 are the last 13, each called at twice."""
    assert Guided().passes_per_image() == dict.fromkeys(
        ("recognizer_forward", "recognizer_backward", "denoiser_backward"), 63
    )
    levels = (80 ** (1 / 7) + np.arange(32) / 31 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert (levels < 1).sum() == 13
    both = Guided(guided_below=1.0, guidance=1.3)
    assert both.passes_per_image() == {"recognizer_forward": 26, "recognizer_backward": 26, "denoiser_backward": 52}
    assert (both.evaluations_per_image(), both.guide_evaluations_per_image()) == (126, 63)
    literal = Guided(sampler="langevin", step_size=0.1)
    assert literal.evaluations_per_image() == literal.passes_per_image()["recognizer_backward"] == 1000


def test_a_price_needs_no_torch():
    code = (
        "import sys; from faceassay_plugins.augmentations.id3.sampling import IdentityGuidedSampling as Sampling\n"
        "class Guided(Sampling):\n"
        "    def planned_images(self, identities): ...\n"
        "    def plan(self, sources, run): ...\n"
        "print(Guided().passes_per_image(), Guided().evaluations_per_image(), 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.endswith("63 False\n")


def test_the_gradient_needs_a_recognizer_to_look_through():
    with pytest.raises(FaceassayError, match="Opaque gives none: use a recognizer with a torch network"):
        rendered(Guided(steps=2), inputs(recognizer=Opaque()))


def test_a_recognizer_of_another_image_size_is_refused():
    recognizer = Linear()
    recognizer.image_size = 16
    with pytest.raises(FaceassayError, match="takes images of 16 px and these have 8 px"):
        rendered(Guided(steps=2), inputs(recognizer=recognizer))


def test_an_identity_without_direction_is_refused():
    wrong = block()
    wrong.columns["identity"][1] = 0
    with pytest.raises(DataError, match="identity 1"):
        Guided(steps=2).render(inputs(), wrong, noise())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sampler": "langevin"}, "needs a step_size: ID3 does not print its own"),
        ({"step_size": 0.1}, r"step_size 0\.1 is of sampler langevin: leave it out with edm"),
        ({"weight": -1}, "greater than or equal to 0"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        Guided(**wrong)


@pytest.mark.parametrize("mode", [{"steps": 4}, {"sampler": "langevin", "step_size": 1e-4, "diffusion_steps": 8}])
def test_an_image_does_not_depend_on_the_rows_beside_it(mode):
    plugin = Guided(weight=5, **mode)
    together = rendered(plugin, inputs())
    assert np.array_equal(rendered(plugin, inputs(), [3, 1]), together[[3, 1]])
