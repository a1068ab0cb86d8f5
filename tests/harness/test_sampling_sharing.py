"""What composed denoisers evaluate: each network once at each (x, sigma), and nothing that has no weight."""

from __future__ import annotations

import pytest
import torch

from faceassay.sampling import CountedNetwork, NetworkDenoiser, autoguide, evaluate_together, heun, mix_scores


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class GaussianNetwork:
    """A network over Gaussian classes: condition [B, 2] holds each image's mean and variance. Counts its calls."""

    def __init__(self, shift=0.0):
        self.shift = shift
        self.calls = []

    def __call__(self, x, sigma, condition):
        self.calls.append(len(x))
        mean, variance = (condition[:, k].view(-1, 1, 1, 1) for k in (0, 1))
        noise = sigma.view(-1, 1, 1, 1) ** 2
        return (variance * x + noise * (mean + self.shift)) / (variance + noise)

    def under(self, mean, variance, batch=1):
        condition = torch.tensor([[mean, variance]], dtype=torch.float64).repeat(batch, 1)
        return NetworkDenoiser(self, condition)


def class_denoisers(modes, batch=2):
    network = GaussianNetwork()
    return [network.under(mean, variance, batch) for mean, variance in modes]


def never(x, sigma):
    raise AssertionError("a branch of weight 0 was evaluated")


