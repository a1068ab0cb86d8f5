"""A miniature of IJB-B or IJB-C: drawn faces in loose crops, their lists in the format that the field passes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

POINTS = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)])
GALLERIES = {"ijbb": ("S1", "S2"), "ijbc": ("G1", "G2")}
STILLS, FRAMES, PROBES = 2, 3, 2


@dataclass(frozen=True)
class MiniatureIjb:
    """What was written: one entry of names, landmarks, scores, templates and media per image, triples per pair."""

    path: Path
    code: str
    names: list[str]
    landmarks: np.ndarray
    scores: list[float]
    templates: list[int]
    media: list[int]
    subject_of: dict[int, int]
    pairs: list[tuple[int, int, int]]

    @property
    def meta(self) -> Path:
        return self.path / "meta"

    def file(self, kind: str) -> Path:
        return self.meta / f"{self.code}_{kind}"


def write_ijb(
    folder: Path,
    name: str = "ijb-c",
    *,
    subjects: int = 6,
    seed: int = 0,
    lists: bool = True,
    landmarks: bool = True,
    aligned: bool = False,
    line_end: str = "\n",
    bom: bool = False,
) -> MiniatureIjb:
    """Write ``folder/IJBC`` (or ``IJBB``): each subject has one gallery and two probe templates of 5 images each.

    ``aligned`` writes 112x112 faces to ``aligned_112`` instead of loose crops; ``lists`` are those of 1:N.
    """
    rng = np.random.default_rng(seed)
    code = name.replace("-", "")
    path = folder / code.upper()
    images = path / ("aligned_112" if aligned else "loose_crop")
    (path / "meta").mkdir(parents=True)
    images.mkdir()

    numbers = np.cumsum(rng.integers(1, 40, subjects * (1 + PROBES))).tolist()
    gallery, probes = numbers[:subjects], numbers[subjects:]
    subject_of = {template: 100 + row % subjects for row, template in enumerate(numbers)}
    rows = list(_rows(numbers, rng))
    places = [_placed(rng) for _ in rows]
    scores = [round(float(score), 3) for score in rng.uniform(0.1, 1, len(rows))]
    names = [f"{row + 1}.jpg" for row in range(len(rows))]
    for file, (template, _), (points, size) in zip(names, rows, places, strict=True):
        picture = (
            drawn(POINTS, (112, 112), subject_of[template]) if aligned else drawn(points, size, subject_of[template])
        )
        Image.fromarray(picture).save(images / file, quality=95, subsampling=0)
    pairs = [(one, other, int(subject_of[one] == subject_of[other])) for one in gallery for other in probes]

    def write(kind: str, lines: list[str]) -> None:
        text = "".join(f"{line}{line_end}" for line in lines)
        (path / "meta" / f"{code}_{kind}").write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode())

    write("face_tid_mid.txt", [f"{file} {one} {medium}" for file, (one, medium) in zip(names, rows, strict=True)])
    write("template_pair_label.txt", [f"{one} {other} {label}" for one, other, label in pairs])
    if landmarks:
        coordinates = [" ".join(f"{value:.3f}" for value in points.ravel()) for points, _ in places]
        write("name_5pts_score.txt", [" ".join(map(str, row)) for row in zip(names, coordinates, scores, strict=True)])
    if lists:
        halves = (gallery[: subjects // 2], gallery[subjects // 2 :], probes)
        for kind, members in zip(
            (*(f"gallery_{half}" for half in GALLERIES[code]), "probe_mixed"), halves, strict=True
        ):
            entries = [f"{one},{subject_of[one]},img/{one}.png" for one in members for _ in range(2)]
            write(f"1N_{kind}.csv", ["TEMPLATE_ID,SUBJECT_ID,FILENAME", *entries])
    return MiniatureIjb(
        path=path,
        code=code,
        names=names,
        landmarks=np.round([points for points, _ in places], 3),
        scores=scores,
        templates=[template for template, _ in rows],
        media=[medium for _, medium in rows],
        subject_of=subject_of,
        pairs=pairs,
    )


def _rows(templates: list[int], rng: np.random.Generator):
    """Yield (template, medium) of each image: two stills, and a video of three frames."""
    medium = 5000
    for template in templates:
        for frames in (1,) * STILLS + (FRAMES,):
            medium += int(rng.integers(1, 90))
            yield from [(template, medium)] * frames


def _placed(rng: np.random.Generator) -> tuple[np.ndarray, tuple[int, int]]:
    """Return where a face lies in a crop that it fits in, and the (height, width) of that crop."""
    angle, scale = rng.uniform(-0.6, 0.6), rng.uniform(0.7, 1.6)
    turn = scale * np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    turned = (POINTS - POINTS.mean(axis=0)) @ turn.T
    low, high = turned.min(axis=0) - rng.uniform(25, 60, 2), turned.max(axis=0) + rng.uniform(25, 60, 2)
    width, height = np.ceil(high - low).astype(int).tolist()
    return turned - low, (height, width)


def drawn(points: np.ndarray, size: tuple[int, int], subject: int) -> np.ndarray:
    """Draw white marks at ``points`` on a dark colour of the subject, uint8 [H, W, 3]; they grow with the face."""
    y, x = np.ogrid[: size[0], : size[1]]
    colour = np.random.default_rng(subject).uniform(0, 90, 3).astype(np.float32)
    radius = np.hypot(*(points[1] - points[0])) / 9
    nearest = np.min([(x - left) ** 2 + (y - top) ** 2 for left, top in points], axis=0)
    cover = np.clip(radius - np.sqrt(nearest) + 0.5, 0, 1).astype(np.float32)[:, :, None]
    return np.round(colour + cover * (255 - colour)).astype(np.uint8)
