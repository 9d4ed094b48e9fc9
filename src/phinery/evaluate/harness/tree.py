"""What must be computed of many token sequences when each common beginning counts once.

The sequences form a tree: they share their positions as far as their tokens are the same. It is
cut into steps, one forward pass each. A long beginning that many sequences share is a step of its
own, whose keys and values stay in a cache while what hangs below is computed. What is below goes
side by side into steps of about `budget` tokens, as branches that do not see each other; a short
beginning is computed again in each of those steps that need it, because a step of few tokens costs
nearly as much as one of many.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Query(NamedTuple):
    """A sequence of tokens, of which the last `count` are to be predicted.

    tokens : int32 (length + 1,). The model sees all but the last of them: `length` positions.
    count : 1 to length.
    """

    tokens: NDArray[np.int32]
    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """Positions that one forward pass computes.

    depth : how many positions all of them see in the cache.
    tokens, positions : int64 (n,), what to compute and where in its sequence it stands.
    ends : int64 (n,). Positions are in depth-first order, so that i sees j exactly when
        j <= i < ends[j].
    branches : int64, where the subtrees begin that hang on the cache, and n.
    keep : the positions are a single path, whose keys and values go to the end of the cache.
    rows : int64, those of the n positions whose predictions are asked for, ascending.
    asked_rows, asked_tokens, asked_queries : int64 (p,), for each prediction its index into `rows`,
        the token that should follow, and the query that it is for.
    """

    depth: int
    tokens: Ints
    positions: Ints
    ends: Ints
    branches: Ints
    keep: bool
    rows: Ints
    asked_rows: Ints
    asked_tokens: Ints
    asked_queries: Ints


class _Range(NamedTuple):
    """Sorted queries from `first` to before `last` that agree in their first `shared` positions."""

    first: int
    last: int
    shared: int


class Plan:
    """The steps for a set of queries, in an order in which the cache is always right.

    Parameters
    ----------
    queries : in any order, repeated as often as they like.
    budget : tokens a step at most.
    overhead : how many tokens more a step could have in the time that one more step costs.
    """

    def __init__(self, queries: Sequence[Query], *, budget: int, overhead: int) -> None:
        assert budget >= 1
        # Big-endian bytes compare as the tokens do, and much faster than lists.
        keys = [query.tokens.astype(">u4").tobytes() for query in queries]
        self._order = sorted(range(len(queries)), key=keys.__getitem__)
        self._tokens = [queries[index].tokens for index in self._order]
        self._lengths = np.array([len(tokens) - 1 for tokens in self._tokens], dtype=np.int64)
        counts = np.array([queries[index].count for index in self._order], dtype=np.int64)
        self._starts = self._lengths - counts
        self._shared = np.zeros(len(queries), dtype=np.int64)
        for index in range(1, len(queries)):
            self._shared[index] = self._common(index - 1, index)
        self._fresh = np.concatenate(([0], np.cumsum(self._lengths - self._shared)))
        self._budget = budget
        self._overhead = overhead

    @property
    def longest(self) -> int:
        """Positions of the longest query."""
        return int(self._lengths.max(initial=0))

    @property
    def distinct(self) -> int:
        """How many different positions there are; with `overhead=0` no more are computed."""
        return int(self._fresh[-1])

    def steps(self) -> Iterator[Step]:
        """The steps, in their order."""
        stack = [(0, _Range(0, len(self._tokens), 0))]
        while stack:
            depth, (first, last, shared) = stack.pop()
            for start in range(depth, shared, self._budget):
                yield self._path(first, last, start, min(start + self._budget, shared))
            while first < last and self._lengths[first] == shared:
                first += 1
            small, large = self._parts(first, last, shared)
            yield from self._packs(small, shared)
            stack += [(shared, part) for part in reversed(large)]

    def _common(self, one: int, other: int) -> int:
        """In how many positions two sorted queries agree."""
        length = min(self._lengths[one], self._lengths[other])
        left, right = self._tokens[one][:length], self._tokens[other][:length]
        different = left != right
        place = int(different.argmax()) if length else 0
        return place if length and different[place] else int(length)

    def _size(self, first: int, last: int, depth: int) -> int:
        """How many different positions from `depth` on a range has."""
        return int(self._fresh[last] - self._fresh[first + 1] + self._lengths[first] - depth)

    def _parts(self, first: int, last: int, depth: int) -> tuple[list[_Range], list[_Range]]:
        """Ranges that fit into a step, and those whose beginning is worth a step of its own."""
        small: list[_Range] = []
        large: list[_Range] = []
        stack = [(first, last)] if first < last else []
        while stack:
            first, last = stack.pop()
            size = self._size(first, last, depth)
            if size <= self._budget:
                # Nothing is left to compute where the end of a query is what others share.
                small += [_Range(first, last, depth)] if size else []
                continue
            if last - first == 1:
                large.append(_Range(first, last, int(self._lengths[first])))
                continue
            inner = self._shared[first + 1 : last]
            shared = int(inner.min())
            steps = -(-(size - (shared - depth)) // self._budget)
            saved = (shared - depth) * (steps - 1)
            if shared > depth and (saved >= self._overhead or shared - depth >= self._budget):
                large.append(_Range(first, last, shared))
                continue
            bounds = [first, *(np.flatnonzero(inner == shared) + first + 1).tolist(), last]
            stack += list(itertools.pairwise(bounds))[::-1]
        return small, large

    def _packs(self, parts: list[_Range], depth: int) -> Iterator[Step]:
        pack: list[_Range] = []
        filled = 0
        for part in parts:
            size = self._size(part.first, part.last, depth)
            again = self._common(pack[-1].last - 1, part.first) - depth if pack else 0
            if pack and filled + size - again > self._budget:
                yield self._pack(pack, depth)
                pack, filled, again = [], 0, 0
            pack.append(part)
            filled += size - again
        if pack:
            yield self._pack(pack, depth)

    def _path(self, first: int, last: int, start: int, end: int) -> Step:
        """Positions `start` to before `end`, in which a range agrees."""
        count = end - start
        asked: list[tuple[Ints, Ints, Ints]] = []
        for index in (np.flatnonzero(self._starts[first:last] < end) + first).tolist():
            since = max(int(self._starts[index]), start)
            asked.append(self._ask(index, since, end, np.arange(since - start, count)))
        return _step(
            start,
            self._tokens[first][start:end].astype(np.int64),
            np.arange(start, end),
            np.full(count, count),
            np.array([0, count]),
            keep=True,
            asked=asked,
        )

    def _pack(self, parts: list[_Range], depth: int) -> Step:
        tokens: list[NDArray[np.int32]] = []
        positions: list[Ints] = []
        branches: list[int] = []
        asked: list[tuple[Ints, Ints, Ints]] = []
        ends = np.zeros(sum(self._size(part[0], part[1], depth) for part in parts), np.int64)
        path = np.zeros(self.longest - depth, dtype=np.int64)  # the places on the way to a query
        have, count, previous = 0, 0, -1
        for index in (index for part in parts for index in range(part.first, part.last)):
            shared = 0
            if previous >= 0:
                near = previous == index - 1
                shared = int(self._shared[index]) if near else self._common(previous, index)
                shared -= depth
            length = int(self._lengths[index]) - depth
            ends[path[shared:have]] = count
            fresh = length - shared
            if fresh:
                if not shared:
                    branches.append(count)
                path[shared:length] = np.arange(count, count + fresh)
                tokens.append(self._tokens[index][depth + shared : depth + length])
                positions.append(np.arange(depth + shared, depth + length))
                count += fresh
            since = max(int(self._starts[index]), depth)
            places = path[since - depth : length].copy()
            asked.append(self._ask(index, since, depth + length, places))
            have, previous = length, index
        ends[path[:have]] = count
        return _step(
            depth,
            np.concatenate(tokens).astype(np.int64),
            np.concatenate(positions),
            ends[:count],
            np.array([*branches, count]),
            keep=False,
            asked=asked,
        )

    def _ask(self, index: int, start: int, end: int, places: Ints) -> tuple[Ints, Ints, Ints]:
        """Predictions of a query at positions `start` to before `end`, which have these places."""
        wanted = self._tokens[index][start + 1 : end + 1].astype(np.int64)
        return places, wanted, np.full(len(wanted), self._order[index])


def _step(
    depth: int,
    tokens: Ints,
    positions: Ints,
    ends: Ints,
    branches: Ints,
    *,
    keep: bool,
    asked: list[tuple[Ints, Ints, Ints]],
) -> Step:
    nothing = np.zeros(0, dtype=np.int64)
    parts = zip(*asked, strict=True) if asked else ([nothing],) * 3
    places, wanted, queries = (np.concatenate(list(part)) for part in parts)
    rows, asked_rows = np.unique(places, return_inverse=True)
    return Step(depth, tokens, positions, ends, branches, keep, rows, asked_rows, wanted, queries)
