"""YAML with places: positions counted by hand or by searching the text, never by PyYAML."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceassay.spec.yaml import Place, merge, read_yaml


@pytest.fixture
def read(tmp_path):
    """Return a function that writes a text (or bytes) and reads it under the name ``m.yaml``."""

    def read(content):
        path = tmp_path / "m.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_yaml(path, "m.yaml")

    return read


def position(text, fragment, occurrence=1):
    """Return line and column, counted from 1, of a fragment of a text."""
    start = -1
    for _ in range(occurrence):
        start = text.index(fragment, start + 1)
    before = text[:start]
    return before.count("\n") + 1, start - before.rfind("\n")


def complaints(located):
    return [str(problem) for problem in located.problems]


MATRIX = """\
schema: 1
data:
  train: {plugin: folder, path: "a b", image_size: 16}
methods:
  - name: Real
    group: FR_real
  -   name: Mixed
      list:
        - 1
        - - nested
          - [x, ÄÖ, z]
"""

GOLDEN = {
    ("schema",): (1, 9),
    ("data",): (3, 3),
    ("data", "train"): (3, 10),
    ("data", "train", "plugin"): (3, 19),
    ("data", "train", "path"): (3, 33),
    ("data", "train", "image_size"): (3, 52),
    ("methods",): (5, 3),
    ("methods", 0): (5, 5),
    ("methods", 0, "name"): (5, 11),
    ("methods", 0, "group"): (6, 12),
    ("methods", 1): (7, 7),
    ("methods", 1, "list", 0): (9, 11),
    ("methods", 1, "list", 1, 0): (10, 13),
    ("methods", 1, "list", 1, 1, 1): (11, 17),
    ("methods", 1, "list", 1, 1, 2): (11, 21),
}


@pytest.mark.parametrize(("path", "place"), GOLDEN.items(), ids=lambda value: ".".join(map(str, value)))
def test_every_value_has_its_line_and_column(read, path, place):
    assert read(MATRIX).places[path] == Place("m.yaml", *place)


def test_the_data_are_plain(read):
    located = read(MATRIX)
    assert located.data == {
        "schema": 1,
        "data": {"train": {"plugin": "folder", "path": "a b", "image_size": 16}},
        "methods": [
            {"name": "Real", "group": "FR_real"},
            {"name": "Mixed", "list": [1, ["nested", ["x", "ÄÖ", "z"]]]},
        ],
    }
    assert located.problems == []


def test_a_path_without_a_place_has_that_of_what_encloses_it(read):
    located = read(MATRIX)
    assert located.place(("methods", 0, "augmentation", "pairs")) == located.places["methods", 0]
    assert located.place(("nowhere",)) == Place("m.yaml", 1, 1)


def test_a_place_reads_as_editors_and_compilers_write_it(read):
    assert str(read(MATRIX).places["methods", 0, "group"]) == "m.yaml:6:12"


def test_places_carry_the_path_of_the_file_where_no_name_is_given(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text("a: 1")
    assert read_yaml(path).places["a",].file == str(path)


# Scalars on which YAML 1.1 and YAML 1.2 disagree

AMBIGUOUS = {
    "1e-4": "write 1.0e-4",
    "1E5": "write 1.0e+5",
    "-2e3": "write -2.0e+3",
    "1.5e3": "write 1.5e+3",
    ".5e3": "write 0.5e+3",
    "-.5e3": "write -0.5e+3",
    "-.5": "write -0.5",
    "no": "write true or false",
    "Yes": "write true or false",
    "on": "write true or false",
    "OFF": "write true or false",
    "y": "write true or false",
    "N": "write true or false",
    "012": "write the number plainly",
    "-007": "write the number plainly",
    "08": "write the number plainly",
    "0o17": "write the number plainly",
    "0b11": "write the number plainly",
    "1_000": "write the number plainly",
    "1_0.5": "write the number plainly",
    "1:30": "write the number plainly",
    "1:30:59.5": "write the number plainly",
    "2024-02-29": "quote it",
    "2024-02-29 10:00:00": "quote it",
}


@pytest.mark.parametrize(("scalar", "remedy"), AMBIGUOUS.items())
def test_an_ambiguous_scalar_is_refused_at_its_place_with_the_remedy(read, scalar, remedy):
    (problem,) = read(f"a: 1\nb: [x, {scalar}]\n").problems
    assert problem.place == Place("m.yaml", 2, 8)
    assert repr(scalar) in problem.message
    assert remedy in problem.message


@pytest.mark.parametrize("scalar", AMBIGUOUS)
def test_an_ambiguous_scalar_is_a_text_once_quoted(read, scalar):
    located = read(f"single: '{scalar}'\ndouble: \"{scalar}\"\nblock: |-\n  {scalar}\n")
    assert located.data == {"single": scalar, "double": scalar, "block": scalar}
    assert located.problems == []


@pytest.mark.parametrize("scalar", ["1e-4", "1E5", "-2e3", "1.5e3", ".5e3", "-.5e3", "-.5"])
def test_the_remedy_for_a_number_is_accepted_and_is_that_number(read, scalar):
    located = read(f"a: {AMBIGUOUS[scalar].removeprefix('write ')}")
    assert located.problems == []
    assert located.data == {"a": float(scalar)}


@given(
    number=st.from_regex(r"[-+]?(([1-9][0-9]{0,3})(\.[0-9]{0,3})?|\.[0-9]{1,3})([eE][-+]?[0-9]{1,2})?", fullmatch=True)
)
def test_a_decimal_number_is_itself_or_refused_with_a_spelling_that_is_accepted(tmp_path_factory, number):
    path = tmp_path_factory.getbasetemp() / "number.yaml"
    path.write_text(f"a: {number}")
    located = read_yaml(path)
    if located.problems:
        spelling = located.problems[0].message.partition("write ")[2].partition(",")[0]
        path.write_text(f"a: {spelling}")
        located = read_yaml(path)
    if float(number) != 0:
        assert located.problems == []
        assert located.data == {"a": float(number)}


PLAIN = {
    "1.0e-4": 0.0001,
    "1.5e+3": 1500.0,
    "true": True,
    "False": False,
    "null": None,
    "~": None,
    "": None,
    "0": 0,
    "-3": -3,
    "0x1F": 31,
    "10.50": 10.5,
    "nope": "nope",
    "yes please": "yes please",
    "s1..s20": "s1..s20",
    "1e": "1e",
    "e5": "e5",
    "12:75": "12:75",
    "1.2.3": "1.2.3",
    "2024-02": "2024-02",
}


@pytest.mark.parametrize(("scalar", "value"), PLAIN.items())
def test_a_scalar_that_both_versions_read_alike_is_accepted(read, scalar, value):
    located = read(f"a: {scalar}\n")
    assert located.problems == []
    assert located.data == {"a": value}
    assert type(located.data["a"]) is type(value)


def test_negative_zero_is_refused_since_keys_cannot_hold_it(read):
    (problem,) = read("a: -0.0").problems
    assert str(problem) == "m.yaml:1:4: '-0.0' equals 0 and would give another key: write 0"


def test_half_a_surrogate_pair_is_refused_as_text_and_as_name(read):
    located = read('a: "\\ud800"\n"\\udfff": 1\n')
    assert [str(problem.place) for problem in located.problems] == ["m.yaml:1:4", "m.yaml:2:1"]


@pytest.mark.parametrize(
    "scalar",
    [
        "!!binary aGVsbG8=",
        "!!timestamp '2024-02-29'",
        "!!python/object:os.system ls",
        "!!python/name:os.system",
        "!mine 3",
        "!!int twelve",
        "!!int ''",
        "!!float ''",
        "!!bool maybe",
        "=",
    ],
)
def test_a_tag_that_plain_data_cannot_follow_is_refused(read, scalar):
    located = read(f"a: {scalar}\n")
    assert [problem.place for problem in located.problems] == [Place("m.yaml", 1, 4)]
    assert "tag" in located.problems[0].message
    assert located.data == {"a": None}


def test_an_integer_too_long_for_python_is_a_problem(read):
    (problem,) = read(f"a: {'9' * 5000}").problems
    assert problem.place == Place("m.yaml", 1, 4)
    assert len(problem.message) < 200


# Structure


def test_a_name_given_twice_is_refused_where_it_comes_again(read):
    located = read("a: 1\nb: {c: 1, d: 2, c: 3}\na: 4\n")
    assert complaints(located) == [
        "m.yaml:2:17: 'c' is given twice (first at line 2)",
        "m.yaml:3:1: 'a' is given twice (first at line 1)",
    ]
    assert located.data == {"a": 1, "b": {"c": 1, "d": 2}}


def test_equal_names_in_different_mappings_are_no_duplicates(read):
    assert read("a: {x: 1}\nb: {x: 2, a: 3}\n").problems == []


def test_a_name_is_a_text_whatever_yaml_makes_of_it(read):
    located = read("1: a\nno: b\n2024-02-29: c\n1e-4: d\n")
    assert located.data == {"1": "a", "no": "b", "2024-02-29": "c", "1e-4": "d"}


def test_a_name_that_is_no_scalar_is_refused(read):
    assert complaints(read("? [a, b]\n: 1\n")) == ["m.yaml:1:3: a name must be a plain text"]


def test_merge_keys_are_refused(read):
    (problem,) = read("base: &b {x: 1}\nother:\n  <<: *b\n  y: 2\n").problems
    assert problem.place == Place("m.yaml", 3, 3)
    assert "write its names and values out" in problem.message


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1\n b: 2\n", 2, 3),
        ("a: [1, 2\nb: 3\n", 2, 2),
        ("a: 'open\n", 2, 1),
        ("a: 1\n\tb: 2\n", 2, 1),
        ("a: @x\n", 1, 4),
        ("a: *missing\n", 1, 4),
        ("a: 1\n---\nb: 2\n", 2, 1),
    ],
)
def test_a_syntax_error_is_one_problem_at_its_place(read, text, line, column):
    located = read(text)
    (problem,) = located.problems
    assert problem.message.startswith("not YAML: ")
    assert "\n" not in problem.message
    assert (problem.place.line, problem.place.column) == (line, column)
    assert located.data is None


def test_a_byte_order_mark_is_ignored_and_moves_no_column(read):
    located = read(b"\xef\xbb\xbfa: 1\nb: no\n")
    assert located.data["a"] == 1
    assert located.places["a",] == Place("m.yaml", 1, 4)
    assert located.problems[0].place == Place("m.yaml", 2, 4)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_foreign_line_ends_count_as_lines(read, line_end):
    located = read(MATRIX.encode().replace(b"\n", line_end))
    assert {path: (place.line, place.column) for path, place in located.places.items() if path in GOLDEN} == GOLDEN
    assert located.data == read(MATRIX).data


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a remark\n", "---\n"])
def test_an_empty_file_is_an_empty_mapping_or_null(read, text):
    located = read(text)
    assert not located.data
    assert located.problems == []


def test_a_file_that_is_not_utf8_is_one_problem_with_the_remedy(read):
    located = read("name: Gr\xfc\xdfe".encode("latin-1"))
    assert complaints(located) == ["m.yaml:1:1: byte 8 is no UTF-8 text: save the file as UTF-8"]
    assert located.data is None


def test_utf16_is_one_problem_with_the_remedy(read):
    (problem,) = read("name: x".encode("utf-16")).problems
    assert "save the file as UTF-8" in problem.message


def test_a_control_character_is_a_problem(read):
    located = read(b"a: \x00b")
    assert len(located.problems) == 1
    assert located.data is None


def test_a_folder_in_place_of_a_file_is_a_problem(tmp_path):
    (problem,) = read_yaml(tmp_path).problems
    assert "cannot be read" in problem.message


# Aliases


def test_an_alias_repeats_its_anchor(read):
    located = read("a: &one {x: 1}\nb: *one\nc: [*one, *one]\n")
    assert located.data == {"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}
    assert located.problems == []


def test_a_value_below_an_alias_is_where_it_is_written(read):
    located = read("a: &one {x: 1}\nb: *one\n")
    assert located.places["b", "x"] == Place("m.yaml", 1, 13)


@pytest.mark.parametrize("text", ["a: &x [*x, 1]", "a: &x {b: *x}", "a: &x [*x, *x]"])
def test_an_alias_that_contains_itself_is_refused(read, text):
    located = read(text)
    (problem,) = located.problems
    assert problem.place == Place("m.yaml", 1, 4)
    assert "an alias contains itself" in problem.message


@pytest.mark.parametrize("depth", [100, 5000])
def test_nesting_without_end_is_refused(read, depth):
    (problem,) = read("a: " + "[" * depth + "]" * depth).problems
    assert "nested more than 64 deep" in problem.message


# Merging a profile


def merged(read, text):
    located = read(text)
    merge(located, ("profiles", "small"))
    return located


PROFILED = """\
seeds: [0, 1, 2]
generator: {plugin: edm2, images: 1000, tuple: [1, 2]}
methods:
  - {name: A, augmentation: {pairs: 20, steps: 16}}
  - {name: B, augmentation: {pairs: 20, steps: 16}}
