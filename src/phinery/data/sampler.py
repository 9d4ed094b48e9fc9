"""Which tokens a training step sees: an order that depends on nothing but seed, data and number."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phinery.data.shards import TokenShards

_ROUNDS = 8


@dataclass(frozen=True)
class Batch:
    """Training windows, all arrays int64 and `(batch, seq)`."""

    input_ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    """`labels[b, t]` is the token that follows `input_ids[b, t]`; -100 would be ignored."""
    document_ids: NDArray[np.int64]
    """The number of a token's document within the row: 0, and one more after each end of text."""


class Sampler:
    """Cuts a split into windows and puts them into an order, epoch after epoch.

    Sample number i is a function of (seed, the split's tokens, sequence_length, i), whoever asks
    and in whatever batches. The windows of an epoch don't overlap (the last label of one is the
    first input of another) and each is seen once. The grid that cuts them is shifted in every
    epoch, so that the tokens that an epoch leaves out, fewer than two windows' worth, change.

    The order of an epoch is a keyed bijection: a Feistel network over the smallest even number of
    bits that can count the windows, walked until it lands on a window (Black and Rogaway, "Ciphers
    with Arbitrary Finite Domains", 2002). It takes no memory, whatever the number of windows.
    """

    def __init__(self, shards: TokenShards, *, sequence_length: int, seed: int) -> None:
        """ValueError when the split holds less than one window and its last label."""
        if sequence_length < 1:
            raise ValueError(f"sequence_length is {sequence_length}: it must be 1 at least")
        tokens = shards.num_tokens
        if tokens < sequence_length + 1:
            raise ValueError(
                f"the {shards.split} split of {shards.directory} holds {tokens} tokens, but one "
                f"window takes {sequence_length + 1}: give more documents or a shorter "
                "sequence_length"
            )
        self.shards = shards
        self.sequence_length = sequence_length
        self.seed = seed
        self.windows_per_epoch = max(1, (tokens - sequence_length) // sequence_length)
        free = tokens - 1 - self.windows_per_epoch * sequence_length
        self._shifts = min(sequence_length, free + 1)
        bits = (self.windows_per_epoch - 1).bit_length()
        self._half_bits = (bits + 1) // 2

    def __len__(self) -> int:
        """Windows of an epoch."""
        return self.windows_per_epoch

    def window(self, index: int) -> int:
        """Where sample `index` begins in the split; ValueError for a negative index."""
        if index < 0:
            raise ValueError(f"sample {index} does not exist: they are counted from 0")
        epoch, place = divmod(index, self.windows_per_epoch)
        key = _hash(b"", f"phinery-sampler/{self.seed}/{epoch}".encode(), 32)
        shift = int.from_bytes(_hash(key, b"shift", 16), "little") % self._shifts
        return shift + self._permuted(place, key) * self.sequence_length

    def sample(self, index: int) -> NDArray[np.int64]:
        """The tokens of sample `index`, `(sequence_length + 1,)`: inputs and the last label."""
        start = self.window(index)
        return self.shards.read(start, start + self.sequence_length + 1)

    def batch(self, first_index: int, count: int) -> Batch:
        """Samples `first_index` to `first_index + count - 1`, over the end of an epoch too."""
        rows = np.stack([self.sample(index) for index in range(first_index, first_index + count)])
        input_ids = np.ascontiguousarray(rows[:, :-1])
        ends = np.cumsum(input_ids == self.shards.eos_token_id, axis=1, dtype=np.int64)
        document_ids = np.zeros_like(input_ids)
        document_ids[:, 1:] = ends[:, :-1]
        return Batch(input_ids, np.ascontiguousarray(rows[:, 1:]), document_ids)

    def _permuted(self, place: int, key: bytes) -> int:
        """The window that stands at `place` of the epoch that `key` belongs to."""
        while True:
            place = self._feistel(place, key)
            if place < self.windows_per_epoch:
                return place

    def _feistel(self, number: int, key: bytes) -> int:
        mask = (1 << self._half_bits) - 1
        left, right = number >> self._half_bits, number & mask
        for turn in range(_ROUNDS):
            message = bytes([turn]) + right.to_bytes(8, "little")
            left, right = right, left ^ (int.from_bytes(_hash(key, message, 8), "little") & mask)
        return left << self._half_bits | right


def _hash(key: bytes, message: bytes, size: int) -> bytes:
    return hashlib.blake2b(message, digest_size=size, key=key).digest()
