"""Texts that repeat themselves: Gopher's rules on duplicate lines, paragraphs and n-grams.

Source: Rae et al. 2021, arXiv 2112.11446, section A.1.1 and table A1, for the rules and for all
limits but those of duplicate n-grams. datatrove's gopher_repetition_filter.py quotes the table.
Words stand between whitespace, characters are those of words, lines and paragraphs are compared
without the whitespace around them, and blank ones don't count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DUPLICATE_LINES = 0.30
"""Largest share of lines that an earlier line equals. Table A1: 0.30."""
DUPLICATE_LINE_CHARACTERS = 0.20
"""Largest share of characters in such lines. Table A1: 0.20."""
DUPLICATE_PARAGRAPHS = 0.30
"""The same for paragraphs. Table A1: 0.30."""
DUPLICATE_PARAGRAPH_CHARACTERS = 0.20
"""The same for paragraphs. Table A1: 0.20."""
TOP_NGRAM_CHARACTERS = {2: 0.20, 3: 0.18, 4: 0.16}
"""Largest share of characters that all occurrences of one repeated n-gram have. Table A1: 0.20,
0.18, 0.16."""
DUPLICATE_NGRAM_CHARACTERS = {5: 0.30, 6: 0.28, 7: 0.26, 8: 0.24, 9: 0.22, 10: 0.20}
"""Largest share of characters in n-grams that occurred before; overlaps count once. Ours: twice
table A1's 0.15, 0.14, 0.13, 0.12, 0.11, 0.10, which would drop one in eleven sections of textbooks:
exercises are worded alike."""

REASONS: dict[str, str] = {
    "duplicate_lines": "many of its lines are there twice",
    "duplicate_line_characters": "much of it stands in lines that are there twice",
    "duplicate_paragraphs": "many of its paragraphs are there twice",
    "duplicate_paragraph_characters": "much of it stands in paragraphs that are there twice",
    **{f"top_{n}_gram": f"one phrase of {n} words fills much of it" for n in TOP_NGRAM_CHARACTERS},
    **{
        f"duplicate_{n}_grams": f"much of it stands in phrases of {n} words that are there twice"
        for n in DUPLICATE_NGRAM_CHARACTERS
    },
}
"""What each reason means, in the words of a report, in the order in which the rules are tried."""

_BATCH_CHARACTERS = 1_000_000  # keeps the arrays of a batch in the processor's cache
_BATCH_TEXTS = 1_024
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: Fibonacci hashing


def repetition_reason(texts: Sequence[str]) -> list[str | None]:
    """For every text the first rule that it breaks, a key of `REASONS`, or None.

    n-grams are told apart by 64-bit hashes: two of one text agree by chance once in 10**13 texts
    of a thousand words.
    """
    reasons = [_line_reason(text) for text in texts]
    left = [index for index, reason in enumerate(reasons) if reason is None]
    for batch in _batches(left, texts):
        words = _Words.of([texts[index] for index in batch])
        for index, reason in zip(batch, words.reasons(), strict=True):
            reasons[index] = reason
    return reasons


def _batches(indices: list[int], texts: Sequence[str]) -> Iterator[list[int]]:
    batch: list[int] = []
    characters = 0
    for index in indices:
        batch.append(index)
        characters += len(texts[index])
        if characters >= _BATCH_CHARACTERS or len(batch) >= _BATCH_TEXTS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _line_reason(text: str) -> str | None:
    lines = [line for line in map(str.strip, text.split("\n")) if line]
    if _exceeds(lines, DUPLICATE_LINES):
        return "duplicate_lines"
    if _exceeds_characters(lines, DUPLICATE_LINE_CHARACTERS):
        return "duplicate_line_characters"
    if "\n\n" not in text and not _PARAGRAPH_END.search(text):
        return None
    paragraphs = [part for part in map(str.strip, _PARAGRAPH_END.split(text)) if part]
    if _exceeds(paragraphs, DUPLICATE_PARAGRAPHS):
        return "duplicate_paragraphs"
    if _exceeds_characters(paragraphs, DUPLICATE_PARAGRAPH_CHARACTERS):
        return "duplicate_paragraph_characters"
    return None


def _exceeds(parts: list[str], limit: float) -> bool:
    return len(parts) - len(set(parts)) > limit * len(parts)


def _exceeds_characters(parts: list[str], limit: float) -> bool:
    distinct = set(parts)
    if len(distinct) == len(parts):
        return False
    total = sum(map(len, parts))
    return total - sum(map(len, distinct)) > limit * total


@dataclass(frozen=True)
class _Words:
    """The words of several texts, one after another."""

    ids: NDArray[np.uint64]
    """(words,); equal for equal words."""
    lengths: NDArray[np.int64]
    """(words,), in characters."""
    owners: NDArray[np.int64]
    """(words,), ascending: the text that a word belongs to."""
    texts: int

    @staticmethod
    def of(texts: list[str]) -> _Words:
        import pyarrow as pa
        import pyarrow.compute as pc

        split = [text.split() for text in texts]
        counts = [len(words) for words in split]
        flat = pa.array([word for words in split for word in words], pa.large_string())
        encoded = cast("pa.DictionaryArray", flat.dictionary_encode())
        indices = encoded.indices.to_numpy()
        lengths = pc.call_function("utf8_length", [encoded.dictionary]).to_numpy()
        return _Words(
            _mixed(indices.astype(np.uint64)),
            lengths.astype(np.int64)[indices] if len(indices) else np.zeros(0, np.int64),
            np.repeat(np.arange(len(texts)), counts),
            len(texts),
        )

    def reasons(self) -> list[str | None]:
        reasons: list[str | None] = [None] * self.texts
        totals = np.bincount(self.owners, self.lengths, self.texts)
        for n, limit in TOP_NGRAM_CHARACTERS.items():
            self._note(reasons, self._top_characters(n) > limit * totals, f"top_{n}_gram")
        # A repeated 10-gram is made of repeated 5-grams: what passes the strictest limit with
        # 5-grams passes all.
        repeated = self._repeated_characters(5)
        suspect = repeated > min(DUPLICATE_NGRAM_CHARACTERS.values()) * totals
        if suspect.any():
            some = self._only(suspect)
            for n, limit in DUPLICATE_NGRAM_CHARACTERS.items():
                failed = some._repeated_characters(n) > limit * totals
                self._note(reasons, failed, f"duplicate_{n}_grams")
        return reasons

    @staticmethod
    def _note(reasons: list[str | None], failed: NDArray[np.bool_], reason: str) -> None:
        for index in np.flatnonzero(failed):
            reasons[index] = reasons[index] or reason

    def _only(self, chosen: NDArray[np.bool_]) -> _Words:
        mask = chosen[self.owners]
        return _Words(self.ids[mask], self.lengths[mask], self.owners[mask], self.texts)

    def _runs(self, n: int) -> _Runs | None:
        """The n-grams that one text has several times; None when there is none."""
        count = len(self.ids) - n + 1
        if count < 2:
            return None
        keys = ~self.owners[:count].astype(np.uint64)  # unlike every word's number
        for offset in range(n):
            keys = _mixed(keys)
            keys += self.ids[offset : offset + count]
        keys = _mixed(keys)
        # An n-gram must not reach into the next text.
        (starts,) = np.nonzero(self.owners[:count] == self.owners[n - 1 :])
        keys = keys[starts]
        order = np.argsort(keys)
        sorted_keys = keys[order]
        same = sorted_keys[1:] == sorted_keys[:-1]
        if not same.any():
            return None
        # Keep runs of two or more.
        in_run = np.concatenate(([False], same)) | np.concatenate((same, [False]))
        begins = ~np.concatenate(([False], same))[in_run]
        return _Runs(starts[order[in_run]], np.flatnonzero(begins))

    def _top_characters(self, n: int) -> NDArray[np.float64]:
        """(texts,): characters of the repeated n-gram that fills most of a text."""
        top = np.zeros(self.texts)
        runs = self._runs(n)
        if runs is not None:
            first = runs.positions[runs.begins]
            counts = np.diff(np.append(runs.begins, len(runs.positions)))
            lengths = sum(self.lengths[first + offset] for offset in range(n))
            np.maximum.at(top, self.owners[first], counts * lengths)
        return top

    def _repeated_characters(self, n: int) -> NDArray[np.float64]:
        """(texts,): characters in n-grams that occurred before, each once."""
        runs = self._runs(n)
        if runs is None:
            return np.zeros(self.texts)
        is_repeat = np.zeros(len(self.ids) + 1, np.int64)
        is_repeat[runs.positions] = 1
        is_repeat[np.minimum.reduceat(runs.positions, runs.begins)] = 0
        (repeats,) = np.nonzero(is_repeat)
        change = np.zeros(len(self.ids) + 1, np.int64)
        change[repeats] += 1
        np.subtract.at(change, repeats + n, 1)
        covered = np.cumsum(change[:-1]) > 0
        return np.bincount(self.owners[covered], self.lengths[covered], self.texts).astype(
            np.float64
        )


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A permutation of 64-bit numbers in which every bit depends on nearly all others."""
    values = (values + np.uint64(1)) * _MULTIPLIER
    values ^= values >> np.uint64(32)
    values *= _MULTIPLIER
    values ^= values >> np.uint64(29)
    return values


@dataclass(frozen=True)
class _Runs:
    positions: NDArray[np.int64]
    """First words of n-grams, equal n-grams side by side, in any order."""
    begins: NDArray[np.int64]
    """Where in `positions` each group of equal n-grams begins."""
