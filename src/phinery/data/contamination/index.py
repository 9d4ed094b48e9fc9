"""Which benchmarks' items stand in a text."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from phinery.data.contamination.code import MATCH_RATE, CodeIndex
from phinery.data.contamination.items import Item, read_items
from phinery.data.contamination.ngrams import Table, ngram_hashes, whole_hash
from phinery.data.contamination.units import NGRAM, SHORTEST, Units, units_of
from phinery.data.words import hash_words
from phinery.files import atomic_directory, read_json, read_manifest, write_json

KIND = "benchmark-index"
COMMON = 10
"""Runs of words in more items than this are the wording of a task or a turn of phrase."""

_FEWEST_LONG_WORDS = 3
_BLOCK = 2**20  # characters

Kind = Literal["13-gram", "short item", "passage", "code"]


@dataclass(frozen=True)
class Hit:
    """An item of a benchmark that stands in a text."""

    benchmark: str
    item: str
    """The item's id, as `read_items` gives it."""
    kind: Kind
    """What was found: runs of 13 words of the question and its answers; all of a question of 8 to
    12 words; runs of 13 words of a passage that questions are about; or a function like the
    reference solution."""
    share: float
    """How much of the item's text was found, in words; of code the match rate. 0 to 1."""
    word: int
    """The word of the text at which the first match begins; of code the line."""

    @property
    def taints(self) -> bool:
        """Whether the text gives away the item: a passage without its question does not."""
        return self.kind != "passage"


