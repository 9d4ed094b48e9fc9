"""Word problems about journeys."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from phinery.data.synthesis.procedural.facts import (
    TOWNS,
)
from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    capitalized,
    counted,
    noun_for,
    number_words,
    people,
    pick,
    plural,
    say,
    several,
)

_MOVERS = (
    ("car", 50, 110, "drives"),
    ("bus", 40, 80, "goes"),
    ("train", 70, 180, "travels"),
    ("cyclist", 12, 28, "rides"),
    ("walker", 3, 6, "walks"),
    ("lorry", 50, 85, "drives"),
    ("ferry", 15, 40, "sails"),
    ("tram", 18, 35, "goes"),
    ("rider on a horse", 8, 16, "rides"),
    ("canoe", 4, 9, "glides"),
    ("plane", 450, 850, "flies"),
    ("motorbike", 50, 100, "goes"),
    ("sailing boat", 8, 18, "sails"),
    ("runner", 9, 15, "runs"),
)


def _travel(random: Random, difficulty: int) -> Problem:
    mover, low, high, verb = pick(random, _MOVERS)
    town, other = several(random, TOWNS, 2)
    speed = between(random, low, high)
    hours = between(random, 2, 6)
    kind = between(random, 0, 2) if difficulty < 4 else between(random, 2, 4)
    if kind == 0:
        prompt = say(
            random,
            "(From {t} to {o} {a m} {v} {h} hours at {s} km per hour. How far is it?|{a m} {v} at "
            "{s} km an hour for {h} hours. (How far is that?|What distance is that?))",
            t=town,
            o=other,
            m=mover,
            v=verb,
            h=hours,
            s=speed,
        )
        steps = (
            say(
                random,
                "(In each hour it covers {s} km, so {h} hours make {h} times as much|Distance is "
                "speed times time, for each hour adds {s} km): {s} × {h} = {d}.",
                s=speed,
                h=hours,
                d=speed * hours,
            ),
        )
        answer, wrong = (
            f"{speed * hours} km",
            (f"{speed + hours} km", f"{speed * (hours + 1)} km", f"{speed * hours // 2} km"),
        )
    elif kind == 1:
        prompt = say(
            random,
            "(It is {d} km from {t} to {o}.|The way from {t} to {o} is {d} km long.) {a m} {v} it "
            "at {s} km per hour. How long does it take?",
            d=speed * hours,
            t=town,
            o=other,
            m=mover,
            v=verb,
            s=speed,
        )
        steps = (
            say(
                random,
                "(How many times does one hour's way fit into the distance?|Every {s} km take one "
                "hour, so divide.) {d} ÷ {s} = {h}.",
                s=speed,
                d=speed * hours,
                h=hours,
            ),
        )
        answer, wrong = (
            f"{hours} hours",
            (f"{hours + 1} hours", f"{speed * hours} hours", f"{hours * 2} hours"),
        )
    elif kind == 2:
        first, second = between(random, 1, 4), between(random, 1, 4)
        slow = max(1, speed - between(random, 1, max(2, speed // 3)))
        total = first * speed + second * slow
        mean = Fraction(total, first + second)
        prompt = say(
            random,
            "{a m} {v} {a_} at {s} km per hour and then {b} at {w} km per hour. (How far is that "
            "in all?|What distance does that make?|How long is the whole way?)",
            m=mover,
            v=verb,
            a_=counted(first, "hour"),
            s=speed,
            b=counted(second, "hour"),
            w=slow,
        )
        steps = (
            f"First part: {first} × {speed} = {first * speed}.",
            f"Second part: {second} × {slow} = {second * slow}.",
            f"Together {first * speed} + {second * slow} = {total}.",
        )
        answer, wrong = (
            f"{total} km",
            (
                f"{(first + second) * speed} km",
                f"{speed + slow} km",
                f"{total + slow} km",
                f"{int(mean)} km",
            ),
        )
    elif kind == 3:
        second = between(random, low, high)
        time = between(random, 1, 5)
        distance = (speed + second) * time
        prompt = say(
            random,
            "(Two {ms} start at the same time, one in {t} and one in {o}, {d} km apart, and go "
            "towards each other at {s} and {w} km per hour.|{t} and {o} are {d} km apart. From "
            "each {a m} sets out for the other place at the same moment, at {s} km per hour and "
            "at {w} km per hour.) After how many hours do they meet?",
            ms=plural(mover) if " on " not in mover else "riders",
            m=mover,
            t=town,
            o=other,
            d=distance,
            s=speed,
            w=second,
        )
        steps = (
            say(
                random,
                "(They come closer by both ways together|In one hour the gap shrinks by the sum "
                "of their speeds, since both move): {s} + {w} = {x}.",
                s=speed,
                w=second,
                x=speed + second,
            ),
            f"{distance} ÷ {speed + second} = {time}.",
        )
        answer, wrong = (
            counted(time, "hour"),
            (
                counted(time + 1, "hour"),
                counted(2 * time, "hour"),
                counted(max(1, distance // speed) + 2, "hour"),
            ),
        )
    else:
        gain = between(random, 2, max(3, (high - low) // 3))
        lead_hours = between(random, 1, 3)
        slow = max(low, 2)
        while (slow * lead_hours) % gain:
            slow += 1
        fast = slow + gain
        time = slow * lead_hours // gain
        p, q = people(random, 2)
        prompt = say(
            random,
            "{p} sets out from {t} at {s} km per hour. {l} later {q} follows on the same road at "
            "{f} km per hour. How many hours after {q.s} start does {q} catch up with {p}?",
            p=p,
            q=q,
            t=town,
            s=slow,
            f=fast,
            l=capitalized(f"{number_words(lead_hours)} {noun_for(lead_hours, 'hour')}"),
        )
        steps = (
            f"When {q} starts, {p} is {slow} × {lead_hours} = {slow * lead_hours} km ahead.",
            say(
                random,
                "(Each hour {q} gains|The gap shrinks every hour by) {f} - {s} = {g} km.",
                q=q,
                f=fast,
                s=slow,
                g=gain,
            ),
            f"{slow * lead_hours} ÷ {gain} = {time}.",
        )
        answer, wrong = (
            counted(time, "hour"),
            (
                counted(time + lead_hours, "hour"),
                counted(time + 1, "hour"),
                counted(lead_hours, "hour") if lead_hours != time else counted(time + 2, "hour"),
            ),
        )
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the answer is {a}|That makes {a}|It is {a}).", a=answer),
        wrong=wrong,
        slip="Speed joins distance and time: multiply for the distance, divide for the time.",
    )


def _travel_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Speed tells how far something gets in one unit of time|A speed of 60 km per hour is a "
        "promise: in every hour, 60 km). (So the distance is speed times time|Each hour brings "
        "the same distance, so we multiply by the hours), and (the time is distance divided by "
        "speed|to find the time we ask how many such distances fit). (When two move towards each "
        "other, their speeds add, because both shorten the gap|Two trains that approach each "
        "other eat up the gap together). (If one follows the other, only the difference of the "
        "speeds counts.|A pursuer gains only what he is faster.) (Watch the units: minutes and "
        "hours must not be mixed.|An average speed is the whole distance divided by the whole "
        "time, not the mean of two speeds.)",
    )


TOPICS = (taught("word problems/journeys", "reasoning", (2, 3, 4), _travel, _travel_lesson),)
