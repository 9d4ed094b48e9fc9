"""Chance and counting."""

from __future__ import annotations

from fractions import Fraction
from math import comb, factorial, gcd
from random import Random

from phinery.data.synthesis.procedural.facts import COLOURS
from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    counted,
    grouped,
    listed,
    noun_for,
    people,
    pick,
    say,
    several,
)


def _shown(value: Fraction) -> str:
    return (
        str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
    )


def _reduce(top: int, bottom: int) -> str:
    if gcd(top, bottom) == 1:
        return f"That is {top}/{bottom}."
    return f"That is {top}/{bottom} = {_shown(Fraction(top, bottom))}."


def _urn(random: Random, difficulty: int) -> Problem:
    container, thing = pick(
        random,
        (
            ("bag", "marble"),
            ("box", "ball"),
            ("drawer", "sock"),
            ("jar", "bead"),
            ("basket", "ribbon"),
            ("tin", "button"),
            ("hat", "card"),
            ("bowl", "counter"),
        ),
    )
    colours = several(random, COLOURS, between(random, 2, 4))
    counts = [between(random, 1, 5 * difficulty) for _ in colours]
    total = sum(counts)
    contents = listed(
        [f"{counted(n, f'{c} {thing}')}" for n, c in zip(counts, colours, strict=True)]
    )
    head = say(
        random,
        "(A {c} (holds|contains)|In a {c} there are|In {p.s} {c} there are) {l}.",
        c=container,
        l=contents,
        p=people(random, 1)[0],
    )
    kind = between(random, 0, 2) if difficulty < 4 else 3
    drawn = say(
        random,
        "(One {t} is (drawn|taken) (without looking|at random)|Somebody takes one {t} with closed "
        "eyes)",
        t=thing,
    )
    if kind == 0:
        prompt = f"{head} {drawn}. What is the probability that it is {colours[0]}?"
        value = Fraction(counts[0], total)
        steps = (
            f"All in all there are {' + '.join(str(n) for n in counts)} = {total}.",
            say(
                random,
                "(Each is equally likely, so count the good ones|All are equally likely, and {n} "
                "of {t} are {c}).",
                n=counts[0],
                t=total,
                c=colours[0],
            ),
            _reduce(counts[0], total),
        )
        wrong = (
            Fraction(counts[0], max(1, total - counts[0])),
            Fraction(1, len(colours)),
            1 - value,
        )
    elif kind == 1:
        prompt = f"{head} {drawn}. What is the probability that it is not {colours[0]}?"
        value = Fraction(total - counts[0], total)
        steps = (
            f"There are {total} in all, and {total} - {counts[0]} = {total - counts[0]} are not "
            f"{colours[0]}.",
            _reduce(total - counts[0], total),
        )
        wrong = (Fraction(counts[0], total), Fraction(1, 2), Fraction(total - counts[0], total + 1))
    elif kind == 2 and len(colours) > 2:
        prompt = f"{head} {drawn}. What is the probability that it is {colours[0]} or {colours[1]}?"
        good = counts[0] + counts[1]
        value = Fraction(good, total)
        steps = (
            f"{counts[0]} + {counts[1]} = {good} of the {total} are of one of these colours.",
            "It cannot be both at once, so the numbers are simply added.",
            _reduce(good, total),
        )
        wrong = (Fraction(counts[0], total), Fraction(counts[1], total), Fraction(2, len(colours)))
    elif kind == 3 and counts[0] > 1:
        prompt = (
            f"{head} Two are drawn one after the other, without putting the first back. What is "
            f"the probability that both are {colours[0]}?"
        )
        n = counts[0]
        value = Fraction(n * (n - 1), total * (total - 1))
        steps = (
            f"The first is {colours[0]} with probability {n}/{total}, for there are {total} in "
            f"all.",
            say(
                random,
                "(Now one {c} one is gone|After that one {c} one fewer is left), so the second is "
                "{c} with probability {a}/{b}.",
                c=colours[0],
                a=n - 1,
                b=total - 1,
            ),
            f"Multiply: {n}/{total} × {n - 1}/{total - 1} = {_shown(value)}.",
        )
        wrong = (Fraction(n * n, total * total), Fraction(2 * n, total), Fraction(n, total))
    else:
        prompt = f"{head} {drawn}. What is the probability that it is {colours[-1]}?"
        value = Fraction(counts[-1], total)
        steps = (
            f"There are {total} {noun_for(total, thing)} in all, {counts[-1]} of them "
            f"{colours[-1]}.",
            _reduce(counts[-1], total),
        )
        wrong = (Fraction(1, len(colours)), Fraction(counts[-1], total + counts[-1]), 1 - value)
    answer = _shown(value)
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the probability is {a}|The probability is {a}).", a=answer),
        "A probability lies between 0 and 1, and so does this one.",
        tuple(_shown(w) for w in wrong if 0 <= w <= 1),
        "Compare with all of them, not only with the other colours.",
    )


