"""Times and durations, as they are printed."""

from __future__ import annotations

from phinery.data.synthesis.procedural.grammar import (
    counted,
)


def clock(minutes: int) -> str:
    """Minutes since midnight as "14:05"."""
    return f"{minutes // 60 % 24}:{minutes % 60:02d}"


def duration(minutes: int) -> str:
    """Such as "2 hours and 5 minutes"."""
    hours, rest = divmod(minutes, 60)
    if hours and rest:
        return f"{counted(hours, 'hour')} and {counted(rest, 'minute')}"
    return counted(hours, "hour") if hours else counted(rest, "minute")
