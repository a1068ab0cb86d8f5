"""Keys: one text for one document, everything that changes bytes in it, nothing else."""

import hashlib
import json
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceassay.contracts import FaceassayError, data_paths
from faceassay.keys import Key, canonical, difference, digest, plugin_document

MODULE = '''
"""Own plugins whose keys are looked at."""

from typing import ClassVar

from faceassay import DataPath, DatasetPlugin, Plugin, parameter


class Frame(Plugin):
    name: ClassVar[str] = "frame"
    version: ClassVar[str] = "7"
    summary: ClassVar[str] = "Looks at its data"

    strength: float = parameter(0.5, ge=0, description="how much")
    steps: int = parameter(3, description="how often")
    names: frozenset[str] = parameter(frozenset(), description="for whom")
    picture: DataPath | None = parameter(None, description="a file")
    more: tuple[DataPath, ...] = parameter((), description="files")
    called: dict[str, DataPath] = parameter({}, description="files by name")


class Faces(DatasetPlugin):
    name: ClassVar[str] = "faces"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Faces in a folder"

    folder: DataPath = parameter(description="where")
    size: int = parameter(32, description="how large")

    def open(self):
        raise NotImplementedError


class Needy(Plugin):
    name: ClassVar[str] = "needy"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Needs a file"

    picture: DataPath = parameter(description="a file")
'''

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda x: x or math.copysign(1, x) > 0
)
scalars = st.none() | st.booleans() | numbers | st.text(max_size=8)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)

