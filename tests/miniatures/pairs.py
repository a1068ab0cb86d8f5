"""Miniatures of the pair sets in their native files: LFW, CFP, AgeDB-30, CALFW, CPLFW.

Every writer fills ``folder`` as the set is published, with ``same`` same and ``same`` different pairs a fold, and
returns it. A fold has ``same`` people of its own. The images of a person share a pattern and differ by noise, so that
even raw pixels tell the pairs apart. The files depend on the arguments alone.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

SIDE = 112


def write_lfw(folder: Path, folds: int = 10, same: int = 3, seed: int = 0) -> Path:
    """Write ``<name>/<name>_0001.jpg``, ``_0002.jpg`` and ``pairs.txt``; the names are `lfw_name`."""
    lines = [f"{folds}\t{same}"]
    for _, is_same, (one, first), (other, second) in pairs(folds, same):
        two = [second + 1] if is_same else [lfw_name(other), second + 1]
        lines.append("\t".join(map(str, [lfw_name(one), first + 1, *two])))
    for person, image, content in photographs(folds * same, seed):
        write(folder / lfw_name(person) / f"{lfw_name(person)}_{image + 1:04d}.jpg", content)
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    return folder


def write_cfp(folder: Path, folds: int = 10, same: int = 3, seed: int = 0) -> Path:
    """Write ``Data/Images/<001...>`` with two frontal and two profile images each, and ``Protocol`` for FP and FF."""
    people = folds * same
    for person, image, content in photographs(people, seed, images=4):
        pose, number = ("frontal", image + 1) if image < 2 else ("profile", image - 1)
        write(folder / "Data" / "Images" / f"{person + 1:03d}" / pose / f"{number:02d}.jpg", content)
    protocol = folder / "Protocol"
    for fold, is_same, one, other in pairs(folds, same):
        for kind in ("FP", "FF"):
            file = protocol / "Split" / kind / f"{fold + 1:02d}" / ("same.txt" if is_same else "diff.txt")
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a") as lines:
                lines.write(f"{cfp_number(*one)},{cfp_number(*other)}\n")
    for letter, pose in (("F", "frontal"), ("P", "profile")):
        listed = [(p, image) for p in range(people) for image in range(2)]
        lines = [f"{cfp_number(p, k)} ../Data/Images/{p + 1:03d}/{pose}/{k + 1:02d}.jpg" for p, k in listed]
        (protocol / f"Pair_list_{letter}.txt").write_text("\n".join(lines) + "\n")
    return folder


def write_agedb(folder: Path, folds: int = 10, same: int = 3, seed: int = 0) -> Path:
    """Write ``03_Protocol_Images`` and the MATLAB list of the 30 years protocol; the names are `agedb_name`."""
    for person, image, content in photographs(folds * same, seed):
        write(folder / "03_Protocol_Images" / f"{agedb_name(person, image)}.jpg", content)
    rows = [
        ([(agedb_name(*one), agedb_name(*other)) for of, _, one, other in pairs(folds, same) if of == fold])
        for fold in range(folds)
    ]
    labels = [[1 if is_same else -1 for of, is_same, _, _ in pairs(folds, same) if of == fold] for fold in range(folds)]
    (folder / "04_FINAL_protocol_30_years.mat").write_bytes(agedb_list(rows, labels))
    return folder


def write_calfw(folder: Path, same: int = 3, seed: int = 0) -> Path:
    """Write ``aligned images`` and ``pairs_CALFW.txt``: ten folds, same pairs first, labelled 1 to 10, then 0."""
    return _write_two_lines(folder, "CALFW", same, seed, "{name}_{number:04d}.jpg", lambda fold: fold + 1)


def write_cplfw(folder: Path, same: int = 3, seed: int = 0) -> Path:
    """Write ``aligned images`` and ``pairs_CPLFW.txt``: ten folds, same pairs first, labelled 1, then 0."""
    return _write_two_lines(folder, "CPLFW", same, seed, "{name}_{number}.jpg", lambda fold: 1)


def zip_of(folder: Path, outer: bool = False) -> Path:
    """Write ``<folder>.zip`` beside ``folder`` with what is in it, or with ``outer`` the folder itself; return it."""
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent if outer else folder).as_posix())
    return path


def lfw_name(person: int) -> str:
    """Return a name in the style of LFW; an underscore and a full stop in it mislead careless readers."""
    return f"Ann_{person % 7}._Other{person:03d}"


def agedb_name(person: int, image: int) -> str:
    """Return a name in the style of the protocol's images: person, name, running number, age, gender."""
    return f"{person + 1}_Name{person}_{10 * person + image}_{20 + 35 * image}_{'fm'[person % 2]}"


def cfp_number(person: int, image: int) -> int:
    """Return the number of an image in a list of two images a person."""
    return 2 * person + image + 1


def agedb_list(rows, labels, do_compression: bool = True) -> bytes:
    """Return the MATLAB file: cells of a structure of names (2 x n cells of structures of name and age) and labels."""
    splits = np.empty((len(rows), 1), dtype=object)
    for fold, (names, marks) in enumerate(zip(rows, labels, strict=True)):
        cells = np.empty((2, len(names)), dtype=object)
        for column, pair in enumerate(names):
            for row, name in enumerate(pair):
                cells[row, column] = {"name": name, "age": 20.0 + 35 * row}
        splits[fold, 0] = {"pairs": cells, "labels": np.array([marks], dtype=np.float64)}
    content = io.BytesIO()
    savemat(content, {"splits": splits}, do_compression=do_compression)
    return content.getvalue()


def pairs(folds: int, same: int) -> list[tuple[int, bool, tuple[int, int], tuple[int, int]]]:
    """Return fold, label and two (person, image) of every pair: each person with itself, then with the next one."""
    people = folds * same
    return [
        (fold, is_same, (person, 0), (person if is_same else (person + 1) % people, 1))
        for fold in range(folds)
        for is_same in (True, False)
        for person in range(fold * same, (fold + 1) * same)
    ]


def photographs(people: int, seed: int, images: int = 2):
    """Yield person, image and the JPEG file of every image."""
    rng = np.random.default_rng(seed)
    for person in range(people):
        coarse = rng.integers(30, 226, (7, 7, 3))
        pattern = coarse.repeat(SIDE // 7, axis=0).repeat(SIDE // 7, axis=1)
        for image in range(images):
            yield person, image, jpeg(pattern + rng.normal(0, 10, pattern.shape))


def jpeg(pixels) -> bytes:
    """Return numbers [H, W, 3] as a JPEG file."""
    content = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(content, "JPEG", quality=90)
    return content.getvalue()


def write(file: Path, content: bytes) -> None:
    """Write ``content`` to ``file``, making its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _write_two_lines(folder, name, same, seed, file, label):
    def named(person, image):
        return file.format(name=lfw_name(person), number=image + 1)

    for person, image, content in photographs(10 * same, seed):
        write(folder / "aligned images" / named(person, image), content)
    ordered = sorted(pairs(10, same), key=lambda pair: not pair[1])
    lines = [
        f"{named(*image)} {label(fold) if is_same else 0}" for fold, is_same, *images in ordered for image in images
    ]
    (folder / f"pairs_{name}.txt").write_text("\n".join(lines) + "\n")
    return folder
