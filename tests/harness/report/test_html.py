"""table.html: one file that needs no network, in which nothing from outside is markup, with images and curves."""

import base64
import dataclasses
import io
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from faceassay.contracts import Curve, Evaluation, Interval
from faceassay.report.html import page
from faceassay.report.write import write_report
from faceassay.results import Results
from faceassay.table import build
from finished_matrix import IMAGE, METHODS, NOTE, PACK, SCRIPT, break_stage, finished_matrix, finished_packed

LOST = "evaluation pairs of Blend + real, seed 7"
VOID = {"meta", "img", "br"}
PNG_ADDRESS = "data:image/png;base64,"


class Page(HTMLParser):
    """Every element of a page with its attributes and the text in it; fails where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append({"tag": tag, "text": "", **dict(attributes)})
        if tag not in VOID:
            self._open.append(self.elements[-1])

    def handle_startendtag(self, tag, attributes):
        self.elements.append({"tag": tag, "text": "", **dict(attributes)})

    def handle_endtag(self, tag):
        assert self._open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self._open:
            element["text"] += data

    def all(self, tag, **attributes):
        wanted = attributes.items()
        return [e for e in self.elements if e["tag"] == tag and all(e.get(name) == value for name, value in wanted)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_matrix(tmp_path_factory)


@pytest.fixture(scope="module")
def text(finished):
    return (finished.out / "table.html").read_text()


@pytest.fixture(scope="module")
def parsed(text):
    return Page(text)


@pytest.fixture(scope="module")
def broken(finished, tmp_path_factory):
    """The page of a store in which one seed of one row, and both of another, have failed."""
    store = finished.copy_of_store(tmp_path_factory.mktemp("broken") / "store")
    for title in (LOST, "evaluation lowres of Real, seed 0", "evaluation lowres of Real, seed 7"):
        break_stage(finished.stage(title), store, 'torn "<b>apart</b>"')
    return Page(rendered(finished.results(store)))


def rendered(results):
    return page(results, build(results))


def words(text):
    return " ".join(text.split())


def cells_of(parsed, method):
    """Return the comparison's cells of a row: texts without the facts."""
    elements = parsed.elements
    start = next(i for i, e in enumerate(elements) if e["tag"] == "th" and e["text"] == method)
    row = []
    for element in elements[start + 1 :]:
        if element["tag"] == "tr":
            break
        row += [element] if element["tag"] == "td" else []
    return row[5:]


def test_nothing_from_outside_is_markup(parsed):
    tags = {element["tag"] for element in parsed.elements}
    assert tags.isdisjoint({"script", "b", "i", "u", "em", "iframe", "object", "link"})
    handlers = {name for element in parsed.elements for name in element if name.startswith("on")}
    assert handlers == set()


def test_texts_from_outside_are_shown_as_they_are(parsed):
    assert parsed.all("h1")[0]["text"] == "Toy <i>faces</i> | nobody"
    assert parsed.all("title")[0]["text"] == "Toy <i>faces</i> | nobody"
    assert NOTE in [paragraph["text"] for paragraph in parsed.all("p")]
    assert "the <em>control</em>" in [definition["text"] for definition in parsed.all("dd")]
    assert "none | <u>at all</u>" in [cell["text"] for cell in parsed.all("td")]


def test_names_of_identities_are_attributes_only(parsed):
    names = {image["alt"] for image in parsed.all("img")}
    assert {SCRIPT, IMAGE, "ada", "bo"} <= names
    assert all(image["title"] == image["alt"] for image in parsed.all("img"))


