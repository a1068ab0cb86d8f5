"""The graph of a tiny matrix: what is shared, what changes a key and what does not, and the facts of each row.

The data are folders of toy images; nothing is trained.
"""

from __future__ import annotations

import copy
import shutil
from collections import Counter

import numpy as np
import pytest
import yaml
from PIL import Image

from faceassay import graph as graphs
from faceassay import keys, seeds, sourcecode
from faceassay.contracts import DataError
from faceassay.expand import expand
from faceassay.registry import Origin, Registry
from faceassay.spec import SpecError, read_matrix
from faceassay_plugins.augmentations.auggen import AugGen
from faceassay_plugins.augmentations.blend import Blend
from faceassay_plugins.augmentations.repro import Repro
from faceassay_plugins.augmentations.scoremix import ScoreMix
from faceassay_plugins.datasets.folder import Folder
from faceassay_plugins.generators.edm2.plugin import Edm2
from faceassay_plugins.recognizers.iresnet.plugin import IResNet
from faceassay_protocols.lowres import LowResolutionIdentification
from faceassay_protocols.pairs import PairVerification
from fakes import toy_faces
from tiny_plugins import TinyRecognizer

PLUGINS = {
    "dataset": [Folder],
    "generator": [Edm2],
    "augmentation": [AugGen, Blend, Repro, ScoreMix],
    "recognizer": [IResNet],
    "protocol": [LowResolutionIdentification, PairVerification],
}
CLASSES = {(kind, cls.name): cls for kind, classes in PLUGINS.items() for cls in classes}
REGISTRY = Registry(CLASSES, dict.fromkeys(CLASSES, Origin("plugins", "faceassay", "0")))

PAIRS = {"pairs": 3, "images_per_pair": 4}
SPEC = {
    "schema": 1,
    "name": "tiny",
    "seeds": [0, 1],
    "threads": 1,
    "data": {
        "train": {"plugin": "folder", "path": "train", "image_size": 16},
        "test": {"plugin": "folder", "path": "test", "image_size": 16},
    },
    "train": "train",
    "generator": {
        "plugin": "edm2",
        "channels": 8,
        "channel_multipliers": [1, 1],
        "blocks": 1,
        "attention_resolutions": [8],
        "images": 64,
        "batch_size": 8,
    },
    "recognizer": {
        "plugin": "iresnet",
        "depth": [1, 1, 1, 1],
        "width": 8,
        "image_size": 16,
        "embedding": 8,
        "epochs": 3,
        "batch_size": 5,
    },
    "methods": [
        {"name": "Real", "group": "FR_real"},
        {"name": "Real, matched", "group": "FR_real", "match_updates": "ScoreMix + real"},
        {"name": "Blend + real", "group": "FR_mix", "augmentation": {"plugin": "blend", **PAIRS}},
        {"name": "Repro + real", "group": "FR_mix", "augmentation": {"plugin": "repro", "images_per_class": 2}},
        {"name": "AugGen + real", "group": "FR_mix", "augmentation": {"plugin": "auggen", **PAIRS}},
        {"name": "ScoreMix + real", "group": "FR_mix", "augmentation": {"plugin": "scoremix", **PAIRS}},
        {"name": "ScoreMix", "group": "FR_syn", "augmentation": {"plugin": "scoremix", **PAIRS}},
    ],
    "benchmarks": [
        {"name": "pairs", "data": "test", "protocol": {"plugin": "pair-verification", "folds": 2}},
        {"name": "lowres", "data": "test", "protocol": {"plugin": "lowres-identification", "probe_size": 4}},
    ],
}
SCOREMIX, GENERATED = {"ScoreMix + real", "ScoreMix"}, {"Repro + real", "AugGen + real", "ScoreMix + real", "ScoreMix"}
ROWS = {method["name"] for method in SPEC["methods"]}
AUGMENTED = GENERATED | {"Blend + real"}


