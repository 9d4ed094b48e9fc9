"""The nano suite: right answers, held out for real, and no way to be right without the context."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise, permutations
from typing import Any, cast

import numpy as np
import pytest

from phinery.data.synthesis.procedural.living.things import OBJECTS, PROPERTIES, material_is
from phinery.data.synthesis.procedural.programs.names import NUMBER_LISTS, WORD_LISTS
from phinery.data.synthesis.procedural.words.lessons import PARTS
from phinery.data.synthesis.procedural.words.lexicon import ACTORS, ADJECTIVES, ADVERBS, VERBS
from phinery.data.synthesis.procedural.writer import is_held_out, procedural_documents
from phinery.evaluate import HarnessModel
from phinery.evaluate.nano import MEASURES, TASKS, measures
from phinery.evaluate.nano.items import Item
from phinery.evaluate.nano.mathematics import written_sums
from phinery.evaluate.outcome import Outcome, score_of
from phinery.evaluate.setting import Setting
from phinery.evaluate.suites import load_suite
from phinery.model import Phi
from phinery.text import Tokenizer

ITEMS: dict[str, list[Item]] = {}
NAMES = [task.__name__ for task in TASKS]
QUESTIONS = [
    *("mixed_reasoning", "sequences", "mixed_common_sense", "effects", "reasons", "materials"),
    *("mixed_language", "mixed_mathematics", "addition", "subtraction", "story_sums"),
]
"""Tasks that ask only questions which the teacher holds out."""


def items_of(name: str) -> list[Item]:
    """A task's items, written once."""
    if name not in ITEMS:
        ITEMS[name] = next(task for task in TASKS if task.__name__ == name)()
    return ITEMS[name]


def prompt_of(context: str) -> str:
    """The question, without what stands around it."""
    return context.removeprefix("Question: ").removesuffix("\nAnswer:")


def right_of(item: Item) -> str:
    """The right answer, without space and full stop."""
    return item.choices[item.right].strip().removesuffix(".")


def letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


# --- the form


def test_suite_names_the_measures():
    suite = load_suite("nano")
    assert [task.measure for task in suite.tasks] == [f"nano.{task.name}" for task in suite.tasks]
    assert {task.name for task in suite.tasks} == set(MEASURES)
    assert len(suite.categories) == 5
    for category in suite.categories:
        assert len(category.headline) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_items_are_many_different_and_crossed(name: str):
    items = items_of(name)
    assert len(items) >= 300
    assert len({item.id for item in items}) == len(items)
    assert len({item.context for item in items}) == len(items)
    sets = Counter(item.set for item in items)
    assert set(sets.values()) == {4}
    for item in items:
        assert len(set(item.choices)) == 4
        assert all(choice.strip() for choice in item.choices)
        assert not item.context.endswith(" ")
    for start in range(0, len(items), 4):
        together = items[start : start + 4]
        assert len({(item.set, item.choices, item.level) for item in together}) == 1
        assert sorted(item.right for item in together) == [0, 1, 2, 3]
        assert len({item.context for item in together}) == 4
    counts = Counter(item.level for item in items)
    assert max(counts.values()) - min(counts.values()) <= 4


