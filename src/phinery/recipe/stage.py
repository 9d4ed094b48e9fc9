"""What a stage of a recipe is, and what it is given to work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class Progress(Protocol):
    """Where a stage tells how far it is."""

    def update(self, share: float | None, text: str) -> None:
        """Show the share that is done (None when unknown) and a short text beside it."""
        ...

    def note(self, text: str) -> None:
        """Say something that a person should know, in a line that stays."""
        ...


@dataclass(frozen=True)
class Workplace:
    """What a stage works with: its own directory, those it needs, and where to tell progress."""

    run: Path
    name: str
    progress: Progress
    records: Mapping[str, Mapping[str, Any]]
    """Stage name -> the record (key, settings, counts, seconds) of every stage made before."""

    @property
    def directory(self) -> Path:
        """The stage's own directory."""
        return self.run / self.name

    def of(self, stage: str) -> Path:
        """The directory of a stage that this one needs."""
        return self.run / stage


@dataclass(frozen=True)
class Outcome:
    """What came out of a stage."""

    summary: str
    """For a person, in a few words: "1,842 documents, 24 MB"."""
    counts: Mapping[str, Any]
    """For the manifest and the ledger."""


@dataclass(frozen=True)
class Stage:
    """One step of a model's life; its directory in the run directory bears its name."""

    name: str
    needs: tuple[str, ...]
    """Stages whose directories it reads."""
    settings: Mapping[str, Any]
    """Everything from the recipe that decides its outcome."""
    code: tuple[str, ...]
    """Files and rooms of the package that it runs, relative to it."""
    make: Callable[[Workplace], Outcome]
    outside: Callable[[], Any] = lambda: None
    """Describes what it reads from outside the run directory, so that a change is noticed."""
    resumable: bool = False
    """Whether a directory that an interruption left behind is gone on with."""
    free: frozenset[str] = frozenset()
    """Settings that may change between an interruption and going on."""
