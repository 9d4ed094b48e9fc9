"""Simplifying, adding and multiplying fractions."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import between, chance, people, pick, say
from phinery.data.synthesis.procedural.numbers.ratios import CUT_THINGS, proper, shown


def _simplify(random: Random, difficulty: int) -> Problem:
    value = proper(random, 6 + 3 * difficulty)
    factor = between(random, 2, 4 + 3 * difficulty)
    top, bottom = value.numerator * factor, value.denominator * factor
    steps: list[str] = []
    if factor in (4, 6, 8, 9, 10, 12) and chance(random, 0.6):
        first = 3 if factor == 9 else 2
        second = factor // first
        steps = [
            say(
                random,
                "(Both numbers are divisible by {f}|{f} goes into both): {a} ÷ {f} = {x} and {b} "
                "÷ {f} = {y}.",
                f=first,
                a=top,
                b=bottom,
                x=top // first,
                y=bottom // first,
            ),
            say(
                random,
                "(That can still be simplified|We are not done yet), by {g}: {a} ÷ {g} = {x} and "
                "{b} ÷ {g} = {y}.",
                g=second,
                a=top // first,
                b=bottom // first,
                x=value.numerator,
                y=value.denominator,
            ),
        ]
    else:
        steps = [
            say(
                random,
                "(Look for the largest number that divides both|Find what goes into both {a} and "
                "{b}|Find the greatest common divisor): it is {f}.",
                a=top,
                b=bottom,
                f=factor,
            ),
            f"{top} ÷ {factor} = {value.numerator} and {bottom} ÷ {factor} = {value.denominator}.",
        ]
    steps.append(
        say(
            random,
            "(Dividing top and bottom by the same number does not change the value, just as two "
            "halves of a half make the same half|The value stays the same, because the pieces "
            "become larger exactly as they become fewer).",
        )
    )
    return Problem(
        say(
            random,
            "(Simplify {a}/{b}.|Write {a}/{b} in lowest terms.|Reduce the fraction {a}/{b} as far "
            "as possible.|What is {a}/{b} in its simplest form?)",
            a=top,
            b=bottom,
        ),
        tuple(steps),
        shown(value),
        say(
            random,
            "(So|In lowest terms,|Therefore) {a}/{b} = {v}.",
            a=top,
            b=bottom,
            v=shown(value),
        ),
        check=f"Cross-multiplying, {top} × {value.denominator} = {top * value.denominator} "
        f"and {bottom} × {value.numerator} = {bottom * value.numerator}.",
        wrong=(
            f"{value.numerator + 1}/{value.denominator}",
            f"{value.denominator}/{value.numerator}",
            f"{value.numerator}/{value.denominator + 1}",
            f"{top - factor}/{bottom - factor}",
        ),
        slip="Divide, do not subtract: taking the same number away from top and bottom "
        "changes the value.",
    )


def _simplify_lesson(random: Random, difficulty: int) -> str:
    thing = pick(random, CUT_THINGS)
    return say(
        random,
        "(A fraction has many names|The same amount can be written as a fraction in many ways). "
        "(Cut a {t} into 2 equal parts and take 1, or cut it into 8 and take 4: the share is the "
        "same|Half a {t} is one of two parts, or two of four, or four of eight), so 1/2 = 2/4 = "
        "4/8. The lower number, the denominator, (names the size of the parts|says into how many "
        "equal parts the whole is cut); the upper, the numerator, (counts them|says how many are "
        "taken). (To simplify means to choose the name with the smallest numbers|Of all the names "
        "we like the shortest), and we find it by dividing both by whatever they have in common.",
        t=thing,
    )


def _add(random: Random, difficulty: int) -> Problem:
    largest = 6 if difficulty == 3 else 12
    if difficulty == 2:
        bottom = between(random, 3, 15)
        a = between(random, 1, bottom - 2)
        b = between(random, 1, bottom - 2), 0
        b = between(random, 1, bottom - 1 - a)
        plus = chance(random, 0.6)
        if not plus:
            a += b
        total = Fraction(a + b if plus else a - b, bottom)
        x, y = Fraction(a, bottom), Fraction(b, bottom)
        sign, word = ("+", "add") if plus else ("-", "subtract")
        steps = [
            say(
                random,
                "(The parts have the same size|Both are counted in parts of the same size, "
                "{n}ths|The denominators agree), so we just {w} how many there are.",
                n=bottom,
                w=word,
            ),
            f"{a} {sign} {b} = {a + b if plus else a - b}, which gives "
            f"{a + b if plus else a - b}/{bottom}.",
        ]
        left, right = f"{a}/{bottom}", f"{b}/{bottom}"
        raw = (a + b if plus else a - b, bottom)
    else:
        x, y = proper(random, largest), proper(random, largest)
        while x.denominator == y.denominator:
            y = proper(random, largest)
        plus = chance(random, 0.6)
        if not plus and x < y:
            x, y = y, x
        sign = "+" if plus else "-"
        total = x + y if plus else x - y
        common = x.denominator * y.denominator // gcd(x.denominator, y.denominator)
        p, q = x.numerator * common // x.denominator, y.numerator * common // y.denominator
        result = p + q if plus else p - q
        left, right = shown(x), shown(y)
        steps = [
            say(
                random,
                "(Parts of different size cannot be counted together, so give them a common "
                "size|First cut both into parts of the same size|We need a common denominator, "
                "because only equal parts can be counted together): {c} is a multiple of {m} and "
                "{n}.",
                c=common,
                m=x.denominator,
                n=y.denominator,
            ),
            f"{left} = {p}/{common} and {right} = {q}/{common}.",
            say(
                random,
                "(Now count the parts|Then the numerators are all that matters): {p} {s} {q} = "
                "{r}, so we have {r}/{c}.",
                p=p,
                q=q,
                s=sign,
                r=result,
                c=common,
            ),
        ]
        raw = (result, common)
    if gcd(*raw) > 1:
        steps.append(
            say(
                random,
                "(Simplify by|Divide top and bottom by) {g}: {a}/{b} = {v}.",
                g=gcd(*raw),
                a=raw[0],
                b=raw[1],
                v=shown(total),
            )
        )
    elif total > 1 and total.denominator > 1 and chance(random, 0.5):
        steps.append(f"As a mixed number that is {int(total)} and {shown(total - int(total))}.")
    who = people(random, 2)
    thing = pick(random, CUT_THINGS)
    if plus and total <= 1 and chance(random, 0.35):
        prompt = say(
            random,
            "{p} (eats|takes|uses|is given) {x} of a {t} and {q} {y} of it. (What fraction|Which "
            "part|How much) of the {t} is that together?"
            if thing in ("cake", "loaf", "pizza", "melon", "pie", "bar of chocolate")
            else "{p} (uses|paints|measures|takes) {x} of a {t} and {q} {y} of it. (What "
            "fraction|Which part|How much) of the {t} is that together?",
            p=who[0],
            q=who[1],
            x=left,
            y=right,
            t=thing,
        )
    else:
        prompt = say(
            random,
            "(What is {x} {s} {y}?|Work out {x} {s} {y}.|Calculate {x} {s} {y} and simplify.|Find "
            "{x} {s} {y} in lowest terms.)",
            x=left,
            y=right,
            s=sign,
        )
    wrong = Fraction(x.numerator + y.numerator, x.denominator + y.denominator)
    return Problem(
        prompt,
        tuple(steps),
        shown(total),
        say(
            random,
            "(So|Therefore|Altogether) {x} {s} {y} = {v}.",
            x=left,
            y=right,
            s=sign,
            v=shown(total),
        ),
        wrong=(
            shown(wrong),
            shown(total + Fraction(1, raw[1])),
            shown(Fraction(raw[0], raw[1] * 2)),
            shown(x * y),
        ),
        slip="Never add the denominators: they name the size of the parts, and the size "
        "does not change when parts are put together.",
    )


def _add_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Fractions are counted in parts, and parts can be added only when they are equally "
        "large|Three apples and two pears are five fruits: to add different things we need a "
        "common name|To add 1/2 and 1/3 we first have to speak the same language). (Halves and "
        "thirds can both be cut into sixths|Sixths do the job, because 6 is a multiple of 2 and "
        "of 3): 1/2 = 3/6 and 1/3 = 2/6, so 1/2 + 1/3 = 5/6. (The common size is a common "
        "multiple of the denominators, best the least.|Any common multiple will do; the least one "
        "saves work.) (Subtraction goes the same way.|It is the same for a difference.|Always "
        "look at the end whether the result can be simplified.)",
    )


def _multiply(random: Random, difficulty: int) -> Problem:
    x, y = proper(random, 5 + 2 * difficulty), proper(random, 5 + 2 * difficulty)
    divide = difficulty >= 4 and chance(random, 0.5)
    top, bottom = (
        (x.numerator * y.denominator, x.denominator * y.numerator)
        if divide
        else (x.numerator * y.numerator, x.denominator * y.denominator)
    )
    value = Fraction(top, bottom)
    sign = "÷" if divide else "×"
    steps: list[str] = []
    if divide:
        steps.append(
            say(
                random,
                "(Dividing by a fraction is multiplying by its reciprocal, because {y} fits into "
                "1 exactly {r} times|To divide by {y}, turn it over and multiply, for {y} × {r} = "
                "1).",
                y=shown(y),
                r=f"{y.denominator}/{y.numerator}",
            )
        )
        steps.append(f"{shown(x)} × {y.denominator}/{y.numerator} = {top}/{bottom}.")
    else:
        steps.append(
            say(
                random,
                "({x} × {y} means {x} of {y}|To multiply is to take a part of a part): (cut every "
                "piece again|the parts become smaller), so multiply the denominators, and "
                "multiply the numerators to count the pieces.",
                x=shown(x),
                y=shown(y),
            )
        )
        steps.append(
            f"{x.numerator} × {y.numerator} = {top} and {x.denominator} × {y.denominator} = "
            f"{bottom}."
        )
    if gcd(top, bottom) > 1:
        steps.append(f"Simplify by {gcd(top, bottom)}: {top}/{bottom} = {shown(value)}.")
    expression = f"{shown(x)} {sign} {shown(y)}"
    return Problem(
        say(
            random,
            "(What is {e}?|Work out {e}.|Calculate {e} in lowest terms.|Find {e} and simplify.)"
            if divide or chance(random, 0.6)
            else "(What is|Find|How much is) {x} of {y}?",
            e=expression,
            x=shown(x),
            y=shown(y),
        ),
        tuple(steps),
        shown(value),
        say(random, "(So|Therefore) {e} = {v}.", e=expression, v=shown(value)),
        wrong=(
            shown(x + y),
            shown(
                Fraction(x.numerator * y.denominator, x.denominator * y.numerator)
                if not divide
                else x * y
            ),
            shown(value * 2),
            shown(value + 1),
        ),
        slip="A common denominator is needed for adding, not for multiplying.",
    )


def _multiply_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(What is a half of a half? A quarter|Half of a half is a quarter, as everyone knows who "
        "has cut a cake twice), and indeed 1/2 × 1/2 = 1/4. (The word of can be read as times|In "
        "such questions of means times). (So the product of two proper fractions is smaller than "
        "either|That is why multiplying can make things smaller): (we take a part of a part|we "
        "keep only a share of a share). (Dividing asks how often one fits into the other: 1/8 "
        "fits into 1/2 four times, so 1/2 ÷ 1/8 = 4.|Division by a small fraction gives a large "
        "number, since small pieces fit in many times.)",
    )


TOPICS = (
    taught("fractions/simplifying fractions", "mathematics", (2, 3), _simplify, _simplify_lesson),
    taught(
        "fractions/adding and subtracting fractions", "mathematics", (2, 3, 4), _add, _add_lesson
    ),
    taught(
        "fractions/multiplying and dividing fractions",
        "mathematics",
        (3, 4),
        _multiply,
        _multiply_lesson,
    ),
)
