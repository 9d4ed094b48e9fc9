"""How numbers are written: shares in per cent, others with four digits, NaN as a dash."""

from __future__ import annotations

import math
import re

from phinery.evaluate.outcome import Estimate

DASH = "–"
# Metrics that are shares of one have one of these words in their names, before a comma.
_WHOLE = ("exact", "exact_match", "matched")
_SHARES = frozenset(("acc", "accuracy", "em", "f1", "mc1", "mc2", "pass", "pct", "rate", "share"))
Z = 1.959963984540054
"""Half the width of a 95% interval in standard errors."""


def is_share(metric: str) -> bool:
    """Whether values of a metric lie between 0 and 1 and are read as per cent."""
    name = metric.lower().partition(",")[0].strip()
    return name in _WHOLE or not _SHARES.isdisjoint(re.split("[^a-z0-9]", name))


def number(value: float | None, metric: str = "", *, sign: bool = True) -> str:
    """A value as text: "62.1%" for a share, "62.1" without `sign`; else "0.4465" or "12.35"."""
    if value is None or not math.isfinite(value):
        return DASH
    if is_share(metric):
        return f"{100 * value:.1f}" + ("%" if sign else "")
    size = abs(value)
    if size >= 100:
        return f"{value:,.1f}"
    return f"{value:.2f}" if size >= 10 else f"{value:.4f}"


def interval(estimate: Estimate, metric: str = "") -> str:
    """Both ends as text, "[58.0, 66.1]", or a dash."""
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return DASH
    low, high = (number(end, metric, sign=False) for end in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def points(estimate: Estimate, metric: str = "") -> str:
    """A difference with its sign and interval: "+2.1 [-0.4, +4.6]"; shares in points."""
    if math.isnan(estimate.value):
        return DASH
    scale, digits = (100, 1) if is_share(metric) else (1, 4)
    value, low, high = (
        f"{scale * one:+.{digits}f}" for one in (estimate.value, estimate.low, estimate.high)
    )
    return value if math.isnan(estimate.low) else f"{value} [{low}, {high}]"


def difference(first: Estimate, second: Estimate) -> Estimate:
    """`second` minus `first` with its interval, the two being taken as independent.

    The distances to the ends are added in squares (Newcombe, Statistics in Medicine 17, 1998,
    method 10). On the same items the true interval is narrower as a rule.
    """
    value = second.value - first.value
    below = math.hypot(second.value - second.low, first.high - first.value)
    above = math.hypot(second.high - second.value, first.value - first.low)
    return Estimate(value, min(first.n, second.n), value - below, value + above)


def standard_error(estimate: Estimate) -> float:
    """The standard error that a 95% interval stands for; NaN without one."""
    return (estimate.high - estimate.low) / (2 * Z)
