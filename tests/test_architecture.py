"""The house rules, enforced on the syntax trees of the three source roots; each rule is first seen to bite."""

from __future__ import annotations

import ast
import statistics
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
ROOTS = {"harness": "faceassay", "plugins": "faceassay_plugins", "protocols": "faceassay_protocols"}
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
LINT = PYPROJECT["tool"]["ruff"]["lint"]

LAYERS = (
    "contracts",
    "noise",
    "blocks checkpoints datasets detection drawing environment fingerprints hookspecs identity lifeline progress "
    "inference sampling seeds serial sourcecode statistics torching",
    "denoising keys processes quality registry sets shards threads unions validation",
    "assessment brought",
    "given scaffold spec stages",
    "audit people testing",
    "graph judging store validating",
    "estimates expand inputs pricing states upkeep",
    "assay assessing provenance ranks results workers",
    "execute paired",
    "certificates standings",
    "table",
    "comparison",
    "claims",
    "report run",
    "tracking",
    "bundled",
    "cli",
    "__main__",
)
"""The core from the ground up. A module imports what is below it, or of its own package, and nothing beside it."""
FOR_PLUGINS = 4
"""How many of the lowest layers plugins may import; the rest is about running them."""
LAYER_OF = {unit: height for height, layer in enumerate(LAYERS) for unit in layer.split()}
IMPORTED_ONLY_BY = {
    "mlflow": {"faceassay.tracking"},
    "faceassay.tracking": {"faceassay.bundled", "faceassay.cli"},
    "faceassay.progress": {"faceassay.bundled", "faceassay.cli"},
    "faceassay.serial": {"faceassay.bundled"},
    "faceassay.processes": {"faceassay.bundled"},
    "faceassay.bundled": set(),
    "faceassay.cli": {"faceassay.__main__"},
    "faceassay.__main__": set(),
    "faceassay.execute": {"faceassay.run", "faceassay.certificates"},
    "faceassay.workers": {"faceassay.execute"},
    "faceassay.ranks": {"faceassay.execute"},
    "faceassay.run": {"faceassay.cli"},
    "faceassay.testing": {"faceassay.cli"},
    "faceassay_plugins.registration": set(),
    "faceassay_protocols.registration": set(),
}
"""Who may import the modules at the rim; a package counts with its modules, which may import each other."""

FILE_CEILING, FUNCTION_CEILING = 450, 60
FILE_MEDIAN, FUNCTION_MEDIAN = 150, 8
BANNED_WORDS = {"task", "job", "trial", "util", "helper", "manager", "misc", "base"}
PICKLERS = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def second(name: str) -> str:
    """Return the second part of a dotted name, '' where there is none."""
    return name.partition(".")[2].partition(".")[0]


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@dataclass(frozen=True)
class Import:
    """One imported name, absolute, and where it stands."""

    name: str
    line: int
    when: str  # "module", "function" or "typing"

    def is_of(self, package: str) -> bool:
        return within(self.name, package)


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str
    path: str
    source: str

    @classmethod
    def of(cls, root: str, file: Path) -> Module:
        parts = file.relative_to(REPOSITORY / root).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        return cls(name, file.relative_to(REPOSITORY).as_posix(), file.read_text(encoding="utf-8"))

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def package(self) -> str:
        return self.name if self.path.endswith("__init__.py") else self.name.rpartition(".")[0]

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]

    @property
    def unit(self) -> str:
        """The part of the core that the layers speak of."""
        return second(self.name)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(self._imports(self.tree, "module"))

    def _imports(self, node: ast.AST, when: str) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, when) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield from (Import(name, child.lineno, when) for name in self._names(child))
            elif isinstance(child, ast.Call) and called(child) in ("import_module", "__import__"):
                yield from (Import(name, child.lineno, when) for name in texts(child.args[:1]))
                yield from self._imports(child, when)
            elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
                yield from self._imports(ast.Module(child.body, []), "typing")
                yield from self._imports(ast.Module(child.orelse, []), when)
            else:
                inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from self._imports(child, "function" if inside and when == "module" else when)

    def _names(self, node: ast.ImportFrom) -> Iterator[str]:
        parts = self.package.split(".")
        anchor = parts[: len(parts) - node.level + 1] if node.level else []
        origin = ".".join([*anchor, *([node.module] if node.module else [])])
        for alias in node.names:
            inner = f"{origin}.{alias.name}"
            yield inner if inner in NAMES else origin

    def at(self, line: int) -> str:
        return f"{self.path}:{line}"


