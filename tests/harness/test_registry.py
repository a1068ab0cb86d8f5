"""Plugins of tiny real distributions: the good are found; a broken one is listed with its reason and stops nobody."""

import importlib
import re
import sys
from importlib.metadata import EntryPoint, entry_points

import pytest

from faceassay import Augmentation, Recognizer, hookspecs
from faceassay.contracts import FaceassayError
from faceassay.registry import load_plugins

GOOD = '''
"""Own a plugin that does nothing, well."""

from typing import ClassVar

from faceassay import Augmentation, hookimpl, parameter


class Swirl(Augmentation):
    name: ClassVar[str] = "swirl"
    version: ClassVar[str] = "3"
    summary: ClassVar[str] = "Turns the middle of a face"

    turns: float = parameter(1.0, ge=0, le=4, description="how often")

    def planned_images(self, identities):
        return identities

    def plan(self, sources, run):
        raise NotImplementedError

    def render(self, sources, block, noise):
        raise NotImplementedError


@hookimpl
def faceassay_augmentations():
    return [Swirl]
'''


def variant(*replacements):
    """Return the good plugin with replacements made, each of a text that is really there."""
    source = GOOD
    for old, new in replacements:
        assert old in source
        source = source.replace(old, new)
    return source


def hook(body):
    return variant(("return [Swirl]", body))