class BenchmarkIndex:
    """Finds items of benchmarks in texts. Make one with `of`, `from_directory` or `load`."""

    def __init__(
        self, names: list[tuple[str, str]], arrays: Mapping[str, NDArray[Any]], code: CodeIndex
    ) -> None:
        """`names` are the benchmark and id of every item; `arrays` what `_arrays_of` makes."""
        self._names = names
        self._arrays = dict(arrays)
        self._code = code
        self._runs = Table.of(arrays["run_keys"])
        self._wholes = Table.of(arrays["whole_keys"])

    @classmethod
    def of(cls, items: Iterable[Item]) -> BenchmarkIndex:
        """An index of these items."""
        items = list(items)
        names = [(item.benchmark, item.id) for item in items]
        solutions = [(number, text) for number, item in enumerate(items) for text in item.code]
        return cls(names, _arrays_of(units_of(items), len(items)), CodeIndex.of(solutions))

    @classmethod
    def from_directory(cls, *paths: str | Path) -> BenchmarkIndex:
        """An index of the items in folders or files: see `read_items`, which tells the errors."""
        return cls.of(item for path in paths for item in read_items(path))

    def save(self, directory: str | Path) -> None:
        """Write `index.safetensors` and `items.json` into `directory`, or replace it."""
        from safetensors.numpy import save_file

        with atomic_directory(Path(directory), kind=KIND) as temporary:
            arrays = {**self._arrays, **self._code.arrays}
            save_file(arrays, temporary / "index.safetensors")
            write_json(
                temporary / "items.json", {"items": self._names, "labels": self._code.labels}
            )

    @classmethod
    def load(cls, directory: str | Path) -> BenchmarkIndex:
        """Read what `save` wrote. ManifestError, a ValueError, when it is missing or altered."""
        from safetensors.numpy import load_file

        directory = Path(directory)
        if read_manifest(directory).get("kind") != KIND:
            raise ValueError(f"{directory} is not an index of benchmarks: make one with `save`")
        described = read_json(directory / "items.json")
        arrays = load_file(directory / "index.safetensors")
        code = CodeIndex(described["labels"], {name: arrays.pop(name) for name in CodeIndex.NAMES})
        return cls([(name, item) for name, item in described["items"]], arrays, code)

    def __len__(self) -> int:
        """The number of items."""
        return len(self._names)

    @property
    def items(self) -> dict[str, int]:
        """How many items each benchmark has."""
        counts: dict[str, int] = {}
        for benchmark, _ in self._names:
            counts[benchmark] = counts.get(benchmark, 0) + 1
        return counts

    @property
    def unfindable(self) -> dict[str, int]:
        """How many items of each benchmark no text can be matched with: they have too few words."""
        found = np.zeros(len(self._names), dtype=np.bool_)
        units = np.concatenate([self._arrays["run_units"], self._arrays["whole_units"]])
        for unit in np.unique(units[~self._arrays["is_passage"][units]]).tolist():
            found[self._owners(unit)] = True
        found[self._code.owners] = True
        counts: dict[str, int] = {}
        for number in np.flatnonzero(~found).tolist():
            benchmark = self._names[number][0]
            counts[benchmark] = counts.get(benchmark, 0) + 1
        return counts

    def check(
        self,
        texts: Sequence[str],
        *,
        kinds: Sequence[str | None] | None = None,
        match_rate: float = MATCH_RATE,
    ) -> list[list[Hit]]:
        """For every text the items in it, by benchmark and id, at most one hit of each kind.

        Texts whose kind is "code" are Python, and so are fenced blocks of code in others; their
        functions are compared with reference solutions, and match from `match_rate` on.
        """
        if kinds is not None and len(kinds) != len(texts):
            raise ValueError(f"{len(texts)} texts and {len(kinds)} kinds: give a kind for each")
        hits: list[dict[tuple[int, Kind], Hit]] = [{} for _ in texts]
        for start, block in _blocks(texts):
            for text, unit, share, word in self._matches(block):
                self._add_units(hits[start + text], unit, share, word)
        for number, text in enumerate(texts):
            is_code = kinds is not None and kinds[number] == "code"
            for item, rate, line in self._code.matches(text, is_code=is_code, lowest=match_rate):
                hits[number][item, "code"] = Hit(
                    *self._names[item], kind="code", share=rate, word=line
                )
        return [sorted(found.values(), key=lambda hit: (hit.benchmark, hit.item)) for found in hits]

    def _add_units(
        self, hits: dict[tuple[int, Kind], Hit], unit: int, share: float, word: int
    ) -> None:
        kind: Kind = "13-gram" if self._arrays["lengths"][unit] >= NGRAM else "short item"
        if self._arrays["is_passage"][unit]:
            kind = "passage"
        for item in self._owners(unit).tolist():
            if (item, kind) not in hits or hits[item, kind].share < share:
                hits[item, kind] = Hit(*self._names[item], kind=kind, share=share, word=word)

    def _owners(self, unit: int) -> NDArray[np.int64]:
        starts = self._arrays["owner_starts"]
        return self._arrays["owners"][starts[unit] : starts[unit + 1]]

    def _matches(self, texts: Sequence[str]) -> Iterator[tuple[int, int, float, int]]:
        """Text, unit, the share of the unit's words in the text, and the first one's place."""
        words = hash_words(texts)
        runs = self._run_matches(words.hashes, words.offsets)
        wholes = self._whole_matches(words.hashes, words.offsets)
        for number, unit, share, place in [*runs, *wholes]:
            yield number, unit, share, place - int(words.offsets[number])

    def _run_matches(
        self, hashes: NDArray[np.uint64], offsets: NDArray[np.int64]
    ) -> list[tuple[int, int, float, int]]:
        places, entries = self._runs.find(ngram_hashes(hashes, NGRAM))
        text = _text_of(places, offsets)
        inside = places + NGRAM <= offsets[text + 1]
        places, entries, text = places[inside], entries[inside], text[inside]
        unit, at = self._arrays["run_units"][entries], self._arrays["run_places"][entries]
        order = np.lexsort((at, unit, text))
        places, text, unit, at = places[order], text[order], unit[order], at[order]
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = (text[1:] != text[:-1]) | (unit[1:] != unit[:-1])
        starts = np.flatnonzero(new)
        if not len(starts):
            return []
        # Every run of 13 covers the words that the run before it does not reach.
        covered = np.full(len(order), NGRAM)
        covered[1:][~new[1:]] = np.minimum(np.diff(at), NGRAM)[~new[1:]]
        share = np.add.reduceat(covered, starts) / self._arrays["lengths"][unit[starts]]
        first = np.minimum.reduceat(places, starts)
        found = zip(
            text[starts].tolist(),
            unit[starts].tolist(),
            share.tolist(),
            first.tolist(),
            strict=True,
        )
        return list(found)

    def _whole_matches(
        self, hashes: NDArray[np.uint64], offsets: NDArray[np.int64]
    ) -> list[tuple[int, int, float, int]]:
        places, entries = self._wholes.find(ngram_hashes(hashes, SHORTEST))
        text = _text_of(places, offsets)
        unit = self._arrays["whole_units"][entries]
        inside = places + self._arrays["lengths"][unit] <= offsets[text + 1]
        columns = np.stack([places, entries, text, unit], axis=1)[inside]
        matches: list[tuple[int, int, float, int]] = []
        for place, entry, number, one in columns.tolist():
            run = hashes[place : place + int(self._arrays["lengths"][one])]
            if whole_hash(run) == int(self._arrays["whole_hashes"][entry]):
                matches.append((number, one, 1.0, place))
        return matches


