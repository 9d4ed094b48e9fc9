"""Raw documents in, textbook-quality documents out."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Generator, Sequence
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
from phinery.data.refinery.shard import BENCHMARKS, ShardWorker, piece_directories, task_pieces
from phinery.files import (
    MANIFEST,
    atomic_directory,
    read_json,
    read_manifest,
    sha256_file,
    write_json,
)
from phinery.text import available_cores

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
    paths = [str(path) for path in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
    _check_outside(directory, paths)
    found = all_inputs(paths, report)
    tasks = tasks_of(found, settings.shard_bytes)
    work = directory.resolve().with_name(directory.name + ".work")
    work.parent.mkdir(parents=True, exist_ok=True)
    with _locked(work):
        _prepare(work, settings, describe(found))
        plan = sha256_file(work / _PLAN)
        pieces = _run(tasks, work, plan, settings, engine, workers or available_cores(), tell)
        indexed = [] if settings.benchmarks is None else _indexed(work)
        summary = _finish(pieces, directory, settings, indexed, report, started, tell)
        shutil.rmtree(work)
    return summary


def _finish(
    pieces: Sequence[Path],
    directory: Path,
    settings: RefineSettings,
    indexed: Sequence[str],
    report: ReadReport,
    started: float,
    tell: Callable[[float | None, str], None],
) -> RefineSummary:
    """Decide with all documents in sight, and write what is kept."""
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
                **ledger.folded().as_json(),
                "benchmarks": indexed,
                "tainted_items": tainted,
                "scores": histograms(candidates, decisions) if settings.quality else {},
                "examples": examples,
            },
        )
    return RefineSummary(directory, ledger, written, seconds)


def _check_outside(directory: Path, paths: Sequence[str]) -> None:
    """Refuse to write into what is read: a second attempt would read what the first one wrote."""
    for path in paths:
        source = Path(path).resolve()
        if "://" not in path and source.is_dir() and directory.resolve().is_relative_to(source):
            raise ValueError(
                f"{directory} lies inside {path}, which is read: name another directory"
            )


@contextlib.contextmanager
def _locked(work: Path) -> Generator[None]:
    """Keep a second refining away from the working directory; the lock ends with the process."""
    path = work.with_name(f".{work.name}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"another refining works in {work}: wait for it, or name another directory"
            ) from None
        yield
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _check_something_was_read(ledger: Ledger, examples: dict[str, str]) -> None:
    account = ledger.totals(READ)
    if account.went_out.documents == 0:
        reasons = ", ".join(
            f"{count.documents:,} {reason} ({examples[reason]})"
            for reason, count in account.dropped.items()
        )
        raise ValueError(f"no document could be read: {reasons or 'the inputs are empty'}")


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
    benchmarks = None if settings.benchmarks is None else Path(settings.benchmarks)
    plan = {
        "settings": settings.values(),
        "inputs": described,
        "code": _code_digest(),
        "scorer": None if settings.scorer is None else sha256_file(Path(settings.scorer)),
        "benchmarks": None if benchmarks is None else _files_below(benchmarks),
    }
    path = work / _PLAN
    if not path.is_file() or read_json(path) != plan:
        if work.exists() and not path.is_file() and any(work.iterdir()):
            raise ValueError(
                f"{work} is in the way, and no refining made it: name another directory"
            )
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        write_json(path, plan)
    if benchmarks is not None and not (work / BENCHMARKS).is_dir():
        BenchmarkIndex.from_directory(benchmarks).save(work / BENCHMARKS)


def _indexed(work: Path) -> list[str]:
    """Names of the benchmarks that texts were compared with."""
    return sorted(BenchmarkIndex.load(work / BENCHMARKS).items)


def _files_below(path: Path) -> list[list[Any]]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    statuses = [(file, file.stat()) for file in files if file.is_file()]
    return [[str(file), status.st_size, status.st_mtime_ns] for file, status in statuses]


def _code_digest() -> str:
    """Hash of the room's source: pieces that older code made are not mixed with new ones."""
    room = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted(room.rglob("*")):
        if path.is_file() and path.suffix in (".py", ".safetensors"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(
    tasks: Sequence[Task],
    work: Path,
    plan: str,
    settings: RefineSettings,
    engine: str,
    workers: int,
    tell: Callable[[float | None, str], None],
) -> list[Path]:
    """Carry out the tasks that are left; returns the pieces of all, in order."""
    left = [task.as_json() for task in tasks if task_pieces(work, task, plan) is None]
    with _Watcher(work, len(tasks), tell) as watcher:
        watcher.finished = len(tasks) - len(left)
        results = run_tasks(
            ShardWorker(settings, work, plan, is_child=engine == "embedded"),
            left,
            engine=engine,
            workers=workers,
        )
        for _ in results:
            watcher.finished += 1
    pieces: list[Path] = []
    for task in tasks:
        found = task_pieces(work, task, plan)
        if found is None:
            raise LedgerError(f"task {task.number} ended, but pieces of it are missing in {work}")
        pieces += found
    return pieces


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
