"""What a refining leaves: documents in Parquet, duplicates, tainted items, samples, the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from phinery.data.document import Document
from phinery.data.refinery.decide import Candidates, Decisions, stage_of
from phinery.data.refinery.ledger import MOST_SOURCES
from phinery.data.refinery.shard import EXCERPT, sample_key
from phinery.data.refinery.steps import SCHEMA
from phinery.files import write_json

DOCUMENTS = "documents-{number:05d}.parquet"
REFINED_FILES = "documents-*.parquet"
OUTPUT = SCHEMA.insert(6, pa.field("cluster", pa.large_string()))
_FILE_BYTES = 256_000_000
_KEPT_SAMPLES = 20
_DROPPED_SAMPLES = 5
_BINS = 10


def write_documents(
    pieces: Sequence[Path],
    candidates: Candidates,
    decisions: Decisions,
    directory: Path,
    on_progress: Callable[[float], None],
) -> tuple[int, list[dict[str, Any]]]:
    """Write the kept documents, sorted by piece and id, about 256 MB of text to a file.

    Returns how many there are, and samples of them and of what was dropped.
    """
    writer: pq.ParquetWriter | None = None
    written = size = files = 0
    samples = _Samples()
    try:
        for done, (piece, rows, first) in enumerate(
            zip(pieces, candidates.rows, np.cumsum([0, *candidates.rows[:-1]]), strict=True)
        ):
            table = pq.read_table(piece / "documents.parquet")
            chosen = slice(int(first), int(first) + rows)
            samples.take(table, decisions.reason[chosen])
            samples.take_dropped(pq.read_table(piece / "dropped.parquet"))
            keys = pa.array(decisions.cluster[chosen], type=pa.large_string())
            table = table.add_column(6, OUTPUT.field(6), keys)
            table = table.filter(pa.array(decisions.is_kept[chosen])).sort_by("id")
            if table.num_rows and (writer is None or size >= _FILE_BYTES):
                if writer is not None:
                    writer.close()
                name = DOCUMENTS.format(number=files)
                writer = pq.ParquetWriter(directory / name, OUTPUT, compression="zstd")
                files, size = files + 1, 0
            if table.num_rows:
                assert writer is not None
                writer.write_table(table.combine_chunks())
                written += table.num_rows
                size += sum(table["bytes"].to_pylist())
            on_progress((done + 1) / len(pieces))
    finally:
        if writer is not None:
            writer.close()
    if files == 0:
        pq.write_table(OUTPUT.empty_table(), directory / DOCUMENTS.format(number=0))
    return written, samples.rows()


class _Samples:
    """A few documents of every reason and of those kept, chosen by a hash of their ids."""

    def __init__(self) -> None:
        self._found: defaultdict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = defaultdict(
            list
        )

    def take(self, table: pa.Table, reasons: np.ndarray) -> None:
        """Offer the documents of a piece, kept or dropped for what `reasons` says."""
        for code in np.unique(reasons):
            why = ("", "") if code < 0 else _why(int(code))
            rows = np.flatnonzero(reasons == code)
            ids = table["id"].take(pa.array(rows)).to_pylist()
            for key, row in sorted((sample_key(i), int(r)) for i, r in zip(ids, rows, strict=True))[
                :_KEPT_SAMPLES
            ]:
                shown = {
                    "id": table["id"][row].as_py(),
                    "source": table["source"][row].as_py(),
                    "educational_value": table["educational_value"][row].as_py(),
                    "teachability": table["teachability"][row].as_py(),
                    "excerpt": table["text"][row].as_py()[:EXCERPT],
                }
                self._add(why, key, shown)

    def take_dropped(self, table: pa.Table) -> None:
        """Offer what a piece dropped."""
        for row in table.filter(table["excerpt"].is_valid()).to_pylist():
            shown = {"id": row["id"], "source": row["source"], "excerpt": row["excerpt"]}
            self._add((row["stage"], row["reason"]), sample_key(row["id"]), shown)

    def _add(self, why: tuple[str, str], key: str, shown: dict[str, Any]) -> None:
        most = _DROPPED_SAMPLES if why[0] else _KEPT_SAMPLES
        found = self._found[why]
        found.append((key, shown))
        found.sort(key=lambda pair: pair[0])
        del found[most:]

    def rows(self) -> list[dict[str, Any]]:
        """The samples: stage and reason (both empty for kept documents), then the document."""
        return [
            {"stage": stage, "reason": reason, **shown}
            for (stage, reason), found in sorted(self._found.items())
            for _, shown in found
        ]


def _why(code: int) -> tuple[str, str]:
    reason = Decisions.reasons[code]
    return stage_of(reason), reason


def write_duplicates(decisions: Decisions, directory: Path) -> None:
    """Write `duplicates.parquet`: a row for each document and one that it is a duplicate of."""
    pq.write_table(decisions.links, directory / "duplicates.parquet", compression="zstd")


def write_tainted(candidates: Candidates, directory: Path) -> dict[str, int]:
    """Write `tainted.json`: benchmark -> item -> documents that gave it away.

    Returns how many items of each benchmark there are. A passage without its question gives nothing
    away and is not among them.
    """
    ids = candidates.table["id"]
    tainted: dict[str, dict[str, list[str]]] = {}
    for row, hits in sorted(candidates.hits.items()):
        for hit in (hit for hit in hits if hit["taints"]):
            items = tainted.setdefault(str(hit["benchmark"]), {})
            documents = items.setdefault(str(hit["item"]), [])
            if (name := ids[row].as_py()) not in documents:
                documents.append(name)
    ordered = {name: dict(sorted(tainted[name].items())) for name in sorted(tainted)}
    write_json(directory / "tainted.json", ordered)
    return {name: len(items) for name, items in ordered.items()}


def histograms(candidates: Candidates, decisions: Decisions) -> dict[str, dict[str, list[int]]]:
    """Source -> how many documents, and how many kept, per half point of mean score, 0 to 5.

    Of more than 1,000 sources the largest.
    """
    encoded = candidates.table["source"].combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    names = encoded.dictionary.to_pylist()
    places = np.clip((candidates.score * 2).astype(np.int64), 0, _BINS - 1) + codes * _BINS
    every = np.bincount(places, minlength=len(names) * _BINS).reshape(-1, _BINS)
    kept = np.bincount(places[decisions.is_kept], minlength=len(names) * _BINS).reshape(-1, _BINS)
    largest = np.argsort(-every.sum(axis=1), kind="stable")[:MOST_SOURCES]
    found = sorted((names[code], code) for code in largest.tolist())
    return {n: {"all": every[c].tolist(), "kept": kept[c].tolist()} for n, c in found}


def refined_documents(directory: str | Path) -> Iterator[Document]:
    """The documents that a refining wrote, in order."""
    columns = ["id", "text", "source", "url", "language", "kind", "cluster", "difficulty"]
    for path in sorted(Path(directory).glob(REFINED_FILES)):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256, columns=columns):
                for row in batch.to_pylist():
                    yield Document(**row)
