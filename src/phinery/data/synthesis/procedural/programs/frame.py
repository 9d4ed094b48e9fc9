"""How a small Python function is taught: written, run, compared with a reference, explained."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import ModuleType

from phinery.data.synthesis.procedural.grammar import (
    between,
    capitalized,
    chance,
    listed,
    pick,
    several,
    shuffled,
)
from phinery.data.synthesis.procedural.item import Item, Question
from phinery.data.synthesis.procedural.wording import choice_question, vary

_BUILTINS = (
    "abs", "all", "any", "bool", "chr", "dict", "divmod", "enumerate", "filter", "float", "int",
    "isinstance", "len", "list", "map", "max", "min", "ord", "print", "range", "reversed", "round",
    "set", "sorted", "str", "sum", "tuple", "zip", "IndexError", "KeyError", "ValueError",
    "object", "property", "__build_class__",
)  # fmt: skip
_MODULES = ("datetime", "math")


def _guarded_import(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] = (),
    level: int = 0,
) -> ModuleType:
    assert name in _MODULES, name
    return __import__(name, globals, locals, fromlist, level)


_SAFE: dict[str, object] = {name: getattr(builtins, name) for name in _BUILTINS}
_SAFE["__import__"] = _guarded_import


def run_source(source: str) -> dict[str, object]:
    """The names that a source of ours defines, when it is run with few builtins."""
    names: dict[str, object] = {"__builtins__": _SAFE, "__name__": "lesson"}
    exec(compile(source, "<lesson>", "exec", dont_inherit=True), names)
    return names


@dataclass(frozen=True)
class Mistake:
    """A wrong version of a function, and what to say about it."""

    body: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Sketch:
    """A function to be taught. `body` is run and has to agree with `reference` on `inputs`."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    """Names and types."""
    returns: str
    summary: str
    """What it returns, as a noun phrase: "the sum of the even numbers in `numbers`"."""
    body: tuple[str, ...]
    reference: Callable[..., object]
    inputs: tuple[tuple[object, ...], ...]
    """Arguments of calls; the first ones are shown."""
    steps: tuple[str, ...] = ()
    """Sentences on how it works, in order."""
    remarks: tuple[str, ...] = ()
    """Sentences on edge cases, cost or the idea."""
    setting: str = ""
    """A sentence on where the function is needed."""
    walk: Callable[[tuple[object, ...]], str] | None = None
    """Tells how one call goes, from the reference alone."""
    mistakes: tuple[Mistake, ...] = ()
    header: str = ""
    """Imports and helpers that the function needs."""


def signature(sketch: Sketch, hints: bool = True) -> str:
    """The line that begins the function."""
    if hints:
        inner = ", ".join(f"{name}: {kind}" for name, kind in sketch.parameters)
        return f"def {sketch.name}({inner}) -> {sketch.returns}:"
    return f"def {sketch.name}({', '.join(name for name, _ in sketch.parameters)}):"


def call(sketch: Sketch, arguments: tuple[object, ...]) -> str:
    """A call, as one types it."""
    return f"{sketch.name}({', '.join(map(repr, arguments))})"


def session(sketch: Sketch, results: Sequence[tuple[tuple[object, ...], object]]) -> list[str]:
    """Lines of an interactive session."""
    lines: list[str] = []
    for arguments, result in results:
        shown = call(sketch, arguments)
        if result is None:
            lines += [f">>> {shown} is None", "True"]
        else:
            lines += [f">>> {shown}", repr(result)]
    return lines


def source(
    sketch: Sketch,
    body: Sequence[str] | None = None,
    docstring: Sequence[str] = (),
    hints: bool = True,
) -> str:
    """The function's text."""
    lines = [f"    {line}" if line else "" for line in (sketch.body if body is None else body)]
    if docstring:
        doc = [f"    {line}" if line else "" for line in docstring]
        doc[0] = f'    """{docstring[0]}'
        if len(doc) == 1:
            doc[0] += '"""'
        else:
            doc.append('    """')
        lines = [*doc, *lines]
    head = [sketch.header, "", ""] if sketch.header else []
    return "\n".join([*head, signature(sketch, hints), *lines])


