"""Own the description of the machine and the versions that made an artifact. Recorded beside it, never in a key."""

from __future__ import annotations

import os
import platform
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


@lru_cache
def describe_environment() -> dict[str, Any]:
    """Return Python, platform, processor, cores and the versions of the packages that make numbers."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
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


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
