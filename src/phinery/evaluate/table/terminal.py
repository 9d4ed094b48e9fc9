"""An evaluation on the terminal."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from phinery.evaluate.evaluation import Evaluation
from phinery.evaluate.table.sheets import Row, RowStyle, Sheet, description, model_names
from phinery.evaluate.table.views import views

_STYLES: dict[RowStyle, str] = {"": "", "heading": "bold", "ours": "bold cyan", "average": "italic"}
_HEADER_WIDTH = 12
# More of them would push the scores out of sight.
_NOTES = 4


def print_table(evaluations: Sequence[Evaluation], console: Console | None = None) -> None:
    """Print the scores of one model, or of several side by side.

    Columns that do not fit are left out, and named. Tables by group are only counted. Raises
    ValueError without evaluations.
    """
    console = console or Console()
    shown = views(evaluations)
    for name, evaluation in zip(model_names(evaluations), evaluations, strict=True):
        console.print(Text(name, style="bold"))
        _print_note(description(evaluation), console)
    for view in shown:
        console.print()
        console.print(Text(view.title, style="bold underline"))
        for sheet in view.sheets:
            if not sheet.folded:
                print_sheet(sheet, console)
        groups = sum("by group" in sheet.title for sheet in view.sheets)
        if groups:
            _print_note(f"{groups} by group: on the page and in the JSON.", console)


def print_sheet(sheet: Sheet, console: Console) -> None:
    """Print one table, without columns that do not fit, and its notes."""
    sheet = _with_one_text_column(sheet)
    console.print()
    console.print(Text(sheet.title, style="bold"))
    if sheet.rows:
        left_out: list[int] = []
        table = _table(sheet, left_out)
        for column in sheet.spare:
            if _width(table, console) <= console.width:
                break
            left_out.append(column)
            table = _table(sheet, left_out)
        console.print(table)
        if left_out:
            names = ", ".join(" ".join(sheet.header[column].split()) for column in left_out)
            _print_note(f"Not shown for want of room: {names}.", console)
    for note in sheet.notes[:_NOTES]:
        _print_note(note, console)
    if len(sheet.notes) > _NOTES:
        _print_note(f"{len(sheet.notes) - _NOTES} more notes: on the page.", console)


def _with_one_text_column(sheet: Sheet) -> Sheet:
    """Second columns of text, the metrics, below their tasks: wide names need not stand abreast."""
    if sheet.text_columns != (1,) or sheet.header[:2] != ("task", "metric"):
        return sheet
    rows: list[Row] = []
    for place, row in enumerate(sheet.rows):
        if len(row.cells) < 2:
            rows.append(row)
            continue
        task, metric, *rest = row.cells
        before, after = sheet.rows[place - 1 : place], sheet.rows[place + 1 : place + 2]
        follows = any(other.cells[0] == task for other in before)
        leads = any(other.cells[0] == task for other in after)
        if leads and not follows:
            rows.append(Row((task,), row.style))
        label = f"  {metric}" if leads or follows else f"{task}, {metric}"
        rows.append(dataclasses.replace(row, cells=(label, *rest)))
    return dataclasses.replace(
        sheet,
        header=("task, metric", *sheet.header[2:]),
        rows=tuple(rows),
        text_columns=(),
        spare=tuple(column - 1 for column in sheet.spare),
    )


def _table(sheet: Sheet, left_out: Sequence[int]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    columns = [column for column in range(len(sheet.header)) if column not in left_out]
    for column in columns:
        is_text = column == 0 or column in sheet.text_columns
        table.add_column(
            Text(sheet.header[column] if is_text else _narrow(sheet.header[column])),
            justify="left" if is_text else "right",
            vertical="top",
            no_wrap=not is_text,
            overflow="fold",
            min_width=_longest_word(sheet, column) if is_text else None,
        )
    for row in sheet.rows:
        cells = [*row.cells, *[""] * (len(sheet.header) - len(row.cells))]
        style = _STYLES[row.style]
        table.add_row(*(Text(cells[column], style=style) for column in columns))
    return table


def _narrow(name: str) -> str:
    """The name of a column of numbers, in lines that need not make it wider."""
    return name if "\n" in name else "\n".join(textwrap.wrap(name, _HEADER_WIDTH))


def _longest_word(sheet: Sheet, column: int) -> int:
    """How narrow a column of text may become; words beyond 24 letters are broken."""
    cells = [row.cells[column] for row in sheet.rows if column < len(row.cells)]
    return min(24, max((len(word) for cell in cells for word in cell.split()), default=1))


def _width(table: Table, console: Console) -> int:
    """The least width: numbers in one line, text wrapped between words."""
    return Measurement.get(console, console.options.update(max_width=10_000), table).minimum


def _print_note(note: str, console: Console) -> None:
    # By hand: rich would break an address in the middle of a word.
    for line in textwrap.wrap(
        note, max(20, console.width), break_long_words=False, break_on_hyphens=False
    ):
        console.print(Text(line, style="dim"), soft_wrap=True)
