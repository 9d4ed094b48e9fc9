"""Carries a recipe out: stages that nothing changed for are kept, then comes the report."""

from __future__ import annotations

import datetime
import shutil
import time
from pathlib import Path
from typing import Any

import phinery
from phinery.files import MANIFEST, ManifestError, read_json, write_atomic, write_json
from phinery.recipe.cache import (
    code_digest,
    content_digest,
    digest,
    kept_record,
    locked,
    seal,
    why_remade,
)
from phinery.recipe.load import RecipeError, nearest, show_recipe
from phinery.recipe.schema import Recipe
from phinery.recipe.stage import Stage, Workplace
from phinery.recipe.stages import stages_of
from phinery.recipe.stages.corpus import MACHINE
from phinery.recipe.terminal import Terminal

RECIPE, LEDGER = "recipe.toml", "ledger.json"
_REPORT_CODE = (
    "recipe/report.py",
    "recipe/report_data.py",
    "recipe/report_refining.py",
    "recipe/report_text.py",
    "recipe/charts.py",
    "recipe/report.css",
    "recipe/report.js",
)

Record = dict[str, Any]


def run(
    recipe: Recipe,
    out: str | Path | None = None,
    *,
    only: str | None = None,
    terminal: Terminal | None = None,
) -> Path:
    """Carry out a recipe and return its run directory.

    Stages that were made before with the same settings, inputs and code are kept; an interrupted
    training goes on from its last checkpoint.

    Parameters
    ----------
    recipe
        From `Recipe.load`.
    out
        The run directory; `runs/NAME` unless given.
    only
        Make this stage and those that it needs, and nothing after it.
    terminal
        Where to tell how it goes.

    Raises
    ------
    RecipeError
        When `only` names no stage of the recipe, or the directory holds something else.
    ValueError, OSError
        In one line, when a stage cannot be made from what the recipe names.
    """
    directory = Path(out).expanduser() if out is not None else Path("runs") / recipe.name
    terminal = terminal or Terminal()
    stages = _chosen(stages_of(recipe), only)
    _prepare(directory, recipe)
    with locked(directory):
        write_atomic(directory / RECIPE, _header(recipe) + show_recipe(recipe))
        records: dict[str, Record] = {}
        for stage in stages:
            records[stage.name] = _carry_out(stage, directory, records, terminal)
            _write_ledger(directory, recipe, records)
        if only is None:
            _report(directory, recipe, records, terminal)
    return directory


def _chosen(stages: list[Stage], only: str | None) -> list[Stage]:
    """All stages, or the one called `only` after those whose results it needs, in order."""
    if only is None:
        return stages
    by_name = {stage.name: stage for stage in stages}
    if only not in by_name:
        raise RecipeError(
            f"the recipe has no stage {only!r}{nearest(only, by_name)}; "
            f"its stages are {', '.join(by_name)}"
        )
    wanted = {only}
    for stage in reversed(stages):
        if stage.name in wanted:
            wanted.update(stage.needs)
    return [stage for stage in stages if stage.name in wanted]


def _prepare(directory: Path, recipe: Recipe) -> None:
    """Make the run directory; refuse one that holds something else, which stages might replace."""
    if recipe.corpus.path != MACHINE:
        source = Path(recipe.corpus.path).expanduser().resolve()
        if directory.resolve().is_relative_to(source):
            raise RecipeError(
                f"the run directory {directory} lies inside the corpus {recipe.corpus.path}, so "
                "that a run would read what it wrote: choose another with --out"
            )
    if directory.exists() and not directory.is_dir():
        raise RecipeError(f"{directory} is a file: choose another directory with --out")
    directory.mkdir(parents=True, exist_ok=True)
    others = [path.name for path in directory.iterdir() if not path.name.startswith(".")]
    if others and RECIPE not in others:
        raise RecipeError(
            f"{directory} holds other things and no {RECIPE}, so it is no run directory: "
            "choose another with --out"
        )


