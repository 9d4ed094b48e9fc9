"""What tests of the procedural teacher share: its questions, and a calculator of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from phinery.data.synthesis.procedural import numbers, puzzles, quantities, science
from phinery.data.synthesis.procedural.item import Item, Question, Topic
from phinery.data.synthesis.procedural.writer import generator

TOPICS = (*numbers.TOPICS, *quantities.TOPICS, *science.TOPICS, *puzzles.TOPICS)
BY_NAME = {topic.name: topic for topic in TOPICS}
SEEDS = 150

NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
"""A pattern of a number, with or without commas between thousands."""

_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?|[-+×÷/^()]")


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
    found = re.findall(rf"(?<![\w.])-?(?:{NUMBER})", text)
    return [Fraction(number.replace(",", "")) for number in found]
