"""Any questions of a category: which answer belongs to which question."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.grammar import several
from phinery.data.synthesis.procedural.item import Category, Topic
from phinery.data.synthesis.procedural.writer import TOPICS
from phinery.evaluate.nano.items import SET, Asked, Draw, Writer, held_out

_LONGEST_PROMPT = 300
"""In characters."""
_FEW = (
    *("everyday/instructions", "everyday/body, plants and earth", "everyday/jobs"),
    *("physics/why things happen", "language/plurals", "language/tenses"),
    *("language/synonyms and opposites", "language/analogies"),
)
"""Topics with few questions: those held out come back inside others, or in other words."""
_YES_OR_NO = (
    *("numbers/prime numbers", "numbers/divisibility", "logic/truth tables", "logic/syllogisms"),
    *("logic/if and then", "everyday/true of a thing", "reading/who knows what"),
)
"""Topics whose easiest questions ask for a verdict."""
_VERDICTS = frozenset(("yes", "no", "true", "false", "not given"))


def mixed(category: Category, prefix: str = "") -> Writer:
    """Writes the easiest questions of four topics of a category, whose names begin with `prefix`.

    The answers differ in kind (a length, a name, a share, a reason), so that a model has to see
    what is asked for before it has to know it.
    """
    topics = [
        topic
        for topic in TOPICS
        if topic.category == category
        and topic.name.startswith(prefix)
        and topic.name not in (*_FEW, *_YES_OR_NO)
    ]
    assert len(topics) > SET

    def drawn_from(random: Random, topic: Topic) -> Draw:
        difficulty = min(topic.difficulties)

        def draw() -> tuple[str, str]:
            for question in topic.write(random, difficulty).questions:
                short = len(question.prompt) <= _LONGEST_PROMPT
                if short and question.answer not in _VERDICTS:
                    return question.prompt, question.answer
            return "", ""  # which is not held out: drawn again

        return draw

    def write(random: Random) -> list[Asked]:
        return held_out([drawn_from(random, topic) for topic in several(random, topics, SET)])

    return write
