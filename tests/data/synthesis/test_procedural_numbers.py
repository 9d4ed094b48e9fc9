"""Equations and answers of the procedural teacher on numbers, worked out again in another way."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from math import gcd, lcm

import pytest

from phinery.data.synthesis.procedural import numbers
from phinery.data.synthesis.procedural.grammar import between
from phinery.data.synthesis.procedural.item import Question, Topic
from phinery.data.synthesis.procedural.numbers.addition import addition_steps, subtraction_steps
from phinery.data.synthesis.procedural.numbers.division import division_steps
from phinery.data.synthesis.procedural.writer import generator
from procedural_help import NUMBER, TOPICS, evaluate, items, questions, values

_EXPRESSION = rf"[-(]*(?:{NUMBER})\)*(?: ?[-+×÷/^] ?[-(]*(?:{NUMBER})\)*)*"
_RUN = re.compile(rf"(?:(?:{NUMBER})|[-+×÷/^()=]| (?=[-+×÷/^()=\d]))+")
_SIDE = re.compile(_EXPRESSION)


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
