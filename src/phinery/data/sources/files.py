"""Files of documents, wherever they lie, into documents, whatever is in them."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from phinery.data.document import Document, ReadReport
from phinery.data.sources.inputs import Input
from phinery.data.sources.plaintext import UnreadableError, checked_documents, stream_pieces
from phinery.data.sources.remote import find_inputs, opened
from phinery.data.sources.rows import json_lines_documents, parquet_documents
from phinery.data.sources.web import html_documents, warc_documents


def read_documents(path: str | Path, report: ReadReport | None = None) -> Iterator[Document]:
    """The documents of all that `list_inputs` finds at `path`, in the order of their names.

    A .txt, .md, .rst or .py file is a document, and so is the text of an .html file and of each
    page of a WARC or WET file. So is a line of .jsonl or a row of .parquet with a string `text`;
    its `id`, `source`, `url`, `language` (or `lang`) and `kind` are taken over. Texts of more than
    2**20 characters become several documents. What is left out is counted in `report`; without
    one, a warning at the end tells.

    Raises ValueError when there is no such path and when nothing readable is there.
    """
    silent = report is not None
    report = ReadReport() if report is None else report
    return _all_documents(path, list_inputs(path, report), report, silent=silent)


def _all_documents(
    path: str | Path, inputs: list[Input], report: ReadReport, *, silent: bool
) -> Iterator[Document]:
    before = report.documents
    for source in inputs:
        yield from read_input(source, report)
    if report.documents == before:
        raise ValueError(
            f"{path} has no readable document ({report.summary()}): text in UTF-8 is read from "
            f"{', '.join(ENDINGS)}, rows need a string field `text`"
        )
    if report.skipped and not silent:
        warnings.warn(f"{path}: {report.summary()}", stacklevel=2)


def list_inputs(path: str | Path, report: ReadReport | None = None) -> list[Input]:
    """The files that can be read at or below `path`, sorted by name.

    `path` is a file or a folder on disk, `s3://BUCKET/PREFIX`, the `http(s)://` address of a file,
    or `hf://datasets/ORGANISATION/NAME[@REVISION][/PATH]`. Hidden files, links to folders and files
    with other endings than ENDINGS are counted in `report`. Raises ValueError when there is no such
    path, it does not answer, or nothing readable is there.
    """
    report = ReadReport() if report is None else report
    readable: list[Input] = []
    for source in find_inputs(str(path), report):
        if _ending(source) is None:
            report.skip("other file ending", source.name)
        else:
            readable.append(source)
    if not readable:
        raise ValueError(f"{path} has no file to read: {', '.join(ENDINGS)} are read")
    return readable


def read_input(source: Input, report: ReadReport, *, precise: bool = False) -> Iterator[Document]:
    """The documents of one file, in its order, held one at a time.

    What is damaged or no text is left out and counted in `report` with a reason; what comes before
    the damage is kept. `precise` extracts web pages with trafilatura, and raises ValueError when it
    is not installed.
    """
    ending = _ending(source)
    assert ending is not None, f"{source.name} does not come from list_inputs"
    try:
        if ending in _PAGE_READERS:
            yield from _PAGE_READERS[ending](source, report, precise=precise)
        else:
            yield from _READERS[ending](source, report)
    except UnreadableError as error:
        report.skip(str(error), source.name)


def _text_documents(source: Input, report: ReadReport) -> Iterator[Document]:
    name = source.name.lower()
    is_python = name.endswith(".py")
    with opened(source) as raw:
        file = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if name.endswith(".gz") else raw
        yield from checked_documents(
            stream_pieces(file, is_python=is_python),
            source.name,
            source.source,
            report,
            kind="code" if is_python else None,
        )


_READERS: dict[str, Callable[[Input, ReadReport], Iterator[Document]]] = {
    ".txt": _text_documents,
    ".txt.gz": _text_documents,
    ".md": _text_documents,
    ".md.gz": _text_documents,
    ".rst": _text_documents,
    ".py": _text_documents,
    ".jsonl": json_lines_documents,
    ".jsonl.gz": json_lines_documents,
    ".parquet": parquet_documents,
}
_PAGE_READERS = {
    ".html": html_documents,
    ".htm": html_documents,
    ".warc": warc_documents,
    ".warc.gz": warc_documents,
    ".wet": warc_documents,
    ".wet.gz": warc_documents,
}
ENDINGS = (*_READERS, *_PAGE_READERS)
"""Endings of the files that are read, in any case."""


def _ending(source: Input) -> str | None:
    name = source.name.lower()
    return next((ending for ending in ENDINGS if name.endswith(ending)), None)
