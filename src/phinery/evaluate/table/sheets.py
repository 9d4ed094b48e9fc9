"""An evaluation as tables of text, which the terminal, Markdown and the page then set."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

from phinery.evaluate.evaluation import Category, Evaluation, SuiteScores
from phinery.evaluate.outcome import Estimate, Score
from phinery.evaluate.table import numbers
from phinery.evaluate.table.numbers import DASH

# A note on so many figures only counts them.
_MANY = 10

RowStyle = Literal["", "heading", "ours", "average"]


@dataclasses.dataclass(frozen=True)
class Row:
    """Cells of a table; a cell's second line, after a newline, is the less important one."""

    cells: tuple[str, ...]
    style: RowStyle = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table.

    Parameters
    ----------
    header : the columns' names; the first column is text, the others are numbers.
    text_columns : columns besides the first that hold text.
    notes : sentences below the table.
    spare : columns that a narrow terminal leaves out, first those that are missed least.
    folded : shown on demand, where that is possible.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    text_columns: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    spare: tuple[int, ...] = ()
    folded: bool = False


def model_names(evaluations: Sequence[Evaluation]) -> list[str]:
    """A name for each model; those that are called alike are told apart by hash or number."""
    names = [str(one.model.get("name", "model")) for one in evaluations]
    if len(set(names)) < len(names):
        hashes = [str(one.model.get("sha256", ""))[:6] for one in evaluations]
        names = [
            f"{name} ({digest})" if names.count(name) > 1 and digest else name
            for name, digest in zip(names, hashes, strict=True)
        ]
    for place, name in enumerate(names):
        if name in names[:place]:
            names[place] = f"{name} #{place + 1}"
    return names


def description(evaluation: Evaluation) -> str:
    """The model and how it was asked, in a line."""
    model, setting = evaluation.model, evaluation.setting
    parts: list[str] = []
    if model.get("parameters") is not None:
        parts.append(f"{int(model['parameters']):,} parameters")
    if model.get("dtype"):
        parts.append(str(model["dtype"]).removeprefix("torch."))
    if setting.get("limit") is not None:
        parts.append(f"the first {setting['limit']:,} items of each task")
    elif setting.get("sample") is not None:
        parts.append(f"{setting['sample']:,} items of each task, seed {setting.get('seed', 0)}")
    else:
        parts.append("all items")
    items = setting.get("items")
    if items != "none":
        parts.append("items from the hub" if items in (None, "hub") else f"items from {items}")
    parts.append(f"{evaluation.seconds:,.0f} s")
    return ", ".join(parts)


def lined_up(
    suites: Sequence[SuiteScores],
) -> list[tuple[str, list[Category | None], list[tuple[str, str]]]]:
    """Categories of all suites: the name, each suite's own, and (task, metric) in order."""
    lines: list[tuple[str, list[Category | None], list[tuple[str, str]]]] = []
    for name in dict.fromkeys(one.name for suite in suites for one in suite.categories):
        own = [next((c for c in suite.categories if c.name == name), None) for suite in suites]
        keys = dict.fromkeys((s.task, s.metric) for c in own if c for s in c.scores)
        lines.append((name, own, list(keys)))
    return lines


def score_in(category: Category | None, key: tuple[str, str]) -> Score | None:
    """The score of (task, metric), None when there is none."""
    scores = category.scores if category else ()
    return next((score for score in scores if (score.task, score.metric) == key), None)


def metric_text(score: Score) -> str:
    """The metric, and which end of it is good where that is not the upper one."""
    if score.ideal is not None:
        best = 100 * score.ideal if numbers.is_share(score.metric) else score.ideal
        return f"{score.metric}, best {best:g}{'%' if numbers.is_share(score.metric) else ''}"
    return f"{score.metric} ↓" if score.higher_is_better is False else score.metric


