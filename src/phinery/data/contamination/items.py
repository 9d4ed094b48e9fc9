"""Benchmarks' items as texts: which fields are the question, the choices, a passage, code."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ENDINGS = (".jsonl", ".jsonl.gz")


@dataclass(frozen=True)
class Item:
    """One item of a benchmark. `id` is the item's own, or "split:row", as `read_items` says."""

    benchmark: str
    id: str
    questions: tuple[str, ...]
    """What the model is asked or scored on, each text alone."""
    answers: tuple[str, ...] = ()
    """Choices and answers, which follow a question."""
    passages: tuple[str, ...] = ()
    """Texts that the question is about: mostly quoted from public sources."""
    code: tuple[str, ...] = ()
    """Reference solutions."""


@dataclass(frozen=True)
class Layout:
    """How a benchmark's rows become items. A field "a.b" is the field b inside of a."""

    questions: tuple[tuple[str, ...], ...]
    """Groups of fields; those of a group are joined by a space."""
    answers: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    code: tuple[tuple[str, ...], ...] = ()
    """Groups of fields; those of a group are joined as they are."""
    id: str | None = None
    blank: str | None = None
    """What in a question stands for the answer: every answer is put there."""


LAYOUTS: Mapping[str, Layout] = {
    "arc_challenge": Layout((("question",),), ("choices.text",), id="id"),
    "arc_easy": Layout((("question",),), ("choices.text",), id="id"),
    "bbh": Layout((("input",), ("prompt",)), ("target",)),
    "bbq": Layout((("context", "question"),), ("ans0", "ans1", "ans2")),
    "bold": Layout((("prompts",),), passages=("wikipedia",)),
    "boolq": Layout((("question",),), passages=("passage",)),
    "crows_pairs": Layout((("sent_more",), ("sent_less",)), id="id"),
    "gsm8k": Layout((("question",),), ("answer",)),
    "hellaswag": Layout((("ctx",),), ("endings",)),
    "humaneval": Layout((("prompt",),), code=(("prompt", "canonical_solution"),), id="task_id"),
    "mathqa": Layout((("Problem",),), ("options", "Rationale")),
    "mbpp": Layout((("text",),), code=(("code",),), id="task_id"),
    "mmlu": Layout((("question",),), ("choices",)),
    "openbookqa": Layout((("question_stem",),), ("choices.text",), id="id"),
    "piqa": Layout((("goal",),), ("sol1", "sol2")),
    "realtoxicityprompts": Layout((("prompt.text",),), ("continuation.text",)),
    "social_iqa": Layout((("context", "question"),), ("answerA", "answerB", "answerC")),
    "squadv2": Layout((("question",),), ("answers.text",), passages=("context",), id="id"),
    "stereoset": Layout((("context",), ("sentences.sentence",)), ("sentences.sentence",), id="id"),
    "toxigen": Layout((("text",),), id="id"),
    "truthfulqa": Layout(
        (("question",),),
        ("mc1_targets.choices", "mc2_targets.choices", "correct_answers", "incorrect_answers"),
    ),
    "winobias": Layout((("sentence",),)),
    "winogender": Layout((("sentence",),)),
    "winogrande": Layout((("sentence",),), ("option1", "option2"), blank="_"),
    "wsc273": Layout((("text",),), ("options",), blank="[MASK]"),
}
"""Benchmarks whose fields are known, by the names of their folders."""

_CALCULATOR = re.compile(r"<<[^<>]*>>")
_WITH_A_SOURCE = "This question refers to the following information."


def read_items(path: str | Path) -> Iterator[Item]:
    """The items of all .jsonl and .jsonl.gz files of a folder, or of one such file.

    In a folder a benchmark is a subfolder, `NAME/[CONFIG/]SPLIT.jsonl.gz`, or a loose file. An
    item's id is its own field where `LAYOUTS` names one, else "SPLIT:ROW" with rows from 0, and
    "CONFIG/SPLIT:ROW" where the benchmark has several configurations. Items of a benchmark that
    `LAYOUTS` does not know have every string in them as a question, and all of them joined.

    Raises ValueError when there is no such file, or a line is not a JSON object.
    """
    root = Path(path)
    if root.is_file():
        yield from _items_of_file(root, root.name.split(".")[0], root.name.split(".")[0])
        return
    files = sorted(file for file in root.rglob("*") if file.name.endswith(_ENDINGS))
    if not files:
        raise ValueError(f"{root} has no .jsonl or .jsonl.gz file: name a folder of benchmarks")
    configs: dict[str, set[str]] = {}
    for file in files:
        first, *between = file.relative_to(root).parts[:-1] or [file.name.split(".")[0]]
        configs.setdefault(first, set()).add("/".join(between))
    for file in files:
        parts = file.relative_to(root).parts
        name = parts[0].split(".")[0] if len(parts) == 1 else parts[0]
        split = file.name.split(".")[0]
        if len(parts) > 2 and len(configs[name]) > 1:
            split = "/".join([*parts[1:-1], split])
        yield from _items_of_file(file, name, split)


def _items_of_file(file: Path, benchmark: str, split: str) -> Iterator[Item]:
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
            for number, line in enumerate(lines):
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("it is not an object")
                yield as_item(row, benchmark, f"{split}:{number}")
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{file} is not JSON, an object a line ({error}): mend it") from error
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror}): name another") from error


def as_item(row: Mapping[str, Any], benchmark: str, place: str) -> Item:
    """A row of `benchmark` as an item, whose id is `place` unless it has one of its own."""
    layout = LAYOUTS.get(benchmark)
    if layout is None or not any(_strings(row, group) for group in layout.questions):
        strings = tuple(_all_strings(row))
        return Item(benchmark, place, (*strings, " ".join(strings)))
    questions = [text for group in layout.questions for text in _joined(row, group)]
    answers = [text for field in layout.answers for text in _values(row, field)]
    passages = [text for field in layout.passages for text in _values(row, field)]
    if layout.blank is not None:
        filled = [text.replace(layout.blank, answer) for text in questions for answer in answers]
        questions, answers = questions + filled, []
    if benchmark == "boolq":  # its answers are true and false, and asked for in these words
        answers = ["yes", "no"]
    if benchmark == "gsm8k":  # the answer as it is read, without the calculator's notes
        answers += [_CALCULATOR.sub("", text) for text in answers]
    if benchmark == "stereoset":  # either a sentence with a word filled in, or one that follows
        questions = answers if "BLANK" in questions[0] else questions[:1]
    if benchmark == "mmlu" and questions[0].startswith(_WITH_A_SOURCE):
        source, _, question = questions[0].removeprefix(_WITH_A_SOURCE).rpartition("\n")
        questions, passages = [question], [source]
    code = ["".join(_strings(row, group)) for group in layout.code]
    item_id = place if layout.id is None else str(row.get(layout.id, place))
    return Item(
        benchmark,
        item_id,
        tuple(dict.fromkeys(questions)),
        tuple(dict.fromkeys(answers)),
        tuple(dict.fromkeys(passages)),
        tuple(code),
    )


def _joined(row: Mapping[str, Any], group: tuple[str, ...]) -> list[str]:
    """The texts of a group of fields: one of all fields joined, or each of a single field's."""
    if len(group) == 1:
        return _values(row, group[0])
    return [" ".join(_strings(row, group))]


def _strings(row: Mapping[str, Any], group: Iterable[str]) -> list[str]:
    return [text for field in group for text in _values(row, field)]


def _values(row: Mapping[str, Any], field: str) -> list[str]:
    value: Any = row
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    values: list[Any] = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text.strip()]


def _all_strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _all_strings(inner)
