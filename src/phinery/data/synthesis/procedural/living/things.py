"""Things, what they are made of and what follows from it; and needs that only some things meet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Object:
    """A thing of the house, its material and what else is true of it."""

    noun: str
    material: str
    traits: frozenset[str]

    def __str__(self) -> str:
        return self.noun


@dataclass(frozen=True)
class Property:
    """Something that a material or a thing has or lacks. Clauses have {x}, "the {noun}"."""

    name: str
    yes: str
    """ "it floats on water"."""
    no: str
    test: str
    """A small trial that shows it."""
    ask: str
    """Ends "Which of these ...?"."""


@dataclass(frozen=True)
class Need:
    """Something one wants to do, the trait that a thing for it must have, and why."""

    goals: tuple[str, ...]
    """Verb phrases."""
    trait: str
    use: str
    """What one does with a thing, with {x}: "cut it with {x}"."""
    has: str
    """Why a thing with the trait works, after "the X"."""
    lacks: str
    """Why one without it fails, after "the X"."""


# What is true (+) and false (-) of a material; what is in neither list depends on the piece.
MATERIALS: dict[str, tuple[str, str]] = {
    "iron": ("rusts conducts magnetic sinks hard",
        "floats burns transparent soaks breaks melts_in_sun dissolves"),
    "steel": ("conducts magnetic sinks hard",
        "floats burns transparent soaks breaks melts_in_sun dissolves"),
    "copper": ("conducts sinks hard",
        "rusts magnetic floats burns transparent soaks breaks melts_in_sun dissolves"),
    "silver": ("conducts sinks hard",
        "rusts magnetic floats burns transparent soaks breaks melts_in_sun dissolves"),
    "gold": ("conducts sinks", "rusts magnetic floats burns transparent soaks breaks melts_in_sun "
        "dissolves"),
    "wood": ("floats burns", "rusts conducts magnetic sinks transparent breaks melts_in_sun "
        "dissolves"),
    "cork": ("floats light", "rusts conducts magnetic sinks transparent breaks melts_in_sun "
        "dissolves"),
    "paper": ("burns soaks light tears",
        "rusts conducts magnetic transparent breaks melts_in_sun dissolves hard"),
    "cotton": ("burns soaks soft", "rusts conducts magnetic transparent breaks melts_in_sun "
        "dissolves hard"),
    "wool": ("soaks soft",
             "rusts conducts magnetic transparent breaks melts_in_sun dissolves hard"),
    "glass": ("sinks transparent breaks hard",
        "rusts conducts magnetic floats burns soaks melts_in_sun dissolves"),
    "china": ("sinks breaks hard", "rusts conducts magnetic floats burns transparent soaks "
        "melts_in_sun dissolves"),
    "plastic": ("", "rusts conducts magnetic soaks melts_in_sun dissolves"),
    "rubber": ("", "rusts conducts magnetic transparent soaks breaks melts_in_sun dissolves"),
    "stone": ("sinks hard", "rusts conducts magnetic floats burns transparent melts_in_sun "
        "dissolves"),
    "wax": ("floats melts_in_sun", "rusts conducts magnetic sinks transparent soaks dissolves"),
    "chocolate": ("melts_in_sun", "rusts conducts magnetic transparent soaks hard"),
    "ice": ("floats melts_in_sun", "rusts magnetic sinks burns soaks"),
    "sugar": ("dissolves", "rusts conducts magnetic floats hard transparent"),
    "salt": ("dissolves", "rusts magnetic floats burns transparent melts_in_sun"),
    "brick": ("sinks hard", "rusts conducts magnetic floats burns transparent melts_in_sun "
        "dissolves"),
}  # fmt: skip

PROPERTIES: tuple[Property, ...] = (
    Property("floats", "{m} floats on water", "{m} does not float on water",
        "lay it on the water of a full basin", "floats on water"),
    Property("sinks", "{m} sinks in water", "{m} does not sink in water",
        "let it go in a bucket of water", "sinks in water"),
    Property("rusts", "{m} rusts where there is water and air", "{m} does not rust",
        "leave it in the rain for some weeks", "rusts when it is left in the rain"),
    Property("conducts", "{m} lets an electric current through",
        "{m} does not let an electric current through", "put it between a battery and a small lamp",
        "can close the gap in a circuit so that a lamp lights"),
    Property("magnetic", "{m} is attracted by a magnet", "{m} is not attracted by a magnet",
        "hold a magnet near it", "sticks to a magnet"),
    Property("transparent", "one can see through {m}", "one cannot see through {m}",
        "hold it between your eyes and a picture", "can be seen through"),
    Property("soaks", "{m} soaks up water", "{m} does not soak up water",
        "let a drop of water fall on it", "soaks up water"),
    Property("breaks", "{m} is brittle and breaks in a fall", "{m} does not shatter in a fall",
        "think of what happens when it falls on a stone floor",
        "goes to pieces when it falls on a stone floor"),
    Property("burns", "{m} burns", "{m} does not burn", "think of what is left of it in a fire",
        "burns in a fire"),
    Property("melts_in_sun", "{m} melts when it gets warm in the sun",
        "{m} does not melt in the sun", "leave it on a sunny window sill",
        "melts on a sunny window sill"),
    Property("dissolves", "{m} dissolves in water", "{m} does not dissolve in water",
        "stir it into warm water", "dissolves in warm water"),
)  # fmt: skip


def _objects(table: str) -> tuple[Object, ...]:
    made: list[Object] = []
    for line in table.strip().splitlines():
        noun, material, traits = (part.strip() for part in line.split("|"))
        yes, _ = MATERIALS[material]
        made.append(Object(noun, material, frozenset((*yes.split(), *traits.split()))))
    return tuple(made)


OBJECTS: tuple[Object, ...] = _objects("""
    nail | iron | pointed
    horseshoe | iron | heavy
    frying pan | iron | flat pounds heavy
    anvil | iron | heavy
    chain | iron | ties
    hammer | steel | pounds heavy
    saw | steel | cuts
    kitchen knife | steel | cuts pointed
    pair of scissors | steel | cuts
    spoon | steel | stirs
    bucket | steel | holds_water
    sieve | steel | lets_water_through
    paper clip | steel |
    needle | steel | pointed
    copper wire | copper | ties
    copper kettle | copper | holds_water
    copper coin | copper |
    silver ring | silver |
    silver spoon | silver | stirs
    gold ring | gold |
    wooden spoon | wood | stirs long
    chair | wood | stands
    ladder | wood | stands long
    broomstick | wood | long
    pencil | wood | writes
    matchstick | wood |
    wooden bowl | wood | holds_water
    toothpick | wood | pointed
    bottle cork | cork |
    cork mat | cork | flat
    newspaper | paper |
    paper napkin | paper | dries
    paper bag | paper |
    envelope | paper |
    notebook | paper |
    paper towel | paper | dries
    cotton shirt | cotton |
    towel | cotton | dries
    cotton string | cotton | ties
    handkerchief | cotton | dries
    bed sheet | cotton |
    pillow | cotton |
    woollen scarf | wool | warms
    woollen jumper | wool | warms
    woollen blanket | wool | warms
    woollen hat | wool | warms
    window pane | glass |
    jam jar | glass | holds_water
    drinking glass | glass | holds_water
    glass marble | glass |
    magnifying glass | glass | magnifies
    teacup | china | holds_water
    dinner plate | china | flat
    teapot | china | holds_water
    toothbrush | plastic | scrubs
    comb | plastic |
    plastic bucket | plastic | holds_water
    raincoat | plastic | keeps_rain_off
    plastic ruler | plastic | measures
    tape measure | plastic | measures
    ballpoint pen | plastic | writes
    rubber ball | rubber | bounces
    rubber boot | rubber | keeps_rain_off
    rubber band | rubber | ties
    eraser | rubber |
    pebble | stone |
    paving stone | stone | flat heavy
    millstone | stone | heavy
    candle | wax | shines
    wax crayon | wax | writes
    bar of chocolate | chocolate |
    chocolate egg | chocolate |
    ice cube | ice | cools
    icicle | ice | pointed cools
    lump of sugar | sugar |
    pinch of salt | salt |
    brick | brick | heavy
    torch | plastic | shines
    oil lamp | steel | shines
    umbrella | plastic | keeps_rain_off
    scrubbing brush | wood | scrubs
    rope | cotton | ties long
    piece of chalk | stone | writes
    bath sponge | plastic | dries
