"""Sets, Venn diagrams and counting with overlaps."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.facts import SPORTS, SUBJECTS
from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    listed,
    people,
    pick,
    say,
    several,
)

_WORDS = (
    "apple",
    "brick",
    "candle",
    "drum",
    "eagle",
    "fork",
    "glove",
    "hammer",
    "island",
    "jar",
    "kite",
    "lamp",
    "mirror",
    "needle",
    "otter",
    "pearl",
    "quilt",
    "rope",
    "saddle",
    "tent",
    "urn",
    "vase",
    "wheel",
    "yarn",
)


def _braces(things: list[str]) -> str:
    return "{" + ", ".join(things) + "}"


def _operation(random: Random, difficulty: int) -> Problem:
    numbers = chance(random, 0.6)
    pool = [str(n) for n in range(1, 10 + 4 * difficulty)] if numbers else list(_WORDS)
    union = several(random, pool, between(random, 5, 7))
    shared = union[: between(random, 1, 2)]
    rest = union[len(shared) :]
    cut = between(random, 1, len(rest) - 1)
    a, b = [*shared, *rest[:cut]], [*shared, *rest[cut:]]

    def order(things: list[str]) -> list[str]:
        return sorted(things, key=lambda text: (int(text) if text.isdigit() else 0, text))

    a, b = order(a), order(b)
    both, either, only = (
        [x for x in a if x in b],
        order(sorted(set(a) | set(b))),
        [x for x in a if x not in b],
    )
    kind = pick(random, ("union", "intersection", "difference"))
    asked, result = {
        "union": (
            "(What is the union of A and B|Which elements are in A or in B|Find A ∪ B)",
            either,
        ),
        "intersection": (
            "(What is the intersection of A and B|Which elements are in both sets|Find A ∩ B)",
            both,
        ),
        "difference": (
            "(Which elements are in A but not in B|What is A without B|Find the difference of A "
            "and B)",
            only,
        ),
    }[kind]
    question = say(random, asked)
    prompt = (
        say(
            random,
            "(Let A = {a} and B = {b}.|Two sets are given, A = {a} and B = {b}.|A is the set {a}, "
            "and B is {b}.)",
            a=_braces(a),
            b=_braces(b),
        )
        + f" {question}{'.' if question.startswith('Find') else '?'}"
    )
    steps = {
        "union": (
            say(
                random,
                "(Take everything that is in at least one of them, and write each only once|Start "
                "with A and add what B has besides).",
            ),
            f"B adds {listed([x for x in b if x not in a]) if set(b) - set(a) else 'nothing new'}.",
        ),
        "intersection": (
            say(
                random,
                "(Go through A and keep what is in B as well|An element counts only if it is in "
                "both).",
            ),
            f"Of A, {listed(both)} {'is' if len(both) == 1 else 'are'} also in B.",
        ),
        "difference": (
            say(
                random,
                "(Go through A and cross out what is in B|Take A and throw away what B has too).",
            ),
            f"{listed(both).capitalize() if not both[0].isdigit() else listed(both)} "
            f"{'is' if len(both) == 1 else 'are'} crossed out.",
        ),
    }[kind]
    answer = _braces(result)
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the set is|The result is|We get) {a}.", a=answer),
        wrong=tuple(_braces(x) for x in (either, both, only, [x for x in b if x not in a]) if x),
        slip="A set has no order and no repeats, so an element that is in both is written once.",
    )


def _venn(random: Random, difficulty: int) -> Problem:
    both, only_a, only_b, none = (
        between(random, 2, 12),
        between(random, 2, 20),
        between(random, 2, 20),
        between(random, 0, 12),
    )
    group = pick(
        random,
        (
            "class",
            "club",
            "choir",
            "village school",
            "company",
            "youth group",
            "hotel",
            "reading circle",
        ),
    )
    who = {
        "company": "employees",
        "hotel": "guests",
        "class": "pupils",
        "village school": "pupils",
    }.get(group, "members")
    x, y = several(random, SPORTS if chance(random, 0.5) else SUBJECTS, 2)
    like = pick(random, ("like", "have chosen", "are interested in", "enjoy"))
    total, in_a, in_b = both + only_a + only_b + none, both + only_a, both + only_b
    if difficulty >= 4 and chance(random, 0.5):
        z = pick(random, [s for s in (*SPORTS, *SUBJECTS) if s not in (x, y)])
        abc, ab, ac, bc = (
            between(random, 1, 5),
            between(random, 1, 6),
            between(random, 1, 6),
            between(random, 1, 6),
        )
        a1, b1, c1 = between(random, 2, 12), between(random, 2, 12), between(random, 2, 12)
        na, nb, nc = a1 + ab + ac + abc, b1 + ab + bc + abc, c1 + ac + bc + abc
        union = a1 + b1 + c1 + ab + ac + bc + abc
        prompt = (
            f"In a {group}, {na} {like} {x}, {nb} {like} {y} and {nc} {like} {z}. {ab + abc} of "
            f"them {like} {x} and {y}, {ac + abc} {like} {x} and {z}, {bc + abc} {like} {y} and "
            f"{z}, and {abc} {like} all three. How many {like} at least one of the three?"
        )
        steps = (
            f"Add the three groups: {na} + {nb} + {nc} = {na + nb + nc}.",
            say(
                random,
                "(Who is in two groups was counted twice, so take the pairs away|The overlaps "
                "were counted too often): {s} - {a} - {b} - {c} = {r}.",
                s=na + nb + nc,
                a=ab + abc,
                b=ac + abc,
                c=bc + abc,
                r=na + nb + nc - ab - ac - bc - 3 * abc,
            ),
            say(
                random,
                "(Those in all three were added three times and taken away three times, so they "
                "must be put back|Now those with all three are missing entirely): {r} + {t} = {u}.",
                r=na + nb + nc - ab - ac - bc - 3 * abc,
                t=abc,
                u=union,
            ),
        )
        return Problem(
            prompt,
            steps,
            str(union),
            f"So the answer is {union}.",
            wrong=(str(na + nb + nc), str(union - abc), str(union + abc)),
            slip="Add the single groups, subtract the pairs, add the triple.",
        )
    head = f"In a {group} of {total} {who}, {in_a} {like} {x} and {in_b} {like} {y}; "
    kind = between(random, 0, 2)
    if kind == 0:
        prompt = (
            head
            + f"{both} {like} both. "
            + say(random, "(How many {l} neither?|How many {l} neither of the two?)", l=like)
        )
        steps = (
            say(
                random,
                "(Adding the two groups counts those with both twice|Those in both would be "
                "counted twice, so take them away once): {a} + {b} - {c} = {u}.",
                a=in_a,
                b=in_b,
                c=both,
                u=total - none,
            ),
            f"The others have neither: {total} - {total - none} = {none}.",
        )
        value, wrong = none, (abs(total - in_a - in_b), total - none, none + both)
    elif kind == 1:
        prompt = head + f"{none} {like} neither. How many {like} both?"
        steps = (
            f"At least one of the two is true of {total} - {none} = {total - none}.",
            f"But {in_a} + {in_b} = {in_a + in_b}, which is {in_a + in_b} - {total - none} = "
            f"{both} too many, because those with both were counted twice.",
        )
        value, wrong = (
            both,
            (
                both + none,
                in_a + in_b - total if in_a + in_b > total and none else both + 1,
                min(in_a, in_b),
            ),
        )
    else:
        prompt = head + f"{both} {like} both. How many {like} {x} but not {y}?"
        steps = (
            say(
                random,
                "(Of the {a} take away those who are in both|{a} is the whole circle; its overlap "
                "has {b}): {a} - {b} = {v}.",
                a=in_a,
                b=both,
                v=only_a,
            ),
        )
        value, wrong = only_a, (in_a, only_b, in_a + in_b - both)
    return Problem(
        prompt,
        steps,
        str(value),
        say(random, "(So it is {v}|The answer is {v}).", v=value),
        f"{only_a} + {only_b} + {both} + {none} = {total}.",
        tuple(str(w) for w in wrong if w >= 0),
        "Draw two circles that overlap and begin with the overlap.",
    )


def _belong(random: Random, difficulty: int) -> Problem:
    p = people(random, 1)[0]
    k = between(random, 2, 9)
    limit = between(random, 20, 30 + 20 * difficulty)
    other = pick(random, [n for n in range(2, 10) if n != k])
    a = [n for n in range(1, limit + 1) if n % k == 0]
    b = [n for n in range(1, limit + 1) if n % other == 0]
    both = [n for n in a if n in b]
    kind = between(random, 0, 1)
    if kind == 0 and both:
        prompt = say(
            random,
            "(Which|What) numbers from 1 to {l} are multiples of both {a} and {b}?",
            l=limit,
            a=k,
            b=other,
        )
        steps = (
            f"The multiples of {max(k, other)} up to {limit} are "
            f"{', '.join(str(n) for n in (a if k > other else b))}.",
            f"Of these, {listed([str(n) for n in both])} {'is' if len(both) == 1 else 'are'} also "
            f"divisible by {min(k, other)}.",
        )
        answer, wrong = (
            ", ".join(str(n) for n in both),
            (
                ", ".join(str(n + 1) for n in both),
                ", ".join(str(n) for n in [*both, both[-1] + k]),
                ", ".join(str(n) for n in (a[:3] if a[:3] != both else b[:3])),
            ),
        )
    else:
        count = len(a) + len(b) - len(both)
        prompt = say(
            random,
            "(How many numbers from 1 to {l} are multiples of {a} or of {b} (or of both|)?|{p} "
            "crosses out all multiples of {a} and all multiples of {b} from 1 to {l}. How many "
            "numbers are crossed out?)",
            p=p,
            l=limit,
            a=k,
            b=other,
        )
        steps = (
            f"Multiples of {k}: {limit} = {len(a)} × {k} + {limit % k}, so there are {len(a)}.",
            f"Multiples of {other}: {limit} = {len(b)} × {other} + {limit % other}, so there are "
            f"{len(b)}.",
            f"{len(both)} of them belong to both, and they must not be counted twice: {len(a)} + "
            f"{len(b)} - {len(both)} = {count}.",
        )
        answer, wrong = (
            str(count),
            (str(len(a) + len(b)) if both else str(count + 1), str(len(both)), str(count - 1)),
        )
    return Problem(
        prompt,
        steps,
        answer,
        f"So the answer is {answer}.",
        wrong=wrong,
        slip="What belongs to both is counted twice if you only add.",
    )


def _set_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A set is a collection of things, its elements, in which nothing occurs twice and order "
        "means nothing|To put things into a set is to ask of each only one question: does it "
        "belong or not?). (The union holds what is in at least one of two sets, the intersection "
        "what is in both|Or makes the union, and makes the intersection). (Two overlapping "
        "circles show it at a glance; they are called Venn diagrams|A Venn diagram draws each set "
        "as a circle). (To count a union, add the two numbers and take away the overlap, which "
        "was counted twice|The size of a union is the sum of the sizes less the size of the "
        "overlap). (Begin with the innermost region: everything else follows by subtraction.|The "
        "empty set has no elements, and it is a part of every set.)",
    )


TOPICS = (
    taught("sets/union and intersection", "reasoning", (1, 2, 3), _operation, _set_lesson),
    taught("sets/counting with overlaps", "reasoning", (3, 4), _venn, _set_lesson),
    taught("sets/multiples in common", "reasoning", (2, 3), _belong, _set_lesson),
)
