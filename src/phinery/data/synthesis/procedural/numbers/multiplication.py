"""Multiplication, with the reason for every step."""

from __future__ import annotations

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
)
from phinery.data.synthesis.procedural.numbers.written import digits_of, sum_prompt


def _multiplication(random: Random, difficulty: int) -> Problem:
    if difficulty == 1:
        a, b = between(random, 2, 12), between(random, 2, 10)
    elif difficulty == 2:
        a, b = between(random, 12, 99), between(random, 3, 9)
    elif difficulty == 3:
        a, b = (
            pick(random, (between(random, 102, 999), between(random, 12, 99))),
            between(random, 3, 40),
        )
    else:
        a, b = between(random, 112, 2999), between(random, 21, 499)
    total = a * b
    steps: list[str] = []
    if difficulty == 1:
        if b == 9 and chance(random, 0.7):
            steps = [
                say(
                    random,
                    "(Nine is one less than ten|Ten is easy, and nine is one less).",
                ),
                f"Ten times {a} is {10 * a}.",
                say(
                    random,
                    "(Take one {a} away|One {a} too many was counted): {x} - {a} = {t}.",
                    a=a,
                    x=10 * a,
                    t=total,
                ),
            ]
        elif b == 5 and chance(random, 0.7):
            steps = [
                say(
                    random,
                    "(Five is half of ten|Ten times is easy, and five times is half as much).",
                ),
                f"Ten times {a} is {10 * a}, and half of that is {total}.",
            ]
        elif b % 2 == 0 and b > 2 and chance(random, 0.7):
            steps = [
                say(
                    random,
                    "{b} is twice {half}, (so|and therefore) we can double.",
                    b=b,
                    half=b // 2,
                ),
                f"{a} × {b // 2} = {a * b // 2}, and twice {a * b // 2} is {total}.",
            ]
        else:
            steps = [
                say(
                    random,
                    "(Multiplying is adding equal groups|Think of {b} groups of {a}|{a} × {b} "
                    "means {a} taken {b} times): {sum} = {t}.",
                    a=a,
                    b=b,
                    sum=" + ".join([str(a)] * b),
                    t=total,
                )
            ]
    elif b < 10:
        parts = [digit * 10**place for place, digit in enumerate(digits_of(a)) if digit][::-1]
        steps.append(
            say(
                random,
                "(Split|Break up|Take apart) {a} into {parts}, (because each part is easy to "
                "multiply|so that every part can be done in the head|for a product of a sum is "
                "the sum of the products).",
                a=a,
                parts=listed([str(part) for part in parts]),
            )
        )
        steps.extend(f"{part} × {b} = {grouped(part * b)}." for part in parts)
        if len(parts) > 1:
            steps.append(
                say(
                    random,
                    "(Add the parts|Together|Now add): {sum} = {t}.",
                    sum=" + ".join(grouped(part * b) for part in parts),
                    t=total,
                )
            )
    elif b % 10 == 9 or b % 10 == 8:
        up = 10 - b % 10
        steps = [
            say(
                random,
                "{b} is {up} less than {r}, (and {r} is easier to multiply with|so multiply by "
                "{r} and take away what is too much).",
                b=b,
                up=up,
                r=b + up,
            ),
            f"{a} × {b + up} = {grouped(a * (b + up))}.",
            say(
                random,
                "(That counts {a} {times} too often|We took {a} {times} too often): {x} - {y} = "
                "{t}.",
                a=a,
                times="once" if up == 1 else "twice",
                x=a * (b + up),
                y=a * up,
                t=total,
            ),
        ]
    else:
        parts = [digit * 10**place for place, digit in enumerate(digits_of(b)) if digit][::-1]
        if len(parts) > 1:
            steps.append(
                say(
                    random,
                    "(Split the second number|Take {b} apart|Break {b} up): {b} = {sum}. (Then "
                    "multiply {a} by each part|Each part is multiplied on its own).",
                    a=a,
                    b=b,
                    sum=" + ".join(str(part) for part in parts),
                )
            )
        for part in parts:
            if part >= 10:
                tens = 10 ** (len(str(part)) - 1)
                steps.append(
                    say(
                        random,
                        "{a} × {p} = {t}, (for|because) {a} × {d} = {x} and the zero{s} of {tens} "
                        "{move}.",
                        a=a,
                        p=part,
                        t=a * part,
                        d=part // tens,
                        x=a * (part // tens),
                        tens=tens,
                        s="" if tens == 10 else "s",
                        move="moves it one place" if tens == 10 else "move it two places",
                    )
                )
            else:
                steps.append(f"{a} × {part} = {grouped(a * part)}.")
        if len(parts) > 1:
            steps.append(
                say(
                    random,
                    "(Add the results|The sum of the parts|Now put them together): {sum} = {t}.",
                    sum=" + ".join(grouped(a * part) for part in parts),
                    t=total,
                )
            )
    checks = [
        f"{grouped(total)} ÷ {b} = {a}, as it should be.",
        f"In the other order, {b} × {a} = {grouped(total)}.",
    ]
    if a > 10:
        last = (a % 10) * (b % 10)
        checks.append(
            say(
                random,
                "(The last digits must fit|Look at the last digits): {x} × {y} = {z}, and {t} "
                "(also |)ends in {d}.",
                x=a % 10,
                y=b % 10,
                z=last,
                t=total,
                d=last % 10,
            )
        )
    return Problem(
        sum_prompt(random, "×", a, b),
        tuple(steps),
        grouped(total),
        say(
            random,
            "(So {a} × {b} = {t}|The product is {t}|Altogether that is {t}|The answer is {t}).",
            a=a,
            b=b,
            t=total,
        ),
        check=pick(random, checks),
        wrong=(
            grouped(total + a),
            grouped(total - a),
            grouped(total + b),
            grouped(total + 10),
            grouped(a + b),
        ),
        slip=pick(
            random,
            (
                "Every part of one number must meet every part of the other.",
                "Multiplying by a number of tens shifts the result by one place; without the zero "
                "it is ten times too small.",
            ),
        )
        if b > 9
        else "Adding and multiplying are different things: three groups of four are not 3 + 4.",
    )


def _multiplication_lesson(random: Random, difficulty: int) -> str:
    rows, columns = between(random, 3, 9), between(random, 3, 9)
    thing = pick(random, ("tile", "chair", "stamp", "cabbage", "window", "egg", "stone", "button"))
    return say(
        random,
        "(Multiplication counts equal groups|When groups are equal, we can multiply in place of "
        "adding again and again|To multiply is to add the same number many times, only faster). "
        "(Picture|Imagine|Lay out) {r} rows of {c} {things}. (Counting row by row|By rows), we "
        "have {r} × {c} = {t}; (turn your head, and|seen from the side,) there are {c} rows of "
        "{r}: {c} × {r} = {t}. (The number of {things} cannot depend on where we stand, so the "
        "order of a product does not matter.|This is why the order does not matter.) (To multiply "
        "a large number, split it|A hard product is made of easy ones: take the number apart) "
        "into its (tens and ones|places), and multiply each part; (the picture shows why|it is as "
        "if the field were cut by a fence into smaller fields|no row is lost and none is counted "
        "twice).",
        r=rows,
        c=columns,
        t=rows * columns,
        things=plural(thing),
    )


TOPICS = (
    taught(
        "arithmetic/multiplication",
        "mathematics",
        (1, 2, 3, 4),
        _multiplication,
        _multiplication_lesson,
    ),
)
