"""Cause and effect: what happened, why, and what would have happened otherwise."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.forms import Problem
from phinery.data.synthesis.procedural.grammar import capitalized, people, phrase, pick, several
from phinery.data.synthesis.procedural.item import Item
from phinery.data.synthesis.procedural.living.laws import DRINKS, LAWS, Law
from phinery.data.synthesis.procedural.wording import choice_question, vary


class Case:
    """A law with its slots filled, so that every part speaks of the same thing."""

    def __init__(self, random: Random, law: Law) -> None:
        self.law = law
        self.person = people(random, 1)[0]
        self._random = random
        self._slots = {
            "p": self.person,
            "thing": pick(random, law.things),
            "spot": pick(random, law.spots),
            "drink": pick(random, DRINKS),
        }
        self.setup = vary(random, law.setup, **self._slots)
        self.effect = self.part(law.effect)
        self.reason = self.part(law.reason)
        self.instead = self.part(law.instead)
        self.otherwise = self.part(law.otherwise)

    def part(self, template: str) -> str:
        """A clause of the law."""
        return " ".join(phrase(self._random, template, **self._slots).split())

    def wrong(self) -> list[str]:
        """What did not happen."""
        return [self.part(template) for template in self.law.wrong]


def case(random: Random) -> Case:
    """Any law, filled."""
    return Case(random, pick(random, LAWS))


def other_reasons(random: Random, law: Law) -> list[str]:
    """Reasons of other laws, which explain something else."""
    return [
        Case(random, other).reason
        for other in several(random, LAWS, 5)
        if other.reason != law.reason
    ]


def effect_problem(random: Random, difficulty: int) -> Problem:
    """A setup, and the question what happens next."""
    told = case(random)
    ask = pick(random, (
        "What happened?", "What came of it?", "What happened next?", "What was the result?",
        "What do you think happened?", "What followed?",
    ))  # fmt: skip
    return Problem(
        f"{told.setup} {ask}",
        (
            vary(random, "(we know that|remember that|it is a rule that|everybody can see at home "
                "that|) {reason}.", reason=told.reason),
            vary(random, "(this is just what we have here|here exactly this happens|our case is of "
                "this kind)."
            ),
        )[: 1 + (difficulty > 2)],
        capitalized(told.effect),
        vary(random, "(so|therefore|that is why) {effect}.", effect=told.effect),
        check=vary(random, "if {instead}, {otherwise}.", instead=told.instead,
            otherwise=told.otherwise),
        wrong=tuple(capitalized(text) for text in told.wrong()),
    )  # fmt: skip


def why_problem(random: Random, difficulty: int) -> Problem:
    """What happened, and the question why."""
    told = case(random)
    wrong = [capitalized(f"because {reason}") for reason in other_reasons(random, told.law)]
    return Problem(
        vary(random, "{setup} {effect}. (why?|why did that happen?|why was that?|what is the "
            "reason?|how can we explain it?)",
             setup=told.setup, effect=capitalized(told.effect)),
        (vary(random, "(think of|look at|remember) (the rule behind it|what we know): {reason}.",
            reason=told.reason),
         vary(random, "had it been different, so that {instead}, {otherwise}.",
             instead=told.instead, otherwise=told.otherwise)),
        capitalized(f"because {told.reason}"),
        vary(random, "(it happened|this is so) because {reason}.", reason=told.reason),
        wrong=tuple(wrong),
    )  # fmt: skip


def otherwise_problem(random: Random, difficulty: int) -> Problem:
    """What happened, and the question what would have happened under another condition."""
    told = case(random)
    wrong = [capitalized(Case(random, other).otherwise) for other in several(random, LAWS, 5)
             if other.otherwise != told.law.otherwise]  # fmt: skip
    return Problem(
        vary(random, "{setup} {effect}. (what would have happened|what would have come of it|how "
            "would it have gone on) if {instead}?",
             setup=told.setup, effect=capitalized(told.effect), instead=told.instead),
        (vary(random, "{effect} because {reason}.", effect=told.effect, reason=told.reason),
         vary(random, "(with this change|then|in that case) the cause (is missing|would have been "
             "gone).")),
        capitalized(told.otherwise),
        vary(random, "if {instead}, {otherwise}.", instead=told.instead, otherwise=told.otherwise),
        wrong=tuple(wrong),
    )  # fmt: skip


def several_cases(random: Random, difficulty: int) -> Item:
    """Some cases from one field, told one after the other and compared."""
    field = pick(random, LAWS).field
    laws = [law for law in LAWS if law.field == field]
    chosen = [
        Case(random, law) for law in several(random, laws, min(len(laws), 2 + difficulty // 2))
    ]
    parts = [
        vary(
            random,
            pick(
                random,
                (
                    "{setup} {effect}. (the reason is (simple|plain|easy to find|not hard to "
                    "see)|why? the rule is this|behind it stands a rule): {reason}. (if {instead}, "
                    "{otherwise}.|)",
                    "why did it happen that {effect}? {setup} (and|as we know,) {reason}.",
                    "{setup} (as|since|because) {reason}, {effect}. (but if {instead}, "
                    "{otherwise}.|it would have been different if {instead}: {otherwise}.|)",
                    "{setup} (nobody was surprised that|of course) {effect}, for {reason}.",
                    "here is (a small story|an observation|what happened one day). {setup} "
                    "{effect}. (why so?|and why?) (well,|because) {reason}.",
                ),
            ),
            setup=told.setup, effect=told.effect, reason=told.reason, instead=told.instead,
                otherwise=told.otherwise,
        )
        for told in chosen
    ]  # fmt: skip
    title = vary(
        random,
        "(things that happen|what leads to what|small observations|why things happen|cause and "
        "effect): {field}",
        field=field,
    )
    told = chosen[0]
    asked = choice_question(
        random,
        f"{told.setup} What happened?",
        capitalized(told.effect),
        [capitalized(text) for text in told.wrong()],
    )
    return Item("lesson", "\n\n".join([title, *parts]), (asked,))


def law_lesson(random: Random, difficulty: int) -> str:
    """A rule and a case of it, as a paragraph."""
    told = case(random)
    return vary(
        random,
        "(there is a rule that helps to understand many things|here is something worth "
        "knowing|people have long known this|one rule of everyday life is this): {reason}. (one "
        "day|once|last (week|summer|year)|yesterday) (this could be seen well|it showed itself). "
        "{setup} {effect}. (if {instead}, {otherwise}.|)",
        reason=told.reason, setup=told.setup, effect=capitalized(told.effect), instead=told.instead,
            otherwise=told.otherwise,
    )  # fmt: skip
