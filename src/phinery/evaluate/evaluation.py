"""The scores of an evaluation, as they are shown, kept and compared."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from phinery.evaluate.outcome import Estimate, Score
from phinery.files import read_json, write_json

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Category:
    """Scores that belong together, in the order of the suite.

    `headline` are the tasks whose first score is averaged, in the suite's order; empty when an
    average would mean nothing. `skipped` maps tasks that could not run to the reason.
    """

    name: str
    scores: tuple[Score, ...]
    headline: tuple[str, ...] = ()
    skipped: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])

    @property
    def average(self) -> Estimate | None:
        """Unweighted mean over the headline tasks; None unless all of them have a score.

        The interval takes the tasks' errors as independent.
        """
        first: dict[str, Estimate] = {}
        for score in self.scores:
            first.setdefault(score.task, score.estimate)
        if not self.headline or any(task not in first for task in self.headline):
            return None
        chosen = [first[task] for task in self.headline]
        value = math.fsum(one.value for one in chosen) / len(chosen)
        below = math.hypot(*(one.value - one.low for one in chosen)) / len(chosen)
        above = math.hypot(*(one.high - one.value for one in chosen)) / len(chosen)
        return Estimate(value, sum(one.n for one in chosen), value - below, value + above)


@dataclasses.dataclass(frozen=True)
class SuiteScores:
    """What a suite gave."""

    name: str
    title: str
    categories: tuple[Category, ...]

    @property
    def scores(self) -> tuple[Score, ...]:
        """All scores, in order."""
        return tuple(score for category in self.categories for score in category.scores)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What came of evaluating one model.

    `model` has `name`, `sha256` (of all that scores depend on), `parameters` and `dtype`; `setting`
    has `items` (a folder, "hub" or "none"), `limit`, `sample` and `seed`.
    """

    model: Mapping[str, Any]
    setting: Mapping[str, Any]
    suites: tuple[SuiteScores, ...]
    seconds: float

    def suite(self, name: str) -> SuiteScores | None:
        """The suite of that name, None when it did not run."""
        return next((suite for suite in self.suites if suite.name == name), None)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "format": FORMAT,
            "model": dict(self.model),
            "setting": dict(self.setting),
            "seconds": self.seconds,
            "suites": [
                {
                    "name": suite.name,
                    "title": suite.title,
                    "categories": [
                        {
                            "name": category.name,
                            "headline": list(category.headline),
                            "skipped": dict(category.skipped),
                            "scores": [score.as_dict() for score in category.scores],
                        }
                        for category in suite.categories
                    ],
                }
                for suite in self.suites
            ],
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Evaluation:
        """The inverse of `as_dict`. Raises ValueError for what is none of ours."""
        if fields.get("format") != FORMAT:
            raise ValueError(f"this is no evaluation of format {FORMAT}: evaluate again")
        return cls(
            fields["model"],
            fields["setting"],
            tuple(
                SuiteScores(suite["name"], suite["title"], _categories_of(suite["categories"]))
                for suite in fields["suites"]
            ),
            fields["seconds"],
        )


def save_evaluations(path: Path, evaluations: Sequence[Evaluation]) -> None:
    """Write evaluations as a JSON list, whole or not at all."""
    write_json(path, [one.as_dict() for one in evaluations])


def load_evaluations(path: Path) -> list[Evaluation]:
    """Read what `save_evaluations` wrote. Raises ValueError, in one line, for something else."""
    try:
        return [Evaluation.from_dict(one) for one in read_json(path)]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no list of evaluations: name a scores.json") from error


def _categories_of(categories: Sequence[Mapping[str, Any]]) -> tuple[Category, ...]:
    return tuple(
        Category(
            category["name"],
            tuple(Score.from_dict(score) for score in category["scores"]),
            tuple(category["headline"]),
            category["skipped"],
        )
        for category in categories
    )
