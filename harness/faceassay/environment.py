"""Own the description of the machine and the versions that made an artifact. Recorded beside it, never in a key."""

from __future__ import annotations

import os
import platform
import re
import resource
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "faceassay", "torch", "numpy", "scipy", "scikit-learn", "pillow", "pandas", "safetensors",
    "opencv-python-headless", "onnx", "onnxruntime",
)  # fmt: skip


DISPATCHED = re.compile(r"avx\w*|fma|sse4_\d|amx\w*|asimd\w*|sve\w*|bf16|i8mm")
"""The instruction sets of a processor by which numerical libraries choose their code, as Linux names them."""

STEERING = (
    "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR", "OPENBLAS_CORETYPE",
    "NPY_DISABLE_CPU_FEATURES", "NVIDIA_TF32_OVERRIDE",
)  # fmt: skip
"""Variables by which numerical libraries choose other code than the processor would have them choose."""


@lru_cache
def describe_environment() -> dict[str, Any]:
    """Return Python, platform, processor, cores and the versions of the packages that make numbers."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _told("model name") or platform.processor() or platform.machine(),
        "instructions": sorted(filter(DISPATCHED.fullmatch, _told("flags", "Features").split())),
        "variables": {name: os.environ[name] for name in STEERING if name in os.environ},
        "cores": os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def peak_memory_bytes() -> int:
    """Return the peak resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _told(*names: str) -> str:
    """Return what Linux says of the processor under the first of ``names`` that it uses, '' where it says nothing."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return next((told[name] for name in names if name in told), "")
