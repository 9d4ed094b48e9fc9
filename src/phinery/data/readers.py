"""Files and folders into documents, whatever is in them."""

from __future__ import annotations

import gzip
import json
import os
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from phinery.data.document import Document, ReadReport
from phinery.data.plaintext import (
    CANNOT_READ,
    NOT_UTF8,
    UnreadableError,
    checked_documents,
    read_pieces,
    split_text,
    unix_lines,
)

_LONGEST_LINE = 2**26  # bytes


@dataclass(frozen=True)
class _File:
    path: Path
    name: str
    """Path relative to the folder that is read, "/" between its parts; begins documents' ids."""
    folder: str
    """The first folder on that path, or the folder that is read: the source of loose files."""


def read_documents(path: str | Path, report: ReadReport | None = None) -> Iterator[Document]:
    """The documents of a file, or of all files below a folder, in the order of their names.

    A .txt, .md, .rst or .py file is a document. So is a line of .jsonl and .jsonl.gz or a row of
    .parquet with a string `text`; its `id`, `source`, `url`, `language` (or `lang`) and `kind` are
    taken over. Hidden files and links to folders are passed over. Texts of more than 2**20
    characters become several documents. What is left out is counted in `report`; without one, a
    warning at the end tells.

    Raises ValueError when there is no such path, when nothing readable is there, and when a
    .parquet file is there and pyarrow is not installed.
    """
    root = Path(path)
    silent = report is not None
    report = ReadReport() if report is None else report
    if not root.exists():
        raise ValueError(f"{root} does not exist: give a file or a folder of documents")
    name = _printable(root.name)
    files = [_File(root, name, name)] if root.is_file() else _files_below(root, report)
    readable = [(file, reader) for file in files if (reader := _reader_of(file, report))]
    if not readable:
        raise ValueError(f"{root} has no file to read: {', '.join(ENDINGS)} are read")
    for file, reader in readable:
        if reader is _parquet_documents:
            _require_pyarrow(file)
    return _all_documents(root, readable, report, silent=silent)


def _all_documents(
    root: Path, readable: list[tuple[_File, _Reader]], report: ReadReport, *, silent: bool
) -> Iterator[Document]:
    before = report.documents
    for file, reader in readable:
        try:
            yield from reader(file, report)
        except UnreadableError as error:
            report.skip(str(error), file.name)
    if report.documents == before:
        raise ValueError(
            f"{root} has no readable document ({report.summary()}): text in UTF-8 is read from "
            f"{', '.join(ENDINGS)}, rows need a string field `text`"
        )
    if report.skipped and not silent:
        warnings.warn(f"{root}: {report.summary()}", stacklevel=2)


def _files_below(root: Path, report: ReadReport) -> list[_File]:
    found: list[_File] = []

    def cannot_list(error: OSError) -> None:
        report.skip(CANNOT_READ, _printable(os.path.relpath(error.filename, root)))

    for folder, subfolders, names in os.walk(root, onerror=cannot_list):
        relative = Path(folder).relative_to(root)
        for name in list(subfolders):
            linked = Path(folder, name).is_symlink()
            if name.startswith(".") or linked:
                reason = "link to a folder" if linked else "hidden"
                report.skip(reason, _printable((relative / name).as_posix()))
                subfolders.remove(name)
        source = _printable(relative.parts[0] if relative.parts else root.resolve().name)
        for name in names:
            place = _printable((relative / name).as_posix())
            if name.startswith("."):
                report.skip("hidden", place)
            elif not Path(folder, name).is_file():
                report.skip("not a regular file", place)
            else:
                found.append(_File(Path(folder, name), place, source))
    return sorted(found, key=lambda file: file.name)


