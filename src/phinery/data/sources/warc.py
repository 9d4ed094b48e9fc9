"""Records out of WARC files, whole or damaged."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.client import HTTPException
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from fastwarc.warc import WarcRecord

_GZIP = b"\x1f\x8b\x08"
_READ = 2**16


@dataclass(frozen=True)
class Record:
    """A record: what its header says, and the block that follows."""

    type: str
    """In lower case: "response", "conversion" and so on; "damaged" when not even that is known."""
    url: str | None
    content_type: str
    """Media type of the block, in lower case, with parameters."""
    is_truncated: bool
    """Whether the crawler says that it stored only a part."""
    is_complete: bool
    """False when the file is damaged or ends within the record."""
    block: bytes | None
    """None when it is longer than was asked for, or the record's type was not asked for."""


DAMAGED = Record("damaged", None, "", is_truncated=False, is_complete=False, block=None)


def read_records(file: BinaryIO, *, types: frozenset[str], longest: int) -> Iterator[Record]:
    """All records of a WARC file, compressed or not, with blocks of the `types` up to `longest`.

    A stretch that does not read as records gives one record that is not complete, or DAMAGED. In a
    compressed file reading goes on with the next gzip member; of another the rest is lost. Holds
    a block and two buffers. Errors of `file` are raised after what was read before them.
    """
    source = _Source(file)
    if not source.fill() or not source.starts_with(_GZIP):
        yield from _records_of(_Stream(source), types, longest)
        source.check()
        return
    in_damage = False
    while source.fill():
        member = _GzipMember(source) if source.starts_with(_GZIP) else None
        for record in [DAMAGED] if member is None else _records_of(member, types, longest):
            if record is not DAMAGED or not in_damage:
                yield record
            in_damage = not record.is_complete
        if member is None or member.is_damaged:
            source.skip_to(_GZIP)
    source.check()


class _Source:
    """A file's bytes, of which some are held. Remembers an error instead of raising it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._error: Exception | None = None
        self.held = b""

    def fill(self) -> bool:
        """Hold something; False at the end of the file."""
        # FastWARC ends the process on an exception in the midst of reading, so none may pass it.
        while not self.held and self._error is None:
            try:
                self.held = self._file.read(_READ)
            except (OSError, EOFError, HTTPException) as error:
                self._error = error
            if not self.held:
                break
        return bool(self.held)

    def starts_with(self, mark: bytes) -> bool:
        """Whether the bytes that come next are these."""
        self._hold(len(mark))
        return self.held.startswith(mark)

    def skip_to(self, mark: bytes) -> None:
        """Drop a byte at least, and all before the next mark."""
        self.held = self.held[1:]
        while self._hold(len(mark)):
            place = self.held.find(mark)
            if place >= 0:
                self.held = self.held[place:]
                return
            self.held = self.held[1 - len(mark) :]
            if not self._hold(len(mark)):
                break
        self.held = b""

    def check(self) -> None:
        """Raise the error that ended the file, if one did."""
        if self._error is not None:
            raise self._error

    def _hold(self, count: int) -> bool:
        while len(self.held) < count:
            held, self.held = self.held, b""
            more = self.fill()
            self.held = held + self.held
            if not more:
                return False
        return True


class _Stream:
    """What FastWARC reads: the bytes of a source as they are."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._place = 0
        self.is_damaged = False
        """Whether it ended before its end, or holds what it should not."""

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; none at the end."""
        data = self._next(size if size > 0 else _READ)
        self._place += len(data)
        return data

    def tell(self) -> int:
        """How many bytes were read."""
        return self._place

    def drain(self) -> None:
        """Read to the end."""
        while self.read(_READ):
            pass

    def _next(self, size: int) -> bytes:
        if not self._source.fill():
            return b""
        data, self._source.held = self._source.held[:size], self._source.held[size:]
        return data


class _GzipMember(_Stream):
    """The decompressed bytes of the gzip member that a source is at."""

    def __init__(self, source: _Source) -> None:
        super().__init__(source)
        self._inflater = zlib.decompressobj(31)  # with gzip's header and checksum

    def _next(self, size: int) -> bytes:
        data = b""
        while not data and not self._inflater.eof and not self.is_damaged:
            if not self._source.fill():
                self.is_damaged = True
                break
            try:
                data = self._inflater.decompress(self._source.held, size)
            except zlib.error:
                self.is_damaged = True
                break
            ended = self._inflater.eof
            self._source.held = (
                self._inflater.unused_data if ended else self._inflater.unconsumed_tail
            )
        return data


def _records_of(stream: _Stream, types: frozenset[str], longest: int) -> Iterator[Record]:
    from fastwarc.warc import ArchiveIterator

    # A record is given out when the next one was found: only then it is known to be whole.
    last: Record | None = None
    is_broken = False
    try:
        for found in ArchiveIterator(cast("BinaryIO", stream), parse_http=False):
            if last is not None:
                yield last
            last = _read(found, types, longest)
    except OSError:
        is_broken = True
    stream.drain()
    if last is not None:
        last = replace(last, is_complete=last.is_complete and not stream.is_damaged)
        yield last
        is_broken = is_broken and last.is_complete
    if is_broken or (stream.is_damaged and last is None):
        yield DAMAGED


def _read(found: WarcRecord, types: frozenset[str], longest: int) -> Record:
    headers = found.headers
    kind = str(found.record_type)
    length = found.content_length
    is_complete = "Content-Length" in headers
    block = None
    if kind in types and length <= longest:
        block = found.reader.read(length) if length else b""
        is_complete = is_complete and len(block) == length
    return Record(
        kind,
        (headers.get("WARC-Target-URI") or "").strip("<> ") or None,
        (headers.get("Content-Type") or "").lower(),
        is_truncated="WARC-Truncated" in headers,
        is_complete=is_complete,
        block=block,
    )