BROKEN = {
    "import raises": (
        variant(("class Swirl", "raise OSError('no licence\\nfound')\n\n\nclass Swirl")),
        "OSError: no licence found",
    ),
    "import ends the program": ("import sys\n\nsys.exit('needs a display')\n", "SystemExit: needs a display"),
    "syntax error": (variant(("def plan(", "def plan[(")), "SyntaxError"),
    "missing dependency": ("import no_such_dependency_of_ours\n", "no_such_dependency_of_ours"),
    "misspelt hook": (
        variant(("faceassay_augmentations", "faceassay_augmentation")),
        "unknown hook 'faceassay_augmentation'; did you mean 'faceassay_augmentations'",
    ),
    "unheard-of hook": (variant(("faceassay_augmentations", "zoo")), "unknown hook 'zoo'; known hooks: faceassay_"),
    "unmarked hook": (variant(("@hookimpl", "")), "implements no hook: mark one with @faceassay.hookimpl"),
    "hook takes an argument": (variant(("augmentations()", "augmentations(registry)")), "registry"),
    "hook raises": (hook("raise RuntimeError('out of luck')"), "RuntimeError: out of luck"),
    "hook returns no class": (hook("return ['swirl']"), "'swirl', which is no subclass of Augmentation"),
    "hook returns an instance": (hook("return [Swirl()]"), "Swirl.*which is no subclass of Augmentation"),
    "hook returns a bare class": (hook("return Swirl"), "faceassay_augmentations returned .*no list of classes"),
    "wrong contract": (
        variant(("faceassay_augmentations", "faceassay_recognizers")),
        "faceassay_recognizers returned .*Swirl.*no subclass of Recognizer",
    ),
    "abstract method missing": (variant(("def render", "def rendr")), "Swirl does not implement render$"),
    "no version": (variant(('    version: ClassVar[str] = "3"\n', "")), "Swirl sets no class attribute version"),
    "version is a number": (variant(('version: ClassVar[str] = "3"', "version: ClassVar[int] = 3")), "version"),
    "name is a parameter": (variant(("name: ClassVar[str]", "name: str")), "Swirl sets no class attribute name"),
    "nothing set": (
        variant(
            ('    name: ClassVar[str] = "swirl"\n', ""),
            ('    version: ClassVar[str] = "3"\n', ""),
            ('    summary: ClassVar[str] = "Turns the middle of a face"\n', ""),
        ),
        "no class attribute name, version, summary",
    ),
    "parameter called plugin": (variant(("turns: float", "plugin: float")), "a parameter plugin, a word of the spec"),
    "parameter called identities": (
        variant(("turns: float", "identities: float")),
        "a parameter identities, a word of the spec",
    ),
    "same name twice": (hook("return [Swirl, Swirl]"), "registers the augmentation 'swirl' twice"),
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a distribution of one module below tmp_path; its modules are forgotten after."""

    def installed(distribution, source, *, version="1.0", points=None, module=None):
        site = tmp_path / distribution
        module = module or distribution.replace("-", "_")
        package = site / module
        metadata = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        entries = points or {module: f"{module}.registration"}
        files = {
            package / "__init__.py": "",
            package / "registration.py": source,
            metadata / "METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n",
            metadata / "entry_points.txt": "\n".join(["[faceassay]", *(f"{n} = {v}" for n, v in entries.items())]),
        }
        metadata.mkdir(parents=True)
        package.mkdir()
        for file, text in files.items():
            file.write_text(text)
        record = [f"{file.relative_to(site).as_posix()},," for file in (*files, metadata / "RECORD")]
        (metadata / "RECORD").write_text("\n".join(record) + "\n")
        monkeypatch.syspath_prepend(site)
        importlib.invalidate_caches()

    before = set(sys.modules)
    yield installed
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture(scope="module")
def bundled():
    """Return the plugins that are there before anything else is installed."""
    return load_plugins()


def good_called(name):
    return variant(('"swirl"', repr(name)))


def test_third_party_augmentation_is_found(install):
    install("swirl-faces", GOOD)
    assert load_plugins().get("augmentation", "swirl").summary == "Turns the middle of a face"


def test_origin_names_distribution_version_and_entry_point(install):
    install("swirl-faces", GOOD, version="2.4.1")
    origin = load_plugins().origins["augmentation", "swirl"]
    assert (origin.distribution, origin.version, origin.entry_point) == ("swirl-faces", "2.4.1", "swirl_faces")


def test_origin_of_a_bundled_plugin_is_the_harness_itself(bundled):
    assert bundled.origins["augmentation", "scoremix"].distribution == "faceassay"


def test_loaded_class_validates_its_parameters(install):
    install("swirl-faces", GOOD)
    swirl = load_plugins().get("augmentation", "swirl")
    assert swirl(turns=2).turns == 2
    with pytest.raises(ValueError, match="less than or equal to 4"):
        swirl(turns=5)


def test_entry_point_may_name_an_object(install):
    as_method = "class Offer:\n  @hookimpl\n  def faceassay_augmentations(self):"
    source = variant(("@hookimpl\ndef faceassay_augmentations():", as_method)) + "\n\noffer = Offer()\n"
    install("swirl-faces", source, points={"offer": "swirl_faces.registration:offer"})
    assert "swirl" in load_plugins().names("augmentation")


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_plugin_is_listed_with_its_reason(install, fault):
    source, reason = BROKEN[fault]
    install("sour-faces", source)
    (broken,) = load_plugins().broken
    assert re.search(reason, broken.reason)
    assert "\n" not in broken.reason


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_plugin_is_listed_with_origin_and_traceback(install, fault):
    install("sour-faces", BROKEN[fault][0], version="0.3")
    (broken,) = load_plugins().broken
    assert str(broken.origin) == "sour-faces 0.3 (entry point 'sour_faces')"
    assert broken.details.startswith("Traceback (most recent call last):")


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_plugin_stops_nobody_else(install, bundled, fault):
    install("after-faces", good_called("after"))
    install("sour-faces", BROKEN[fault][0].replace('"swirl"', '"sour"'))
    install("zest-faces", good_called("zest"))
    loaded = load_plugins()
    assert set(loaded.classes) == {*bundled.classes, ("augmentation", "after"), ("augmentation", "zest")}


def test_entry_point_to_a_missing_module_is_listed(install):
    install("sour-faces", GOOD, points={"sour": "sour_faces.registratoin"})
    assert re.search("No module named 'sour_faces.registratoin'", load_plugins().broken[0].reason)


def test_entry_point_to_a_missing_object_is_listed(install):
    install("sour-faces", GOOD, points={"sour": "sour_faces.registration:offer"})
    assert re.search("AttributeError: .*offer", load_plugins().broken[0].reason)


def test_only_the_broken_entry_point_of_a_distribution_is_lost(install):
    points = {"sour": "swirl_faces.nowhere", "swirl": "swirl_faces.registration"}
    install("swirl-faces", GOOD, points=points)
    loaded = load_plugins()
    assert [broken.origin.entry_point for broken in loaded.broken] == ["sour"]
    assert "swirl" in loaded.names("augmentation")


def test_an_interruption_while_loading_goes_through(install):
    install("sour-faces", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_plugins()


def test_name_of_a_bundled_plugin_cannot_be_displaced(install, bundled):
    install("aaa-faces", good_called("scoremix"))
    loaded = load_plugins()
    assert loaded.get("augmentation", "scoremix") is bundled.get("augmentation", "scoremix")
    assert loaded.origins["augmentation", "scoremix"].distribution == "faceassay"


def test_duplicate_names_both_distributions(install):
    install("aaa-faces", good_called("scoremix"), version="7.0")
    (broken,) = load_plugins().broken
    assert broken.origin.distribution == "aaa-faces"
    assert re.search("registers the augmentation 'scoremix', which faceassay .* has already", broken.reason)


def test_plugin_with_one_taken_name_is_refused_as_a_whole(install):
    more = "return [Swirl, type('Twist', (Swirl,), {'name': 'scoremix', '__module__': __name__})]"
    install("swirl-faces", hook(more))
    assert "swirl" not in load_plugins().names("augmentation")


@pytest.mark.parametrize("order", [("kiwi-faces", "plum-faces"), ("plum-faces", "kiwi-faces")])
def test_of_two_strangers_the_first_by_name_keeps_the_name(install, order):
    for distribution in order:
        install(distribution, GOOD)
    loaded = load_plugins()
    assert loaded.origins["augmentation", "swirl"].distribution == "kiwi-faces"
    assert [broken.origin.distribution for broken in loaded.broken] == ["plum-faces"]


def test_one_name_in_two_kinds_is_no_duplicate(install):
    install("swirl-faces", good_called("iresnet"))
    loaded = load_plugins()
    assert {kind for kind, _ in loaded.find("iresnet")} == {"augmentation", "recognizer"}
    assert issubclass(loaded.get("recognizer", "iresnet"), Recognizer)
    assert issubclass(loaded.get("augmentation", "iresnet"), Augmentation)


def test_order_does_not_depend_on_the_order_of_discovery(install):
    for distribution, source in {
        "sour-faces": BROKEN["hook raises"][0],
        "swirl-faces": GOOD,
        "acid-faces": BROKEN["syntax error"][0],
    }.items():
        install(distribution, source)
    found = list(entry_points(group="faceassay"))
    forwards, backwards = load_plugins(found), load_plugins(reversed(found))
    assert list(forwards.classes) == list(backwards.classes)
    assert [b.origin.distribution for b in backwards.broken] == ["acid-faces", "sour-faces"]
    assert [b.origin for b in forwards.broken] == [b.origin for b in backwards.broken]


def test_harness_comes_first_whatever_the_names_of_others(install):
    install("aaa-faces", good_called("aaa"))
    assert list(load_plugins().origins.values())[-1].distribution == "aaa-faces"


def test_names_are_sorted_and_of_one_kind(install):
    install("swirl-faces", good_called("aaa"))
    names = load_plugins().names("augmentation")
    assert names == sorted(names)
    assert names[0] == "aaa"
    assert "iresnet" not in names


def test_loading_again_starts_afresh(install, bundled):
    install("sour-faces", BROKEN["hook raises"][0])
    load_plugins()
    assert load_plugins([]).classes == {}
    assert len(load_plugins().broken) == 1
    assert load_plugins().classes == bundled.classes


def test_nothing_is_registered_without_entry_points():
    assert load_plugins([]).broken == ()


def test_entry_point_without_a_distribution_is_named_all_the_same():
    (broken,) = load_plugins([EntryPoint("stray", "no_such_module_of_ours", "faceassay")]).broken
    assert re.search("unknown distribution .*'stray'", str(broken.origin))


def test_unknown_name_suggests_the_nearest(bundled):
    with pytest.raises(FaceassayError, match="no augmentation plugin is called 'scoremx'; did you mean 'scoremix'"):
        bundled.get("augmentation", "scoremx")


def test_unknown_name_without_a_near_one_lists_the_known(bundled):
    with pytest.raises(FaceassayError, match="known: auggen, blend, id3, repro, scoremix"):
        bundled.get("augmentation", "zzzzzz")


def test_unknown_name_of_an_empty_kind_says_so():
    with pytest.raises(FaceassayError, match="no dataset plugin is called 'orl'; known: none"):
        load_plugins([]).get("dataset", "orl")


def test_name_of_another_kind_is_unknown(bundled):
    with pytest.raises(FaceassayError, match="no generator plugin is called 'scoremix'"):
        bundled.get("generator", "scoremix")


def test_unknown_name_mentions_the_plugins_that_did_not_load(install):
    install("sour-faces", BROKEN["hook raises"][0], version="0.3")
    with pytest.raises(FaceassayError, match=r"Note: sour-faces 0\.3 .*did not load: RuntimeError: out of luck"):
        load_plugins().get("augmentation", "swirl")


def test_find_of_an_unknown_name_is_empty(bundled):
    assert bundled.find("nobody") == []


def test_bundled_plugins_all_load(bundled):
    assert bundled.broken == ()


@pytest.mark.parametrize("kind", hookspecs.KINDS)
def test_every_kind_has_a_bundled_implementation(bundled, kind):
    assert bundled.names(kind)


def test_every_hook_belongs_to_a_kind():
    hooks = {name for name in vars(hookspecs) if name.startswith("faceassay_")}
    assert hooks == {f"faceassay_{kind}s" for kind in hookspecs.KINDS}


PREDICTOR = variant(
    ("Augmentation, hookimpl", "Attribute, AttributePredictor, hookimpl"),
    ("class Swirl(Augmentation)", "class Swirl(AttributePredictor)"),
    ("def planned_images(self, identities):\n        return identities", "def columns(self):\n        return ()"),
    ("def plan(self, sources, run)", "def predict(self, images, item_ids)"),
    ("faceassay_augmentations", "faceassay_attributes"),
)


def test_a_predictor_of_attributes_is_found_by_its_hook(install):
    install("swirl-faces", PREDICTOR)
    registry = load_plugins()
    assert registry.broken == ()
    assert registry.get("attribute", "swirl").summary == "Turns the middle of a face"
    assert "swirl" not in registry.names("augmentation")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (hook("return [Swirl]").replace("faceassay_augmentations", "faceassay_attributes"), "AttributePredictor"),
        (PREDICTOR.replace("def predict", "def foretell"), "Swirl does not implement predict"),
        (PREDICTOR.replace("faceassay_attributes", "faceassay_attribute"), "did you mean 'faceassay_attributes'"),
    ],
    ids=["another kind", "no predict", "misspelt"],
)
def test_what_is_no_predictor_of_attributes_is_broken(install, source, reason):
    install("swirl-faces", source)
    (broken,) = load_plugins().broken
    assert reason in broken.reason