def images(batch=2, size=3, seed=0, dtype=torch.float64):
    return torch.randn(batch, 3, size, size, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def levels(batch=2, value=0.7):
    return torch.full((batch,), value, dtype=torch.float64)


# --- what is evaluated


def test_a_branch_of_weight_zero_is_not_evaluated():
    one = class_denoisers([(0.2, 0.1)])[0]
    assert torch.equal(mix_scores([one, never], [1.0, 0.0])(images(), levels()), one(images(), levels()))


def test_a_branch_whose_weights_are_zero_in_every_row_is_not_evaluated():
    one = class_denoisers([(0.2, 0.1)])[0]
    mixed = mix_scores([one, never], [torch.tensor([0.5, 0.7]), torch.zeros(2)])
    assert mixed(images(), levels()).shape == images().shape


def test_at_guidance_one_the_guide_is_not_evaluated():
    main = class_denoisers([(0.2, 0.1)])[0]
    assert torch.equal(autoguide(main, never, 1.0)(images(), levels()), main(images(), levels()))


def test_at_guidance_zero_the_main_model_is_not_evaluated():
    guide = class_denoisers([(0.2, 0.1)])[0]
    assert torch.equal(autoguide(never, guide, 0.0)(images(), levels()), guide(images(), levels()))


@pytest.mark.parametrize("weight", [0.5, 1.3, 2.75])
def test_guidance_extrapolates_from_the_guide_through_the_main_model(weight):
    x, sigma = images(), levels()
    main, guide = class_denoisers([(0.2, 0.1), (-0.4, 0.3)])
    low, high = guide(x, sigma), main(x, sigma)
    torch.testing.assert_close(autoguide(main, guide, weight)(x, sigma), low + weight * (high - low))


def test_one_network_is_called_once_for_all_its_conditions():
    network = GaussianNetwork()
    parts = [network.under(m, 0.2, batch=2) for m in (0.1, 0.2, 0.3)]
    mix_scores(parts, (0.2, 0.3, 0.5))(images(), levels())
    assert network.calls == [6]


def test_two_networks_are_called_once_each():
    networks = GaussianNetwork(), GaussianNetwork()
    parts = [network.under(0.1, 0.2, batch=2) for network in networks]
    mix_scores(parts, (0.5, 0.5))(images(), levels())
    assert [network.calls for network in networks] == [[2], [2]]


def test_networks_that_are_equal_but_not_one_are_not_stacked():
    parts = [NetworkDenoiser(lambda x, s, c: x * c.view(-1, 1, 1, 1), torch.ones(2)) for _ in range(2)]
    assert len(evaluate_together(parts, images(), levels())) == 2


def test_a_stacked_forward_gives_each_condition_its_own_output():
    x, sigma = images(), torch.tensor([0.3, 2.0], dtype=torch.float64)
    networks = GaussianNetwork(), GaussianNetwork(shift=0.2)
    parts = [networks[k % 2].under(0.1 * k, 0.1 + 0.2 * k, batch=2) for k in range(5)]
    alone = [part(x, sigma) for part in parts]
    for together, single in zip(evaluate_together(parts, x, sigma), alone, strict=True):
        torch.testing.assert_close(together, single, rtol=0, atol=1e-14)


def test_a_denoiser_that_occurs_twice_is_evaluated_once():
    network = GaussianNetwork()
    one = network.under(0.3, 0.2, batch=2)
    mixed = mix_scores([one, one], (0.25, 0.75))(images(), levels())
    assert network.calls == [2]
    torch.testing.assert_close(mixed, one(images(), levels()))


def test_plain_callables_can_be_mixed():
    mixed = mix_scores([lambda x, s: x + 1, lambda x, s: x - 3], (0.5, 0.5))(images(), levels())
    torch.testing.assert_close(mixed, images() - 1)


def test_named_conditions_are_stacked_name_by_name():
    seen = []

    def network(x, sigma, condition):
        seen.append({name: value.tolist() for name, value in condition.items()})
        return x + condition["shift"].view(-1, 1, 1, 1)

    parts = [NetworkDenoiser(network, {"shift": torch.tensor([k, k + 1.0]), "age": torch.zeros(2)}) for k in (0.0, 5.0)]
    first, second = evaluate_together(parts, images(), levels())
    assert seen == [{"shift": [0, 1, 5, 6], "age": [0, 0, 0, 0]}]
    torch.testing.assert_close(second - first, torch.full_like(first, 5.0))


@pytest.mark.parametrize("other", [{"shift": torch.zeros(2)}, torch.zeros(2)])
@pytest.mark.parametrize("turned", [False, True])
def test_conditions_of_different_names_are_refused_over_one_network(other, turned):
    def network(x, sigma, condition):
        return x

    parts = [
        NetworkDenoiser(network, {"shift": torch.zeros(2), "age": torch.zeros(2)}),
        NetworkDenoiser(network, other),
    ]
    with pytest.raises(ValueError, match="same names"):
        evaluate_together(parts[::-1] if turned else parts, images(), levels())


def test_the_counter_counts_images_not_calls():
    counted = CountedNetwork(GaussianNetwork())
    parts = [NetworkDenoiser(counted, torch.tensor([[m, 0.2]]).repeat(2, 1).double()) for m in (0.1, 0.2)]
    mix_scores(parts, (0.5, 0.5))(images(), levels())
    assert counted.evaluations == 4
    assert counted.function.calls == [4]


# --- compositions of compositions


def two_models(batch=2):
    """Return two classes of a main model and the same classes of a guide, with both networks."""
    main, guide = GaussianNetwork(), GaussianNetwork(shift=0.15)
    modes = [(0.2, 0.1), (-0.4, 0.3)]
    mains, guides = ([network.under(*mode, batch) for mode in modes] for network in (main, guide))
    return mains, guides, (main, guide)


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.3, 0.5)])
@pytest.mark.parametrize("space", ["score", "denoised"])
def test_guiding_a_mix_is_mixing_the_guided(weights, space):
    mains, guides, _ = two_models()
    x, sigma = images(), levels()
    guided_mix = autoguide(mix_scores(mains, weights, space=space), mix_scores(guides, weights, space=space), 1.3)
    pairs = zip(mains, guides, strict=True)
    mixed_guided = mix_scores([autoguide(main, guide, 1.3) for main, guide in pairs], weights, space=space)
    torch.testing.assert_close(guided_mix(x, sigma), mixed_guided(x, sigma), rtol=0, atol=1e-12)


def test_a_guided_mix_is_the_formula_written_out():
    mains, guides, _ = two_models()
    x, sigma = images(), levels()
    main, guide = (0.3 * a(x, sigma) + 0.5 * b(x, sigma) + 0.2 * x for a, b in (mains, guides))
    guided = autoguide(mix_scores(mains, (0.3, 0.5)), mix_scores(guides, (0.3, 0.5)), 2.75)
    torch.testing.assert_close(guided(x, sigma), guide + 2.75 * (main - guide), rtol=0, atol=1e-12)


