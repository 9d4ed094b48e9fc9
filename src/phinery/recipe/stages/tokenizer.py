"""Tokenizer: train one on the corpus without its held-out documents, or take one that exists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from phinery.data import is_held_out, train_tokenizer
from phinery.files import atomic_directory
from phinery.recipe import schema
from phinery.recipe.stage import Outcome, Workplace
from phinery.recipe.stages.corpus import corpus_documents
from phinery.text import Tokenizer


def make(place: Workplace, table: schema.Tokenizer) -> Outcome:
    """Write the tokenizer's files as transformers reads them."""
    if table.path is not None:
        tokenizer = Tokenizer.load(Path(table.path).expanduser())
        summary = f"{tokenizer.vocab_size:,} tokens, from {table.path}"
        sampled = 0
    else:
        assert table.vocab_size is not None
        sample = _Sample(place, table.sample)
        tokenizer = train_tokenizer(sample.texts(), table.vocab_size)
        sampled = sample.characters
        summary = f"{tokenizer.vocab_size:,} tokens, learned from {sampled / 1e6:.1f} MB"
    with atomic_directory(place.directory, kind="tokenizer") as temporary:
        tokenizer.save(temporary)
    return Outcome(summary, {"vocab_size": tokenizer.vocab_size, "sampled_characters": sampled})


class _Sample:
    """About so many characters of the corpus, spread evenly over it, nothing held out."""

    def __init__(self, place: Workplace, characters: int) -> None:
        counts = place.records["corpus"]["counts"]
        self._place = place
        self._share = min(1.0, characters / max(counts["characters"], 1))
        self._held_out: float = counts["held_out_share"]
        self.characters = 0

    def texts(self) -> Iterator[str]:
        due = 0.0
        for document in corpus_documents(self._place.of("corpus")):
            if is_held_out(document.text, share=self._held_out):
                continue
            due += self._share * len(document.text)
            if self.characters < due:
                self.characters += len(document.text)
                self._place.progress.update(None, f"read {self.characters / 1e6:.1f} MB")
                yield document.text
