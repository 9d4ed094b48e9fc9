"""The body, plants, the earth, jobs and weather: a table of facts each, and what follows."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from phinery.data.synthesis.procedural.forms import Problem
from phinery.data.synthesis.procedural.grammar import (
    capitalized,
    listed,
    people,
    pick,
    several,
    with_article,
)
from phinery.data.synthesis.procedural.wording import vary

FACTS: tuple[tuple[str, str, str, tuple[str, ...], str], ...] = (
    # topic, question, answer, wrong answers, explanation
    ("the body", "which (organ|part of the body) pumps the blood round the body", "the heart",
        ("the stomach", "the lungs", "the liver"),
        "the heart is a muscle that squeezes and so drives the blood through the vessels"),
    ("the body", "which (organs|parts of the body) take oxygen from the air", "the lungs",
        ("the kidneys", "the ears", "the bones"),
        "in the lungs oxygen passes from the air into the blood"),
    ("the body", "which organ do we think with", "the brain",
        ("the heart", "the stomach", "the skin"),
        "the brain receives what the senses report and tells the muscles what to do"),
    ("the body", "where is food mixed with strong juices after it has been swallowed",
        "in the stomach", ("in the lungs", "in the heart", "in the ears"),
        "the stomach churns the food with acid juice, which begins to break it down"),
    ("the body", "what gives the body its firm frame", "the skeleton",
        ("the skin", "the blood", "the hair"), "bones are hard and hold the soft parts up"),
    ("the body", "which sense tells us that milk has gone sour before we drink it", "smell",
        ("hearing", "touch", "balance"), "sour milk gives off particles that the nose notices"),
    ("the body", "why do we sweat when we are hot", "drying sweat cools the skin",
        ("sweat keeps us from getting hungry", "sweat makes the blood thicker",
        "sweat warms the skin"), "water takes heat along when it evaporates"),
    ("plants", "which part of a plant takes up water from the soil", "the roots",
        ("the flowers", "the fruit", "the bark"), "roots have fine hairs that draw in water"),
    ("plants", "what do green leaves use light for", "to make food from air and water",
        ("to keep warm at night", "to scare off insects", "to make soil"),
        "in the leaves light turns carbon dioxide and water into sugar and oxygen"),
    ("plants", "why do many flowers have bright colours and scent", "to attract insects",
        ("to frighten birds", "to store water", "to hide from the sun"),
        "insects carry the pollen from flower to flower"),
    ("plants", "how does a dandelion spread its seeds", "the wind carries them",
        ("fish swallow them", "they roll uphill", "people post them"),
        "each seed hangs on a tiny parachute of hairs"),
    ("plants", "what does a seed need first of all to begin to grow", "water",
        ("a stone", "salt", "moonlight"),
        "water makes the seed swell and wakes the young plant inside"),
    ("sky and weather", "why do we have day and night", "the earth turns on its axis",
        ("the sun goes round the earth", "clouds cover the sun",
        "the moon hides the sun every evening"),
        "each place on the earth is turned to the sun and away from it once in about 24 hours"),
    ("sky and weather", "why is it warmer in summer than in winter",
        "our part of the earth is tilted towards the sun",
        ("the sun burns more fuel", "the earth stands still", "the moon warms us"),
        "the sun then stands higher and the days are longer"),
    ("sky and weather", "what are clouds made of", "tiny drops of water or crystals of ice",
        ("cotton", "smoke from chimneys only", "dust and sand"),
        "water vapour cools as it rises and turns into drops"),
    ("sky and weather", "where does the water of a puddle go on a sunny day",
        "into the air as vapour", ("it turns into sand", "it becomes light",
        "it flows up to the sun as a stream"), "warmth makes water evaporate"),
    ("sky and weather", "what makes a rainbow appear", "sunlight that passes through drops of rain",
        ("moonlight on snow", "wind in the trees", "dust on a window"),
        "drops bend the light and spread it into its colours"),
    ("sky and weather", "what does the moon's light come from", "the sun",
        ("fires on the moon", "lamps", "the stars behind it"),
        "the moon shines because it reflects sunlight"),
    ("earth", "what does soil contain besides sand and clay", "remains of dead plants and animals",
        ("only metal", "plastic by nature", "only salt"),
        "worms and tiny living things turn them into humus"),
    ("earth", "how does a river carve a valley", "its water carries rock away bit by bit",
        ("its fish dig it", "it melts the rock", "it pushes the mountains apart in a day"),
        "moving water and the stones in it wear rock down over a very long time"),
    ("earth", "what comes out of a volcano when it erupts", "molten rock, ash and gas",
        ("only cold water", "coal and wood", "snow"),
        "deep in the earth it is hot enough to melt rock"),
    ("earth", "why is the sea salty", "rivers carry salts from the land into it",
        ("fish make the salt", "people put salt into it", "the moon sends salt"),
        "water evaporates from the sea but the salt stays behind"),
    ("materials and energy", "what is ice", "solid water",
        ("a kind of glass", "frozen air", "a metal"), "below zero degrees Celsius water is solid"),
    ("materials and energy", "why do we put salt on icy roads",
        "salt water freezes at a lower temperature",
        ("salt is warm", "salt makes ice harder", "salt makes the road longer"),
        "the salt mixes with the ice and makes it melt although it is below zero"),
    ("materials and energy", "which form of energy does a stretched bow hold",
        "stored energy of shape", ("light", "sound", "electricity"),
        "a bent bow springs back and gives the energy to the arrow"),
    ("materials and energy", "what does a lamp turn electricity into", "light and heat",
        ("water", "food", "wind"), "energy does not vanish but changes its form"),
    ("materials and energy", "why are pan handles often made of wood or plastic",
        "they carry heat badly", ("they are heavy", "they are magnetic", "they are sweet"),
        "a bad carrier of heat stays cool enough to hold"),
    ("materials and energy", "why does metal feel colder than wood in the same room",
        "metal takes heat from the hand faster",
        ("metal is always colder than the room", "wood makes its own heat", "the spoon is wet"),
        "both have the temperature of the room, but metal carries heat away quickly"),
    ("living together in nature", "what do we call an animal that hunts other animals",
        "a predator", ("a plant", "a parasite of stones", "a seed"),
        "the animal that is hunted is its prey"),
    ("living together in nature", "what would happen to the rabbits of an island if all foxes left",
        "there would be more rabbits at first",
        ("the rabbits would die at once", "the rabbits would become foxes",
        "nothing could live there"), "fewer would be caught, until grass became scarce"),
    ("living together in nature", "why are worms good for a garden", "they loosen the soil",
        ("they eat the roots of all plants", "they bring rain", "they keep the sun off"),
        "their tunnels let air and water in"),
    ("living together in nature", "why does a polar bear have white fur",
        "it is hard to see against the snow",
        ("white fur is lighter to carry", "it comes from eating snow", "it keeps flies away"),
        "its prey notices it late"),
    ("living together in nature", "why do many birds fly south in autumn",
        "they find more food there in winter",
        ("they are blown there by accident", "they want to see the sea", "their nests are sold"),
        "insects and seeds are scarce in the cold months"),
    ("health", "why should one wash one's hands before eating", "soap and water remove germs",
        ("it makes food warmer", "it saves water", "it makes hands larger"),
        "germs that get from the hands into the mouth can make us ill"),
    ("health", "why do we wear a helmet on a bicycle", "it takes up the force of a blow",
        ("it makes us faster", "it is a rule of fashion", "it keeps the hair dry only"),
        "its soft inside is crushed instead of the head"),
    ("health", "why is fresh fruit good for us", "it contains vitamins",
        ("it contains iron nails", "it is always cheap", "it makes us sleep for days"),
        "the body needs vitamins in small amounts and cannot make most of them"),
    ("health", "what should one do first when a pan of oil on the stove catches fire",
        "turn off the heat and put a lid on it",
        ("pour water on it", "carry it through the house", "blow into it hard"),
        "a fire without air goes out, while water would splash burning oil about"),
    ("health", "why must one not stand under a lone tree in a thunderstorm",
        "lightning often strikes the highest thing around",
        ("the tree attracts rain", "leaves are poisonous in the rain", "trees are cold"),
        "a lone tree stands out above the ground near it"),
    ("health", "why should medicine be kept where small children cannot reach it",
        "the wrong dose can harm them",
        ("children hide it for fun only", "it would lose its colour", "the light is better there"),
        "a dose for a grown-up is too much for a small body"),
)  # fmt: skip

JOBS: tuple[tuple[str, str, str, str], ...] = (
    # job, what they do, a tool, place
    ("baker", "makes bread and rolls", "an oven", "a bakery"),
        ("carpenter", "builds things of wood", "a saw", "a workshop"),
    ("nurse", "looks after ill people", "a thermometer", "a hospital"),
        ("farmer", "grows crops and keeps animals", "a tractor", "a farm"),
    ("fisher", "catches fish", "a net", "a boat"),
        ("tailor", "makes and alters clothes", "a needle", "a tailor's shop"),
    ("plumber", "repairs water pipes", "a pipe wrench", "people's houses"),
        ("librarian", "lends out books and keeps them in order", "a catalogue", "a library"),
    ("gardener", "looks after plants", "a spade", "a garden"),
        ("teacher", "helps pupils to learn", "a blackboard", "a school"),
    ("astronomer", "studies stars and planets", "a telescope", "an observatory"),
        ("hairdresser", "cuts hair", "scissors and a comb", "a salon"),
    ("beekeeper", "keeps bees for honey", "a smoker and a veil", "an apiary"),
        ("potter", "shapes bowls from clay", "a potter's wheel", "a pottery"),
    ("mechanic", "repairs cars", "a spanner", "a garage"),
        ("dentist", "treats teeth", "a small mirror and a drill", "a surgery"),
    ("postal worker", "brings letters and parcels", "a mailbag", "the streets of a town"),
        ("electrician", "puts in and mends electric wires", "a voltage tester", "buildings"),
    ("bricklayer", "builds walls", "a trowel", "houses that are being built"),
        ("pilot", "flies aeroplanes", "a compass and many instruments", "a cockpit"),
    ("optician", "fits glasses", "an eye chart", "an optician's shop"),
        ("cook", "prepares meals", "knives and pans", "a kitchen"),
    ("firefighter", "puts out fires", "a hose", "a fire station"),
        ("shepherd", "looks after sheep", "a crook", "the pastures"),
    ("vet", "treats ill animals", "a stethoscope", "an animal clinic"),
        ("glazier", "fits window panes", "a glass cutter", "a glazier's workshop"),
)  # fmt: skip

WEATHER: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    # a sign or forecast, what it means for us, what to take
    ("it is pouring with rain", "rain soaks clothes",
        ("an umbrella", "a raincoat", "rubber boots")),
    ("it is freezing, and an icy wind is blowing", "the body loses heat to cold moving air",
        ("a thick coat", "a woollen hat", "gloves")),
    ("the sun is burning from a cloudless sky", "strong sun burns the skin",
        ("a sun hat", "sun cream", "a bottle of water")),
    ("deep snow covers the paths", "feet sink in and get wet and cold",
        ("high warm boots", "a sledge", "thick socks")),
    ("thick fog lies on the road", "others see us late",
        ("a bright jacket", "a bicycle lamp", "a reflecting vest")),
    ("it will be dark before we are back", "we cannot see the way without light",
        ("a torch", "a headlamp", "a lantern")),
    ("the path leads through tall grass with ticks and nettles", "bare legs get stung and bitten",
        ("long trousers", "high socks", "closed shoes")),
)  # fmt: skip


# Weather in which one may well take what another weather asks for.
_ALIKE: dict[str, tuple[str, ...]] = {
    "it is pouring with rain": ("it is freezing", "deep snow"),
    "it is freezing, and an icy wind is blowing": ("deep snow", "it is pouring"),
    "deep snow covers the paths": ("it is freezing", "it is pouring", "the path"),
    "thick fog lies on the road": ("it will be dark",),
    "it will be dark before we are back": ("thick fog",),
    "the path leads through tall grass with ticks and nettles": ("deep snow", "it is pouring"),
}


def fact_problem(random: Random, difficulty: int) -> Problem:
    """A question of general knowledge with its explanation."""
    _, ask, answer, wrong, explanation = pick(random, FACTS)
    person = people(random, 1)[0]
    return Problem(
        vary(random, "(|{p} asks( {p.his} (teacher|mother|uncle|sister)|): |here is a question: |a "
            "question from {p.s} (quiz|class|school book): )" + ask + "?", p=person),
        (vary(random, "{explanation}.", explanation=explanation),),
        answer, vary(random, "(so the answer is|the answer is|that is why we say): {answer}.",
            answer=answer), wrong=wrong,
    )  # fmt: skip


def field_notes(random: Random, difficulty: int) -> str:
    """Some facts from one field, as a paragraph."""
    field = pick(random, FACTS)[0]
    rows = [row for row in FACTS if row[0] == field]
    chosen = several(random, rows, min(len(rows), 2 + difficulty // 2))
    parts = [
        vary(
            random,
            "(here is one|one may ask|a question|think first|you may wonder|the next one is old): "
            + ask
            + "? {answer}. {why}.",
            answer=capitalized(answer),
            why=why,
        )
        for _, ask, answer, _, why in chosen
    ]
    return (
        vary(random, "(some|a few) (questions|things to know) about {field}.", field=field)
        + " "
        + " ".join(parts)
    )


def job_problem(random: Random, difficulty: int) -> Problem:
    """Who does what, where and with what."""
    job, does, tool, place = pick(random, JOBS)
    rivals = several(random, [row for row in JOBS if row[0] != job], 3)
    columns: tuple[tuple[str, int], ...] = (
        (f"who {does}", 0), (f"what does {with_article(job)} use for work", 2),
        (f"where (would you look for|are you likely to find) {with_article(job)} at work", 3),
        (f"somebody needs {tool} for the daily work. who is it most likely", 0),
    )  # fmt: skip
    ask, column = pick(random, columns)
    answers = [row[column] for row in ((job, does, tool, place), *rivals)]
    spoken: Callable[[str], str] = with_article if column == 0 else (str)
    return Problem(
        vary(random, ask + "?"),
        (vary(random, "{a job} {does}.", job=job, does=does),
            vary(random, "{a job} (uses|needs|works with) {tool} and (can be met in|can be found "
            "in) {place}.", job=job, tool=tool, place=place)),
        spoken(answers[0]), vary(random, "(so the answer is|it is|that makes it) {answer}.",
            answer=spoken(answers[0])),
        wrong=tuple(spoken(answer) for answer in answers[1:]),
    )  # fmt: skip


def jobs_described(random: Random, difficulty: int) -> str:
    """Two jobs set side by side."""
    (job, does, tool, place), (job2, does2, tool2, place2) = several(random, JOBS, 2)
    p, q = people(random, 2)
    return vary(random, "{p} is {a job}, and {q} is {a job2}. {p} {does}; {p.his} work needs "
        "{tool}, and one finds {p.him} in {place}. {q} {does2}. for that {q.he} uses {tool2}, and "
        "one meets {q.him} in {place2}. (a town needs both|neither could do the other's work "
        "without learning it first|both had to learn for years).",
                p=p, q=q, job=job, job2=job2, does=does, does2=does2, tool=tool, tool2=tool2,
                    place=place, place2=place2)  # fmt: skip


def weather_problem(random: Random, difficulty: int) -> Problem:
    """What to take along, from the weather or the way."""
    sign, meaning, gear = pick(random, WEATHER)
    right = pick(random, gear)
    mixed = _ALIKE.get(sign, ())
    wrong = [
        pick(random, row[2]) for row in WEATHER if row[0] != sign and not row[0].startswith(mixed)
    ]
    person = people(random, 1)[0]
    goal = pick(
        random,
        (
            "walk to school",
            "go for a hike",
            "visit a friend on foot",
            "cycle to the lake",
            "take the dog out",
            "go to the market",
            "wait for the bus",
        ),
    )
    return Problem(
        vary(random, "{p} wants to {goal}. {sign}. what should {p.he} (take along|not forget|have "
            "with {p.him})?", p=person, goal=goal, sign=sign),
        (vary(random, "(think of what the weather does|what matters is this|the reason to "
            "prepare): {meaning}.", meaning=meaning),),
        right, vary(random, "(so|therefore) {p} needs {right}.", p=person, right=right),
            wrong=tuple(wrong),
    )  # fmt: skip


def weather_rules(random: Random, difficulty: int) -> str:
    """What to wear or take when, as a paragraph."""
    parts = [
        vary(
            random,
            "(if|when) {sign}, {meaning}(, so|; then) (it is good to have|one takes) {gear}.",
            sign=sign,
            meaning=meaning,
            gear=listed(list(gear)[:2]),
        )
        for sign, meaning, gear in several(random, WEATHER, 2)
    ]
    return " ".join(
        (
            vary(
                random,
                "(before going out, look at the sky|weather decides what we wear and carry|good "
                "clothes make any weather bearable).",
            ),
            *parts,
        )
    )
