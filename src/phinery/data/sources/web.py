"""Web pages into documents: from WARC and WET files and from folders of HTML."""

from __future__ import annotations

from collections.abc import Iterator

from phinery.data.document import Document, ReadReport
from phinery.data.html.encoding import decode_page
from phinery.data.html.extract import LARGEST_PAGE, page_text
from phinery.data.sources.http_body import BodyError, charset_of, parse_response, too_long
from phinery.data.sources.inputs import Input
from phinery.data.sources.plaintext import (
    UnreadableError,
    checked_documents,
    split_text,
    unix_lines,
)
from phinery.data.sources.remote import DAMAGED, opened
from phinery.data.sources.warc import Record, read_records

LONGEST_RECORD = 2**25
"""Bytes of a record's block that are held, at most."""

_READ_TYPES = frozenset({"response", "resource", "conversion"})
# Full content, as the server or a proxy on the way has it (RFC 9110, 15.3).
_GOOD_STATUS = frozenset({200, 203})
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_PLAIN = frozenset({"text/plain"})
_MEDIA = frozenset({"application", "audio", "font", "image", "model", "multipart", "text", "video"})

_BINARY = "binary, not text"
_MAGIC = (
    b"%PDF",
    b"\x89PNG",
    b"GIF8",
    b"\xff\xd8\xff",  # JPEG
    b"PK\x03\x04",  # zip and office documents
    b"\x1f\x8b",  # gzip
    b"BZh",
    b"7z\xbc\xaf",
    b"Rar!",
    b"\x7fELF",
    b"\x00asm",
    b"RIFF",
    b"OggS",
    b"ID3",
)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_HEAD = 2048
# Bytes that no text has in the encodings of the web; ESC is in ISO-2022.
_CONTROL = bytes(set(range(32)) - set(b"\t\n\x0b\x0c\r\x1b"))
_MOST_CONTROL = 0.01
_MOST_DAMAGED = 0.02


def warc_documents(
    source: Input, report: ReadReport, *, precise: bool = False
) -> Iterator[Document]:
    """The pages of a WARC or WET file; every record is a document or counted in `report`.

    Read are `response` records with an HTML or plain text body, `resource` records of these types,
    and `conversion` records. A document is called FILE:NUMBER, records counted from 1.
    """
    number = 0
    with opened(source) as file:
        for record in read_records(file, types=_READ_TYPES, longest=LONGEST_RECORD):
            number += 1
            place = f"{source.name}:{number}"
            try:
                pieces = _record_pieces(record, precise=precise)
            except UnreadableError as error:
                report.skip(str(error), place)
            else:
                yield from checked_documents(
                    pieces, place, source.source, report, url=_valid(record.url)
                )
    if number == 0:
        report.skip("empty", source.name)


def html_documents(
    source: Input, report: ReadReport, *, precise: bool = False
) -> Iterator[Document]:
    """The text of an HTML file, a document."""
    with opened(source) as file:
        html = file.read(LARGEST_PAGE + 1)
    yield from checked_documents(
        _page_pieces(html, None, None, precise=precise), source.name, source.source, report
    )


def _record_pieces(record: Record, *, precise: bool) -> list[str]:
    """The text that a record holds, in pieces. Raises UnreadableError with a reason for none."""
    if not record.is_complete:
        raise UnreadableError(DAMAGED)
    if record.type not in _READ_TYPES:
        raise UnreadableError(f"{record.type} record")
    if record.is_truncated:
        raise UnreadableError("truncated by the crawler")
    if record.block is None:
        raise UnreadableError(too_long(LONGEST_RECORD))
    if not record.block:
        raise UnreadableError("empty")
    if record.type == "response":
        return _response_pieces(record, precise=precise)
    media_type = record.content_type.partition(";")[0].strip()
    charset = charset_of(record.content_type)
    if record.type == "conversion":  # by definition the text of another record, in UTF-8
        return _plain_pieces(record.block, "utf-8")
    return _typed_pieces(record.block, media_type, charset, record.url, precise=precise)


def _response_pieces(record: Record, *, precise: bool) -> list[str]:
    assert record.block is not None
    response = parse_response(record.block)
    if response is None:
        raise UnreadableError("no HTTP response")
    if response.status not in _GOOD_STATUS:
        raise UnreadableError(f"HTTP status {response.status}")
    _require_text_type(response.media_type)
    try:
        body = response.body(LONGEST_RECORD)
    except BodyError as error:
        raise UnreadableError(str(error)) from error
    return _typed_pieces(body, response.media_type, response.charset, record.url, precise=precise)


def _require_text_type(media_type: str) -> None:
    if media_type not in _PAGES | _PLAIN:
        kind = media_type.partition("/")[0]
        raise UnreadableError(
            f"neither HTML nor plain text ({kind if kind in _MEDIA else 'other'})"
        )


def _typed_pieces(
    body: bytes, media_type: str, charset: str | None, url: str | None, *, precise: bool
) -> list[str]:
    _require_text_type(media_type)
    if media_type in _PAGES:
        return _page_pieces(body, charset, url, precise=precise)
    return _plain_pieces(body, charset)


def _page_pieces(html: bytes, charset: str | None, url: str | None, *, precise: bool) -> list[str]:
    if not html:
        raise UnreadableError("empty")
    if len(html) > LARGEST_PAGE:
        raise UnreadableError(too_long(LARGEST_PAGE))
    text = page_text(_decoded(html, charset), url=url, precise=precise)
    if not text:
        raise UnreadableError("page without text")
    return list(split_text([text]))


def _plain_pieces(body: bytes, charset: str | None) -> list[str]:
    if not body:
        raise UnreadableError("empty")
    return list(split_text([unix_lines(_decoded(body, charset))]))


def _decoded(body: bytes, charset: str | None) -> str:
    if _is_binary(body):
        raise UnreadableError(_BINARY)
    text = decode_page(body, charset)
    if text.count("\ufffd") > _MOST_DAMAGED * len(text):
        raise UnreadableError("in no encoding that fits")
    return text


def _is_binary(body: bytes) -> bool:
    head = body[:_HEAD]
    if head.startswith(_UTF16_MARKS):
        return False
    if head.startswith(_MAGIC):
        return True
    return len(head) - len(head.translate(None, _CONTROL)) > _MOST_CONTROL * len(head)


def _valid(url: str | None) -> str | None:
    return None if url is None else url.encode(errors="backslashreplace").decode()
