"""Line and bar charts as inline SVG, coloured by the page's style sheet, readable without scripts.

A line chart carries its values as JSON, from which the page's script shows them under the pointer.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 14, 40
_MOST_POINTS = 500


@dataclass(frozen=True)
class Series:
    """A line of a chart. `style` is the CSS class that colours it."""

    name: str
    style: str
    xs: Sequence[float]
    ys: Sequence[float]
    points: bool = False
    """Mark every value with a dot."""


@dataclass(frozen=True)
class Reference:
    """A horizontal line to compare with."""

    name: str
    y: float


def thin(
    xs: Sequence[float], ys: Sequence[float], most: int = _MOST_POINTS
) -> tuple[list[float], list[float]]:
    """At most `most` points: neighbours are averaged in equal groups."""
    if len(xs) <= most:
        return list(xs), list(ys)
    edges = [round(i * len(xs) / most) for i in range(most + 1)]
    groups = [slice(a, b) for a, b in itertools.pairwise(edges)]
    return (
        [sum(xs[group]) / len(xs[group]) for group in groups],
        [sum(ys[group]) / len(ys[group]) for group in groups],
    )


def smooth(ys: Sequence[float], span: int) -> list[float]:
    """Means over `span` values around each; fewer near the ends, as many on either side.

    Values that are not finite stay, and count for nothing in the means of others.
    """
    result: list[float] = []
    for place, y in enumerate(ys):
        reach = min(span // 2, place, len(ys) - 1 - place)
        around = [v for v in ys[place - reach : place + reach + 1] if math.isfinite(v)]
        result.append(sum(around) / len(around) if math.isfinite(y) else y)
    return result


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) from `low` to `high`."""
    if high <= low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * power for unit in (1, 2, 5, 10) if unit * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    x_format: Callable[[float], str],
    y_format: Callable[[float], str],
    references: Sequence[Reference] = (),
    y_from_zero: bool = False,
    width: int = 820,
    height: int = 300,
) -> str:
    """A figure with axes, grid, legend and a line a series, as HTML.

    Values that are not finite are left out; a series of style "pale" has neither legend nor values
    under the pointer. A line of text when there is nothing to draw.
    """
    lines = [_finite(line) for line in series]
    lines = [line for line in lines if line.xs]
    if not lines:
        return f'<p class="quiet">{escape(title)}: nothing was recorded.</p>'
    all_x = [x for line in lines for x in line.xs]
    all_y = [y for line in lines for y in line.ys] + [reference.y for reference in references]
    low_x, high_x = min(all_x), max(all_x)
    low_y, high_y = (0.0 if y_from_zero else min(all_y)), max(all_y)
    margin = 0.04 * (high_y - low_y) or abs(high_y) * 0.1 or 1.0
    low_y, high_y = (low_y if y_from_zero else low_y - margin), high_y + margin

    def at_x(x: float) -> float:
        return _LEFT + (x - low_x) / ((high_x - low_x) or 1) * (width - _LEFT - _RIGHT)

    def at_y(y: float) -> float:
        return height - _BOTTOM - (y - low_y) / (high_y - low_y) * (height - _TOP - _BOTTOM)

    parts = _grid(
        [(at_y(y), y_format(y)) for y in ticks(low_y, high_y, 5)],
        [(at_x(x), x_format(x)) for x in ticks(low_x, high_x, width // 90)],
        width,
        height,
    )
    parts.append(
        f'<text class="axis" x="{(_LEFT + width - _RIGHT) / 2}" y="{height - 5}" '
        f'text-anchor="middle">{escape(x_label)}</text>'
    )
    for reference in references:
        y = at_y(reference.y)
        parts.append(
            f'<line class="reference" x1="{_LEFT}" x2="{width - _RIGHT}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="reference" x="{_LEFT + 6}" y="{y - 5:.1f}">'
            f"{escape(reference.name)}</text>"
        )
    for line in lines:
        spots = [(round(at_x(x), 1), round(at_y(y), 1)) for x, y in _pairs(line)]
        path = " ".join(f"{x},{y}" for x, y in spots)
        parts.append(f'<polyline class="line {line.style}" points="{path}"/>')
        if line.points:
            parts += [
                f'<circle class="dot {line.style}" cx="{x}" cy="{y}" r="3.2"/>' for x, y in spots
            ]
    named = [line for line in lines if line.style != "pale"]
    data = {
        "left": _LEFT,
        "right": width - _RIGHT,
        "top": _TOP,
        "bottom": height - _BOTTOM,
        "series": [
            {
                "name": line.name,
                "style": line.style,
                "at": [[round(at_x(x), 1), round(at_y(y), 1)] for x, y in _pairs(line)],
                "text": [[x_format(x), y_format(y)] for x, y in _pairs(line)],
            }
            for line in named
        ],
    }
    legend = "".join(f'<span class="key {line.style}">{escape(line.name)}</span>' for line in named)
    return (
        f'<figure class="chart"><figcaption>{escape(title)}<span class="legend">{legend}</span>'
        f'</figcaption><svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}"'
        f' data-chart="{escape(json.dumps(data))}">{"".join(parts)}</svg></figure>'
    )


def _pairs(line: Series) -> list[tuple[float, float]]:
    return list(zip(line.xs, line.ys, strict=True))


def _finite(line: Series) -> Series:
    kept = [(x, y) for x, y in _pairs(line) if math.isfinite(x) and math.isfinite(y)]
    return Series(line.name, line.style, [x for x, _ in kept], [y for _, y in kept], line.points)


def _grid(
    rows: Sequence[tuple[float, str]],
    columns: Sequence[tuple[float, str]],
    width: int,
    height: int,
) -> list[str]:
    """Horizontal lines with their values at the left, and values along the bottom."""
    across = [
        f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
        f"{escape(text)}</text>"
        for y, text in rows
    ]
    along = [
        f'<text class="tick" x="{x:.1f}" y="{height - _BOTTOM + 16}" '
        f'text-anchor="middle">{escape(text)}</text>'
        for x, text in columns
    ]
    return across + along


def bars(rows: Sequence[tuple[str, float, str, str]]) -> str:
    """Horizontal bars, longest full width: (name, value, the value as text, CSS class)."""
    most = max((value for _, value, _, _ in rows), default=0) or 1
    cells = "".join(
        f'<div class="name">{escape(name)}</div>'
        f'<div class="track"><div class="bar {style}" style="width:{100 * value / most:.2f}%">'
        f'</div></div><div class="value">{escape(text)}</div>'
        for name, value, text, style in rows
    )
    return f'<div class="bars">{cells}</div>'


def stacked_bar(rows: Sequence[tuple[str, float]]) -> str:
    """One bar that shows shares of a whole, with a legend: (name, value), largest first."""
    total = sum(value for _, value in rows) or 1
    pieces = "".join(
        f'<div class="piece hue{number % 6}" style="width:{100 * value / total:.3f}%" '
        f'title="{escape(name)} {100 * value / total:.1f}%"></div>'
        for number, (name, value) in enumerate(rows)
    )
    legend = "".join(
        f'<span class="key hue{number % 6}">{escape(name)} {100 * value / total:.0f}%</span>'
        for number, (name, value) in enumerate(rows)
    )
    return f'<div class="stack">{pieces}</div><div class="legend">{legend}</div>'
