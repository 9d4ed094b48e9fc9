"""How fast a teacher may be asked, and how long to wait before asking again."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Mapping
from random import Random
from typing import Protocol


class Clock(Protocol):
    """The passing of time, in seconds from any point."""

    def now(self) -> float:
        """The time."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class RealClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """The time since some point, in seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""
        await asyncio.sleep(seconds)


class TokenBucket:
    """A token bucket of `per_minute` units a minute that holds no more than one withdrawal.

    A withdrawal happens once all earlier ones are paid for at that rate. So any half-open window
    of 60 s sees at most `per_minute` units plus one withdrawal, and exactly at most `per_minute`
    when withdrawals are of one unit: there is no burst at the start that a server's own window
    could take offence at.
    """

    def __init__(self, per_minute: float) -> None:
        if not per_minute > 0:
            raise ValueError(f"a rate limit of {per_minute} per minute lets nothing through")
        self._seconds_per_unit = 60 / per_minute
        self._free_at = float("-inf")

    def reserve(self, units: float, now: float) -> float:
        """Withdraw `units` as soon as it is allowed; tells when that is."""
        start = max(now, self._free_at)
        self._free_at = start + units * self._seconds_per_unit
        return start

    def correct(self, units: float) -> None:
        """Withdraw `units` more after the fact, or give some back when negative."""
        self._free_at += units * self._seconds_per_unit


class RateLimit:
    """Requests and tokens a minute, and pauses that the server asks for, for all who ask."""

    def __init__(
        self, clock: Clock, requests_per_minute: float | None, tokens_per_minute: float | None
    ) -> None:
        self._clock = clock
        self._requests = _bucket(requests_per_minute)
        self._tokens = _bucket(tokens_per_minute)
        self._paused_until = float("-inf")

    async def wait(self, tokens: int) -> None:
        """Wait until a request that may cost `tokens` tokens is allowed."""
        now = start = self._clock.now()
        if self._requests is not None:
            start = max(start, self._requests.reserve(1, now))
        if self._tokens is not None:
            start = max(start, self._tokens.reserve(tokens, now))
        # A pause can be asked for or prolonged while one waits.
        while (start := max(start, self._paused_until)) > (now := self._clock.now()):
            await self._clock.sleep(start - now)

    def correct(self, tokens: int) -> None:
        """Account for a request that cost `tokens` more than was said, or less when negative."""
        if self._tokens is not None:
            self._tokens.correct(tokens)

    def pause(self, seconds: float) -> None:
        """Let nobody ask for some seconds."""
        self._paused_until = max(self._paused_until, self._clock.now() + seconds)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a server's answer asks to wait, if it does; `now` is the Unix time.

    Reads `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), and `retry-after-ms`.
    """
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * scale
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        return max(0.0, email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp() - now)
    except (KeyError, ValueError, OverflowError):
        return None


def backoff(attempt: int, generator: Random) -> float:
    """Seconds to wait before attempt number `attempt` + 1: twice as long each time, to 30 s.

    Between half and all of it, by chance, so that requests that failed together come back apart.
    """
    return min(30.0, 0.5 * 2.0**attempt) * generator.uniform(0.5, 1.0)


def _bucket(per_minute: float | None) -> TokenBucket | None:
    return None if per_minute is None else TokenBucket(per_minute)
