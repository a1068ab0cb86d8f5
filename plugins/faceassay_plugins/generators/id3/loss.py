"""Own what ID3 minimises: equation 3 on the EDM2 backbone. Where its weights come from is in ``scheme``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from faceassay_plugins.generators.edm2.loss import Objective, error_weights
from faceassay_plugins.generators.edm2.network import Denoiser


class IdentityObjective(Objective):
    """Be the loss of ID3 (equation 3), a mean over images; squared errors are means over pixels and channels.

    The three terms of an image with the denoised x^ = D(x + sigma n; sigma, y, s) are

    - denoising, lambda_t |x - x^|^2 in the paper: EDM2's w(sigma) |x - x^|^2 / exp(u(sigma)) + u(sigma) here, since the
      weight that the paper gives it in practice is not told;
    - identity, - lambda_t kappa y^T f(x^) / |f(x^)|: outside the learned uncertainty, which would rescale it;
    - reconstruction, |x - x^|^2 / 2 at sigma_1.

    EDM2 sums errors over the values of an image. Beside a sum the identity term, at most 0.25, would vanish, hence the
    means. Its y is the image's own, whether or not the network was shown it.

    Args:
        denoiser: the network.
        features: f, raw embeddings [B, d] of images [B, 3, H, W] in [-1, 1], with gradients; None leaves the term out.
    """

    summed = False

    def __init__(self, denoiser: Denoiser, features: Callable[[Tensor], Tensor] | None) -> None:
        super().__init__(denoiser)
        self.features = features
        self.notes = () if features is None else ("identity_cosine",)

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        noise: Tensor,
        sigma: Tensor,
        condition: Mapping[str, Tensor],
        identity: Tensor,
        weights: Tensor,
    ) -> tuple[Tensor, ...]:
        """Return the loss and, without gradient, the mean weighted error and the mean cosine of identity, all scalars.

        Error and cosine are means over the images that carry the denoising term.

        Args:
            x: clean images, [B, 3, H, W] in [-1, 1].
            noise: standard normal, like ``x``.
            sigma: noise levels, [B].
            condition: what the network is shown.
            identity: y, unit rows [B, d].
            weights: of the terms denoising, identity, reconstruction for each image, [B, 3].
        """
        denoised: Tensor = self.denoiser(x + sigma.view(-1, 1, 1, 1) * noise, sigma, condition)
        squares = (denoised - x).square().mean((1, 2, 3))
        errors = error_weights(sigma, self.denoiser.sigma_data) * squares
        u = self.uncertainty(sigma)
        denoising, of_identity, reconstruction = weights.unbind(1)
        loss = (denoising * (errors / u.exp() + u) + reconstruction * squares / 2).mean()
        error = (denoising * errors.detach()).mean()
        if self.features is None:
            return loss, error
        looked_at = of_identity > 0
        features = functional.normalize(self.features(denoised[looked_at]), dim=1)
        cosines = (identity[looked_at] * features).sum(1)
        loss = loss - torch.sum(of_identity[looked_at] * cosines) / len(x)
        return loss, error, torch.sum(denoising[looked_at] * cosines.detach()) / len(x)
