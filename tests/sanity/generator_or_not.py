"""Run both halves of reports/generator-or-not and pool them: how much of the gain needs a generator?

Run it with ``python -m nox -s generator-or-not``, on a GPU with ``-- lfw``. Without a GPU it takes the profile ``cpu``,
whose sets of people are chosen by `faceassay data subset`; interrupted, it goes on where it was. The data is found
through the variable FACEASSAY_DATA, see ``lfw_people``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lfw_people import prepare

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "reports" / "generator-or-not"
PREPARED = ROOT / ".nox" / "generator-or-not"
HALVES = {"a": range(5, 10), "b": range(5)}
"""The folds that are tested, counted from 0; the people of the others are trained on."""
PEOPLE, IMAGES = 150, 5
"""Trained on in each half by the profile ``cpu``."""
KEPT = ("table.csv", "cost.csv", "differences.csv")
"""Of a half; the other files name folders of this machine, and the pooled report says the rest."""


def main(size: str = "cpu") -> None:
    """Prepare the images, run both halves at a size (``cpu`` or ``lfw``), pool them."""
    prepare(PREPARED, {f"train-{half}": folds for half, folds in HALVES.items()})
    for half in HALVES:
        rule = ["--images-per-identity", f"{IMAGES}..{IMAGES}", "--count-identities", str(PEOPLE)]
        if not (PREPARED / f"small-{half}.json").exists():
            faceassay(["data", "subset", f"folder:train-{half}", f"small-{half}.json", *rule])
    matrix, profiles = ["matrix.yaml", "--store", str(PREPARED / "store")], (size, f"{size}-reverse")
    device = ["--device", "cuda"] if size == "lfw" else ["--processes", str(os.cpu_count() or 1)]
    for profile in profiles:
        out = PREPARED / profile
        faceassay(["run", *matrix, "--profile", profile, "--out", str(out), "--no-mlflow", *device], REPORT)
        (REPORT / profile).mkdir(exist_ok=True)
        for name in KEPT:
            shutil.copy(out / name, REPORT / profile)
    faceassay(["claims", *matrix, *(f"--profile={profile}" for profile in profiles)], REPORT)


def faceassay(arguments: Sequence[str], folder: Path = PREPARED) -> None:
    """Run a command of faceassay in a folder."""
    command = [sys.executable, "-m", "faceassay", *arguments]
    subprocess.run(command, check=True, cwd=folder, env={**os.environ, "FACEASSAY_DATA": str(PREPARED)})


if __name__ == "__main__":
    main(*sys.argv[1:])
