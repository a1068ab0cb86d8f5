"""Own how many CPU threads a stage computes with: torch's, and those of the BLAS under NumPy and SciPy.

Both are process-wide and put back afterwards. The last digits of a matrix product depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from faceassay.torching import torch_settings


@contextmanager
def fixed_threads(threads: int, *, with_torch: bool = True) -> Iterator[None]:
    """Compute with ``threads`` CPU threads inside the block; torch is left alone where it is not used."""
    import scipy.linalg  # noqa: F401 - a BLAS of its own, which can be limited once it is there
    from threadpoolctl import threadpool_limits

    with torch_settings(threads) if with_torch else nullcontext(), threadpool_limits(threads, user_api="blas"):
        yield
