"""What a training run is told: a frozen, validated configuration."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

from phinery.train.limits import DtypeName
from phinery.train.schedule import SCHEDULES, Schedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How to train. Raises ValueError, in one line that names the field, for a wrong value."""

    steps: int
    """Optimiser steps of the whole run."""
    batch_size: int
    """Sequences of an optimiser step."""
    sequence_length: int
    """Tokens of a sequence."""
    learning_rate: float
    """Peak of the schedule."""
    micro_batch_size: int | None = None
    """Sequences in memory at once; changes results by rounding only, but for dropout's draws.

    None stands for the whole batch on a GPU, and on a CPU for about 2,048 tokens
    (`phinery.train.splitting`).
    """
    warmup_steps: int = 0
    schedule: Schedule = "warmup-stable-decay"
    decay_fraction: float = 0.2
    """Share of the steps in which "warmup-stable-decay" falls."""
    floor: float = 0.0
    """Where the schedule ends, as a share of the peak."""
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-7
    gradient_clip: float = 1.0
    """Largest global norm of a step's gradient."""
    dtype: DtypeName | Literal["auto"] = "auto"
    """Of the matrix products; weights, moments and gradients are float32. "auto" measures."""
    compile: bool | Literal["auto"] = False
    """Compile the model's element-wise arithmetic; "auto" for runs expected to take minutes."""
    separate_documents: bool = False
    """Keep the documents within a sequence from attending to each other."""
    seed: int = 1
    """Of torch's generator (dropout); the order of the data has the sampler's own seed."""
    max_skipped_in_a_row: int = 10
    """Steps with a NaN or infinite loss or gradient after which the run stops."""
    checkpoint_every: int = 200
    """Steps between checkpoints; there is always one after the last step."""
    keep_checkpoints: int = 2

    def __post_init__(self) -> None:
        for name in _POSITIVE_INTEGERS:
            value = getattr(self, name)
            if name == "micro_batch_size" and value is None:
                continue
            if not _is_integer(value) or value < 1:
                raise ValueError(f"{name} must be a positive whole number, not {value!r}")
        for name in ("warmup_steps", "seed"):
            value = getattr(self, name)
            if not _is_integer(value) or not 0 <= value < 2**63:
                raise ValueError(f"{name} must be a whole number from 0 on, not {value!r}")
        for name in ("learning_rate", "eps", "gradient_clip"):
            _check_number(name, getattr(self, name), above=0.0)
        _check_number("weight_decay", self.weight_decay, at_least=0.0)
        for name in ("decay_fraction", "floor"):
            _check_number(name, getattr(self, name), at_least=0.0, at_most=1.0)
        if len(self.betas) != 2:
            raise ValueError(f"betas must be two numbers, not {self.betas!r}")
        for beta in self.betas:
            _check_number("each of betas", beta, at_least=0.0, below=1.0)
        if self.warmup_steps >= self.steps:
            raise ValueError(
                f"warmup_steps must be below steps ({self.steps}), not {self.warmup_steps}"
            )
        _check_choice("schedule", self.schedule, SCHEDULES)
        _check_choice("dtype", self.dtype, ("auto", "float32", "bfloat16"))
        _check_choice("compile", self.compile, (True, False, "auto"))
        _check_choice("separate_documents", self.separate_documents, (True, False))


_POSITIVE_INTEGERS = (
    "steps",
    "batch_size",
    "sequence_length",
    "micro_batch_size",
    "max_skipped_in_a_row",
    "checkpoint_every",
    "keep_checkpoints",
)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_number(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    at_most: float = math.inf,
    below: float = math.inf,
) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if (
        is_number
        and math.isfinite(value)
        and above < value < below
        and at_least <= value <= at_most
    ):
        return
    limits = [
        f"{word} {limit:g}"
        for word, limit in (
            ("above", above),
            ("at least", at_least),
            ("at most", at_most),
            ("below", below),
        )
        if math.isfinite(limit)
    ]
    raise ValueError(f"{name} must be a number {' and '.join(limits)}, not {value!r}")


def _check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {allowed}, not {value!r}")
