"""Whom or what a pronoun means, when only sense can tell."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from phinery.data.synthesis.procedural.forms import Problem
from phinery.data.synthesis.procedural.grammar import people, pick, shuffled
from phinery.data.synthesis.procedural.wording import vary


@dataclass(frozen=True)
class Twist:
    """An end of a sentence, which of the two it speaks of, and why."""

    end: str
    first: bool
    """Whether the pronoun means the one that is named first."""
    why: str
    """A clause with {one} and {two}, the names in the sentence's order."""


@dataclass(frozen=True)
class Schema:
    """A sentence about two things or people, {one} and {two}, that a twist ends."""

    start: str
    twists: tuple[Twist, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    """Nouns for {one} and {two}; empty when it is about people."""


_FIT = (
    ("cello", "car boot"), ("teddy bear", "school bag"), ("sofa", "lift"), ("tent", "rucksack"),
        ("melon", "basket"),
    ("globe", "cupboard"), ("helmet", "drawer"), ("kite", "locker"), ("cake", "tin"),
        ("statue", "crate"),
    ("bicycle", "shed"), ("drum", "box"), ("vase", "cabinet"), ("painting", "frame"),
        ("boot", "shoe bag"),
)  # fmt: skip
_CARRY = (
    ("piano", "bridge"), ("elephant statue", "table"), ("bookcase", "floor"), ("barrel", "plank"),
        ("stove", "shelf"),
    ("aquarium", "stool"), ("snowman", "roof of the hut"), ("anchor", "raft"), ("bell", "beam"),
        ("trunk", "luggage rack"),
)  # fmt: skip
_BREAK = (
    ("stone", "window"), ("hammer", "plate"), ("iron ball", "glass door"), ("brick", "mirror"),
        ("bowling ball", "flowerpot"),
    ("axe handle", "vase"), ("falling pan", "cup"), ("metal bar", "lamp shade"),
        ("cannonball", "fence"), ("heavy lid", "jar"),
)  # fmt: skip
_PASS = (
    ("lorry", "bicycle"), ("train", "bus"), ("racing car", "tractor"),
        ("motor boat", "rowing boat"), ("horse", "donkey"),
    ("greyhound", "dachshund"), ("hare", "hedgehog"), ("sports plane", "balloon"),
        ("swallow", "duck"), ("express train", "goods train"),
)  # fmt: skip
_COVER = (
    ("blanket", "bed"), ("tablecloth", "table"), ("rug", "hall floor"), ("tarpaulin", "boat"),
        ("curtain", "window"),
    ("lid", "pot"), ("poster", "hole in the wall"), ("sheet", "mattress"),
        ("tarpaulin", "woodpile"), ("plank", "gap in the fence"),
)  # fmt: skip
_POUR = (
    ("jug", "glass"), ("bucket", "trough"), ("kettle", "teapot"), ("bottle", "bowl"),
        ("watering can", "flowerpot"),
    ("barrel", "can"), ("sack", "jar"), ("pan", "dish"), ("tank", "bucket"), ("carton", "cup"),
)  # fmt: skip
_HIDE = (
    ("car", "lorry"), ("cottage", "oak tree"), ("puppy", "armchair"), ("mouse", "milk jug"),
        ("child's chair", "piano"),
    ("bush", "wall"), ("tent", "barn"), ("fountain", "statue"), ("small boat", "ferry"),
        ("kiosk", "town hall"),
)  # fmt: skip

SCHEMAS: tuple[Schema, ...] = (
    Schema("the {one} (did not fit|would not go|could not be squeezed) into the {two} because it "
        "was too", (
        Twist("(big|large|wide|bulky)", True,
            "a thing does not go into another when the thing itself is too large"),
        Twist("(small|narrow|tight)", False,
            "a thing does not go into another when the space inside is too small")), _FIT),
    Schema("the {two} (broke|gave way|cracked) under the {one} because it was too", (
        Twist("heavy", True, "what presses down breaks things by its weight"),
        Twist("weak", False, "what carries breaks when it is not strong enough")), _CARRY),
    Schema("the {one} (went through|smashed|broke) the {two} because it was so", (
        Twist("(hard|heavy|solid)", True, "what strikes does damage when it is hard and heavy"),
        Twist("(thin|fragile|brittle)", False, "what is struck breaks when it is not strong")),
            _BREAK),
    Schema("the {one} (overtook|passed|left behind) the {two} because it (was|moved|went) so", (
        Twist("fast", True, "the one that overtakes is the faster one"),
        Twist("slowly", False, "the one that is overtaken is the slower one")), _PASS),
    Schema("the {one} did not cover the {two} because it was too", (
        Twist("(small|short)", True, "what covers must be large enough"),
        Twist("(large|wide)", False, "what is to be covered can be too large")), _COVER),
    Schema("{p} poured from the {one} into the {two} until it was", (
        Twist("(full|full to the brim)", False, "the vessel that one pours into becomes full"),
        Twist("empty", True, "the vessel that one pours from becomes empty")), _POUR),
    Schema("one could not see the {one} behind the {two} because it was so", (
        Twist("big", False, "what stands in front hides things when it is big"),
        Twist("small", True, "what stands behind is hidden when it is small")), _HIDE),
    Schema("{one} (thanked|gave flowers to|wrote a thank-you card to) {two} because {he} had", (
        Twist("(helped with the move|lent a hand|given good advice|saved the day)", False,
            "one thanks somebody who has done something good"),
        Twist("(received so much help|been helped|been given good advice|been rescued)", True,
            "the one who has received something good gives thanks"))),
    Schema("{one} (apologised|said sorry) to {two} because {he} had", (
        Twist("(been rude|come an hour late|forgotten the meeting|broken the cup)", True,
            "the one who has done something wrong apologises"),
        Twist("(been kept waiting|been treated badly|been hurt|had to wait in the rain)", False,
            "one apologises to the one who has suffered"))),
    Schema("{one} (asked|begged) {two} for help because {he}", (
        Twist("(could not do it alone|did not know how to go on|was stuck|had never done it)", True,
            "the one who is in difficulty asks for help"),
        Twist("(knew a lot about it|had done it many times|was the expert|was known to be good at "
            "it)", False, "one asks somebody who can help"))),
    Schema("{one} lent {two} (some money|a coat|an umbrella|a pen) because {he}", (
        Twist("(had none|had left everything at home|was in need of it|had come without)", False,
            "the one who lacks something borrows it"),
        Twist("(had more than enough|did not need it|could spare it|had plenty)", True,
            "one lends what one can do without"))),
    Schema("{one} (carried|lifted) {two} (home|over the stream|up the stairs) because {he}", (
        Twist("(had hurt a foot|was too tired to walk|had twisted an ankle|had fallen asleep)",
            False, "the one who cannot walk is carried"),
        Twist("(was the stronger one|was strong|had strong arms|was used to heavy loads)", True,
            "the one who carries needs strength"))),
    Schema("{one} (beat|won against|defeated) {two} at (chess|tennis|table tennis|draughts) "
        "because {he}", (
        Twist("(had practised more|played better|thought ahead|had trained all year)", True,
            "the better player wins"),
        Twist("(was tired|made too many mistakes|had slept badly|was not paying attention)", False,
            "the weaker player loses"))),
    Schema("{one} (taught|showed) {two} (to swim|to knit|the song|how to bake) because {he}", (
        Twist("(could not do it yet|wanted to learn it|was a beginner)", False,
            "the one who does not know it yet is taught"),
        Twist("(had known it for years|was an experienced teacher|had learned it as a child)", True,
            "the one who knows it can teach"))),
    Schema("{one} (visited|went to see) {two} in hospital because {he}", (
        Twist("(was ill|had broken a leg|was recovering from an operation)", False,
            "the one who lies in hospital is ill"),
        Twist("(wanted to cheer up a friend|was worried about an old friend|had promised to come)",
            True, "the visitor has a reason to come"))),
    Schema("{one} (envied|was jealous of) {two} because {he} had", (
        Twist("(won the first prize|been chosen for the team|been given a puppy)", False,
            "one envies somebody who has something good"),
        Twist("(won nothing|not been chosen|come last)", True,
            "the one who has gone without is envious"))),
    Schema("{one} (waited|had to wait) for {two} because {he}", (
        Twist("(was early|had come too soon|had arrived before time)", True,
            "the one who is early has to wait"),
        Twist("(was late|had missed the bus|was held up)", False,
            "one waits for the one who is late"))),
    Schema("{one} (whispered to|spoke softly to) {two} because {he}", (
        Twist("(did not want to be overheard|was telling a secret|had a sore throat)", True,
            "the one who speaks chooses how loudly"),
        Twist("(had a headache|was nearly asleep|could not bear noise)", False,
            "one is quiet for the sake of the listener"))),
    Schema("{one} (paid|gave money to) {two} because {he} had", (
        Twist("(repaired the roof|mended the bicycle|painted the fence|sold the table)", False,
            "the one who has worked or sold something is paid"),
        Twist("(ordered the work|bought the table|hired a helper|broken a window there)", True,
            "the one who has ordered, bought or damaged something pays"))),
    Schema("{one} (hid behind|clung to) {two} because {he} was", (
        Twist("(afraid|shy|scared of the dog)", True, "the one who is afraid seeks protection"),
        Twist("(big and brave|not afraid of anything|good with dogs)", False,
            "one seeks protection with somebody who is brave"))),
    Schema("{one} (comforted|hugged|cheered up) {two} because {he}", (
        Twist("(was crying|had lost a pet|had had bad news|was homesick)", False,
            "the one who is sad is comforted"),
        Twist("(could not bear to see a friend sad|had a kind heart|knew how it feels)", True,
            "the one who is kind comforts others"))),
    Schema("{one} gave {two} the (map|key|ticket|letter) so that {he} could", (
        Twist("(use it later|take it along|keep it safe on the journey)", False,
            "the one who has been given a thing can use it"),)),
    Schema("{one} (followed|copied) {two} because {he}", (
        Twist("(did not know the way|had lost the map|was new in town)", True,
            "the one who does not know the way follows"),
        Twist("(knew the way|was the guide|had the map)", False,
            "one follows somebody who knows the way"))),
)  # fmt: skip


def pronoun_problem(random: Random, difficulty: int) -> Problem:
    """A sentence with a pronoun, and the question whom or what it means."""
    schema = pick(random, SCHEMAS)
    twist = pick(random, schema.twists)
    person = people(random, 1)[0]
    if schema.pairs:
        one, two = pick(random, schema.pairs)
        names, pronoun, ask = (f"the {one}", f"the {two}"), "it", "what"
        sentence = vary(random, schema.start + " " + twist.end + ".", one=one, two=two, p=person)
    else:
        first = person
        second = people(random, 1)[0]
        while second.he != first.he or second.name[:2] == first.name[:2]:
            second = people(random, 1)[0]
        names, pronoun, ask = (first.name, second.name), first.he, "who"
        sentence = vary(
            random, schema.start + " " + twist.end + ".", one=first, two=second, he=first.he
        )
    meant, other = names if twist.first else (names[1], names[0])
    steps = [
        vary(random, "(the word|the pronoun) \"{pronoun}\" (can|could|may) stand for {both}(, as "
            "far as grammar goes|; the grammar allows both|).",
             pronoun=pronoun, both=" or ".join(shuffled(random, names))),
        vary(random, "(sense decides|what decides is the sense|we have to think): {why}.",
            why=twist.why),
        vary(random, "(here|in this sentence|in our case) that (is|must be) {meant}(, not "
            "{other}|).", meant=meant, other=other),
    ]  # fmt: skip
    return Problem(
        vary(random, "{sentence} (in this sentence|here), {ask} is meant by \"{pronoun}\"?",
             sentence=sentence, ask=ask, pronoun=pronoun),
        tuple(steps[difficulty < 3 and int(random.random() * 2):]),
        meant,
        vary(random, "(so|therefore|hence) \"{pronoun}\" (means|stands for|refers to) {meant}.",
            pronoun=pronoun, meant=meant),
        wrong=(other,),
    )  # fmt: skip


def pronoun_lesson(random: Random, difficulty: int) -> str:
    """What a pronoun is, with the two ends of one sentence set side by side."""
    schema = pick(random, [schema for schema in SCHEMAS if len(schema.twists) > 1 and schema.pairs])
    one, two = pick(random, schema.pairs)
    person = people(random, 1)[0]
    ends = [
        vary(random, schema.start + " " + twist.end + ".", one=one, two=two, p=person)
        + " "
        + vary(random, "(here|this time|in this one) \"it\" is the {meant}, (for|because) {why}.",
            meant=one if twist.first else two, why=twist.why)
        for twist in schema.twists
    ]  # fmt: skip
    intro = vary(
        random,
        '(a pronoun is a small word that stands for a noun or a name|words such as "he", "she" and '
        '"it" stand for something that was named before|"it" can point to different things). '
        "(often|sometimes) only the sense of a sentence tells (what|which thing) is meant. compare "
        "two sentences.",
    )
    return f"{intro} {' '.join(ends)}"
