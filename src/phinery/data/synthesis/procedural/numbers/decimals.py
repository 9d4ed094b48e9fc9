"""Fractions of an amount, comparisons and decimals."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import between, chance, decimal, people, pick, say
from phinery.data.synthesis.procedural.numbers.ratios import proper, shown


def _of_amount(random: Random, difficulty: int) -> Problem:
    part = proper(random, 4 + 2 * difficulty)
    one = between(random, 2, 5 * difficulty)
    amount = part.denominator * one
    value = part.numerator * one
    who = people(random, 1)[0]
    frame, unit = pick(
        random,
        (
            (
                "{p} has {n} {u} and gives away {f} of them. How many {u} (are given away|does "
                "{p.he} give away)?",
                pick(random, ("marbles", "stickers", "coins", "shells", "pencils", "cards")),
            ),
            (
                "A (class|choir|club|team|village school) has {n} {u}, and {f} of them (walk to "
                "school|play chess|wear glasses|have a bicycle|speak two languages). How many {u} "
                "is that?",
                pick(random, ("members", "pupils", "children")),
            ),
            (
                "A (journey|walk|ride|canal|road) is {n} {u} long. {^p} has "
                "(done|finished|covered) {f} of it. How many {u} is that?",
                pick(random, ("kilometres", "miles")),
            ),
            (
                "A (book|diary|report) has {n} {u}. {^p} has read {f} of it. How many {u} has "
                "{p.he} read?",
                "pages",
            ),
            (
                "(What is|How much is) {f} of {n} {u}?",
                pick(random, ("metres", "grams", "minutes", "litres", "dollars", "euros")),
            ),
            (
                "{^p} saved {n} {u} and spent {f} of the money on a "
                "(present|ticket|lamp|book|bicycle). How many {u} did {p.he} spend?",
                pick(random, ("dollars", "euros", "pounds", "rupees")),
            ),
        ),
    )
    prompt = say(random, frame, p=who, n=amount, u=unit, f=shown(part))
    steps = [
        say(
            random,
            "(The denominator tells us to cut {n} into {b} equal parts|First find one part|Find "
            "the size of a single part first): {n} ÷ {b} = {o}.",
            n=amount,
            b=part.denominator,
            o=one,
        ),
    ]
    if part.numerator > 1:
        steps.append(
            say(
                random,
                "(We take {t} of these parts|The numerator says that there are {t} such "
                "parts|Then {t} of them): {t} × {o} = {v}.",
                t=part.numerator,
                o=one,
                v=value,
            )
        )
    return Problem(
        prompt,
        tuple(steps),
        f"{value} {unit}",
        say(random, "(So it is|That is|The answer is) {v} {u}.", v=value, u=unit),
        check=say(
            random, "The rest is {r}, and {v} + {r} = {n}.", r=amount - value, v=value, n=amount
        ),
        wrong=(
            f"{one} {unit}",
            f"{amount - value} {unit}",
            f"{value + one} {unit}",
            f"{amount // max(1, part.numerator)} {unit}",
        ),
        slip="Divide by the lower number and multiply by the upper one, not the other way round.",
    )


def _of_amount_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(To find a fraction of an amount takes two moves|A fraction of something is found in two "
        "steps): divide, then multiply. (The denominator cuts|The lower number cuts) the amount "
        "into equal parts, and the (numerator|upper number) tells how many of them we "
        "(take|want). (Three quarters of an hour are 3 × 15 = 45 minutes, since a quarter is 60 ÷ "
        "4 = 15.|Two fifths of 20 are 2 × 4 = 8, for one fifth is 20 ÷ 5 = 4.) (One may also "
        "multiply first; the numbers are then larger, but the result is the same.|It helps to "
        "draw a bar and to cut it.)",
    )


def _compare(random: Random, difficulty: int) -> Problem:
    x, y = proper(random, 5 + 2 * difficulty), proper(random, 5 + 2 * difficulty)
    while x == y:
        y = proper(random, 5 + 2 * difficulty)
    larger, smaller = max(x, y), min(x, y)
    if x.denominator == y.denominator:
        steps = (
            say(
                random,
                "(The parts are of the same size|Both have the same denominator), so the one with "
                "more parts is larger: {a} > {b}.",
                a=larger.numerator,
                b=smaller.numerator,
            ),
        )
    elif x.numerator == y.numerator:
        steps = (
            say(
                random,
                "(Both have {n} parts|The numerators are equal), but the parts differ: (a whole "
                "cut into fewer pieces gives larger ones|the smaller the denominator, the larger "
                "the piece), and {a} < {b}.",
                n=x.numerator,
                a=larger.denominator,
                b=smaller.denominator,
            ),
        )
    else:
        common = x.denominator * y.denominator
        p, q = x.numerator * y.denominator, y.numerator * x.denominator
        steps = (
            say(
                random,
                "(Bring both to the same denominator|To compare, cut both into parts of one "
                "size): {m} × {n} = {c}.",
                m=x.denominator,
                n=y.denominator,
                c=common,
            ),
            f"{shown(x)} = {p}/{common} and {shown(y)} = {q}/{common}.",
            f"{max(p, q)} is more than {min(p, q)}.",
        )
    ask_larger = chance(random, 0.6)
    answer = larger if ask_larger else smaller
    return Problem(
        say(
            random,
            "Which is {w}, {x} or {y}?"
            if chance(random, 0.7)
            else "(Compare|Look at) the fractions {x} and {y}. Which one is {w}?",
            w="larger" if ask_larger else "smaller",
            x=shown(x),
            y=shown(y),
        ),
        steps,
        shown(answer),
        say(
            random,
            "(So|Therefore|Hence) {a} is {w} than {b}.",
            a=shown(answer),
            b=shown(smaller if ask_larger else larger),
            w="larger" if ask_larger else "smaller",
        ),
        check=f"In decimals they are about {decimal(x, 3)} and {decimal(y, 3)}.",
        wrong=(shown(larger), shown(smaller)),
        slip="A larger denominator means smaller parts: 1/8 is less than 1/5.",
    )


def _decimals(random: Random, difficulty: int) -> Problem:
    places = 1 if difficulty == 2 else 2
    scale = 10**places
    a, b = (
        Fraction(between(random, 11, 60 * scale), scale),
        Fraction(between(random, 5, 40 * scale), scale),
    )
    kind = pick(random, ("+", "-", "×") if difficulty > 2 else ("+", "-"))
    if kind == "-" and a < b:
        a, b = b, a
    if kind == "×":
        a, b = (
            Fraction(between(random, 11, 199), 10),
            Fraction(between(random, 2, 99), pick(random, (10, 100))),
        )
    value = a + b if kind == "+" else a - b if kind == "-" else a * b
    if kind == "×":
        da, db = len(decimal(a).partition(".")[2]), len(decimal(b).partition(".")[2])
        whole_a, whole_b = int(a * 10**da), int(b * 10**db)
        steps = (
            say(
                random,
                "(Leave the points out at first|Multiply as if there were no points): {x} × {y} = "
                "{z}.",
                x=whole_a,
                y=whole_b,
                z=whole_a * whole_b,
            ),
            say(
                random,
                "(Together the factors have {n} decimal place{s}, so the product has as many|The "
                "points were moved by {n} place{s} in all, so move the point back by {n}): {v}.",
                n=da + db,
                s="" if da + db == 1 else "s",
                v=decimal(value),
            ),
        )
    else:
        smallest = max(len(decimal(a).partition(".")[2]), len(decimal(b).partition(".")[2]))
        unit = ("ones", "tenths", "hundredths")[smallest]
        x, y = int(a * 10**smallest), int(b * 10**smallest)
        steps = (
            say(
                random,
                "(Write the points under each other|Point under point), so that tenths meet "
                "tenths.{extra}",
                extra="",
            ),
            say(
                random,
                "(Counted in {u}|In {u}), {x} {s} {y} = {z}.",
                u=unit,
                x=x,
                s=kind,
                y=y,
                z=x + y if kind == "+" else x - y,
            ),
            say(
                random,
                "{z} {u} are {v}.",
                z=x + y if kind == "+" else x - y,
                u=unit,
                v=decimal(value),
            ),
        )
    expression = f"{decimal(a)} {kind} {decimal(b)}"
    return Problem(
        say(
            random,
            "(What is {e}?|Work out {e}.|Calculate {e}.|Find {e} without a calculator.)",
            e=expression,
        ),
        steps,
        decimal(value),
        say(random, "(So|Therefore) {e} = {v}.", e=expression, v=decimal(value)),
        wrong=(
            decimal(value * 10),
            decimal(value / 10),
            decimal(value + Fraction(1, 10)),
            decimal(value + 1),
        ),
        slip="Do not line the numbers up on the right when they have different numbers of "
        "decimal places."
        if kind != "×"
        else "Check the size: an estimate shows at once if the point is in the wrong place.",
    )


def _decimals_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Decimals continue the places to the right of the ones|To the right of the ones there "
        "are places too): tenths, hundredths, thousandths. (Each is a tenth of the one "
        "before|Every step to the right divides by ten). (The point marks where the ones end|A "
        "point shows where the wholes end and the parts begin). So 3.47 is 3 + 4/10 + 7/100. (A "
        "zero at the very end changes nothing, 0.5 and 0.50 are equal; a zero after the point "
        "changes a lot: 0.05 is ten times smaller.|More digits do not mean more: 0.9 is larger "
        "than 0.125, for nine tenths are more than one tenth and a bit.)",
    )


def _convert(random: Random, difficulty: int) -> Problem:
    bottom = pick(random, (2, 4, 5, 10, 8, 20, 25, 50) if difficulty > 2 else (2, 4, 5, 10))
    value = Fraction(between(random, 1, bottom * (2 if difficulty > 2 else 1) - 1), bottom)
    to_decimal = chance(random, 0.5)
    text = decimal(value)
    if to_decimal:
        places = len(text.partition(".")[2])
        scale = 10**places
        steps = (
            say(
                random,
                "(Widen the fraction until the denominator is a power of ten|Look for a "
                "denominator such as 10, 100 or 1000), because decimals count tenths, hundredths "
                "and so on.",
            )
            if places
            else "The denominator goes evenly into the numerator.",
            f"{shown(value)} = {int(value * scale)}/{scale}."
            if places
            else f"{value.numerator} ÷ {value.denominator} = {text}.",
        )
        prompt = say(
            random,
            "(Write {f} as a decimal.|What is {f} as a decimal number?|Turn {f} into a decimal.)",
            f=shown(value),
        )
        answer = text
    else:
        places = len(text.partition(".")[2])
        scale = 10**places
        steps = (
            say(
                random,
                "(The last digit stands in the {n} place|Read it aloud: it ends in {n}), so {d} = "
                "{a}/{b}.",
                n=("ones", "tenths", "hundredths", "thousandths")[places],
                d=text,
                a=int(value * scale),
                b=scale,
            ),
            f"Simplify: {int(value * scale)}/{scale} = {shown(value)}."
            if gcd(int(value * scale), scale) > 1
            else "Nothing can be simplified.",
        )
        prompt = say(
            random,
            "(Write {d} as a fraction in lowest terms.|Which simplified fraction equals {d}?|Turn "
            "{d} into a fraction and simplify it.)",
            d=text,
        )
        answer = shown(value)
    wrong = (
        (
            decimal(value * 10),
            decimal(value / 10),
            f"{value.numerator}.{value.denominator}",
            decimal(1 + value),
        )
        if to_decimal
        else (
            shown(value * 10),
            shown(value / 10),
            shown(value + Fraction(1, bottom)),
            shown(1 / value),
        )
    )
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So|Therefore) {a} = {b}.", a=shown(value) if to_decimal else text, b=answer),
        wrong=wrong,
        slip=f"The digits of a fraction are not the digits of its decimal: 1/{bottom} is "
        f"not 1.{bottom}.",
    )


def _compare_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Which is more, 3/5 or 4/7? The eye cannot tell, so we need a method|Two fractions with "
        "different denominators are hard to compare at sight). (If the denominators are equal, "
        "compare the numerators|With pieces of equal size, more pieces are more). (If the "
        "numerators are equal, the smaller denominator wins, because the pieces are larger|The "
        "same number of larger pieces is more). (Otherwise give both a common denominator|In all "
        "other cases, cut both into pieces of one size), (and compare how many pieces there "
        "are|then count). (A half is a good landmark: if one is below it and the other above, "
        "nothing need be computed.|For a quick check, multiply crosswise: the larger product "
        "stands next to the larger fraction.|Close to one, look at what is missing: 7/8 lacks an "
        "eighth, 9/10 only a tenth.)",
    )


def _convert_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A fraction and a decimal can be the same number in two costumes|Some numbers are "
        "handier as fractions, others as decimals). (Every decimal that ends is a fraction over "
        "10, 100 or 1000, which can then be simplified|Read the decimal aloud, and you hear the "
        "fraction: 0.75 is seventy-five hundredths). (In the other direction, divide the "
        "numerator by the denominator, or widen the fraction to tenths or hundredths|To get a "
        "decimal, look for a denominator that is a power of ten): 3/4 = 75/100 = 0.75. (It comes "
        "to an end only if the simplified denominator has no prime factors but 2 and 5; a third "
        "is 0.333 without end.|A few are worth knowing by heart: a half, a quarter, a fifth, an "
        "eighth.|Decimals are easy to compare, fractions easy to multiply.)",
    )


TOPICS = (
    taught(
        "fractions/fractions of an amount", "mathematics", (2, 3), _of_amount, _of_amount_lesson
    ),
    taught("fractions/comparing fractions", "mathematics", (2, 3), _compare, _compare_lesson),
    taught("fractions/decimals", "mathematics", (2, 3), _decimals, _decimals_lesson),
    taught("fractions/decimals and fractions", "mathematics", (2, 3), _convert, _convert_lesson),
)
