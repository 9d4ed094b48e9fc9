"""Division with remainder, and the order of operations."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    number_words,
    say,
)
from phinery.data.synthesis.procedural.numbers.written import sum_prompt


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number) or f"{number_words(number)} times"


def division_steps(random: Random, a: int, b: int) -> list[str]:
    """The digits of a written division, from the left on."""
    steps: list[str] = []
    rest = 0
    started = False
    for place, digit in enumerate(str(a)):
        rest = rest * 10 + int(digit)
        if rest < b and not started:
            continue
        times = rest // b
        left = rest - times * b
        if not started:
            lead = (
                "(Begin with {rest}|Take {rest} first|Look at {rest} first), the "
                "(shortest|smallest) (beginning|front part) of {a} that is at least {b}. "
                if place
                else "(Begin with the first digit, {rest}|The first digit is {rest}). "
            )
        elif rest == 0:
            steps.append(
                say(
                    random,
                    "(Bring down the 0. Nothing is there to share, so write 0|The next digit is "
                    "0, so 0 follows).",
                )
            )
            continue
        else:
            lead = (
                "(Bring down the {digit}, which makes {rest}|With the next digit we have "
                "{rest}|Now there is {rest}). "
            )
        started = True
        tail = (
            "{b} does not fit into {rest}, so write 0(. The zero must not be left out|, for the "
            "place must be kept|)."
            if times == 0
            else "{b} goes into {rest} {word}, (since|because|for) {times} × {b} = "
            "{product}(, and|;) {rest} - {product} ="
            " {left}."
        )
        steps.append(
            say(
                random,
                lead + tail,
                rest=rest,
                a=a,
                b=b,
                digit=digit,
                times=times,
                product=times * b,
                left=left,
                word=_times(times),
            )
        )
        rest = left
    return steps


def _division(random: Random, difficulty: int) -> Problem:
    if difficulty == 1:
        b, quotient, rest = between(random, 2, 10), between(random, 2, 10), 0
    elif difficulty == 2:
        b, quotient, rest = between(random, 3, 9), between(random, 11, 60), 0
    else:
        b = between(random, 3, 9) if difficulty == 3 else between(random, 11, 38)
        quotient = between(random, 32, 899)
        rest = between(random, 0, b - 1)
    a = b * quotient + rest
    if difficulty == 1:
        steps = [
            say(
                random,
                "(Division undoes multiplication|To divide is to ask: what times {b} makes "
                "{a}?|How many groups of {b} are in {a}? Use the times table).",
                a=a,
                b=b,
            ),
            say(random, "(From the table|We know that) {q} × {b} = {a}.", q=quotient, a=a, b=b),
        ]
    elif difficulty == 2 and chance(random, 0.6):
        tens = quotient // 10 * 10
        steps = [
            say(
                random,
                "(Look for a round multiple|Take out a large piece first|Ten groups are easy to "
                "see): {tens} × {b} = {x}.",
                tens=tens,
                b=b,
                x=tens * b,
            ),
        ]
        if a > tens * b:
            steps += [
                f"That leaves {a} - {tens * b} = {a - tens * b}.",
                say(
                    random,
                    "{b} goes into {x} (exactly |){t}.",
                    b=b,
                    x=a - tens * b,
                    t=_times(quotient - tens),
                ),
                f"Together {tens} + {quotient - tens} = {quotient}.",
            ]
    else:
        steps = division_steps(random, a, b)
    if rest or difficulty >= 3:
        prompt = say(
            random,
            "(Divide {a} by {b} and give the remainder.|What are the quotient and the remainder "
            "of {a} ÷ {b}?|How many times does {b} go into {a}, and what is left over?|Work out "
            "{a} ÷ {b} with remainder.|{a} (eggs|tiles|cards|bricks|letters|beads) are packed in "
            "(boxes|bundles|stacks) of {b}. How many full ones are there, and how many are left "
            "over?)",
            a=a,
            b=b,
        )
        answer = f"{quotient} remainder {rest}"
        conclusion = say(
            random,
            "(So {a} divided by {b} is {q} remainder {r}|The quotient is {q} and the remainder "
            "{r}|{b} goes into {a} {q} times, with {r} left over).",
            a=a,
            b=b,
            q=quotient,
            r=rest,
        )
        wrong = (
            f"{quotient + 1} remainder {rest}",
            f"{quotient} remainder {(rest + 1) % b}",
            f"{quotient - 1} remainder {rest}",
            f"{quotient * 10} remainder {rest}",
        )
        check = f"{quotient} × {b} + {rest} = {a}."
        slip = say(
            random,
            "The remainder must be smaller than the divisor; (here|so here) it must be below {b}.",
            b=b,
        )
    else:
        prompt = sum_prompt(random, "÷", a, b)
        answer = str(quotient)
        conclusion = say(
            random,
            "(So {a} ÷ {b} = {q}|The quotient is {q}|The answer is {q}).",
            a=a,
            b=b,
            q=quotient,
        )
        wrong = (str(quotient + 1), str(quotient - 1), str(quotient + 10), str(a - b))
        check = say(random, "(Multiply back|Going back): {q} × {b} = {a}.", a=a, b=b, q=quotient)
        slip = "Do not swap the two numbers: 12 ÷ 3 and 3 ÷ 12 are different questions."
    return Problem(prompt, tuple(steps), answer, conclusion, check, wrong, slip)


def _division_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Dividing can mean sharing or measuring|There are two stories behind every division|A "
        "division asks one of two things). (In sharing|If we share), we know (how many get "
        "something|the number of groups) and look for the size of each share. (In measuring|If we "
        "measure), we know the size of a (group|share) and look for how many there are. (Both are "
        "answered by the same multiplication table, read backwards.|The numbers come out the "
        "same.) For (long numbers|large numbers) we (go from the left|start at the left), "
        "(sharing the largest places first|because the large parts are shared first), and "
        "(whatever is left is changed into the next smaller place|pass what is left to the next "
        "place, where it counts ten times as many). (If something is left at the very end, it is "
        "the remainder.|What cannot be shared at the end is called the remainder.|The remainder "
        "is always smaller than the divisor: otherwise one more could be shared.)",
    )


def _order(random: Random, difficulty: int) -> Problem:
    a, b, c = between(random, 2, 12), between(random, 2, 9), between(random, 2, 9)
    d = between(random, 1, 20)
    steps: list[str]
    if difficulty == 2:
        if chance(random, 0.5):
            expression, value, wrong = f"{d} + {a} × {b}", d + a * b, (d + a) * b
            first, second = f"{a} × {b} = {a * b}", f"{d} + {a * b} = {value}"
        else:
            e = a * b + d
            expression, value, wrong = f"{e} - {a} × {b}", d, (e - a) * b
            first, second = f"{a} × {b} = {a * b}", f"{e} - {a * b} = {d}"
        steps = [
            say(
                random,
                "(Multiplication comes before addition and subtraction|The product binds its "
                "numbers more tightly than plus or minus|There are no brackets, and products come "
                "first)(: {first}|, so begin with {first}|, which gives {first}).",
                first=first,
            ),
            say(random, "(What is left is|Then|Now the rest): {second}.", second=second),
        ]
    elif difficulty == 3:
        expression, value, wrong = f"({a} + {b}) × {c} - {d}", (a + b) * c - d, a + b * c - d
        steps = [
            say(
                random,
                "(Brackets first|What stands in brackets is done first): {a} + {b} = {x}.",
                a=a,
                b=b,
                x=a + b,
            ),
            say(
                random,
                "(Next comes the product|Multiply before you subtract): {x} × {c} = {y}.",
                x=a + b,
                c=c,
                y=(a + b) * c,
            ),
            say(random, "(Last|Then) subtract: {y} - {d} = {z}.", y=(a + b) * c, d=d, z=value),
        ]
    else:
        e = between(random, 2, 6)
        expression = f"{d} + {a} × ({b} + {c}) - {e * b} ÷ {b}"
        value = d + a * (b + c) - e
        wrong = (d + a) * (b + c) - e
        steps = [
            say(
                random,
                "(Start inside the brackets|The brackets come first): {b} + {c} = {x}.",
                b=b,
                c=c,
                x=b + c,
            ),
            say(
                random,
                "(Multiplication and division come next, before plus and minus|Now everything "
                "with × or ÷): {a} × {x} = {y} and {f} ÷ {b} = {e}.",
                a=a,
                x=b + c,
                y=a * (b + c),
                f=e * b,
                b=b,
                e=e,
            ),
            say(
                random,
                "(What remains is read from left to right|Plus and minus are done last, from the "
                "left): {d} + {y} = {s}, then {s} - {e} = {v}.",
                d=d,
                y=a * (b + c),
                s=d + a * (b + c),
                e=e,
                v=value,
            ),
        ]
    prompt = say(
        random,
        "(Work out {e}.|What is the value of {e}?|Calculate {e}.|In which order is {e} worked "
        "out, and what is the result?|Find the value of this expression: {e}.|How much is {e}?)",
        e=expression,
    )
    return Problem(
        prompt,
        tuple(steps),
        str(value),
        say(random, "(So|Therefore|We find that) {e} = {v}.", e=expression, v=value),
        wrong=(str(wrong), str(value + b), str(value - 1), str(value + d)),
        slip=say(
            random,
            "Working (straight|simply|blindly) from left to right would give (another|a wrong) "
            "result; the order of operations (is not the order of reading|counts, not the order "
            "of reading).",
        ),
    )


def _order_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(An expression such as 2 + 3 × 4 would be unclear without a rule|If two people read 2 + "
        "3 × 4 in different ways, they get different numbers|Mathematicians agreed on an order, "
        "so that one line means the same to everybody). (The rule|The agreement|What they agreed "
        "on) is: brackets first, then powers, then multiplication and division, and last addition "
        "and subtraction; (equal ranks go from left to right|within one rank, from the left). "
        "(Why should × come before +? Because 3 × 4 is short for 4 + 4 + 4, a single amount, and "
        "2 + 3 × 4 then means 2 + 4 + 4 + 4 = 14.|The reason is simple: 3 × 4 stands for three "
        "fours, and it would be odd to break up a group before it is counted.) (Whoever wants "
        "another order writes brackets: (2 + 3) × 4 = 20.|Brackets are there for the cases where "
        "something else is meant.)",
    )


TOPICS = (
    taught("arithmetic/division", "mathematics", (1, 2, 3, 4), _division, _division_lesson),
    taught("arithmetic/order of operations", "mathematics", (2, 3, 4), _order, _order_lesson),
)
