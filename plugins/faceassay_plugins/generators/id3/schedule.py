"""Own the diffusion times of ID3: noise levels of a linear schedule, and the weight of its identity term.

Times t are 1 to T. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Schedule:
    """Place the times of a variance-preserving diffusion on EDM's axis of noise levels.

    With beta_t linear in t, alpha_t = 1 - beta_t and abar_t their product, x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) n
    is, divided by sqrt(abar_t), a clean image under noise of the level sigma_t = sqrt((1 - abar_t) / abar_t).

    Attributes:
        times: their number T.
        first: beta_1.
        last: beta_T.
    """

    times: int
    first: float
    last: float

    @cached_property
    def sigmas(self) -> NDArray[np.float64]:
        """The noise levels sigma_1 to sigma_T, rising, in units of the data range [-1, 1]."""
        betas = np.linspace(self.first, self.last, self.times)
        levels: NDArray[np.float64] = np.sqrt(np.expm1(-np.cumsum(np.log1p(-betas))))
        return levels

    def uniform(self, quantiles: ArrayLike) -> NDArray[np.float64]:
        """Return sigma_t at quantiles in [0, 1] of t ~ U{2, ..., T} (ID3, equation 3)."""
        times = 2 + np.floor(np.asarray(quantiles) * (self.times - 1)).astype(np.int64)
        levels: NDArray[np.float64] = self.sigmas[np.minimum(times, self.times) - 1]
        return levels

    def relative_times(self, sigma: ArrayLike) -> NDArray[np.float64]:
        """Return t/T of noise levels above 0, linear in ln sigma between times: 1/T below sigma_1, 1 above sigma_T."""
        times = np.arange(1, self.times + 1)
        found: NDArray[np.float64] = np.interp(np.log(sigma), np.log(self.sigmas), times) / self.times
        return found


def identity_weight(relative_time: ArrayLike) -> NDArray[np.float64]:
    """Return lambda_t kappa = (1 - 1 / (1 + exp(-t/T))) / 2 of t/T: 0.250 at 0 falling to 0.134 at 1.

    It is the weight of the inner product in ID3, equation 3. The value is known at second hand and its minus signs are
    reconstructed: the other reading would rise.
    """
    weight: NDArray[np.float64] = (1 - 1 / (1 + np.exp(-np.asarray(relative_time, dtype=np.float64)))) / 2
    return weight
