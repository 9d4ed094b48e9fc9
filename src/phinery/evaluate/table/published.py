"""What others published of their models, read from `published.toml`. Values are in per cent."""

from __future__ import annotations

import dataclasses
import functools
import math
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """A published number.

    `of` is the key of a task or a category, `source` that of a source, `where` the place in it.
    `shots` and `metric` are None where the source does not state them. `error` is the standard
    error in per cent, None when none is given; `groups` is the number of groups of items whose
    plain mean the figure is, 0 when every item counts the same.
    """

    of: str
    value: float
    source: str
    confirmed: bool
    where: str = ""
    shots: int | None = None
    metric: str | None = None
    n: int | None = None
    error: float | None = None
    groups: int = 0

    @property
    def standard_error(self) -> float:
        """As given, else that of a share of n items: sqrt(p (1 - p) / n); NaN without n."""
        if self.error is not None:
            return self.error
        share = self.value / 100
        return math.nan if self.n is None else 100 * math.sqrt(share * (1 - share) / self.n)


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a figure stands."""

    title: str
    url: str


@dataclasses.dataclass(frozen=True)
class KnownTask:
    """A task that has published figures. `shots` and `metric` are those of the suite `phi2`."""

    title: str
    shots: int
    metric: str
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class KnownCategory:
    """Tasks that are averaged together."""

    title: str
    tasks: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class PublishedModel:
    """A model that others measured: figures by category and by task.

    `short` is the name in two lines, for narrow columns.
    """

    name: str
    parameters: str
    short: str
    averages: Mapping[str, Figure]
    tasks: Mapping[str, Figure]


@dataclasses.dataclass(frozen=True)
class Published:
    """All of `published.toml`. `independent` has what others measured on known weights."""

    sources: Mapping[str, Source]
    tasks: Mapping[str, KnownTask]
    categories: Mapping[str, KnownCategory]
    models: tuple[PublishedModel, ...]
    independent: Mapping[str, tuple[Figure, ...]]

    def task_key(self, name: str) -> str | None:
        """The key of the task that scores call `name`, None when nothing was published of it."""
        return next((key for key, task in self.tasks.items() if name in task.names), None)

    def category_key(self, task_key: str | None) -> str | None:
        """The category that a task belongs to."""
        return next((key for key, one in self.categories.items() if task_key in one.tasks), None)

    def differs(self, figure: Figure) -> bool:
        """Whether a task's figure is known to have been measured otherwise than the suite does."""
        known = self.tasks[figure.of]
        return figure.shots not in (None, known.shots) or figure.metric not in (None, known.metric)

    def average(self, model: PublishedModel, category: str) -> tuple[Figure, bool] | None:
        """A model's average over a category, and whether it was averaged here from its tasks.

        None when it was not published and some of the tasks were not either.
        """
        if category in model.averages:
            return model.averages[category], False
        tasks = self.categories[category].tasks
        if any(task not in model.tasks for task in tasks):
            return None
        figures = [model.tasks[task] for task in tasks]
        value = math.fsum(one.value for one in figures) / len(figures)
        confirmed = all(one.confirmed for one in figures)
        source = figures[0].source
        return Figure(of=category, value=value, source=source, confirmed=confirmed), True


@functools.cache
def published() -> Published:
    """The file that comes with the package."""
    text = (
        resources.files("phinery.evaluate.table")
        .joinpath("published.toml")
        .read_text(encoding="utf-8")
    )
    raw = tomllib.loads(text)
    return Published(
        {key: Source(**fields) for key, fields in raw["sources"].items()},
        {
            key: KnownTask(
                fields["title"], fields["shots"], fields["metric"], tuple(fields["names"])
            )
            for key, fields in raw["tasks"].items()
        },
        {
            key: KnownCategory(fields["title"], tuple(fields["tasks"]))
            for key, fields in raw["categories"].items()
        },
        tuple(_model_of(fields) for fields in raw["models"]),
        {
            name: tuple(Figure(**figure) for figure in figures)
            for name, figures in raw["independent"].items()
        },
    )


def _model_of(fields: Mapping[str, Any]) -> PublishedModel:
    averages = {one["of"]: Figure(**one) for one in fields.get("averages", ())}
    tasks = {one["of"]: Figure(**one) for one in fields["tasks"]}
    return PublishedModel(fields["name"], fields["parameters"], fields["short"], averages, tasks)
