"""Double-entry accounts of documents: what comes into a step leaves it, or is dropped by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

STAGES = (
    "read",
    "language",
    "heuristics",
    "repetition",
    "privacy",
    "exact duplicates",
    "near-duplicates",
    "contamination",
    "quality",
)
"""The steps in the order in which documents go through them."""
READ = STAGES[0]
MOST_SOURCES = 1000
OTHER_SOURCES = "(other sources)"


class LedgerError(AssertionError):
    """The accounts of a step do not add up: documents were lost or invented, which is our fault."""


@dataclass
class Count:
    """Documents and the UTF-8 bytes of their texts."""

    documents: int = 0
    bytes: int = 0

    def add(self, documents: int, size: int) -> None:
        """Count more of them."""
        self.documents += documents
        self.bytes += size


@dataclass
class Account:
    """One step's account of one source."""

    came_in: Count = field(default_factory=Count)
    dropped: dict[str, Count] = field(default_factory=dict[str, Count])
    """Reason -> what was dropped for it."""
    went_out: Count = field(default_factory=Count)
    rewritten: int = 0
    """Bytes that the step added to the texts that it kept (negative: took from them)."""

    def missing(self) -> tuple[int, int]:
        """Documents and bytes that came in and are neither dropped nor out."""
        documents = self.came_in.documents - self.went_out.documents
        size = self.came_in.bytes + self.rewritten - self.went_out.bytes
        for count in self.dropped.values():
            documents -= count.documents
            size -= count.bytes
        return documents, size


class Ledger:
    """The accounts of all steps by source."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self._accounts: dict[str, dict[str, Account]] = {}
        self.masked: dict[str, int] = {}
        """Kind of private information -> how often it was masked."""

    def account(self, stage: str, source: str) -> Account:
        """A step's account of a source."""
        assert stage in STAGES, stage
        return self._accounts.setdefault(source, {}).setdefault(stage, Account())

    def drop(self, stage: str, source: str, reason: str, documents: int, size: int) -> None:
        """Count documents that a step dropped."""
        dropped = self.account(stage, source).dropped
        dropped.setdefault(reason, Count()).add(documents, size)

    def mask(self, kind: str, count: int) -> None:
        """Count masked pieces of private information."""
        self.masked[kind] = self.masked.get(kind, 0) + count

    def merge(self, other: Ledger) -> None:
        """Add another ledger's accounts to these."""
        for source, accounts in other._accounts.items():
            for stage, theirs in accounts.items():
                ours = self.account(stage, source)
                ours.came_in.add(theirs.came_in.documents, theirs.came_in.bytes)
                ours.went_out.add(theirs.went_out.documents, theirs.went_out.bytes)
                ours.rewritten += theirs.rewritten
                for reason, count in theirs.dropped.items():
                    self.drop(stage, source, reason, count.documents, count.bytes)
        for kind, count in other.masked.items():
            self.mask(kind, count)

    def check(self) -> None:
        """Raise LedgerError when an account doesn't add up, or two steps don't meet."""
        for source, accounts in self._accounts.items():
            before: Account | None = None
            for stage in (stage for stage in STAGES if stage in accounts):
                account = accounts[stage]
                if any(account.missing()):
                    documents, size = account.missing()
                    raise LedgerError(
                        f"{stage}, {source}: {documents} documents and {size} bytes are missing"
                    )
                if before is not None and before.went_out != account.came_in:
                    raise LedgerError(
                        f"{stage}, {source}: {account.came_in} came in, "
                        f"but {before.went_out} went out of the step before"
                    )
                before = account

    def totals(self, stage: str) -> Account:
        """A step's account of all sources together."""
        total = Account()
        for accounts in self._accounts.values():
            if stage in accounts:
                account = accounts[stage]
                total.came_in.add(account.came_in.documents, account.came_in.bytes)
                total.went_out.add(account.went_out.documents, account.went_out.bytes)
                total.rewritten += account.rewritten
                for reason, count in account.dropped.items():
                    total.dropped.setdefault(reason, Count()).add(count.documents, count.bytes)
        return total

    @property
    def stages(self) -> list[str]:
        """The steps that counted something, in order."""
        used = {stage for accounts in self._accounts.values() for stage in accounts}
        return [stage for stage in STAGES if stage in used]

    @property
    def sources(self) -> list[str]:
        """The sources, by name."""
        return sorted(self._accounts)

    def folded(self) -> Ledger:
        """The same accounts, those of all but the 1,000 largest sources as one."""
        if len(self._accounts) <= MOST_SOURCES:
            return self
        sizes = {s: next(iter(a.values())).came_in.documents for s, a in self._accounts.items()}
        largest = sorted(sizes, key=lambda source: (-sizes[source], source))[:MOST_SOURCES]
        names = {source: source for source in largest}
        whole = Ledger()
        for source, accounts in self._accounts.items():
            part = Ledger()
            part._accounts[names.get(source, OTHER_SOURCES)] = accounts
            whole.merge(part)
        whole.masked = dict(self.masked)
        return whole

    def as_json(self) -> dict[str, Any]:
        """The accounts as plain data: of all sources together, then of each."""
        return {
            "stages": [
                {"stage": stage, **_account_json(self.totals(stage))} for stage in self.stages
            ],
            "sources": {
                source: {
                    stage: _account_json(self._accounts[source][stage])
                    for stage in STAGES
                    if stage in self._accounts[source]
                }
                for source in self.sources
            },
            "masked": {kind: self.masked[kind] for kind in sorted(self.masked)},
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Ledger:
        """The ledger that `as_json` told of."""
        ledger = cls()
        for source, accounts in value["sources"].items():
            for stage, shown in accounts.items():
                account = ledger.account(stage, source)
                account.came_in.add(*_pair(shown["in"]))
                account.went_out.add(*_pair(shown["out"]))
                account.rewritten += shown["rewritten"]
                for reason, count in shown["dropped"].items():
                    ledger.drop(stage, source, reason, *_pair(count))
        for kind, count in value["masked"].items():
            ledger.mask(kind, count)
        return ledger


def _pair(shown: dict[str, int]) -> tuple[int, int]:
    return shown["documents"], shown["bytes"]


def _account_json(account: Account) -> dict[str, Any]:
    return {
        "in": vars(account.came_in),
        "dropped": {reason: vars(account.dropped[reason]) for reason in sorted(account.dropped)},
        "rewritten": account.rewritten,
        "out": vars(account.went_out),
    }
