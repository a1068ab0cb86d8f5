"""What stored bytes tell: formats, sizes, colour, repetitions."""

import hashlib
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from faceassay.sets.contents import across, contents, repeated
from faceassay.sets.summary import contact_sheet, histogram, quartiles
from stored_faces import stored_faces


def nothing(done):
    pass


def looked_at(data):
    return contents(data, np.arange(len(data)), nothing)


def encoded(image, kind="PNG"):
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def digests(texts):
    return [hashlib.sha256(text.encode()).digest() for text in texts]


def test_formats_are_counted_by_what_the_bytes_are():
    found = looked_at(stored_faces({"a": 3, "b": 3}, kinds=("PNG", "JPEG", "WEBP")))
    assert found.formats == {"PNG": 2, "JPEG": 2, "WEBP": 2}


def test_sizes_are_those_of_the_files():
    data = stored_faces({"a": 2})
    data.contents[1] = encoded(Image.new("RGB", (9, 5), "red"))
    assert looked_at(data).sizes == {"12x12": 1, "9x5": 1}


def test_grey_is_what_shows_no_colour_whatever_its_mode():
    data = stored_faces({"a": 4})
    data.contents[1] = encoded(Image.new("L", (4, 4), 9))
    data.contents[2] = encoded(Image.new("RGB", (4, 4), (7, 7, 7)))
    assert looked_at(data).grey == 2


def test_what_cannot_be_read_or_decoded_is_counted():
    data = stored_faces({"a": 4})
    data.contents[0], data.contents[2] = None, b"no image"
    assert looked_at(data).formats == {"PNG": 2, "unreadable": 2}


def test_only_the_asked_rows_are_read():
    data = stored_faces({"a": 4})
    data.contents[0] = None
    assert contents(data, np.array([1, 3]), nothing).formats == {"PNG": 2}


def test_repeated_contents_are_grouped_by_their_rows_in_the_set():
    data = stored_faces({"a": 3, "b": 2})
    data.contents[4] = data.contents[1]
    data.contents[0] = None
    assert [group.tolist() for group in looked_at(data).repeated] == [[1, 4]]


@given(st.lists(st.sampled_from("abcdef"), max_size=12))
def test_repetitions_as_by_brute_force(texts):
    expected = [[k for k, other in enumerate(texts) if other == text] for text in dict.fromkeys(texts)]
    found = [group.tolist() for group in repeated(digests(texts), np.arange(len(texts)))]
    assert found == [group for group in expected if len(group) > 1]


def test_repetitions_across_identities_are_told_from_those_within_one():
    groups = (np.array([0, 1]), np.array([2, 3]))
    several, single = across(groups, np.array([0, 0, 0, 1]))
    assert [[group.tolist() for group in groups] for groups in (several, single)] == [[[2, 3]], [[0, 1]]]


def test_quartiles():
    assert quartiles(np.array([4, 1, 2, 3, 10])) == (1, 2, 3, 4, 10)


def test_histogram_goes_by_powers_of_two():
    assert histogram(np.array([1, 2, 3, 4, 7, 8, 40])) == {
        "1": 1,
        "2-3": 2,
        "4-7": 2,
        "8-15": 1,
        "16-31": 0,
        "32-63": 1,
    }


def test_contact_sheet_shows_evenly_chosen_images_of_evenly_chosen_identities():
    data = stored_faces({"a": 5, "b": 1, "c": 5})
    sheet = np.asarray(contact_sheet(data, identities=2, images=3))
    shown = [sheet[top : top + 12, -36 + left : (-36 + left + 12) or None] for top in (0, 12) for left in (0, 12, 24)]
    assert (np.stack(shown) == data.images(np.array([0, 2, 4, 6, 8, 10]))).all()


def test_contact_sheet_writes_any_name():
    assert contact_sheet(stored_faces({"Élodie 李": 2})).size[1] == 12
