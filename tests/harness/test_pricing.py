"""The price of stages: arithmetic on architectures that is done here once more, by hand."""

from __future__ import annotations

import dataclasses

import pytest
from click.testing import CliRunner

from faceassay.cli import main
from faceassay.cli.matrix import expanded
from faceassay.pricing import Price, price, total
from faceassay_plugins.augmentations.id3.sampling import IdentityGuidedSampling
from faceassay_plugins.augmentations.scoremix import ScoreMix
from faceassay_plugins.generators.edm2.plugin import Edm2
from faceassay_plugins.recognizers.iresnet.plugin import IResNet
from matrices import changed, write_faces

EXPECT = "expect: {identities: 10, images: 100, image_size: 16}"
MATRIX = changed(
    ("path: train, image_size: 16", f"path: nowhere, image_size: 16, {EXPECT}"),
    ("path: test, image_size: 16", "path: nowhere, image_size: 16, expect: {identities: 4, images: 8, image_size: 16}"),
)
MAIN, GUIDE = 1000, 10


class Sized(Edm2):
    """A generator whose networks have round sizes."""

    def multiply_adds(self, image_size, identities, role="main"):
        assert (image_size, identities) == (16, 10)
        return MAIN if role == "main" else GUIDE


class Looking(Sized):
    """Pass through a recognizer seven times."""

    def passes_for(self, images):
        return {"recognizer_forward": 4, "recognizer_backward": 3}


class Unsized(Edm2):
    def multiply_adds(self, image_size, identities, role="main"):
        return None


class Adjusted(IdentityGuidedSampling):
    """ID3's sampling without its plan."""

    name = "adjusted"
    version = "1"
    summary = "a test"

    def planned_images(self, identities):
        return 6

    def plan(self, sources, run):
        raise NotImplementedError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("absent")
    (folder / "matrix.yaml").write_text(MATRIX)
    return folder