def _printable(name: str) -> str:
    """A file's name as valid Unicode: bytes that are not UTF-8 as hexadecimal escapes."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def _text_documents(file: _File, report: ReadReport) -> Iterator[Document]:
    kind = "code" if file.name.lower().endswith(".py") else None
    yield from checked_documents(read_pieces(file.path), file.name, file.folder, report, kind=kind)


def _json_lines_documents(file: _File, report: ReadReport) -> Iterator[Document]:
    is_compressed = file.name.lower().endswith(".gz")
    try:
        with gzip.open(file.path) if is_compressed else file.path.open("rb") as opened:
            for number, line in enumerate(_lines(opened), start=1):
                place = f"{file.name}:{number}"
                if line is None:
                    report.skip(f"line longer than {_LONGEST_LINE:,} bytes", place)
                elif line.strip():
                    yield from _line_documents(line, place, file, report)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableError("damaged or cut short") from error
    except OSError as error:
        raise UnreadableError(CANNOT_READ) from error


def _lines(file: BinaryIO | gzip.GzipFile) -> Iterator[bytes | None]:
    """Lines of a file, None for those that are too long to hold."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) < _LONGEST_LINE or line.endswith(b"\n"):
            yield line
        else:
            while (rest := file.readline(_LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            yield None


def _line_documents(line: bytes, place: str, file: _File, report: ReadReport) -> Iterator[Document]:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        report.skip(NOT_UTF8, place)
    except (ValueError, RecursionError):
        report.skip("not JSON", place)
    else:
        yield from _row_documents(row, place, file, report)


def _parquet_documents(file: _File, report: ReadReport) -> Iterator[Document]:
    import pyarrow
    import pyarrow.parquet
    from pyarrow import types

    def is_plain(kind: pyarrow.DataType) -> bool:
        kind = kind.value_type if types.is_dictionary(kind) else kind
        is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
        return is_text or types.is_integer(kind)

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(file.path) as table:
            fields = [f.name for f in table.schema_arrow if f.name in _FIELDS and is_plain(f.type)]
            for batch in table.iter_batches(batch_size=256, columns=fields):
                for row in batch.to_pylist():
                    number += 1
                    yield from _row_documents(row, f"{file.name}:{number}", file, report)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UnreadableError("damaged or cut short") from error


def _require_pyarrow(file: _File) -> None:
    try:
        import pyarrow.parquet  # pyright: ignore[reportUnusedImport]  # noqa: F401
    except ImportError as error:
        raise ValueError(f"{file.path} needs pyarrow: pip install 'phinery[data]'") from error


_FIELDS = frozenset({"text", "id", "source", "url", "language", "lang", "kind"})


def _row_documents(row: object, place: str, file: _File, report: ReadReport) -> Iterator[Document]:
    fields = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    text = fields.get("text")
    if not isinstance(text, str):
        report.skip("no string field `text`", place)
        return
    identity = fields.get("id")
    identity = str(identity) if isinstance(identity, int) else _string(fields, "id")
    source, url = _string(fields, "source"), _string(fields, "url")
    # A source with a path or a revision in it is one document's address, not a collection's name.
    is_address = source is not None and any(mark in source for mark in "/:@")
    yield from checked_documents(
        split_text([unix_lines(text)]),
        place if identity is None else f"{place}:{identity}",
        file.name if source is None or is_address else source,
        report,
        url=source if url is None and is_address else url,
        language=_string(fields, "language") or _string(fields, "lang"),
        kind=_string(fields, "kind"),
    )


def _string(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        return None
    return value.encode(errors="backslashreplace").decode()  # JSON can spell lone surrogates


_Reader = Callable[[_File, ReadReport], Iterator[Document]]
_READERS: dict[str, _Reader] = {
    ".txt": _text_documents,
    ".md": _text_documents,
    ".rst": _text_documents,
    ".py": _text_documents,
    ".jsonl": _json_lines_documents,
    ".jsonl.gz": _json_lines_documents,
    ".parquet": _parquet_documents,
}
ENDINGS = tuple(_READERS)
"""Endings of the files that are read, in any case."""


def _reader_of(file: _File, report: ReadReport) -> _Reader | None:
    for ending, reader in _READERS.items():
        if file.name.lower().endswith(ending):
            return reader
    report.skip("other file ending", file.name)
    return None
