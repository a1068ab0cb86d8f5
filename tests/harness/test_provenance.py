"""What made an artifact, what sets two apart down to parameter and file, and why a stage is to run again."""

import dataclasses
import hashlib
import importlib
import json
import re
import shutil
import sys

import pytest

import tiny_matrix as tiny
import tiny_plugins
from faceassay import given
from faceassay import graph as graphs
from faceassay.contracts import FaceassayError
from faceassay.execute import Order
from faceassay.provenance.differences import Comparison, own_differences
from faceassay.provenance.known import Known, chosen, finder, of_record, of_stage
from faceassay.provenance.origin import origin_lines
from faceassay.provenance.reruns import nearest, rerun_lines
from faceassay.states import required_stages
from faceassay.store import Store
from finished_matrix import command, finished_matrix, forget

PLAN, SYNTHESIS = "plan of tiny-blend, seed 0", "synthesis tiny-blend, seed 0"
REAL, MIXED = "recognizer Real, seed 0", "recognizer Blend + real, seed 0"
DOCUMENT = {
    "schema": 1,
    "kind": "recognizer",
    "plugin": {"name": "net", "version": "1", "source": "s1", "parameters": {"updates": 3, "sizes": {"a": 1, "b": 2}}},
    "core": "c1",
    "inputs": {"real": {"data": {"plugin": {"name": "folder"}, "identities": ["ann", "bob"], "fingerprint": "f1"}}},
    "axes": {"seed": 0},
    "seed": 11,
    "threads": 1,
    "world": 1,
}
CODE = {"s1": {"faceassay.keys": "k1", "gone.inner": "i1"}, "c1": {"faceassay.keys": "k1"}}


@pytest.fixture(autouse=True)
def _events(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_matrix(tmp_path_factory)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the store that a run of the tiny matrix filled; no test changes it."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINY_EVENTS", str(folder))
        store = Store.open(folder / "store")
        assert tiny.run(tiny.graph_of()[1], store) == {}
    return store


@pytest.fixture
def store(run, tmp_path):
    return Store.open(shutil.copytree(run.root, tmp_path / "store"))


@pytest.fixture
def graph():
    return tiny.graph_of()[1]


@pytest.fixture
def stages(graph):
    return tiny.by_title(graph)


def changed(**parts):
    """Return the key document with some of its parts replaced."""
    return {**json.loads(json.dumps(DOCUMENT)), **parts}


def apart(second, code=CODE, first=DOCUMENT):
    """Return what differs between two keys that no store has."""
    known = [Known(digest, "recognizer", "a net", document, CODE, {}) for digest, document in (("1", first),)]
    known.append(Known("2", "recognizer", "a net", second, code, {}))
    return own_differences(*known)


def plugin(**parts):
    return changed(plugin={**DOCUMENT["plugin"], **parts})


