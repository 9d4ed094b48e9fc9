"""Who hears how an evaluation goes. Imports nothing heavy, for the command line names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phinery.evaluate.outcome import Score


class Told:
    """Hears how an evaluation goes. Does nothing; for those who want to know, to be overridden."""

    def task(self, number: int, count: int, name: str) -> None:
        """A task begins, `number` of `count` from 0."""

    def scored(self, scores: Sequence[Score]) -> None:
        """A task is over."""

    def skipped(self, name: str, reason: str) -> None:
        """A task could not run."""
