"""Our own form of a corpus on disk: compressed JSON lines, the same documents the same bytes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from phinery.data.document import Document

CORPUS_FILES = "documents-*.jsonl.gz"
_FILE_CHARACTERS = 64_000_000


class CorpusWriter:
    """Writes `documents-00000.jsonl.gz` and so on, about 64 million characters to a file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files = 0
        self._characters = 0
        self._plain: BinaryIO | None = None
        self._file: gzip.GzipFile | None = None

    def write(self, document: Document) -> None:
        """Append a document."""
        if self._file is None or self._characters >= _FILE_CHARACTERS:
            self.close()
            path = self._directory / f"documents-{self._files:05d}.jsonl.gz"
            # Without a name and a time inside, equal content gives equal bytes.
            self._plain = path.open("wb")
            self._file = gzip.GzipFile("", "wb", 4, self._plain, mtime=0)
            self._files += 1
            self._characters = 0
        fields = {key: value for key, value in vars(document).items() if value is not None}
        self._file.write(json.dumps(fields, ensure_ascii=False).encode() + b"\n")
        self._characters += len(document.text)

    def close(self) -> None:
        """Finish the file that is being written."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._plain is not None:
            self._plain.close()
            self._plain = None

    def __enter__(self) -> CorpusWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def corpus_documents(directory: Path) -> Iterator[Document]:
    """The documents that a CorpusWriter wrote, in order."""
    for path in sorted(directory.glob(CORPUS_FILES)):
        yield from corpus_file_documents(path)


def corpus_file_documents(path: Path) -> Iterator[Document]:
    """The documents of one of its files."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield Document(**json.loads(line))
