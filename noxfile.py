# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""Sessions of faceassay: ``python -m nox -l`` lists them, ``python -m nox -s NAME`` runs one.

The sessions share one environment, ``.nox/env``, made once from ``constraints.txt``, so that torch is installed once.
To use an environment of your own, with your CUDA build of torch, install faceassay into it and name its Python:
``FACEASSAY_PYTHON=$(which python) python -m nox -s demo``.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["tests"]

ROOT = Path(__file__).parent.resolve()
CONSTRAINTS = ROOT / "constraints.txt"
ENVIRONMENT = ROOT / ".nox" / "env"
DEVELOPMENT = nox.project.dependency_groups(nox.project.load_toml(ROOT / "pyproject.toml"), "dev", "docs")


def python_of(environment: Path) -> str:
    """Return the interpreter of a virtual environment."""
    return str(environment / ("Scripts" if os.name == "nt" else "bin") / "python")


def environment(session: nox.Session) -> str:
    """Return the Python to use: FACEASSAY_PYTHON, or the shared environment, made when it is not there."""
    chosen = os.environ.get("FACEASSAY_PYTHON")
    if chosen:
        if subprocess.run([chosen, "-c", "import faceassay"], check=False).returncode:
            session.error(f"FACEASSAY_PYTHON={chosen} has no faceassay: {chosen} -m pip install -e '.[demo,onnx]'")
        return chosen
    sources = (ROOT / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes() + sys.version.encode()
    stamp, wanted = ENVIRONMENT / "made-from", hashlib.sha256(sources).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        install(session, ENVIRONMENT, "-c", str(CONSTRAINTS), "-e", ".[demo,onnx]", *DEVELOPMENT)
        stamp.write_text(wanted)
    return python_of(ENVIRONMENT)


def install(session: nox.Session, folder: Path, *requirements: str) -> None:
    """Make a new virtual environment in ``folder`` and install ``requirements`` into it."""
    session.run(sys.executable, "-m", "venv", "--clear", str(folder), external=True)
    session.run(python_of(folder), "-m", "pip", "install", "--quiet", *requirements, external=True)


def run(session: nox.Session, *command: str) -> None:
    """Run a module of the environment."""
    session.run(environment(session), "-m", *command, external=True)


@nox.session
def demo(session: nox.Session) -> None:
    """Run every method on real faces (ORL) and write the table into reports/demo; arguments go to faceassay run."""
    run(session, "faceassay", "run", "reports/demo/matrix.yaml", "--processes", "2", *session.posargs)


@nox.session
def table(session: nox.Session) -> None:
    """Regenerate a paper's table: its name, then arguments for faceassay run; without a name, list the tables."""
    reports = {file.parent.name: file for file in sorted(ROOT.glob("reports/*/matrix.yaml"))}
    name, *arguments = session.posargs or [""]
    if name in reports:
        matrix = reports[name].relative_to(ROOT).as_posix()
        run(session, "faceassay", "run", matrix, "--processes", "2", *arguments)
        return
    if name:
        session.error(f"no table is called {name!r}: choose one of {', '.join(reports)}")
    session.log("tables, for python -m nox -s table -- NAME --profile demo: %s", ", ".join(reports))


@nox.session
def tests(session: nox.Session) -> None:
    """Check style, format and types, then run the tests; arguments go to pytest."""
    run(session, "ruff", "check", ".")
    run(session, "ruff", "format", "--check", ".")
    run(session, "mypy")
    run(session, "pytest", "-n", "2", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into build/docs, every warning and broken link an error; arguments go to sphinx-build."""
    run(session, "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", "build/docs", *session.posargs)
    session.log("open build/docs/index.html")


@nox.session
def slow(session: nox.Session) -> None:
    """Run the checks that take minutes: twenty kills of the demo, each resumed; arguments go to pytest."""
    run(session, "pytest", "-m", "slow", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Time metrics, generators and readers at real sizes, write reports/speed.md; arguments choose cases."""
    own = {"PYTHONPATH": str(ROOT / "tests")}
    session.run(environment(session), "tests/bench/speed.py", *session.posargs, external=True, env=own)


@nox.session
def sanity(session: nox.Session) -> None:
    """Score SFace on the official LFW pairs (some minutes) and compare with what others measured; needs the data."""
    if not (Path(os.environ.get("FACEASSAY_DATA", "")) / "lfw" / "lfw_pairs.txt").is_file():
        session.skip("set FACEASSAY_DATA to a folder that holds lfw/lfw_pairs.txt and lfw/lfw_view2_aligned112.zip")
    session.run(environment(session), "tests/sanity/sface_on_lfw.py", external=True)


@nox.session
def lfw(session: nox.Session) -> None:
    """Train a small recognizer on people of LFW, test it on others (LFW folds 6-10), write reports/lfw-split."""
    on_lfw(session, "iresnet_on_lfw.py")


@nox.session(name="generator-or-not")
def generator_or_not(session: nox.Session) -> None:
    """Run reports/generator-or-not on both halves of LFW and pool them; ``-- lfw`` is the size for a GPU."""
    on_lfw(session, "generator_or_not.py", *session.posargs)


def on_lfw(session: nox.Session, script: str, *arguments: str) -> None:
    """Run a script of tests/sanity on LFW; skip where the data is absent."""
    needed = ("lfw_pairs.txt", "lfw_view2_aligned112.zip", "lfw_rest_ge2_aligned112_q92.zip")
    folder = Path(os.environ.get("FACEASSAY_DATA", "")) / "lfw"
    if missing := [name for name in needed if not (folder / name).is_file()]:
        session.skip(f"set FACEASSAY_DATA to a folder that holds lfw/ with {' and '.join(missing)}")
    session.run(environment(session), f"tests/sanity/{script}", *arguments, external=True)


@nox.session
def lock(session: nox.Session) -> None:
    """Resolve pyproject.toml anew, keeping torch, and write constraints.txt."""
    torch = next(line for line in CONSTRAINTS.read_text().splitlines() if line.startswith("torch=="))
    folder = ROOT / ".nox" / "lock"
    install(session, folder, torch, "-e", ".[demo,onnx]", *DEVELOPMENT)
    frozen = session.run(python_of(folder), "-m", "pip", "freeze", "--exclude-editable", external=True, silent=True)
    pins = sorted({re.sub(r"\+.*", "", line) for line in str(frozen).splitlines() if "==" in line}, key=str.lower)
    CONSTRAINTS.write_text("# One joint resolution, written by `nox -s lock`.\n" + "\n".join(pins) + "\n")


if __name__ == "__main__":
    nox.main()
