"""Near-duplicates: which documents are alike, and which one of them stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phinery.data.duplicates.minhash import AGREEMENT, BANDS, NUM_HASHES, band_key, has_signature

_NEIGHBOURS = 3
"""How many documents before it in a run a document is compared with, besides the run's first."""
_PAIRS_AT_ONCE = 2**15


@dataclass(frozen=True)
class Clusters:
    """Documents in clusters of near-duplicates. A document is known by its place, 0 to n - 1."""

    survivor: NDArray[np.int64]
    """(n,): the document that stays of each document's cluster; itself when it is alone."""
    links: NDArray[np.int64]
    """(m, 2): pairs found alike, enough of them to hold every cluster together. The first of a
    pair is the better by (quality, id); sorted."""
    agreement: NDArray[np.float32]
    """(m,): the share of equal places in the signatures of each pair of `links`."""
    candidates: int
    """How many pairs of signatures were compared."""

    @property
    def num_duplicates(self) -> int:
        """How many documents another one stands for."""
        return int(np.count_nonzero(self.survivor != np.arange(len(self.survivor))))

    @property
    def num_clusters(self) -> int:
        """How many clusters of two documents or more there are."""
        return len(np.unique(self.survivor[self.survivor != np.arange(len(self.survivor))]))

    @property
    def largest(self) -> int:
        """The documents of the largest cluster; 0 without documents."""
        return int(np.bincount(self.survivor).max(initial=0))


def near_duplicates(
    signatures: Sequence[NDArray[np.uint32]],
    quality: NDArray[np.float64],
    ids: Sequence[str] | NDArray[np.str_] | NDArray[np.object_],
    *,
    agreement: float = AGREEMENT,
) -> Clusters:
    """Cluster documents by their signatures, (n_i, 112) for each shard, n in all.

    Documents that share a band are candidates; a candidate pair whose signatures agree in a share
    of `agreement` or more of all places is linked, and links make clusters. Of a cluster the
    document of the greatest `quality` stays, of equals the one with the smallest id, whatever the
    order of shards and documents. In a band that many documents share, each is compared with the
    first of them and a few before it, so that the cost grows with their number, not its square.
    Documents without a signature are linked to none.

    Holds about 120 bytes for each document, and 30 MB for pairs; arrays of signatures may be
    memory maps. Raises ValueError when the lengths differ, a quality is not finite, `agreement`
    is not within (0, 1] or signatures have another shape.
    """
    n = sum(len(shard) for shard in signatures)
    _check_arguments(n, quality, ids, agreement)
    order = _ranking(quality, ids)
    rows = _Rows(signatures)
    signed = np.concatenate([has_signature(shard) for shard in signatures] or [_NONE])
    ranks = np.flatnonzero(signed[order])
    forest = _Forest(n)
    links: list[NDArray[np.int64]] = []
    shares: list[NDArray[np.float32]] = []
    candidates = 0
    for band in range(BANDS):
        keys = _keys_of(signatures, band, n)[order][ranks]
        pairs = ranks[_candidates(keys)]
        del keys
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            part = pairs[start : start + _PAIRS_AT_ONCE]
            part = part[forest.root(part[:, 0]) != forest.root(part[:, 1])]
            share = rows.agreement(order[part[:, 0]], order[part[:, 1]])
            candidates += len(part)
            alike = share >= agreement
            forest.join(part[alike])
            links.append(part[alike])
            shares.append(share[alike])
    survivor = np.empty(n, dtype=np.int64)
    survivor[order] = order[forest.root(np.arange(n))]
    linked = order[np.concatenate(links)] if links else np.empty((0, 2), dtype=np.int64)
    linked_share = np.concatenate(shares) if shares else np.empty(0, dtype=np.float32)
    by_place = np.lexsort((linked[:, 1], linked[:, 0]))
    return Clusters(survivor, linked[by_place], linked_share[by_place], candidates)


_NONE = np.empty(0, dtype=np.bool_)


