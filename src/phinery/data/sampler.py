"""Which tokens a training step sees: an order that depends on nothing but seed, data and number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from phinery.data.shards import TokenShards

Order = Literal["random", "difficulty"]
ORDERS: tuple[Order, ...] = ("random", "difficulty")
_ROUNDS = 8
_NEIGHBOURHOODS = 32


@dataclass(frozen=True)
class Batch:
    """Training windows, all arrays int64 and `(batch, seq)`."""

    input_ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    """`labels[b, t]` is the token that follows `input_ids[b, t]`; -100 would be ignored."""
    document_ids: NDArray[np.int64]
    """The number of a token's document within the row: 0, and one more after each end of text."""

    @classmethod
    def of_rows(cls, rows: Sequence[NDArray[np.int64]], eos_token_id: int) -> Batch:
        """A batch of samples, each of them inputs and the last label."""
        tokens = np.stack(rows)
        input_ids = np.ascontiguousarray(tokens[:, :-1])
        ends = np.cumsum(input_ids == eos_token_id, axis=1, dtype=np.int64)
        document_ids = np.zeros_like(input_ids)
        document_ids[:, 1:] = ends[:, :-1]
        return cls(input_ids, np.ascontiguousarray(tokens[:, 1:]), document_ids)


class SampleOrder(Protocol):
    """What training asks for: numbered samples of equal length, the same whoever asks."""

    sequence_length: int
    seed: int

    def batch(self, first_index: int, count: int) -> Batch:
        """Samples `first_index` to `first_index + count - 1`."""
        ...

    def fingerprint(self) -> dict[str, Any]:
        """What the samples are and in which order they come, ready for JSON."""
        ...