def called(call: ast.Call) -> str:
    """Return the last name of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def texts(nodes: list[ast.expr]) -> list[str]:
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


NAMES: set[str] = set()
MODULES = [Module.of(root, file) for root in ROOTS for file in sorted((REPOSITORY / root).rglob("*.py"))]
NAMES.update(module.name for module in MODULES)
CORE = [module for module in MODULES if module.top == "faceassay"]
ALLOWED_AT_MODULE_LEVEL = [pattern for pattern, rules in LINT["per-file-ignores"].items() if "TID253" in rules]
HEAVY = LINT["flake8-tidy-imports"]["banned-module-level-imports"]


def is_heavy(module: Module) -> bool:
    """Tell whether pyproject lets ``module`` import torch and the like when it is imported."""
    return any(fnmatch(module.path, pattern) for pattern in ALLOWED_AT_MODULE_LEVEL)


def wrong_direction(module: Module) -> list[str]:
    """The core imports neither plugins nor protocols; these import the core's lowest layers and themselves."""
    ours = [found for found in module.imports if found.name.partition(".")[0] in ROOTS.values()]
    wrong = [found for found in ours if found.name.partition(".")[0] not in (module.top, "faceassay")]
    if module.top != "faceassay":
        core = [found for found in ours if found.name.startswith("faceassay.")]
        wrong += [found for found in core if LAYER_OF.get(second(found.name), 99) >= FOR_PLUGINS]
    return [f"{module.at(found.line)}: {module.name} imports {found.name}" for found in wrong]


def climbs(module: Module) -> list[str]:
    """A module of the core imports only what lies below it."""
    own = LAYER_OF.get(module.unit, LAYER_OF["hookspecs"] + 1 if module.name == "faceassay" else -1)
    found = [(one, second(one.name)) for one in module.imports if one.is_of("faceassay")]
    wrong = [one for one, unit in found if unit != module.unit and LAYER_OF.get(unit, 99) >= own]
    return [f"{module.at(one.line)}: {module.name} imports {one.name}, which is not below it" for one in wrong]


def imported_by_strangers(module: Module) -> list[str]:
    """Some modules are at the rim: only those named import them."""
    return [
        f"{module.at(found.line)}: {module.name} imports {rim}"
        for rim, allowed in IMPORTED_ONLY_BY.items()
        for found in module.imports
        if found.is_of(rim) and not any(within(module.name, known) for known in (rim, *allowed))
    ]


def heavy_at_module_level(module: Module) -> list[str]:
    """Torch and the like are imported inside functions, but for the modules that pyproject names."""
    heavy_ours = [other.name for other in MODULES if is_heavy(other)]
    found = [one for one in module.imports if one.when == "module" and not is_heavy(module)]
    wrong = [one for one in found if any(one.is_of(name) for name in (*HEAVY, *heavy_ours))]
    return [f"{module.at(one.line)}: {one.name} at module level" for one in wrong]


def source_roots_imported(module: Module) -> list[str]:
    """The source roots are no packages."""
    wrong = [one for one in module.imports if one.name.partition(".")[0] in ROOTS]
    return [f"{module.at(one.line)}: imports {one.name}; say {ROOTS[one.name.partition('.')[0]]}" for one in wrong]


def unsafe_reading(module: Module) -> list[str]:
    """Nothing unpickles, and no archive writes where it likes."""
    wrong = [(one.line, f"imports {one.name}") for one in module.imports if one.name.partition(".")[0] in PICKLERS]
    wrong += [(node.lineno, said) for node in ast.walk(module.tree) for said in _unsafe(node)]
    return [f"{module.at(line)}: {said}" for line, said in wrong]


