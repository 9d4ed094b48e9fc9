"""What happens beside the training step: records, checkpoints, scores, samples, a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from phinery.data import TokenShards
from phinery.model import Phi
from phinery.text import Tokenizer
from phinery.train.evaluation import HeldOutScore, held_out_loss
from phinery.train.generators import kept_torch_states
from phinery.train.journal import Journal
from phinery.train.results import StepMetrics

if TYPE_CHECKING:
    from phinery.train.trainer import Trainer

_QUIET_SECONDS = 10.0


class Callback:
    """Is told what happens in a run; every method may be left out.

    What a callback raises ends the run. `on_end` comes in any case, after an error too.
    """

    def on_start(self, trainer: Trainer) -> None:
        """Training begins, or goes on, at `trainer.step`."""

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        """A step is done, whether it was skipped or not."""

    def on_evaluation(self, trainer: Trainer, score: HeldOutScore) -> None:
        """The model was scored on held-out text."""

    def on_checkpoint(self, trainer: Trainer) -> None:
        """A checkpoint is about to be written: what must not lag behind it goes to the disk now."""

    def on_end(self, trainer: Trainer) -> None:
        """Training is over, finished or not."""


class MetricsLog(Callback):
    """Keeps `metrics.jsonl`: an object for every step, and one for every held-out score.

    A step's has `step, loss, learning_rate, grad_norm, tokens, tokens_per_second, mfu, seconds,
    skipped, skipped_steps` and the parts of the objective's loss; a score's `step, tokens,
    held_out_loss, held_out_bits_per_byte, held_out_tokens, held_out_bytes`. After a resume no step
    is there twice or missing.
    """

    _journal: Journal

    def on_start(self, trainer: Trainer) -> None:
        """Open the file and drop what came after the checkpoint."""
        self._journal = Journal(trainer.directory / "metrics.jsonl", after=trainer.step)

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        """Log the step."""
        row = {**vars(metrics), **metrics.parts}
        del row["parts"]
        self._journal.write(row)

    def on_evaluation(self, trainer: Trainer, score: HeldOutScore) -> None:
        """Log the score."""
        self._journal.write(
            {
                "step": trainer.step,
                "tokens": trainer.progress.tokens,
                "held_out_loss": score.loss,
                "held_out_bits_per_byte": score.bits_per_byte,
                "held_out_tokens": score.tokens,
                "held_out_bytes": score.bytes,
            }
        )

    def on_checkpoint(self, trainer: Trainer) -> None:
        """Bring the log to the disk."""
        self._journal.sync()

    def on_end(self, trainer: Trainer) -> None:
        """Close the file."""
        self._journal.close()


class Checkpoints(Callback):
    """Saves a checkpoint every `checkpoint_every` steps and after the last."""

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        """Save when it is time."""
        if _is_due(trainer, trainer.config.checkpoint_every):
            trainer.save_checkpoint()


class Evaluation(Callback):
    """Scores the model on held-out text every `every` steps and after the last.

    `tokenizer` is needed when `max_tokens` limits the score to a part of the split.
    """

    def __init__(
        self,
        shards: TokenShards,
        every: int,
        *,
        tokenizer: Tokenizer | None = None,
        max_tokens: int | None = None,
        batch_size: int = 8,
    ) -> None:
        self._shards = shards
        self._every = every
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._batch_size = batch_size

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        """Score when it is time, and let every callback know."""
        if not _is_due(trainer, self._every):
            return
        score = held_out_loss(
            trainer.model,
            self._shards,
            trainer.config.sequence_length,
            tokenizer=self._tokenizer,
            max_tokens=self._max_tokens,
            batch_size=self._batch_size,
            dtype=trainer.dtype,
            separate_documents=trainer.config.separate_documents,
        )
        trainer.tell_evaluation(score)


class Samples(Callback):
    """Has the model write every `every` steps and after the last, and keeps it in `samples.jsonl`.

    `write` is given the model in evaluation mode and returns texts. Torch's generators are
    afterwards as they were, so that sampling does not change the training.
    """

    _journal: Journal

    def __init__(self, write: Callable[[Phi], Sequence[str]], every: int) -> None:
        self._write = write
        self._every = every

    def on_start(self, trainer: Trainer) -> None:
        """Open the file and drop what came after the checkpoint."""
        self._journal = Journal(trainer.directory / "samples.jsonl", after=trainer.step)

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        """Let the model write when it is time."""
        if not _is_due(trainer, self._every):
            return
        trainer.model.eval()
        with kept_torch_states(trainer.model.device):
            texts = list(self._write(trainer.model))
        self._journal.write({"step": trainer.step, "tokens": metrics.tokens, "texts": texts})

    def on_checkpoint(self, trainer: Trainer) -> None:
        """Bring the samples to the disk."""
        self._journal.sync()

    def on_end(self, trainer: Trainer) -> None:
        """Close the file."""
        self._journal.close()


class ProgressBar(Callback):
    """A moving bar on a terminal, else a line every ten seconds; on stderr by default."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._clock = TimeLeft()
        self._told = 0.0
        self._text = ""

    def on_start(self, trainer: Trainer) -> None:
        """Show the bar."""
        self._clock.start(trainer.step)
        self._told = time.monotonic()
        self._text = ""
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("step {task.completed:,.0f}/{task.total:,.0f}"),
                BarColumn(bar_width=None),
                TaskProgressColumn(),
                TextColumn("{task.fields[text]}"),
                console=self._console,
            )
            self._task = self._bar.add_task(
                "", total=trainer.config.steps, completed=trainer.step, text=""
            )
            self._bar.start()

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        """Move it."""
        total = trainer.config.steps
        left = self._clock.left(metrics.step, total)
        self._text = f"{progress_text(metrics)}  {format_seconds(left)} left"
        if self._bar is not None:
            self._bar.update(self._task, completed=metrics.step, text=self._text)
        elif time.monotonic() - self._told >= _QUIET_SECONDS:
            self._print_line(trainer)

    def on_end(self, trainer: Trainer) -> None:
        """Leave the last state standing."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        elif self._text:
            self._print_line(trainer)

    def _print_line(self, trainer: Trainer) -> None:
        self._told = time.monotonic()
        self._console.print(
            f"step {trainer.step:,}/{trainer.config.steps:,}  {self._text}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


class TimeLeft:
    """How long a run still takes, from the steps of this attempt and all that lay between them."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._first = 0

    def start(self, step: int) -> None:
        """Count from now, with `step` steps done."""
        self._begin, self._first = time.monotonic(), step

    def left(self, step: int, total: int) -> float:
        """Seconds until `total` steps are done, with `step` done now."""
        elapsed = time.monotonic() - self._begin
        return elapsed / max(step - self._first, 1) * (total - step)


def progress_text(metrics: StepMetrics) -> str:
    """A step for a person, as in "loss 3.214  12,345 tokens/s  MFU 61%"."""
    skipped = f"  {metrics.skipped_steps} skipped" if metrics.skipped_steps else ""
    return (
        f"loss {metrics.loss:.3f}  {metrics.tokens_per_second:,.0f} tokens/s  "
        f"MFU {metrics.mfu:.0%}{skipped}"
    )


def format_seconds(seconds: float) -> str:
    """A time for a person: "42 s", "3 min 05 s", "2 h 10 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_of_hour = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_of_hour:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _is_due(trainer: Trainer, every: int) -> bool:
    return trainer.step % every == 0 or trainer.step == trainer.config.steps
