"""Suites carried out on a model: each task is asked, its outcomes become scores."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from phinery.evaluate.evaluation import Category, Evaluation, SuiteScores
from phinery.evaluate.outcome import Score, score_of
from phinery.evaluate.setting import Setting
from phinery.evaluate.told import Told

if TYPE_CHECKING:
    from phinery.evaluate.harness import HarnessModel
    from phinery.evaluate.suites import Suite, Task

Tainted = Mapping[str, Collection[str]]


def evaluate(
    model: HarnessModel,
    suites: Sequence[Suite],
    setting: Setting | None = None,
    *,
    name: str = "model",
    tainted: Tainted | None = None,
    told: Told | None = None,
) -> Evaluation:
    """Ask `model` all tasks of `suites`.

    Parameters
    ----------
    setting : items, how many, seed; see `Setting`.
    name : of the model, in tables.
    tainted : a refining's `tainted.json`, for scores without items that training gave away.
    told : hears how it goes.

    A task that cannot run (no items, no sandbox) is skipped, with its reason in the result.
    """
    setting = setting or Setting()
    told = told or Told()
    started = time.monotonic()
    tasks = [task for suite in suites for category in suite.categories for task in category.tasks]
    number = 0
    found: list[SuiteScores] = []
    for suite in suites:
        categories: list[Category] = []
        for category in suite.categories:
            scores: list[Score] = []
            skipped: dict[str, str] = {}
            for task in category.tasks:
                told.task(number, len(tasks), task.name)
                number += 1
                try:
                    one = _scores(model, task, setting, tainted)
                except ValueError as error:
                    skipped[task.name] = " ".join(str(error).split())
                    told.skipped(task.name, skipped[task.name])
                else:
                    scores += one
                    told.scored(one)
            categories.append(Category(category.name, tuple(scores), category.headline, skipped))
        found.append(SuiteScores(suite.name, suite.title, tuple(categories)))
    return Evaluation(
        model.description(name),
        {
            "items": _place_of_items(setting),
            "limit": setting.limit,
            "sample": setting.sample,
            "seed": setting.seed,
        },
        tuple(found),
        time.monotonic() - started,
    )


def _place_of_items(setting: Setting) -> str:
    if setting.items is not None:
        return str(setting.items)
    return "none" if setting.offline else "hub"


def _scores(
    model: HarnessModel, task: Task, setting: Setting, tainted: Tainted | None
) -> list[Score]:
    from phinery.evaluate.suites import resolve_measure
    from phinery.evaluate.tasks import run_harness_task

    if task.measure is not None:
        outcomes = resolve_measure(task.measure)(model, setting)
    else:
        outcomes = run_harness_task(model, task, setting)
    return [score_of(outcome, tainted, seed=setting.seed) for outcome in outcomes]