profiles:
  small:
    seeds: [7]
    generator: {images: 8, tuple: [3]}
    methods:
      - {name: B, augmentation: {steps: 2}}
      - {name: C, augmentation: {pairs: 1}}
    quality: {find_faces: true}
"""


def test_a_profile_merges_mappings_by_name(read):
    assert merged(read, PROFILED).data["generator"] == {"plugin": "edm2", "images": 8, "tuple": [3]}


def test_a_profile_adds_what_is_not_there(read):
    assert merged(read, PROFILED).data["quality"] == {"find_faces": True}


def test_a_profile_replaces_lists_without_names(read):
    assert merged(read, PROFILED).data["seeds"] == [7]


def test_a_profile_merges_lists_of_named_entries_by_name_and_appends_new_ones(read):
    assert merged(read, PROFILED).data["methods"] == [
        {"name": "A", "augmentation": {"pairs": 20, "steps": 16}},
        {"name": "B", "augmentation": {"pairs": 20, "steps": 2}},
        {"name": "C", "augmentation": {"pairs": 1}},
    ]


@pytest.mark.parametrize(
    ("path", "fragment", "occurrence"),
    [
        (("seeds",), "[7]", 1),
        (("seeds", 0), "7]", 1),
        (("generator", "images"), "8,", 1),
        (("generator", "tuple", 0), "3]", 1),
        (("methods", 1, "augmentation", "steps"), "2}}", 1),
        (("methods", 2), "{name: C", 1),
        (("methods", 2, "augmentation", "pairs"), "1}}", 1),
        (("quality", "find_faces"), "true", 1),
        (("generator", "plugin"), "edm2", 1),
        (("methods", 0, "augmentation", "steps"), "16", 1),
        (("methods", 1, "augmentation", "pairs"), "20", 2),
        (("methods", 1), "{name: B", 1),
    ],
    ids=str,
)
def test_places_follow_the_overriding_line_and_the_others_stay(read, path, fragment, occurrence):
    place = merged(read, PROFILED).place(path)
    assert (place.line, place.column) == position(PROFILED, fragment, occurrence)


def test_a_profile_leaves_an_alias_of_what_it_overrides_alone(read):
    text = (
        "methods:\n  - {name: A, augmentation: &a {pairs: 9}}\n  - {name: B, augmentation: *a}\n"
        "profiles:\n  small:\n    methods:\n      - {name: B, augmentation: {pairs: 1}}\n"
    )
    assert [method["augmentation"]["pairs"] for method in merged(read, text).data["methods"]] == [9, 1]


@pytest.mark.parametrize("name", ["[x]", "{x: 1}", "null", "3"])
def test_entries_whose_name_is_no_text_are_replaced_not_merged(read, name):
    text = f"methods:\n  - name: {name}\n    a: 1\nprofiles: {{small: {{methods: [{{name: B, a: 2}}]}}}}\n"
    assert merged(read, text).data["methods"] == [{"name": "B", "a": 2}]


def test_a_profile_may_replace_a_mapping_by_a_scalar(read):
    located = merged(read, "a: {b: 1}\nprofiles: {small: {a: 2}}\n")
    assert located.data["a"] == 2


@pytest.mark.parametrize("profile", ["3", "null", "[a]"])
def test_a_profile_that_is_no_mapping_changes_nothing(read, profile):
    assert merged(read, f"a: 1\nprofiles: {{small: {profile}}}\n").data["a"] == 1
