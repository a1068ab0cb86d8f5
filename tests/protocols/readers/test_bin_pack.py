"""insightface packs: every pickler's opens to the same pairs and pixels, what is damaged or no pack is refused."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import lzma
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold

from faceassay.contracts import DataError, Pack
from faceassay_protocols.readers import bin_pack
from faceassay_protocols.readers.bin_pack import contiguous_folds, read_bin
from faceassay_protocols.readers.known import KNOWN, KnownPairs
from miniatures.bins import VARIANTS, WRITERS, Variant, alternating, bin_content, jpeg, photographs, write_bin

PAIRS, SIZE = 20, 16
TWENTY = KnownPairs("twenty", PAIRS, "Twenty")
LABELS = alternating(PAIRS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("packs")


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@functools.cache
def encoded():
    return photographs(2 * PAIRS, SIZE)


def opened(path, *, known=TWENTY, image_size=SIZE, other_sizes="refuse"):
    return read_bin(path, known, image_size=image_size, other_sizes=other_sizes)


def stored(folder, content, name="pack.bin"):
    path = folder / name
    path.write_bytes(content)
    return path


def refused(path, match, **settings):
    with pytest.raises(DataError, match=match) as error:
        opened(path, **settings)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("variant", VARIANTS, ids=", ".join)
def test_every_variant_opens_to_the_same_pairs_and_pixels(variant, folder):
    pack = opened(write_bin(folder / "pack.bin", encoded(), LABELS, variant))
    pixels = [cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1] for image in encoded()]
    np.testing.assert_array_equal(pack.images(np.arange(2 * PAIRS)), pixels)
    assert pack.is_same.tolist() == LABELS
    assert pack.warnings == ()


def test_pair_k_is_images_2k_and_2k_plus_1(folder):
    pack = opened(write_bin(folder / "pack.bin", encoded(), LABELS))
    assert pack.first.tolist() == list(range(0, 2 * PAIRS, 2))
    assert pack.second.tolist() == list(range(1, 2 * PAIRS, 2))
    assert list(pack.names) == [str(row) for row in range(2 * PAIRS)]
    assert pack.identity is None
    assert pack.people == ()
    assert isinstance(pack, Pack)


@pytest.mark.parametrize("pairs", [10, 11, 19, 20, 57, 6000, 7000])
def test_folds_are_those_of_scikit_learn(pairs):
    fold = contiguous_folds(pairs)
    for number, (_, tested) in enumerate(KFold(10).split(np.zeros(pairs))):
        np.testing.assert_array_equal(np.flatnonzero(fold == number), tested)


def test_the_folds_of_a_pack_are_contiguous_tenths(folder):
    pack = opened(write_bin(folder / "pack.bin", encoded(), LABELS))
    assert pack.fold.tolist() == [pair // 2 for pair in range(PAIRS)]


def test_notes_say_what_was_read(folder):
    path = write_bin(folder / "pack.bin", encoded(), LABELS)
    assert opened(path).notes == {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "pairs": PAIRS,
        "same_pairs": PAIRS // 2,
        "images": 2 * PAIRS,
        "folds": 10,
        "format": "insightface .bin",
        "decoder": f"OpenCV {cv2.__version__}",
    }


def test_the_fingerprint_is_of_the_file_and_of_the_size(folder):
    one = write_bin(folder / "one.bin", encoded(), LABELS)
    copy = stored(folder, one.read_bytes(), "copy.bin")
    other = write_bin(folder / "other.bin", encoded(), [not label for label in LABELS])
    assert opened(one).fingerprint == opened(copy).fingerprint
    resized = opened(one, image_size=8, other_sizes="resize")
    assert len({pack.fingerprint for pack in (opened(one), opened(other), resized)}) == 3


def test_a_compressed_pack_holds_the_same(folder):
    plain = write_bin(folder / "pack.bin", encoded(), LABELS)
    packed = stored(folder, lzma.compress(plain.read_bytes()), "pack.bin.xz")
    np.testing.assert_array_equal(opened(packed).images(np.arange(40)), opened(plain).images(np.arange(40)))
    assert opened(packed).is_same.tolist() == LABELS
    assert opened(packed).notes["sha256"] == hashlib.sha256(packed.read_bytes()).hexdigest()


def test_damaged_compression_is_refused(folder):
    whole = lzma.compress(bin_content(encoded(), LABELS))
    for content in (whole[:-1], whole[: len(whole) // 2], b"", b"no xz at all", whole[:100] + b"\0" + whole[101:]):
        refused(stored(folder, content, "pack.bin.xz"), "fetch it again")


def test_a_compressed_bomb_is_not_unpacked(folder, monkeypatch):
    monkeypatch.setattr(bin_pack, "LARGEST_PACK", 3_000_000)
    refused(stored(folder, lzma.compress(bytes(4_000_000)), "pack.bin.xz"), "unpacks to more than 3000000 bytes")


@pytest.mark.parametrize("name", ["missing.bin", "missing.bin.xz", "."])
def test_a_missing_file_is_named(folder, name):
    refused(folder / name, "no such file")


def test_a_file_of_another_name_is_refused(folder):
    refused(write_bin(folder / "pack.pkl", encoded(), LABELS), "not named .bin")


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"not a pickle", b"{}", b"PK\3\4"])
def test_what_is_no_pickle_is_refused(folder, content):
    refused(stored(folder, content), "no verification pack")


def test_a_pointer_in_place_of_a_pack_is_told(folder):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 65000000\n"
    refused(stored(folder, pointer), "it looks like a pointer of Git LFS: fetch the file itself with git lfs pull")


@pytest.mark.parametrize(
    "content", [None, [], (), ([b"x"],), ([], [], []), (b"images", [True]), (None, []), [[b"a", b"b"], [True], 3]]
)
def test_a_pickle_of_something_else_is_refused(folder, content):
    refused(stored(folder, pickle.dumps(content)), "not the two lists of a verification pack")


@pytest.mark.parametrize(("images", "labels"), [(39, 20), (40, 19), (40, 21), (40, 40), (20, 20), (0, 10), (41, 20)])
def test_labels_must_be_half_as_many_as_images(folder, images, labels):
    many = (encoded() * 2)[:images]
    path = write_bin(folder / "pack.bin", many, [True] * labels)
    refused(path, f"{images} images and {labels} labels: each label belongs to two images")


@pytest.mark.parametrize("pairs", [0, 1, 9])
def test_fewer_than_ten_pairs_make_no_folds(folder, pairs):
    path = write_bin(folder / "pack.bin", encoded()[: 2 * pairs], [True] * pairs)
    refused(path, f"{pairs} pairs cannot be cut into 10 folds")


def test_labels_that_are_neither_same_nor_different_are_refused(folder):
    path = write_bin(folder / "pack.bin", encoded(), [*[1, -1] * 9, 2, 0], Variant(labels="ints"))
    refused(path, "are neither 0 nor 1")


@pytest.mark.parametrize("wrong", [b"", b"\xff\xd8", b"no image", "text", None, np.zeros((112, 112, 3), np.uint8)])
def test_an_element_that_is_no_image_is_named(folder, wrong):
    images = [*encoded()[:7], wrong, *encoded()[8:]]
    refused(stored(folder, pickle.dumps((images, LABELS))), "image 7: no (encoded )?image")


def test_an_image_that_is_damaged_within_is_named_when_it_is_read(folder):
    header_only = encoded()[7].partition(b"\xff\xda")[0]  # up to the start of the scan
    pack = opened(write_bin(folder / "pack.bin", [*encoded()[:7], header_only, *encoded()[8:]], LABELS))
    assert pack.images(np.array([6, 8])).shape == (2, SIZE, SIZE, 3)
    with pytest.raises(DataError, match="image 7: damaged"):
        pack.images(np.array([6, 7]))


def test_images_of_another_size_are_refused_with_their_number(folder):
    images = [*encoded()[:-3], *photographs(3, 24)]
    path = write_bin(folder / "pack.bin", images, LABELS)
    refused(path, r"3 of 40 images are not 16x16 pixels \(mostly 24x24, such as 37\): .*other_sizes")


def test_images_of_another_size_are_resized_on_demand_with_a_warning(folder):
    flat = jpeg(np.full((24, 24, 3), (200, 100, 50), np.uint8))
    pack = opened(write_bin(folder / "pack.bin", [*encoded()[:-1], flat], LABELS), other_sizes="resize")
    assert len(pack.warnings) == 1
    assert "1 of 40 images are not 16x16 pixels" in pack.warnings[0]
    np.testing.assert_allclose(pack.images(np.array([39]))[0], np.broadcast_to([200, 100, 50], (16, 16, 3)), atol=3)


def test_another_number_of_pairs_than_the_known_is_a_warning(folder):
    pack = opened(write_bin(folder / "pack.bin", encoded(), LABELS), known=KNOWN["lfw"])
    assert len(pack.warnings) == 1
    assert "20 pairs, LFW has 6000" in pack.warnings[0]


def test_another_order_and_another_balance_are_warnings(folder):
    by_class = [True] * 10 + [False] * 10
    (order,) = opened(write_bin(folder / "pack.bin", encoded(), by_class)).warnings
    assert "do not run 1 same, 1 different" in order
    (balance,) = opened(write_bin(folder / "pack.bin", encoded(), [True] * 11 + [False] * 9)).warnings
    assert "11 same and 9 different" in balance


def test_one_image_may_be_in_many_pairs(folder):
    """Whoever reads each file once pickles one object, which is written once and referred to."""
    pack = opened(write_bin(folder / "pack.bin", encoded()[:1] * 40, LABELS))
    pixels = pack.images(np.arange(40))
    assert (pixels == pixels[0]).all()


def test_pairs_of_one_image_are_counted_whether_it_is_written_once_or_twice(folder):
    images = [bytes(bytearray(image)) for image in encoded()]
    images[5], images[9], images[14] = images[4], bytes(bytearray(images[8])), images[12]
    (warning,) = opened(write_bin(folder / "pack.bin", images, LABELS)).warnings
    assert warning.endswith("pack.bin: 2 of 20 pairs pair an image with itself (the first: 4)")


def test_one_large_image_in_many_pairs_is_looked_at_once(folder, monkeypatch):
    looked = []
    monkeypatch.setattr(bin_pack, "stored_size", lambda content, place: looked.append(place) or (SIZE, SIZE))
    opened(write_bin(folder / "pack.bin", encoded()[:1] * 400, alternating(200)))
    assert len(looked) == 1


@pytest.mark.parametrize("row", [-1, 40])
def test_an_index_out_of_range_is_refused(folder, row):
    with pytest.raises(IndexError):
        opened(write_bin(folder / "pack.bin", encoded(), LABELS)).images(np.array([row]))


def test_images_are_read_in_any_order_and_by_several_threads(folder):
    pack = opened(write_bin(folder / "pack.bin", encoded(), LABELS))
    everything = pack.images(np.arange(40))
    orders = [np.random.default_rng(seed).integers(0, 40, 30) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for order, batch in zip(orders, pool.map(pack.images, orders), strict=True):
            np.testing.assert_array_equal(batch, everything[order])


def test_a_pack_is_still_read_after_the_file_is_replaced(folder):
    """The mapping holds the file that was fingerprinted."""
    path = write_bin(folder / "replaced.bin", encoded(), LABELS)
    pack = opened(path)
    before = pack.images(np.arange(4))
    write_bin(folder / "new.bin", photographs(40, SIZE, seed=1), LABELS).replace(path)
    np.testing.assert_array_equal(pack.images(np.arange(4)), before)


def test_opening_holds_no_images(folder):
    padding = np.random.default_rng(0).integers(0, 256, 50_000, dtype=np.uint8).tobytes()
    images = [image + padding for image in encoded() * 10]
    path = write_bin(folder / "large.bin", images, alternating(200))
    tracemalloc.start()
    pack = opened(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 20_000_000
    assert peak < 2_000_000
    np.testing.assert_array_equal(pack.images(np.array([5])), pack.images(np.array([45])))


def test_a_pack_that_names_code_is_refused(folder):
    content = bin_content(encoded(), LABELS, Variant("python 2, protocol 0")).replace(b"l", b"lcos\nsystem\n0", 1)
    refused(stored(folder, content), "names os.system, which no verification pack needs.*nothing in it was executed")


SOME = [
    *(Variant(writer, elements, "array <i8") for writer in WRITERS for elements in ("bytes", "column")),
    *(Variant(writer, "bytearray", "numpy bools") for writer in WRITERS),
]


@functools.cache
def of_variant(variant):
    return bin_content(photographs(24, SIZE), [True, False] * 6, variant)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_pack_opens_or_is_refused(folder, data):
    content = bytearray(of_variant(data.draw(st.sampled_from(SOME))))
    for place in data.draw(st.lists(st.integers(0, 8 * len(content) - 1), max_size=6)):
        content[place // 8] ^= 1 << place % 8
    content = content[: data.draw(st.just(len(content)) | st.integers(0, len(content)))]
    path = stored(folder, bytes(content), "damaged.bin")
    with contextlib.suppress(DataError):
        opened(path).images(np.arange(24))
