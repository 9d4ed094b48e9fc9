"""How fast a model runs on this machine, beside what the machine can do at most.

Reading memory bounds single tokens: each needs all weights once, whatever the batch. Multiplying
bounds prompts and large batches. Needs no torch, unless the back end computes with it.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from phinery.infer.backend import Backend, Span

# Larger than any cache, so that it is memory which is read.
READ_BYTES = 2**28
CONTEXT = 64
"""Tokens that stand before those that the decode measures time."""
STEPS = 32
"""Steps after which a sequence is taken back to `CONTEXT`."""
CHUNK = 512

# numpy's library of matrix products takes its number of threads from the environment, once.
_MATMUL_PROGRAM = """\
import sys, time
import numpy as np
size, seconds = int(sys.argv[1]), float(sys.argv[2])
left = np.full((size, size), 0.5, np.float32)
right = left.copy()
result = left @ right
best, end = 0.0, time.perf_counter() + seconds
while time.perf_counter() < end or not best:
    begin = time.perf_counter()
    np.matmul(left, right, out=result)
    best = max(best, 2 * size**3 / (time.perf_counter() - begin))
print(best)
"""


@dataclass(frozen=True)
class Limits:
    """What the machine can do with so many threads.

    read_bytes_per_second : the most at which memory was read from beginning to end.
    matmul_flops : floating-point operations per second of numpy's float32 product of 2048 x 2048
        matrices. Instructions for bfloat16 and 8 bits do more.
    """

    threads: int
    read_bytes_per_second: float
    matmul_flops: float


@dataclass(frozen=True)
class Rate:
    """How fast a model was; a decode step is one token for each of `batch` sequences.

    tokens : of each sequence in a step; a prompt's share of the chunk, or 1.
    bytes_per_second : weights once a step, and keys and values that are attended to.
    flops : operations per second: two for each weight that multiplies, and attention's.
    """

    kind: Literal["prompt", "decode"]
    batch: int
    tokens: int
    tokens_per_second: float
    bytes_per_second: float
    flops: float


class ReadProbe:
    """Measures how fast `threads` threads read memory together."""

    def __init__(self, threads: int) -> None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        self._threads = threads
        self._native = _native_probe()
        self._parts: list[NDArray[np.float32]] = []
        if self._native is None:
            area = np.ones(READ_BYTES // 4, np.float32)
            self._parts = np.array_split(area, 4 * threads)

    def bytes_per_second(self, seconds: float) -> float:
        """The best of what was measured in about `seconds`."""
        best, end = 0.0, time.perf_counter() + seconds
        with ThreadPoolExecutor(self._threads) as pool:
            while not best or time.perf_counter() < end:
                best = max(best, self._once(pool))
        return best

    def _once(self, pool: ThreadPoolExecutor) -> float:
        if self._native is not None:
            return self._native(self._threads)
        started = time.perf_counter()
        # numpy's maximum is vectorised, and lets other threads of Python run meanwhile.
        list(pool.map(np.max, self._parts))
        return READ_BYTES / (time.perf_counter() - started)


def _native_probe() -> Callable[[int], float] | None:
    """The native core's own loop, threads to bytes per second; None: it was not built."""
    from phinery.infer import native

    return native.read_rate if native.is_available() else None


def measure_limits(threads: int, seconds: float = 1.0) -> Limits:
    """What the machine can do with `threads` threads, half of `seconds` for each limit."""
    read = ReadProbe(threads).bytes_per_second(seconds / 2)
    return Limits(threads, read, _matmul_flops(threads, seconds / 2))


