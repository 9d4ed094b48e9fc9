"""Help for the engine's tests: a back end without arithmetic, and ways to run requests."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phinery.infer import Completion, SamplingParams
from phinery.infer.backend import Span
from phinery.infer.sampling import Sampler, log_probabilities
from phinery.model.config import PhiConfig

_STATES = 4093


def _next_state(state: int, token: int, position: int) -> int:
    return (state * 1_000_003 + token * 7_919 + position + 12_345) % (2**31 - 1)


class HashBackend:
    """Each token's logits are a fixed random function of all tokens up to it, exactly.

    What the pages hold is a running hash of the text, so that a token's logits are right only if
    the page table led to the text's own pages, all positions before were computed, and nobody else
    wrote to them. `bias` tilts the logits: two of them with the same seed and different biases are
    a model and its draft.
    """

    bitwise = True

    def __init__(
        self,
        *,
        vocab_size: int = 257,
        context: int = 128,
        num_pages: int = 64,
        page_size: int = 16,
        seed: int = 0,
        noise: float = 0.0,
        scale: float = 3.0,
    ) -> None:
        self.config = PhiConfig(
            vocab_size=vocab_size,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=1,
            max_position_embeddings=context,
        )
        self.page_size = page_size
        self.num_pages = num_pages
        generator = np.random.default_rng(seed)
        self.table = generator.normal(0, scale, (_STATES, vocab_size)).astype(np.float32)
        if noise:
            other = np.random.default_rng(seed + 1)
            self.table += other.normal(0, noise, self.table.shape).astype(np.float32)
        self.memory = np.full((num_pages, page_size), -1, dtype=np.int64)
        self.adapters = 0
        self.steps: list[list[tuple[int, int, int]]] = []
        """Of every step and span: position of the first token, tokens, logits wanted."""
        self.poison: set[int] = set()
        """Tokens at which the back end breaks down."""

    def step(self, spans: Sequence[Span]) -> NDArray[np.float32]:
        """As a real one, and checks what the scheduler promises."""
        assert spans
        size = self.page_size
        self.steps.append([(span.start, len(span.tokens), span.num_logits) for span in spans])
        written: list[int] = []
        read: list[int] = []
        for span in spans:
            assert span.tokens.dtype == span.pages.dtype == np.int32
            end = span.start + len(span.tokens)
            assert len(span.tokens) >= 1
            assert 0 <= span.num_logits <= len(span.tokens)
            assert end <= self.config.max_position_embeddings
            assert len(span.pages) == -(-end // size)
            pages = span.pages.tolist()
            assert len(set(pages)) == len(pages)
            assert all(0 <= page < self.num_pages for page in pages)
            written += pages[span.start // size :]
            read += pages[: span.start // size]
        assert len(set(written)) == len(written)
        assert not set(written) & set(read)
        for span in spans:
            if self.poison & set(span.tokens.tolist()):
                raise RuntimeError("the back end broke down")
        rows = [row for span in spans for row in self._compute(span)]
        if not rows:
            return np.empty((0, self.config.vocab_size), dtype=np.float32)
        return self.table[np.array(rows)]

    def _compute(self, span: Span) -> list[int]:
        size = self.page_size
        state = 17 * span.adapter
        if span.start:
            before = span.start - 1
            state = int(self.memory[span.pages[before // size], before % size])
            assert state >= 0
        states: list[int] = []
        for position, token in enumerate(span.tokens.tolist(), start=span.start):
            state = _next_state(state, token, position)
            self.memory[span.pages[position // size], position % size] = state
            states.append(state % _STATES)
        return states[len(states) - span.num_logits :]

    def load_adapter(self, directory: str | Path) -> int:
        """Another function, numbered."""
        self.adapters += 1
        return self.adapters

    def close(self) -> None:
        """Nothing to free."""


class Text:
    """The logits after each token of a text, from nothing but its tokens."""

    def __init__(self, backend: HashBackend, adapter: int = 0) -> None:
        self.table = backend.table
        self.state = 17 * adapter
        self.length = 0

    def push(self, token: int) -> NDArray[np.float32]:
        """The logits (vocab,) after one more token."""
        self.state = _next_state(self.state, token, self.length)
        self.length += 1
        return self.table[self.state % _STATES]


def written(
    backend: HashBackend,
    prompt: Sequence[int],
    params: SamplingParams,
    index: int = 0,
    adapter: int = 0,
) -> tuple[list[int], list[dict[int, float]] | None]:
    """Tokens and log-probabilities, one token at a time from the whole text."""
    sampler = Sampler(params, index, prompt, backend.config.vocab_size)
    text = Text(backend, adapter)
    logits = [text.push(token) for token in prompt][-1]
    tokens, scores = [], []
    room = backend.config.max_position_embeddings - len(prompt)
    while len(tokens) < min(params.max_tokens or room, room):
        token = sampler.next(logits)
        tokens.append(token)
        if params.logprobs is not None:
            scores.append(log_probabilities(logits, token, params.logprobs))
        if token == 256 and not params.ignore_eos:
            break
        logits = text.push(token)
    return tokens, scores or None


def prompt_scores(
    backend: HashBackend, prompt: Sequence[int], count: int
) -> list[dict[int, float] | None]:
    """Log-probabilities of a prompt's tokens."""
    text = Text(backend)
    pairs = itertools.pairwise(prompt)
    return [None, *(log_probabilities(text.push(one), other, count) for one, other in pairs)]


def check(
    backend: HashBackend,
    prompts: Sequence[Sequence[int]],
    params: Sequence[SamplingParams],
    completions: Sequence[Completion],
) -> None:
    """Every completion is what the prompt alone gives, to the last bit."""
    rows = iter(completions)
    for prompt, chosen in zip(prompts, params, strict=True):
        for index in range(chosen.n):
            completion = next(rows)
            tokens, scores = written(backend, prompt, chosen, index)
            assert completion.index == index
            assert completion.token_ids == tokens
            assert completion.logprobs == scores
            if chosen.prompt_logprobs is None:
                assert completion.prompt_logprobs is None
            else:
                expected = prompt_scores(backend, prompt, chosen.prompt_logprobs)
                assert completion.prompt_logprobs == expected
    assert next(rows, None) is None


def prompts_of(lengths: Sequence[int], seed: int = 0) -> list[list[int]]:
    """Random prompts."""
    generator = random.Random(seed)
    return [[generator.randrange(256) for _ in range(length)] for length in lengths]
