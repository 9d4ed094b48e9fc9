"""Corpus: read documents, drop exact duplicates, write them down as they will be used."""

from __future__ import annotations

import platform
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

from phinery.data import (
    ReadReport,
    is_held_out,
    machine_documents,
    read_documents,
    unique_documents,
)
from phinery.data.sources.corpus import CorpusWriter, corpus_documents
from phinery.files import atomic_directory
from phinery.recipe.load import RecipeError
from phinery.recipe.schema import Corpus
from phinery.recipe.stage import Outcome, Workplace
from phinery.recipe.stages.sources import share_that_splits

MACHINE = "machine"


def describe_source(path: str) -> Any:
    """What a source holds, as far as can be told without reading it: names, sizes and times.

    Raises RecipeError when there is nothing at `path`.
    """
    if path == MACHINE:
        packages = {d.name: d.version for d in metadata.distributions() if d.name != "phinery"}
        return {"python": platform.python_version(), "packages": packages}
    root = Path(path).expanduser().absolute()
    if not root.exists():
        raise RecipeError(
            f"there is nothing at {path}: name a file or folder, as in --set corpus.path=FOLDER"
        )
    files = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]
    return {str(root): [_facts(root, file) for file in files]}


def _facts(root: Path, file: Path) -> list[Any]:
    status = file.stat()
    return [file.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns]


def make(place: Workplace, table: Corpus) -> Outcome:
    """Write `documents-00000.jsonl.gz` and so on; count what came in and what was left out."""
    report = ReadReport()
    if table.path == MACHINE:
        found = machine_documents(report)
    else:
        found = read_documents(Path(table.path).expanduser(), report)
    documents: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    characters = held_out = 0
    with atomic_directory(place.directory, kind="corpus") as temporary:
        writer = CorpusWriter(temporary)
        for number, document in enumerate(unique_documents(found, report)):
            writer.write(document)
            documents[document.source] += 1
            sizes[document.source] += len(document.text.encode())
            characters += len(document.text)
            held_out += is_held_out(document.text, share=table.held_out)
            if number % 50 == 0:
                place.progress.update(None, f"{number:,} documents, {sizes.total() / 1e6:.1f} MB")
        writer.close()
        share = table.held_out
        if held_out in (0, documents.total()):
            share = share_that_splits(lambda: corpus_documents(temporary), share)
    counts = {
        "documents": documents.total(),
        "bytes": sizes.total(),
        "characters": characters,
        "held_out_share": share,
        "sources": {
            source: {"documents": documents[source], "bytes": sizes[source]}
            for source in sorted(documents)
        },
        "left_out": {
            reason: {"count": count, "example": report.examples[reason]}
            for reason, count in sorted(report.skipped.items())
        },
    }
    summary = f"{documents.total():,} documents, {sizes.total() / 1e6:.1f} MB"
    if report.skipped:
        summary += f"; {sum(report.skipped.values()):,} left out"
    if share > table.held_out:
        summary += f"; {share:.0%} held out, since {table.held_out:.0%} gave no document"
    return Outcome(summary, counts)
