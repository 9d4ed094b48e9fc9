"""What written sums have in common: places, prompts and rounding."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.grammar import (
    chance,
    grouped,
    say,
)

PLACES = (
    "ones",
    "tens",
    "hundreds",
    "thousands",
    "ten-thousands",
    "hundred-thousands",
    "millions",
)


def digits_of(number: int) -> list[int]:
    """From the ones up."""
    return [int(digit) for digit in reversed(str(number))]


def sum_prompt(random: Random, sign: str, a: int, b: int) -> str:
    x, y = grouped(a), grouped(b)
    bare = "(What is|Work out|Calculate|Find|Compute) {x} {sign} {y}"
    named = {
        "+": "(Add {x} and {y}.|Find the sum of {x} and {y}.|What do {x} and {y} make together?"
        "|How much is {x} plus {y}?|{y} is added to {x}. What is the (result|total|sum)?"
        "|What number is {y} more than {x}?)",
        "-": "(Subtract {y} from {x}.|Take {y} away from {x}.|Find the difference between "
        "{x} and {y}."
        "|How much is {x} minus {y}?|By how much is {x} greater than {y}?|What is "
        "left of {x} when {y} is"
        " taken away?|What number is {y} less than {x}?)",
        "×": "(Multiply {x} by {y}.|Find the product of {x} and {y}.|How much is {x} times {y}?"
        "|What are {y} lots of {x}?|There are {y} rows of {x} "
        "(chairs|stamps|tiles|trees|seats). How many"
        " are there in all?)",
        "÷": "(Divide {x} by {y}.|How many times does {y} go into {x}?|Share {x} into {y} "
        "equal parts. How"
        " large is each part?|What is {x} divided by {y}?)",
    }[sign]
    if chance(random, 0.4):
        text = say(random, bare, x=x, y=y, sign=sign)
        return text + ("?" if text.startswith("What") else ".")
    return say(random, named, x=x, y=y)


def round_to(number: int, unit: int) -> int:
    """A whole number rounded to a multiple of `unit`, halves up."""
    return (2 * number + unit) // (2 * unit) * unit
