"""The one form that every text takes, and the account of what was left out on the way to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Document:
    """A text and where it came from.

    `id` is unique within a corpus and the same on every reading; `source` is the collection that
    the document is counted under; `language` is an ISO 639-1 code; `kind` says what sort of text it
    is, such as "code". Documents of one `cluster` are near-duplicates of each other; `difficulty`
    orders a curriculum, greater is harder.
    """

    id: str
    text: str
    source: str
    url: str | None = None
    language: str | None = None
    kind: str | None = None
    cluster: str | None = None
    difficulty: float | None = None


@dataclass
class ReadReport:
    """How many documents were read, and what was left out, by reason."""

    documents: int = 0
    skipped: dict[str, int] = field(default_factory=dict[str, int])
    """Reason -> how many files, rows or lines were left out for it."""
    examples: dict[str, str] = field(default_factory=dict[str, str])
    """Reason -> the first place where it was found."""

    def skip(self, reason: str, place: str) -> None:
        """Count something that was left out."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1
        self.examples.setdefault(reason, place)

    def summary(self) -> str:
        """One line for a person, the most frequent reasons first."""
        line = f"{self.documents:,} documents read"
        if self.skipped:
            frequent = sorted(self.skipped.items(), key=lambda item: (-item[1], item[0]))
            reasons = [f"{n:,} {reason} ({self.examples[reason]})" for reason, n in frequent]
            line += "; left out: " + ", ".join(reasons)
        return line


def unique_documents(
    documents: Iterable[Document], report: ReadReport | None = None
) -> Iterator[Document]:
    """The documents without those whose text an earlier one had, which `report` counts.

    Remembers 16 bytes of hash for every text.
    """
    seen: set[bytes] = set()
    for document in documents:
        digest = hashlib.blake2b(document.text.encode(), digest_size=16).digest()
        if digest not in seen:
            seen.add(digest)
            yield document
        elif report is not None:
            report.skip("exact duplicate", document.id)
