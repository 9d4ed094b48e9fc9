"""Functions with numbers: conditions, loops over digits and divisors, recursion, search."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from phinery.data.synthesis.procedural.grammar import between, chance, listed, pick, several
from phinery.data.synthesis.procedural.programs.frame import Mistake, Sketch
from phinery.data.synthesis.procedural.wording import vary

Maker = Callable[[Random, int], Sketch]


def _numbers(random: Random, count: int, low: int, high: int) -> tuple[tuple[object, ...], ...]:
    return tuple((between(random, low, high),) for _ in range(count))


_SCALES: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("temperature", "degrees", ("freezing", "cold", "mild", "warm", "hot", "scorching"),
        "a weather page shows a word for each temperature"),
    ("age", "years", ("baby", "child", "teenager", "adult", "senior"),
        "a museum has prices by age group"),
    ("speed", "speed", ("still", "walking", "running", "cycling", "driving"),
        "a watch guesses from the speed what its wearer does"),
    ("score", "points", ("fail", "pass", "good", "very good", "excellent"),
        "a teacher turns points into words"),
    ("parcel weight", "weight", ("letter", "small parcel", "parcel", "freight"),
        "a post office sorts by weight"),
    ("wind strength", "wind", ("calm", "breeze", "strong wind", "storm"),
        "a harbour warns its boats"),
    ("noise level", "level", ("silent", "quiet", "loud", "painful"),
        "a meter shows how loud it is"),
    ("number of guests", "guests", ("small", "medium", "large", "huge"),
        "a restaurant chooses a room by the number of guests"),
    ("battery charge", "charge", ("empty", "low", "half", "full"),
        "a phone shows the state of its battery"),
)  # fmt: skip


def classify(random: Random, difficulty: int) -> Sketch:
    """A chain of if, elif and else over limits."""
    what, name, words, why = pick(random, _SCALES)
    count = min(len(words), 2 + difficulty)
    first = between(random, 0, len(words) - count)
    labels = words[first : first + count]
    limits: list[int] = []
    limit = between(random, 1, 15)
    for _ in labels[:-1]:
        limits.append(limit)
        limit += between(random, 3, 25)
    body: list[str] = []
    for place, (bound, label) in enumerate(zip(limits, labels, strict=False)):
        body += [f"{'if' if place == 0 else 'elif'} {name} < {bound}:", f'    return "{label}"']
    body += [f'return "{labels[-1]}"']
    body = [line.replace("elif", "if") for line in body] if chance(random, 0.5) else body
    wrong = [line.replace(" < ", " <= ") for line in body]
    inputs = [
        limits[0],
        limits[0] - 1,
        limits[-1],
        limits[-1] - 1,
        limits[-1] + 7,
        (limits[0] + limits[-1]) // 2,
    ]

    def reference(value: int) -> str:
        return labels[sum(bound <= value for bound in limits)]

    steps = [
        f'A {what} under {bound} is called "{label}".'
        for bound, label in zip(limits, labels, strict=False)
    ]
    return Sketch(
        pick(random, (f"describe_{name}", f"{name}_label", f"classify_{name}", f"word_for_{name}")),
        ((name, "int"),), "str",
        f"the word for a {what}: " + ", ".join(f'"{label}" below {bound}' for bound,
            label in zip(limits, labels, strict=False)) + f', otherwise "{labels[-1]}"',
        tuple(body), reference, tuple((value,) for value in dict.fromkeys(inputs)),
        (*steps, vary(random, "(whatever is left|everything else|all that remains) is \"{last}\".",
            last=labels[-1])),
        (f"At {limits[0]} exactly the answer is \"{labels[1]}\", because `<` does not include the "
            f"limit.", "The order of the tests matters: the first one that is true decides."),
        f"Suppose {why}.", None, (Mistake(tuple(wrong),
            "With `<=` each limit falls into the lower class."),),
    )  # fmt: skip


def digits(random: Random, difficulty: int) -> Sketch:
    """A loop that takes a number apart, digit by digit."""
    kind = pick(random, ("sum", "count", "largest", "reverse", "product", "squares", "alternating"))
    k = between(random, 0, 9)
    n, d, r = pick(
        random,
        (
            ("n", "digit", "total"),
            ("number", "last", "result"),
            ("value", "d", "acc"),
            ("x", "digit", "answer"),
        ),
    )
    update, start, words, slug, func = {
        "sum": (f"{r} += {d}", 0, "the sum of the digits of {n}", "digit_sum",
            lambda x: sum(map(int, str(x)))),
        "count": (f"if {d} == {k}:\n    {r} += 1", 0, f"how often the digit {k} occurs in {{n}}",
            f"count_digit_{k}", lambda x: str(x).count(str(k)) if x else 0),
        "largest": (f"if {d} > {r}:\n    {r} = {d}", 0, "the largest digit of {n}", "largest_digit",
            lambda x: int(max(str(x)))),
        "reverse": (f"{r} = {r} * 10 + {d}", 0,
            "the number whose digits are those of {n} in reverse order", "reverse_digits",
            lambda x: int(str(x)[::-1])),
        "product": (f"if {d} > 0:\n    {r} *= {d}", 1,
            "the product of the digits of {n} that are not zero", "digit_product",
            lambda x: math.prod(int(c) for c in str(x) if c != "0")),
        "squares": (f"{r} += {d} * {d}", 0, "the sum of the squares of the digits of {n}",
            "squared_digit_sum", lambda x: sum(int(c) ** 2 for c in str(x))),
        "alternating": (f"if {d} % 2 == 0:\n    {r} += {d}", 0, "the sum of the even digits of {n}",
            "even_digit_sum", lambda x: sum(int(c) for c in str(x) if c in "2468")),
    }[kind]  # fmt: skip
    base = between(random, 3, 6)
    body = (
        f"{r} = {start}",
        f"while {n} > 0:",
        f"    {d} = {n} % 10",
        *(f"    {line}" for line in update.split("\n")),
        f"    {n} //= 10",
        f"return {r}",
    )
    wrong = (*body[:1], f"while {n} > 9:", *body[2:])

    def walk(arguments: tuple[object, ...]) -> str:
        text = str(arguments[0])
        return vary(
            random,
            "for {x} the loop sees the digits {digits} in this order, from right to left, and the "
            "result is {y}.",
            x=text,
            digits=listed(list(text[::-1])),
            y=str(func(arguments[0])),
        )

    return Sketch(
        slug if chance(random, 0.6) else f"{slug}_of", ((n, "int"),), "int",
            words.format(n=f"`{n}`"), body, func,
        (*_numbers(random, 2, 10, 10**base), *_numbers(random, 2, 100, 99999), (0,)),
        (vary(random, "`{n} % 10` is the last digit of `{n}`.", n=n),
            vary(random, "`{n} //= 10` removes that digit, (so that the loop comes to an end|and "
            "so the number gets shorter in every round).", n=n),
         vary(random, "the loop ends when (no digit is left|`{n}` has become 0).", n=n)),
        ("The loop runs once for each digit, so its work grows with the length of the number, not "
            "with its size.", f"`{n}` must not be negative."), "", walk,
        (Mistake(wrong, "The loop stops too early: with `> 9` the first digit is never seen."),),
    )  # fmt: skip


def divisors(random: Random, difficulty: int) -> Sketch:
    """A loop over the numbers up to n."""
    k, m = between(random, 2, 9), between(random, 2, 9)
    conditions: tuple[tuple[str, str, str, Callable[[int, int], bool]], ...] = (
        ("n % i == 0", "that divide `n`", "divisors", lambda i, n: n // i * i == n),
        (f"i % {k} == 0", f"that are multiples of {k}", f"multiples_of_{k}", lambda i,
            n: i in range(0, n + 1, k)),
        (f"i % {k} != 0", f"that {k} does not divide", f"not_multiples_of_{k}", lambda i,
            n: i not in range(0, n + 1, k)),
        (f"i % {k} == 1", f"that leave 1 on division by {k}", f"one_more_than_{k}s", lambda i,
            n: (i - 1) in range(0, n + 1, k)),
        (f"i % {k} == 0 or i % {m} == 0", f"that {k} or {m} divides", f"multiples_of_{k}_or_{m}",
            lambda i, n: not (i % k and i % m)),
        (f"(i + n) % {k} == 0", f"whose sum with `n` is a multiple of {k}", f"partners_mod_{k}",
            lambda i, n: ((i + n) // k) * k == i + n),
    )  # fmt: skip
    condition, words, slug, test = pick(random, conditions)
    values: tuple[tuple[str, str, Callable[[int], int]], ...] = (
        ("i", "numbers", lambda i: i), ("i * i", "squares of the numbers", lambda i: i**2),
            (f"i + {k}", f"numbers raised by {k}", lambda i: i + k),
            (f"{m} * i", f"{m}-fold values of the numbers", lambda i: m * i),
    )  # fmt: skip
    value, value_words, apply = pick(random, values)
    end: tuple[tuple[str, str, str, Callable[[list[int]], object]], ...] = (
        ("sum", "int", "the sum of the", sum), ("list", "list[int]", "the list of the", list),
            ("count", "int", "how many", len),
    )  # fmt: skip
    slug2, kind, lead, reduce = pick(random, end)
    if slug2 == "count":
        value_words = "numbers"
    r = pick(random, ("total", "result", "found", "answer"))
    start, update = {
        "sum": ("0", f"{r} += {value}"),
        "list": ("[]", f"{r}.append({value})"),
        "count": ("0", f"{r} += 1"),
    }[slug2]
    there = " there are" if slug2 == "count" else ""
    body = (
        f"{r} = {start}",
        "for i in range(1, n + 1):",
        f"    if {condition}:",
        f"        {update}",
        f"return {r}",
    )
    return Sketch(
        f"{slug2}_{slug}" if slug2 != "list" else slug, (("n", "int"),), kind,
            f"{lead} {value_words} from 1 to `n` {words}{there}".replace("how many numbers from",
            "how many numbers there are from").removesuffix(" there are"), body,
        lambda n: reduce([apply(i) for i in range(1, n + 1) if test(i, n)]),
            (*_numbers(random, 4, 4, 30), (1,)),
        ("`range(1, n + 1)` counts from 1 up to `n` itself; the end of a range is left out, hence "
            "the `+ 1`.", f"The condition `{condition}` picks the numbers {words}.",
            f"In that case `{update}` is done, and at the end `{r}` is returned."),
        ("The loop runs `n` times, so doubling `n` doubles the work: the running time is O(n).",),
            "", None,
        (Mistake((body[0], "for i in range(1, n):", *body[2:]),
            "`range(1, n)` ends at `n - 1`, so `n` itself is never looked at."),
         Mistake((*body[:-1], f"    return {r}"),
             "The `return` stands inside the loop, which therefore ends after its first round.")),
    )  # fmt: skip


def _factor(k: int) -> str:
    return "" if k == 1 else f"{k} * "


def recurrence(random: Random, difficulty: int) -> Sketch:
    """A recursive or repeated rule for a sequence."""
    p, q, c = between(random, 1, 3), between(random, 0, 2), between(random, 0, 5)
    first, second = between(random, 0, 4), between(random, 1, 5)
    two = q > 0
    name = pick(random, ("term", "sequence", "f", "value_at", "nth_term", "a"))
    rule = (
        f"{_factor(p)}{name}(n - 1)"
        + (f" + {_factor(q)}{name}(n - 2)" if two else "")
        + (f" + {c}" if c else "")
    )
    recursive = chance(random, 0.6)
    if recursive:
        body = (
            "if n == 0:",
            f"    return {first}",
            *(("if n == 1:", f"    return {second}") if two else ()),
            f"return {rule}",
        )
    elif two:
        step = f"{_factor(p)}b + {_factor(q)}a" + (f" + {c}" if c else "")
        body = (
            f"a, b = {first}, {second}",
            "for _ in range(n):",
            f"    a, b = b, {step}",
            "return a",
        )
    else:
        body = (
            f"a = {first}",
            "for _ in range(n):",
            f"    a = {_factor(p)}a" + (f" + {c}" if c else ""),
            "return a",
        )

    def reference(n: int) -> int:
        terms = [first, second] if two else [first]
        while len(terms) <= n:
            terms.append(p * terms[-1] + (q * terms[-2] if two else 0) + c)
        return terms[n]

    def walk(arguments: tuple[object, ...]) -> str:
        terms = ", ".join(str(reference(n)) for n in range(int(str(arguments[0])) + 1))
        return vary(
            random, "(written out|term by term), (the sequence is|we get) {terms}.", terms=terms
        )

    words = (
        f"{p if p > 1 else ''}{' times ' if p > 1 else ''}the term before"
        + (f" plus {str(q) + ' times ' if q > 1 else ''}the one before that" if two else "")
        + (f" plus {c}" if c else "")
    )
    cost = "The number of steps is proportional to `n`."
    if two and recursive:
        cost = "Each call makes two more, so the work grows very fast; a loop needs only `n` steps."
    start = f"begins with {first}" + (f" and {second}" if two else "")
    return Sketch(
        name, (("n", "int"),), "int", f"the term with index `n` (counted from 0) of the sequence "
            f"that {start} and in which each further term is {words}", body, reference,
        (*((n,) for n in several(random, range(2, 9), 4)), (0,)),
        (("Every recursive function needs a case that it can answer at once: here `n == 0`" + (
            " and `n == 1`." if two else "."),
            "All other terms are reduced to earlier ones, so the calls come closer to that case.")
         if recursive else ("The loop carries along only what it needs for the next term.",
             "After `n` rounds the variable `a` holds the term with index `n`.")),
        (cost,), "", walk,
    )  # fmt: skip


def search(random: Random, difficulty: int) -> Sketch:
    """Where the first or last fitting element stands, or binary search."""
    if difficulty > 3 and chance(random, 0.25):
        return _binary(random)
    k = between(random, 2, 20)
    tests: tuple[tuple[str, str, str, Callable[[int], bool]], ...] = (
        (f"> {k}", f"greater than {k}", f"above_{k}", lambda x: x >= k + 1),
            (f"< {k}", f"less than {k}", f"below_{k}", lambda x: x <= k - 1),
        ("% 2 == 0", "even", "even", lambda x: not x & 1),
            ("% 2 == 1", "odd", "odd", lambda x: bool(x & 1)),
            (f"% {k} == 0", f"divisible by {k}", f"multiple_of_{k}",
            lambda x: x in range(0, 1000, k)),
    )  # fmt: skip
    code, words, slug, test = pick(random, tests)
    last = chance(random, 0.4)
    name = pick(random, ("numbers", "values", "items", "readings", "xs"))
    if last:
        body = (
            f"for index in range(len({name}) - 1, -1, -1):",
            f"    if {name}[index] {code}:",
            "        return index",
            "return -1",
        )
    else:
        body = (
            f"for index, value in enumerate({name}):",
            f"    if value {code}:",
            "        return index",
            "return -1",
        )
    wrong = (
        (*body[:2], "        return index", "    else:", "        return -1", "return -1")
        if not last
        else body
    )

    def reference(values: list[int]) -> int:
        places = [place for place, value in enumerate(values) if test(value)]
        return -1 if not places else places[-1 if last else 0]

    which = "last" if last else "first"
    inputs = tuple(
        ([between(random, 1, 30) for _ in range(between(random, 3, 7))],) for _ in range(4)
    )
    return Sketch(
        pick(random, (f"{which}_{slug}", f"find_{which}_{slug}", f"index_of_{which}_{slug}")),
            ((name, "list[int]"),), "int", f"the index of the {which} element of `{name}` that is "
            f"{words}, or -1 if there is none", body, reference, (*inputs, ([],)),
        (("The indices are visited backwards, from the last to 0." if last
            else "`enumerate` gives each element together with its index."),
            f"As soon as an element is {words}, its index is returned and the loop is over.",
            "If the loop comes to its end, nothing was found, and the answer is -1."),
        ("Indices begin at 0, so the index of the third element is 2.",
            "In the worst case every element is looked at once: O(n)."), "", None,
        () if last else (Mistake(tuple(wrong),
            "The `else` belongs to a single element: the function gives up at the first one that "
            "does not fit."),),
    )  # fmt: skip


def _binary(random: Random) -> Sketch:
    name, target = pick(
        random,
        (
            ("numbers", "target"),
            ("values", "wanted"),
            ("ages", "age"),
            ("prices", "price"),
            ("ids", "id_number"),
        ),
    )
    low, high, mid = pick(
        random, (("low", "high", "middle"), ("left", "right", "mid"), ("start", "end", "centre"))
    )
    body = (f"{low}, {high} = 0, len({name}) - 1", f"while {low} <= {high}:",
        f"    {mid} = ({low} + {high}) // 2", f"    if {name}[{mid}] == {target}:",
        f"        return {mid}",
            f"    if {name}[{mid}] < {target}:", f"        {low} = {mid} + 1", "    else:",
                f"        {high} = {mid} - 1", "return -1")  # fmt: skip
    inputs: list[tuple[object, ...]] = []
    for place in range(5):
        values = sorted(several(random, range(1, 60), between(random, 4, 9)))
        inputs.append((values, pick(random, values) if place < 4 else 60))
    return Sketch(
        pick(random, ("binary_search", "find_sorted", "index_in_sorted", "locate")),
            ((name, "list[int]"), (target, "int")), "int",
            f"the index of `{target}` in the sorted list `{name}`, or -1 if it is not there", body,
        lambda values, x: values.index(x) if x in values else -1, tuple(inputs),
        (f"`{low}` and `{high}` enclose the part of the list in which `{target}` can still be.",
            f"The element in the middle is compared with `{target}`.",
            "If it is too small, the left half is out; if it is too large, the right half is.",
            "When nothing is left between the two, the number is not in the list."),
        ("Each round halves what is left, so a list of 1000 elements needs at most 10 rounds: "
            "O(log n).", "The list has to be sorted; otherwise half of it may be thrown away "
            "wrongly."), "", None,
        (Mistake((body[0], f"while {low} < {high}:", *body[2:]),
            "With `<` the loop ends while one element is still unchecked."),),
    )  # fmt: skip


NUMBER_MAKERS: tuple[Maker, ...] = (classify, digits, divisors)
ALGORITHM_MAKERS: tuple[Maker, ...] = (recurrence, search)
