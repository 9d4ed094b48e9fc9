"""Our figures of known weights against those that others measured on them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from rich.console import Console

from phinery.evaluate.evaluation import Evaluation
from phinery.evaluate.outcome import Estimate, Score
from phinery.evaluate.table import numbers
from phinery.evaluate.table.published import Figure, Published, published
from phinery.evaluate.table.sheets import Row, Sheet
from phinery.evaluate.table.terminal import print_sheet

_MOST_APART = 2.0


@dataclasses.dataclass(frozen=True)
class Check:
    """One of our figures beside another's; values and standard errors are shares of one.

    `apart` is the difference, ours less theirs, in combined standard errors. `within` tells
    whether it is at most two of them; None when the figures cannot be compared, for `reason`.
    """

    task: str
    metric: str
    shots: int | None
    ours: Estimate | None
    our_error: float
    theirs: float
    their_error: float
    apart: float
    within: bool | None
    reason: str
    source: str


def check_published(
    evaluation: Evaluation, name: str, *, shots: Mapping[str, int] | None = None
) -> list[Check]:
    """Compare an evaluation with the independent figures of the weights called `name`.

    A score says with how many examples its task was asked. Of one that does not, `shots` says it,
    by the task's name; where that is silent, those of the suite `phi2` are taken.

    The combined standard error is sqrt(a^2 + b^2). It takes the two as independent, which runs on
    the same items are not: agreement is expected to be closer.
    Raises ValueError for a name without figures.
    """
    known = published()
    if name not in known.independent:
        names = ", ".join(known.independent)
        raise ValueError(f"nobody's figures of {name!r} are known: choose from {names}")
    by_key: dict[str, list[Score]] = {}
    for score in (score for suite in evaluation.suites for score in suite.scores):
        key = known.task_key(score.task)
        if key is not None:
            by_key.setdefault(key, []).append(score)
    return [
        _check(known, figure, by_key.get(figure.of, []), shots or {})
        for figure in known.independent[name]
    ]


def _check(
    known: Published, figure: Figure, scores: Sequence[Score], shots: Mapping[str, int]
) -> Check:
    task = known.tasks[figure.of]

    def shots_of(one: Score) -> int | None:
        return shots.get(one.task, task.shots) if one.shots is None else one.shots

    score = next((one for one in scores if one.metric == figure.metric), None)
    asked = shots_of(score or scores[0]) if scores else task.shots
    ours: Estimate | None = None if score is None else score.estimate
    our_error = math.nan if ours is None else numbers.standard_error(ours)
    reason = ""
    if not scores:
        reason = "did not run"
    elif asked != figure.shots:
        reason = f"{figure.shots} shots, ours {asked}"
    elif score is None or ours is None:
        reason = f"{figure.metric}, ours {', '.join(dict.fromkeys(one.metric for one in scores))}"
    elif figure.groups:
        if len(score.by_group) == figure.groups:
            ours, our_error = _mean_of_groups(score)
        else:
            reason = f"mean of {figure.groups} groups, ours over all items"
    their_error = figure.standard_error / 100
    theirs = figure.value / 100
    apart = math.nan
    if not reason and ours is not None:
        combined = math.hypot(our_error, their_error)
        if math.isnan(ours.value) or not combined > 0:
            reason = "no standard error of ours"
        else:
            apart = (ours.value - theirs) / combined
    return Check(
        task.title,
        figure.metric or "",
        figure.shots,
        ours,
        our_error,
        theirs,
        their_error,
        apart,
        None if reason else abs(apart) <= _MOST_APART,
        reason,
        known.sources[figure.source].url,
    )


def _mean_of_groups(score: Score) -> tuple[Estimate, float]:
    groups = list(score.by_group.values())
    value = math.fsum(one.value for one in groups) / len(groups)
    error = math.hypot(*(numbers.standard_error(one) for one in groups)) / len(groups)
    half = numbers.Z * error
    return Estimate(value, sum(one.n for one in groups), value - half, value + half), error


def check_sheet(checks: Sequence[Check]) -> Sheet:
    """The checks as a table, those that cannot be compared at the end."""
    ordered = sorted(checks, key=lambda check: check.within is None)
    rows = tuple(
        Row(
            (
                check.task,
                check.metric,
                str(check.shots),
                _with_error(check.ours.value if check.ours else math.nan, check.our_error),
                f"{check.ours.n:,}" if check.ours else numbers.DASH,
                _with_error(check.theirs, check.their_error),
                numbers.DASH if check.within is None else f"{check.apart:+.1f}",
                check.reason or ("yes" if check.within else "NO"),
            )
        )
        for check in ordered
    )
    compared = [check for check in checks if check.within is not None]
    within = sum(bool(check.within) for check in compared)
    return Sheet(
        title="Against independent figures",
        header=("task", "metric", "shots", "ours", "n", "theirs", "apart", "within two"),
        rows=rows,
        text_columns=(1, 7),
        notes=(
            f"{within} of {len(compared)} within two combined standard errors; "
            f"{len(checks) - len(compared)} not comparable. In per cent, with standard errors.",
            *dict.fromkeys(f"Source: {check.source}" for check in checks),
        ),
    )


def _with_error(value: float, error: float) -> str:
    text = numbers.number(value, "acc", sign=False)
    return text if math.isnan(error) or math.isnan(value) else f"{text} ±{100 * error:.1f}"


def print_checks(checks: Sequence[Check], console: Console | None = None) -> None:
    """Print the checks as a table."""
    print_sheet(check_sheet(checks), console or Console())
