"""Language selection: how many English documents it keeps, and how many of other languages.

Kept is what `phinery.data.detect_language` calls English, and what the refinery's step lets pass
when a recipe asks for English. The English documents are those of ten sources of
`../shared/corpora`; a few of them are in other languages and count as missed all the same. The
others are the pages of the Universal Declaration of Human Rights, one a language or variant.

    python benchmarks/language.py

Ends with status 1 when less is reached than the goal: 99.8% of the English documents of 200
characters and more, and no more than two pages in other languages.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import machine

from phinery.data import Document, detect_language
from phinery.data.refinery.steps import batch_of, by_language

HERE = Path(__file__).parent
CORPORA = HERE.resolve().parent.parent / "shared" / "corpora"
ENGLISH = (
    "docs/peps",
    "textbooks/d2l",
    "textbooks/gutenberg_math",
    "textbooks/openstax",
    "web/18f",
    "web/digitalgov",
    "web/speeches",
    "web/stackexchange",
    "web/unverified-licence/newsgroups",
    "web/wikitext2",
)
OTHERS = "multilingual/udhr"
SHORTEST = 200
"""Characters of a document from which it counts for the goal."""
LEAST_RECALL = 0.998
MOST_PAGES = 2
BATCH = 500


@dataclass(frozen=True)
class Judged:
    """A document and what became of it."""

    document: Document
    detected: str
    """`detect_language`'s code."""
    kept: bool
    """Whether the refinery's step lets it pass."""


@dataclass
class Recall:
    """How many documents were there, detected as English, and kept by the refinery."""

    documents: int = 0
    detected: int = 0
    kept: int = 0
    missed: Counter[str] = field(default_factory=Counter[str])
    """The other code that was detected -> how often."""

    def add(self, judged: Judged) -> None:
        """Count one document."""
        self.documents += 1
        self.kept += judged.kept
        if judged.detected == "en":
            self.detected += 1
        else:
            self.missed[judged.detected] += 1

    def share(self) -> float:
        """The lower of both shares, 0 to 1."""
        return min(self.detected, self.kept) / max(1, self.documents)

    def as_json(self) -> dict[str, Any]:
        """For the JSON file."""
        return {
            "documents": self.documents,
            "detected": self.detected,
            "kept": self.kept,
            "recall": self.share(),
            "missed": dict(self.missed.most_common()),
        }


def documents_of(corpora: Path, name: str) -> list[tuple[Document, str]]:
    """The documents of a corpus, and the language that the corpus says each is in, "" for none."""
    with gzip.open(corpora / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        (Document(id=row["id"], text=row["text"], source=name), row.get("lang", "")) for row in rows
    ]


def judge(documents: Sequence[Document]) -> list[Judged]:
    """Ask the detector and the refinery's step."""
    judged: list[Judged] = []
    for start in range(0, len(documents), BATCH):
        batch = documents[start : start + BATCH]
        reasons = by_language(batch_of(batch), ("en",)).reasons.to_pylist()
        judged += [
            Judged(document, detect_language(document.text), reason is None)
            for document, reason in zip(batch, reasons, strict=True)
        ]
    return judged


def english_recall(corpora: Path) -> tuple[dict[str, Recall], Recall, list[Judged]]:
    """Recall of every source and of all documents of any length; what was missed."""
    sources: dict[str, Recall] = {}
    any_length = Recall()
    missed: list[Judged] = []
    for name in ENGLISH:
        sources[name] = Recall()
        for one in judge([document for document, _ in documents_of(corpora, name)]):
            any_length.add(one)
            if len(one.document.text) >= SHORTEST:
                sources[name].add(one)
                if one.detected != "en" or not one.kept:
                    missed.append(one)
    return sources, any_length, missed


def foreign_pages(corpora: Path) -> tuple[int, dict[str, str]]:
    """How many pages are in other languages; code -> name of those that pass for English.

    The codes are the corpus's own: ISO 639-3, with the variant after it.
    """
    pages = [(page, code) for page, code in documents_of(corpora, OTHERS) if code != "eng"]
    judged = judge([page for page, _ in pages])
    return len(pages), {
        code: one.document.id
        for one, (_, code) in zip(judged, pages, strict=True)
        if one.detected == "en" or one.kept
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, write the JSON file; 1 when the goal is missed."""
    options = parse(arguments)
    sources, any_length, missed = english_recall(options.corpora)
    total = Recall()
    for recall in sources.values():
        total.documents += recall.documents
        total.detected += recall.detected
        total.kept += recall.kept
        total.missed += recall.missed
    pages, taken = foreign_pages(options.corpora)
    reached = total.share() >= LEAST_RECALL and len(taken) <= MOST_PAGES
    print(
        f"| English source, {SHORTEST} characters and more | documents | detected | kept | share |"
    )
    print("| --- | --- | --- | --- | --- |")
    for name, recall in [*sources.items(), ("all", total), ("all, of any length", any_length)]:
        print(
            f"| {name} | {recall.documents:,} | {recall.detected:,} | {recall.kept:,} "
            f"| {recall.share():.4f} |"
        )
    print("\nmissed:")
    for one in missed:
        print(f"  {one.detected}  {one.document.source}  {one.document.id}")
    print(f"\npages in other languages: {pages}, taken for English: {len(taken)}")
    for code, name in taken.items():
        print(f"  {code}  {name}")
    print(
        f"\ngoal (recall at least {LEAST_RECALL}, at most {MOST_PAGES} pages): "
        f"{'reached' if reached else 'missed'}"
    )
    report = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "versions": {name: version(name) for name in ("phinery", "py3langid", "resiliparse")},
        "sources": {name: recall.as_json() for name, recall in sources.items()},
        "all": total.as_json(),
        "any length": any_length.as_json(),
        "missed": [[one.detected, one.document.source, one.document.id] for one in missed],
        "pages": pages,
        "taken for English": taken,
        "reached": reached,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"written to {options.output}")
    return 0 if reached else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpora", type=Path, default=CORPORA)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "language.json")
    options = parser.parse_args(arguments)
    if not options.corpora.is_dir():
        parser.error(f"there is no folder {options.corpora}: give --corpora")
    return options


if __name__ == "__main__":
    sys.exit(main())
