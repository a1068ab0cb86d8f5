"""Own the digest of code: the modules a plugin or a stage reaches by imports, as normalised syntax trees.

Comments, layout and docstrings change nothing; any other change of a reached module changes the digest. Modules are
read as files, never imported, so that ``plan`` needs neither torch nor mlflow.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from faceassay.contracts import FaceassayError

CORE = "faceassay"


class NoSourceError(FaceassayError, ModuleNotFoundError):
    """Report a module whose code cannot be part of a key because its source file is not there."""


def source_digest(module: str, *, packages: Iterable[str] | None = None) -> str:
    """Return sha256 (hex) of ``module`` and every module it reaches by imports within ``packages``.

    Args:
        module: dotted name of the module to start from.
        packages: top-level packages to stay in; by default the module's own and the core.

    Raises:
        NoSourceError: when ``module`` has no source file.
    """
    return digest_of(closure(module, packages=packages))


def digest_of(modules: Iterable[str]) -> str:
    """Return sha256 (hex) of the normalised syntax trees of ``modules`` with their names."""
    return total_digest(module_digests(modules))


def module_digests(modules: Iterable[str]) -> dict[str, str]:
    """Return sha256 (hex) of the normalised syntax tree of each of ``modules``, by name."""
    return {name: _module_digest(_stamped(name)) for name in sorted(modules)}


def total_digest(digests: Mapping[str, str]) -> str:
    """Return the digest of code whose modules have ``digests``, as it stands in keys: what `digest_of` returns."""
    total = hashlib.sha256()
    for name in sorted(digests):
        total.update(f"{name}:{digests[name]}\n".encode())
    return total.hexdigest()


def closure(module: str, *, packages: Iterable[str] | None = None) -> frozenset[str]:
    """Return the dotted names of ``module`` and of all modules it reaches by imports, those in functions included.

    Importing a submodule runs its parent packages, so these are reached too. Imports under ``TYPE_CHECKING`` are not.

    Raises:
        NoSourceError: when ``module`` has no source file.
    """
    _stamped(module)
    inside = frozenset(packages) if packages is not None else frozenset({module.partition(".")[0], CORE})
    found: set[str] = set()
    open_names = [module]
    while open_names:
        name = open_names.pop()
        if name in found or module_file(name) is None:
            continue
        found.add(name)
        reached = {*_parents(name), *_imported(_stamped(name))}
        open_names += [other for other in reached if other.partition(".")[0] in inside and other not in found]
    return frozenset(found)


def module_file(name: str) -> Path | None:
    """Return the source file of the module ``name`` without importing it, or None when there is none."""
    top, *rest = name.split(".")
    loaded = sys.modules.get(top)
    spec = getattr(loaded, "__spec__", None) or (importlib.util.find_spec(top) if loaded is None else None)
    if not rest:
        origin = spec.origin if spec else getattr(loaded, "__file__", None)
        candidates = [Path(origin)] if origin and origin.endswith(".py") else []
    else:
        folders = [Path(root, *rest) for root in (spec and spec.submodule_search_locations) or ()]
        candidates = [file for folder in folders for file in (folder / "__init__.py", folder.with_suffix(".py"))]
    return next((file for file in candidates if file.is_file()), None)


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _stamped(name: str) -> tuple[str, Path, int, int]:
    path = module_file(name)
    if path is None:
        raise NoSourceError(
            f"no source file for module {name!r}: its code cannot be part of a key; "
            "put it in a package that is installed with its .py files"
        )
    status = path.stat()
    return name, path, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4096)
def _module_digest(stamped: tuple[str, Path, int, int]) -> str:
    tree = ast.parse(stamped[1].read_bytes())
    return hashlib.sha256("".join(_normalised(tree)).encode()).hexdigest()


def _normalised(node: object) -> Iterator[str]:
    """Yield a text of the tree that is the same for every Python version: empty fields and docstrings left out."""
    if isinstance(node, ast.AST):
        yield type(node).__name__ + "("
        for field, value in ast.iter_fields(_without_docstring(node)):
            if field not in ("ctx", "type_comment", "kind", "type_params") and value not in (None, []):
                yield field + "="
                yield from _normalised(value)
        yield ")"
    elif isinstance(node, list):
        for item in node:
            yield from _normalised(item)
            yield ","
    else:
        yield repr(node)


def _without_docstring(node: ast.AST) -> ast.AST:
    documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    if documented and ast.get_docstring(node, clean=False) is not None:  # type: ignore[arg-type]
        node.body = node.body[1:]  # type: ignore[attr-defined]
    return node


@lru_cache(maxsize=4096)
def _imported(stamped: tuple[str, Path, int, int]) -> frozenset[str]:
    name, path, *_ = stamped
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    visitor = _Imports(package)
    visitor.visit(ast.parse(path.read_bytes()))
    return frozenset(visitor.names)


class _Imports(ast.NodeVisitor):
    """Collect the dotted names that a module may import."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.names: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        test = node.test
        if (getattr(test, "id", None) or getattr(test, "attr", None)) == "TYPE_CHECKING":
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.names.update(alias.name for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        origin = self._absolute(node)
        self.names.add(origin)
        self.names.update(f"{origin}.{alias.name}" for alias in node.names)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        anchor = self.package.split(".")[: len(self.package.split(".")) - node.level + 1]
        return ".".join([*anchor, node.module] if node.module else anchor)