def test_equal_keys_differ_in_nothing():
    assert apart(changed()) == []


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (plugin(parameters={"updates": 4, "sizes": {"a": 1, "b": 2}}), "parameter updates: 3 -> 4"),
        (plugin(parameters={"updates": 3, "sizes": {"a": 1, "b": 5}}), "parameter sizes.b: 2 -> 5"),
        (plugin(parameters={"sizes": {"a": 1, "b": 2}}), "parameter updates: only in the first (3)"),
        (plugin(parameters={**DOCUMENT["plugin"]["parameters"], "x": None}), "parameter x: only in the second (null)"),
        (plugin(parameters={"updates": 3.0, "sizes": {"a": 1, "b": 2}}), "parameter updates: 3 -> 3.0"),
        (plugin(version="2"), "plugin version: 1 -> 2"),
        (plugin(name="other", parameters={}, source="s9"), "plugin name: net -> other"),
        (changed(threads=2), "threads: 1 -> 2"),
        (changed(world=4), "world: 1 -> 4"),
        (changed(axes={"seed": 1}, seed=12), "seed axis seed: 0 -> 1"),
        (changed(seed=12), "seed, derived from another base seed: 11 -> 12"),
        (changed(kind="features"), "kind: recognizer -> features"),
        (changed(kind="features", seed=12), "kind: recognizer -> features"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_change_is_one_line(second, said):
    assert apart(second) == [said]


def real(**parts):
    return changed(inputs={"real": {"data": {**DOCUMENT["inputs"]["real"]["data"], **parts}}})


def test_other_images_are_another_fingerprint():
    assert apart(real(fingerprint="f2")) == ["input real, data, fingerprint: f1 -> f2"]


def test_people_that_came_and_went_are_named():
    assert apart(real(identities=["bob", "cy", "dee"])) == [
        "input real, data, identities: 2 -> 3, without ann, with cy, dee"
    ]


def test_an_input_that_only_one_has_is_named():
    assert apart(changed(inputs={})) == ["input real: only in the first"]


def test_a_changed_module_is_named_by_its_file_once_for_plugin_and_core():
    code = {"s2": {"faceassay.keys": "k2", "gone.inner": "i1"}, "c2": {"faceassay.keys": "k2"}}
    second = {**plugin(source="s2"), "core": "c2"}
    assert apart(second, code) == ["code of the plugin and code of the core: faceassay/keys.py differs"]


def test_a_module_that_came_and_one_that_went_are_named_by_their_files():
    code = {**CODE, "s2": {"faceassay.keys": "k1", "faceassay.contracts": "x"}}
    assert apart(plugin(source="s2"), code) == [
        "code of the plugin: faceassay/contracts/__init__.py only in the second",
        "code of the plugin: gone/inner.py only in the first",
    ]


def test_code_that_nobody_recorded_is_said_to_be_so():
    assert apart(plugin(source="s2")) == [
        "code of the plugin: s1 -> s2; the modules of the second were not recorded, so the file cannot be named"
    ]


def test_a_parameter_called_source_is_a_parameter():
    first, second = plugin(parameters={"source": "a"}), plugin(parameters={"source": "b"})
    assert apart(second, first=first) == ["parameter source: a -> b"]


def test_the_first_cause_is_named_first_and_what_follows_after_it(store, stages):
    other = tiny.graph_of(tiny.MATRIX.replace("plugin: tiny-blend}}", "plugin: tiny-blend, images: 20}}"))[1]
    tiny.run(other, store)
    find = finder(store)
    again = tiny.by_title(other)[MIXED]
    causes = list(Comparison(find, find).causes(find(stages[MIXED].digest), find(again.digest)))
    assert [cause.second.kind for cause in causes] == ["plan", "synthesis", "recognizer"]
    assert causes[0].lines == ["parameter images: 12 -> 20"]
    assert causes[1].lines[-1].endswith(", as said above")
    assert [line.split(":")[0] for line in causes[2].lines] == ["input synthesis"]


def test_inputs_that_are_gone_are_said_to_be_gone(store, stages):
    other = tiny.graph_of(tiny.MATRIX.replace("plugin: tiny-blend}}", "plugin: tiny-blend, images: 20}}"))[1]
    tiny.run(other, store)
    forget(stages[PLAN], store.root)
    find = finder(store)
    again = tiny.by_title(other)[SYNTHESIS]
    (cause,) = Comparison(find, find).causes(find(stages[SYNTHESIS].digest), find(again.digest))
    assert f"of which {stages[PLAN].digest[:12]} cannot be found in the store" in cause.lines[-1]


def test_a_record_holds_the_digests_of_the_modules_and_they_add_up_to_those_of_the_key(run, stages):
    record = run.record("recognizer", stages[REAL].digest)
    places = {record["key"]["plugin"]["source"], record["key"]["core"]}
    places.add(record["key"]["inputs"]["real"]["data"]["plugin"]["source"])
    assert set(record["code"]) == places
    for total, modules in record["code"].items():
        lines = "".join(f"{name}:{modules[name]}\n" for name in sorted(modules))
        assert hashlib.sha256(lines.encode()).hexdigest() == total
    assert "tiny_plugins" in record["code"][record["key"]["plugin"]["source"]]


def test_a_key_is_found_by_its_beginning(run, stages):
    assert chosen(run, stages[REAL].digest[:6]).title == REAL
    assert chosen(run, stages[REAL].digest).title == REAL


@pytest.mark.parametrize("start", ["", "abcde", "ABCDEF", "xyzxyz", "../../etc", "a" * 65, "*" * 8])
def test_what_is_no_beginning_of_a_key_is_refused(run, start):
    with pytest.raises(FaceassayError, match="is no key: give its first 6 or more of 64 digits"):
        chosen(run, start)


def test_an_unknown_key_is_refused(run):
    with pytest.raises(FaceassayError, match=r"no key in the store .* begins with 000000000000"):
        chosen(run, "0" * 12)


def test_an_ambiguous_beginning_names_what_it_may_mean(store, stages):
    stage = stages[REAL]
    twin = stage.digest[:8] + "0" * 56
    store.fail(twin, {"title": "a twin", "kind": "plan", "reason": "why", "key": stage.key.document})
    with pytest.raises(FaceassayError, match=r"2 keys .* begin with .*a twin") as caught:
        chosen(store, stage.digest[:8])
    assert REAL in str(caught.value)


def test_a_failed_stage_is_explained_with_its_failure(store, stages):
    forget(stages[REAL], store.root)
    tiny_plugins.switch("fail-fit-24", "out of luck")
    Order(stages[REAL], store.root)()
    assert any("out of luck" in line for line in told(store, stages[REAL]))


def told(store, stage):
    return list(origin_lines(chosen(store, stage.digest), finder(store)))


def test_the_account_names_plugin_parameters_seed_and_code(run, stages):
    lines = [re.sub(" +", " ", line).strip() for line in told(run, stages[REAL])]
    assert lines[:2] == [stages[REAL].digest, f"{REAL} (recognizer)"]
    assert {"parameter updates: 20", f"seed {stages[REAL].seed}, derived from seed 0", "threads 1"} <= set(lines)
    assert any(line.startswith("plugin tiny-recognizer 3 of ") for line in lines)
    assert any(line.startswith("code of the plugin, ") for line in lines)
    assert any("tiny_plugins" in line for line in lines)


def test_the_account_says_where_and_when_it_ran_and_what_it_cost(run, stages):
    record = run.record("recognizer", stages[REAL].digest)
    text = "\n".join(told(run, stages[REAL]))
    assert record["cost"]["finished"] in text
    assert record["environment"]["processor"] in text
    assert "160 network evaluations" in text  # 20 steps of 8
    assert f"torch {record['environment']['packages']['torch']}" in text


def test_the_tree_of_inputs_ends_at_the_data(run, stages):
    lines = told(run, stages[MIXED])
    tree = lines[lines.index("  made from") + 1 :]
    assert f"    synthesis: {stages[SYNTHESIS].digest[:12]} {SYNTHESIS}" in tree
    assert f"      plan: {stages[PLAN].digest[:12]} {PLAN}" in tree
    fingerprint = run.record("plan", stages[PLAN].digest)["inputs"]["real"]["fingerprint"]
    assert f"        real: data, tiny-faces 1, 4 identities, fingerprint {fingerprint}" in tree


def test_an_input_that_is_not_in_the_store_is_said_to_be_so(store, stages):
    forget(stages[SYNTHESIS], store.root)
    assert f"    synthesis: {stages[SYNTHESIS].digest[:12]} not in this store" in told(store, stages[MIXED])


def test_nothing_is_to_run_where_all_is_done(run, graph):
    assert list(rerun_lines(required_stages(graph, run), graph, run)) == []


def test_a_changed_parameter_is_why_a_stage_runs_again(run):
    other = tiny.graph_of(tiny.MATRIX.replace("{plugin: tiny-recognizer}", "{plugin: tiny-recognizer, updates: 21}"))[1]
    lines = list(rerun_lines(required_stages(other, run), other, run))
    at = next(i for i, line in enumerate(lines) if f" {REAL}: missing" in line)
    assert f"{REAL}, finished" in lines[at + 1]
    assert lines[at + 2] == "    parameter updates: 20 -> 21"
    assert not any(PLAN in line for line in lines)


def test_a_stage_like_no_other_is_said_to_be_so(tmp_path, graph):
    empty = Store.open(tmp_path / "empty")
    lines = list(rerun_lines(required_stages(graph, empty), graph, empty))
    assert "  nothing like it is in the store: no other recognizer by tiny-recognizer" in lines


def test_the_nearest_artifact_is_the_one_with_the_fewest_differences(run):
    wide = tiny.graph_of(tiny.MATRIX.replace("seeds: [0]", "seeds: [0, 1]"))[1]
    wanted = tiny.by_title(wide)["recognizer Blend + real, seed 1"]
    near = nearest(wanted, list(run.records()))
    assert near is not None
    assert near.title == MIXED


def test_a_stale_stage_names_the_input_that_was_made_anew(store, graph, stages):
    plan = stages[PLAN]
    work = store.staging(plan.digest) / "work"
    shutil.copytree(store.folder("plan", plan.digest), work)
    (work / "record.json").unlink()
    (work / "columns" / "more.npy").touch()
    kept = dict(store.record("plan", plan.digest))
    facts = {name: kept[name] for name in ("title", "key", "inputs", "cost")}
    store.commit("plan", plan.digest, work, facts)
    lines = list(rerun_lines([stages[SYNTHESIS]], graph, store))
    assert lines[0].endswith(f"{SYNTHESIS}: stale")
    assert lines[1].startswith("  made from another plan: ")


def test_a_changed_file_of_a_plugin_is_named(tmp_path, monkeypatch, stages, store):
    """Run a stage of a plugin of two modules, change the second of them, and ask why the stage is to run again."""
    package = tmp_path / "site" / "zz_explained"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("LEVEL = 1\n")
    (package / "outer.py").write_text(
        "from tiny_plugins import TinyBlend\nfrom zz_explained.inner import LEVEL\n\n\nclass Blend(TinyBlend):\n"
        '    name = "explained"\n'
    )
    monkeypatch.syspath_prepend(package.parent)
    importlib.invalidate_caches()
    blend = importlib.import_module("zz_explained.outer").Blend()
    try:
        stage = dataclasses.replace(stages[PLAN], plugin=blend)
        assert Order(stage, store.root)().error is None
        (package / "inner.py").write_text("LEVEL = 1 + 1\n")
        given.plugin_digest.cache_clear()
        again = dataclasses.replace(stage)
        first, second = of_record(store.record("plan", stage.digest)), of_stage(again, store)
    finally:
        given.plugin_digest.cache_clear()
        for name in [name for name in sys.modules if name.startswith("zz_explained")]:
            del sys.modules[name]
    assert own_differences(first, second) == ["code of the plugin: zz_explained/inner.py differs"]


def digests_of_code(document):
    """Yield what stands in a key under the names of code."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from digests_of_code(value)
        elif name in ("source", "core"):
            yield value


@pytest.mark.parametrize("kind", ["data", "pack", "validation"])
def test_the_code_that_opens_every_kind_of_input_is_recorded(graph, stages, kind):
    data = graph.data["train"]
    sources = {"data": data, "pack": graph.packs["near"], "validation": given.ValidationInput(data, 2, 3)}
    stage = dataclasses.replace(stages[REAL], inputs={"some": sources[kind]})
    assert set(graphs.code_table(stage)) == set(digests_of_code(stage.key.document))


def test_modules_are_not_recorded_under_the_digest_of_other_code(monkeypatch, stages):
    monkeypatch.setattr(graphs, "core_digest", lambda kind: "0" * 64)
    assert "0" * 64 not in graphs.code_table(dataclasses.replace(stages[PLAN]))


def test_explain_of_one_key(finished):
    stage = finished.stage("recognizer Real, seed 0")
    shown = command("explain", stage.digest[:6], "--store", finished.store)
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith(f"{stage.digest}\nrecognizer Real, seed 0 (recognizer)\n")


def test_explain_of_two_keys(finished):
    keys = [finished.stage(f"recognizer Real, seed {seed}").digest[:12] for seed in (0, 7)]
    shown = command("explain", *keys, "--store", finished.store).output.splitlines()
    assert shown == [
        f"first   {keys[0]} recognizer Real, seed 0",
        f"second  {keys[1]} recognizer Real, seed 7",
        f"recognizer {keys[0]} -> {keys[1]} (recognizer Real, seed 0 -> recognizer Real, seed 7)",
        "  seed axis seed: 0 -> 7",
    ]


def test_explain_of_the_same_key_twice(finished):
    key = finished.stage("recognizer Real, seed 0").digest[:12]
    shown = command("explain", key, key, "--store", finished.store)
    assert shown.output.endswith("the same key: nothing differs\n")


def test_explain_of_a_finished_matrix(finished):
    shown = command("explain", finished.matrix, "--store", finished.store)
    assert shown.output.startswith("nothing to run: every number is there")


def test_explain_of_a_profile_says_what_it_changes(finished):
    shown = command("explain", finished.matrix, "--store", finished.store, "--profile", "longer").output
    assert "    parameter updates: 3 -> 4\n" in shown


def test_explain_of_a_cell_shows_its_chain(finished):
    cell = ("--method", "Blend + real", "--benchmark", "pairs", "--seed", "7")
    shown = command("explain", finished.matrix, "--store", finished.store, *cell).output.splitlines()
    kinds = ["plan of blend", "synthesis blend", "recognizer Blend + real", "features pairs", "evaluation pairs"]
    assert len(shown) == len(kinds)
    assert all(f" {kind}" in line and line.endswith(": done") for kind, line in zip(kinds, shown, strict=True))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("0" * 12,), 2, "no key in the store"),
        (("abc",), 2, "is no key"),
        (("aaaaaa", "bbbbbb", "cccccc"), 2, "give one key, two keys"),
        (("aaaaaa", "--method", "Real"), 2, "are about a matrix"),
        (("nowhere.yaml",), 2, "no such file"),
        ((), 2, "Missing argument"),
    ],
)
def test_explain_of_bad_words(finished, words, code, said):
    shown = command("explain", *words, "--store", finished.store)
    assert (shown.exit_code, said in shown.output) == (code, True), shown.output


def test_explain_of_an_unknown_row_names_the_known_ones(finished):
    shown = command("explain", finished.matrix, "--store", finished.store, "--method", "Rea")
    assert "the matrix has no method 'Rea'; known: 'Real', 'Blend + real', 'Blend, alone'" in shown.output
