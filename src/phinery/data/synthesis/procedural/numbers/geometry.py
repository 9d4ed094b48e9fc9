"""Rectangles, boxes and circles."""

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
    with_article,
)

_RECTANGLES = (
    ("rug", "cm", 60, 300),
    ("garden", "m", 4, 40),
    ("poster", "cm", 20, 120),
    ("field", "m", 20, 200),
    ("window", "cm", 40, 180),
    ("table top", "cm", 50, 200),
    ("room", "m", 3, 12),
    ("playground", "m", 10, 60),
    ("picture", "cm", 10, 90),
    ("car park", "m", 12, 80),
    ("sheet of paper", "cm", 8, 60),
    ("swimming pool", "m", 5, 50),
    ("vegetable bed", "m", 1, 12),
    ("wall", "m", 2, 15),
    ("flag", "cm", 40, 240),
    ("blanket", "cm", 80, 260),
    ("tennis lawn", "m", 8, 40),
    ("chessboard", "cm", 20, 60),
    ("meadow", "m", 30, 300),
    ("stage", "m", 4, 20),
)


_BOXES = (
    ("box", "cm", 5, 60),
    ("crate", "cm", 20, 90),
    ("aquarium", "cm", 20, 120),
    ("brick", "cm", 5, 25),
    ("container", "m", 2, 12),
    ("shed", "m", 2, 6),
    ("drawer", "cm", 10, 60),
    ("cellar", "m", 2, 12),
    ("suitcase", "cm", 20, 80),
    ("parcel", "cm", 8, 70),
    ("chest", "cm", 30, 120),
    ("water tank", "m", 2, 8),
)


def _rectangle(random: Random, difficulty: int) -> Problem:
    thing, unit, low, high = pick(random, _RECTANGLES)
    a, b = sorted((between(random, low, high), between(random, low, high)), reverse=True)
    kind = pick(
        random,
        ("area", "perimeter")
        if difficulty <= 2
        else ("area", "perimeter", "side from area", "side from perimeter"),
    )
    square = a == b
    if kind == "area":
        prompt = say(
            random,
            "({^at} is {a} {u} long and {b} {u} wide|{^at} measures {a} {u} by {b} {u}|{p} has "
            "{at} that is {b} {u} wide and {a} {u} long). (What is its area?|How large is its "
            "area?|Find its area.|How many square {w} does it cover?)",
            w="metres" if unit == "m" else "centimetres",
            at=with_article(thing),
            a=a,
            b=b,
            u=unit,
            p=people(random, 1)[0],
        )
        steps = (
            say(
                random,
                "(The area counts the unit squares that cover it|Think of squares with a side of "
                "1 {u}|Cover it with squares of 1 {u} each): {b} rows with {a} squares in each.",
                u=unit,
                a=a,
                b=b,
            ),
            f"{a} × {b} = {grouped(a * b)}.",
        )
        answer, wrong = (
            f"{grouped(a * b)} {unit}²",
            (
                f"{2 * (a + b)} {unit}²",
                f"{grouped(a * b)} {unit}",
                f"{a + b} {unit}²",
                f"{grouped(2 * a * b)} {unit}²",
            ),
        )
        slip = "An area is measured in squares, a perimeter in lengths."
        check = f"{grouped(a * b)} ÷ {b} = {a}."
    elif kind == "perimeter":
        prompt = say(
            random,
            "{^at} is {a} {u} long and {b} {u} wide. (How long is its edge all the way "
            "round?|What is its perimeter?|How far is it once around it?|How long a cord goes "
            "exactly once round it?)",
            at=with_article(thing),
            a=a,
            b=b,
            u=unit,
        )
        steps = (
            say(
                random,
                "(Going round we meet each side twice|Opposite sides are equal, so add length and "
                "width and double|The edge has two long and two short sides): {a} + {b} = {s}.",
                a=a,
                b=b,
                s=a + b,
            ),
            f"2 × {a + b} = {2 * (a + b)}.",
        )
        answer, wrong = (
            f"{2 * (a + b)} {unit}",
            (
                f"{a + b} {unit}",
                f"{grouped(a * b)} {unit}",
                f"{2 * a + b} {unit}",
                f"{2 * (a + b) + 2} {unit}",
            ),
        )
        slip = "Adding just one length and one width goes only half the way round."
        check = f"{a} + {b} + {a} + {b} = {2 * (a + b)}."
    elif kind == "side from area":
        prompt = say(
            random,
            "{^at} has an area of {n} {u}² and is {a} {u} long. How wide is it?",
            at=with_article(thing),
            n=a * b,
            a=a,
            u=unit,
        )
        steps = (
            say(
                random,
                "(Length times width is the area, so the width is the area divided by the "
                "length|Undo the multiplication by dividing): {n} ÷ {a} = {b}.",
                n=a * b,
                a=a,
                b=b,
            ),
        )
        answer, wrong = f"{b} {unit}", (f"{a * b - a} {unit}", f"{b + 1} {unit}", f"{b * 2} {unit}")
        slip = "Divide; do not subtract a length from an area."
        check = f"{a} × {b} = {grouped(a * b)}."
    else:
        prompt = say(
            random,
            "({cord} of {n} {u} goes once round {at}|The perimeter of {at} is {n} {u}). One side "
            "is {a} {u}. How long is the side next to it?",
            cord="A tape" if unit == "cm" else "A fence",
            at=with_article(thing),
            n=2 * (a + b),
            a=a,
            u=unit,
        )
        steps = (
            say(
                random,
                "(Half of the perimeter is one long and one short side|One length and one width "
                "make half of the way): {n} ÷ 2 = {s}.",
                n=2 * (a + b),
                s=a + b,
            ),
            f"{a + b} - {a} = {b}.",
        )
        answer, wrong = (
            f"{b} {unit}",
            (f"{2 * (a + b) - a} {unit}", f"{a + b} {unit}", f"{2 * b} {unit}"),
        )
        slip = "Halve the perimeter first, because each side occurs twice."
        check = f"2 × ({a} + {b}) = {2 * (a + b)}."
    note = (
        " All four sides are equal, so it is a square."
        if square and kind != "side from area"
        else ""
    )
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So it is {a}|The answer is {a}|We get {a}).", a=answer) + note,
        check,
        wrong,
        slip,
    )


