"""Points of a plane, and maps."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    decimal,
    grouped,
    people,
    pick,
    say,
)


def _coordinates(random: Random, difficulty: int) -> Problem:
    a, b = between(random, -8, 8), between(random, -8, 8)
    if chance(random, 0.5) or difficulty < 4:
        right, up = between(random, -7, 7), between(random, -7, 7)
        right, up = right or 3, up or -2
        p = people(random, 1)[0]
        prompt = say(
            random,
            "({p} starts|A robot stands|A ship lies|A counter lies) at the point ({a}, {b}) of a "
            "grid(, and| and) (goes|moves) {r} {u1} {d1} and {u} {u2} {d2}. What point does that "
            "lead to?",
            p=p,
            a=a,
            b=b,
            r=abs(right),
            u=abs(up),
            u1="step" if abs(right) == 1 else "steps",
            u2="step" if abs(up) == 1 else "steps",
            d1="to the right" if right > 0 else "to the left",
            d2="up" if up > 0 else "down",
        )
        return Problem(
            prompt,
            (
                say(
                    random,
                    "(The first number tells left and right, and right is plus|Sideways moves "
                    "change the first number): {a} {s} {r} = {x}.",
                    a=a,
                    s="+" if right > 0 else "-",
                    r=abs(right),
                    x=a + right,
                ),
                say(
                    random,
                    "(The second tells up and down, and up is plus|Moves up or down change the "
                    "second): {b} {s} {u} = {y}.",
                    b=b,
                    s="+" if up > 0 else "-",
                    u=abs(up),
                    y=b + up,
                ),
            ),
            f"({a + right}, {b + up})",
            f"The point is ({a + right}, {b + up}).",
            wrong=(
                f"({b + up}, {a + right})",
                f"({a - right}, {b + up})",
                f"({a + right}, {b - up})",
            ),
            slip="First across, then up: the order of the two numbers matters.",
        )
    m, c = between(random, -5, 6) or 2, between(random, -9, 9)
    x = between(random, -5, 8)
    y = m * x + c
    x2 = x + between(random, 1, 5)
    y2 = m * x2 + c
    return Problem(
        f"A straight line goes through ({x}, {y}) and ({x2}, {y2}). What is its slope?",
        (
            say(
                random,
                "(The slope says how much y grows when x grows by 1|Slope is rise over run).",
            ),
            f"The run is {x2} - {_signed(x)} = {x2 - x} and the rise {y2} - {_signed(y)} = "
            f"{y2 - y}.",
            f"{y2 - y} ÷ {x2 - x} = {m}.",
        ),
        str(m),
        f"The slope is {m}.",
        wrong=(str(-m), str(m + 1), str(y2 - y) if x2 - x > 1 else str(m + 2)),
        slip="Rise over run, not run over rise, and both in the same direction.",
    )


def _signed(number: int) -> str:
    return f"({number})" if number < 0 else str(number)


def _coordinate_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Two numbers are enough to name any point of a plane|With two numbers we can say where a "
        "point is), (as two letters and digits name a square of a street map|just as row and seat "
        "name a place in a theatre). (The first counts to the right from the origin and the "
        "second upwards|First go across, then up); minus means left or down. (Descartes made this "
        "idea popular in the seventeenth century, and since then curves have had equations.|A "
        "straight line climbs by the same amount at each step; that amount is called its slope.)",
    )


def _scale(random: Random, difficulty: int) -> Problem:
    scale = pick(random, (100, 200, 500, 1000, 5000, 10_000, 20_000, 25_000, 50_000, 100_000))
    on_map = between(random, 2, 30)
    centimetres = on_map * scale
    unit, per = ("km", 100_000) if centimetres >= 200_000 else ("m", 100)
    value = decimal(Fraction(centimetres, per))
    what = "plan" if scale <= 1000 else "map"
    return Problem(
        say(
            random,
            "(On a {w} with the scale 1 : {s}, (two (points|trees|wells|gates|corners) are {m} cm "
            "apart. How far|a (line|wall|path|hedge|fence) is {m} cm long. How long|you measure "
            "{m} cm. How much) is that in reality, in {u}?|A {w} is drawn at a scale of 1 : {s}. "
            "{p} measures {m} cm on it. What is the true length in {u}?|The scale of a {w} is 1 : "
            "{s}. Which distance in {u} belongs to {m} cm on paper?|{p} lays a ruler on a {w} "
            "(scale 1 : {s}) and reads {m} cm. How many {u} is that outside?)",
            p=people(random, 1)[0],
            w=what,
            s=scale,
            m=on_map,
            u={"km": "kilometres", "m": "metres"}[unit],
        ),
        (
            say(
                random,
                "(Each centimetre on the {w} stands for {s} cm outside|The scale says that "
                "reality is {s} times as large): {m} × {s} = {c}.",
                w=what,
                s=scale,
                m=on_map,
                c=centimetres,
            ),
            f"There are {grouped(per)} cm in a {'kilometre' if unit == 'km' else 'metre'}: "
            f"{grouped(centimetres)} ÷ {grouped(per)} = {value}.",
        ),
        f"{value} {unit}",
        f"In reality it is {value} {unit}.",
        wrong=(
            f"{decimal(Fraction(centimetres, per) * 10)} {unit}",
            f"{decimal(Fraction(centimetres, per) / 10)} {unit}",
            f"{grouped(centimetres)} {unit}",
        ),
        slip="Convert at the end: the product comes out in centimetres.",
    )


def _scale_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A map is a picture that has shrunk evenly|On a map every length has been divided by the "
        "same number). (That number is the scale: 1 : 50,000 says that one centimetre stands for "
        "50,000 centimetres|The scale 1 : 1000 means that everything is a thousand times larger "
        "outside). (To find the real distance, multiply what you measure; to draw, divide|From "
        "paper to world we multiply, from world to paper we divide). (Angles and shapes stay as "
        "they are, which is why a map can guide us|Only the lengths change, not the angles). (The "
        "larger the second number, the more land fits on the sheet and the fewer details.|Areas "
        "shrink by the square of the scale.|Remember to turn the centimetres into metres or "
        "kilometres at the end.)",
    )


TOPICS = (
    taught("geometry/coordinates", "mathematics", (3, 4), _coordinates, _coordinate_lesson),
    taught("geometry/maps and scale", "mathematics", (3,), _scale, _scale_lesson),
)
