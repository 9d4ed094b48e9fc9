"""Which token sequences stand in training shards, found in one pass over them in little memory.

The sequences that are looked for are hashed; the shards go past in blocks, whose windows are hashed
in the same way, so that memory depends on the block and on how many sequences there are, not on the
shards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

MOST_TOKENS = 2**26
"""How many tokens of the shards are looked at; of larger ones, blocks at equal distances."""

_BLOCK = 2**20
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_FILTER_BITS = 22

Ints = NDArray[np.int64]


class Readable(Protocol):
    """Tokens that are read piece by piece, as those of shards."""

    @property
    def num_tokens(self) -> int: ...
    @property
    def eos_token_id(self) -> int: ...

    def read(self, start: int, stop: int) -> Ints: ...


class Found(NamedTuple):
    """Whether each sequence was found, and the share of the shards' tokens that was looked at."""

    is_there: NDArray[np.bool_]
    looked_at: float


class _Wanted:
    """The hashes of sequences of one length, to be crossed off."""

    def __init__(self, hashes: NDArray[np.uint64]) -> None:
        self.hashes, self._place = np.unique(hashes, return_inverse=True)
        self.seen = np.zeros(len(self.hashes), dtype=bool)
        # Nearly all windows are ruled out by a few bits of their hash.
        self._likely = np.zeros(1 << _FILTER_BITS, dtype=bool)
        self._likely[self._leading(self.hashes)] = True

    def look(self, hashes: NDArray[np.uint64]) -> None:
        """Cross off those among `hashes`."""
        hashes = hashes[self._likely[self._leading(hashes)]]
        place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        self.seen[place[self.hashes[place] == hashes]] = True

    @property
    def found(self) -> NDArray[np.bool_]:
        """For each sequence, in the order in which they were given."""
        return self.seen[self._place]

    @staticmethod
    def _leading(hashes: NDArray[np.uint64]) -> Ints:
        return (hashes >> np.uint64(64 - _FILTER_BITS)).astype(np.int64)


def find(
    shards: Readable,
    sequences: Sequence[Ints],
    *,
    most_tokens: int | None = MOST_TOKENS,
    progress: Callable[[int], None] | None = None,
) -> Found:
    """Which of the sequences, each of one token at least, stand in the shards.

    Of shards with more than `most_tokens` only as many are looked at; None is all. `progress` takes
    how many tokens have been looked at so far.

    Two different sequences have the same 64-bit hash with a probability of about 5e-20, so that one
    is wrongly found once in many millions of evaluations.
    """
    lengths = np.array([len(one) for one in sequences], dtype=np.int64)
    assert (lengths > 0).all()
    wanted = {
        length: _Wanted(_hashes_of([one for one in sequences if len(one) == length]))
        for length in sorted(set(lengths.tolist()))
    }
    looked_at = 0
    if wanted:
        for block, fresh in _blocks(shards, max(wanted) - 1, most_tokens):
            looked_at += fresh
            for length, hashes in windows_hashes(block, set(wanted)):
                wanted[length].look(hashes)
            if progress is not None:
                progress(looked_at)
    found = np.zeros(len(sequences), dtype=bool)
    for length, one in wanted.items():
        found[lengths == length] = one.found
    return Found(found, looked_at / shards.num_tokens if shards.num_tokens else 0.0)


def windows_hashes(tokens: Ints, lengths: set[int]) -> Iterator[tuple[int, NDArray[np.uint64]]]:
    """For each length the hashes of all windows of so many tokens, (len(tokens) - length + 1,)."""
    values = _scattered(tokens)
    hashes = np.zeros(len(values), dtype=np.uint64)
    for length in range(1, max(lengths) + 1):
        if length > len(values):
            return
        # A polynomial in an odd factor, modulo 2**64: its coefficients are scattered tokens.
        hashes = hashes[: len(values) - length + 1] * _FACTOR
        hashes += values[length - 1 :]
        if length in lengths:
            yield length, hashes


def windows(sequence: Ints, length: int) -> list[Ints]:
    """All windows of so many tokens."""
    if len(sequence) < length:
        return []
    return list(np.lib.stride_tricks.sliding_window_view(sequence, length))


def longest_common_run(left: Ints, right: Ints) -> int:
    """How long the longest sequence is that stands in both, anywhere."""
    best = 0
    before = np.zeros(len(right) + 1, dtype=np.int64)
    for token in left.tolist():
        runs = np.zeros_like(before)
        runs[1:] = np.where(right == token, before[:-1] + 1, 0)
        best = max(best, int(runs.max()))
        before = runs
    return best


def _hashes_of(sequences: list[Ints]) -> NDArray[np.uint64]:
    """(n,) for sequences of one length."""
    values = _scattered(np.stack(sequences))
    hashes = np.zeros(len(values), dtype=np.uint64)
    for column in values.T:
        hashes = hashes * _FACTOR + column
    return hashes


def _scattered(tokens: Ints) -> NDArray[np.uint64]:
    """Steele et al. 2014 (SplitMix64); as in `phinery.data.words`."""
    from phinery.data.words import mix

    return mix((tokens.astype(np.uint64) + np.uint64(1)) * _FACTOR)


def _blocks(shards: Readable, overlap: int, most_tokens: int | None) -> Iterator[tuple[Ints, int]]:
    """Blocks of tokens, each with `overlap` of the next one's, and how many are new in each."""
    count = -(-shards.num_tokens // _BLOCK)
    chosen = range(count)
    most = count if most_tokens is None else max(1, most_tokens // _BLOCK)
    if count > most:
        chosen = np.linspace(0, count - 1, most).astype(np.int64).tolist()
    for number in chosen:
        start = number * _BLOCK
        stop = min(start + _BLOCK, shards.num_tokens)
        yield shards.read(start, min(stop + overlap, shards.num_tokens)), stop - start
