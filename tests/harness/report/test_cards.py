"""The cards: where every image set is from, as stated or not, and what it cost, added up from the records."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import pytest

from faceassay.cli.matrix import expanded
from faceassay.registry import load_plugins
from faceassay.report.card_pages import cards_json, cards_markdown
from faceassay.report.cards import NOT_STATED, cards
from faceassay.results import collect
from faceassay.spec import SpecError, read_matrix
from faceassay.store import Store
from finished_matrix import NOTE, PACK, command, finished_matrix, finished_packed, forget
from matrices import changed, write_faces

HOSTILE = 'by <b>us</b> | [x](http://evil) \n# "not" a heading'
MADE = changed(
    ("path: train, image_size: 16}", f"path: train, image_size: 16, card: {{source: {json.dumps(HOSTILE)}, "
     "licence: CC0, note: noted}}"),
    ("    augmentation: {plugin: scoremix, pairs: 3, images_per_pair: 2, steps: 2}\n", """\
    aux: a table of ages
    augmentation:
      {plugin: scoremix, pairs: 3, images_per_pair: 2, steps: 2, selection: dist-embedding-cosine}
"""),
)  # fmt: skip
"""A generator, and a recognizer that is looked through."""


@pytest.fixture(autouse=True, scope="module")
def surroundings(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("FACEASSAY_DATA", raising=False)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of a matrix that has run, with its store and report."""
    folder = tmp_path_factory.mktemp("made")
    write_faces(folder)
    (folder / "matrix.yaml").write_text(MADE)
    words = ["--store", folder / "store", "--out", folder / "out", "--no-mlflow", "--quiet"]
    ran = command("run", folder / "matrix.yaml", *words)
    assert ran.exit_code == 0, ran.output
    return folder


def results_of(folder, store=None):
    _, spec, graph = expanded(folder / "matrix.yaml", None)
    return collect(spec, graph, Store.open(store or folder / "store"))


@pytest.fixture(scope="module")
def results(folder):
    return results_of(folder)


@pytest.fixture(scope="module")
def told(folder):
    """Return the cards of cards.json by title."""
    return {card["title"]: card for card in json.loads((folder / "out" / "cards.json").read_text())["cards"]}


def card_of(results, start):
    (card,) = [card for card in cards(results) if card.title.startswith(start)]
    return card


def test_every_image_set_has_a_card(told):
    assert [*told] == [
        "data 'train'",
        "data 'test'",
        "synthetic images of Blend + real",
        "synthetic images of ScoreMix",
    ]


def test_rows_on_one_synthesis_share_a_card_and_seeds_too(tmp_path_factory):
    (card,) = [card for card in cards(finished_matrix(tmp_path_factory).results()) if card.kind == "synthetic"]
    assert card.title == "synthetic images of Blend + real; Blend, alone"
    assert [*card.content] == ["seed 0", "seed 7"]
    assert [cost.kind for cost in card.costs] == ["plan", "synthesis"] * 2


def test_what_the_spec_states_is_on_the_card(told):
    stated = {"source": HOSTILE, "licence": "CC0", "consent": NOT_STATED, "note": "noted"}
    assert told["data 'train'"]["stated"] == stated


def test_what_nobody_states_is_not_stated(told):
    stated = told["data 'test'"]["stated"]
    assert {stated[word] for word in ("source", "licence", "consent")} == {NOT_STATED}
    assert told["data 'test'"]["auxiliary"] == [NOT_STATED]


def test_a_card_says_what_uses_the_data(told):
    assert told["data 'test'"]["uses"] == ["benchmark 'pairs'"]
    assert told["data 'train'"]["uses"] == [
        "real training images; synthetic sets are made from it",
        "trained on as real images by Real; Blend + real",
    ]


def test_counts_and_fingerprint_of_data(told, results):
    card, source = told["data 'train'"], results.graph.data["train"]
    assert (card["images"], card["identities"], card["image_size"]) == (18, 6, 16)
    assert card["content"] == {"images": source.fingerprint}
    assert card["cost"] is None


