"""Units of length, mass, volume, time and temperature, and their conversion."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import between, chance, decimal, grouped, pick, say

_PAIRS = (
    # larger unit, smaller unit, factor, things measured in the larger unit, their largest size
    (
        "km",
        "m",
        1000,
        ("a walk", "a river trip", "a race", "a canal", "a bicycle tour", "a railway tunnel"),
        40,
    ),
    (
        "m",
        "cm",
        100,
        ("a plank", "a ribbon", "a carpet", "a rope", "a snake", "a curtain", "a bench"),
        9,
    ),
    ("cm", "mm", 10, ("a pencil", "a nail", "a beetle", "a leaf", "a screw", "a feather"), 18),
    (
        "kg",
        "g",
        1000,
        ("a sack of flour", "a cat", "a parcel", "a melon", "a dictionary", "a loaf"),
        5,
    ),
    (
        "t",
        "kg",
        1000,
        ("a lorry load", "an elephant", "a heap of sand", "a boat", "a harvest of potatoes"),
        8,
    ),
    (
        "litres",
        "ml",
        1000,
        ("a jug", "a bucket", "a watering can", "a bottle", "a pot of soup", "a fuel can"),
        12,
    ),
    (
        "hours",
        "minutes",
        60,
        ("a film", "a hike", "a flight", "a lesson", "a concert", "a repair"),
        9,
    ),
    ("minutes", "seconds", 60, ("a song", "a dance", "a speech", "a race", "an egg timer"), 12),
    ("m²", "cm²", 10_000, ("a window", "a table top", "a door", "a blanket"), 4),
    ("days", "hours", 24, ("a voyage", "a storm", "a holiday", "a festival"), 14),
    ("weeks", "days", 7, ("a course", "a journey", "a building job"), 20),
    (
        "kilobytes",
        "bytes",
        1000,
        ("a letter stored on a disk", "a small picture", "a short program"),
        60,
    ),
)
_SHORT = {
    "litres": "litre",
    "hours": "hour",
    "minutes": "minute",
    "days": "day",
    "weeks": "week",
    "kilobytes": "kilobyte",
}


def _convert(random: Random, difficulty: int) -> Problem:
    large, small, factor, things, most = pick(random, _PAIRS)
    thing = pick(random, things)
    digits = (
        0
        if difficulty == 1 or factor in (60, 24, 7)
        else 1
        if factor == 10
        else between(random, 0, 2)
    )
    value = Fraction(between(random, max(1, 10**digits), most * 10**digits), 10**digits)
    if factor in (60,) and difficulty > 1:
        value = Fraction(between(random, 2, most * 4), 4)
    in_small = value * factor
    down = chance(random, 0.5)
    one = _SHORT.get(large, large)
    verb = (
        "lasts"
        if large in ("hours", "minutes", "days", "weeks")
        else "has an area of"
        if "²" in large
        else "weighs"
        if large in ("kg", "t")
        else "holds"
        if large == "litres"
        else "takes up"
        if large == "kilobytes"
        else "is"
    )
    tail = " long" if verb == "is" else ""
    unit = large if value != 1 else one
    if down:
        prompt = say(
            random,
            "(How many {s} are {v} {l}?|Convert {v} {l} to {s}.|{^t} {verb} {v} {l}{tail}. How "
            "many {s} is that?|Write {v} {l} in {s}.)",
            s=small,
            l=unit,
            v=decimal(value),
            t=thing,
            verb=verb,
            tail=tail,
        )
        steps = (
            say(
                random,
                "(One {o} is {f} {s}|There are {f} {s} in one {o}), (and the smaller unit needs "
                "the larger number|and the number grows), so multiply.",
                o=one,
                f=factor,
                s=small,
            ),
            f"{decimal(value)} × {grouped(factor)} = {decimal(in_small)}.",
        )
        answer, wrong = (
            f"{decimal(in_small)} {small}",
            (
                f"{decimal(in_small * 10)} {small}",
                f"{decimal(in_small / 10)} {small}",
                f"{decimal(value + factor)} {small}",
            ),
        )
    else:
        prompt = say(
            random,
            "(How many {l} are {v} {s}?|Convert {v} {s} to {l}.|{^t} {verb} {v} {s}{tail}. How "
            "many {l} is that?|Write {v} {s} in {l}.)",
            s=small,
            l=large,
            v=decimal(in_small),
            t=thing,
            verb=verb,
            tail=tail,
        )
        steps = (
            say(
                random,
                "({f} {s} make one {o}|It takes {f} {s} to make one {o}), (and the larger unit "
                "needs the smaller number|and the number shrinks), so divide.",
                o=one,
                f=factor,
                s=small,
            ),
            f"{decimal(in_small)} ÷ {grouped(factor)} = {decimal(value)}.",
        )
        answer, wrong = (
            f"{decimal(value)} {unit}",
            (
                f"{decimal(value * 10)} {large}",
                f"{decimal(value / 10)} {large}",
                f"{decimal(in_small * factor)} {large}",
            ),
        )
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So it is|That is|The answer is) {a}.", a=answer),
        wrong=wrong,
        slip="Ask first whether the number must become larger or smaller; that decides "
        "between × and ÷.",
    )


def _unit_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A unit is an amount that everyone has agreed on|Without a unit a number of metres or "
        "minutes says nothing|To measure is to compare with a unit). (Kilo means a thousand, "
        "centi a hundredth and milli a thousandth|The prefixes tell the size: kilo for thousand, "
        "deci for tenth, centi for hundredth, milli for thousandth). (The smaller the unit, the "
        "more of them are needed|A length does not change when we measure it in smaller units, "
        "but the number does), so going to a smaller unit means multiplying. (Areas are converted "
        "by the square of the factor: 1 m² is 100 × 100 = 10,000 cm².|A volume is converted by "
        "the cube: 1 m³ is 100 × 100 × 100 = 1,000,000 cm³.) (A probe to Mars was once lost "
        "because two teams used different units.|Always write the unit next to the number; it is "
        "half of the answer.)",
    )


def _temperature(random: Random, difficulty: int) -> Problem:
    celsius = between(random, -8, 24) * 5
    fahrenheit = celsius * 9 // 5 + 32
    if chance(random, 0.5):
        prompt = say(
            random,
            "(How many degrees Fahrenheit are {c} °C?|Convert {c} °C to degrees Fahrenheit.|Write "
            "{c} °C in Fahrenheit.|A letter from abroad mentions {c} °C. What is that in "
            "Fahrenheit?|{c} °C is how much on the Fahrenheit scale?|A thermometer shows {c} °C. "
            "What would it show in Fahrenheit?)",
            c=celsius,
        )
        steps = (
            say(
                random,
                "(Five degrees Celsius are nine degrees Fahrenheit|A Fahrenheit degree is "
                "smaller, 5/9 of a Celsius degree), so multiply by 9 and divide by 5: {c} × 9 ÷ 5 "
                "= {x}.",
                c=celsius,
                x=celsius * 9 // 5,
            ),
            say(
                random,
                "(The zero of Celsius, where water freezes, is 32 °F, so add 32|Add 32, because "
                "freezing is 32 on the other scale): {x} + 32 = {f}.",
                x=celsius * 9 // 5,
                f=fahrenheit,
            ),
        )
        answer, wrong = (
            f"{fahrenheit} °F",
            (f"{celsius * 9 // 5} °F", f"{celsius + 32} °F", f"{fahrenheit + 9} °F"),
        )
    else:
        prompt = say(
            random,
            "(How many degrees Celsius are {f} °F?|What is {f} °F on the Celsius scale?|Somebody "
            "measures {f} °F. Express it in Celsius.|Convert {f} °F to degrees Celsius.|An old "
            "oven is set to {f} °F. What is that in Celsius?)"
            if fahrenheit > 150
            else "(How many degrees Celsius are {f} °F?|What is {f} °F on "
            "the Celsius scale?|Somebody measures {f} °F. Express it "
            "in Celsius.|Convert {f} °F to degrees Celsius.|In "
            "Chicago it is {f} °F. What is that in Celsius?)",
            f=fahrenheit,
        )
        steps = (
            say(
                random,
                "(First take away the 32 by which the zero points differ|Start from freezing: "
                "subtract 32): {f} - 32 = {x}.",
                f=fahrenheit,
                x=fahrenheit - 32,
            ),
            f"Nine Fahrenheit degrees are five Celsius degrees: {fahrenheit - 32} × 5 ÷ 9 = "
            f"{celsius}.",
        )
        answer, wrong = (
            f"{celsius} °C",
            (f"{fahrenheit - 32} °C", f"{celsius + 10} °C", f"{-celsius or 5} °C"),
        )
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So it is|That is) {a}.", a=answer),
        wrong=wrong,
        slip="The order matters: the 32 is added last, and so it is taken away first on "
        "the way back.",
    )


def _temperature_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Two scales of temperature are in daily use|A recipe from another country can hide a "
        "trap: its oven may count in another scale). (Celsius set 0 at freezing and 100 at "
        "boiling water; Fahrenheit has 32 and 212 for the same points|Between freezing and "
        "boiling there are 100 degrees on one scale and 212 - 32 = 180 on the other). (So 5 "
        "Celsius degrees are as large as 9 of Fahrenheit|180 to 100 is 9 to 5), (and the zero "
        "points lie 32 apart|and we must also shift by 32). (Both scales meet at -40.|For a rough "
        "guess, double the Celsius number and add 30.|Scientists use the kelvin scale, whose zero "
        "is the lowest temperature there can be, about -273 °C.)",
    )


TOPICS = (
    taught("units/converting units", "mathematics", (1, 2, 3), _convert, _unit_lesson),
    taught("units/temperature scales", "mathematics", (3,), _temperature, _temperature_lesson),
)
