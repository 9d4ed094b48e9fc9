"""Divisibility, common divisors and common multiples."""

from __future__ import annotations

from math import gcd
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    grouped,
    listed,
    pick,
    plural,
    say,
    shuffled,
)


def _gcd(random: Random, difficulty: int) -> Problem:
    common = between(random, 2, 6 * (difficulty - 1))
    x, y = between(random, 2, 5 * (difficulty - 1)), between(random, 2, 5 * (difficulty - 1))
    while gcd(x, y) != 1 or x == y:
        x, y = between(random, 2, 6 * difficulty), between(random, 2, 6 * difficulty)
    a, b = max(x, y) * common, min(x, y) * common
    steps: list[str] = []
    if difficulty >= 3:
        steps.append(
            say(
                random,
                "(Euclid's way: whatever divides both numbers also divides what is left after a "
                "division|Use Euclid's method. A common divisor of both numbers divides the "
                "remainder too, so we can go on with smaller numbers).",
            )
        )
        m, n = a, b
        while n:
            steps.append(f"{m} = {m // n} × {n} + {m % n}.")
            m, n = n, m % n
        steps.append(
            say(
                random,
                "(The remainder is 0, so the last divisor, {m}, is the answer|When nothing is "
                "left, {m} divides all the lines above).",
                m=m,
            )
        )
    else:
        da = [d for d in range(1, a + 1) if a % d == 0]
        db = [d for d in range(1, b + 1) if b % d == 0]
        both = [d for d in da if d in db]
        steps = [
            f"The divisors of {a} are {listed([str(d) for d in da])}.",
            f"The divisors of {b} are {listed([str(d) for d in db])}.",
            say(
                random,
                "(In both lists|They share|Common to both): {d}.",
                d=listed([str(d) for d in both]),
            ),
        ]
    things = shuffled(
        random,
        ("rose", "tulip", "pencil", "card", "apple", "pear", "marble", "badge", "shell", "biscuit"),
    )[:2]
    prompt = say(
        random,
        "(What is the greatest common divisor of {a} and {b}?|Find the largest number that "
        "divides both {a} and {b}.|Which is the greatest number that goes evenly into {a} and "
        "into {b}?|Somebody has {a} {x} and {b} {y} and wants to make as many equal "
        "(bundles|packets|sets) as possible with nothing left over. How many can be made?)",
        a=a,
        b=b,
        x=plural(things[0]),
        y=plural(things[1]),
    )
    return Problem(
        prompt,
        tuple(steps),
        str(common),
        say(
            random,
            "(So the greatest common divisor is {c}|The largest is {c}|The answer is {c}).",
            c=common,
        ),
        check=f"{a} ÷ {common} = {a // common} and {b} ÷ {common} = {b // common}, and "
        f"these have no common divisor but 1.",
        wrong=(str(common * 2), str(a * b // common), str(1 if common > 1 else 2), str(common + 1)),
        slip="The greatest common divisor is never larger than the smaller number; the "
        "least common multiple is never smaller than the larger one.",
    )


def _lcm(random: Random, difficulty: int) -> Problem:
    a, b = between(random, 3, 6 * (difficulty - 1)), between(random, 3, 6 * (difficulty - 1))
    while a == b:
        b = between(random, 3, 8 * difficulty)
    a, b = min(a, b), max(a, b)
    multiple = a * b // gcd(a, b)
    if multiple // b <= 9:
        listing = [str(b * k) for k in range(1, multiple // b + 1)]
        steps = (
            say(
                random,
                "(Go through the multiples of the larger number, {b}|List the multiples of {b}, "
                "because there are fewer of them): {l}.",
                b=b,
                l=", ".join(listing),
            ),
            say(
                random,
                "(Stop at the first that {a} divides|The first of these in the table of {a} "
                "counts): {m} ÷ {a} = {q}.",
                a=a,
                m=multiple,
                q=multiple // a,
            ),
        )
    else:
        steps = (
            say(
                random,
                "(The product {a} × {b} = {p} is a common multiple|One common multiple is {a} × "
                "{b} = {p}), but it may not be the least.",
                a=a,
                b=b,
                p=a * b,
            ),
            say(
                random,
                "(Divide by what the two have in common|The shared part was counted twice); their "
                "greatest common divisor is {g}: {p} ÷ {g} = {m}.",
                g=gcd(a, b),
                p=a * b,
                m=multiple,
            ),
        )
    lamp = pick(
        random,
        (
            "lamps flash",
            "buses leave the station",
            "bells ring",
            "sprinklers start",
            "signals sound",
        ),
    )
    prompt = say(
        random,
        "(What is the least common multiple of {a} and {b}?|Find the smallest number that both "
        "{a} and {b} divide.|Two {lamp} together. One does so again every {a} minutes, the other "
        "every {b} minutes. After how many minutes does it next happen together?)",
        a=a,
        b=b,
        lamp=lamp,
    )
    return Problem(
        prompt,
        steps,
        str(multiple),
        say(
            random, "(So it is {m}|The least common multiple is {m}|The answer is {m}).", m=multiple
        ),
        wrong=(
            str(a * b) if a * b != multiple else str(a + b),
            str(multiple * 2),
            str(gcd(a, b)),
            str(multiple + a),
        ),
        check=f"{multiple} = {multiple // a} × {a} and {multiple} = {multiple // b} × {b}.",
        slip="The product is always a common multiple, but it is the least one only when "
        "the numbers share no divisor.",
    )


def _common_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Two numbers can share divisors and multiples|Between two numbers there are bridges in "
        "both directions). (A common divisor goes evenly into both; a common multiple is a number "
        "that both go into|Going down we find common divisors, going up common multiples). (The "
        "greatest common divisor tells how to cut two lengths into equal pieces without waste|We "
        "use the greatest common divisor to simplify a fraction or to pack things evenly), "
        "(while|and) the least common multiple (tells when two rhythms meet again|gives the "
        "common denominator of two fractions). (For any two numbers the product of the two equals "
        "the product of the numbers themselves: for 4 and 6, 2 × 12 = 24 and 4 × 6 = 24.|When two "
        "numbers share no divisor but 1 we call them coprime; 8 and 15 are an example.)",
    )


def _divisible(random: Random, difficulty: int) -> Problem:
    divisor = pick(random, (3, 9, 4, 6, 11) if difficulty > 2 else (2, 3, 5, 9, 10))
    number = between(random, 10**difficulty, 10 ** (difficulty + 1) * 3)
    if chance(random, 0.5):
        number = number // divisor * divisor
    digits = [int(digit) for digit in str(number)]
    total = sum(digits)
    fits = number % divisor == 0
    summed = " + ".join(str(digit) for digit in digits)
    word = "a multiple" if total % 3 == 0 else "no multiple"
    reasons = {
        2: f"Only the last digit decides, because all tens are even; it is {digits[-1]}, "
        f"which is {'even' if fits else 'odd'}.",
        5: f"Only the last digit decides, because ten is a multiple of 5; it is {digits[-1]}.",
        10: f"A multiple of ten ends in 0; this number ends in {digits[-1]}.",
        4: f"A hundred is a multiple of 4, so only the last two digits matter: "
        f"{number % 100} = {number % 100 // 4} × 4 + {number % 4}.",
        3: f"Ten, a hundred and so on leave the remainder 1 when divided by 3, so add "
        f"the digits: {summed} = {total}, {word} of 3.",
        9: f"Ten, a hundred and so on leave the remainder 1 when divided by 9, so add "
        f"the digits: {summed} = {total}, "
        f"{'a multiple' if total % 9 == 0 else 'no multiple'} of 9.",
        6: f"It must be even and divisible by 3. The last digit, {digits[-1]}, is "
        f"{'even' if number % 2 == 0 else 'odd'}; the digits give"
        f" {summed} = {total}, {word} of 3.",
    }
    if divisor == 11:
        alternating = sum(digit * (-1) ** place for place, digit in enumerate(reversed(digits)))
        signs = str(digits[-1]) + "".join(
            f" {'-' if place % 2 else '+'} {digit}"
            for place, digit in enumerate(reversed(digits[:-1]), 1)
        )
        reason = (
            f"For 11, take the digits from the right and add and subtract them in turn: {signs} = "
            f"{alternating}, {'a multiple' if fits else 'no multiple'} of 11."
        )
    else:
        reason = reasons[divisor]
    return Problem(
        say(
            random,
            "(Is {n} divisible by {d}?|Does {d} divide {n} without remainder?|Can {n} {things} be "
            "shared equally among {d} people?|Without dividing, decide whether {n} is a multiple "
            "of {d}.)",
            n=number,
            d=divisor,
            things=pick(
                random, ("coins", "marbles", "sweets", "sheets of paper", "tickets", "nails")
            ),
        ),
        (reason,),
        "yes" if fits else "no",
        say(
            random,
            "(So {n} is divisible by {d}|Yes, {d} divides {n})."
            if fits
            else "(So {n} is not divisible by {d}|No, there is a remainder).",
            n=number,
            d=divisor,
        ),
        check=f"{grouped(number)} = {grouped(number // divisor)} × {divisor} + {number % divisor}.",
        wrong=("yes", "no"),
        slip="The sum of the digits works for 3 and 9; it says nothing about 4 or 7.",
    )


def _divisible_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(One can often see whether a division comes out even without doing it|There are "
        "shortcuts that tell whether a number can be divided). (For 2, 5 and 10 look at the last "
        "digit|The last digit is enough for 2, 5 and 10), (because the tens before it are "
        "multiples of them|since ten is 2 × 5). (For 4 the last two digits are needed, because "
        "100 is a multiple of 4 but 10 is not|With 4 we need two digits: 100 = 25 × 4). (For 3 "
        "and 9, add the digits. The reason: 10 = 9 + 1, 100 = 99 + 1 and so on, so each digit "
        "leaves itself as a remainder|3 and 9 are tested by the sum of the digits, for every "
        "power of ten is one more than a multiple of 9).",
    )


TOPICS = (
    taught("numbers/greatest common divisors", "mathematics", (2, 3, 4), _gcd, _common_lesson),
    taught("numbers/least common multiples", "mathematics", (2, 3, 4), _lcm, _common_lesson),
    taught("numbers/divisibility", "mathematics", (2, 3), _divisible, _divisible_lesson),
)
