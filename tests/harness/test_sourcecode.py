"""Digests of code on temporary packages: what is reached counts, what is only written differently does not."""

import ast
import hashlib
import itertools
import os
import sys
import textwrap

import pytest

from faceassay.contracts import FaceassayError
from faceassay.sourcecode import closure, digest_of, module_file, source_digest

START = '''\
"""Own the start."""
from __future__ import annotations

import typing
from typing import TYPE_CHECKING

import PKG.plain
from PKG import submodule
from PKG.named import thing
from . import sibling
from .relative import other
from .deep.inner import nested

if TYPE_CHECKING:
    from PKG.typed import Annotated
if typing.TYPE_CHECKING:
    import PKG.typed_too
else:
    import PKG.untyped

class Start:
    """A class."""

    def method(self, x: int = 1) -> int:
        """Return one more."""
        from PKG.lazy import late  # only when needed
        return x + 1
'''
PACKAGE = {
    "__init__.py": "VERSION = 1\n",
    "start.py": START,
    "plain.py": "import PKG.second\n",
    "second.py": "import PKG.plain\nSECOND = 2\n",
    "submodule.py": "SUBMODULE = 1\n",
    "named.py": "thing = 1\n",
    "sibling.py": "SIBLING = 1\n",
    "relative.py": "other = 1\n",
    "lazy.py": "late = 1\n",
    "untyped.py": "UNTYPED = 1\n",
    "typed.py": "Annotated = 1\n",
    "typed_too.py": "TYPED = 1\n",
    "unreached.py": "UNREACHED = 1\n",
    "deep/__init__.py": "DEEP = 1\n",
    "deep/inner.py": "from .. import upper\nnested = 1\n",
    "upper.py": "UPPER = 1\n",
}
REACHED = [
    "__init__.py",
    "plain.py",
    "second.py",
    "submodule.py",
    "named.py",
    "sibling.py",
    "relative.py",
    "lazy.py",
    "untyped.py",
    "deep/__init__.py",
    "deep/inner.py",
    "upper.py",
]
"""By import, import of an import (in a circle), from a package, by name, relative, in a function, else, parents."""
SAME_CODE = {
    "comment": ("return x + 1", "return x + 1  # the successor"),
    "comment line": ("return x + 1", "# soon\n        return x + 1"),
    "blank lines": ("return x + 1", "\n\n        return x + 1"),
    "spaces": ("return x + 1", "return  x+1"),
    "brackets": ("return x + 1", "return (x + 1)"),
    "line break": ("return x + 1", "return (\n            x\n            + 1)"),
    "docstring of a function": ("Return one more.", "Return the successor."),
    "no docstring of a function": ('"""Return one more."""\n', "\n"),
    "docstring of a class": ("A class.", "The class."),
    "docstring of the module": ("Own the start.", "Own the beginning."),
    "notation of a number": ("x: int = 1", "x: int = 0x1"),
}
OTHER_CODE = {
    "operator": ("return x + 1", "return x - 1"),
    "constant": ("return x + 1", "return x + 2"),
    "type of a constant": ("return x + 1", "return x + 1.0"),
    "default": ("x: int = 1", "x: int = 2"),
    "name": ("method(self", "meth(self"),
    "annotation": ("-> int", "-> float"),
    "decorator": ("    def method", "    @typing.no_type_check\n    def method"),
    "order of statements": (
        "import PKG.plain\nfrom PKG import submodule",
        "from PKG import submodule\nimport PKG.plain",
    ),
    "a text that is no docstring": ("return x + 1", "'x'\n        return x + 1"),
    "true for one": ("return x + 1", "return x + True"),
}

clock = itertools.count(1_000_000_000)


