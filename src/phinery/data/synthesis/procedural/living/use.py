"""Questions about materials, and about which of two ways is the better one."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.forms import Problem
from phinery.data.synthesis.procedural.grammar import (
    capitalized,
    chance,
    listed,
    people,
    pick,
    several,
    shuffled,
    with_article,
)
from phinery.data.synthesis.procedural.living.things import (
    MATERIALS,
    NEEDS,
    OBJECTS,
    PROPERTIES,
    UNUSUAL,
    Need,
    Object,
    material_is,
)
from phinery.data.synthesis.procedural.wording import vary

_PLAIN = tuple(thing for thing in OBJECTS if thing.noun not in UNUSUAL)
_WITH = {
    p.name: tuple(x for x in _PLAIN if material_is(x.material, p.name) is True) for p in PROPERTIES
}
_WITHOUT = {
    p.name: tuple(x for x in _PLAIN if material_is(x.material, p.name) is False) for p in PROPERTIES
}


def which_material(random: Random, difficulty: int) -> Problem:
    """Four things, of which one has a property that follows from its material."""
    wanted = pick(random, PROPERTIES)
    right = pick(random, _WITH[wanted.name])
    wrong = several(random, _WITHOUT[wanted.name], 3 if difficulty > 1 else 2)
    shown = shuffled(random, [right, *wrong])
    things = [with_article(thing.noun) for thing in shown]
    steps = [
        vary(random, "(the {noun}|{a noun}) (is made of|consists of) {m}(, and {m} | and {m} |. as "
            "we know, {m} ){rest}.",
             noun=right.noun, m=right.material, rest=wanted.yes.removeprefix("{m} "))
        if wanted.yes.startswith("{m}")
        else vary(random, "the {noun} is made of {m}, and {fact}.", noun=right.noun,
            m=right.material, fact=wanted.yes.format(m=right.material))
    ]  # fmt: skip
    steps += [
        vary(random, "the {noun} (is made of|is) {m}(, and|;) {fact}.", noun=thing.noun,
            m=thing.material, fact=wanted.no.format(m=thing.material))
        for thing in wrong[: 1 + difficulty // 2]
    ]  # fmt: skip
    steps = shuffled(random, steps)
    return Problem(
        vary(random, "(here are|on the table lie|in a box are|you have|look at) {things}. (which "
            "one|which of them|which of these things) {ask}?",
             things=listed(things), ask=wanted.ask),
        tuple(steps),
        f"the {right.noun}",
        vary(random, "(so it is|the answer is|that leaves) the {noun}.", noun=right.noun),
        check=vary(random, "(to be sure|if in doubt|to test it), {test}.", test=wanted.test),
        wrong=tuple(f"the {thing.noun}" for thing in wrong),
    )  # fmt: skip


def material_fact(random: Random, difficulty: int) -> Problem:
    """Whether a statement about a thing is true, from its material."""
    known = pick(random, PROPERTIES)
    true = chance(random, 0.5)
    thing = pick(random, (_WITH if true else _WITHOUT)[known.name])
    person = people(random, 1)[0]
    claim = known.yes.format(m=f"the {thing.noun}")
    fact = (known.yes if true else known.no).format(m=thing.material)
    return Problem(
        vary(random, "{p} (says|claims|thinks|believes|has read|writes in {p.his} notebook) that "
            "{claim}. (is that true?|is {p.he} right?|can that be?|do you agree?)", p=person,
            claim=claim),
        (vary(random, "(ask first what it is made of|the material decides): {a noun} is made of "
            "{m}.", noun=thing.noun, m=thing.material),
         vary(random, "{fact}.", fact=fact)),
        "yes" if true else "no",
        vary(random, "(yes, that is true.|so {p.he} is right.)" if true
            else "(no, that is not true.|so {p.he} is mistaken.)", p=person),
        check=vary(random, "(to try it out|to see it yourself), {test}: {fact}.", test=known.test,
            fact=fact),
        wrong=("no" if true else "yes",),
    )  # fmt: skip


def fits(need: Need) -> list[Object]:
    """The things that meet a need."""
    return [thing for thing in OBJECTS if need.trait in thing.traits]


def _unfit(random: Random, need: Need, count: int) -> list[Object]:
    rivals = [thing for thing in OBJECTS if need.trait not in thing.traits
        and thing.material not in _DOUBTFUL.get(need.trait, ())
              and not (_NEAR.get(need.trait, frozenset()) & thing.traits)]  # fmt: skip
    return several(random, rivals, count)


# Things of these materials or with these traits might do at a pinch, so they are never wrong.
_DOUBTFUL: dict[str, tuple[str, ...]] = {
    "dries": ("cotton", "wool", "paper"),
    "warms": ("cotton",),
    "heavy": ("glass", "china", "steel", "wood", "iron", "stone", "copper"),
    "pounds": ("stone", "brick", "iron", "steel", "wood"),
    "cools": ("steel", "stone", "iron"),
    "cuts": ("glass",),
    "scrubs": ("steel", "stone", "cotton"),
    "writes": ("brick", "stone", "wax"),
    "pointed": ("steel", "copper", "wood"),
    "holds_water": ("rubber", "plastic", "china"),
    "ties": ("cotton", "wool", "plastic"),
    "keeps_rain_off": ("wool", "paper"),
    "measures": ("paper", "cotton", "wood", "copper"),
    "stirs": ("wood", "steel", "plastic"),
    "shines": ("wood", "paper"),
}
_NEAR: dict[str, frozenset[str]] = {
    "pounds": frozenset({"heavy"}),
    "long": frozenset({"ties"}),
    "stirs": frozenset({"pounds"}),
    "keeps_rain_off": frozenset({"dries"}),
    "magnifies": frozenset({"holds_water"}),
}


def better_way(random: Random, difficulty: int) -> Problem:
    """A goal and two ways, of which one is sensible."""
    need = pick(random, NEEDS)
    goal = pick(random, need.goals)
    right, wrong = pick(random, fits(need)), _unfit(random, need, 1)[0]
    ways = [need.use.format(x=with_article(thing.noun)) for thing in (right, wrong)]
    person = people(random, 1)[0]
    first, second = shuffled(random, ways)
    steps = [
        vary(random, "(the {noun}|{a noun}) {has}.", noun=right.noun, has=need.has),
        vary(random, "(the {noun}|{a noun})(, however,|, on the other hand,|) {lacks}.",
            noun=wrong.noun, lacks=need.lacks),
    ]  # fmt: skip
    return Problem(
        vary(random, "(to {goal}, {p} can {first}, or {p.he} can {second}. (which is the better "
            "way?|which way is more sensible?|what would you do?)"
             "|{p} wants to {goal}. (should {p.he}|is it better to) {first} or {second}?"
             "|how (can|does) one {goal}: {first}, or {second}?)", p=person, goal=goal, first=first,
                 second=second),
        tuple(steps),
        capitalized(ways[0]),
        vary(random, "(so it is better to|the sensible way is to|therefore one should) {way}.",
            way=ways[0]),
        wrong=(capitalized(ways[1]),),
    )  # fmt: skip


def what_serves(random: Random, difficulty: int) -> Problem:
    """A goal, and several things of which one serves it."""
    need = pick(random, NEEDS)
    right, wrong = pick(random, fits(need)), _unfit(random, need, 3)
    shown = listed([with_article(x.noun) for x in shuffled(random, [right, *wrong])], "or")
    person = people(random, 1)[0]
    return Problem(
        vary(random, "{p} (has|wants|would like) to {goal}. (which of these|what) (helps|serves) "
            "{p.him} best: {shown}?", p=person, goal=pick(random, need.goals), shown=shown),
        (vary(random, "(what is needed|the thing one needs) is something that {has}.",
            has=need.has),
         vary(random, "the {noun} {has}.", noun=right.noun, has=need.has) if chance(random, 0.3)
         else vary(random, "{noun} {lacks}.", noun=f"the {wrong[0].noun}", lacks=need.lacks),
         vary(random, "the same (goes for|is true of) the {one} and the {two}.", one=wrong[1].noun,
             two=wrong[2].noun))[: 1 + difficulty // 2],
        f"the {right.noun}",
        vary(random, "(so|therefore) {p} (takes|should take|does best with) the {noun}.", p=person,
            noun=right.noun),
        wrong=tuple(f"the {thing.noun}" for thing in wrong),
    )  # fmt: skip


def materials_listed(random: Random, difficulty: int) -> str:
    """What is true of a material, as a paragraph."""
    material = pick(random, tuple(MATERIALS))
    known = shuffled(random, [p for p in PROPERTIES if material_is(material, p.name) is not None])[
        : 3 + difficulty
    ]
    facts = [(p.yes if material_is(material, p.name) else p.no).format(
        m="it" if place else material)
             for place, p in enumerate(known)]  # fmt: skip
    made = [x.noun for x in _PLAIN if x.material == material]
    return vary(
        random, "(let us look at|here is what to know about|today's material is) {m}. {facts}. "
            "(examples of things made of it|we meet it in things such as|think of): {made}.",
        m=material, facts=". ".join(fact[:1].upper() + fact[1:] for fact in facts),
            made=listed(made),
    )  # fmt: skip


def need_listed(random: Random, difficulty: int) -> str:
    """What a thing must be like for a purpose, as a paragraph."""
    need = pick(random, NEEDS)
    return vary(
        random, "(before one takes a tool, one should ask what the task needs|every task asks for "
            "something|the right tool saves work). to {goal}, one needs something that {has}. "
            "(that is why|for this reason) {a thing} (will do|is useful|serves well). (something "
            "that {lacks} is no help.|)",
        goal=pick(random, need.goals), has=need.has, thing=pick(random, fits(need)).noun,
            lacks=need.lacks,
    )  # fmt: skip