def _in_line(estimate: Estimate | None, metric: str, *, with_n: bool) -> str:
    """Value and interval in two lines, and n where it is not in a column of its own."""
    if estimate is None:
        return DASH
    second = [numbers.interval(estimate, metric)] if not math.isnan(estimate.low) else []
    second += [f"n {estimate.n:,}"] if with_n else []
    return "\n".join([numbers.number(estimate.value, metric), " ".join(second)]).strip()


def score_sheet(models: Sequence[str], suites: Sequence[SuiteScores], *, folded: bool) -> Sheet:
    """Every score with interval, n, chance and majority."""
    lines = lined_up(suites)
    single = len(models) == 1
    rows: list[Row] = []
    notes: dict[str, list[str]] = {}
    for name, own, keys in lines:
        if len(lines) > 1 and keys:
            rows.append(Row((name,), "heading"))
        for key in keys:
            scores = [score_in(category, key) for category in own]
            present = [score for score in scores if score is not None]
            first = present[0]
            same_n = len({score.estimate.n for score in present}) == 1
            estimates = [None if score is None else score.estimate for score in scores]
            metric = first.metric
            middle = (
                [
                    numbers.number(first.estimate.value, metric),
                    numbers.interval(first.estimate, metric),
                ]
                if single
                else [_in_line(one, metric, with_n=not same_n) for one in estimates]
            )
            baselines = [
                numbers.number(values.pop(), metric) if len(values) == 1 else DASH
                for values in (
                    {score.chance for score in present},
                    {score.majority for score in present},
                )
            ]
            n = f"{first.estimate.n:,}" if same_n else "differs"
            rows.append(Row((first.task, metric_text(first), *middle, n, *baselines)))
            alike = len({score.note for score in present}) == 1
            for model, score in zip(models, scores, strict=True):
                if score is None or not score.note:
                    continue
                figure = f"{score.task}, {score.metric}" + ("" if alike else f", {model}")
                figures = notes.setdefault(score.note, [])
                if figure not in figures:
                    figures.append(figure)
        averages = [category.average if category else None for category in own]
        rows += _average_rows(own, averages, single=single)
    values = ("score", "95% interval") if single else tuple(models)
    header = ("task", "metric", *values, "n", "chance", "majority")
    return Sheet(
        title="All scores" if folded else "Scores",
        header=header,
        rows=tuple(rows),
        text_columns=(1,),
        notes=tuple(
            f"{'; '.join(figures) if len(figures) < _MANY else f'{len(figures)} figures'}: {note}"
            for note, figures in notes.items()
        ),
        spare=(len(header) - 1, len(header) - 2),
        folded=folded,
    )


def _average_rows(
    own: Sequence[Category | None], averages: Sequence[Estimate | None], *, single: bool
) -> list[Row]:
    if all(one is None for one in averages):
        return []
    category = next(c for c, one in zip(own, averages, strict=True) if c and one)
    if len(category.headline) < 2:
        return []  # the average of one task is that task
    firsts = {score.task: score for score in reversed(category.scores)}
    headline = [firsts[task] for task in category.headline]
    metric = headline[0].metric if all(numbers.is_share(s.metric) for s in headline) else ""
    known = [one for one in averages if one is not None]
    n = f"{known[0].n:,}" if len({one.n for one in known}) == 1 else "differs"
    if single:
        middle = [numbers.number(known[0].value, metric), numbers.interval(known[0], metric)]
    else:
        middle = [_in_line(one, metric, with_n=n == "differs") for one in averages]
    chances = [score.chance for score in headline if score.chance is not None]
    complete = len(chances) == len(headline)
    chance = numbers.number(sum(chances) / len(chances), metric) if complete else DASH
    label = f"mean of {len(headline)}"
    return [Row(("average", label, *middle, n, chance, DASH), "average")]


