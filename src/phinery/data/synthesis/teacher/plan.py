"""What a teacher is asked for: request number i, a pure function of the plan and i.

Variety is put into the prompts and not hoped for in the answers: topic, reader, voice, opening and
words that must occur are drawn apart for every request, as the reports on phi-1 (arXiv:2306.11644,
section 2) and phi-1.5 (arXiv:2309.05463, section 2) describe their synthetic textbooks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from types import MappingProxyType
from typing import TypeVar

from phinery.data.document import Document
from phinery.data.synthesis.teacher.prompts import Brief, prompt_for
from phinery.data.synthesis.teacher.session import Question
from phinery.data.synthesis.teacher.subjects import programming_topics, topics, variety

_T = TypeVar("_T")

TEXTBOOK = "textbook"
EXERCISES = "exercises"
CODE = "code exercises"
QUESTIONS = "questions and answers"
REWRITE = "rewrite"
KINDS = (TEXTBOOK, EXERCISES, CODE, QUESTIONS, REWRITE)
DEFAULT_KINDS: Mapping[str, float] = MappingProxyType(
    {TEXTBOOK: 0.5, EXERCISES: 0.2, CODE: 0.15, QUESTIONS: 0.15}
)
"""Shares of requests; "rewrite" joins where there are pages to rewrite."""

MAX_TOKENS: Mapping[str, int] = MappingProxyType(
    {TEXTBOOK: 2048, EXERCISES: 2048, CODE: 1024, QUESTIONS: 1536, REWRITE: 2048}
)
"""The longest answer that is asked for, in tokens of the teacher, by kind."""

_EXCERPT_CHARACTERS = 3000
_SHORTEST_EXCERPT = 400


@dataclass(frozen=True)
class Request:
    """One thing to ask the teacher for."""

    index: int
    kind: str
    prompt: str
    max_tokens: int
    temperature: float
    brief: Brief

    def question(self) -> Question:
        """What is sent."""
        return Question(self.prompt, self.max_tokens, self.temperature)

    def key(self, model: str) -> str:
        """What an answer is kept under: a hash of the model and all that shapes the answer."""
        what = [model, self.index, self.prompt, self.max_tokens, self.temperature]
        return hashlib.blake2b(json.dumps(what).encode(), digest_size=12).hexdigest()


@dataclass(frozen=True)
class Plan:
    """An endless, varied list of requests.

    `kinds` are the shares of requests by kind, of `KINDS`; they need not sum to 1. `pages` are
    documents, of the web for instance, that the kind "rewrite" turns into textbook style; of each,
    an excerpt of at most 3,000 characters is shown to the teacher. Raises ValueError for unknown
    kinds, shares that are negative or all zero, and for "rewrite" without a page of 400 characters.
    """

    seed: int = 0
    kinds: Mapping[str, float] = field(default_factory=lambda: DEFAULT_KINDS)
    pages: Sequence[Document] = ()
    temperature: float = 1.0

    def __post_init__(self) -> None:
        unknown = sorted(set(self.kinds) - set(KINDS))
        if unknown:
            raise ValueError(f"no such kind: {unknown[0]!r}; there are {', '.join(KINDS)}")
        # Written so that it is true of NaN as well.
        if not all(0 <= share < float("inf") for share in self.kinds.values()) or not any(
            self.kinds.values()
        ):
            raise ValueError("the shares of kinds must be 0 or more, and one of them above 0")
        pages = tuple(page for page in self.pages if len(page.text) >= _SHORTEST_EXCERPT)
        object.__setattr__(self, "pages", pages)
        if self.kinds.get(REWRITE) and not pages:
            raise ValueError(
                f"the kind {REWRITE!r} needs pages of {_SHORTEST_EXCERPT} characters or more to "
                "rewrite: give a corpus, or leave the kind out"
            )

    def request(self, index: int) -> Request:
        """Request number `index`, counted from 0."""
        kind = self._kind(index)
        draw = _Draw(self.seed, index)
        many = variety()
        topic = draw.one("topic", programming_topics() if kind == CODE else topics())
        fitting = [a for a in many.audiences if topic.lowest <= a.level <= topic.highest]
        audience = draw.one("audience", fitting)
        function = construct = page_id = excerpt = ""
        words: tuple[str, ...] = ()
        if kind == CODE:
            verb = draw.one("function verb", many.function_verbs)
            function = f"{verb}_{draw.one('function noun', many.function_nouns)}"
            construct = draw.one("construct", many.constructs)
        elif kind == REWRITE:
            page = draw.one("page", self.pages)
            page_id, excerpt = page.id, _excerpt(page.text, draw.number("excerpt", 2**32))
        else:
            words = tuple(
                draw.one(what, many_words)
                for what, many_words in (
                    ("noun", many.nouns),
                    ("verb", many.verbs),
                    ("adjective", many.adjectives),
                )
            )
        brief = Brief(
            kind=kind,
            topic="" if kind == REWRITE else topic.name,
            subject="" if kind == REWRITE else topic.subject,
            difficulty=audience.level,
            audience=audience.name,
            voice=draw.one("voice", many.voices),
            opening=draw.one("opening", many.openings),
            words=words,
            function=function,
            construct=construct,
            page=page_id,
            excerpt=excerpt,
        )
        return Request(index, kind, prompt_for(brief), MAX_TOKENS[kind], self.temperature, brief)

    def requests(self, count: int) -> Iterator[Request]:
        """The first `count` requests."""
        return (self.request(index) for index in range(count))

    def share(self, kind: str) -> float:
        """The share of requests that are of a kind, 0 to 1."""
        return self.kinds.get(kind, 0.0) / sum(self.kinds.values())

    def settings(self) -> dict[str, object]:
        """What the plan is made of, for a ledger."""
        return {
            "seed": self.seed,
            "kinds": dict(self.kinds),
            "pages": len(self.pages),
            "temperature": self.temperature,
        }

    def _kind(self, index: int) -> str:
        kinds = [kind for kind in KINDS if self.kinds.get(kind)]
        limits = list(accumulate(self.share(kind) for kind in kinds))
        # A golden-ratio sequence keeps every stretch of requests close to the shares.
        point = (index * 0.6180339887498949 + 0.5) % 1.0
        return next(
            (kind for kind, limit in zip(kinds, limits, strict=True) if point < limit), kinds[-1]
        )


class _Draw:
    """Choices for one request, each by a hash of its own: a new one changes none of the others.

    Python's own generator is not used because its choices may change between versions.
    """

    def __init__(self, seed: int, index: int) -> None:
        self._prefix = f"{seed}/{index}/"

    def number(self, what: str, below: int) -> int:
        digest = hashlib.blake2b((self._prefix + what).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % below

    def one(self, what: str, options: Sequence[_T]) -> _T:
        return options[self.number(what, len(options))]


def _excerpt(text: str, where: int) -> str:
    """A stretch of a text that begins and, if possible, ends at a line's end."""
    if len(text) <= _EXCERPT_CHARACTERS:
        return text.strip()
    start = where % (len(text) - _EXCERPT_CHARACTERS + 1)
    line_end = text.find("\n", start, start + _EXCERPT_CHARACTERS // 2)
    start = line_end + 1 if line_end >= 0 and start > 0 else start
    piece = text[start : start + _EXCERPT_CHARACTERS]
    last_end = piece.rfind("\n", _EXCERPT_CHARACTERS // 2)
    return (piece if last_end < 0 else piece[:last_end]).strip()
