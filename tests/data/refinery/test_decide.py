from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from phinery.data.refinery.decide import (
    BELOW_FLOOR,
    BELOW_KEEP,
    EXACT,
    NEAR,
    TAINTED,
    Candidates,
    decide,
)
from phinery.data.refinery.ledger import Ledger
from phinery.data.refinery.settings import RefineSettings

RANDOM = np.random.default_rng(3)


def candidates(
    scores: list[float],
    *,
    sources: str | None = None,
    kinds: list[str | None] | None = None,
    same: dict[int, int] | None = None,
    near: dict[int, int] | None = None,
    hits: dict[int, Any] | None = None,
    rows: tuple[int, ...] | None = None,
) -> Candidates:
    """Documents "d00", "d01", ... with these scores; `same` and `near` name what they copy."""
    count = len(scores)
    exact = np.stack([np.arange(count), np.arange(count) + 1000], axis=1).astype(np.uint64)
    signatures = RANDOM.integers(0, 2**32 - 1, size=(count, 112), dtype=np.uint32)
    for number, other in (same or {}).items():
        exact[number], signatures[number] = exact[other], signatures[other]
    for number, other in (near or {}).items():
        signatures[number] = signatures[other]
        signatures[number, :10] += 1  # 102 of 112 places agree
    table = pa.table(
        {
            "id": [f"d{number:02d}" for number in range(count)],
            "source": list(sources or "a" * count),
            "kind": pa.array(kinds or [None] * count, type=pa.string()),
            "educational_value": pa.array(scores, type=pa.float32()),
            "teachability": pa.array(scores, type=pa.float32()),
            "bytes": [10] * count,
        }
    )
    rows = rows or (count,)
    parts = np.split(signatures, np.cumsum(rows)[:-1])
    return Candidates(table, rows, exact, parts, hits or {})


def reasons(found: Candidates, **settings: Any) -> list[str | None]:
    ledger = Ledger()
    decisions = decide(found, RefineSettings(**{"keep": 1.0, **settings}), ledger)
    ledger.check()
    return [None if code < 0 else decisions.reasons[code] for code in decisions.reason]


def test_the_best_copy_survives_and_of_equals_the_first_id():
    assert reasons(candidates([1, 3, 2], same={1: 0, 2: 0})) == [EXACT, None, EXACT]
    assert reasons(candidates([2, 2, 2], same={1: 0, 2: 0})) == [None, EXACT, EXACT]
    assert reasons(candidates([1, 2, 3], same={1: 0}), exact=False, near=False) == [None] * 3


def test_near_duplicates_go_but_the_best():
    assert reasons(candidates([1, 3, 2, 0], near={1: 0, 2: 0})) == [NEAR, None, NEAR, None]
    assert reasons(candidates([1, 3], near={1: 0}), agreement=0.95) == [None, None]


def test_the_result_does_not_depend_on_the_pieces():
    one = candidates([1, 3, 2, 0, 2], near={1: 0, 4: 2})
    parts = np.split(one.signatures[0], [2, 3])
    other = Candidates(one.table, (2, 1, 2), one.exact, parts, {})
    assert reasons(one) == reasons(other) == [NEAR, None, None, None, NEAR]


def test_every_source_keeps_its_best_share():
    scores = [1.0, 2.0, 3.0, 4.0, 0.1, 0.2, 0.3]
    expected = [BELOW_KEEP, BELOW_KEEP, None, None, BELOW_KEEP, None, None]
    assert reasons(candidates(scores, sources="aaaabbb"), keep=0.5) == expected
    assert reasons(candidates([1.0] * 4), keep=0.5) == [None, None, BELOW_KEEP, BELOW_KEEP]
    assert reasons(candidates([1.0]), keep=0.01) == [None]


def test_copies_do_not_count_towards_the_share():
    scores = [5.0, 5.0, 5.0, 4.0, 3.0, 2.0]
    found = candidates(scores, same={1: 0, 2: 0})
    assert reasons(found, keep=0.5) == [None, EXACT, EXACT, None, BELOW_KEEP, BELOW_KEEP]


def test_the_floor_holds_for_prose_only():
    found = candidates([0.5, 0.5, 2.0], kinds=["code", None, "textbook"])
    assert reasons(found, floor=1.0) == [None, BELOW_FLOOR, None]


def test_tainted_documents_go_but_not_for_a_passage(tmp_path: Any):
    hits = {0: [{"taints": True}], 1: [{"taints": False}], 2: [{"taints": False}, {"taints": True}]}
    found = candidates([1.0, 1.0, 1.0, 1.0], hits=hits)
    assert reasons(found, benchmarks=str(tmp_path)) == [TAINTED, None, TAINTED, None]
    assert reasons(found) == [None] * 4


def test_a_cluster_has_one_key_whoever_survives():
    found = candidates([1, 3, 2, 0], same={3: 2}, near={1: 0})
    first = decide(found, RefineSettings(keep=1.0), Ledger())
    assert first.survivor.tolist() == [1, 1, 2, 2]
    assert first.cluster[0] == first.cluster[1] != first.cluster[2] == first.cluster[3]
    other = Candidates(
        found.table.set_column(3, "educational_value", pa.array([9.0, 0, 0, 1], pa.float32())),
        found.rows,
        found.exact,
        found.signatures,
        {},
    )
    second = decide(other, RefineSettings(keep=1.0), Ledger())
    assert second.survivor.tolist() == [0, 0, 2, 2] or second.survivor.tolist() == [0, 0, 3, 3]
    assert second.cluster == first.cluster


def test_links_name_what_each_duplicate_is_like():
    found = candidates([1, 3, 2, 0], same={3: 2}, near={1: 0})
    rows = decide(found, RefineSettings(keep=1.0), Ledger()).links.to_pylist()
    assert [(r["id"], r["like"], r["survivor"], r["kind"]) for r in rows] == [
        ("d03", "d02", "d02", "exact"),
        ("d00", "d01", "d01", "near"),
    ]
    assert rows[1]["agreement"] == pytest.approx(102 / 112)


def test_nothing_at_all():
    assert reasons(candidates([])) == []
