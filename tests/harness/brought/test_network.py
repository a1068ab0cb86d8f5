"""Networks that do not take batches, outputs that are no embeddings, images that do not fit."""

import numpy as np
import pytest

from faceassay.brought.network import embeddings_of, naming, recognizer_of
from faceassay.brought.preprocessing import Preprocessing
from faceassay.contracts import DataError, FaceassayError

SIDE = 6


def images(count):
    return np.random.default_rng(1).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def mean_colour(x):
    return x.mean((2, 3))


class Counting:
    """A network that notes the sizes of the batches it is given."""

    def __init__(self, network):
        self.network, self.sizes = network, []

    def __call__(self, x):
        self.sizes.append(len(x))
        return self.network(x)


def sizes_given(network):
    counting = Counting(network)
    recognizer = recognizer_of(counting, Preprocessing(), SIDE)
    counting.sizes.clear()
    embedded = recognizer.embed(images(3))
    np.testing.assert_allclose(embedded, images(3).mean((1, 2)) / 127.5 - 1, rtol=1e-4, atol=1e-6)
    return counting.sizes


def only_one(x):
    if len(x) > 1:
        raise DataError("one at a time")
    return mean_colour(x)


def repeats_the_first(x):
    return np.repeat(mean_colour(x)[:1], len(x), axis=0)


def depends_on_the_batch(x):
    return mean_colour(x) * (1 if len(x) == 1 else 1.001)


def loses_rows(x):
    return mean_colour(x)[:1]


def test_a_network_that_takes_batches_is_given_them():
    assert sizes_given(mean_colour) == [3]


@pytest.mark.parametrize("network", [only_one, repeats_the_first, depends_on_the_batch, loses_rows])
def test_a_network_that_spoils_batches_is_given_one_image_at_a_time(network):
    assert sizes_given(network) == [1, 1, 1]


def test_a_network_that_cannot_do_one_image_is_refused():
    def never(x):
        raise DataError("no")

    with pytest.raises(DataError, match="no"):
        recognizer_of(never, Preprocessing(), SIDE)


@pytest.mark.parametrize(("noise", "is_refused"), [(0.1, True), (0.001, True), (1e-7, False)])
def test_a_network_that_embeds_otherwise_each_time_is_refused(noise, is_refused):
    rng = np.random.default_rng(3)

    def random(x):
        return (mean_colour(x) * (1 + noise * rng.choice([-1, 1], (len(x), 3)))).astype(np.float32)

    if is_refused:
        with pytest.raises(DataError, match=r"differently each time: export it in evaluation mode"):
            recognizer_of(random, Preprocessing(), SIDE)
    else:
        assert recognizer_of(random, Preprocessing(), SIDE).network is random


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_not_taken_for_random(value):
    def spoilt(x):
        return np.where([True, False, False], np.float32(value), mean_colour(x))

    embedded = recognizer_of(spoilt, Preprocessing(), SIDE).embed(images(2))
    np.testing.assert_array_equal(embedded[:, 0], [value, value])


def test_images_of_another_size_are_refused():
    with pytest.raises(FaceassayError, match=r"\(2, 5, 5, 3\) do not fit"):
        recognizer_of(mean_colour, Preprocessing(), SIDE).embed(np.zeros((2, 5, 5, 3), np.uint8))


def test_a_variant_is_the_same_network_behind_another_preprocessing():
    recognizer = recognizer_of(mean_colour, Preprocessing(), SIDE).variant(Preprocessing("bgr", 0, 1))
    np.testing.assert_allclose(recognizer.embed(images(2)), images(2)[..., ::-1].mean((1, 2)), rtol=1e-5)
    assert recognizer.image_size == SIDE
    assert recognizer.class_centres() is None


def test_embeddings_are_flattened_and_cast():
    output = np.arange(6, dtype=np.float64).reshape(2, 3, 1, 1)
    embedded = embeddings_of(output, 2)
    assert embedded.dtype == np.float32
    np.testing.assert_array_equal(embedded, [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("shape", [(6,), (2, 3, 2, 1), (1, 6), (3, 2), (2, 0)])
def test_outputs_of_other_shapes_are_no_embeddings(shape):
    with pytest.raises(DataError, match="no embedding"):
        embeddings_of(np.zeros(shape), 2)


def test_whole_numbers_are_no_embeddings():
    with pytest.raises(DataError, match="int64"):
        embeddings_of(np.zeros((2, 3), np.int64), 2)


def test_what_is_wrong_names_the_file(tmp_path):
    with pytest.raises(DataError, match=r"net\.onnx: it is broken"), naming(tmp_path / "net.onnx"):
        raise DataError("it is broken")
