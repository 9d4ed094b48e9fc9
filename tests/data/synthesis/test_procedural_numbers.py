"""Answers and printed equations of the procedural teacher, worked out again in another way."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from itertools import permutations, product
from math import gcd, lcm

import pytest

from phinery.data.synthesis.procedural import numbers, puzzles, quantities, science
from phinery.data.synthesis.procedural.grammar import between
from phinery.data.synthesis.procedural.item import Item, Question, Topic
from phinery.data.synthesis.procedural.numbers.addition import addition_steps, subtraction_steps
from phinery.data.synthesis.procedural.numbers.division import division_steps
from phinery.data.synthesis.procedural.writer import generator

TOPICS = (*numbers.TOPICS, *quantities.TOPICS, *science.TOPICS, *puzzles.TOPICS)
BY_NAME = {topic.name: topic for topic in TOPICS}
SEEDS = 150

_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?|[-+×÷/^()]")
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_EXPRESSION = rf"[-(]*(?:{_NUMBER})\)*(?: ?[-+×÷/^] ?[-(]*(?:{_NUMBER})\)*)*"
_RUN = re.compile(rf"(?:(?:{_NUMBER})|[-+×÷/^()=]| (?=[-+×÷/^()=\d]))+")
_SIDE = re.compile(_EXPRESSION)


def evaluate(text: str) -> Fraction:
    """The value of an expression of +, -, ×, ÷, /, ^ and brackets, by recursive descent."""
    tokens = _TOKEN.findall(text)
    at = 0

    def atom() -> Fraction:
        nonlocal at
        token = tokens[at]
        at += 1
        if token == "-":
            return -power()
        if token == "(":
            value = total()
            assert tokens[at] == ")", text
            at += 1
            return value
        return Fraction(token.replace(",", ""))

    def power() -> Fraction:
        nonlocal at
        value = atom()
        if at < len(tokens) and tokens[at] == "^":
            at += 1
            value = value ** int(atom())
        return value

    def fraction() -> Fraction:
        nonlocal at
        value = power()
        while at < len(tokens) and tokens[at] == "/":
            at += 1
            value /= power()
        return value

    def term() -> Fraction:
        nonlocal at
        value = fraction()
        while at < len(tokens) and tokens[at] in "×÷":
            sign = tokens[at]
            at += 1
            value = value * fraction() if sign == "×" else value / fraction()
        return value

    def total() -> Fraction:
        nonlocal at
        value = term()
        while at < len(tokens) and tokens[at] in "+-":
            sign = tokens[at]
            at += 1
            value = value + term() if sign == "+" else value - term()
        return value

    value = total()
    assert at == len(tokens), f"cannot read {text!r}"
    return value


def items(topic: Topic, seeds: int = SEEDS) -> Iterator[Item]:
    for difficulty in topic.difficulties:
        for seed in range(seeds):
            yield topic.write(generator("test", topic.name, difficulty, seed), difficulty)


def questions(name: str) -> Iterator[Question]:
    for item in items(BY_NAME[name]):
        yield from item.questions


def values(text: str) -> list[Fraction]:
    """The whole and decimal numbers of a text, in order; minus signs that touch them belong."""
    found = re.findall(rf"(?<![\w.])-?(?:{_NUMBER})", text)
    return [Fraction(number.replace(",", "")) for number in found]


def equations(text: str) -> Iterator[tuple[str, str]]:
    """The pairs of sides of all equations between numbers that a text prints.

    A side that goes on with a letter, a unit or a percent sign is no number and is left out.
    """
    for run in _RUN.finditer(text):
        if "=" not in run[0]:
            continue
        sides = run[0].split("=")
        before, after = text[: run.start()], text[run.end() : run.end() + 1]
        good = [
            bool(_SIDE.fullmatch(side.strip())) and side.count("(") == side.count(")")
            for side in sides
        ]
        joined = not run[0].startswith(" ") and re.search(r"[\w%°²³.]$", before)
        if joined or before.endswith((" of", "more")) or sides[0].strip().startswith("- "):
            good[0] = False
        if re.match(r"[\w%°²³]", after):
            good[-1] = False
        for place in range(len(sides) - 1):
            if good[place] and good[place + 1]:
                yield sides[place].strip(), sides[place + 1].strip()


def wrong_sides(text: str) -> list[str]:
    """The printed equations that are false."""
    return [
        f"{left} = {right}" for left, right in equations(text) if evaluate(left) != evaluate(right)
    ]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_printed_equation_is_true(topic: Topic) -> None:
    for item in items(topic):
        assert not wrong_sides(item.text), item.text


def test_the_test_of_equations_sees_false_ones() -> None:
    assert wrong_sides("First 3 + 4 = 8, so stop.") == ["3 + 4 = 8"]
    assert wrong_sides("2 × (3 + 4) = 14 and 1/2 + 1/3 = 5/6; 2^10 = 1024; 1,200 ÷ 4 = 300.") == []
    assert wrong_sides("7 - (-2) = 8") == ["7 - (-2) = 8"]


def test_equations_are_found_in_most_topics_of_numbers() -> None:
    found = {
        topic.name: sum(len(list(equations(item.text))) for item in items(topic, 20))
        for topic in numbers.TOPICS
    }
    assert sum(count > 20 for count in found.values()) > 0.8 * len(found), found


def _expression(question: Question) -> Fraction | None:
    found = re.search(
        rf"(?:is|out|Calculate|Find|Compute|value of|expression:|much is) ({_EXPRESSION})",
        question.prompt,
    )
    return evaluate(found[1]) if found else None


@pytest.mark.parametrize(
    "name",
    [
        "arithmetic/addition", "arithmetic/subtraction", "arithmetic/multiplication",
        "arithmetic/order of operations",
        "numbers/negative numbers", "fractions/adding and subtracting fractions",
        "fractions/multiplying and dividing fractions",
        "fractions/decimals",
    ],
)  # fmt: skip
def test_sums_in_symbols(name: str) -> None:
    checked = 0
    for question in questions(name):
        value = _expression(question)
        if (
            value is not None
            and any(sign in question.prompt for sign in "+-×÷")
            and "°" not in question.answer
        ):
            assert evaluate(question.answer) == value, question
            checked += 1
    assert checked > 50


def _check(
    name: str, expected: Callable[[str], object], actual: Callable[[str], object], least: int = 100
) -> None:
    checked = 0
    for question in questions(name):
        wanted = expected(question.prompt)
        if wanted is not None:
            assert actual(question.answer) == wanted, question
            checked += 1
    assert checked >= least


def test_division_with_remainder() -> None:
    def expected(prompt: str) -> tuple[int, int] | None:
        a, b = sorted((int(number) for number in values(prompt)[:2]), reverse=True)
        return divmod(a, b) if "remainder" in prompt or "left over" in prompt else None

    _check("arithmetic/division", expected, lambda answer: tuple(int(n) for n in values(answer)))


def test_rounding() -> None:
    units = {"ten thousand": 10_000, "thousand": 1000, "hundred": 100, "ten": 10}

    def expected(prompt: str) -> int | None:
        found = re.search(r"nearest ([a-z ]+)[.?]", prompt)
        if not found:
            return None
        number = int(values(prompt)[0])
        unit = units[found[1].removesuffix(" ")]
        return (number + unit // 2) // unit * unit

    _check("arithmetic/rounding", expected, lambda answer: int(values(answer)[0]))


def test_primes_and_divisors() -> None:
    def is_prime(prompt: str) -> str:
        number = int(values(prompt)[0])
        return "yes" if all(number % d for d in range(2, number)) else "no"

    _check("numbers/prime numbers", is_prime, str)
    _check("numbers/prime factors", lambda prompt: values(prompt)[0], evaluate)
    _check(
        "numbers/greatest common divisors",
        lambda prompt: gcd(*(int(n) for n in values(prompt)[:2])),
        int,
    )
    _check(
        "numbers/least common multiples",
        lambda prompt: lcm(*(int(n) for n in values(prompt)[:2])),
        int,
    )

    def divides(prompt: str) -> str:
        a, b = sorted((int(n) for n in values(prompt)), reverse=True)
        return "no" if a % b else "yes"

    _check("numbers/divisibility", divides, str)


def test_roman_numerals() -> None:
    letters = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}

    def read(text: str) -> int:
        worth = [letters[letter] for letter in text]
        return sum(
            -n if any(m > n for m in worth[i + 1 : i + 2]) else n for i, n in enumerate(worth)
        )

    for question in questions("numbers/Roman numerals"):
        numeral = re.search(r"\b[IVXLCDM]+\b", question.prompt)
        if question.answer.isdigit():
            assert numeral
            assert read(numeral[0]) == int(question.answer)
        else:
            assert read(question.answer) == values(question.prompt)[0]


def test_solutions_satisfy_their_equations() -> None:
    checked = 0
    for question in questions("algebra/linear equations"):
        letter, root = question.answer.split(" = ")
        found = re.search(
            rf"(?<![a-zA-Z])(?:\d+{letter}|{letter}|\d+\()[-+\d (){letter}]*"
            rf" = [-+\d {letter}]*[\d{letter}](?![a-z])",
            question.prompt,
        )
        assert found, question.prompt
        text = re.sub(rf"(\d){letter}", rf"\1 × ({root})", found[0])
        text = re.sub(r"(\d)\(" + letter, rf"\1 × ({letter}", text).replace(letter, f"({root})")
        left, right = text.split(" = ")
        assert evaluate(left) == evaluate(right), question
        checked += 1
    assert checked > 200


def test_systems_are_solved_by_their_answer() -> None:
    for question in questions("algebra/two unknowns"):
        x, y = values(question.answer)
        equations = re.findall(
            r"(?<!\w)(\d*x [-+] \d*y|y) = (-?\d+|x(?: [-+] \d+)?)(?!\w)", question.prompt
        )
        assert len(equations) == 2, question
        for equation in equations:
            sides = []
            for side in equation:
                text = (
                    re.sub(r"(\d)([xy])", r"\1 × \2", side.strip())
                    .replace("x", f"({x})")
                    .replace("y", f"({y})")
                )
                sides.append(evaluate(text))
            assert sides[0] == sides[1], question


def test_averages() -> None:
    names = {
        "mean": statistics.fmean,
        "average": statistics.fmean,
        "median": statistics.median,
        "range": lambda v: max(v) - min(v),
        "frequent": statistics.mode,
    }
    checked = 0
    for question in questions("statistics/averages"):
        if "missing" in question.prompt or "other one" in question.prompt:
            continue
        head, _, data = question.prompt.partition(": ")
        del head
        found = [float(v) for v in values(data)]
        name = next(name for name in names if name in data)
        assert float(values(question.answer)[0]) == pytest.approx(names[name](found))
        checked += 1
    assert checked > 100


def test_probabilities_of_two_dice_by_counting() -> None:
    checked = 0
    for question in questions("probability/dice and coins"):
        found = re.search(r"the sum is (\d+)", question.prompt)
        if found:
            good = sum(a + b == int(found[1]) for a, b in product(range(1, 7), repeat=2))
            assert Fraction(question.answer) == Fraction(good, 36)
            checked += 1
    assert checked > 20


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


def test_the_columns_of_an_addition_spell_its_sum() -> None:
    random = generator("columns")
    for _ in range(500):
        a, b = between(random, 11, 99_999), between(random, 11, 9999)
        columns = [
            int(step.rpartition(" = ")[2].split(".")[0].split(",")[0].split()[0])
            if " = " in step
            else int(re.findall(r"\d", step)[0])
            for step in addition_steps(random, a, b)
        ]
        spelled = sum(column % 10 * 10**place for place, column in enumerate(columns[:-1]))
        assert spelled + columns[-1] * 10 ** (len(columns) - 1) == a + b, (a, b, columns)


def test_the_digits_of_a_division_spell_its_quotient() -> None:
    random = generator("digits")
    for _ in range(500):
        b = between(random, 3, 38)
        a = between(random, b, 60_000)
        digits = ""
        for step in division_steps(random, a, b):
            found = re.search(rf"(\d+) × {b} = ", step)
            digits += found[1] if found else "0"
        assert int(digits) == a // b, (a, b, digits)


def test_the_columns_of_a_subtraction_spell_its_difference() -> None:
    random = generator("differences")
    for _ in range(500):
        a = between(random, 12, 60_000)
        b = between(random, 3, a - 1)
        _, *steps = subtraction_steps(random, a, b)
        rest = ""
        for step in steps:
            last = re.findall(r"(?:= |is: )(\d+)(?=\.)", step)[-1]
            rest = last + rest
        assert int(rest) == a - b, (a, b, steps)
