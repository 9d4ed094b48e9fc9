"""What a general compressor makes of the held-out text: the yardstick beside the model's score."""

from __future__ import annotations

import lzma
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phinery.data import Sampler, TokenShards
from phinery.text import Tokenizer

_LARGEST_DICTIONARY = 1536 * 2**20  # liblzma's limit
_CHUNK = 2**20


def xz_size(data: bytes, tell: Callable[[int], None] = lambda count: None) -> int:
    """Bytes of `data` after `xz -9`, with a dictionary that reaches over all of it.

    `tell` is given the number of bytes done after every one of its calls; what it raises ends it.
    """
    dictionary = min(max(len(data), 2**16), _LARGEST_DICTIONARY)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": dictionary}]
    compressor = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=filters)
    size = 0
    for start in range(0, len(data), _CHUNK):
        chunk = data[start : start + _CHUNK]
        size += len(compressor.compress(chunk))
        tell(len(chunk))
    return size + len(compressor.flush())


def xz_extra_bytes(
    training: bytes, held_out: bytes, tell: Callable[[int], None] = lambda count: None
) -> int:
    """Bytes that `xz -9` needs for `held_out` once it has seen `training`.

    That is size(xz(training + held_out)) - size(xz(training)). Both are compressed at once, in two
    threads: liblzma works outside the interpreter's lock.
    """
    with ThreadPoolExecutor(2) as pool:
        sizes = pool.map(lambda data: xz_size(data, tell), (training, training + held_out))
        alone, together = sizes
    return together - alone


def _by_directory(
    plans: Iterable[tuple[Sampler, int]],
) -> list[tuple[TokenShards, list[tuple[Sampler, int]]]]:
    """Samplers of the same shards together."""
    found: dict[Path, tuple[TokenShards, list[tuple[Sampler, int]]]] = {}
    for sampler, count in plans:
        shards = sampler.shards
        found.setdefault(shards.directory, (shards, []))[1].append((sampler, count))
    return list(found.values())


def seen_bytes(plans: Iterable[tuple[Sampler, int]]) -> int:
    """About how many bytes of text the first `count` samples of each sampler hold, each once."""
    total = 0.0
    for shards, parts in _by_directory(plans):
        seen = sum(count * sampler.sequence_length for sampler, count in parts)
        total += min(seen, shards.num_tokens) * shards.num_bytes / shards.num_tokens
    return round(total)


def consumed_text(plans: Iterable[tuple[Sampler, int]], tokenizer: Tokenizer) -> bytes:
    """The text that the first `count` samples of each sampler hold, each byte of it once."""
    return b"".join(
        decoded(shards, tokenizer, consumed_tokens(shards, parts))
        for shards, parts in _by_directory(plans)
    )


def consumed_tokens(
    shards: TokenShards, samplers: Iterable[tuple[Sampler, int]]
) -> NDArray[np.bool_]:
    """Which training tokens the first `count` samples of each sampler touched, each once."""
    touched = np.zeros(shards.num_tokens, dtype=np.bool_)
    for sampler, count in samplers:
        for index in range(count):
            start = sampler.window(index)
            touched[start : start + sampler.sequence_length + 1] = True
    return touched


def decoded(
    shards: TokenShards, tokenizer: Tokenizer, chosen: NDArray[np.bool_] | None = None
) -> bytes:
    """The text of a split's tokens, or of the chosen ones; a line break ends each document."""
    table = [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]
    table[shards.eos_token_id] = b"\n"
    return b"".join(_pieces(shards, table, chosen))


def _pieces(
    shards: TokenShards, table: list[bytes], chosen: NDArray[np.bool_] | None
) -> Iterator[bytes]:
    for start in range(0, shards.num_tokens, _CHUNK):
        stop = min(start + _CHUNK, shards.num_tokens)
        ids = shards.read(start, stop)
        if chosen is not None:
            ids = ids[chosen[start:stop]]
        yield b"".join([table[token] for token in ids.tolist()])
