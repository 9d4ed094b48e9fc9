"""Truth tables and negation."""

from __future__ import annotations

from itertools import product
from random import Random

from phinery.data.synthesis.procedural.facts import PLACES
from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    chance,
    listed,
    pick,
    say,
    several,
)


def _table(random: Random, difficulty: int) -> Problem:
    names = ("A", "B") if difficulty < 4 else ("A", "B", "C")
    left = pick(
        random,
        (
            "{0} and {1}",
            "{0} or {1}",
            "not {0} and {1}",
            "{0} and not {1}",
            "not {0} or {1}",
            "not ({0} and {1})",
            "not ({0} or {1})",
        ),
    )
    text = (
        left.format(*several(random, names, 2))
        if len(names) == 2
        else "({}) {} {}".format(
            left.format("A", "B"), pick(random, ("and", "or", "and not", "or not")), "C"
        )
    )
    # The connectives of Python mean what logic means by them, so that a small table is enough.
    rows = [
        (values, _truth(text, dict(zip(names, values, strict=True))))
        for values in product((True, False), repeat=len(names))
    ]
    count = sum(value for _, value in rows)
    if chance(random, 0.5):
        values, truth = pick(random, rows)
        given = listed(
            [
                f"{name} is {'true' if value else 'false'}"
                for name, value in zip(names, values, strict=True)
            ]
        )
        prompt = say(
            random,
            '{^g}. Is the statement "{t}" true or false?'
            if chance(random, 0.5)
            else 'Is "{t}" true or false when {g}?',
            g=given,
            t=text,
        )
        answer = "true" if truth else "false"
        steps = [_step(random, name, value) for name, value in zip(names, values, strict=True)][:1]
        steps.append(_explain(text, dict(zip(names, values, strict=True))))
        return Problem(
            prompt,
            tuple(steps),
            answer,
            f"So the whole statement is {answer}.",
            wrong=("true", "false"),
            slip="In logic, or includes the case that both are true.",
        )
    prompt = say(
        random,
        '(In how many of the {n} cases is "{t}" true?|Make a truth table of "{t}". In how many of '
        "its {n} rows is it true?)",
        n=len(rows),
        t=text,
    )
    steps = tuple(
        f"{', '.join(f'{name} {_word(value)}' for name, value in zip(names, row, strict=True))}: "
        f"{_word(truth)}."
        for row, truth in rows
    )
    return Problem(
        prompt,
        (
            say(
                random,
                "(Go through all cases|List the cases one by one, so that none is forgotten).",
            ),
            *steps,
        ),
        str(count),
        f"It is true in {count} of the {len(rows)} cases.",
        wrong=tuple(str(n) for n in range(len(rows) + 1) if abs(n - count) <= 2),
        slip="With two letters there are 4 cases, with three 8; each letter doubles them.",
    )


def _word(value: bool) -> str:
    return "true" if value else "false"


def _step(random: Random, name: str, value: bool) -> str:
    return say(
        random,
        "(Start with what is given|Put in the truth values): {n} is {v}, so not {n} is {w}.",
        n=name,
        v=_word(value),
        w=_word(not value),
    )


def _explain(text: str, values: dict[str, bool]) -> str:
    replaced = text
    for name, value in values.items():
        replaced = replaced.replace(name, _word(value))
    return (
        f'With the values put in, it reads "{replaced}"; and needs '
        f"both sides, or needs one, not turns the value round."
    )


def _truth(text: str, values: dict[str, bool]) -> bool:
    """Whether a statement of names, not, and, or and brackets is true (and binds before or)."""
    tokens = text.replace("(", " ( ").replace(")", " ) ").split()
    at = 0

    def unary() -> bool:
        nonlocal at
        token = tokens[at]
        at += 1
        if token == "not":
            return not unary()
        if token == "(":
            value = either()
            at += 1
            return value
        return values[token]

    def both() -> bool:
        nonlocal at
        value = unary()
        while at < len(tokens) and tokens[at] == "and":
            at += 1
            value = unary() and value
        return value

    def either() -> bool:
        nonlocal at
        value = both()
        while at < len(tokens) and tokens[at] == "or":
            at += 1
            value = both() or value
        return value

    return either()


