"""Clock times, durations and timetables."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.facts import TOWNS
from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    counted,
    people,
    pick,
    plural,
    say,
    several,
)
from phinery.data.synthesis.procedural.quantities.time_words import clock, duration

_EVENTS = (
    ("A film", "begins", "ends"),
    ("A concert", "starts", "is over"),
    ("A train journey", "begins", "ends"),
    ("A football match", "starts", "ends"),
    ("A lesson", "begins", "ends"),
    ("A ferry crossing", "starts", "ends"),
    ("A hike", "begins", "ends"),
    ("A meeting", "starts", "is over"),
    ("A cake", "goes into the oven", "is done"),
    ("A wash", "starts", "is finished"),
    ("A night shift", "begins", "ends"),
    ("A flight", "takes off", "lands"),
    ("A school play", "starts", "is over"),
    ("A rehearsal", "begins", "ends"),
    ("A tablet", "is plugged in", "is full"),
    ("A guided tour", "starts", "ends"),
    ("A swimming lesson", "begins", "ends"),
    ("An examination", "starts", "is over"),
)


def _difference(random: Random, difficulty: int) -> Problem:
    what, begins, ends = pick(random, _EVENTS)
    step = 5 if difficulty < 3 else 1
    start = between(random, 6 * 60, 21 * 60 if difficulty < 3 else 23 * 60, step)
    length = between(random, 20, 170 if difficulty < 3 else 400, step)
    end = start + length
    next_day = " the next day" if end >= 1440 else ""
    kind = between(random, 0, 2) if difficulty > 1 else 1
    to_hour = (60 - start % 60) % 60
    if kind == 0:
        prompt = say(
            random,
            "{w} {b} at {s} and {e} at {t}{n}. (How long does it last?|How long is that?|How much "
            "time is that?)",
            w=what,
            b=begins,
            e=ends,
            s=clock(start),
            t=clock(end),
            n=next_day,
        )
        steps: list[str] = []
        if to_hour and to_hour < length:
            steps.append(
                say(
                    random,
                    "(Go to the next full hour first|Up to the full hour): from {a} to {b} it is "
                    "{m} minutes.",
                    a=clock(start),
                    b=clock(start + to_hour),
                    m=to_hour,
                )
            )
            full = (length - to_hour) // 60
            if full:
                steps.append(
                    say(
                        random,
                        "(Then count whole hours|From there, whole hours): {a} to {b} is {h}.",
                        a=clock(start + to_hour),
                        b=clock(start + to_hour + 60 * full),
                        h=counted(full, "hour"),
                    )
                )
            rest = length - to_hour - 60 * full
            if rest:
                steps.append(
                    f"From {clock(end - rest)} to {clock(end)} it is another "
                    f"{counted(rest, 'minute')}."
                )
            steps.append(
                f"In minutes, {to_hour} + {60 * full} + {rest} = {length}, which is "
                f"{duration(length)}."
            )
        else:
            steps.append(
                f"From {clock(start)} to {clock(end)} is {duration(length)}, "
                f"{'for no full hour lies between' if length < 60 else 'as the minutes show'}."
            )
        answer, wrong = (
            duration(length),
            (duration(length + 10), duration(length + 60), duration(max(5, length - 15))),
        )
    elif kind == 1:
        prompt = say(
            random,
            "{w} {b} at {s} and (lasts|takes) {d}. (When is it over?|At what time is it "
            "over?|What time is it then?)",
            w=what,
            b=begins,
            s=clock(start),
            d=duration(length),
        )
        hours, minutes = divmod(length, 60)
        steps = []
        at = start
        if hours:
            steps.append(
                say(
                    random,
                    "(Add the hours first|Hours first): {a} and {h} make {b}.",
                    a=clock(at),
                    h=counted(hours, "hour"),
                    b=clock(at + 60 * hours),
                )
            )
            at += 60 * hours
        if minutes:
            if at % 60 + minutes >= 60:
                first = 60 - at % 60
                steps.append(
                    say(
                        random,
                        "(It takes {f} minutes to the full hour {x}|{f} of the {m} minutes lead "
                        "to {x}), and {r} are left: {y}.",
                        f=first,
                        m=minutes,
                        x=clock(at + first),
                        r=minutes - first,
                        y=clock(end),
                    )
                )
            else:
                steps.append(
                    f"Then the minutes: {at % 60} + {minutes} = {at % 60 + minutes}, so it is "
                    f"{clock(end)}."
                )
        answer, wrong = (
            clock(end) + next_day,
            (
                clock(end + 10),
                clock(end + 60),
                clock(end + 40 if minutes else end + 30),
                clock(start + hours * 100 % 1440 if hours else end + 5),
            ),
        )
    else:
        prompt = say(
            random,
            "{w} {e} at {t}{n} after {d}. When did it (begin|start)?",
            w=what,
            e=ends,
            t=clock(end),
            n=next_day,
            d=duration(length),
        )
        hours, minutes = divmod(length, 60)
        steps = (
            [
                say(
                    random,
                    "(Go backwards from the end|Count back): {h}before {a} it was {b}.",
                    h=counted(hours, "hour") + " " if hours else "at first nothing, ",
                    a=clock(end),
                    b=clock(end - 60 * hours),
                )
            ]
            if hours
            else []
        )
        if minutes:
            steps.append(
                f"Another {counted(minutes, 'minute')} back leads to {clock(start)}."
                if hours
                else f"{counted(minutes, 'minute')} before {clock(end)} it was {clock(start)}."
            )
        answer, wrong = (
            clock(start),
            (clock(end + length), clock(start + 60), clock(start + 10), clock(start - 30)),
        )
    return Problem(
        prompt,
        tuple(steps),
        answer,
        say(random, "(So the answer is|It is|That gives) {a}.", a=answer),
        wrong=wrong,
        slip="An hour has 60 minutes, so minutes are not hundredths: half past two is "
        "2:30, not 2:50.",
    )


def _time_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Time is not counted in tens|Clocks count differently from purses|With time we carry at "
        "60, not at 10): 60 seconds make a minute, 60 minutes an hour, 24 hours a day. (We owe "
        "the 60 to the Babylonians, who liked it because it can be shared by 2, 3, 4, 5 and 6|The "
        "60 is handy: half, a third, a quarter and a fifth of an hour are whole minutes). (To "
        "find how long something lasts, jump to the next full hour, then count hours, then the "
        "rest|The easiest way from one time to another has three jumps: to the full hour, whole "
        "hours, remaining minutes). (Past midnight, count up to 24:00 and then go on.|Minutes "
        "above 60 become an hour, as ten ones become a ten.)",
    )


def _schedule(random: Random, difficulty: int) -> Problem:
    a, b = several(random, TOWNS, 2)
    p = people(random, 1)[0]
    first, every = (
        between(random, 6 * 60, 9 * 60, 5),
        pick(random, (10, 12, 15, 20, 24, 25, 30, 40, 45)),
    )
    ride = between(random, 12, 95)
    walk = between(random, 3, 25)
    arrive = first + between(random, 30, 400)
    vehicle = pick(random, ("bus", "train", "tram", "ferry"))
    number = -(-(arrive - first) // every)
    departure = first + number * every
    kind = between(random, 0, 1) if difficulty < 3 else 1
    head = say(
        random,
        "{^v} (leave|depart from) {a} for {b} every {e} minutes, the first at {f}.",
        v=plural(vehicle),
        a=a,
        b=b,
        e=every,
        f=clock(first),
    )
    if kind == 0:
        prompt = (
            f"{head} {p} is at the stop at {clock(arrive)}. When does the next one leave, and how "
            f"long is the wait?"
        )
        answer = f"{clock(departure)}, {counted(departure - arrive, 'minute')}"
        steps = (
            f"Since the first one, {arrive - first} minutes have passed.",
            f"{arrive - first} = {(arrive - first) // every} × {every} + "
            f"{(arrive - first) % every}, so "
            + (
                "one leaves at this very moment."
                if (arrive - first) % every == 0
                else f"the last one left {counted((arrive - first) % every, 'minute')} ago."
            ),
            f"The next goes at {clock(departure)}; the wait is "
            f"{counted(departure - arrive, 'minute')}.",
        )
        wrong = (
            f"{clock(departure + every)}, {counted(departure - arrive + every, 'minute')}",
            f"{clock(departure)}, "
            f"{counted(every if departure - arrive != every else every + 1, 'minute')}",
            f"{clock(departure - every)}, {counted(abs(every - (departure - arrive)), 'minute')}",
        )
    else:
        deadline = departure + ride + walk + between(random, 0, every - 1)
        prompt = (
            f"{head} The ride takes {counted(ride, 'minute')}, and from the stop in {b} it is "
            f"{counted(walk, 'minute')} on foot. {p} must be there by {clock(deadline)}. Which is "
            f"the latest {vehicle} to take?"
        )
        latest = deadline - ride - walk
        steps = (
            say(
                random,
                "(Work backwards from the end|Begin with the deadline and go back): {d} less {w} "
                "is {x}, less {r} is {y}.",
                d=clock(deadline),
                w=counted(walk, "minute"),
                x=clock(deadline - walk),
                r=counted(ride, "minute"),
                y=clock(latest),
            ),
            f"Counted from {clock(first)} that is {latest - first} minutes, and {latest - first} "
            f"= {number} × {every} + {latest - first - number * every}.",
            f"So the last one in time leaves {number} × {every} = {number * every} minutes after "
            f"the first.",
        )
        answer, wrong = (
            f"the one at {clock(departure)}",
            (
                f"the one at {clock(departure + every)}",
                f"the one at {clock(departure - every)}",
                f"the one at {clock(departure + 2 * every)}",
            ),
        )
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the answer is|It is) {a}.", a=answer),
        wrong=wrong,
        slip="A later one is too late even by a minute, so round down when you count back.",
    )


def _timetable_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A timetable that repeats is a pattern: a first departure and a fixed gap|If something "
        "leaves every so many minutes, all departures follow from the first). (Count the minutes "
        "since the first one and divide by the gap; the remainder tells how long ago the last one "
        "left|The departures are the first time plus a multiple of the gap). (If you must arrive "
        "in time, work backwards: deadline, way on foot, ride, departure|With a deadline, begin "
        "at the end). (When looking for the next one, round up; for the latest that is still in "
        "time, round down.|It pays to plan for one that leaves earlier, in case something goes "
        "wrong.|Write hours and minutes as minutes while you calculate, and turn them back at the "
        "end.)",
    )


TOPICS = (
    taught("time/clock times and durations", "mathematics", (1, 2, 3), _difference, _time_lesson),
    taught("time/timetables", "reasoning", (2, 3), _schedule, _timetable_lesson),
)
