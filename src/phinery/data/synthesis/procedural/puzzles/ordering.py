"""Comparison chains, sorting, and places in a row."""

from __future__ import annotations

from itertools import pairwise, permutations
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    listed,
    ordinal_words,
    people,
    pick,
    say,
    several,
    shuffled,
)

SCALES = (
    # comparative, its reverse, superlative, reverse superlative
    ("taller", "shorter", "tallest", "shortest"),
    ("older", "younger", "oldest", "youngest"),
    ("faster", "slower", "fastest", "slowest"),
    ("stronger", "weaker", "strongest", "weakest"),
    ("richer", "poorer", "richest", "poorest"),
    ("louder", "quieter", "loudest", "quietest"),
)
_THINGS = (
    (
        ("the blue box", "the green box", "the red box", "the white box", "the black box"),
        (
            ("heavier", "lighter", "heaviest", "lightest"),
            ("larger", "smaller", "largest", "smallest"),
        ),
    ),
    (
        ("the oak", "the birch", "the maple", "the pine", "the willow"),
        (("taller", "shorter", "tallest", "shortest"), ("older", "younger", "oldest", "youngest")),
    ),
    (
        ("the tea", "the soup", "the milk", "the coffee", "the cocoa"),
        (("hotter", "cooler", "hottest", "coolest"),),
    ),
    (
        ("the river Ald", "the river Bree", "the river Cade", "the river Dorn", "the river Esk"),
        (
            ("longer", "shorter", "longest", "shortest"),
            ("wider", "narrower", "widest", "narrowest"),
        ),
    ),
    (
        ("the novel", "the atlas", "the diary", "the cookbook", "the dictionary"),
        (
            ("thicker", "thinner", "thickest", "thinnest"),
            ("heavier", "lighter", "heaviest", "lightest"),
            ("more expensive", "cheaper", "most expensive", "cheapest"),
        ),
    ),
    (
        ("the church", "the mill", "the school", "the bridge", "the inn"),
        (("older", "newer", "oldest", "newest"),),
    ),
)


def _chain(random: Random, difficulty: int) -> Problem:
    count = 3 if difficulty == 1 else 4 if difficulty == 2 else 5
    if chance(random, 0.6):
        names = [person.name for person in people(random, count)]
        scale = pick(random, SCALES)
    else:
        pool, scales = pick(random, _THINGS)
        names = several(random, pool, count)
        scale = pick(random, scales)
    more, less, most, least = scale
    facts: list[str] = []
    for high, low in pairwise(names):
        facts.append(
            say(
                random,
                "{h} is {m} than {l}." if chance(random, 0.5) else "{l} is {s} than {h}.",
                h=high,
                l=low,
                m=more,
                s=less,
            )
        )
    if difficulty > 1:
        facts = shuffled(random, facts)
    kind = between(random, 0, 3)
    chain = " > ".join(name.removeprefix("the ") for name in names)
    steps = [
        say(
            random,
            "(Turn every sentence the same way round|Write each comparison with {m} first, so "
            "that they can be joined): {l}.",
            m=more,
            l="; ".join(f"{h} is {more} than {low}" for h, low in pairwise(names)),
        ),
        say(
            random,
            "(Joined together|In one chain|So the order is), from {a} to {b}: {c}.",
            a=most,
            b=least,
            c=chain,
        ),
    ]
    if kind == 0:
        question, answer = (
            f"Who is the {most}?" if names[0][0].isupper() else f"Which is the {most}?",
            names[0],
        )
        wrong = tuple(names[1:])
    elif kind == 1:
        question, answer = (
            f"Who is the {least}?" if names[0][0].isupper() else f"Which is the {least}?",
            names[-1],
        )
        wrong = tuple(names[:-1])
    elif kind == 2:
        i = between(random, 0, count - 2)
        j = between(random, i + 1, count - 1)
        x, y = (names[i], names[j]) if chance(random, 0.5) else (names[j], names[i])
        question, answer = f"Is {x} {more} than {y}?", "yes" if x == names[i] else "no"
        wrong = ("yes", "no")
        steps.append(f"In the chain {x} comes {'before' if x == names[i] else 'after'} {y}.")
    else:
        place = between(random, 1, count - 2) if count > 2 else 0
        question, answer = (
            f"{'Who' if names[0][0].isupper() else 'Which'} comes in {ordinal_words(place + 1)} "
            f"place, counted from the {most}?",
            names[place],
        )
        wrong = tuple(name for name in names if name != names[place])
    ends = {
        0: f"So the {most} is {answer}.",
        1: f"So the {least} is {answer}.",
        2: f"So the answer is {answer}.",
        3: f"So it is {answer}.",
    }
    return Problem(
        " ".join((*facts, question)),
        tuple(steps),
        answer,
        ends[kind],
        wrong=wrong,
        slip=f"To be {more} than one is not to be the {most}; compare with all.",
    )


