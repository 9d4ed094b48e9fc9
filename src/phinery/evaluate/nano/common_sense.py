"""Common sense: what follows from what is done to a thing, why, and what things are like."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.grammar import (
    capitalized,
    listed,
    pick,
    several,
    shuffled,
    with_article,
)
from phinery.data.synthesis.procedural.living.cause import Case
from phinery.data.synthesis.procedural.living.laws import LAWS, Law
from phinery.data.synthesis.procedural.living.things import (
    OBJECTS,
    PROPERTIES,
    UNUSUAL,
    Object,
    material_is,
)
from phinery.data.synthesis.procedural.wording import vary
from phinery.evaluate.nano.items import SET, Asked, Draw, Item, crossed, held_out
from phinery.evaluate.nano.mixed import mixed

_PLAIN = tuple(thing for thing in OBJECTS if thing.noun not in UNUSUAL)
_WHAT = (
    "What happened?", "What came of it?", "What happened next?", "What was the result?",
    "What do you think happened?", "What followed?",
)  # fmt: skip
_WHY = (
    "Why?", "Why did that happen?", "Why was that?", "What is the reason?",
    "How can we explain it?",
)  # fmt: skip


def _effect(random: Random, law: Law) -> Draw:
    def draw() -> tuple[str, str]:
        told = Case(random, law)
        return f"{told.setup} {pick(random, _WHAT)}", told.effect

    return draw


def _reason(random: Random, law: Law) -> Draw:
    def draw() -> tuple[str, str]:
        told = Case(random, law)
        return (
            f"{told.setup} {capitalized(told.effect)}. {pick(random, _WHY)}",
            f"because {told.reason}",
        )

    return draw


def _laws(random: Random) -> list[Law]:
    """Four laws with different reasons and effects."""
    while True:
        laws = several(random, LAWS, SET)
        if len({law.reason for law in laws}) == len({law.effect for law in laws}) == SET:
            return laws


def _effects(random: Random) -> list[Asked]:
    return held_out([_effect(random, law) for law in _laws(random)])


def _reasons(random: Random) -> list[Asked]:
    return held_out([_reason(random, law) for law in _laws(random)])


def _told_apart(random: Random) -> tuple[list[str], list[Object]]:
    """Four properties and four things, each of which has one of the properties and no other."""
    while True:
        wanted = several(random, PROPERTIES, SET)
        things: list[Object] = []
        for own in wanted:
            fit = [
                thing
                for thing in _PLAIN
                if all(material_is(thing.material, p.name) is (p is own) for p in wanted)
            ]
            if not fit:
                break
            things.append(pick(random, fit))
        if len(things) == SET:
            return [p.ask for p in wanted], things


def _materials(random: Random) -> list[Asked]:
    asks, things = _told_apart(random)

    def draw(ask: str, thing: Object) -> tuple[str, str]:
        shown = listed([with_article(other.noun) for other in shuffled(random, things)])
        prompt = vary(
            random,
            "(here are|on the table lie|in a box are|you have|look at) {shown}. (which one|which "
            "of them|which of these things) {ask}?",
            shown=shown,
            ask=ask,
        )
        return prompt, f"the {thing.noun}"

    return held_out(
        [
            lambda ask=ask, thing=thing: draw(ask, thing)
            for ask, thing in zip(asks, things, strict=True)
        ]
    )


def mixed_common_sense() -> list[Item]:
    """Any questions of common sense. The teacher's held-out questions."""
    return crossed("mixed_common_sense", {"": mixed("common sense")})


def effects() -> list[Item]:
    """What comes of something that was done. Held-out questions; the rules are taught."""
    return crossed("effects", {"": _effects})


def reasons() -> list[Item]:
    """Why something came of it. Held-out questions; the reasons are taught."""
    return crossed("reasons", {"": _reasons})


def materials() -> list[Item]:
    """Which of four things floats, burns, rusts. Held-out questions about four things.

    What a thing is made of and what that means are taught. Each of the four is right for another
    property, so that no thing is a better guess.
    """
    return crossed("materials", {"": _materials})
