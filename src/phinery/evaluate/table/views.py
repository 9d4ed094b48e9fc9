"""An evaluation, suite by suite, as it is shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from phinery.evaluate.evaluation import Evaluation, SuiteScores
from phinery.evaluate.table.beside import average_sheet, task_sheet
from phinery.evaluate.table.sheets import (
    Sheet,
    clean_sheets,
    difference_sheets,
    group_sheets,
    model_names,
    score_sheet,
    skipped_sheets,
)


@dataclasses.dataclass(frozen=True)
class View:
    """A suite, as it is shown: its models' scores, aligned, and its tables."""

    name: str
    title: str
    models: tuple[str, ...]
    suites: tuple[SuiteScores, ...]
    sheets: tuple[Sheet, ...]


def views(evaluations: Sequence[Evaluation]) -> list[View]:
    """A view of each suite that a model has run. Raises ValueError without evaluations."""
    if not evaluations:
        raise ValueError("there is nothing to show: give at least one evaluation")
    names = model_names(evaluations)
    found: list[View] = []
    for name in dict.fromkeys(suite.name for one in evaluations for suite in one.suites):
        ran = [
            (model, suite)
            for model, one in zip(names, evaluations, strict=True)
            if (suite := one.suite(name)) is not None
        ]
        models, suites = tuple(model for model, _ in ran), tuple(suite for _, suite in ran)
        is_phi2 = name == "phi2"
        sheets = [average_sheet(models, suites), task_sheet(models, suites)] if is_phi2 else []
        sheets.append(score_sheet(models, suites, folded=is_phi2))
        sheets += difference_sheets(models, suites)
        sheets += clean_sheets(models, suites)
        sheets += skipped_sheets(models, suites)
        sheets += group_sheets(models, suites)
        found.append(View(name, suites[0].title, models, suites, tuple(sheets)))
    return found
