"""What files look like by their first bytes."""

from __future__ import annotations

import gzip
import io
import lzma
import pickle
import zipfile

import numpy as np
import pytest

from faceassay_protocols.readers.appearance import HEAD, impostor

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 65000000\n"


def written(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (POINTER, "Git LFS"),
        (b"\r\n<!DOCTYPE html><html>Sign in</html>", "web page"),
        (b"\xef\xbb\xbf<html>", "web page"),
        (written(lambda file: zipfile.ZipFile(file, "w").writestr("a", b"a")), "zip"),
        (written(lambda file: np.save(file, np.ones(3))), "NumPy"),
        (gzip.compress(b"a"), "gzip"),
        (lzma.compress(b"a"), "xz"),
        (pickle.dumps([1]), "pickle"),
    ],
    ids=("pointer", "page", "marked page", "zip", "npy", "gzip", "xz", "pickle"),
)
def test_what_is_something_else_is_told(content, what):
    assert what in impostor(content[:HEAD])


def test_what_is_expected_is_no_impostor():
    assert impostor(pickle.dumps([1]), expected=b"\x80") == ""


@pytest.mark.parametrize("content", [b"", b"(lp0\n.", b"no zip", b"\xff\xd8\xff\xe0"])
def test_what_is_unknown_has_no_name(content):
    assert impostor(content) == ""
