from __future__ import annotations

import io

from rich.console import Console

from phinery.recipe.terminal import Terminal


def terminal(width: int = 80, *, moving: bool = False) -> tuple[Terminal, io.StringIO]:
    written = io.StringIO()
    console = Console(file=written, width=width, force_terminal=moving, color_system=None)
    return Terminal(console), written


def test_done_is_one_line_with_result_and_time():
    lines, written = terminal()
    lines.done("corpus", "1,842 documents", 2.34)
    assert written.getvalue().count("\n") == 1
    assert written.getvalue().split() == ["✓", "corpus", "1,842", "documents", "2.3", "s"]


def test_kept_stage_says_so():
    lines, written = terminal()
    lines.done("corpus", "1,842 documents", None)
    assert written.getvalue().rstrip().endswith("kept")


def test_without_a_terminal_progress_is_rare():
    lines, written = terminal()
    with lines.stage("pretrain") as line:
        for step in range(1000):
            line.update(step / 1000, "loss 3")
    assert written.getvalue() == ""


def test_with_a_terminal_the_line_moves_and_is_gone_in_the_end():
    lines, written = terminal(moving=True)
    with lines.stage("pretrain") as line:
        line.update(0.5, "loss [3]")
        line.live.refresh()
    assert "50%" in written.getvalue()
    assert "loss [3]" in written.getvalue()
    assert written.getvalue().endswith("\x1b[2K")


def test_text_from_outside_is_no_markup():
    lines, written = terminal()
    lines.note("[red]x[/red]")
    lines.done("corpus", "[bold]y", 1)
    assert "[red]x[/red]" in written.getvalue()
    assert "[bold]y" in written.getvalue()
