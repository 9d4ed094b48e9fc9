"""Documents in, token shards out: sources, selection, synthesis, mixture, tokenizer, shards.

Needs no torch. What rests on a large library is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from phinery.data.document import Document, ReadReport, unique_documents
from phinery.data.heldout import is_held_out
from phinery.data.mixture import Anneal, Mixture, MixtureSampler
from phinery.data.sampler import Batch, SampleOrder, Sampler
from phinery.data.shards import Counts, ShardsSummary, SplitCounts, TokenShards, write_shards
from phinery.data.sources import ENDINGS, read_documents
from phinery.data.sources.machine import machine_documents
from phinery.data.tokenizer import train_tokenizer

if TYPE_CHECKING:
    from phinery.data.html import extract
    from phinery.data.quality import quality_scores
    from phinery.data.refinery.output import refined_documents
    from phinery.data.refinery.refine import RefineSummary, refine
    from phinery.data.refinery.settings import RefineSettings
    from phinery.data.select.language import detect_language

_LAZY = {
    "RefineSettings": "phinery.data.refinery.settings",
    "RefineSummary": "phinery.data.refinery.refine",
    "detect_language": "phinery.data.select.language",
    "extract": "phinery.data.html",
    "quality_scores": "phinery.data.quality",
    "refine": "phinery.data.refinery.refine",
    "refined_documents": "phinery.data.refinery.output",
}

__all__ = [
    "ENDINGS",
    "Anneal",
    "Batch",
    "Counts",
    "Document",
    "Mixture",
    "MixtureSampler",
    "ReadReport",
    "RefineSettings",
    "RefineSummary",
    "SampleOrder",
    "Sampler",
    "ShardsSummary",
    "SplitCounts",
    "TokenShards",
    "detect_language",
    "extract",
    "is_held_out",
    "machine_documents",
    "quality_scores",
    "read_documents",
    "refine",
    "refined_documents",
    "train_tokenizer",
    "unique_documents",
    "write_shards",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
