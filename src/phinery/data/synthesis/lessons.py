"""The procedural teacher's documents as a corpus on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from phinery.data.document import Document
from phinery.data.sources.corpus import CorpusWriter
from phinery.data.synthesis.procedural.item import Topic
from phinery.data.synthesis.procedural.writer import TOPICS, procedural_documents
from phinery.files import MANIFEST, atomic_directory, read_manifest

KIND = "corpus"


@dataclass(frozen=True)
class LessonsSummary:
    """What was written."""

    directory: Path
    documents: int
    bytes: int


def topics_of(prefixes: Sequence[str]) -> tuple[Topic, ...]:
    """The topics whose names begin with one of the prefixes; all of them without prefixes.

    Raises ValueError for a prefix that no name begins with.
    """
    for prefix in prefixes:
        if not any(topic.name.startswith(prefix) for topic in TOPICS):
            groups = sorted({topic.name.split("/")[0] for topic in TOPICS})
            raise ValueError(f"no topic begins with {prefix!r}: there are {', '.join(groups)}")
    return tuple(
        topic for topic in TOPICS if not prefixes or topic.name.startswith(tuple(prefixes))
    )


def lessons(
    seed: int, characters: int, topics: Sequence[Topic] = TOPICS, *, start: int = 0
) -> Iterator[Document]:
    """Documents of the procedural teacher from number `start` on, until they hold so much."""
    for found in procedural_documents(seed=seed, characters=characters, topics=topics, start=start):
        yield Document(
            id=found.id,
            text=found.text,
            source=f"procedural {found.category}",
            language="en",
            kind="textbook",
            difficulty=float(found.difficulty),
        )


def write_lessons(
    directory: str | Path,
    *,
    seed: int,
    characters: int,
    topics: Sequence[Topic] = TOPICS,
    on_progress: Callable[[float, str], None] | None = None,
) -> LessonsSummary:
    """Write lessons until they hold so many characters, into a directory that is made or replaced.

    The same seed, topics and amount give the same files. Raises ValueError when the directory holds
    something that is no corpus of ours.
    """
    directory = Path(directory)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        is_ours = (directory / MANIFEST).is_file()
        if not is_ours or read_manifest(directory, verify=False).get("kind") != KIND:
            raise ValueError(f"{directory} holds other things: name another directory")
    documents = size = done = 0
    with atomic_directory(directory, kind=KIND) as temporary, CorpusWriter(temporary) as writer:
        for document in lessons(seed, characters, topics):
            writer.write(document)
            documents += 1
            done += len(document.text)
            size += len(document.text.encode())
            if on_progress is not None and documents % 50 == 0:
                on_progress(min(done / characters, 1.0), f"{documents:,} documents")
        writer.close()
    return LessonsSummary(directory, documents, size)
