"""Own what a new plugin starts from: an installable package that works, made from the templates beside this module.

Registers nothing and installs nothing. Which names are taken is what the registry says.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import keyword
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from faceassay.contracts import FaceassayError

if TYPE_CHECKING:
    from faceassay.registry import Registry

KINDS = ("augmentation", "generator", "recognizer", "protocol", "dataset")
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 30
"""Characters of a name; lines of the templates stay short enough for any formatter."""
YAML_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True)
class Names:
    """Hold what a plugin is called wherever it occurs.

    Attributes:
        kind: one of ``KINDS``.
        name: in a spec, on the command line, and that of the distribution: ``my-blend``.
    """

    kind: str
    name: str

    @property
    def package(self) -> str:
        """Name of the package that is imported, ``my_blend``."""
        return self.name.replace("-", "_")

    @property
    def class_name(self) -> str:
        """Name of the class, ``MyBlend``."""
        return "".join(part.capitalize() for part in self.name.split("-"))


def write_plugin(names: Names, folder: Path, registry: Registry) -> list[Path]:
    """Write the package of a new plugin into ``folder``/NAME, whole or not at all.

    Returns:
        The files, relative to ``folder``.

    Raises:
        FaceassayError: when the name is taken or cannot be one, ``folder``/NAME is there, or it cannot be written.
    """
    refuse_name(names, registry)
    target = folder / names.name
    if target.exists() or target.is_symlink():
        raise FaceassayError(f"{target} is there already, and stays as it is: choose another name or --folder")
    files = package_files(names)
    unfinished = folder / f".{names.name}-{uuid.uuid4().hex}"
    try:
        for path, content in files.items():
            file = unfinished / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        unfinished.rename(target)
    except OSError as error:
        raise FaceassayError(f"{target} cannot be written ({error.strerror}): use --folder DIR") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return [Path(names.name, path) for path in files]


def refuse_name(names: Names, registry: Registry) -> None:
    """Check that a plugin, its package and its distribution can have their names.

    Raises:
        FaceassayError: when they cannot, with who has the name already.
    """
    if not NAME.fullmatch(names.name) or len(names.name) > LONGEST:
        raise FaceassayError(
            f"{names.name!r} is no name: write at most {LONGEST} lower-case letters and digits, a letter first, with "
            "single hyphens between words, as in my-blend"
        )
    for taken in _taken(names, registry):
        raise FaceassayError(f"{names.name!r} cannot be the name: {taken}. Choose another one")


def _taken(names: Names, registry: Registry) -> Iterator[str]:
    """Yield why the name cannot be had."""
    if origin := registry.origins.get((names.kind, names.name)):
        yield f"the {names.kind} {names.name!r} of {origin} has it"
    if any(map(keyword.iskeyword, (names.package, names.class_name))) or names.name in YAML_WORDS:
        yield f"{names.name!r} is a word of Python or YAML"
    with suppress(PackageNotFoundError):
        yield f"the distribution {names.name} {version(names.name)} is installed"
    found = importlib.util.find_spec(names.package)
    if found and found.origin:
        yield f"the package {names.package!r} is there already ({found.origin})"
    bound = [*dir(builtins), *_bound(_rendered(f"{names.kind}/plugin.py.j2", names))]
    if bound.count(names.class_name) > 1:
        yield f"its class would be called {names.class_name}, as another one that it needs"


def _bound(source: str) -> Iterator[str]:
    """Yield every name that a module imports from another one, defines as a class or assigns, as often as it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def package_files(names: Names) -> Mapping[str, bytes]:
    """Return the files of the package, by their paths in it."""
    templates = {
        "pyproject.toml": "pyproject.toml.j2",
        f"src/{names.package}/__init__.py": f"{names.kind}/plugin.py.j2",
        "tests/test_conformance.py": "test_conformance.py.j2",
        "README.md": f"{names.kind}/README.md.j2",
        "matrix.yaml": f"{names.kind}/matrix.yaml.j2",
    }
    files = {path: _rendered(template, names).encode() for path, template in templates.items()}
    if names.kind == "dataset":
        from faceassay.scaffold.sample import sample_images

        files |= {f"src/{names.package}/sample/{name}": content for name, content in sample_images().items()}
    return files


def _rendered(template: str, names: Names) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("faceassay.scaffold"),
        undefined=StrictUndefined,
        autoescape=False,  # Python, TOML, YAML and Markdown; a name has nothing to escape
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = {"kind": names.kind, "name": names.name, "package": names.package, "class_name": names.class_name}
    return environment.get_template(template).render(words)
