"""From logits to the next token: bias, penalties, temperature, filters, one random draw.

The names, the defaults and the order of the steps are vLLM's, so that the same parameters mean the
same distribution there and here. Everything is numpy, one completion at a time: what a completion
becomes never depends on its neighbours.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phinery.infer.drawing import draw

if TYPE_CHECKING:
    from phinery.infer.constrain import Constraint

Logits = NDArray[np.float32]

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


def _is_count(value: Any) -> bool:
    return value is None or (_is_whole(value) and value >= 0)


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
    "logprobs": (_is_count, "a whole number from 0 up"),
    "prompt_logprobs": (_is_count, "a whole number from 0 up"),
    "ignore_eos": (lambda v: isinstance(v, bool), "True or False"),
    "presence_penalty": (_is_penalty, "a number from -2 to 2"),
    "frequency_penalty": (_is_penalty, "a number from -2 to 2"),
    # Beyond these a logit could overflow.
    "repetition_penalty": (
        lambda v: _is_number(v) and 0.01 <= v <= 100,
        "a number from 0.01 to 100, 1 for none",
    ),
    "logit_bias": (_is_bias, "a mapping from token ids to numbers from -100 to 100"),
    "json_schema": (
        lambda v: v is None or isinstance(v, Mapping) or (isinstance(v, str) and v != ""),
        "a JSON schema, as a mapping or as text",
    ),
    "regex": (lambda v: v is None or (isinstance(v, str) and v != ""), "a text that is not empty"),
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
    prompt_logprobs : the same for every token of the prompt but the first.
    ignore_eos : go on after the end-of-text token.
    presence_penalty, frequency_penalty : subtracted from the logits of tokens already in the
        completion, once, and once per occurrence.
    repetition_penalty : divides the positive logits, and multiplies the negative ones, of tokens
        already in the prompt or the completion.
    logit_bias : added to the logits of these token ids.
    json_schema : the completion is JSON that this schema accepts.
    regex : the completion matches this regular expression as a whole; not beside `json_schema`.

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
    prompt_logprobs: int | None = None
    ignore_eos: bool = False
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: Mapping[int, float] | None = None
    json_schema: str | Mapping[str, Any] | None = None
    regex: str | None = None

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
        if self.json_schema is not None and self.regex is not None:
            raise ValueError("json_schema and regex cannot both hold: leave one of them out")

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


class Sampler:
    """Chooses the tokens of one completion, one after the other.

    `index` counts the completions of a prompt: together with the seed it decides all random
    numbers. `prompt` holds the prompt's token ids (for the repetition penalty), `constraint` what
    the text must be.
    """

    def __init__(
        self,
        params: SamplingParams,
        index: int,
        prompt: Sequence[int],
        vocab_size: int,
        constraint: Constraint | None = None,
    ) -> None:
        """ValueError when `logit_bias` names a token beyond the vocabulary."""
        if params.logit_bias and max(params.logit_bias) >= vocab_size:
            raise ValueError(f"logit_bias names a token id that the model of {vocab_size} has not")
        self.params = params
        self.vocab_size = vocab_size
        self.constraint = constraint
        self._adjust = _Adjustment.of(params, prompt)
        self._keys = _Keys(params.seed, index)
        self._step = 0

    def next(self, logits: Logits) -> int:
        """Choose the next token from its logits (vocab,), which stay as they are, and record it.

        Raises ValueError when the logits are not finite, or the constraint finds its limits.
        """
        assert logits.shape == (self.vocab_size,), (logits.shape, self.vocab_size)
        check_finite(logits)
        if self._adjust is not None:
            logits = self._adjust.apply(logits)
        if self.constraint is not None:
            logits = np.where(self.constraint.mask(), logits, np.float32(-np.inf))
        if self.params.greedy:
            token = int(logits.argmax())
        else:
            token = draw(logits, self.params, self._keys[self._step])
        self._step += 1
        if self._adjust is not None:
            self._adjust.record(token)
        if self.constraint is not None:
            self.constraint.accept(token)
        return token

    def fork(self) -> Sampler:
        """A copy that goes its own way from here, with the same random numbers for each step.

        A draft model proposes tokens with it: the sampler itself then draws at the same steps with
        the same random numbers.
        """
        copy = object.__new__(Sampler)
        copy.params, copy.vocab_size = self.params, self.vocab_size
        copy.constraint = None if self.constraint is None else self.constraint.fork()
        copy._adjust = None if self._adjust is None else self._adjust.copy()
        copy._keys, copy._step = self._keys, self._step
        return copy


class _Keys:
    """The random number of each step, 64 bits: a function of seed, completion and step."""

    def __init__(self, seed: int | None, index: int) -> None:
        entropy = None if seed is None else seed % 2**64
        self._generator = np.random.PCG64(np.random.SeedSequence(entropy, spawn_key=(index,)))
        self._keys: list[int] = []

    def __getitem__(self, step: int) -> int:
        while len(self._keys) <= step:
            self._keys += self._generator.random_raw(32).tolist()
        return self._keys[step]


class _Adjustment:
    """Bias and penalties, with running counts of the tokens that they concern."""

    def __init__(self, params: SamplingParams) -> None:
        bias = params.logit_bias or {}
        self._bias_tokens = np.array(list(bias), dtype=np.int64)
        self._biases = np.array(list(bias.values()), dtype=np.float32)
        self._presence = np.float32(params.presence_penalty)
        self._frequency = np.float32(params.frequency_penalty)
        self._repetition = np.float32(params.repetition_penalty)
        self._place: dict[int, int] = {}
        # The first len(_place) entries count.
        self._tokens = np.zeros(64, dtype=np.int64)
        self._counts = np.zeros(64, dtype=np.float32)

    @classmethod
    def of(cls, params: SamplingParams, prompt: Sequence[int]) -> _Adjustment | None:
        """None when the parameters change no logit."""
        penalties = params.presence_penalty, params.frequency_penalty, params.repetition_penalty
        if not params.logit_bias and penalties == (0, 0, 1):
            return None
        adjustment = cls(params)
        if params.repetition_penalty != 1:
            for token in dict.fromkeys(prompt):
                adjustment._count(token, 0)
        return adjustment

    def record(self, token: int) -> None:
        """Count one more token of the completion."""
        self._count(token, 1)

    def _count(self, token: int, times: int) -> None:
        place = self._place.setdefault(token, len(self._place))
        if place == len(self._tokens):
            self._tokens = np.concatenate((self._tokens, np.zeros_like(self._tokens)))
            self._counts = np.concatenate((self._counts, np.zeros_like(self._counts)))
        self._tokens[place] = token
        self._counts[place] += times

    def apply(self, logits: Logits) -> Logits:
        """A changed copy: bias, then repetition, frequency and presence, vLLM's order."""
        logits = logits.copy()
        logits[self._bias_tokens] += self._biases
        tokens, counts = self._tokens[: len(self._place)], self._counts[: len(self._place)]
        values = logits[tokens]
        values = np.where(values > 0, values / self._repetition, values * self._repetition)
        values -= self._frequency * counts
        values -= self._presence * (counts > 0)
        logits[tokens] = values
        return logits

    def copy(self) -> _Adjustment:
        copy = object.__new__(_Adjustment)
        copy.__dict__ |= self.__dict__
        copy._place = self._place.copy()
        copy._tokens, copy._counts = self._tokens.copy(), self._counts.copy()
        return copy


def check_finite(logits: Logits) -> None:
    """ValueError when any of the logits is infinite or no number."""
    # NaN and both infinities show in these two, which take a tenth of the time of np.isfinite.
    if not (math.isfinite(logits.max()) and math.isfinite(logits.min())):
        raise ValueError("the model's logits are not finite: its weights hold NaN or overflow")


def log_probabilities(logits: Logits, chosen: int, count: int) -> dict[int, float]:
    """The log-probability, in nats, of the chosen token and of the `count` likeliest.

    From logits (vocab,). The chosen token comes first, then the others from the likeliest down, the
    lower id first where two are alike.
    """
    count = min(count, len(logits))
    tokens = [chosen]
    if count:
        least = np.partition(logits, len(logits) - count)[len(logits) - count]
        likeliest = np.flatnonzero(logits >= least)
        order = np.argsort(-logits[likeliest], kind="stable")[:count]
        tokens += likeliest[order].tolist()
    largest = float(logits.max())
    weight = float(np.exp(logits - np.float32(largest)).sum(dtype=np.float64))
    normalizer = largest + math.log(weight)
    return {token: float(logits[token]) - normalizer for token in tokens}
