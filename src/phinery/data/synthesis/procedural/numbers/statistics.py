"""Means, medians, ranges and tables."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    decimal,
    listed,
    people,
    pick,
    say,
    several,
)

_SERIES = (
    ("{p} counted the birds at the feeder on {n} days", "birds", 2, 30),
    ("the temperatures at noon on {n} days were, in degrees", "degrees", 8, 31),
    ("{p} read this many pages on {n} evenings", "pages", 5, 60),
    ("the {n} members of a team scored", "points", 1, 40),
    ("{p} needed this many minutes for the way to school on {n} days", "minutes", 9, 35),
    ("the {n} hens of {p} laid this many eggs in a month", "eggs", 12, 29),
    ("{n} classes of a school collected this many kilograms of paper", "kilograms", 20, 90),
    ("a shop sold this many loaves on {n} days", "loaves", 30, 120),
    ("{n} friends are this many years old", "years", 8, 17),
    ("{p} swam this many lengths in {n} weeks", "lengths", 10, 60),
    ("{n} plants grew this many centimetres", "centimetres", 4, 40),
    ("{n} buses arrived late by this many minutes", "minutes", 1, 20),
    ("{p} caught this many fish on {n} trips", "fish", 1, 14),
)


def _average(random: Random, difficulty: int) -> Problem:
    frame, unit, low, high = pick(random, _SERIES)
    count = between(random, 3, 5) if difficulty == 2 else between(random, 5, 8)
    kind = pick(
        random,
        ("mean", "median", "range", "mode")
        if difficulty == 2
        else ("mean", "median", "mean", "missing"),
    )
    values = [between(random, low, high) for _ in range(count)]
    if kind in ("mean", "missing"):
        while sum(values) % count:
            values[-1] = between(random, low, high)
    if kind == "mode":
        values[-1] = values[0] if values.count(values[0]) == 1 else values[-1]
        counts = sorted((values.count(v) for v in set(values)), reverse=True)
        while (len(counts) > 1 and counts[0] == counts[1]) or counts[0] == 1:
            values = [between(random, low, high) for _ in range(count)]
            values[-1] = values[0]
            counts = sorted((values.count(v) for v in set(values)), reverse=True)
        values = several(random, values, count)
    p = people(random, 1)[0]
    data = ", ".join(str(v) for v in values)
    story = say(random, frame, p=p, n=count)
    ordered = sorted(values)
    total = sum(values)
    mean = Fraction(total, count)
    if kind == "missing":
        known = values[:-1]
        prompt = say(
            random,
            "The mean of {n} numbers is {m}. {k} of them are {d}. (What is the other one?|Find "
            "the missing one.)",
            n=count,
            m=str(mean),
            k=count - 1,
            d=listed([str(v) for v in known]),
        )
        steps = (
            say(
                random,
                "(A mean of {m} over {n} numbers means a total of|The total must be) {n} × {m} = "
                "{t}.",
                m=str(mean),
                n=count,
                t=total,
            ),
            f"The known ones make {' + '.join(str(v) for v in known)} = {sum(known)}.",
            f"{total} - {sum(known)} = {values[-1]}.",
        )
        return Problem(
            prompt,
            steps,
            str(values[-1]),
            f"The missing number is {values[-1]}.",
            f"{total} ÷ {count} = {mean}.",
            (str(mean), str(values[-1] + 1), str(sum(known)), str(values[-1] + count)),
            "The mean itself is not one of the numbers as a rule; go through the total.",
        )
    ask = {"mean": "mean", "median": "median", "range": "range", "mode": "most frequent value"}[
        kind
    ]
    prompt = f"{story}: {data}. " + say(
        random, "(What is the {a}?|Find the {a}.|Determine the {a}.)", a=ask
    )
    if kind == "mean":
        if chance(random, 0.4):
            prompt = f"{story}: {data}. " + say(
                random,
                "How many {u} is that on average?"
                if unit not in ("degrees",)
                else "What is the average?",
                u=unit,
            )
        steps = (
            say(
                random,
                "(Put everything together|Add all the values|First the total): {s} = {t}.",
                s=" + ".join(str(v) for v in values),
                t=total,
            ),
            say(
                random,
                "(Share it out evenly among the {n}|There are {n} values, so divide by {n}): {t} "
                "÷ {n} = {m}.",
                n=count,
                t=total,
                m=str(mean),
            ),
        )
        answer = str(mean)
        above = sum(v - mean for v in values if v > mean)
        check = (
            f"What lies above {mean} adds up to {above}, and so does what is missing below it."
            if above
            else ""
        )
        wrong = (
            str(total),
            str(ordered[count // 2]),
            str(mean + 1),
            str(max(values) - min(values)),
        )
        slip = "Divide by how many values there are, zeros and repeated ones included."
    elif kind == "median":
        steps_list = [
            say(
                random,
                "(Sort the values|First put them in order, since the middle of an unsorted list "
                "means nothing): {o}.",
                o=", ".join(str(v) for v in ordered),
            )
        ]
        if count % 2:
            middle = Fraction(ordered[count // 2])
            steps_list.append(
                f"There are {count} values, so the middle one has {count // 2} on each side: "
                f"{middle}."
            )
        else:
            left, right = ordered[count // 2 - 1], ordered[count // 2]
            middle = Fraction(left + right, 2)
            steps_list.append(
                f"There are {count} values, so two share the middle, {left} and {right}; take "
                f"their mean: ({left} + {right}) ÷ 2 = {decimal(middle)}."
            )
        steps = tuple(steps_list)
        answer = decimal(middle)
        check = ""
        wrong = (decimal(mean, 1), str(values[count // 2]), str(ordered[-1]), decimal(middle + 1))
        slip = "Sort first: the value in the middle of the list as given is usually not the median."
    elif kind == "range":
        steps = (
            f"The largest value is {ordered[-1]} and the smallest {ordered[0]}.",
            f"{ordered[-1]} - {ordered[0]} = {ordered[-1] - ordered[0]}.",
        )
        answer, check = str(ordered[-1] - ordered[0]), ""
        wrong = (str(ordered[-1]), str(count), str(ordered[-1] - ordered[0] + 1))
        slip = "The range is one number, the distance between the two ends."
    else:
        best = max(set(values), key=values.count)
        steps = (
            say(
                random,
                "(Count how often each value occurs|Sort and look for the longest run): {o}.",
                o=", ".join(str(v) for v in ordered),
            ),
            f"{best} occurs {values.count(best)} times, more than any other value.",
        )
        answer, check = str(best), ""
        wrong = (str(ordered[-1]), str(values.count(best)), str(ordered[0]), str(best + 1))
        slip = "The most frequent value need not be a large one."
    name = {"mean": "mean", "median": "median", "range": "range", "mode": "most frequent value"}[
        kind
    ]
    return Problem(
        prompt[0].upper() + prompt[1:],
        steps,
        answer,
        say(random, "(So the {n} is {a}|The {n} is {a}).", n=name, a=answer),
        check,
        wrong,
        slip,
    )


def _average_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A long list of numbers is hard to grasp, so we look for one number that stands for "
        "all|Statistics makes many numbers speak with one voice|How can one number describe a "
        "whole list?). (The mean shares everything out evenly: add up and divide by how many "
        "there are|The mean is what each would have if all had the same). (The median is the "
        "value in the middle of the sorted list|The median has as many values below it as above). "
        "(One very large value pulls the mean up but hardly moves the median: among the incomes "
        "of a street with one millionaire, the median tells more|For 1, 2, 3, 4 and 90 the mean "
        "is 20 and the median 3, and it depends on the question which of them is better). (The "
        "range, the largest value less the smallest, shows how far they are spread.|Besides the "
        "middle we want to know the spread, and the range is the simplest measure of it.)",
    )


_TABLES = (
    (
        "favourite fruit of a class",
        ("apples", "bananas", "grapes", "oranges", "plums", "cherries", "melons"),
        "votes",
    ),
    ("pets in a street", ("cats", "dogs", "rabbits", "birds", "hamsters", "fish"), "animals"),
    (
        "books borrowed in a week",
        ("novels", "comics", "atlases", "cookbooks", "biographies", "plays"),
        "books",
    ),
    ("ways of coming to work", ("bus", "train", "bicycle", "car", "on foot", "tram"), "people"),
    (
        "sports chosen at a camp",
        ("swimming", "tennis", "chess", "football", "judo", "rowing"),
        "children",
    ),
    ("trees in a park", ("oaks", "birches", "limes", "maples", "pines", "willows"), "trees"),
    ("drinks sold at a fair", ("tea", "coffee", "lemonade", "cocoa", "juice", "water"), "cups"),
    ("cars passing in an hour", ("red", "blue", "white", "black", "silver", "green"), "cars"),
)


def _table(random: Random, difficulty: int) -> Problem:
    title, names, unit = pick(random, _TABLES)
    rows = several(random, names, between(random, 3, 5))
    counts: list[int] = []
    while len(counts) < len(rows):
        value = between(random, 2, 15 * difficulty)
        if value not in counts:
            counts.append(value)
    style = between(random, 0, 2)
    if style == 0:
        table = "\n".join(f"{name}: {value}" for name, value in zip(rows, counts, strict=True))
    elif style == 1:
        table = f"| kind | {unit} |\n| --- | --- |\n" + "\n".join(
            f"| {name} | {value} |" for name, value in zip(rows, counts, strict=True)
        )
    else:
        table = "; ".join(f"{name} {value}" for name, value in zip(rows, counts, strict=True)) + "."
    kind = between(random, 0, 3)
    best, worst = rows[counts.index(max(counts))], rows[counts.index(min(counts))]
    head = f"A table shows the {title}, in {unit}.\n{table}\n"
    if kind == 0:
        prompt = head + say(
            random, "How many {u} (does the table show in all|are there altogether)?", u=unit
        )
        steps = (
            say(
                random,
                "(Every row counts|Add all rows): {s} = {t}.",
                s=" + ".join(str(v) for v in counts),
                t=sum(counts),
            ),
        )
        answer, wrong = (
            f"{sum(counts)} {unit}",
            (
                f"{sum(counts) + 10} {unit}",
                f"{max(counts)} {unit}",
                f"{sum(counts) - min(counts)} {unit}",
            ),
        )
    elif kind == 1:
        a, b = several(random, rows, 2)
        x, y = counts[rows.index(a)], counts[rows.index(b)]
        if x < y:
            a, b, x, y = b, a, y, x
        prompt = head + f"By how much is the number for {a} greater than the number for {b}?"
        steps = (f"The row for {a} says {x} and the row for {b} says {y}.", f"{x} - {y} = {x - y}.")
        answer, wrong = str(x - y), (str(x + y), str(x), str(x - y + 1))
    elif kind == 2:
        most = chance(random, 0.5)
        prompt = head + f"Which kind has the {'largest' if most else 'smallest'} number?"
        order = sorted(zip(counts, rows, strict=True), reverse=most)
        steps = (
            f"In order, the numbers are {', '.join(str(value) for value, _ in order)}.",
            f"{order[0][0]} belongs to {order[0][1]}.",
        )
        answer, wrong = (
            best if most else worst,
            tuple(name for name in rows if name != (best if most else worst)),
        )
    else:
        limit = sorted(counts)[len(counts) // 2] - 1
        above = [name for name, value in zip(rows, counts, strict=True) if value > limit]
        prompt = head + f"How many kinds have more than {limit} {unit}?"
        steps = (f"Go through the rows and keep those above {limit}: {listed(above)}.",)
        answer, wrong = (
            str(len(above)),
            (str(len(above) - 1), str(len(above) + 1), str(len(rows) + 1)),
        )
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the answer is {a}|The answer is {a}).", a=answer),
        wrong=wrong,
        slip="Read the heading first, so that you know what the numbers count.",
    )


def _table_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A table puts numbers where the eye can find them|Tables save words|A good table answers "
        "many questions at once). (Read the title and the headings before the numbers|Before any "
        "number, read what the rows and columns stand for), (for a number without a name says "
        "nothing|because the same 12 may be cars or percent). (For a total, add the rows; for a "
        "comparison, subtract; for the largest, run your finger down the column.|Most questions "
        "need just two rows, so find them and ignore the rest.)",
    )


TOPICS = (
    taught("statistics/averages", "mathematics", (2, 3), _average, _average_lesson),
    taught("statistics/reading tables", "reasoning", (1, 2), _table, _table_lesson),
)
