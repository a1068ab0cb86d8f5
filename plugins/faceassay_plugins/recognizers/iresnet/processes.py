"""Own what processes that share a training tell each other: means, and the rows that each has. Knows no network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def joined(x: Tensor, world: int) -> Tensor:
    """Return ``x`` [b, ...] of all processes in their order, [world x b, ...], without its gradient."""
    if world == 1:
        return x
    shares = [torch.empty_like(x) for _ in range(world)]
    torch.distributed.all_gather(shares, x)
    return torch.cat(shares)


def mean(x: Tensor, world: int) -> Tensor:
    """Return the mean of the processes' ``x``."""
    if world == 1:
        return x
    total = x.clone(memory_format=torch.contiguous_format)
    torch.distributed.all_reduce(total)
    return total / world


def with_mean_gradient(x: Tensor, world: int) -> Tensor:
    """Return ``x``, the same in all processes; what it came from gets the mean of their gradients."""
    if world > 1:
        x = x.view_as(x)
        x.register_hook(lambda gradient: mean(gradient, world))  # type: ignore[no-untyped-call]
    return x


def average(tensors: Sequence[Tensor], world: int) -> None:
    """Put the mean of the processes' tensors in place of each.

    All are added in one piece, for the bytes of a sum of three or more depend on where in a piece it lies.
    DistributedDataParallel orders its pieces anew after the first step: from three processes on (torch 2.13, gloo) a
    resumed training ended in other bytes with its defaults, with static_graph, with gradient_as_bucket_view and with
    all in one bucket; with find_unused_parameters alone in the same, but that searches the graph in every step and
    warns that it finds nothing.
    """
    if world == 1:
        return
    means = torch.split(mean(torch.cat([x.flatten() for x in tensors]), world), [x.numel() for x in tensors])
    for x, value in zip(tensors, means, strict=True):
        x.copy_(value.view_as(x))
