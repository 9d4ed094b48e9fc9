"""Speed, force, weight, work and momentum."""

from __future__ import annotations

from phinery.data.synthesis.procedural.forms import taught
from phinery.data.synthesis.procedural.science.products import (
    Law,
    Quantity,
    Setting,
    law_lesson,
    law_problem,
)

_SPEED = Law(
    Quantity("distance", "m", "(How far does it get?|What distance is that?|How far is that?)"),
    Quantity("speed", "m/s", "(How fast is that?|What is the speed?|Find the speed.)"),
    Quantity(
        "time", "s", "(How long does that take?|How many seconds does it take?|What is the time?)"
    ),
    "(A speed of so many metres per second means that each second adds as many metres|In every "
    "second it covers the same distance), so the {a} is {b} times {c}.",
    (
        Setting(
            "the distance is {n}",
            "a snail moves at {n}",
            "it is watched for {n}",
            (1, 5, 1),
            (20, 600, 10),
            divide_first=1000,
        ),
        Setting(
            "the distance is {n}",
            "a sprinter runs at {n}",
            "the stopwatch shows {n}",
            (6, 10, 1),
            (5, 40, 1),
        ),
        Setting(
            "the distance is {n}",
            "a horse gallops at {n}",
            "it gallops for {n}",
            (10, 17, 1),
            (10, 120, 5),
        ),
        Setting(
            "the distance is {n}",
            "a lift rises at {n}",
            "the ride lasts {n}",
            (1, 6, 1),
            (5, 50, 1),
        ),
        Setting(
            "the distance is {n}",
            "sound travels through the air at {n}",
            "{n} pass between lightning and thunder",
            (340, 340, 1),
            (1, 15, 1),
        ),
        Setting(
            "the distance is {n}",
            "a model train rolls at {n}",
            "it rolls for {n}",
            (2, 12, 1),
            (10, 90, 5),
            divide_first=10,
        ),
        Setting(
            "the distance is {n}",
            "a bicycle travels at {n}",
            "it travels for {n}",
            (3, 9, 1),
            (10, 300, 10),
        ),
        Setting(
            "the distance is {n}",
            "a falcon dives at {n}",
            "the dive lasts {n}",
            (50, 85, 5),
            (2, 9, 1),
        ),
        Setting(
            "the distance is {n}",
            "a swimmer moves at {n}",
            "the swim takes {n}",
            (5, 18, 1),
            (20, 300, 10),
            divide_first=10,
        ),
        Setting(
            "the distance is {n}",
            "a paper boat drifts at {n}",
            "it drifts for {n}",
            (1, 9, 1),
            (10, 240, 10),
            divide_first=10,
        ),
    ),
    "Check the units: metres per second go with seconds, kilometres per hour with hours.",
    "(Speed compares distance with time|Everything that moves has a speed: the distance it covers "
    "in one unit of time). (If the speed stays the same, twice the time means twice the "
    "distance|At constant speed distance and time grow together), so distance = speed × time. "
    "(From this follow the two other forms: speed = distance ÷ time and time = distance ÷ "
    "speed.|One formula is enough; the other two are the same formula, solved for another "
    "letter.) (Real motion is seldom so even, and then we speak of the average speed.|Light is "
    "the fastest of all, about 300,000 km in a second; it needs eight minutes from the Sun to us.)",
)


