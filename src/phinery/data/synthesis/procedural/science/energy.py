"""Power, pressure, electricity, waves and springs."""

from __future__ import annotations

from phinery.data.synthesis.procedural.forms import taught
from phinery.data.synthesis.procedural.science.products import (
    Law,
    Quantity,
    Setting,
    law_lesson,
    law_problem,
)

_POWER = Law(
    Quantity("energy", "J", "(How much energy is that?|How much energy does it use?)"),
    Quantity("power", "W", "(What is its power?|How large is the power?)"),
    Quantity("time", "s", "(How long does it run?|How many seconds is that?)"),
    "(A watt is one joule in each second, so|Power tells how many joules are used in one second, "
    "and so) the {a} is {b} times {c}.",
    (
        Setting(
            "it uses {n}",
            "a lamp has a power of {n}",
            "it burns for {n}",
            (3, 60, 1),
            (10, 600, 10),
        ),
        Setting(
            "it uses {n}",
            "a kettle has a power of {n}",
            "it is on for {n}",
            (1000, 2400, 100),
            (30, 240, 10),
        ),
        Setting(
            "it gives {n}",
            "a cyclist works with {n}",
            "the climb takes {n}",
            (80, 320, 10),
            (20, 900, 20),
        ),
        Setting(
            "it uses {n}",
            "a drill has a power of {n}",
            "it runs for {n}",
            (300, 900, 50),
            (5, 120, 5),
        ),
        Setting(
            "it uses {n}",
            "a radio has a power of {n}",
            "it plays for {n}",
            (2, 30, 1),
            (60, 900, 60),
        ),
        Setting(
            "it uses {n}",
            "a fan has a power of {n}",
            "it turns for {n}",
            (15, 75, 5),
            (60, 900, 30),
        ),
        Setting(
            "it delivers {n}",
            "a small wind wheel has a power of {n}",
            "the wind blows for {n}",
            (100, 900, 50),
            (10, 600, 10),
        ),
    ),
    "Power is not energy: a strong lamp switched on for a moment uses less than a weak one that "
    "burns all night.",
    "(Power is speed of work|Two people carry the same boxes upstairs; who does it faster has the "
    "greater power). (It says how much energy is passed on in each second|One watt is one joule "
    "per second). (So energy is power times time|Multiply by the time and you have the energy), "
    "(and the electricity bill counts exactly that, in kilowatt hours|which is what an "
    "electricity meter adds up). (A person can work at about 100 watts all day, a horse at some "
    "700.|A kilowatt hour is 1000 watts for 3600 seconds, 3,600,000 joules.)",
)


_PRESSURE = Law(
    Quantity("force", "N", "(How large is the force?|With what force does it press?)"),
    Quantity("pressure", "N/cm²", "(What is the pressure?|How large is the pressure?)"),
    Quantity("area", "cm²", "(On what area does it press?|How large is the area?)"),
    "(Pressure is the force on each unit of area, so|Every square centimetre carries the same "
    "share of the force, and so) the {a} is {b} times {c}.",
    (
        Setting(
            "a suitcase presses on the floor with {n}",
            "the pressure under it is {n}",
            "it stands on {n}",
            (1, 5, 1),
            (40, 200, 10),
        ),
        Setting(
            "a table leg presses with {n}",
            "the pressure under the leg is {n}",
            "the foot of the leg covers {n}",
            (5, 30, 1),
            (4, 25, 1),
        ),
        Setting(
            "a person presses on the snow with {n}",
            "the pressure under the skis is {n}",
            "the skis cover {n}",
            (1, 4, 1),
            (200, 400, 10),
            divide_first=1,
        ),
        Setting(
            "a drawing pin is pressed with {n}",
            "the pressure at its tip is {n}",
            "the tip has an area of {n}",
            (1000, 4000, 500),
            (5, 20, 1),
            divide_second=1000,
        ),
        Setting(
            "a pillar carries {n}",
            "the pressure under it is {n}",
            "its foot covers {n}",
            (50, 400, 10),
            (400, 2500, 100),
        ),
        Setting(
            "the water presses on a window of an aquarium with {n}",
            "the mean pressure there is {n}",
            "the window measures {n}",
            (1, 9, 1),
            (200, 5000, 100),
            divide_first=10,
        ),
    ),
    "The same force can do harm on a small area and none on a large one.",
    "(Why does a knife cut and a spoon not?|Why do skis keep us from sinking into the snow?|Why "
    "can a drawing pin enter wood when a thumb cannot?) The force is the same, but the area "
    "differs: pressure is force divided by area. (A small area makes a great pressure|Spread the "
    "force over a large area and the pressure becomes small). (A camel has broad feet and a "
    "tractor broad tyres for the same reason.|The air presses on us too, with about 10 newtons on "
    "each square centimetre; we don't feel it because it presses from all sides.)",
    lead="product",
)


