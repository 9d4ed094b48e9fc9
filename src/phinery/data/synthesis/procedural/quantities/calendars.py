"""The calendar and time zones."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    counted,
    people,
    pick,
    say,
    several,
)
from phinery.data.synthesis.procedural.quantities.time_words import clock

_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def _calendar(random: Random, difficulty: int) -> Problem:
    kind = between(random, 0, 2) if difficulty < 3 else between(random, 1, 3)
    p = people(random, 1)[0]
    if kind == 0:
        today = between(random, 0, 6)
        ahead = between(random, 2, 30)
        back = chance(random, 0.3)
        day = (today - ahead if back else today + ahead) % 7
        prompt = say(
            random,
            "Today is {t}. (What day of the week (is|will it be) in {n} days?|Which day of the "
            "week comes in {n} days?)"
            if not back
            else "Today is {t}. What day of the week was it {n} days ago?",
            t=_WEEK[today],
            n=ahead,
        )
        steps = (
            say(
                random,
                "(After 7 days the same day of the week returns, so only the remainder "
                "counts|Whole weeks change nothing, so take them away): {n} = {q} × 7 + {r}.",
                n=ahead,
                q=ahead // 7,
                r=ahead % 7,
            ),
            f"{counted(ahead % 7, 'day').capitalize()} {'before' if back else 'after'} "
            f"{_WEEK[today]} {'is' if ahead % 7 == 1 else 'comes'} {_WEEK[day]}."
            if ahead % 7
            else "Nothing is left over, so it is the same day.",
        )
        answer, wrong = _WEEK[day], tuple(_WEEK[(day + k) % 7] for k in (1, 6, 3))
    elif kind == 1:
        year = between(random, 1990, 2040)
        start = date(year, between(random, 1, 12), between(random, 1, 28))
        ahead = between(random, 10, 25 if difficulty < 3 else 90)
        end = start + timedelta(days=ahead)
        prompt = say(
            random,
            "(A library book was borrowed on|A holiday begins on|Seeds are sown on|{p} posts a "
            "letter on|A repair starts on|{p} begins a diary on) {d} {m} {y}. What is the date "
            "{n} days later?",
            p=p,
            d=start.day,
            m=_MONTHS[start.month - 1],
            y=str(year),
            n=ahead,
        )
        steps_list: list[str] = []
        at, left = start, ahead
        while at.month != end.month or at.year != end.year:
            following = date(at.year + at.month // 12, at.month % 12 + 1, 1)
            to_end = (following - at).days
            steps_list.append(
                say(
                    random,
                    "({m} has {k} days, so {t} {days} lead to the first of {n}|{t} {days} lead "
                    "from {d} {m} to 1 {n}, since {m} has {k} days), and {l} (are left|remain).",
                    m=_MONTHS[at.month - 1],
                    k=(following - date(at.year, at.month, 1)).days,
                    t=to_end,
                    days="day" if to_end == 1 else "days",
                    d=at.day,
                    n=_MONTHS[following.month - 1],
                    l=left - to_end,
                )
            )
            at, left = following, left - to_end
        if left:
            steps_list.append(f"{at.day} + {left} = {end.day}.")
        if not steps_list:
            steps_list.append("It is still the same month.")
        steps = tuple(steps_list)
        answer = f"{end.day} {_MONTHS[end.month - 1]} {end.year}"
        wrong = tuple(
            f"{(end + timedelta(days=k)).day} {_MONTHS[(end + timedelta(days=k)).month - 1]} "
            f"{(end + timedelta(days=k)).year}"
            for k in (1, -1, 30)
        )
    elif kind == 2:
        year = (
            pick(random, (1700, 1800, 1900, 2000, 2100, 2400))
            if chance(random, 0.3)
            else between(random, 1901, 2099)
        )
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        prompt = say(
            random,
            "(Is {y} a leap year in the Gregorian calendar?|Does the year {y} have 366 days in "
            "the Gregorian calendar?|Does February of {y} have a 29th day in the Gregorian "
            "calendar?)",
            y=str(year),
        )
        steps = (
            say(
                random,
                "(Every fourth year is a leap year, because the Earth needs nearly a quarter of a "
                "day more than 365 days|Years divisible by 4 are leap years, except most "
                "centuries): {y} = {q} × 4 + {r}.",
                y=str(year),
                q=str(year // 4),
                r=year % 4,
            ),
            *(
                (
                    f"{year} ends a century, and a century counts only if it is divisible by 400, "
                    f"which {year} {'is' if year % 400 == 0 else 'is not'}.",
                )
                if year % 100 == 0
                else ()
            ),
        )
        answer, wrong = "yes" if leap else "no", ("yes", "no")
    else:
        born, day = between(random, 1890, 1990), between(random, 0, 5)
        age = between(random, 5, 85)
        month, other = several(random, range(12), 2)
        year = born + age
        had = other > month
        value = age if had else age - 1
        prompt = say(
            random,
            "{p} was born in {m} {b}. How old was {p.he} in {o} {y}?",
            p=p,
            m=_MONTHS[month],
            b=str(born),
            o=_MONTHS[other],
            y=str(year),
        )
        steps = (
            f"{year} - {born} = {age}.",
            f"{_MONTHS[other]} comes {'after' if had else 'before'} {_MONTHS[month]}, so the "
            f"birthday of that year "
            f"{'was over' if had else 'was still to come, so one year must be taken off'}.",
        )
        answer, wrong = str(value), (str(value + 1), str(value - 1), str(value + 10))
        del day
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the answer is|It is) {a}.", a=answer),
        wrong=wrong,
        slip="Be clear whether the first day is counted or not; here we count the steps "
        "from one day to the other.",
    )


def _calendar_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(The calendar mixes three rhythms: the day, the moon and the sun|A week has 7 days for "
        "no reason in the sky, but a month follows the moon and a year the sun). (Seven is the "
        "key to days of the week: add or take away 7 days, and the day of the week stays|For days "
        "of the week only the remainder after division by 7 matters). (Months differ in "
        "length|The months are uneven): April, June, September and November have 30 days, "
        "February 28 or 29, the others 31. (Count on the knuckles: each knuckle is a month with "
        "31 days, each gap a shorter one.|A year has 52 weeks and one day more, so a birthday "
        "moves on by one day of the week from year to year, and by two after a leap day.)",
    )


def _zones(random: Random, difficulty: int) -> Problem:
    a, b = several(
        random,
        (
            ("London", 0),
            ("Lagos", 1),
            ("Cairo", 2),
            ("Nairobi", 3),
            ("Dubai", 4),
            ("Karachi", 5),
            ("Dhaka", 6),
            ("Bangkok", 7),
            ("Singapore", 8),
            ("Tokyo", 9),
            ("Brisbane", 10),
            ("Reykjavik", 0),
            ("São Paulo", -3),
            ("Bogotá", -5),
            ("Lima", -5),
            ("Phoenix", -7),
            ("Honolulu", -10),
            ("Jakarta", 7),
        ),
        2,
    )
    while a[1] == b[1]:
        a, b = several(
            random,
            (
                ("London", 0),
                ("Lagos", 1),
                ("Cairo", 2),
                ("Nairobi", 3),
                ("Tokyo", 9),
                ("Bogotá", -5),
                ("Honolulu", -10),
            ),
            2,
        )
    time = between(random, 0, 47) * 30
    difference = b[1] - a[1]
    there = time + 60 * difference
    shift = (
        " the next day" if there >= 1440 else " the day before" if there < 0 else " the same day"
    )
    flight = between(random, 2, 14) if chance(random, 0.3) else 0
    p = people(random, 1)[0]
    ahead = f"{counted(abs(difference), 'hour')} {'ahead of' if difference > 0 else 'behind'}"
    if flight:
        there += 60 * flight
        days = there // 1440
        shift = {
            0: " the same day",
            1: " the next day",
            2: " two days later",
            -1: " the day before",
        }[days]
        prompt = say(
            random,
            "{b}'s clocks are {x} {a}'s. A plane leaves {a} at {t} local time and flies {f}. What "
            "is the local time in {b} when it lands, and on which day?",
            a=a[0],
            b=b[0],
            x=ahead,
            t=clock(time),
            f=counted(flight, "hour"),
        )
        steps = (
            f"By {a[0]}'s clocks it lands at "
            f"{clock(time + 60 * flight)}{' the next day' if time + 60 * flight >= 1440 else ''}, "
            f"{flight} hours later.",
            f"In {b[0]} it is then {counted(abs(difference), 'hour')} "
            f"{'later' if difference > 0 else 'earlier'}: {clock(there)}.",
        )
    else:
        prompt = say(
            random,
            "{b}'s clocks are {x} {a}'s. (When it is {t} in {a}, what time is it in {b}, and on "
            "which day?|{p} in {a} calls a friend in {b} at {t}. What time is it in {b}, and on "
            "which day?)",
            p=p,
            a=a[0],
            b=b[0],
            x=ahead,
            t=clock(time),
        )
        steps = (
            say(
                random,
                "({b} is further {e}, so the sun (rises|is high) {w} there and the clocks show "
                "{m}|Clocks in {b} show {m}).",
                b=b[0],
                e="east" if difference > 0 else "west",
                w="earlier" if difference > 0 else "later",
                m="a later time" if difference > 0 else "an earlier time",
            ),
            f"{clock(time)} {'and' if difference > 0 else 'less'} "
            f"{counted(abs(difference), 'hour')} is "
            f"{clock(there)}{', past midnight' if not 0 <= there < 1440 else ''}.",
        )
    answer = clock(there) + shift
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So it is|There it is) {a}.", a=answer),
        wrong=(
            clock(there - 120 * difference) + shift,
            clock(there + 60) + shift,
            clock(there) + (" the next day" if shift != " the next day" else " the same day"),
        ),
        slip="Going east the clock runs ahead, going west it lags behind.",
    )


def _zone_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(It is never the same time everywhere|Noon is when the sun stands highest, and it cannot "
        "do so everywhere at once). The Earth turns once in 24 hours, so (each hour it turns by "
        "15°, since 360 ÷ 24 = 15|every 15 degrees of longitude mean one hour). (Places to the "
        "east see the sun earlier, and their clocks are ahead|Who travels east has to put the "
        "clock forward). (To find the time elsewhere, add the hours for a place further east and "
        "subtract for a place further west; past midnight the date changes.|Countries choose the "
        "zone that suits them, so the borders of the zones are crooked.)",
    )


TOPICS = (
    taught("time/the calendar", "reasoning", (2, 3), _calendar, _calendar_lesson),
    taught("time/time zones", "reasoning", (3, 4), _zones, _zone_lesson),
)
