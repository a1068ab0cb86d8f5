"""Stand in for ``pip install -e PROJECT``: the sources of a project on the path, with the metadata that pip writes."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def installed(project: Path) -> Iterator[None]:
    """Have ``project``, which keeps its packages in ``src``, installed meanwhile."""
    sources = project / "src"
    packages = {path.parent.name for path in sources.glob("*/__init__.py")}
    _write_metadata(sources, tomllib.loads((project / "pyproject.toml").read_text())["project"])
    sys.path.insert(0, str(sources))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(sources))
        for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
            del sys.modules[name]
        importlib.invalidate_caches()


def _write_metadata(sources: Path, declared: dict) -> None:
    folder = sources / f"{declared['name'].replace('-', '_')}-{declared['version']}.dist-info"
    folder.mkdir(exist_ok=True)
    told = {"Metadata-Version": "2.1", "Name": declared["name"], "Version": declared["version"]}
    (folder / "METADATA").write_text("".join(f"{word}: {value}\n" for word, value in told.items()))
    points = "".join(f"{name} = {target}\n" for name, target in declared["entry-points"]["faceassay"].items())
    (folder / "entry_points.txt").write_text(f"[faceassay]\n{points}")
    (folder / "RECORD").write_text("")