def _table_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Logic builds large statements from small ones with three little words|And, or and not "
        "are enough to build every statement of logic). (And is true only if both parts are|An "
        "and-statement needs both), or is true if at least one is, and not turns true into false "
        "and false into true. (Or includes both: whoever may have tea or cake may have both|In "
        "daily life or often excludes, as in left or right; in logic it does not). (A truth table "
        "lists every case, so nothing can be overlooked.|Not (A and B) is the same as not A or "
        "not B; not (A or B) is the same as not A and not B. These are De Morgan's laws.)",
    )


def _negation(random: Random, difficulty: int) -> Problem:
    group, fits, fails = pick(
        random,
        (
            ("swans on the lake", "are white", "are not white"),
            ("windows", "are open", "are not open"),
            ("pupils", "have a pencil", "have no pencil"),
            ("books on the shelf", "are thick", "are not thick"),
            ("trains", "are late", "are not late"),
            ("apples in the basket", "are ripe", "are not ripe"),
            ("doors of the {place}", "are locked", "are not locked"),
            ("lights in the {place}", "are on", "are not on"),
            ("keys on the ring", "are made of brass", "are not made of brass"),
            ("players of the team", "can swim", "cannot swim"),
            ("letters in the box", "have a stamp", "have no stamp"),
            ("stones on the path", "are flat", "are not flat"),
        ),
    )
    group = group.format(place=pick(random, PLACES))
    all_ = chance(random, 0.5)
    statement = f"all {group} {fits}" if all_ else f"some {group} {fits}"
    answer = (
        f"at least one of the {group} {_singular(fails)}"
        if all_
        else f"none of the {group} {_singular(fits)}"
    )
    wrong = (
        f"none of the {group} {_singular(fits)}"
        if all_
        else f"at least one of the {group} {_singular(fails)}",
        f"all {group} {fails}" if all_ else f"all {group} {fits}",
        f"some {group} {fits}" if all_ else f"only one of the {group} {_singular(fits)}",
    )
    prompt = say(
        random,
        "(What is the negation of this statement|Which statement "
        "is true exactly when this one is false|When is this "
        'statement false): "{s}"?',
        s=statement,
    )
    steps = (
        say(
            random,
            "(A claim about all is refuted by a single exception|One exception is enough to make "
            "it false, and without an exception it is true)."
            if all_
            else "(A claim that there are some is false only if there are none at all|To "
            "refute it, we must look at every one and find none).",
        ),
        say(
            random,
            "(The opposite extreme says too much|It is not necessary that all fail; that would be "
            "more than a negation)."
            if all_
            else "(It is not enough that one fails; all of them must|That a few fail does not "
            "contradict it).",
        ),
    )
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the negation is: {a}|It is false exactly when {a}).", a=answer),
        wrong=wrong,
        slip="The negation is true exactly when the statement is false; it is not its "
        "extreme opposite.",
    )


def _singular(verb: str) -> str:
    first, _, rest = verb.partition(" ")
    return {"are": "is", "have": "has", "can": "can", "cannot": "cannot"}[first] + " " + rest


def _negation_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(To deny a statement is to say exactly that it is false, no more and no less|The "
        "negation of a statement is true when the statement is false, and false when it is true). "
        "(All are is denied by at least one is not|A claim about all falls with a single "
        "counterexample), (and some are is denied by none is|while a claim that some exist falls "
        "only if there are none). (People often deny too much: somebody who denies that all shops "
        "are open does not say that all are closed|The opposite of white is not black but not "
        "white). (For every x turns into there is an x, and the other way round.|Lawyers and "
        "mathematicians have to be careful here, and so does everyone who argues.|A good test: "
        "could both sentences be false together? Then they are not negations of each other.)",
    )


TOPICS = (
    taught("logic/truth tables", "reasoning", (3, 4), _table, _table_lesson),
    taught("logic/negation", "reasoning", (2, 3), _negation, _negation_lesson),
)
