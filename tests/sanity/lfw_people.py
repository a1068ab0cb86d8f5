"""Own the people of LFW that are trained on: those in no pair of the folds that are tested, two or more images each.

Used by the sessions on LFW. The data, two zips of aligned images and ``lfw_pairs.txt`` in the folder ``lfw``, is found
through the variable FACEASSAY_DATA.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

PAIRED, REST, PAIRS = "lfw_view2_aligned112.zip", "lfw_rest_ge2_aligned112_q92.zip", "lfw_pairs.txt"
FOLDS = 10
KNOWN = {range(5, 10): (826, 4194), range(5): (906, 5103)}
"""People and images to train on where these folds are tested, counted from the data as it was published."""


def prepare(folder: Path, sets: Mapping[str, range]) -> None:
    """Unpack sets to train on, one folder for each person, and link the images and pairs to test on.

    Args:
        folder: where they go.
        sets: the folds that are tested, counted from 0, by the name of the set.
    """
    data = Path(os.environ.get("FACEASSAY_DATA", "")) / "lfw"
    missing = [name for name in (PAIRED, REST, PAIRS) if not (data / name).is_file()]
    if missing:
        sys.exit(f"set FACEASSAY_DATA to the folder that holds lfw/ with {', '.join(missing)}")
    for name, folds in sets.items():
        unpack(data, folder / name, folds)
    for name in (PAIRED, PAIRS):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(data / name)


def unpack(data: Path, folder: Path, folds: range) -> None:
    """Write the images of the people in no pair of ``folds``, as they are."""
    files: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    for archive in (data / PAIRED, data / REST):
        with zipfile.ZipFile(archive) as images:
            for name in images.namelist():
                files[name.partition("/")[0]].append((archive, name))
    tested = people_of(data / PAIRS, folds)
    training = {name: held for name, held in files.items() if name not in tested and len(held) > 1}
    found = len(training), sum(map(len, training.values()))
    if found != KNOWN[folds]:
        people, images = KNOWN[folds]
        sys.exit(f"the training set should have {people} people and {images} images, not {found[0]} and {found[1]}")
    for archive in (data / PAIRED, data / REST):
        with zipfile.ZipFile(archive) as images:
            for person, held in training.items():
                for source, name in held:
                    target = folder / person / Path(name).name
                    if source == archive and not target.exists():
                        target.parent.mkdir(parents=True, exist_ok=True)
                        target.write_bytes(images.read(name))


def people_of(pairs: Path, folds: Iterable[int]) -> set[str]:
    """Return the people in the pairs of ``folds``, counted from 0."""
    _, *lines = pairs.read_text().splitlines()
    size = len(lines) // FOLDS
    chosen = [line.split() for fold in folds for line in lines[fold * size : (fold + 1) * size]]
    return {name for fields in chosen for name in (fields[:1] if len(fields) == 3 else (fields[0], fields[2]))}