@pytest.mark.parametrize("outside", ["guide", "mix"])
def test_however_nested_each_network_is_called_once(outside):
    mains, guides, networks = two_models()
    if outside == "guide":
        composed = autoguide(mix_scores(mains, (0.5, 0.5)), mix_scores(guides, (0.5, 0.5)), 1.3)
    else:
        composed = mix_scores([autoguide(m, g, 1.3) for m, g in zip(mains, guides, strict=True)], (0.5, 0.5))
    composed(images(), levels())
    assert [network.calls for network in networks] == [[4], [4]]


def test_a_mix_of_mixes_is_one_mix():
    network = GaussianNetwork()
    a, b, c = (network.under(m, v, batch=2) for m, v in [(0.1, 0.1), (0.5, 0.3), (-0.3, 0.2)])
    nested = mix_scores([mix_scores([a, b], (0.4, 0.4)), c], (0.5, 0.3))(images(), levels())
    assert network.calls == [6]
    torch.testing.assert_close(nested, mix_scores([a, b, c], (0.2, 0.2, 0.3))(images(), levels()), rtol=0, atol=1e-12)


def test_a_mix_of_weight_zero_inside_a_composition_is_not_evaluated():
    one = class_denoisers([(0.2, 0.1)])[0]
    composed = mix_scores([one, mix_scores([never, never], (0.5, 0.5))], (1.0, 0.0))
    assert torch.equal(composed(images(), levels()), one(images(), levels()))


# --- weights of each image


@pytest.mark.parametrize("space", ["score", "denoised"])
def test_weights_of_each_row_give_what_each_row_alone_gives(space):
    rows = [(0.5, 0.5), (0.3, 0.4), (1.5, -0.5), (0.0, 1.0), (0.0, 0.0)]
    x, sigma, network = images(batch=5), levels(5), GaussianNetwork()
    parts = [network.under(m, v, batch=5) for m, v in [(0.2, 0.1), (-0.4, 0.3)]]
    together = mix_scores(parts, list(torch.tensor(rows, dtype=torch.float64).T), space=space)(x, sigma)
    singles = [network.under(m, v) for m, v in [(0.2, 0.1), (-0.4, 0.3)]]
    alone = [mix_scores(singles, row, space=space)(x[k : k + 1], sigma[:1]) for k, row in enumerate(rows)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-12)


def test_weights_of_each_row_pass_through_guidance():
    mains, guides, networks = two_models(batch=2)
    weights = list(torch.tensor([[0.5, 0.5], [0.2, 0.4]], dtype=torch.float64).T)
    x, sigma = images(), levels()
    guided = autoguide(mix_scores(mains, weights), mix_scores(guides, weights), 1.3)(x, sigma)
    assert [network.calls for network in networks] == [[4], [4]]
    for k, (a, b) in enumerate([(0.5, 0.5), (0.2, 0.4)]):
        alone = autoguide(mix_scores(mains, (a, b)), mix_scores(guides, (a, b)), 1.3)(x, sigma)
        torch.testing.assert_close(guided[k], alone[k], rtol=0, atol=1e-12)


def test_float64_weights_of_each_row_keep_a_float32_state():
    weights = [torch.tensor([0.5, 0.25], dtype=torch.float64)] * 2
    mixed = mix_scores([lambda x, s: x, lambda x, s: -x], weights)(images(dtype=torch.float32), levels().float())
    assert mixed.dtype == torch.float32


# --- evaluations per image: 2 x 32 - 1 = 63 for one condition of one model


@pytest.mark.parametrize(
    ("conditions", "weight", "main_images", "guide_images"),
    [(1, 1.0, 63, 0), (1, 1.3, 63, 63), (2, 1.0, 126, 0), (2, 1.3, 126, 126), (3, 1.3, 189, 189)],
)
def test_evaluations_per_image_are_those_of_the_cost_table(conditions, weight, main_images, guide_images):
    networks = [CountedNetwork(GaussianNetwork()) for _ in range(2)]
    condition = torch.tensor([[0.1, 0.2]], dtype=torch.float64).repeat(4, 1)
    mixes = [mix_scores([NetworkDenoiser(n, condition) for _ in range(conditions)], [1 / conditions] * conditions)
             for n in networks]  # fmt: skip
    heun(autoguide(*mixes, weight), images(batch=4), steps=32)
    assert [network.evaluations / 4 for network in networks] == [main_images, guide_images]
    assert len(networks[0].function.calls) == 63