def _dice(random: Random, difficulty: int) -> Problem:
    kind = between(random, 0, 3)
    if kind == 0:
        limit = between(random, 2, 5)
        more = chance(random, 0.5)
        good = [face for face in range(1, 7) if (face > limit if more else face < limit)]
        prompt = say(
            random,
            "(A fair die is rolled|You roll an ordinary die|{p} rolls a die). What is the "
            "probability of a number {w} than {l}?",
            p=people(random, 1)[0],
            w="greater" if more else "less",
            l=limit,
        )
        steps = (
            f"The good faces are {listed([str(f) for f in good])}, {len(good)} of 6 equally "
            f"likely ones.",
            _reduce(len(good), 6),
        )
        value, wrong = (
            Fraction(len(good), 6),
            (
                Fraction(limit, 6),
                Fraction(7 - limit, 6) if more else Fraction(limit, 6),
                Fraction(1, 6),
                Fraction(1, 2),
            ),
        )
    elif kind == 1:
        total = between(random, 3, 11)
        pairs = [(a, total - a) for a in range(1, 7) if 1 <= total - a <= 6]
        prompt = say(
            random,
            "(Two dice are rolled|{p} rolls two dice|You throw two fair dice). What is the "
            "probability that the sum is {t}?",
            p=people(random, 1)[0],
            t=total,
        )
        steps = (
            "Two dice have 6 × 6 = 36 equally likely outcomes.",
            f"The sum {total} comes from {listed([f'{a} and {b}' for a, b in pairs])}: "
            f"{len(pairs)} of them.",
            _reduce(len(pairs), 36),
        )
        value, wrong = (
            Fraction(len(pairs), 36),
            (
                Fraction(1, 11),
                Fraction(len(pairs) + 1, 36),
                Fraction(1, 36) if len(pairs) > 1 else Fraction(1, 18),
                Fraction(total, 36),
            ),
        )
    elif kind == 2:
        n = between(random, 2, 5)
        prompt = say(
            random,
            "(A fair coin is tossed|{p} tosses a coin) {n} times. What is the probability of {w} "
            "every time?",
            p=people(random, 1)[0],
            n=n,
            w=pick(random, ("heads", "tails")),
        )
        steps = (
            say(
                random,
                "(Each toss is independent of the others, for a coin has no memory|The tosses do "
                "not influence one another), so the chances are multiplied.",
            ),
            f"{' × '.join(['1/2'] * n)} = 1/{2**n}.",
        )
        value, wrong = (
            Fraction(1, 2**n),
            (
                Fraction(1, 2),
                Fraction(1, 2 * n) if n > 2 else Fraction(1, 3),
                Fraction(1, 2 ** (n + 1)),
            ),
        )
    else:
        n, k = between(random, 3, 5), 1
        k = between(random, 1, n - 1)
        ways = comb(n, k)
        prompt = (
            f"A fair coin is tossed {n} times. What is the probability of exactly {k} "
            f"{'head' if k == 1 else 'heads'}?"
        )
        steps = (
            f"There are 2^{n} = {2**n} equally likely rows of results.",
            f"The {k} {'head' if k == 1 else 'heads'} can fall on {ways} different choices of the "
            f"{n} tosses.",
            _reduce(ways, 2**n),
        )
        value, wrong = (
            Fraction(ways, 2**n),
            (Fraction(k, n), Fraction(1, 2**n), Fraction(k, 2**n) if k != ways else Fraction(1, 2)),
        )
    answer = _shown(value)
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the probability is {a}|The probability is {a}).", a=answer),
        wrong=tuple(_shown(w) for w in wrong),
        slip="Count outcomes that are equally likely; otherwise counting proves nothing.",
    )


def _chance_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Probability measures how likely something is, from 0, impossible, to 1, certain|Chance "
        "can be measured: 0 means never, 1 means always). (If all outcomes are equally "
        "likely|When no outcome is favoured), the probability is the number of good outcomes "
        "divided by the number of all. (It does not say what will happen next time, but what "
        "happens in the long run|A single throw cannot be foretold; in a thousand throws the "
        "shares come close to the probabilities). (A coin has no memory: after five heads in a "
        "row, heads and tails are as likely as ever.|The probability that something does not "
        "happen is 1 minus the probability that it does.) (For two independent events, "
        "multiply.|When two things cannot both happen, the probability of one or the other is the "
        "sum.)",
    )


