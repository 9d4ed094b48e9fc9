"""Recursive functions over lists, strings and digits, with conditions and changes composed in."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.grammar import between, chance, pick, several
from phinery.data.synthesis.procedural.programs.frame import Mistake, Sketch
from phinery.data.synthesis.procedural.programs.names import NUMBER_LISTS, WORDS
from phinery.data.synthesis.procedural.programs.steps import number_condition, number_transform
from phinery.data.synthesis.procedural.wording import vary

# Lists whose numbers may be negative.
_ANY_SIGN = tuple(
    row
    for row in NUMBER_LISTS
    if row[2] not in {"ages", "scores", "prices", "step counts", "weights"}
)


def fold(random: Random, difficulty: int) -> Sketch:
    """A list is split into its first element and the rest, which is left to a further call."""
    name, _, things, _ = pick(random, _ANY_SIGN)
    function = pick(random, ("total", "solve", "combine", "recursive", "go", "fold", "collect"))
    function = f"{function}_{name}"
    condition = number_condition(random, 2)
    transform = number_transform(random)
    kind = pick(random, ("sum", "list", "count"))
    first, rest = f"{name}[0]", f"{function}({name}[1:])"
    value = transform.code.replace("{x}", first)
    if kind == "list":
        added, base, returns = f"[{value}] + {rest}", "[]", "list[int]"
    elif kind == "sum":
        added, base, returns = f"{value} + {rest}", "0", "int"
    else:
        added, base, returns = f"1 + {rest}", "0", "int"
    chosen = f"the {condition.phrase(things)} in `{name}`"
    made = chosen if kind == "count" else transform.phrase.replace("{things}", chosen)
    lead = {"sum": "the sum of", "list": "the list of", "count": "the number of"}[kind]
    test = condition.code.replace("{x}", first)
    body = (
        f"if not {name}:",
        f"    return {base}",
        f"if {test}:",
        f"    return {added}",
        f"return {rest}",
    )

    def reference(values: list[int]) -> object:
        kept = [x for x in values if condition.holds(x)]
        if kind == "count":
            return len(kept)
        results = [transform.apply(x) for x in kept]
        return results if kind == "list" else sum(map(int, map(str, results)))

    def walk(arguments: tuple[object, ...]) -> str:
        values = arguments[0]
        assert isinstance(values, list)
        return vary(
            random,
            "(for|take) {values}: the first element is {first}, and the call for the rest gives "
            "{rest}. "
            "(together that is|so the answer is) {result}.",
            values=str(values), first=str(values[0]), rest=str(reference(values[1:])),
            result=str(reference(values)),
        )  # fmt: skip

    inputs = tuple(
        ([between(random, -5, 40) for _ in range(between(random, 3, 6))],) for _ in range(4)
    )
    return Sketch(
        function, ((name, "list[int]"),), returns, f"{lead} {made}, by recursion", body, reference,
        (*inputs, ([],)),
        (f"An empty list is the simplest case: its answer is `{base}`.",
         f"Otherwise the condition `{test}` decides whether the first element counts.",
         f"`{rest}` is the same question for a list that is shorter by one element."),
        ("Every call gets a shorter list, so the empty list is reached at last.",
         "The calls wait for one another; Python allows about a thousand of them at once."),
        "", walk,
        (Mistake((*body[:2], f"return {added}"),
            "Here every element counts; the condition was forgotten."),
         Mistake((*body[:4], f"return {base}"),
             "The first element that does not fit ends everything; the rest is never asked.")),
    )  # fmt: skip


def spelled(random: Random, difficulty: int) -> Sketch:
    """A string is taken apart from one end."""
    text = pick(random, ("text", "word", "s", "name", "line"))
    letters = "".join(sorted(several(random, "abcdeghilmnoprst", between(random, 1, 3))))
    action, summary = pick(
        random,
        (("drop", f"`{text}` without the letters in \"{letters}\""),
         ("double", f"`{text}` with every letter that is in \"{letters}\" written twice"),
         ("count", f"how many letters of `{text}` are in \"{letters}\""),
         ("star", f"`{text}` with a star in place of every letter that is in \"{letters}\"")),
    )  # fmt: skip
    function = f"{action}_{pick(random, ('letters', 'some', 'signs', letters))}"
    backwards = chance(random, 0.4)
    head = f"{text}[-1]" if backwards else f"{text}[0]"
    rest = f"{function}({text}[:-1])" if backwards else f"{function}({text}[1:])"
    base = "0" if action == "count" else '""'

    def joined(piece: str) -> str:
        if action == "count":
            return f"{piece} + {rest}"
        return f"{rest} + {piece}" if backwards else f"{piece} + {rest}"

    hit = {
        "drop": rest,
        "double": joined(f"{head} * 2"),
        "count": joined("1"),
        "star": joined('"*"'),
    }
    miss = rest if action == "count" else joined(head)
    body = (
        f'if {text} == "":', f"    return {base}", f'if {head} in "{letters}":',
            f"    return {hit[action]}",
        f"return {miss}",
    )  # fmt: skip
    pieces = {"drop": "", "double": "{c}{c}", "star": "*"}

    def reference(s: str) -> object:
        if action == "count":
            return sum(s.count(letter) for letter in letters)
        for letter in letters:
            s = s.replace(letter, pieces[action].replace("{c}", letter))
        return s

    end = "last" if backwards else "first"
    return Sketch(
        function, ((text, "str"),), "int" if action == "count" else "str",
            f"{summary}, by recursion",
        body, reference, (*((word,) for word in several(random, WORDS, 4)), ("",)),
        (f"The empty string has the answer `{base}`.",
            f"Otherwise the {end} letter, `{head}`, is looked at.",
         "The remaining letters are left to a call with a shorter string."),
        ("Without the case for the empty string there would be no letter to look at.",
         "A loop could do the same; recursion says it in terms of a smaller problem."), "", None,
        (Mistake((*body[:3], f"    return {miss}", f"return {hit[action]}"),
            "The two cases have changed places."),),
    )  # fmt: skip
