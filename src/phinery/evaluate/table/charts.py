"""Bar charts of shares as inline SVG, with whiskers for intervals and marks for chance.

The page's style sheet colours them, so that they follow light and dark.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from html import escape


@dataclasses.dataclass(frozen=True)
class Bar:
    """A bar: values are shares of one. `style` is the CSS class that colours it."""

    name: str
    style: str
    value: float
    low: float = math.nan
    high: float = math.nan


@dataclasses.dataclass(frozen=True)
class Group:
    """Bars that belong together. `marks` are dots to compare with: (name, style, value)."""

    name: str
    bars: Sequence[Bar]
    chance: float | None = None
    marks: Sequence[tuple[str, str, float]] = ()


def column_chart(title: str, groups: Sequence[Group], *, width: int = 820) -> str:
    """Upright bars in groups, from 0 to 100%."""
    left, top, bottom, height = 40, 14, 26, 280
    span = (width - left - 8) / max(1, len(groups))

    def at(share: float) -> float:
        return height - bottom - min(1.0, max(0.0, share)) * (height - top - bottom)

    parts = [
        f'<line class="grid" x1="{left}" x2="{width - 8}" y1="{at(p / 100):.1f}" '
        f'y2="{at(p / 100):.1f}"/><text class="tick" x="{left - 6}" y="{at(p / 100) + 4:.1f}" '
        f'text-anchor="end">{p}</text>'
        for p in range(0, 101, 20)
    ]
    for place, group in enumerate(groups):
        start = left + place * span + 0.08 * span
        step = 0.84 * span / max(1, len(group.bars))
        for number, bar in enumerate(group.bars):
            if math.isnan(bar.value):
                continue
            x, y = start + number * step, at(bar.value)
            parts.append(
                f'<rect class="{bar.style}" x="{x:.1f}" y="{y:.1f}" width="{0.86 * step:.1f}" '
                f'height="{at(0) - y:.1f}" rx="2">{_hint(group.name, bar)}</rect>'
            )
            if not math.isnan(bar.low):
                parts.append(_whisker_up(x + 0.43 * step, at(bar.low), at(bar.high)))
        if group.chance is not None:
            y = at(group.chance)
            parts.append(
                f'<line class="chance" x1="{start - 3:.1f}" x2="{start + 0.84 * span:.1f}" '
                f'y1="{y:.1f}" y2="{y:.1f}"><title>chance {100 * group.chance:.1f}%</title></line>'
            )
        parts.append(
            f'<text class="label" x="{left + (place + 0.5) * span:.1f}" y="{height - 7}" '
            f'text-anchor="middle">{escape(_short(group.name, int(span / 7.5)))}</text>'
        )
    return _figure(title, groups, parts, width, height)


def bar_chart(title: str, groups: Sequence[Group], *, width: int = 820) -> str:
    """Level bars, a group a line, from 0 to 100%, with each value at the right."""
    left, right, thick, gap = 190, 60, 13, 11
    tall = [max(1, len(group.bars)) * thick + gap for group in groups]
    height = sum(tall) + 24

    def at(share: float) -> float:
        return left + min(1.0, max(0.0, share)) * (width - left - right)

    parts = [
        f'<line class="grid" x1="{at(p / 100):.1f}" x2="{at(p / 100):.1f}" y1="0" '
        f'y2="{height - 20}"/><text class="tick" x="{at(p / 100):.1f}" y="{height - 5}" '
        f'text-anchor="middle">{p}</text>'
        for p in range(0, 101, 20)
    ]
    y = gap / 2
    for group, room in zip(groups, tall, strict=True):
        middle = y + (room - gap) / 2
        parts.append(
            f'<text class="label" x="{left - 10}" y="{middle + 4.5:.1f}" text-anchor="end">'
            f"{escape(_short(group.name, 23))}<title>{escape(group.name)}</title></text>"
        )
        for number, bar in enumerate(group.bars):
            if math.isnan(bar.value):
                continue
            top = y + number * thick
            parts.append(
                f'<rect class="{bar.style}" x="{left}" y="{top:.1f}" '
                f'width="{at(bar.value) - left:.1f}" height="{thick - 2}" rx="2">'
                f"{_hint(group.name, bar)}</rect>"
                f'<text class="tick" x="{width - 2}" y="{top + thick - 3:.1f}" text-anchor="end">'
                f"{100 * bar.value:.1f}%</text>"
            )
            if not math.isnan(bar.low):
                parts.append(_whisker_along(top + (thick - 2) / 2, at(bar.low), at(bar.high)))
        if group.chance is not None:
            x = at(group.chance)
            parts.append(
                f'<line class="chance" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 3:.1f}" '
                f'y2="{y + room - gap + 1:.1f}"><title>chance {100 * group.chance:.1f}%</title>'
                "</line>"
            )
        parts += [
            f'<circle class="mark {style}" cx="{at(share):.1f}" cy="{middle:.1f}" r="4.5">'
            f"<title>{escape(f'{group.name}, {name}: {100 * share:.1f}%')}</title></circle>"
            for name, style, share in group.marks
        ]
        y += room
    return _figure(title, groups, parts, width, height)


def _whisker_up(x: float, low: float, high: float) -> str:
    return (
        f'<path class="whisker" d="M{x:.1f} {low:.1f}V{high:.1f}M{x - 3:.1f} {low:.1f}h6'
        f'M{x - 3:.1f} {high:.1f}h6"/>'
    )


def _whisker_along(y: float, low: float, high: float) -> str:
    return (
        f'<path class="whisker" d="M{low:.1f} {y:.1f}H{high:.1f}M{low:.1f} {y - 3:.1f}v6'
        f'M{high:.1f} {y - 3:.1f}v6"/>'
    )


def _hint(group: str, bar: Bar) -> str:
    ends = "" if math.isnan(bar.low) else f" [{100 * bar.low:.1f}, {100 * bar.high:.1f}]"
    return f"<title>{escape(f'{group}, {bar.name}: {100 * bar.value:.1f}%{ends}')}</title>"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _figure(
    title: str, groups: Sequence[Group], parts: Sequence[str], width: int, height: float
) -> str:
    named = [(bar.name, bar.style) for group in groups for bar in group.bars]
    named += [(name, f"{style} dot") for group in groups for name, style, _ in group.marks]
    keys = [f'<span class="key {s}">{escape(n)}</span>' for n, s in dict.fromkeys(named)]
    if any(group.chance is not None for group in groups):
        keys.append('<span class="key dashed">chance</span>')
    return (
        f'<figure class="chart"><figcaption>{escape(title)}<span class="legend">{"".join(keys)}'
        f'</span></figcaption><svg viewBox="0 0 {width} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg></figure>'
    )
