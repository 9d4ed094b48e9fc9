"""What the procedural teacher writes, and what a topic is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

Category = Literal[
    "reasoning", "common sense", "language understanding", "mathematics", "programming"
]
"""The five groups of benchmarks of Phi-2's published table."""

Kind = Literal["lesson", "worked example", "exercise", "passage", "function"]


@dataclass(frozen=True)
class Question:
    """A question whose answer was computed, not guessed."""

    prompt: str
    """Complete in itself: a reader needs nothing else to answer."""
    answer: str
    choices: tuple[str, ...] = ()
    """Plausible answers, `answer` among them exactly once; empty for a free answer."""


@dataclass(frozen=True)
class Item:
    """A piece of a textbook: what is read, and what can be asked about it."""

    kind: Kind
    text: str
    """What a model is trained on, solutions included, without a trailing line end."""
    questions: tuple[Question, ...] = ()
    """Questions of the same kind that `text` answers or teaches to answer."""


@dataclass(frozen=True)
class Topic:
    """A thing that is taught, at several difficulties and in several forms."""

    name: str
    """A path such as "arithmetic/long division"."""
    category: Category
    difficulties: tuple[int, ...]
    """Which of 1 (first years of school) to 5 (first year of university) it comes in."""
    write: Callable[[Random, int], Item]
    """Writes an item of a difficulty: a pure function of the state of the generator."""