class Sampler:
    """Cuts a split into windows and puts them into an order, epoch after epoch.

    Sample number i is a function of (seed, the split's tokens, sequence_length, order, i), whoever
    asks and in whatever batches. The windows of an epoch don't overlap (the last label of one is
    the first input of another) and each is seen once. The grid that cuts them is shifted in every
    epoch, so that the tokens that an epoch leaves out, fewer than two windows' worth, change.

    The order of an epoch is a keyed bijection: a Feistel network over the smallest even number of
    bits that can count the windows, walked until it lands on a window (Black and Rogaway, "Ciphers
    with Arbitrary Finite Domains", 2002). It takes no memory, whatever the number of windows.

    With `order="difficulty"` an epoch goes through the split as it stands, whose documents were
    written from easy to hard, and only neighbours change places: a window is moved by less than a
    32nd of the epoch. `span` is then the number of samples in which an epoch gets from the first to
    the last window; with fewer than there are windows it leaves some out, evenly.
    """

    def __init__(
        self,
        shards: TokenShards,
        *,
        sequence_length: int,
        seed: int,
        order: Order = "random",
        span: int | None = None,
    ) -> None:
        """ValueError when the split holds less than one window and its last label."""
        if sequence_length < 1:
            raise ValueError(f"sequence_length is {sequence_length}: it must be 1 at least")
        if order not in ORDERS:
            raise ValueError(f"there is no order {order!r}: {' and '.join(ORDERS)} exist")
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
        self.order: Order = order
        self.windows_per_epoch = max(1, (tokens - sequence_length) // sequence_length)
        free = tokens - 1 - self.windows_per_epoch * sequence_length
        self._shifts = min(sequence_length, free + 1)
        self._span = self.windows_per_epoch
        if span is not None:
            if order != "difficulty" or not 1 <= span <= self.windows_per_epoch:
                raise ValueError(
                    f"span is {span}: it goes with the order by difficulty, from 1 to the "
                    f"{self.windows_per_epoch} windows of an epoch"
                )
            self._span = span

    def __len__(self) -> int:
        """Samples of an epoch."""
        return self._span

    def window(self, index: int) -> int:
        """Where sample `index` begins in the split; ValueError for a negative index."""
        if index < 0:
            raise ValueError(f"sample {index} does not exist: they are counted from 0")
        epoch, place = divmod(index, self._span)
        key = keyed_hash(b"", f"phinery-sampler/{self.seed}/{epoch}".encode(), 32)
        shift = int.from_bytes(keyed_hash(key, b"shift", 16), "little") % self._shifts
        if self.order == "random":
            window = permuted(place, self.windows_per_epoch, key)
        else:
            window = self._among_neighbours(place * self.windows_per_epoch // self._span, key)
        return shift + window * self.sequence_length

    def sample(self, index: int) -> NDArray[np.int64]:
        """The tokens of sample `index`, `(sequence_length + 1,)`: inputs and the last label."""
        start = self.window(index)
        return self.shards.read(start, start + self.sequence_length + 1)

    def batch(self, first_index: int, count: int) -> Batch:
        """Samples `first_index` to `first_index + count - 1`, over the end of an epoch too."""
        rows = [self.sample(index) for index in range(first_index, first_index + count)]
        return Batch.of_rows(rows, self.shards.eos_token_id)

    def fingerprint(self) -> dict[str, Any]:
        """What the samples are and in which order they come, ready for JSON.

        The order is told by a checksum of the samples 0, 1, 2, 4, ..., 4096, of which another order
        changes at least one.
        """
        return {
            "seed": self.seed,
            "tokens": self.shards.num_tokens,
            "shards_sha256": shards_sha256(self.shards),
            "order_sha256": order_sha256(self, (0, *(2**power for power in range(13)))),
        }

    def _among_neighbours(self, window: int, key: bytes) -> int:
        """The window that takes the place of `window`, from the same stretch of the split.

        Where the stretches begin changes with the key, so that no window is bound to one.
        """
        size = -(-self.windows_per_epoch // _NEIGHBOURHOODS)
        offset = int.from_bytes(keyed_hash(key, b"offset", 16), "little") % size
        number = (window + offset) // size
        first = max(0, number * size - offset)
        last = min(self.windows_per_epoch, (number + 1) * size - offset)
        stretch_key = keyed_hash(key, b"stretch" + number.to_bytes(8, "little"), 32)
        return first + permuted(window - first, last - first, stretch_key)


def permuted(place: int, size: int, key: bytes) -> int:
    """What stands at `place` of the permutation of `range(size)` that belongs to `key`."""
    half_bits = ((size - 1).bit_length() + 1) // 2
    while True:
        place = _feistel(place, half_bits, key)
        if place < size:
            return place


def keyed_hash(key: bytes, message: bytes, size: int) -> bytes:
    """BLAKE2b of `message` under `key`, `size` bytes of it."""
    return hashlib.blake2b(message, digest_size=size, key=key).digest()


def shards_sha256(shards: TokenShards) -> str:
    """One checksum of all the files of a split."""
    files = {name: entry["sha256"] for name, entry in shards.manifest["files"].items()}
    text = json.dumps(
        {name: files[name] for name in sorted(files) if name.startswith(shards.split)}
    )
    return hashlib.sha256(text.encode()).hexdigest()


def order_sha256(samples: SampleOrder, indices: Iterable[int]) -> str:
    """One checksum of the samples of these numbers."""
    order = hashlib.sha256()
    for index in indices:
        batch = samples.batch(index, 1)
        for ids in (batch.input_ids, batch.labels, batch.document_ids):
            order.update(ids.tobytes())
    return order.hexdigest()


def _feistel(number: int, half_bits: int, key: bytes) -> int:
    mask = (1 << half_bits) - 1
    left, right = number >> half_bits, number & mask
    for turn in range(_ROUNDS):
        message = bytes([turn]) + right.to_bytes(8, "little")
        left, right = right, left ^ (int.from_bytes(keyed_hash(key, message, 8), "little") & mask)
    return left << half_bits | right
