"""How a passage and its questions are laid out."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from phinery.data.synthesis.procedural.grammar import capitalized, chance, pick, several
from phinery.data.synthesis.procedural.item import Item, Question
from phinery.data.synthesis.procedural.wording import choice_question


@dataclass(frozen=True)
class Asked:
    """A question about a passage."""

    prompt: str
    answer: str
    wrong: tuple[str, ...] = ()
    why: str = ""
    """Where the passage says it, as a sentence."""


TRUTHS = ("true", "false", "not given")


def truth(claim: str, answer: str, why: str = "") -> Asked:
    """Whether a statement is true, false or not given."""
    others = tuple(other for other in TRUTHS if other != answer)
    return Asked(f"True, false or not given? {claim}", answer, others, why)


_TITLES = (
    "Questions",
    "Questions on the text",
    "Check your reading",
    "Answer these questions",
    "What have you read?",
    "Reading check",
)
_ANSWERS = ("Answer: ", "", "A: ", "- ")


def page(random: Random, passage: str, asked: list[Asked], title: str = "") -> Item:
    """The passage, some questions with answers below it, and all of them as questions."""
    shown = several(random, asked, min(len(asked), 1 + int(random.random() * 4)))
    style = random.random()
    text = f"{title}\n\n{passage}" if title else passage
    lead = pick(random, _TITLES)
    mark = pick(random, _ANSWERS)
    with_why = chance(random, 0.5)
    answers = [
        f"{capitalized(one.answer)}{'' if one.answer.endswith(('.', '!', '?', chr(34))) else '.'}"
        + (f" {one.why}" if with_why and one.why else "")
        for one in shown
    ]
    if style < 0.55:
        body = "\n".join(
            f"{number}. {one.prompt}\n{mark}{answer}"
            for number, (one, answer) in enumerate(zip(shown, answers, strict=True), 1)
        )
        text = f"{text}\n\n{lead}\n{body}"
    elif style < 0.8:
        prompts = "\n".join(f"{number}. {one.prompt}" for number, one in enumerate(shown, 1))
        body = "\n".join(f"{number}. {answer}" for number, answer in enumerate(answers, 1))
        key = pick(random, ("Answers", "Key", "Solutions"))
        text = f"{text}\n\n{lead}\n{prompts}\n\n{key}\n{body}"
    elif style < 0.9:
        text = f"{text}\n\n" + " ".join(
            f"{one.prompt} {answer}" for one, answer in zip(shown, answers, strict=True)
        )
    questions: tuple[Question, ...] = tuple(
        choice_question(random, f"{passage}\n\n{one.prompt}", one.answer, one.wrong)
        for one in shown
    )
    return Item("passage", text, questions)
