"""Own ID3's adjusted score as a denoiser: the gradient of a recognizer's agreement with a wanted identity, added.

ID3 samples from p~(x|y, s), proportional to p(x|y, s) exp(W c(x)) (equation 6), with the agreement c(x0) =
y^T f(x0) / |f(x0)| and W = sum_t lambda_t kappa / (T - 1). At every noise level (equations 7 and 8)

    grad log p~ = [original score] + W grad c.

With x = x_t / sqrt(abar_t) and sigma^2 = (1 - abar_t) / abar_t the original score is (D - x) / sigma^2, and so

    score:    D~ = D + sigma^2 W g,                      g = grad_x c.

The original score as the paper prints it is sqrt(1 - abar_t) times the score. Divided by that it is the score again,
and W becomes W / sqrt(1 - abar_t) = W sqrt(1 + sigma^2) / sigma:

    epsilon:  D~ = D + sigma sqrt(1 + sigma^2) W g.

Sampling is the business of ``faceassay.sampling`` and ``langevin``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from faceassay.contracts import Denoiser

Space = Literal["score", "epsilon"]
Gradient = Literal["exact", "c_skip", "noisy"]


@dataclass(frozen=True, eq=False)
class AdjustedDenoiser:
    """Be the denoiser D~ of the adjusted score; no weight of any network gets a gradient.

    Attributes:
        denoise: the composed denoiser D, guidance included.
        features: images [B, 3, S, S] in [-1, 1] to raw embeddings [B, d], differentiable.
        identity: the wanted identity y of each image, unit rows [B, d].
        weight: W.
        space: in which of the two forms above W counts.
        gradient: what g is. ``exact``: d c(D(x)) / dx, backwards through recognizer and denoiser. ``c_skip``: the
            Jacobian of the denoiser is taken for c_skip = sigma_data^2 / (sigma^2 + sigma_data^2), which it is where
            the data have that variance. ``noisy``: the paper's own f(x_t), d c(x_t) / dx, x_t = x / sqrt(1 + sigma^2).
        guided_below: noise level from which upwards D~ is D and the recognizer is not asked.
        sigma_data: standard deviation of the data, for ``c_skip``.
        networks: how many networks an image passes through in ``denoise``.
        count: told of passes, one for each image and network, by the names of ``Sources.passes``.
    """

    denoise: Denoiser
    features: Callable[[Tensor], Tensor]
    identity: Tensor
    weight: float
    space: Space = "score"
    gradient: Gradient = "exact"
    guided_below: float = math.inf
    sigma_data: float = 0.5
    networks: int = 1
    count: Callable[[Mapping[str, int]], None] = lambda passes: None

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise ``x`` [B, 3, S, S] at ``sigma`` [B], each image by its own level."""
        guided = sigma < self.guided_below
        if not bool(guided.any()):
            return self.denoise(x, sigma)
        routes = {"exact": self._exact, "c_skip": self._c_skip, "noisy": self._noisy}
        denoised, gradient = routes[self.gradient](x, sigma, guided)
        share = sigma**2 if self.space == "score" else sigma * (1 + sigma**2).sqrt()
        return torch.where(_column(guided), denoised + self.weight * _column(share) * gradient, denoised)

    def _exact(self, x: Tensor, sigma: Tensor, guided: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            seen = x.detach().requires_grad_()
            denoised = self.denoise(seen, sigma).to(x.dtype)
            (gradient,) = torch.autograd.grad(self._agreement(denoised, guided), seen)
        self.count({"denoiser_backward": len(x) * self.networks})
        return denoised.detach(), gradient

    def _c_skip(self, x: Tensor, sigma: Tensor, guided: Tensor) -> tuple[Tensor, Tensor]:
        denoised = self.denoise(x, sigma).to(x.dtype)
        skip = self.sigma_data**2 / (sigma**2 + self.sigma_data**2)
        return denoised, _column(skip) * self._gradient_at(denoised, guided)

    def _noisy(self, x: Tensor, sigma: Tensor, guided: Tensor) -> tuple[Tensor, Tensor]:
        scale = _column((1 + sigma**2).rsqrt())
        return self.denoise(x, sigma).to(x.dtype), scale * self._gradient_at(scale * x, guided)

    def _gradient_at(self, images: Tensor, guided: Tensor) -> Tensor:
        """Return the gradient of the agreement at ``images``, zero where not ``guided``."""
        with torch.enable_grad():
            seen = images.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self._agreement(seen, guided), seen)
        return gradient

    def _agreement(self, images: Tensor, guided: Tensor) -> Tensor:
        """Return the sum of the cosines of the ``guided`` images; the gradient of each is its own."""
        features = self.features(images[guided])
        self.count({"recognizer_forward": len(features), "recognizer_backward": len(features)})
        cosines = torch.nn.functional.cosine_similarity(features, self.identity[guided].to(features), dim=1)
        return cosines.sum()


def _column(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)
