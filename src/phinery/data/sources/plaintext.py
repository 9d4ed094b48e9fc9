"""Text out of files in whatever encoding, in pieces that fit in memory."""

from __future__ import annotations

import codecs
import io
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from phinery.data.document import Document, ReadReport

LONGEST = 2**20
"""Characters of a document, at most: longer texts are cut, because encoding them takes memory."""
_HEAD = 2**13  # bytes
NOT_UTF8 = "not in UTF-8 or the encoding it names"
CANNOT_READ = "cannot be opened or read"

# UTF-32's mark begins with UTF-16's, so it is looked for first.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class UnreadableError(ValueError):
    """A file or a part of it is not text; the message is a reason for a ReadReport."""


def read_pieces(path: Path) -> Iterator[str]:
    """`stream_pieces` of a file on disk."""
    try:
        with path.open("rb") as file:
            yield from stream_pieces(file, is_python=path.suffix.lower() == ".py")
    except OSError as error:
        raise UnreadableError(CANNOT_READ) from error


def stream_pieces(file: BinaryIO, *, is_python: bool = False) -> Iterator[str]:
    """The text of an open file, line ends as LF, in pieces of at most LONGEST characters.

    UTF-8, or the encoding that a byte order mark or a Python file's coding line (PEP 263) names.
    Raises UnreadableError, after the pieces before the damage.
    """
    try:
        yield from split_text(_decoded(file, is_python=is_python))
    except (UnicodeError, SyntaxError, LookupError) as error:
        # SyntaxError: the coding line is wrong. LookupError: it names a codec that is not for text.
        raise UnreadableError(NOT_UTF8) from error


def _decoded(file: BinaryIO, *, is_python: bool) -> Iterator[str]:
    head = file.read(_HEAD)
    encoding = _encoding(head, is_python=is_python)
    b" ".decode(encoding, "ignore")  # refuses codecs that are not for text
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder(encoding)("strict"), translate=True
    )
    yield decoder.decode(head)
    while chunk := file.read(LONGEST):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _encoding(head: bytes, *, is_python: bool) -> str:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    return tokenize.detect_encoding(io.BytesIO(head).readline)[0] if is_python else "utf-8"


def split_text(chunks: Iterable[str]) -> Iterator[str]:
    """Join chunks of a text into pieces of at most LONGEST characters, cut where lines end."""
    held = ""
    for chunk in chunks:
        held += chunk
        while len(held) > LONGEST:
            cut = _cut(held)
            yield held[:cut]
            held = held[cut:]
    if held:
        yield held


def checked_documents(
    pieces: Iterable[str],
    name: str,
    source: str,
    report: ReadReport,
    *,
    url: str | None = None,
    language: str | None = None,
    kind: str | None = None,
) -> Iterator[Document]:
    """A document for each piece of a text that a model should see; `report` counts all.

    The first piece is called `name`, those after it `name#2` and so on.
    """
    number = 0
    for number, text in enumerate(pieces, start=1):
        place = name if number == 1 else f"{name}#{number}"
        reason = _problem(text)
        if reason is None:
            report.documents += 1
            yield Document(place, text, source, url, language, kind)
        else:
            report.skip(reason, place)
    if number == 0:
        report.skip("empty", name)


def _cut(text: str) -> int:
    for mark in ("\n\n", "\n", " "):
        place = text.rfind(mark, LONGEST // 2, LONGEST)
        if place >= 0:
            return place + len(mark)
    return LONGEST


def unix_lines(text: str) -> str:
    """The text with LF for every CR LF and CR."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _problem(text: str) -> str | None:
    """Why a text is none that a model should see; None when it is fine."""
    if not text or text.isspace():
        return "empty"
    if "\0" in text:
        return "binary (has NUL characters)"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "not valid Unicode (has lone surrogates)"
    return None