def write(file, text):
    """Write a source file whose time differs from that of every other one, as an edit by hand would."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text).lstrip("\n"))
    stamp = next(clock)
    os.utime(file, (stamp, stamp))


class Tree:
    """A package on disk, importable under its own name."""

    def __init__(self, root, name="zz_tree"):
        self.root, self.name = root, name
        for file in PACKAGE:
            self.write(file, PACKAGE[file])

    def write(self, file, text):
        write(self.root / self.name / file, text.replace("PKG", self.name))

    def edit(self, file, old, new):
        assert old in PACKAGE[file]
        self.write(file, PACKAGE[file].replace(old, new))

    def digest(self, module="start"):
        return source_digest(f"{self.name}.{module}")

    def closure(self, module="start"):
        return {name.removeprefix(f"{self.name}.") for name in closure(f"{self.name}.{module}")}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    return Tree(tmp_path)


@pytest.mark.parametrize("change", SAME_CODE)
def test_what_is_only_written_differently_keeps_the_digest(tree, change):
    before = tree.digest()
    tree.edit("start.py", *SAME_CODE[change])
    assert tree.digest() == before


@pytest.mark.parametrize("change", OTHER_CODE)
def test_other_code_has_another_digest(tree, change):
    before = tree.digest()
    tree.edit("start.py", *OTHER_CODE[change])
    assert tree.digest() != before


@pytest.mark.parametrize("file", REACHED)
def test_change_of_a_reached_module_changes_the_digest(tree, file):
    before = tree.digest()
    tree.write(file, PACKAGE[file] + "\nADDED = 1\n")
    assert tree.digest() != before


@pytest.mark.parametrize("file", REACHED)
def test_comment_in_a_reached_module_keeps_the_digest(tree, file):
    before = tree.digest()
    tree.write(file, PACKAGE[file] + "\n# a remark\n")
    assert tree.digest() == before


@pytest.mark.parametrize("file", ["unreached.py", "typed.py", "typed_too.py"])
def test_change_of_a_module_that_is_not_reached_keeps_the_digest(tree, file):
    before = tree.digest()
    tree.write(file, "CHANGED = 1\n")
    assert tree.digest() == before


def test_closure_is_exactly_what_is_reached(tree):
    modules = {file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in REACHED}
    assert tree.closure() == {"start", "zz_tree", *modules} - {"__init__"}


def test_negated_type_checking_is_followed(tree):
    tree.write("start.py", "from typing import TYPE_CHECKING\nif not TYPE_CHECKING:\n    import PKG.lazy\n")
    assert "lazy" in tree.closure()


def test_import_in_every_kind_of_block_is_followed(tree):
    tree.write(
        "start.py",
        """
        try:
            import PKG.plain
        except ImportError:
            import PKG.lazy
        with open("x"):
            async def f():
                for x in ():
                    from PKG import named as n
        class C:
            def g(self):
                match self:
                    case _:
                        return lambda: __import__("PKG.unreached")
        """,
    )
    assert tree.closure() == {"start", "zz_tree", "plain", "second", "lazy", "named"}


def test_star_import_reaches_the_module(tree):
    tree.write("start.py", "from PKG.named import *\n")
    assert tree.closure() == {"start", "zz_tree", "named"}


def test_relative_import_in_a_package_starts_at_the_package(tree):
    tree.write("deep/__init__.py", "from . import inner\n")
    assert tree.closure("deep") == {"deep", "zz_tree", "deep.inner", "upper"}


def test_other_packages_are_left_out(tree, tmp_path):
    Tree(tmp_path, "zz_other")
    tree.write("start.py", "import json, zz_other.plain\nimport PKG.named\n")
    assert tree.closure() == {"start", "zz_tree", "named"}


def test_packages_named_are_followed(tree, tmp_path):
    Tree(tmp_path, "zz_other")
    tree.write("start.py", "import zz_other.submodule\nimport PKG.named\n")
    found = closure("zz_tree.start", packages=["zz_tree", "zz_other"])
    assert found == {"zz_tree", "zz_tree.start", "zz_tree.named", "zz_other", "zz_other.submodule"}


def test_core_reached_from_a_package_counts(tree):
    tree.write("start.py", "from faceassay import seeds\n")
    assert "faceassay.seeds" in tree.closure()


def test_nothing_is_imported(tree):
    for file in PACKAGE:
        tree.write(file, PACKAGE[file] + "\nraise SystemExit('imported')\n")
    tree.digest()
    assert not [name for name in sys.modules if name.startswith(tree.name)]


def test_digest_is_stable(tree):
    assert len({tree.digest() for _ in range(3)}) == 1


def test_digest_does_not_depend_on_the_place(tree, tmp_path, monkeypatch):
    before = tree.digest()
    moved = tmp_path / "elsewhere"
    Tree(moved)
    (tmp_path / tree.name).rename(tmp_path / "gone")
    monkeypatch.syspath_prepend(moved)
    assert module_file("zz_tree.start").is_relative_to(moved)
    assert tree.digest() == before


def test_same_code_under_another_name_has_another_digest(tree):
    tree.write("named_again.py", PACKAGE["named.py"])
    assert digest_of(["zz_tree.named"]) != digest_of(["zz_tree.named_again"])


def test_digest_is_that_of_the_closure(tree):
    assert tree.digest() == digest_of(sorted(closure("zz_tree.start"), reverse=True))


def test_code_moved_between_two_modules_changes_the_digest(tree):
    tree.write("start.py", "import PKG.plain, PKG.named\n")
    tree.write("plain.py", "A = 1\nB = 2\n")
    tree.write("named.py", "C = 3\n")
    before = tree.digest()
    tree.write("plain.py", "A = 1\n")
    tree.write("named.py", "B = 2\nC = 3\n")
    assert tree.digest() != before


SNIPPETS = r"""
x = None
x = 0
x = False
x = ''
x = b''
x = 0.0
x = ...
x: int
x: int = 0
(x): int
x += 0
x, = 0,
x = 0,
x = [0]
x = {0}
x = {0: 0}
x = {**y}
x[0]
x[0:]
x[:0]
x[::0]
x.y
x()
x(y)
x(*y)
x(y=y)
x(**y)
del x
return_ = x
lambda: 0
lambda x: 0
lambda *x: 0
lambda **x: 0
lambda x, /: 0
lambda *, x: 0
lambda x=0: 0
[x for x in y]
(x for x in y)
{x for x in y}
[x for x in y if x]
not x
-x
+x
x if y else z
x and y
x or y
x < y
x <= y
x < y < z
f'{x}'
f'{x!r}'
f'{x:y}'
import x
import x as y
from x import y
from . import x
from .. import x
from x import *
def x(): pass
async def x(): pass
def x(): return
def x(): return None
def x(): yield
def x(y): pass
class x: pass
class x(y): pass
class x(y=y): pass
if x: y
while x: y
for x in y: z
with x: y
with x as y: z
try: x\nexcept y: z
try: x\nfinally: z
try: x\nexcept y: z\nelse: w
raise x
raise x from y
raise
assert x
assert x, y
global x
pass
break_
""".strip().split("\n")


def test_different_code_never_has_the_same_digest(tree):
    digests = {}
    for snippet in SNIPPETS:
        code = snippet.replace("\\n", "\n")
        ast.parse(code)
        tree.write("start.py", code)
        digests.setdefault(digest_of(["zz_tree.start"]), []).append(snippet)
    assert [same for same in digests.values() if len(same) > 1] == []


def test_namespace_package_is_reached(tree, tmp_path):
    (tmp_path / tree.name / "__init__.py").unlink()
    tree.write("start.py", "from . import named\n")
    assert tree.closure() == {"start", "named"}


def test_package_wins_over_a_module_of_the_same_name(tree):
    tree.write("deep.py", "raise SystemExit\n")
    assert module_file("zz_tree.deep").name == "__init__.py"


def test_plain_module_without_package(tree, tmp_path):
    write(tmp_path / "zz_single.py", "import zz_single_no_such\nX = 1\n")
    assert closure("zz_single") == {"zz_single"}


def test_name_that_is_no_module_is_not_reached(tree):
    tree.write("start.py", "from PKG.named import thing, no_such\nimport PKG.no_such_module\n")
    assert tree.closure() == {"start", "zz_tree", "named"}


@pytest.mark.parametrize("module", ["zz_no_such", "zz_tree.no_such", "zz_tree.named.thing", "sys", "zz_tree.start.x"])
def test_module_without_source_is_a_clear_error(tree, module):
    with pytest.raises(FaceassayError, match=f"no source file for module '{module}': its code cannot be part of a key"):
        source_digest(module)


def test_missing_source_is_found_before_anything_is_hashed(tree):
    with pytest.raises(ModuleNotFoundError, match="'zz_no_such'"):
        digest_of(["zz_tree.named", "zz_no_such"])


SCOREMIX = "faceassay_plugins.augmentations.scoremix"


@pytest.mark.parametrize(
    "module",
    [
        SCOREMIX,
        "faceassay.sampling",
        "faceassay.denoising",
        "faceassay.contracts.generation",
        "faceassay_plugins.augmentations.pairs",
        "faceassay_plugins.selection",
    ],
)
def test_closure_of_scoremix_holds_what_makes_its_images(module):
    assert module in closure(SCOREMIX)


@pytest.mark.parametrize(
    "module",
    [
        "faceassay.store",
        "faceassay.tracking",
        "faceassay.progress",
        "faceassay.registry",
        "faceassay.run",
        "faceassay.keys",
        "faceassay.cli",
        "faceassay_plugins.registration",
        "faceassay_plugins.augmentations.auggen",
        "faceassay_plugins.generators.edm2.network",
        "faceassay_plugins.recognizers.iresnet.network",
    ],
)
def test_closure_of_scoremix_leaves_out_what_changes_no_image(module):
    assert module_file(module) is not None
    assert module not in closure(SCOREMIX)


def test_closure_of_the_generator_holds_its_network_and_training():
    found = closure("faceassay_plugins.generators.edm2.plugin")
    assert {f"faceassay_plugins.generators.edm2.{part}" for part in ("network", "training", "loss", "ema")} <= found


@pytest.mark.parametrize("kind", ["generator", "recognizer", "plan", "synthesis", "quality", "features", "evaluation"])
def test_core_closure_of_a_stage_stays_below_the_store(kind):
    above = {f"faceassay.{part}" for part in ("store", "graph", "run", "execute", "tracking", "report", "cli")}
    assert not closure(f"faceassay.stages.{kind}") & above


def test_core_closure_of_a_synthesis_holds_noise_seeds_and_shards():
    assert {"faceassay.seeds", "faceassay.shards", "faceassay.blocks"} <= closure("faceassay.stages.synthesis")


def test_digest_is_the_one_written_out_by_hand(tree):
    """The same on every Python: an upgrade must not throw away every artifact."""
    tree.write("named.py", '"""Doc."""\ndef f(x, *, y=None):\n    """Doc."""\n    return x[0], "é"\n')
    arguments = "arguments(args=arg(arg='x'),kwonlyargs=arg(arg='y'),kw_defaults=Constant(),)"
    item = "Subscript(value=Name(id='x')slice=Constant(value=0))"
    body = f"Return(value=Tuple(elts={item},Constant(value='é'),)),"
    text = f"Module(body=FunctionDef(name='f'args={arguments}body={body}),)"
    line = f"zz_tree.named:{hashlib.sha256(text.encode()).hexdigest()}\n"
    assert digest_of(["zz_tree.named"]) == hashlib.sha256(line.encode()).hexdigest()