def test_a_synthetic_set_makes_no_claim_of_its_own(told):
    stated = told["synthetic images of ScoreMix"]["stated"]
    assert stated["licence"] == stated["consent"] == f"{NOT_STATED}; made from data 'train', see its card"


def test_a_synthetic_card_names_what_made_it_with_parameters_and_keys(told, results):
    text = " ".join(told["synthetic images of ScoreMix"]["provenance"])
    stages = {stage.kind: stage for stage in results.graph.stages.values() if "blend" not in stage.title}
    for kind in ("synthesis", "generator"):
        assert stages[kind].digest[:16] in text
    assert re.search(r'augmentation scoremix, version \S+, \{.*"steps": 2', text)
    assert re.search(r'generator edm2, version \S+, \{.*"channels": 8', text)


def test_auxiliary_models_are_those_looked_through_and_those_that_rows_name(told):
    looked, named = told["synthetic images of ScoreMix"]["auxiliary"]
    assert re.match(r"recognizer iresnet, version .*; trained on data 'train'; key [0-9a-f]{16}$", looked)
    assert named == "a table of ages"
    assert told["synthetic images of Blend + real"]["auxiliary"] == ["none"]


def test_content_of_a_synthetic_set(told, results):
    row = results.graph.rows["ScoreMix"]
    assert told["synthetic images of ScoreMix"]["content"] == {"seed 0": results.record(row.syntheses[0])["content"]}
    assert (told["synthetic images of ScoreMix"]["images"], told["synthetic images of ScoreMix"]["identities"]) == (
        6,
        3,
    )


def test_costs_add_up_from_the_records_each_stage_once(told, results):
    row = results.graph.rows["ScoreMix"]
    made = {stage.digest: stage for stage in [*results.graph.ancestors(row.syntheses[0]), row.syntheses[0]]}
    records = [results.record(stage)["cost"] for stage in made.values()]
    cost = told["synthetic images of ScoreMix"]["cost"]
    assert sorted(stage["kind"] for stage in cost["stages"]) == ["generator", "plan", "recognizer", "synthesis"]
    assert {stage["key"] for stage in cost["stages"]} == {*made}
    assert cost["total"]["evaluations"] == sum(record["network_evaluations"] for record in records) > 0
    assert cost["total"]["seconds"] == pytest.approx(sum(record["seconds"] for record in records), abs=0.01)
    for name in ("recognizer_forward", "recognizer_backward", "denoiser_backward"):
        assert cost["total"]["passes"].get(name, 0) == sum(record["passes"].get(name, 0) for record in records)
    assert cost["complete"]


def test_a_cost_without_record_makes_the_total_a_lower_bound(folder, tmp_path):
    store = shutil.copytree(folder / "store", tmp_path / "store")
    whole = results_of(folder, store)
    before = card_of(whole, "synthetic images of ScoreMix")
    generator = next(stage for stage in whole.graph.stages.values() if stage.kind == "generator")
    evaluations = whole.record(generator)["cost"]["network_evaluations"]
    forget(generator, store)
    lacking = results_of(folder, store)
    after = card_of(lacking, "synthetic images of ScoreMix")
    assert not after.complete
    assert after.total().evaluations == before.total().evaluations - evaluations
    text = cards_markdown(lacking, [after])
    assert "total, at least" in text
    assert re.search(r"generator edm2 .*no record", text)


def test_a_set_that_is_not_made_yet_has_a_card(folder, tmp_path):
    card = card_of(results_of(folder, tmp_path), "synthetic images of ScoreMix")
    assert (card.images, card.identities, card.content, card.complete) == (6, None, {}, False)
    assert "identities: unknown" in cards_markdown(results_of(folder, tmp_path), [card])


def test_cards_are_the_same_bytes_from_the_same_store(folder, results, tmp_path):
    words = ["--store", folder / "store", "--out", tmp_path]
    assert command("report", folder / "matrix.yaml", *words).exit_code == 0
    for name in ("cards.md", "cards.json"):
        assert (tmp_path / name).read_bytes() == (folder / "out" / name).read_bytes()