def _rectangle_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Area and perimeter answer different questions|Two figures can be equal in area and "
        "different in perimeter|Who buys a carpet needs the area; who builds a fence needs the "
        "perimeter). (The perimeter is the way round, a length|The way round a figure is called "
        "its perimeter and is measured in metres or centimetres). (The area says how many unit "
        "squares fit inside|How much surface it covers is its area, counted in squares). (A "
        "rectangle is made of equal rows, so its area is length times width.|In a rectangle all "
        "rows hold the same number of squares, so we multiply.) (A long thin strip can have a "
        "great perimeter and little area: 9 by 1 has the perimeter 20 and the area 9, while 5 by "
        "5 has the perimeter 20 and the area 25.|Double both sides and the perimeter doubles, but "
        "the area becomes four times as large.)",
    )


def _box(random: Random, difficulty: int) -> Problem:
    thing, unit, low, high = pick(random, _BOXES)
    a, b, c = sorted(
        (between(random, low, high), between(random, low, high), between(random, low, high)),
        reverse=True,
    )
    volume = a * b * c
    prompt = say(
        random,
        "{^at} is {a} {u} long, {b} {u} wide and {c} {u} high (inside|). (What is its volume?|How "
        "large is its volume?|Find its volume.|How many cubes with edges of 1 {u} would fill it?)",
        at=with_article(thing),
        a=a,
        b=b,
        c=c,
        u=unit,
    )
    steps = [
        say(
            random,
            "(The bottom layer holds {a} × {b} = {ab} unit cubes|Start with the floor: {a} × {b} "
            "= {ab}).",
            a=a,
            b=b,
            ab=a * b,
        ),
        say(
            random,
            "(There are {c} such layers|Stack {c} layers of it): {ab} × {c} = {v}.",
            c=c,
            ab=a * b,
            v=volume,
        ),
    ]
    answer = f"{grouped(volume)} {unit}³"
    if unit == "cm" and volume % 1000 == 0 and chance(random, 0.5):
        steps.append(f"A litre is 1000 cm³, so this is {volume // 1000} litres.")
    return Problem(
        prompt,
        tuple(steps),
        answer,
        say(random, "(So the volume is {a}|It holds {a}|The answer is {a}).", a=answer),
        f"In another order: {b} × {c} = {b * c}, and {b * c} × {a} = {grouped(volume)}.",
        (
            f"{a + b + c} {unit}³",
            f"{grouped(2 * (a * b + b * c + a * c))} {unit}³",
            f"{grouped(a * b)} {unit}³",
            f"{grouped(volume * 2)} {unit}³",
        ),
        "A volume needs three lengths; two of them give only an area.",
    )


