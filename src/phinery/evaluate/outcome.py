"""What a task measured, item by item, and the scores that follow from it.

Tasks leave outcomes: one row of figures an item, and the statistic that makes one number of them.
Intervals, scores by group and scores without tainted items follow from the same rows.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
_CONFIDENCE = 0.95

Values = NDArray[np.float64]
Statistic = Callable[[Values], float]


def mean(values: Values) -> float:
    """Mean of the first column of (n, k) values; NaN of nothing."""
    return float(values[:, 0].mean()) if len(values) else math.nan


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """What a task measured, before it is a number.

    Parameters
    ----------
    task, metric : as in the tables: "piqa", "acc".
    benchmark : the name of the items' folder and of their entry in a refining's `tainted.json`.
    ids : (n,) items' ids, as `phinery.data.contamination.read_items` gives them.
    values : float64 (n, k), what `statistic` takes of each item.
    statistic : (m, k) values to a number, NaN where it has none; the mean by default.
    groups : (n,) which group an item belongs to; empty when there are none.
    units : (n,) what is drawn together when resampling, such as the questions on one passage; empty
        when each item stands for itself.
    chance, majority : what guessing, and always giving the commonest answer, would score.
    higher_is_better : None where neither end is good (a bias score whose ideal is in the middle).
    ideal : the best value where that is neither end.
    note : what a reader must know about this figure, in a sentence or less.
    harness, shots : the task of the public harness that was asked, and with how many examples;
        empty and None for measures of our own.
    """

    task: str
    metric: str
    ids: tuple[str, ...]
    values: Values
    benchmark: str = ""
    statistic: Statistic = mean
    groups: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    chance: float | None = None
    majority: float | None = None
    higher_is_better: bool | None = True
    ideal: float | None = None
    note: str = ""
    harness: str = ""
    shots: int | None = None

    def __post_init__(self) -> None:
        n = len(self.ids)
        assert self.values.ndim == 2
        assert len(self.values) == n
        assert len(self.groups) in (0, n)
        assert len(self.units) in (0, n)

    def only(self, chosen: NDArray[np.bool_]) -> Outcome:
        """The outcome on the items that are marked in (n,) `chosen`."""
        rows = np.flatnonzero(chosen).tolist()
        return dataclasses.replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            values=self.values[rows],
            groups=tuple(self.groups[row] for row in rows) if self.groups else (),
            units=tuple(self.units[row] for row in rows) if self.units else (),
        )


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number, how many items it rests on, and its 95% interval. NaN where there is none."""

    value: float
    n: int
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Score:
    """A task's number with all that belongs beside it; the fields are those of `Outcome`.

    `tainted` counts the items that the training text gave away, None when nobody looked; `clean` is
    the estimate without them. `by_group` has an estimate for each group.
    """

    task: str
    metric: str
    estimate: Estimate
    chance: float | None = None
    majority: float | None = None
    higher_is_better: bool | None = True
    ideal: float | None = None
    note: str = ""
    tainted: int | None = None
    clean: Estimate | None = None
    by_group: Mapping[str, Estimate] = dataclasses.field(default_factory=dict[str, Estimate])
    harness: str = ""
    shots: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON values; NaN becomes None."""
        fields = dataclasses.asdict(self)
        estimate = fields.pop("estimate")
        plain: dict[str, Any] = _without_nan({**fields, **estimate})
        return plain

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Score:
        """The inverse of `as_dict`."""
        rest = dict(fields)
        own = {name: rest.pop(name) for name in ("value", "n", "low", "high")}
        clean = rest.pop("clean")
        groups = {name: _estimate_of(one) for name, one in rest.pop("by_group").items()}
        return cls(
            **rest,
            estimate=_estimate_of(own),
            clean=None if clean is None else _estimate_of(clean),
            by_group=groups,
        )


def score_of(
    outcome: Outcome, tainted: Mapping[str, Collection[str]] | None = None, *, seed: int = 0
) -> Score:
    """The score of an outcome: by group, and without items that `tainted` names.

    `tainted` maps each benchmark that was looked for in the training text to the ids of its items
    that were found there; of others, and when it is None, nobody knows. The intervals are drawn
    from `seed` alone.
    """
    groups = np.array(outcome.groups)
    by_group = {
        name: estimate_of(outcome.only(groups == name), seed=seed)
        for name in dict.fromkeys(outcome.groups)
    }
    clean, count = None, None
    if tainted is not None and outcome.benchmark in tainted:
        given_away = tainted[outcome.benchmark]
        is_clean = np.array([one not in given_away for one in outcome.ids], dtype=bool)
        count = int((~is_clean).sum())
        clean = estimate_of(outcome.only(is_clean), seed=seed) if count else None
    return Score(
        outcome.task,
        outcome.metric,
        estimate_of(outcome, seed=seed),
        chance=outcome.chance,
        majority=outcome.majority,
        higher_is_better=outcome.higher_is_better,
        ideal=outcome.ideal,
        note=outcome.note,
        tainted=count,
        clean=clean,
        by_group=by_group,
        harness=outcome.harness,
        shots=outcome.shots,
    )


def estimate_of(outcome: Outcome, *, seed: int = 0) -> Estimate:
    """The statistic and its percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13).

    Items, or units of items, are drawn with replacement 1,000 times. NaN without items. Where all
    draws give the same, the bootstrap knows nothing: the ends are NaN, or for shares of successes
    Wilson's (JASA 22, 1927), by the number of units.
    """
    n = len(outcome.ids)
    if not n:
        return Estimate(math.nan, 0, math.nan, math.nan)
    value = outcome.statistic(outcome.values)
    alone = len(set(outcome.units)) if outcome.units else n
    column = outcome.values[:, 0]
    is_share = outcome.statistic is mean and outcome.values.shape[1] == 1
    if is_share and column[0] in (0.0, 1.0) and (column == column[0]).all():
        low, high = wilson(float(column[0]) * alone, alone)
        return Estimate(value, n, low, high)
    unknown = Estimate(value, n, math.nan, math.nan)
    if math.isnan(value) or alone == 1:
        return unknown
    drawn = _resampled(outcome, np.random.default_rng([seed, n]))
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < RESAMPLES // 2:
        return unknown
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]).tolist()
    return unknown if low == high else Estimate(value, n, low, high)


def wilson(successes: float, n: int) -> tuple[float, float]:
    """95% interval of a share of successes (Wilson 1927)."""
    z = 1.959963984540054
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def _resampled(outcome: Outcome, generator: np.random.Generator) -> Values:
    """(1000,) the statistic of each resample."""
    values = outcome.values
    if outcome.units:
        _, unit_of = np.unique(outcome.units, return_inverse=True)
        rows = np.argsort(unit_of, kind="stable")
        sizes = np.bincount(unit_of)
        starts = np.cumsum(sizes) - sizes

        def draw_units() -> NDArray[np.int64]:
            units = generator.integers(len(sizes), size=len(sizes))
            counts = sizes[units]
            # Of each drawn unit its first place in `rows`, then its second, and so on.
            place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            return rows[np.repeat(starts[units], counts) + place]

        draws = (draw_units() for _ in range(RESAMPLES))
    else:
        draws = (generator.integers(len(values), size=len(values)) for _ in range(RESAMPLES))
    return np.array([outcome.statistic(values[draw]) for draw in draws])


def _estimate_of(fields: Mapping[str, Any]) -> Estimate:
    value, low, high = (
        math.nan if fields[name] is None else float(fields[name])
        for name in ("value", "low", "high")
    )
    return Estimate(value, int(fields["n"]), low, high)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
