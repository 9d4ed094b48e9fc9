"""The forms a solved problem is told in, so that no reader learns a single template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from phinery.data.synthesis.procedural.grammar import (
    between,
    capitalized,
    chance,
    pick,
    say,
    several,
    shuffled,
)
from phinery.data.synthesis.procedural.item import Category, Item, Question, Topic


@dataclass(frozen=True)
class Problem:
    """A question with the way to its answer."""

    prompt: str
    """Complete in itself, in sentences."""
    steps: tuple[str, ...]
    """Whole sentences, each a step of the way that says why it may be taken."""
    answer: str
    """As short as it can be said."""
    conclusion: str
    """The answer in a whole sentence."""
    check: str = ""
    """Sentences that confirm the answer in another way."""
    wrong: tuple[str, ...] = ()
    """Answers that a usual slip would give; whichever equal the answer are left out."""
    slip: str = ""
    """A sentence that warns of the usual slip."""

    def choices(self, random: Random) -> tuple[str, ...]:
        """The answer among up to three wrong ones in random order; empty without wrong ones."""
        wrong = [text for text in dict.fromkeys(self.wrong) if text != self.answer]
        if not wrong:
            return ()
        chosen = several(random, wrong, min(3, len(wrong)))
        return tuple(shuffled(random, [self.answer, *chosen]))

    def question(self, random: Random) -> Question:
        """The problem as it is asked in an examination."""
        return Question(self.prompt, self.answer, self.choices(random))


_LETTERS = "ABCD"
_ORDER_WORDS = (
    ("First", "Next", "Then", "After that", "Finally"),
    ("To begin", "Now", "Then", "Next", "At the end"),
)
_CHECK_LEADS = (
    "Check: ", "To check: ", "Let us check. ", "Does this make sense? ", "A quick check: ",
    "We can test this. ", "Check the answer. ", "Is that right? ", "",
)  # fmt: skip
_SLIP_LEADS = (
    "Take care: ", "A common slip: ", "Watch out: ", "Note: ", "A warning: ",
    "Many people stumble here: ", "Be careful. ", "",
)  # fmt: skip
_DOUBTS = (
    "Why (may|can) we do that?|And why is that allowed?|How do you know?|What is "
    "the reason for that?"
    "|I don't see why yet.|Can you say (more|a bit more) about that?",
)
_NODS = (
    "(Good|Right|Yes|Exactly|That's it|Well put|True|Correct). ",
    "(Go on|And then|What comes next|Then what)? ",
    "(I see|All right|Okay|Fine|Sure). ",
)


def _lead(random: Random, leads: tuple[str, ...], text: str) -> str:
    lead = pick(random, leads)
    if lead.endswith(": ") and text[:2] not in ("I ", "I'") and text.split(" ", 1)[0] in _PLAIN:
        text = text[0].lower() + text[1:]
    return lead + text


_PLAIN = frozenset(
    [
        "The",
        "A",
        "An",
        "It",
        "If",
        "Is",
        "In",
        "To",
        "This",
        "That",
        "These",
        "Those",
        "They",
        "We",
        "You",
        "When",
        "Both",
        "Each",
        "Every",
        "All",
        "Put",
        "Since",
        "Because",
        "Going",
        "Adding",
        "Multiplying",
        "Dividing",
        "Subtracting",
        "Do",
        "Does",
        "Don't",
        "Use",
        "Count",
        "Look",
        "Working",
        "One",
        "Two",
        "Three",
        "Half",
        "Forgetting",
        "Mixing",
        "Holding",
        "Pressure",
        "Voltage",
        "Mass",
        "Momentum",
        "Speed",
        "Power",
        "Dense",
        "Heavy",
        "Rest",
        "Read",
        "Round",
        "Rise",
        "Count",
        "Compare",
        "Divide",
        "Halve",
        "Look",
        "Keep",
        "Be",
        "Never",
        "Always",
        "Ask",
        "Mind",
        "Whatever",
        "Only",
        "From",
    ]
)


def _extras(random: Random, problem: Problem) -> list[str]:
    extras: list[str] = []
    if problem.check and chance(random, 0.6):
        extras.append(_lead(random, _CHECK_LEADS, problem.check))
    if problem.slip and chance(random, 0.35):
        extras.append(_lead(random, _SLIP_LEADS, problem.slip))
    return extras


def _prose(random: Random, problem: Problem) -> str:
    lead = pick(
        random,
        ("", "", "Solution. ", "Answer. ", "Solution: ", "Here is how to do it. ",
         "Think it through. ",
         "Let us work it out. ", "How do we find it? ", "Reasoning: "),
    )  # fmt: skip
    body = " ".join((*problem.steps, problem.conclusion))
    extras = _extras(random, problem)
    joint = pick(random, (" ", "\n", "\n\n"))
    gap = pick(random, ("\n\n", "\n"))
    return joint.join((f"{problem.prompt}{gap}{lead}{body}", *extras))


def _numbered(random: Random, problem: Problem) -> str:
    mark = pick(random, ("{}. ", "{}) ", "Step {}: ", "Step {}. ", "({}) "))
    steps = [mark.format(number) + step for number, step in enumerate(problem.steps, 1)]
    title = pick(random, ("Solution", "Working", "Step by step", "Method", "How to solve it"))
    end = say(
        random,
        "(Answer|Result|So the answer is|Therefore|Conclusion): {answer}",
        answer=problem.answer,
    )
    if chance(random, 0.5):
        end = problem.conclusion
    return "\n".join((problem.prompt, "", f"{title}:", *steps, end, *_extras(random, problem)))


def _in_order(random: Random, problem: Problem) -> str:
    words = pick(random, _ORDER_WORDS)
    sentences: list[str] = []
    for number, step in enumerate(problem.steps):
        if len(problem.steps) > 1 and step.split(" ", 1)[0] in _PLAIN and number < len(words) - 1:
            word = words[number] if number < len(problem.steps) - 1 or number == 0 else words[-1]
            step = f"{word}, {step[0].lower()}{step[1:]}"
        sentences.append(step)
    return "\n\n".join(
        (problem.prompt, " ".join((*sentences, problem.conclusion)), *_extras(random, problem))
    )


def _dialogue(random: Random, problem: Problem) -> str:
    teacher, pupil = pick(
        random,
        (("Teacher", "Pupil"), ("Tutor", "Student"), ("Teacher", "Student"), ("Coach", "Learner"),
         ("Grandmother", "Child"), ("Mentor", "Apprentice")),
    )  # fmt: skip
    lines = [f"{teacher}: {problem.prompt}"]
    if chance(random, 0.4):
        lines.append(
            say(
                random,
                "{pupil}: (I'm not sure how to (start|begin)|Where do I begin?|What should I "
                "do first"
                "?|Can you show me how?).",
                pupil=pupil,
            )
        )
        lines.append(
            say(
                random,
                "{teacher}: (Say what you know|Tell me one thing that you can work out|Begin "
                "with what"
                " is given|Take it one step at a time|Start with the part that you are sure of).",
                teacher=teacher,
            )
        )
    for number, step in enumerate(problem.steps):
        lines.append(f"{pupil}: {step}")
        if number < len(problem.steps) - 1:
            nod = say(random, pick(random, _NODS)).strip()
            lines.append(f"{teacher}: {nod}")
    lines[-1] += f" {problem.conclusion}"
    if problem.check and chance(random, 0.7):
        lines.append(
            say(
                random,
                "{teacher}: (How (could|can|would) you check (it|that|your answer)?|Are you sure?"
                "|Does that make sense?|Can you confirm it in another way?)",
                teacher=teacher,
            )
        )
        lines.append(f"{pupil}: {problem.check}")
    if problem.slip and chance(random, 0.4):
        lines.append(f"{teacher}: {problem.slip}")
    elif chance(random, 0.5):
        lines.append(
            say(
                random,
                "{teacher}: (Well done|Good work|Yes, that is right|Correct|Nicely reasoned"
                "|Exactly)(.|. Remember the method, not only the number.|, and you said why at"
                " each step.|. Now try one on your own.|.)",
                teacher=teacher,
            )
        )
    return "\n".join(lines)


def _as_sentence(answer: str) -> str:
    """An answer with a capital, unless it begins with a letter that stands for a number."""
    return answer if answer[1:2] == " " else capitalized(answer)


def _as_opening(conclusion: str) -> str:
    """A conclusion without the word that joins it to what came before."""
    for word in ("So ", "Therefore ", "Thus ", "Hence "):
        conclusion = conclusion.removeprefix(word)
    return capitalized(conclusion)


def _question_and_answer(random: Random, problem: Problem) -> str:
    ask, reply = pick(
        random,
        (("Q", "A"), ("Question", "Answer"), ("Problem", "Solution"), ("Exercise", "Solution")),
    )
    why = " ".join(problem.steps)
    if chance(random, 0.5):
        told = _as_opening(problem.conclusion)
        answer = say(
            random, "{told} (|Here is why. |The reason: |This is how we know. |Working: ){why}",
            told=told, why=why,
        )  # fmt: skip
    else:
        answer = f"{_as_sentence(problem.answer)}. {why} {problem.conclusion}"
    return f"{ask}: {problem.prompt}\n{reply}: {answer}" + "".join(
        f"\n{extra}" for extra in _extras(random, problem)
    )


def _multiple_choice(random: Random, problem: Problem) -> str:
    choices = problem.choices(random)
    mark = pick(random, ("{}) ", "({}) ", "{}. "))
    lines = [mark.format(letter) + text for letter, text in zip(_LETTERS, choices, strict=False)]
    letter = _LETTERS[choices.index(problem.answer)]
    told = say(
        random,
        "(Answer: {letter}|The right choice is {letter}|Correct: {letter}|({letter}) is correct).",
        letter=letter,
    )
    if chance(random, 0.25):
        told = f"Answer: {letter}. {_as_sentence(problem.answer)}."
    why = " ".join((*problem.steps, problem.conclusion))
    extras = _extras(random, problem)
    return "\n".join((problem.prompt, *lines, told, why, *extras))


def _mistake(random: Random, problem: Problem, somebody: str) -> str:
    wrong = pick(random, [text for text in problem.wrong if text != problem.answer])
    told = say(
        random,
        "{somebody} (was asked|had to answer|met|was given) this "
"(question|problem|exercise): {prompt}"
        "\n\n{somebody} (wrote|answered|said): {wrong}. (Is that right?|Do you "
"agree?|Where is the mistake?"
        "|Can it be right?|What do you think?)\n\n(It is not right|That is a "
"mistake|No|That cannot be"
        " right). ",
        somebody=somebody, prompt=problem.prompt, wrong=wrong,
    )  # fmt: skip
    extras = [_lead(random, _CHECK_LEADS, problem.check)] if problem.check else []
    slip = (problem.slip,) if problem.slip else ()
    return " ".join((told.rstrip(), *problem.steps, problem.conclusion, *slip, *extras))


_MISTAKEN = (
    "A pupil",
    "A friend",
    "Somebody",
    "A classmate",
    "A student",
    "My cousin",
    "A beginner",
)


def told(random: Random, problem: Problem) -> Item:
    """The problem and its solution in one of the forms, with the question that it answers."""
    forms: list[Callable[[Random, Problem], str]] = [
        _prose, _prose, _prose, _numbered, _numbered, _in_order, _question_and_answer, _dialogue,
    ]  # fmt: skip
    question = problem.question(random)
    if question.choices:
        forms.append(_multiple_choice)
    if problem.slip and question.choices:
        forms.append(lambda random, problem: _mistake(random, problem, pick(random, _MISTAKEN)))
    form = pick(random, forms)
    text = form(random, problem)
    kind = "worked example" if form in (_numbered, _in_order, _dialogue) else "exercise"
    return Item(kind, text, (question,))


def _lesson(random: Random, explanation: str, problem: Problem) -> Item:
    """An explanation with an example that shows it."""
    lead = say(
        random,
        "(For example|An example|Example|Here is an example|Let us see it at work|See how it goes"
        "|Take an example|Try it)(:|.)",
    )
    body = " ".join((*problem.steps, problem.conclusion))
    extras = _extras(random, problem)
    joint = pick(random, (" ", "\n\n"))
    text = joint.join((f"{explanation}\n\n{lead} {problem.prompt}\n\n{body}", *extras))
    return Item("lesson", text, (problem.question(random),))


def taught(
    name: str,
    category: Category,
    difficulties: tuple[int, ...],
    problem: Callable[[Random, int], Problem],
    explanation: Callable[[Random, int], str],
    *,
    lessons: float = 0.2,
) -> Topic:
    """A topic made of problems, a share `lessons` of them told inside an explanation."""

    def write(random: Random, difficulty: int) -> Item:
        if chance(random, lessons):
            return _lesson(random, explanation(random, difficulty), problem(random, difficulty))
        return told(random, problem(random, difficulty))

    return Topic(name, category, difficulties, write)


def near_numbers(random: Random, value: int, count: int = 3) -> tuple[str, ...]:
    """Whole numbers close to a value and different from it, as wrong answers."""
    result: list[str] = []
    spread = max(3, abs(value) // 8)
    while len(result) < count:
        other = value + between(random, -spread, spread)
        if other != value and (other > 0 or value <= 0) and str(other) not in result:
            result.append(str(other))
    return tuple(result)
