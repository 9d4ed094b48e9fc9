"""A mixture's plan in whole numbers: how many samples each source gives in each block of a run.

Shares become whole numbers of units before anything is summed, so that every machine makes the
same plan.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LONGEST_BLOCK = 256
_BLOCKS = 128
_MOST_BLOCKS = 2**16
_UNIT = 2**20  # parts of a sample that shares are counted in


class UsedUpError(ValueError):
    """No source that has a weight has anything left."""


def block_ends(samples: int, changes: Sequence[float]) -> NDArray[np.int64]:
    """The numbers of samples at which blocks end, and 0 before the first.

    A block ends at each of `changes`, which are progress from 0 to 1. Else it is a 128th of the
    run, but 256 samples at most, unless there would be too many.
    """
    size = max(1, min(_LONGEST_BLOCK, samples // _BLOCKS), samples // _MOST_BLOCKS)
    edges = [round(place * samples) for place in changes]
    return np.unique(np.array([*range(0, samples, size), *edges, samples], dtype=np.int64))


def whole_targets(shares: NDArray[np.float64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """What each block should take of each source, in units, `(blocks, sources)`, as `shares` is."""
    sizes = np.diff(ends)
    wanted = np.rint(shares * (sizes * _UNIT)[:, None]).astype(np.int64)
    # Rounding is made up for where it matters least.
    rows = np.arange(len(sizes))
    wanted[rows, wanted.argmax(axis=1)] += sizes * _UNIT - wanted.sum(axis=1)
    return wanted


def limited(
    wanted: NDArray[np.int64], caps: Sequence[int | None]
) -> tuple[NDArray[np.int64], dict[int, int]]:
    """Cumulative targets, `(blocks + 1, sources)`, when no source gives more samples than its cap.

    Beside them the number of the block in which a source that is wanted was used up. Its share
    goes to the others in proportion; raises UsedUpError when there are none.
    """
    zero = np.zeros((1, wanted.shape[1]), dtype=np.int64)
    cumulative = np.cumsum(np.concatenate([zero, wanted]), axis=0)
    total = int(cumulative[-1].sum())
    room = np.array(
        [total if cap is None else min(cap * _UNIT, total) for cap in caps], dtype=np.int64
    )
    used_up: dict[int, int] = {}
    if (cumulative[-1] <= room).all():
        return cumulative, used_up
    for block, portions in enumerate(wanted):
        given = _poured(portions, room)
        room -= given
        cumulative[block + 1] = cumulative[block] + given
        for source in np.flatnonzero((room == 0) & (portions > 0)).tolist():
            used_up.setdefault(source, block)
    return cumulative, used_up


def whole_counts(targets: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cumulative samples of each source at each block's end: its target, rounded up or down.

    They never fall, and sum to the block's end. A sample is a job that may be done from the block
    in which its source's target begins to need it, and must be done in the block in which the
    target has it whole. The targets themselves are a schedule for these jobs in fractions, hence
    one in whole jobs exists, and taking the earliest deadline first finds it (Horn, "Some simple
    scheduling algorithms", 1974).
    """
    whole = targets // _UNIT
    counts = np.zeros_like(targets)
    for block in range(1, len(targets)):
        now = np.maximum(counts[block - 1], whole[block])
        rest = int(ends[block] - now.sum())
        assert rest >= 0
        if rest:
            waiting = np.flatnonzero(now * _UNIT < targets[block]).tolist()
            deadlines = [
                int(np.searchsorted(whole[block:, source], now[source] + 1)) for source in waiting
            ]
            first = sorted(zip(deadlines, waiting, strict=True))[:rest]
            assert len(first) == rest
            now[[source for _, source in first]] += 1
        counts[block] = now
    return counts


def _poured(wanted: NDArray[np.int64], room: NDArray[np.int64]) -> NDArray[np.int64]:
    """`wanted`, with what goes beyond `room` given to the others in proportion."""
    total = int(wanted.sum())
    given = np.zeros_like(wanted)
    open_sources = (wanted > 0) & (room > 0)
    while open_sources.any():
        rest = total - int(given.sum())
        portions = np.where(open_sources, wanted, 0)
        portions = np.floor(rest * (portions / portions.sum())).astype(np.int64)
        portions[portions.argmax()] += rest - portions.sum()
        full = open_sources & (portions >= room)
        if not full.any():
            return given + portions
        given[full] = room[full]
        open_sources &= ~full
    if int(given.sum()) < total:
        raise UsedUpError("no source that has a weight has anything left")
    return given
