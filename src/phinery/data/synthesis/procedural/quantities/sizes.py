"""A sense of size: which amount is plausible, and which of several is larger."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    decimal,
    people,
    pick,
    say,
    several,
    shuffled,
)

_OBJECTS = (
    # thing, what is measured, true size in words; sources: common knowledge, rounded
    ("the length of a bed", "2 m", ("2 cm", "20 m", "2 km")),
    ("the height of a door", "2 m", ("20 cm", "20 m", "2 km")),
    ("the weight of an apple", "150 g", ("15 kg", "1.5 g", "150 kg")),
    ("the weight of a car", "1.2 t", ("12 kg", "120 t", "1.2 kg")),
    ("the length of an ant", "5 mm", ("5 cm", "5 m", "50 cm")),
    ("the contents of a cup", "200 ml", ("20 litres", "2 ml", "200 litres")),
    ("the time to brush one's teeth", "3 minutes", ("3 seconds", "3 hours", "30 hours")),
    ("the height of Mount Everest", "8849 m", ("8849 km", "8849 cm", "88 m")),
    ("the temperature of a healthy body", "37 °C", ("3.7 °C", "73 °C", "137 °C")),
    ("the length of a football pitch", "105 m", ("10 km", "10.5 cm", "1 m")),
    ("the weight of a newborn child", "3.4 kg", ("34 kg", "34 g", "340 kg")),
    ("the speed of a walker", "5 km/h", ("50 km/h", "500 km/h", "5 m/h")),
    ("the width of a fingernail", "1 cm", ("1 m", "10 cm", "1 km")),
    ("the length of a school lesson", "45 minutes", ("45 seconds", "45 hours", "4 days")),
    ("the contents of a bathtub", "150 litres", ("150 ml", "15,000 litres", "1.5 litres")),
    ("the weight of a bicycle", "12 kg", ("1.2 t", "120 g", "120 kg")),
    ("the thickness of a book", "3 cm", ("3 m", "30 cm", "0.3 mm")),
    ("the distance from the Earth to the Moon", "384,000 km", ("384 km", "384,000 m", "38 km")),
    ("the weight of a letter", "20 g", ("2 kg", "200 kg", "20 mg")),
    ("the height of a giraffe", "5 m", ("50 cm", "50 m", "5 cm")),
    ("the length of a marathon", "42 km", ("42 m", "420 km", "4.2 m")),
    ("the weight of a hen's egg", "60 g", ("6 g", "6 kg", "600 g")),
    ("the boiling temperature of water at sea level", "100 °C", ("10 °C", "37 °C", "1000 °C")),
    ("the span of a hand", "20 cm", ("2 m", "2 cm", "2 mm")),
    ("the mass of an adult elephant", "5 t", ("50 kg", "500 t", "5 kg")),
    ("the speed of sound in air", "340 m/s", ("34 km/s", "3.4 m/s", "340 km/s")),
    ("a teaspoon of water", "5 ml", ("5 litres", "500 ml", "50 litres")),
    (
        "the time the Earth takes to go round the Sun",
        "365 days",
        ("24 hours", "30 days", "365 hours"),
    ),
    ("the height of a kitchen table", "75 cm", ("7.5 cm", "7.5 m", "75 m")),
    ("the length of a bus", "12 m", ("1.2 m", "120 m", "12 cm")),
    ("the weight of a slice of bread", "40 g", ("4 kg", "0.4 g", "400 g")),
    ("the diameter of a bicycle wheel", "70 cm", ("7 cm", "7 m", "70 mm")),
    ("the time between two heartbeats at rest", "1 second", ("1 minute", "10 seconds", "1 hour")),
    ("the depth of a garden pond", "1 m", ("1 mm", "100 m", "1 km")),
    ("the weight of a cat", "4 kg", ("400 g", "40 kg", "4 g")),
    ("the thickness of a coin", "2 mm", ("2 cm", "20 cm", "2 m")),
)


def _plausible(random: Random, difficulty: int) -> Problem:
    what, true, wrong = pick(random, _OBJECTS)
    options = shuffled(random, (true, *wrong))
    unit = true.split()[-1]
    prompt = say(
        random,
        "(Which is closest to {w}|What is a sensible value for {w}|Which of these fits {w}|{p} "
        "guesses {w}. Which guess is good): {o}?",
        w=what,
        o=", ".join(options[:-1]) + " or " + options[-1],
        p=people(random, 1)[0],
    )
    anchors = {
        "m": "a metre is a large step",
        "cm": "a centimetre is the width of a fingernail",
        "mm": "a millimetre is the thickness of a bank card",
        "km": "a kilometre is a walk of about twelve minutes",
        "g": "a gram is a paper clip",
        "kg": "a kilogram is a litre of water",
        "t": "a tonne is a small car",
        "ml": "a teaspoon holds 5 ml",
        "litres": "a litre is a carton of milk",
        "minutes": "a minute is time for about fifteen breaths",
        "second": "a second is one slow count",
        "days": "a day is one turn of the Earth",
        "°C": "water freezes at 0 °C and boils at 100 °C",
        "km/h": "a car in town does about 50 km/h",
        "m/s": "a sprinter does about 10 m/s",
    }
    steps = (
        say(
            random,
            "(Use something you know to compare with|A known thing helps as a measure|Hold it "
            "against something familiar): {a}.",
            a=anchors[unit],
        ),
        say(
            random,
            "(Measured by that, {t} is the only (sensible|plausible) one|The others are far too "
            "(small or too large|large or too small)|Only {t} is of the right size).",
            t=true,
        ),
    )
    return Problem(
        prompt,
        steps,
        true,
        say(random, "(So it is about {t}|About {t} is right).", t=true),
        wrong=wrong,
        slip="Look at the unit as well as at the number: 5 cm and 5 km share the number "
        "and nothing else.",
    )


def _size_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Whoever has a feeling for sizes notices mistakes at once|A number with a unit should "
        "call up a picture). (Collect anchors: a door is two metres high, a litre of water weighs "
        "a kilogram, a walker covers five kilometres in an hour|It helps to know a few sizes by "
        "heart: the span of a hand, about 20 cm, a large step, about a metre, a bag of sugar, 1 "
        "kg). (Compare what is new with the nearest anchor|Then ask: how many times larger or "
        "smaller than that?). (An answer that is ten times too large is usually a slip with a "
        "zero or a unit.|Estimates need not be exact; the right number of zeros is what "
        "counts.|Engineers and cooks do this all day without noticing.)",
    )


def _order_sizes(random: Random, difficulty: int) -> Problem:
    family, per = pick(
        random,
        (
            ((("mm", 1), ("cm", 10), ("m", 1000)), "length"),
            ((("g", 1), ("kg", 1000)), "mass"),
            ((("ml", 1), ("litres", 1000)), "volume"),
            ((("seconds", 1), ("minutes", 60), ("hours", 3600)), "time"),
        ),
    )
    values: dict[str, Fraction] = {}
    base = between(random, 20, 900) * (10 if per != "time" else 6)
    while len(values) < between(random, 3, 4):
        amount = Fraction(base * between(random, 4, 30), 10)
        name, factor = pick(random, family)
        number = amount / factor
        if (
            (number * 100).denominator != 1
            or number < Fraction(1, 2)
            or amount in values.values()
            or number == 1
            or (per == "time" and number.denominator > 2)
        ):
            base = base // 10 * 10 + 60
            continue
        values[f"{decimal(number)} {name}"] = amount
        if len(values) == 3 and len({text.split()[1] for text in values}) == 1:
            values.popitem()
    smallest_first = chance(random, 0.6)
    order = sorted(values, key=lambda text: values[text], reverse=not smallest_first)
    unit = family[0][0]
    given = several(random, list(values), len(values))
    steps = (
        say(
            random,
            "(Amounts can be compared only in the same unit, so change all to {u}|Bring "
            "everything to {u} first): {l}.",
            u=unit,
            l="; ".join(
                f"{text} = {decimal(values[text])} {unit}"
                for text in given
                if text.split()[1] != unit
            ),
        ),
        say(random, "(Now compare the numbers|Then order by the numbers)."),
    )
    answer = ", ".join(order)
    reverse = ", ".join(reversed(order))
    by_number = ", ".join(
        sorted(
            values,
            key=lambda text: Fraction(text.split()[0].replace(",", "")),
            reverse=not smallest_first,
        )
    )
    return Problem(
        say(
            random,
            "(Put in order|Sort|Arrange), {w} first: {l}.",
            w="smallest" if smallest_first else "largest",
            l="; ".join(given),
        ),
        steps,
        answer,
        f"In order: {answer}.",
        wrong=(reverse, by_number),
        slip="The bare numbers mislead when the units differ.",
    )


def _amounts_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Is 900 g more than 1 kg? The larger number is not always the larger amount|Numbers with "
        "different units cannot be compared as they stand). (Bring all amounts to one unit, best "
        "the smallest|Choose one unit and change all the others into it), (so that no decimals "
        "are in the way|then whole numbers are left). (After that only the numbers count|Now the "
        "order of the numbers is the order of the amounts). (Write the original amounts down in "
        "the order found, not the converted ones.|Take a second look at the ends of the list: the "
        "smallest and the largest are the easiest to check.|Length, mass and time have units of "
        "their own, and one can't be turned into the other.)",
    )


TOPICS = (
    taught("units/sensible sizes", "common sense", (1, 2), _plausible, _size_lesson),
    taught("units/ordering amounts", "reasoning", (2, 3), _order_sizes, _amounts_lesson),
)
