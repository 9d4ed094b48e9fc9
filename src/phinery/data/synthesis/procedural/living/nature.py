"""Animals: a table of what school books say of them, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from phinery.data.synthesis.procedural.forms import Problem
from phinery.data.synthesis.procedural.grammar import (
    capitalized,
    listed,
    people,
    pick,
    plural,
    several,
    shuffled,
    with_article,
)
from phinery.data.synthesis.procedural.wording import vary


@dataclass(frozen=True)
class Animal:
    """An animal and what school books say of it."""

    noun: str
    group: str
    covering: str
    legs: int
    food: str
    """"plants", "animals" or "both"."""
    eats: str
    home: str
    moves: str
    young: str

    def __str__(self) -> str:
        return self.noun


def _animals(table: str) -> tuple[Animal, ...]:
    made: list[Animal] = []
    for line in table.strip().splitlines():
        noun, group, covering, legs, food, eats, home, moves, young = (
            x.strip() for x in line.split("|")
        )
        made.append(Animal(noun, group, covering, int(legs), food, eats, home, moves, young))
    return tuple(made)


ANIMALS: tuple[Animal, ...] = _animals("""
    horse|mammal|hair|4|plants|grass and oats|on a farm|gallops|foal
    cow|mammal|hair|4|plants|grass and hay|on a farm|walks|calf
    goat|mammal|hair|4|plants|grass and leaves|on a farm|climbs|kid
    rabbit|mammal|fur|4|plants|grass and herbs|in a burrow|hops|kitten
    fox|mammal|fur|4|both|mice and berries|in a den in the woods|trots|cub
    wolf|mammal|fur|4|animals|deer|in the woods|runs|cub
    mole|mammal|fur|4|animals|worms|under the ground|digs|pup
    bat|mammal|fur|2|animals|insects|in caves and attics|flies|pup
    dolphin|mammal|smooth skin|0|animals|fish|in the sea|swims|calf
    hedgehog|mammal|spines and hair|4|animals|slugs|in hedges and gardens|walks|hoglet
    squirrel|mammal|fur|4|plants|nuts and seeds|in trees|climbs|kitten
    camel|mammal|hair|4|plants|dry grass|in the desert|walks|calf
    polar bear|mammal|fur|4|animals|seals|on the ice of the far north|walks|cub
    giraffe|mammal|hair|4|plants|leaves of trees|on the savanna|walks|calf
    lion|mammal|fur|4|animals|zebras and antelopes|on the savanna|prowls|cub
    mouse|mammal|fur|4|both|seeds and insects|in fields and barns|scurries|pup
    hen|bird|feathers|2|both|grain and worms|on a farm|walks|chick
    duck|bird|feathers|2|both|water plants and snails|on a pond|swims|duckling
    owl|bird|feathers|2|animals|mice|in hollow trees|flies|owlet
    eagle|bird|feathers|2|animals|rabbits and fish|in the mountains|flies|eaglet
    penguin|bird|feathers|2|animals|fish|on cold southern coasts|swims|chick
    swallow|bird|feathers|2|animals|flying insects|under roofs|flies|chick
    goose|bird|feathers|2|plants|grass and grain|by the water|swims|gosling
    lizard|reptile|dry scales|4|animals|insects|among warm stones|runs|hatchling
    snake|reptile|dry scales|0|animals|mice and frogs|in grass|crawls|hatchling
    tortoise|reptile|a shell and scales|4|plants|leaves and herbs|in dry country|walks|hatchling
    crocodile|reptile|thick scales|4|animals|fish and deer|in warm rivers|swims|hatchling
    frog|amphibian|moist skin|4|animals|flies and beetles|by ponds|hops|tadpole
    newt|amphibian|moist skin|4|animals|water insects and worms|in ponds|swims|larva
    trout|fish|wet scales|0|animals|insects and small fish|in clear streams|swims|fry
    shark|fish|rough skin|0|animals|fish|in the sea|swims|pup
    goldfish|fish|wet scales|0|both|water plants and insects|in ponds|swims|fry
    bee|insect|a hard outer skin|6|plants|nectar and pollen|in a hive|flies|larva
    ant|insect|a hard outer skin|6|both|seeds and insects|in a nest in the ground|crawls|larva
    butterfly|insect|wings with tiny scales|6|plants|nectar|in meadows|flies|caterpillar
    grasshopper|insect|a hard outer skin|6|plants|grass|in meadows|jumps|nymph
    ladybird|insect|hard wing cases|6|animals|greenfly|on garden plants|flies|larva
    spider|arachnid|a hairy outer skin|8|animals|insects|in webs and corners|crawls|spiderling
    snail|mollusc|a shell and slimy skin|0|plants|leaves|in damp gardens|creeps|hatchling
    octopus|mollusc|soft skin|0|animals|crabs and shellfish|in the sea|swims|larva
    crab|crustacean|a hard shell|10|both|worms and algae|on the sea bed|walks sideways|larva