def _chain_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(If A is taller than B and B is taller than C, then A is taller than C|Comparisons can "
        "be chained). (This is called transitivity|Mathematicians call such a relation "
        "transitive), (and it lets us compare two things that were never put side by side|and it "
        "saves us most of the measuring). (Not every relation is like that: if A is a friend of B "
        "and B a friend of C, A and C may be strangers.|Beware: beats is not transitive in rock, "
        "paper, scissors.) (First turn all sentences the same way, then hang one on the other "
        "like links.|Draw a line and write each name in its place; the questions then answer "
        "themselves.)",
    )


def _row(random: Random, difficulty: int) -> Problem:
    count = 4 if difficulty == 2 else 5
    names = [person.name for person in people(random, count)]
    where = pick(
        random,
        (
            "stand in a queue",
            "sit side by side on a bench",
            "live in a row of houses",
            "have lockers side by side",
            "sit in a row of the theatre",
            "wait in a row for their turn",
        ),
    )
    places = shuffled(random, names)
    clues: list[tuple[str, tuple[int, ...], str, str]] = []

    def holds(clue: tuple[str, str, str, int], row: tuple[str, ...]) -> bool:
        kind, x, y, n = clue
        if kind == "at":
            return row[n] == x
        if kind == "left":
            return row.index(x) + 1 == row.index(y)
        if kind == "before":
            return row.index(x) < row.index(y)
        if kind == "beside":
            return abs(row.index(x) - row.index(y)) == 1
        return abs(row.index(x) - row.index(y)) != 1

    del clues
    rules: list[tuple[str, str, str, int]] = []
    candidates = list(permutations(names))
    while len(candidates) > 1:
        x, y = several(random, names, 2)
        i, j = places.index(x), places.index(y)
        kind = pick(random, ("at", "left", "before", "beside", "apart"))
        if kind == "at" and any(rule[0] == "at" for rule in rules):
            continue
        if kind in ("left", "before") and i > j:
            x, y, i, j = y, x, j, i
        rule = (kind, x, y, i)
        if not holds(rule, tuple(places)):
            continue
        rest = [row for row in candidates if holds(rule, row)]
        if len(rest) < len(candidates):
            rules.append(rule)
            candidates = rest
    words = {
        "at": lambda x, y, n: f"{x} is in the {ordinal_words(n + 1)} place from the left.",
        "left": lambda x, y, n: f"{x} is directly to the left of {y}.",
        "before": lambda x, y, n: f"{x} is somewhere to the left of {y}.",
        "beside": lambda x, y, n: f"{x} and {y} are next to each other.",
        "apart": lambda x, y, n: f"{x} and {y} are not next to each other.",
    }
    told = [words[kind](x, y, n) for kind, x, y, n in rules]
    place = between(random, 0, count - 1)
    ask_place = chance(random, 0.6)
    question = (
        f"Who is in the {ordinal_words(place + 1)} place from the left?"
        if ask_place
        else f"In which place from the left is {places[place]}?"
    )
    answer = places[place] if ask_place else ordinal_words(place + 1)
    wrong = (
        tuple(name for name in names if name != places[place])
        if ask_place
        else tuple(ordinal_words(n + 1) for n in range(count) if n != place)
    )
    left = len(list(permutations(names)))
    steps: list[str] = [
        say(
            random,
            "(At first {n} orders are possible|{c} people can be arranged in {n} ways), so let "
            "the clues cross them out.",
            n=left,
            c=count,
        )
    ]
    open_rows = list(permutations(names))
    for rule, text in zip(rules, told, strict=True):
        open_rows = [row for row in open_rows if holds(rule, row)]
        steps.append(
            say(
                random,
                "{t} (That leaves {n}|{n} {o} left|Now {n} {r})."
                if len(open_rows) > 1
                else "{t} (Now only one is left|That leaves a single order).",
                t=text,
                n=len(open_rows),
                o="orders are",
                r="orders remain",
            )
        )
    steps.append(f"From left to right it is {', '.join(places)}.")
    return Problem(
        f"{listed(names)} {where}. {' '.join(told)} {question}",
        tuple(steps),
        answer,
        say(random, "(So the answer is|It is) {a}.", a=answer),
        "Every clue is true of this order, and of no other.",
        wrong,
        "Try the strongest clue first: a fixed place is worth more than a neighbour.",
    )


