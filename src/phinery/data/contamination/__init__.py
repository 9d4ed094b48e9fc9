"""Texts that occur in benchmarks: by runs of words, by whole short questions, by syntax."""

from __future__ import annotations

from phinery.data.contamination.code import FEWEST_LABELS, MATCH_RATE, ast_match_rate
from phinery.data.contamination.index import (
    COMMON,
    BenchmarkIndex,
    Hit,
    excerpt,
    tainted_items,
)
from phinery.data.contamination.items import LAYOUTS, Item, Layout, as_item, read_items
from phinery.data.contamination.units import NGRAM, SHORTEST

__all__ = [
    "COMMON",
    "FEWEST_LABELS",
    "LAYOUTS",
    "MATCH_RATE",
    "NGRAM",
    "SHORTEST",
    "BenchmarkIndex",
    "Hit",
    "Item",
    "Layout",
    "as_item",
    "ast_match_rate",
    "excerpt",
    "read_items",
    "tainted_items",
]
