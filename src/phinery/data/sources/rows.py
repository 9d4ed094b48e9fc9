"""Rows of documents: JSON lines and Parquet, from wherever they lie."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from phinery.data.document import Document, ReadReport
from phinery.data.sources.inputs import Input
from phinery.data.sources.plaintext import (
    NOT_UTF8,
    UnreadableError,
    checked_documents,
    split_text,
    unix_lines,
)
from phinery.data.sources.remote import DAMAGED, is_hub, opened

_LONGEST_LINE = 2**26  # bytes


def json_lines_documents(source: Input, report: ReadReport) -> Iterator[Document]:
    """A document for each line that is an object with a string `text`."""
    is_compressed = source.name.lower().endswith(".gz")
    with opened(source) as raw:
        file = gzip.GzipFile(fileobj=raw) if is_compressed else raw
        for number, line in enumerate(_lines(file), start=1):
            place = f"{source.name}:{number}"
            if line is None:
                report.skip(f"line longer than {_LONGEST_LINE:,} bytes", place)
            elif line.strip():
                yield from _line_documents(line, place, source, report)


def _lines(file: BinaryIO | gzip.GzipFile) -> Iterator[bytes | None]:
    """Lines of a file, None for those that are too long to hold."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) < _LONGEST_LINE or line.endswith(b"\n"):
            yield line
        else:
            while (rest := file.readline(_LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            yield None


def _line_documents(
    line: bytes, place: str, source: Input, report: ReadReport
) -> Iterator[Document]:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        report.skip(NOT_UTF8, place)
    except (ValueError, RecursionError):
        report.skip("not JSON", place)
    else:
        yield from _row_documents(row, place, source, report)


def parquet_documents(source: Input, report: ReadReport) -> Iterator[Document]:
    """A document for each row with a string `text`."""
    import pyarrow
    import pyarrow.parquet
    from pyarrow import types

    def is_plain(kind: pyarrow.DataType) -> bool:
        kind = kind.value_type if types.is_dictionary(kind) else kind
        is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
        return is_text or types.is_integer(kind)

    number = 0
    with opened(source, seekable=True) as file:
        try:
            with pyarrow.parquet.ParquetFile(file) as table:
                schema = table.schema_arrow
                fields = [f.name for f in schema if f.name in _FIELDS and is_plain(f.type)]
                for batch in table.iter_batches(batch_size=256, columns=fields):
                    for row in batch.to_pylist():
                        number += 1
                        yield from _row_documents(row, f"{source.name}:{number}", source, report)
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise UnreadableError(DAMAGED) from error


_FIELDS = frozenset({"text", "id", "source", "url", "language", "lang", "kind"})


def _row_documents(
    row: object, place: str, source: Input, report: ReadReport
) -> Iterator[Document]:
    fields = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    text = fields.get("text")
    if not isinstance(text, str):
        report.skip("no string field `text`", place)
        return
    identity = fields.get("id")
    identity = str(identity) if isinstance(identity, int) else _string(fields, "id")
    collection, url = _string(fields, "source"), _string(fields, "url")
    # A source with a path or a revision in it is one document's address, not a collection's name.
    is_address = collection is not None and any(mark in collection for mark in "/:@")
    own = source.source if is_hub(source) else source.name
    yield from checked_documents(
        split_text([unix_lines(text)]),
        place if identity is None else f"{place}:{identity}",
        own if collection is None or is_address else collection,
        report,
        url=collection if url is None and is_address else url,
        language=_string(fields, "language") or _string(fields, "lang"),
        kind=_string(fields, "kind"),
    )


def _string(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        return None
    return value.encode(errors="backslashreplace").decode()  # JSON can spell lone surrogates
