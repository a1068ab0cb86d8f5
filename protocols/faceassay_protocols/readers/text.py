"""Own the text of benchmark files: encoding, line ends, where a line is. What the words mean is the readers'."""

from __future__ import annotations

from collections.abc import Iterator

from faceassay.contracts import DataError


def text_lines(content: bytes, place: str) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its end and outer blanks) of every line that is not empty.

    A byte order mark and Windows or old Macintosh line ends change nothing.

    Raises:
        DataError: when ``content`` is no UTF-8 text (names ``place`` and the line).
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wrong = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{place}:{wrong}: no UTF-8 text: is this the right file?") from error
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        if stripped := line.strip():
            yield number, stripped
