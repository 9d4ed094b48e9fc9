"""Things of the world with the sizes, prices and weights that they plausibly have."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from random import Random

from phinery.data.synthesis.procedural.grammar import between, pick, plural


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that is counted, bought and weighed."""

    noun: str
    cents: tuple[int, int]
    """The least and the greatest plausible price of one, in hundredths of a currency unit."""
    grams: tuple[int, int]
    kind: str

    def __str__(self) -> str:
        return self.noun

    @property
    def many(self) -> str:
        """The plural."""
        return plural(self.noun)

    def price(self, random: Random, step: int = 5) -> int:
        """A plausible price of one in cents, a multiple of `step`."""
        low, high = self.cents
        return max(step, between(random, -(-low // step), max(1, high // step)) * step)


def _things(kind: str, table: str) -> list[Thing]:
    result: list[Thing] = []
    for line in table.strip().splitlines():
        noun, cents, grams = (part.strip() for part in line.split("|"))
        low, high = (int(number) for number in cents.split())
        light, heavy = (int(number) for number in grams.split())
        result.append(Thing(noun, (low, high), (light, heavy), kind))
    return result


FRUIT = _things("fruit", """
    apple | 20 90 | 120 240
    pear | 30 95 | 140 240
    orange | 30 110 | 130 260
    mango | 80 250 | 200 500
    peach | 40 120 | 120 220
    plum | 15 60 | 50 90
    lemon | 25 80 | 80 140
    kiwi | 25 70 | 70 110
    fig | 30 90 | 40 70
    banana | 15 50 | 110 180
    pomegranate | 120 320 | 220 420
    melon | 180 480 | 900 2400
    avocado | 90 220 | 150 280
    apricot | 15 60 | 35 60
""")  # fmt: skip
VEGETABLES = _things("vegetable", """
    carrot | 8 30 | 60 140
    onion | 10 45 | 80 200
    potato | 10 50 | 90 280
    tomato | 15 70 | 80 180
    cucumber | 60 150 | 250 450
    cabbage | 120 320 | 700 1600
    pumpkin | 250 700 | 2000 6000
    turnip | 30 90 | 120 300
    leek | 50 130 | 150 300
    beetroot | 25 80 | 100 220
""")  # fmt: skip
BAKERY = _things("baked good", """
    bread roll | 30 90 | 50 90
    loaf of bread | 180 480 | 400 900
    muffin | 110 320 | 70 130
    bagel | 80 220 | 90 130
    pie | 250 900 | 350 1000
    biscuit | 15 80 | 10 35
    flatbread | 40 160 | 80 200
    pastry | 120 350 | 60 130
    doughnut | 90 250 | 50 90
    samosa | 60 180 | 60 110
    dumpling | 40 120 | 25 50
    cheese tart | 150 420 | 90 180
""")  # fmt: skip
STATIONERY = _things("school thing", """
    pencil | 20 120 | 5 9
    pen | 60 350 | 8 20
    notebook | 120 520 | 90 320
    eraser | 30 150 | 10 40
    ruler | 60 260 | 20 60
    paintbrush | 90 460 | 8 30
    folder | 80 390 | 60 150
    glue stick | 70 260 | 15 50
    crayon | 10 60 | 4 9
    map | 250 950 | 40 110
    envelope | 5 40 | 4 12
    sheet of card | 10 70 | 8 30
    marker | 80 320 | 10 20
    sketchbook | 350 1200 | 200 600
""")  # fmt: skip
TOOLS = _things("tool", """
    hammer | 700 2600 | 300 900
    screwdriver | 250 1200 | 60 220
    bucket | 250 900 | 250 800
    rope | 400 1800 | 300 2500
    paint tin | 900 3600 | 900 5200
    shelf | 1200 5200 | 1500 6000
    lamp | 900 5900 | 400 2600
    garden hose | 1400 4900 | 1500 4500
    flowerpot | 150 1400 | 200 2800
    watering can | 450 1900 | 300 1100
    broom | 500 1600 | 300 900
    candle | 60 520 | 40 400
    light bulb | 150 900 | 20 90
    torch | 500 2800 | 80 420
""")  # fmt: skip
PLAY = _things("toy", """
    ball | 200 1900 | 60 600
    marble | 5 40 | 4 20
    kite | 500 2900 | 80 400
    puzzle | 600 2800 | 300 1200
    skipping rope | 250 1200 | 90 300
    toy car | 150 1300 | 30 250
    doll | 700 3500 | 150 700
    yo-yo | 150 1200 | 40 90
    board game | 1200 5500 | 500 2200
    sticker | 5 60 | 1 3
    balloon | 5 50 | 2 5
    bead | 2 25 | 1 4
    playing card | 4 30 | 1 3
    wooden block | 20 160 | 20 110
""")  # fmt: skip
CLOTHES = _things("piece of clothing", """
    scarf | 500 3500 | 80 300
    hat | 600 4200 | 60 220
    shirt | 900 5500 | 120 320
    jumper | 1500 7500 | 250 750
    belt | 700 3900 | 90 260
    coat | 3900 19900 | 700 2200
    skirt | 1200 6500 | 150 500
    umbrella | 600 3500 | 250 600
    rucksack | 1800 9900 | 400 1600
    towel | 400 2900 | 200 700
""")  # fmt: skip
BOOKISH = _things("printed thing", """
    book | 500 2900 | 180 900
    comic | 200 990 | 80 260
    postcard | 40 160 | 4 8
    magazine | 250 850 | 120 350
    poster | 400 1800 | 40 150
    calendar | 500 1900 | 120 400
    stamp | 20 180 | 1 2
    dictionary | 1200 4900 | 700 1900
""")  # fmt: skip

THINGS: tuple[Thing, ...] = (
    *FRUIT, *VEGETABLES, *BAKERY, *STATIONERY, *TOOLS, *PLAY, *CLOTHES, *BOOKISH,
)  # fmt: skip
SMALL_THINGS: tuple[Thing, ...] = tuple(thing for thing in THINGS if thing.cents[1] <= 520)
COLLECTED: tuple[str, ...] = (
    "marble", "sticker", "shell", "stamp", "coin", "button", "bead", "postcard", "badge", "pebble",
    "playing card", "feather", "key", "bottle cap", "pressed flower", "fossil", "toy car", "comic",
    "acorn", "pine cone", "ticket stub", "fridge magnet", "model aeroplane", "ribbon", "crayon",
)  # fmt: skip
CONTAINERS: tuple[str, ...] = (
    "box", "bag", "basket", "crate", "jar", "tray", "tin", "packet", "drawer", "bucket", "sack",
    "carton", "case", "parcel",
)  # fmt: skip
SHOPS: tuple[str, ...] = (
    "shop", "market", "market stall", "corner shop", "village store", "supermarket", "kiosk",
    "department store", "school fair", "flea market", "harbour shop", "station shop", "museum shop",
)  # fmt: skip
PLACES: tuple[str, ...] = (
    "library", "school", "farm", "market", "harbour", "museum", "park", "station", "clinic",
    "bakery", "workshop", "lake", "swimming pool", "sports hall", "old mill", "castle", "town hall",
    "lighthouse", "zoo", "orchard", "post office", "theatre", "campsite", "observatory", "garden",
)  # fmt: skip
TOWNS: tuple[str, ...] = (
    "Alder Bay", "Birch Hill", "Cedar Falls", "Dunmore", "Eastbrook", "Fairhaven", "Greenford",
    "Hollow Creek", "Ivywell", "Juniper Ridge", "Kestrel Point", "Larkfield", "Millbrook",
    "Northgate", "Oakhurst", "Pinewood", "Quarry Head", "Rosedale", "Stonebridge", "Thornby",
    "Upwell", "Valecross", "Westmere", "Yarrow", "Ashcombe", "Bellport", "Copper Springs",
    "Drystone", "Elm Court", "Foxley",
)  # fmt: skip
ANIMALS: tuple[str, ...] = (
    "goat", "sheep", "hen", "duck", "cow", "horse", "rabbit", "donkey", "goose", "pig", "camel",
    "alpaca", "buffalo", "pony",
)  # fmt: skip
JOBS: tuple[str, ...] = (
    "baker", "teacher", "gardener", "carpenter", "librarian", "nurse", "fisher", "farmer", "cook",
    "tailor", "mechanic", "potter", "plumber", "painter", "shopkeeper", "beekeeper", "weaver",
    "electrician", "postal worker", "florist", "glazier", "printer", "joiner", "jeweller",
)  # fmt: skip
COLOURS: tuple[str, ...] = (
    "red", "blue", "green", "yellow", "white", "black", "orange", "purple", "brown", "grey", "pink",
)  # fmt: skip
SUBJECTS: tuple[str, ...] = (
    "mathematics", "history", "geography", "music", "art", "science", "literature", "physics",
    "chemistry", "biology", "French", "Spanish", "drama", "economics",
)  # fmt: skip
SPORTS: tuple[str, ...] = (
    "football", "tennis", "chess", "swimming", "running", "basketball", "cricket", "volleyball",
    "table tennis", "rowing", "judo", "hockey", "badminton", "cycling",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Material:
    """A substance with its density in g/cm³.

    The values are the usual ones of physics tables at room temperature, rounded.
    """

    name: str
    density: Fraction


MATERIALS: tuple[Material, ...] = tuple(
    Material(name, Fraction(density))
    for name, density in (
        ("aluminium", "2.7"), ("iron", "7.9"), ("copper", "8.9"), ("lead", "11.3"),
        ("gold", "19.3"), ("silver", "10.5"), ("glass", "2.5"), ("oak", "0.7"), ("pine", "0.5"),
        ("cork", "0.2"), ("ice", "0.9"), ("marble", "2.7"), ("granite", "2.7"), ("brass", "8.5"),
        ("tin", "7.3"), ("zinc", "7.1"), ("titanium", "4.5"), ("concrete", "2.4"), ("brick", "1.9"),
        ("beeswax", "0.96"), ("rubber", "1.1"), ("balsa wood", "0.15"), ("ebony", "1.2"),
    )
)  # fmt: skip


def thing(random: Random) -> Thing:
    """Any thing."""
    return pick(random, THINGS)
