"""Language understanding: which word fits, what a notice says, what kind of word a word is."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.grammar import (
    PEOPLE,
    capitalized,
    pick,
    plural,
    several,
    shuffled,
)
from phinery.data.synthesis.procedural.reading.notices import Plan, plan
from phinery.data.synthesis.procedural.wording import vary
from phinery.data.synthesis.procedural.words.lessons import parsed_sentence
from phinery.data.synthesis.procedural.words.lexicon import ACTORS, VERBS
from phinery.evaluate.nano.items import SET, Asked, Item, asked, crossed
from phinery.evaluate.nano.mixed import mixed

_KINDS = ("noun", "verb", "adjective", "adverb")
_HERS = tuple(person.name for person in PEOPLE if person.he == "she")
_HIS = tuple(person.name for person in PEOPLE if person.he == "he")


def _verb_forms(random: Random) -> list[Asked]:
    """A verb after "can", "yesterday", "has", "every day"."""
    verb, past, participle = pick(
        random, [row for row in VERBS if len(set(row)) == len(row) and row[0][-1] not in "oshy"]
    )
    name = pick(random, PEOPLE).name
    return [
        Asked(f"{pick(random, ('Today', 'Tomorrow', 'Now'))} {name} can", f" {verb}"),
        Asked(f"{pick(random, ('Yesterday', 'Last week', 'Long ago'))} {name}", f" {past}"),
        Asked(f"{name} has {pick(random, ('already', 'never', 'often'))}", f" {participle}"),
        Asked(f"Every {pick(random, ('day', 'week', 'morning', 'year'))} {name}", f" {verb}s"),
    ]


def _possessives(random: Random) -> list[Asked]:
    """Whose something is, by who acts."""
    ends = {
        pick(random, _HERS): " her",
        pick(random, _HIS): " his",
        f"the {plural(pick(random, ACTORS))}": " their",
        "I": " my",
    }
    when = pick(
        random,
        ("Yesterday", "Today", "Last week", "Then", "In the morning", "In the evening", "Later"),
    )
    does = pick(
        random,
        (
            *("lost", "forgot", "washed", "looked for", "picked up", "came back with", "took out"),
            *("put down", "opened", "held up", "cleaned", "searched", "closed", "found"),
        ),
    )
    return [Asked(f"{when} {subject} {does}", end) for subject, end in ends.items()]


def _notice(random: Random, event: Plan) -> str:
    """A notice in sentences of the teacher's notices."""
    opening = vary(
        random,
        "(the {e.town} {e.what} takes place at the {e.place}|{e.town} invites you to its {e.what} "
        "at the {e.place}|at the {e.place} in {e.town} there will (soon|again|) be a {e.what}).",
        e=event,
    )
    rest = [
        vary(
            random,
            "(because {e.reason}, it has been moved from {e.old_day} to {e.day}|it was planned for "
            "{e.old_day}, but since {e.reason}, it will be on {e.day}|the new day is {e.day} "
            "instead of {e.old_day}, because {e.reason}).",
            e=event,
        ),
        vary(random, "(visitors|guests|those who come) can {e.to_do}.", e=event),
        vary(
            random,
            "(please bring|visitors should bring|do not forget to bring) {e.bring}.",
            e=event,
        ),
    ]
    return " ".join([opening, *shuffled(random, rest)])


def _plans(random: Random) -> list[Plan]:
    """Events that differ in all that is asked."""
    while True:
        events = [plan(random) for _ in range(SET)]
        asks = ([(e.what, e.reason) for e in events], [e.bring for e in events])
        if all(len(set(column)) == SET for column in (*zip(*asks[0], strict=True), asks[1])):
            return events


def _bring(random: Random) -> list[Asked]:
    return [
        Asked(
            f"{_notice(random, event)}\n\nWhat should visitors bring?\nAnswer:",
            f" {capitalized(event.bring)}.",
        )
        for event in _plans(random)
    ]


def _why_moved(random: Random) -> list[Asked]:
    return [
        Asked(
            f"{_notice(random, event)}\n\nWhy was the {event.what} moved?\nAnswer:",
            f" Because {event.reason}.",
        )
        for event in _plans(random)
    ]


def _word_kinds(random: Random) -> list[Asked]:
    while True:
        sentence, parts = parsed_sentence(random)
        first = {kind: word for word, kind in reversed(parts)}
        if all(kind in first for kind in _KINDS):
            break
    ask = pick(random, ("Find", "Point out", "Name"))
    return [
        asked(f'{ask} the first {kind} in this sentence: "{sentence}"', first[kind])
        for kind in several(random, _KINDS, SET)
    ]


def grammar() -> list[Item]:
    """The form of a verb, and the possessive, that a beginning asks for.

    The teacher teaches the forms; the beginnings and ends are composed here. They are a few words
    long, so that a text may have one of them by accident.
    """
    return crossed("grammar", {"verb": _verb_forms, "possessive": _possessives})


def mixed_language() -> list[Item]:
    """Any questions on words and sentences. The teacher's held-out questions."""
    return crossed("mixed_language", {"": mixed("language understanding", "language/")})


def notices() -> list[Item]:
    """What a notice says; the wrong answers are those of three other notices. Composed anew."""
    return crossed("notices", {"what to bring": _bring, "why moved": _why_moved})


def word_kinds() -> list[Item]:
    """The first noun, verb, adjective and adverb of a sentence. Composed anew."""
    return crossed("word_kinds", {"": _word_kinds})
