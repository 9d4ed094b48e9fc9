"""The texts that an item is found by: its questions, alone and followed by its answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from phinery.data.contamination.items import Item
from phinery.data.words import hash_words

NGRAM = 13
SHORTEST = 8
"""Texts of fewer words are too likely to stand anywhere to be matched alone."""

Part = Literal["question", "passage"]

_ANSWER_LABELS = ("", "a ", "answer ", "the answer is ")
_CHOICE_LABELS = ("", "a b c d e f g h i j k l m n o p", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16")
_ASCII_WORD = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True)
class Units:
    """Distinct texts of `SHORTEST` words or more, and the items that each belongs to."""

    words: NDArray[np.uint64]
    starts: NDArray[np.int64]
    """(n + 1,): the words of unit i are words[starts[i] : starts[i + 1]]."""
    is_passage: NDArray[np.bool_]
    """(n,)"""
    owners: list[list[int]]
    """Numbers of items, rising."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Words of each unit: (n,)."""
        return np.diff(self.starts)


def units_of(items: Sequence[Item]) -> Units:
    """The units of all items."""
    texts: list[str] = []
    keys: list[tuple[int, bool]] = []
    for number, (item, lengths) in enumerate(zip(items, _question_lengths(items), strict=True)):
        for question, length in zip(item.questions, lengths, strict=True):
            for text in _question_texts(question, length, item):
                texts.append(text)
                keys.append((number, False))
        for text in item.passages:
            texts.append(text)
            keys.append((number, True))
    hashed = hash_words(texts)
    units: dict[tuple[bool, bytes], list[int]] = {}
    for (number, is_passage), start, end in zip(
        keys, hashed.offsets[:-1].tolist(), hashed.offsets[1:].tolist(), strict=True
    ):
        if end - start >= SHORTEST:
            owners = units.setdefault((is_passage, hashed.hashes[start:end].tobytes()), [])
            if not owners or owners[-1] != number:
                owners.append(number)
    lengths = [len(words) // 8 for _, words in units]
    return Units(
        np.frombuffer(b"".join(words for _, words in units), dtype=np.uint64),
        np.cumsum([0, *lengths]),
        np.array([is_passage for is_passage, _ in units], dtype=np.bool_),
        list(units.values()),
    )


def _question_lengths(items: Sequence[Item]) -> Iterator[list[int]]:
    """For every item the number of words of each of its questions."""
    questions = [question for item in items for question in item.questions]
    counts = iter(np.diff(hash_words(questions).offsets).tolist())
    for item in items:
        yield [next(counts) for _ in item.questions]


def _question_texts(question: str, length: int, item: Item) -> Iterator[str]:
    """A question's texts. The shorter it is, the more forms of it are needed to find it.

    Of a question of 13 words any run of 13 tells, and so do those that reach into its answers or
    stand there. One of 8 to 12 is found whole; answers behind it give runs of 13 that survive a
    change in it. Below 8 words only the answer behind it tells, and the labels that may stand
    between them count.
    """
    yield question
    if item.answers:
        end = question.split()[1 - NGRAM :] if length >= NGRAM else [question]
        yield " ".join([*end, *item.answers])
    if length >= NGRAM:
        return
    labels = _ANSWER_LABELS if length < SHORTEST else ("",)
    for answer in item.answers:
        yield from (f"{question} {label}{answer}" for label in labels)
    if length >= SHORTEST:
        return
    for names in _CHOICE_LABELS[1:]:
        labelled = list(zip(names.split(), item.answers, strict=False))
        yield " ".join([question, *(f"{name} {answer}" for name, answer in labelled)])
        yield from (f"{question} {name} {answer}" for name, answer in labelled[1:])
    for code in item.code:
        # Runs of 13 words that begin in the question: code alone is compared by its syntax.
        yield " ".join([question, *_ASCII_WORD.findall(code)[: NGRAM - 1]])