def _docstring(
    random: Random, sketch: Sketch, shown: Sequence[tuple[tuple[object, ...], object]]
) -> list[str]:
    verb = pick(random, ("Return", "Return", "Compute", "Give", "Work out", "Find"))
    first = f"{verb} {sketch.summary}."
    lines = _wrapped(first, 84)
    style = between(random, 0, 3)
    if style == 0:
        return lines
    if style == 1 and sketch.remarks:
        lines += ["", *_wrapped(pick(random, sketch.remarks).replace("`", ""), 84)]
    lines.append("")
    if style == 3:
        lines.append("Examples:")
        lines += [f"    {line}" for line in session(sketch, shown)]
    else:
        lines += session(sketch, shown)
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def near_misses(random: Random, value: object) -> list[str]:
    """Wrong answers that look like `value`, as Python prints them."""
    wrong: list[object] = []
    if isinstance(value, bool):
        wrong = [not value, None, int(value)]
    elif isinstance(value, int):
        step = between(random, 2, 9)
        wrong = [value + 1, value - 1, value + step, value - step, -value, value * 2]
    elif isinstance(value, float):
        wrong = [round(value + 0.5, 4), round(value - 1.0, 4), round(value * 2, 4), int(value)]
    elif isinstance(value, str):
        wrong = [value[::-1], value[:-1], value[1:], value.upper(), value + value[:1], ""]
        wrong += [] if value else [" ", None, 0]
    elif isinstance(value, list | tuple):
        kind = type(value)
        entries = list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        wrong = [kind(entries[::-1]), kind(entries[1:]), kind(entries[:-1])]
        wrong += [kind(entries + entries[:1]), kind(shuffled(random, entries))]
        if all(type(entry) is int for entry in entries):
            wrong.append(kind([entry + 1 for entry in entries]))
    elif isinstance(value, dict):
        pairs = list(value.items())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        wrong = [dict(pairs[1:]), dict(pairs[:-1]), {}]
        wrong.append({key: count + 1 if type(count) is int else None for key, count in pairs})
        wrong.append({str(count): key for key, count in pairs})
    elif value is None:
        wrong = [0, "", False, []]
    return [repr(candidate) for candidate in wrong]


def results_of(sketch: Sketch) -> list[tuple[tuple[object, ...], object]]:
    """What the function returns for its inputs; it has to agree with the reference."""
    function = run_source(source(sketch))[sketch.name]
    assert callable(function)
    results: list[tuple[tuple[object, ...], object]] = []
    for arguments in sketch.inputs:
        result = function(*arguments)
        expected = sketch.reference(*arguments)
        assert type(result) is type(expected), (source(sketch), arguments)
        assert result == expected, (source(sketch), arguments)
        results.append((arguments, result))
    return results


_TASKS = (
    "write a (Python |)function `{name}` that (takes|is given) {parameters} and (returns|gives "
    "back) {summary}.",
    "(we want|we need) a function, `{name}`, which returns {summary}. (it takes|its input is) "
    "{parameters}.",
    "(task|problem|exercise): given {parameters}, return {summary}. (call the function "
    "`{name}`.|name it `{name}`.)",
    "define `{name}`. (from|out of) {parameters} it (has to work out|must compute|should find) "
    "{summary}.",
    "how (can|do) we get {summary}? (let us write|here is) a function that (does it|answers this) "
    "for {parameters}: `{name}`.",
)
_KINDS = {
    "int": "an integer",
    "float": "a number",
    "str": "a string",
    "bool": "a truth value",
    "list[int]": "a list of integers",
    "list[float]": "a list of numbers",
    "list[str]": "a list of strings",
    "list[list[int]]": "a matrix as a list of rows",
    "dict[str, int]": "a dictionary from strings to integers",
    "list[tuple[str, int]]": "a list of pairs of a name and a number",
}


def _parameters_in_words(sketch: Sketch) -> str:
    return listed([f"{_KINDS.get(kind, 'a value')} `{name}`" for name, kind in sketch.parameters])


def task(random: Random, sketch: Sketch) -> str:
    """The exercise in words."""
    words = vary(
        random,
        pick(random, _TASKS),
        name=sketch.name,
        parameters=_parameters_in_words(sketch),
        summary=sketch.summary,
    )
    return f"{sketch.setting} {words}" if sketch.setting else words


def _fenced(code: str) -> str:
    return f"```python\n{code}\n```"


def explanation(random: Random, sketch: Sketch) -> str:
    """How the function works, as a paragraph or numbered steps."""
    if len(sketch.steps) > 2 and chance(random, 0.3):
        head = vary(
            random,
            "(how it works:|step by step:|what happens, in order:|reading the code from the top:)",
        )
        lines = [f"{number}. {capitalized(step)}" for number, step in enumerate(sketch.steps, 1)]
        return "\n".join([head, *lines])
    parts: list[str] = []
    for number, step in enumerate(sketch.steps):
        if number and step.startswith(("The ", "the ", "For ", "for ")) and chance(random, 0.4):
            link = pick(random, ("Then ", "Next, ", "After that, ", "Now "))
            parts.append(link + step[:1].lower() + step[1:])
        else:
            parts.append(capitalized(step))
    return " ".join(parts)


def _calls_in_words(
    random: Random, sketch: Sketch, shown: Sequence[tuple[tuple[object, ...], object]]
) -> str:
    sentences = [
        vary(
            random,
            "(`{call}` (returns|gives|is) `{result}`|the call `{call}` (returns|gives) "
            "`{result}`|for `{call}` the (result|answer) is `{result}`).",
            call="\0",
            result="\1",
        )
        .replace("\0", call(sketch, arguments))
        .replace("\1", repr(result))
        for arguments, result in shown
    ]
    return " ".join(sentences)


