"""Liars and truth-tellers, and puzzles of who has what, each with a single solution."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations, product
from random import Random

from phinery.data.synthesis.procedural.facts import COLOURS, JOBS, SPORTS, SUBJECTS
from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    listed,
    people,
    phrase,
    pick,
    say,
    several,
    shuffled,
    with_article,
)

_Roles = dict[str, bool]
"""Name -> whether that person tells the truth."""


def _claims(random: Random, speaker: str, names: list[str]) -> tuple[str, Callable[[_Roles], bool]]:
    others = [name for name in names if name != speaker]
    x = pick(random, others)
    kind = between(random, 0, 4 if len(names) > 2 else 3)
    if kind == 0:
        return f"{x} is a liar", lambda roles: not roles[x]
    if kind == 1:
        return f"{x} tells the truth", lambda roles: roles[x]
    if kind == 2:
        return f"{x} and I are of the same kind", lambda roles: roles[x] == roles[speaker]
    if kind == 3:
        return "at least one of us is a liar" if len(
            names
        ) == 2 else "exactly one of us tells the truth", (
            (lambda roles: not all(roles.values()))
            if len(names) == 2
            else (lambda roles: sum(roles.values()) == 1)
        )
    y = next(name for name in others if name != x)
    return f"{x} or {y} is a liar", lambda roles: not (roles[x] and roles[y])


def _fits(
    spoken: list[tuple[str, Callable[[_Roles], bool]]], names: list[str], values: tuple[bool, ...]
) -> bool:
    """Whether what each says is true exactly if that person tells the truth."""
    roles = dict(zip(names, values, strict=True))
    return all(claim(roles) == value for (_, claim), value in zip(spoken, values, strict=True))


def _knights(random: Random, difficulty: int) -> Problem:
    names = [person.name for person in people(random, 2 if difficulty == 3 else 3)]
    while True:
        spoken = [_claims(random, name, names) for name in names]
        worlds = [
            dict(zip(names, values, strict=True))
            for values in product((True, False), repeat=len(names))
            if _fits(spoken, names, values)
        ]
        if len(worlds) == 1:
            break
    roles = worlds[0]
    place = pick(
        random,
        (
            "On an island",
            "In a strange village",
            "In a fairy-tale land",
            "At a masked ball",
            "In a riddle",
        ),
    )
    prompt = say(
        random,
        "{p} (everybody either always tells the truth or always lies|there are only truth-tellers "
        "and liars, and one cannot tell them apart by their looks). You meet {n}. {s} Who tells "
        "the truth and who lies?",
        p=place,
        n=listed(names),
        s=" ".join(
            f'{name} says: "{text[0].upper()}{text[1:]}."'
            for name, (text, _) in zip(names, spoken, strict=True)
        ),
    )
    steps: list[str] = [
        say(
            random,
            "(A statement must be true if its speaker tells the truth, and false if not|Try each "
            "possibility and see whether all statements fit their speakers).",
        )
    ]
    tried = 0
    for values in product((True, False), repeat=len(names)):
        guess = dict(zip(names, values, strict=True))
        if guess == roles:
            continue
        for (text, claim), name in zip(spoken, names, strict=True):
            if claim(guess) != guess[name]:
                told = "speak the truth" if guess[name] else "lie"
                said = "true" if claim(guess) else "false"
                steps.append(
                    f"Suppose {_described(guess)}. Then {name} would {told}, "
                    f'but "{text}" would be {said}: a contradiction.'
                )
                tried += 1
                break
    steps.append(f"One possibility is left: {_described(roles)}. Here every statement fits.")
    answer = _described(roles)
    wrong = [
        _described(dict(zip(names, values, strict=True)))
        for values in product((True, False), repeat=len(names))
        if dict(zip(names, values, strict=True)) != roles
    ]
    return Problem(
        prompt,
        tuple(steps),
        answer,
        f"So {answer}.",
        wrong=tuple(shuffled(random, wrong)[:3]),
        slip="A liar's statement is false as a whole: if a liar says that A or B holds, "
        "neither does.",
    )


def _described(roles: _Roles) -> str:
    truthful = [name for name, value in roles.items() if value]
    lying = [name for name, value in roles.items() if not value]
    if not lying:
        return f"{listed(truthful)} {'tell' if len(truthful) > 1 else 'tells'} the truth"
    if not truthful:
        return f"{listed(lying)} {'lie' if len(lying) > 1 else 'lies'}"
    return (
        f"{listed(truthful)} {'tell' if len(truthful) > 1 else 'tells'} the truth and "
        f"{listed(lying)} {'lie' if len(lying) > 1 else 'lies'}"
    )


def _knight_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Puzzles about liars train the art of supposing|With liars and truth-tellers every "
        "sentence is useful, even a false one). (Suppose something and follow it until it "
        "contradicts itself|Take a possibility, treat it as true, and see where it leads); (if it "
        "does, the supposition was wrong|a contradiction shows that it was not). (Nobody can say "
        "I am a liar there: a truth-teller would be lying and a liar would be telling the "
        "truth|One sentence nobody can say: I am lying). (With two people there are four cases, "
        "with three eight, so all of them can be tried.|Look first for sentences about the "
        "speaker himself; they exclude the most.)",
    )


def _who_has_what(random: Random, difficulty: int) -> Problem:
    count = 3 if difficulty < 4 else 4
    names = [person.name for person in people(random, count)]
    frame, values = pick(
        random,
        (
            ("each (own|have) a (bicycle|house|rucksack|kite) of a different colour", COLOURS[:9]),
            ("each do a different sport", SPORTS),
            ("each have a different favourite subject", SUBJECTS),
            ("work in different trades", JOBS),
            (
                "each keep a different pet",
                ("cat", "dog", "parrot", "rabbit", "tortoise", "goldfish", "hamster", "canary"),
            ),
        ),
    )
    chosen = several(random, values, count)
    frame = phrase(random, frame)
    has = {
        "colour": ("has the {v} one", "does not have the {v} one"),
        "sport": ("does {v}", "does not do {v}"),
        "subject": ("likes {v} best", "does not like {v} best"),
        "trades": ("is {av}", "is not {av}"),
        "pet": ("has the {v}", "does not have the {v}"),
    }
    positive, negative = next(forms for key, forms in has.items() if key in frame)

    def tell(name: str, value: str, true: bool) -> str:
        return f"{name} {(positive if true else negative).format(v=value, av=with_article(value))}"

    solution = dict(zip(names, shuffled(random, chosen), strict=True))
    rules: list[tuple[str, str, bool]] = []
    candidates = list(permutations(chosen))
    while len(candidates) > 1:
        name, value = pick(random, names), pick(random, chosen)
        true = solution[name] == value
        if true and (any(rule[2] for rule in rules) or count == 3):
            continue
        rest = [row for row in candidates if (row[names.index(name)] == value) == true]
        if len(rest) < len(candidates):
            rules.append((name, value, true))
            candidates = rest
    clues = " ".join(f"{tell(name, value, true)}." for name, value, true in rules)
    told = {name for name, _, true in rules if true}
    who = pick(random, [name for name in names if name not in told])
    steps: list[str] = [
        say(
            random,
            "(Make a table with a row for each person and cross out what is excluded|Each has one "
            "and no two have the same, so every exclusion helps).",
        )
    ]
    known: dict[str, str] = {}
    excluded = {
        name: {value for n, value, true in rules if n == name and not true} for name in names
    }
    for name, value, true in rules:
        if true:
            known[name] = value
            steps.append(f"We are told that {tell(name, value, True)}.")
    while len(known) < count:
        found = False
        for name in names:
            if name in known:
                continue
            left = [
                value
                for value in chosen
                if value not in excluded[name] and value not in known.values()
            ]
            if len(left) == 1:
                known[name] = left[0]
                steps.append(
                    say(
                        random,
                        "(For {n} only {v} is left|{n} can only have {v}, for the others are "
                        "excluded or taken), so {t}.",
                        n=name,
                        v=f'"{left[0]}"',
                        t=tell(name, left[0], True),
                    )
                )
                found = True
        for value in chosen:
            if value in known.values():
                continue
            left_names = [
                name for name in names if name not in known and value not in excluded[name]
            ]
            if len(left_names) == 1:
                known[left_names[0]] = value
                steps.append(
                    f'"{value.capitalize()}" is possible only for '
                    f"{left_names[0]}, so {tell(left_names[0], value, True)}."
                )
                found = True
        if not found:
            steps.append("Trying the cases that remain, only one agrees with all clues.")
            known = dict(solution)
    assert known == solution
    answer = solution[who]
    question = {
        "colour": f"Which colour belongs to {who}?",
        "sport": f"Which sport does {who} do?",
        "subject": f"Which subject does {who} like best?",
        "trades": f"What is {who}'s trade?",
        "pet": f"Which pet does {who} have?",
    }
    asked = next(text for key, text in question.items() if key in frame)
    prompt = f"{listed(names)} {frame}: {listed(shuffled(random, chosen))}. {clues} {asked}"
    full = listed([tell(name, solution[name], True) for name in names])
    return Problem(
        prompt,
        tuple(steps),
        answer,
        f"So {full}; the answer is {answer}.",
        wrong=tuple(value for value in chosen if value != answer),
        slip="When something is given to one person, cross it out for all the others.",
    )


def _who_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A puzzle of who has what is a table with one mark in each row and each column|In such "
        "puzzles every person gets exactly one thing, and every thing exactly one person). (So a "
        "mark in one cell empties the rest of its row and column|Once something is given away, "
        "nobody else can have it). (What is left over in a row must be right, however odd it "
        "sounds|If only one cell of a row is free, it must be the one). (Denials are as useful as "
        "assertions.|Go round the clues again and again: a clue that was useless at first may "
        "help later.)",
    )


TOPICS = (
    taught("deduction/truth-tellers and liars", "reasoning", (3, 4), _knights, _knight_lesson),
    taught("deduction/who has what", "reasoning", (3, 4), _who_has_what, _who_lesson),
)
