"""Rows that mix two sets: who counts as one person, what an epoch repeats, and what names tell of benchmarks."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from faceassay.cli import main
from faceassay.cli.matrix import expanded
from faceassay.given import DataInput, PackInput
from faceassay.inputs import open_sources
from faceassay.people import overlap_by_name, people_of_union, shared_people
from faceassay.report.notes import sections
from faceassay.results import collect
from faceassay.stages import recognizer
from faceassay.store import Store
from faceassay.table import build
from faceassay.unions import Mixture
from finished_matrix import write_people
from matrices import changed
from tiny_plugins import TinyFaces, TinyReader, TinyRecognizer

ROWS = """\
  - {name: Numbers + real, group: FR_mix, data: numbers}
  - {name: Joined, group: FR_mix, data: numbers, people: joined}
  - {name: Names + real, group: FR_mix, data: names}
  - {name: Strangers, group: FR_mix, data: strangers}
  - {name: Apart, group: FR_mix, data: names, people: apart}
  - {name: Balanced, group: FR_mix, data: names, balance: sources}
  - {name: Balanced blend, group: FR_mix, balance: sources, augmentation: {plugin: blend, pairs: 3, images_per_pair: 2}}
  - {name: Blend apart, group: FR_mix, people: apart, augmentation: {plugin: blend, pairs: 3, images_per_pair: 2}}
  - {name: Matched, group: FR_real, match_updates: Balanced}
benchmarks:
"""
MATRIX = changed(
    ("train: train\n", """\
  numbers: {plugin: folder, path: numbers, image_size: 16}
  names: {plugin: folder, path: names, image_size: 16}
  strangers: {plugin: folder, path: strangers, image_size: 16}
train: train
"""),
    ("benchmarks:\n", ROWS),
    ("updates: 2\n", "epochs: 2\n"),
    ("""\
  - name: ScoreMix
    group: FR_syn
    augmentation: {plugin: scoremix, pairs: 3, images_per_pair: 2, steps: 2}
