"""Reasoning: sequences of numbers, comparisons, and where somebody is at the end."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, pairwise
from random import Random

from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    ordinal_words,
    people,
    pick,
    say,
    several,
    shuffled,
)
from phinery.data.synthesis.procedural.puzzles.ordering import SCALES
from phinery.data.synthesis.procedural.reading.tracking import ROOMS
from phinery.evaluate.nano.items import SET, Asked, Item, Writer, asked, crossed, held_out
from phinery.evaluate.nano.mixed import mixed


def _sequence(random: Random, answer: int, grows: bool) -> tuple[str, str]:
    """A sequence that goes on with `answer`: by equal steps, or by steps that grow equally."""
    while True:
        length = between(random, 4, 6)
        step, more = between(random, 2, 12), between(random, 1, 3) if grows else 0
        steps = [step + more * place for place in range(length)]
        if sum(steps) < answer:
            break
    *terms, _ = accumulate(steps, initial=answer - sum(steps))
    prompt = say(
        random,
        "(What comes next: {t}, ...?|Find the next number: {t}, ...|Continue the pattern {t}, ... "
        "by one number.|Which number follows in the sequence {t}, ...?|A sequence begins {t}. What "
        "is the next term?)",
        t=", ".join(map(str, terms)),
    )
    return prompt, str(answer)


def _far(random: Random) -> list[int]:
    return [10 * ten + between(random, 0, 9) for ten in several(random, range(4, 20), SET)]


def _near(random: Random) -> list[int]:
    low = pick(random, (between(random, 50, 91), between(random, 100, 190)))
    return several(random, range(low, low + 9), SET)


def _sequences(answers: Callable[[Random], list[int]], *, grows: bool = False) -> Writer:
    def write(random: Random) -> list[Asked]:
        return held_out(
            [lambda answer=answer: _sequence(random, answer, grows) for answer in answers(random)]
        )

    return write


def _chain(*, shuffle: bool) -> Writer:
    def write(random: Random) -> list[Asked]:
        names = [person.name for person in people(random, SET)]
        more, less, most, least = pick(random, SCALES)
        facts = [
            f"{low} is {less} than {high}."
            if shuffle and chance(random, 0.5)
            else f"{high} is {more} than {low}."
            for high, low in pairwise(names)
        ]
        told = " ".join(shuffled(random, facts) if shuffle else facts)
        asks = (
            f"Who is the {most}?",
            *(
                f"Who comes in {ordinal_words(place)} place, counted from the {most}?"
                for place in range(2, SET)
            ),
            f"Who is the {least}?",
        )
        return [asked(f"{told} {ask}", name) for ask, name in zip(asks, names, strict=True)]

    return write


def _whereabouts(moves: int) -> Writer:
    def write(random: Random) -> list[Asked]:
        cast = people(random, SET)
        rooms = several(random, ROOMS, SET * moves)
        story = [
            say(
                random,
                "{p} (went|walked|ran|hurried) to the {room}.",
                p=person,
                room=rooms[SET * turn + place],
            )
            for turn in range(moves)
            for place, person in shuffled(random, list(enumerate(cast)))
        ]
        return [
            Asked(
                f"{' '.join(story)}\n\nWhere is {person} at the end?\nAnswer:",
                f" In the {room}.",
            )
            for person, room in zip(cast, rooms[-SET:], strict=True)
        ]

    return write


def mixed_reasoning() -> list[Item]:
    """Any questions of reasoning. The teacher's held-out questions."""
    return crossed("mixed_reasoning", {"": mixed("reasoning")})


def sequences() -> list[Item]:
    """Which number comes next. The teacher's held-out wordings of held-out sequences.

    The answers of a set are of different tens ("far") or within nine of each other; the steps are
    equal, or grow.
    """
    return crossed(
        "sequences",
        {
            "far": _sequences(_far),
            "near": _sequences(_near),
            "growing": _sequences(_near, grows=True),
        },
    )


def comparisons() -> list[Item]:
    """Four people and three comparisons: who is first, second, third, last. Composed anew.

    The comparisons are told in order and the same way round, or mixed.
    """
    return crossed(
        "comparisons", {"in order": _chain(shuffle=False), "mixed": _chain(shuffle=True)}
    )


def whereabouts() -> list[Item]:
    """Four people go to rooms, once or twice; where each of them is at the end. Composed anew."""
    return crossed("whereabouts", {"one move": _whereabouts(1), "two moves": _whereabouts(2)})
