"""What an excerpt is about: the mean direction of its words and word pairs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from phinery.data.quality.features import pair_hashes, text_numbers
from phinery.data.words import Words

UNIT = 1024
"""The length of an embedded view; small enough for inner products to be exact in float32."""

_SLOT_BITS = 18
_SLOT_SHIFT = np.uint64(64 - _SLOT_BITS)
_MOST_COUNTED = 4096


@dataclass(frozen=True)
class Embedding:
    """A vector for each known word and pair of words, and the sum of an excerpt's.

    The columns of a table are parted into views, which are brought to the same length each.
    """

    vocabulary: NDArray[np.uint64]
    """(terms,): hashes of words (as `hash_words` has them) and pairs, the most frequent first."""
    table: NDArray[np.int8]
    """(terms, dimensions)"""
    scales: NDArray[np.float32]
    """(terms, views): what a term's row is multiplied by in each view."""
    views: tuple[int, ...]
    """How many columns each view has."""

    @property
    def edges(self) -> list[int]:
        """Where each view's columns begin and end."""
        return [0, *np.cumsum(self.views).tolist()]

    @cached_property
    def _slots(self) -> NDArray[np.int32]:
        """The term that a hash may be, by its leading bits; where two share them, the commoner."""
        slots = np.full(1 << _SLOT_BITS, -1, np.int32)
        leading = (self.vocabulary >> _SLOT_SHIFT).astype(np.int64)
        slots[leading[::-1]] = np.arange(len(leading) - 1, -1, -1)
        return slots

    def terms(self, words: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The texts' known words and pairs: the text and the term of each, words first."""
        text_of = text_numbers(words.offsets)
        pairs, inside = pair_hashes(words)
        hashes = np.concatenate([words.hashes, pairs[inside]])
        text_of = np.concatenate([text_of, text_of[:-1][inside]])
        terms = self._slots[(hashes >> _SLOT_SHIFT).astype(np.int64)]
        known = (terms >= 0) & (self.vocabulary[terms] == hashes)
        return text_of[known], terms[known].astype(np.int64)

    def counts(
        self, words: Words
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Text, term and weight 1 + ln(count) of every term that a text has."""
        text_of, terms = self.terms(words)
        keys = text_of * len(self.vocabulary) + terms
        keys.sort()
        firsts = np.flatnonzero(np.diff(keys, prepend=-1))
        repeats = np.minimum(np.diff(firsts, append=len(keys)), _MOST_COUNTED)
        text_of, terms = np.divmod(keys[firsts], len(self.vocabulary))
        return text_of, terms, _WEIGHTS[repeats]

    def embed(self, words: Words) -> NDArray[np.int16]:
        """Every text's vector, (n, dimensions); each view of length `UNIT`, or zero without words.

        Rounded, so that whoever multiplies two of them sums whole numbers: exact in any order.
        """
        vectors = np.zeros((len(words), self.table.shape[1]), np.float32)
        text_of, terms, weights = self.counts(words)
        if not len(text_of):
            return vectors.astype(np.int16)
        firsts = np.flatnonzero(np.diff(text_of, prepend=-1))
        rows = np.take(self.table, terms, axis=0).astype(np.float32)
        scales = np.take(self.scales, terms, axis=0) * weights.astype(np.float32)[:, None]
        edges = list(zip(self.edges[:-1], self.edges[1:], strict=True))
        for view, (begin, end) in enumerate(edges):
            rows[:, begin:end] *= scales[:, view, None]
        sums = np.add.reduceat(rows, firsts, axis=0)
        for begin, end in edges:
            view = sums[:, begin:end]
            lengths = np.sqrt(np.square(view).sum(axis=1, keepdims=True))
            vectors[text_of[firsts], begin:end] = view * (UNIT / np.maximum(lengths, 1e-20))
        return np.rint(vectors).astype(np.int16)


_WEIGHTS = np.concatenate([[0.0], 1 + np.log(np.arange(1, _MOST_COUNTED + 1))])


def quantized(vocabulary: NDArray[np.uint64], matrices: list[NDArray[np.float64]]) -> Embedding:
    """An embedding of 8-bit numbers from one real matrix (terms, columns) for each view."""
    tables: list[NDArray[np.int8]] = []
    scales: list[NDArray[np.float32]] = []
    for matrix in matrices:
        scale = np.maximum(np.abs(matrix).max(axis=1), 1e-12) / 127
        tables.append(np.rint(matrix / scale[:, None]).astype(np.int8))
        scales.append((scale / np.median(scale)).astype(np.float32))
    views = tuple(matrix.shape[1] for matrix in matrices)
    return Embedding(vocabulary, np.concatenate(tables, 1), np.stack(scales, 1), views)