lookalikes = st.recursive(
    st.sampled_from([0, 0.0, False, None, "", "0", 1, 1.0, True, 10**16, 1e16]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=3,
)
"""Few documents, many of them equal in Python's eyes: 1 == 1.0 == True."""


def reordered(document):
    """Return an equal document whose names come in the opposite order everywhere."""
    if isinstance(document, dict):
        return {name: reordered(document[name]) for name in reversed(document)}
    return [reordered(inner) for inner in document] if isinstance(document, list) else document


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Return the module of the plugins, a real one on the import path."""
    (tmp_path / "zz_keyed").mkdir()
    (tmp_path / "zz_keyed" / "__init__.py").write_text("")
    (tmp_path / "zz_keyed" / "plugins.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))
    import zz_keyed.plugins

    yield zz_keyed.plugins
    for name in [name for name in sys.modules if name.startswith("zz_")]:
        del sys.modules[name]


@pytest.fixture
def picture(tmp_path):
    file = tmp_path / "picture.bin"
    file.write_bytes(b"a picture")
    return file


def edited(module, old, new):
    file = Path(module.__file__)
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    os.utime(file, (1_000_000_000, 1_000_000_000))


def key_of(plugin):
    return digest(plugin_document(plugin))


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({}, "{}"),
        ([], "[]"),
        (None, "null"),
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        ({"a": {"z": [], "y": {}}}, '{"a":{"y":{},"z":[]}}'),
        ([True, False, None, 0, 1], "[true,false,null,0,1]"),
        ((1, (2, 3)), "[1,[2,3]]"),
        ({"size": 2.0, "sizes": 2}, '{"size":2.0,"sizes":2}'),
        ([0.1, 1e-7, 1e22, 1 / 3], "[0.1,1e-07,1e+22,0.3333333333333333]"),
        (2**70, "1180591620717411303424"),
        ("é\n\"\\'", '"\\u00e9\\n\\"\\\\\'"'),
        ("\N{GRINNING FACE}", '"\\ud83d\\ude00"'),
        ({"é": 1, "z": 2, "Z": 3, "": 4}, '{"":4,"Z":3,"z":2,"\\u00e9":1}'),
    ],
)
def test_canonical_text(document, text):
    assert canonical(document) == text


@pytest.mark.parametrize(
    ("document", "sha256sum"),
    [
        ({"a": 1}, "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"),
        (
            {"values": [1, 2.5, True, None, 1e-7], "name": "é"},
            "790013a757349c773d069c320bfc15f9952f88e4c8162a8cffd03edaebe5cf0d",
        ),
    ],
)
def test_digest_is_what_sha256sum_prints_for_the_text(document, sha256sum):
    assert digest(document) == sha256sum


def test_key_has_the_digest_of_its_document():
    assert Key({"kind": "plan"}).digest == hashlib.sha256(b'{"kind":"plan"}').hexdigest()


def test_equal_keys_are_equal():
    assert Key({"a": 1, "b": 2}) == Key({"b": 2, "a": 1})


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, -0.0])
def test_ambiguous_number_is_refused(number):
    with pytest.raises(ValueError, match="cannot be part of a key"):
        digest(number)


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"plugin": {"parameters": {"mixing": -0.0}}}, r"^key\.plugin\.parameters\.mixing: -0\.0 cannot be part"),
        ({"weights": [0.5, math.nan]}, r"^key\.weights\[1\]: nan cannot be part"),
        ({"weights": [(1, {"x": (0, math.inf)})]}, r"^key\.weights\[0\]\[1\]\.x\[1\]: inf cannot be part"),
        ({"folder": Path("/data")}, r"^key\.folder: PosixPath\('/data'\) is no JSON value"),
        ({"names": [{"a"}]}, r"^key\.names\[0\]: \{'a'\} is no JSON value"),
        ({"by": {3: "c"}}, r"^key\.by: the name 3 cannot be part of a key"),
        ({None: 1}, r"^key: the name None cannot be part of a key"),
    ],
)
def test_refusal_names_the_place(document, place):
    with pytest.raises(FaceassayError, match=place):
        canonical(document)


def test_zero_is_no_minus_zero():
    assert canonical([0, 0.0]) == "[0,0.0]"


@given(documents)
def test_order_of_names_does_not_matter(document):
    assert digest(reordered(document)) == digest(document)


@given(documents)
def test_canonical_text_says_everything(document):
    assert json.loads(canonical(document)) == document


@given(lookalikes, lookalikes)
def test_digests_are_equal_exactly_when_the_texts_of_a_plain_json_writer_are(first, second):
    plain = [json.dumps(document, sort_keys=True) for document in (first, second)]
    assert (digest(first) == digest(second)) == (plain[0] == plain[1])


@given(documents)
def test_canonical_text_is_ascii_in_one_line(document):
    text = canonical(document)
    assert text.isascii()
    assert text.isprintable()


def test_plugin_document_holds_name_version_source_and_parameters(plugins):
    document = plugin_document(plugins.Frame(strength=2, names={"b", "a"}))
    assert re_hex(document.pop("source"))
    assert document == {
        "name": "frame",
        "version": "7",
        "parameters": {
            "strength": 2.0,
            "steps": 3,
            "names": ["a", "b"],
            "picture": None,
            "more": [],
            "called": {},
        },
    }


def re_hex(text):
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def test_default_written_out_is_the_same_key(plugins):
    assert key_of(plugins.Frame(strength=0.5, steps=3)) == key_of(plugins.Frame())


def test_whole_number_for_a_fraction_is_the_same_key(plugins):
    assert key_of(plugins.Frame(strength=2)) == key_of(plugins.Frame(strength=2.0))


@pytest.mark.parametrize("change", [{"strength": 0.25}, {"steps": 4}, {"names": {"a"}}])
def test_other_parameter_is_another_key(plugins, change):
    assert key_of(plugins.Frame(**change)) != key_of(plugins.Frame())


def test_changed_code_is_another_key(plugins):
    before = key_of(plugins.Frame())
    edited(plugins, "class Needy", "HELLO = 1\n\n\nclass Needy")
    assert key_of(plugins.Frame()) != before


def test_comment_is_the_same_key(plugins):
    before = key_of(plugins.Frame())
    edited(plugins, "class Needy", "# hello\n\n\nclass Needy")
    assert key_of(plugins.Frame()) == before


def test_other_version_is_another_key(plugins, monkeypatch):
    before = key_of(plugins.Frame())
    monkeypatch.setattr(plugins.Frame, "version", "8")
    assert key_of(plugins.Frame()) != before


def test_base_class_of_another_package_is_part_of_the_source(plugins, tmp_path):
    """A stranger's plugin that inherits from a bundled one changes with the bundled one."""
    (tmp_path / "zz_heir.py").write_text("from zz_keyed.plugins import Frame\n\n\nclass Heir(Frame):\n    pass\n")
    import zz_heir

    before = key_of(zz_heir.Heir())
    edited(plugins, "class Needy", "HELLO = 1\n\n\nclass Needy")
    assert key_of(zz_heir.Heir()) != before


def test_set_is_the_same_key_in_every_process(plugins, tmp_path):
    program = textwrap.dedent("""
        from zz_keyed.plugins import Frame
        from faceassay.keys import plugin_document
        print(plugin_document(Frame(names={"s" + str(i) for i in range(20)})))
    """)
    documents = set()
    for hash_seed in "12":
        settings = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONHASHSEED": hash_seed}
        run = subprocess.run([sys.executable, "-c", program], env=settings, capture_output=True, text=True, check=True)
        documents.add(run.stdout)
    assert len(documents) == 1


def test_data_path_is_replaced_by_the_sha256_of_the_file(plugins, picture):
    parameters = plugin_document(plugins.Needy(picture=picture))["parameters"]
    assert parameters == {"picture": {"fingerprint": hashlib.sha256(b"a picture").hexdigest()}}


def test_no_path_is_left_in_the_document(plugins, picture, tmp_path):
    frame = plugins.Frame(picture=picture, more=[picture], called={"it": picture})
    assert str(tmp_path) not in canonical(plugin_document(frame))


def test_same_content_elsewhere_is_the_same_key(plugins, picture, tmp_path):
    copy = tmp_path / "sub" / "other-name.bin"
    copy.parent.mkdir()
    copy.write_bytes(b"a picture")
    assert key_of(plugins.Needy(picture=copy)) == key_of(plugins.Needy(picture=picture))


def test_changed_content_is_another_key(plugins, picture):
    needy = plugins.Needy(picture=picture)
    before = key_of(needy)
    picture.write_bytes(b"b picture")
    assert key_of(needy) != before


def test_folder_counts_with_all_its_files(plugins, tmp_path):
    (tmp_path / "data" / "sub").mkdir(parents=True)
    needy = plugins.Needy(picture=tmp_path / "data")
    keys = [key_of(needy)]
    for name, content in {"sub/a": b"1", "b": b"1", "sub/a ": b"2"}.items():
        (tmp_path / "data" / name).write_bytes(content)
        keys.append(key_of(needy))
    assert len(set(keys)) == 4


@pytest.mark.parametrize(
    "given_as",
    [lambda path: {"picture": path}, lambda path: {"more": (path,)}, lambda path: {"called": {"it": path}}],
    ids=["optional", "tuple", "mapping"],
)
def test_data_path_inside_another_type_counts_by_content(plugins, picture, tmp_path, given_as):
    first = key_of(plugins.Frame(**given_as(picture)))
    moved = picture.rename(tmp_path / "moved.bin")
    assert key_of(plugins.Frame(**given_as(moved))) == first
    moved.write_bytes(b"another")
    assert key_of(plugins.Frame(**given_as(moved))) != first


def test_names_of_a_mapping_of_data_paths_count(plugins, picture):
    assert key_of(plugins.Frame(called={"a": picture})) != key_of(plugins.Frame(called={"b": picture}))


def test_data_paths_are_found_in_every_type(plugins, picture):
    frame = plugins.Frame(picture=picture, more=[picture])
    assert data_paths(frame) == {"picture": picture, "more": (picture,), "called": {}}


def test_path_of_a_dataset_is_left_out(plugins, tmp_path):
    """The fingerprint of the opened data stands beside the document of its plugin."""
    assert plugin_document(plugins.Faces(folder=tmp_path, size=16))["parameters"] == {"size": 16}


def test_plugin_without_source_has_no_key(plugins):
    homeless = type("Homeless", (plugins.Frame,), {"__module__": "zz_nowhere"})
    with pytest.raises(FaceassayError, match="no source file for module 'zz_nowhere'"):
        plugin_document(homeless())


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"seed": 1}, {"seed": 2}, ["seed: 1 in the first, 2 in the second"]),
        (
            {"plugin": {"name": "iresnet", "parameters": {"epochs": 30}}},
            {"plugin": {"name": "iresnet", "parameters": {"epochs": 40}}},
            ["plugin.parameters.epochs: 30 in the first, 40 in the second"],
        ),
        ({"a": 1}, {}, ["a: only in the first"]),
        ({}, {"x": {"y": 1}}, ["x: only in the second"]),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, ["a.b: only in the first", "a.c: only in the second"]),
        ({"depth": [1, 1]}, {"depth": [1, 2]}, ["depth: [1, 1] in the first, [1, 2] in the second"]),
        ({"a": None}, {}, ["a: only in the first"]),
        ({"a": {}}, {"a": 1}, ["a: {} in the first, 1 in the second"]),
        ({"a": 1}, {"a": 1.0}, ["a: 1 in the first, 1.0 in the second"]),
        ({"a": True}, {"a": 1}, ["a: True in the first, 1 in the second"]),
        ({"a": (1, 2)}, {"a": [1, 2]}, []),
        (
            {"b": 1, "a": 1},
            {"a": 2, "b": 2},
            ["a: 1 in the first, 2 in the second", "b: 1 in the first, 2 in the second"],
        ),
    ],
)
def test_difference_in_words(first, second, words):
    assert difference(first, second) == words


@given(*[st.dictionaries(st.sampled_from("ab"), lookalikes)] * 2)
def test_there_is_a_difference_exactly_when_the_digests_differ(first, second):
    assert bool(difference(first, second)) == (digest(first) != digest(second))


@given(st.dictionaries(st.text(max_size=2), documents, max_size=3))
def test_every_line_of_a_difference_from_nothing_names_its_side(document):
    assert difference(document, {}) == [f"{name}: only in the first" for name in sorted(document)]