def _check_arguments(
    n: int,
    quality: NDArray[np.float64],
    ids: Sequence[str] | NDArray[np.str_] | NDArray[np.object_],
    agreement: float,
) -> None:
    if quality.shape != (n,) or len(ids) != n:
        raise ValueError(
            f"{n} signatures, {len(quality)} qualities and {len(ids)} ids: give one of each "
            "for every document"
        )
    if not np.isfinite(quality).all():
        raise ValueError("a quality is not a number: give documents without one the lowest")
    if not 0 < agreement <= 1:
        raise ValueError(f"agreement is {agreement}, but a share above 0 and up to 1 is needed")


def _ranking(
    quality: NDArray[np.float64], ids: Sequence[str] | NDArray[np.str_] | NDArray[np.object_]
) -> NDArray[np.int64]:
    """Documents from the best to the worst: by falling quality, equals by rising id."""
    order = np.argsort(-quality, kind="stable")
    ends = np.flatnonzero(np.diff(quality[order])) + 1
    for start, end in zip([0, *ends], [*ends, len(order)], strict=True):
        if end - start > 1:
            order[start:end] = sorted(order[start:end].tolist(), key=ids.__getitem__)
    return order


def _keys_of(signatures: Sequence[NDArray[np.uint32]], band: int, n: int) -> NDArray[np.uint64]:
    keys = np.empty(n, dtype=np.uint64)
    start = 0
    for shard in signatures:
        keys[start : start + len(shard)] = band_key(shard, band)
        start += len(shard)
    return keys


def _candidates(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pairs of places with equal keys, (m, 2), the smaller place first, m linear in len(keys).

    The places of equal keys, in rising order, make a run: each is paired with the run's first and
    with those up to `_NEIGHBOURS` before it.
    """
    places = np.argsort(keys, kind="stable")
    in_order = keys[places]
    as_before = np.zeros(len(keys), dtype=np.bool_)
    as_before[1:] = in_order[1:] == in_order[:-1]
    del in_order
    shared = as_before | np.append(as_before[1:], False)
    places, as_before = places[shared], as_before[shared]
    at = np.arange(len(places))
    depth = at - np.maximum.accumulate(np.where(as_before, 0, at))
    # The pairs with the first come first: their links spare most others, and are what one reads.
    later = [at[depth >= 1], *(at[depth > back] for back in range(1, _NEIGHBOURS + 1))]
    earlier = [later[0] - depth[later[0]], *(on - back for back, on in enumerate(later[1:], 1))]
    return places[np.stack([np.concatenate(earlier), np.concatenate(later)], axis=1)]


class _Rows:
    """Rows of arrays that lie one after another."""

    def __init__(self, arrays: Sequence[NDArray[np.uint32]]) -> None:
        self._arrays = arrays
        self._starts = np.cumsum([0, *(len(array) for array in arrays)])

    def agreement(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        """The share of equal places of rows `left` and rows `right`, pair by pair."""
        wanted, places = np.unique(np.concatenate([left, right]), return_inverse=True)
        rows = np.empty((len(wanted), NUM_HASHES), dtype=np.uint32)
        bounds = np.searchsorted(wanted, self._starts)
        for number in np.flatnonzero(np.diff(bounds)).tolist():
            part = slice(bounds[number], bounds[number + 1])
            rows[part] = self._arrays[number][wanted[part] - self._starts[number]]
        equal = rows[places[: len(left)]] == rows[places[len(left) :]]
        return (np.count_nonzero(equal, axis=1) / NUM_HASHES).astype(np.float32)


class _Forest:
    """Disjoint sets of the numbers 0 to n - 1, whose roots are their smallest members."""

    def __init__(self, n: int) -> None:
        self._parent = np.arange(n)

    def root(self, members: NDArray[np.int64]) -> NDArray[np.int64]:
        """The root of the set of each member."""
        roots = self._parent[members]
        while not np.array_equal(above := self._parent[roots], roots):
            roots = above
        self._parent[members] = roots
        return roots

    def join(self, pairs: NDArray[np.int64]) -> None:
        """Unite the sets of the two members of each pair.

        Every round hangs each root that has a smaller neighbour below the smallest one, which
        leaves at most half of the roots that still have a neighbour.
        """
        while True:
            left, right = self.root(pairs[:, 0]), self.root(pairs[:, 1])
            apart = left != right
            if not apart.any():
                return
            pairs = np.stack([left[apart], right[apart]], axis=1)
            np.minimum.at(self._parent, pairs.max(axis=1), pairs.min(axis=1))
