"""The inside of the engine: completions in the making, decoded side by side with one cache."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator
from typing import Literal

import torch
from torch import Tensor

from phinery.infer.sampling import SamplingParams, choose, log_probabilities
from phinery.model import KVCache, Phi
from phinery.text import TextStream

FinishReason = Literal["stop", "length"]


@dataclasses.dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote after a prompt.

    `index` counts a prompt's completions from 0. `token_ids` are all tokens chosen, an end-of-text
    token and those of a stop string included; `text` ends before them, and special tokens have no
    text. `logprobs` has a mapping from token ids to log-probabilities per token, or is None when
    they were not asked for. `finish_reason` is "stop" after an end-of-text token or a stop string,
    else "length".
    """

    index: int
    text: str
    token_ids: list[int]
    logprobs: list[dict[int, float]] | None
    finish_reason: FinishReason


@dataclasses.dataclass(frozen=True, slots=True)
class CompletionDelta:
    """What one more token added to the completion `index`; the fields are as `Completion`'s.

    `text` is empty while it may be part of a character or of a stop string; the texts of all deltas
    joined are the completion's. `finish_reason` is None but in the last delta.
    """

    index: int
    text: str
    token_ids: list[int]
    logprobs: list[dict[int, float]] | None
    finish_reason: FinishReason | None


class Row:
    """One completion in the making."""

    def __init__(
        self,
        index: int,
        prompt: list[int],
        limit: int,
        stream: TextStream,
        generator: torch.Generator,
    ) -> None:
        self.index = index
        self.prompt = prompt
        self.limit = limit
        self.stream = stream
        self.generator = generator
        self.token_ids: list[int] = []
        self.texts: list[str] = []
        self.logprobs: list[dict[int, float]] = []
        self.finish_reason: FinishReason | None = None

    def push(
        self, token: int, logprobs: list[dict[int, float]] | None, *, ends: bool
    ) -> CompletionDelta:
        """Take one more token; `ends` says that it is an end of text that counts."""
        self.token_ids.append(token)
        self.logprobs += logprobs or []
        text = "" if ends else self.stream.push(token)
        if ends or self.stream.stopped is not None:
            self.finish_reason = "stop"
        elif len(self.token_ids) == self.limit:
            self.finish_reason = "length"
        if self.finish_reason and self.stream.stopped is None:
            text += self.stream.finish()
        self.texts.append(text)
        return CompletionDelta(self.index, text, [token], logprobs, self.finish_reason)

    def completion(self) -> Completion:
        assert self.finish_reason is not None
        logprobs = self.logprobs or None
        return Completion(
            self.index, "".join(self.texts), self.token_ids, logprobs, self.finish_reason
        )


class Batch:
    """Rows decoded side by side: prompts padded on the left, one token each a step."""

    def __init__(
        self, model: Phi, rows: list[Row], params: SamplingParams, ends: set[int | None]
    ) -> None:
        self.model = model
        self.rows = rows
        self.params = params
        self.ends = set() if params.ignore_eos else ends
        width = max(len(row.prompt) for row in rows)
        padding = [width - len(row.prompt) for row in rows]
        padded = [[0] * count + row.prompt for count, row in zip(padding, rows, strict=True)]
        self.ids = torch.tensor(padded, device=model.device)
        # Without padding attention is plainly causal, which is faster than any mask.
        self.mask: Tensor | None = None
        if any(padding):
            columns = torch.arange(width, device=model.device)
            self.mask = columns >= torch.tensor(padding, device=model.device)[:, None]
        # The last token chosen is never fed back.
        length = width + max(row.limit for row in rows) - 1
        self.cache = KVCache(
            model.config, len(rows), length, dtype=model.dtype, device=model.device
        )

    def step(self) -> list[CompletionDelta]:
        """Choose every row's next token, and let go of the rows that are done."""
        with _inference(self.model):
            hidden = self.model.model(self.ids, self.mask, cache=self.cache)
            logits = self.model.lm_head(hidden[:, -1]).float()
            histories = [row.token_ids for row in self.rows]
            chosen = choose(logits, self.params, histories, [row.generator for row in self.rows])
            deltas = self._push(logits, chosen)
            self._keep_unfinished(chosen)
        return deltas

    def _push(self, logits: Tensor, chosen: Tensor) -> list[CompletionDelta]:
        count = self.params.logprobs
        logprobs = None if count is None else log_probabilities(logits, chosen, count)
        return [
            row.push(
                token, None if logprobs is None else [logprobs[place]], ends=token in self.ends
            )
            for place, (row, token) in enumerate(zip(self.rows, chosen.tolist(), strict=True))
        ]

    def _keep_unfinished(self, chosen: Tensor) -> None:
        kept = [place for place, row in enumerate(self.rows) if row.finish_reason is None]
        self.ids = chosen[:, None]
        if self.mask is not None:
            self.mask = torch.cat((self.mask, self.mask.new_ones(len(self.rows), 1)), dim=1)
        if len(kept) < len(self.rows):
            self.rows = [self.rows[place] for place in kept]
            places = torch.tensor(kept, dtype=torch.int64, device=chosen.device)
            self.ids = self.ids[places]
            self.mask = None if self.mask is None else self.mask[places]
            self.cache.keep_rows(places)


@contextlib.contextmanager
def _inference(model: Phi) -> Generator[None, None, None]:
    """No gradients, no dropout; a model in training is back in training afterwards."""
    training = model.training
    if training:
        model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        if training:
            model.train()
