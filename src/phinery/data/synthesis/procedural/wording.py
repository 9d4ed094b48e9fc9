"""What the lessons on words and everyday life add to the grammar: sentences and questions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import Any

from phinery.data.synthesis.procedural.grammar import phrase, several, shuffled
from phinery.data.synthesis.procedural.item import Question

# After a quoted question a small letter may follow ('"Why?" asked Ann'), unless a quote begins.
_SENTENCE_START = re.compile(r"((?:^|\n|[.!?] |\.[\"')]+ )[\"'(]?|[!?][\"')]+ [\"'(])([a-z])")
_SPACES = re.compile(r" +(?=[ \n]|[,.;:!?](?:[\s\"')]|$))")


def tidy(text: str) -> str:
    """Prose with single spaces, none before a sign, and capitals where sentences begin."""
    text = _SPACES.sub("", text).strip()
    return _SENTENCE_START.sub(lambda match: match[1] + match[2].upper(), text)


def vary(random: Random, template: str, /, **slots: Any) -> str:
    """Expands a template of whole sentences, as `phrase` does, and gives them their capitals.

    Empty alternatives leave no double spaces behind.
    """
    return tidy(phrase(random, template, **slots))


def choice_question(
    random: Random, prompt: str, answer: str, wrong: Sequence[str], most: int = 4
) -> Question:
    """A question with up to `most` choices in random order; wrong ones equal to the answer go."""
    others = [choice for choice in dict.fromkeys(wrong) if choice != answer]
    kept = several(random, others, min(most - 1, len(others)))
    return Question(prompt, answer, tuple(shuffled(random, [answer, *kept])) if kept else ())
