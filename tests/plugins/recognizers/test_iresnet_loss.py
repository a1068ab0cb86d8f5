"""The loss: which centres take part, AdaFace's running norms, what a network that knows nothing has, precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from faceassay_plugins.recognizers.iresnet.loss import (
    MarginHead,
    Objective,
    loss_without_knowledge,
    precision_on,
)
from faceassay_plugins.recognizers.iresnet.plugin import IResNet

LABELS = torch.tensor([0, 5, 2, 5])
HEADS = ("arcface", "cosface", "adaface")


def head(loss="arcface", classes=7, **parameters):
    recipe = IResNet(loss=loss, embedding=8, **{"margin": 0.4, "scale": 16.0, **parameters})
    return MarginHead(recipe, classes, torch.Generator().manual_seed(3))


def embedded(seed=0, norm=4.0):
    return norm * torch.randn(4, 8, generator=torch.Generator().manual_seed(seed))


def norms_by_hand(batches, decay):
    """Return mean and deviation of AdaFace after the norms of ``batches``."""
    mean, std = 20.0, 100.0
    for norms in batches:
        clipped = np.clip(norms, 1e-3, 100)
        mean = decay * clipped.mean() + (1 - decay) * mean
        std = decay * clipped.std(ddof=1) + (1 - decay) * std
    return mean, std


def test_the_running_norms_are_exponential_averages():
    adaface, seen = (
        head("adaface", norm_decay=0.1),
        [embedded(seed, norm) for seed, norm in ((0, 4), (1, 60), (2, 1e-5))],
    )
    for batch in seen:
        adaface(batch, LABELS)
    expected = norms_by_hand([batch.norm(dim=1).double().numpy() for batch in seen], 0.1)
    assert (adaface.norm_mean.item(), adaface.norm_std.item()) == pytest.approx(expected, rel=1e-5)


def test_a_batch_is_judged_after_it_was_taken_in():
    """The order of AdaFace's code: first the averages, then the margins from them."""
    adaface, batch = head("adaface", norm_decay=0.5), embedded()
    loss, norms = adaface(batch, LABELS).item(), batch.norm(dim=1).double().numpy()
    mean, std = norms_by_hand([norms], 0.5)
    z = np.clip(0.333 * (norms - mean) / (std + 1e-3), -1, 1)
    unit = [functional.normalize(rows.detach().double()).numpy() for rows in (batch, adaface.centres)]
    logits = 16.0 * unit[0] @ unit[1].T
    for row, label in enumerate(LABELS.tolist()):
        theta = math.acos(logits[row, label] / 16.0)
        logits[row, label] = 16.0 * (math.cos(theta - 0.4 * z[row]) - 0.4 * z[row] - 0.4)
    expected = np.mean([np.log(np.exp(row).sum()) - row[label] for row, label in zip(logits, LABELS, strict=True)])
    assert loss == pytest.approx(expected, rel=1e-5)


def test_only_adaface_keeps_norms():
    assert [sorted(head(loss).state_dict()) for loss in HEADS] == [
        ["centres"], ["centres"], ["centres", "norm_mean", "norm_std"],
    ]  # fmt: skip


@pytest.mark.parametrize("loss", HEADS)
def test_all_classes_sampled_are_all_classes(loss):
    whole, batch = head(loss), embedded()
    sampled = head(loss)
    assert torch.equal(whole(batch, LABELS), sampled(batch, LABELS, torch.arange(7)))


@pytest.mark.parametrize("loss", HEADS)
def test_a_sampled_loss_is_that_of_a_head_with_those_centres_alone(loss):
    classes, batch = torch.tensor([0, 2, 4, 5]), embedded()
    sampled, smaller = head(loss), head(loss, classes=4)
    smaller.centres.data.copy_(sampled.centres[classes])
    assert torch.allclose(sampled(batch, LABELS, classes), smaller(batch, torch.tensor([0, 3, 1, 3])))


def test_centres_left_out_have_no_gradient():
    sampled = head()
    sampled(embedded(), LABELS, torch.tensor([0, 2, 4, 5])).backward()
    moved = sampled.centres.grad.abs().sum(dim=1) > 0
    assert moved.tolist() == [True, False, True, False, True, True, False]


def test_decay_and_momentum_move_a_centre_that_is_left_out():
    """As in insightface, whose centres are a dense parameter too."""
    sampled = head()
    optimizer = torch.optim.SGD([sampled.centres], lr=0.1, momentum=0.9, weight_decay=0.01)
    start = sampled.centres[1].detach().clone()
    for _ in range(2):
        optimizer.zero_grad()
        sampled(embedded(), LABELS, torch.tensor([0, 2, 4, 5])).backward()
        optimizer.step()
    first = start * (1 - 0.1 * 0.01)
    velocity = 0.9 * 0.01 * start + 0.01 * first
    assert torch.allclose(sampled.centres[1], first - 0.1 * velocity, rtol=1e-6)


@pytest.mark.parametrize("loss", HEADS)
def test_a_network_without_knowledge_has_nearly_the_stated_loss(loss):
    """One embedding for all images, at right angles to all centres: log(C - 1 + exp(-s m')) + s m'."""
    known = head(loss, norm_decay=1.0)
    known.centres.data[:, -1] = 0
    same = torch.zeros(4, 8)
    same[:, -1] = 1.0
    taken = 16.0 * {"arcface": math.sin(0.4), "cosface": 0.4, "adaface": 0.4}[loss]
    found, stated = known(same, LABELS).item(), loss_without_knowledge(known.recipe, 7)
    assert found == pytest.approx(math.log(6 + math.exp(-taken)) + taken, rel=1e-5)
    assert found < stated < (found + 0.2 if loss != "adaface" else math.inf)


def test_without_a_margin_guessing_has_the_logarithm_of_the_classes():
    assert loss_without_knowledge(IResNet(margin=0.0), 10_572) == pytest.approx(math.log(10_572))


@pytest.mark.parametrize(
    ("device", "choice", "found"),
    [("cpu", "auto", "float32"), ("cuda", "auto", "bfloat16"), ("cuda", "float32", "float32"),
     ("cpu", "bfloat16", "bfloat16")],
)  # fmt: skip
def test_the_precision_depends_on_the_device_unless_stated(device, choice, found):
    assert precision_on(torch.device(device), choice) is getattr(torch, found)


def test_margin_and_loss_are_float32_whatever_the_network_computes_in(monkeypatch):
    recipe = IResNet(depth=(1, 1, 1, 1), width=4, image_size=16, embedding=8)
    torch.manual_seed(0)
    network, seen = recipe.backbone(), []
    objective = Objective(network, head(), torch.bfloat16)
    objective.head.register_forward_hook(lambda module, given, loss: seen.extend([given[0].dtype, loss.dtype]))
    network.linear.register_forward_hook(lambda module, given, result: seen.append(result.dtype))
    loss = objective(torch.randn(4, 3, 16, 16), LABELS, None, None)
    loss.backward()
    assert seen == [torch.bfloat16, torch.float32, torch.float32]
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}