_OHM = Law(
    Quantity("voltage", "V", "(What is the voltage?|Which voltage is needed?)"),
    Quantity("current", "A", "(What current flows?|How large is the current?)"),
    Quantity("resistance", "Ω", "(What is the resistance?|How large is the resistance?)"),
    "(By Ohm's law the {a} is {b} times {c}: the more current is to flow and the greater the "
    "resistance, the stronger the push must be|Voltage pushes, resistance holds back; Ohm's law "
    "says that {a} equals {b} times {c}).",
    (
        Setting(
            "a battery of {n} is connected",
            "a current of {n} flows through a wire",
            "the wire has a resistance of {n}",
            (1, 20, 1),
            (2, 60, 2),
            divide_first=10,
        ),
        Setting(
            "the lamp is connected to {n}",
            "a lamp carries {n}",
            "the filament has {n}",
            (1, 9, 1),
            (10, 120, 10),
            divide_first=10,
        ),
        Setting(
            "the supply gives {n}",
            "a heater takes {n}",
            "its coil has {n}",
            (2, 5, 1),
            (10, 46, 1),
        ),
        Setting(
            "the two ends of a resistor differ by {n}",
            "{n} flow through a resistor",
            "the resistor has {n}",
            (1, 50, 1),
            (20, 400, 20),
            divide_first=100,
        ),
        Setting(
            "it runs on {n}",
            "a toy motor takes {n}",
            "its winding has {n}",
            (1, 15, 1),
            (5, 40, 5),
            divide_first=10,
        ),
    ),
    "Voltage, current and resistance are three things: the push, the flow and what holds it back.",
    "(Electric current is a flow of charge|In a wire, charges flow as water flows in a pipe). "
    "(The voltage is the pressure that drives it|A battery is like a pump: it keeps up a "
    "pressure, the voltage). (Resistance is what a narrow pipe would be: the greater it is, the "
    "less flows|A long thin wire resists more than a short thick one). So voltage = current × "
    "resistance, (the law that Georg Ohm found in 1827|known as Ohm's law). (In a row, "
    "resistances add up; side by side, they let more current through.|Where the resistance is "
    "very small, the current becomes very large; that is a short circuit, and a fuse cuts it off.)",
)


_WAVES = Law(
    Quantity("speed", "m/s", "(How fast does the wave travel?|What is the speed of the wave?)"),
    Quantity(
        "frequency", "Hz", "(What is the frequency?|How many waves pass in a second, in hertz?)"
    ),
    Quantity("wavelength", "m", "(What is the wavelength?|How long is one wave?)"),
    "(In each second as many waves leave as the frequency says, and each is one wavelength "
    "long|Every oscillation pushes the wave on by one wavelength), so the {a} is {b} times {c}.",
    (
        Setting(
            "waves cross a lake at {n}",
            "a buoy bobs at {n}",
            "from crest to crest it is {n}",
            (2, 20, 1),
            (1, 12, 1),
            divide_first=10,
        ),
        Setting(
            "a wave runs along a rope at {n}",
            "a hand shakes a rope at {n}",
            "the waves on it are {n} long",
            (1, 8, 1),
            (2, 25, 1),
            divide_second=10,
        ),
        Setting(
            "sound travels through a pipe at {n}",
            "a tone has {n}",
            "its waves measure {n}",
            (100, 680, 20),
            (1, 20, 1),
            divide_second=10,
        ),
        Setting(
            "a wave runs through a spring at {n}",
            "one end of a spring is moved at {n}",
            "the coils crowd together every {n}",
            (1, 9, 1),
            (3, 20, 1),
            divide_second=10,
        ),
    ),
    "A wave carries energy over the distance, not matter: a cork only bobs up and down.",
    "(A wave is a disturbance that travels|When a wave passes, things move to and fro, but they "
    "do not travel with it). (Its frequency counts the oscillations in a second, in hertz|How "
    "often it swings in a second is the frequency); (its wavelength is the distance from crest to "
    "crest|from one crest to the next is one wavelength). (In one second so many waves set out as "
    "the frequency says, and they stand one behind the other|Multiply how many by how long), so "
    "speed = frequency × wavelength. (High tones have short waves, deep tones long ones, but both "
    "travel at the same speed; otherwise music would be unbearable from the back row.|Light is a "
    "wave as well, and its wavelength decides its colour.)",
)


_SPRING = Law(
    Quantity("force", "N", "(What force pulls on it?|How large is the force?)"),
    Quantity(
        "stiffness", "N/cm", "(How stiff is the spring?|What is the stiffness of the spring?)"
    ),
    Quantity("stretch", "cm", "(How far is it stretched?|By how much does it become longer?)"),
    "(A spring gives way in proportion to the pull: each further centimetre needs the same extra "
    "force|By Hooke's law every centimetre costs the same force), so the {a} is {b} times {c}.",
    (
        Setting(
            "a weight pulls on it with {n}",
            "a spring has a stiffness of {n}",
            "it becomes longer by {n}",
            (1, 12, 1),
            (1, 20, 1),
            divide_first=2,
        ),
        Setting(
            "a hand pulls with {n}",
            "the spring of a scale has {n}",
            "the pointer moves by {n}",
            (2, 10, 1),
            (1, 15, 1),
            divide_second=2,
        ),
        Setting(
            "a rider's weight adds {n}",
            "a bicycle saddle spring has {n}",
            "the saddle sinks by {n}",
            (100, 300, 20),
            (1, 4, 1),
        ),
    ),
    "The law holds only until the spring is overstretched; then it does not return.",
    "(Pull a spring a little, and it pulls back a little|Springs are honest: pull twice as hard, "
    "and they become longer by twice as much). (Robert Hooke noticed in the seventeenth century "
    "that force and stretch grow together|This is Hooke's law): force = stiffness × stretch. "
    "(That is why a spring can serve as a scale|A spring balance uses it: equal steps on its "
    "scale are equal forces). (Stretch it too far and it stays bent; the law has its limits, like "
    "most laws about materials.|Bridges, trees and bones are springs too, only very stiff ones.)",
)

TOPICS = tuple(
    taught(f"physics/{name}", "reasoning", difficulties, law_problem(law), law_lesson(law))
    for name, difficulties, law in (
        ("power and energy", (3, 4), _POWER),
        ("pressure", (3, 4), _PRESSURE),
        ("electric circuits", (3, 4), _OHM),
        ("waves", (4,), _WAVES),
        ("springs", (3, 4), _SPRING),
    )
)