""")  # fmt: skip

# A sponge of plastic takes up water all the same, and chalk is light stone; these exceptions keep
# general statements about a material true of each thing.
UNUSUAL: frozenset[str] = frozenset(
    {"bath sponge", "piece of chalk", "umbrella", "raincoat", "oil lamp", "torch", "broomstick",
    "magnifying glass"})  # fmt: skip

NEEDS: tuple[Need, ...] = (
    Need(("cut a thick rope in two", "cut a slice of cardboard", "divide a sheet of leather",
        "trim a branch"), "cuts",
         "cut with {x}", "has a sharp edge that parts what it is pressed against",
             "has no sharp edge, so it only presses"),
    Need(("drive a nail into a board", "crack a walnut", "knock a peg into the ground"), "pounds",
         "strike with {x}", "is hard and heavy, so a blow with it is strong",
             "is too light or too soft for a strong blow"),
    Need(("carry water from the well to the trough", "fetch water from the stream",
        "catch the drops from a leaking tap", "give a thirsty dog a drink"), "holds_water",
         "fill {x} with the water", "has a closed bottom and sides, so the water stays in it",
             "cannot keep water in"),
    Need(("wipe up spilled milk", "dry your wet hands", "dry the dishes",
        "mop up a puddle on the floor"), "dries",
         "use {x} to take up the wetness", "soaks up liquid",
             "does not take up liquid well, so the wetness stays"),
    Need(("stay dry on the way home in a shower", "walk through heavy rain without getting wet"),
        "keeps_rain_off",
         "take {x} along", "lets no water through", "does not keep the rain off"),
    Need(("find a coin under the bed at night", "read a map after sunset",
        "see the steps in a dark cellar"), "shines",
         "look with the help of {x}", "gives light", "gives no light of its own"),
    Need(("keep warm on a frosty evening", "keep the ears and neck from freezing in the wind"),
        "warms",
         "wrap yourself up in {x}", "holds a layer of warm air close to the body",
             "does not hold the body's warmth"),
    Need(("stir a pot of soup", "mix sugar into the dough", "stir paint in a tin"), "stirs",
         "stir with {x}", "has a handle to hold and a broad end that moves the liquid",
             "is not shaped for moving a liquid about"),
    Need(("tie a parcel", "fasten a boat to a post", "bind a bundle of sticks"), "ties",
         "wind {x} around it", "is long and bends easily, so it can be wound round and knotted or "
             "hooked", "cannot be wound round and fastened"),
    Need(("write a note to a friend", "put your name on a box", "draw a line on the board"),
        "writes",
         "write with {x}", "leaves a mark where it is rubbed along", "leaves no readable mark"),
    Need(("scrub the mud off a pair of boots", "clean the tiles in the bathroom",
        "brush burnt crumbs out of a pan"), "scrubs",
         "rub with {x}", "has bristles that reach into gaps and loosen dirt",
             "has no bristles to loosen the dirt"),
    Need(("find out how long a shelf is", "check whether a table fits through the door"),
        "measures",
         "lay {x} along it", "has marks at equal distances", "has no marks to read a length from"),
    Need(("keep papers from blowing away on a windy day", "hold a door open against the draught",
        "weigh down the corners of a picnic rug"), "heavy",
         "hold it in place with {x}", "is heavy, so the wind cannot move it easily",
             "is so light that it would move as well"),
    Need(("cool a glass of warm lemonade", "cool a bumped knee"), "cools",
         "use {x} for it",
             "is cold and takes in heat while it melts", "is no colder than the room"),
    Need(("make a tiny hole in a sheet of paper", "pop a balloon", "pick a splinter loose"),
        "pointed",
         "prick it with {x}", "has a sharp point, so all the force works on one tiny spot",
             "is blunt: its force is spread over a wide area"),
    Need(("look at the legs of an ant", "read very tiny print",
        "see the threads in a piece of cloth"), "magnifies",
         "look through {x}", "bends light so that things look larger",
             "does not make things look larger"),
    Need(("push a ball out from under a wide cupboard", "reach a kite that hangs on a branch",
        "knock a ripe apple from a high twig"), "long",
         "reach with {x}", "is long and reaches farther than an arm",
             "is too short to reach that far"),
)  # fmt: skip


def material_is(material: str, name: str) -> bool | None:
    """Whether a material has a property; None when it depends on the piece."""
    yes, no = MATERIALS[material]
    return True if name in yes.split() else False if name in no.split() else None