_FORCE = Law(
    Quantity("force", "N", "(What force is needed?|How large is the force?|Which force acts?)"),
    Quantity("mass", "kg", "(What is the mass?|How large is its mass?)"),
    Quantity("acceleration", "m/s²", "(What is the acceleration?|How strongly is it accelerated?)"),
    "(By Newton's second law the {a} is {b} times {c}: what is heavier is harder to set going, "
    "and a quicker start needs a stronger push|The heavier the thing and the quicker the start, "
    "the stronger the push: {a} equals {b} times {c}).",
    (
        Setting(
            "the engine pulls with {n}",
            "a small car has a mass of {n}",
            "it gains speed at {n}",
            (800, 1500, 50),
            (1, 4, 1),
        ),
        Setting(
            "somebody pushes with {n}",
            "a shopping trolley has a mass of {n}",
            "it speeds up by {n}",
            (10, 60, 5),
            (1, 12, 1),
            divide_second=10,
        ),
        Setting(
            "the rower's force is {n}",
            "a boat with its rower has a mass of {n}",
            "it accelerates at {n}",
            (90, 150, 10),
            (1, 9, 1),
            divide_second=10,
        ),
        Setting(
            "the spring pushes with {n}",
            "a toy car has a mass of {n}",
            "it starts with an acceleration of {n}",
            (1, 9, 1),
            (1, 10, 1),
            divide_first=10,
        ),
        Setting(
            "the dogs pull with {n}",
            "a sledge has a mass of {n}",
            "its speed grows by {n}",
            (60, 240, 20),
            (5, 20, 1),
            divide_second=10,
        ),
        Setting(
            "a kick acts with {n}",
            "a football has a mass of {n}",
            "it is accelerated at {n}",
            (40, 45, 1),
            (100, 900, 50),
            divide_first=100,
        ),
        Setting(
            "the locomotive pulls with {n}",
            "a train has a mass of {n}",
            "it starts with {n}",
            (100_000, 400_000, 20_000),
            (1, 5, 1),
            divide_second=10,
        ),
    ),
    "Mass is measured in kilograms and force in newtons; they are different things.",
    "(Without a force nothing changes its motion|A thing at rest stays at rest, and a moving "
    "thing goes on in a straight line, unless a force acts). (Friction hides this from us: a ball "
    "stops because the grass brakes it|On ice one sees it best: a puck glides on and on). (How "
    "much the motion changes depends on the force and on the mass|The same push gives a light "
    "thing a great acceleration and a heavy thing a small one): force = mass × acceleration. (One "
    "newton is the force that makes 1 kg faster by 1 m/s in every second.|A full cart needs more "
    "force than an empty one, because every kilogram wants its share.)",
)


_WEIGHT = Law(
    Quantity(
        "weight", "N", "(How large is its weight there?|What is its weight there in newtons?)"
    ),
    Quantity("mass", "kg", "(What is its mass?|How large is its mass?)"),
    Quantity(
        "strength of gravity",
        "N/kg",
        "(How strong is gravity there?|What is the strength of gravity there?)",
    ),
    "(Gravity pulls on every kilogram alike, so|Each kilogram is pulled by the same force, so) "
    "the {a} is {b} times {c}.",
    (
        Setting(
            "on the Earth it is pulled down by {n}",
            "a stone has a mass of {n}",
            "on the Earth gravity pulls with {n}",
            (1, 60, 1),
            (98, 98, 1),
            divide_second=10,
        ),
        Setting(
            "on the Moon it is pulled down by {n}",
            "a rover has a mass of {n}",
            "on the Moon gravity pulls with {n}",
            (10, 400, 10),
            (16, 16, 1),
            divide_second=10,
        ),
        Setting(
            "on Mars it is pulled down by {n}",
            "a box of tools has a mass of {n}",
            "on Mars gravity pulls with {n}",
            (2, 80, 2),
            (37, 37, 1),
            divide_second=10,
        ),
        Setting(
            "on Jupiter it would be pulled down by {n}",
            "a probe has a mass of {n}",
            "at Jupiter gravity pulls with {n}",
            (20, 340, 10),
            (248, 248, 1),
            divide_second=10,
        ),
        Setting(
            "on the Earth it is pulled down by {n}",
            "a child has a mass of {n}",
            "on the Earth gravity pulls with {n}",
            (18, 50, 1),
            (98, 98, 1),
            divide_second=10,
        ),
        Setting(
            "on the Moon it is pulled down by {n}",
            "an astronaut in a suit has a mass of {n}",
            "on the Moon gravity pulls with {n}",
            (130, 200, 5),
            (16, 16, 1),
            divide_second=10,
        ),
    ),
    "Mass stays the same everywhere; weight depends on the place.",
    "(In daily life we mix up mass and weight|Mass and weight are not the same). (Mass says how "
    "much matter there is and how hard it is to set in motion|The mass of a thing is the same on "
    "the Earth, on the Moon and in between). (Weight is the force with which gravity pulls on "
    "it|Weight is a force and is measured in newtons): on the Earth about 9.8 newtons for each "
    "kilogram, on the Moon only 1.6. (An astronaut can jump high on the Moon, but to stop a heavy "
    "crate that slides towards you is as hard there as here.|The scales in a bathroom measure "
    "weight and print it as mass, which is right only on the Earth.)",
)


