"""Tokenizer: train one on the corpus without its held-out documents, or take one that exists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from phinery.data import train_tokenizer
from phinery.data.sources.primer import PRIMER
from phinery.files import atomic_directory
from phinery.recipe import schema
from phinery.recipe.stage import Outcome, Workplace
from phinery.recipe.stages.sources import held_out_rule, source_documents
from phinery.text import Tokenizer


def make(place: Workplace, table: schema.Tokenizer, sources: tuple[str, ...]) -> Outcome:
    """Write the tokenizer's files as transformers reads them."""
    if table.path is not None:
        tokenizer = Tokenizer.load(Path(table.path).expanduser())
        summary = f"{tokenizer.vocab_size:,} tokens, from {table.path}"
        sampled = 0
    else:
        assert table.vocab_size is not None
        sample = _Sample(place, sources, table.sample)
        tokenizer = train_tokenizer(sample.texts(), table.vocab_size)
        sampled = sample.characters
        summary = f"{tokenizer.vocab_size:,} tokens, learned from {sampled / 1e6:.1f} MB"
    with atomic_directory(place.directory, kind="tokenizer") as temporary:
        tokenizer.save(temporary)
    return Outcome(summary, {"vocab_size": tokenizer.vocab_size, "sampled_characters": sampled})


class _Sample:
    """About so many characters of all sources, spread evenly over them, nothing held out."""

    def __init__(self, place: Workplace, sources: tuple[str, ...], characters: int) -> None:
        self._place = place
        self._sources = sources
        sizes = [place.records[name]["counts"]["bytes"] for name in sources if name != PRIMER]
        self._share = min(1.0, characters / max(sum(sizes), 1))
        self.characters = 0

    def texts(self) -> Iterator[str]:
        due = 0.0
        for name in self._sources:
            is_held_out = held_out_rule(self._place, name)
            for document in source_documents(self._place, name):
                if is_held_out(document):
                    continue
                due += self._share * len(document.text)
                if self.characters < due:
                    self.characters += len(document.text)
                    self._place.progress.update(None, f"read {self.characters / 1e6:.1f} MB")
                    yield document.text
