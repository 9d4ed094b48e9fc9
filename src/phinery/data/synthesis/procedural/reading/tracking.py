"""Stories in which things are carried about: where they are, who has them, who knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from phinery.data.synthesis.procedural.grammar import (
    Person,
    chance,
    people,
    phrase,
    pick,
    several,
)
from phinery.data.synthesis.procedural.item import Item
from phinery.data.synthesis.procedural.reading.page import Asked, page, truth
from phinery.data.synthesis.procedural.wording import vary

ROOMS = ("kitchen", "hall", "garden", "attic", "cellar", "workshop", "bathroom", "study", "library",
    "garage", "barn", "porch", "office", "classroom", "stable", "greenhouse", "boathouse", "bakery",
    "tower room")  # fmt: skip
SPOTS = ("basket", "drawer", "cupboard", "chest", "tin", "blue box", "red bag", "old suitcase",
    "flowerpot", "jar", "cardboard box", "toolbox", "laundry basket", "desk", "bread bin",
    "coat pocket", "leather case", "wooden crate")  # fmt: skip
GOODS = ("key", "letter", "apple", "map", "ring", "torch", "coin", "book", "ball", "hammer",
    "scarf", "whistle", "photograph", "ticket", "notebook", "spoon", "bell", "magnifying glass",
    "compass", "toy boat", "cake tin", "pair of gloves", "purse", "medal", "watch", "music box",
    "seashell", "tape measure")  # fmt: skip


_SMALL = ("key", "letter", "ring", "coin", "whistle", "photograph", "ticket", "seashell", "watch",
    "medal", "compass", "button", "pencil", "marble", "stamp", "chocolate bar", "thimble",
    "badge")  # fmt: skip


@dataclass(frozen=True)
class Event:
    """Something that changes who is where or has what."""

    act: str
    """ "go", "take", "put", "give" or "return" (comes back into the room of the first scene)."""
    who: int
    thing: str = ""
    place: str = ""
    """The room for "go", the container for "put"."""
    to: int = -1


@dataclass
class World:
    """Who is where, who holds what, what lies where, and what everyone believes of it."""

    rooms: list[str]
    """The room of each person."""
    holder: dict[str, int] = field(default_factory=dict[str, int])
    place: dict[str, str] = field(default_factory=dict[str, str])
    """The room of a thing that nobody holds."""
    containers: dict[str, str] = field(default_factory=dict[str, str])

    def room_of(self, thing: str) -> str:
        """The room in which a thing is, be it carried or not."""
        return self.rooms[self.holder[thing]] if thing in self.holder else self.place[thing]

    def happen(self, event: Event) -> None:
        """Lets an event happen."""
        if event.act == "go":
            self.rooms[event.who] = event.place
        elif event.act == "take":
            self.holder[event.thing] = event.who
            self.place.pop(event.thing, None)
        elif event.act == "put":
            self.place[event.thing] = self.rooms[event.who]
            self.holder.pop(event.thing)
        elif event.act == "give":
            self.holder[event.thing] = event.to


def simulate(random: Random, difficulty: int) -> tuple[World, list[Event], dict[str, str]]:
    """A random course of events: the world at its end, the events, and where things began."""
    count = 2 if difficulty < 3 else 3
    rooms = several(random, ROOMS, 3 + (difficulty > 2))
    things = several(random, GOODS, 1 + (difficulty > 1) + (difficulty > 3))
    world = World([pick(random, rooms) for _ in range(count)])
    start = {thing: pick(random, rooms) for thing in things}
    world.place.update(start)
    events: list[Event] = []
    length = 4 + 2 * difficulty
    while len(events) < length:
        options: list[Event] = []
        for who in range(count):
            here = world.rooms[who]
            options += [Event("go", who, place=room) for room in rooms if room != here][:2]
            for thing in things:
                if world.holder.get(thing) == who:
                    options += [Event("put", who, thing, here)]
                    options += [
                        Event("give", who, thing, to=other)
                        for other in range(count)
                        if other != who and world.rooms[other] == here
                    ] * 2
                elif world.place.get(thing) == here:
                    options += [Event("take", who, thing, here)] * 4
        if len(events) % 3 == 0:
            moves = [
                Event("go", who, place=world.place[thing])
                for thing in things
                for who in range(count)
                if thing in world.place and world.rooms[who] != world.place[thing]
            ]
            options += moves * 2
        chosen = pick(random, options)
        last = events[-1] if events else None
        if last and last.who == chosen.who and last.act == chosen.act == "go":
            continue
        if last and last.thing == chosen.thing and last.act == chosen.act == "give":
            continue
        if (
            last
            and last.thing
            and last.thing == chosen.thing
            and {last.act, chosen.act} == {"take", "put"}
        ):
            continue
        world.happen(chosen)
        events.append(chosen)
    return world, events, start


_GO = (
    "{p} (went|walked|ran|hurried|went over) to the {room}",
    "{p} (left for|headed for|made {p.his} way to) the {room}",
    "{p} (came|stepped) into the {room}",
)
_TAKE = (
    "{p} (took|picked up|grabbed|found and took) the {thing} (there|)",
    "{p} (took|picked up) the {thing}",
)
_PUT = ("{p} (put|laid|set) down the {thing} (there|)", "{p} left the {thing} (there|behind)")
_GIVE = ("{p} (gave|handed|passed) the {thing} to {q}", "{p} (gave|handed) {q} the {thing}")
_LINKS = ("", "", "", "then ", "after that ", "a little later ", "next ", "soon ")


def tell(random: Random, cast: list[Person], events: list[Event]) -> list[str]:
    """A sentence for every event."""
    told: list[str] = []
    for place, event in enumerate(events):
        same = place > 0 and events[place - 1].who == event.who
        person = cast[event.who].he if same and chance(random, 0.6) else cast[event.who].name
        forms = {"go": _GO, "take": _TAKE, "put": _PUT, "give": _GIVE}[event.act]
        sentence = phrase(
            random, pick(random, forms).replace("{p.his}", cast[event.who].his), p=person,
                room=event.place, thing=event.thing,
            q=cast[event.to],
        )  # fmt: skip
        link = pick(random, _LINKS) if place else ""
        told.append(vary(random, f"{link}{{sentence}}.", sentence=sentence))
    return told


def carried(random: Random, difficulty: int) -> Item:
    """People carry things through rooms; the questions ask who is where and has what."""
    world, events, start = simulate(random, difficulty)
    cast = people(random, len(world.rooms))
    begin = [
        vary(
            random,
            "(at first|in the beginning|at the start|when the day began), the {thing} was in the "
            "{room}.",
            thing=thing,
            room=room,
        )
        for thing, room in start.items()
    ]
    rooms = sorted({event.place for event in events if event.act == "go"} | set(start.values()))
    story = " ".join([*begin, *tell(random, cast, events)])
    asked: list[Asked] = []
    for who, person in enumerate(cast):
        if any(event.act == "go" and event.who == who for event in events):
            asked.append(Asked(f"Where is {person} at the end?", f"in the {world.rooms[who]}",
                               tuple(f"in the {room}" for room in rooms)))  # fmt: skip
        have = [thing for thing, holder in world.holder.items() if holder == who]
        asked.append(Asked(f"How many of the things mentioned does {person} have at the end?",
            ("none", "one", "two", "three")[len(have)],
                           tuple(x for x in ("none", "one", "two", "three"))))  # fmt: skip
    for thing in start:
        room = world.room_of(thing)
        if thing in world.holder:
            holder = cast[world.holder[thing]]
            asked.append(Asked(f"Who has the {thing} at the end?", holder.name,
                (*(p.name for p in cast), "nobody"),
                               f"{holder} was the last to get it."))  # fmt: skip
        else:
            asked.append(
                Asked(
                    f"Who has the {thing} at the end?",
                    "nobody",
                    tuple(p.name for p in cast),
                    f"It lies in the {room}.",
                )
            )
        asked.append(
            Asked(
                f"In which room is the {thing} at the end?",
                f"the {room}",
                tuple(f"the {other}" for other in rooms),
            )
        )
        takers = [
            cast[event.who].name for event in events if event.act == "take" and event.thing == thing
        ]
        if takers:
            asked.append(
                Asked(
                    f"Who was the first to pick up the {thing}?",
                    takers[0],
                    tuple(p.name for p in cast),
                )
            )
        claim = pick(random, rooms)
        asked.append(
            truth(
                f"At the end the {thing} is in the {claim}.",
                "true" if claim == room else "false",
                f"It is in the {room}.",
            )
        )
    return page(random, story, asked)


def believed(random: Random, difficulty: int) -> Item:
    """Somebody moves a thing while its owner is away: where it is, and where it will be sought."""
    owner, mover, third = people(random, 3)
    thing = pick(random, _SMALL)
    first, second = several(random, SPOTS, 2)
    room, away = several(random, ROOMS, 2)
    sees = difficulty > 2 and chance(random, 0.35)
    told = difficulty > 3 and not sees and chance(random, 0.4)
    reason = pick(
        random,
        (
            "to tidy up",
            "to play a trick",
            "because the first place was needed",
            "to keep it safe",
            "without thinking much about it",
            "because it was in the way",
        ),
    )
    parts = [
        vary(random, "{o}, {m} and {t} were in the {room}. {o} (had|was holding) {a thing}.",
            o=owner, m=mover, t=third, room=room, thing=thing),
        vary(random, "{o.he} (put|laid) it into the {first}(, as always|, where {o.he} keeps it|) "
            "(and|. then {o.he}) (went|walked off|was called) to the {away}(.| to fetch "
            "something.| to answer the telephone.| to wash {o.his} hands.)", o=owner, first=first,
            away=away),
    ]  # fmt: skip
    move = vary(
        random,
        "{m} took the {thing} out of the {first} and put it into the {second}, {reason}.",
        m=mover,
        thing=thing,
        first=first,
        second=second,
        reason=reason,
    )
    if sees:
        parts.append(
            vary(
                random,
                "but through the open door {o} could (still |)see into the {room}, and {o.he} "
                "watched what happened.",
                o=owner,
                room=room,
            )
        )
        parts.append(move)
    else:
        parts.append(
            vary(
                random,
                "(while {o.he} was (away|gone)|meanwhile|as soon as the door had closed), {move}",
                o=owner,
                move=move,
            )
        )
    leaves = chance(random, 0.5)
    if leaves:
        parts.append(
            vary(
                random,
                "{t} (saw it all|watched this) and (then |)went (home|out to the street).",
                t=third,
            )
        )
    if told:
        parts.append(
            vary(
                random,
                "{m} (met|ran into) {o} in the {away} and told {o.him} where the {thing} was now.",
                o=owner,
                m=mover,
                away=away,
                thing=thing,
            )
        )
    parts.append(
        vary(
            random,
            "(later|after some time|a quarter of an hour later) {o} came back and wanted {o.his} "
            "{thing}.",
            o=owner,
            thing=thing,
        )
    )
    knows = sees or told
    look = second if knows else first
    why = (
        f"{owner} {'saw' if sees else 'was told'} that the {thing} was moved." if knows
        else f"{owner} did not see that {mover} moved the {thing}."
    )  # fmt: skip
    spots = (f"in the {first}", f"in the {second}", f"in the {away}", f"with {third}")
    asked = [
        Asked(f"Where will {owner} look for the {thing} first?", f"in the {look}", spots, why),
        Asked(f"Where is the {thing} really?", f"in the {second}", spots, f"{mover} put it there."),
        Asked(f"Does {owner} know where the {thing} is?", "yes" if knows else "no",
            ("no" if knows else "yes",), why),
        Asked(f"Who moved the {thing}?", mover.name, (owner.name, third.name)),
        Asked(f"Where was the {thing} before {mover} moved it?", f"in the {first}", spots),
        truth(f"{owner} bought the {thing} in a shop.", "not given",
            "The text does not say where it comes from."),
        truth(f"The {thing} is in the {first} at the end.", "false", f"It is in the {second}."),
    ]  # fmt: skip
    if leaves:
        asked.append(
            Asked(
                f"Does {third} know that the {thing} was moved?",
                "yes",
                ("no",),
                f"{third} watched it.",
            )
        )
    return page(random, " ".join(parts), asked)
