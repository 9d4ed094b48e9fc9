"""Reads the curves of the growth benchmark: what growing saves, at which budget; draws them.

Everything is computed from what the JSON file holds:

    python benchmarks/growth_report.py benchmarks/results/growth.json [MORE.json ...]
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from phinery.files import read_json, write_atomic

SMALL = "small model"
# Two-sided 95% of Student's t for the mean of so many.
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
COLOURS = {
    "random": "#7b8490",
    "lossless": "#2f66d0",
    "tile": "#2f9e5b",
    "stack": "#d0602f",
}
OTHER_COLOURS = ("#8a4fc4", "#b8860b", "#2f9ea8")
# Neighbouring points over which a held-out curve is averaged: at a constant rate it jitters.
SMOOTH = 3

Points = list[tuple[float, float]]
"""Steps and held-out loss."""


@dataclasses.dataclass(frozen=True)
class Curve:
    """A training: what it cost and the held-out loss on the way."""

    pair: str
    seed: int
    method: str
    parameters: int
    tokens_per_step: int
    flops_per_step: float
    steps: int
    points: list[list[float]]
    seconds: float
    reached: bool = False
    """Whether it ended before its steps were done, since it was as good as random."""

    @property
    def smoothed(self) -> Points:
        """The curve with every point the mean, in both directions, of it and its neighbours."""
        return smoothed(self.points)


def smoothed(points: Sequence[Sequence[float]]) -> Points:
    """The first point, then the means of each SMOOTH neighbouring points, steps and losses."""
    first = [(points[0][0], points[0][1])]
    windows = (points[place : place + SMOOTH] for place in range(len(points) - SMOOTH + 1))
    means = [
        (statistics.fmean(step for step, _ in part), statistics.fmean(loss for _, loss in part))
        for part in windows
    ]
    return first + [point for point in means if point[0] > first[0][0]]


def steps_to_reach(points: Points, target: float) -> float | None:
    """Steps at which a smoothed curve first is at `target`, in a straight line between points."""
    if points[0][1] <= target:
        return points[0][0]
    for (step, loss), (next_step, next_loss) in itertools.pairwise(points):
        if next_loss <= target:
            return step + (loss - target) / (loss - next_loss) * (next_step - step)
    return None


def best_until(points: Points, step: float) -> float:
    """The lowest loss of a smoothed curve up to a step, in straight lines between points."""
    best = math.inf
    for (before, loss), (after, next_loss) in itertools.pairwise(points):
        if step < before:
            break
        share = min((step - before) / (after - before), 1.0)
        best = min(best, loss, loss + share * (next_loss - loss))
    return best


def budgets(random: Curve, small: Curve) -> list[float]:
    """Steps of random at which to compare: all, a half, a quarter ... down to the small one's."""
    whole = random.smoothed[-1][0]
    least = small.steps * small.tokens_per_step / random.tokens_per_step
    halves = [whole]
    # The last point of a smoothed curve lies one evaluation before the end: hence the tolerance.
    while halves[-1] / 2 >= 0.9 * least:
        halves.append(halves[-1] / 2)
    return halves


