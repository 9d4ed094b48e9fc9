"""How the chosen elements of a list are put together at the end of a pipeline."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from phinery.data.synthesis.procedural.grammar import chance, pick


@dataclass(frozen=True)
class Reducer:
    """How the elements are put together at the end."""

    phrase: str
    """With {things}."""
    slug: str
    kind: str
    """The type of the result."""
    start: str
    """Lines of code before the loop; {r} is the result's variable."""
    update: str
    """Lines of code for an element {v}."""
    end: str
    """The expression that is returned after the loop."""
    expression: str
    """The expression for a generator {gen}; empty when there is none."""
    reduce: Callable[[list[Any]], object]
    empty: str
    """What an empty list gives, as a sentence."""
    variable: tuple[str, ...]


def _running(values: Sequence[int]) -> list[int]:
    return [sum(values[: place + 1]) for place in range(len(values))]


def _counts(values: list[Any]) -> dict[Any, int]:
    return {value: values.count(value) for value in dict.fromkeys(values)}


_NONE = "`None` for an empty list"
_ANY: tuple[Reducer, ...] = (
    Reducer("the number of {things}", "count", "int", "{r} = 0", "{r} += 1", "{r}",
            "sum(1 for _ in {gen})", len, "With nothing to count the result is 0.",
            ("count", "how_many", "found", "tally")),
    Reducer("the list of {things}", "list", "list[{t}]", "{r} = []", "{r}.append({v})", "{r}",
            "list({gen})", lambda v: v[:], "An empty list stays empty.",
            ("result", "kept", "chosen", "output")),
    Reducer("the list of {things} in sorted order", "sorted", "list[{t}]", "{r} = []",
            "{r}.append({v})", "sorted({r})", "sorted({gen})",
            lambda v: [x for _, x in sorted(
                (x, x) for x in v)],
            "Sorting an empty list gives an empty list.", ("result", "collected", "found")),
    Reducer("the list of {things} in reverse order", "reversed", "list[{t}]", "{r} = []",
            "{r}.insert(0, {v})", "{r}", "list({gen})[::-1]", lambda v: list(reversed(v)),
            "An empty list has no order to reverse: the result is `[]`.", ("result", "backwards")),
    Reducer("the list of {things} without repetitions", "distinct", "list[{t}]", "{r} = []",
            "value = {v}\nif value not in {r}:\n    {r}.append(value)", "{r}",
            "list(dict.fromkeys({gen}))", lambda v: [x for i, x in enumerate(v) if x not in v[:i]],
            "The first of several equal elements is the one that stays.", ("unique", "seen")),
    Reducer("a dictionary that counts {things}", "counts_of", "dict[{t}, int]", "{r} = {{}}",
            "value = {v}\n{r}[value] = {r}.get(value, 0) + 1", "{r}", "", _counts,
            "For an empty list the dictionary is empty.", ("counts", "tally", "frequency")),
    Reducer("the last of {things} (`None` if there is none)", "last", "{t} | None", "{r} = None",
            "{r} = {v}", "{r}", "", lambda v: v[-1] if v else None,
            "If there is no such element, the variable keeps its first value, `None`.",
            ("last", "latest")),
    Reducer("how many different values there are among {things}", "different", "int", "{r} = set()",
            "{r}.add({v})", "len({r})", "len(set({gen}))", lambda v: len(_counts(v)),
            "A set keeps each value once, so its length is the answer.", ("seen", "values")),
)  # fmt: skip
_NUMBERS: tuple[Reducer, ...] = (
    Reducer("the sum of {things}", "sum", "int", "{r} = 0", "{r} += {v}", "{r}", "sum({gen})",
            lambda v: -sum(-x for x in v),
            "An empty sum is 0.", ("total", "result", "amount", "acc")),
    Reducer("the product of {things}", "product", "int", "{r} = 1", "{r} *= {v}", "{r}", "",
            math.prod,
            "An empty product is 1, not 0: multiplying by 1 changes nothing.",
                ("product", "result")),
    Reducer(f"the largest of {{things}} ({_NONE})", "largest", "int | None", "{r} = None",
            "value = {v}\nif {r} is None or value > {r}:\n    {r} = value", "{r}",
            "max({gen}, default=None)", lambda v: sorted(v)[-1] if v
                else None,
            "With no number at all there is no largest one, hence `None`.",
            ("largest", "best", "highest")),
    Reducer(f"the smallest of {{things}} ({_NONE})", "smallest", "int | None", "{r} = None",
            "value = {v}\nif {r} is None or value < {r}:\n    {r} = value", "{r}",
            "min({gen}, default=None)", lambda v: sorted(v)[0] if v
                else None,
            "With no number at all there is no smallest one, hence `None`.",
            ("smallest", "lowest", "least")),
    Reducer("the running totals of {things}", "running_totals", "list[int]", "{r} = []\nso_far = 0",
            "so_far += {v}\n{r}.append(so_far)", "{r}", "",
                _running,
            "An empty list has no running totals.", ("totals", "sums", "running")),
    Reducer("the average of {things} (0.0 if there are none)", "average", "float",
            "{r} = 0\ncount = 0", "{r} += {v}\ncount += 1", "{r} / count if count else 0.0", "",
            lambda v: sum(v) / len(v) if v else 0.0,
            "Dividing by zero is an error in Python, so the empty case is handled by itself.",
            ("total", "sum_so_far")),
    Reducer("the alternating sum (first minus second plus third, and so on) of {things}",
            "alternating_sum", "int", "{r} = 0\nsign = 1", "{r} += sign * ({v})\nsign = -sign",
                "{r}",
            "", lambda v: sum(v[::2]) - sum(v[1::2]),
            "With no numbers the alternating sum is 0.", ("total", "balance")),
)  # fmt: skip
_WORDS: tuple[Reducer, ...] = (
    Reducer("one string of {things}, joined by {sep_words}", "joined", "str", "{r} = []",
            "{r}.append({v})", "{sep}.join({r})", "{sep}.join({gen})", lambda v: "",
            "Joining nothing gives the empty string.", ("parts", "pieces")),
    Reducer("the longest of {things} (the first one if several are; \"\" if there is none)",
            "longest", "str", '{r} = ""', "value = {v}\nif len(value) > len({r}):\n    {r} = value",
            "{r}", 'max({gen}, key=len, default="")',
            lambda v: next((x for x in v if len(x) == max(map(len, v))),
                ""),
            "A strict `>` keeps the first of several equally long words.", ("longest", "best")),
    Reducer("the total number of characters in {things}", "characters_in", "int", "{r} = 0",
            "{r} += len({v})", "{r}", "sum(map(len, {gen}))",
            lambda v: len("".join(v)),
            "No words have no characters: 0.", ("total", "characters")),
    Reducer("a dictionary from each length to the list of {things} that have it",
            "grouped_by_length", "dict[int, list[str]]", "{r} = {{}}",
            "value = {v}\n{r}.setdefault(len(value), []).append(value)", "{r}", "",
            lambda v: {len(x): [y for y in v if len(y) == len(x)]
                for x in v},
            "`setdefault` makes the empty list for a length that is new.", ("groups", "by_length")),
    Reducer("the one of {things} that comes first in the alphabet (`None` if there is none)",
            "first_in_alphabet", "str | None", "{r} = None",
            "value = {v}\nif {r} is None or value < {r}:\n    {r} = value", "{r}",
            "min({gen}, default=None)", lambda v: sorted(v)[0] if v
                else None,
            "Strings are compared letter by letter, as in a dictionary.", ("first", "earliest")),
)  # fmt: skip
_SEPARATORS = (
    ('", "', "a comma and a space"),
    ('"-"', "hyphens"),
    ('" "', "single spaces"),
    ('"/"', "slashes"),
    ('" and "', 'the word "and"'),
    ('""', "nothing in between"),
    ('"_"', "underscores"),
)


def reducer(random: Random, element: str) -> Reducer:
    """A way to put elements of a type together, with separators and types filled in."""
    own = _NUMBERS if element == "int" else _WORDS
    chosen = pick(random, own) if chance(random, 0.6) else pick(random, _ANY)
    kind = chosen.kind.replace("{t}", element)
    if chosen.slug != "joined":
        return chosen if kind == chosen.kind else _with(chosen, kind=kind)
    code, words = pick(random, _SEPARATORS)
    separator = code[1:-1]

    def join(values: list[Any]) -> str:
        joined = ""
        for place, value in enumerate(values):
            joined += f"{separator if place else ''}{value}"
        return joined

    return Reducer(
        chosen.phrase.replace("{sep_words}", words), "joined", "str", chosen.start, chosen.update,
        chosen.end.replace("{sep}", code), chosen.expression.replace("{sep}", code), join,
        chosen.empty, chosen.variable,
    )  # fmt: skip


def _with(chosen: Reducer, kind: str) -> Reducer:
    return Reducer(
        chosen.phrase, chosen.slug, kind, chosen.start, chosen.update, chosen.end,
        chosen.expression, chosen.reduce, chosen.empty, chosen.variable,
    )  # fmt: skip
