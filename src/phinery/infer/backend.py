"""What computes: the interface between the scheduler and the arithmetic.

A back end owns the weights and the paged key-value cache. It knows nothing of requests: the
scheduler says which tokens to compute, where their keys and values go, and which logits it wants.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from phinery.model.config import PhiConfig


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive tokens of one sequence that a step computes.

    Parameters
    ----------
    tokens : int32 (n,), n at least 1.
    start : position of the first one, which is how many tokens of the sequence are in the cache.
    pages : int32, the sequence's page table: entry i is the page of positions i * page_size to
        (i + 1) * page_size - 1. It covers start + n positions at least.
    num_logits : of how many of the last tokens the logits are wanted, 0 to n.
    adapter : 0 for none, else what `Backend.load_adapter` returned.

    The arrays are views that the scheduler goes on writing to: nobody keeps them after the step.
    """

    tokens: NDArray[np.int32]
    start: int
    pages: NDArray[np.int32]
    num_logits: int
    adapter: int = 0


@runtime_checkable
class Backend(Protocol):
    """A model that computes spans with a paged key-value cache.

    `page_size` is tokens per page, a multiple of 16; `num_pages` how many pages the cache has.
    `bitwise` says that a result doesn't depend on the batch, the chunks and the pages in which it
    was computed, down to the last bit.
    """

    config: PhiConfig
    page_size: int
    num_pages: int
    bitwise: bool

    def step(self, spans: Sequence[Span]) -> NDArray[np.float32]:
        """Logits float32 (sum of num_logits, vocab_size), rows in the spans' order.

        Prompt chunks and single tokens may be mixed. A token sees the positions of its own span up
        to itself, and before `start` whatever is in its pages. Keys and values are written into the
        pages; no two spans of a step write to the same page, and a page that one of them writes to
        is read by no other. A step that raised can be repeated.
        """
        ...

    def load_adapter(self, directory: str | Path) -> int:
        """Read a LoRA adapter in peft's layout; its number for `Span.adapter`, 1 or more.

        Raises ValueError for what is not one, or does not fit the model.
        """
        ...

    def close(self) -> None:
        """Free the memory; nothing may be called after it."""
        ...


def cache_pages(
    config: PhiConfig,
    *,
    page_size: int,
    cache_tokens: int | None,
    max_batch: int,
    bytes_per_token: int,
    memory: int | None = None,
) -> int:
    """How many pages a cache has: `cache_tokens` rounded up, or as many as make sense.

    That is `max_batch` full contexts when they fit into a quarter of `memory` (bytes; by default
    this machine's), else what fits, but one full context at least. `bytes_per_token` is what one
    position takes in all layers. Raises ValueError for sizes that no cache has.
    """
    if page_size < 16 or page_size % 16:
        raise ValueError(f"page_size must be a multiple of 16, not {page_size}")
    if cache_tokens is not None:
        if cache_tokens < 2:
            raise ValueError(f"cache_tokens must be at least 2, not {cache_tokens}")
        return -(-cache_tokens // page_size)
    context = -(-config.max_position_embeddings // page_size)
    if memory is None:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    fitting = memory // 4 // (bytes_per_token * page_size)
    return max(context, min(max_batch * context, fitting))
