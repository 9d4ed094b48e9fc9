"""An OpenAI-compatible completions endpoint as a teacher, for `write_teacher_logprobs`.

It must give the log-probabilities of a prompt (`echo` with `logprobs`, as vLLM's server does), take
a prompt as token ids, and have the student's tokenizer. That is checked by the text of every token
that it echoes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phinery.text import Tokenizer

_TOKEN_ID = "token_id:"  # vLLM, with return_tokens_as_token_ids
_BYTES = "bytes:"  # OpenAI, of tokens that are no text by themselves


class EndpointSource:
    """A language model behind an endpoint; a `LogProbSource`.

    Parameters
    ----------
    client
        An `openai.OpenAI`, which knows address and key; its `completions.create` is called.
    model
        The model's name at the endpoint.
    tokenizer
        That of the shards.
    top_k
        Tokens to ask for at each position; servers have a limit (vLLM's `--max-logprobs`, 20).
    extra_body
        Further fields of the request. With vLLM give {"return_tokens_as_token_ids": True}: tokens
        that are a part of a character cannot be told apart by their text, and otherwise count as
        part of the rest.
    """

    def __init__(
        self,
        client: Any,
        model: str,
        tokenizer: Tokenizer,
        top_k: int,
        *,
        extra_body: Mapping[str, Any] | None = None,
    ) -> None:
        if top_k < 1:
            raise ValueError(f"top_k must be 1 at least, not {top_k}")
        self.top_k = top_k
        self._client = client
        self._model = model
        self._tokenizer = tokenizer
        self._extra_body = dict(extra_body or {})
        texts = [_text(tokenizer, token) for token in range(tokenizer.vocab_size)]
        # Text with a replacement character stands for any part of a character.
        self._ids = {
            text: token for token, text in enumerate(texts) if text and "\ufffd" not in text
        }

    def fingerprint(self) -> dict[str, Any]:
        """The model's name and address."""
        return {"endpoint": str(getattr(self._client, "base_url", "")), "model": self._model}

    def __call__(
        self, input_ids: NDArray[np.int64], eos_token_id: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """See `LogProbSource`. ValueError for an endpoint that is no such teacher."""
        answer = self._client.completions.create(
            model=self._model,
            prompt=input_ids.tolist(),
            # One token more, for what follows the last of the prompt.
            max_tokens=1,
            temperature=0.0,
            echo=True,
            logprobs=self.top_k,
            extra_body=self._extra_body,
        )
        choices = sorted(answer.choices, key=lambda choice: choice.index)
        if len(choices) != len(input_ids):
            raise ValueError(
                f"the endpoint answered {len(choices)} of {len(input_ids)} prompts: does it take "
                "several prompts, as token ids?"
            )
        rows = [self._row(ids, c.logprobs) for ids, c in zip(input_ids, choices, strict=True)]
        token_ids, log_probs = zip(*rows, strict=True)
        return np.stack(token_ids), np.stack(log_probs)

    def _row(
        self, ids: NDArray[np.int64], found: Any
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        tops = getattr(found, "top_logprobs", None)
        if tops is None or len(tops) <= len(ids) or any(top is None for top in tops[1:]):
            raise ValueError(
                f"the endpoint's {self._model} gives no log-probabilities of the prompt: it must "
                "know echo together with logprobs"
            )
        for place, (token, text) in enumerate(zip(ids.tolist(), found.tokens, strict=False)):
            if not self._is(token, text):
                raise ValueError(
                    f"token {place} of a prompt is {_text(self._tokenizer, token)!r} here and "
                    f"{text!r} for the endpoint's {self._model}: its tokenizer is another one"
                )
        token_ids = np.zeros((len(ids), self.top_k), dtype=np.int64)
        log_probs = np.full((len(ids), self.top_k), -math.inf, dtype=np.float32)
        for place, top in enumerate(tops[1 : len(ids) + 1]):
            pairs = sorted(
                ((value, token) for text, value in top.items() if (token := self._id(text)) >= 0),
                key=lambda pair: (-pair[0], pair[1]),
            )
            for rank, (value, token) in enumerate(pairs[: self.top_k]):
                token_ids[place, rank] = token
                log_probs[place, rank] = value
        return token_ids, log_probs

    def _is(self, token: int, text: str) -> bool:
        """Whether the endpoint's `text` can be our token."""
        ours = self._tokenizer.token_bytes(token)
        if text.startswith(_TOKEN_ID):
            return text == f"{_TOKEN_ID}{token}"
        if text.startswith(_BYTES):
            return _spelt_bytes(text) == ours
        return text == ours.decode(errors="replace") or "\ufffd" in text

    def _id(self, text: str) -> int:
        """Our token that the endpoint calls `text`, or -1 where that cannot be told."""
        if text.startswith(_TOKEN_ID) and text[len(_TOKEN_ID) :].isdecimal():
            return int(text[len(_TOKEN_ID) :])
        if text in self._ids:
            return self._ids[text]
        if "\ufffd" in text or text.startswith(_BYTES) or not text:
            return -1
        raise ValueError(
            f"the endpoint's {self._model} has a token {text!r}, which the tokenizer here has not: "
            "its tokenizer is another one"
        )


def _text(tokenizer: Tokenizer, token: int) -> str:
    return tokenizer.token_bytes(token).decode(errors="replace")


def _spelt_bytes(text: str) -> bytes:
    r"""The bytes of "bytes:\xe2\x80"; none for what is no such text."""
    digits = text[len(_BYTES) :].replace("\\x", " ")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""
