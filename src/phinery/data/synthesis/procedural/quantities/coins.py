"""Amounts of money in exact cents, as they are printed."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.grammar import (
    grouped,
    pick,
)

SIGNS = ("$", "€", "£")


def amount(cents: int, sign: str) -> str:
    """Such as "$3.50", "$12"."""
    whole, rest = divmod(cents, 100)
    return f"{sign}{grouped(whole)}" + (f".{rest:02d}" if rest else "")


def plain(cents: int) -> str:
    """The same without the sign, always with two places, for sums."""
    return f"{grouped(cents // 100)}.{cents % 100:02d}"


def currency_sign(random: Random) -> str:
    return pick(random, SIGNS)
