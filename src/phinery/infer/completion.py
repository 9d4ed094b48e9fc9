"""What comes back: completions, and the pieces in which they are streamed."""

from __future__ import annotations

import dataclasses
from typing import Literal

from phinery.text import TextStream

FinishReason = Literal["stop", "length"]


@dataclasses.dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote after a prompt.

    `index` counts a prompt's completions from 0. `token_ids` are all tokens chosen, an end-of-text
    token and those of a stop string included; `text` ends before them, and special tokens have no
    text. `logprobs` has a mapping from token ids to log-probabilities per token, or is None when
    they were not asked for. `finish_reason` is "stop" after an end-of-text token, a stop string or
    the end of what a schema or a pattern allows, else "length". `prompt_logprobs`, if asked for,
    has one entry per token of the prompt, of which the first is None: nothing comes before it.
    """

    index: int
    text: str
    token_ids: list[int]
    logprobs: list[dict[int, float]] | None
    finish_reason: FinishReason
    prompt_logprobs: list[dict[int, float] | None] | None = None


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


class Writing:
    """One completion in the making: tokens in, text out, until something ends it.

    `limit` is the most tokens it may have; `ends` are the end-of-text tokens that count.
    """

    __slots__ = (
        "_ends",
        "_stream",
        "finish_reason",
        "index",
        "limit",
        "logprobs",
        "texts",
        "tokens",
    )

    def __init__(self, index: int, limit: int, stream: TextStream, ends: frozenset[int]) -> None:
        assert limit >= 1
        self.index = index
        self.limit = limit
        self.tokens: list[int] = []
        self.texts: list[str] = []
        self.logprobs: list[dict[int, float]] = []
        self.finish_reason: FinishReason | None = None
        self._stream = stream
        self._ends = ends

    def push(
        self, token: int, logprobs: dict[int, float] | None, *, complete: bool
    ) -> CompletionDelta:
        """Take one more token; `complete` says that nothing may follow it."""
        self.tokens.append(token)
        if logprobs is not None:
            self.logprobs.append(logprobs)
        stream = self._stream
        ends = token in self._ends
        text = "" if ends else stream.push(token)
        if ends or complete or stream.stopped is not None:
            self.finish_reason = "stop"
        elif len(self.tokens) == self.limit:
            self.finish_reason = "length"
        if self.finish_reason is not None and stream.stopped is None:
            text += stream.finish()
        if text:
            self.texts.append(text)
        scores = None if logprobs is None else [logprobs]
        return CompletionDelta(self.index, text, [token], scores, self.finish_reason)

    def completion(self, prompt_logprobs: list[dict[int, float] | None] | None) -> Completion:
        """The whole of it, once it is finished."""
        assert self.finish_reason is not None
        return Completion(
            self.index,
            "".join(self.texts),
            self.tokens,
            self.logprobs or None,
            self.finish_reason,
            prompt_logprobs,
        )
