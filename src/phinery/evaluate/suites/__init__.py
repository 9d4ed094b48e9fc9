"""Suites as data: which tasks, in which categories, with which examples and metrics.

A suite is a TOML file beside this one. Its tasks are tasks of the public harness, or measures of
our own, which are functions in the `MEASURES` of `phinery.evaluate.PACKAGE`.
"""

from __future__ import annotations

import difflib
import importlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from phinery.evaluate.setting import Measure, Measures
from phinery.evaluate.tasks.names import harness_names, task_folder, tasks_folder

__all__ = ["Suite", "SuiteCategory", "Task", "load_suite", "resolve_measure", "suites", "suites_of"]

_HERE = Path(__file__).parent
_HARNESS = "lm_eval:"
Texts = Annotated[tuple[str, ...], Field(strict=False)]


class _Table(BaseModel):
    """Frozen, typed strictly, closed against unknown keys."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, strict=True, validate_by_name=True
    )


class Task(_Table):
    """One task of a suite.

    Parameters
    ----------
    name : in tables, and for `--suite`.
    harness : the task or group of tasks in lm-evaluation-harness; or else
    measure : a measure of our own, "PACKAGE.NAME".
    folder : where below the harness's `tasks` the task is described; found when it is not given.
    shots : solved examples before a question; what the harness's task says when not given.
    metrics : names in tables to the harness's "METRIC" or "METRIC,FILTER"; the first is the task's
        own. All that the harness has when empty.
    items : the benchmark's folder of items; found by its data set when not given.
    """

    name: str
    harness: str | None = None
    measure: str | None = None
    folder: str | None = None
    shots: Annotated[int, Field(ge=0)] | None = None
    metrics: dict[str, str] = Field(default_factory=dict)
    items: str | None = None

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Task:
        if (self.harness is None) == (self.measure is None):
            raise ValueError(f"task {self.name} needs either harness or measure")
        if self.measure is not None:
            extra = [key for key in ("folder", "shots", "items") if getattr(self, key) is not None]
            extra += ["metrics"] if self.metrics else []
            if extra:
                raise ValueError(f"task {self.name} is a measure: it has no {extra[0]}")
            package, _, name = self.measure.partition(".")
            if not (package.isidentifier() and name.isidentifier()):
                raise ValueError(f"measure is PACKAGE.NAME, not {self.measure!r}")
        return self


class SuiteCategory(_Table):
    """Tasks that belong together; `headline` names those whose first metrics are averaged."""

    name: str
    headline: Texts = ()
    tasks: Annotated[tuple[Task, ...], Field(alias="task", strict=False, min_length=1)]

    @model_validator(mode="after")
    def _headline_is_ours(self) -> SuiteCategory:
        names = [task.name for task in self.tasks]
        for name in self.headline:
            if name not in names:
                raise ValueError(f"headline of {self.name} names {name}, which is no task of it")
        return self


class Suite(_Table):
    """A suite. `name` is the file's."""

    name: str
    title: str
    categories: Annotated[
        tuple[SuiteCategory, ...], Field(alias="category", strict=False, min_length=1)
    ]

    @model_validator(mode="after")
    def _names_are_different(self) -> Suite:
        names = [task.name for task in self.tasks]
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            raise ValueError(f"two tasks are called {twice[0]}")
        return self

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks, in order."""
        return tuple(task for category in self.categories for task in category.tasks)


def suites() -> list[str]:
    """Names of the suites that come with the package."""
    return sorted(file.stem for file in _HERE.glob("*.toml"))


def load_suite(name: str) -> Suite:
    """The suite of that name. Raises ValueError, in one line, for unknown names and keys."""
    if name not in suites():
        raise ValueError(f"there is no suite {name!r}{_near(name, suites())}")
    return read_suite(_HERE / f"{name}.toml")


def read_suite(file: Path) -> Suite:
    """A suite from a TOML file. Raises ValueError, in one line, for what is wrong in it."""
    try:
        fields = tomllib.loads(file.read_text(encoding="utf-8"))
        return Suite.model_validate({"name": file.stem, **fields})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ").splitlines()[0]
        raise ValueError(f"{file}: {place + ': ' if place else ''}{reason}") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file} is no TOML: {error}") from error


def suites_of(names: Iterable[str]) -> list[Suite]:
    """What `--suite` means: suites by name, and one more, "tasks", of the single tasks named.

    A single task is, in this order:

    - one of our suites', by its name there: `gsm8k` is asked with the suite's examples, `bbq` is
      our own measure;
    - one of our suites', by the name that lm-evaluation-harness gives it: `gsm8k_cot`,
      `social_iqa`; two names of one task are one task;
    - any other task, group of tasks or tag of lm-evaluation-harness, as it is described there.

    `lm_eval:NAME` is always the harness's own, unchanged: `lm_eval:gsm8k`, `lm_eval:bbq`.

    Raises ValueError, in one line, for an unknown name.
    """
    wanted = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    if not wanted:
        raise ValueError(f"name a suite ({', '.join(suites())}) or tasks")
    known = {name: load_suite(name) for name in suites()}
    ours = {task.name: task for suite in known.values() for task in suite.tasks}
    loose: list[Task] = []
    for task in (_task_of(name, ours) for name in wanted if name not in known):
        if task not in loose:
            loose.append(task)
    found = [known[name] for name in wanted if name in known]
    if loose:
        single = SuiteCategory(name="tasks", tasks=tuple(loose))
        found.append(Suite(name="tasks", title="Single tasks", categories=(single,)))
    return found


def resolve_measure(name: str) -> Measure:
    """The function that "PACKAGE.NAME" means: an entry of `phinery.evaluate.PACKAGE.MEASURES`.

    Raises ValueError when there is none.
    """
    package, _, own = name.partition(".")
    place = f"phinery.evaluate.{package}"
    try:
        measures: Measures = importlib.import_module(place).MEASURES
    except (ModuleNotFoundError, AttributeError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name != place:
            raise
        raise ValueError(f"there is no package of measures {package!r} for {name}") from error
    if own not in measures:
        raise ValueError(f"there is no measure {name!r}{_near(own, list(measures))}")
    return measures[own]


def _task_of(name: str, ours: Mapping[str, Task]) -> Task:
    if name.startswith(_HARNESS):
        tasks_folder()  # says so when the harness is not installed
        own = name.removeprefix(_HARNESS).strip()
        if task_folder(own) or own in harness_names():
            return Task(name=_HARNESS + own, harness=own)
        near = _near(own, list(harness_names()))
        raise ValueError(f"lm-evaluation-harness has no task {own!r}{near}")
    if name in ours:
        return ours[name]
    for task in ours.values():
        if task.harness == name:  # under another name, the same with the suite's examples
            return task
    if task_folder(name):
        return Task(name=name, harness=name)
    theirs = harness_names()
    if name in theirs:
        return Task(name=name, harness=name)
    raise ValueError(
        f"there is no suite or task {name!r}{_near(name, [*suites(), *ours, *theirs])}"
    )


def _near(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, list(dict.fromkeys(names)), 3)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; there are {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
