"""Educational value and teachability of texts, 0 to 5, by a scorer that ships with the package."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phinery.data.quality.annotate import Annotation, annotate, choose, parse_answer, prompt
from phinery.data.quality.model import SCORES, Scorer, ScorerError, load_card
from phinery.data.quality.training import Rating, extend, train

SHIPPED = Path(__file__).with_name("scores.safetensors")
"""The scorer that ships with the package, and its card."""

__all__ = [
    "SCORES",
    "SHIPPED",
    "Annotation",
    "Rating",
    "Scorer",
    "ScorerError",
    "annotate",
    "choose",
    "extend",
    "load_card",
    "parse_answer",
    "prompt",
    "quality_scores",
    "shipped_scorer",
    "train",
]


def quality_scores(texts: Sequence[str]) -> NDArray[np.float32]:
    """Educational value and teachability of every text, (n, 2), each 0 to 5.

    Of a long text up to four excerpts are read, and their scores averaged; a text without a letter
    or digit has 0. A text's scores never depend on the other texts.
    """
    return shipped_scorer().scores(texts)


@cache
def shipped_scorer() -> Scorer:
    """The scorer that ships with the package, read once."""
    return Scorer.load(SHIPPED)