def write_people(folder, names, seed):
    faces = toy_faces(len(names), 4, 16, seed)
    for image, label, k in zip(faces.pixels, faces.labels, range(len(faces)), strict=False):
        path = folder / names[label] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of the data that no test changes."""
    folder = tmp_path_factory.mktemp("data")
    write_people(folder / "train", ["ann", "bob", "cat"], seed=0)
    write_people(folder / "test", ["dan", "eve", "fay", "gus"], seed=1)
    return folder


@pytest.fixture(scope="module")
def before(folder):
    """Return the graph of the spec as it stands."""
    return expanded(folder)


@pytest.fixture
def own(folder, tmp_path):
    """Return a copy of the data for a test that changes them."""
    return shutil.copytree(folder, tmp_path / "own")


@pytest.fixture
def forgetful():
    """Forget digests of code, which are taken once in a process, before and after a test that changes them."""
    graphs.core_digest.cache_clear()
    graphs.plugin_digest.cache_clear()
    yield
    graphs.core_digest.cache_clear()
    graphs.plugin_digest.cache_clear()


def spec(**changes):
    return {**copy.deepcopy(SPEC), **changes}


def changed(*path, value):
    """Return the spec with one value replaced: names and positions from the root."""
    document = spec()
    part = document
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return document


def expanded(folder, document=SPEC):
    file = folder / "matrix.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return expand(read_matrix(file, REGISTRY))


def stages(graph):
    """Return every stage by its role: (kind, row, seed) or (kind, row, seed, benchmark)."""
    found = {}
    for name, row in graph.rows.items():
        for seed, trained in row.recognizers.items():
            found["recognizer", name, seed] = trained
        for seed, synthesis in row.syntheses.items():
            found["synthesis", name, seed] = synthesis
            found["plan", name, seed] = synthesis.inputs["plan"]
            found["quality", name, seed] = row.qualities[seed]
            if "generator" in synthesis.inputs:
                found["generator", name, seed] = synthesis.inputs["generator"]
    for cell in graph.cells:
        found["evaluation", cell.method, cell.seed, cell.benchmark] = cell.evaluation
        found["features", cell.method, cell.seed, cell.benchmark] = cell.evaluation.inputs["features"]
    return found


def digests(graph):
    return {role: stage.digest for role, stage in stages(graph).items()}


def moved(before, after):
    """Return the roles, known to both graphs, whose keys differ."""
    one, other = digests(before), digests(after)
    return {role for role in one.keys() & other.keys() if one[role] != other[role]}


def of_kind(graph, kind):
    return [stage for stage in graph.stages.values() if stage.kind == kind]


def rows_of(roles, kind):
    return {role[1] for role in roles if role[0] == kind}


def kinds_of(roles):
    return {role[0] for role in roles}


# --- what is shared


def test_every_stage_is_there_once(before):
    assert Counter(stage.kind for stage in before.stages.values()) == {
        "generator": 1,
        "plan": 4 * 2,
        "synthesis": 4 * 2,
        "quality": 4 * 2,
        "recognizer": 7 * 2,
        "features": 7 * 2 * 2,
        "evaluation": 7 * 2 * 2,
    }


def test_rows_and_cells_are_those_of_the_matrix(before):
    assert set(before.rows) == ROWS
    assert len(before.cells) == len({(c.method, c.benchmark, c.seed) for c in before.cells}) == 7 * 2 * 2


def test_one_generator_serves_every_row_and_seed(before):
    [generator] = of_kind(before, "generator")
    assert all(stage is generator for role, stage in stages(before).items() if role[0] == "generator")


@pytest.mark.parametrize("seed", [0, 1])
def test_rows_of_one_augmentation_share_plan_synthesis_and_quality(seed, before):
    found = stages(before)
    for kind in ("plan", "synthesis", "quality"):
        assert found[kind, "ScoreMix", seed] is found[kind, "ScoreMix + real", seed]


def test_each_seed_has_a_synthesis_and_a_recognizer_of_its_own(before):
    found = stages(before)
    for kind in ("plan", "synthesis", "recognizer"):
        assert found[kind, "ScoreMix", 0].digest != found[kind, "ScoreMix", 1].digest


def test_two_equal_rows_are_computed_once(folder, before):
    twice = spec()
    twice["methods"].append({**twice["methods"][0], "name": "Real again"})
    after = expanded(folder, twice)
    assert set(after.stages) == set(before.stages)
    assert len(after.cells) == len(before.cells) + 4


def test_inputs_come_before_what_needs_them(before):
    position = {digest: k for k, digest in enumerate(before.stages)}
    for stage in before.stages.values():
        assert all(position[source.digest] < position[stage.digest] for source in stage.stages().values())


def test_a_generator_is_trained_for_those_who_read_it_alone(folder):
    document = spec(methods=[method for method in SPEC["methods"] if method["name"] == "Blend + real"])
    assert not of_kind(expanded(folder, document), "generator")


def test_a_synthetic_row_alone_trains_no_recognizer_on_real_images(folder):
    document = spec(methods=[method for method in SPEC["methods"] if method["name"] == "ScoreMix"])
    trained = of_kind(expanded(folder, document), "recognizer")
    assert [set(stage.inputs) for stage in trained] == [{"synthesis"}] * 2


def test_the_original_recognizer_is_that_of_the_real_row_at_the_first_seed(folder, monkeypatch):
    monkeypatch.setattr(ScoreMix, "needs", lambda self: frozenset({"generator", "recognizer"}))
    found = stages(expanded(folder))
    for seed in (0, 1):
        assert found["synthesis", "ScoreMix", seed].inputs["recognizer"] is found["recognizer", "Real", 0]
        assert found["plan", "ScoreMix", seed].inputs["recognizer"] is found["recognizer", "Real", 0]


def test_a_generator_may_read_the_original_recognizer(folder, monkeypatch):
    monkeypatch.setattr(Edm2, "needs", lambda self: frozenset({"recognizer"}))
    graph = expanded(folder)
    [generator] = of_kind(graph, "generator")
    assert generator.inputs["recognizer"] is stages(graph)["recognizer", "Real", 0]


SEARCHED = {"plugin": "auggen", **PAIRS, "alpha": None, "beta": None, "search_pairs": 2}


def with_search(folder, **parameters):
    return expanded(folder, changed("methods", 4, "augmentation", value={**SEARCHED, **parameters}))


def test_one_search_serves_every_seed_and_is_read_by_the_plan_alone(folder):
    graph = with_search(folder)
    [search] = of_kind(graph, "search")
    plans = [stages(graph)["plan", "AugGen + real", seed] for seed in (0, 1)]
    assert all(plan.inputs["search"] is search for plan in plans)
    readers = [stage for stage in graph.stages.values() if "search" in stage.inputs]
    assert readers == plans
    assert dict(search.axes) == {"generator_seed": 0}


def test_a_search_reads_the_generator_and_the_original_recognizer(folder):
    graph = with_search(folder)
    [search] = of_kind(graph, "search")
    original = stages(graph)["recognizer", "Real", 0]
    assert dict(search.stages()) == {"generator": of_kind(graph, "generator")[0], "recognizer": original}
    assert "recognizer" not in stages(graph)["synthesis", "AugGen + real", 0].inputs


def test_weights_that_are_given_are_not_searched_for(before):
    assert of_kind(before, "search") == []


@pytest.mark.parametrize(
    "change",
    [{"pairs": 2}, {"images_per_pair": 9}, {"block_size": 1}, {"selection": "dist-embedding-cosine"}, {"max_uses": 2}],
)
def test_what_a_search_does_not_depend_on_searches_nothing_again(change, folder):
    one, other = with_search(folder), with_search(folder, **change)
    assert [stage.digest for stage in of_kind(one, "search")] == [stage.digest for stage in of_kind(other, "search")]
    assert ("plan", "AugGen + real", 0) in moved(one, other)


@pytest.mark.parametrize("change", [{"steps": 9}, {"guidance": 1}, {"search_pairs": 3}, {"search_grid": [0.5]}])
def test_what_a_search_depends_on_searches_again(change, folder):
    one, other = with_search(folder), with_search(folder, **change)
    assert of_kind(one, "search")[0].digest != of_kind(other, "search")[0].digest


def test_a_search_without_enough_people_is_refused(folder):
    with pytest.raises(SpecError, match="auggen: 3 classes make 3 pairs, 64 are asked for: lower 'search_pairs'"):
        with_search(folder, search_pairs=64)


def test_targets_are_evaluations_and_qualities(before):
    assert Counter(stage.kind for stage in before.targets()) == {"evaluation": 28, "quality": 8}


def test_ancestors_are_everything_that_a_stage_needs(before):
    evaluation = stages(before)["evaluation", "ScoreMix + real", 0, "pairs"]
    kinds = Counter(stage.kind for stage in set(before.ancestors(evaluation)))
    assert kinds == {"features": 1, "recognizer": 1, "synthesis": 1, "plan": 1, "generator": 1}


# --- what changes keys


def test_a_parameter_of_an_augmentation_changes_its_rows_alone(folder, before):
    document = spec()
    for method in document["methods"][-2:]:
        method["augmentation"]["steps"] = 16
    roles = moved(before, expanded(folder, document))
    assert rows_of(roles, "synthesis") == rows_of(roles, "recognizer") == rows_of(roles, "evaluation") == SCOREMIX
    assert kinds_of(roles) == {"plan", "synthesis", "quality", "recognizer", "features", "evaluation"}


def test_a_parameter_of_the_recognizer_changes_recognizers_and_what_follows(folder, before):
    roles = moved(before, expanded(folder, changed("recognizer", "margin", value=0.4)))
    assert kinds_of(roles) == {"recognizer", "features", "evaluation"}
    assert rows_of(roles, "recognizer") == ROWS


def test_a_parameter_of_one_rows_recognizer_changes_that_row_alone(folder, before):
    roles = moved(before, expanded(folder, changed("methods", 0, "recognizer", value={"width": 16})))
    assert {role[1] for role in roles} == {"Real"}


def test_a_parameter_of_the_generator_changes_the_rows_that_use_it(folder, before):
    roles = moved(before, expanded(folder, changed("generator", "images", value=128)))
    assert {role[1] for role in roles} == GENERATED


def test_a_parameter_of_a_protocol_changes_its_column_alone(folder, before):
    roles = moved(before, expanded(folder, changed("benchmarks", 0, "protocol", "pair_seed", value=5)))
    assert {(role[0], role[3]) for role in roles} == {("features", "pairs"), ("evaluation", "pairs")}


@pytest.mark.parametrize(("parameter", "value"), [("flip", False), ("fprs", [0.1]), ("replicates", 7)])
def test_a_parameter_of_a_protocols_metrics_embeds_nothing_again(parameter, value, folder, before):
    roles = moved(before, expanded(folder, changed("benchmarks", 0, "protocol", parameter, value=value)))
    assert {(role[0], role[3]) for role in roles} == {("evaluation", "pairs")}


@pytest.mark.parametrize(
    ("module", "benchmark"),
    [("faceassay_protocols.verification", "pairs"), ("faceassay_protocols.identification", "lowres")],
)
def test_changed_code_of_a_metric_embeds_nothing_again(module, benchmark, folder, before, monkeypatch, forgetful):
    real = keys.source_digest

    def source_digest(start, **options):
        return "changed" if module in sourcecode.closure(start, **options) else real(start, **options)

    monkeypatch.setattr(keys, "source_digest", source_digest)
    roles = moved(before, expanded(folder))
    assert kinds_of(roles) == {"evaluation"}
    assert benchmark in {role[3] for role in roles}


def test_changed_code_of_a_reader_embeds_again(folder, before, monkeypatch, forgetful):
    real, module = keys.source_digest, "faceassay_protocols.readers.dealt_pairs"
    monkeypatch.setattr(keys, "source_digest", lambda m, **k: "changed" if m == module else real(m, **k))
    roles = moved(before, expanded(folder))
    assert {(role[0], role[3]) for role in roles} == {("features", "pairs"), ("evaluation", "pairs")}


def test_a_parameter_of_the_image_quality_changes_qualities_alone(folder, before):
    roles = moved(before, expanded(folder, spec(quality={"face_score": 0.7})))
    assert kinds_of(roles) == {"quality"}


def test_the_generator_seed_changes_the_rows_that_use_the_generator(folder, before):
    roles = moved(before, expanded(folder, spec(generator_seed=1)))
    assert {role[1] for role in roles} == GENERATED


def test_the_base_seed_changes_every_key(folder, before):
    after = expanded(folder, spec(base_seed=1))
    assert not set(after.stages) & set(before.stages)
    assert all(stage.seed not in {other.seed for other in before.stages.values()} for stage in after.stages.values())


def test_another_seed_changes_everything_but_the_generator(folder, before):
    one, other = expanded(folder, spec(seeds=[0])), expanded(folder, spec(seeds=[1]))
    shared = set(one.stages) & set(other.stages)
    assert [one.stages[digest].kind for digest in shared] == ["generator"]
    assert set(one.stages) | set(other.stages) == set(before.stages)


def test_threads_change_what_computes_with_torch_and_what_follows(folder, before):
    roles = moved(before, expanded(folder, spec(threads=2)))
    assert rows_of(roles, "recognizer") == ROWS
    assert rows_of(roles, "synthesis") == AUGMENTED
    assert rows_of(roles, "plan") == AUGMENTED


@pytest.mark.parametrize("kind", ["generator", "recognizer", "synthesis", "features", "plan", "quality", "evaluation"])
def test_threads_are_in_the_keys_of_what_computes_with_torch_alone(kind, before):
    documents = [stage.key.document for stage in of_kind(before, kind)]
    computes = kind in {"generator", "recognizer", "plan", "synthesis", "features"}
    assert all(("threads" in document, "world" in document) == (computes, computes) for document in documents)


def repaint(path):
    pixels = np.asarray(Image.open(path)).copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(path)


def test_one_changed_pixel_of_a_training_image_changes_every_key(own, before):
    repaint(own / "train" / "bob" / "5.png")
    assert not set(expanded(own).stages) & set(before.stages)


def test_one_changed_pixel_of_a_test_image_changes_what_is_measured_on_it(own, before):
    repaint(own / "test" / "eve" / "5.png")
    assert kinds_of(moved(before, expanded(own))) == {"features", "evaluation"}


def test_a_renamed_person_changes_every_key(own, before):
    (own / "train" / "bob").rename(own / "train" / "bill")
    assert not set(expanded(own).stages) & set(before.stages)


def test_a_choice_of_people_changes_every_key(folder, before):
    document = changed("data", "train", "identities", value=["ann", "cat"])
    for method in document["methods"]:
        if "pairs" in method.get("augmentation", {}):
            method["augmentation"]["pairs"] = 1
    assert not set(expanded(folder, document).stages) & set(before.stages)


@pytest.mark.parametrize(
    ("cls", "rows"),
    [(ScoreMix, SCOREMIX), (Edm2, GENERATED), (IResNet, ROWS), (Folder, ROWS), (Blend, {"Blend + real"})],
)
def test_a_new_version_of_a_plugin_changes_what_it_makes(cls, rows, folder, before, monkeypatch):
    monkeypatch.setattr(cls, "version", "next")
    assert {role[1] for role in moved(before, expanded(folder))} == rows


@pytest.mark.parametrize(
    ("module", "rows"),
    [
        ("faceassay_plugins.augmentations.scoremix", SCOREMIX),
        ("faceassay_plugins.generators.edm2.plugin", GENERATED),
        ("faceassay_plugins.recognizers.iresnet.plugin", ROWS),
    ],
)
def test_changed_code_of_a_plugin_changes_what_it_makes(module, rows, folder, before, monkeypatch, forgetful):
    real = keys.source_digest
    monkeypatch.setattr(keys, "source_digest", lambda m, **k: "changed" if m == module else real(m, **k))
    assert {role[1] for role in moved(before, expanded(folder))} == rows


@pytest.mark.parametrize(
    ("kind", "moving"),
    [
        ("generator", {"generator", "plan", "synthesis", "quality", "recognizer", "features", "evaluation"}),
        ("plan", {"plan", "synthesis", "quality", "recognizer", "features", "evaluation"}),
        ("synthesis", {"synthesis", "quality", "recognizer", "features", "evaluation"}),
        ("quality", {"quality"}),
        ("recognizer", {"recognizer", "features", "evaluation"}),
        ("features", {"features", "evaluation"}),
        ("evaluation", {"evaluation"}),
    ],
)
def test_changed_code_of_the_core_changes_its_kind_and_what_follows(
    kind, moving, folder, before, monkeypatch, forgetful
):
    digest = graphs.digest_of
    stage = f"faceassay.stages.{kind}"
    monkeypatch.setattr(graphs, "digest_of", lambda modules: "changed" if stage in modules else digest(modules))
    assert kinds_of(moved(before, expanded(folder))) == moving


def test_changed_settings_of_torch_change_every_kind_that_computes_with_it(folder, before, monkeypatch, forgetful):
    digest, settings = graphs.digest_of, "faceassay.torching"
    monkeypatch.setattr(graphs, "digest_of", lambda modules: "changed" if settings in modules else digest(modules))
    assert {"generator", "synthesis", "recognizer", "features"} <= kinds_of(moved(before, expanded(folder)))


# --- what does not


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "another title", "notes": ["a remark"]},
        {"name": "renamed"},
        {"baseline": "Blend + real"},
        {"profiles": {"small": {"seeds": [0]}}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_words_for_people_change_no_key(changes, folder, before):
    assert list(expanded(folder, spec(**changes)).stages) == list(before.stages)


@pytest.mark.parametrize(("field", "value"), [("note", "a footnote"), ("aux", "none"), ("name", "Renamed")])
def test_words_about_a_row_change_no_key(field, value, folder, before):
    assert set(expanded(folder, changed("methods", 2, field, value=value)).stages) == set(before.stages)


def test_the_name_of_a_benchmark_changes_no_key(folder, before):
    assert set(expanded(folder, changed("benchmarks", 0, "name", value="renamed")).stages) == set(before.stages)


def test_the_names_of_the_data_change_no_key(folder, before):
    document = spec(train="people")
    document["data"]["people"] = document["data"].pop("train")
    assert set(expanded(folder, document).stages) == set(before.stages)


def test_parameters_written_out_at_their_defaults_change_no_key(folder, before):
    document = spec()
    document["methods"][5]["augmentation"] |= {"mixing": 0.5, "steps": 32}
    assert set(expanded(folder, document).stages) == set(before.stages)


def test_another_row_changes_no_other_key(folder, before):
    document = spec()
    another = {"plugin": "auggen", **PAIRS, "alpha": 0.8, "beta": 0.8}
    document["methods"].insert(1, {"name": "AugGen", "group": "FR_syn", "augmentation": another})
    after = expanded(folder, document)
    assert moved(before, after) == set()
    assert set(before.stages) < set(after.stages)


def test_a_row_less_changes_no_other_key(folder, before):
    after = expanded(folder, spec(methods=SPEC["methods"][5:]))
    assert moved(before, after) == set()


def test_the_order_of_rows_changes_no_key(folder, before):
    after = expanded(folder, spec(methods=SPEC["methods"][::-1]))
    assert set(after.stages) == set(before.stages)


@pytest.mark.parametrize("seeds", [[0, 1, 2], [1, 0], [5, 1, 0]])
def test_other_seeds_and_their_order_change_no_key_of_a_seed(seeds, folder, before):
    after = expanded(folder, spec(seeds=seeds))
    assert moved(before, after) == set()
    assert set(before.stages) <= set(after.stages)


def test_another_benchmark_changes_no_other_key(folder, before):
    document = spec()
    protocol = {"plugin": "pair-verification", "folds": 2, "flip": False}
    document["benchmarks"].append({"name": "plain", "data": "test", "protocol": protocol})
    assert set(before.stages) < set(expanded(folder, document).stages)


def test_the_place_and_the_times_of_the_data_change_no_key(folder, before, tmp_path):
    elsewhere = tmp_path / "somewhere" / "else"
    elsewhere.mkdir(parents=True)
    shutil.copytree(folder / "test", elsewhere / "test", copy_function=shutil.copyfile)
    shutil.copytree(folder / "train", elsewhere / "faces", copy_function=shutil.copyfile)
    after = expanded(elsewhere, changed("data", "train", "path", value=str(elsewhere / "faces")))
    assert set(after.stages) == set(before.stages)


def test_neither_workers_nor_device_nor_place_are_in_any_key(before, folder):
    texts = [keys.canonical(stage.key.document) for stage in before.stages.values()]
    assert not any(word in text for text in texts for word in ("workers", "device", str(folder)))


def test_a_graph_made_again_is_the_same(folder, before):
    assert list(expanded(folder).stages) == list(before.stages)


# --- seeds


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("kind", ["recognizer", "plan", "synthesis"])
def test_rows_that_are_compared_share_their_seeds(kind, seed, before):
    used = {stage.seed for role, stage in stages(before).items() if role[0] == kind and role[2] == seed}
    assert used == {seeds.derive(0, kind, {"seed": seed})}


def test_the_generators_seed_is_its_own(before):
    assert of_kind(before, "generator")[0].seed == seeds.derive(0, "generator", {"generator_seed": 0})


def test_features_and_evaluations_vary_on_no_axis_of_their_own(before):
    for kind in ("features", "evaluation", "quality"):
        assert all(dict(stage.axes) == {} for stage in of_kind(before, kind))


# --- the facts of a row: 12 training images of 3 people, batches of 5, 3 epochs


@pytest.mark.parametrize(
    ("row", "real", "synthetic", "updates"),
    [
        ("Real", 12, 0, 8),  # 3 x 12 / 5 = 7.2
        ("Real, matched", 12, 0, 15),
        ("Blend + real", 12, 12, 15),  # 3 x 24 / 5 = 14.4
        ("Repro + real", 12, 6, 11),  # 3 x 18 / 5 = 10.8
        ("ScoreMix + real", 12, 12, 15),
        ("ScoreMix", 0, 12, 8),
    ],
)
def test_a_row_says_on_what_and_how_long_it_trains(row, real, synthetic, updates, before):
    facts = before.rows[row]
    assert (facts.real_images, facts.synthetic_images, facts.updates) == (real, synthetic, updates)


def test_a_matched_row_trains_for_exactly_the_updates_of_its_target(before):
    matched, target = before.rows["Real, matched"], before.rows["ScoreMix + real"]
    assert matched.updates == target.updates
    for seed in (0, 1):
        trained = matched.recognizers[seed]
        assert trained.plugin.updates_for(12) == trained.plugin.updates == 15
        assert set(trained.inputs) == {"real"}


def test_a_matched_row_follows_its_target(folder):
    document = changed("methods", 5, "recognizer", value={"epochs": 10})
    graph = expanded(folder, document)
    assert graph.rows["Real, matched"].updates == graph.rows["ScoreMix + real"].updates == 48  # 10 x 24 / 5


def test_a_matched_row_cannot_follow_a_matched_row(folder):
    with pytest.raises(SpecError, match="match"):
        expanded(folder, changed("methods", 5, "match_updates", value="Blend + real"))


def test_the_work_of_stages_is_what_the_estimate_says(before):
    found = stages(before)
    assert found["synthesis", "ScoreMix", 0].work == found["plan", "ScoreMix", 0].work == 12
    assert found["recognizer", "ScoreMix + real", 0].work == 15 * 5
    assert of_kind(before, "generator")[0].work == 64
    assert found["features", "Real", 0, "lowres"].work == 16


# --- what is found before anything runs


def problems(folder, document):
    with pytest.raises(SpecError) as error:
        expanded(folder, document)
    return str(error.value).splitlines()


def test_people_who_are_tested_and_trained_on_are_refused(own):
    shutil.copytree(own / "train" / "bob", own / "test" / "bob")
    shutil.rmtree(own / "test" / "eve")
    lines = problems(own, SPEC)
    assert len(lines) == 2
    assert all("tests 1 identities that are also trained on (bob)" in line for line in lines)


def test_images_of_two_sizes_are_refused(folder):
    lines = problems(folder, changed("data", "test", "image_size", value=32))
    assert len(lines) == 2
    assert all("images of 32 px, the training images 16 px" in line for line in lines)


def test_everything_that_does_not_fit_is_said_at_once_and_where(folder):
    document = changed("methods", 2, "augmentation", "pairs", value=4)
    document["benchmarks"][0]["protocol"]["folds"] = 3
    document["recognizer"]["image_size"] = 32
    lines = problems(folder, document)
    assert {line.split(": ")[1] for line in lines} >= {"iresnet", "blend", "benchmark 'pairs'"}
    written = (folder / "matrix.yaml").read_text().splitlines()
    [blend] = [line for line in lines if "blend" in line]
    file, row, _ = blend.split(": ")[0].split(":")
    assert file == str(folder / "matrix.yaml")
    assert any("blend" in text for text in written[int(row) - 2 : int(row) + 1])


def test_data_that_cannot_be_used_are_refused(own):
    (own / "train" / "ann" / "0.png").write_bytes(b"no image")
    assert "data 'train'" in problems(own, SPEC)[0]


def test_data_that_change_while_the_matrix_runs_are_refused(own):
    graph = expanded(own)
    repaint(own / "train" / "bob" / "5.png")
    with pytest.raises(DataError, match="data 'train' changed meanwhile"):
        graph.data["train"].open()


def test_data_are_opened_as_chosen(folder):
    graph = expanded(folder, spec(data={**SPEC["data"], "more": {**SPEC["data"]["train"], "identities": "ann..bob"}}))
    chosen = graph.data["more"]
    assert (chosen.people, chosen.images, len(chosen.open())) == (("ann", "bob"), 8, 8)


def test_the_processes_that_train_together_change_generator_and_recognizers_and_what_follows(folder):
    even = {**SPEC["recognizer"], "batch_size": 6}
    before, after = (expanded(folder, spec(world=world, recognizer=even)) for world in (1, 2))
    assert {stage.kind for stage in after.stages.values() if stage.world == 2} == {"generator", "recognizer"}
    assert rows_of(moved(before, after), "recognizer") == ROWS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recognizer": {"batch_size": 9}}, "iresnet: 2 processes cannot share batches of 9 images evenly"),
        ({"generator": {"batch_size": 3}}, "edm2: 2 processes cannot share batches of 3 images evenly"),
    ],
)
def test_batches_that_processes_cannot_share_are_found_before_anything_runs(folder, changes, message):
    ((part, parameters),) = changes.items()
    with pytest.raises(SpecError, match=message):
        expanded(folder, spec(world=2, **{part: {**SPEC[part], **parameters}}))


def test_a_recognizer_that_does_not_say_how_trains_in_one_process():
    TinyRecognizer().check_world(1)
    with pytest.raises(ValueError, match="set world to 1"):
        TinyRecognizer().check_world(2)