def _row_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A puzzle about seats is solved by crossing out|In a puzzle of this kind every clue "
        "forbids something). (Write the places down and try the clues in order of strength|Begin "
        "with the clue that leaves the fewest possibilities): (first those that fix a place, then "
        "direct neighbours, then before and after|a fixed place, then a pair side by side). (A "
        "pair that sits together can be moved as a block|Treat two direct neighbours as one "
        "block). (When only one order remains, test it against every clue.|If nothing fits, an "
        "earlier step was too quick; go back to the last choice.)",
    )


def _sorting(random: Random, difficulty: int) -> Problem:
    count = between(random, 4, 4 + difficulty)
    high = (99, 999, 9999)[difficulty - 1]
    negative = difficulty == 3 and chance(random, 0.4)
    values: list[int] = []
    while len(values) < count:
        value = between(random, -30 if negative else 1, 60 if negative else high)
        if value not in values:
            values.append(value)
    up = chance(random, 0.6)
    order = sorted(values, reverse=not up)
    steps: list[str] = []
    rest = list(values)
    for number in order[:-1]:
        steps.append(
            say(
                random,
                "(The {w} of {r} is {n}|Among {r} the {w} is {n}).",
                w="smallest" if up else "largest",
                r=", ".join(str(v) for v in rest),
                n=str(number),
            )
        )
        rest.remove(number)
    answer = ", ".join(str(v) for v in order)
    swapped = list(order)
    swapped[0], swapped[1] = swapped[1], swapped[0]
    return Problem(
        say(
            random,
            "(Sort these numbers|Put the numbers in order|Arrange the numbers), {w} first: {v}.",
            w="smallest" if up else "largest",
            v=", ".join(str(v) for v in values),
        ),
        (
            say(
                random,
                "(Find the {w}, put it aside and look again among the rest|Pick out the {w} again "
                "and again).",
                w="smallest" if up else "largest",
            ),
            *steps,
        ),
        answer,
        f"In order: {answer}.",
        wrong=(
            ", ".join(str(v) for v in reversed(order)),
            ", ".join(str(v) for v in swapped),
            ", ".join(sorted((str(v) for v in values), reverse=not up)),
        ),
        slip="More digits mean a larger number, whatever the first digit is; below zero "
        "it is the other way round.",
    )


def _sorting_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(To sort is to put things in order by one property|Sorted lists are easy to search, "
        "which is why dictionaries are sorted). (Compare whole numbers first by their number of "
        "digits, then digit by digit from the left|More digits mean a larger number; with equal "
        "lengths the first digit that differs decides). (A simple method picks out the smallest "
        "again and again; another inserts each new number at its place, as one holds playing "
        "cards|Choose the smallest, put it in front, and repeat with the rest). (For long lists "
        "there are faster ways, such as splitting the list in two, sorting the halves and merging "
        "them.|Computers spend a good part of their time on sorting.|Below zero the order seems "
        "upside down: -9 is less than -2.)",
    )


TOPICS = (
    taught("ordering/comparison chains", "reasoning", (1, 2, 3), _chain, _chain_lesson),
    taught("ordering/places in a row", "reasoning", (2, 3), _row, _row_lesson),
    taught("ordering/sorting numbers", "mathematics", (1, 2, 3), _sorting, _sorting_lesson),
)
