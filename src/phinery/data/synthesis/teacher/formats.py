"""Reads a teacher's answers: what becomes a document, and why the rest doesn't."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

from phinery.data.synthesis.teacher.code import code_exercise
from phinery.data.synthesis.teacher.draft import Draft, RejectedError
from phinery.data.synthesis.teacher.prompts import Brief

_LONGEST = 20_000  # characters
_SHORTEST_SECTION = 800
_SHORTEST_PROBLEM = 25
_SHORTEST_SOLUTION = 15
_FEWEST_PAIRS = 2
_MOST_REPETITIVE = 5.0
"""Bytes of text per byte compressed with zlib. Prose of 2,000 characters and more has 2 to 3."""
_LEAST_COMMON = 0.16
"""Share of words that are among the most frequent of English. English textbooks have 0.25 to 0.55,
less where formulas abound; of 339 other languages' Universal Declaration of Human Rights only
those in Scots, Nigerian Pidgin and Tahitian reach it."""
_MOST_COPIED = 0.3
"""Share of a rewrite's 8-word sequences that stand on the page in the same words."""

_COMMON = """
    the of and to a in is it that you for on are as with be this from or have by not but what all
    were when your can an each which how their if will other about then them these so some would
    make has two more into its than out no was at we they i he she his her do does did because
    there where one there's it's up who why only also
"""
_COMMON_WORDS = frozenset(_COMMON.split())
_REFUSAL = re.compile(
    r"\bas an? (?:AI|artificial intelligence|large language model|language model)\b"
    r"|^\W*(?:I'm|I am|we're) (?:very |really )?sorry,? (?:but|I)\b"
    r"|^\W*(?:I|we) (?:can't|cannot|can not|won't|am unable to|am not able to) "
    r"(?:help|assist|write|provide|create|comply|fulfil|generate|do that)",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(
    r"\A(?:sure|certainly|of course|absolutely|okay|ok|great|here(?:'s| is| are))\b[^\n]{0,200}"
    r"[:!.]\s*\n+",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"(?:I hope this|let me know|would you like|feel free to|if you'd like)\b", re.IGNORECASE
)
_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_WHOLE_FENCE = re.compile(r"\A```(?:markdown|md|text)?[ \t]*\n(.*)\n```\Z", re.DOTALL)
_PLACEHOLDER = re.compile(r"\[(?:insert|your|name of|add|placeholder)\b[^\]\n]*\]", re.IGNORECASE)


def read_answer(brief: Brief, text: str, finish_reason: str | None) -> Draft:
    """The document in an answer.

    Raises RejectedError with the reason when there is none that is fit to be kept: "cut off",
    "filtered", "refusal", "missing solution", "too short", "too long", "not English",
    "repetitive", "placeholder", "copied from the page", or one of `code_exercise`. It is what the
    text alone tells; what it says of programs has yet to be run.
    """
    if finish_reason == "length":
        raise RejectedError("cut off")
    if finish_reason == "content_filter":
        raise RejectedError("filtered")
    if len(text) > 4 * _LONGEST:
        raise RejectedError("too long")
    text = _unwrapped(text)
    if _REFUSAL.search(text[:400]):
        raise RejectedError("refusal")
    if len(text) > _LONGEST:
        raise RejectedError("too long")
    if "\0" in text:
        raise RejectedError("control characters")
    draft = _READERS[brief.kind](text, brief)
    if _PLACEHOLDER.search(draft.text):
        raise RejectedError("placeholder")
    if is_repetitive(draft.text):
        raise RejectedError("repetitive")
    return draft


def is_repetitive(text: str) -> bool:
    """Whether a text says the same again and again, as models do that got stuck."""
    data = text.encode(errors="replace")
    return len(data) > 500 and len(data) > _MOST_REPETITIVE * len(zlib.compress(data, 6))


def looks_english(text: str) -> bool:
    """Whether enough of a text's words are among the most frequent of English."""
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower())
    return sum(word in _COMMON_WORDS for word in words) >= _LEAST_COMMON * max(1, len(words))


def _unwrapped(text: str) -> str:
    """An answer without what surrounds it: thoughts, a fence around it all, politeness."""
    text = _THOUGHTS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"), count=1).strip()
    text = _PREAMBLE.sub("", text, count=1)
    before, _, last_line = text.rpartition("\n")
    if _CLOSING.match(last_line):
        text = _trimmed(before)
    fenced = _WHOLE_FENCE.match(text)
    return fenced.group(1).strip() if fenced else text


def _section(text: str, brief: Brief) -> Draft:
    heading = re.search(r"^#{1,3} +\S.*$", text, re.MULTILINE)
    if heading is None:
        raise RejectedError("no heading")
    text = "# " + text[heading.start() :].lstrip("# ").strip()
    if len(text) < _SHORTEST_SECTION:
        raise RejectedError("too short")
    if not looks_english(text):
        raise RejectedError("not English")
    if brief.excerpt and _copied_share(text, brief.excerpt) > _MOST_COPIED:
        raise RejectedError("copied from the page")
    return Draft(text)


def _copied_share(text: str, page: str) -> float:
    own, others = _sequences(text), _sequences(page)
    return len(own & others) / max(1, len(own))


def _sequences(text: str, length: int = 8) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def _pair_reader(first: str, second: str) -> Callable[[str, Brief], Draft]:
    # Teachers like to number and to embolden: **Exercise 2:**, ### Exercise 2., Q3:
    label = re.compile(
        rf"^[ \t]*(?:#{{1,4}} +)?\**(?P<which>{first}|{second})(?: ?\d+)?\**[:.]\**[ \t]*\**",
        re.MULTILINE | re.IGNORECASE,
    )

    def read(text: str, brief: Brief) -> Draft:
        found = list(label.finditer(text))
        if not found:
            raise RejectedError("not in the form asked for")
        ends = [*(match.start() for match in found[1:]), len(text)]
        parts = [
            (match["which"].lower(), _trimmed(text[match.end() : end]))
            for match, end in zip(found, ends, strict=True)
        ]
        expected = [first.lower(), second.lower()] * (len(parts) // 2)
        if [which for which, _ in parts] != expected:
            raise RejectedError("missing solution")
        bodies = [body for _, body in parts]
        pairs = list(zip(bodies[::2], bodies[1::2], strict=True))
        pairs = list(dict.fromkeys(pairs))
        if (
            any(
                len(problem) < _SHORTEST_PROBLEM or len(solution) < _SHORTEST_SOLUTION
                for problem, solution in pairs
            )
            or len(pairs) < _FEWEST_PAIRS
        ):
            raise RejectedError("too short")
        if not looks_english(" ".join(bodies)):
            raise RejectedError("not English")
        title = f"# {brief.topic[:1].upper()}{brief.topic[1:]}"
        blocks = [f"{first}: {problem}\n\n{second}: {solution}" for problem, solution in pairs]
        return Draft("\n\n".join([title, *blocks]), pairs=tuple(pairs))

    return read


def _trimmed(text: str) -> str:
    """A text without white space around it and without rules of dashes or stars below it."""
    text = text.strip()
    while text and set(last_line := text.rpartition("\n")[2].strip()) in ({"-"}, {"*"}):
        text = text[: -len(last_line)].rstrip()
    return text


_READERS: dict[str, Callable[[str, Brief], Draft]] = {
    "textbook": _section,
    "rewrite": _section,
    "exercises": _pair_reader("Exercise", "Solution"),
    "questions and answers": _pair_reader("Q", "A"),
    "code exercises": lambda text, brief: code_exercise(text, brief.function),
}
