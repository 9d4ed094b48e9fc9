"""Mixtures: which source each training sample comes from, as a function of progress.

A plan is made before training: how many samples each source gives in each short block of the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phinery.data.plan import UsedUpError, block_ends, limited, whole_counts, whole_targets
from phinery.data.sampler import (
    ORDERS,
    Batch,
    Order,
    Sampler,
    keyed_hash,
    order_sha256,
    permuted,
    shards_sha256,
)
from phinery.data.shards import TokenShards

Weight = float | Sequence[float] | Sequence[tuple[float, float]]
"""A constant, `[start, end]` for a straight line, or `[(progress, weight), ...]` for several."""


@dataclass(frozen=True)
class Anneal:
    """The end of training: its last `share` has weights of its own, which don't change in it.

    A source that `weights` doesn't name is left out of it. Raises ValueError for a share that is
    not between 0 and 1.
    """

    share: float
    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"anneal.share is {self.share}, but must be between 0 and 1")


@dataclass(frozen=True)
class Mixture:
    """Named sources, what each weighs as training goes on, and how often it may repeat.

    weights
        By source. Progress goes from 0 to 1; a weight is constant before its first and after its
        last point. A source's share is its weight divided by the sum of all.
    anneal
        Other weights for the end of training.
    epochs
        The most epochs of a source. Once they are used up its weight goes to the others in
        proportion. Sources that are not named repeat without end.
    order
        By source "random", or "difficulty" for one whose documents were written from easy to hard.

    Raises ValueError, in one line, for weights that are negative, not finite or zero together, for
    points out of order, and for names that are no source of the mixture.
    """

    weights: Mapping[str, Weight]
    anneal: Anneal | None = None
    epochs: Mapping[str, float] = field(default_factory=dict[str, float])
    order: Mapping[str, Order] = field(default_factory=dict[str, Order])

    def __post_init__(self) -> None:
        if not self.weights:
            raise ValueError("a mixture has no sources: name one at least, with its weight")
        named = {"epochs": self.epochs, "order": self.order}
        if self.anneal is not None:
            named["anneal.weights"] = self.anneal.weights
        for part, values in named.items():
            unknown = [name for name in values if name not in self.weights]
            if unknown:
                raise ValueError(
                    f"{part} names {', '.join(unknown)}, but the mixture's sources are "
                    f"{', '.join(self.weights)}"
                )
        for name, cap in self.epochs.items():
            if not (_is_number(cap) and cap > 0):
                raise ValueError(f"epochs of {name} is {cap!r}: it must be a number above 0")
        for name, order in self.order.items():
            if order not in ORDERS:
                raise ValueError(f"order of {name} is {order!r}: {' and '.join(ORDERS)} exist")
        edges = self.changes()
        self._check_sums(np.array([*edges, *((a + b) / 2 for a, b in pairwise(edges))]))

    @property
    def names(self) -> tuple[str, ...]:
        """The sources, in the order of the weights."""
        return tuple(self.weights)

    def shares(self, progress: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares that sum to 1, `(points, sources)`, wanted at each progress from 0 to 1.

        What a run gets differs where a source is used up: `MixtureSampler.shares` tells that.
        """
        weights = self._weights_at(progress)
        return weights / weights.sum(axis=1, keepdims=True)

    def _weights_at(self, progress: NDArray[np.float64]) -> NDArray[np.float64]:
        columns: list[NDArray[np.float64]] = []
        for name, weight in self.weights.items():
            points = _points(name, weight)
            places, heights = zip(*points, strict=True)
            column = np.interp(progress, places, heights)
            if self.anneal is not None:
                last = _constant(name, self.anneal.weights.get(name, 0))
                column = np.where(progress >= 1 - self.anneal.share, last, column)
            columns.append(column)
        return np.stack(columns, axis=1)

    def changes(self) -> list[float]:
        """Where a weight's line bends or jumps, with 0 and 1."""
        places = {0.0, 1.0}
        for name, weight in self.weights.items():
            places |= {place for place, _ in _points(name, weight)}
        if self.anneal is not None:
            places.add(1 - self.anneal.share)
        return sorted(places)

    def _check_sums(self, progress: NDArray[np.float64]) -> None:
        """Between changes all weights are straight lines: ends and middles tell everything."""
        sums = self._weights_at(progress).sum(axis=1)
        if not (sums > 0).all():
            place = float(progress[np.argmin(sums)])
            raise ValueError(
                f"all weights of the mixture are 0 at progress {place:.3g}: give one source a "
                "weight there"
            )


@dataclass(frozen=True)
class SourcePlan:
    """What a run takes of a source."""

    samples: int
    tokens: int
    """Inputs of the samples; a token that is seen twice counts twice."""
    epochs: float
    held_tokens: int
    """Tokens that the source has."""
    used_up_at: float | None
    """The progress at which its epochs were used up, if they were."""


