"""One task of a refining: read some inputs, select, and commit piece by piece.

A piece is a directory with a manifest: `documents.parquet` (what passed every step that looks at
one document alone), `dropped.parquet` (what did not, with the reason), `exact.npy` and
`signatures.npy` (fingerprints of the documents), `hits.json` (benchmark items in them) and
`ledger.json`. It is written at once or not at all; a task that was killed reads its inputs again,
but works only on the pieces that are missing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from phinery.data.contamination import BenchmarkIndex, Hit
from phinery.data.document import Document, ReadReport
from phinery.data.quality import Scorer, shipped_scorer
from phinery.data.refinery.inputs import Task, read_task_input
from phinery.data.refinery.ledger import READ, Ledger
from phinery.data.refinery.settings import RefineSettings
from phinery.data.refinery.steps import (
    SCHEMA,
    Result,
    Step,
    batch_of,
    fingerprints,
    scored,
    steps_of,
    with_difficulty,
)
from phinery.data.select.privacy import mask_private
from phinery.files import MANIFEST, atomic_directory, read_json, write_json

BENCHMARKS = "benchmarks"
PIECE = "piece-{task:05d}-{number:05d}"
DROPPED = pa.schema(
    [
        ("id", pa.large_string()),
        ("source", pa.large_string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("bytes", pa.int64()),
        ("excerpt", pa.large_string()),
    ]
)
EXCERPT = 400
"""Characters of a sample that a person looks at."""
_BATCH_DOCUMENTS = 1000
_BATCH_BYTES = 4_000_000
_SAMPLES = 5


@dataclass
class Piece:
    """Documents that are held in memory together, and what the readers left out beside them."""

    number: int
    documents: list[Document] = field(default_factory=list[Document])
    bytes: int = 0
    skipped: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    """Source -> reason -> how many."""
    examples: dict[str, str] = field(default_factory=dict[str, str])
    """Reason -> a place."""
    is_last: bool = False


class ShardWorker:
    """Carries out tasks: JSON of a Task in, JSON of what was done out."""

    def __init__(self, settings: RefineSettings, work: Path, plan: str, *, is_child: bool) -> None:
        """Only plain data: a worker travels to other processes.

        `plan` names the plan that the pieces belong to. `is_child` says that tasks are done in
        processes that the one which waits for them starts.
        """
        self._settings = settings.values()
        self._work = str(work)
        self._plan = plan
        self._driver = os.getpid() if is_child else None

    def __call__(self, text: str) -> str:
        """Make the pieces of a task that are not there yet."""
        settings = RefineSettings.from_values(self._settings)
        work = Path(self._work)
        task = Task.from_json(text)
        index = BenchmarkIndex.load(work / BENCHMARKS) if settings.benchmarks else None
        scorer = scorer_of(settings) if settings.quality else None
        documents = 0
        for piece in pieces_of(task, settings):
            if self._driver not in (None, os.getpid(), os.getppid()):
                raise ChildProcessError("the process that waits for this task has ended")
            place = work / PIECE.format(task=task.number, number=piece.number)
            documents += len(piece.documents)
            if not (place / MANIFEST).is_file():
                fields = {"task": task.number, "last": piece.is_last, "plan": self._plan}
                with atomic_directory(place, **fields) as temporary:
                    write_piece(piece, temporary, settings, index, scorer)
        return json.dumps({"task": task.number, "documents": documents})


def scorer_of(settings: RefineSettings) -> Scorer:
    """The scorer that the settings name, or the shipped one."""
    if settings.scorer is None:
        return shipped_scorer()
    return Scorer.load(Path(settings.scorer).expanduser())


def pieces_of(task: Task, settings: RefineSettings) -> Iterator[Piece]:
    """Read a task's inputs in order; one piece at least, the last one marked."""
    piece = Piece(0)
    for source in task.inputs:
        report = ReadReport()
        counted: Counter[str] = Counter()
        yielded = 0
        for document in read_task_input(source, report, precise=settings.extractor == "precise"):
            yielded += 1
            piece.documents.append(document)
            piece.bytes += len(document.text.encode())
            if piece.bytes >= settings.shard_bytes:
                counted = _take_skipped(piece, source.source, report, counted)
                yield piece
                piece = Piece(piece.number + 1)
        _take_skipped(piece, source.source, report, counted)
        assert report.documents == yielded, f"{source.name}: {report.documents} != {yielded}"
    piece.is_last = True
    yield piece


def _take_skipped(
    piece: Piece, source: str, report: ReadReport, counted: Counter[str]
) -> Counter[str]:
    now = Counter(report.skipped)
    if new := now - counted:
        piece.skipped.setdefault(source, Counter()).update(new)
        piece.examples.update({reason: report.examples[reason] for reason in new})
    return now


