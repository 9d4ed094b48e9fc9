"""Grammar and words: forms, meanings, relations, order, and how sentences are joined."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.item import Topic
from phinery.data.synthesis.procedural.words import lessons, paragraphs


def _topic(
    name: str,
    difficulties: tuple[int, ...],
    problem: Callable[[Random, int], Problem],
    lesson: Callable[[Random, int], str],
) -> Topic:
    return taught(f"language/{name}", "language understanding", difficulties, problem, lesson)


TOPICS: tuple[Topic, ...] = (
    _topic("plurals", (1, 2), lessons.plural_problem, paragraphs.plural_lesson),
    _topic("tenses", (1, 2, 3), lessons.tense_problem, paragraphs.tense_lesson),
    _topic("synonyms and opposites", (1, 2, 3), lessons.meaning_problem, paragraphs.meaning_lesson),
    _topic("odd one out", (1, 2, 3), lessons.odd_problem, paragraphs.class_lesson),
    _topic("analogies", (2, 3, 4), lessons.analogy_problem, paragraphs.analogy_lesson),
    _topic("alphabetical order", (1, 2, 3), lessons.order_problem, paragraphs.order_lesson),
    _topic("parts of speech", (2, 3, 4), lessons.parts_problem, paragraphs.parts_lesson),
    _topic("joining sentences", (2, 3), lessons.joining_problem, paragraphs.joining_lesson),
    _topic("punctuation", (1, 2), lessons.punctuation_problem, paragraphs.sign_lesson),
)