def savings(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """For each pair, budget and method: the share of random's operations saved, over the seeds."""
    by_run = {(curve.pair, curve.method, curve.seed): curve for curve in curves}
    rows: list[dict[str, Any]] = []
    for pair in _distinct(curve.pair for curve in curves):
        seeds = [seed for name, method, seed in by_run if (name, method) == (pair, "random")]
        seeds = [seed for seed in seeds if (pair, SMALL, seed) in by_run]
        methods = _distinct(curve.method for curve in curves if curve.pair == pair)
        if not seeds:
            continue
        random, small = (by_run[pair, method, seeds[0]] for method in ("random", SMALL))
        for budget in budgets(random, small):
            for method in methods:
                if method in ("random", SMALL):
                    continue
                tried = [
                    tuple(by_run[pair, name, seed] for name in ("random", SMALL, method))
                    for seed in seeds
                    if (pair, method, seed) in by_run
                ]
                row = {
                    "pair": pair,
                    "method": method,
                    "tokens": budget * random.tokens_per_step,
                    "tokens_per_parameter": budget * random.tokens_per_step / random.parameters,
                    "of_small_tokens": budget
                    * random.tokens_per_step
                    / (small.steps * small.tokens_per_step),
                }
                rows.append(row | _saved(tried, budget))
    return rows


def _saved(tried: Sequence[tuple[Curve, ...]], budget: float) -> dict[str, Any]:
    """What was saved up to `budget`, in steps, with each (random, small, grown)."""
    alone: list[float] = []
    counted: list[float] = []
    unreached = 0
    for random, small, grown in tried:
        target = best_until(random.smoothed, budget)
        steps = steps_to_reach(grown.smoothed, target)
        if steps is None:
            unreached += 1
            continue
        # Of random too the first step that is as good: where the curve is flat it jitters.
        first = steps_to_reach(random.smoothed, target)
        assert first is not None
        whole = first * random.flops_per_step
        used = steps * grown.flops_per_step
        alone.append(1 - used / whole)
        counted.append(1 - (used + small.steps * small.flops_per_step) / whole)
    return {
        "seeds": len(alone),
        "unreached": unreached,
        # Without those that were no better than random a mean would flatter.
        "saved": None if unreached else mean_and_half(alone),
        "saved_small_counted": None if unreached else mean_and_half(counted),
    }


def mean_and_half(values: Sequence[float]) -> list[float] | None:
    """The mean and half of its 95% interval (Student's t); no interval for one value."""
    if not values:
        return None
    if len(values) == 1:
        return [values[0]]
    half = T_95[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
    return [statistics.fmean(values), half]


def print_table(rows: Iterable[dict[str, Any]]) -> None:
    """The savings as Markdown."""
    print("| pair | tokens | a parameter | x the small one's | method | FLOPs saved |", end="")
    print(" small model counted | seeds |")
    print("| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: |")
    for row in rows:
        none = "never" if row["unreached"] else "not done"
        cells = [_percent(row[key]) or none for key in ("saved", "saved_small_counted")]
        seeds = f"{row['seeds']}" + (f", {row['unreached']} never" if row["unreached"] else "")
        print(
            f"| {row['pair']} | {row['tokens'] / 1e6:.1f}M | {row['tokens_per_parameter']:.2g} "
            f"| {row['of_small_tokens']:.2g} | {row['method']} | {cells[0]} | {cells[1]} "
            f"| {seeds} |"
        )


def _percent(value: Sequence[float] | None) -> str:
    if value is None:
        return ""
    return " ± ".join(f"{100 * part:.0f}%" for part in value)


def picture(curves: Sequence[Curve]) -> str:
    """An SVG: a panel a pair, held-out loss over FLOPs; seeds thin, their mean thick."""
    left, width, height, gap = 56, 380, 280, 76
    pairs = _distinct(curve.pair for curve in curves if curve.method == "random")
    panels = (
        _panel([curve for curve in curves if curve.pair == pair], x0, 40, width, height)
        for x0, pair in zip(itertools.count(left, width + gap), pairs, strict=False)
    )
    total = left + len(pairs) * (width + gap)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {height + 90}" '
        'font-family="sans-serif" font-size="12" fill="#22262d">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(panels)}</svg>\n'
    )


def _panel(curves: Sequence[Curve], x0: int, y0: int, width: int, height: int) -> str:
    """Curves of one pair with axes and names."""
    large = [curve for curve in curves if curve.method != SMALL]
    random = [curve for curve in large if curve.method == "random"]
    most = max(curve.flops_per_step * curve.points[-1][0] for curve in large)
    unit, unit_name = (1e15, "petaFLOPs") if most >= 2e15 else (1e12, "teraFLOPs")
    low = min(loss for curve in large for _, loss in curve.smoothed)
    # Random's first steps would take all the room.
    high = max(best_until(curve.smoothed, 0.12 * curve.steps) for curve in random)
    span = (high - low) or 1.0

    def place(flops: float, loss: float) -> tuple[float, float]:
        return x0 + width * flops / most, y0 + height * (1 - (loss - low) / span)

    clip = f"panel-{x0}"
    parts = [
        f'<clipPath id="{clip}"><rect x="{x0}" y="{y0 - 2}" width="{width}" '
        f'height="{height + 4}"/></clipPath>'
        f'<text x="{x0}" y="{y0 - 14}" font-weight="bold">{curves[0].pair}</text>'
    ]
    for loss in _ticks(low, high):
        _, y = place(0, loss)
        parts.append(
            f'<line x1="{x0}" x2="{x0 + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e6ea"/>'
            f'<text x="{x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{loss:.4g}</text>'
        )
    for amount in _ticks(0, most / unit):
        x, _ = place(amount * unit, low)
        parts.append(
            f'<text x="{x:.1f}" y="{y0 + height + 18}" text-anchor="middle">{amount:.4g}</text>'
        )
    parts.append(f'<text x="{x0}" y="{y0 + height + 36}">held-out loss over {unit_name}</text>')
    target = statistics.fmean(best_until(curve.smoothed, curve.steps) for curve in random)
    _, y = place(0, target)
    parts.append(
        f'<line x1="{x0}" x2="{x0 + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#7b8490" '
        f'stroke-dasharray="3 4"/><g clip-path="url(#{clip})">'
    )
    labels: list[str] = []
    others = iter(OTHER_COLOURS)
    for number, method in enumerate(_distinct(curve.method for curve in large)):
        colour = COLOURS.get(method) or next(others, OTHER_COLOURS[-1])
        seeds = [curve for curve in large if curve.method == method]
        for curve in seeds:
            points = (place(curve.flops_per_step * step, loss) for step, loss in curve.smoothed)
            parts.append(_line(points, colour, 0.8 if len(seeds) > 1 else 2.2))
        if len(seeds) > 1:
            points = (place(seeds[0].flops_per_step * step, loss) for step, loss in _mean(seeds))
            parts.append(_line(points, colour, 2.2))
        labels.append(
            f'<text x="{x0 + width - 4}" y="{y0 + 14 + 16 * number}" text-anchor="end" '
            f'fill="{colour}">{method}</text>'
        )
    return "".join([*parts, "</g>", *labels])


def _ticks(low: float, high: float) -> list[float]:
    """Four to nine round numbers between the two."""
    exact = (high - low) / 5 or 1.0
    power = 10 ** math.floor(math.log10(exact))
    step = max(size * power for size in (1, 2, 2.5, 5) if size * power <= exact)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _line(points: Iterable[tuple[float, float]], colour: str, width: float) -> str:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    opacity = 1 if width > 1 else 0.55
    return (
        f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="{width}" '
        f'opacity="{opacity}"/>'
    )


def _mean(curves: Sequence[Curve]) -> Iterator[tuple[float, float]]:
    """The mean of the seeds, as far as all go."""
    for points in zip(*(curve.smoothed for curve in curves), strict=False):
        yield points[0][0], statistics.fmean(loss for _, loss in points)


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def main(paths: Sequence[str]) -> int:
    """Table and picture of one file, or of several together; the picture beside the first."""
    if not paths or any(path.startswith("-") for path in paths):
        print(__doc__)
        return 0 if paths and paths[0] in ("-h", "--help") else 2
    curves = [Curve(**run) for path in paths for run in read_json(Path(path))["runs"]]
    runs = [(curve.pair, curve.seed, curve.method) for curve in curves]
    if len(set(runs)) < len(runs):
        print("the files have trainings in common: give one for each pair", file=sys.stderr)
        return 2
    print_table(savings(curves))
    write_atomic(Path(paths[0]).with_suffix(".svg"), picture(curves))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
