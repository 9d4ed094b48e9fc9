"""Which tokens the filters keep, and which one of them is drawn.

The draw is a race (the Gumbel-max trick): every token gets an exponential random time, divided by
its weight, and the earliest wins; a token wins as often as its share of the weights. Two models
that race with the same times mostly agree, so a draft model's proposals are kept far more often
than when one random number picks from the cumulative distribution (Daliri, Musco and Suresh,
"Coupling without communication and drafter-invariant speculative decoding", arXiv 2408.07978).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from phinery.infer.sampling import SamplingParams

Logits = NDArray[np.float32]

# So many of the likeliest tokens nearly always, and mostly, hold the share that top_p asks for.
_HEADS = (1024, 8192)
# How far a sum of float32 exponentials may be off, as a share of it: the argument is at most 88 in
# size and rounded three times (88 * 3 * 2**-24 = 1.6e-5), exp and pairwise sum add 2e-6.
_SUM_ERROR = 2e-5
# Tokens of the same remainder by this number share a part of their random time.
_BLOCKS = 1024
# Up to so many tokens, a random time for each costs less than finding out who can win.
_FEW = 2048
# SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
_GAMMA, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def least_kept(logits: Logits, params: SamplingParams) -> np.float32:
    """The least logit that min_p, top_k and top_p keep, in this order, from logits (vocab,).

    Each filter sees what the one before left, after the temperature. Tokens as likely as the last
    one that a filter keeps are kept too, so one number says it all. The likeliest always stays.
    Decided in float64; float32 only finds the tokens that matter.
    """
    largest = float(logits.max())
    least = np.float32(-np.inf)
    if params.min_p > 0:
        least = _least_likely(logits, largest, params.temperature, params.min_p)
    if 0 < params.top_k < len(logits):
        place = len(logits) - params.top_k
        least = max(least, np.partition(logits, place)[place])
    if params.top_p < 1:
        least = max(least, _nucleus(logits, least, largest, params.temperature, params.top_p))
    return least


def _least_likely(logits: Logits, largest: float, temperature: float, share: float) -> np.float32:
    """The least logit of a weight of at least `share` of the largest one's."""
    distance = temperature * math.log(share)
    # A little lower than the edge, whatever float32 makes of it.
    near = logits >= np.float32(largest + distance - 1e-5 * (abs(largest) - distance))
    # Picking out many is slower than going through all.
    candidates = logits[near] if np.count_nonzero(near) <= _FEW else logits
    scores = (candidates.astype(np.float64) - largest) / temperature
    return np.where(scores >= math.log(share), candidates, np.float32(np.inf)).min()


def _nucleus(
    logits: Logits, least: np.float32, largest: float, temperature: float, share: float
) -> np.float32:
    """The least logit of the fewest tokens that hold `share` of the weight of those >= `least`."""
    if np.isfinite(least):
        kept = logits >= least
        # Picking out many is slower than leaving their places to weights of 0.
        few = np.count_nonzero(kept) <= _HEADS[0]
        logits = logits[kept] if few else np.where(kept, logits, np.float32(-np.inf))
    for size in _HEADS:
        if size >= len(logits):
            break
        edge = _nucleus_within(logits, size, largest, temperature, share)
        if edge is not None:
            return edge
    logits = -np.sort(-logits)
    weights = _weights(logits, largest, temperature)
    # Sums of 256, then single weights in one of them: cumsum is slow.
    ladder = np.cumsum(np.add.reduceat(weights, np.arange(0, len(weights), 256)))
    wanted = share * ladder[-1]
    chunk = _first_reaching(ladder, wanted)
    start = 256 * chunk
    within = np.cumsum(weights[start : start + 256]) + (ladder[chunk - 1] if chunk else 0.0)
    return logits[start + _first_reaching(within, wanted)]


def _nucleus_within(
    logits: Logits, size: int, largest: float, temperature: float, share: float
) -> np.float32 | None:
    """`_nucleus` of all these logits, or None when the `size` largest do not hold the share."""
    place = len(logits) - size
    parted = np.partition(logits, place)
    head, rest = -np.sort(-parted[place:]), parted[:place]
    ladder = np.cumsum(_weights(head, largest, temperature))
    # The rest's weight matters little, so that float32 nearly always settles the question.
    rest -= np.float32(largest)
    rest *= np.float32(1 / temperature)
    about = float(np.exp(rest).sum())
    low = share * (ladder[-1] + about * (1 - _SUM_ERROR))
    high = share * (ladder[-1] + about * (1 + _SUM_ERROR) + 1e-30)
    if ladder[-1] < low:
        return None
    if ladder[-1] < high or _first_reaching(ladder, low) != _first_reaching(ladder, high):
        exact = float(_weights(np.partition(logits, place)[:place], largest, temperature).sum())
        low = share * (ladder[-1] + exact)
        if ladder[-1] < low:
            return None
    return head[_first_reaching(ladder, low)]


