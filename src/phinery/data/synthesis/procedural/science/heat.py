"""Heat, mixing of water, and warming."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import between, decimal, people, pick, say

# Specific heats in J/(g·K), rounded, as in physics tables.
_HEATS = (
    ("water", "4.2"),
    ("olive oil", "2"),
    ("aluminium", "0.9"),
    ("iron", "0.45"),
    ("copper", "0.39"),
    ("sand", "0.8"),
    ("glass", "0.84"),
    ("milk", "3.9"),
    ("ice", "2.1"),
    ("brick", "0.84"),
)


def _mixing(random: Random, difficulty: int) -> Problem:
    p = people(random, 1)[0]
    while True:
        a, b = between(random, 1, 9), between(random, 1, 9)
        cold, warm = between(random, 2, 25), between(random, 30, 90)
        mean = Fraction(a * cold + b * warm, a + b)
        if (mean * 2).denominator == 1:
            break
    unit = pick(random, ("litres", "cups", "buckets"))
    one = unit[:-1]
    prompt = say(
        random,
        "{p} (pours together|mixes) {a} of water at {c} °C and {b} at {w} °C. (What temperature "
        "does the mixture have, if no heat is lost?|How warm does the water become, if no heat is "
        "lost?)",
        p=p,
        a=f"{a} {unit if a > 1 else one}",
        b=f"{b} {unit if b > 1 else one}",
        c=cold,
        w=warm,
    )
    steps = (
        say(
            random,
            "(The warm water gives off what the cold water takes up|No heat is lost, so the "
            "mixture holds as much as both parts together), so take the mean, weighted by the "
            "amounts.",
        ),
        f"{a} × {cold} + {b} × {warm} = {a * cold + b * warm}.",
        f"{a * cold + b * warm} ÷ {a + b} = {decimal(mean)}.",
    )
    answer = f"{decimal(mean)} °C"
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So it is|The mixture has) {a}.", a=answer),
        f"It lies between {cold} and {warm}, as it must.",
        (f"{decimal(Fraction(cold + warm, 2))} °C", f"{cold + warm} °C", f"{decimal(mean + 5)} °C"),
        "The plain middle is right only when the amounts are equal; temperatures are never added.",
    )


def _warming(random: Random, difficulty: int) -> Problem:
    material, heat = pick(random, _HEATS)
    each = Fraction(heat)
    mass, rise = between(random, 1, 40) * 50, between(random, 2, 40)
    start = -rise - between(random, 0, 5) if material == "ice" else between(random, 5, 25)
    energy = each * mass * rise
    prompt = say(
        random,
        "(How much energy is needed|How many joules does it take) to warm {m} g of {w} from {s} "
        "°C to {e} °C? One gram needs {h} J for each degree.",
        m=mass,
        w=material,
        s=start,
        e=start + rise,
        h=heat,
    )
    steps = (
        say(
            random,
            "(The temperature rises by|The difference is) {e} - {s} = {r} degrees.",
            e=start + rise,
            s=f"({start})" if start < 0 else start,
            r=rise,
        ),
        say(
            random,
            "(For one degree the whole mass needs|One degree costs, for all of it): {h} × {m} = "
            "{x}.",
            h=heat,
            m=mass,
            x=decimal(each * mass),
        ),
        f"For {rise} degrees: {decimal(each * mass)} × {rise} = {decimal(energy)}.",
    )
    answer = f"{decimal(energy)} J"
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So it takes|That is) {a}.", a=answer),
        wrong=(
            f"{decimal(each * mass)} J",
            f"{decimal(energy * 10)} J",
            f"{decimal(each * mass * max(1, abs(start + rise)))} J",
            f"{decimal(energy / 2)} J",
        ),
        slip="What counts is the difference of the temperatures, not the final temperature.",
    )


def _heat_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Temperature and heat are not the same|A bathtub of lukewarm water holds more heat than "
        "a cup of boiling tea). (Temperature says how violently the smallest parts move, on "
        "average; heat is the energy that passes from warm to cold|Heat is energy on its way from "
        "the warmer to the colder). (It always flows from warm to cold by itself, never the other "
        "way|Left alone, warm and cold even out, and the flow stops when both are equal). (Water "
        "needs much energy to become warmer, so the sea keeps coasts cool in summer and mild in "
        "winter.|Metals warm quickly, and they feel cold because they carry the heat of the hand "
        "away.)",
    )


_WHY = (
    # question, answer, wrong answers, reasons as templates
    (
        "Why does a metal spoon feel colder than a wooden spoon in the same room?",
        "metal carries heat away from the hand faster",
        ("metal is always colder than wood", "wood produces heat", "metal has no temperature"),
        "(Both spoons have the temperature of the room|A thermometer would show the same for "
        "both). (The hand does not feel temperature but how fast it loses heat|What we feel is "
        "the flow of heat out of the skin), and metal conducts heat much better than wood.",
    ),
    (
        "Why do we see lightning before we hear the thunder?",
        "light travels much faster than sound",
        (
            "thunder starts later than lightning",
            "the ear is slower than the eye",
            "light is louder than sound",
        ),
        "(Both begin at the same moment|Flash and bang come from one event). (Light covers "
        "300,000 km in a second, sound only a third of a kilometre|Light arrives at once, sound "
        "needs about three seconds for each kilometre), so the sound comes late.",
    ),
    (
        "Why does a puddle dry up although the water does not boil?",
        "the fastest water particles escape from the surface at any temperature",
        ("the water turns into nothing", "puddles boil in the sun", "the ground produces air"),
        "(In water some particles are faster than others|Particles of water move at different "
        "speeds). (The fastest near the surface get away into the air even when it is cool|Those "
        "at the surface with enough energy leave), and little by little all are gone; this is "
        "called evaporation.",
    ),
    (
        "Why does ice float on water?",
        "ice is less dense than water",
        ("ice is colder than water", "ice is harder than water", "ice contains no water"),
        "(Water expands when it freezes|The particles of ice stand in an open pattern with more "
        "room between them), so the same mass takes up more room. (One cubic centimetre of ice "
        "weighs about 0.9 g, less than one of water|Less mass in the same volume means that it "
        "floats).",
    ),
    (
        "Why is there day and night?",
        "the Earth turns on its axis",
        (
            "the Sun goes round the Earth",
            "the Moon covers the Sun at night",
            "the Sun is switched off by clouds",
        ),
        "(Only the half that faces the Sun is lit|The Sun can shine on one side only). (The Earth "
        "turns once in about 24 hours, so every place moves through light and shadow|As the Earth "
        "turns, each place comes into the light and leaves it again).",
    ),
    (
        "Why are summers warmer than winters outside the tropics?",
        "the axis of the Earth is tilted, so the Sun stands higher and longer in summer",
        (
            "the Earth is nearer to the Sun in summer",
            "the Sun burns hotter in summer",
            "the Moon warms the Earth in summer",
        ),
        "(The distance to the Sun hardly matters; in the north the Earth is nearest in January|If "
        "distance were the cause, north and south would have summer together). (In summer the "
        "light falls steeply and for many hours|A high Sun puts more light on each square metre, "
        "and the days are long).",
    ),
    (
        "Why does a moving bicycle come to rest when nobody pedals?",
        "friction and air resistance take away its energy of motion",
        (
            "moving things stop by themselves",
            "gravity pulls it backwards on a level road",
            "the wheels forget to turn",
        ),
        "(Without any force it would roll on for ever|Motion needs no force to go on, only to "
        "change). (The air and the bearings and tyres brake it, and its energy becomes "
        "heat|Friction turns its energy into warmth).",
    ),
    (
        "Why do passengers lean forward when a bus brakes?",
        "their bodies keep moving forward while the bus slows down",
        ("the brakes push the passengers", "the air in the bus pulls them", "they become lighter"),
        "(A body keeps its motion until a force changes it|This is inertia: what moves goes on "
        "moving). The brakes act on the bus, (and the seat or the floor must first pull the "
        "passengers back|while the passengers go on for a moment).",
    ),
    (
        "Why does a shadow grow longer towards the evening?",
        "the Sun stands lower, so its light comes in more slantwise",
        ("things grow in the evening", "the Sun moves away", "the light becomes weaker"),
        "(A shadow is the place that the light does not reach behind a body|Light goes in "
        "straight lines). (The flatter it comes, the further the shadow stretches|When the Sun is "
        "low, the line over the top of the body meets the ground far away).",
    ),
    (
        "Why can a heavy steel ship float?",
        "its hull pushes aside water that weighs as much as the ship",
        ("steel is lighter than water", "its engine holds it up", "sea water is solid"),
        "(A body in water is pushed up by the weight of the water that it pushes aside|Archimedes "
        "found that the upward push equals the weight of the water displaced). (The hull is "
        "hollow and takes up much room|With all the air inside, the ship as a whole is less dense "
        "than water).",
    ),
    (
        "Why does a balloon that was filled in a warm room shrink in the cold?",
        "the particles of the air move more slowly and press less on the skin",
        (
            "the air in it disappears",
            "cold air is heavier and leaks out",
            "rubber grows in the cold",
        ),
        "(The air inside presses on the skin because its particles hit it again and "
        "again|Pressure comes from countless small impacts). (In the cold they are slower and hit "
        "less hard|Slower particles push less), and the skin draws together until both sides "
        "balance.",
    ),
    (
        "Why do we hear an echo in front of a large rock wall?",
        "sound is reflected by the wall and comes back later",
        ("the wall speaks", "sound moves in circles", "the air stores sound"),
        "(Sound is a wave, and hard surfaces throw it back|A wall reflects sound as a mirror "
        "reflects light). (It needs time for the way there and back, so we hear it after the "
        "call|The way there and back takes time, and if it is long enough we hear the sound "
        "again).",
    ),
    (
        "Why does salt help to melt ice on a road?",
        "salt water freezes at a lower temperature than pure water",
        ("salt is hot", "salt breaks ice by its weight", "salt turns ice into air"),
        "(Dissolved salt gets in the way of the water particles when they try to form ice|Salt "
        "disturbs the order of the ice). (So the mixture freezes only below zero, and ice that "
        "touches salt turns into salt water|The freezing point sinks, and the ice melts if it is "
        "not too cold).",
    ),
    (
        "Why do two magnets sometimes push each other away?",
        "like poles repel each other",
        ("one of them is broken", "magnets dislike metal", "the air between them is magnetic"),
        "(Every magnet has two poles, north and south|A magnet has two different ends). (Unlike "
        "poles attract and like poles repel|North and south draw together, north and north push "
        "apart), so turning one of them round changes the push into a pull.",
    ),
    (
        "Why does food cook faster in a pressure cooker?",
        "water boils at a higher temperature under pressure",
        ("the pot uses more water", "pressure crushes the food", "steam is colder than water"),
        "(In an open pot water never becomes much hotter than 100 °C|Boiling holds the "
        "temperature at about 100 °C in an open pot). (Under a tight lid the pressure rises, and "
        "the water must become hotter before it boils|More pressure makes it harder for bubbles "
        "of steam to form), up to about 120 °C.",
    ),
    (
        "Why does a ball thrown upwards come down again?",
        "gravity slows it down and then pulls it back",
        ("its force is used up", "the air pushes it down", "balls are made to fall"),
        "(From the moment it leaves the hand, only gravity (and a little air|) acts|The hand no "
        "longer pushes once the ball is free). (Each second gravity takes away about 10 m/s of "
        "its speed, until it stops and falls|Its upward speed shrinks to nothing, and then grows "
        "downwards).",
    ),
    (
        "Why is the sky blue on a clear day?",
        "air scatters blue light more strongly than red light",
        ("the sea is mirrored in the sky", "the air is painted by the Sun", "space is blue"),
        "(Sunlight contains all colours|White light is a mixture). (The particles of the air "
        "scatter the short waves of blue light in all directions, the long red ones hardly|Blue "
        "is scattered most and reaches our eyes from everywhere), so the whole sky glows blue.",
    ),
    (
        "Why do windows mist up on the inside on cold days?",
        "water vapour from the warm air condenses on the cold glass",
        (
            "rain seeps through the glass",
            "glass sweats when it is cold",
            "the light turns into water",
        ),
        "(Warm air can hold more water vapour than cold air|Air in a room always holds some water "
        "vapour). (At the cold glass the air cools and must give some of it up|Where it meets "
        "cold glass the vapour turns back into droplets).",
    ),
)


def _why(random: Random, difficulty: int) -> Problem:
    question, answer, wrong, reasons = pick(random, _WHY)
    p = people(random, 1)[0]
    plain = question[0].lower() + question[1:]
    prompt = say(
        random,
        "({q}|{q}|{p} asks: {q}|Explain in your own words: {l}|What is the reason? {q}|A child "
        "wants to know: {q}|Somebody wonders: {l})",
        q=question,
        l=plain,
        p=p,
    )
    statement = answer[0].upper() + answer[1:]
    steps = (say(random, reasons),)
    return Problem(
        prompt,
        steps,
        answer,
        say(
            random,
            "(In short: {a}|{s}|So the reason is that {a}|That is why: {a}).",
            a=answer,
            s=statement,
        ),
        "",
        wrong,
        say(
            random,
            "(It is tempting to think that {w}, but that is not so|It is not true that {w}).",
            w=pick(random, wrong),
        ),
    )


def _why_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Physics begins with the question why|Many things that we see every day have surprising "
        "reasons|A good explanation names a cause that can be tested). (Look first for what is "
        "different: two spoons, two seasons, two moments|Compare two cases that differ in one "
        "thing only), (and ask what moves, what presses, what warms|and ask where the energy "
        "comes from and where it goes). (An explanation should also tell what would happen if "
        "things were otherwise.|If an explanation could explain anything at all, it explains "
        "nothing.)",
    )


def _warming_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(How much energy does it take to make a cup of tea?|Not everything becomes warm equally "
        "fast). (Three things count: how much there is, how many degrees it has to rise, and what "
        "it is made of|The energy grows with the mass and with the rise in temperature, and each "
        "material has its own number). (That number, the specific heat, tells how many joules one "
        "gram needs for one degree|One gram of water needs about 4.2 J for each degree, one gram "
        "of iron not even half a joule). (Because water stores so much heat, it cools engines and "
        "fills hot-water bottles.|The same energy that warms a pot of water by one degree would "
        "warm an equal mass of iron by nine.|Sand has a small specific heat, so deserts are hot "
        "by day and cold at night.)",
    )


TOPICS = (
    taught("physics/mixing warm and cold", "reasoning", (3, 4), _mixing, _heat_lesson),
    taught("physics/warming things up", "reasoning", (4,), _warming, _warming_lesson),
    taught("physics/why things happen", "common sense", (2, 3), _why, _why_lesson, lessons=0.1),
)
