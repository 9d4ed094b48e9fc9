"""Short programs without functions: what they print, and how variables change in a loop."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    listed,
    number_words,
    pick,
    several,
)
from phinery.data.synthesis.procedural.item import Item
from phinery.data.synthesis.procedural.programs.frame import near_misses, run_source
from phinery.data.synthesis.procedural.programs.names import WORDS
from phinery.data.synthesis.procedural.wording import choice_question, vary

_INTEGERS = ("a", "b", "n", "x", "y", "total", "count", "size", "level", "score", "left", "steps",
    "coins", "age", "price", "k")  # fmt: skip
_TEXTS = ("word", "name", "text", "s", "label", "title", "city")
_LISTS = ("numbers", "items", "values", "queue", "row", "scores")


def _start(random: Random, difficulty: int) -> tuple[list[str], dict[str, object]]:
    """The first lines, which give values to variables, and these values."""
    names = several(random, _INTEGERS, 2)
    values: dict[str, object] = {name: between(random, 1, 20) for name in names}
    if chance(random, 0.6):
        values[pick(random, _TEXTS)] = pick(random, WORDS)
    if difficulty > 1 and chance(random, 0.6):
        values[pick(random, _LISTS)] = [between(random, 1, 9) for _ in range(between(random, 3, 5))]
    return [f"{name} = {value!r}" for name, value in values.items()], values


def _statement(random: Random, difficulty: int, values: dict[str, object]) -> tuple[str, str]:
    """A statement that changes a variable, and what it does in words."""
    name = pick(random, list(values))
    value = values[name]
    integers = [other for other, held in values.items() if isinstance(held, int)]
    k = between(random, 2, 6)
    other = pick(random, integers)
    if isinstance(value, str):
        return pick(random, (
            (f"{name} = {name} + \"{pick(random, ('s', '!', 'er', '-'))}\"",
                f"Something is put at the end of `{name}`."),
            (f"{name} = {name}[::-1]", f"The slice `[::-1]` spells `{name}` backwards."),
            (f"{name} = {name}.upper()", f"`upper` makes all letters of `{name}` capitals."),
            (f"{name} = {name}[1:]", f"The slice `[1:]` drops the first character of `{name}`."),
            (f"{name} = {name}[:{k}]", f"The slice keeps the first {k} characters of `{name}`."),
            (f"{other} = {other} + len({name})", f"The length of `{name}` is added to `{other}`."),
            (f"{name} = {name} * 2", f"`{name}` is written twice in a row."),
        ))  # fmt: skip
    if value == []:  # the other statements need an element
        return f"{name}.append({other})", f"The value of `{other}` is put at the end of `{name}`."
    if isinstance(value, list):
        return pick(random, (
            (f"{name}.append({other})", f"The value of `{other}` is put at the end of `{name}`."),
            (f"{name} = {name}[1:]", f"The first element of `{name}` is left out."),
            (f"{name}.sort()", f"`{name}` is put in ascending order."),
            (f"{other} = sum({name})", f"`{other}` becomes the sum of `{name}`."),
            (f"{name} = [{k} * item for item in {name}]",
                f"Every element of `{name}` is multiplied by {k}."),
            (f"{other} = {name}[-1]", f"Index -1 is the last element of `{name}`."),
            (f"{name}[0] = {other}", f"The first element of `{name}` is replaced by the value of "
                f"`{other}`."),
            (f"for item in {name}:\n    {other} = {other} + item",
                f"All elements of `{name}` are added to `{other}`, one by one."),
            (f"{name} = [item for item in {name} if item > {k}]",
                f"Only the elements greater than {k} stay in `{name}`."),
        ))  # fmt: skip
    simple = (
        (f"{name} = {name} + {k}", f"`{name}` grows by {k}."),
        (f"{name} += {other}", f"The value of `{other}` is added to `{name}`."),
        (f"{name} -= {k}", f"`{name}` gets smaller by {k}."),
        (f"{name} = {name} * {k}", f"`{name}` is multiplied by {k}."),
        (f"{name} = {name} // {k}", f"`//` divides `{name}` by {k} and drops the remainder."),
        (f"{name} = {name} % {k}", f"`%` gives the remainder of `{name}` on division by {k}."),
        (f"{name} = {other} * 2 + {k}",
            f"First `{other}` is doubled, then {k} is added, and the result goes into `{name}`."),
        (f"{integers[0]}, {integers[-1]} = {integers[-1]}, {integers[0]}",
            f"`{integers[0]}` and `{integers[-1]}` change places."),
    )  # fmt: skip
    if difficulty < 2 or chance(random, 0.45):
        return pick(random, simple)
    limit = between(random, 3, 18)
    return pick(random, (
        (f"if {name} > {limit}:\n    {name} -= {k}\nelse:\n    {name} += {k}",
            f"If `{name}` is greater than {limit}, {k} is taken away; otherwise {k} is added."),
        (f"if {name} % 2 == 0:\n    {name} = {name} // 2\nelse:\n    {name} = 3 * {name} + 1",
            f"An even `{name}` is halved; an odd one is tripled and raised by 1."),
        (f"for i in range({k}):\n    {name} += i",
            f"The loop adds 0, 1 and so on up to {k - 1} to `{name}`."),
        (f"for i in range(1, {k + 1}):\n    {name} = {name} + {other if other != name else 2}",
            f"The addition is done {number_words(k)} times."),
        (f"while {name} > {limit}:\n    {name} -= {k}",
            f"As long as `{name}` is greater than {limit}, {k} is taken away."),
        (f"while {name} < {limit}:\n    {name} += {k}",
            f"As long as `{name}` is less than {limit}, {k} is added."),
        (f"if {name} < {other} or {name} == {limit}:\n    {name} = {limit}",
            f"If `{name}` is less than `{other}` or equal to {limit}, it becomes {limit}."),
    ))  # fmt: skip


def _copied(values: dict[str, object]) -> dict[str, object]:
    return {name: list(held) if isinstance(held, list) else held for name, held in values.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def output_item(random: Random, difficulty: int) -> Item:
    """A program of a few lines, what it prints, and how one finds out."""
    lines, values = _start(random, difficulty)
    remarks: list[str] = []
    touched: set[str] = set()
    for _ in range(1 + difficulty if difficulty < 3 else difficulty + between(random, 0, 1)):
        code, words = _statement(random, difficulty, values)
        before = _copied(values)
        run = run_source(
            "\n".join([*(f"{name} = {held!r}" for name, held in values.items()), code])
        )
        values = {name: run[name] for name in values}
        changed = [f"`{name}` is {held!r}" for name, held in values.items() if before[name] != held]
        touched.update(name for name in values if before[name] != values[name])
        after = f"Now {listed(changed)}." if changed else "Nothing changes here."
        lines += code.split("\n")
        remarks.append(f"{words} {after}")
    moved = [name for name in values if name in touched] or list(values)
    shown = several(random, moved, 1 if chance(random, 0.6) or len(moved) < 2 else 2)
    printed = " ".join(str(values[name]) for name in shown)
    program = "\n".join([*lines, f"print({', '.join(shown)})"])
    ask = pick(random, ("What does this program print?", "What is printed?",
        "What is the output of this program?", "Work out what is printed at the end.",
        "Read the program and say what it prints."))  # fmt: skip
    wrong: list[str] = []
    for name in shown:
        for text in near_misses(random, values[name]):
            other = text.strip("'") if isinstance(values[name], str) else text
            wrong.append(" ".join(other if one == name else str(values[one]) for one in shown))
    wrong = [text for text in wrong if text.strip() and "'" not in text]
    lead = vary(
        random,
        "(line by line|step by step|let us go through it|what happens|the way to the answer):",
    )
    body = (
        "\n".join(f"- {remark}" for remark in remarks) if chance(random, 0.5) else " ".join(remarks)
    )
    end = vary(random, "(so|therefore|in the end) the (program prints|output is) \0.").replace(
        "\0", f"`{printed}`"
    )
    text = f"{ask}\n\n```python\n{program}\n```\n\n{lead}\n{body}\n{end}"
    return Item("exercise", text, (choice_question(random, f"{program}\n\n{ask}", printed, wrong),))


def _loop(random: Random, difficulty: int) -> tuple[list[str], list[str], list[str]]:
    """Lines before a loop, its body, and the variables that it changes."""
    first, second = several(
        random, ("total", "count", "best", "acc", "even", "rest", "s", "t", "level"), 2
    )
    k, m = between(random, 2, 5), between(random, 2, 9)
    updates: tuple[tuple[str, ...], ...] = (
        (f"{first} += x",), (f"{first} = {first} * 2 + x",), (f"{first} += x % {k}",),
            (f"{first} = x - {first}",), (f"{first} = max({first}, x)",),
        (f"if x > {m}:", f"    {first} += 1"),
            ("if x % 2 == 0:", f"    {first} += x", "else:", f"    {first} -= 1"),
            (f"if {first} < {m * 2}:", f"    {first} += x"),
    )  # fmt: skip
    also: tuple[tuple[str, ...], ...] = (
        (f"{second} += 1",), (f"{second} += {first}",),
            (f"if {first} > {m}:", f"    {second} += 1"), (f"{second} = {first} - {second}",),
            (f"{second} = {second} * 2 + 1",), (f"{second} += x * x",),
        (f"if x == {m}:", f"    {second} += {k}", "else:", f"    {second} += 1"),
    )  # fmt: skip
    body = [*pick(random, updates), *(pick(random, also) if difficulty > 1 else ())]
    names = [first, second] if difficulty > 1 else [first]
    return [f"{name} = {between(random, 0, 2)}" for name in names], body, names


def trace_item(random: Random, difficulty: int) -> Item:
    """A loop and a table of its variables after every round."""
    start, body, names = _loop(random, difficulty)
    if chance(random, 0.6):
        shown = [
            between(random, 1, 12) for _ in range(3 + (difficulty > 2) + between(random, 0, 1))
        ]
        head, rounds = f"for x in {shown}:", len(shown)
    else:
        low, high, step = between(random, 0, 3), between(random, 6, 12), between(random, 1, 3)
        head = (
            f"for x in range({low}, {high}, {step}):"
            if step > 1
            else f"for x in range({low}, {high}):"
        )
        rounds = len(range(low, high, step))
    inside = [f"    {line}" for line in body]
    program = "\n".join([*start, head, *inside])
    log = f"    seen.append((x, {', '.join(names)}))"
    seen = run_source("\n".join(["seen = []", *start, head, *inside, log]))["seen"]
    assert isinstance(seen, list)
    rows: list[tuple[int, ...]] = seen
    assert len(rows) == rounds
    header = ["round", "x", *names]
    if chance(random, 0.5):
        table = "\n".join(
            [
                " | ".join(header),
                " | ".join("---" for _ in header),
                *(" | ".join(map(str, (number, *row))) for number, row in enumerate(rows, 1)),
            ]
        )
    else:
        table = "\n".join(
            f"Round {number}: x is {row[0]}, so "
            + listed(
                [f"`{name}` becomes {held}" for name, held in zip(names, row[1:], strict=True)]
            )
            + "."
            for number, row in enumerate(rows, 1)
        )
    at = between(random, 1, rounds)
    name = pick(random, names)
    column = 1 + names.index(name)
    final, middle = rows[-1][column], rows[at - 1][column]
    asks = (
        (f"What is the value of `{name}` after the loop?", final),
        (f"What is the value of `{name}` after round {at} of the loop?", middle),
        ("How many rounds does the loop make?", rounds),
    )  # fmt: skip
    lead = vary(
        random,
        "(trace|follow) (the|this) loop (on paper|by hand|round by round)(: what values do the "
        "variables take?|.| and write down the variables.)",
    )
    told = vary(
        random,
        "(to trace a loop, one notes every variable at the end of each round.|a table helps to "
        "keep the overview.|nothing is guessed here: each row follows from the row above.|)",
    )
    end = "After the loop, " + listed(
        [f"`{one}` is {held}" for one, held in zip(names, rows[-1][1:], strict=True)]
    )
    shown_ask, shown_answer = pick(random, asks)
    text = f"{lead}\n\n```python\n{program}\n```\n\n{told}\n\n{table}\n\n{end}.".replace(
        "\n\n\n\n", "\n\n"
    )
    if chance(random, 0.4):
        text += f"\n\nQuestion: {shown_ask}\nAnswer: {shown_answer}."
    wrong_pool = [str(row[column]) for row in rows]
    return Item(
        "worked example", text,
        tuple(choice_question(random, f"{program}\n\n{ask}", str(answer),
            [*near_misses(random, answer), *wrong_pool]) for ask,
            answer in several(random, asks, 2)),
    )  # fmt: skip
