"""The engine: prompts in, completions out, in batches with a key-value cache or token by token."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import torch

from phinery.infer.batch import Batch, Completion, CompletionDelta, Row
from phinery.infer.sampling import SamplingParams
from phinery.model import Phi
from phinery.text import TextStream, Tokenizer


class Engine:
    """Generates text with a model. Safe to use from several threads, which then take turns.

    Parameters
    ----------
    model : a Phi; it is run in evaluation mode and left in the mode it was in.
    tokenizer : the tokenizer it was trained with.
    max_batch : how many completions are decoded side by side; more wait for their turn.

    Raises ValueError when tokenizer and model do not belong together.
    """

    def __init__(self, model: Phi, tokenizer: Tokenizer, *, max_batch: int = 32) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch must be at least 1, not {max_batch}")
        if tokenizer.vocab_size > model.config.vocab_size:
            raise ValueError(
                f"the tokenizer has {tokenizer.vocab_size} tokens, the model only "
                f"{model.config.vocab_size}: they do not belong together"
            )
        self.model = model
        self.tokenizer = tokenizer
        self.max_batch = max_batch
        self._ends = {tokenizer.eos_token_id, model.config.eos_token_id} - {None}
        self._turn = threading.Lock()

    @classmethod
    def open(
        cls,
        directory: str | Path,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        max_batch: int = 32,
    ) -> Engine:
        """An engine for a model folder; raises CheckpointError as `phinery.load` does."""
        from phinery.model.checkpoint import load

        model, tokenizer = load(directory, device=device, dtype=dtype)
        return cls(model, tokenizer, max_batch=max_batch)

    @property
    def context_length(self) -> int:
        """How many tokens a prompt and its completion can have together."""
        return self.model.config.max_position_embeddings

    def generate(
        self, prompts: Sequence[str] | Sequence[Sequence[int]], params: SamplingParams | None = None
    ) -> list[Completion]:
        """Complete every prompt, a text or token ids: `params.n` completions each, in their order.

        An empty prompt begins a new document. A completion that fills the context ends with
        "length". Raises ValueError for a prompt that leaves no room in the context, or with tokens
        that the model does not have.
        """
        if isinstance(prompts, str) or any(isinstance(prompt, int) for prompt in prompts):
            raise ValueError("generate takes a list of prompts; put the one prompt into a list")
        params = params or SamplingParams()
        rows = self._rows(prompts, params)
        for _ in self._run(rows, params):
            pass
        return [row.completion() for row in rows]

    def stream_sync(
        self, prompt: str | Sequence[int], params: SamplingParams | None = None
    ) -> Iterator[CompletionDelta]:
        """Complete one prompt token by token; errors as `generate`'s, raised at the call.

        The work is done between the items: whoever stops asking, stops it.
        """
        params = params or SamplingParams()
        return self._run(self._rows([prompt], params), params)

    def stream(
        self, prompt: str | Sequence[int], params: SamplingParams | None = None
    ) -> AsyncIterator[CompletionDelta]:
        """`stream_sync` for an event loop, which stays free: the model runs in another thread."""
        return _in_threads(self.stream_sync(prompt, params))

    def _rows(self, prompts: Sequence[str | Sequence[int]], params: SamplingParams) -> list[Row]:
        vocab = self.model.config.vocab_size
        if params.logit_bias and max(params.logit_bias) >= vocab:
            raise ValueError(f"logit_bias names a token id that the model of {vocab} has not")
        rows: list[Row] = []
        for number, prompt in enumerate(prompts):
            ids = self._prompt_ids(prompt, number)
            room = self.context_length - len(ids)
            limit = room if params.max_tokens is None else min(params.max_tokens, room)
            for index in range(params.n):
                stream = TextStream(self.tokenizer, params.stop_strings, skip_special_tokens=True)
                rows.append(Row(index, ids, limit, stream, _generator(params.seed, index)))
        return rows

    def _prompt_ids(self, prompt: str | Sequence[int], number: int) -> list[int]:
        ids = self.tokenizer.encode(prompt) if isinstance(prompt, str) else list(prompt)
        if not ids:
            start = self.tokenizer.bos_token_id
            ids = [self.tokenizer.eos_token_id if start is None else start]
        vocab = self.model.config.vocab_size
        for token in ids:
            if not 0 <= token < vocab:
                raise ValueError(f"prompt {number} has token id {token}; the model has {vocab} ids")
        if len(ids) >= self.context_length:
            raise ValueError(
                f"prompt {number} has {len(ids)} tokens, but the model's context holds "
                f"{self.context_length}, the answer included: shorten the prompt"
            )
        return ids

    def _run(self, rows: list[Row], params: SamplingParams) -> Iterator[CompletionDelta]:
        for first in range(0, len(rows), self.max_batch):
            batch = Batch(self.model, rows[first : first + self.max_batch], params, self._ends)
            while batch.rows:
                with self._turn:
                    deltas = batch.step()
                yield from deltas


def _generator(seed: int | None, index: int) -> torch.Generator:
    """Random numbers of one completion; those of a prompt have neighbouring seeds, as in vLLM."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed((seed + index) % 2**64)
    return generator


async def _in_threads(deltas: Iterator[CompletionDelta]) -> AsyncIterator[CompletionDelta]:
    while (delta := await asyncio.to_thread(next, deltas, None)) is not None:
        yield delta
