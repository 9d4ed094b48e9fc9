"""Days of people with things to do: stories, diaries and letters from one course of events."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from phinery.data.synthesis.procedural.facts import TOWNS
from phinery.data.synthesis.procedural.grammar import (
    Person,
    between,
    capitalized,
    chance,
    number_words,
    people,
    pick,
    several,
)
from phinery.data.synthesis.procedural.item import Item
from phinery.data.synthesis.procedural.reading.page import Asked, page, truth
from phinery.data.synthesis.procedural.wording import vary

# Where, what one does there (past tense, with {n} for a number in words), the thing, and why.
ERRANDS: tuple[tuple[str, str, str, str], ...] = (
    ("bakery", "bought {n} rolls", "rolls", "guests were coming for breakfast"),
    ("post office", "posted a parcel", "parcel", "a cousin's birthday was near"),
    ("library", "returned {n} books", "books", "they were due that day"),
    ("market", "bought {n} lemons", "lemons", "there was to be fish for dinner"),
    ("chemist's", "fetched some cough syrup", "cough syrup", "somebody at home was ill"),
    ("bank", "paid in some savings", "savings", "the money box was full"),
    ("workshop", "collected the mended bicycle", "bicycle", "its brake had been broken"),
    ("garden centre", "chose {n} young tomato plants", "tomato plants",
        "the frost was over at last"),
    ("shoemaker's", "left a pair of boots", "boots", "one heel had come off"),
    ("town hall", "asked for a new passport", "passport", "the old one had run out"),
    ("fish stall", "bought {n} herrings", "herrings", "the cat's dish was empty"),
    ("hardware shop", "bought {n} screws", "screws", "a shelf had come loose"),
    ("bookshop", "ordered a dictionary", "dictionary", "a language course began soon"),
    ("optician's", "had the glasses straightened", "glasses", "somebody had sat on them"),
    ("music school", "handed in {n} forms", "forms", "the lessons were to begin in autumn"),
    ("farm", "fetched {n} eggs", "eggs", "a cake was planned"),
    ("station", "bought {n} tickets", "tickets", "the family wanted to travel to the sea"),
    ("museum", "looked at the old coins", "coins", "there was homework about them"),
    ("tailor's", "had a coat made shorter", "coat", "it reached down to the ground"),
    ("swimming pool", "swam {n} lengths", "lengths", "a race was coming up"),
    ("dairy", "bought {n} bottles of milk", "bottles of milk", "a rice pudding was planned"),
    ("florist's", "chose {n} tulips", "tulips", "a neighbour had come home from hospital"),
    ("copy shop", "copied {n} pages", "pages", "the choir needed the notes"),
    ("harbour", "watched the ferry come in", "ferry", "an aunt was on board"),
)  # fmt: skip
# What went wrong, what was done about it, and a question word's answer: (event, remedy, cause).
TROUBLES: tuple[tuple[str, str, str, str], ...] = (
    # what happened, remedy, question about the cause, its answer
    ("on the way it began to rain", "{s} waited under a bridge until the rain stopped",
        "Why did {p} wait under a bridge?", "because it rained"),
    ("a wheel of the {vehicle} came off", "a stranger helped to put it back",
        "Who helped with the wheel?", "a stranger"),
    ("the bag tore, and everything rolled over the pavement",
        "two children helped to pick everything up", "Who helped to pick things up?",
        "two children"),
    ("the {vehicle} did not come", "{s} went on foot", "Why did {p} go on foot?",
        "because the {vehicle} did not come"),
    ("a dog ran off with {ps} hat", "{s} ran after it as far as the fountain and got the hat back",
        "Where did {p} get the hat back?", "at the fountain"),
    ("the purse was not in the pocket", "{s} went back home and found it on the kitchen table",
        "Where was the purse?", "on the kitchen table"),
    ("the road was closed because of a fallen tree", "{s} took the path along the river",
        "Why was the road closed?", "because of a fallen tree"),
    ("a lost child was crying at the corner",
        "{s} took it to its mother, who was searching near the church",
        "Where was the child's mother searching?", "near the church"),
)  # fmt: skip
_FEATURES = (
    "tired but content",
    "glad that everything was done",
    "hungry as a wolf",
    "proud of the day",
    "happy to sit down",
    "too tired to talk",
)
_WRONG_REASONS = (
    "a friend had asked for it",
    "it was cheaper than elsewhere",
    "the shops were about to close for a week",
    "a visitor from abroad had praised it",
    "the teacher had said so",
    "it was on the way",
)


@dataclass(frozen=True)
class Stop:
    """An errand: where, when, what, why."""

    place: str
    minutes: int
    """After midnight."""
    did: str
    reason: str
    count: int
    thing: str


@dataclass(frozen=True)
class Day:
    """What somebody did on a day, in order."""

    who: Person
    town: str
    weekday: str
    stops: tuple[Stop, ...]
    trouble: tuple[str, str, str, str]
    trouble_after: int
    """The trouble comes after the stop with this index."""
    friend: Person
    friend_at: int
    mood: str
    vehicle: str


def clock(minutes: int) -> str:
    """A time of day in figures."""
    return f"{minutes // 60}:{minutes % 60:02d}"


def simulate(random: Random, difficulty: int) -> Day:
    """A day with errands, a meeting and something that goes wrong."""
    who, friend = people(random, 2)
    now = between(random, 8 * 12, 10 * 12) * 5
    stops: list[Stop] = []
    for place, did, thing, reason in several(
        random, ERRANDS, 2 + (difficulty > 1) + (difficulty > 3)
    ):
        count = between(random, 2, 12)
        stops.append(
            Stop(
                place,
                now,
                did.replace("{n}", number_words(count)),
                reason,
                count if "{n}" in did else 0,
                thing,
            )
        )
        now += between(random, 4, 14) * 5
    last = len(stops) - 1
    return Day(
        who, pick(random, TOWNS), pick(random,
            ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")),
        tuple(stops), pick(random, TROUBLES), between(random, 0, last - 1), friend,
            between(random, 0, last), pick(random, _FEATURES),
        pick(random, ("bus", "tram")),
    )  # fmt: skip


def _stop_sentence(random: Random, day: Day, place: int, first_person: bool) -> str:
    stop = day.stops[place]
    he = "I" if first_person else pick(random, (day.who.name, day.who.he))
    lead = (
        pick(random, ("{He} first went to the {x}",
            "the first stop was the {x}, where {He} arrived at {t}", "at {t} {He} was at the {x}",
            "the day began at the {x}, at {t}")) if place == 0
        else pick(random, ("then {He} went to the {x}, which {He} reached at {t}",
            "the next stop, at {t}, was the {x}", "at {t} {He} came to the {x}",
            "after that {He} went on to the {x}", "from there it was not far to the {x}",
            "next on the list was the {x}"))
    )  # fmt: skip
    lead = lead.replace("{He}", he).replace("{x}", stop.place).replace("{t}", clock(stop.minutes))
    again = "I" if first_person else day.who.he
    forms = (
        "{lead}. there {again} {did}, (because|for|since) {reason}.",
        "{lead}, and there {again} {did}. (the reason was that|this had to be done because) "
        "{reason}.",
        "{lead}. (as|since|because) {reason}, {again} {did} there.",
    )
    return vary(
        random, pick(random, forms), lead=lead, again=again, did=stop.did, reason=stop.reason
    )


def narrate(random: Random, day: Day, first_person: bool) -> str:
    """The day as a story or as a diary tells it."""
    he = "I" if first_person else day.who.name
    own = "my" if first_person else day.who.his
    reading = {
        "p": day.who,
        "s": "I" if first_person else day.who.he,
        "ps": own,
        "vehicle": day.vehicle,
        "he": he,
    }
    parts = [
        vary(random, "(on|it was a busy day: on|last) {weekday} {he} had (a lot|much|plenty) to do "
            "in {town}." if not first_person
            else "({weekday}, {town}.|{weekday} in {town}.) (today I had a lot to do.|what a "
            "day!|I have been on my feet all day.)", weekday=day.weekday, town=day.town, **reading)
    ]  # fmt: skip
    for place in range(len(day.stops)):
        parts.append(_stop_sentence(random, day, place, first_person))
        if place == day.friend_at:
            me = "me" if first_person else day.who.him
            parts.append(
                vary(
                    random,
                    "{f}(, an old friend,|) was there too and (told {me} about {f.his} new "
                    "job|asked how things were|lent {me} an umbrella|laughed about the long "
                    "shopping list).",
                    f=day.friend,
                    me=me,
                )
            )
        if place == day.trouble_after:
            happened, remedy = (text.format_map(reading) for text in day.trouble[:2])
            parts.append(
                vary(
                    random,
                    "(but then came a surprise|a surprise followed|what bad luck|one thing went "
                    "wrong): {happened}. (luckily|so|in the end) {remedy}.",
                    happened=happened,
                    remedy=remedy,
                )
            )
    parts.append(
        vary(
            random,
            "(in the evening|when it got dark|back at home|at last) {he} was {mood}.",
            mood=day.mood,
            **reading,
        )
    )
    return " ".join(parts)


def questions(random: Random, day: Day) -> list[Asked]:
    """What can be asked about a day; answers come from the events, not from the text."""
    p = day.who
    places = [stop.place for stop in day.stops]
    others = [row[0] for row in ERRANDS if row[0] not in places]
    asked = [
        Asked(f"Where did {p} go first?", f"to the {places[0]}",
            tuple(f"to the {x}" for x in (*places[1:], *several(random, others, 2)))),
        Asked(f"How many places did {p} visit in {day.town}?", number_words(len(places)),
            tuple(number_words(n) for n in (len(places) + 1, len(places) - 1, len(places) + 2))),
        Asked(f"Whom did {p} meet at the {places[day.friend_at]}?", day.friend.name,
            tuple(x.name for x in people(random, 3) if x.name not in (p.name, day.friend.name))),
        Asked(f"Where did {p} meet {day.friend}?", f"at the {places[day.friend_at]}",
            tuple(f"at the {x}" for x in (*places, *several(random, others, 2)))),
        Asked("On which day did this happen?", day.weekday,
            ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Sunday")),
        Asked(f"How did {p} feel at the end of the day?", day.mood, tuple(x for x in _FEATURES)),
        Asked("What is the text mainly about?", f"a day with many errands in {day.town}",
            ("the history of a town", "how to save money", f"a quarrel with {day.friend}",
            "a holiday by the sea")),
        truth(f"{p} and {day.friend} are the same age.", "not given",
            "The text says nothing about their ages."),
        truth(f"{p} travelled to another country that day.", "false", f"{p} was in {day.town}."),
    ]  # fmt: skip
    reading = {"p": p.name, "vehicle": day.vehicle}
    asked.append(
        Asked(
            day.trouble[2].format_map(reading),
            day.trouble[3].format_map(reading),
            tuple(row[3].format_map(reading) for row in TROUBLES),
        )
    )
    for place, stop in enumerate(day.stops):
        asked.append(
            Asked(
                f"What did {p} do at the {stop.place}?",
                f"{p.he} {stop.did}",
                tuple(f"{p.he} {x.did}" for x in day.stops)
                + tuple(
                    f"{p.he} {row[1].replace('{n}', number_words(between(random, 2, 12)))}"
                    for row in several(random, ERRANDS, 2)
                    if row[0] not in places
                ),
            )
        )
        asked.append(
            Asked(
                f"Why did {p} go to the {stop.place}?",
                f"because {stop.reason}",
                tuple(
                    f"because {x}"
                    for x in (
                        *(other.reason for other in day.stops),
                        *several(random, _WRONG_REASONS, 2),
                    )
                ),
            )
        )
        if stop.count:
            asked.append(
                Asked(
                    f"How many {stop.thing} are mentioned?",
                    number_words(stop.count),
                    tuple(
                        number_words(n)
                        for n in (
                            stop.count + 1,
                            stop.count + 2,
                            stop.count + 5,
                            max(1, stop.count - 1),
                        )
                    ),
                )
            )
        if place:
            before = day.stops[place - 1]
            asked.append(
                Asked(
                    f"Where was {p} just before the {stop.place}?",
                    f"at the {before.place}",
                    tuple(
                        f"at the {x}"
                        for x in (*places, *several(random, others, 2))
                        if x != stop.place
                    ),
                )
            )
            truth_told = chance(random, 0.5)
            earlier, later = (
                (before.place, stop.place) if truth_told else (stop.place, before.place)
            )
            asked.append(
                truth(
                    f"{p} went to the {earlier} before {p.he} went to the {later}.",
                    "true" if truth_told else "false",
                    f"The {before.place} came first.",
                )
            )
    return asked


def story(random: Random, difficulty: int) -> Item:
    """A day told in the third person."""
    day = simulate(random, difficulty)
    title = pick(
        random,
        (
            "",
            "",
            f"{day.who}'s errands",
            f"A {day.weekday} in {day.town}",
            f"A busy day for {day.who}",
        ),
    )
    return page(random, narrate(random, day, False), questions(random, day), title)


def diary(random: Random, difficulty: int) -> Item:
    """A day told in the first person, in a diary or a letter that its writer signs."""
    day = simulate(random, difficulty)
    body = narrate(random, day, True)
    reader = people(random, 1)[0]
    if chance(random, 0.5):
        text = (
            vary(random, "(dear|my dear|hello) {q},", q=reader)
            + "\n\n"
            + body
            + " "
            + vary(
                random,
                "(and how are you?|write soon!|when will you visit me?|what did you do on "
                "{d}?|give my love to everyone.)",
                d=day.weekday,
            )
            + "\n\n"
            + vary(random, "(yours|love|best wishes|with love|see you soon),")
            + f"\n{day.who}"
        )
    else:
        text = f"From the diary of {day.who}\n\n{body}"
    return page(
        random,
        text,
        [
            *questions(random, day),
            Asked(
                "Who wrote this?",
                day.who.name,
                (day.friend.name, reader.name, capitalized(pick(random, people(random, 1)).name)),
            ),
        ],
    )
