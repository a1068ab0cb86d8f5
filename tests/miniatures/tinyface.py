"""Miniatures of TinyFace in its real format: three folders of crops, two MATLAB lists of cells in cells."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy.io import savemat

LISTS = {
    "Probe": ("probe_img_ID_pairs.mat", "probe_set", "probe_ids"),
    "Gallery_Match": ("gallery_match_img_ID_pairs.mat", "gallery_set", "gallery_ids"),
}
ALIGNED = "aligned_pad_0.1_pad_high"


def face(rng, height, width, kind="JPEG"):
    """Return an encoded image of four flat quarters."""
    colours = rng.integers(0, 256, (2, 2, 3), dtype=np.uint8)
    pixels = colours.repeat(-(-height // 2), axis=0).repeat(-(-width // 2), axis=1)[:height, :width]
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return content.getvalue()


def list_bytes(names_key, names, ids_key, ids, **options):
    """Return the bytes of a MATLAB list: a column of cells, each with one text, and a column of numbers."""
    cells = np.empty((len(names), 1), dtype=object)
    for row, name in enumerate(names):
        cells[row, 0] = np.array([name])
    content = io.BytesIO()
    savemat(content, {names_key: cells, ids_key: np.array(ids, dtype=np.uint16).reshape(-1, 1)}, **options)
    return content.getvalue()


def write_list(testing_set, folder, names, ids):
    file, names_key, ids_key = LISTS[folder]
    (testing_set / file).write_bytes(list_bytes(names_key, names, ids_key, ids))


def write_tinyface(
    folder, people=5, probes_per_person=2, gallery_per_person=2, distractors=20, aligned=True, seed=0, suffix=".jpg"
):
    """Write ``folder/tinyface/Testing_Set`` and, where ``aligned``, the tree of 112x112 crops beside ``tinyface``.

    Identities are 3, 10, 17, ...; image k of a person is ``<identity>_<k>.jpg`` in Probe and in Gallery_Match alike,
    so that names collide across folders. The crops as found are of odd sizes. ``suffix`` is that of aligned files.
    Return the folder ``tinyface``.
    """
    rng = np.random.default_rng(seed)
    identities = [3 + 7 * person for person in range(people)]
    counts = {"Probe": probes_per_person, "Gallery_Match": gallery_per_person}
    testing_set = folder / "tinyface" / "Testing_Set"
    listed = {part: [(f"{i}_{k}.jpg", i) for i in identities for k in range(counts[part])] for part in LISTS}
    files = {part: [name for name, _ in rows] for part, rows in listed.items()}
    files["Gallery_Distractor"] = [f"{k:04d}.jpg" for k in range(distractors)]
    for part, names in files.items():
        for tree in (testing_set, *([folder / ALIGNED] if aligned else [])):
            (tree / part).mkdir(parents=True)
        for name in names:
            (testing_set / part / name).write_bytes(face(rng, 17 + len(name), 13))
            if aligned:
                kind = "PNG" if suffix == ".png" else "JPEG"
                (folder / ALIGNED / part / name).with_suffix(suffix).write_bytes(face(rng, 112, 112, kind))
    for part, rows in listed.items():
        write_list(testing_set, part, [name for name, _ in rows], [identity for _, identity in rows])
    return folder / "tinyface"
