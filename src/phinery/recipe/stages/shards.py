"""Shards: every document as tokens, split into what is trained on and what is held out."""

from __future__ import annotations

from dataclasses import asdict

from phinery.data import write_shards
from phinery.recipe.schema import format_count
from phinery.recipe.stage import Outcome, Workplace
from phinery.recipe.stages.corpus import corpus_documents
from phinery.text import Tokenizer


def make(place: Workplace) -> Outcome:
    """Write `train/` and `heldout/` and count both."""
    corpus = place.records["corpus"]["counts"]

    def tell(documents: int, size: int) -> None:
        share = size / max(corpus["bytes"], 1)
        place.progress.update(share, f"{documents:,} documents, {size / 1e6:.1f} MB")

    summary = write_shards(
        corpus_documents(place.of("corpus")),
        Tokenizer.load(place.of("tokenizer")),
        place.directory,
        heldout_share=corpus["held_out_share"],
        on_progress=tell,
    )
    train, heldout = summary.train, summary.heldout
    return Outcome(
        f"{format_count(train.tokens)} tokens to train on, {format_count(heldout.tokens)} held out",
        {"train": asdict(train), "heldout": asdict(heldout)},
    )
