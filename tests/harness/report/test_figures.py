"""Panels and plots as pure functions of their data."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from faceassay.contracts import Curve
from faceassay.report.figures import COLOURS, curves_svg, panel_images, png_address
from fakes import toy_faces


def curve(log_x=False, slope=1.0):
    x = np.linspace(0, 1, 5)
    return Curve(x, slope * x, "rate of <x>", "rate of y", log_x)


@pytest.mark.parametrize(("per_identity", "shown"), [(1, 4), (3, 12), (6, 12)])
def test_a_panel_holds_twelve_images_or_all_there_are(per_identity, shown):
    images, names = panel_images(toy_faces(4, per_identity, 16))
    assert (len(images), len(names)) == (shown, shown)


def test_a_panel_is_spread_over_the_whole_set():
    faces = toy_faces(4, 6, 16)
    images, names = panel_images(faces)
    np.testing.assert_array_equal(images[[0, -1]], faces.pixels[[0, -1]])
    assert set(names) == set(faces.identities)


def test_an_image_survives_its_address():
    image = toy_faces(1, 1, 16).pixels[0]
    data = base64.b64decode(png_address(image).partition("base64,")[2])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), image)


def test_a_plot_is_the_same_every_time():
    curves = [("one", [curve()]), ("two", [curve(slope=0.5)])]
    assert curves_svg(curves, "same") == curves_svg(curves, "same")


def test_a_plot_is_one_svg_element_without_date_or_author():
    svg = curves_svg([("one", [curve()])], "a plot")
    assert svg.startswith("<svg ")
    assert svg.rstrip().endswith("</svg>")
    assert "<metadata" not in svg
    assert "matplotlib.org" not in svg


def test_texts_of_a_plot_are_text_and_escaped():
    svg = curves_svg([("one", [curve()])], "<i> & more")
    assert ">rate of &lt;x&gt;</text>" in svg
    assert ">&lt;i&gt; &amp; more</text>" in svg
    assert 'aria-label="&lt;i&gt; &amp; more"' in svg


def test_a_logarithmic_axis_is_labelled_with_plain_numbers():
    svg = curves_svg([("one", [Curve(np.array([1e-3, 1e-2, 1.0]), np.ones(3), "x", "y", log_x=True)])], "roc")
    assert {"0.001", "0.01", "0.1", "1"} <= set(re.findall(r">([0-9.]+)</text>", svg))
    assert "math" not in svg


def test_an_axis_of_whole_numbers_has_whole_ticks():
    ranks = np.arange(1.0, 22.0)
    svg = curves_svg([("one", [Curve(ranks, ranks * 2, "rank", "y")])], "cmc")
    assert {"5", "10", "15", "20"} <= set(re.findall(r">([0-9.]+)</text>", svg))
    assert ">2.5</text>" not in svg


def test_a_method_without_curves_keeps_its_colour_and_has_no_line():
    svg = curves_svg([("none", []), ("one", [curve(), curve(slope=0.9)])], "gap")
    assert re.findall(r'id="gap-(curve_\d_\d)"', svg) == ["curve_1_0", "curve_1_1"]
    assert COLOURS[1] in svg
    assert COLOURS[0] not in svg
    assert ">none</text>" not in svg


def test_more_methods_than_colours_differ_in_their_dashes():
    methods = [(f"method {number}", [curve(slope=number)]) for number in range(1, len(COLOURS) + 2)]
    svg = curves_svg(methods, "many")
    styles = [re.search(rf'curve_{n}_0">\s*<path [^>]*style="([^"]+)"', svg)[1] for n in (0, len(COLOURS))]
    assert [COLOURS[0] in style for style in styles] == [True, True]
    assert ["stroke-dasharray" in style for style in styles] == [False, True]


def test_ids_of_two_plots_differ():
    first, second = (curves_svg([("one", [curve()])], heading) for heading in ("pairs: roc", "far pairs: roc"))
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (first, second)]
    assert ids[0].isdisjoint(ids[1])


def test_references_inside_a_plot_lead_somewhere():
    svg = curves_svg([("one", [curve(log_x=True)])], "pairs: roc")
    ids = set(re.findall(r' id="([^"]+)"', svg))
    assert set(re.findall(r'xlink:href="#([^"]+)"|url\(#([^)]+)\)', svg))
    assert {a or b for a, b in re.findall(r'xlink:href="#([^"]+)"|url\(#([^)]+)\)', svg)} <= ids


def test_drawing_leaves_the_settings_of_matplotlib_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    curves_svg([("one", [curve()])], "quiet")
    assert dict(matplotlib.rcParams) == before
