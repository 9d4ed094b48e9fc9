"""What leads to what in a house, a garden, a street: setups, effects, reasons, and what if not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Law:
    """A cause and its effect, in templates with {p}, a person, {thing} and {spot}."""

    field: str
    setup: str
    """Whole sentences in the past tense."""
    effect: str
    """A clause in the past tense: what came of it."""
    reason: str
    """A clause in the present tense: the rule behind it."""
    instead: str
    """A clause after "if": how it could have been different."""
    otherwise: str
    """A clause: what would have happened then."""
    wrong: tuple[str, ...]
    """Clauses in the past tense: what did not come of it."""
    things: tuple[str, ...] = ("",)
    spots: tuple[str, ...] = ("",)


LAWS: tuple[Law, ...] = (
    Law("heat", "{p} (left|forgot) {a thing} {spot} (for an hour|all afternoon|while {p.he} was "
        "out|during lunch).",
        "the {thing} (melted|went soft and ran|lost its shape)",
            "(wax, chocolate, butter and ice cream|soft solids like this) turn liquid when they "
            "(get|become) warm (enough|)",
        "{p} had put the {thing} in (the fridge|a cool cellar|the shade)",
            "it would have stayed firm",
        ("the {thing} froze hard", "the {thing} grew larger", "the {thing} turned into wood",
            "nothing at all happened to the {thing}"),
        ("bar of chocolate", "candle", "piece of butter", "ice lolly", "wax figure",
            "scoop of ice cream"),
        ("on a sunny window sill", "next to the stove", "on the dashboard of a hot car",
            "beside the fire")),
    Law("heat", "{p} (filled|topped up) a {thing} (to the brim|completely) with water, (screwed it "
        "shut|closed it tightly) and put it in the freezer (overnight|until the next day).",
        "the {thing} (cracked|burst|split)",
            "water takes up more room when it (freezes|turns to ice)",
        "{p} had left (some|a little) space at the top",
            "the ice would have had room and the {thing} would have stayed whole",
        ("the water inside boiled", "the {thing} became empty",
            "the {thing} shrank to half its size"),
        ("glass bottle", "glass jar", "glass flask")),
    Law("heat", "{p} (poured|put) (hot|steaming) {thing} into a (thin metal|metal|tin) cup and "
        "(picked it up|took hold of it) (at once|with bare fingers).",
        "the cup (burned|hurt) {p.his} fingers",
            "metal carries heat quickly from the (drink|inside) to the hand",
        "the cup had been made of (thick wood|thick china with a handle)",
            "the outside would have stayed cool enough to hold",
        ("the cup felt icy", "the cup floated out of {p.his} hand", "the {thing} froze"),
        ("tea", "soup", "cocoa", "coffee", "broth")),
    Law("heat", "{p} took (a tray|a pan|a dish) of {thing} (from|out of) the oven and put it on "
        "the (kitchen table|side|window sill) (for half an hour|while the others laid the table).",
        "the {thing} cooled down", "hot things give (their heat|heat) to the cooler air around "
            "them until both are equally warm",
        "{p} had left it in the hot oven", "it would have stayed hot and might have burned",
        ("the {thing} grew hotter and hotter", "the {thing} turned raw again", "the table froze"),
        ("biscuits", "bread rolls", "roast potatoes", "vegetables", "lasagne", "muffins")),
    Law("heat", "(on a (frosty|freezing|bitterly cold) night|while it was well below zero), {p} "
        "left {a thing} full of water {spot}.",
        "the water (turned to ice|froze)", "water becomes solid at zero degrees Celsius",
        "the night had been (mild|warm)", "the water would have stayed liquid",
        ("the water boiled away", "the water turned to oil", "the water became warm"),
        ("bucket", "bowl", "watering can", "tub", "basin", "bird bath"),
        ("in the yard", "on the balcony", "behind the shed", "on the doorstep")),
    Law("water", "{p} hung (wet|dripping|freshly washed) {thing} (on the line|over a chair|on a "
        "rack) {spot}.",
        "the {thing} (dried|were dry by evening|became dry)",
            "(water evaporates|the water in wet cloth turns to vapour) faster where it is warm and "
            "the air moves",
        "the {thing} had been left in a heap in a closed bag",
            "they would have stayed damp and begun to smell",
        ("the {thing} became wetter", "the {thing} turned into paper", "the {thing} froze solid"),
        ("towels", "socks", "shirts", "sheets", "trousers", "tea towels", "curtains"),
        ("in the sun", "on a warm, windy day", "near the warm stove", "in a light breeze")),
    Law("water", "{p} (dropped|stirred|put) a spoonful of {thing} into a glass of (warm|hot) water "
        "and (stirred|stirred it well).",
        "the {thing} (disappeared from sight|could no longer be seen), but the water tasted of it",
            "{thing} dissolves, which means that its tiny particles spread out among those of the "
            "water",
        "{p} had used sand", "the grains would have sunk to the bottom and stayed there",
        ("the {thing} caught fire", "the {thing} turned to stone",
            "the water vanished and the {thing} stayed dry"),
        ("sugar", "salt")),
    Law("water", "{p} (knocked over|bumped into|tipped over) a full {thing} {spot}.",
        "the {drink} (spread|ran) over (the surface|everything near it) and dripped down",
            "liquids flow downwards and have no shape of their own",
        "the {thing} had been (empty|closed with a lid)",
            "(nothing|hardly anything) would have spilled",
        ("the {drink} stayed in the air", "the {drink} climbed up the wall",
            "the {drink} turned to powder"),
        ("glass", "mug", "jug", "cup", "bowl"),
        ("on the table", "on the desk", "on the kitchen counter", "on a shelf")),
    Law("water", "it (rained|poured|had been raining) (all morning|for hours), and {p} walked to "
        "{spot} without (an umbrella or a coat|anything to keep the rain off).",
        "{p.his} (clothes|hair and clothes) got (soaked|wet through)", "cloth soaks up water",
        "{p} had (worn a raincoat|carried an umbrella)", "{p.he} would have stayed (mostly |)dry",
        ("{p} became very thirsty and dry", "{p.his} clothes became warmer and drier",
            "{p.his} shoes became cleaner and drier"),
        ("",), ("school", "work", "the bus stop", "the market", "the library", "a friend's house")),
    Law("water", "{p} put {a thing} into (a bowl of water|a bucket of water|a full tub|the pond|a "
        "full basin).",
        "the {thing} floated", "things float when they weigh less than the water they push aside",
        "{p} had put in (a stone|an iron nail|a marble|a coin) of any size", "it would have sunk",
        ("the {thing} sank like lead", "the {thing} dissolved", "the {thing} boiled"),
        ("cork", "dry stick", "wooden spoon", "candle", "rubber duck", "ping-pong ball",
            "pine cone", "feather")),
    Law("water", "{p} put {a thing} into (a bowl of water|a bucket of water|the pond|a full tub).",
        "the {thing} sank", "things sink when they weigh more than the water they push aside",
        "{p} had put in (a cork|a dry stick|a wooden block)", "it would have floated",
        ("the {thing} floated on top", "the {thing} dissolved", "the {thing} swam to the side"),
        ("pebble", "steel key", "coin", "glass marble", "brick", "iron nail", "metal spoon")),
    Law("water", "{p} (wiped|mopped) up a puddle of (milk|water|juice|tea) with a (dry|clean) "
        "{thing}.",
        "the {thing} soaked up the puddle",
            "cloth, paper and sponge are full of tiny gaps that draw liquid in",
        "{p} had used a (sheet of plastic|metal lid|glass plate)",
            "the liquid would only have been pushed about",
        ("the puddle became larger by itself", "the {thing} pushed the liquid away and stayed dry",
            "the {thing} melted"),
        ("sponge", "towel", "cotton rag", "paper towel", "dishcloth")),
    Law("force", "{p} (dropped|let go of|let slip) a {thing} (over|onto) the "
        "(stone|tiled|concrete) floor.",
        "the {thing} (broke|shattered|went to pieces)",
            "(glass, china and fired clay are brittle and crack at a hard knock|brittle things "
            "such as glass and china crack at a hard knock)",
        "the {thing} had fallen on a (pile of pillows|thick carpet|heap of hay)",
            "it would (probably |)have stayed whole",
        ("the {thing} bounced up to the ceiling", "the {thing} bent and sprang back",
            "the {thing} flew away"),
        ("glass", "china cup", "teapot", "glass vase", "porcelain plate", "light bulb",
            "clay pot")),
    Law("force", "{p} (dropped|let go of|threw down) a {thing} (over|onto) the (hard|stone|wooden) "
        "floor.",
        "the {thing} bounced back up", "rubber is springy, so it is squeezed when it hits the "
            "floor, and pushes back",
        "the {thing} had been made of (soft clay|wet dough|lead)",
            "it would have stayed where it fell",
        ("the {thing} broke into splinters", "the {thing} stuck to the floor",
            "the {thing} melted"),
        ("rubber ball", "tennis ball", "basketball", "bouncy ball")),
    Law("force", "{p} (pushed|shoved) a (heavy |){thing} over {spot} (and then stopped pushing|and "
        "let go).",
        "the {thing} (soon |)came to rest",
            "rough surfaces rub against each other, and this friction slows things down",
        "the floor had been smooth ice", "it would have slid much farther",
        ("the {thing} went faster and faster by itself", "the {thing} rose into the air",
            "the {thing} turned round and came back"),
        ("crate", "chest", "chair", "box of books", "suitcase"),
        ("a rough carpet", "a stone path", "the gravel", "a wooden floor")),
    Law("force", "{p} (put|set|balanced) a {thing} on (the very edge of the table|a wobbly "
        "stool|the end of a shelf), and (somebody slammed the door|the cat brushed against it|the "
        "table was bumped).",
        "the {thing} fell", "what is not held up is pulled down by gravity",
        "the {thing} had stood in the middle of the table",
            "it would (most likely |)have stayed there",
        ("the {thing} floated upwards", "the {thing} stuck to the air",
            "the {thing} moved to the middle of the table"),
        ("vase", "lamp", "jar of jam", "pile of plates", "toy robot", "clock", "flowerpot")),
    Law("force", "{p} (squeezed|stepped on|sat on) {a thing} (by accident|without looking|with all "
        "{p.his} weight).",
        "the {thing} was (squashed|flattened)", "soft things give way when they are pressed",
        "it had been (a stone|an iron block)", "it would have kept its shape",
        ("the {thing} became harder than before", "the {thing} did not change at all",
            "the {thing} grew"),
        ("ripe tomato", "cream cake", "paper hat", "ripe banana", "cardboard box", "soft pear")),
    Law("force", "{p} blew (more and more|a lot of) air into a {thing}, and (went on|would not "
        "stop) (although it was already tight|even when it was full).",
        "the {thing} burst with a bang", "the air inside presses on the skin until the skin tears",
        "{p} had stopped (earlier|in time)", "the {thing} would have stayed whole",
        ("the {thing} became heavy as a stone", "the {thing} shrank",
            "the {thing} turned into water"),
        ("balloon", "paper bag")),
    Law("force", "{p} had to move a (heavy|huge|very heavy) {thing} and (put rollers under it|set "
        "it on a trolley|laid it on a cart with wheels).",
        "it was (much |)easier to push",
            "wheels and rollers roll instead of rubbing, so there is little friction",
        "{p} had dragged it over the ground", "it would have been (very |)hard work",
        ("it became heavier", "it could not be moved at all any more", "it broke in two"),
        ("wardrobe", "piano", "barrel", "stone block", "sofa", "chest of drawers")),
    Law("force", "{p} (oiled|put a drop of oil on) the (stiff|squeaking|creaking) {thing}.",
        "the {thing} moved smoothly and quietly", "oil makes surfaces slippery, so they rub less",
        "{p} had (put sand in it|done nothing)", "it would have gone on squeaking",
        ("the {thing} got stuck for good", "the {thing} became rougher",
            "the {thing} became louder than before"),
        ("hinge", "bicycle chain", "lock", "wheel", "gate", "sewing machine")),
    Law("air and fire", "{p} (put|turned|set) a glass (upside down|) over a burning candle.",
        "the flame (went out|died) (after a few seconds|after a short while)",
            "a flame needs (fresh |)air, and the air under the glass is soon used up",
        "the glass had stayed beside the candle", "the candle would have gone on burning",
        ("the flame grew through the glass", "the candle became longer",
            "the glass filled with milk")),
    Law("air and fire", "{p} (held|put) a (dry |)piece of {thing} too close to (a flame|the fire|a "
        "burning candle).",
        "the {thing} caught fire", "dry (paper, wood and cloth|plant material) burns when it gets "
            "hot enough",
        "the {thing} had been soaking wet", "it would not have caught fire so easily",
        ("the {thing} became cold", "the {thing} melted into water",
            "the flame jumped away from it"),
        ("paper", "straw", "cardboard", "thin wood", "bark")),
    Law("air and fire", "on a (windy|gusty|stormy) day {p} put {a thing} on the (garden "
        "table|bench|roof of the car) without anything to hold it down.",
        "the wind blew the {thing} away",
            "moving air pushes things, and light things are easily moved",
        "{p} had laid a stone on it", "it would have stayed where it was",
        ("the {thing} became too heavy to lift", "the {thing} sank through the table",
            "the wind made the {thing} wet and warm"),
        ("paper napkin", "letter", "newspaper", "straw hat", "map", "empty plastic bag")),
    Law("light and sound", "{p} stood with {p.his} back to (the low sun|a bright lamp|a street "
        "light).",
        "{p.his} shadow fell in front of {p.him}",
            "light travels in straight lines, and a body stops it",
        "{p} had turned to face the light", "the shadow would have been behind {p.him}",
        ("{p.his} shadow fell towards the light", "{p} became see-through",
            "the light went round {p.him} and left no shadow")),
    Law("light and sound", "{p} (shouted|called|clapped) (loudly |){spot}.",
        "an echo came back", "sound bounces off large hard surfaces",
        "{p} had done it in a room full of (cushions and carpets|curtains and sofas)",
            "the soft things would have swallowed the sound",
        ("the sound was never heard by anyone", "the place became silent at once",
            "the sound turned into light"),
        ("",), ("in a deep valley between rock walls", "in an empty stone hall",
            "towards a high cliff", "into a long tunnel")),
    Law("light and sound", "{p} (closed the shutters|drew thick curtains|hung a blanket over the "
        "only window) at noon and switched off the lamp.",
        "the room became dark", "we see things only when light reaches them",
        "the window had been left uncovered", "the room would have stayed bright",
        ("the room became brighter", "the sun went down at once", "the walls began to shine")),
    Law("light and sound", "(during a storm|when the storm came near), {p} saw a flash of "
        "lightning (far away|over the hills|on the horizon).",
        "{p.he} heard the thunder a few seconds later", "light travels (much |)faster than sound",
        "the lightning had struck very near", "flash and thunder would have come almost together",
        ("{p.he} heard the thunder before the flash", "the thunder could be seen as a colour",
            "the flash came back as an echo")),
    Law("electricity", "{p} (pulled|took) the plug of the {thing} out of the socket.",
        "the {thing} stopped working", "a current flows only when the circuit is closed",
        "the plug had stayed in and the switch on", "it would have gone on working",
        ("the {thing} ran faster", "the {thing} began to glow green",
            "the {thing} became lighter in weight"),
        ("lamp", "toaster", "fan", "vacuum cleaner", "radio", "hairdryer")),
    Law("electricity", "{p} left the {thing} switched on (all night|for days|and forgot about it).",
        "the battery (ran down|was empty in the morning)",
            "a battery holds only so much energy, and a lit lamp or a running motor uses it up",
        "{p} had switched it off", "the battery would have lasted (longer|much longer)",
        ("the battery became fuller", "the {thing} became brighter and brighter",
            "the {thing} turned cold and wet"),
        ("torch", "toy car", "bicycle lamp", "pocket radio", "headlamp")),
    Law("electricity", "{p} held a magnet (over|near|close to) a (heap|pile|tray) of {thing}.",
        "the {thing} jumped to the magnet", "iron and steel are attracted by a magnet",
        "they had been made of (wood|plastic|copper)", "they would not have moved",
        ("the {thing} rolled away from it", "the {thing} melted", "the magnet lost its shape"),
        ("iron nails", "steel paper clips", "steel pins", "iron filings", "steel screws")),
    Law("change", "{p} (left|forgot) {a thing} outside (in the wet grass|in the rain) for (many "
        "weeks|a whole winter|months).",
        "it (rusted|became covered with rust)", "iron rusts when water and air reach it",
        "{p} had (dried, oiled and put it away|kept it in a dry shed)",
            "it would have stayed (shiny|free of rust)",
        ("it turned to glass", "it became new again", "it dissolved like sugar"),
        ("iron rake", "steel saw", "iron hammer", "bicycle chain", "iron spade", "tin of nails")),
    Law("change", "{p} (left|forgot) {thing} (on the warm kitchen table|in a warm room|out of the "
        "fridge) for (a week|many days).",
        "the {thing} went bad",
        "tiny living things spoil food, and they grow fast where it is warm",
        "{p} had kept it in the fridge", "it would have stayed fresh longer",
        ("the {thing} became fresher", "the {thing} turned to salt", "the {thing} froze"),
        ("milk", "cooked rice", "minced meat", "fish soup", "cream")),
    Law("change", "{p} cut (an apple|a pear|a banana|an avocado) (in half|into slices) and left it "
        "on a plate (for an hour|until the guests came).",
        "the cut side turned brown", "air changes the colour of the juice on the cut",
        "{p} had (rubbed lemon juice on it|eaten it at once)", "it would not have gone brown",
        ("the cut side turned blue and hard as stone", "the halves grew together again",
            "the plate changed its taste")),
    Law("change", "{p} mixed flour, water and {thing} and left the dough in a warm place (for an "
        "hour|under a cloth).",
        "the dough rose", "yeast makes bubbles of gas, and they push the dough up",
        "{p} had left out the {thing}", "the dough would have stayed flat",
        ("the dough shrank to a crumb", "the dough became a liquid", "the dough froze"),
        ("yeast", "a spoon of yeast", "fresh yeast", "dry yeast")),
    Law("living things", "{p} went away for (three weeks|a month) in (a hot summer|the dry "
        "season), and nobody watered the {thing}.",
        "the {thing} (wilted|drooped and dried out)",
            "plants need water, and leaves lose it all day long",
        "a neighbour had watered them", "they would have stayed green",
        ("the {thing} grew twice as fast", "the {thing} turned into trees",
            "the {thing} moved to the pond"),
        ("tomato plants", "pot plants", "herbs on the balcony", "young beans", "seedlings",
            "flowers")),
    Law("living things", "{p} (put|kept) a pot of {thing} in a dark cupboard for (a month|several "
        "weeks).",
        "the plants turned pale and weak", "green plants need light to make their food",
        "the pot had stood at a sunny window", "the plants would have grown strong and green",
        ("the plants grew thick dark leaves", "the plants bore fruit at once",
            "the plants did not notice it at all"),
        ("cress", "basil", "beans", "mint", "parsley", "geraniums")),
    Law("living things", "{p} pushed (a few|some) {thing} seeds into (moist soil|damp earth), put "
        "the pot (in a warm place|at a warm window) and watered it (now and then|every other day).",
        "small green shoots came up", "a seed begins to grow when it has water and warmth",
        "the seeds had stayed in their dry packet", "nothing would have grown",
        ("the seeds turned to pebbles", "the soil became glass",
            "ripe fruit lay in the pot the next day"),
        ("bean", "sunflower", "pea", "pumpkin", "radish", "cress", "tomato")),
    Law("living things", "{p} (ran|raced|hurried) (up five flights of stairs|all the way to the "
        "bus|round the field three times).",
        "{p.his} heart beat faster and {p.he} was out of breath",
            "working muscles need more oxygen, so lungs and heart work harder",
        "{p} had walked slowly", "{p.his} breath would have stayed calm",
        ("{p.his} heart stopped for an hour", "{p} grew taller", "{p} felt cold")),
    Law("living things", "{p} went to bed (very late|long after midnight) and had to get up (at "
        "five|before dawn).",
        "{p.he} was tired and yawned (all morning|through the day)",
            "the body and the brain need enough sleep",
        "{p} had gone to bed early", "{p.he} would have woken up fresh",
        ("{p.he} was wide awake all week", "{p.he} needed less sleep the next night",
            "{p.he} became younger")),
    Law("living things", "{p} (ate|had) nothing (all day|since the early morning) and (worked in "
        "the garden|cycled up the hills).",
        "{p.he} was (very hungry|weak with hunger) (by evening|in the evening)",
            "food gives the body its energy",
        "{p} had eaten (a good lunch|some bread and fruit on the way)",
            "{p.he} would have had more strength",
        ("{p.he} felt full", "{p.he} did not need food any more",
            "{p.he} became heavier than ever")),
    Law("living things", "{p} played (outside|in the park|on the beach) for hours (at noon|in the "
        "strong sun) without a hat or sun cream.",
        "{p.his} (skin|nose) turned red and sore", "strong sunlight burns the skin",
        "{p} had stayed in the shade", "{p.his} skin would have been fine",
        ("{p.his} skin froze", "{p.his} skin turned blue and cold", "{p} became invisible")),
    Law("living things", "(a hen|a bird|a duck) sat on her eggs (for three weeks|day and night), "
        "and {p} watched from (afar|a hiding place).",
        "chicks hatched from the eggs", "eggs need (steady |)warmth for the young to grow inside",
        "the eggs had been left in the cold", "no chicks would have hatched",
        ("the eggs turned to stones", "puppies came out of the eggs", "the eggs grew roots")),
)  # fmt: skip

DRINKS: tuple[str, ...] = ("milk", "water", "juice", "tea", "lemonade", "cocoa", "ink", "soup")
