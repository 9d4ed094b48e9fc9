"""Where documents come from: files on disk, in S3, on a web server or in a hub data set."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from phinery.data.document import ReadReport
from phinery.data.sources.plaintext import CANNOT_READ


@dataclass(frozen=True)
class Input:
    """A file of documents, wherever it lies."""

    location: str
    """A path, or an address that begins with s3://, http://, https:// or hf://."""
    name: str
    """Path relative to what was listed, "/" between its parts; begins documents' ids."""
    source: str
    """The collection that its documents are counted under, unless rows name their own."""


def find_files(path: str, report: ReadReport) -> list[Input]:
    """Every file at or below `path`, which is on disk, sorted by name; `report` counts the rest.

    Raises ValueError when there is no such path.
    """
    root = Path(path)
    if not root.exists():
        raise ValueError(f"{root} does not exist: give a file or a folder of documents")
    name = printable(root.name)
    return [Input(str(root), name, name)] if root.is_file() else _files_below(root, report)


def _files_below(root: Path, report: ReadReport) -> list[Input]:
    found: list[Input] = []

    def cannot_list(error: OSError) -> None:
        report.skip(CANNOT_READ, printable(os.path.relpath(error.filename, root)))

    for folder, subfolders, names in os.walk(root, onerror=cannot_list):
        relative = Path(folder).relative_to(root)
        for name in list(subfolders):
            linked = Path(folder, name).is_symlink()
            if name.startswith(".") or linked:
                reason = "link to a folder" if linked else "hidden"
                report.skip(reason, printable((relative / name).as_posix()))
                subfolders.remove(name)
        source = printable(relative.parts[0] if relative.parts else root.resolve().name)
        for name in names:
            place = printable((relative / name).as_posix())
            if name.startswith("."):
                report.skip("hidden", place)
            elif not Path(folder, name).is_file():
                report.skip("not a regular file", place)
            else:
                found.append(Input(str(Path(folder, name)), place, source))
    return sorted(found, key=lambda file: file.name)


def printable(name: str) -> str:
    """A file's name as valid Unicode: bytes that are not UTF-8 as hexadecimal escapes."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")
