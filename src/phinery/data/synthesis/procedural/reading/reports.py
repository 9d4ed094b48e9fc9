"""Descriptions of invented lands: facts, a word in context, a main idea."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.grammar import (
    between,
    capitalized,
    pick,
    several,
    shuffled,
)
from phinery.data.synthesis.procedural.item import Item
from phinery.data.synthesis.procedural.reading.page import Asked, page, truth
from phinery.data.synthesis.procedural.wording import vary

_LANDS = (
    "Torvan",
    "Elmira",
    "Osken",
    "Quill",
    "Saro",
    "Vendal",
    "Ithra",
    "Maloon",
    "Perrin",
    "Dovrek",
    "Ushant Minor",
    "Calder",
    "Ombra",
    "Lisk",
    "Tamber",
    "Norrow",
)
_COASTS = ("cliffs", "sandy beaches", "mud flats", "stony bays", "salt marshes")
_CROPS = ("barley", "rye", "apples", "beans", "cabbages", "hazelnuts", "potatoes", "lavender")
_HERDS = ("sheep", "goats", "ponies", "geese", "long-haired cattle")
_CRAFTS = (
    ("weave baskets", "willow twigs"),
    ("carve spoons", "maple wood"),
    ("spin yarn", "wool"),
    ("boil soap", "olive oil and ash"),
    ("burn bricks", "river clay"),
    ("make ropes", "hemp"),
    ("build boats", "oak planks"),
    ("dry fruit", "plums and pears"),
)
_FEASTS = (
    "the first snow",
    "the return of the swallows",
    "the shearing of the sheep",
    "the longest day",
    "the launch of a new boat",
    "the end of the harvest",
)
# A hard word, its meaning, other meanings, and a sentence in which the context gives it away.
_WORDS: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("scarce", "rare, hard to get", ("cheap", "dangerous", "heavy"),
        "Wood is scarce here: there are hardly any trees, and people burn dried peat instead"),
    ("abundant", "present in large amounts", ("lost", "expensive", "bitter"),
        "Fish are abundant, so that a net cast in the morning is full by noon"),
    ("remote", "far away from others", ("noisy", "new", "flat"),
        "The place is remote; letters from the capital need three weeks to get there"),
    ("cease", "stop", ("begin", "grow", "shine"),
        "In autumn the boats and carts cease to run, and from then on nobody comes or goes"),
    ("fertile", "good for growing plants", ("cold", "narrow", "poisonous"),
        "The soil is fertile, and whatever is planted grows well"),
    ("brittle", "easily broken", ("sweet", "soft", "bright"),
        "The local stone is brittle and falls to pieces under the hammer, so houses are built of "
        "clay"),
    ("frugal", "living simply and wasting nothing", ("rich", "loud", "lazy"),
        "People are frugal: they mend what is torn and throw nothing away"),
    ("arid", "very dry", ("green", "crowded", "stormy"),
        "Some years are arid; then not a drop of rain falls from May to October"),
    ("conceal", "hide", ("show", "paint", "sell"),
        "Tall hedges conceal the gardens, so that no passer-by can see them"),
    ("vital", "necessary for life", ("funny", "harmful", "unknown"),
        "The spring is vital to the village, for there is no other water"),
    ("dwindle", "become less and less", ("rise", "travel", "freeze"),
        "The number of fishing boats has dwindled from forty to three"),
    ("sturdy", "strong and not easily broken", ("thin", "wet", "pale"),
        "The huts are sturdy and have stood through many storms"),
)  # fmt: skip


def report(random: Random, difficulty: int) -> Item:
    """A description of an invented land: facts in order, a word in context, a main idea."""
    land, other = several(random, _LANDS, 2)
    km, people_count = between(random, 4, 60), between(random, 2, 90) * 100
    coast, crop, herd = pick(random, _COASTS), pick(random, _CROPS), pick(random, _HERDS)
    other_crop = pick(random, [x for x in _CROPS if x != crop])
    (craft, material), feast = pick(random, _CRAFTS), pick(random, _FEASTS)
    word, meaning, wrong_meanings, context = pick(random, _WORDS)
    side, far = several(random, ("north", "south", "east", "west"), 2)
    kind = pick(random, ("island", "valley", "peninsula", "region"))
    edge = (
        f"along the {side} there are {coast}"
        if kind in ("island", "peninsula")
        else f"in the {side} there are steep hills"
    )
    edge_answer = coast if kind in ("island", "peninsula") else "steep hills"
    parts = [
        vary(random, "{land} is (an imaginary|an invented) {kind}(, {km} kilometres long|. from "
            "end to end it measures {km} kilometres).", land=land, kind=kind, km=km),
        vary(random, "{edge}, (while|and) in the {far} people grow {crop}.", edge=edge, far=far,
            crop=crop),
        vary(random, "(about|some) {n} people live there(, most of them in (one|a single) town|, "
            "scattered over many farms).", n=f"{people_count:,}"),
        f"{context}.",
        vary(random, "(in addition, |)(every family|almost everybody) (there |)keeps {herd}.",
            herd=herd),
        vary(random, "in the long winter the people {craft} from {material} (and sell their work|, "
            "which they sell) (in spring|when the traders come).", craft=craft, material=material),
        vary(random, "the (greatest|most important) feast (celebrates|marks) {feast}.",
            feast=feast),
    ]  # fmt: skip
    body = [parts[0], *shuffled(random, parts[1:])]
    if difficulty > 2:
        body.append(
            vary(
                random,
                "(on neighbouring {other}|in {other}, the land next to it), (things are "
                "different|it is another story): there they grow {crop}, and (almost nobody "
                "keeps|there are no) {herd}.",
                other=other,
                crop=other_crop,
                herd=herd,
            )
        )
    passage = " ".join(body)
    asked = [
        Asked(f"How long is {land}?", f"{km} kilometres",
            tuple(f"{n} kilometres" for n in (km + 10, km + 5, km * 2, people_count // 100))),
        Asked(f"What do people grow in the {far} of {land}?", crop, tuple(_CROPS)),
        Asked(f"What is found in the {side} of {land}?", edge_answer, (*_COASTS, "deserts")),
        Asked(f"Which animals do families in {land} keep?", herd, tuple(_HERDS)),
        Asked(f"What are the people of {land} skilled at?", f"they {craft}",
            tuple(f"they {x}" for x, _ in _CRAFTS)),
        Asked("What do they use for their craft?", material, tuple(x for _, x in _CRAFTS)),
        Asked("What does the greatest feast celebrate?", feast, tuple(_FEASTS)),
        Asked(f"What does “{word}” mean in this text?", meaning, wrong_meanings,
            f"The text says: {context}."),
        Asked("Which title fits the text best?", f"{land}: its land and its people",
            ("How to build a house", f"A war between {land} and {other}",
            "The life of a famous sailor", "Why winters are cold")),
        truth(f"{land} is {km} kilometres long.", "true"),
            truth(f"{land} is {km + 7} kilometres long.", "false", f"It is {km} kilometres long."),
        truth(f"There is a university in {land}.", "not given", "Schools are not mentioned."),
        truth(f"More than {people_count + 500:,} people live in {land}.", "false",
            f"About {people_count:,} live there."),
        truth(f"The people of {land} pay with shells.", "not given",
            "The text does not say how they pay."),
    ]  # fmt: skip
    if difficulty > 2:
        asked.append(
            Asked(
                f"What do {land} and {other} differ in?",
                "what people grow",
                ("the colour of the sea", "the length of the day", "the age of the houses"),
                f"{capitalized(crop)} in one, {other_crop} in the other.",
            )
        )
    return page(random, passage, asked, pick(random, (land, f"The {kind} of {land}", "")))
