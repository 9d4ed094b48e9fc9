"""How a law of physics is taught in which one quantity is the product of two others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from phinery.data.synthesis.procedural.forms import Problem
from phinery.data.synthesis.procedural.grammar import (
    between,
    capitalized,
    chance,
    decimal,
    phrase,
    pick,
    say,
)


@dataclass(frozen=True)
class Quantity:
    """One of the three quantities of a law."""

    name: str
    unit: str
    ask: str
    """A question for it."""


@dataclass(frozen=True)
class Setting:
    """A situation with plausible sizes; each clause tells one quantity in `{n}` with its unit."""

    product: str
    first: str
    second: str
    firsts: tuple[int, int, int]
    """Least, greatest and step of the first factor."""
    seconds: tuple[int, int, int]
    divide_first: int = 1
    """The first factor is divided by this, for tenths."""
    divide_second: int = 1


@dataclass(frozen=True)
class Law:
    """product = first × second."""

    product: Quantity
    first: Quantity
    second: Quantity
    why: str
    """Why the product is the right thing to do, as a template."""
    settings: tuple[Setting, ...]
    slip: str
    lesson: str
    lead: str = "first"
    """Which clause names the thing, so that the others can speak of it."""


_SHORT_WHYS = (
    "(The law says|The rule is|We know|Remember): {a} = {b} × {c}.",
    "({^b} and {c} are multiplied to give the {a}|The {a} is the product of {b} and {c}|To get "
    "the {a}, we multiply {b} by {c}).",
    "(The three belong together: the {a} is as many times the {b} as the {c} says|The {a} grows "
    "with the {b} and with the {c}: double one of them and it doubles).",
)


def _clause(random: Random, text: str, quantity: Quantity, value: Fraction, *, known: bool) -> str:
    """A clause with the value, or one that says that it isn't known."""
    if known:
        return phrase(random, text, n=f"{decimal(value)} {quantity.unit}")
    text = text.replace(f"a {quantity.name} of {{n}}", "{n}")
    return phrase(random, text, n=f"an unknown {quantity.name}")


def law_problem(law: Law) -> Callable[[Random, int], Problem]:
    def write(random: Random, difficulty: int) -> Problem:
        setting = pick(random, law.settings)
        b = Fraction(between(random, *setting.firsts), setting.divide_first)
        c = Fraction(between(random, *setting.seconds), setting.divide_second)
        a = b * c
        unknown = pick(
            random,
            ("product", "product", "first", "second")
            if difficulty > 2
            else ("product", "product", "product", "second"),
        )
        quantities = {
            "product": (law.product, a),
            "first": (law.first, b),
            "second": (law.second, c),
        }
        clauses = {
            key: _clause(random, text, *quantities[key], known=key != unknown)
            for key, text in (
                ("product", setting.product),
                ("first", setting.first),
                ("second", setting.second),
            )
        }
        wanted, value = quantities[unknown]
        others = [key for key in quantities if key not in (law.lead, unknown)]
        if chance(random, 0.5):
            others.reverse()
        told = " ".join(f"{capitalized(clauses[key])}." for key in (law.lead, *others))
        prompt = f"{told} {say(random, wanted.ask)}"
        names = {"a": law.product.name, "b": law.first.name, "c": law.second.name}
        x, y, z = decimal(a), decimal(b), decimal(c)
        if unknown == "product":
            steps = (
                say(random, pick(random, (law.why, law.why, *_SHORT_WHYS)), **names),
                say(
                    random,
                    "(Multiply|Put in the numbers|With the numbers given): {y} × {z} = {x}.",
                    x=x,
                    y=y,
                    z=z,
                ),
            )
            near = (b + c, a * 10, a / 10, a + b)
        else:
            divisor = z if unknown == "first" else y
            steps = (
                say(random, pick(random, (law.why, law.why, *_SHORT_WHYS)), **names),
                say(
                    random,
                    "(The product is known and one factor too, so divide|To find the other "
                    "factor, divide|Turned round: the {w} is the {a} divided by the {o}): {x} ÷ "
                    "{d} = {v}.",
                    w=wanted.name,
                    o=(law.second if unknown == "first" else law.first).name,
                    a=law.product.name,
                    x=x,
                    d=divisor,
                    v=decimal(value),
                ),
            )
            known_value = c if unknown == "first" else b
            near = (a * known_value, value * 10, value / 10, value + 1)
        unit = wanted.unit
        answer = f"{decimal(value)} {unit}"
        check = "" if unknown == "product" else f"{y} × {z} = {x}."
        return Problem(
            prompt,
            steps,
            answer,
            say(
                random,
                "(So the {w} is {a}|The {w} is {a}|We find {a w} of {a}).",
                w=wanted.name,
                a=answer,
            ),
            check,
            tuple(f"{decimal(other)} {unit}" for other in near if other > 0),
            law.slip,
        )

    return write


def law_lesson(law: Law) -> Callable[[Random, int], str]:
    return lambda random, difficulty: say(random, law.lesson)
