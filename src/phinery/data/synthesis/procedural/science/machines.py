"""Levers and gears."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    decimal,
    people,
    pick,
    say,
)


def _lever(random: Random, difficulty: int) -> Problem:
    p, q = people(random, 2)
    arm_a, arm_b = between(random, 2, 15), between(random, 2, 15)
    while arm_a == arm_b:
        arm_b = between(random, 2, 15)
    k = between(random, 2, 18)
    load_a, load_b = arm_b * k, arm_a * k
    kind = pick(random, ("seesaw", "crowbar", "balance"))
    if kind == "seesaw":
        arms = [Fraction(arm, 10) for arm in (arm_a + 10, arm_b + 10)]
        weight = between(random, 8, 20)
        first = weight * (arm_b + 10)
        second = weight * (arm_a + 10)
        while first > 700 or second > 700:
            weight = max(1, weight // 2)
            first, second = weight * (arm_b + 10), weight * (arm_a + 10)
        prompt = say(
            random,
            "{p} presses on one side of a seesaw with {f} N, {a} m from the middle. With what "
            "force must {q} press on the other side, {b} m from the middle, to balance it?",
            p=p,
            q=q,
            f=first,
            a=decimal(arms[0]),
            b=decimal(arms[1]),
        )
        steps = (
            say(
                random,
                "(A lever is balanced when force times arm is equal on both sides|What turns a "
                "lever is force times distance from the pivot, and both sides must be equal).",
            ),
            f"One side: {first} × {decimal(arms[0])} = {decimal(first * arms[0])}.",
            f"So the other force is {decimal(first * arms[0])} ÷ {decimal(arms[1])} = {second}.",
        )
        answer, wrong = f"{second} N", (f"{first} N", f"{second + 50} N", f"{first + second} N")
    elif kind == "crowbar":
        short, ratio = between(random, 5, 20), between(random, 3, 12)
        load = ratio * between(random, 5, 30) * 10
        prompt = say(
            random,
            "A stone presses on a crowbar with {l} N, {s} cm from the pivot. (What force is "
            "needed|With what force must {p} push) at the other end, {n} cm from the pivot?",
            p=p,
            l=load,
            s=short,
            n=short * ratio,
        )
        steps = (
            say(
                random,
                "(The long arm is {r} times the short one|Compare the arms): {n} ÷ {s} = {r}.",
                r=ratio,
                n=short * ratio,
                s=short,
            ),
            say(
                random,
                "(So a force {r} times smaller is enough, since force times arm must agree|The "
                "force may be {r} times smaller): {l} ÷ {r} = {v}.",
                r=ratio,
                l=load,
                v=load // ratio,
            ),
        )
        answer, wrong = (
            f"{load // ratio} N",
            (f"{load * ratio} N", f"{load} N", f"{load // ratio + 10} N", f"{load - ratio} N"),
        )
    else:
        prompt = say(
            random,
            "(A beam is held in the middle.|A metre rule hangs on a thread at its middle.) On the "
            "left hangs a mass of {m} g, {a} cm from the middle. How far from the middle must {n} "
            "g hang on the right to keep it level?",
            m=load_a * 2,
            a=arm_a,
            n=load_b * 2,
        )
        steps = (
            f"The left side turns with {load_a * 2} × {arm_a} = {load_a * arm_a * 2}.",
            say(
                random,
                "(The right side must turn as strongly|For balance the right side needs the "
                "same): {t} ÷ {n} = {b}.",
                t=load_a * arm_a * 2,
                n=load_b * 2,
                b=arm_b,
            ),
        )
        answer, wrong = f"{arm_b} cm", (f"{arm_a} cm", f"{arm_a + arm_b} cm", f"{arm_b + 1} cm")
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the answer is|It is) {a}.", a=answer),
        wrong=wrong,
        slip="The arms are measured from the pivot, not from one end to the other.",
    )


def _lever_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Give me a place to stand, and I shall move the Earth, Archimedes is said to have "
        "boasted|With a lever a child can lift what a grown-up cannot). (A lever turns about a "
        "pivot, and a force counts more the further from the pivot it acts|The turning effect of "
        "a force is force times distance from the pivot). (In balance both sides turn equally "
        "strongly|It is level when both products agree). (Scissors, pliers, wheelbarrows and oars "
        "are levers.|A door handle sits far from the hinge for the same reason.) (Nothing is "
        "given away: the end that needs little force moves a long way.|The longer arm travels "
        "further, so the work is the same on both sides.)",
    )


def _gears(random: Random, difficulty: int) -> Problem:
    small, ratio = between(random, 8, 16), between(random, 2, 6)
    large = small * ratio
    turns = between(random, 1, 30)
    from_large = chance(random, 0.6)
    count = turns if from_large else turns * ratio
    machine = pick(
        random,
        (
            "clock",
            "mill",
            "toy",
            "drill",
            "winch",
            "mixer",
            "music box",
            "wind-up car",
            "printing press",
            "lathe",
            "crane",
            "hand mixer",
        ),
    )
    prompt = say(
        random,
        "(In a {m} a gear with {a} teeth drives a gear with {b} teeth. The first turns {n}.|A "
        "gear with {a} teeth meshes with one of {b} teeth in a {m}, and the first is turned "
        "{n}.|Two gears of a {m} have {a} and {b} teeth and run together. The first one turns "
        "{n}.|{p} takes a {m} apart and finds two gears that mesh, with {a} and {b} teeth, and "
        "turns the first one {n}.) (How often does the second turn?|How many turns does the "
        "second one make?|How many times does the other go round?|What does the second gear do "
        "meanwhile: how often does it turn?)",
        m=machine,
        p=people(random, 1)[0],
        a=large if from_large else small,
        b=small if from_large else large,
        n="once" if count == 1 else f"{count} times",
    )
    teeth = (large if from_large else small) * count
    value = turns * ratio if from_large else turns
    steps = (
        say(
            random,
            "(Tooth meets tooth, so both gears move on by the same number of teeth|No tooth can "
            "be skipped|Count the teeth that pass the point of contact|Each tooth of the first "
            "pushes one of the second|The teeth that the first moves on are the teeth that the "
            "second moves on): {a} × {n} = {t}.",
            a=large if from_large else small,
            n=count,
            t=teeth,
        ),
        f"For the second gear that is {teeth} ÷ {small if from_large else large} = {value} turns."
        if value != 1
        else f"For the second gear that is {teeth} ÷ {small if from_large else large} = 1 turn.",
    )
    times = "once" if value == 1 else f"{value} times"
    return Problem(
        prompt,
        steps,
        times,
        f"It turns {times}.",
        wrong=(
            f"{count} times",
            f"{value + 1} times",
            f"{value * ratio} times",
            f"{value + ratio} times",
        ),
        slip="The small gear turns more often than the large one, and in the opposite direction.",
    )


def _gear_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Gears pass on a turning motion|Where wheels have teeth, neither can slip). (The teeth "
        "that pass the point of contact are the same in number for both|Each tooth of one pushes "
        "one tooth of the other), so (a gear with half as many teeth turns twice as often|the "
        "smaller wheel must turn faster). (What is gained in speed is lost in force, and the "
        "other way round: in a low gear the cyclist climbs slowly, but with ease.|Three gears in "
        "a row make the last turn the same way as the first, since each contact reverses the "
        "direction.)",
    )


TOPICS = (
    taught("physics/levers", "reasoning", (3, 4), _lever, _lever_lesson),
    taught("physics/gears", "reasoning", (2, 3), _gears, _gear_lesson),
)
