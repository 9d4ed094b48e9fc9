"""Terms with letters, as they are printed."""

from __future__ import annotations

LETTERS = ("x", "x", "x", "n", "y", "a", "t", "k", "p", "m", "z", "w")


def term(coefficient: int, letter: str) -> str:
    """Such as "3x", "x", "-x"."""
    return {1: letter, -1: f"-{letter}"}.get(coefficient, f"{coefficient}{letter}")


def plus(number: int) -> str:
    """Such as " + 3" or " - 3", nothing for zero."""
    return f" + {number}" if number > 0 else f" - {-number}" if number < 0 else ""


def in_brackets(number: int) -> str:
    return f"({number})" if number < 0 else str(number)