def _text_of(places: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.searchsorted(offsets, places, side="right") - 1


def _blocks(texts: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Neighbouring texts, as many as make a block, and the number of the first."""
    start = size = 0
    for number, text in enumerate(texts):
        size += len(text)
        if size >= _BLOCK or number == len(texts) - 1:
            yield start, texts[start : number + 1]
            start, size = number + 1, 0


def _arrays_of(units: Units, num_items: int) -> dict[str, NDArray[Any]]:
    """Tables of runs of 13 words, and of units that are found whole by their first 8."""
    lengths = units.lengths
    first_owner = np.array([owners[0] for owners in units.owners], dtype=np.int64)
    passage_numbers = num_items + np.arange(len(lengths))
    # A passage is one text, however many questions are about it.
    group = np.where(units.is_passage, passage_numbers, first_owner)
    keys, unit, at = _runs_of(units)
    telling = _is_telling(units.words)[units.starts[unit] + at] & ~_is_common(keys, group[unit])
    keys, unit, at = keys[telling], unit[telling], at[telling]
    has_runs = np.zeros(len(lengths), dtype=np.bool_)
    has_runs[unit] = True
    num_owners = np.array([len(owners) for owners in units.owners], dtype=np.int64)
    is_short = (lengths < NGRAM) & (num_owners <= COMMON)
    by_whole = (is_short | ((lengths >= NGRAM) & ~has_runs)) & ~units.is_passage
    whole = np.flatnonzero(by_whole)
    anchors = ngram_hashes(units.words, SHORTEST)[units.starts[whole]]
    order = np.argsort(anchors, kind="stable")
    whole = whole[order]
    hashes = [
        whole_hash(units.words[units.starts[number] : units.starts[number + 1]]) for number in whole
    ]
    return {
        "lengths": lengths,
        "is_passage": units.is_passage,
        "owners": np.array([item for owners in units.owners for item in owners], dtype=np.int64),
        "owner_starts": np.cumsum([0, *num_owners]),
        "run_keys": keys,
        "run_units": unit.astype(np.int32),
        "run_places": at.astype(np.int32),
        "whole_keys": anchors[order],
        "whole_units": whole.astype(np.int32),
        "whole_hashes": np.array(hashes, dtype=np.uint64),
    }


def _runs_of(units: Units) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """All runs of 13 words in units: their hashes, rising, the units and the places in them."""
    counts = np.maximum(units.lengths - NGRAM + 1, 0)
    unit = np.repeat(np.arange(len(counts)), counts)
    at = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    keys = ngram_hashes(units.words, NGRAM)[units.starts[unit] + at]
    order = np.argsort(keys, kind="stable")
    return keys[order], unit[order], at[order]


def _is_telling(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which runs of 13 words have some long ones: rows of numbers and formulas are anyone's."""
    alphabet = string.digits + string.ascii_lowercase
    short = [*alphabet, *("".join(pair) for pair in itertools.product(alphabet, repeat=2))]
    numbers = [str(number) for number in range(100, 10_000)]
    is_long = ~np.isin(words, hash_words([" ".join([*short, *numbers])]).hashes)
    before = np.cumsum(np.append(0, is_long))
    return before[NGRAM:] - before[:-NGRAM] >= _FEWEST_LONG_WORDS


def _is_common(keys: NDArray[np.uint64], groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the sorted `keys` stand in more than `COMMON` groups."""
    order = np.lexsort((groups, keys))
    ordered_keys, ordered_groups = keys[order], groups[order]
    new_key = np.ones(len(keys), dtype=np.bool_)
    new_key[1:] = ordered_keys[1:] != ordered_keys[:-1]
    new_group = new_key.copy()
    new_group[1:] |= ordered_groups[1:] != ordered_groups[:-1]
    number = np.cumsum(new_key) - 1
    num_groups = np.bincount(number[new_group])
    common = np.empty(len(keys), dtype=np.bool_)
    common[order] = num_groups[number] > COMMON
    return common


def tainted_items(hits: Iterable[tuple[str, Sequence[Hit]]]) -> dict[str, dict[str, list[str]]]:
    """Benchmark -> item -> the documents that give it away, sorted, of pairs (document id, hits).

    What a report of contamination keeps, so that a benchmark can be scored without these items.
    """
    documents: dict[str, dict[str, set[str]]] = {}
    for document, found in hits:
        for hit in found:
            if hit.taints:
                documents.setdefault(hit.benchmark, {}).setdefault(hit.item, set()).add(document)
    return {
        benchmark: {item: sorted(ids) for item, ids in sorted(items.items())}
        for benchmark, items in sorted(documents.items())
    }


def excerpt(text: str, word: int, count: int = NGRAM) -> str:
    """The piece of `text` that holds `count` words from number `word` on, for a person to read."""
    return text[_end_of(text, word) : _end_of(text, word + count)].strip()


def _end_of(text: str, count: int) -> int:
    """The least number of characters that hold the first `count` words."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high) // 2
        inside = hash_words([text[:middle]]).offsets[1]
        # The last word may go on behind the cut.
        whole = middle == len(text) or hash_words([text[: middle + 1]]).offsets[1] > inside
        if inside > count or (inside == count and (whole or not text[middle].isalnum())):
            high = middle
        else:
            low = middle + 1
    return low
