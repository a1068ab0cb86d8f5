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
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "reports" / "lfw-split"
PREPARED = ROOT / ".nox" / "lfw-split"
PAIRED, REST, PAIRS = "lfw_view2_aligned112.zip", "lfw_rest_ge2_aligned112_q92.zip", "lfw_pairs.txt"
TESTED_FOLDS, FOLDS = range(5, 10), 10
TRAINED_ON, PEOPLE, IMAGES = "train", 826, 4194
WANTED = 0.8
KEPT = ("table.csv", "cost.csv")
"""Of the report; the other files name folders of this machine."""


def main() -> None:
    """Prepare the training images, run the matrix, write the course of the training, check the accuracy."""
    data = Path(os.environ.get("FACEASSAY_DATA", "")) / "lfw"
    missing = [name for name in (PAIRED, REST, PAIRS) if not (data / name).is_file()]
    if missing:
        sys.exit(f"set FACEASSAY_DATA to the folder that holds lfw/ with {', '.join(missing)}")
    prepare(data, PREPARED)
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


def prepare(data: Path, folder: Path) -> None:
    """Unpack the images to train on, one folder for each person, and link the images and pairs to test on."""
    files: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    for archive in (data / PAIRED, data / REST):
        with zipfile.ZipFile(archive) as images:
            for name in images.namelist():
                files[name.partition("/")[0]].append((archive, name))
    tested = people_of(data / PAIRS, TESTED_FOLDS)
    training = {name: held for name, held in files.items() if name not in tested and len(held) > 1}
    found = len(training), sum(map(len, training.values()))
    if found != (PEOPLE, IMAGES):
        sys.exit(f"the training set should have {PEOPLE} people and {IMAGES} images, not {found[0]} and {found[1]}")
    for archive in (data / PAIRED, data / REST):
        with zipfile.ZipFile(archive) as images:
            for person, held in training.items():
                for source, name in held:
                    target = folder / TRAINED_ON / person / Path(name).name
                    if source == archive and not target.exists():
                        target.parent.mkdir(parents=True, exist_ok=True)
                        target.write_bytes(images.read(name))
    for name in (PAIRED, PAIRS):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(data / name)


def people_of(pairs: Path, folds: Iterable[int]) -> set[str]:
    """Return the people in the pairs of ``folds``, counted from 0."""
    _, *lines = pairs.read_text().splitlines()
    size = len(lines) // FOLDS
    chosen = [line.split() for fold in folds for line in lines[fold * size : (fold + 1) * size]]
    return {name for fields in chosen for name in (fields[:1] if len(fields) == 3 else (fields[0], fields[2]))}


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