def write_piece(
    piece: Piece,
    directory: Path,
    settings: RefineSettings,
    index: BenchmarkIndex | None,
    scorer: Scorer | None,
) -> None:
    """Select among a piece's documents and write all that is known of them."""
    ledger = Ledger()
    for document in piece.documents:
        size = len(document.text.encode())
        account = ledger.account(READ, document.source)
        account.came_in.add(1, size)
        account.went_out.add(1, size)
    for source, reasons in piece.skipped.items():
        for reason, count in reasons.items():
            ledger.account(READ, source).came_in.add(count, 0)
            ledger.drop(READ, source, reason, count, 0)
    steps = steps_of(settings)
    dropped: list[pa.Table] = []
    kept: list[pa.Table] = []
    exact: list[np.ndarray] = []
    signatures: list[np.ndarray] = []
    hits: list[list[dict[str, Any]]] = []
    for batch in _batches(piece.documents):
        for step in steps:
            batch = _take_step(step, batch, ledger, dropped, masks=settings.privacy)
        if scorer is not None and batch.num_rows:
            batch = scored(batch, scorer)
        if batch.num_rows:
            batch = with_difficulty(batch)
            found = fingerprints(batch, near=settings.near)
            exact.append(found[0])
            signatures.append(found[1])
            kept.append(batch)
            hits += _hits(batch, index) if index is not None else []
    table = pa.concat_tables(kept) if kept else SCHEMA.empty_table()
    pq.write_table(table.combine_chunks(), directory / "documents.parquet", compression="zstd")
    left_out = pa.concat_tables(dropped) if dropped else DROPPED.empty_table()
    pq.write_table(left_out.combine_chunks(), directory / "dropped.parquet", compression="zstd")
    width = 112 if settings.near else 0
    _save(directory / "exact.npy", exact, (0, 2), np.uint64)
    _save(directory / "signatures.npy", signatures, (0, width), np.uint32)
    write_json(
        directory / "hits.json", {str(row): found for row, found in enumerate(hits) if found}
    )
    ledger.check()
    write_json(directory / "ledger.json", {**ledger.as_json(), "examples": piece.examples})


def _hits(batch: pa.Table, index: BenchmarkIndex) -> list[list[dict[str, Any]]]:
    found = index.check(batch["text"].to_pylist(), kinds=batch["kind"].to_pylist())
    return [list(map(_hit_json, hits)) for hits in found]


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {**asdict(hit), "taints": hit.taints}


def _save(path: Path, parts: list[np.ndarray], empty: tuple[int, int], dtype: Any) -> None:
    whole = np.concatenate(parts) if parts else np.empty(empty, dtype=dtype)
    np.save(path, whole, allow_pickle=False)


def _batches(documents: list[Document]) -> Iterator[pa.Table]:
    held: list[Document] = []
    size = 0
    for document in documents:
        held.append(document)
        size += len(document.text)
        if len(held) >= _BATCH_DOCUMENTS or size >= _BATCH_BYTES:
            yield batch_of(held)
            held, size = [], 0
    if held:
        yield batch_of(held)


def _take_step(
    step: Step, batch: pa.Table, ledger: Ledger, dropped: list[pa.Table], *, masks: bool
) -> pa.Table:
    """Run one step on a batch: enter it into the ledger, take out what is dropped."""
    if batch.num_rows == 0:
        return batch
    result = step.run(batch)
    is_kept = result.reasons.is_null()
    for kind, count in result.masked.items():
        ledger.mask(kind, count)
    _enter(step.name, batch, result, ledger)
    if result.reasons.null_count < len(result.reasons):
        dropped.append(_dropped_rows(step.name, result, masks=masks))
    return result.table.filter(is_kept)


def _enter(stage: str, before: pa.Table, result: Result, ledger: Ledger) -> None:
    sources = before["source"].to_pylist()
    sizes = before["bytes"].to_pylist()
    after = result.table["bytes"].to_pylist()
    for source, size, now, reason in zip(
        sources, sizes, after, result.reasons.to_pylist(), strict=True
    ):
        account = ledger.account(stage, source)
        account.came_in.add(1, size)
        if reason is None:
            account.rewritten += now - size
            account.went_out.add(1, now)
        else:
            ledger.drop(stage, source, reason, 1, size)


def _dropped_rows(stage: str, result: Result, *, masks: bool) -> pa.Table:
    """The rows of `dropped.parquet`: an excerpt with a few of each reason, chosen by a hash.

    With `masks`, private information in the excerpts is masked: most steps come before that one.
    """
    table = result.table.append_column("reason", result.reasons)
    table = table.filter(result.reasons.is_valid())
    identities = table["id"].to_pylist()
    reasons = table["reason"].to_pylist()
    by_reason: dict[str, list[tuple[str, int]]] = {}
    for row, (identity, reason) in enumerate(zip(identities, reasons, strict=True)):
        by_reason.setdefault(reason, []).append((sample_key(identity), row))
    chosen = {row for found in by_reason.values() for _, row in sorted(found)[:_SAMPLES]}
    texts = {row: table["text"][row].as_py()[: 10 * EXCERPT] for row in sorted(chosen)}
    if masks:
        texts = dict(zip(texts, mask_private(list(texts.values())).texts, strict=True))
    excerpts = [texts[row][:EXCERPT] if row in chosen else None for row in range(table.num_rows)]
    return pa.table(
        {
            "id": identities,
            "source": table["source"],
            "stage": [stage] * table.num_rows,
            "reason": reasons,
            "bytes": table["bytes"],
            "excerpt": excerpts,
        },
        schema=DROPPED,
    )


def sample_key(identity: str) -> str:
    """A document's place in the order in which samples are taken: a hash of its id."""
    return hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()


def piece_directories(work: Path) -> list[Path]:
    """The finished pieces, in the order of tasks and within them."""
    return sorted(path.parent for path in work.glob(f"piece-*/{MANIFEST}"))


def task_pieces(work: Path, task: Task, plan: str) -> list[Path] | None:
    """The pieces of a task, in order; None while one of them is missing or of another plan."""
    pieces: list[Path] = []
    while True:
        place = work / PIECE.format(task=task.number, number=len(pieces))
        if not (place / MANIFEST).is_file():
            return None
        manifest = read_json(place / MANIFEST)
        if manifest["plan"] != plan:
            return None
        pieces.append(place)
        if manifest["last"]:
            return pieces
