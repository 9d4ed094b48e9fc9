"""Shards: every document as tokens, split into what is trained on and what is held out."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from phinery.data import Document, write_shards
from phinery.data.sources.primer import PRIMER
from phinery.files import read_manifest, write_manifest
from phinery.recipe import schema
from phinery.recipe.schema import format_count
from phinery.recipe.stage import Outcome, Workplace
from phinery.recipe.stages.sources import held_out_rule, source_documents
from phinery.text import Tokenizer


def make(place: Workplace, sources: tuple[str, ...], mixture: schema.Mixture | None) -> Outcome:
    """Write `train/` and `heldout/` and count both.

    With a mixture, each source has a directory with both of its own, and `heldout/` holds what is
    held out of all of them.
    """
    tokenizer = Tokenizer.load(place.of("tokenizer"))
    if mixture is None:
        (name,) = sources
        train, heldout = _encode(place, name, tokenizer, place.directory, by_difficulty=False)
        return _outcome(train, heldout, {})
    work = place.run / f".{place.name}.sources"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    counts = {
        name: _encode(
            place, name, tokenizer, work / name, by_difficulty=name in mixture.by_difficulty
        )
        for name in sources
    }
    whole = write_shards(
        _held_out(place, sources), tokenizer, place.directory, held_out=lambda document: True
    )
    # The sources' directories join what stands already; only the stage's record makes it whole.
    fields = {k: v for k, v in read_manifest(place.directory).items() if k != "files"}
    for name in sources:
        (work / name).rename(place.directory / name)
    work.rmdir()
    write_manifest(place.directory, **fields)
    total: Counter[str] = Counter()
    for found, _ in counts.values():
        total.update({key: found[key] for key in ("documents", "tokens", "bytes")})
    per_source = {
        name: {"train": found, "heldout": heldout} for name, (found, heldout) in counts.items()
    }
    return _outcome(dict(total), asdict(whole.heldout), per_source)


def _outcome(train: dict[str, Any], heldout: dict[str, Any], sources: dict[str, Any]) -> Outcome:
    counts = {"train": train, "heldout": heldout}
    return Outcome(
        f"{format_count(train['tokens'])} tokens to train on, "
        f"{format_count(heldout['tokens'])} held out",
        {**counts, "sources": sources} if sources else counts,
    )


def _encode(
    place: Workplace, name: str, tokenizer: Tokenizer, directory: Path, *, by_difficulty: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    expected = 0 if name == PRIMER else place.records[name]["counts"]["bytes"]

    def tell(documents: int, size: int) -> None:
        share = min(size / expected, 1.0) if expected else None
        place.progress.update(share, f"{name}: {documents:,} documents, {size / 1e6:.1f} MB")

    documents = source_documents(place, name)
    if by_difficulty:
        documents = iter(sorted(documents, key=_difficulty))
    summary = write_shards(
        documents, tokenizer, directory, held_out=held_out_rule(place, name), on_progress=tell
    )
    return asdict(summary.train), asdict(summary.heldout)


def _difficulty(document: Document) -> tuple[float, str]:
    return (document.difficulty or 0.0, document.id)


def _held_out(place: Workplace, sources: tuple[str, ...]) -> Iterator[Document]:
    for name in sources:
        is_held_out = held_out_rule(place, name)
        yield from filter(is_held_out, source_documents(place, name))
