"""Train a small iresnet on people of LFW and test it on others: reports/lfw-split, written by ``faceassay run``.

Training: the people of folds 1-5 of the official pairs and the people in no pair, with two or more images. Test: the
3,000 pairs of folds 6-10, whose people are others. Run it with ``python -m nox -s lfw``; the data, two zips of aligned
images and ``lfw_pairs.txt`` in the folder ``lfw``, is found through the variable FACEASSAY_DATA. It takes a quarter
of an hour on an idle core. Margin, scale and length are those of an independent network of this size; nothing was
chosen by looking at the test pairs.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from lfw_people import prepare

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "reports" / "lfw-split"
PREPARED = ROOT / ".nox" / "lfw-split"
TESTED_FOLDS, TRAINED_ON = range(5, 10), "train"
WANTED = 0.8
KEPT = ("table.csv", "cost.csv")
"""Of the report; the other files name folders of this machine."""


def main() -> None:
    """Prepare the training images, run the matrix, write the course of the training, check the accuracy."""
    prepare(PREPARED, {TRAINED_ON: TESTED_FOLDS})
    store, out = PREPARED / "store", PREPARED / "report"
    command = [sys.executable, "-m", "faceassay", "run", str(REPORT / "split.yaml"), "--no-mlflow"]
    command += ["--store", str(store), "--out", str(out)]
    subprocess.run(command, check=True, env={**os.environ, "FACEASSAY_DATA": str(PREPARED)})
    for name in KEPT:
        shutil.copy(out / name, REPORT)
    write_course(store)
    accuracy = measured()
    sys.stdout.write(f"LFW folds 6-10: {100 * accuracy:.2f} %, expected at least {100 * WANTED:.0f} %\n")
    if accuracy < WANTED:
        sys.exit("the recognizer has learned too little")


def write_course(store: Path) -> None:
    """Write how loss and learning rate went."""
    history = max(store.glob("artifacts/recognizer/*/history.json"), key=lambda path: path.stat().st_mtime)
    rows = json.loads(history.read_text())
    with (REPORT / "training.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "loss", "learning_rate"])
        writer.writerows([row["step"], f"{row['loss']:.4f}", f"{row['learning_rate']:.6f}"] for row in rows)


def measured() -> float:
    """Return the accuracy in the table, 0 to 1."""
    with (REPORT / "table.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    return float(next(value for name, value in row.items() if "accuracy" in name and value))


if __name__ == "__main__":
    main()
