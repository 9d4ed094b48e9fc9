"""What a refining reads, cut into tasks that don't depend on each other."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from phinery.data.document import Document, ReadReport
from phinery.data.sources import Input, list_inputs, read_input
from phinery.data.sources.corpus import CORPUS_FILES, corpus_file_documents
from phinery.data.sources.machine import machine_documents
from phinery.files import MANIFEST, read_json, read_manifest

MACHINE = "machine"
"""The path that means the text every machine has."""
_GROWS = 4
"""About how many times a compressed file's text is larger."""


@dataclass(frozen=True)
class Task:
    """Inputs that one worker reads, in order."""

    number: int
    inputs: tuple[Input, ...]

    def as_json(self) -> str:
        """The task as a text that travels to a worker."""
        return json.dumps({"number": self.number, "inputs": [asdict(i) for i in self.inputs]})

    @classmethod
    def from_json(cls, text: str) -> Task:
        """The task that `as_json` told of."""
        value = json.loads(text)
        return cls(value["number"], tuple(Input(**fields) for fields in value["inputs"]))


def all_inputs(paths: Sequence[str], report: ReadReport) -> list[Input]:
    """Every input below the paths, in their order.

    A path is what `list_inputs` takes, "machine", or the directory of a corpus that we wrote.
    `report` counts the files that are not read. Raises ValueError when there is nothing to read.
    """
    found: list[Input] = []
    for path in paths:
        if path == MACHINE:
            found.append(Input(location=MACHINE, name=MACHINE, source=MACHINE))
        elif _is_corpus(Path(path)):
            files = sorted(Path(path).glob(CORPUS_FILES))
            found += [Input(str(file.resolve()), _CORPUS + file.name, path) for file in files]
        else:
            found += [_absolute(source) for source in list_inputs(path, report)]
    if not found:
        raise ValueError("there is nothing to refine: name a file or a folder of documents")
    return found


def _absolute(source: Input) -> Input:
    """The same input, found from any working directory."""
    if "://" in source.location:
        return source
    return replace(source, location=str(Path(source.location).resolve()))


_CORPUS = "corpus:"


def _is_corpus(path: Path) -> bool:
    if not (path / MANIFEST).is_file():
        return False
    try:
        manifest = read_json(path / MANIFEST)
    except ValueError:
        return False  # somebody else's file of that name
    if not isinstance(manifest, dict) or manifest.get("kind") != "corpus":
        return False
    read_manifest(path, verify=False)
    return True


def tasks_of(inputs: Sequence[Input], most: int) -> list[Task]:
    """Group inputs into tasks of about `most` bytes of text; a larger input is a task alone."""
    groups: list[list[Input]] = []
    size = most
    for source in inputs:
        more = _size(source, most)
        if size + more > most:
            groups.append([])
            size = 0
        groups[-1].append(source)
        size += more
    return [Task(number, tuple(group)) for number, group in enumerate(groups)]


def _size(source: Input, unknown: int) -> int:
    path = Path(source.location)
    size = path.stat().st_size if path.is_file() else unknown
    return size * (_GROWS if path.suffix in (".gz", ".parquet") else 1)


def describe(inputs: Sequence[Input]) -> list[list[Any]]:
    """Names, sizes and times: what tells that an input changed between two attempts."""
    described: list[list[Any]] = []
    for source in inputs:
        if source.location == MACHINE:
            packages = sorted((d.name, d.version) for d in metadata.distributions())
            described.append([MACHINE, sys.version, packages])
            continue
        path = Path(source.location)
        status = path.stat() if path.is_file() else None
        facts = [status.st_size, status.st_mtime_ns] if status else []
        described.append([source.location, source.name, *facts])
    return described


def read_task_input(source: Input, report: ReadReport, *, precise: bool) -> Iterator[Document]:
    """The documents of an input; `report` counts them, and what is left out."""
    if source.location == MACHINE:
        yield from machine_documents(report)
    elif source.name.startswith(_CORPUS):
        for document in corpus_file_documents(Path(source.location)):
            report.documents += 1
            yield document
    else:
        yield from read_input(source, report, precise=precise)
