"""The steps that pipelines over lists are composed from: conditions and changes.

Each step has its Python text, its words, and a function that does the same by other means, which
the text is checked against.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from phinery.data.synthesis.procedural.grammar import between, chance, pick

Check = Callable[[object], bool]
Change = Callable[[object], object]


@dataclass(frozen=True)
class Condition:
    """Which elements are kept. `code` has the element as {x}."""

    code: str
    before: str
    """Adjectives that stand before the noun, if any."""
    after: str
    """What stands after the noun, if anything."""
    slug: str
    holds: Callable[..., bool]
    near: str = ""
    """A condition that is easily mistaken for it."""
    near_reason: str = ""

    def phrase(self, noun: str) -> str:
        """The noun with what restricts it."""
        return " ".join(part for part in (self.before, noun, self.after) if part)


@dataclass(frozen=True)
class Transform:
    """What is made of each element. `code` has the element as {x}."""

    code: str
    phrase: str
    """A noun phrase with {things}: "the squares of {things}"."""
    slug: str
    apply: Callable[..., object]
    result: str
    """The type of an element afterwards: "int" or "str"."""


def number_condition(random: Random, difficulty: int) -> Condition:
    """A condition on an integer."""
    if difficulty >= 3 and chance(random, 0.3):
        first, second = _simple_condition(random), _simple_condition(random)
        if first.slug.split("_")[0] != second.slug.split("_")[0] and not (
            first.before and second.before
        ):
            one, two = (first, second) if first.before or not second.before else (second, first)
            return Condition(
                f"{one.code} and {two.code}",
                one.before or two.before,
                " ".join(filter(None, (one.after, "and" if one.after else "", two.after))),
                f"{one.slug}_and_{two.slug}",
                lambda x: one.holds(x) and two.holds(x),
                f"{one.code} or {two.code}",
                "With `or`, one of the two conditions is enough; both have to hold, so it must be "
                "`and`.",
            )
    return _simple_condition(random)


def _simple_condition(random: Random) -> Condition:
    k = between(random, 2, 12)
    big = between(random, 3, 40)
    kind = between(random, 0, 13)
    if kind == 0:
        return Condition(
            "{x} % 2 == 0", "even", "", "even", lambda x: not x & 1, "{x} % 2 == 1",
            "A remainder of 1 means that a number is odd; even numbers leave 0.",
        )  # fmt: skip
    if kind == 1:
        return Condition(
            "{x} % 2 != 0", "odd", "", "odd", lambda x: bool(x & 1), "{x} % 2 == 0",
            "A remainder of 0 means that a number is even.",
        )  # fmt: skip
    if kind == 2:
        return Condition(
            "{x} > 0", "positive", "", "positive", lambda x: x >= 1, "{x} < 0",
            "The sign points the wrong way: `< 0` keeps the negative numbers.",
        )  # fmt: skip
    if kind == 3:
        return Condition(
            "{x} < 0", "negative", "", "negative", lambda x: x <= -1, "{x} > 0",
            "The sign points the wrong way: `> 0` keeps the positive numbers.",
        )  # fmt: skip
    if kind in {4, 5}:
        words = pick(random, (f"greater than {big}", f"above {big}", f"larger than {big}"))
        return Condition(
            f"{{x}} > {big}", "", words, f"above_{big}", lambda x: x >= big + 1,
            f"{{x}} >= {big}", f"`>=` lets {big} itself through, which is not {words}.",
        )  # fmt: skip
    if kind == 6:
        words = pick(random, (f"less than {big}", f"below {big}", f"under {big}"))
        return Condition(
            f"{{x}} < {big}", "", words, f"below_{big}", lambda x: x <= big - 1,
            f"{{x}} <= {big}", f"`<=` lets {big} itself through, which is not {words}.",
        )  # fmt: skip
    if kind == 7:
        words = pick(random, (f"of at least {big}", f"not less than {big}"))
        return Condition(
            f"{{x}} >= {big}", "", words, f"at_least_{big}", lambda x: not x < big,
            f"{{x}} > {big}", f"`>` leaves {big} itself out, although it belongs to them.",
        )  # fmt: skip
    if kind in {8, 9}:
        k = between(random, 3, 9)
        words = pick(
            random, (f"divisible by {k}", f"that {k} divides", f"that are multiples of {k}")
        )
        return Condition(
            f"{{x}} % {k} == 0", "", words, f"multiples_of_{k}", lambda x: x // k * k == x,
            f"{{x}} // {k} == 0", f"`//` is the whole quotient; the remainder that tells multiples "
                f"of {k} is `%`.",
        )  # fmt: skip
    if kind == 10:
        low, high = between(random, 1, 15), between(random, 18, 45)
        return Condition(
            f"{low} <= {{x}} <= {high}", "", f"from {low} to {high}", f"from_{low}_to_{high}",
            lambda x: x in range(low, high + 1), f"{low} < {{x}} < {high}",
            f"The ends {low} and {high} belong to the range, so `<=` is needed on both sides.",
        )  # fmt: skip
    if kind == 11:
        digit = between(random, 0, 9)
        return Condition(
            f"abs({{x}}) % 10 == {digit}", "", f"whose last digit is {digit}", f"ending_in_{digit}",
            lambda x: str(x)[-1] == str(digit), f"{{x}} // 10 == {digit}",
            "`// 10` removes the last digit; `% 10` gets it.",
        )  # fmt: skip
    if kind == 12:
        return Condition(
            f"{{x}} % {k} != 0", "", f"not divisible by {k}", f"not_multiples_of_{k}",
            lambda x: x // k * k != x, f"{{x}} % {k} == 0",
                "The test is the wrong way round: it keeps the multiples.",
        )  # fmt: skip
    return Condition(
        "10 <= abs({x}) <= 99", "two-digit", "", "two_digit", lambda x: len(str(abs(x))) == 2,
        "abs({x}) > 10", "This misses 10 itself and keeps numbers with three digits.",
    )  # fmt: skip


def number_transform(random: Random) -> Transform:
    """What is made of an integer: another."""
    k, m = between(random, 2, 12), between(random, 2, 9)
    kind = between(random, 0, 11)
    if kind == 0:
        return Transform("{x} * {x}", "the squares of {things}", "squares", lambda x: x**2, "int")
    if kind == 1:
        return Transform("{x} ** 3", "the cubes of {things}", "cubes", lambda x: x * x * x, "int")
    if kind == 2:
        times = {2: "twice", 3: "three times"}.get(m, f"{m} times")
        return Transform(
            f"{m} * {{x}}", f"{times} {{things}}", f"times_{m}", lambda x: x * m, "int"
        )
    if kind == 3:
        return Transform(
            f"{{x}} + {k}", f"{{things}}, each raised by {k}", f"plus_{k}", lambda x: x - -k, "int"
        )
    if kind == 4:
        return Transform(
            f"{{x}} - {k}",
            f"{{things}}, each lowered by {k}",
            f"minus_{k}",
            lambda x: x + -k,
            "int",
        )
    if kind == 5:
        return Transform("-{x}", "the opposites of {things}", "opposites", lambda x: 0 - x, "int")
    if kind == 6:
        return Transform(
            f"{{x}} % {k}", f"the remainders of {{things}} on division by {k}", f"mod_{k}",
            lambda x: x - k * math.floor(x / k), "int",
        )  # fmt: skip
    if kind == 7:
        return Transform(
            f"{{x}} // {m}", f"the whole quotients of {{things}} by {m}", f"div_{m}",
            lambda x: math.floor(x / m), "int",
        )  # fmt: skip
    if kind == 8:
        return Transform(
            "abs({x})",
            "the absolute values of {things}",
            "absolute_values_of",
            lambda x: max(x, -x),
            "int",
        )
    if kind == 9:
        return Transform(
            "abs({x}) % 10",
            "the last digits of {things}",
            "last_digits",
            lambda x: int(str(x)[-1]),
            "int",
        )
    if kind == 10:
        return Transform(
            f"abs({{x}} - {k})", f"the distances of {{things}} from {k}", f"distance_to_{k}",
            lambda x: max(x - k, k - x), "int",
        )  # fmt: skip
    return Transform(
        f"min({{x}}, {k + 9})", f"{{things}}, capped at {k + 9}", f"capped_at_{k + 9}",
        lambda x: sorted((x, k + 9))[0], "int",
    )  # fmt: skip


_VOWELS = "aeiou"


def word_condition(random: Random) -> Condition:
    """A condition on a lower-case word."""
    letter = pick(random, "abcdeghilmnoprst")
    k = between(random, 3, 6)
    kind = between(random, 0, 8)
    if kind in {0, 1}:
        words = pick(random, ("that start with", "that begin with", "whose first letter is"))
        return Condition(
            f'{{x}}.startswith("{letter}")', "", f'{words} "{letter}"', f"starting_with_{letter}",
            lambda x: x[:1] == letter, f'"{letter}" in {{x}}',
            f'`in` finds "{letter}" anywhere in the word, not only at its start.',
        )  # fmt: skip
    if kind == 2:
        return Condition(
            f'{{x}}.endswith("{letter}")', "", f'that end in "{letter}"', f"ending_in_{letter}",
            lambda x: x[-1:] == letter, f'{{x}}.startswith("{letter}")',
            "This looks at the first letter, not at the last.",
        )  # fmt: skip
    if kind == 3:
        return Condition(
            f'"{letter}" in {{x}}', "", f'that contain "{letter}"', f"with_{letter}",
            lambda x: x.count(letter) > 0, f'{{x}} in "{letter}"',
            "The two sides of `in` have changed places: the part comes first, the whole second.",
        )  # fmt: skip
    if kind == 4:
        return Condition(
            f"len({{x}}) > {k}", "", f"longer than {k} letters", f"longer_than_{k}",
            lambda x: x[k:] != "", f"len({{x}}) >= {k}",
                f"A word of exactly {k} letters is not longer than {k}.",
        )  # fmt: skip
    if kind == 5:
        return Condition(
            f"len({{x}}) <= {k}", "", f"of at most {k} letters", f"up_to_{k}_letters",
            lambda x: x[k:] == "", f"len({{x}}) < {k}",
                f"Words of exactly {k} letters are lost with `<`.",
        )  # fmt: skip
    if kind == 6:
        return Condition(
            '{x}[0] in "aeiou"', "", "that begin with a vowel", "starting_with_vowel",
            lambda x: any(x.startswith(v) for v in _VOWELS), '{x}[-1] in "aeiou"',
            "Index -1 is the last letter; the first has index 0.",
        )  # fmt: skip
    if kind == 7:
        return Condition(
            f'"{letter}" not in {{x}}', "", f'without the letter "{letter}"', f"without_{letter}",
            lambda x: x.find(letter) < 0, f'"{letter}" in {{x}}', "The `not` is missing.",
        )  # fmt: skip
    return Condition(
        "len({x}) % 2 == 0", "", "with an even number of letters", "of_even_length",
        lambda x: len(x[::2]) * 2 == len(x), "len({x}) == 2",
            "This keeps only words of two letters.",
    )  # fmt: skip


def word_transform(random: Random) -> Transform:
    """What is made of a word."""
    k = between(random, 2, 4)
    kind = between(random, 0, 11)
    if kind == 0:
        return Transform(
            "{x}.upper()", "{things} in capitals", "upper",
            lambda x: "".join(chr(ord(c) - 32) for c in x), "str",
        )  # fmt: skip
    if kind in {1, 2}:
        return Transform(
            "len({x})", "the lengths of {things}", "lengths", lambda x: sum(1 for _ in x), "int"
        )
    if kind == 3:
        return Transform(
            "{x}[::-1]", "{things}, each spelled backwards", "backwards",
            lambda x: "".join(reversed(x)), "str",
        )  # fmt: skip
    if kind == 4:
        return Transform(
            "{x}[0]", "the first letters of {things}", "initials", lambda x: next(iter(x)), "str"
        )
    if kind == 5:
        return Transform(
            "{x}[-1]",
            "the last letters of {things}",
            "last_letters",
            lambda x: list(x).pop(),
            "str",
        )
    if kind == 6:
        return Transform(
            f"{{x}}[:{k}]", f"the first {k} letters of {{things}}", f"first_{k}",
            lambda x: "".join(c for i, c in enumerate(x) if i < k), "str",
        )  # fmt: skip
    if kind == 7:
        return Transform(
            "{x}.capitalize()", "{things}, each with a capital letter", "capitalized",
            lambda x: x[0].upper() + x[1:], "str",
        )  # fmt: skip
    if kind == 8:
        return Transform(
            'sum(letter in "aeiou" for letter in {x})', "the numbers of vowels in {things}",
            "vowel_counts", lambda x: sum(x.count(v) for v in _VOWELS), "int",
        )  # fmt: skip
    if kind == 9:
        end = pick(random, ("s", "!", "er", "ly", "-", "?"))
        return Transform(
            f'{{x}} + "{end}"', f'{{things}}, each with "{end}" added', "with_ending",
            lambda x: f"{x}{end}", "str",
        )  # fmt: skip
    if kind == 10:
        letter = pick(random, "aeilnorst")
        return Transform(
            f'{{x}}.count("{letter}")', f'how often "{letter}" occurs in each of {{things}}',
            f"counts_of_{letter}", lambda x: sum(c == letter for c in x), "int",
        )  # fmt: skip
    return Transform("{x} * 2", "{things}, each written twice", "doubled", lambda x: x + x, "str")
