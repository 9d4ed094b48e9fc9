"""Code: what a name promises, which variable and which brackets belong, what a program prints."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.grammar import between, pick, several
from phinery.evaluate.nano.items import SET, Asked, Item, Writer, crossed

_INTEGERS = ("a", "b", "n", "x", "y", "total", "count", "size", "level", "score", "steps", "coins",
    "age", "price")  # fmt: skip
_ASKS = ("What does this program print?", "What is printed?",
    "What is the output of this program?")  # fmt: skip
# None of the names that the teacher gives to a list or to its elements.
_NOUNS = ("kettle", "parcel", "ticket", "lantern", "pebble", "violin", "barrel", "tunnel", "wagon",
    "rocket", "puppet", "candle", "turnip", "helmet", "bucket", "magnet", "saddle", "kitten",
    "window", "pencil", "spoon", "carrot", "button", "ribbon", "castle", "pillow", "bottle",
    "hammer", "garden", "mirror", "needle", "anchor", "basket", "blanket", "bridge", "camera",
    "chapter", "circle", "cottage", "cushion", "donkey", "engine", "feather", "fossil", "goblet",
    "hamster", "insect", "jacket", "ladder", "marble", "napkin", "orchard", "painting", "quilt",
    "sandal", "teapot", "trumpet", "umbrella", "volcano", "whistle")  # fmt: skip
_PROMISES = {
    "sum": ("sum_of", "total", "add_up"),
    "max": ("largest", "biggest", "greatest"),
    "min": ("smallest", "least", "lowest"),
    "len": ("count", "number_of", "how_many"),
    "sorted": ("sorted", "ordered", "in_order"),
}
"""How the teacher names functions, by what they do."""


def _program(random: Random, lines: list[str], name: str) -> str:
    program = "\n".join([*lines, f"print({name})"])
    return f"{pick(random, _ASKS)}\n\n```python\n{program}\n```\n\nThe output is `"


def _output(*, changed: bool) -> Writer:
    """The variables of a program; each in turn is printed."""

    def write(random: Random) -> list[Asked]:
        names = several(random, _INTEGERS, SET)
        values = several(random, range(7, 21), SET)
        lines = [f"{name} = {value}" for name, value in zip(names, values, strict=True)]
        if changed:
            steps = [between(random, 2, 6) * pick(random, (1, -1)) for _ in names]
            values = [value + step for value, step in zip(values, steps, strict=True)]
            lines += [
                f"{name} = {name} {'+' if step > 0 else '-'} {abs(step)}"
                for name, step in zip(names, steps, strict=True)
            ]
        if len(set(values)) < SET:
            return []
        return [
            Asked(_program(random, lines, name), f"{value}`")
            for name, value in zip(names, values, strict=True)
        ]

    return write


def _elements(random: Random) -> list[Asked]:
    result = pick(random, ("total", "result", "amount"))
    return [
        Asked(
            f"def {pick(random, _PROMISES['sum'])}_{noun}s({noun}s: list[int]) -> int:\n"
            f"    {result} = 0\n    for {noun} in {noun}s:\n        {result} +=",
            f" {noun}\n",
        )
        for noun in several(random, _NOUNS, SET)
    ]


def _lists(random: Random) -> list[Asked]:
    one = pick(random, ("x", "one", "entry"))
    return [
        Asked(
            f"def {pick(random, _PROMISES['max'])}_length({noun}s: list[str]) -> int:\n"
            f"    return max(len({one}) for {one} in",
            f" {noun}s)",
        )
        for noun in several(random, _NOUNS, SET)
    ]


def _bodies(random: Random) -> list[Asked]:
    noun = pick(random, _NOUNS)
    return [
        Asked(
            f"def {pick(random, _PROMISES[made])}_{noun}s({noun}s):\n    return",
            f" {made}({noun}s)",
        )
        for made in several(random, tuple(_PROMISES), SET)
    ]


def _numbers(random: Random, low: int, high: int) -> str:
    return ", ".join(str(between(random, 1, 20)) for _ in range(between(random, low, high)))


def _nested(random: Random) -> list[Asked]:
    """One pair of brackets in another."""
    name = pick(random, ("rows", "table", "points", "pairs", "data"))
    before, inside = _numbers(random, 1, 3), _numbers(random, 3, 6)
    return [
        Asked(f"{name} = {outer}{before}, {inner}{inside}", f"{close}\n")
        for outer, inner, close in (
            ("[", "[", "]]"),
            ("[", "(", ")]"),
            ("(", "[", "])"),
            ("(", "(", "))"),
        )
    ]


def _after(random: Random) -> list[Asked]:
    """A pair that is closed already in one that is not, with other pairs before it."""
    name = pick(random, ("rows", "table", "points", "pairs", "data"))
    before, inside, after = (_numbers(random, 2, 4) for _ in range(3))
    done = pick(random, ("({})", "[{}]")).format(inside)
    return [
        Asked(f"{name} = {outer}{before}, {done}, {after}", f"{close}\n")
        for outer, close in (("[", "]"), ("(", ")"), ("{", "}"), ('"', '"'))
    ]


def variables() -> list[Item]:
    """Which variable belongs in a place of a function. Names that the teacher's lists never have.

    The wrong answers are the variables of three other functions.
    """
    return crossed("variables", {"element": _elements, "list": _lists})


def bodies() -> list[Item]:
    """What a function does that has such a name. Names that the teacher's lists never have."""
    return crossed("bodies", {"": _bodies})


def brackets() -> list[Item]:
    """Which brackets close a line. Composed anew."""
    return crossed("brackets", {"nested": _nested, "after a pair": _after})


def outputs() -> list[Item]:
    """What a program prints; the wrong answers are the values of its other variables.

    Composed anew. The variables are set, or set and then changed.
    """
    return crossed("outputs", {"set": _output(changed=False), "changed": _output(changed=True)})
