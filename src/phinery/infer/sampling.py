"""From logits to the next token: penalties, temperature, filters, one draw a row.

The names, the defaults and the order of the steps are vLLM's, so that the same parameters mean the
same distribution there and here. Every function is pure; the randomness comes in as numbers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

# Below this the division by the temperature would overflow; the likeliest token is taken, as at 0.
GREEDY_BELOW = 1e-5


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_penalty(value: Any) -> bool:
    return _is_number(value) and -2 <= value <= 2


def _is_stop(value: Any) -> bool:
    if value is None or isinstance(value, str):
        return value != ""
    return isinstance(value, Sequence) and all(isinstance(text, str) and text for text in value)


def _is_bias(value: Any) -> bool:
    return value is None or (
        isinstance(value, Mapping)
        and all(_is_whole(token) and token >= 0 for token in value)
        and all(_is_number(bias) and -100 <= bias <= 100 for bias in value.values())
    )


# What each field must be: a test and its wording.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "n": (lambda v: _is_whole(v) and v >= 1, "a whole number from 1 up"),
    "max_tokens": (
        lambda v: v is None or (_is_whole(v) and v >= 1),
        "a whole number from 1 up, or None for as many as the context holds",
    ),
    "temperature": (lambda v: _is_number(v) and v >= 0, "a number from 0 (greedy) up"),
    "top_p": (lambda v: _is_number(v) and 0 < v <= 1, "a number above 0 and at most 1"),
    "top_k": (lambda v: _is_whole(v) and v >= -1, "a whole number from 1 up, or 0 or -1 for all"),
    "min_p": (lambda v: _is_number(v) and 0 <= v <= 1, "a number from 0 to 1"),
    "stop": (_is_stop, "a text or a list of texts, none of them empty"),
    "seed": (
        lambda v: v is None or (_is_whole(v) and -(2**63) <= v < 2**63),
        "a whole number of at most 64 bits, or None for a new one each time",
    ),
    "logprobs": (lambda v: v is None or (_is_whole(v) and v >= 0), "a whole number from 0 up"),
    "ignore_eos": (lambda v: isinstance(v, bool), "True or False"),
    "presence_penalty": (_is_penalty, "a number from -2 to 2"),
    "frequency_penalty": (_is_penalty, "a number from -2 to 2"),
    "logit_bias": (_is_bias, "a mapping from token ids to numbers from -100 to 100"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """How to choose tokens and when to stop. Names and defaults are vLLM's.

    Parameters
    ----------
    n : completions per prompt; each has random numbers of its own.
    max_tokens : tokens per completion at most; None fills the model's context.
    temperature : divides the logits; 0 takes the likeliest token every time.
    top_p : sample from the fewest tokens that hold this share of the probability.
    top_k : sample from this many of the likeliest tokens; 0 or -1 from all.
    min_p : drop tokens less likely than this share of the likeliest one's probability.
    stop : texts that end a completion as soon as they appear; they are not part of its text.
    seed : the same seed gives the same completion, whatever else is in the batch.
    logprobs : report log-probabilities of the chosen token and of this many likeliest ones, of the
        model itself: before bias, penalties, temperature and filters.
    ignore_eos : go on after the end-of-text token.
    presence_penalty, frequency_penalty : subtracted from the logits of tokens already in the
        completion, once, and once per occurrence.
    logit_bias : added to the logits of these token ids.

    Raises ValueError, in one line that names the field.
    """

    n: int = 1
    max_tokens: int | None = 16
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    stop: str | Sequence[str] | None = None
    seed: int | None = None
    logprobs: int | None = None
    ignore_eos: bool = False
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] | None = None

    def __post_init__(self) -> None:
        for name, (holds, wording) in _RULES.items():
            value = getattr(self, name)
            if not holds(value):
                raise ValueError(f"{name} must be {wording}, not {value!r}")
        if self.n > 1 and self.greedy:
            raise ValueError(
                f"n is {self.n}, but at temperature 0 all completions are the same: "
                "raise the temperature or set n to 1"
            )

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return self.temperature < GREEDY_BELOW

    @property
    def stop_strings(self) -> tuple[str, ...]:
        """`stop` as a tuple."""
        if isinstance(self.stop, str):
            return (self.stop,)
        return tuple(self.stop or ())


def penalize(logits: Tensor, params: SamplingParams, histories: Sequence[Sequence[int]]) -> Tensor:
    """Logits (batch, vocab) with bias and penalties; `histories` are the tokens chosen so far."""
    if params.logit_bias:
        tokens = torch.tensor(list(params.logit_bias), device=logits.device)
        biases = torch.tensor(list(params.logit_bias.values())).to(logits)
        logits = logits.index_add(1, tokens, biases.expand(logits.shape[0], -1))
    if params.presence_penalty or params.frequency_penalty:
        vocab = logits.shape[1]
        counts = torch.stack(
            [torch.tensor(h, dtype=torch.int64).bincount(minlength=vocab) for h in histories]
        ).to(logits)
        logits = logits - params.frequency_penalty * counts - params.presence_penalty * (counts > 0)
    return logits


def probabilities(logits: Tensor, params: SamplingParams) -> Tensor:
    """Distribution (batch, vocab) in float64 after temperature, min_p, top_k, top_p, in this order.

    Tokens as likely as the last one that a filter keeps are kept too. The likeliest always stays.
    """
    logits = logits.double()
    scores = (logits - logits.amax(1, keepdim=True)) / params.temperature
    if params.min_p > 0:
        scores = scores.masked_fill(scores < math.log(params.min_p), -math.inf)
    if 0 < params.top_k < scores.shape[1]:
        edge = scores.topk(params.top_k).values[:, -1:]
        scores = scores.masked_fill(scores < edge, -math.inf)
    if params.top_p < 1:
        scores = scores.masked_fill(scores < _nucleus_edge(scores, params.top_p), -math.inf)
    return scores.softmax(1)


def _nucleus_edge(scores: Tensor, share: float) -> Tensor:
    """Score (batch, 1) of the last of the fewest tokens that hold `share` of the probability.

    `scores` are logarithms of weights, the greatest 0. The first few are nearly always enough, and
    found much faster than the order of the whole vocabulary.
    """
    total = scores.exp().sum(1, keepdim=True)
    likeliest = scores.topk(min(1024, scores.shape[1])).values
    mass = likeliest.exp().cumsum(1) / total
    if (mass[:, -1] < share).any():
        likeliest = scores.sort(descending=True).values
        mass = likeliest.exp().cumsum(1) / total
    last = (mass < share).sum(1, keepdim=True).clamp_max(mass.shape[1] - 1)
    return likeliest.gather(1, last)


def draw(distribution: Tensor, uniforms: Tensor) -> Tensor:
    """One token id per row of `distribution` (batch, vocab), from `uniforms` (batch,) in [0, 1).

    Both are float64, and the rows of the distribution sum to 1. Inverts the cumulative
    distribution: one random number a token, so that a row's draws depend on its own generator only.
    A token of probability 0 is never drawn.
    """
    ladder = distribution.cumsum(1)
    return torch.searchsorted(ladder, uniforms[:, None] * ladder[:, -1:], right=True).squeeze(1)


def choose(
    logits: Tensor,
    params: SamplingParams,
    histories: Sequence[Sequence[int]],
    generators: Sequence[torch.Generator],
) -> Tensor:
    """The next token id of each row, int64 (batch,), from its logits (batch, vocab).

    The generators live on the CPU whatever the device, so that a seed means the same everywhere.
    Raises ValueError when the logits are not finite.
    """
    if not logits.isfinite().all():
        raise ValueError("the model's logits are not finite: its weights hold NaN or overflow")
    logits = penalize(logits, params, histories)
    if params.greedy:
        return logits.argmax(1)
    uniforms = torch.stack([torch.rand((), dtype=torch.float64, generator=g) for g in generators])
    return draw(probabilities(logits, params), uniforms.to(logits.device))


def log_probabilities(logits: Tensor, chosen: Tensor, count: int) -> list[dict[int, float]]:
    """For each row the log-probability, in nats, of the chosen token and of the `count` likeliest.

    The chosen token comes first, then the others from the likeliest down.
    """
    scores = logits.float().log_softmax(1)
    tokens = torch.cat((chosen[:, None], scores.topk(min(count, scores.shape[1])).indices), 1)
    rows = zip(tokens.tolist(), scores.gather(1, tokens).tolist(), strict=True)
    return [dict(zip(ids, values, strict=True)) for ids, values in rows]
