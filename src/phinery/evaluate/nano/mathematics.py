"""Mathematics: sums and differences, bare and in stories."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from phinery.data.synthesis.procedural.facts import COLLECTED
from phinery.data.synthesis.procedural.grammar import (
    between,
    grouped,
    people,
    pick,
    plural,
    say,
    several,
)
from phinery.data.synthesis.procedural.numbers.written import sum_prompt
from phinery.evaluate.nano.items import SET, Asked, Item, Writer, crossed, held_out, stream
from phinery.evaluate.nano.mixed import mixed

Answers = Callable[[Random], list[int]]
WRITTEN = 200
"""Sums that a model has to write the answer of."""


def _sizes(random: Random) -> list[int]:
    """Numbers of two, three, four and five digits."""
    return [between(random, 3 * size, 10 * size - 1) for size in (10, 100, 1000, 10_000)]


def _far(random: Random) -> list[int]:
    """Numbers of two digits and of different tens."""
    return [10 * ten + between(random, 0, 9) for ten in several(random, range(1, 10), SET)]


def _near(random: Random) -> list[int]:
    """Numbers of two digits within nine of each other."""
    low = between(random, 20, 90)
    return several(random, range(low, low + 9), SET)


_LEVELS: dict[str, Answers] = {"size": _sizes, "far": _far, "near": _near}


def _operands(random: Random, sign: str, answer: int) -> tuple[int, int]:
    if sign == "+":
        first = between(random, 1, answer - 1)
        return first, answer - first
    second = between(random, 1, answer)
    return answer + second, second


def _bare(sign: str) -> dict[str, Writer]:
    def level(answers: Answers) -> Writer:
        def drawn(random: Random, answer: int) -> tuple[str, str]:
            return sum_prompt(random, sign, *_operands(random, sign, answer)), grouped(answer)

        return lambda random: held_out(
            [lambda answer=answer: drawn(random, answer) for answer in answers(random)]
        )

    return {name: level(answers) for name, answers in _LEVELS.items()}


def _told(random: Random, answer: int) -> tuple[str, str]:
    """Somebody has so many and gets or loses some."""
    sign, change = pick(
        random,
        (
            ("+", "(finds|buys|gets|wins) {b} more"),
            ("-", "(gives {b} away|loses {b}|sells {b})"),
        ),
    )
    have, moved = _operands(random, sign, answer)
    prompt = say(
        random,
        "{p} (has|keeps) {a} {t}(| in a box| in a jar| in a drawer). {^p.he} "
        + change
        + ". How many {t} (are left with {p}|has {p} in the end)?",
        p=people(random, 1)[0],
        a=grouped(have),
        b=grouped(moved),
        t=plural(pick(random, COLLECTED)),
    )
    return prompt, grouped(answer)


def _stories(answers: Answers) -> Writer:
    def write(random: Random) -> list[Asked]:
        return held_out([lambda answer=answer: _told(random, answer) for answer in answers(random)])

    return write


def mixed_mathematics() -> list[Item]:
    """Any questions of mathematics. The teacher's held-out questions."""
    return crossed("mixed_mathematics", {"": mixed("mathematics")})


def addition() -> list[Item]:
    """Sums. The teacher's held-out questions: these numbers in this wording.

    The answers of a set have two to five digits ("size"), two digits and different tens ("far"), or
    are within nine of each other ("near").
    """
    return crossed("addition", _bare("+"))


def subtraction() -> list[Item]:
    """Differences, as sums."""
    return crossed("subtraction", _bare("-"))


def story_sums() -> list[Item]:
    """Somebody has so many, and gets or loses some. Held-out questions in the teacher's manner."""
    return crossed("story_sums", {name: _stories(answers) for name, answers in _LEVELS.items()})


def written_sums() -> list[tuple[str, Asked]]:
    """Sums and differences of one and two digits for a model to answer: id and question.

    The teacher's held-out questions.
    """
    found: list[tuple[str, Asked]] = []
    seen: set[str] = set()
    number = 0
    while len(found) < WRITTEN:
        random = stream("written_sums", number)
        sign = pick(random, "+-")
        most = 9 if number % 2 else 49
        for one in held_out(
            [
                lambda random=random, sign=sign, most=most: _bare_sum(
                    random, sign, between(random, 1, most), between(random, 1, most)
                )
            ]
        ):
            if one.context not in seen:
                seen.add(one.context)
                found.append((f"written_sums/{number}", one))
        number += 1
    return found


def _bare_sum(random: Random, sign: str, first: int, second: int) -> tuple[str, str]:
    large, small = max(first, second), min(first, second)
    answer = first + second if sign == "+" else large - small
    return sum_prompt(random, sign, large, small), grouped(answer)