def _counting(random: Random, difficulty: int) -> Problem:
    kind = between(random, 0, 4)
    p = people(random, 1)[0]
    if kind == 0:
        a, b, c = between(random, 2, 6), between(random, 2, 6), between(random, 2, 5)
        x, y, z = pick(
            random,
            (
                (("shirt", "shirts"), ("skirt", "skirts"), ("scarf", "scarves")),
                (("soup", "soups"), ("main dish", "main dishes"), ("dessert", "desserts")),
                (("hat", "hats"), ("coat", "coats"), ("bag", "bags")),
                (("bread", "breads"), ("cheese", "cheeses"), ("sauce", "sauces")),
            ),
        )
        prompt = say(
            random,
            "{p} can choose among {a} {x}, {b} {y} and {c} {z}. How many different combinations "
            "of one each are there?",
            p=p,
            a=a,
            b=b,
            c=c,
            x=x[1],
            y=y[1],
            z=z[1],
        )
        value = a * b * c
        steps = (
            say(
                random,
                "(Every {x} goes with every {y}|For each {x} there are {b} choices of {y}): {a} × "
                "{b} = {ab}.",
                x=x[0],
                y=y[0],
                a=a,
                b=b,
                ab=a * b,
            ),
            f"Each of these pairs goes with any of the {c} {z[1]}: {a * b} × {c} = {value}.",
        )
        wrong, slip = (
            (a + b + c, a * b, value + a),
            "Choices that follow one another are multiplied, not added.",
        )
    elif kind == 1:
        n = between(random, 3, 6)
        value = factorial(n)
        prompt = say(
            random,
            "In how many (orders|ways) can {n} (books stand on a shelf|children stand in a "
            "row|runners come in|lamps be hung in a line|songs be played one after another)?",
            n=n,
        )
        steps = (
            say(
                random,
                "(For the first place there are {n} choices, for the second one fewer, and so "
                "on|Fill the places one by one; each time one choice fewer is left).",
                n=n,
            ),
            f"{' × '.join(str(k) for k in range(n, 0, -1))} = {value}.",
        )
        wrong, slip = (
            (n * n, n, factorial(n - 1), 2**n),
            "A thing that has its place cannot be used again, so the number of choices shrinks.",
        )
    elif kind == 2:
        n = between(random, 4, 14)
        value = comb(n, 2)
        prompt = say(
            random,
            "(At a meeting of {n} people everybody shakes hands once with everybody else. How "
            "many handshakes are there?|{n} teams play each other once. How many games are "
            "there?|{n} points lie on a circle. How many straight lines join two of them?)",
            n=n,
        )
        steps = (
            f"Each of the {n} meets {n - 1} others: {n} × {n - 1} = {n * (n - 1)}.",
            f"That counts every pair twice, once from each side: {n * (n - 1)} ÷ 2 = {value}.",
        )
        wrong, slip = (
            (n * (n - 1), n * n, value + n),
            "A pair is the same pair from both sides, so halve.",
        )
    elif kind == 3:
        n, k = between(random, 5, 9), between(random, 2, 3)
        value = comb(n, k)
        prompt = say(
            random,
            "In how many ways can {k} (helpers|players|books|colours) be chosen out of {n}, if "
            "the order does not matter?",
            k=k,
            n=n,
        )
        ordered = factorial(n) // factorial(n - k)
        steps = (
            f"With order there are {' × '.join(str(n - i) for i in range(k))} = {ordered} ways.",
            f"Each choice of {k} appears in {' × '.join(str(k - i) for i in range(k))} = "
            f"{factorial(k)} orders, so divide: {ordered} ÷ {factorial(k)} = {value}.",
        )
        wrong, slip = (
            (ordered, n * k, value + n),
            "Divide by the number of orders when the order does not matter.",
        )
    else:
        letters, digits = between(random, 1, 2), between(random, 2, 3)
        value = 26**letters * 10**digits
        prompt = (
            f"A code consists of {counted(letters, 'letter')} from A to Z followed by "
            f"{counted(digits, 'digit')}. How many codes are there?"
        )
        steps = (
            "Every letter has 26 possibilities and every digit 10.",
            f"{' × '.join(['26'] * letters + ['10'] * digits)} = {grouped(value)}.",
        )
        wrong, slip = (
            (26 * letters + 10 * digits, value // 10, value * 10),
            "The choices are independent, so they are multiplied.",
        )
    return Problem(
        prompt,
        steps,
        grouped(value),
        say(random, "(So there are {v}|The answer is {v}).", v=value),
        wrong=tuple(grouped(w) for w in wrong),
        slip=slip,
    )


def _counting_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(To count without listing is an art|Many things can be counted without writing them all "
        "down). (If one choice is followed by another, multiply the numbers of "
        "possibilities|Three roads to the bridge and two from there on make 3 × 2 = 6 routes), "
        "(because every first choice goes with every second one|since each way of beginning can "
        "be continued in each way). (When the order does not matter, each group has been counted "
        "several times, so divide.|First count with order, then ask how often the same group was "
        "counted.) (A small case that can be listed is a good test of the method.|Drawing a tree "
        "of the choices helps.)",
    )


TOPICS = (
    taught("probability/drawing and colours", "mathematics", (2, 3, 4), _urn, _chance_lesson),
    taught("probability/dice and coins", "mathematics", (3, 4), _dice, _chance_lesson),
    taught(
        "probability/counting possibilities", "mathematics", (3, 4), _counting, _counting_lesson
    ),
)
