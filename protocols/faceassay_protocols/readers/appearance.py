"""Own what a file looks like that is not what its name says, by its first bytes. Parses none of them."""

from __future__ import annotations

HEAD = 64
"""Bytes that are enough to tell."""
_LOOKS = (
    (b"version https://git-lfs", "a pointer of Git LFS: fetch the file itself with git lfs pull"),
    (b"<", "a web page: the download failed, fetch the file again"),
    (b"PK\x03\x04", "a zip: give it a name that ends in .zip, or unpack it"),
    (b"\x93NUMPY", "an array of NumPy (.npy), no pack"),
    (b"\x1f\x8b", "gzip (.gz, .tar.gz): unpack it"),
    (b"\xfd7zXZ\x00", "compressed by xz: a compressed pack of insightface ends in .bin.xz"),
    (b"\x80", "a pickle: packs of insightface end in .bin"),
)


def impostor(head: bytes, expected: bytes = b"") -> str:
    """Say what a file that begins with ``head`` looks like, and what to do; '' where it is nothing known.

    ``expected`` is how the file should begin: that is no impostor.
    """
    head = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return next((what for start, what in _LOOKS if start != expected and head.startswith(start)), "")
