"""Negative numbers, powers and Roman numerals."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.forms import Problem, near_numbers, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    grouped,
    number_words,
    pick,
    say,
)


def _signed(number: int) -> str:
    return f"({number})" if number < 0 else str(number)


def _negative(random: Random, difficulty: int) -> Problem:
    size = 12 if difficulty == 2 else 60
    a, b = between(random, -size, size), between(random, -size, size)
    while (a >= 0 and b >= 0) or 0 in (a, b):
        a, b = between(random, -size, size), between(random, -size, size)
    if difficulty == 2 and chance(random, 0.5):
        change = abs(b)
        start = between(random, -9, 12)
        change = between(random, 3, 16)
        up = start < 0 and chance(random, 0.6)
        end = start + change if up else start - change
        place = pick(
            random,
            (
                "the harbour",
                "a mountain hut",
                "the garden",
                "the village",
                "the ski lift",
                "the airfield",
            ),
        )
        prompt = say(
            random,
            "(At dawn near {place} it is|The thermometer at {place} shows|In the "
            "(morning|evening) the temperature at {place} is) {a} °C(. By|, and by) {later} it "
            "has {verb} by {c} degrees. What is the temperature then?",
            place=place,
            a=start,
            c=change,
            verb="risen" if up else "fallen",
            later=pick(random, ("noon", "midnight", "the next day", "six o'clock", "sunset")),
        )
        steps = (
            say(
                random,
                "(On the number line|On the scale|On a thermometer), (rising|warmer) is up and "
                "(falling|colder) is down, so we {move} {c} from {a}.",
                move="go up" if up else "go down",
                c=change,
                a=start,
            ),
            (
                f"{abs(start)} degrees bring it to zero, and {change - abs(start)} more are left."
                if (start < 0) == up and start and change > abs(start)
                else f"{start} {'+' if up else '-'} {change} = {end}."
            ),
        )
        return Problem(
            prompt,
            steps,
            f"{end} °C",
            say(random, "(It is|The temperature is) then {e} °C.", e=end),
            check=f"Going back, {end} {'-' if up else '+'} {change} = {start}.",
            wrong=(
                f"{-end} °C",
                f"{start + change if not up else start - change} °C",
                f"{end + 1} °C",
                f"{end - 2} °C",
            ),
            slip="Zero is a place on the scale like any other; do not stop there.",
        )
    sign = pick(random, ("+", "-", "×") if difficulty > 2 else ("+", "-"))
    if sign == "×":
        a, b = between(random, 2, 12) * pick(random, (-1, 1)), between(random, 2, 12) * -1
        value = a * b
        same = (a < 0) == (b < 0)
        steps = (
            say(
                random,
                "(First the size|Leave the signs aside for a moment): {x} × {y} = {z}.",
                x=abs(a),
                y=abs(b),
                z=abs(value),
            ),
            (
                say(
                    random,
                    "(Both factors are negative|Two minus signs meet), and (the opposite of the "
                    "opposite is the number itself|turning round twice leaves us facing forward|a "
                    "debt taken away is a gain), so the product is positive.",
                )
                if same
                else say(
                    random,
                    "(Only one factor is negative|The signs differ), so the product is negative: "
                    "(it is a debt counted several times|the direction is reversed once).",
                )
            ),
        )
        wrong = (str(-value), str(a + b), str(value + abs(a)))
    elif sign == "+":
        value = a + b
        if (a < 0) == (b < 0):
            steps = (
                say(
                    random,
                    "(Both numbers are below zero, so both pull the same way|Two debts together "
                    "make a greater debt).",
                ),
                f"{abs(a)} + {abs(b)} = {abs(value)}, and the sign stays minus.",
            )
        else:
            big, small = max(abs(a), abs(b)), min(abs(a), abs(b))
            steps = (
                say(
                    random,
                    "(The two numbers pull in opposite directions, so part of one cancels the "
                    "other|One is a gain and the other a loss, so we take the difference).",
                ),
                say(
                    random,
                    "{big} - {small} = {rest}, and (the sign is that of the number that is "
                    "further from zero|the stronger side gives the sign).",
                    big=big,
                    small=small,
                    rest=big - small,
                ),
            )
        wrong = (str(-value), str(abs(a) + abs(b)), str(a - b), str(value + 2))
    else:
        value = a - b
        steps = (
            say(
                random,
                "(Subtracting is adding the opposite|To take away a number, add its opposite): "
                "{a} - {b} = {a} + {c}.",
                a=a,
                b=_signed(b),
                c=_signed(-b),
            ),
            say(random, "{a} + {c} = {v}.", a=a, c=_signed(-b), v=value),
        )
        wrong = (str(-value), str(a + b), str(value + 1), str(abs(a) + abs(b)))
    expression = f"{a} {sign} {_signed(b)}"
    return Problem(
        say(
            random,
            "(What is {e}?|Work out {e}.|Calculate {e}.|Find the value of {e}.|How much is {e}?)",
            e=expression,
        ),
        steps,
        str(value),
        say(random, "(So|Therefore|We get) {e} = {v}.", e=expression, v=value),
        wrong=wrong,
        slip="Two signs next to each other belong to different things: one says what to "
        "do, the other belongs to the number.",
    )


def _negative_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Numbers do not stop at zero|Below zero the numbers go on|Zero is not the smallest "
        "number). (A debt, a frost and a floor below the street are all counted with negative "
        "numbers|We need negative numbers for debts, for temperatures below freezing and for "
        "depths below the sea). (On the number line they lie to the left of zero|Think of a line "
        "with zero in the middle: positive to the right, negative to the left), and (the further "
        "left, the smaller|a number further left is always smaller): -7 is less than -2, (though "
        "7 is greater than 2|for somebody who owes 7 has less than somebody who owes 2). (Adding "
        "a positive number means walking to the right, adding a negative one means walking to the "
        "left.|Subtracting a negative number moves right: to take away a debt is to give.)",
    )


def _power(random: Random, difficulty: int) -> Problem:
    base, exponent = pick(
        random,
        [
            (b, e)
            for b in range(2, 16)
            for e in range(2, 11)
            if b**e <= (1100 if difficulty < 4 else 60_000)
        ],
    )
    if difficulty >= 4 and chance(random, 0.5):
        second = between(random, 2, 5)
        first = between(random, 2, 6)
        up = chance(random, 0.5)
        first = first if up else first + second
        result = first + second if up else first - second
        sign = "×" if up else "÷"
        base = between(random, 2, 9)
        return Problem(
            say(
                random,
                "(Write|Simplify|Express) {b}^{m} {s} {b}^{n} as a single power of {b}.",
                b=base,
                m=first,
                n=second,
                s=sign,
            ),
            (
                say(
                    random,
                    "({b}^{m} stands for {m} factors {b}|An exponent counts factors: {b}^{m} has "
                    "{m} of them), and {b}^{n} for {n} of them.",
                    b=base,
                    m=first,
                    n=second,
                ),
                say(
                    random,
                    "(Multiplying puts them all in one row, so the exponents add|In the product "
                    "all the factors stand side by side): {m} + {n} = {r}."
                    if up
                    else "(Dividing cancels {n} of the factors, so the exponents "
                    "are subtracted|{n} "
                    "factors cancel against each other): {m} - {n} = {r}.",
                    m=first,
                    n=second,
                    r=result,
                ),
            ),
            f"{base}^{result}",
            say(
                random,
                "(So|Therefore) {b}^{m} {s} {b}^{n} = {b}^{r}.",
                b=base,
                m=first,
                n=second,
                s=sign,
                r=result,
            ),
            wrong=(
                f"{base}^{first * second}",
                f"{base}^{abs(first - second) if up else first + second}",
                f"{base}^{result + 1}",
                f"{base * base}^{result}",
            ),
            slip="The base stays as it is; only the exponents change.",
        )
    value = base**exponent
    steps = [
        say(
            random,
            "({b}^{e} means {b} multiplied by itself, {e} factors in all|The exponent {e} says "
            "how many factors {b} there are|{b}^{e} is short for {x}).",
            b=base,
            e=exponent,
            x=" × ".join([str(base)] * exponent),
        ),
    ]
    so_far = base
    for _ in range(exponent - 1):
        steps.append(f"{grouped(so_far)} × {base} = {grouped(so_far * base)}.")
        so_far *= base
    return Problem(
        say(
            random,
            "(What is {b} to the power of {e}?|Work out {b}^{e}.|Calculate {b}^{e}.|What is the "
            "{name} power of {b}?)",
            b=base,
            e=exponent,
            name=(
                "second",
                "third",
                "fourth",
                "fifth",
                "sixth",
                "seventh",
                "eighth",
                "ninth",
                "tenth",
            )[exponent - 2],
        ),
        (steps[0], " ".join(steps[1:])),
        grouped(value),
        say(random, "(So|Therefore) {b}^{e} = {v}.", b=base, e=exponent, v=value),
        wrong=(
            grouped(base * exponent),
            grouped(value * base),
            grouped(value // base),
            grouped(exponent**base) if exponent**base < 10**7 else "1",
        ),
        slip=f"A power is not a product with the exponent: {base} × {exponent} = "
        f"{base * exponent} is something else.",
    )


def _power_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Just as multiplication is repeated addition, a power is repeated multiplication|When "
        "the same factor appears many times, we write it once and count it|A power is a short way "
        "to write many equal factors). In 5^3, 5 is called the base and 3 the exponent: 5^3 = 5 × "
        "5 × 5 = 125. (Powers grow fast|The growth is astonishing): (ten doublings make more than "
        "a thousand|after twenty doublings one coin would be more than a million). (Why is the "
        "zeroth power 1? Each step down divides by the base: 5^2 = 25, 5^1 = 5, so 5^0 must be "
        "1.|The rules follow from counting factors: three fives times two fives are five fives, "
        "5^3 × 5^2 = 5^5.)",
    )


def _roman(random: Random, difficulty: int) -> Problem:
    number = between(random, 4, (30, 100, 900)[difficulty - 1])
    rest, text, parts = number, "", []
    parts = list[str]()
    for value, letters in (
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ):
        while rest >= value:
            text += letters
            parts.append(f"{letters} is {value}")
            rest -= value
    said = list(dict.fromkeys(parts))
    steps = (
        say(
            random,
            "(Letters are added from the largest on|We read from the left, largest first): {p}.",
            p=", ".join(said),
        ),
        *(
            (
                say(
                    random,
                    "(A smaller letter before a larger one is taken away, as in {e}|In {e} the "
                    "smaller letter stands first and so is subtracted).",
                    e=next(
                        p.split()[0]
                        for p in said
                        if p.split()[0] in ("CM", "CD", "XC", "XL", "IX", "IV")
                    ),
                ),
            )
            if any(p.split()[0] in ("CM", "CD", "XC", "XL", "IX", "IV") for p in said)
            else ()
        ),
    )
    if chance(random, 0.5):
        return Problem(
            say(
                random,
                "(Which number is {t} in Roman numerals?|A stone above a door bears the numeral "
                "{t}. What number is that?|What does the Roman numeral {t} stand for?|Write the "
                "Roman numeral {t} in our digits.)",
                t=text,
            ),
            steps,
            str(number),
            say(
                random,
                "(So {t} is {n}|{t} stands for {n}, that is, {w}).",
                t=text,
                n=number,
                w=number_words(number),
            ),
            wrong=near_numbers(random, number),
            slip="IV is 4 and VI is 6: the order decides.",
        )
    return Problem(
        say(
            random,
            "(Write {n} in Roman numerals.|How would a Roman have written {n}?|What is {n} as a "
            "Roman numeral?)",
            n=number,
        ),
        steps,
        text,
        say(random, "(So {n} is written {t}|The numeral is {t}).", n=number, t=text),
    )


def _roman_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(The Romans wrote numbers with letters|Old clocks, kings and chapters still carry Roman "
        "numerals): I is 1, V is 5, X is 10, L is 50, C is 100, D is 500 and M is 1000. (Letters "
        "side by side are added, unless a smaller one stands before a larger one; then it is "
        "taken away|As a rule we add; only a smaller letter in front of a larger one is "
        "subtracted). (There is no sign for zero and no place value, which makes long sums "
        "hard.|Nobody can multiply with them easily, which is one reason why our digits won.|No "
        "letter is written more than three times in a row, so 4 is IV.)",
    )


TOPICS = (
    taught("numbers/negative numbers", "mathematics", (2, 3), _negative, _negative_lesson),
    taught("numbers/powers", "mathematics", (3, 4), _power, _power_lesson),
    taught("numbers/Roman numerals", "mathematics", (1, 2, 3), _roman, _roman_lesson),
)
