"""The suite `phi2`: ours beside the published models, by category and by task."""

from __future__ import annotations

import math
from collections.abc import Sequence

from phinery.evaluate.evaluation import Category, SuiteScores
from phinery.evaluate.outcome import Estimate
from phinery.evaluate.table import numbers
from phinery.evaluate.table.numbers import DASH
from phinery.evaluate.table.published import Figure, Published, PublishedModel, published
from phinery.evaluate.table.sheets import Row, Sheet, lined_up

_UNCONFIRMED = "? not confirmed: remembered, but found in no text."
_OTHERWISE = "* measured otherwise than here: other shots or another metric."
_AVERAGED = "≈ averaged here from the model's published tasks."


def category_key(category: Category, known: Published) -> str | None:
    """Which published category one of ours is: that of its first known task."""
    tasks = [*category.headline, *(s.task for s in category.scores), *category.skipped]
    return next((key for one in tasks if (key := known.category_key(known.task_key(one)))), None)


def averages_of(suite: SuiteScores, known: Published) -> dict[str, Estimate]:
    """Our averages by the published categories' keys."""
    found: dict[str, Estimate] = {}
    for category in suite.categories:
        key, average = category_key(category, known), category.average
        if key is not None and average is not None:
            found.setdefault(key, average)
    return found


def average_sheet(models: Sequence[str], suites: Sequence[SuiteScores]) -> Sheet:
    """Rows are models, columns the five categories."""
    known = published()
    rows: list[Row] = []
    for model, suite in zip(models, suites, strict=True):
        ours = averages_of(suite, known)
        cells = [_our_average(ours.get(key)) for key in known.categories]
        rows.append(Row((model, *cells), "ours"))
    theirs = [[_their_average(known, one, key) for key in known.categories] for one in known.models]
    rows += [
        Row(
            (f"{one.name} {one.parameters}" if one.parameters not in one.name else one.name, *cells)
        )
        for one, cells in zip(known.models, theirs, strict=True)
    ]
    marks = "".join(cell for cells in theirs for cell in cells)
    urls = dict.fromkeys(
        found[0].source
        for one in known.models
        for key in known.categories
        if (found := known.average(one, key)) is not None and not found[1]
    )
    return Sheet(
        title="Averages, in per cent",
        header=("model", *(category.title for category in known.categories.values())),
        rows=tuple(rows),
        notes=(
            *_legend(marks),
            "Ours with 95% intervals and the number of items; the published ones have neither.",
            *(f"Source: {known.sources[key].title}. {known.sources[key].url}" for key in urls),
        ),
    )


def task_sheet(models: Sequence[str], suites: Sequence[SuiteScores]) -> Sheet:
    """Rows are tasks, by their first score; columns our models, then the published ones."""
    known = published()
    rows: list[Row] = []
    for name, own, keys in lined_up(suites):
        skipped = [task for c in own if c for task in c.skipped]
        tasks = list(dict.fromkeys([*(task for task, _ in keys), *skipped]))
        category = next((category_key(c, known) for c in own if c), None)
        title = known.categories[category].title if category else name
        rows.append(Row((title,), "heading"))
        for task in tasks:
            key = known.task_key(task)
            title = known.tasks[key].title if key else task
            estimates = [_first(category, task) for category in own]
            theirs = [_task_cell(known, model.tasks.get(key or "")) for model in known.models]
            ours, counts = _our_cells(estimates)
            between = [numbers.interval(estimates[0], "acc") if estimates[0] else DASH]
            rows.append(
                Row((title, *ours, *(between if len(models) == 1 else ()), counts, *theirs))
            )
    ours = (*models, "95% interval") if len(models) == 1 else tuple(models)
    header = ("task", *ours, "n", *(model.short for model in known.models))
    first = len(header) - len(known.models)
    marks = "".join(cell for row in rows for cell in row.cells[first:])
    # What a narrow terminal misses least: the interval, then the models farthest from ours.
    farthest = ("Llama-2 70B", "Llama-2 13B", "Mistral 7B", "Llama-2 7B")
    places = {model.name: first + place for place, model in enumerate(known.models)}
    spare = ([2] if len(models) == 1 else []) + [places[name] for name in farthest]
    return Sheet(
        title="Tasks, in per cent",
        header=header,
        rows=tuple(rows),
        notes=(*_legend(marks), *_sources(known)),
        spare=tuple(spare),
    )


def _first(category: Category | None, task: str) -> Estimate | None:
    scores = category.scores if category else ()
    return next((score.estimate for score in scores if score.task == task), None)


def _our_average(estimate: Estimate | None) -> str:
    if estimate is None:
        return DASH
    value = numbers.number(estimate.value, "acc", sign=False)
    if math.isnan(estimate.value):
        return value
    half = (estimate.high - estimate.low) / 2
    width = "" if math.isnan(half) else f"±{100 * half:.1f}, "
    return f"{value}\n{width}n {estimate.n:,}"


def _their_average(known: Published, model: PublishedModel, category: str) -> str:
    found = known.average(model, category)
    if found is None:
        return DASH
    figure, averaged = found
    otherwise = averaged and any(
        known.differs(model.tasks[task]) for task in known.categories[category].tasks
    )
    marks = ("≈" if averaged else "") + ("*" if otherwise else "")
    return f"{figure.value:.1f}{marks}{'' if figure.confirmed else '?'}"


def _task_cell(known: Published, figure: Figure | None) -> str:
    if figure is None:
        return DASH
    marks = ("*" if known.differs(figure) else "") + ("" if figure.confirmed else "?")
    return f"{figure.value:.1f}{marks}"


def _our_cells(estimates: Sequence[Estimate | None]) -> tuple[list[str], str]:
    """A cell for each model, and that of n; where their n differ it stands in the cells."""
    counts = {one.n for one in estimates if one is not None}
    cells: list[str] = []
    for one in estimates:
        value = DASH if one is None else numbers.number(one.value, "acc", sign=False)
        cells.append(f"{value}\nn {one.n:,}" if one is not None and len(counts) > 1 else value)
    return cells, f"{counts.pop():,}" if len(counts) == 1 else ("differs" if counts else DASH)


def _legend(marks: str) -> list[str]:
    legend = {"?": _UNCONFIRMED, "*": _OTHERWISE, "≈": _AVERAGED}
    return [text for mark, text in legend.items() if mark in marks]


def _sources(known: Published) -> list[str]:
    """A line for each source of the tasks' figures, with the models it is about."""
    models: dict[str, list[str]] = {}
    for model in known.models:
        for figure in model.tasks.values():
            names = models.setdefault(figure.source, [])
            if model.name not in names:
                names.append(model.name)
    return [
        f"{', '.join(names)}: {known.sources[key].title}. {known.sources[key].url}"
        for key, names in models.items()
    ]