def _header(recipe: Recipe) -> str:
    return (
        f"# The recipe of this run as it was carried out by phinery {phinery.__version__}, every "
        f"default resolved.\n# Run it again with `phinery run THIS_FILE`.\n"
    )


def _carry_out(
    stage: Stage, directory: Path, records: dict[str, Record], terminal: Terminal
) -> Record:
    """Keep a stage that is there already, or make it; returns its record."""
    place = directory / stage.name
    identity: Record = {
        "stage": stage.name,
        "settings": dict(stage.settings),
        "inputs": {name: content_digest(directory / name) for name in stage.needs},
        "outside": digest(stage.outside()),
        "code": code_digest(stage.code),
    }
    key = digest(identity)
    try:
        kept = kept_record(place, key)
    except ManifestError as error:
        terminal.note(f"{error}; it is made again")
        shutil.rmtree(place)
        kept = None
    if kept is not None:
        terminal.done(stage.name, kept["summary"], None)
        return kept
    unfinished = directory / f".{stage.name}.unfinished.json"
    if reason := why_remade(place, identity):
        terminal.note(f"{stage.name}: {reason}, so it is made again")
    decisive = {k: v for k, v in stage.settings.items() if k not in stage.free}
    attempt = digest([stage.name, decisive, identity["inputs"], identity["outside"]])
    before = _seconds_before(stage, place, unfinished, attempt, terminal)
    started = time.monotonic()
    try:
        with terminal.stage(stage.name) as line:
            outcome = stage.make(Workplace(directory, stage.name, line, records))
    finally:
        seconds = before + time.monotonic() - started
        if stage.resumable:
            write_json(unfinished, {"attempt": attempt, "seconds": round(seconds, 3)})
    record: Record = {
        "key": key,
        **identity,
        "summary": outcome.summary,
        "counts": dict(outcome.counts),
        "seconds": round(seconds, 3),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "version": phinery.__version__,
    }
    seal(place, record)
    unfinished.unlink(missing_ok=True)
    terminal.done(stage.name, outcome.summary, seconds)
    return record


def _seconds_before(
    stage: Stage, place: Path, unfinished: Path, attempt: str, terminal: Terminal
) -> float:
    """Make room for a resumable stage; returns the seconds that interrupted attempts took.

    What an interruption left stays only where the stage can go on from it: same inputs and same
    settings, but for those that are free. The code may have changed meanwhile; training state is
    checked when it is read.
    """
    if not stage.resumable:
        return 0.0
    if unfinished.is_file() and not (place / MANIFEST).is_file():
        left = read_json(unfinished)
        if left["attempt"] == attempt:
            return float(left["seconds"])
        terminal.note(f"{stage.name}: inputs or settings changed, so it starts from the beginning")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    write_json(unfinished, {"attempt": attempt, "seconds": 0.0})
    return 0.0


def _write_ledger(directory: Path, recipe: Recipe, records: dict[str, Record]) -> None:
    """Write the ledger: the stages of this run, then those that stand there from before."""
    path = directory / LEDGER
    before = read_json(path)["stages"] if path.is_file() else {}
    names = [stage.name for stage in stages_of(recipe)]
    stages = {name: record for name, record in {**before, **records}.items() if name in names}
    ordered = {name: stages[name] for name in names if name in stages}
    write_json(
        path,
        {
            "recipe": recipe.name,
            "version": phinery.__version__,
            "seconds": round(sum(record["seconds"] for record in ordered.values()), 3),
            "stages": ordered,
        },
    )


def _report(
    directory: Path, recipe: Recipe, records: dict[str, Record], terminal: Terminal
) -> None:
    """Write report.html and report.md unless they already tell of exactly these stages."""
    from phinery.recipe.report import write_report

    key = digest([records, show_recipe(recipe), code_digest(_REPORT_CODE)])
    mark = f"<!-- {key} -->"
    html, text = directory / "report.html", directory / "report.md"
    if html.is_file() and text.is_file() and html.read_text(encoding="utf-8").endswith(mark):
        return
    write_report(directory, recipe, records, mark)
    terminal.done("report", str(html), 0.0)
