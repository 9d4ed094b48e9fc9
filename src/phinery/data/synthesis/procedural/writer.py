"""Puts items together into documents of a few exercises each, and keeps some questions apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from phinery.data.synthesis.procedural import (
    everyday,
    functions,
    language,
    numbers,
    passages,
    puzzles,
    quantities,
    science,
)
from phinery.data.synthesis.procedural.grammar import between, chance, pick, say, shuffled
from phinery.data.synthesis.procedural.item import Category, Item, Question, Topic

TOPICS: tuple[Topic, ...] = (
    *numbers.TOPICS,
    *quantities.TOPICS,
    *science.TOPICS,
    *puzzles.TOPICS,
    *everyday.TOPICS,
    *language.TOPICS,
    *passages.TOPICS,
    *functions.TOPICS,
)
"""Everything that is taught."""

_HELD_OUT_KEY = b"phinery procedural held-out questions"
_HELD_OUT_PER_MILLE = 20
_DRAWS = 64
"""How often an item is drawn again before its document goes on without it."""


@dataclass(frozen=True)
class ProceduralDocument:
    """A short chapter on one topic at one difficulty."""

    id: str
    """procedural/TOPIC/NUMBER: unique for a seed, the same on every writing."""
    topic: str
    category: Category
    difficulty: int
    """1 (first years of school) to 5 (first year of university)."""
    text: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class HeldOutQuestion:
    """A question that no training document holds, whatever its seed."""

    id: str
    topic: str
    category: Category
    difficulty: int
    question: Question


def is_held_out(prompt: str) -> bool:
    """Whether a question belongs to the 2% that are kept for evaluation.

    A property of the letters and digits of the prompt alone, so that it's the same for all seeds
    and doesn't depend on case, spaces or punctuation.
    """
    letters = "".join(character for character in prompt.casefold() if character.isalnum())
    digest = hashlib.blake2b(letters.encode(), digest_size=8, key=_HELD_OUT_KEY).digest()
    return int.from_bytes(digest, "big") % 1000 < _HELD_OUT_PER_MILLE


def generator(*parts: str | int) -> Random:
    """A generator whose stream is a pure function of what it's named after."""
    name = "\0".join(str(part) for part in parts)
    return Random(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=16).digest(), "big"))


@lru_cache(maxsize=64)
def _order(seed: int, block: int, count: int) -> tuple[int, ...]:
    return tuple(shuffled(generator("order", seed, block), range(count)))


def _assignment(seed: int, number: int, topics: Sequence[Topic]) -> tuple[Topic, int]:
    """The topic and difficulty of a document: every run of len(topics) documents has all topics."""
    block, place = divmod(number, len(topics))
    topic = topics[_order(seed, block, len(topics))[place]]
    turn = generator("difficulty", seed, topic.name).getrandbits(16) + block
    return topic, topic.difficulties[turn % len(topic.difficulties)]


def _train_item(random: Random, topic: Topic, difficulty: int) -> Item | None:
    for _ in range(_DRAWS):
        item = topic.write(random, difficulty)
        if not any(is_held_out(question.prompt) for question in item.questions):
            return item
    return None


def _sentences(text: str) -> list[str]:
    return text.replace("\n", ". ").split(". ")


def _fresher(first: Item | None, second: Item | None, said: set[str]) -> Item | None:
    """The item that repeats the smaller share of what the document has said already."""
    if first is None or second is None:
        return first or second

    def repeated(item: Item) -> float:
        return sum(len(s) for s in _sentences(item.text) if s in said) / len(item.text)

    return second if said and repeated(second) < repeated(first) else first


_RANKS = {"lesson": 0, "passage": 1, "function": 1, "worked example": 2, "exercise": 3}

_LONGEST_NUMBERED = 15
"""Letters of the longest heading that can be followed by a number."""

