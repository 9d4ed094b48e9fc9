"""An evaluation as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from phinery.evaluate.evaluation import Evaluation
from phinery.evaluate.table.sheets import Row, Sheet, description, model_names
from phinery.evaluate.table.views import views


def render_markdown(evaluations: Sequence[Evaluation]) -> str:
    """Tables of one model, or of several side by side; tables by group are folded.

    Raises ValueError without evaluations.
    """
    shown = views(evaluations)
    blocks = [
        f"**{plain(name)}**: {plain(description(one))}"
        for name, one in zip(model_names(evaluations), evaluations, strict=True)
    ]
    for view in shown:
        blocks.append(f"## {plain(view.title)}")
        for sheet in view.sheets:
            blocks += _blocks(sheet)
    return "\n\n".join(blocks) + "\n"


def plain(text: str) -> str:
    """Text of others that Markdown and HTML must not read as markup, in one line."""
    words = " ".join(escape(text, quote=False).split())
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", words)


def _blocks(sheet: Sheet) -> list[str]:
    notes = [f"{_linked(note)}" for note in sheet.notes]
    if not sheet.rows:
        return [f"### {plain(sheet.title)}", *notes]
    table = _table(sheet)
    if sheet.folded:
        summary = f"<details><summary>{escape(sheet.title)}</summary>"
        return [summary, table, *notes, "</details>"]
    return [f"### {plain(sheet.title)}", table, *notes]


def _table(sheet: Sheet) -> str:
    texts = {0, *sheet.text_columns}
    rule = ["---" if column in texts else "---:" for column in range(len(sheet.header))]
    lines = [_line([plain(cell) for cell in sheet.header]), _line(rule)]
    lines += [_line(_cells(row, len(sheet.header))) for row in sheet.rows]
    return "\n".join(lines)


def _cells(row: Row, width: int) -> list[str]:
    cells = [plain(cell) for cell in row.cells]
    if row.style:
        cells = [f"**{cell}**" if place == 0 else cell for place, cell in enumerate(cells)]
    return [*cells, *[""] * (width - len(cells))]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _linked(note: str) -> str:
    """A note; an address in it stays one."""
    return " ".join(
        f"<{word}>" if word.startswith("https://") else plain(word) for word in note.split()
    )
