"""Notices, news and talks about plans: what is stated, what is false, what is not said."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from phinery.data.synthesis.procedural.facts import PLACES, TOWNS
from phinery.data.synthesis.procedural.grammar import (
    between,
    capitalized,
    chance,
    number_words,
    people,
    pick,
    several,
    shuffled,
)
from phinery.data.synthesis.procedural.item import Item
from phinery.data.synthesis.procedural.reading.page import Asked, page, truth
from phinery.data.synthesis.procedural.wording import vary

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
EVENTS: tuple[tuple[str, str, str], ...] = (
    # what, what one does there, what to bring
    ("concert", "hear the town choir", "a cushion"),
        ("flea market", "buy and sell old things", "a bag"),
    ("book fair", "swap books", "a book to swap"),
        ("running race", "run around the lake", "running shoes"),
    ("cooking evening", "cook a meal together", "an apron"),
        ("puppet show", "see a play with puppets", "a blanket to sit on"),
    ("kite day", "build and fly kites", "string"),
        ("chess tournament", "play five games", "a chess clock"),
    ("night walk", "listen to owls", "a torch"), ("pottery course", "shape a bowl", "old clothes"),
    ("repair afternoon", "have broken things mended", "something that is broken"),
        ("star evening", "look at the planets", "warm clothes"),
    ("tree planting", "plant fifty young oaks", "a spade"),
        ("film evening", "watch a silent film", "a chair"),
    ("dance lesson", "learn a round dance", "comfortable shoes"),
        ("harvest festival", "taste new cider", "a mug"),
    ("photography walk", "take pictures of old doors", "a camera"),
        ("swimming gala", "swim against other towns", "a towel"),
)  # fmt: skip
CHANGES: tuple[str, ...] = (
    "the roof is being repaired", "a storm is expected", "the teacher is ill",
        "too few people had signed up", "the hall is needed for an election",
    "the bridge is closed", "the piano has to be tuned", "the road is being mended",
        "a pipe has burst", "the trains are not running that day",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """An event as it is announced."""

    what: str
    to_do: str
    bring: str
    town: str
    place: str
    day: str
    old_day: str
    hour: int
    hours: int
    price: int
    child_price: int
    reason: str
    seats: int


def plan(random: Random) -> Plan:
    """A random event with a change of day."""
    what, to_do, bring = pick(random, EVENTS)
    day, old_day = several(random, DAYS, 2)
    price = between(random, 2, 9)
    return Plan(what, to_do, bring, pick(random, TOWNS), pick(random, PLACES), day, old_day,
        between(random, 9, 18), between(random, 1, 4),
                price, between(random, 1, price - 1), pick(random, CHANGES),
                    between(random, 3, 12) * 5)  # fmt: skip


def _facts(random: Random, event: Plan) -> list[Asked]:
    other = plan(random)
    p = event

    def hours(hour: int) -> str:
        return f"at {hour} o'clock"

    claims = [
        (f"The {p.what} takes place at the {p.place}.",
            f"The {p.what} takes place at the "
            f"{other.place if other.place != p.place else 'old windmill'}.",
            f"It takes place at the {p.place}."),
        (f"The {p.what} was first planned for {p.old_day}.",
            f"The {p.what} was first planned for {p.day}.",
            f"It was moved from {p.old_day} to {p.day}."),
        ("Children pay less than grown-ups.", "Children pay as much as grown-ups.",
            f"Grown-ups pay {p.price}, children {p.child_price}."),
        (f"There is room for {p.seats} people.", f"There is room for {p.seats + 20} people.",
            f"There is room for {p.seats}."),
        (f"The {p.what} ends at {p.hour + p.hours} o'clock.",
            f"The {p.what} ends at {p.hour + p.hours + 1} o'clock.",
            f"It begins at {p.hour} and lasts {p.hours} hour{'s' if p.hours > 1 else ''}."),
    ]  # fmt: skip
    asked = [
        Asked(f"On which day is the {p.what}?", f"on {p.day}", tuple(f"on {day}" for day in DAYS),
            f"It was moved from {p.old_day}."),
        Asked(f"Why was the {p.what} moved?", f"because {p.reason}",
            tuple(f"because {x}" for x in several(random, CHANGES, 4))),
        Asked(f"When does the {p.what} begin?", hours(p.hour),
            tuple(hours(n) for n in (p.hour + 1, p.hour - 1, p.hour + p.hours, p.hour + 3))),
        Asked(f"When is the {p.what} over?", hours(p.hour + p.hours),
            tuple(hours(n) for n in (p.hour, p.hour + p.hours + 1, p.hour + p.hours + 2, p.hours)),
            f"{p.hour} and {p.hours} make {p.hour + p.hours}."),
        Asked("What should visitors bring?", p.bring,
            tuple(row[2] for row in several(random, EVENTS, 4))),
        Asked("What can visitors do there?", p.to_do,
            tuple(row[1] for row in several(random, EVENTS, 4))),
        Asked("How much do one grown-up and two children pay together?",
            str(p.price + 2 * p.child_price),
            tuple(str(n) for n in (p.price + p.child_price, 2 * p.price + p.child_price,
            3 * p.price, p.price + 2 * p.child_price + 1)),
            f"{p.price} + 2 x {p.child_price} = {p.price + 2 * p.child_price}."),
        Asked("What is the main purpose of this text?",
            f"to tell readers about a {p.what} and its new date",
            ("to complain about noise", f"to describe the history of {p.town}", "to sell a house",
            "to thank a doctor")),
        truth(f"The {p.what} has been held every year for ten years.", "not given",
            "The text does not speak of earlier years."),
        truth(f"Dogs are allowed at the {p.what}.", "not given", "The text does not mention dogs."),
    ]  # fmt: skip
    for right, wrong, why in claims:
        says = chance(random, 0.5)
        asked.append(truth(right if says else wrong, "true" if says else "false", why))
    return asked


def notice(random: Random, difficulty: int) -> Item:
    """A notice or a piece of news about an event, with questions."""
    event = plan(random)
    p = event
    slots = {"e": p, "price": p.price, "child": p.child_price}
    facts = shuffled(random, [
        vary(random, "it (begins|starts) at {e.hour} o'clock and (lasts|goes on for|takes) {n} "
            "hour{s}.", n=number_words(p.hours), s="s" if p.hours > 1 else "", **slots),
        vary(random, "(tickets cost {price} for grown-ups and {child} for children|grown-ups pay "
            "{price}, children {child}|the entrance fee is {price}, for children {child}).",
            **slots),
        vary(random, "(there is room for {e.seats} people|the number of places is limited to "
            "{e.seats}|{e.seats} people can take part).", **slots),
        vary(random, "(visitors|guests|those who come) can {e.to_do}(, and (nobody needs to know "
            "anything beforehand|everybody is welcome)|).", **slots),
        vary(random, "(please bring|visitors should bring|do not forget to bring) {e.bring}.",
            **slots),
    ])  # fmt: skip
    moved = vary(
        random,
        "(because {e.reason}, it has been moved from {e.old_day} to {e.day}|it was planned for "
        "{e.old_day}, but since {e.reason}, it will be on {e.day}|the new day is {e.day} instead "
        "of {e.old_day}, because {e.reason}).",
        **slots,
    )
    opening = vary(
        random,
        "(the {e.town} {e.what} takes place at the {e.place}|{e.town} invites you to its {e.what} "
        "at the {e.place}|at the {e.place} in {e.town} there will (soon|again|) be a {e.what}).",
        **slots,
    )
    title = vary(
        random,
        "(new date for {e.what}|{e.what} in {e.town}|{e.what}: please note|news from {e.town})",
        **slots,
    )
    at = between(random, 0, 3)
    passage = " ".join([opening, *facts[:at], moved, *facts[at:]])
    return page(random, passage, _facts(random, event), title)


_EXCUSES = (
    "has a music lesson",
    "has to look after a little brother",
    "works late",
    "visits the grandparents",
    "has football training",
    "has a dentist's appointment",
    "goes to the choir",
    "is helping to move house",
    "has to study for a test",
    "is on a school trip",
)
_TO_DO = (
    "go to the lake",
    "see the new film",
    "bake a cake for the fair",
    "repair the tree house",
    "practise the song",
    "visit the museum",
    "play table tennis",
    "paint the scenery",
    "go on a bicycle ride",
    "plant the seedlings",
    "write the report",
)


def _quoted(random: Random, speaker: str, said: str) -> str:
    verb = (
        pick(random, ("asked", "wanted to know"))
        if said.endswith("?")
        else pick(random, ("said", "answered", "replied"))
    )
    said = f"{said[:-1]}," if said.endswith(".") else said
    if verb == "wanted to know":
        return f'"{said}" {speaker} {verb}.'
    return f'"{said}" {verb} {speaker}.'


def planning(random: Random, difficulty: int) -> Item:
    """People look for a day on which all are free; the answer is the one that is left."""
    count = 2 + (difficulty > 2)
    cast = people(random, count)
    days = list(DAYS[:5])
    order = several(random, days, 3 + (difficulty > 3))
    final = order[-1]
    todo = pick(random, _TO_DO)
    hour = between(random, 2, 7)
    lines: list[str] = []
    asked: list[Asked] = []
    reasons = several(random, _EXCUSES, len(order) - 1)
    starter = cast[0]
    lines.append(
        vary(
            random,
            "{p}: (shall we|why don't we|would you like to) {todo} (this week|together)? (what "
            "about|are you free on) {day}?",
            p=starter,
            todo=todo,
            day=order[0],
        )
    )
    for place, day in enumerate(order[:-1]):
        busy = cast[1 + place % (count - 1)] if chance(random, 0.75) else cast[0]
        reason = reasons[place]
        told = (
            reason.replace("has to", "have to")
            .replace("has ", "have ")
            .replace("works", "work")
            .replace("visits", "visit")
            .replace("goes", "go")
            .replace("is ", "am ", 1)
        )
        nxt = order[place + 1]
        if busy is cast[0]:
            lines.append(vary(random, "{q}: {day} is fine with me.", q=cast[1], day=day))
            lines.append(
                vary(
                    random,
                    "{p}: (oh, wait|sorry, I forgot). on {day} I {told}. (could it be|what about) "
                    "{next}?",
                    p=busy,
                    day=day,
                    told=told,
                    next=nxt,
                )
            )
        else:
            lines.append(
                vary(
                    random,
                    "{p}: (sorry, no|not then|I can't). on {day} I {told}. (what about|could it "
                    "be) {next}(| instead)?",
                    p=busy,
                    day=day,
                    told=told,
                    next=nxt,
                )
            )
        asked.append(
            Asked(
                f"Why is {day} not possible?",
                f"{busy} {reason}",
                (*(f"{who} {x}" for who in cast for x in reasons), f"{busy} is ill"),
            )
        )
        asked.append(
            Asked(f"Who has no time on {day}?", busy.name, (*(x.name for x in cast), "nobody"))
        )
    last = cast[1]
    lines.append(
        vary(
            random,
            "{p}: (yes|good|fine|perfect), {day} it is. shall we say {hour} o'clock, (at your "
            "place|in front of the library|at the bus stop)?",
            p=last,
            day=final,
            hour=hour,
        )
    )
    place_said = next(
        x for x in ("at your place", "in front of the library", "at the bus stop") if x in lines[-1]
    )
    lines.append(
        vary(
            random,
            "{p}: (agreed|good|all right). {hour} o'clock, {where}. (see you then|I am looking "
            "forward to it|don't be late)!",
            p=starter,
            hour=hour,
            where=place_said.replace("your", "my"),
        )
    )
    if count == 3:
        lines.append(
            vary(random, "{p}: (I'll be there, too|that suits me as well|count me in).", p=cast[2])
        )
    where = place_said.replace("your place", f"{starter.name}'s place")
    asked += [
        Asked(f"On which day will they {todo}?", f"on {final}", tuple(f"on {day}" for day in days)),
        Asked("At what time will they meet?", f"at {hour} o'clock",
            tuple(f"at {n} o'clock" for n in (hour + 1, hour + 2, max(1, hour - 1)))),
        Asked("Where will they meet?", where,
            ("in front of the library", "at the bus stop", f"at {starter.name}'s place",
            "at the town hall")),
        Asked("Who makes the first suggestion?", starter.name, tuple(x.name for x in cast)),
        Asked("What are they talking about?", f"when they can {todo}",
            tuple(f"when they can {x}" for x in several(random, _TO_DO, 4))),
        truth(f"They will {todo} on {order[0]}.", "false", f"They agree on {final}."),
        truth("It will rain when they meet.", "not given", "Nobody speaks about the weather."),
    ]  # fmt: skip
    spoken = [
        (speaker, capitalized(said)) for speaker, said in (line.split(": ", 1) for line in lines)
    ]
    if chance(random, 0.35):
        passage = " ".join(_quoted(random, speaker, said) for speaker, said in spoken)
    else:
        passage = "\n".join(f"{speaker}: {said}" for speaker, said in spoken)
    return page(random, passage, asked)
