"""An HTTP response as it came over the wire, into status, headers and the plain body."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})\b")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_LONGEST_HEADER = 2**16
_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([\w:.-]+)""", re.IGNORECASE)


class BodyError(ValueError):
    """A body cannot be had; the message is a reason for a ReadReport."""


@dataclass(frozen=True)
class Response:
    """Status and headers of a response, and its body as it was sent."""

    status: int
    headers: dict[str, str]
    """By name in lower case; of several with one name the first."""
    raw: bytes

    @property
    def media_type(self) -> str:
        """Such as "text/html"; "" when none is declared."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str | None:
        """The encoding that the response declares."""
        return charset_of(self.headers.get("content-type", ""))

    def body(self, longest: int) -> bytes:
        """The body without chunks and compression.

        Crawlers often store it so already and keep the headers: then it stays as it is. Raises
        BodyError when it is damaged, longer than `longest` bytes, or in an unknown encoding.
        """
        body = self.raw
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            body = _joined_chunks(body)
        encodings = self.headers.get("content-encoding", "").lower().replace(",", " ").split()
        for encoding in reversed(encodings):
            body = _decompressed(body, encoding, longest)
        if len(body) > longest:
            raise BodyError(too_long(longest))
        return body


def too_long(longest: int) -> str:
    """The reason for leaving out what is longer than that many bytes."""
    return f"longer than {longest // 2**20} MiB"


def charset_of(content_type: str) -> str | None:
    """The encoding that a Content-Type names."""
    found = _CHARSET.search(content_type)
    return found[1] if found else None


def parse_response(message: bytes) -> Response | None:
    """A response from its bytes; None when they are no HTTP response."""
    status = _STATUS.match(message)
    if status is None:
        return None
    end = _HEADER_END.search(message, 0, _LONGEST_HEADER)
    if end is None:
        return None
    headers: dict[str, str] = {}
    for line in message[: end.start()].decode("latin-1").splitlines()[1:]:
        name, mark, value = line.partition(":")
        if mark:
            headers.setdefault(name.strip().lower(), value.strip())
    return Response(int(status[1]), headers, message[end.end() :])


def _joined_chunks(body: bytes) -> bytes:
    """RFC 9112, section 7.1."""
    chunks: list[bytes] = []
    place = 0
    while size := _CHUNK_SIZE.match(body, place):
        length = int(size[1], 16)
        if length == 0:
            return b"".join(chunks)
        start = size.end()
        if start + length > len(body):
            break
        chunks.append(body[start : start + length])
        place = start + length
        place += 2 if body.startswith(b"\r\n", place) else body.startswith(b"\n", place)
    if not chunks and size is None:
        return body
    raise BodyError("body cut short or damaged")


def _decompressed(body: bytes, encoding: str, longest: int) -> bytes:
    if not body or encoding in ("identity", "none", "utf-8"):
        return body
    if encoding in ("gzip", "x-gzip"):
        return _inflated(body, 31, longest) if body.startswith(b"\x1f\x8b") else body
    if encoding == "deflate":
        # Some servers mean zlib's format, some the bare stream.
        is_zlib = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
        return _inflated(body, 15 if is_zlib else -15, longest)
    if encoding == "br":
        return _brotli(body, longest)
    raise BodyError("content encoding is not known")


def _inflated(body: bytes, window: int, longest: int) -> bytes:
    inflater = zlib.decompressobj(window)
    try:
        plain = inflater.decompress(body, longest + 1)
    except zlib.error as error:
        raise BodyError("body cut short or damaged") from error
    if len(plain) > longest:
        raise BodyError(too_long(longest))
    if not inflater.eof:
        raise BodyError("body cut short or damaged")
    return plain


def _brotli(body: bytes, longest: int) -> bytes:
    import brotli  # FastWARC requires it

    decompressor = brotli.Decompressor()
    plain: list[bytes] = []
    length = 0
    try:
        plain.append(decompressor.process(body, output_buffer_limit=_STEP))
        while not decompressor.is_finished():
            length += len(plain[-1])
            if length > longest:
                raise BodyError(too_long(longest))
            if decompressor.can_accept_more_data():
                raise BodyError("body cut short or damaged")
            plain.append(decompressor.process(b"", output_buffer_limit=_STEP))
    except brotli.error as error:
        raise BodyError("body cut short or damaged") from error
    return b"".join(plain)


_STEP = 2**20
