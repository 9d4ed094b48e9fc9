"""Fractions as they are printed and drawn."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from phinery.data.synthesis.procedural.grammar import between

CUT_THINGS = (
    "cake",
    "loaf",
    "pizza",
    "field",
    "garden",
    "ribbon",
    "plank",
    "melon",
    "bar of chocolate",
    "sheet of paper",
    "pie",
    "rope",
)


def shown(value: Fraction) -> str:
    """A fraction as a/b, or a whole number."""
    return (
        str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
    )


def proper(random: Random, largest: int) -> Fraction:
    bottom = between(random, 2, largest)
    return Fraction(between(random, 1, bottom - 1), bottom)
