"""Hashes of runs of words, and tables that say quickly that almost none of them are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BASE = 0xD1342543DE82EF95  # odd, so that no word's share of a hash is lost
_MASK = 2**64 - 1
_FILTER_BITS = 25


def ngram_hashes(words: NDArray[np.uint64], n: int) -> NDArray[np.uint64]:
    """The hash of the n words from every place on: (len(words) - n + 1,), at least 0.

    A polynomial in a fixed odd base modulo 2**64, whose coefficients are the words' hashes.
    """
    if len(words) < n:
        return np.empty(0, dtype=np.uint64)
    size = len(words) - n + 1
    hashes = np.zeros(size, dtype=np.uint64)
    done, width, runs = 0, 1, words
    while True:
        if n & width:
            hashes *= np.uint64(pow(_BASE, width, 2**64))
            hashes += runs[done : done + size]
            done += width
        if done == n:
            return hashes
        factor = np.uint64(pow(_BASE, width, 2**64))
        runs = runs[:-width] * factor + runs[width:]
        width *= 2


def whole_hash(words: NDArray[np.uint64]) -> int:
    """The hash of all words as one run: what `ngram_hashes` gives for n = len(words)."""
    value = 0
    for word in words.tolist():
        value = (value * _BASE + word) & _MASK
    return value


@dataclass(frozen=True)
class Table:
    """Keys, sorted and each once, and a range of entries for each."""

    keys: NDArray[np.uint64]
    starts: NDArray[np.int64]
    """(len(keys) + 1,): the entries of key i are starts[i] to before starts[i + 1]."""
    present: NDArray[np.bool_]
    """Whether any key has these leading bits."""

    @classmethod
    def of(cls, sorted_keys: NDArray[np.uint64]) -> Table:
        """The table whose entries have these keys, which are sorted."""
        first = np.ones(len(sorted_keys), dtype=np.bool_)
        first[1:] = sorted_keys[1:] != sorted_keys[:-1]
        starts = np.append(np.flatnonzero(first), len(sorted_keys))
        keys = sorted_keys[first]
        present = np.zeros(2**_FILTER_BITS, dtype=np.bool_)
        present[keys >> np.uint64(64 - _FILTER_BITS)] = True
        return cls(keys, starts, present)

    def find(self, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places in `hashes` of known keys and the entries there, (m,) each: all pairs of them."""
        maybe = np.flatnonzero(self.present[hashes >> np.uint64(64 - _FILTER_BITS)])
        number = np.searchsorted(self.keys, hashes[maybe])
        known = number < len(self.keys)
        known[known] = self.keys[number[known]] == hashes[maybe[known]]
        places, number = maybe[known], number[known]
        counts = self.starts[number + 1] - self.starts[number]
        before = np.repeat(np.cumsum(counts) - counts, counts)
        entries = np.repeat(self.starts[number], counts) + np.arange(counts.sum()) - before
        return np.repeat(places, counts), entries