def _first_reaching(ladder: NDArray[np.float64], wanted: float) -> int:
    """Where a rising sequence first reaches a number; the last place if rounding kept it below."""
    return min(int(np.searchsorted(ladder, wanted)), len(ladder) - 1)


def _weights(logits: Logits, largest: float, temperature: float) -> NDArray[np.float64]:
    scores = logits.astype(np.float64)
    scores -= largest
    scores /= temperature
    return np.exp(scores, out=scores)


def draw(logits: Logits, params: SamplingParams, key: int) -> int:
    """The token that wins the race among those the filters keep, from logits (vocab,).

    `key` (64 random bits) decides all tokens' times. Logits of minus infinity never win; the
    largest must be finite.
    """
    least = least_kept(logits, params)
    positions = -(-len(logits) // _BLOCKS)
    kept = logits >= least
    if np.count_nonzero(kept) <= _FEW:
        tokens = np.flatnonzero(kept)
    else:
        tokens = _contenders(logits, least, params.temperature, key, positions)
    scores = logits[tokens].astype(np.float64) / params.temperature
    return int(tokens[np.argmin(np.log(_times(tokens, key, positions)) - scores)])


def _contenders(
    logits: Logits, least: np.float32, temperature: float, key: int, positions: int
) -> NDArray[np.int64]:
    """Ids >= `least`, few, the winner among them: no other can be as early as the best of these.

    Tokens come in blocks (see `_times`). No token of a block is earlier than the block's first time
    over its largest weight, so that nearly all blocks are out without a time for each token.
    """
    whole = len(logits) // _BLOCKS * _BLOCKS
    largest = logits[:whole].reshape(-1, _BLOCKS).max(axis=0)
    tail = logits[whole:]
    np.maximum(largest[: len(tail)], tail, out=largest[: len(tail)])
    blocks = np.arange(_BLOCKS)
    bounds = np.log(_first_times(blocks, key, positions))
    bounds -= largest.astype(np.float64) / temperature
    bounds[largest < least] = np.inf

    def tokens_of(chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        tokens = (chosen + _BLOCKS * np.arange(positions)[:, None]).ravel()
        tokens = tokens[tokens < len(logits)]
        return tokens[logits[tokens] >= least]

    tokens = tokens_of(np.argpartition(bounds, 8)[:8])
    scores = logits[tokens].astype(np.float64) / temperature
    best = (np.log(_times(tokens, key, positions)) - scores).min()
    # A margin for what the sums above may round.
    return np.sort(tokens_of(np.flatnonzero(bounds <= best + 1e-9 * (1 + abs(best)))))


def _times(tokens: NDArray[np.int64], key: int, positions: int) -> NDArray[np.float64]:
    """Independent exponential times of tokens, functions of key and id.

    Token i is at position i // 1024 of block i % 1024. Of a block's times the first is at a random
    position, and exponential of a mean of one over their number; the others are as much later as if
    they began then, because an exponential time has no memory. So the first times can be known
    without the others.
    """
    blocks, places = tokens % _BLOCKS, tokens // _BLOCKS
    firsts = (_uniforms(blocks + _BLOCKS, key) * positions).astype(np.int64)
    later = -np.log(_uniforms(tokens + 2 * _BLOCKS, key))
    later[places == firsts] = 0
    return later + _first_times(blocks, key, positions)


def _first_times(blocks: NDArray[np.int64], key: int, positions: int) -> NDArray[np.float64]:
    return -np.log(_uniforms(blocks, key)) / positions


def _uniforms(counters: NDArray[np.int64], key: int) -> NDArray[np.float64]:
    """A number above 0 and below 1 for each counter: SplitMix64's, begun at `key`."""
    bits = counters.astype(np.uint64)
    bits *= np.uint64(_GAMMA)
    bits += np.uint64(key)
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(_MIX_1)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(_MIX_2)
    bits ^= bits >> np.uint64(31)
    return ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
