"""Density, floating and falling."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from phinery.data.synthesis.procedural.facts import MATERIALS
from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    decimal,
    pick,
    say,
    several,
    with_article,
)


def _density(random: Random, difficulty: int) -> Problem:
    material = pick(random, MATERIALS)
    shape = pick(random, ("cube", "block", "piece", "ball", "rod", "plate", "lump", "disc"))
    volume = (
        Fraction(between(random, 2, 60) * 5)
        if difficulty < 4
        else Fraction(between(random, 11, 399))
    )
    mass = volume * material.density
    at = with_article(f"{shape} of {material.name}")
    kind = between(random, 0, 3)
    per = decimal(material.density)
    if kind == 0:
        prompt = say(
            random,
            "{^at} has a volume of {v} cm³. The density of {m} is {d} g/cm³. (What is its "
            "mass?|How many grams does it weigh?|What mass has it?)",
            at=at,
            v=decimal(volume),
            m=material.name,
            d=per,
        )
        steps = (
            say(
                random,
                "(Each cubic centimetre weighs {d} g|The density is the mass of one cubic "
                "centimetre), so multiply by the volume.",
                d=per,
            ),
            f"{per} × {decimal(volume)} = {decimal(mass)}.",
        )
        answer, wrong = (
            f"{decimal(mass)} g",
            (f"{decimal(mass * 10)} g", f"{decimal(volume)} g", f"{decimal(mass + 10)} g"),
        )
    elif kind == 1:
        prompt = say(
            random,
            "{^at} (weighs|has a mass of) {g} g. With a density of {d} g/cm³ for {m}, (what is "
            "its volume|how large is its volume)?",
            at=at,
            g=decimal(mass),
            d=per,
            m=material.name,
        )
        steps = (
            say(
                random,
                "(How many cubic centimetres of {d} g each make {g} g?|The mass is density times "
                "volume, so divide by the density.) {g} ÷ {d} = {v}.",
                d=per,
                g=decimal(mass),
                v=decimal(volume),
            ),
        )
        answer, wrong = (
            f"{decimal(volume)} cm³",
            (f"{decimal(volume * 10)} cm³", f"{decimal(mass)} cm³", f"{decimal(volume + 5)} cm³"),
        )
    elif kind == 2:
        prompt = say(
            random,
            "{^at} has a mass of {g} g and a volume of {v} cm³. (What is its density?|How dense "
            "is it?|Find its density.)",
            at=with_article(f"{shape} of an unknown material"),
            g=decimal(mass),
            v=decimal(volume),
        )
        steps = (
            say(
                random,
                "(Density is mass per volume, so share the mass among the cubic "
                "centimetres|Divide the mass by the volume, since density asks for the mass of "
                "one cubic centimetre): {g} ÷ {v} = {d}.",
                g=decimal(mass),
                v=decimal(volume),
                d=per,
            ),
            f"That is the density of {material.name}.",
        )
        answer, wrong = (
            f"{per} g/cm³",
            (
                f"{decimal(material.density * 10)} g/cm³",
                f"{decimal(mass - volume) if mass > volume else decimal(material.density + 1)} "
                f"g/cm³",
                f"{decimal(material.density + Fraction(1, 2))} g/cm³",
            ),
        )
    else:
        floats = material.density < 1
        prompt = say(
            random,
            "The density of {m} is {d} g/cm³, that of water 1 g/cm³. (Does a solid {s} of {m} "
            "float or sink in water?|A solid {s} of {m} is put into water. Does it float or sink?)",
            m=material.name,
            d=per,
            s=shape,
        )
        steps = (
            say(
                random,
                "(A body floats if it weighs less than the water it pushes aside|What counts is "
                "whether the same volume of water weighs more).",
            ),
            f"One cubic centimetre of {material.name} weighs {per} g, one of water 1 g, so the "
            f"{'water' if floats else material.name} is the heavier of the two for the same space.",
        )
        return Problem(
            prompt,
            steps,
            "it floats" if floats else "it sinks",
            say(random, "(So it {v}|Therefore it {v}).", v="floats" if floats else "sinks"),
            wrong=("it floats", "it sinks"),
            slip="The size does not matter: a large log floats and a small nail sinks.",
        )
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the answer is|It is|That makes) {a}.", a=answer),
        wrong=wrong,
        slip="Dense is not the same as heavy: a heavy log can be less dense than a light coin.",
    )


def _density_lesson(random: Random, difficulty: int) -> str:
    light, heavy = sorted(several(random, MATERIALS, 2), key=lambda material: material.density)
    return (
        say(
            random,
            "(Which is heavier, {l} or {h}? The question means little until we say how much of "
            "each|A spoonful of {h} and a spoonful of {l} take up the same room, yet they do not "
            "weigh the same). (Density compares equal volumes|To be fair we compare equal "
            "volumes): it is the mass of one cubic centimetre. For {l} it is {x} g and for {h} "
            "{y} g. (What is less dense than water floats on it, because it weighs less than the "
            "water that it would push aside|Wood floats and iron sinks, for wood is less dense "
            "than water and iron more). (A ship of steel floats all the same: it is full of air, "
            "and the whole of it is less dense than water.|Ice floats because water expands when "
            "it freezes, which is rare among liquids; otherwise lakes would freeze from the "
            "bottom.)",
            l=light.name,
            h=heavy.name,
            x=decimal(light.density),
            y=decimal(heavy.density),
        )
        if light.density != heavy.density
        else say(
            random,
            "(Density is the mass of one unit of volume|To compare materials, compare equal "
            "volumes): a litre of water weighs one kilogram, a litre of oil a little less, and so "
            "oil floats on water.",
        )
    )


def _fall(random: Random, difficulty: int) -> Problem:
    time = between(random, 1, 6)
    kind = between(random, 0, 2)
    place = pick(
        random,
        (
            "a high bridge",
            "a cliff",
            "a tower",
            "a balloon",
            "a tall crane",
            "a rock face",
            "a lighthouse on a cliff",
            "a chimney",
            "a viaduct",
            "a dam",
        ),
    )
    thing = pick(
        random,
        (
            "a stone",
            "a coin",
            "a steel ball",
            "a key",
            "a bolt",
            "a marble",
            "an acorn",
            "a hammer",
            "a chestnut",
            "a pebble",
            "a piece of ice",
            "a nail",
        ),
    )
    if kind == 0:
        prompt = say(
            random,
            "({^t} falls from {p} for {n}|{^t} is let go from {p} and falls freely for {n}|From "
            "{p}, {t} falls; the fall lasts {n}|Somebody drops {t} from {p}, and it is in the air "
            "for {n}). (How fast is it at the end?|What speed does it reach?|With what speed does "
            "it arrive?|Find its speed at the end.)( (Take|Use) 10 m/s² for gravity and "
            "(neglect|ignore|leave out) the air.| The strength of gravity is taken as 10 m/s², "
            "and the air is (neglected|ignored).| (Calculate|Reckon) with 10 m/s² and without air "
            "resistance.)",
            t=thing,
            p=place,
            n=f"{time} second{'s' if time > 1 else ''}",
        )
        steps = (
            say(
                random,
                "(Gravity adds 10 m/s in every second|In each second it becomes faster by 10 "
                "m/s): 10 × {n} = {v}.",
                n=time,
                v=10 * time,
            ),
        )
        answer, wrong = (
            f"{10 * time} m/s",
            (
                f"{5 * time * time if time != 2 else 25} m/s",
                "10 m/s" if time > 1 else "5 m/s",
                f"{20 * time} m/s",
            ),
        )
    elif kind == 1:
        prompt = say(
            random,
            "({^t} (drops|falls) from {p} and hits the ground after {n}|{^t} is let go from {p}, "
            "and {n} later it lands|From {p} somebody drops {t}; it reaches the ground after "
            "{n}). (How deep is the fall?|How far does it fall?|From what height did it "
            "fall?|What height is that?)( (Take|Use) 10 m/s² for gravity and "
            "(neglect|ignore|leave out) the air.| The strength of gravity is taken as 10 m/s², "
            "and the air is (neglected|ignored).| (Calculate|Reckon) with 10 m/s² and without air "
            "resistance.)",
            t=thing,
            p=place,
            n=f"{time} second{'s' if time > 1 else ''}",
        )
        steps = (
            f"At the end its speed is 10 × {time} = {10 * time} metres per second; at the start "
            f"it was 0.",
            say(
                random,
                "(The speed grows evenly, so the average is half of the final speed|On average it "
                "had half of that, because the speed grows evenly): {v} ÷ 2 = {h}.",
                v=10 * time,
                h=5 * time,
            ),
            f"{5 * time} × {time} = {5 * time * time}.",
        )
        answer, wrong = (
            f"{5 * time * time} m",
            (
                f"{10 * time * time} m",
                f"{10 * time if time != 2 else 30} m",
                f"{5 * time * time + 5} m",
            ),
        )
    else:
        depth = 5 * time * time
        prompt = say(
            random,
            "({^t} is dropped into a shaft {d} m deep|{^t} falls into a dry well of {d} m|{^t} "
            "falls from {p}, {d} m high|Somebody lets {t} fall from a height of {d} m). (After "
            "how many seconds does it hit the bottom?|How long does the fall last?|How many "
            "seconds does it fall?)( (Take|Use) 10 m/s² for gravity and (neglect|ignore|leave "
            "out) the air.| The strength of gravity is taken as 10 m/s², and the air is "
            "(neglected|ignored).| (Calculate|Reckon) with 10 m/s² and without air resistance.)",
            t=thing,
            d=depth,
            p=place,
        )
        steps = (
            "In t seconds it falls 5 × t × t metres, half of what it would fall at its final "
            "speed.",
            f"{depth} ÷ 5 = {time * time}, and {time} × {time} = {time * time}.",
        )
        answer, wrong = (
            f"{time} s",
            (
                f"{time + 1} s",
                f"{2 * time} s",
                f"{decimal(Fraction(depth, 10))} s" if depth != 10 * time else f"{time + 2} s",
            ),
        )
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the answer is|It is) {a}.", a=answer),
        wrong=wrong,
        slip="Heavy things do not fall faster; the mass does not enter at all.",
    )


def _fall_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Does a heavy stone fall faster than a light one? Nearly everyone thinks so, and it is "
        "wrong|For two thousand years people believed that heavy things fall faster, until "
        "Galileo tried it). (Gravity pulls harder on the heavy stone, but it is also harder to "
        "set in motion, and the two effects cancel exactly|Without air a feather and a hammer "
        "fall side by side; astronauts have shown it on the Moon). (Every second the speed grows "
        "by about 10 m/s|A falling body becomes faster by nearly 10 m/s in each second), (so the "
        "way grows with the square of the time: 5 m after one second, 20 m after two, 45 m after "
        "three.|and so in twice the time it falls four times as far.)",
    )


TOPICS = (
    taught("physics/density and floating", "reasoning", (3, 4), _density, _density_lesson),
    taught("physics/falling", "reasoning", (4,), _fall, _fall_lesson),
)