""", ""),
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def surroundings(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("FACEASSAY_DATA", raising=False)
        yield


def written(folder, text=MATRIX):
    """Write five sets of six images a person: train and test share the number 4, train and names the name ada."""
    write_people(folder / "train", ["1", "2", "4", "ada"], seed=0)
    write_people(folder / "numbers", ["1", "2", "0003"], seed=1)
    write_people(folder / "names", ["ada", "2"], seed=2)
    write_people(folder / "strangers", ["eve", "mallory"], seed=4)
    write_people(folder / "test", ["4", "5", "6", "7"], seed=3)
    (folder / "matrix.yaml").write_text(text)
    return folder / "matrix.yaml"


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    return written(tmp_path_factory.mktemp("mixed"))


@pytest.fixture(scope="module")
def graph(matrix):
    return expanded(matrix, None)[2]


@pytest.fixture(scope="module")
def notes(matrix, tmp_path_factory):
    """Return the notes under the table of a matrix of which nothing was run, by heading."""
    _, spec, graph = expanded(matrix, None)
    results = collect(spec, graph, Store.open(tmp_path_factory.mktemp("store")))
    return {section.heading: section.items for section in sections(results, build(results))}


def refused(tmp_path, old, new):
    path = written(tmp_path, MATRIX.replace(old, new))
    said = CliRunner().invoke(main, ["plan", str(path)])
    assert said.exit_code == 2, said.output
    return said.output


def faces(name, people, prefix="", **other):
    """Return data of ``people``, whose plugin stands for its files."""
    return DataInput(name, TinyFaces(prefix=prefix or name), None, name, 6, people, 16, **other)


def pack(people, data=None, **other):
    return PackInput("bench", TinyReader(), data, "f", 6, people, 16, (), **other)


def test_two_numbered_sets_are_kept_apart(graph):
    assert graph.rows["Numbers + real"].mixture == Mixture("apart")


def test_people_with_names_are_joined(graph):
    assert graph.rows["Names + real"].mixture == Mixture("joined")


def test_an_augmentation_joins_people_by_the_names_of_its_plan(graph):
    assert graph.rows["Blend + real"].mixture == Mixture("joined")


def test_a_row_says_otherwise(graph):
    made = {name: graph.rows[name].mixture for name in ("Joined", "Apart", "Balanced", "Blend apart")}
    assert made == {
        "Joined": Mixture("joined"),
        "Apart": Mixture("apart"),
        "Balanced": Mixture("joined", "sources"),
        "Blend apart": Mixture("apart"),
    }


def test_a_row_that_trains_on_one_set_mixes_nothing(graph):
    (stage,) = graph.rows["Real"].recognizers.values()
    assert graph.rows["Real"].mixture is None
    assert [*stage.inputs] == ["real"]


def test_the_choices_are_in_the_key_of_the_recognizer_alone(graph):
    keys = {name: row.recognizers[0].digest for name, row in graph.rows.items()}
    assert len(set(keys.values())) == len(keys)
    documents = {name: row.recognizers[0].key.document["inputs"].get("mixture") for name, row in graph.rows.items()}
    assert documents["Apart"] == {"mixture": {"people": "apart", "balance": "images"}}
    assert documents["Balanced"] == {"mixture": {"people": "joined", "balance": "sources"}}
    blends = [graph.rows[name].syntheses[0].digest for name in ("Blend + real", "Balanced blend", "Blend apart")]
    assert len(set(blends)) == 1


def test_saying_what_holds_anyway_changes_no_key(matrix, graph, tmp_path):
    said = MATRIX.replace("name: Names + real,", "name: Names + real, people: joined, balance: images,")
    same = expanded(written(tmp_path, said), None)[2]
    assert same.rows["Names + real"].recognizers[0].digest == graph.rows["Names + real"].recognizers[0].digest


def test_a_balance_counts_its_repetitions_in_updates_but_not_as_images(graph):
    plain, balanced = graph.rows["Names + real"], graph.rows["Balanced"]
    assert [(row.real_images, row.synthetic_images) for row in (plain, balanced)] == [(24, 12), (24, 12)]
    assert (plain.updates, balanced.updates) == (2 * 36 // 8, 2 * 48 // 8)
    assert graph.rows["Matched"].updates == balanced.updates
    assert [row.recognizers[0].work for row in (plain, balanced)] == [72, 96]


def test_a_row_is_trained_on_what_its_mixture_makes(graph, tmp_path):
    seen = {}

    class Noting(TinyRecognizer):
        def fit(self, data, run):
            seen["data"] = data

    store = Store.open(tmp_path)
    expected = {
        "Numbers + real": (42, [f"real/{n}" for n in ("1", "2", "4", "ada")] + ["synthetic/0003"]),
        "Joined": (42, ["1", "2", "4", "ada", "0003"]),
        "Balanced": (48, ["1", "2", "4", "ada"]),
    }
    for name, (images, people) in expected.items():
        recognizer.run(Noting(), open_sources(graph.rows[name].recognizers[0], store), None)
        assert len(seen["data"]) == images
        assert {*people} <= {*seen["data"].identities}
    assert (len(seen["data"].identities), seen["data"].item_ids[24]) == (4, "synthetic/2/6.png")


@pytest.mark.parametrize("word", ["people: joined", "balance: sources"])
def test_a_row_of_one_set_has_nothing_to_mix(tmp_path, word):
    said = refused(
        tmp_path, "  - name: Real\n    group: FR_real\n", f"  - name: Real\n    group: FR_real\n    {word}\n"
    )
    assert f"trains on one set: take {word.partition(':')[0]} out, or make it a row of group FR_mix" in said


@pytest.mark.parametrize(
    ("word", "known"), [("people: both", "'joined' or 'apart'"), ("balance: classes", "'images' or 'sources'")]
)
def test_other_words_are_refused(tmp_path, word, known):
    assert known in refused(tmp_path, "people: apart, augmentation", f"{word}, augmentation")


def about(notes, row):
    """Return what is noted about a row, the length of its training apart."""
    return [text for name, text in notes["Methods"] if name == row and not text.startswith("trained for")]


def test_the_report_says_who_is_kept_apart(notes):
    assert about(notes, "Numbers + real") == [
        "2 names of data 'numbers' and of data 'train' are the same, but every set has classes of its own: "
        "numbers are no names; 'people: joined' would make them one"
    ]
    assert "as the row says" in about(notes, "Apart")[0]
    assert "different classes" in about(notes, "Blend apart")[0]


def test_the_report_says_who_is_joined(notes):
    for name, count in (("Joined", 2), ("Names + real", 2)):
        (said,) = about(notes, name)
        assert said.startswith(f"{count} names of data")
        assert said.endswith("each is one class with the images of both")


def test_the_report_says_that_nobody_is_in_both(notes):
    assert about(notes, "Strangers") == [
        "no name is in data 'strangers' and in data 'train': every set has classes of its own"
    ]


def test_the_report_says_what_an_epoch_repeats(notes):
    said = [text for name, text in notes["Methods"] if name in ("Balanced", "Balanced blend")]
    assert [text for text in said if "repeated" in text] == [
        "an epoch is 48 images, half real and half synthetic: those of the smaller set are repeated in turn"
    ] * 2


def test_the_report_says_what_names_tell_of_each_benchmark(notes):
    (name, text), (nothing, pointer) = notes["People of the benchmarks"]
    assert (name, nothing) == ("pairs", "")
    assert text == (
        "by name, data 'train' unknown (the benchmark carries no names of people); "
        "data 'numbers' unknown (the benchmark carries no names of people); "
        "data 'names' unknown (the benchmark carries no names of people); "
        "data 'strangers' unknown (the benchmark carries no names of people)"
    )
    assert "faceassay quality" in pointer


def test_a_shared_number_refuses_no_benchmark_of_another_source(graph):
    assert shared_people(graph.data["train"], graph.data["test"]).numbers == ("4",)
    assert {cell.benchmark for cell in graph.cells} == {"pairs"}


def test_a_shared_number_of_the_same_files_refuses_the_benchmark(tmp_path):
    old = "path: test, image_size: 16}"
    said = refused(tmp_path, old, 'path: train, image_size: 16, identities: ["4", "2"]}')
    assert "tests 2 identities that are also trained on (2, 4)" in said


def test_a_shared_number_keeps_nobody_from_being_held_out(tmp_path):
    path = written(tmp_path, MATRIX.replace("train: train\n", "train: train\nheld_out: test\n"))
    assert expanded(path, None)[1].spec.held_out == "test"


def test_the_same_files_number_the_same_people():
    whole, part = faces("all", ("1", "2", "3")), faces("part", ("2", "3", "4"), "all")
    assert shared_people(whole, part).names == ("2", "3")
    assert people_of_union(whole, part) == "joined"
    assert people_of_union(whole, faces("other", ("2", "3"))) == "apart"
    assert people_of_union(whole, faces("other", ("8", "9"))) == "joined"


@pytest.mark.parametrize(
    ("trained", "tested", "word", "reason"),
    [
        (("ada", "bo"), ("cy", "dee"), "clean", "0 of 2 names of the benchmark are among 2 of the set"),
        (("ada", "bo"), ("cy", "bo"), "contaminated", "1 of 2 names"),
        (("ada", "7"), ("cy", "7"), "clean", "0 of 1 names of the benchmark are among 1 of the set"),
        (("1", "2"), ("cy", "2"), "unknown", "the set carries no names of people"),
        (("ada", "2"), ("1", "2"), "unknown", "the benchmark carries no names of people"),
        (("ada", "2"), (), "unknown", "the benchmark carries no names of people"),
    ],
)
def test_names_tell_what_they_can(trained, tested, word, reason):
    for benchmark in (pack(tested), faces("b", tested)):
        verdict = overlap_by_name(faces("a", trained), benchmark)
        assert verdict.word == word
        assert reason in verdict.reason


def test_numbers_of_the_same_files_tell_apart():
    train = faces("a", ("1", "2"))
    assert overlap_by_name(train, pack(("3", "4"), faces("b", ("3", "4"), "a"))).word == "clean"
    assert overlap_by_name(train, pack(("2", "4"), faces("b", ("2", "4"), "a"))).word == "contaminated"


def test_nothing_is_known_of_absent_data():
    train, away = faces("a", ("x", "y")), faces("b", ("b:0",), absent="supply b")
    assert overlap_by_name(away, pack(("cy",))) == ("unknown", "data 'b' is absent")
    assert overlap_by_name(train, pack((), absent="supply it")) == ("unknown", "benchmark 'bench' is absent")
