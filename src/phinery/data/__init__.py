"""Documents in, token shards out: readers, tokenizer training, held-out rule, shards, sampler.

Needs no torch.
"""

from __future__ import annotations

from phinery.data.document import Document, ReadReport, unique_documents
from phinery.data.heldout import is_held_out
from phinery.data.machine import machine_documents
from phinery.data.readers import ENDINGS, read_documents
from phinery.data.sampler import Batch, Sampler
from phinery.data.shards import Counts, ShardsSummary, SplitCounts, TokenShards, write_shards
from phinery.data.tokenizer import train_tokenizer

__all__ = [
    "ENDINGS",
    "Batch",
    "Counts",
    "Document",
    "ReadReport",
    "Sampler",
    "ShardsSummary",
    "SplitCounts",
    "TokenShards",
    "is_held_out",
    "machine_documents",
    "read_documents",
    "train_tokenizer",
    "unique_documents",
    "write_shards",
]