_HEADINGS: dict[str, str] = {
    "lesson": "(Lesson|The idea|What it means|How it works|The rule|In "
    "short|Explanation|The method)",
    "worked example": "(Worked example|Example|A worked example|An example in full|Let us do one "
    "together)",
    "exercise": "(Exercise|Practice|Problem|Try this|Question|Task)",
    "passage": "(Read this|Reading|Text|A passage|Read carefully)",
    "function": "(Example|A function|Program|Code|Exercise)",
}


def _title(random: Random, topic: Topic, difficulty: int) -> str:
    subject = topic.name.rsplit("/", 1)[-1]
    return say(
        random,
        "({^subject}|{^subject}|{^subject}|{^subject}: "
"(practice|exercises|lesson|worked examples|notes)"
        "|(Practising|Learning|Understanding|Exercises in|Lessons in|A chapter "
"on|Notes on|Working on)"
        " {subject}|{^subject} (step by step|explained|in practice|by example)"
        "|Chapter {chapter}. {^subject}|Lesson {chapter}: {^subject}|Unit {chapter}: {^subject})",
        subject=subject,
        chapter=between(random, 1, 24),
    )  # fmt: skip


def _sections(random: Random, items: Sequence[Item]) -> list[str]:
    """The items under headings of one style."""
    style = between(random, 0, 4)
    sections: list[str] = []
    names = {kind: say(random, template) for kind, template in _HEADINGS.items()}
    counts = dict.fromkeys(_HEADINGS, 0)
    totals = {kind: sum(item.kind == kind for item in items) for kind in _HEADINGS}
    for place, item in enumerate(items, 1):
        counts[item.kind] += 1
        name = names[item.kind]
        if totals[item.kind] > 1:
            plain = "Example" if len(name) > _LONGEST_NUMBERED else name
            name = f"{plain} {counts[item.kind]}"
        if style == 0:
            sections.append(item.text)
        elif style == 1:
            sections.append(f"## {name}\n\n{item.text}")
        elif style == 2:
            sections.append(f"{place}. {item.text}" if item.kind != "lesson" else item.text)
        elif style == 3:
            sections.append(f"{name}.\n{item.text}" if item.kind != "lesson" else item.text)
        else:
            sections.append(f"**{name}**\n\n{item.text}")
    return sections


_ANSWER_TITLES = ("Answers", "Answers to the exercises", "Key", "Solutions", "Answer key")
_SHORT_PROMPT = 500


def _answers_at_the_end(random: Random, items: Sequence[Item]) -> list[str]:
    """The last exercises as a list of questions, and their answers as another list."""
    asked = [question for item in items for question in item.questions]
    mark = pick(random, ("{}. ", "{}) ", "Exercise {}. ", "({}) "))
    title = pick(random, ("Exercises", "Practice", "Try these", "On your own", "Review questions"))
    head = pick(random, ("## {}\n\n", "{}\n", "**{}**\n\n", "{}:\n"))
    joint = "\n\n" if chance(random, 0.5) else "\n"
    questions = joint.join(mark.format(n) + question.prompt for n, question in enumerate(asked, 1))
    answers = "\n".join(mark.format(n) + question.answer for n, question in enumerate(asked, 1))
    return [
        head.format(title) + questions,
        head.format(pick(random, _ANSWER_TITLES)) + answers,
    ]


def _composed(random: Random, title: str, items: Sequence[Item]) -> str:
    ordered = sorted(items, key=lambda item: _RANKS[item.kind])
    sections: list[str] = []
    short = [
        item
        for item in ordered
        if item.kind == "exercise"
        and item.questions
        and all(len(question.prompt) <= _SHORT_PROMPT for question in item.questions)
    ]
    if len(short) >= 2 and len(ordered) > len(short) and chance(random, 0.2):
        kept = [item for item in ordered if item not in short]
        sections = [*_sections(random, kept), *_answers_at_the_end(random, short)]
    else:
        sections = _sections(random, ordered)
    head = pick(random, ("# {}\n\n", "# {}\n\n", "{}\n\n", "{}\n\n", "**{}**\n\n", "{}\n{}\n\n"))
    if head.count("{}") == 2:
        return head.format(title, "=" * len(title)) + "\n\n".join(sections)
    return head.format(title) + "\n\n".join(sections)


