"""Small classes: an amount that is kept, methods that change it, and a session with one object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from phinery.data.synthesis.procedural.grammar import between, chance, pick, several, shuffled
from phinery.data.synthesis.procedural.item import Item
from phinery.data.synthesis.procedural.programs.frame import near_misses, run_source
from phinery.data.synthesis.procedural.wording import choice_question, vary

# Class, variable, attribute, what it is, method that adds, method that takes away.
_KINDS = (
    ("Account", "account", "balance", "the money in an account", "deposit", "withdraw"),
    ("Tank", "tank", "litres", "the water in a tank", "fill", "drain"),
    ("Battery", "battery", "charge", "the charge of a battery", "load", "use"),
    ("Shelf", "shelf", "books", "the number of books on a shelf", "put", "remove"),
    ("Bus", "bus", "passengers", "the number of people on a bus", "board", "leave"),
    ("Player", "player", "points", "the points of a player", "gain", "lose"),
    ("Lift", "lift", "floor", "the floor where a lift stands", "up", "down"),
    ("Jar", "jar", "coins", "the coins in a jar", "save", "spend"),
    ("Store", "store", "boxes", "the boxes in a store", "deliver", "send"),
    ("Thermostat", "heating", "degrees", "the temperature that is set", "warmer", "cooler"),
    ("Queue", "queue", "waiting", "how many people wait", "join", "serve"),
    ("Garden", "garden", "plants", "the plants in a garden", "plant", "pick"),
)


@dataclass(frozen=True)
class Method:
    """A method, what it does in words, and the same as a function of the amount."""

    name: str
    lines: tuple[str, ...]
    words: str
    apply: Callable[[int, int], int]
    takes_amount: bool = True


def _methods(random: Random, attribute: str, more: str, less: str) -> list[Method]:
    own = f"self.{attribute}"
    limit = between(random, 2, 9) * 10
    factor = between(random, 2, 4)
    adding = (
        Method(more, (f"{own} += amount",), f"`{more}` adds the amount", lambda held, n: held + n),
        Method(
            more,
            (f"{own} = min({own} + amount, {limit})",),
            f"`{more}` adds the amount, but never goes above {limit}",
            lambda held, n: limit if held + n > limit else held + n,
        ),
        Method(
            more,
            (f"{own} += {factor} * amount",),
            f"`{more}` adds {factor} times the amount",
            lambda held, n: held + factor * n,
        ),
    )
    taking = (
        Method(
            less,
            (f"{own} = max({own} - amount, 0)",),
            f"`{less}` takes the amount away, but never goes below 0",
            lambda held, n: held - n if n <= held else 0,
        ),
        Method(
            less,
            (f"if amount <= {own}:", f"    {own} -= amount"),
            f"`{less}` takes the amount away only if there is enough",
            lambda held, n: held - n if held - n >= 0 else held,
        ),
    )
    extra = (
        Method("reset", (f"{own} = 0",), "`reset` sets it to 0", lambda held, n: 0, False),
        Method("double", (f"{own} *= 2",), "`double` doubles it", lambda held, n: held + held,
            False),
        Method("halve", (f"{own} //= 2",), "`halve` halves it, rounded down",
               lambda held, n: (held - held % 2) // 2, False),
    )  # fmt: skip
    chosen = [pick(random, adding), pick(random, taking)]
    return [*chosen, pick(random, extra)] if chance(random, 0.6) else chosen


def class_item(random: Random, difficulty: int) -> Item:
    """A class, a session with an object of it, and how its state changes."""
    name, variable, attribute, what, more, less = pick(random, _KINDS)
    methods = _methods(random, attribute, more, less)
    start = between(random, 0, 20)
    lines = [f"class {name}:", f'    """Keeps {what}."""', "",
        f"    def __init__(self, {attribute}: int) -> None:",
        f"        self.{attribute} = {attribute}"]  # fmt: skip
    for method in methods:
        parameter = ", amount: int" if method.takes_amount else ""
        lines += ["", f"    def {method.name}(self{parameter}) -> None:"]
        lines += [f"        {line}" for line in method.lines]
    code = "\n".join(lines)
    order = shuffled(random, methods) + [pick(random, methods) for _ in range(difficulty)]
    held, calls, told = start, [f"{variable} = {name}({start})"], [f"At first it is {start}."]
    for method in order:
        amount = between(random, 1, 25)
        calls.append(f"{variable}.{method.name}({amount if method.takes_amount else ''})")
        held = method.apply(held, amount)
        told.append(f"After `{calls[-1]}` it is {held}.")
    run = run_source("\n".join([code, *calls, f"final = {variable}.{attribute}"]))
    assert run["final"] == held, code
    typed = "\n".join(
        [*(f">>> {line}" for line in calls), f">>> {variable}.{attribute}", str(held)]
    )
    lead = vary(
        random,
        "(the following class|this class|here is a class that) keeps {what}. (its methods change "
        "it|objects of it remember their state): {words}.",
        what=what,
        words="; ".join(method.words for method in methods),
    )
    idea = pick(
        random,
        (
            "`__init__` runs when an object is made, and `self` is that object.",
            f"Each object has its own `{attribute}`, so two objects do not disturb each other.",
            f"A method reaches the object's data through `self`, here as `self.{attribute}`.",
            "The methods return nothing; they change the object.",
        ),
    )
    walk = " ".join(told)
    parts = [
        lead,
        f"```python\n{code}\n```",
        *shuffled(random, [idea, f"```python\n{typed}\n```"]),
        walk,
    ]
    ask = f"What is `{variable}.{attribute}` at the end?"
    prompt = "\n".join([code, "", *calls, "", ask])
    states = several(random, [line.rsplit(" ", 1)[1].rstrip(".") for line in told], 2)
    asked = choice_question(random, prompt, str(held), [*near_misses(random, held), *states])
    return Item("function", "\n\n".join(parts), (asked,))
