"""What can be decided only with all documents in sight: duplicates, contamination, thresholds.

Nothing here holds a text: hashes, signatures and scores decide.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from phinery.data.duplicates.clusters import near_duplicates
from phinery.data.refinery.ledger import Ledger
from phinery.data.refinery.settings import RefineSettings
from phinery.data.refinery.steps import CODE

EXACT = "the same text as a better or earlier document"
NEAR = "nearly the same text as a better document"
TAINTED = "holds a benchmark's item"
BELOW_KEEP = "not among the best of its source"
BELOW_FLOOR = "score below the floor"
_STAGE_OF = {
    EXACT: "exact duplicates",
    NEAR: "near-duplicates",
    TAINTED: "contamination",
    BELOW_KEEP: "quality",
    BELOW_FLOOR: "quality",
}
_REASONS = tuple(_STAGE_OF)
_COLUMNS = ["id", "source", "kind", "educational_value", "teachability", "bytes"]

LINKS = pa.schema(
    [
        ("id", pa.large_string()),
        ("source", pa.large_string()),
        ("like", pa.large_string()),
        ("survivor", pa.large_string()),
        ("kind", pa.string()),
        ("agreement", pa.float32()),
    ]
)


@dataclass(frozen=True)
class Candidates:
    """All documents that passed the steps that look at one alone, in the order of the pieces."""

    table: pa.Table
    """Columns id, source, kind, educational_value, teachability, bytes."""
    rows: tuple[int, ...]
    """Documents of each piece."""
    exact: NDArray[np.uint64]
    """`(documents, 2)`."""
    signatures: list[NDArray[np.uint32]]
    """`(documents of the piece, 112)`, mapped from disk."""
    hits: dict[int, list[dict[str, object]]]
    """Document's number -> the benchmark items in it."""

    @property
    def score(self) -> NDArray[np.float64]:
        """Mean of both scores, 0 where documents were not rated; `(documents,)`."""
        both = [self.table[name].fill_null(0.0).to_numpy() for name in _COLUMNS[3:5]]
        return (both[0].astype(np.float64) + both[1].astype(np.float64)) / 2


@dataclass(frozen=True)
class Decisions:
    """What becomes of each document; arrays are `(documents,)`."""

    reason: NDArray[np.int8]
    """Why it is dropped, an index into `reasons`; -1 where it is kept."""
    survivor: NDArray[np.int64]
    """The document that stands for its cluster: itself where it has no duplicate."""
    links: pa.Table
    """Pairs of duplicates: columns of LINKS, a row for each document and one that it is like."""
    cluster: list[str]
    """A key that all documents of a cluster share, made of their content."""

    reasons = _REASONS

    @property
    def is_kept(self) -> NDArray[np.bool_]:
        """Which documents are kept."""
        return self.reason < 0


def stage_of(reason: str) -> str:
    """The stage of the ledger that drops for a reason."""
    return _STAGE_OF[reason]


def gather(pieces: Sequence[Path]) -> Candidates:
    """Read what the pieces say of their documents, but for the texts."""
    tables: list[pa.Table] = []
    hits: dict[int, list[dict[str, object]]] = {}
    place = 0
    for piece in pieces:
        table = pq.read_table(piece / "documents.parquet", columns=_COLUMNS)
        tables.append(table)
        found = json.loads((piece / "hits.json").read_text(encoding="utf-8"))
        hits.update({place + int(row): hit for row, hit in found.items()})
        place += table.num_rows
    exact = [np.load(piece / "exact.npy", allow_pickle=False) for piece in pieces]
    signatures = [
        np.load(piece / "signatures.npy", mmap_mode="r", allow_pickle=False)
        if table.num_rows
        else np.empty((0, 112), dtype=np.uint32)
        for piece, table in zip(pieces, tables, strict=True)
    ]
    return Candidates(
        pa.concat_tables(tables),
        tuple(table.num_rows for table in tables),
        np.concatenate(exact),
        signatures,
        hits,
    )


