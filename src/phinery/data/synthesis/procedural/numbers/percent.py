"""Percentages."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    decimal,
    pick,
    say,
)

_GROUPS = (
    ("pupils in a school", "come by bus"),
    ("members of a club", "are over sixty"),
    ("books in a library", "are novels"),
    ("trees in a park", "are oaks"),
    ("seats in a hall", "are taken"),
    ("houses in a village", "have a garden"),
    ("visitors of a fair", "are children"),
    ("eggs from a farm", "are brown"),
    ("days of a season", "were rainy"),
    ("letters in a sack", "go abroad"),
    ("answers in a test", "are right"),
    ("players in a league", "are left-handed"),
    ("workers in a factory", "work at night"),
    ("tickets for a concert", "are sold"),
    ("apples in a harvest", "are red"),
)


def _of(random: Random, difficulty: int) -> Problem:
    percent = pick(random, (10, 20, 25, 50, 5, 75) if difficulty == 2 else tuple(range(3, 98)))
    whole = between(random, 2, 40) * (20 if 20 % (100 // gcd(percent, 100)) == 0 else 100)
    value = percent * whole // 100
    group, are = pick(random, _GROUPS)
    if chance(random, 0.6):
        prompt = say(
            random,
            "(There are {n} {g}, and {p}% of them {are}|Of the {n} {g}, {p}% {are}|Somebody "
            "counted the {n} {g}: {p}% {are}). How many is that?",
            n=whole,
            g=group,
            p=percent,
            are=are,
        )
    else:
        prompt = say(random, "(What is|How much is) {p}% of {n}?", p=percent, n=whole)
    nice = {
        10: "a tenth",
        20: "a fifth",
        25: "a quarter",
        50: "a half",
        75: "three quarters",
        5: "a twentieth",
    }
    if percent in nice and chance(random, 0.6):
        fraction = Fraction(percent, 100)
        steps = [
            f"{percent}% is {nice[percent]}, because {percent}/100 = "
            f"{fraction.numerator}/{fraction.denominator}."
        ]
        steps.append(f"{whole} ÷ {fraction.denominator} = {whole // fraction.denominator}.")
        if fraction.numerator > 1:
            steps.append(f"{fraction.numerator} × {whole // fraction.denominator} = {value}.")
    else:
        one = Fraction(whole, 100)
        steps = [
            say(
                random,
                "(Percent means out of a hundred, so find one hundredth first|One percent is a "
                "hundredth of the whole): {n} ÷ 100 = {o}.",
                n=whole,
                o=decimal(one),
            ),
            say(
                random,
                "({p} of these make {p}%|We want {p} hundredths|Then take {p} of them): {p} × {o} "
                "= {v}.",
                p=percent,
                o=decimal(one),
                v=value,
            ),
        ]
    return Problem(
        prompt,
        tuple(steps),
        str(value),
        say(random, "(So|Therefore) {p}% of {n} is {v}.", p=percent, n=whole, v=value),
        check=f"The other {100 - percent}% are {whole - value}, and {value} + "
        f"{whole - value} = {whole}.",
        wrong=(str(whole - value), str(value + whole // 20), str(value * 10), str(percent)),
        slip=f"{percent}% of something is not the number {percent}, unless the whole is 100.",
    )


def _what_percent(random: Random, difficulty: int) -> Problem:
    percent = pick(
        random, (10, 20, 25, 40, 50, 60, 75, 80) if difficulty == 3 else tuple(range(2, 99, 2))
    )
    base = 100 // gcd(percent, 100)
    whole = base * between(random, 1, max(1, 400 // base))
    part = whole * percent // 100
    group, are = pick(random, _GROUPS)
    prompt = say(
        random,
        "(Of {n} {g}, {k} {are}. What percentage is that?|{k} of {n} {g} {are}. How many percent "
        "are they?|What percent of {n} is {k}?|{k} out of {n}: how many percent is that?)",
        n=whole,
        g=group,
        k=part,
        are=are,
    )
    share = Fraction(part, whole)
    steps = (
        say(
            random,
            "(Write the share as a fraction|The part over the whole): {k}/{n} = {f}.",
            k=part,
            n=whole,
            f=f"{share.numerator}/{share.denominator}",
        ),
        say(
            random,
            "(Percent means hundredths, so widen it to a denominator of 100|Turn it into "
            "hundredths, for that is what percent means): {f} = {p}/100.",
            f=f"{share.numerator}/{share.denominator}",
            p=percent,
        ),
    )
    return Problem(
        prompt,
        steps,
        f"{percent}%",
        say(random, "(So it is|That is|The share is) {p}%.", p=percent),
        check=f"{percent} × {whole} = {percent * whole}, and a hundredth of that is {part}.",
        wrong=(f"{100 - percent}%", f"{percent + 10}%", f"{part}%", f"{max(1, percent // 10)}%"),
        slip="The whole goes below the line; it is the number that the share is a share of.",
    )


def _change(random: Random, difficulty: int) -> Problem:
    percent = pick(
        random,
        (5, 10, 20, 25, 30, 40, 50) if difficulty == 3 else (4, 5, 8, 12, 15, 16, 18, 24, 35, 45),
    )
    old = between(random, 2, 45) * 100 // gcd(percent, 100) * max(1, gcd(percent, 100) // 20)
    old = old * 5 if (old * percent) % 100 else old
    old = old * 20 if (old * percent) % 100 else old
    up = chance(random, 0.5)
    change = old * percent // 100
    new = old + change if up else old - change
    subject = pick(
        random,
        (
            "The (yearly |)number of visitors of a museum",
            "The population of a village",
            "The number of bicycles in a town",
            "The number of members of a club",
            "A factory's daily output of bottles",
            "The number of trains per month on a line",
            "The number of swans on a lake",
            "The number of letters a post office handles in a week",
            "The number of pupils of a school district",
            "The monthly sales of a bookshop",
        ),
    )
    subject = say(random, subject)
    kind = pick(random, ("new", "percent")) if difficulty < 5 else "old"
    if difficulty >= 4 and chance(random, 0.3):
        kind = "old"
    rose = "(rose|grew|went up|increased)" if up else "(fell|dropped|went down|decreased)"
    if kind == "new":
        prompt = say(
            random,
            "{s} was {o}. It "
            + rose
            + " by {p}%. (What is it now?|What was it afterwards?|How large is it after "
            "the change?)",
            s=subject,
            o=old,
            p=percent,
        )
        steps = (
            say(
                random,
                "(Find the change first|The change is a part of the old value): {p}% of {o} is "
                "{c}, since {o} × {p} ÷ 100 = {c}.",
                p=percent,
                o=old,
                c=change,
            ),
            f"{'Add' if up else 'Subtract'} it: {old} {'+' if up else '-'} {change} = {new}.",
        )
        answer, wrong = (
            str(new),
            (str(old - change if up else old + change), str(change), str(new + percent)),
        )
        check = (
            f"{100 + percent if up else 100 - percent}% of the old value: {old} × "
            f"{100 + percent if up else 100 - percent} ÷ 100 = {new}."
        )
        slip = "The percentage is taken from the old value, not from the new one."
    elif kind == "percent":
        prompt = say(
            random,
            "{s} " + rose + " from {o} to {n}. By how many percent did it change?",
            s=subject,
            o=old,
            n=new,
        )
        steps = (
            f"The change is {max(old, new)} - {min(old, new)} = {change}.",
            say(
                random,
                "(Compare it with the old value, where we started|The old value is the whole, "
                "because the change started from it): {c} × 100 ÷ {o} = {p}.",
                c=change,
                o=old,
                p=percent,
            ),
        )
        answer, wrong = (
            f"{percent}%",
            (f"{percent + 5}%", f"{100 - percent}%", f"{change}%", f"{percent * 2}%"),
        )
        check = f"{percent}% of {old} is {change}."
        slip = "Divide by the old value, not by the new one."
    else:
        prompt = say(
            random,
            "{s} " + rose + " by {p}% and is now {n}. What was it before?",
            s=subject,
            p=percent,
            n=new,
        )
        full = 100 + percent if up else 100 - percent
        steps = (
            say(
                random,
                "(The old value was 100%, so {n} is {f}% of it|If the old value counts as 100%, "
                "the new one is {f}%).",
                n=new,
                f=full,
            ),
            f"One percent is {new} ÷ {full} = {decimal(Fraction(old, 100))}.",
            f"A hundred times that is {decimal(Fraction(old, 100))} × 100 = {old}.",
        )
        answer, wrong = (
            str(old),
            (
                str(new - change if up else new + change),
                str(new - new * percent // 100 if up else new + new * percent // 100),
                str(new),
                str(old + percent),
            ),
        )
        wrong = (wrong[1], wrong[2], wrong[3])
        check = f"{percent}% of {old} is {change}, and {old} {'+' if up else '-'} {change} = {new}."
        slip = (
            f"Taking {percent}% of the new value goes wrong, because the percentage belongs to the "
            f"old one."
        )
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the answer is {a}|It is {a}|The result is {a}).", a=answer),
        check,
        wrong,
        slip,
    )


def _percent_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Percent comes from the Latin for by the hundred|The word percent means out of every "
        "hundred|A percentage is a fraction whose denominator is always 100, and so need not be "
        "written). (It lets us compare|It is useful because it makes comparable) shares of wholes "
        "of different size: (12 of 48 pupils and 30 of 120 pupils are both 25%|7 of 28 and 25 of "
        "100 are the same share, 25%). (A percentage is always a percentage of something, and one "
        "has to know of what.|Always ask: percent of what?) (A price that rises by 10% and then "
        "falls by 10% does not come back: from 100 to 110, then down by 11 to 99.|Half is 50%, a "
        "quarter 25%, a tenth 10%, and these few help to find many others.)",
    )


TOPICS = (
    taught("percent/percent of an amount", "mathematics", (2, 3), _of, _percent_lesson),
    taught("percent/what percentage", "mathematics", (3, 4), _what_percent, _percent_lesson),
    taught("percent/percentage change", "mathematics", (3, 4), _change, _percent_lesson),
)