def test_the_page_needs_no_network(text, parsed):
    places = [e[name] for e in parsed.elements for name in ("src", "href", "xlink:href", "action") if e.get(name)]
    assert places
    assert all(place.startswith((PNG_ADDRESS, "#")) for place in places if place not in CARDS)
    assert set(re.findall(r"https?://[^\s\"'<>]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r"@import|url\((?!#)", text)


def test_every_image_is_a_png_of_its_size(parsed):
    for image in parsed.all("img"):
        bytes_ = base64.b64decode(image["src"].removeprefix(PNG_ADDRESS), validate=True)
        decoded = Image.open(io.BytesIO(bytes_))
        decoded.load()
        assert (decoded.format, decoded.size, decoded.mode) == ("PNG", (16, 16), "RGB")


def test_there_is_a_panel_of_the_real_images_and_of_each_synthesis(parsed):
    assert [name["text"] for name in parsed.all("div", **{"class": "name"})] == [
        "Real images, data 'train'",
        "Blend + real; Blend, alone, seed 0",
    ]
    assert len(parsed.all("div", **{"class": "strip enlarged"})) == 2
    assert len(parsed.all("img")) == 24


def test_panels_show_the_images_of_the_data(finished, parsed):
    shown = [base64.b64decode(image["src"].removeprefix(PNG_ADDRESS)) for image in parsed.all("img")[:12]]
    real = finished.graph.data["train"].open()
    index = [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 23]  # 24 images, the last one always shown
    for pixels, data in zip(real.images(np.array(index)), shown, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)


def test_the_table_has_a_row_for_each_method_and_a_cell_for_each_metric(parsed):
    for method in METHODS:
        assert len(cells_of(parsed, method)) == 5


def test_headings_carry_the_whole_identity_of_a_metric(parsed):
    heads = [(head["title"], words(head["text"])) for head in parsed.all("th") if "title" in head]
    assert heads[0] == ("pairs accuracy:2fold/grid-0.01/flip-sum", "accuracy:2fold/grid-0.01/flip-sum")
    assert [title for title, _ in heads] == [f"{title.split()[0]} {said}" for title, said in heads]
    groups = parsed.all("th", **{"class": "group"})
    assert [(words(group["text"]), group["colspan"]) for group in groups] == [("pairs", "3"), ("lowres", "2")]


def test_cells_show_mean_and_spread(finished, parsed):
    first = build(finished.results()).rows[1].cells[2].values
    mean, deviation = sum(first) / 2, abs(first[0] - first[1]) / 2**0.5
    assert words(cells_of(parsed, "Blend + real")[2]["text"]).startswith(f"{100 * mean:.2f} ± {100 * deviation:.2f}")


def test_the_limits_stand_below_with_what_they_are_of(finished, parsed):
    limits = iter(parsed.all("span", **{"class": "limits"}))
    for row, method in zip(build(finished.results()).rows, METHODS, strict=True):
        for cell, shown in zip(row.cells, cells_of(parsed, method), strict=True):
            found, interval = next(limits), cell.interval
            assert found["text"] == f"{100 * interval.low:.2f} to {100 * interval.high:.2f}"
            assert found["title"] == f"95 % limits over {interval.population} ({interval.method})"
            assert shown["text"].endswith(found["text"])
    assert list(limits) == []


def test_there_is_a_plot_for_each_curve_of_a_benchmark(parsed):
    assert [plot["aria-label"] for plot in parsed.all("svg")] == ["pairs: roc", "lowres: cmc"]


def test_a_plot_has_a_line_for_each_method_and_seed(parsed):
    lines = [element["id"] for element in parsed.elements if "-curve_" in (element.get("id") or "")]
    plots = ("pairs-roc", "lowres-cmc")
    assert lines == [f"{plot}-curve_{method}_{seed}" for plot in plots for method in range(3) for seed in range(2)]


def test_seeds_of_a_method_share_a_colour_and_methods_do_not(parsed):
    plot = [e for e in parsed.elements if e["tag"] in ("g", "path")]
    colours = {}
    for group, path in pairwise(plot):
        if "-curve_" in (group.get("id") or ""):
            colour = re.search(r"stroke: (#[0-9a-f]{6})", path["style"])[1]
            colours.setdefault(group["id"].split("_")[1], set()).add(colour)
    assert [len(of_method) for of_method in colours.values()] == [1, 1, 1]
    assert len(set().union(*colours.values())) == 3


def test_plots_name_the_methods(parsed):
    said = [element["text"].strip() for element in parsed.all("text")]
    assert [said.count(method) for method in METHODS] == [2, 2, 2]


def test_ids_are_unique(parsed):
    ids = Counter(element["id"] for element in parsed.elements if element.get("id"))
    assert [name for name, count in ids.items() if count > 1] == []


def test_the_page_is_the_same_every_time(finished, text):
    assert rendered(finished.results()) == text


TESTED = "People of the benchmarks"
CARDS = ("cards.md", "cards.json")


def test_notes_stand_under_the_table(parsed):
    headings = [heading["text"] for heading in parsed.all("h3")]
    assert headings == ["How to read it", "Intervals", "Methods", "Benchmarks", TESTED, "Data and settings"]
    assert any("standard deviation over 2 seeds of recognizer" in paragraph["text"] for paragraph in parsed.all("p"))


def test_nothing_is_missing_from_a_finished_matrix(parsed):
    assert parsed.all("div", id="missing") == []
    assert [cell for cell in parsed.all("td") if cell.get("class") == "failed"] == []


def test_failed_cells_are_marked_with_the_reason(broken):
    reason = 'failed: evaluation lowres of Real, seed 0: torn "<b>apart</b>"'
    cells = cells_of(broken, "Real")
    assert [(words(cell["text"]), cell.get("class"), cell.get("title")) for cell in cells[3:]] == [
        ("failed", "failed", reason)
    ] * 2
    assert {cell.get("class") for cell in cells[:3]} == {None}


def test_a_failed_seed_is_marked_and_the_mean_of_the_others_stays(broken):
    cell = cells_of(broken, "Blend + real")[0]
    limits = r"\d+\.\d\d to \d+\.\d\d"
    assert re.fullmatch(rf"\d+\.\d\d ?1 of 2 seeds ?{limits}", words(cell["text"]))
    assert cell["title"] == f'failed: {LOST}: torn "<b>apart</b>"'


def test_what_is_missing_is_listed_with_the_command(finished, broken):
    (box,) = broken.all("div", id="missing")
    assert "3 of 12 cells have no number." in box["text"]
    (command,) = [code["text"] for code in broken.all("code")]
    assert command.startswith(f"faceassay run {finished.matrix} --store ")
    assert f'Blend + real: failed: {LOST}: torn "<b>apart</b>"' in [item["text"] for item in broken.all("li")]


def test_a_method_keeps_its_colour_where_others_have_failed(finished, broken, parsed):
    def colour(found):
        groups = [e for e in found.elements if e["tag"] in ("g", "path")]
        place = next(i for i, e in enumerate(groups) if (e.get("id") or "").endswith("-curve_2_0"))
        return re.search(r"stroke: (#[0-9a-f]{6})", groups[place + 1]["style"])[1]

    assert colour(broken) == colour(parsed)


def test_a_page_of_an_empty_store_shows_the_real_images_and_no_plots(finished, tmp_path):
    parsed = Page(rendered(finished.results(tmp_path / "empty")))
    assert len(parsed.all("img")) == 12
    assert parsed.all("svg") == []
    assert parsed.all("table", id="quality") == []


def test_names_of_curves_and_axes_are_texts(finished, monkeypatch):
    """They come from a protocol, which may be anybody's."""
    line = np.linspace(0, 1, 3)
    curve = Curve(line, line, "<script>x</script> $\\frac$", "</svg><img src=x>", log_x=False)
    monkeypatch.setattr(Results, "evaluation", lambda self, cell: Evaluation({}, {}, {'"><script>': curve}))
    parsed = Page(rendered(finished.results()))
    assert parsed.all("script") == []
    assert len(parsed.all("img")) == 24
    said = {element["text"].strip() for element in parsed.all("text")}
    assert {"<script>x</script> $\\frac$", "</svg><img src=x>"} <= said
    assert {plot["aria-label"] for plot in parsed.all("svg")} == {'pairs: "><script>', 'lowres: "><script>'}


def test_a_report_of_one_seed_says_nothing_about_lines_of_seeds(finished):
    results = finished.results()
    spec = results.matrix.spec.model_copy(update={"seeds": [0]})
    text = rendered(dataclasses.replace(results, matrix=dataclasses.replace(results.matrix, spec=spec)))
    assert "One line for each seed" not in text


def test_a_report_is_four_files(finished, tmp_path):
    written = write_report(finished.results(), tmp_path / "new" / "folder")
    assert [path.name for path in written] == [
        "table.csv", "differences.csv", "table.md", "table.tex", "cost.csv", "table.html", *CARDS,
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(p.name for p in written)


def test_a_hostile_warning_is_text(tmp_path_factory):
    parsed = Page((finished_packed(tmp_path_factory).out / "table.html").read_text())
    assert {element["tag"] for element in parsed.elements}.isdisjoint({"script", "b"})
    (said,) = [definition["text"] for definition in parsed.all("dd") if "Warning" in definition["text"]]
    assert f"{PACK}: 40 pairs, LFW has 6000: this is not the known pack" in said


def test_hostile_words_about_limits_are_texts(finished):
    table = build(finished.results())
    hostile = Interval(0, 1, '"><script>', "<b>bold</b>")
    rows = tuple(
        dataclasses.replace(row, cells=tuple(dataclasses.replace(cell, interval=hostile) for cell in row.cells))
        for row in table.rows
    )
    parsed = Page(page(finished.results(), dataclasses.replace(table, rows=rows)))
    assert {element["tag"] for element in parsed.elements}.isdisjoint({"script", "b"})
    titles = {span["title"] for span in parsed.all("span", **{"class": "limits"})}
    assert titles == {'95 % limits over "><script> (<b>bold</b>)'}


def test_a_number_without_limits_stands_alone(tmp_path_factory):
    parsed = Page((finished_packed(tmp_path_factory).out / "table.html").read_text())
    shown = [words(cell["text"]) for cell in cells_of(parsed, "Real")]
    assert [bool(re.search(" ?to ", text)) for text in shown] == [True, True, False, True, False]