def decide(candidates: Candidates, settings: RefineSettings, ledger: Ledger) -> Decisions:
    """Choose among the documents and enter every decision into the ledger."""
    count = candidates.table.num_rows
    score = candidates.score
    ids = candidates.table["id"].to_pylist()
    reason = np.full(count, -1, dtype=np.int8)
    survivor = np.arange(count)
    order = _best_first(score, ids)
    copies = np.empty(0, dtype=np.int64)
    originals = survivor
    stands_for = np.arange(count)
    pairs = np.empty((0, 2), dtype=np.int64)
    agreements = np.empty(0, dtype=np.float32)
    sources = candidates.table["source"].to_pylist()
    sizes = candidates.table["bytes"].to_numpy()
    if settings.exact:
        survivor = _exact_survivors(candidates.exact, order)
        _drop(reason, survivor != np.arange(count), EXACT)
        _enter("exact duplicates", reason, sources, sizes, ledger)
        copies = np.flatnonzero(survivor != np.arange(count))
        originals = survivor
    if settings.near:
        left = np.flatnonzero(reason < 0)
        parts = _signatures_of(candidates, reason < 0)
        found = near_duplicates(
            parts, score[left], [ids[i] for i in left], agreement=settings.agreement
        )
        stands_for[left] = left[found.survivor]
        _drop(reason, stands_for != np.arange(count), NEAR)
        survivor = stands_for[survivor]
        _enter("near-duplicates", reason, sources, sizes, ledger)
        pairs = left[found.links]
        agreements = found.agreement
    if settings.benchmarks:
        is_tainted = np.zeros(count, dtype=bool)
        is_tainted[[row for row, hits in candidates.hits.items() if _taints(hits)]] = True
        _drop(reason, is_tainted, TAINTED)
        _enter("contamination", reason, sources, sizes, ledger)
    if settings.quality:
        _drop_the_worse(candidates, settings, order, reason)
        _enter("quality", reason, sources, sizes, ledger)
    near = _with_lonely(pairs, agreements, stands_for, candidates)
    same = np.stack([originals[copies], copies], axis=1)
    table = pa.concat_tables(
        [
            _link_table(same, np.ones(len(same)), survivor, "exact", ids, sources),
            _link_table(*near, survivor, "near", ids, sources),
        ]
    )
    return Decisions(reason, survivor, table, _cluster_keys(candidates.exact, survivor))


def _taints(hits: list[dict[str, object]]) -> bool:
    return any(hit["taints"] for hit in hits)


def _best_first(score: NDArray[np.float64], ids: list[str]) -> NDArray[np.int64]:
    """Documents by falling score, equal ones by id; `(documents,)`."""
    rows = pa.table({"id": pa.array(ids, type=pa.large_string()), "row": np.arange(len(ids))})
    by_id = rows.sort_by("id")["row"].to_numpy()
    return by_id[np.argsort(-score[by_id], kind="stable")]


