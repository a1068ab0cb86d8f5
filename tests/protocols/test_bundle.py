"""What the package offers, and what importing it must not cost."""

from __future__ import annotations

import subprocess
import sys

import pluggy
import pytest

from faceassay import hookspecs
from faceassay_protocols import registration
from faceassay_protocols.wording import scientific

BUNDLED = (
    *("pair-verification", "lowres-identification"),
    *("lfw", "cfp-fp", "cfp-ff", "agedb-30", "calfw", "cplfw"),
    *("ijb-b", "ijb-c", "tinyface"),
)
FORBIDDEN = {"torch", "sklearn", "scipy", "mlflow", "matplotlib", "cv2", "pandas"}


def test_the_hook_returns_the_protocols():
    plugins = pluggy.PluginManager("faceassay")
    plugins.add_hookspecs(hookspecs)
    plugins.register(registration)
    [protocols] = plugins.hook.faceassay_protocols()
    assert sorted(protocol.name for protocol in protocols) == sorted(BUNDLED)


def test_describing_the_protocols_imports_nothing_heavy():
    code = (
        "import sys, faceassay_protocols.registration as p;"
        "of = lambda q: {'path': '/'} if 'path' in q.model_fields else {};"
        "[(q(**of(q)).metric_ids(), q(**of(q)).reader()) for q in p.faceassay_protocols()];"
        f"sys.exit(', '.join({FORBIDDEN} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("value", "spelled"), [(0.01, "1e-2"), (0.0025, "2.5e-3"), (1e-6, "1e-6"), (1.0, "1e0"), (1e-12, "1e-12")]
)
def test_rates_are_spelled_in_scientific_notation(value, spelled):
    assert scientific(value) == spelled
