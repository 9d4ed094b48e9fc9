"""Answers of the procedural teacher on money, time, physics and puzzles, worked out once more."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import permutations, product

from procedural_help import BY_NAME, items, questions, values


def test_money_given_back() -> None:
    checked = 0
    for question in questions("money/bills and change"):
        amounts = [
            round(float(text.replace(",", "")) * 100)
            for text in re.findall(r"[$€£]([\d,.]*\d)", question.prompt)
        ]
        counts = [int(n) for n in re.findall(r"(?<![\d$€£.,])(\d+) [a-z]", question.prompt)]
        each = amounts[: len(counts)]
        total = sum(n * cents for n, cents in zip(counts, each, strict=True))
        wanted = amounts[len(counts)] - total if len(amounts) > len(counts) else total
        assert round(float(question.answer[1:].replace(",", "")) * 100) == wanted, question
        checked += 1
    assert checked > 200


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def test_clock_times() -> None:
    checked = 0
    for question in questions("time/clock times and durations"):
        times = [_minutes(text) for text in re.findall(r"\d+:\d\d", question.prompt)]
        lengths = re.search(r"(?:(\d+) hours?)?(?: and )?(?:(\d+) minutes?)?$", question.answer)
        told = re.search(
            r"(?:lasts|takes|after) (?=\d)(?:(\d+) hours?)?(?: and )?(?:(\d+) minutes?)?",
            question.prompt,
        )
        if ":" not in question.answer:
            assert lengths
            assert (
                int(lengths[1] or 0) * 60 + int(lengths[2] or 0) == (times[1] - times[0]) % 1440
            ), question
        else:
            assert told, question
            length = int(told[1] or 0) * 60 + int(told[2] or 0)
            forward = "after" not in told[0]
            answer = _minutes(question.answer.split()[0])
            assert answer == (times[0] + (length if forward else -length)) % 1440, question
        checked += 1
    assert checked > 200


def test_days_of_the_calendar() -> None:
    months = (
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

    def day(text: str) -> date:
        number, month, year = text.split()
        return date(int(year), months.index(month) + 1, int(number))

    checked = 0
    for question in questions("time/the calendar"):
        found = re.search(
            r"(\d+ [A-Z][a-z]+ \d{4})\. What is the date (\d+) days later", question.prompt
        )
        if found:
            assert day(question.answer) == day(found[1]) + timedelta(days=int(found[2]))
            checked += 1
    assert checked > 50


def test_rows_have_one_solution_and_it_is_the_answer() -> None:
    places = ("first", "second", "third", "fourth", "fifth")

    def holds(clue: str, row: tuple[str, ...]) -> bool:
        names = [name for name in re.findall(r"[A-Z][a-z]+", clue) if name in row]
        at = [row.index(name) for name in names]
        if "place from the left" in clue:
            return places[at[0]] in clue
        if "directly" in clue:
            return at[0] + 1 == at[1]
        if "somewhere" in clue:
            return at[0] < at[1]
        return (abs(at[0] - at[1]) == 1) != ("not next" in clue)

    for question in questions("ordering/places in a row"):
        head, *clues, asked = re.split(r"(?<=[.?]) ", question.prompt)
        names = re.findall(r"[A-Z][a-z]+", head)
        rows = [row for row in permutations(names) if all(holds(clue, row) for clue in clues)]
        assert len(rows) == 1, question
        if asked.startswith("Who"):
            place = next(i for i, word in enumerate(places) if f" {word} " in asked)
            assert rows[0][place] == question.answer
        else:
            name = next(name for name in names if asked.endswith(f"is {name}?"))
            assert places[rows[0].index(name)] == question.answer


def test_liars_are_consistent() -> None:
    def holds(claim: str, speaker: str, roles: dict[str, bool]) -> bool:
        names = [name for name in re.findall(r"[A-Z][a-z]+", claim) if name in roles]
        if " or " in claim:
            return not (roles[names[0]] and roles[names[1]])
        if "same kind" in claim:
            return roles[names[0]] == roles[speaker]
        if claim.startswith("At least one"):
            return not all(roles.values())
        if claim.startswith("Exactly one"):
            return sum(roles.values()) == 1
        return roles[names[0]] != claim.endswith("liar")

    for question in questions("deduction/truth-tellers and liars"):
        said = re.findall(r'([A-Z][a-z]+) says: "([^"]+)\."', question.prompt)
        names = [name for name, _ in said]
        worlds = [
            roles
            for roles in (
                dict(zip(names, v, strict=True)) for v in product((True, False), repeat=len(names))
            )
            if all(holds(claim, name, roles) == roles[name] for name, claim in said)
        ]
        assert len(worlds) == 1, question
        truthful, _, lying = question.answer.partition(" the truth")
        for name, value in worlds[0].items():
            assert (name in (truthful if " the truth" in question.answer else "")) == value, (
                question
            )
            assert (
                name in (lying or ("" if " the truth" in question.answer else truthful))
            ) != value


def test_overlaps_of_sets() -> None:
    for question in questions("sets/union and intersection"):
        a, b = (set(text.split(", ")) for text in re.findall(r"\{([^}]*)\}", question.prompt))
        answer = set(question.answer[1:-1].split(", "))
        asked = question.prompt.rpartition("}")[2]
        if "union" in asked or "or in B" in asked or "∪" in asked:
            assert answer == a | b
        elif "intersection" in asked or "both" in asked or "∩" in asked:
            assert answer == a & b
        else:
            assert answer == a - b


def test_speed_and_the_other_laws_of_products() -> None:
    checked = 0
    for name, topic in BY_NAME.items():
        if name in (
            "physics/speed",
            "physics/work",
            "physics/power and energy",
            "physics/electric circuits",
            "physics/springs",
            "physics/momentum",
            "physics/force and acceleration",
        ):
            for item in items(topic, 60):
                question = item.questions[0]
                a, b = values(question.prompt)[:2]
                answer = values(question.answer)[0]
                assert answer in (a * b, a / b, b / a), question
                checked += 1
    assert checked > 500
