"""Items of the nano suite: crossed sets, in which no answer is better than another by itself.

A set is four contexts and four answers; each answer is right for one of the contexts and wrong for
the others. So whatever prefers an answer for its own sake (its length, how common its words are,
its place in a list) is right exactly once in each set: chance, and no better.

What is held out: the teacher keeps 2% of all questions, by a keyed hash of their letters, out of
its training text, whatever the seed (docs/data/synthesis.md). Where few questions are possible
(sums, sequences, everyday facts), only such questions are asked. What a fact table or a rule says
is taught, in other words or with other numbers; the question isn't. Where the possible contexts
are too many ever to meet again (stories about four people, notices, programs), they are composed
anew. Tests look for every item in as much training text as the recipe makes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from random import Random

from phinery.data.synthesis.procedural.writer import generator, is_held_out

SET = 4
"""Contexts, and so answers, of a set."""
ITEMS = 300
"""At least so many items a task: a 95% interval of about 0.05 to either side."""


@dataclasses.dataclass(frozen=True)
class Item:
    """A context, and the answers of its set."""

    id: str
    context: str
    choices: tuple[str, ...]
    """With the space before them, if the context leaves it to them; all different."""
    right: int
    """Which of `choices` belongs to this context."""
    set: str
    """The items of a set stand together, and are drawn together when resampling."""
    level: str
    """A kind of item, by how hard it is or by what it takes; empty when there is one kind."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """A context with its right answer."""

    context: str
    answer: str


def asked(prompt: str, answer: str) -> Asked:
    """A question in one of the forms in which the teacher asks and answers."""
    return Asked(f"Question: {prompt}\nAnswer:", f" {answer[0].upper()}{answer[1:]}.")


Draw = Callable[[], tuple[str, str]]
"""Draws a question and its answer."""
Writer = Callable[[Random], Sequence[Asked]]
"""Writes a set, or nothing when it has to begin anew."""
_DRAWS = 600
"""How often a question is drawn before its set begins anew; one in fifty is held out."""


def stream(task: str, number: int) -> Random:
    """The random numbers of a set.

    No training document has them: theirs are named after "document" and a seed.
    """
    return generator("nano suite", task, number)


def crossed(task: str, levels: Mapping[str, Writer]) -> list[Item]:
    """At least `ITEMS` items in sets, as many of each level: a function of its arguments alone.

    No context comes twice.
    """
    items: list[Item] = []
    seen: set[str] = set()
    names = tuple(levels)
    number = 0
    while len(items) < ITEMS or number % len(names):
        level = names[number % len(names)]
        random = stream(task, number)
        written: Sequence[Asked] = ()
        while not written or any(one.context in seen for one in written):
            written = levels[level](random)
        seen.update(one.context for one in written)
        choices = tuple(one.answer for one in written)
        assert len(set(choices)) == len(choices) == SET
        items += [
            Item(f"{task}/{number}/{place}", one.context, choices, place, str(number), level)
            for place, one in enumerate(written)
        ]
        number += 1
    return items


def held_out(draws: Sequence[Draw]) -> list[Asked]:
    """The first question of each draw that the teacher keeps out of its training text.

    Nothing when there seems to be none, or when two have the same answer.
    """
    found: list[Asked] = []
    for draw in draws:
        for _ in range(_DRAWS):
            prompt, answer = draw()
            if is_held_out(prompt):
                found.append(asked(prompt, answer))
                break
        else:
            return []
    return found if len({one.answer for one in found}) == len(found) else []