def _unsafe(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.module == "torch" and "load" in {alias.name for alias in node.names}:
        yield "imports torch's load by name"
    if not isinstance(node, ast.Call):
        return
    options = {option.arg: ast.unparse(option.value) for option in node.keywords}
    if ast.unparse(node.func) == "torch.load" and options.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    if options.get("allow_pickle", "False") != "False":
        yield "allow_pickle"
    if called(node) in ("extractall", "unpack_archive"):
        yield f"{called(node)}: an archive may name any path"


def banned_name(module: Module) -> list[str]:
    """Names say what a module owns."""
    words = {word for part in module.name.split(".") for word in part.strip("_").split("_")}
    return [
        f"{module.path}: {word!r}" for word in words if word in BANNED_WORDS or word.removesuffix("s") in BANNED_WORDS
    ]


@dataclass(frozen=True)
class Definition:
    """One function or class of a module."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    public: bool

    @property
    def documented(self) -> bool:
        return ast.get_docstring(self.node) is not None

    @property
    def length(self) -> int:
        """Lines, the docstring left out."""
        lines = self.node.end_lineno - self.node.lineno + 1
        if not self.documented:
            return lines
        docstring = self.node.body[0]
        return lines - (docstring.end_lineno - docstring.lineno + 1)

    @property
    def unannotated(self) -> list[str]:
        arguments = self.node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        names = [one.arg for one in every if one and one.annotation is None and one.arg not in ("self", "cls")]
        return names + (["return"] if self.node.returns is None else [])


def definitions(node: ast.AST, public: bool = True) -> Iterator[Definition]:
    """Yield every definition; one that is inside a function or of a private class is not public."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            seen = public and not child.name.startswith("_")
            yield Definition(child, seen)
            yield from definitions(child, seen and isinstance(child, ast.ClassDef))
        else:
            yield from definitions(child, public)


def functions(module: Module) -> list[Definition]:
    return [one for one in definitions(module.tree) if not isinstance(one.node, ast.ClassDef)]


def undocumented(module: Module) -> list[str]:
    """Every module, public class and public function has a docstring."""
    missing = [] if ast.get_docstring(module.tree) else [f"{module.at(1)}: no module docstring"]
    found = [one.node for one in definitions(module.tree) if one.public and not one.documented]
    return missing + [f"{module.at(node.lineno)}: {node.name} has no docstring" for node in found]


def unannotated(module: Module) -> list[str]:
    """Every function is annotated in full."""
    return [
        f"{module.at(one.node.lineno)}: {one.node.name}: {', '.join(one.unannotated)} not annotated"
        for one in functions(module)
        if one.unannotated
    ]


def too_long(module: Module) -> list[str]:
    """Files and functions have a ceiling."""
    lines = len(module.source.splitlines())
    long_functions = [one for one in functions(module) if one.length > FUNCTION_CEILING]
    return [f"{module.path}: {lines} lines"] * (lines > FILE_CEILING) + [
        f"{module.at(one.node.lineno)}: {one.node.name} has {one.length} lines" for one in long_functions
    ]


RULES = {
    rule.__name__: rule
    for rule in (
        wrong_direction,
        climbs,
        imported_by_strangers,
        heavy_at_module_level,
        source_roots_imported,
        unsafe_reading,
        banned_name,
        undocumented,
        unannotated,
        too_long,
    )
}
OF_THE_CORE = {"climbs"}
BREACHES = [
    ("wrong_direction", "faceassay.keys", "import faceassay_plugins.selection"),
    ("wrong_direction", "faceassay.keys", "def f():\n    from faceassay_protocols import pairs"),
    ("wrong_direction", "faceassay.keys", "import importlib\nimportlib.import_module('faceassay_plugins.x')"),
    ("wrong_direction", "faceassay_plugins.selection", "import faceassay_protocols.roc"),
    ("wrong_direction", "faceassay_protocols.roc", "from faceassay_plugins.selection import random_pairs"),
    ("wrong_direction", "faceassay_plugins.selection", "from faceassay.store import Store"),
    ("wrong_direction", "faceassay_plugins.selection", "from faceassay import store"),
    ("climbs", "faceassay.contracts.faces", "from faceassay.seeds import derive"),
    ("climbs", "faceassay.contracts.faces", "from ..seeds import derive"),
    ("climbs", "faceassay.keys", "from faceassay.store import Store"),
    ("climbs", "faceassay.keys", "from faceassay import store"),
    ("climbs", "faceassay.keys", "from faceassay import Plugin"),
    ("climbs", "faceassay.store", "from faceassay.graph import Stage"),
    ("climbs", "faceassay.spec.model", "if TYPE_CHECKING:\n    from faceassay.graph import Stage"),
    ("climbs", "faceassay.results", "def f():\n    from faceassay.table import build"),
    ("climbs", "faceassay.table", "import faceassay.report.html"),
    ("climbs", "faceassay.report.html", "import faceassay.run"),
    ("climbs", "faceassay.unheard_of", "import faceassay.contracts"),
    ("imported_by_strangers", "faceassay.run", "def f():\n    import mlflow.tracking"),
    ("imported_by_strangers", "faceassay.run", "from faceassay import tracking"),
    ("imported_by_strangers", "faceassay.bundled", "from faceassay.cli.matrix import run"),
    ("imported_by_strangers", "faceassay_plugins.selection", "import faceassay_plugins.registration"),
    ("heavy_at_module_level", "faceassay.keys", "import torch"),
    (
        "heavy_at_module_level",
        "faceassay.keys",
        "try:\n    from torch.nn import functional\nexcept ImportError:\n    pass",
    ),
    ("heavy_at_module_level", "faceassay.keys", "class C:\n    from scipy import stats"),
    ("heavy_at_module_level", "faceassay.keys", "from faceassay import sampling"),
    ("source_roots_imported", "faceassay.keys", "import harness.faceassay.keys"),
    ("source_roots_imported", "faceassay.keys", "from plugins import faceassay_plugins"),
    ("source_roots_imported", "faceassay.keys", "def f():\n    import protocols"),
    ("unsafe_reading", "faceassay.keys", "import pickle"),
    ("unsafe_reading", "faceassay.keys", "def f():\n    from joblib import load"),
    ("unsafe_reading", "faceassay.keys", "torch.load(path)"),
    ("unsafe_reading", "faceassay.keys", "torch.load(path, weights_only=False)"),
    ("unsafe_reading", "faceassay.keys", "from torch import load"),
    ("unsafe_reading", "faceassay.keys", "np.load(path, allow_pickle=True)"),
    ("unsafe_reading", "faceassay.keys", "np.load(path, allow_pickle=trust)"),
    ("unsafe_reading", "faceassay.keys", "tarfile.open(path).extractall(folder)"),
    ("unsafe_reading", "faceassay.keys", "shutil.unpack_archive(path)"),
    ("banned_name", "faceassay.utils", ""),
    ("banned_name", "faceassay.stages.base", ""),
    ("banned_name", "faceassay.run_jobs.cells", ""),
    ("banned_name", "faceassay._helpers", ""),
    ("undocumented", "faceassay.keys", "X = 1"),
    ("undocumented", "faceassay.keys", '"""Own."""\ndef f() -> None: ...'),
    ("undocumented", "faceassay.keys", '"""Own."""\nclass C:\n    pass'),
    ("undocumented", "faceassay.keys", '"""Own."""\nclass C:\n    """A."""\n    def f(self) -> None: ...'),
    ("unannotated", "faceassay.keys", "def f(x) -> None: ..."),
    ("unannotated", "faceassay.keys", "def f(x: int): ..."),
    ("unannotated", "faceassay.keys", "def f(*x, y: int) -> None: ..."),
    ("unannotated", "faceassay.keys", "class _C:\n    async def f(self, **x) -> None: ..."),
    ("unannotated", "faceassay.keys", "def f() -> None:\n    def g(x) -> None: ..."),
    ("too_long", "faceassay.keys", "X = 1\n" * (FILE_CEILING + 1)),
    ("too_long", "faceassay.keys", "def f():\n" + "    x = 1\n" * FUNCTION_CEILING),
]
HARMLESS = [
    ("wrong_direction", "faceassay_plugins.selection", "from faceassay import Plugin, seeds\nimport faceassay_plugins"),
    ("climbs", "faceassay.store", "from faceassay.keys import Key\nfrom faceassay import contracts"),
    ("climbs", "faceassay.spec.reader", "from faceassay.spec.model import Spec\nfrom .yaml import merge"),
    ("imported_by_strangers", "faceassay.cli.planning", "import faceassay.cli.matrix"),
    ("heavy_at_module_level", "faceassay.keys", "def f():\n    import torch"),
    ("heavy_at_module_level", "faceassay.keys", "if TYPE_CHECKING:\n    from torch import Tensor"),
    ("heavy_at_module_level", "faceassay.keys", "from safetensors.numpy import load"),
    ("heavy_at_module_level", "faceassay.sampling", "import torch"),
    ("unsafe_reading", "faceassay.keys", "torch.load(path, weights_only=True)\nnp.load(path, allow_pickle=False)"),
    ("banned_name", "faceassay.database", ""),
    ("undocumented", "faceassay.keys", '"""Own."""\nclass _C:\n    def f(self): ...\ndef _g():\n    def h(): ...'),
    (
        "unannotated",
        "faceassay.keys",
        "class C:\n    def f(self) -> None: ...\n    @classmethod\n    def g(cls) -> None: ...",
    ),
    ("too_long", "faceassay.keys", "def f():\n    '''A.\n" + "\n" * FUNCTION_CEILING + "    '''\n    return 1\n"),
]


def module_called(name: str, source: str) -> Module:
    root = next(root for root, package in ROOTS.items() if package == name.partition(".")[0])
    return Module(name, f"{root}/{name.replace('.', '/')}.py", textwrap.dedent(source))


@pytest.mark.parametrize(("rule", "name", "source"), BREACHES)
def test_rule_bites(rule, name, source):
    assert RULES[rule](module_called(name, source))


@pytest.mark.parametrize(("rule", "name", "source"), HARMLESS)
def test_rule_leaves_the_harmless_alone(rule, name, source):
    assert RULES[rule](module_called(name, source)) == []


@pytest.mark.parametrize("rule", RULES)
def test_house_rule(rule):
    modules = CORE if rule in OF_THE_CORE else MODULES
    assert [breach for module in modules for breach in RULES[rule](module)] == []


def test_every_rule_is_seen_to_bite():
    assert {rule for rule, *_ in BREACHES} == set(RULES)


def test_sources_are_found():
    assert {module.top for module in MODULES} == set(ROOTS.values())
    assert {"faceassay", "faceassay.contracts.plugin", "faceassay_plugins", "faceassay_protocols.roc"} <= NAMES


def test_every_layer_is_there():
    """A module that is gone leaves the table; one that is new is put where it belongs."""
    assert set(LAYER_OF) == {module.unit for module in CORE} - {""}


def test_no_unit_is_in_two_layers():
    assert len(LAYER_OF) == sum(len(layer.split()) for layer in LAYERS)


def test_every_module_at_the_rim_is_there():
    named = {name for rim, allowed in IMPORTED_ONLY_BY.items() for name in (rim, *allowed)}
    assert named - {"mlflow"} <= NAMES


def test_contracts_import_nothing_of_ours_but_contracts():
    contracts = [module for module in CORE if module.unit == "contracts"]
    found = {one.name for module in contracts for one in module.imports if one.is_of("faceassay")}
    assert all(name.startswith("faceassay.contracts") for name in found)


def test_mlflow_is_imported_in_one_module():
    assert {module.name for module in MODULES if any(one.is_of("mlflow") for one in module.imports)} == {
        "faceassay.tracking"
    }


def test_every_exception_to_the_torch_rule_is_used():
    unused = [
        pattern
        for pattern in ALLOWED_AT_MODULE_LEVEL
        if not pattern.startswith("tests") and not any(fnmatch(module.path, pattern) for module in MODULES)
    ]
    assert unused == []


def test_median_file_is_short():
    assert statistics.median(len(module.source.splitlines()) for module in MODULES) <= FILE_MEDIAN


def test_median_function_is_short():
    assert statistics.median(one.length for module in MODULES for one in functions(module)) <= FUNCTION_MEDIAN
