"""Triangles and angles."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    people,
    pick,
    say,
)


def _triangle(random: Random, difficulty: int) -> Problem:
    if chance(random, 0.5):
        base, height = between(random, 3, 60), between(random, 2, 40)
        if base * height % 2:
            height += 1
        unit = pick(random, ("cm", "m"))
        thing = pick(
            random,
            (
                "triangle",
                "triangular sail",
                "triangular flag",
                "triangular flower bed",
                "gable",
                "road sign",
            ),
        )
        unit = (
            "cm"
            if thing in ("triangular flag", "road sign")
            else "m"
            if thing in ("triangular sail", "triangular flower bed", "gable")
            else unit
        )
        if unit == "m":
            base, height = between(random, 2, 14), between(random, 1, 7) * 2
        area = base * height // 2
        return Problem(
            say(
                random,
                "{a t} has a base of {b} {u} and a height of {h} {u}. (What is its area?|How "
                "large is its area?|Find its area.)",
                t=thing,
                b=base,
                h=height,
                u=unit,
            ),
            (
                say(
                    random,
                    "(Two copies of the triangle make a parallelogram with the same base and "
                    "height|The triangle is half of the rectangle around it), so multiply and "
                    "halve.",
                ),
                f"{base} × {height} = {base * height}.",
                f"{base * height} ÷ 2 = {area}.",
            ),
            f"{area} {unit}²",
            say(random, "(So the area is|The area is) {a} {u}².", a=area, u=unit),
            wrong=(f"{base * height} {unit}²", f"{base + height} {unit}²", f"{area * 4} {unit}²"),
            slip="Do not forget to halve: without it you get the rectangle.",
        )
    first, second = between(random, 20, 110), between(random, 15, 65)
    third = 180 - first - second
    kind = pick(random, ("third", "isosceles")) if difficulty > 2 else "third"
    if kind == "third":
        return Problem(
            say(
                random,
                "(Two angles of a triangle are|A triangle has angles of) {a}° and {b}°. (How "
                "large is the third angle?|What is the third angle?|Find the third.)",
                a=first,
                b=second,
            ),
            (
                say(
                    random,
                    "(The angles of a triangle add up to 180°: tear off the corners and lay them "
                    "side by side, and they form a straight line|In every triangle the three "
                    "angles make a straight angle, 180°).",
                ),
                f"{first} + {second} = {first + second}.",
                f"180 - {first + second} = {third}.",
            ),
            f"{third}°",
            say(random, "(So it is|The third angle is) {c}°.", c=third),
            f"{first} + {second} + {third} = 180.",
            (f"{first + second}°", f"{360 - first - second}°", f"{third + 10}°", f"{90 - second}°"),
            "The sum is 180° for triangles; 360° belongs to quadrilaterals.",
        )
    base_angle = between(random, 20, 85)
    top = 180 - 2 * base_angle
    if chance(random, 0.5):
        return Problem(
            say(
                random,
                "(In an isosceles triangle|A triangle has two equal sides, and) the angle between "
                "the equal sides is {t}°. How large is each of the other two angles?",
                t=top,
            ),
            (
                "The angles opposite equal sides are equal, since the triangle is its own mirror "
                "image.",
                f"Together they have 180 - {top} = {180 - top} degrees.",
                f"{180 - top} ÷ 2 = {base_angle}.",
            ),
            f"{base_angle}°",
            f"Each of them is {base_angle}°.",
            f"{base_angle} + {base_angle} + {top} = 180.",
            (f"{180 - top}°", f"{top}°", f"{base_angle + 5}°"),
            "Halve at the end, because there are two equal angles.",
        )
    return Problem(
        say(
            random,
            "Each of the two equal angles of an isosceles triangle is {b}°. (How large is the "
            "third?|What is the angle at the top?)",
            b=base_angle,
        ),
        (
            f"The two equal angles make 2 × {base_angle} = {2 * base_angle} degrees.",
            f"All three make 180 degrees, and 180 - {2 * base_angle} = {top}.",
        ),
        f"{top}°",
        f"The third angle is {top}°.",
        f"{base_angle} + {base_angle} + {top} = 180.",
        (f"{180 - base_angle}°", f"{base_angle}°", f"{2 * base_angle}°"),
        "Take the equal angle away twice.",
    )


def _triangle_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(The triangle is the simplest figure with straight sides|Every figure with straight "
        "sides can be cut into triangles, so it pays to know them well|Three straight lines are "
        "the fewest that can close off a piece of the plane). (Its angles always add up to "
        "180°|However long or flat it is, its angles make 180° together): (walk round it once and "
        "you have turned completely, 360°, by the three outer angles|fold the corners to the "
        "middle of one side and they fill a straight line). (Its area is half of base times "
        "height, for a diagonal cuts a parallelogram into two equal triangles.|For the area we "
        "need the height, the distance from the base to the tip at a right angle; then take half "
        "of base times height.)",
    )


_TRIPLES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (20, 21, 29), (9, 40, 41))


def _pythagoras(random: Random, difficulty: int) -> Problem:
    a, b, c = pick(random, _TRIPLES)
    k = between(random, 1, 5) if c < 20 else between(random, 1, 2)
    a, b, c = a * k, b * k, c * k
    p = people(random, 1)[0]
    find = pick(random, ("long", "short"))
    if find == "long":
        prompt = say(
            random,
            "(The short sides of a right triangle are {a} cm and {b} cm long. How long is the "
            "longest side?|{p} walks {a} m north and then {b} m east. How far is {p.he} from the "
            "start in a straight line?|A rectangular field is {a} m by {b} m. How long is the "
            "path along its diagonal?|A boat sails {a} km south and {b} km west. How far is it "
            "from the harbour?|A drone rises {a} m straight up and then flies {b} m to the side. "
            "How far is it from where it began?|A ramp covers {b} cm along the ground and climbs "
            "{a} cm. How long is its slope?|A screen is {a} cm high and {b} cm wide. How long is "
            "its diagonal?|{p} cuts across a park from corner to corner. The park is a rectangle "
            "of {a} m by {b} m. How long is the shortcut?|Two roads meet at a right angle. {p} "
            "stands {a} m down one of them, a friend {b} m down the other. How far apart are "
            "they?)",
            a=a,
            b=b,
            p=p,
        )
        steps = (
            say(
                random,
                "(The two directions meet at a right angle|There is a right angle), so the square "
                "over the longest side equals the squares over the other two together( by the "
                "theorem of Pythagoras|, as Pythagoras' theorem says).",
            ),
            f"{a}^2 + {b}^2 = {a * a} + {b * b} = {a * a + b * b}.",
            f"{c} × {c} = {c * c}, so the square root is {c}.",
        )
        value, wrong = c, (a + b, c + 1, b + 1)
    else:
        prompt = say(
            random,
            "(A ladder {c} m long leans on a wall; its foot is {a} m from the wall. How high does "
            "it reach?|The longest side of a right triangle is {c} cm, another {a} cm. How long is "
            "the third side?|A cable {c} m long runs from the top of a mast to a point {a} m from "
            "its foot on level ground. How high is the mast?)"
            if c <= 26
            else "(The longest side of a right triangle is {c} cm, another {a} cm. How long "
            "is the third side?|A cable {c} m long runs from the top of a mast to a "
            "point {a} m from its foot on level ground. How high is the mast?)",
            c=c,
            a=a,
        )
        steps = (
            say(
                random,
                "(The longest side lies opposite the right angle|Here the longest side is known), "
                "so subtract the squares in place of adding them.",
            ),
            f"{c}^2 - {a}^2 = {c * c} - {a * a} = {b * b}.",
            f"{b} × {b} = {b * b}, so the square root is {b}.",
        )
        value, wrong = b, (c - a, c + a, b + 2)
    unit = "cm" if " cm" in prompt else "km" if " km" in prompt else "m"
    return Problem(
        prompt,
        steps,
        f"{value} {unit}",
        say(random, "(So the answer is|It is) {v} {u}.", v=value, u=unit),
        f"{a} × {a} + {b} × {b} = {c * c}, and {c} × {c} = {c * c}.",
        tuple(f"{w} {unit}" for w in wrong),
        "Add the squares, not the sides, and take the root at the end.",
    )


def _pythagoras_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(In a triangle with a right angle the sides obey a famous rule|About two and a half "
        "thousand years ago the Greeks proved a rule that builders in Babylon had used long "
        "before|One theorem connects lengths and right angles): the square over the longest side "
        "is as large as the squares over the two others together, a^2 + b^2 = c^2. (A proof fits "
        "in one picture: put four copies of the triangle into a square with the side a + b; what "
        "they leave free is c^2 in one arrangement and a^2 + b^2 in another.|The rule works "
        "backwards too: if 3^2 + 4^2 = 5^2, a cord with 3, 4 and 5 knots makes a right angle.) "
        "(It holds only if there is a right angle.|The longest side is always the one opposite "
        "the right angle.)",
    )


def _angles(random: Random, difficulty: int) -> Problem:
    kind = between(random, 0, 3)
    if kind == 0:
        a = between(random, 12, 168)
        return Problem(
            say(
                random,
                "(Two angles lie side by side on a straight line|A road branches off a straight "
                "road). One (angle|of the angles) is {a}°. (How large is the other?|What is the "
                "other one?)",
                a=a,
            ),
            (
                say(random, "(On a straight line|Together) they make half a turn, 180°."),
                f"180 - {a} = {180 - a}.",
            ),
            f"{180 - a}°",
            f"The other angle is {180 - a}°.",
            f"{a} + {180 - a} = 180.",
            (f"{360 - a}°", f"{a}°", f"{abs(90 - a)}°"),
            "A full turn has 360°, half a turn 180°, a quarter 90°.",
        )
    if kind == 1:
        a, b, c = between(random, 50, 130), between(random, 50, 120), between(random, 40, 100)
        d = 360 - a - b - c
        return Problem(
            f"Three angles of a quadrilateral are {a}°, {b}° and {c}°. How large is the fourth?",
            (
                "A diagonal cuts it into two triangles, so all four angles make 2 × 180 = 360 "
                "degrees.",
                f"{a} + {b} + {c} = {a + b + c}.",
                f"360 - {a + b + c} = {d}.",
            ),
            f"{d}°",
            f"The fourth angle is {d}°.",
            f"{a} + {b} + {c} + {d} = 360.",
            (f"{abs(180 - a)}°", f"{d + 10}°", f"{d + 90}°"),
            "Four angles make 360°, three make 180°.",
        )
    if kind == 2:
        sides = between(random, 5, 12)
        names = {
            5: "pentagon",
            6: "hexagon",
            7: "heptagon",
            8: "octagon",
            9: "nonagon",
            10: "decagon",
            11: "polygon with 11 sides",
            12: "dodecagon",
        }
        total = 180 * (sides - 2)
        return Problem(
            say(
                random,
                "(What is the sum of the angles inside {n}?|How many degrees do the inner angles "
                "of {n} have together?)",
                n=f"{'an' if sides in (8,) else 'a'} {names[sides]}",
            ),
            (
                f"From one corner, diagonals cut it into {sides} - 2 = {sides - 2} triangles.",
                f"Each has 180 degrees: {sides - 2} × 180 = {total}.",
            ),
            f"{total}°",
            f"Together they have {total}°.",
            wrong=(f"{180 * sides}°", f"{180 * (sides - 1)}°", "360°"),
            slip="There are two triangles fewer than sides.",
        )
    hour = between(random, 1, 11)
    angle = min(hour * 30, 360 - hour * 30)
    return Problem(
        say(
            random,
            "(How large is the|What is the smaller) angle between the hands of a clock at {h} "
            "o'clock?",
            h=hour,
        ),
        (
            "From one hour mark to the next is a twelfth of a full turn: 360 ÷ 12 = 30 degrees.",
            f"The minute hand stands at 12 and the hour hand at {hour}, {min(hour, 12 - hour)} "
            f"marks away: {min(hour, 12 - hour)} × 30 = {angle}.",
        ),
        f"{angle}°",
        f"The angle is {angle}°.",
        wrong=(f"{360 - angle}°", f"{angle + 15}°", f"{hour * 6 + 1}°"),
        slip="Count the marks on the shorter way.",
    )


def _angle_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(An angle measures a turn|Turning has a size, and we measure it with angles). (A full "
        "turn has 360°|Once round is 360°), half a turn 180° and a quarter turn 90°, the right "
        "angle. (The number 360 is old: Babylonian astronomers liked it because it can be divided "
        "evenly in so many ways|Why 360? It is close to the days of a year and has many "
        "divisors). (The length of the arms does not matter: a small clock and a church tower "
        "show the same angle at three o'clock.|Angles on a straight line make 180° together, "
        "angles round a point 360°.)",
    )


TOPICS = (
    taught("geometry/triangles", "mathematics", (2, 3), _triangle, _triangle_lesson),
    taught("geometry/right triangles", "mathematics", (4,), _pythagoras, _pythagoras_lesson),
    taught("geometry/angles", "mathematics", (2, 3), _angles, _angle_lesson),
)
