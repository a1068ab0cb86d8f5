"""Figures: what a stage of one depends on, what it writes, and what the command refuses to draw."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

import faceassay.registry
import tiny_plugins
from faceassay.cli import main
from faceassay.contracts import FaceassayError, Figure, parameter
from faceassay.expand import expand_figure
from faceassay.inputs import open_artifact
from faceassay.registry import Origin, Registry
from faceassay.stages import figure
from faceassay.store import Store
from fakes import Log, sources, stage_context
from tiny_matrix import MATRIX, PLUGINS, graph_of, run

PNG, SVG = b"\x89PNG\r\n\x1a\n", b"<?xml"


class Counts(Figure):
    name = "counts"
    version = "1"
    summary = "images of each class of a row"

    colour: str = parameter("black", description="of the bars")
    reads: tuple[str, ...] = parameter(("plan",), description="what it needs")

    def needs(self):
        return frozenset(self.reads)

    def draw(self, sources, run):
        from matplotlib.figure import Figure as Drawing

        tiny_plugins.note("draw", *sorted(sources.openers))
        if self.colour == "none":
            raise ArithmeticError("no colour")
        run.folder.joinpath("counts.txt").write_text(str(len(sources.open("plan").plan.labels)))
        drawing = Drawing()
        drawing.subplots().bar([0, 1], [1, 2], color=self.colour)
        return drawing


@pytest.fixture(autouse=True)
def told(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path))


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


def drawn_by(method="Blend", **parameters):
    matrix, _ = graph_of()
    return expand_figure(matrix, Counts(**parameters), method, 0)


def test_a_figure_reads_what_it_needs_and_the_real_images():
    (stage,) = drawn_by().targets()
    assert (stage.kind, sorted(stage.inputs)) == ("figure", ["plan", "real"])


def test_a_figure_shares_the_stages_of_its_matrix():
    _, graph = graph_of()
    assert set(drawn_by(reads=("synthesis", "recognizer")).stages) - set(graph.stages) == {
        drawn_by(reads=("synthesis", "recognizer")).targets()[0].digest
    }


def test_a_figure_of_the_matrix_as_a_whole_is_the_same_for_every_row():
    keys = {drawn_by(method, reads=("recognizer",)).targets()[0].digest for method in (None, "Blend", "Real")}
    assert len(keys) == 1


@pytest.mark.parametrize(("method", "said"), [(None, "is about one row"), ("Real", "row 'Real' has none")])
def test_a_figure_of_a_row_names_the_rows_that_have_what_it_shows(method, said):
    with pytest.raises(FaceassayError, match=said) as caught:
        drawn_by(method)
    assert "--method: 'Blend + real', 'Blend'" in str(caught.value)


def test_a_figure_of_what_no_row_has_says_so():
    with pytest.raises(FaceassayError, match=r"shows the search of a row .* no row of the matrix has it"):
        drawn_by("Blend", reads=("search",))


def test_a_figure_of_a_matrix_without_generator_says_so():
    with pytest.raises(FaceassayError, match="no generator"):
        drawn_by(reads=("generator",))


def test_a_figure_is_kept_as_pictures_with_what_lies_beside_them(store):
    graph = drawn_by()
    assert not run(graph, store)
    png, svg, counts = open_artifact(graph.targets()[0], store)
    assert png.read_bytes().startswith(PNG)
    assert svg.read_bytes().startswith(SVG)
    assert counts.read_text() == "12"


def test_a_figure_is_drawn_once_and_in_the_same_bytes_elsewhere(store, tmp_path):
    graph, other = drawn_by(), Store.open(tmp_path / "other")
    for at in (store, store, other):
        assert not run(graph, at)
    assert len(tiny_plugins.events("draw")) == 2
    here, there = (open_artifact(graph.targets()[0], at) for at in (store, other))
    assert [path.read_bytes() for path in here] == [path.read_bytes() for path in there]


class Sampled(Counts):
    name = "sampled"

    def draw(self, sources, run):
        sources.generator.evaluations += 70
        return super().draw(sources, run)


@pytest.mark.parametrize(("given", "counted"), [({}, 0), ({"generator": SimpleNamespace(evaluations=0)}, 70)])
def test_the_evaluations_of_the_generator_are_counted(given, counted, tmp_path):
    log, plan = Log(), SimpleNamespace(plan=SimpleNamespace(labels=[0, 1]))
    plugin = Sampled() if given else Counts()
    figure.run(plugin, sources(plan=plan, **given), stage_context(tmp_path, log=log))
    assert log.evaluations == counted


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Return the command ``figure`` on the tiny matrix, whose plugins are all there is."""
    classes = {(kind, cls.name): cls for kind, cls in {**PLUGINS, "figure": Counts}.items()}
    bundled = faceassay.registry.load_plugins()
    classes["executor", "serial"] = bundled.get("executor", "serial")
    everything = Registry(classes, dict.fromkeys(classes, Origin("tiny", "tiny", "1")))
    monkeypatch.setattr(faceassay.registry, "load_plugins", lambda: everything)
    (tmp_path / "m.yaml").write_text(MATRIX)

    def invoke(*arguments):
        where = ("counts", str(tmp_path / "m.yaml"), "--store", str(tmp_path / "store"))
        return CliRunner().invoke(main, ["figure", *where, *arguments])

    return invoke


