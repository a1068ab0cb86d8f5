"""From a matrix file to plugins: every mistake refused, at its place, with its remedy, all of them together."""

import copy
import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faceassay.registry import Registry, load_plugins
from faceassay.spec import SpecError, read_matrix
from matrices import MATRIX, changed, position


@pytest.fixture(scope="session")
def registry():
    return load_plugins()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder that holds the data folders; what they hold is not read here."""
    folder = tmp_path_factory.mktemp("spec")
    for name in ("train", "test"):
        (folder / name).mkdir()
    return folder


@pytest.fixture
def read(registry, folder):
    """Return a function that reads a text as ``m.yaml``."""

    def read(text, profile=None):
        path = folder / "m.yaml"
        path.write_text(text, encoding="utf-8")
        return read_matrix(path, registry, profile)

    return read


@pytest.fixture
def refused(read):
    """Return a function that reads a text and returns its problems as (line, column, message)."""

    def refused(text, profile=None):
        with pytest.raises(SpecError) as caught:
            read(text, profile)
        return [(p.place.line, p.place.column, p.message) for p in caught.value.problems]

    return refused


@pytest.fixture
def refused_once(refused):
    """Return a function that checks that a text has one problem, at a fragment, whose message matches."""

    def check(text, fragment, message, occurrence=1, profile=None):
        ((line, column, said),) = refused(text, profile)
        assert (line, column) == position(text, fragment, occurrence)
        assert re.search(message, said), said

    return check


# A valid matrix


def test_a_valid_matrix_becomes_plugins(read):
    matrix = read(MATRIX)
    assert (matrix.generator.name, matrix.generator.channels) == ("edm2", 8)
    assert (matrix.recognizer.name, matrix.recognizer.depth) == ("iresnet", (1, 1, 1, 1))
    assert [method.name for method in matrix.methods] == ["Real", "Blend + real", "ScoreMix"]
    assert [method.uses_real for method in matrix.methods] == [True, True, False]
    assert [method.augmentation and method.augmentation.name for method in matrix.methods] == [
        None,
        "blend",
        "scoremix",
    ]
    assert [(b.name, b.data, b.protocol.name) for b in matrix.benchmarks] == [("pairs", "test", "pair-verification")]


def test_what_is_left_out_has_its_default(read):
    spec = read(MATRIX).spec
    assert (spec.base_seed, spec.generator_seed, spec.title, spec.notes) == (0, 0, "", [])
    assert spec.quality.find_faces is False


def test_the_baseline_is_the_first_row_by_default(read):
    assert read(MATRIX).baseline == "Real"
    assert read(changed(("train: train\n", "train: train\nbaseline: ScoreMix\n"))).baseline == "ScoreMix"


def test_a_matrix_knows_where_its_parts_stand(read):
    matrix = read(MATRIX)
    places = [
        matrix.data["test"].place,
        matrix.methods[1].place,
        matrix.benchmarks[0].place,
        matrix.located.place(("generator",)),
    ]
    fragments = ["{plugin: folder, path: test", "name: Blend", "name: pairs", "plugin: edm2"]
    assert [(place.line, place.column) for place in places] == [position(MATRIX, fragment) for fragment in fragments]


def test_a_matrix_without_generator_is_valid_when_nothing_needs_one(read):
    start, end = MATRIX.index("generator:"), MATRIX.index("recognizer:")
    mixed, benchmarks = MATRIX.index("  - name: ScoreMix"), MATRIX.index("benchmarks:")
    matrix = read(MATRIX[:start] + MATRIX[end:mixed] + MATRIX[benchmarks:])
    assert matrix.generator is None


def test_the_bundled_demo_is_valid_in_every_profile(registry, pytestconfig):
    path = pytestconfig.rootpath / "reports" / "demo" / "matrix.yaml"
    for profile in (None, *yaml.safe_load(path.read_text())["profiles"]):
        assert read_matrix(path, registry, profile).methods


# Plugins and their parameters


@pytest.mark.parametrize(
    ("old", "new", "fragment", "message"),
    [
        ("plugin: edm2", "plugin: edm", "edm\n", r"no generator plugin is called 'edm'; did you mean 'edm2'\?"),
        ("plugin: iresnet", "plugin: irsnet", "irsnet", r"no recognizer plugin .*did you mean 'iresnet'\?"),
        ("plugin: blend", "plugin: blnd", "blnd", r"no augmentation plugin .*did you mean 'blend'\?"),
        ("plugin: pair-verification", "plugin: pairs-verification", "pairs-v", r"did you mean 'pair-verification' or"),
        ("{plugin: folder, path: train", "{plugin: foldr, path: train", "foldr", r"did you mean 'folder'\?"),
        ("plugin: blend", "plugin: edm2", "edm2", r"no augmentation plugin is called 'edm2'; known: .*blend"),
        ("plugin: blend", "plugin: ''", "''", r"no augmentation plugin is called ''; known: "),
    ],
)
def test_an_unknown_plugin_is_refused_with_the_nearest_name(refused_once, old, new, fragment, message):
    text = changed((old, new))
    refused_once(text, fragment, message, occurrence=2 if fragment == "edm2" else 1)


@pytest.mark.parametrize("choice", ["blend", "[blend]", "{pairs: 3}", "{plugin: 3, pairs: 3}", "{plugin: [blend]}"])
def test_a_choice_that_names_no_plugin_is_refused_with_its_form(refused, choice):
    text = changed(("{plugin: blend, pairs: 3, images_per_pair: 2}", choice))
    said = [message for *place, message in refused(text) if tuple(place) == position(text, choice)]
    assert any("'plugin: NAME' and the parameters of this augmentation" in message for message in said)


@pytest.mark.parametrize(
    ("old", "new", "fragment", "message"),
    [
        ("width: 4", "wdth: 4", "4\n  embedding", r"recognizer.wdth: unknown parameter; did you mean 'width'"),
        ("pairs: 3, images_per_pair: 2}", "pears: 3}", "3}", r"augmentation.pears: unknown .*did you mean 'pairs'"),
        ("folds: 2", "fold: 2", "2}\n", r"protocol.fold: unknown parameter; did you mean 'folds'"),
        ("path: test", "path: test, imagesize: 3", "3, image_size", r"imagesize: .*did you mean 'image_size'"),
        ("threads: 1", "thraeds: 1", "1\ndata", r"thraeds: unknown parameter; did you mean 'threads'"),
        ("group: FR_real", "group: FR_real\n    note_: x", "x\n", r"methods.0.note_: .*did you mean 'note'"),
        ("data: test\n", "data: test\n    dta: xx\n", "xx\n", r"benchmarks.0.dta: .*did you mean 'data'"),
        ("train: train\n", "train: train\nquality: {faces: true}\n", "true", r"quality.faces: .*'face_score'"),
    ],
)
def test_an_unknown_parameter_is_refused_with_the_nearest_name(refused, old, new, fragment, message):
    text = changed((old, new))
    occurrence = {"2}\n": 3, "3}": 1}.get(fragment, 1)
    (line, column, said), *more = refused(text)
    assert re.search(message, said), said
    assert (line, column) == position(text, fragment, occurrence)
    assert more == []


@pytest.mark.parametrize("kind", ["plugin: edm2", "plugin: iresnet", "{plugin: blend", "{plugin: pair-verification"])
def test_identities_are_a_word_of_data_only(refused, kind):
    separator = ", " if kind.startswith("{") else "\n  "
    ((_, _, said),) = refused(changed((kind, f"{kind}{separator}identities: s1..s2")))
    assert "identities: unknown parameter" in said


@pytest.mark.parametrize(
    ("old", "new", "fragment", "message"),
    [
        ("channels: 8", "channels: 7", "7", r"generator.channels: .*greater than or equal to 8 \(got 7\)"),
        ("learning_rate: 0.01", "learning_rate: 0", "0\nrec", r"generator.learning_rate: .*greater than 0 \(got 0\)"),
        ("image_size: 16\n  updates", "image_size: 24\n  updates", "24", r"image_size: .*multiple of 16 \(got 24\)"),
        ("steps: 2", "steps: 1001", "1001", r"augmentation.steps: .*less than or equal to 1000 \(got 1001\)"),
        ("folds: 2", "folds: 1", "1}", r"protocol.folds: .*greater than or equal to 2 \(got 1\)"),
        (
            "channel_multipliers: [1, 1]",
            "channel_multipliers: [1, 0]",
            "0]\n  blocks",
            r"channel_multipliers.1: .*\(got 0\)",
        ),
        ("channel_multipliers: [1, 1]", "channel_multipliers: []", "[]", r"channel_multipliers: .*at least 1 item"),
        ("threads: 1", "threads: 0", "0\ndata", r"threads: .*greater than or equal to 1 \(got 0\)"),
        ("seeds: [0]", "seeds: [0, 4294967296]", "4294967296", r"seeds.1: .*less than 4294967296"),
        ("seeds: [0]", "seeds: []", "[]", r"seeds: .*at least 1 item"),
        ("learning_rate: 0.01", "learning_rate: .inf", ".inf", r"generator.learning_rate: .*finite"),
        ("learning_rate: 0.01", "learning_rate: .nan", ".nan", r"generator.learning_rate: .*finite"),
        ("name: tiny", "name: 'ti ny'", "'ti ny'", r"name: String should match pattern"),
        ("schema: 1", "schema: 2", "2", r"schema: this version of faceassay reads schema 1 \(got 2\)"),
        ("group: FR_real", "group: FR_rael", "FR_rael", r"methods.0.group: .*'FR_syn', 'FR_real' or 'FR_mix'"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_the_bound(refused_once, old, new, fragment, message):
    refused_once(changed((old, new)), fragment, message)


@pytest.mark.parametrize(
    ("old", "new", "fragment", "message"),
    [
        ("channels: 8", "channels: eight", "eight", r"valid integer \(got 'eight'\)"),
        ("channels: 8", "channels: '8'", "'8'", r"valid integer \(got '8'\)"),
        ("channels: 8", "channels: 8.0", "8.0", r"valid integer \(got 8.0\)"),
        ("channels: 8", "channels: true", "true", r"valid integer \(got True\)"),
        ("channels: 8", "channels: [8]", "[8]", r"generator.channels: Input should be a valid integer"),
        ("channels: 8", "channels: null", "null", r"valid integer \(got None\)"),
        ("learning_rate: 0.01", "learning_rate: '0.01'", "'0.01'", r"valid number \(got '0.01'\)"),
        ("learning_rate: 0.01", "learning_rate: true", "true", r"valid number \(got True\)"),
        ("path: train", "path: 3", "3, image", r"valid string \(got 3\)"),
        ("plugin: pair-verification", "plugin: pair-verification, flip: 1", "1, folds", r"valid boolean \(got 1\)"),
        ("plugin: pair-verification", "plugin: pair-verification, flip: 'true'", "'true'", r"valid boolean"),
        ("seeds: [0]", "seeds: 0", "0\nthr", r"seeds: Input should be a valid (list|array)"),
        ("seeds: [0]", "seeds: [false]", "false", r"seeds.0: .*valid integer \(got False\)"),
        ("seeds: [0]", "seeds: [0.0]", "0.0", r"seeds.0: .*valid integer \(got 0.0\)"),
        ("schema: 1", "schema: true", "true", r"schema: Input should be a valid integer"),
        ("schema: 1", "schema: '1'", "'1'", r"schema: Input should be a valid integer"),
        ("name: tiny", "name: 3", "3\nseeds", r"name: Input should be a valid string"),
        ("name: Real", "name: true", "true", r"methods.0.name: Input should be a valid string"),
    ],
)
def test_a_value_of_another_type_is_refused_never_converted(refused_once, old, new, fragment, message):
    refused_once(changed((old, new)), fragment, message)


def test_a_whole_number_is_a_number(read):
    generator = read(changed(("learning_rate: 0.01", "learning_rate: 1"))).generator
    assert (generator.learning_rate, type(generator.learning_rate)) == (1.0, float)


def test_parameters_that_contradict_each_other_are_refused(refused_once):
    text = changed(("updates: 2", "updates: 2\n  epochs: 3"))
    refused_once(text, "plugin: iresnet", "recognizer: give the length of the training once: as epochs or as updates")


@pytest.mark.parametrize(
    ("old", "fragment", "name"),
    [
        ("name: tiny\n", "schema", "name"),
        ("seeds: [0]\n", "schema", "seeds"),
        ("schema: 1\n", "name", "schema"),
        ("    group: FR_real\n", "name: Real", "methods.0.group"),
        ("path: train, ", "{plugin", "data.train.path"),
    ],
)
def test_a_missing_value_is_refused_at_what_should_hold_it(refused_once, old, fragment, name):
    refused_once(changed((old, "")), fragment, f"^{name}: Field required$")


def test_a_benchmark_without_the_data_that_its_protocol_is_made_from_is_refused(refused_once):
    said = "protocol 'pair-verification' needs 'data: NAME' of an entry of data"
    refused_once(changed(("    data: test\n", "")), "name: pairs", said)


# Several mistakes at once


def test_every_mistake_of_a_file_is_reported_with_file_line_and_column(read, folder):
    text = changed(
        ("channels: 8", "channels: 4"),
        ("width: 4", "wdth: 4"),
        ("plugin: blend", "plugin: blnd"),
        ("folds: 2", "folds: two"),
        ("train: train\n", "train: trian\n"),
    )
    with pytest.raises(SpecError) as caught:
        read(text)
    path = folder / "m.yaml"
    assert sorted(str(caught.value).splitlines()) == sorted(
        [
            f"{path}:8:8: no entry of data is called 'trian'; did you mean 'train'?",
            f"{path}:11:13: generator.channels: Input should be greater than or equal to 8 (got 4)",
            f"{path}:21:9: recognizer.wdth: unknown parameter; did you mean 'width' or 'depth'?",
            f"{path}:31:28: no augmentation plugin is called 'blnd'; did you mean 'blend'?",
            f"{path}:38:50: benchmarks.0.protocol.folds: Input should be a valid integer (got 'two')",
        ]
    )


def test_mistakes_in_the_shape_and_in_parameters_are_reported_together(refused):
    text = changed(("threads: 1", "threads: none"), ("channels: 8", "channels: 4"), ("steps: 2", "steps: 1"))
    assert {(line, column) for line, column, _ in refused(text)} == {
        position(text, "none"),
        position(text, "4\n"),
        position(text, "1}\n"),
    }


def test_mistakes_in_yaml_and_in_parameters_are_reported_together(refused):
    text = changed(("learning_rate: 0.01", "learning_rate: 1e-4"), ("width: 4", "width: 0"))
    (first, second) = refused(text)
    assert first[:2] == position(text, "1e-4")
    assert second[:2] == position(text, "0\n  embedding")


def test_a_value_that_cannot_be_read_is_not_complained_about_again(refused_once):
    refused_once(changed(("channels: 8", "channels: 1_6")), "1_6", "write the number plainly")


def test_a_file_that_is_not_yaml_is_one_problem(refused_once):
    refused_once(changed(("threads: 1", "threads: @")), "@", "^not YAML: ")


def test_a_mistake_behind_an_alias_is_reported_where_it_is_written(refused):
    text = changed(
        ("augmentation: {plugin: scoremix", "augmentation: &mix {plugin: scoremix"), ("steps: 2", "steps: 1")
    )
    text = text.replace("benchmarks:", "  - {name: Again, group: FR_mix, augmentation: *mix}\nbenchmarks:")
    problems = refused(text)
    assert {(line, column) for line, column, _ in problems} == {position(text, "1}\n")}
    assert [message.partition(":")[0] for *_, message in problems] == [
        "methods.2.augmentation.steps",
        "methods.3.augmentation.steps",
    ]


# Names that refer to something


@pytest.mark.parametrize(
    ("old", "new", "fragment", "message"),
    [
        ("train: train\n", "train: trian\n", "trian", r"no entry of data is called 'trian'; did you mean 'train'\?"),
        ("data: test", "data: tset", "tset", r"no entry of data is called 'tset'; did you mean 'test'\?"),
        ("train: train\n", "train: train\nbaseline: real\n", "real", r"no row is called 'real'; did you mean 'Real'"),
        (
            "group: FR_real",
            "group: FR_real\n    match_updates: Scoremix",
            "Scoremix",
            r"no other row is called 'Scoremix'; did you mean 'ScoreMix'",
        ),
        (
            "group: FR_real",
            "group: FR_real\n    match_updates: Real",
            "Real\n  - name: Blend",
            r"no other row is called 'Real'; known: Blend \+ real, ScoreMix",
        ),
    ],
)
def test_a_name_that_refers_to_nothing_is_refused_with_the_nearest(refused_once, old, new, fragment, message):
    refused_once(changed((old, new)), fragment, message)


def test_a_row_cannot_match_the_updates_of_a_row_that_matches_another(refused_once):
    text = changed(
        ("group: FR_real", "group: FR_real\n    match_updates: Blend + real"),
        ("group: FR_mix", "group: FR_mix\n    match_updates: ScoreMix"),
    )
    refused_once(text, "Blend + real", "name a row that has no match_updates")


@pytest.mark.parametrize(
    ("old", "new", "fragment", "message"),
    [
        ("name: ScoreMix", "name: Real", "name: Real\n    group: FR_syn", "'Real' is given twice"),
        ("seeds: [0]", "seeds: [3, 0, 3]", "3]", "3 is given twice"),
        (
            "folds: 2}\n",
            "folds: 2}\n  - {name: pairs, data: test, protocol: {plugin: pair-verification}}\n",
            "{name: pairs",
            "'pairs' is given twice",
        ),
    ],
)
def test_what_is_given_twice_is_refused_where_it_comes_again(refused_once, old, new, fragment, message):
    refused_once(changed((old, new)), fragment, message)


# Groups, augmentations, generators


def test_a_real_row_with_an_augmentation_is_refused(refused_once):
    text = changed(("group: FR_real", "group: FR_real\n    augmentation: {plugin: blend, pairs: 3}"))
    refused_once(text, "FR_real", "a row of group FR_real has no augmentation")


@pytest.mark.parametrize("group", ["FR_mix", "FR_syn"])
def test_a_synthetic_row_without_augmentation_is_refused(refused_once, group):
    text = changed(("group: FR_real", f"group: {group}"))
    refused_once(text, group, f"a row of group {group} needs an augmentation")


def test_an_augmentation_that_needs_a_generator_is_refused_without_one(refused_once):
    text = MATRIX[: MATRIX.index("generator:")] + MATRIX[MATRIX.index("recognizer:") :]
    refused_once(text, "{plugin: scoremix", "scoremix needs a generator: add 'generator:' to the spec")


# Identities


@pytest.mark.parametrize("identities", ["s1..s3", "[s1, s2]", "'s1'", "[]", "null"])
def test_identities_are_a_range_or_names(read, identities):
    choice = read(changed(("path: train", f"path: train, identities: {identities}"))).data["train"]
    assert choice.identities is None or isinstance(choice.identities, str | tuple)


@pytest.mark.parametrize("identities", ["3", "true", "[1, 2]", "[s1, 2]", "{from: s1}", "[[s1]]", "1.5"])
def test_other_identities_are_refused_with_the_remedy(refused_once, identities):
    text = changed(("path: train", f"path: train, identities: {identities}"))
    refused_once(text, identities + ",", r"a range 'FIRST..LAST' or a list of names \(quote numbers\)")


# Paths


def test_a_path_is_relative_to_the_folder_of_the_spec(read, folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert read(MATRIX).data["train"].plugin.path == (folder / "train").resolve()


def test_a_path_is_relative_to_the_data_variable(read, monkeypatch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("FACEASSAY_DATA", str(tmp_path))
    matrix = read(changed(("path: train", "path: elsewhere")))
    assert matrix.data["train"].plugin.path == (tmp_path / "elsewhere").resolve()


def test_the_folder_of_the_spec_comes_before_the_data_variable(read, folder, monkeypatch, tmp_path):
    (tmp_path / "train").mkdir()
    monkeypatch.setenv("FACEASSAY_DATA", str(tmp_path))
    assert read(MATRIX).data["train"].plugin.path == (folder / "train").resolve()


def test_an_absolute_path_is_taken_as_it_is(read, tmp_path):
    assert read(changed(("path: train", f"path: {tmp_path}"))).data["train"].plugin.path == tmp_path.resolve()


def test_an_absent_path_is_refused_with_every_place_that_was_tried(refused, folder, monkeypatch, tmp_path):
    monkeypatch.setenv("FACEASSAY_DATA", str(tmp_path))
    text = changed(("path: train", "path: trane"))
    ((line, column, said),) = refused(text)
    assert (line, column) == position(text, "trane")
    assert f"tried {folder / 'trane'}, {tmp_path / 'trane'}" in said
    assert "give an absolute path or set FACEASSAY_DATA" in said


@pytest.mark.parametrize("path", ["x" * 300, '"a\\0b"', "x/" * 3000])
def test_a_path_that_no_file_system_takes_is_refused(refused, path):
    ((_, _, said),) = refused(changed(("path: train", f"path: {path}")))
    assert "no such file or folder" in said


# Overrides of the recognizer


def test_an_override_is_merged_over_the_recognizer(read):
    matrix = read(changed(("group: FR_syn", "group: FR_syn\n    recognizer: {width: 8}")))
    assert [method.recognizer.width for method in matrix.methods] == [4, 4, 8]
    assert matrix.methods[2].recognizer == matrix.recognizer.model_copy(update={"width": 8})


def test_an_override_that_names_a_plugin_inherits_nothing(read):
    matrix = read(changed(("group: FR_syn", "group: FR_syn\n    recognizer: {plugin: iresnet, width: 8}")))
    assert matrix.methods[2].recognizer.embedding == type(matrix.recognizer)().embedding


def test_an_empty_override_changes_nothing(read):
    matrix = read(changed(("group: FR_syn", "group: FR_syn\n    recognizer: {}")))
    assert matrix.methods[2].recognizer == matrix.recognizer


@pytest.mark.parametrize(
    ("override", "fragment", "message"),
    [
        ("{width: 0}", "0}", r"methods.2.recognizer.width: .*\(got 0\)"),
        ("{wdth: 8}", "8}", r"methods.2.recognizer.wdth: unknown parameter; did you mean 'width'"),
        ("{epochs: 3}", "{epochs", r"methods.2.recognizer: give the length of the training once"),
        ("{plugin: irsnet}", "irsnet", r"did you mean 'iresnet'"),
        ("{plugin: 3}", "{plugin: 3}", r"'plugin: NAME' and the parameters of this recognizer"),
        ("3", "3\n    augmentation", r"methods.2.recognizer: Input should be .*(dictionary|object)"),
    ],
)
def test_a_mistake_in_an_override_is_reported_there(refused_once, override, fragment, message):
    refused_once(changed(("group: FR_syn", f"group: FR_syn\n    recognizer: {override}")), fragment, message)


# Profiles

PROFILES = "profiles:\n  small: {seeds: [5], recognizer: {updates: 1}}\n  wrong: {recognizer: {updates: 0}}\n"


def test_a_profile_overrides_sizes(read):
    matrix = read(MATRIX + PROFILES, profile="small")
    assert (matrix.spec.seeds, matrix.recognizer.updates, matrix.recognizer.width) == ([5], 1, 4)
    assert matrix.profile == "small"


def test_without_a_profile_none_applies(read):
    matrix = read(MATRIX + PROFILES)
    assert (matrix.spec.seeds, matrix.recognizer.updates, matrix.profile) == ([0], 2, None)


def test_a_mistake_in_a_profile_is_reported_where_the_profile_makes_it(refused_once):
    refused_once(MATRIX + PROFILES, "0}}", r"recognizer.updates: .*\(got 0\)", profile="wrong")


def test_an_unknown_profile_is_refused_with_the_nearest(refused_once):
    text = MATRIX + PROFILES
    refused_once(text, "small:", r"no profile is called 'smal'; did you mean 'small'\?", profile="smal")


def test_a_profile_of_a_matrix_without_any_is_refused(refused_once):
    refused_once(MATRIX, "schema", "no profile is called 'small'; known: none", profile="small")


@pytest.mark.parametrize("profiles", ["3", "[small]", "{small: 3}"])
def test_profiles_of_a_wrong_shape_are_refused(refused, profiles):
    assert refused(f"{MATRIX}profiles: {profiles}\n", profile="small")


# Files


def test_an_absent_file_is_refused_with_its_path(registry, tmp_path):
    with pytest.raises(SpecError, match=r"nowhere\.yaml:1:1: no such file: give the path of a matrix\.yaml"):
        read_matrix(tmp_path / "nowhere.yaml", registry)


def test_a_folder_is_refused_like_an_absent_file(registry, tmp_path):
    with pytest.raises(SpecError, match="no such file"):
        read_matrix(tmp_path, registry)


def test_an_empty_file_lacks_everything_that_is_required(refused):
    names = ["schema", "name", "seeds", "data", "train", "recognizer", "methods", "benchmarks"]
    assert refused("") == [(1, 1, f"{name}: Field required") for name in names]


@pytest.mark.parametrize("text", ["- a\n", "just words\n", "3\n", "null\n"])
def test_a_file_that_is_no_mapping_is_refused(refused, text):
    assert refused(text) == [(1, 1, "a matrix file is a mapping of names to values")]


def test_a_problem_is_one_line(read):
    with pytest.raises(SpecError) as caught:
        read(changed(("name: Real", 'name: "two\\nlines"'), ("plugin: blend", 'plugin: "two\\nlines"')))
    assert len(str(caught.value).splitlines()) == len(caught.value.problems) == 2


# Anything at all

VALID = yaml.safe_load(MATRIX + PROFILES)


def places_in(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from places_in(inner, (*path, name))


words = st.sampled_from(["plugin", "name", "identities", "blend", "edm2", "train", "Real", "FR_mix", "..", "s1..s2"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | words
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
mutations = st.lists(
    st.tuples(st.sampled_from(sorted(places_in(VALID), key=str)[1:]), st.sampled_from(["drop", "put"]), anything),
    min_size=1,
    max_size=3,
)


def mutate(document, path, how, value):
    """Delete or replace what is at ``path``, unless an earlier mutation took it away."""
    for step in path[:-1]:
        try:
            document = document[step]
        except (LookupError, TypeError):
            return
    try:
        if how == "drop":
            del document[path[-1]]
        else:
            document[path[-1]] = value
    except (LookupError, TypeError):
        return


def problems_of(reading):
    """Return the problems of a matrix, none where it is valid; a refusal without a reason is an error."""
    try:
        reading()
    except SpecError as error:
        return error.problems or [None]
    return []


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=mutations, profile=st.sampled_from([None, "small", "wrong"]))
def test_a_mutated_spec_is_valid_or_refused_and_nothing_else(read, changes, profile):
    document = copy.deepcopy(VALID)
    for path, how, value in changes:
        mutate(document, path, how, value)
    problems = problems_of(lambda: read(yaml.safe_dump(document, allow_unicode=True), profile))
    assert all(problem.message and problem.place.line >= 1 for problem in problems)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_mutated_text_is_valid_or_refused_and_nothing_else(read, data):
    text = MATRIX + PROFILES
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 12)))
    inserted = data.draw(st.text("{}[]:,-#&*!|>'\"%@`\n\t 01eabc_~?", max_size=6))
    problems = problems_of(lambda: read(text[:start] + inserted + text[end:]))
    assert all(problem.message and "\n" not in problem.message for problem in problems)


# Presets


@pytest.fixture
def with_presets(folder, registry):
    """Return a function that reads a text with a recognizer that has presets."""
    iresnet = registry.get("recognizer", "iresnet")
    presets = {"narrow": {"width": 8, "momentum": 0.5}, "wrong": {"width": 0}}
    cls = type("Preset", (iresnet,), {"__module__": iresnet.__module__, "presets": presets})
    known = Registry({**registry.classes, ("recognizer", "iresnet"): cls}, registry.origins)

    def read(text):
        (folder / "p.yaml").write_text(text, encoding="utf-8")
        return read_matrix(folder / "p.yaml", known)

    return read


def test_a_preset_gives_parameters_that_those_beside_it_override(with_presets):
    recognizer = with_presets(changed(("width: 4", "preset: narrow\n  momentum: 0.8"))).recognizer
    assert (recognizer.width, recognizer.momentum) == (8, 0.8)


def test_a_row_takes_a_preset_over_the_recognizer_of_the_matrix(with_presets):
    matrix = with_presets(changed(("    group: FR_real", "    group: FR_real\n    recognizer: {preset: narrow}")))
    assert (matrix.methods[0].recognizer.momentum, matrix.methods[0].recognizer.width) == (0.5, 4)


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("narow", "no preset of 'iresnet' is called 'narow'; did you mean 'narrow'?"),
        ("3", "no preset of 'iresnet' is called 3; known: narrow, wrong"),
    ],
)
def test_an_unknown_preset_is_refused_at_its_place(with_presets, preset, said):
    text = changed(("width: 4", f"width: 4\n  preset: {preset}"))
    with pytest.raises(SpecError) as caught:
        with_presets(text)
    (problem,) = caught.value.problems
    assert problem.message == said
    assert (problem.place.line, problem.place.column) == (*position(text, f"preset: {preset}")[:1], 11)


def test_a_plugin_without_presets_says_so(refused_once):
    text = changed(("plugin: blend, pairs: 3", "plugin: blend, preset: small, pairs: 3"))
    refused_once(text, "small", "blend has no presets")


def test_a_value_of_a_preset_is_validated_like_any_other(with_presets):
    with pytest.raises(SpecError, match=r"recognizer.width: .*greater than or equal to 1"):
        with_presets(changed(("width: 4", "preset: wrong")))