_WORK = Law(
    Quantity(
        "work", "J", "(How much work is done?|What work is that?|How much energy does that take?)"
    ),
    Quantity("force", "N", "(With what force?|How large is the force?)"),
    Quantity("distance", "m", "(Over what distance?|How long is the way?|How far?)"),
    "(Work is done when a force moves something, and both the force and the way count|Twice the "
    "force or twice the way means twice the work), so the {a} is {b} times {c}.",
    (
        Setting(
            "the work done is {n}",
            "a crane lifts a load with {n}",
            "it lifts it by {n}",
            (2000, 20_000, 500),
            (3, 40, 1),
        ),
        Setting(
            "{n} of work are done",
            "somebody pulls a sledge with {n}",
            "the sledge moves {n}",
            (20, 150, 10),
            (5, 400, 5),
        ),
        Setting(
            "the work comes to {n}",
            "a pupil lifts a bag with {n}",
            "the bag is raised by {n}",
            (30, 120, 10),
            (5, 20, 1),
            divide_second=10,
        ),
        Setting(
            "{n} of work are needed",
            "a horse pulls a cart with {n}",
            "the cart rolls {n}",
            (300, 1200, 50),
            (10, 900, 10),
        ),
        Setting(
            "the work is {n}",
            "a gardener pushes a barrow with {n}",
            "the barrow goes {n}",
            (40, 200, 10),
            (5, 90, 5),
        ),
        Setting(
            "the work done is {n}",
            "a pump pushes a piston with {n}",
            "the piston moves {n}",
            (100, 900, 50),
            (1, 9, 1),
            divide_second=10,
        ),
    ),
    "Holding a heavy thing still is tiring, but no work in the sense of physics, because nothing "
    "moves.",
    "(In physics, work has a narrow meaning: a force moves something along its direction|Who "
    "pushes against a wall gets tired, yet does no work in the language of physics). (Work is "
    "force times distance|The stronger the force and the longer the way, the more work). (A ramp "
    "makes the force smaller and the way longer, and the work stays the same; that is why roads "
    "wind up a mountain|No machine saves work: what is saved in force must be paid in distance). "
    "(Work done is energy passed on: a lifted stone can give it back when it falls.|The unit is "
    "the joule, the work of one newton over one metre.)",
)


_MOMENTUM = Law(
    Quantity("momentum", "kg·m/s", "(What is its momentum?|How large is its momentum?)"),
    Quantity("mass", "kg", "(What is the mass?|How heavy is it?)"),
    Quantity("speed", "m/s", "(How fast is it?|What is its speed?)"),
    "(Momentum measures how hard something is to stop, and both mass and speed count|A heavy "
    "thing or a fast thing is hard to stop), so the {a} is {b} times {c}.",
    (
        Setting(
            "its momentum is {n}",
            "a skater has a mass of {n}",
            "the skater glides at {n}",
            (40, 95, 1),
            (1, 9, 1),
        ),
        Setting(
            "it has a momentum of {n}",
            "a bowling ball has a mass of {n}",
            "it rolls at {n}",
            (4, 7, 1),
            (3, 9, 1),
        ),
        Setting(
            "its momentum is {n}",
            "a lorry has a mass of {n}",
            "it rolls at {n}",
            (4000, 16_000, 500),
            (2, 24, 1),
        ),
        Setting(
            "its momentum is {n}",
            "a tennis ball has a mass of {n}",
            "it flies at {n}",
            (56, 59, 1),
            (10, 60, 5),
            divide_first=1000,
        ),
    ),
    "Momentum has a direction: two equal momenta against each other cancel.",
    "(It is easier to stop a rolling ball than a rolling lorry|Mass and speed together decide how "
    "hard it is to stop something). Their product is called momentum. (In a collision momentum is "
    "passed on, and the sum stays the same|When two things collide, what one loses in momentum "
    "the other gains). (So a rifle kicks back, and a swimmer pushes the water behind to get "
    "ahead.|A rocket flies forward because it throws gas backward: there is no need of air to "
    "push against.)",
)

TOPICS = tuple(
    taught(f"physics/{name}", "reasoning", difficulties, law_problem(law), law_lesson(law))
    for name, difficulties, law in (
        ("speed", (2, 3), _SPEED),
        ("force and acceleration", (3, 4), _FORCE),
        ("mass and weight", (3, 4), _WEIGHT),
        ("work", (3, 4), _WORK),
        ("momentum", (4,), _MOMENTUM),
    )
)
