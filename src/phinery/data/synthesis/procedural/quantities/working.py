"""Word problems about shared work and mixtures."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    counted,
    decimal,
    number_words,
    people,
    pick,
    say,
)


def _work(random: Random, difficulty: int) -> Problem:
    p, q = people(random, 2)
    job = pick(
        random,
        (
            "paint a fence",
            "dig a ditch",
            "pack the orders",
            "clean the hall",
            "lay a floor",
            "pick the apples",
            "fold the leaflets",
            "stack the wood",
            "weed the beds",
            "sort the letters",
        ),
    )
    kind = between(random, 0, 2)
    if kind == 0:
        workers = between(random, 2, 8)
        days = between(random, 2, 12)
        total = workers * days
        options = [n for n in range(1, 17) if total % n == 0 and n != workers]
        new = pick(random, options)
        prompt = say(
            random,
            "{w} {who} {job} in {d}. How many days would {n} of them need, working at the same "
            "pace?",
            w=number_words(workers).capitalize(),
            who=pick(random, ("people", "helpers", "workers", "volunteers")),
            job=job,
            d=counted(days, "day"),
            n=number_words(new),
        )
        steps = (
            say(
                random,
                "(The whole job is {t} days of work for one person|One person alone would need "
                "{w} times as long): {w} × {d} = {t}.",
                w=workers,
                d=days,
                t=total,
            ),
            say(
                random,
                "(Share these days of work among {n}|With {n} the time is divided by {n}): {t} ÷ "
                "{n} = {v}.",
                n=new,
                t=total,
                v=total // new,
            ),
        )
        answer, wrong = (
            counted(total // new, "day"),
            (
                counted(total, "day"),
                counted(days + 1, "day"),
                counted(max(1, days * new // workers), "day"),
                counted(total // new + 2, "day"),
            ),
        )
        slip = "More workers need less time, so this is not a direct proportion."
    elif kind == 1:
        a, b = pick(
            random,
            (
                (3, 6),
                (2, 2),
                (4, 12),
                (6, 12),
                (10, 15),
                (6, 3),
                (12, 4),
                (20, 30),
                (5, 20),
                (8, 24),
                (4, 4),
                (12, 24),
                (15, 30),
                (9, 18),
            ),
        )
        together = Fraction(a * b, a + b)
        prompt = say(
            random,
            "{p} needs {a} hours to {job}, {q} needs {b}. How long do they need together?",
            p=p,
            q=q,
            a=a,
            b=b,
            job=job,
        )
        steps = (
            say(
                random,
                "(In one hour {p} does 1/{a} of the work and {q} 1/{b}|Look at one hour: {p} "
                "manages 1/{a} and {q} 1/{b} of the job).",
                p=p,
                q=q,
                a=a,
                b=b,
            ),
            f"Together that is 1/{a} + 1/{b} = {Fraction(1, a) + Fraction(1, b)} of it.",
            f"So the whole takes {together.numerator} hour{'s' if together != 1 else ''}."
            if together.denominator == 1
            else f"So the whole takes {decimal(together)} hours.",
        )
        answer = (
            counted(int(together), "hour")
            if together.denominator == 1
            else f"{decimal(together)} hours"
        )
        wrong = (
            f"{a + b} hours",
            f"{decimal(Fraction(a + b, 2))} hours",
            counted(min(a, b), "hour"),
        )
        slip = "Times cannot be added or averaged here; add what is done in one hour."
    else:
        rate, other, hours = between(random, 3, 15), between(random, 3, 15), between(random, 2, 8)
        unit = pick(
            random, ("chairs", "lamps", "baskets", "bricks", "pots", "signs", "caps", "toys")
        )
        value = (rate + other) * hours
        prompt = say(
            random,
            "{p}, {a j}, makes {r} {u} an hour, and {q} makes {o}. How many {u} do they make "
            "together in {h} hours?",
            p=p,
            q=q,
            j=pick(random, ("craftsperson", "skilled worker", "beginner", "trainee")),
            r=rate,
            o=other,
            u=unit,
            h=hours,
        )
        steps = (
            f"In one hour both make {rate} + {other} = {rate + other}.",
            f"In {hours} hours: {rate + other} × {hours} = {value}.",
        )
        answer, wrong, slip = (
            str(value),
            (str(rate * hours + other), str(rate + other + hours), str(value + rate)),
            "Add the rates first, then multiply by the time.",
        )
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the answer is {a}|It is {a}).", a=answer),
        wrong=wrong,
        slip=slip,
    )


def _work_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Problems about work become simple when we look at one hour|The key to sharing work is "
        "the rate: how much of the job is done in one hour). (Somebody who needs 4 hours does a "
        "quarter of the job in each|If a job takes 5 hours, one hour does a fifth of it). (Rates "
        "of people who work side by side are added|Side by side, the parts add up), (while their "
        "times are not|and the time must come out shorter than either alone). (With equal workers "
        "it is easier still: the product of workers and days stays the same.|For equal workers, "
        "twice as many need half the time, if they don't get in each other's way.)",
    )


def _mixture(random: Random, difficulty: int) -> Problem:
    p = people(random, 1)[0]
    kind = between(random, 0, 1)
    if kind == 0:
        low, high = sorted((between(random, 3, 12), between(random, 13, 30)))
        a, b = between(random, 1, 8), between(random, 1, 8)
        total = a * low + b * high
        what, unit, money = pick(
            random,
            (
                ("tea", "kg", "dollars"),
                ("coffee", "kg", "euros"),
                ("nuts", "kg", "dollars"),
                ("rice", "kg", "pounds"),
                ("spice", "kg", "euros"),
                ("honey", "kg", "pounds"),
                ("wool", "kg", "dollars"),
            ),
        )
        mean = Fraction(total, a + b)
        if (mean * 100).denominator != 1:
            b = a
            total = a * low + b * high
            mean = Fraction(total, 2 * a)
        prompt = say(
            random,
            "{p} mixes {a} {u} of {w} at {l} {m} per {u} with {b} {u} at {h} {m} per {u}. What "
            "does one {u} of the mixture cost?",
            p=p,
            a=a,
            b=b,
            u=unit,
            w=what,
            l=low,
            h=high,
            m=money,
        )
        steps = (
            f"The first part costs {a} × {low} = {a * low}.",
            f"The second part costs {b} × {high} = {b * high}.",
            f"All together: {a * low} + {b * high} = {total}, for {a} + {b} = {a + b} {unit}.",
            f"{total} ÷ {a + b} = {decimal(mean)}.",
        )
        answer, wrong = (
            f"{decimal(mean)} {money}",
            (
                f"{decimal(Fraction(low + high, 2))} {money}",
                f"{low + high} {money}",
                f"{total} {money}",
            ),
        )
        slip = "The plain middle of the two prices is right only if both amounts are equal."
    else:
        percent, litres = pick(random, (10, 20, 30, 40, 60)), between(random, 2, 12)
        pure = Fraction(percent * litres, 100)
        new = pick(
            random,
            [x for x in range(1, 13) if (pure * 100 / (litres + x)).denominator == 1] or [litres],
        )
        result = pure * 100 / (litres + new)
        prompt = say(
            random,
            "{n} litres of a salt solution contain {k}% salt. {p} adds {w} of water. What "
            "percentage of salt is there then? (Count by volume.)",
            n=litres,
            k=percent,
            p=p,
            w=counted(new, "litre"),
        )
        steps = (
            f"There {'is' if pure == 1 else 'are'} {litres} × {percent} ÷ 100 = {decimal(pure)} "
            f"litres of salt in it, and water adds none.",
            f"The whole is now {litres} + {new} = {litres + new} litres.",
            f"{decimal(pure)} × 100 ÷ {litres + new} = {decimal(result)}.",
        )
        answer, wrong = (
            f"{decimal(result)}%",
            (
                f"{percent}%",
                f"{max(1, percent - new)}%",
                f"{percent // 2}%" if percent // 2 != result else f"{percent + 5}%",
            ),
        )
        slip = "The amount of salt stays the same; only the whole grows."
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the answer is {a}|It is {a}).", a=answer),
        wrong=wrong,
        slip=slip,
    )


def _mixture_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(In a mixture nothing is lost|When things are mixed, each part keeps what it brought). "
        "(So add up the parts on their own|Keep an account for each part): how much there is, and "
        "(what it costs or contains|how much of the stuff in question it holds). (The mixture has "
        "the total of the one spread over the total of the other|Divide the total content by the "
        "total amount at the end). (The result lies between the two values, nearer to the part of "
        "which there is more.|That is a weighted mean: the larger part pulls harder.)",
    )


TOPICS = (
    taught("word problems/working together", "reasoning", (3, 4), _work, _work_lesson),
    taught("word problems/mixtures", "reasoning", (4, 5), _mixture, _mixture_lesson),
)
