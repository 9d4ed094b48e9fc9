"""The printed code of the programming lessons does what the lessons say."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from dataclasses import replace
from random import Random
from types import FunctionType

import pytest

from phinery.data.synthesis.procedural.functions import TOPICS
from phinery.data.synthesis.procedural.item import Item, Topic
from phinery.data.synthesis.procedural.programs import snippets
from phinery.data.synthesis.procedural.programs.frame import results_of, run_source
from phinery.data.synthesis.procedural.programs.makers import ALGORITHM_MAKERS, NUMBER_MAKERS
from phinery.data.synthesis.procedural.programs.more_makers import STRUCTURE_MAKERS, TEXT_MAKERS
from phinery.data.synthesis.procedural.programs.pipelines import number_pipeline, word_pipeline
from phinery.data.synthesis.procedural.programs.recursion import fold, spelled

_FENCED = re.compile(r"```python\n(.*?)\n```", re.DOTALL)
_CALL = re.compile(r"`(\w+\(.*\))`")


def _items(topic: Topic, count: int) -> list[Item]:
    return [
        topic.write(Random(f"{topic.name} {number}"),
            topic.difficulties[number % len(topic.difficulties)])
        for number in range(count)
    ]  # fmt: skip


def _check_examples(text: str, names: dict[str, object]) -> int:
    example = doctest.DocTestParser().get_doctest(text, names, "lesson", None, 0)
    problems = io.StringIO()
    runner = doctest.DocTestRunner()
    runner.run(example, out=problems.write, clear_globs=False)
    assert not problems.getvalue(), problems.getvalue()
    return len(example.examples)


@pytest.mark.parametrize(
    "topic", [topic for topic in TOPICS
        if topic.name.split("/")[1] not in ("what is printed", "tracing a loop")],
    ids=lambda topic: topic.name,
)  # fmt: skip
def test_every_printed_example_holds_when_the_text_is_typed_in_from_top_to_bottom(
    topic: Topic,
) -> None:
    examples = 0
    for item in _items(topic, 150):
        names: dict[str, object] = {}
        blocks = _FENCED.findall(item.text) if "```" in item.text else [item.text]
        assert blocks
        for block in blocks:
            if block.startswith(">>>"):
                examples += _check_examples(block, names)
            else:
                exec(block, names)
                docs = [v.__doc__ for v in names.values() if isinstance(v, FunctionType)]
                examples += sum(_check_examples(doc, names) for doc in docs if doc)
    assert examples > 100


@pytest.mark.parametrize("topic", TOPICS[:7], ids=lambda topic: topic.name)
def test_the_answer_to_what_a_call_returns_is_what_it_returns(topic: Topic) -> None:
    for item in _items(topic, 100):
        assert item.questions
        for question in item.questions:
            code, _, ask = question.prompt.rpartition("\n\n")
            names: dict[str, object] = {}
            exec(code, names)
            asked = _CALL.search(ask)
            assert asked
            exec(f"returned = {asked[1]}", names)
            assert repr(names["returned"]) == question.answer


def test_the_answer_to_what_is_printed_is_what_is_printed() -> None:
    topic = next(topic for topic in TOPICS if topic.name == "python/what is printed")
    for item in _items(topic, 200):
        program = item.questions[0].prompt.rpartition("\n\n")[0]
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(program, {})
        assert printed.getvalue().strip() == item.questions[0].answer
        assert f"`{item.questions[0].answer}`" in item.text


def test_the_table_of_a_traced_loop_ends_with_the_values_that_the_loop_leaves() -> None:
    topic = next(topic for topic in TOPICS if topic.name == "python/tracing a loop")
    for item in _items(topic, 200):
        program = _FENCED.findall(item.text)[0]
        names: dict[str, object] = {}
        exec(program, names)
        last = next(line for line in item.text.splitlines() if line.startswith("After the loop, "))
        for name, value in re.findall(r"`(\w+)` is (-?\d+)", last):
            assert names[name] == int(value)
        for question in item.questions:
            if "after the loop" in question.prompt:
                asked = re.findall(r"`(\w+)`", question.prompt)[-1]
                assert str(names[asked]) == question.answer


def test_hundreds_of_bodies_agree_with_references_and_differ_from_one_another() -> None:
    bodies: set[tuple[str, ...]] = set()
    makers = (
        number_pipeline, word_pipeline, *NUMBER_MAKERS, *ALGORITHM_MAKERS, *TEXT_MAKERS,
            *STRUCTURE_MAKERS,
        fold,
        spelled,
    )  # fmt: skip
    for number in range(1500):
        sketch = makers[number % len(makers)](Random(number), 1 + number % 5)
        assert len(results_of(sketch)) == len(sketch.inputs)
        bodies.add(sketch.body)
    assert len(bodies) > 900


def test_a_body_that_does_not_agree_with_its_reference_is_not_taught() -> None:
    sketch = number_pipeline(Random(3), 2)
    spoiled = replace(sketch, body=("return 123456789",))
    with pytest.raises(AssertionError):
        results_of(spoiled)


def test_lesson_code_runs_without_file_or_process_access() -> None:
    for source in ("open('x')", "import os", "eval('1')", "__import__('subprocess')"):
        with pytest.raises((NameError, AssertionError)):
            run_source(source)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_choices_hold_the_answer_once_and_writing_is_repeatable(topic: Topic) -> None:
    for number, item in enumerate(_items(topic, 60)):
        difficulty = topic.difficulties[number % len(topic.difficulties)]
        assert topic.write(Random(f"{topic.name} {number}"), difficulty) == item
        for question in item.questions:
            assert not question.choices or question.choices.count(question.answer) == 1
            assert len(set(question.choices)) == len(question.choices)
        assert "\0" not in item.text
        assert "{x}" not in item.text
        assert "{r}" not in item.text


def test_a_list_that_became_empty_is_no_reason_to_stop():
    for seed in range(200):
        values: dict[str, object] = {"items": [], "count": 3}
        line, _ = snippets._statement(Random(seed), 2, values)  # pyright: ignore[reportPrivateUsage]
        names = run_source(f"items, count = [], 3\n{line}\n")
        assert isinstance(names["items"], list), line
        assert isinstance(names["count"], int), line