def _mended(
    random: Random, sketch: Sketch, results: Sequence[tuple[tuple[object, ...], object]]
) -> str | None:
    """A wrong version, how it shows, and why; None when no input shows a difference."""
    mistake = pick(random, sketch.mistakes)
    wrong = run_source(source(sketch, mistake.body))[sketch.name]
    assert callable(wrong)
    for arguments, result in results:
        got = wrong(*arguments)
        if got == result:
            continue
        name = pick(random, ("A beginner", "A student", "Someone in a hurry", "A friend of mine"))
        lead = vary(
            random,
            "({name} wrote this instead:|{name} (handed in|tried) this version:|this version looks "
            "right (but is not|at first):|where is the mistake in this version?)",
            name=name,
        )
        after = vary(
            random,
            "(it returns|this gives|the wrong code gives) `{got}` for `{call}`, (but|where) the "
            "right answer is `{right}`. {reason}",
            got="\0",
            call="\1",
            right="\2",
            reason=mistake.reason,
        )
        for sign, value in (
            ("\0", repr(got)),
            ("\1", call(sketch, arguments)),
            ("\2", repr(result)),
        ):
            after = after.replace(sign, value)
        code = source(sketch, mistake.body, hints=chance(random, 0.5))
        return f"{lead}\n\n{_fenced(code)}\n\n{after}"
    return None


def _not_empty(
    results: Sequence[tuple[tuple[object, ...], object]],
) -> Sequence[tuple[tuple[object, ...], object]]:
    """The calls with something in their first argument, or all when there are none."""
    return [pair for pair in results if pair[0][:1] not in ((), ([],), ("",), ({},))] or results


def questions_of(
    random: Random, sketch: Sketch, results: Sequence[tuple[tuple[object, ...], object]]
) -> tuple[Question, ...]:
    """What a call returns, with choices; answers come from running the code."""
    code = source(sketch)
    made: list[Question] = []
    likely = results if chance(random, 0.2) else _not_empty(results)
    for arguments, result in several(random, likely, min(2, len(likely))):
        asked = call(sketch, arguments)
        ask = pick(
            random,
            (
                f"What does `{asked}` return?",
                f"What is the value of `{asked}`?",
                f"Which value does the call `{asked}` give?",
            ),
        )
        others = [repr(other) for _, other in results] + near_misses(random, result)
        made.append(choice_question(random, f"{code}\n\n{ask}", repr(result), others))
    return tuple(made)


def function_item(random: Random, sketch: Sketch, follow_up: Sketch | None = None) -> Item:
    """The function as a piece of a textbook, in one of many arrangements."""
    results = results_of(sketch)
    # The first call of each result; the empty input comes last and yields to others.
    unlike = list({repr(result): (args, result) for args, result in reversed(results)}.values())[
        ::-1
    ]
    shown = unlike[: between(random, 1, 3)]
    hints = chance(random, 0.85)
    code = source(sketch, docstring=_docstring(random, sketch, shown), hints=hints)
    style = random.random()
    asked = questions_of(random, sketch, results)
    if style < 0.18:
        checks = [
            f"assert {call(sketch, args)} {'is' if result is None else '=='} {result!r}"
            for args, result in results
        ]
        text = code + "\n\n\n" + "\n".join(checks)
        return Item("function", text, asked)
    parts = [task(random, sketch)]
    why = explanation(random, sketch)
    walk = sketch.walk(pick(random, _not_empty(unlike))[0]) if sketch.walk else ""
    if style < 0.4:
        parts += [walk, f"{why}\n\n{_fenced(code)}"]
    elif style < 0.75:
        parts += [_fenced(code), why, walk]
    else:
        parts += [why, _fenced(code), walk]
    rest = [pair for pair in unlike if pair not in shown] or unlike
    more = several(random, rest, min(between(random, 1, 3), len(rest)))
    if chance(random, 0.5):
        lead = vary(
            random,
            "(let us try it|some calls|it can be tested like this|in use|more examples|tried out):",
        )
        parts.append(f"{lead}\n\n{_fenced(chr(10).join(session(sketch, more)))}")
    elif chance(random, 0.5):
        parts.append(_calls_in_words(random, sketch, more))
    if sketch.remarks and chance(random, 0.7):
        parts.append(" ".join(capitalized(remark) for remark in shuffled(random, sketch.remarks)))
    if sketch.mistakes and chance(random, 0.35):
        parts.append(_mended(random, sketch, results) or "")
    elif follow_up is not None and follow_up.name != sketch.name and chance(random, 0.5):
        parts.append(_exercise(random, follow_up))
    return Item("function", "\n\n".join(part for part in parts if part), asked)


def _exercise(random: Random, sketch: Sketch) -> str:
    results = results_of(sketch)
    lead = pick(random, ("Exercise", "Your turn", "Now you", "Practice", "Try it yourself"))
    answer = pick(random, ("Solution", "A solution", "One way to do it", "Answer"))
    code = source(sketch, docstring=_docstring(random, sketch, results[:1]))
    return f"{lead}. {task(random, sketch)}\n\n{answer}:\n\n{_fenced(code)}"
