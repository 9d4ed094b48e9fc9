"""Ratios and proportion."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    counted,
    people,
    pick,
    plural,
    say,
)


def _ratio(random: Random, difficulty: int) -> Problem:
    x, y = between(random, 1, 3 + difficulty), between(random, 1, 3 + difficulty)
    while gcd(x, y) > 1 or x == y:
        x, y = between(random, 1, 4 + difficulty), between(random, 1, 4 + difficulty)
    one = between(random, 2, 10 * difficulty)
    total = one * (x + y)
    p, q = people(random, 2)
    frame = pick(
        random,
        (
            "{p} and {q} share {n} {money} in the ratio {x} : {y}. How (much does|many {money} "
            "does) {p} get?",
            "Red and blue paint are mixed in the ratio {x} : {y}. {p} needs {n} (litres|cups) of "
            "the mixture. How much of it is red?",
            "In a garden the beds of beans and peas are in the ratio {x} : {y}. There are {n} "
            "beds in all. How many have beans?",
            "For every {xs} on a farm there {are} {ys}. There are {n} animals, all of them goats "
            "or hens. How many goats are there?",
            "{p} and {q} divide {n} {things} between them in the ratio {x} : {y}, {p} first. How "
            "many does {p} get?",
        ),
    )
    prompt = say(
        random,
        frame,
        p=p,
        q=q,
        n=total,
        x=x,
        y=y,
        money=pick(random, ("dollars", "euros", "pounds", "coins")),
        xs=counted(x, "goat"),
        ys=counted(y, "hen"),
        are="is" if y == 1 else "are",
        things=plural(pick(random, ("marble", "stamp", "card", "shell", "apple", "chestnut"))),
    )
    steps = (
        say(
            random,
            "(There are|The ratio makes|Count the parts:) {x} + {y} = {s} equal parts.",
            x=x,
            y=y,
            s=x + y,
        ),
        say(
            random,
            "(One part is|Each part is|The size of a part:) {n} ÷ {s} = {o}.",
            n=total,
            s=x + y,
            o=one,
        ),
        say(
            random,
            "(The share asked for has {x} part{e}|We want {x} part{e}): {x} × {o} = {v}.",
            x=x,
            e="" if x == 1 else "s",
            o=one,
            v=x * one,
        ),
    )
    return Problem(
        prompt,
        steps,
        str(x * one),
        say(random, "(So the answer is {v}|It is {v}).", v=x * one),
        check=f"The other share is {y} × {one} = {y * one}, and {x * one} + {y * one} = {total}.",
        wrong=(str(y * one), str(one), str(total // max(2, x)), str(x * one + one)),
        slip=f"A ratio of {x} : {y} does not mean {x}/{y} of the whole; there are {x + y} "
        f"parts in all.",
    )


_RECIPES = (
    ("pancakes", "flour", "grams", 120, 300),
    ("soup", "stock", "millilitres", 600, 1500),
    ("bread", "water", "millilitres", 250, 450),
    ("curry", "rice", "grams", 240, 500),
    ("jam", "sugar", "grams", 300, 900),
    ("lemonade", "lemon juice", "millilitres", 100, 300),
    ("stew", "beans", "grams", 200, 600),
    ("pasta", "tomatoes", "grams", 300, 800),
    ("pilaf", "lentils", "grams", 150, 450),
    ("salad", "cucumber", "grams", 200, 500),
    ("porridge", "oats", "grams", 80, 240),
    ("dumplings", "dough", "grams", 250, 600),
)


def _proportion(random: Random, difficulty: int) -> Problem:
    if chance(random, 0.5):
        dish, what, unit, low, high = pick(random, _RECIPES)
        first = between(random, 2, 6)
        second = between(random, 2, 12)
        while second == first:
            second = between(random, 2, 12)
        per = max(1, between(random, low, high) // first // 5 * 5)
        prompt = say(
            random,
            "(A recipe for {dish} for {a} people (needs|takes) {n} {unit} of {what}|{^p} makes "
            "{dish} for {a} people with {n} {unit} of {what}|For "
            "{dish} for {a} people one (needs|takes) "
            "{n} {unit} of {what}). How many {unit} are needed for {b} people?",
            p=people(random, 1)[0],
            dish=dish,
            a=first,
            b=second,
            n=per * first,
            unit=unit,
            what=what,
        )
        suffix = f" {unit}"
    else:
        thing, verb, unit, low, high = pick(
            random,
            (
                ("printer", "prints", "pages", 8, 40),
                ("baker", "shapes", "rolls", 4, 15),
                ("pump", "moves", "litres", 12, 90),
                ("machine", "fills", "bottles", 15, 80),
                ("weaver", "makes", "rows", 2, 9),
                ("clerk", "sorts", "letters", 10, 35),
                ("robot", "paints", "panels", 2, 9),
                ("mill", "grinds", "kilograms", 3, 25),
                ("tap", "fills", "litres", 6, 18),
                ("typist", "writes", "words", 30, 70),
            ),
        )
        per = between(random, low, high)
        first, second = between(random, 2, 12), between(random, 2, 30)
        while second == first:
            second = between(random, 2, 30)
        prompt = say(
            random,
            "{a t} {v} {n} {u} in {a} minutes. How many {u} (is that|does it come to) in {b} "
            "minutes at the same (rate|speed|pace)?",
            a=first,
            t=thing,
            v=verb,
            n=per * first,
            u=unit,
            b=second,
        )
        suffix = f" {unit}"
    value = per * second
    steps = (
        say(
            random,
            "(Go back to one first, because from one we can go to any number|Find the amount for "
            "one): {n} ÷ {a} = {p}.",
            n=per * first,
            a=first,
            p=per,
        ),
        say(
            random,
            "(Then go up to {b}|For {b} it is {b} times as much): {b} × {p} = {v}.",
            b=second,
            p=per,
            v=value,
        ),
    )
    factor = Fraction(second, first)
    return Problem(
        prompt,
        steps,
        f"{value}{suffix}",
        say(random, "(So the answer is|That makes|We get) {v}{s}.", v=value, s=suffix),
        check=say(
            random,
            "The second number is {f} times the first, and {n} × {f} = {v}.",
            f=f"{factor.numerator}/{factor.denominator}" if factor.denominator > 1 else str(factor),
            n=per * first,
            v=value,
        ),
        wrong=(
            f"{per * first + second - first}{suffix}",
            f"{per}{suffix}",
            f"{value + per}{suffix}",
            f"{per * first * second}{suffix}",
        ),
        slip="In a proportion we multiply and divide; adding the same amount to both "
        "sides is wrong.",
    )


def _ratio_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A ratio compares two amounts by division|A ratio says how many of one go with how many "
        "of another). (If a drink takes 1 cup of syrup to 4 cups of water|With 1 cup of syrup for "
        "every 4 cups of water), the ratio is 1 : 4 and there are 5 parts in all, so syrup is 1/5 "
        "of the drink. (Doubling both sides changes the amount, not the taste|The ratio stays the "
        "same when both sides are multiplied by one number). (In a proportion, two amounts grow "
        "together: twice as many guests need twice as much soup.|We call two amounts proportional "
        "when one doubles as the other doubles.) (The safest way goes through one: for one guest, "
        "then for many.|First find what belongs to one; then multiply.)",
    )


TOPICS = (
    taught("ratio/sharing in a ratio", "mathematics", (3, 4), _ratio, _ratio_lesson),
    taught("ratio/direct proportion", "mathematics", (2, 3), _proportion, _ratio_lesson),
)