def difference_sheets(models: Sequence[str], suites: Sequence[SuiteScores]) -> list[Sheet]:
    """Each later model against the first, where both rest on as many items."""
    if len(models) < 2:
        return []
    rows: list[Row] = []
    for _, own, keys in lined_up(suites):
        for key in keys:
            base = score_in(own[0], key)
            if base is None:
                continue
            cells: list[str] = []
            for category in own[1:]:
                score = score_in(category, key)
                comparable = score is not None and score.estimate.n == base.estimate.n > 0
                cells.append(
                    numbers.points(numbers.difference(base.estimate, score.estimate), key[1])
                    if comparable and score is not None
                    else DASH
                )
            if set(cells) != {DASH}:
                rows.append(Row((base.task, metric_text(base), *cells, f"{base.estimate.n:,}")))
    if not rows:
        return []
    return [
        Sheet(
            title=f"Difference to {models[0]}",
            header=("task", "metric", *models[1:], "n"),
            rows=tuple(rows),
            text_columns=(1,),
            notes=(
                "Shares in points, with 95% intervals that take the two models as independent: on "
                "the same items the true interval is narrower as a rule.",
            ),
            spare=(1,),
        )
    ]


def clean_sheets(models: Sequence[str], suites: Sequence[SuiteScores]) -> list[Sheet]:
    """With and without the items that the training text gave away; nothing when nobody looked."""
    looked = [
        (model, score)
        for model, suite in zip(models, suites, strict=True)
        for score in suite.scores
        if score.tainted is not None
    ]
    if not looked:
        return []
    rows = [
        Row(
            (
                score.task if len(models) == 1 else f"{score.task}, {model}",
                score.metric,
                f"{score.tainted:,} of {score.estimate.n:,}",
                numbers.number(score.estimate.value, score.metric),
                numbers.number(clean.value, score.metric),
                numbers.interval(clean, score.metric),
                f"{clean.n:,}",
            )
        )
        for model, score in looked
        if (clean := score.clean) is not None
    ]
    free = len(looked) - len(rows)
    note = f"In {free} of {len(looked)} scores no item was found in the training text."
    return [
        Sheet(
            title="Without items that the training text gave away",
            header=("task", "metric", "tainted", "all", "clean", "95% interval", "clean n"),
            rows=tuple(rows),
            text_columns=(1,),
            notes=(note,) if free else (),
            spare=(1, 5),
        )
    ]


def skipped_sheets(models: Sequence[str], suites: Sequence[SuiteScores]) -> list[Sheet]:
    """Which tasks could not run and why, and of which models where that is not all of them."""
    found: dict[tuple[str, str], list[str]] = {}
    for model, suite in zip(models, suites, strict=True):
        for category in suite.categories:
            for skipped in category.skipped.items():
                found.setdefault(skipped, []).append(model)
    rows = [
        Row((task if len(which) == len(models) else f"{task}, {', '.join(which)}", reason))
        for (task, reason), which in found.items()
    ]
    if not rows:
        return []
    header = ("task", "why")
    return [Sheet(title="Skipped", header=header, rows=tuple(rows), text_columns=(1,))]


def group_sheets(models: Sequence[str], suites: Sequence[SuiteScores]) -> list[Sheet]:
    """A folded table for each score that has groups."""
    sheets: list[Sheet] = []
    for _, own, keys in lined_up(suites):
        for key in keys:
            scores = [score_in(category, key) for category in own]
            by_model = [(m, s.by_group) for m, s in zip(models, scores, strict=True) if s]
            groups = dict.fromkeys(group for _, found in by_model for group in found)
            if not groups:
                continue
            rows = [
                Row(
                    (
                        group if len(models) == 1 else f"{group}, {model}",
                        numbers.number(found[group].value, key[1]),
                        numbers.interval(found[group], key[1]),
                        f"{found[group].n:,}",
                    )
                )
                for group in groups
                for model, found in by_model
                if group in found
            ]
            header = ("group", "score", "95% interval", "n")
            title = f"{key[0]}, {key[1]}, by group ({len(groups)})"
            sheets.append(Sheet(title=title, header=header, rows=tuple(rows), folded=True))
    return sheets