def procedural_document(
    number: int, *, seed: int, topics: Sequence[Topic] = TOPICS
) -> ProceduralDocument:
    """The training document of a number: a pure function of its arguments, whoever asks.

    Documents run from about 800 to 3,000 characters, and none holds a held-out question.
    """
    topic, difficulty = _assignment(seed, number, topics)
    random = generator("document", seed, number)
    wanted = between(random, 900, 2400)
    items: list[Item] = []
    length = 0
    seen: set[str] = set()
    said: set[str] = set()
    for _ in range(_DRAWS):
        item = _fresher(
            _train_item(random, topic, difficulty), _train_item(random, topic, difficulty), said
        )
        # Topics of few facts draw the same item twice now and then.
        if item is None or item.text in seen:
            continue
        seen.add(item.text)
        if item.kind == "lesson" and any(other.kind == "lesson" for other in items):
            continue
        if items and length + len(item.text) > 3200:
            break
        items.append(item)
        said.update(_sentences(item.text))
        length += len(item.text) + 20
        if length >= wanted:
            break
    return ProceduralDocument(
        id=f"procedural/{topic.name}/{number}",
        topic=topic.name,
        category=topic.category,
        difficulty=difficulty,
        text=_composed(random, _title(random, topic, difficulty), items),
        questions=tuple(question for item in items for question in item.questions),
    )


def procedural_documents(
    *,
    seed: int,
    characters: int | None = None,
    start: int = 0,
    topics: Sequence[Topic] = TOPICS,
) -> Iterator[ProceduralDocument]:
    """Training documents from number `start` on, until `characters` are written or for ever.

    The last document is the one that reaches `characters`. To write in parallel or to go on after
    a stop, begin at another `start`: document `number` is always the same.
    """
    written = 0
    number = start
    while characters is None or written < characters:
        document = procedural_document(number, seed=seed, topics=topics)
        yield document
        written += len(document.text)
        number += 1


def held_out_questions(
    seed: int, count: int, *, category: Category | None = None, topics: Sequence[Topic] = TOPICS
) -> list[HeldOutQuestion]:
    """`count` different held-out questions, spread evenly over the topics (of a category).

    Raises
    ------
        ValueError: no topic has that category, or the topics hold fewer such questions.
    """
    chosen = [topic for topic in topics if category in (None, topic.category)]
    if not chosen:
        raise ValueError(f"no topic of category {category!r}: use one of {_categories(topics)}")
    result: list[HeldOutQuestion] = []
    seen: set[str] = set()
    number = 0
    misses = 0
    while len(result) < count:
        topic, difficulty = _assignment(seed, number, chosen)
        random = generator("held-out", seed, number, topic.name)
        found = next(_held_out_draws(random, topic, difficulty, seen), None)
        if found is None:
            misses += 1
            if misses > 4 * len(chosen):
                raise ValueError(f"only {len(result)} held-out questions found: ask for fewer")
        else:
            misses = 0
            seen.add(found.prompt)
            result.append(
                HeldOutQuestion(
                    id=f"procedural-held-out/{topic.name}/{number}",
                    topic=topic.name,
                    category=topic.category,
                    difficulty=difficulty,
                    question=found,
                )
            )
        number += 1
    return result


def _held_out_draws(
    random: Random, topic: Topic, difficulty: int, seen: set[str]
) -> Iterator[Question]:
    for _ in range(1000):
        for question in topic.write(random, difficulty).questions:
            if question.prompt not in seen and is_held_out(question.prompt):
                yield question


def _categories(topics: Sequence[Topic]) -> str:
    return ", ".join(sorted({topic.category for topic in topics}))
