"""Inequalities in one unknown, solved with every step."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import between, chance, pick, say
from phinery.data.synthesis.procedural.numbers.terms import LETTERS, plus, term


def _inequality(random: Random, difficulty: int) -> Problem:
    x = pick(random, LETTERS)
    a, bound = between(random, 2, 9), between(random, -6, 12)
    b = between(random, -15, 15) or 4
    negative = difficulty > 3 and chance(random, 0.6)
    sign = pick(random, ("<", ">"))
    coefficient = -a if negative else a
    right = coefficient * bound + b
    turned = {"<": ">", ">": "<"}[sign] if negative else sign
    steps = [
        say(
            random,
            "({verb} {n} on both sides|First {low} {n} left and right): {t} {s} {v}.",
            verb="Subtract" if b > 0 else "Add",
            low="subtract" if b > 0 else "add",
            n=abs(b),
            t=term(coefficient, x),
            s=sign,
            v=right - b,
        ),
        say(
            random,
            "(Divide by {a}. Dividing by a negative number turns the sign round, because it "
            "mirrors the number line|Dividing by {a} is dividing by a negative number, so the sign "
            "turns round)."
            if negative
            else "(Divide by {a}; the sign keeps its direction, because {a} is positive|Then "
            "divide both sides by {a}, which is positive and leaves the sign alone).",
            a=coefficient,
        ),
    ]
    answer = f"{x} {turned} {bound}"
    return Problem(
        say(
            random,
            "(Solve {e}.|For which {x} is {e} true?|Find all {x} with {e}.)",
            e=f"{term(coefficient, x)}{plus(b)} {sign} {right}",
            x=x,
        ),
        tuple(steps),
        answer,
        say(random, "(So|Therefore) {a}.", a=answer),
        check=say(
            random,
            "Try {x} = {v}: the left side is {l}, and {l} {s} {r} is true.",
            x=x,
            v=bound + (1 if turned == ">" else -1),
            l=coefficient * (bound + (1 if turned == ">" else -1)) + b,
            s=sign,
            r=right,
        ),
        wrong=(
            f"{x} {'<' if turned == '>' else '>'} {bound}",
            f"{x} {turned} {-bound if bound else 1}",
            f"{x} {turned} {bound + 1}",
        ),
        slip="Only multiplying or dividing by a negative number turns the sign round; "
        "adding and subtracting never do.",
    )


def _inequality_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(An inequality has not one solution but a whole stretch of them|Where an equation asks "
        "for equality, an inequality asks for more or less). (We solve it like an equation, by "
        "doing the same on both sides|The steps are those of an equation): adding and subtracting "
        "change nothing about which side is larger, nor does multiplying by a positive number. (A "
        "negative factor turns the sign round|Multiplying by -1 mirrors the number line, so the "
        "order is reversed): 2 < 5, but -2 > -5. (Test the result with one number inside the "
        "stretch and one outside.|On the number line the solution is a ray that begins at the "
        "boundary.|The boundary itself belongs to the solution only if the sign allows equality.)",
    )


TOPICS = (taught("algebra/inequalities", "mathematics", (3, 4), _inequality, _inequality_lesson),)