def test_items_are_the_same_in_every_process():
    code = (
        "from phinery.evaluate.nano import language, mathematics\n"
        "print(hash_of(language.notices() + mathematics.addition()))"
    )
    helper = "import hashlib\nhash_of = lambda x: hashlib.sha256(repr(x).encode()).hexdigest()\n"
    seen = {
        subprocess.run(
            [sys.executable, "-c", helper + code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


# --- held out


@pytest.fixture(scope="module")
def training_text() -> str:
    """What the teacher writes for the nano recipe: a million tokens, four million characters."""
    documents = procedural_documents(seed=1, characters=4_000_000)
    return "\n\n".join(document.text for document in documents)


def _found(wanted: dict[str, str], text: str, length: int = 20) -> set[str]:
    """Which of the texts (by id, letters and digits only) occur in `text` (letters only)."""
    by_end: dict[str, list[str]] = {}
    for name, one in wanted.items():
        by_end.setdefault(one[-length:], []).append(name)
    windows = (text[start : start + length] for start in range(len(text) - length + 1))
    ends = {window for window in windows if window in by_end}
    return {name for end in ends for name in by_end[end] if wanted[name] in text}


def test_no_question_is_in_the_training_text(training_text: str):
    wanted: dict[str, str] = {}
    for name in NAMES:
        for item in items_of(name):
            context = letters(prompt_of(item.context))
            # Beginnings are no questions: they are looked for with their answers.
            whole = name in ("grammar", "variables", "bodies", "brackets")
            wanted[item.id] = context + letters(right_of(item)) if whole else context
    wanted |= {name: letters(prompt_of(one.context)) for name, one in written_sums()}
    short = {name: text for name, text in wanted.items() if len(text) < 20}
    long = {name: text for name, text in wanted.items() if len(text) >= 20}
    text = letters(training_text)
    assert _found(long, text) == set()
    # Short ones by themselves, as they stand; letters alone would run into the words around.
    for name in short:
        if name.startswith("written_sums"):
            continue
        item = next(one for one in items_of(name.split("/")[0]) if one.id == name)
        assert item.context + item.choices[item.right] not in training_text, item


def test_the_search_would_find_a_question(training_text: str):
    documents = list(procedural_documents(seed=1, characters=200_000))
    asked = {
        f"{document.id}/{place}": letters(question.prompt)
        for document in documents
        for place, question in enumerate(document.questions)
        if len(letters(question.prompt)) >= 20
    }
    found = _found(asked, letters(training_text))
    assert len(found) > 0.5 * len(asked)


@pytest.mark.parametrize("name", QUESTIONS)
def test_questions_are_those_that_the_teacher_holds_out(name: str):
    assert all(is_held_out(prompt_of(item.context)) for item in items_of(name))


def test_written_sums_are_held_out_and_right():
    asked = written_sums()
    assert len(asked) == 200
    assert len({one.context for _, one in asked}) == 200
    for _, one in asked:
        prompt = prompt_of(one.context)
        assert is_held_out(prompt)
        a, b = sorted(_integers(prompt))
        assert int(one.answer.strip(" .")) in (a + b, b - a)


# --- no way to be right without the context


def _commonness(text: str) -> Callable[[str], float]:
    words = Counter(re.findall(r"\w+|\S", text))

    def of(answer: str) -> float:
        found = re.findall(r"\w+|\S", answer)
        return float(np.mean([np.log(words[word] + 1) for word in found]))

    return of


@pytest.mark.parametrize("name", NAMES)
def test_answers_alone_score_chance(name: str, training_text: str):
    common = _commonness(training_text[:500_000])
    strategies: list[Callable[[Sequence[str]], int]] = [
        lambda choices: 0,
        lambda choices: len(choices) - 1,
        lambda choices: int(np.argmax([len(choice) for choice in choices])),
        lambda choices: int(np.argmin([len(choice) for choice in choices])),
        lambda choices: int(np.argmax([common(choice) for choice in choices])),
        lambda choices: int(np.argmin([common(choice) for choice in choices])),
    ]
    items = items_of(name)
    for strategy in strategies:
        right = [strategy(item.choices) == item.right for item in items]
        assert np.mean(right) == 0.25
    outcome = measures.outcome_of(items, [item.right for item in items])
    assert outcome.chance == outcome.majority == 0.25


# --- the answers, worked out in another way


def _integers(text: str) -> list[int]:
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\d|\d", text)]


@pytest.mark.parametrize(("name", "signs"), [("addition", (1,)), ("subtraction", (-1,))])
def test_sums(name: str, signs: tuple[int, ...]):
    for item in items_of(name):
        a, b = sorted(_integers(prompt_of(item.context)), reverse=True)
        assert int(right_of(item).replace(",", "")) in [a + sign * b for sign in signs]


def test_story_sums():
    for item in items_of("story_sums"):
        a, b = _integers(prompt_of(item.context))
        more = re.search(r"(finds|buys|gets|wins) [\d,]+ more", item.context)
        assert int(right_of(item).replace(",", "")) == (a + b if more else a - b)


def test_sequences():
    for item in items_of("sequences"):
        terms = [*_integers(prompt_of(item.context)), int(right_of(item))]
        assert len(terms) >= 5
        steps = [after - before for before, after in pairwise(terms)]
        second = {after - before for before, after in pairwise(steps)}
        assert second <= ({1, 2, 3} if item.level == "growing" else {0})
        assert len(second) == 1


def test_comparisons():
    for item in items_of("comparisons"):
        facts = re.findall(r"(\w+) is (\w+) than (\w+)\.", item.context)
        ask = re.search(r"(?:is the|in (\w+) place, counted from the) (\w+)\?", item.context)
        assert ask is not None
        assert len(facts) == 3
        top = ask[2].removesuffix("est")
        names = sorted({name for one, _, other in facts for name in (one, other)})
        # "richest" goes with "richer"; what goes the other way round is the reverse.
        forward = {word for _, word, _ in facts if word.removesuffix("er") == top}
        fits = [
            order
            for order in permutations(names)
            if all(
                (order.index(one) < order.index(other)) == (word in forward)
                for one, word, other in facts
            )
        ]
        assert len(fits) == 1
        place = {None: 0, "second": 1, "third": 2}[ask[1]]
        assert fits[0][place] == right_of(item)


def test_whereabouts():
    for item in items_of("whereabouts"):
        asked = re.search(r"Where is (\w+) at the end", item.context)
        assert asked is not None
        went = re.findall(rf"{asked[1]} \w+ to the ([\w ]+)\.", item.context)
        assert len(went) == (1 if item.level == "one move" else 2)
        assert right_of(item) == f"In the {went[-1]}"


def test_materials():
    material = {thing.noun: thing.material for thing in OBJECTS}
    for item in items_of("materials"):
        wanted = [p for p in PROPERTIES if prompt_of(item.context).endswith(f" {p.ask}?")]
        assert len(wanted) == 1
        has = [
            choice
            for choice in item.choices
            if material_is(material[choice.strip(" .").removeprefix("The ")], wanted[0].name)
        ]
        assert has == [item.choices[item.right]]


def test_notices_say_it():
    for item in items_of("notices"):
        said = [choice for choice in item.choices if letters(choice) in letters(item.context)]
        stated = right_of(item).removeprefix("Because ").lower()
        assert stated in item.context.lower()
        assert set(said) <= {item.choices[item.right]}


def test_word_kinds():
    known = {"adjective": ADJECTIVES, "adverb": ADVERBS, "noun": ACTORS}
    assert set(known) <= set(PARTS)
    for item in items_of("word_kinds"):
        kind = re.search(r"the first (\w+) in", item.context)
        assert kind is not None
        word = right_of(item).lower()
        if kind[1] in known:
            assert word in known[kind[1]]
        else:
            assert not any(word in words for words in known.values())
        assert word in item.context.lower()


def test_grammar():
    forms = {row[0]: row for row in VERBS}
    whose = {"her", "his", "their", "my"}
    for start in range(0, len(items_of("grammar")), 4):
        together = items_of("grammar")[start : start + 4]
        ends = [right_of(item) for item in together]
        if together[0].level == "possessive":
            assert set(ends) == whose
        else:
            assert forms[ends[0]] == tuple(ends[:3])
            assert ends[3] == f"{ends[0]}s"


def test_outputs_are_what_python_prints():
    for item in items_of("outputs"):
        program = re.search(r"```python\n(.*)\n```", item.context, re.DOTALL)
        assert program is not None
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(program[1], {})
        assert f"{out.getvalue().strip()}`" == item.choices[item.right]


def test_the_teacher_names_no_list_so():
    theirs = {name for row in (*NUMBER_LISTS, *WORD_LISTS) for name in row[:2]}
    for name in ("variables", "bodies"):
        for item in items_of(name):
            argument = re.search(r"\((\w+)s[:)]", item.context)
            assert argument is not None
            assert not {argument[1], f"{argument[1]}s"} & theirs


def test_brackets_and_functions_are_python():
    for item in items_of("brackets"):
        fits: list[str] = []
        for choice in item.choices:
            with contextlib.suppress(SyntaxError):
                ast.parse(item.context + choice)
                fits.append(choice)
        assert fits == [item.choices[item.right]]
    for name in ("variables", "bodies"):
        for item in items_of(name):
            ast.parse(item.context + item.choices[item.right])
    values = {"sum": 12, "max": 7, "min": 2, "len": 3, "sorted": [2, 3, 7]}
    for item in items_of("bodies"):
        scope: dict[str, Any] = {}
        exec(item.context + item.choices[item.right], scope)
        name = item.context.removeprefix("def ").split("(")[0]
        promise = name.rsplit("_", 1)[0]
        wanted = {
            "sum": ("sum_of", "total", "add_up"),
            "max": ("largest", "biggest", "greatest"),
            "min": ("smallest", "least", "lowest"),
            "len": ("count", "number_of", "how_many"),
            "sorted": ("sorted", "ordered", "in_order"),
        }
        kind = next(kind for kind, names in wanted.items() if promise in names)
        assert scope[name]([7, 2, 3]) == values[kind]


# --- what is counted


class Answerer:
    """Answers with a function of context and continuation; generates with one of the context."""

    def __init__(
        self,
        value: Callable[[str, str], float] | None = None,
        text: Callable[[str], str] | None = None,
    ) -> None:
        self.value, self.text, self.calls = value, text, 0

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        assert self.value is not None
        self.calls += 1
        return [(self.value(*one.args), False) for one in requests]

    def generate_until(self, requests: list[Any]) -> list[str]:
        assert self.text is not None
        return [self.text(one.args[0]) for one in requests]


def _measured(name: str, answerer: Answerer, **setting: Any) -> Outcome:
    (outcome,) = MEASURES[name](cast(HarnessModel, answerer), Setting(**setting))
    return outcome


@pytest.fixture
def notices() -> dict[str, str]:
    return {item.context: item.choices[item.right] for item in items_of("notices")}


def test_who_knows_is_right_whatever_it_prefers(notices: dict[str, str]):
    def knows(context: str, answer: str) -> float:
        return 0.01 * (notices[context] == answer) - 3.0 * len(answer)

    answerer = Answerer(knows)
    outcome = _measured("notices", answerer)
    assert answerer.calls == 1
    assert outcome.values.mean() == 1.0
    score = score_of(outcome)
    assert score.chance == score.majority == 0.25
    assert set(score.by_group) == {"what to bring", "why moved"}
    assert score.estimate.n == 304


def test_who_looks_at_the_answer_alone_or_the_context_alone_scores_chance():
    outcome = _measured("notices", Answerer(lambda context, answer: -float(len(answer))))
    assert outcome.values.mean() == 0.25
    outcome = _measured("notices", Answerer(lambda context, answer: -float(len(context))))
    assert outcome.values.mean() == 0.25


def test_who_is_always_wrong_scores_nothing(notices: dict[str, str]):
    wrong = Answerer(lambda context, answer: -float(notices[context] == answer))
    assert _measured("notices", wrong).values.mean() == 0.0


def test_gains_by_hand():
    # The third answer is the likeliest everywhere, but least so after the third context.
    values = np.array([[-5, -9, -1, -6], [-6, -6, -1, -6], [-6, -8, -3, -4], [-7, -9, -1, -8.0]])
    # Column means: -6, -8, -1.5, -6.
    assert measures.picked(values) == [0, 1, 3, 2]


def test_a_part_of_the_items_scores_as_in_the_whole(notices: dict[str, str]):
    def value(context: str, answer: str) -> float:
        return float((len(context) * 7 + len(answer) * 13 + len(context) * len(answer)) % 29)

    whole = _measured("notices", Answerer(value))
    by_id = dict(zip(whole.ids, whole.values[:, 0], strict=True))
    for setting in ({"limit": 7}, {"sample": 20, "seed": 3}):
        part = _measured("notices", Answerer(value), **setting)
        assert len(part.ids) in (8, 20), "whole sets of four"
        assert [by_id[one] for one in part.ids] == part.values[:, 0].tolist()


def test_a_model_is_asked_as_the_harness_asks(phi: Phi, bpe_tokenizer: Tokenizer):
    model = HarnessModel(phi, bpe_tokenizer, progress=False)
    (outcome,) = MEASURES["addition"](model, Setting(limit=8))
    import torch

    items = items_of("addition")[:8]
    gains = np.zeros((8, 4))
    for row, item in enumerate(items):
        for column, choice in enumerate(item.choices):
            whole = bpe_tokenizer.encode(item.context + choice)
            cut = len(bpe_tokenizer.encode(item.context))
            with torch.no_grad():
                logits = phi(torch.tensor([whole]))[0].double().log_softmax(-1).numpy()
            gains[row, column] = sum(logits[at - 1, whole[at]] for at in range(cut, len(whole)))
    for start in (0, 4):
        gains[start : start + 4] -= gains[start : start + 4].mean(0)
    right = [float(gains[row].argmax() == item.right) for row, item in enumerate(items)]
    assert outcome.values[:, 0].tolist() == right


def test_written_sums():
    answers = {one.context: one.answer for _, one in written_sums()}
    outcome = _measured("written_sums", Answerer(text=lambda context: answers[context]))
    assert outcome.values.mean() == 1.0
    assert outcome.majority is not None
    assert 0 < outcome.majority < 0.15
    off = Answerer(text=lambda context: f" {int(answers[context].strip(' .')) + 1}.")
    assert _measured("written_sums", off).values.mean() == 0.0
    assert _measured("written_sums", off, limit=10).values.shape == (10, 1)


@pytest.mark.parametrize(
    ("text", "number"), [(" 12.", "12"), ("1,024 apples", "1,024"), (" 7, 8", "7"), ("x 3", "")]
)
def test_number_of(text: str, number: str):
    assert measures.number_of(text) == number