def test_seconds_are_in_the_json_alone(folder, tmp_path):
    store = shutil.copytree(folder / "store", tmp_path / "store")
    for path in (store / "artifacts").glob("*/*/record.json"):
        record = json.loads(path.read_text())
        record["cost"] |= {"seconds": 1000.0, "finished": "never", "peak_memory_bytes": 1}
        path.write_text(json.dumps(record))
    slower = results_of(folder, store)
    assert cards_markdown(slower, cards(slower)) == (folder / "out" / "cards.md").read_text()
    assert json.loads(cards_json(slower, cards(slower)))["cards"][-1]["cost"]["total"]["seconds"] == 4000.0


def test_everything_from_outside_is_escaped(folder):
    text = (folder / "out" / "cards.md").read_text()
    assert not set("<>") & set(text)
    assert "](" not in text
    assert [line for line in text.splitlines() if line.startswith("# ")] == ["# Cards: tiny"]
    assert 'by &lt;b&gt;us&lt;/b&gt; \\| [x]\\(http://evil)  # "not" a heading' in text


def test_the_report_links_the_cards(folder):
    assert "](cards.md)" in (folder / "out" / "table.md").read_text()
    assert '<a href="cards.md">' in (folder / "out" / "table.html").read_text()


def test_a_benchmark_with_files_of_its_own_has_a_card(tmp_path_factory):
    finished = finished_packed(tmp_path_factory)
    results = finished.results()
    card = card_of(results, "benchmark")
    assert (card.title, card.images, card.identities) == ("benchmark 'pack'", 80, None)
    assert card.content == {"pack": results.graph.packs["pack"].fingerprint}
    text = cards_markdown(results, [card])
    assert "identities: unknown" in text
    assert str(finished.folder) not in text + cards_json(results, [card])
    assert PACK not in text
    assert NOTE not in text


def read(tmp_path, data, benchmark=""):
    text = changed(("path: train, image_size: 16}", "path: train, image_size: 16}\n  orl: {plugin: orl" + data + "}"))
    text = text.replace("folds: 2}\n", "folds: 2}\n" + benchmark)
    write_faces(tmp_path)
    (tmp_path / "matrix.yaml").write_text(text)
    return read_matrix(tmp_path / "matrix.yaml", load_plugins())


def test_a_bundled_set_brings_its_card(tmp_path):
    card = read(tmp_path, "").data["orl"].card
    assert "Samaria & Harter 1994" in card.source
    assert "AT&T Laboratories Cambridge" in card.source
    assert "no terms for the images" in card.licence
    assert card.consent == ""


def test_a_spec_overrides_the_words_that_it_says(tmp_path):
    card = read(tmp_path, ", card: {licence: ours}").data["orl"].card
    assert card.licence == "ours"
    assert "Samaria" in card.source


@pytest.mark.parametrize(
    ("said", "problem"),
    [("{licens: CC0}", "unknown parameter; did you mean 'licence'"), ("{licence: true}", "valid string"),
     ("CC0", "data.orl.card: Input should be an object")],
)  # fmt: skip
def test_a_wrong_card_is_refused(tmp_path, said, problem):
    with pytest.raises(SpecError, match=problem):
        read(tmp_path, f", card: {said}")


def test_benchmarks_have_cards_too(tmp_path):
    matrix = read(tmp_path, "", "    card: {source: somewhere}\n")
    assert matrix.benchmarks[0].card.source == "somewhere"


def test_cards_are_in_no_key(folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder / "train", other / "train")
    shutil.copytree(folder / "test", other / "test")
    (other / "matrix.yaml").write_text(MADE.replace("licence: CC0", "licence: another"))
    assert (
        expanded(other / "matrix.yaml", None)[2].stages.keys()
        == expanded(folder / "matrix.yaml", None)[2].stages.keys()
    )


def test_passes_through_recognizers_add_up(results):
    card = next(card for card in cards(results) if card.kind == "synthetic")
    costs = tuple(replace(cost, passes={"recognizer_forward": 2 + i}) for i, cost in enumerate(card.costs[:2]))
    document = json.loads(cards_json(results, [replace(card, costs=costs)]))
    assert document["cards"][0]["cost"]["total"]["passes"] == {"recognizer_forward": 5}