@pytest.fixture(scope="module")
def graph(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FACEASSAY_DATA", raising=False)
        return expanded(folder / "matrix.yaml", None)[2]


def stage(graph, kind, text=""):
    return next(stage for stage in graph.stages.values() if stage.kind == kind and text in stage.title)


def with_generator(graph, cls, **parameters):
    """Return the synthesis of ScoreMix from another generator, guided otherwise."""
    synthesis = stage(graph, "synthesis", "scoremix")
    generator = synthesis.inputs["generator"]
    other = dataclasses.replace(generator, plugin=cls(**generator.plugin.model_dump()))
    plugin = ScoreMix(**{**synthesis.plugin.model_dump(), **parameters})
    return dataclasses.replace(synthesis, plugin=plugin, inputs={**synthesis.inputs, "generator": other})


def test_a_guided_synthesis_costs_both_networks(graph):
    """6 images, 2 steps: 3 evaluations of 2 classes by each network."""
    assert price(with_generator(graph, Sized)) == Price(6 * 12, 0, 2 * 6 * (6 * MAIN + 6 * GUIDE))


@pytest.mark.parametrize(("guidance", "network"), [(1.0, MAIN), (0.0, GUIDE)])
def test_without_guidance_one_network_is_evaluated(graph, guidance, network):
    assert price(with_generator(graph, Sized, guidance=guidance)) == Price(6 * 6, 0, 2 * 6 * 6 * network)


def test_a_network_of_unknown_size_has_no_price_and_is_not_guessed(graph):
    assert price(with_generator(graph, Unsized)) == Price(72, 0, None)


def adjusted(graph, cls=Sized, recognizer=None, **parameters):
    """Return a synthesis of 6 images in 2 steps, which are 3 calls, that looks through the original recognizer."""
    synthesis = with_generator(graph, cls)
    inputs = {**synthesis.inputs, "recognizer": recognizer or stage(graph, "recognizer", "Real")}
    return dataclasses.replace(synthesis, plugin=Adjusted(steps=2, **parameters), inputs=inputs)


def test_a_pass_backwards_or_through_the_recognizer_costs_one_forward_pass(graph):
    """Each of the 3 calls: the denoiser forwards and backwards, the recognizer forwards and backwards."""
    size = stage(graph, "recognizer", "Real").plugin.multiply_adds()
    assert price(adjusted(graph)) == Price(6 * 3, 0, 2 * 6 * (6 * MAIN + 6 * size), 6 * 9)
    assert price(adjusted(graph, gradient="c_skip")) == Price(6 * 3, 0, 2 * 6 * (3 * MAIN + 6 * size), 6 * 6)
    assert price(adjusted(graph, weight=0)) == Price(6 * 3, 0, 2 * 6 * 3 * MAIN)


def test_backwards_each_network_costs_its_own_size(graph):
    size = stage(graph, "recognizer", "Real").plugin.multiply_adds()
    both = Price(6 * 6, 0, 2 * 6 * (6 * MAIN + 6 * GUIDE + 6 * size), 6 * 12)
    assert price(adjusted(graph, guidance=1.3)) == both
    assert price(adjusted(graph, guidance=0)) == Price(6 * 3, 0, 2 * 6 * (6 * GUIDE + 6 * size), 6 * 9)


def test_a_network_looked_through_whose_size_is_unknown_has_no_price(graph):
    assert price(adjusted(graph, recognizer=object())) == Price(6 * 3, 0, None, 6 * 9)
    assert price(adjusted(graph, Unsized)) == Price(6 * 3, 0, None, 6 * 9)


def test_what_needs_no_network_costs_nothing(graph):
    for kind in ("plan", "quality", "evaluation"):
        assert price(stage(graph, kind)) == Price()
    assert price(stage(graph, "synthesis", "blend")) == Price()


def test_training_costs_three_passes_of_each_image(graph):
    recognizer = stage(graph, "recognizer", "Real")
    size = recognizer.plugin.multiply_adds()
    assert price(recognizer) == Price(0, 16, 2 * 3 * 16 * size)
    generator = dataclasses.replace(stage(graph, "generator"), plugin=Sized(images=16, batch_size=8))
    assert price(generator) == Price(0, 16, 2 * 3 * 16 * MAIN)


def test_training_that_looks_through_a_recognizer_costs_its_passes_too(graph):
    recognizer, generator = stage(graph, "recognizer", "Real"), stage(graph, "generator")
    inputs = {**generator.inputs, "recognizer": recognizer}
    looking = dataclasses.replace(generator, plugin=Looking(images=16, batch_size=8), inputs=inputs)
    size = recognizer.plugin.multiply_adds()
    assert price(looking) == Price(0, 16, 2 * 3 * 16 * MAIN + 2 * 7 * size, 7)


def test_features_cost_two_views_of_each_image(graph):
    features = stage(graph, "features", "of Real")
    assert price(features) == Price(0, 0, 2 * 2 * 8 * features.inputs["recognizer"].plugin.multiply_adds())


def test_a_sum_is_unknown_where_a_part_is():
    assert total([Price(1, 2, 3, 4), Price(10, 20, 30, 40)]) == Price(11, 22, 33, 44)
    assert total([Price(1, 2, 3), Price(10, 20, None)]) == Price(11, 22, None)


def test_hours_are_operations_at_the_stated_rate():
    """One PFLOP a second for an hour is 3600 PFLOP."""
    assert Price(flops=3600 * 10**15).gpu_hours(1000) == pytest.approx(1)
    assert Price(flops=None).gpu_hours(1000) is None


def test_a_matrix_whose_data_is_all_absent_is_planned_and_priced(folder, tmp_path, monkeypatch):
    monkeypatch.delenv("FACEASSAY_DATA", raising=False)
    said = CliRunner().invoke(main, ["plan", str(folder / "matrix.yaml"), "--store", str(tmp_path), "--teraflops", "1"])
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert "16 stages: 16 absent" in lines
    assert "nothing to run" in lines
    assert "  data 'train' is not there: supply nowhere beside the matrix or under FACEASSAY_DATA" in lines
    synthesis = next(line.split() for line in lines if line.startswith("synthesis "))
    assert synthesis[1:4] == ["2", "72", "0"]
    summed = next(line.split() for line in lines if line.startswith("total "))
    assert summed[3:5] == [str(16 + 3 * 16), "0"]
    assert any(line.startswith("not made yet ") and "other passes" in line for line in lines)
    assert "GPU-hours: at 1 sustained TFLOP/s (--teraflops), an assumption, not a measurement" in lines


def test_what_is_made_has_no_price(tmp_path, monkeypatch):
    monkeypatch.delenv("FACEASSAY_DATA", raising=False)
    monkeypatch.setenv("FACEASSAY_CACHE", str(tmp_path / "cache"))
    write_faces(tmp_path)
    real_only = changed(
        ("    augmentation: {plugin: blend, pairs: 3, images_per_pair: 2}\n", ""), ("group: FR_mix", "group: FR_real")
    )
    text = real_only[: real_only.index("  - name: ScoreMix")] + real_only[real_only.index("benchmarks:") :]
    (tmp_path / "matrix.yaml").write_text(text)
    options = ["--store", str(tmp_path / "store")]
    before = CliRunner().invoke(main, ["plan", str(tmp_path / "matrix.yaml"), *options]).output
    assert "TFLOP/s" in before
    CliRunner().invoke(main, ["run", str(tmp_path / "matrix.yaml"), *options, "--no-mlflow", "--quiet"])
    after = CliRunner().invoke(main, ["plan", str(tmp_path / "matrix.yaml"), *options]).output
    assert "nothing to run" in after.splitlines()


def test_the_papers_recognizer_on_the_papers_data_has_the_price_of_its_images():
    """160,000 images for 40 epochs at 6.3 G multiply-adds: 3 x 2 x 6.3e9 x 6.4e6 = 2.4e17."""
    recognizer = IResNet(depth=50, epochs=40)
    assert recognizer.work(160_000) == 6_400_000
    assert 6 * recognizer.work(160_000) * recognizer.multiply_adds() == pytest.approx(2.42e17, rel=0.01)