def test_the_command_writes_the_pictures_beside_the_matrix(command, store, tmp_path):
    run(graph_of()[1], store)
    result = command("--method", "Blend + real")
    assert result.exit_code == 0, result.output
    files = sorted(path.name for path in (tmp_path / "figures").iterdir())
    stem = "counts-Blend_real-seed0"
    assert files == [f"{stem}-counts.txt", f"{stem}.png", f"{stem}.svg"]
    assert result.output.split() == [str(tmp_path / "figures" / name) for name in (files[1], files[2], files[0])]


def test_figures_of_other_parameters_lie_side_by_side(command, store, tmp_path):
    run(graph_of()[1], store)
    for arguments in (), ("--set", "colour=0.5"), ("--set", "colour=red"):
        command("--method", "Blend", *arguments)
    names = {path.name for path in (tmp_path / "figures").glob("*.png")}
    assert names == {f"counts{part}-Blend-seed0.png" for part in ("", "-colour_0.5", "-colour_red")}


def test_the_command_trains_nothing_and_says_what_is_missing(command, tmp_path):
    result = command("--method", "Blend")
    assert result.exit_code == 2
    assert "not in the store yet: plan of tiny-blend, seed 0: faceassay run" in result.output
    assert not tiny_plugins.events("plan")


def test_a_figure_that_fails_says_why(command, store):
    run(graph_of()[1], store)
    result = command("--method", "Blend", "--set", "colour=none")
    assert result.exit_code == 2
    assert "figure plugin 'counts' 1" in result.output
    assert "ArithmeticError: no colour" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--method", "Blnd"), "no row is called 'Blnd'; known: 'Real', 'Blend + real', 'Blend'"),
        (("--seed", "7"), "the matrix has no seed 7; known: 0"),
        (("--set", "colour"), "a parameter is written PARAMETER=VALUE (got colour)"),
        (("--set", "colour=red", "--set", "colour=blue"), "a parameter is given twice in colour=red, colour=blue"),
        (("--set", "color=red"), "color: unknown parameter; did you mean 'colour'?"),
    ],
)
def test_the_command_refuses_what_it_does_not_know(command, arguments, said):
    result = command(*arguments)
    assert (result.exit_code, said in result.output) == (2, True), result.output


def test_a_list_is_joined_by_plus_on_the_command_line(command, store):
    run(graph_of()[1], store)
    assert command("--method", "Blend", "--set", "reads=plan+recognizer").exit_code == 0
    assert tiny_plugins.events("draw") == [["plan", "real", "recognizer"]]


def test_weights_that_were_given_up_are_to_be_imported_before_a_figure_reads_them(command, store):
    run(graph_of()[1], store)
    recognizer = drawn_by(reads=("recognizer",)).targets()[0].inputs["recognizer"]
    record = store.folder("recognizer", recognizer.digest) / "record.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "given_up": ["sub/mean.npy"]}))
    (record.parent / "sub" / "mean.npy").unlink()
    result = command("--method", "Blend", "--set", "reads=plan+recognizer")
    assert result.exit_code == 2
    assert "kept without weights: recognizer original, seed 0: faceassay store import brings them" in result.output
