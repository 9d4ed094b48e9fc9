"""Synthesize: textbooks from a teacher, then through the refinery like any other text."""

from __future__ import annotations

import shutil
from pathlib import Path

from phinery.data import RefineSettings
from phinery.data.synthesis.lessons import write_lessons
from phinery.recipe import schema
from phinery.recipe.schema import PROCEDURAL, format_count
from phinery.recipe.stage import Outcome, Workplace
from phinery.recipe.stages.refine import refined

BYTES_PER_TOKEN = 4
"""What a token is taken to hold before there is a tokenizer."""
_LESSONS, _ANSWERS = ".synthesize.lessons", ".synthesize.answers"


def make(place: Workplace, table: schema.Synthesize, *, seed: int, held_out: float) -> Outcome:
    """Write documents, then refine them: duplicates, contamination and scores."""
    raw = place.run / (_LESSONS if table.teacher == PROCEDURAL else _ANSWERS)
    if table.teacher == PROCEDURAL:
        write_lessons(
            raw,
            seed=seed,
            characters=table.tokens * BYTES_PER_TOKEN,
            on_progress=place.progress.update,
        )
    else:
        _ask_teacher(place, raw, table, seed)
    settings = RefineSettings(
        languages=(),
        heuristics=False,
        repetition=False,
        privacy=table.teacher != PROCEDURAL,
        keep=table.keep,
        benchmarks=table.benchmarks,
    )
    outcome = refined(place, raw, settings, held_out)
    # A teacher's answers cost money: they stay beside the stage, for the next attempt.
    if table.teacher == PROCEDURAL:
        shutil.rmtree(raw)
    return outcome


def _ask_teacher(place: Workplace, raw: Path, table: schema.Synthesize, seed: int) -> None:
    from phinery.data.synthesis.teacher import DEFAULT_KINDS, Plan, Progress, Teacher, synthesize
    from phinery.data.synthesis.teacher.plan import CODE

    def tell(progress: Progress) -> None:
        share = min(progress.tokens / table.tokens, 1.0)
        place.progress.update(share, f"{progress.documents:,} documents")

    assert table.model is not None
    kinds = {k: w for k, w in DEFAULT_KINDS.items() if table.run_code or k != CODE}
    teacher = Teacher(
        table.teacher,
        table.model,
        requests_per_minute=table.requests_per_minute,
        tokens_per_minute=table.tokens_per_minute,
        concurrency=table.concurrency,
    )
    summary = synthesize(
        Plan(seed=seed, kinds=kinds),
        teacher,
        raw,
        tokens=table.tokens,
        run_code=table.run_code,
        input_price=table.input_price,
        output_price=table.output_price,
        on_progress=tell,
    )
    place.progress.note(f"teacher: {summary.text()} ({format_count(table.tokens)} tokens wanted)")