def _box_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Volume is the room that something takes up|How much fits into a box is its volume|The "
        "volume of a body says how many unit cubes fill it). (Lay cubes side by side until the "
        "floor is covered, then add layers|Cover the floor with cubes and count the layers): that "
        "is length times width times height. (Any of the three may come first, because the order "
        "of factors does not matter.|It is the area of the base times the height, which is true "
        "of cylinders and prisms too.) (When all edges double, the volume becomes eight times as "
        "large, 2 × 2 × 2.|One litre is a cube of 10 cm, which is 1000 cubes of 1 cm.)",
    )


def _circle(random: Random, difficulty: int) -> Problem:
    pi = Fraction("3.14")
    thing, unit, low, high = pick(
        random,
        (
            ("pond", "m", 2, 20),
            ("coin", "mm", 7, 16),
            ("plate", "cm", 8, 16),
            ("wheel", "cm", 15, 45),
            ("table", "cm", 30, 80),
            ("clock face", "cm", 8, 40),
            ("flower bed", "m", 1, 6),
            ("drum", "cm", 12, 35),
            ("race track", "m", 20, 90),
            ("pizza", "cm", 10, 20),
        ),
    )
    radius = between(random, low, high)
    around = chance(random, 0.5)
    given_diameter = chance(random, 0.4)
    value = 2 * pi * radius if around else pi * radius * radius
    steps = (
        [f"The radius is half of the diameter: {2 * radius} ÷ 2 = {radius}."]
        if given_diameter
        else []
    )
    if around:
        steps.append(
            say(
                random,
                "(Once round is the diameter times pi, for in every circle the way round is about "
                "3.14 times the way across|The circumference is 2 times pi times the radius): 2 × "
                "3.14 × {r} = {v}.",
                r=radius,
                v=decimal(value),
            )
        )
    else:
        steps.append(
            say(
                random,
                "(The area is pi times the square of the radius|A square over the radius fits "
                "into the circle a little more than three times, exactly pi times): {r} × {r} = "
                "{rr}.",
                r=radius,
                rr=radius * radius,
            )
        )
        steps.append(f"3.14 × {radius * radius} = {decimal(value)}.")
    suffix = f" {unit}" if around else f" {unit}²"
    other = pi * radius * radius if around else 2 * pi * radius
    return Problem(
        say(
            random,
            "A round {t} has a {k} of {n} {u}. (What is its {w}?|How large is its {w}?|Find its "
            "{w}.) Use 3.14 for pi.",
            t=thing,
            k="diameter" if given_diameter else "radius",
            n=2 * radius if given_diameter else radius,
            u=unit,
            w="circumference" if around else "area",
        ),
        tuple(steps),
        f"{decimal(value)}{suffix}",
        say(
            random,
            "(So it is about|That makes about|The {w} is about) {v}{s}.",
            w="circumference" if around else "area",
            v=decimal(value),
            s=suffix,
        ),
        wrong=(
            f"{decimal(other)}{suffix}",
            f"{decimal(value * 2)}{suffix}",
            f"{decimal(value / 2)}{suffix}",
        ),
        slip="Do not mix up radius and diameter: the diameter is twice as long.",
    )


def _circle_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(All circles have the same shape|One circle is like another, only larger or smaller), so "
        "(the way round is always the same multiple of the way across|circumference divided by "
        "diameter is always the same number). That number is called pi and is about 3.14; (its "
        "decimals never end and never repeat|no fraction gives it exactly, though 22/7 comes "
        "close). (For the area, cut the circle like a cake into thin slices and lay them head to "
        "tail: they form nearly a rectangle, half the circumference long and one radius high, "
        "which is pi times the radius squared.|A circle with twice the radius is twice as long "
        "round and has four times the area.)",
    )


TOPICS = (
    taught("geometry/rectangles", "mathematics", (2, 3), _rectangle, _rectangle_lesson),
    taught("geometry/boxes and volume", "mathematics", (2, 3), _box, _box_lesson),
    taught("geometry/circles", "mathematics", (3, 4), _circle, _circle_lesson),
)
