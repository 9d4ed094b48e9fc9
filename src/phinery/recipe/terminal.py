"""What a run says on the terminal: one line a stage while it works, one line when it is done."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_NAME_WIDTH = 11
_QUIET_SECONDS = 20.0


def duration(seconds: float) -> str:
    """Seconds for a person: "4.2 s", "3 min 05 s", "2 h 10 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


class StageLine:
    """The line of the stage that is at work: name, bar, text, time so far."""

    def __init__(self, name: str, console: Console) -> None:
        self._name = name
        self._console = console
        self._started = self._told = time.monotonic()
        self._share: float | None = None
        self._text = ""
        self.live = Live(
            get_renderable=self._render, console=console, refresh_per_second=8, transient=True
        )

    def update(self, share: float | None, text: str) -> None:
        """Show how far the stage is; without a terminal, as a line now and then."""
        self._share, self._text = share, text
        now = time.monotonic()
        if not self._console.is_terminal and now - self._told >= _QUIET_SECONDS:
            self._told = now
            percent = "" if share is None else f"{100 * share:3.0f}%  "
            self._console.print(
                f"  {self._name:{_NAME_WIDTH}}{percent}{escape(text)}", highlight=False
            )

    def note(self, text: str) -> None:
        """Say something in a line that stays."""
        self._console.print(f"  [dim]{escape(text)}[/]", highlight=False, soft_wrap=True)

    def _render(self) -> Table:
        elapsed = time.monotonic() - self._started
        row = Table.grid(padding=(0, 1))
        bar = ProgressBar(
            total=1.0,
            completed=self._share or 0.0,
            pulse=self._share is None,
            width=min(28, max(8, self._console.width // 4)),
        )
        percent = "    " if self._share is None else f"{100 * self._share:3.0f}%"
        row.add_row(
            Text(f"  {self._name:{_NAME_WIDTH - 1}}", style="bold"),
            bar,
            Text(percent, no_wrap=True),
            Text(duration(elapsed), style="dim", no_wrap=True),
            Text(self._text, no_wrap=True, overflow="ellipsis"),
        )
        return row


class Terminal:
    """Tells a person how a run goes; colours and moving bars only where there is a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(soft_wrap=False)

    @contextmanager
    def stage(self, name: str) -> Generator[StageLine]:
        """A line that lives while the stage works and is gone when it ends, well or not."""
        line = StageLine(name, self.console)
        if self.console.is_terminal:
            with line.live:
                yield line
        else:
            yield line

    def done(self, name: str, summary: str, seconds: float | None) -> None:
        """The line that stays: what came out and how long it took, or that it was there already."""
        time_taken = "kept" if seconds is None else duration(seconds)
        mark = "[dim]=[/]" if seconds is None else "[green]✓[/]"
        style = "dim" if seconds is None else "default"
        room = max(self.console.width - _NAME_WIDTH - len(time_taken) - 7, 20)
        self.console.print(
            f"{mark} [bold]{name:{_NAME_WIDTH}}[/][{style}]{escape(summary):{room}}[/]"
            f"  [dim]{time_taken}[/]",
            highlight=False,
            soft_wrap=True,
        )

    def note(self, text: str) -> None:
        """Something worth knowing, in a line."""
        self.console.print(f"  [dim]{escape(text)}[/]", highlight=False, soft_wrap=True)

    def say(self, text: str = "") -> None:
        """A plain line, rich markup allowed."""
        self.console.print(text, highlight=False, soft_wrap=True)