def _matmul_flops(threads: int, seconds: float) -> float:
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    answer = subprocess.run(
        [sys.executable, "-c", _MATMUL_PROGRAM, "2048", str(seconds)],
        env=os.environ | dict.fromkeys(names, str(threads)),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(answer.stdout)


def read_bytes(backend: Backend) -> int:
    """Bytes of the weights that every step reads: all but the embedding, of which it reads rows."""
    packed: int | None = getattr(backend, "weight_bytes", None)
    if packed is not None:
        return packed
    model: Any = getattr(backend, "model", None)
    if model is None:
        raise ValueError(f"{type(backend).__name__} does not tell the size of its weights")
    return sum(
        weight.numel() * weight.element_size()
        for name, weight in model.named_parameters()
        if "embed_tokens" not in name
    )


def measure_rates(
    backend: Backend,
    *,
    batches: Sequence[int] = (1, 8, 32),
    prompt_tokens: int = CHUNK,
    seconds: float = 1.0,
) -> Iterator[Rate]:
    """Time single steps of a back end whose cache nobody else uses, about `seconds` for each rate.

    For each batch first prompts, which share `prompt_tokens` in one step with the logits of each
    one's last token, then decode steps with the logits of all, after `CONTEXT` tokens. The median
    step counts. Raises ValueError when the back end's context or cache is too small for that.
    """
    for batch in batches:
        yield _measure_prompt(backend, batch, max(1, prompt_tokens // batch), seconds)
        yield _measure_decode(backend, batch, seconds)


def _measure_prompt(backend: Backend, batch: int, tokens: int, seconds: float) -> Rate:
    prompts = _Sequences(backend, batch, tokens)
    elapsed = _median(lambda: prompts.step(0, tokens), seconds)
    return _rate(backend, "prompt", batch, tokens, (tokens - 1) / 2, elapsed)


def _measure_decode(backend: Backend, batch: int, seconds: float) -> Rate:
    room = backend.config.max_position_embeddings
    context = min(CONTEXT, room // 2)
    steps = min(STEPS, room - context)
    sequences = _Sequences(backend, batch, context + steps)
    sequences.fill(context)
    positions = itertools.cycle(range(context, context + steps))
    elapsed = _median(lambda: sequences.step(next(positions), 1), seconds)
    return _rate(backend, "decode", batch, 1, context + (steps - 1) / 2, elapsed)


def tokens_in_cache(batches: Sequence[int], prompt_tokens: int, page_size: int) -> int:
    """How many tokens a back end's cache must hold for `measure_rates`."""
    return max(
        batch * -(-max(CONTEXT + STEPS, prompt_tokens // batch) // page_size) * page_size
        for batch in batches
    )


class _Sequences:
    """Sequences of random tokens with pages of their own, from the cache's beginning."""

    def __init__(self, backend: Backend, batch: int, length: int) -> None:
        if batch < 1 or length > backend.config.max_position_embeddings:
            raise ValueError(
                f"{batch} sequences of {length} tokens cannot be measured: the model's context is "
                f"{backend.config.max_position_embeddings}"
            )
        pages = -(-length // backend.page_size)
        if batch * pages > backend.num_pages:
            raise ValueError(
                f"the cache has {backend.num_pages} pages, {batch * pages} are needed for "
                f"{batch} sequences of {length} tokens"
            )
        self.length = length
        self._backend = backend
        draw = np.random.default_rng(0).integers(0, backend.config.vocab_size, (batch, length))
        self._tokens = draw.astype(np.int32)
        self._pages = np.arange(batch * pages, dtype=np.int32).reshape(batch, pages)

    def step(self, start: int, count: int) -> None:
        """Compute `count` tokens of each sequence from position `start` on, logits of the last."""
        self._backend.step(
            [
                Span(tokens=row[start : start + count], start=start, pages=pages, num_logits=1)
                for row, pages in zip(self._tokens, self._pages, strict=True)
            ]
        )

    def fill(self, count: int) -> None:
        """Put the first `count` tokens of all into the cache, some sequences at a time."""
        together = max(1, CHUNK // count)
        for first in range(0, len(self._tokens), together):
            rows = range(first, min(first + together, len(self._tokens)))
            self._backend.step(
                [
                    Span(
                        tokens=self._tokens[row, :count],
                        start=0,
                        pages=self._pages[row],
                        num_logits=0,
                    )
                    for row in rows
                ]
            )


def _median(step: Callable[[], None], seconds: float) -> float:
    """Median seconds of a step, after one to warm up."""
    step()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _rate(
    backend: Backend,
    kind: Literal["prompt", "decode"],
    batch: int,
    tokens: int,
    position: float,
    elapsed: float,
) -> Rate:
    """From a step's seconds; `position` is that of a token on average."""
    config = backend.config
    width, layers = config.hidden_size, config.num_hidden_layers
    block = 4 * width * width + 2 * width * config.mlp_size
    each = 2 * layers * block + 4 * layers * width * (position + 1)
    flops = batch * (tokens * each + 2 * config.vocab_size * width)
    # A prompt's keys and values are read where its last token attends to all of them.
    attended = tokens if kind == "prompt" else position + 1
    read = read_bytes(backend) + batch * attended * config.kv_bytes_per_token(2)
    return Rate(kind, batch, tokens, batch * tokens / elapsed, read / elapsed, flops / elapsed)
