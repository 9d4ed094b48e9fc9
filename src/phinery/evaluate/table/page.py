"""An evaluation as HTML: a fragment for a report, or a page that needs nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape
from importlib import resources

from phinery.evaluate.evaluation import Evaluation, SuiteScores
from phinery.evaluate.outcome import Estimate
from phinery.evaluate.table.beside import averages_of
from phinery.evaluate.table.charts import Bar, Group, bar_chart, column_chart
from phinery.evaluate.table.numbers import is_share
from phinery.evaluate.table.published import published
from phinery.evaluate.table.sheets import (
    Sheet,
    description,
    lined_up,
    model_names,
    score_in,
)
from phinery.evaluate.table.views import View, views

_STYLES = {
    "Phi-2": "phi",
    "Phi-1.5": "phi-light",
    "Llama-2 7B": "gray0",
    "Llama-2 13B": "gray1",
    "Llama-2 70B": "gray2",
    "Mistral 7B": "mistral",
    "Gemini Nano 2": "nano",
}


def render_page(evaluations: Sequence[Evaluation], *, title: str = "Evaluation") -> str:
    """A self-contained page. Raises ValueError without evaluations."""
    return document(title, _body(evaluations))


def render_fragment(evaluations: Sequence[Evaluation]) -> str:
    """A <section> with its own style, to be put into another page. ValueError as `render_page`."""
    return f'<section class="evaluation"><style>{style()}</style>{_body(evaluations)}</section>'


def document(title: str, body: str, *, more_style: str = "") -> str:
    """A page around a body that is HTML already."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style()}{more_style}</style></head>"
        f'<body class="evaluation"><main><h1>{escape(title)}</h1>{body}</main></body></html>\n'
    )


def style() -> str:
    """The style sheet; all its rules are below the class `evaluation`."""
    return (
        resources.files("phinery.evaluate.table").joinpath("page.css").read_text(encoding="utf-8")
    )


def _body(evaluations: Sequence[Evaluation]) -> str:
    shown = views(evaluations)
    names = model_names(evaluations)
    parts = [
        f'<p class="quiet"><b>{escape(name)}</b>: {escape(description(one))}</p>'
        for name, one in zip(names, evaluations, strict=True)
    ]
    for view in shown:
        parts.append(f"<h2>{escape(view.title)}</h2>")
        if view.name == "phi2":
            parts.append(_category_chart(view))
        parts.append(_task_chart(view))
        parts += [_sheet(sheet) for sheet in view.sheets]
    return "\n".join(part for part in parts if part)


def _category_chart(view: View) -> str:
    """The five categories: ours with whiskers, then the published models."""
    known = published()
    ours = [averages_of(suite, known) for suite in view.suites]
    groups: list[Group] = []
    for key, category in known.categories.items():
        bars = [
            _bar(model, place, found.get(key))
            for place, (model, found) in enumerate(zip(view.models, ours, strict=True))
        ]
        bars += [
            Bar(model.name, _STYLES[model.name], average[0].value / 100 if average else math.nan)
            for model in known.models
            for average in (known.average(model, key),)
        ]
        groups.append(Group(category.title, bars, _chance(view.suites, category.tasks)))
    return column_chart("Averages of the categories, %", groups)


def _chance(suites: Sequence[SuiteScores], tasks: Sequence[str]) -> float | None:
    """Mean chance over a category's tasks; None unless every one of them has one."""
    known = published()
    found: dict[str, float] = {}
    for score in (score for suite in suites for score in suite.scores):
        key = known.task_key(score.task)
        if key in tasks and score.chance is not None:
            found.setdefault(str(key), score.chance)
    return sum(found.values()) / len(tasks) if len(found) == len(tasks) else None


def _task_chart(view: View) -> str:
    """Each share of a suite; for `phi2` the first of each task, and Phi-2's as dots."""
    known = published()
    is_phi2 = view.name == "phi2"
    phi2 = next(model for model in known.models if model.name == "Phi-2")
    groups: list[Group] = []
    shown: set[str] = set()
    for _, own, keys in lined_up(view.suites):
        for task, metric in keys:
            scores = [score_in(category, (task, metric)) for category in own]
            present = [score for score in scores if score is not None]
            if not is_share(metric) or (is_phi2 and task in shown):
                continue
            if all(math.isnan(score.estimate.value) for score in present):
                continue
            shown.add(task)
            bars = [
                _bar(model, place, None if score is None else score.estimate)
                for place, (model, score) in enumerate(zip(view.models, scores, strict=True))
            ]
            key = known.task_key(task) if is_phi2 else None
            figure = phi2.tasks.get(key) if key else None
            marks = [("Phi-2, published", "phi", figure.value / 100)] if figure else []
            alone = is_phi2 or sum(one == task for one, _ in keys) == 1
            title = known.tasks[key].title if key else task
            label = title if alone else f"{task}, {metric}"
            groups.append(Group(label, bars, present[0].chance, marks))
    return bar_chart("Tasks, %, with 95% intervals", groups) if groups else ""


def _bar(model: str, place: int, estimate: Estimate | None) -> Bar:
    if estimate is None:
        return Bar(model, f"ours{place % 4}", math.nan)
    return Bar(model, f"ours{place % 4}", estimate.value, estimate.low, estimate.high)


def _sheet(sheet: Sheet) -> str:
    notes = "".join(f'<p class="note">{_linked(note)}</p>' for note in sheet.notes)
    content = (_table(sheet) if sheet.rows else "") + notes
    if sheet.folded:
        return f"<details><summary>{escape(sheet.title)}</summary>{content}</details>"
    return f"<h3>{escape(sheet.title)}</h3>{content}"


def _table(sheet: Sheet) -> str:
    texts = {0, *sheet.text_columns}
    kinds = ["" if column in texts else ' class="number"' for column in range(len(sheet.header))]
    head = "".join(
        f"<th{kind}>{escape(cell).replace(chr(10), '<br>')}</th>"
        for kind, cell in zip(kinds, sheet.header, strict=True)
    )
    rows: list[str] = []
    for row in sheet.rows:
        if row.style == "heading":
            cells = f'<td colspan="{len(sheet.header)}">{escape(row.cells[0])}</td>'
        else:
            cells = "".join(
                f"<td{kind}>{_cell(cell)}</td>" for kind, cell in zip(kinds, row.cells, strict=True)
            )
        rows.append(f'<tr class="{row.style}">{cells}</tr>')
    body = "".join(rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _cell(text: str) -> str:
    first, _, second = text.partition("\n")
    return escape(first) + (f"<small>{escape(second)}</small>" if second else "")


def _linked(note: str) -> str:
    return re.sub(r"(https://\S+)", r'<a href="\1">\1</a>', escape(note))
