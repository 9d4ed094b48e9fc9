"""The Primer: a textbook of 300 short sections that comes with the package."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phinery.data.document import Document

PRIMER = "primer"
_FILE = Path(__file__).with_name("primer.jsonl.gz")


@dataclass(frozen=True)
class PrimerSection:
    """A section: what it teaches, to whom, how hard it is (1 to 5), and questions it answers."""

    id: str
    subject: str
    topic: str
    title: str
    audience: str
    difficulty: int
    text: str
    questions: tuple[tuple[str, str], ...]
    """Pairs of question and answer."""

    @property
    def is_held_out(self) -> bool:
        """Whether the section is kept for scoring: its id ends in 0 or 5."""
        return self.id.endswith(("0", "5"))


def primer_sections(*, held_out: bool | None = None) -> Iterator[PrimerSection]:
    """The sections in the order of the book: all, or only those held out, or only the others."""
    with gzip.open(_FILE, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            row["questions"] = tuple(
                (pair["question"], pair["answer"]) for pair in row["questions"]
            )
            section = PrimerSection(**row)
            if held_out is None or section.is_held_out == held_out:
                yield section


def primer_documents(*, held_out: bool = False) -> Iterator[Document]:
    """A document for each section, its title and questions included; without those held out."""
    for section in primer_sections(held_out=held_out):
        questions = "".join(f"\n\nQuestion: {q}\nAnswer: {a}" for q, a in section.questions)
        yield Document(
            id=f"{PRIMER}/{section.id}",
            text=f"# {section.title}\n\n{section.text}{questions}\n",
            source=PRIMER,
            language="en",
            kind="textbook",
            difficulty=float(section.difficulty),
        )