class MixtureSampler:
    """Numbered training samples that are drawn from several sources after a `Mixture`.

    Sample i of `samples` is a function of (seed, mixture, shards, i) alone. At every block's end,
    each source has given the number of samples that its shares add up to, rounded up or down: a
    block is a 128th of the run, 256 samples at most, and ends where a weight changes its course.
    Within a block a keyed permutation mixes the sources. Each source's samples come in the order of
    its own `Sampler`.
    """

    def __init__(
        self,
        sources: Mapping[str, TokenShards],
        mixture: Mixture,
        *,
        sequence_length: int,
        seed: int,
        samples: int,
    ) -> None:
        """Plan a run of `samples` samples.

        Raises ValueError for sources that the mixture doesn't know or that don't exist, that were
        encoded with different tokenizers or hold less than one window, and when the epochs that are
        allowed don't yield enough samples.
        """
        if samples < 1:
            raise ValueError(f"samples is {samples}: a run has one at least")
        _check_names(sources, mixture)
        self.sources = {name: sources[name] for name in mixture.names}
        self.mixture = mixture
        self.sequence_length = sequence_length
        self.seed = seed
        self.samples = samples
        self.eos_token_id = _common_eos(self.sources)
        self.samplers = {name: self._sampler(name) for name in mixture.names}
        self._ends = block_ends(samples, mixture.changes())
        caps = [
            math.floor(mixture.epochs[name] * sampler.windows_per_epoch)
            if name in mixture.epochs
            else None
            for name, sampler in self.samplers.items()
        ]
        middles = (self._ends[:-1] + self._ends[1:]) / (2 * samples)
        wanted = whole_targets(mixture.shares(middles), self._ends)
        try:
            targets, self._used_up = limited(wanted, caps)
        except UsedUpError as error:
            raise ValueError(self._too_little(caps)) from error
        self._counts = whole_counts(targets, self._ends)
        for name, count in zip(mixture.names, self._counts[-1].tolist(), strict=True):
            if mixture.order.get(name) == "difficulty" and count:
                windows = self.samplers[name].windows_per_epoch
                passes = -(-count // windows)
                self.samplers[name] = self._sampler(name, span=-(-count // passes))

    def __len__(self) -> int:
        """Samples of the run."""
        return self.samples

    @property
    def plan(self) -> dict[str, SourcePlan]:
        """What the run takes of each source."""
        plans: dict[str, SourcePlan] = {}
        for number, (name, count) in enumerate(self.counts(self.samples).items()):
            block = self._used_up.get(number)
            plans[name] = SourcePlan(
                samples=count,
                tokens=count * self.sequence_length,
                epochs=count / self.samplers[name].windows_per_epoch,
                held_tokens=self.sources[name].num_tokens,
                used_up_at=None if block is None else float(self._ends[block + 1] / self.samples),
            )
        return plans

    def counts(self, samples: int) -> dict[str, int]:
        """How many of the run's first `samples` samples come from each source.

        They are the first ones of the source's own sampler, in `samplers`, but for the order within
        the block in which `samples` ends.
        """
        if not 0 <= samples <= self.samples:
            raise ValueError(f"the run has {self.samples} samples, not {samples}")
        block = int(np.searchsorted(self._ends, samples, side="right")) - 1
        counts = self._counts[block].copy()
        for index in range(int(self._ends[block]), samples):
            counts[self._place(index)[0]] += 1
        return dict(zip(self.mixture.names, counts.tolist(), strict=True))

    def shares(self, points: int = 64) -> dict[str, list[float]]:
        """Each source's share of the samples in each of `points` equal stretches of the run.

        "progress" has the middles of the stretches. A run of few blocks has fewer stretches.
        """
        places = np.unique(np.linspace(0, len(self._ends) - 1, points + 1).round().astype(int))
        ends = self._ends[places]
        shares = np.diff(self._counts[places], axis=0) / np.diff(ends)[:, None]
        table = {"progress": ((ends[1:] + ends[:-1]) / (2 * self.samples)).tolist()}
        for name, column in zip(self.mixture.names, shares.T, strict=True):
            table[name] = column.tolist()
        return table

    def locate(self, index: int) -> tuple[str, int]:
        """The source of sample `index` and its number among the samples of that source."""
        if not 0 <= index < self.samples:
            raise ValueError(f"sample {index} does not exist: the run has {self.samples}")
        source, number = self._place(index)
        return self.mixture.names[source], number

    def sample(self, index: int) -> NDArray[np.int64]:
        """The tokens of sample `index`, `(sequence_length + 1,)`: inputs and the last label."""
        name, number = self.locate(index)
        return self.samplers[name].sample(number)

    def batch(self, first_index: int, count: int) -> Batch:
        """Samples `first_index` to `first_index + count - 1`, of whatever sources."""
        rows = [self.sample(index) for index in range(first_index, first_index + count)]
        return Batch.of_rows(rows, self.eos_token_id)

    def fingerprint(self) -> dict[str, Any]:
        """What the samples are and in which order they come, ready for JSON."""
        powers = (2**power for power in range(self.samples.bit_length()))
        indices = [0, *(index for index in powers if index < self.samples)]
        return {
            "seed": self.seed,
            "samples": self.samples,
            "tokens": sum(shards.num_tokens for shards in self.sources.values()),
            "shards_sha256": {name: shards_sha256(part) for name, part in self.sources.items()},
            "counts": self.counts(self.samples),
            "order_sha256": order_sha256(self, indices),
        }

    def _place(self, index: int) -> tuple[int, int]:
        """The number of the source of a sample, and the sample's number within it."""
        block = int(np.searchsorted(self._ends, index, side="right")) - 1
        before = self._counts[block]
        bounds = np.cumsum(self._counts[block + 1] - before)
        key = keyed_hash(b"", f"phinery-mixture/{self.seed}/block/{block}".encode(), 32)
        place = permuted(index - int(self._ends[block]), int(bounds[-1]), key)
        source = int(np.searchsorted(bounds, place, side="right"))
        first = int(bounds[source - 1]) if source else 0
        return source, int(before[source]) + place - first

    def _sampler(self, name: str, span: int | None = None) -> Sampler:
        digest = keyed_hash(b"", f"phinery-mixture/{self.seed}/source/{name}".encode(), 8)
        try:
            return Sampler(
                self.sources[name],
                sequence_length=self.sequence_length,
                seed=int.from_bytes(digest, "little"),
                order=self.mixture.order.get(name, "random"),
                span=span,
            )
        except ValueError as error:
            raise ValueError(f"source {name}: {error}") from error

    def _too_little(self, caps: Sequence[int | None]) -> str:
        held = [
            f"{name} {self.sources[name].num_tokens:,} tokens x {self.mixture.epochs[name]:g}"
            for name, cap in zip(self.mixture.names, caps, strict=True)
            if cap is not None
        ]
        return (
            f"the run needs {self.samples * self.sequence_length:,} tokens, but the sources that "
            f"have a weight are used up before its end ({', '.join(held)}): allow more epochs, add "
            "text or train on fewer tokens"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _constant(name: str, weight: object) -> float:
    if not (isinstance(weight, int | float) and math.isfinite(weight) and weight >= 0):
        raise ValueError(f"a weight of {name} is {weight!r}: it must be a number of 0 or more")
    return float(weight)


def _points(name: str, weight: Weight) -> list[tuple[float, float]]:
    """A weight as points (progress, weight) that straight lines join."""
    if isinstance(weight, int | float):
        return [(0.0, _constant(name, weight))]
    items = list(weight)
    if len(items) == 2 and not any(isinstance(item, Sequence) for item in items):
        start, end = items
        return [(0.0, _constant(name, start)), (1.0, _constant(name, end))]
    points: list[tuple[float, float]] = []
    for item in items:
        if not (isinstance(item, Sequence) and len(item) == 2 and _is_number(item[0])):
            raise ValueError(
                f"the weight of {name} is {weight!r}: write a number, [start, end], or "
                "[[progress, weight], ...]"
            )
        points.append((float(item[0]), _constant(name, item[1])))
    places = [place for place, _ in points]
    if not points or places != sorted(places) or not 0 <= places[0] <= places[-1] <= 1:
        raise ValueError(
            f"the weight of {name} has its points at progress {places}: they must go from 0 to 1 "
            "in order"
        )
    return points


def _check_names(sources: Mapping[str, TokenShards], mixture: Mixture) -> None:
    missing = [name for name in mixture.names if name not in sources]
    if missing:
        raise ValueError(
            f"the mixture names {', '.join(missing)}, but the sources are {', '.join(sources)}"
        )
    forgotten = [name for name in sources if name not in mixture.weights]
    if forgotten:
        raise ValueError(
            f"the mixture gives no weight to {', '.join(forgotten)}: give one, 0 to leave it out"
        )


def _common_eos(sources: Mapping[str, TokenShards]) -> int:
    tokenizers = {shards.manifest.get("tokenizer_sha256") for shards in sources.values()}
    ends = {shards.eos_token_id for shards in sources.values()}
    if len(tokenizers) > 1 or len(ends) > 1:
        raise ValueError(
            "the sources of the mixture were encoded with different tokenizers: write their shards "
            "with one"
        )
    return ends.pop()
