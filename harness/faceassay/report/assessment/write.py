"""Own the files of the dataset quality report and their names."""

from __future__ import annotations

import re
from pathlib import Path

from faceassay.report.assessment.content import Content
from faceassay.report.assessment.pictures import drawn
from faceassay.report.assessment.text import quality_csv, quality_markdown
from faceassay.store import write_atomically


def write_assessment(content: Content, folder: Path) -> list[Path]:
    """Write ``quality.md``, ``quality.csv`` and the pictures into ``folder``, return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written, shown = [], {}
    for title, files in drawn(content).items():
        name = re.sub(r"[^A-Za-z0-9.+]+", "-", title).strip("-").lower()
        shown[title] = f"{name}.png"
        for kind, data in files.items():
            path = folder / f"{name}.{kind}"
            path.write_bytes(data)
            written.append(path)
    texts = {"quality.md": quality_markdown(content, shown), "quality.csv": quality_csv(content)}
    for name, text in texts.items():
        write_atomically(folder / name, text)
    return [*(folder / name for name in texts), *written]
