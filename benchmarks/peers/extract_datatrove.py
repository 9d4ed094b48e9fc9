"""datatrove's WarcReader and Trafilatura steps, as its documentation puts them together."""

# The packages live in an environment of their own, where the type checker does not look.
# pyright: reportMissingImports=false, reportUnusedImport=false

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# Imported before the clock starts: its helper process is a fork.
import trafilatura  # noqa: F401
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.readers import WarcReader
from extraction_worker import serve

# Its default of a second would drop pages on a busy machine, and does in its first second.
TIMEOUT = 60


def read(path: str) -> Iterator[tuple[str, str]]:
    """Address and text of the pages of a WARC file."""
    reader = WarcReader(str(Path(path).parent), glob_pattern=Path(path).name)
    for document in Trafilatura(timeout=TIMEOUT).run(reader.run()):
        yield document.metadata["url"], document.text


if __name__ == "__main__":
    serve(("datatrove", "trafilatura", "warcio", "lxml"), read)