""")
GROUPS: dict[str, str] = {
    "mammal": "mammals have hair at some time of their lives and feed their young on milk",
    "bird": "birds have feathers and a beak and lay eggs with hard shells",
    "reptile": "reptiles have dry scales and breathe with lungs",
    "amphibian": "amphibians have moist skin and begin their lives in water",
    "fish": "fish live in water and breathe with gills",
    "insect": "insects have six legs and a body of three parts",
    "arachnid": "arachnids such as spiders have eight legs",
    "mollusc": "molluscs have soft bodies without bones",
    "crustacean": "crustaceans have a hard shell and jointed legs",
}
_FOODS = {
    "plants": "plant-eater",
    "animals": "meat-eater",
    "both": "eater of both plants and animals",
}


def animal_problem(random: Random, difficulty: int) -> Problem:
    """Which animal fits a description, or a fact about one."""
    beast = pick(random, ANIMALS)
    kind = int(random.random() * 5)
    if kind == 0:
        wrong = [group for group in GROUPS if group != beast.group]
        return Problem(
            vary(random, "(to which group of animals does {a noun} belong|what kind of animal is "
                "{a noun}|which group does {a noun} belong to)?", noun=beast.noun),
            (vary(random, "{a noun} has {covering} and lives {home}.", noun=beast.noun,
                covering=beast.covering, home=beast.home), f"{capitalized(GROUPS[beast.group])}."),
            f"the {plural(beast.group)}",
            vary(random, "(so|therefore) the {noun} belongs to the {group}.", noun=beast.noun,
                group=plural(beast.group)),
            wrong=tuple(f"the {plural(group)}" for group in wrong),
        )  # fmt: skip
    if kind == 1:
        rivals = [other for other in ANIMALS if other.group != beast.group]
        wrong = several(random, rivals, 3)
        shown = listed([with_article(x.noun) for x in shuffled(random, [beast, *wrong])], "or")
        return Problem(
            vary(random, "which of these is {group}: {shown}?", group=with_article(beast.group),
                shown=shown),
            (f"{capitalized(GROUPS[beast.group])}.",
                *(vary(random, "{a noun} is {group}, with {covering}.", noun=x.noun,
                group=with_article(x.group), covering=x.covering) for x in wrong[: difficulty])),
            f"the {beast.noun}", vary(random, "(that leaves|the answer is|it is) the {noun}.",
                noun=beast.noun), wrong=tuple(f"the {x.noun}" for x in wrong),
        )  # fmt: skip
    if kind == 2 and beast.food != "both":
        opposite = "animals" if beast.food == "plants" else "plants"
        wrong = [x.eats for x in several(random, [x for x in ANIMALS if x.food == opposite], 3)]
        return Problem(
            vary(random, "what does {a noun} (eat|feed on)?", noun=beast.noun),
            (vary(random, "{a noun} is {food} and lives {home}.", noun=beast.noun,
                food=with_article(_FOODS[beast.food]), home=beast.home),),
            beast.eats, vary(random, "(so it|it) (eats|feeds on) {eats}.", eats=beast.eats),
                wrong=tuple(wrong),
        )  # fmt: skip
    if kind == 3:
        wrong = [x.young for x in ANIMALS if x.young != beast.young]
        return Problem(
            vary(random, "what (do we call|is the name of) (the young|a young one) of {a noun}?",
                noun=beast.noun),
            (vary(random, "(many animals|animals) have (a special name|names of their own) for "
                "their young."),),
            beast.young, vary(random, "(the young of {a noun}|a young {noun}) is called {a young}.",
                noun=beast.noun, young=beast.young), wrong=tuple(wrong),
        )  # fmt: skip
    legged = [other for other in ANIMALS if other.noun != "octopus"]
    others = several(random, legged, 3)
    shown = others
    total = sum(x.legs for x in shown)
    return Problem(
        vary(random, "{p} (draws|is making a picture of|sees in a book) {things}. how many legs do "
            "they have together?", p=people(random, 1)[0],
            things=listed([with_article(x.noun) for x in shown])),
        tuple(vary(random, "{a noun} has {legs} legs.", noun=x.noun, legs=x.legs or "no")
            for x in shown),
        str(total), f"Together they have {' + '.join(str(x.legs) for x in shown)} = {total} legs.",
        wrong=(str(total + 2), str(total + 4), str(max(0, total - 2)), str(total + 1)),
    )  # fmt: skip


def animal_portrait(random: Random, difficulty: int) -> str:
    """An animal in a paragraph."""
    beast = pick(random, ANIMALS)
    facts = shuffled(random, (
        vary(random, "(it|the {noun}) lives {home}.", noun=beast.noun, home=beast.home),
        vary(random, "it (eats|feeds on) {eats}(, so it is {food}|).", eats=beast.eats,
            food=with_article(_FOODS[beast.food])),
        vary(random, "its body (has|is covered with|is protected by) {covering}.",
            covering=beast.covering),
        vary(random, "it {moves}(, and it has {legs} legs|).", moves=beast.moves,
            legs=beast.legs or "no"),
        vary(random, "its young is called {young}.", young=with_article(beast.young)),
    ))  # fmt: skip
    return vary(
        random,
        "(meet|let us look at|today we get to know) the {noun}. the {noun} is {group}, (and|for) "
        "{rule}. {facts}",
        noun=beast.noun,
        group=with_article(beast.group),
        rule=GROUPS[beast.group],
        facts=" ".join(facts),
    )
