"""The tables that prompts are put together from: subjects and topics, readers, voices, words."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Topic:
    """Something to write about, and the difficulties, 1 to 5, that it is taught at."""

    name: str
    subject: str
    field: str
    lowest: int
    highest: int


@dataclass(frozen=True)
class Audience:
    """Who a text is for, and the difficulty, 1 to 5, that suits them."""

    name: str
    level: int


@dataclass(frozen=True)
class Variety:
    """What varies in a prompt besides its topic."""

    audiences: tuple[Audience, ...]
    voices: tuple[str, ...]
    openings: tuple[str, ...]
    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    adjectives: tuple[str, ...]
    function_verbs: tuple[str, ...]
    function_nouns: tuple[str, ...]
    constructs: tuple[str, ...]


@cache
def topics() -> tuple[Topic, ...]:
    """All topics, in the order of the table."""
    return tuple(
        Topic(name, subject["name"], subject["field"], *subject["levels"])
        for subject in _table("subjects.toml")["subject"]
        for name in subject["topics"]
    )


@cache
def programming_topics() -> tuple[Topic, ...]:
    """The topics that code is written for."""
    return tuple(topic for topic in topics() if topic.field == "programming")


@cache
def variety() -> Variety:
    """Readers, voices, openings and words."""
    table = _table("variety.toml")
    audiences = tuple(Audience(**entry) for entry in table.pop("audiences"))
    return Variety(audiences, **{name: tuple(entries) for name, entries in table.items()})


def _table(name: str) -> dict[str, Any]:
    package = resources.files("phinery.data.synthesis.teacher")
    return tomllib.loads(package.joinpath(name).read_text(encoding="utf-8"))