def _exact_survivors(exact: NDArray[np.uint64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """The best document of each text."""
    _, inverse = np.unique(exact, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    best = np.full(inverse.max(initial=-1) + 1, -1, dtype=np.int64)
    # Written in reverse, the best of each text comes last and stays.
    best[inverse[order[::-1]]] = order[::-1]
    return best[inverse]


def _drop(reason: NDArray[np.int8], where: NDArray[np.bool_], why: str) -> None:
    reason[where & (reason < 0)] = _REASONS.index(why)


def _enter(
    stage: str,
    reason: NDArray[np.int8],
    sources: list[str],
    sizes: NDArray[np.int64],
    ledger: Ledger,
) -> None:
    """Enter a stage: what earlier stages had not dropped came in, what it dropped didn't go out."""
    codes, names = _factorize(sources)
    ours = [number for number, why in enumerate(_REASONS) if _STAGE_OF[why] == stage]
    is_out = reason < 0
    came_in = is_out | np.isin(reason, ours)
    for name, documents, size in _by_source(codes, names, sizes, came_in):
        ledger.account(stage, name).came_in.add(documents, size)
    for name, documents, size in _by_source(codes, names, sizes, is_out):
        ledger.account(stage, name).went_out.add(documents, size)
    for number in ours:
        for name, documents, size in _by_source(codes, names, sizes, reason == number):
            ledger.drop(stage, name, _REASONS[number], documents, size)


def _by_source(
    codes: NDArray[np.int64], names: list[str], sizes: NDArray[np.int64], where: NDArray[np.bool_]
) -> list[tuple[str, int, int]]:
    documents = np.bincount(codes[where], minlength=len(names))
    totals = np.zeros(len(names), dtype=np.int64)
    np.add.at(totals, codes[where], sizes[where])
    return [
        (name, int(n), int(size))
        for name, n, size in zip(names, documents, totals, strict=True)
        if n
    ]


def _factorize(values: list[str]) -> tuple[NDArray[np.int64], list[str]]:
    """A number for each string, the same for equal ones, and the strings by number."""
    encoded = pa.array(values, type=pa.large_string()).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def _signatures_of(candidates: Candidates, where: NDArray[np.bool_]) -> list[NDArray[np.uint32]]:
    """The signatures of the documents that are left, piece by piece."""
    ends = np.cumsum(candidates.rows)
    parts: list[NDArray[np.uint32]] = []
    for part, end, rows in zip(candidates.signatures, ends, candidates.rows, strict=True):
        chosen = where[end - rows : end]
        parts.append(part if chosen.all() else part[chosen])
    return parts


def _drop_the_worse(
    candidates: Candidates,
    settings: RefineSettings,
    order: NDArray[np.int64],
    reason: NDArray[np.int8],
) -> None:
    """Keep the best share of every source, at least one document, and nothing below the floor."""
    score = candidates.score
    is_code = np.array([kind == CODE for kind in candidates.table["kind"].to_pylist()], dtype=bool)
    _drop(reason, (score < settings.floor) & ~is_code, BELOW_FLOOR)
    codes, names = _factorize(candidates.table["source"].to_pylist())
    left = order[reason[order] < 0]
    by_source = left[np.argsort(codes[left], kind="stable")]
    counts = np.bincount(codes[left], minlength=len(names))
    kept = np.ceil(counts * settings.keep - 1e-9).astype(np.int64)
    starts = np.cumsum(counts) - counts
    for start, count, most in zip(starts, counts, kept, strict=True):
        reason[by_source[start + most : start + count]] = _REASONS.index(BELOW_KEEP)


def _cluster_keys(exact: NDArray[np.uint64], survivor: NDArray[np.int64]) -> list[str]:
    """Each document's cluster, named by the smallest hash of a text in it."""
    smallest = np.full(len(survivor), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(smallest, survivor, exact[:, 0])
    return [f"{key:016x}" for key in smallest[survivor].tolist()]


def _with_lonely(
    pairs: NDArray[np.int64],
    agreements: NDArray[np.float32],
    stands_for: NDArray[np.int64],
    candidates: Candidates,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Links of near-duplicates, and one to its survivor for each duplicate that is in none as the
    worse of the two.
    """
    duplicates = np.flatnonzero(stands_for != np.arange(len(stands_for)))
    lonely = np.setdiff1d(duplicates, pairs[:, 1])
    if len(lonely) == 0:
        return pairs, agreements
    rows = np.concatenate(candidates.signatures)
    more = (rows[lonely] == rows[stands_for[lonely]]).mean(axis=1).astype(np.float32)
    added = np.stack([stands_for[lonely], lonely], axis=1)
    return np.concatenate([pairs, added]), np.concatenate([agreements, more])


def _link_table(
    pairs: NDArray[np.int64],
    agreements: NDArray[np.floating],
    survivor: NDArray[np.int64],
    kind: str,
    ids: list[str],
    sources: list[str],
) -> pa.Table:
    """Rows of LINKS for pairs `(links, 2)`: the better document, and the one that is like it."""
    like, rows = pairs.T.tolist()
    return pa.table(
        {
            "id": [ids[row] for row in rows],
            "source": [sources[row] for row in rows],
            "like": [ids[row] for row in like],
            "survivor": [ids[survivor[row]] for row in rows],
            "kind": [kind] * len(rows),
            "agreement": agreements.astype(np.float32),
        },
        schema=LINKS,
    )
