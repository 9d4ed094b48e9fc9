"""The steps of selection: each a pure function from a batch of documents to a batch.

A batch is an Arrow table with the columns of SCHEMA. A step answers with a reason for each document
it wants dropped (null where it passes), and with a changed table where it rewrites or adds columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from phinery.data.document import Document
from phinery.data.duplicates.minhash import exact_hash, signature
from phinery.data.refinery.engine import evaluate, import_daft
from phinery.data.refinery.settings import RefineSettings
from phinery.data.select.heuristics import heuristic_reason
from phinery.data.select.language import detect_languages
from phinery.data.select.privacy import mask_private
from phinery.data.select.repetition import repetition_reason

if TYPE_CHECKING:
    from daft import Expression

    from phinery.data.quality import Scorer

SCHEMA = pa.schema(
    [
        ("id", pa.large_string()),
        ("text", pa.large_string()),
        ("source", pa.large_string()),
        ("url", pa.large_string()),
        ("language", pa.large_string()),
        ("kind", pa.large_string()),
        ("educational_value", pa.float32()),
        ("teachability", pa.float32()),
        ("difficulty", pa.float32()),
        ("bytes", pa.int64()),
    ]
)
CODE = "code"


@dataclass(frozen=True)
class Result:
    """What a step says of a batch."""

    table: pa.Table
    """All documents of the batch, rewritten where the step rewrites."""
    reasons: pa.Array
    """Why a document is to be dropped, null where it is not; `(documents,)`, strings."""
    masked: Counter[str] = field(default_factory=Counter[str])
    """Kind of private information -> how often it was masked."""


@dataclass(frozen=True)
class Step:
    """A named step; the name is a stage of the ledger."""

    name: str
    run: Callable[[pa.Table], Result]


def batch_of(documents: Sequence[Document]) -> pa.Table:
    """Documents as a batch; the scores are null."""
    columns = {
        name: [getattr(document, name) for document in documents]
        for name in ("id", "text", "source", "url", "language", "kind", "difficulty")
    }
    empty = [None] * len(documents)
    sizes = [len(document.text.encode()) for document in documents]
    scores = {"educational_value": empty, "teachability": empty}
    return pa.table({**columns, **scores, "bytes": sizes}, schema=SCHEMA)


def steps_of(settings: RefineSettings) -> list[Step]:
    """The steps that look at one document alone, in their order."""
    steps: list[Step] = []
    if settings.languages:
        steps.append(Step("language", lambda table: by_language(table, settings.languages)))
    if settings.heuristics:
        steps.append(Step("heuristics", by_heuristics))
    if settings.repetition:
        steps.append(Step("repetition", by_repetition))
    if settings.privacy:
        steps.append(Step("privacy", mask))
    return steps


def by_language(table: pa.Table, languages: Sequence[str]) -> Result:
    """Detect the language of all but source code; drop what is in none of `languages`."""
    texts = table["text"].to_pylist()
    prose = [kind != CODE for kind in table["kind"].to_pylist()]
    detected = iter(
        detect_languages([t for t, is_prose in zip(texts, prose, strict=True) if is_prose])
    )
    found = [next(detected) if is_prose else None for is_prose in prose]
    reasons = [None if code is None or code in languages else f"language {code}" for code in found]
    return Result(_with(table, "language", found), _reasons(reasons))


def by_heuristics(table: pa.Table) -> Result:
    """Drop what is no prose by Gopher's, C4's and FineWeb's rules, no code by StarCoder's."""
    col = import_daft().col
    columns = table.select(["text", "kind", "language"])
    expression = heuristic_reason(col("text"), col("kind"), col("language"))
    reasons = evaluate(columns, {"reason": expression})["reason"].combine_chunks()
    return Result(table, reasons.cast(pa.large_string()))


def by_repetition(table: pa.Table) -> Result:
    """Drop prose that repeats itself, by Gopher's rules; source code repeats itself by nature."""
    is_prose = [kind != CODE for kind in table["kind"].to_pylist()]
    texts = table["text"].to_pylist()
    found = iter(repetition_reason([t for t, prose in zip(texts, is_prose, strict=True) if prose]))
    return Result(table, _reasons([next(found) if prose else None for prose in is_prose]))


def mask(table: pa.Table) -> Result:
    """Mask private information; drops nothing."""
    masked = mask_private(table["text"].to_pylist())
    counts: Counter[str] = Counter()
    for count in masked.counts:
        counts.update(count)
    if not counts:
        return Result(table, _reasons([None] * table.num_rows))
    table = _with(table, "text", masked.texts)
    table = _with(table, "bytes", [len(text.encode()) for text in masked.texts])
    return Result(table, _reasons([None] * table.num_rows), counts)


def scored(table: pa.Table, scorer: Scorer) -> pa.Table:
    """The batch with both scores filled in."""
    scores = scorer.scores(table["text"].to_pylist())
    table = _with(table, "educational_value", scores[:, 0])
    return _with(table, "teachability", scores[:, 1])


def with_difficulty(table: pa.Table) -> pa.Table:
    """The batch with a difficulty where it had none.

    It is the automated readability index, which grows with the length of words and sentences
    (Senter and Smith, "Automated Readability Index", 1967), between 0 and 20: about the year of
    school that a text asks for.
    """
    from daft.functions import coalesce

    daft = import_daft()
    text = daft.col("text")
    words = text.regexp_count(r"\S+").cast(daft.DataType.float64()).clip(1, None)
    sentences = text.regexp_count(r"[.!?](?:\s|$)").cast(daft.DataType.float64()).clip(1, None)
    letters = text.length().cast(daft.DataType.float64())
    index = 4.71 * (letters / words - 1) + 0.5 * words / sentences - 21.43
    grade: Expression = coalesce(
        daft.col("difficulty").cast(daft.DataType.float64()), index.clip(0, 20)
    )
    found = evaluate(table.select(["text", "difficulty"]), {"difficulty": grade})
    return _with(table, "difficulty", found["difficulty"].cast(pa.float32()))


def fingerprints(table: pa.Table, *, near: bool) -> tuple[np.ndarray, np.ndarray]:
    """Exact hashes, uint64 `(documents, 2)`, and MinHash signatures, uint32 `(documents, 112)`.

    Without `near`, the signatures are `(documents, 0)`.
    """
    exact = exact_hash(table["text"].to_pylist())
    if not near:
        return exact, np.empty((table.num_rows, 0), dtype=np.uint32)
    found = evaluate(table.select(["text"]), {"signature": signature(import_daft().col("text"))})
    column = found["signature"].combine_chunks()
    return exact, column.flatten().to_numpy().astype(np.uint32).reshape(table.num_rows, -1)


def _with(table: pa.Table, name: str, values: object) -> pa.Table:
    place = table.schema.get_field_index(name)
    kind = SCHEMA.field(name)
    column = values if isinstance(values, pa.ChunkedArray) else pa.array(values, type=kind.type)
    return table.set_column(place, kind, column)


def _reasons(values: Sequence[str | None]) -> pa.Array:
    return pa.array(values, type=pa.large_string())
