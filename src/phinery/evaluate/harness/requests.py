"""From the harness's texts to tokens, by the harness's rules, many at a time.

The rules are those of `TemplateLM._encode_pair`, `TemplateLM.loglikelihood` and
`HFLM._loglikelihood_tokens` in lm-evaluation-harness 0.4.13.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from phinery.evaluate.harness.tree import Query
from phinery.text import Tokenizer

Pair = tuple[list[int], list[int]]
"""Tokens of a context and of its continuation."""


class Encoder:
    """Encodes as the tokenizer of transformers does: what spells a special token becomes one."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def encode(self, texts: Iterable[str]) -> dict[str, list[int]]:
        """The tokens of each text; one that comes twice is encoded once."""
        plain: list[str] = []
        special: list[str] = []
        for text in dict.fromkeys(texts):
            has_special = any(token in text for token in self._special_texts)
            (special if has_special else plain).append(text)
        encoded = dict(zip(plain, self._tokenizer.encode_batch(plain), strict=True))
        # The way for special tokens is the slower one.
        ids = self._tokenizer.encode_batch(special, special_tokens=True)
        return encoded | dict(zip(special, ids, strict=True))

    @cached_property
    def _special_texts(self) -> list[str]:
        tokenizer = self._tokenizer
        special = filter(tokenizer.is_special, range(tokenizer.vocab_size))
        return [tokenizer.decode([number]) for number in special]


def encode_pairs(
    texts: Sequence[tuple[str, str]], encoder: Encoder, prefix_token_id: int
) -> list[Pair]:
    """Tokens of contexts and continuations.

    A context's last spaces belong to the continuation. Both are encoded as one text, which is cut
    where the context's own tokens end. Without a context the continuation follows the prefix token,
    which is not put there twice. Raises ValueError where nothing is left to look at or to predict.
    """
    split: list[tuple[str, str]] = []
    for context, continuation in texts:
        bare = context.rstrip()
        split.append((bare, context[len(bare) :] + continuation))
    wholes = [context + continuation for context, continuation in split]
    tokens = encoder.encode([*wholes, *(context for context, _ in split)])
    pairs: list[Pair] = []
    for number, ((given, _), (context, _), whole) in enumerate(
        zip(texts, split, wholes, strict=True)
    ):
        ids = tokens[whole]
        if given:
            length = len(tokens[context])
            pair = (tokens[context], ids[length:])
        elif ids[:1] == [prefix_token_id]:
            pair = (ids[:1], ids[1:])
        else:
            pair = ([prefix_token_id], ids)
        for name, part in zip(("context", "continuation"), pair, strict=True):
            if not part:
                raise ValueError(
                    f"request {number} has no tokens in its {name}, so that there is nothing to "
                    f"score: {texts[number]!r:.200}"
                )
        pairs.append(pair)
    return pairs


def query_of(pair: Pair, max_length: int) -> Query:
    """What the model is asked: the last `max_length` tokens before the last one, and that one.

    Raises ValueError for a continuation that does not fit into `max_length`.
    """
    context, continuation = pair
    if len(continuation) > max_length:
        raise ValueError(
            f"a continuation has {len(continuation)} tokens, more than the model's context of "
            f"{max_length}"
        )
    tokens = np.array((context + continuation)[-(max_length + 1) :], dtype=np.int32)
    return Query(tokens, len(continuation))
