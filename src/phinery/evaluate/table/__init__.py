"""Scores as tables: beside published models, on the terminal, in Markdown and as a page."""

from __future__ import annotations

from phinery.evaluate.table.check import Check, check_published, print_checks
from phinery.evaluate.table.markdown import render_markdown
from phinery.evaluate.table.page import render_fragment, render_page
from phinery.evaluate.table.terminal import print_table

__all__ = [
    "Check",
    "check_published",
    "print_checks",
    "print_table",
    "render_fragment",
    "render_markdown",
    "render_page",
]
