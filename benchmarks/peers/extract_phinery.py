"""Phinery's reader of WARC files with the extractor that is its default."""

from __future__ import annotations

from collections.abc import Iterator

from extraction_worker import serve

from phinery.data import ReadReport
from phinery.data.sources import list_inputs, read_input


def read(path: str) -> Iterator[tuple[str, str]]:
    """Address and text of the pages of a WARC file."""
    report = ReadReport()
    for source in list_inputs(path, report):
        for document in read_input(source, report):
            yield document.url or "", document.text


if __name__ == "__main__":
    serve(("phinery", "fastwarc", "resiliparse"), read)
