"""Raw documents in, textbook-quality documents out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phinery.data.contamination import BenchmarkIndex
from phinery.data.document import ReadReport
from phinery.data.refinery.decide import decide, gather
from phinery.data.refinery.engine import run_tasks
from phinery.data.refinery.inputs import Task, all_inputs, describe, tasks_of
from phinery.data.refinery.ledger import READ, Ledger, LedgerError
from phinery.data.refinery.output import (
    histograms,
    write_documents,
    write_duplicates,
    write_tainted,
)
from phinery.data.refinery.settings import RefineSettings
from phinery.data.refinery.shard import BENCHMARKS, ShardWorker, is_finished, piece_directories
from phinery.files import (
    MANIFEST,
    atomic_directory,
    read_json,
    read_manifest,
    write_json,
)

KIND = "refined"
LEDGER = "ledger.json"
_PLAN = "plan.json"
_LOOK = 0.5
"""Seconds between two looks at how many pieces are there."""


@dataclass(frozen=True)
class RefineSummary:
    """What came of a refining."""

    directory: Path
    ledger: Ledger
    documents: int
    """Documents that were kept."""
    seconds: float


def refine(
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    settings: RefineSettings | None = None,
    engine: str = "embedded",
    workers: int | None = None,
    on_progress: Callable[[float | None, str], None] | None = None,
) -> RefineSummary:
    """Select, mask, rate, de-duplicate and decontaminate documents into a directory.

    Writes `documents-*.parquet` (sorted by shard and id), `duplicates.parquet`, `tainted.json`,
    `samples.json` and `ledger.json`. What is done is kept in `DIR.work` beside it while the work
    goes on: a killed refining goes on from there, and its result is the same to the last byte. The
    same holds for any number of workers and for both engines.

    Parameters
    ----------
    inputs
        Files, folders, URLs (s3://, http://, https://, hf://) or "machine", in order.
    out
        The directory that is made; one that an earlier refining made is replaced.
    settings
        Which steps run; the defaults of RefineSettings unless given.
    engine
        "embedded", or "ray" and an address: see `run_tasks`.
    workers
        Processes that work at a time; by default as many as there are cores.
    on_progress
        Told the share that is done (None when unknown) and a short text.

    Raises
    ------
    ValueError
        When there is nothing to read, or `out` holds something that no refining made.
    LedgerError
        When documents got lost on the way.
    """
    settings = settings or RefineSettings()
    directory = Path(out)
    tell = on_progress or (lambda share, text: None)
    started = time.monotonic()
    _check_replaceable(directory)
    report = ReadReport()
    paths = [inputs] if isinstance(inputs, (str, Path)) else list(inputs)
    found = all_inputs([str(path) for path in paths], report)
    tasks = tasks_of(found, settings.shard_bytes)
    work = directory.with_name(directory.name + ".work")
    _prepare(work, settings, describe(found))
    _run(tasks, work, settings, engine, workers or _cores(), tell)
    pieces = piece_directories(work)
    ledger, examples = _read_ledgers(pieces, report)
    _check_something_was_read(ledger, examples)
    tell(None, "choosing among near-duplicates")
    candidates = gather(pieces)
    decisions = decide(candidates, settings, ledger)
    ledger.check()
    with atomic_directory(directory, kind=KIND) as temporary:
        written, samples = write_documents(
            pieces, candidates, decisions, temporary, lambda share: tell(share, "writing")
        )
        last = ledger.totals(ledger.stages[-1]).went_out
        if written != last.documents:
            raise LedgerError(f"{written} documents were written, {last.documents} were kept")
        write_duplicates(decisions, temporary)
        tainted = write_tainted(candidates, temporary)
        write_json(temporary / "samples.json", samples)
        seconds = time.monotonic() - started
        write_json(
            temporary / LEDGER,
            {
                "settings": settings.values(),
                "seconds": round(seconds, 3),
                **ledger.as_json(),
                "tainted_items": tainted,
                "scores": histograms(candidates, decisions) if settings.quality else {},
                "examples": examples,
            },
        )
    shutil.rmtree(work)
    return RefineSummary(directory, ledger, written, seconds)


def _check_something_was_read(ledger: Ledger, examples: dict[str, str]) -> None:
    account = ledger.totals(READ)
    if account.went_out.documents == 0:
        reasons = ", ".join(
            f"{count.documents:,} {reason} ({examples[reason]})"
            for reason, count in account.dropped.items()
        )
        raise ValueError(f"no document could be read: {reasons or 'the inputs are empty'}")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_replaceable(directory: Path) -> None:
    """Refuse a directory that holds something that no refining made."""
    if not directory.exists():
        return
    if not directory.is_dir():
        raise ValueError(f"{directory} is a file: name another directory to write to")
    if any(directory.iterdir()):
        manifest = directory / MANIFEST
        if not manifest.is_file() or read_manifest(directory, verify=False).get("kind") != KIND:
            raise ValueError(
                f"{directory} holds other things than refined documents: name another directory"
            )


def _prepare(work: Path, settings: RefineSettings, described: list[list[Any]]) -> None:
    """Make the working directory, unless there is one that was made to the same plan."""
    plan = {"settings": settings.values(), "inputs": described, "code": _code_digest()}
    path = work / _PLAN
    if path.is_file() and read_json(path) == plan:
        return
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    if settings.benchmarks is not None:
        index = BenchmarkIndex.from_directory(Path(settings.benchmarks).expanduser())
        index.save(work / BENCHMARKS)
    write_json(path, plan)


def _code_digest() -> str:
    """Hash of the room's source: pieces that older code made are not mixed with new ones."""
    room = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted(room.rglob("*")):
        if path.is_file() and path.suffix in (".py", ".safetensors"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(
    tasks: Iterable[Task],
    work: Path,
    settings: RefineSettings,
    engine: str,
    workers: int,
    tell: Callable[[float | None, str], None],
) -> None:
    every = list(tasks)
    left = [task.as_json() for task in every if not is_finished(work, task)]
    done = len(every) - len(left)
    with _Watcher(work, len(every), tell) as watcher:
        watcher.finished = done
        results = run_tasks(
            ShardWorker(settings, work.resolve()),
            left,
            engine=engine,
            workers=workers,
        )
        for _ in results:
            watcher.finished += 1


class _Watcher:
    """Tells how far the work is, by the pieces that are there, while tasks run elsewhere."""

    def __init__(self, work: Path, tasks: int, tell: Callable[[float | None, str], None]) -> None:
        self.finished = 0
        self._work = work
        self._tasks = tasks
        self._tell = tell
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._seen: dict[Path, tuple[int, int]] = {}

    def __enter__(self) -> _Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK):
            for piece in piece_directories(self._work):
                if piece not in self._seen:
                    totals = Ledger.from_json(read_json(piece / LEDGER)).totals(READ).came_in
                    self._seen[piece] = (totals.documents, totals.bytes)
            documents = sum(count for count, _ in self._seen.values())
            size = sum(size for _, size in self._seen.values())
            share = self.finished / self._tasks if self._tasks else None
            self._tell(share, f"{documents:,} documents, {size / 1e6:.1f} MB read")


def _read_ledgers(pieces: Sequence[Path], report: ReadReport) -> tuple[Ledger, dict[str, str]]:
    """The ledgers of all pieces as one, and for every reason of the readers a place."""
    ledger = Ledger()
    examples: dict[str, str] = dict(report.examples)
    for reason, count in report.skipped.items():
        ledger.account(READ, FILES).came_in.add(count, 0)
        ledger.drop(READ, FILES, reason, count, 0)
    for piece in pieces:
        value = json.loads((piece / LEDGER).read_text(encoding="utf-8"))
        ledger.merge(Ledger.from_json(value))
        for reason, place in value["examples"].items():
            examples.setdefault(reason, place)
    return ledger, dict(sorted(examples.items()))


FILES = "(files not read)"
