"""The text that every machine already has: Python's own library and packages' READMEs."""

from __future__ import annotations

import importlib.metadata
import os
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from phinery.data.document import Document, ReadReport
from phinery.data.sources.plaintext import (
    NOT_UTF8,
    UnreadableError,
    checked_documents,
    read_pieces,
    split_text,
    unix_lines,
)

STDLIB = "python-stdlib"
READMES = "package-readmes"
_NOT_LIBRARY = frozenset({"site-packages", "dist-packages", "__pycache__"})
_TEST_SUITES = frozenset({"test", "tests", "idle_test"})
_NAME_FIELD = re.compile(r"^Name:[ \t]*(\S+)", re.MULTILINE)


def machine_documents(report: ReadReport | None = None) -> Iterator[Document]:
    """Sources of Python's standard library, without tests, then READMEs of installed packages.

    The order is the same whenever the same Python and packages are installed. `report` counts what
    was read and left out. Raises ValueError when the library's sources are not installed.
    """
    report = ReadReport() if report is None else report
    before = report.documents
    yield from _stdlib_documents(report)
    if report.documents == before:
        raise ValueError(
            f"Python's library has no source files in {sysconfig.get_path('stdlib')}: "
            "read a folder of documents instead"
        )
    yield from _readme_documents(report)


def _stdlib_documents(report: ReadReport) -> Iterator[Document]:
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(_source_files(root), key=lambda path: path.relative_to(root).as_posix()):
        name = f"{STDLIB}/{path.relative_to(root).as_posix()}"
        try:
            yield from checked_documents(read_pieces(path), name, STDLIB, report, kind="code")
        except UnreadableError as error:
            report.skip(str(error), name)


def _source_files(root: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [n for n in subfolders if n not in _NOT_LIBRARY | _TEST_SUITES]
        yield from (Path(folder, name) for name in names if name.endswith(".py"))


def _readme_documents(report: ReadReport) -> Iterator[Document]:
    readmes: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        try:
            metadata = unix_lines(distribution.read_text("METADATA") or "")
        except UnicodeDecodeError:
            report.skip(NOT_UTF8, READMES)
            continue
        # A blank line ends the header fields; the long description follows.
        header, _, readme = metadata.partition("\n\n")
        name = _NAME_FIELD.search(header)
        if name is not None:
            # Of two installed versions, the first on the path is the one that is imported.
            readmes.setdefault(re.sub(r"[-_.]+", "-", name[1]).lower(), readme.strip("\n"))
    # Ours may tell of the very run that reads it, so that no run would ever repeat.
    readmes.pop("phinery", None)
    for name, readme in sorted(readmes.items()):
        pieces = split_text([readme])
        yield from checked_documents(pieces, f"{READMES}/{name}", READMES, report, kind="readme")
