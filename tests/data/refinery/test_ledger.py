from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.data.refinery.ledger import (
    MOST_SOURCES,
    OTHER_SOURCES,
    STAGES,
    Count,
    Ledger,
    LedgerError,
)


def passed(ledger: Ledger, stage: str, source: str, came_in: int, dropped: dict[str, int]) -> int:
    """Enter a stage where each document has ten bytes; returns how many went out."""
    account = ledger.account(stage, source)
    account.came_in.add(came_in, 10 * came_in)
    for reason, count in dropped.items():
        ledger.drop(stage, source, reason, count, 10 * count)
    out = came_in - sum(dropped.values())
    account.went_out.add(out, 10 * out)
    return out


def test_what_comes_in_goes_out_or_is_dropped():
    ledger = Ledger()
    left = passed(ledger, "read", "a", 10, {"empty": 2})
    passed(ledger, "language", "a", left, {"language de": 3})
    passed(ledger, "read", "b", 4, {})
    passed(ledger, "language", "b", 4, {"language de": 1})
    ledger.check()
    total = ledger.totals("language")
    assert total.came_in == Count(12, 120)
    assert total.dropped == {"language de": Count(4, 40)}
    assert total.went_out == Count(8, 80)
    assert ledger.stages == ["read", "language"]
    assert ledger.sources == ["a", "b"]


@pytest.mark.parametrize("part", ["came_in", "went_out"])
@pytest.mark.parametrize(("documents", "size"), [(1, 0), (0, 1), (-1, -10)])
def test_a_lost_document_or_byte_is_found(part: str, documents: int, size: int):
    ledger = Ledger()
    passed(ledger, "read", "a", 5, {"empty": 1})
    getattr(ledger.account("read", "a"), part).add(documents, size)
    with pytest.raises(LedgerError, match="read, a"):
        ledger.check()


def test_stages_must_meet():
    ledger = Ledger()
    passed(ledger, "read", "a", 5, {})
    passed(ledger, "quality", "a", 4, {})
    with pytest.raises(LedgerError, match="quality, a"):
        ledger.check()


def test_rewritten_bytes_count():
    ledger = Ledger()
    account = ledger.account("privacy", "a")
    account.came_in.add(2, 100)
    account.went_out.add(2, 93)
    with pytest.raises(LedgerError):
        ledger.check()
    account.rewritten = -7
    ledger.check()


@given(st.lists(st.tuples(st.sampled_from(STAGES), st.sampled_from("abc"), st.integers(0, 50))))
def test_json_and_merging_keep_everything(entries: list[tuple[str, str, int]]):
    whole, halves = Ledger(), [Ledger(), Ledger()]
    for number, (stage, source, count) in enumerate(entries):
        for ledger in (whole, halves[number % 2]):
            passed(ledger, stage, source, count, {"reason": count // 3})
            ledger.mask("email", count)
    merged = Ledger()
    for half in halves:
        merged.merge(Ledger.from_json(json.loads(json.dumps(half.as_json()))))
    assert merged.as_json() == whole.as_json()


def test_sources_beyond_the_most_are_one():
    ledger = Ledger()
    for number in range(MOST_SOURCES + 5):
        passed(ledger, "read", f"s{number:04d}", 2 if number >= 5 else 1, {})
    folded = ledger.folded()
    assert len(folded.sources) == MOST_SOURCES + 1
    assert folded.account("read", OTHER_SOURCES).came_in.documents == 5
    assert folded.totals("read") == ledger.totals("read")
    folded.check()
