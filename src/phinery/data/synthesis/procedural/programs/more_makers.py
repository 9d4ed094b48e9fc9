"""Functions with strings, dictionaries, tables, dates, and small classes."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from random import Random

from phinery.data.synthesis.procedural.grammar import between, chance, pick, several
from phinery.data.synthesis.procedural.programs.frame import Mistake, Sketch
from phinery.data.synthesis.procedural.programs.names import WORDS
from phinery.data.synthesis.procedural.wording import vary

_TEXTS = (
    "the cat sat on the mat", "a stone rolls down the hill", "rain falls on the roof",
        "we sing an old song", "ten green bottles", "my brother plays the drum",
    "apples grow on trees", "the moon is bright tonight", "an owl sees in the dark",
        "two ships meet at sea", "she reads a long letter", "bread and salt",
)  # fmt: skip
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def characters(random: Random, difficulty: int) -> Sketch:
    """A loop over the characters of a text that builds a new one or counts."""
    letter, other = several(random, "abcdehilmnorst", 2)
    keep: tuple[tuple[str, str, str, Callable[[str], bool]], ...] = (
        ('{c} in "aeiou"', "vowels", "vowels", lambda c: c in set("aeiou")),
            ('{c} not in "aeiou"', "characters that are not vowels", "non_vowels",
            lambda c: c not in list("aeiou")),
        (f'{{c}} != "{letter}"', f'characters other than "{letter}"', f"without_{letter}",
            lambda c: ord(c) != ord(letter)),
            ('{c} != " "', "characters except spaces", "unspaced", lambda c: bool(c.strip())),
        (f'{{c}} < "{letter}"', f'characters that come before "{letter}" in the alphabet (spaces '
            f'included)', f"before_{letter}", lambda c: ord(c) <= ord(letter) - 1),
        (f'{{c}} in "{letter}{other}"', f'characters that are "{letter}" or "{other}"',
            f"{letter}_or_{other}", lambda c: c in (letter, other)),
    )  # fmt: skip
    make: tuple[tuple[str, str, str, Callable[[str], str]], ...] = (
        ("{c}", "", "", lambda c: c), ("{c} * 2", ", each doubled", "_doubled", lambda c: c + c),
            ("{c}.upper()", ", in capitals", "_upper",
            lambda c: chr(ord(c) - 32) if c in _LETTERS else c),
        ('{c} + "-"', ", each followed by a hyphen", "_dashed", lambda c: f"{c}-"),
            ('"*"', ", each replaced by a star", "_starred", lambda c: "*"),
    )  # fmt: skip
    code, words, slug, test = pick(random, keep)
    made, made_words, made_slug, apply = pick(random, make)
    text, one = pick(
        random,
        (
            ("text", "letter"),
            ("sentence", "char"),
            ("word", "c"),
            ("line", "sign"),
            ("message", "symbol"),
        ),
    )
    r = pick(random, ("result", "output", "collected", "built"))
    condition, value = code.replace("{c}", one), made.replace("{c}", one)
    inputs = (
        tuple((sentence,) for sentence in several(random, _TEXTS, 2))
        + tuple((word,) for word in several(random, WORDS, 2))
        + (("",),)
    )
    if chance(random, 0.35):
        body = (
            (f"return sum(1 for {one} in {text} if {condition})",)
            if chance(random, 0.5)
            else (
                "count = 0",
                f"for {one} in {text}:",
                f"    if {condition}:",
                "        count += 1",
                "return count",
            )
        )
        return Sketch(
            f"count_{slug}", ((text, "str"),), "int", f"the number of {words} in `{text}`", body,
                lambda s: len([c for c in s if test(c)]), inputs,
            (f"The characters of `{text}` are looked at one by one.",
                f"Those for which `{condition}` is true are counted."),
                ("The empty string has no characters, so the count is 0.",), "", None,
            (Mistake((body[0], *body[1:-1], "    return count"),
                "The `return` is inside the loop: only the first character is examined."),)
                if len(body) > 1 else (),
        )  # fmt: skip
    style = chance(random, 0.5)
    body = (
        (
            f'{r} = ""',
            f"for {one} in {text}:",
            f"    if {condition}:",
            f"        {r} += {value}",
            f"return {r}",
        )
        if style
        else (f'return "".join({value} for {one} in {text} if {condition})',)
    )
    return Sketch(
        f"{pick(random, ('keep', 'only', 'take', 'pick'))}_{slug}{made_slug}", ((text, "str"),),
            "str", f"a string of the {words} in `{text}`{made_words}", body,
            lambda s: "".join(map(apply, filter(test, s))), inputs,
        (f"`{one}` stands for each character in turn.",
            f"Only characters with `{condition}` pass the test.",
            f"What they contribute is `{value}`; the pieces are joined in their order."),
            ("Strings cannot be changed in place, so a new one is built.",), "", None,
        (Mistake((*body[:-2], f"        {r} = {value}", body[-1]),
            "`=` replaces the result each time; `+=` is needed to add to it."),) if style else (),
    )  # fmt: skip


def caesar(random: Random, difficulty: int) -> Sketch:
    """A shift of letters."""
    shift = between(random, 1, 25)
    text = pick(random, ("text", "message", "plain", "word"))
    back = chance(random, 0.4)
    sign = "-" if back else "+"
    body = (
        'result = ""', f"for letter in {text}:", '    if "a" <= letter <= "z":',
            f'        place = (ord(letter) - ord("a") {sign} {shift}) % 26',
            '        result += chr(ord("a") + place)',
        "    else:", "        result += letter", "return result",
    )  # fmt: skip
    move = -shift if back else shift

    def reference(s: str) -> str:
        return s.translate(str.maketrans(_LETTERS, _LETTERS[move % 26 :] + _LETTERS[: move % 26]))

    direction = "back" if back else "forward"
    return Sketch(
        pick(random, ("shift_letters", f"caesar_{shift}", "encode", "secret")) if not back
            else pick(random, ("decode", "unshift", f"shift_back_{shift}")), ((text, "str"),),
            "str", f"`{text}` with every small letter moved {shift} places {direction} in the "
            f"alphabet, from the end to the start again", body, reference,
        tuple((x,) for x in (*several(random, WORDS, 2), pick(random, _TEXTS), "xyz", "")),
        ("`ord` gives the number of a letter, and after subtracting that of \"a\" it runs from 0 "
            "to 25.", f"The number is shifted by {shift}; `% 26` brings it back into the range.",
            "`chr` turns the number into a letter again; other signs stay as they are."),
        ("Shifting by the same number the other way undoes it.",), "", None,
        (Mistake(tuple(line.replace(" % 26", "") for line in body),
            "Without `% 26` the letters near one end of the alphabet turn into other signs."),),
    )  # fmt: skip


_RECORDS = (
    ("stock", "item", "amount", ("nails", "screws", "hinges", "hooks", "bolts", "planks", "tiles"),
        "A shop keeps its stock in a dictionary."),
    ("ages", "name", "age", ("anna", "ben", "carla", "david", "emil", "fay", "gus"),
        "A club knows the ages of its members."),
    ("votes", "name", "count", ("oak", "elm", "fir", "ash", "yew", "lime"),
        "A class votes for its favourite tree."),
    ("prices", "item", "price", ("tea", "milk", "bread", "jam", "rice", "soap"),
        "A kiosk has a price for each thing."),
    ("heights", "hill", "metres", ("north", "mill", "castle", "gallows", "vine"),
        "A map lists the heights of hills."),
    ("scores", "player", "points", ("mia", "leo", "ida", "tom", "zoe", "max"),
        "A game keeps its scores by player."),
    ("pages", "book", "count", ("atlas", "novel", "poems", "guide", "diary"),
        "A reader notes how many pages books have."),
    ("visitors", "day", "people", ("mon", "tue", "wed", "thu", "fri", "sat"),
        "A museum counts its visitors."),
)  # fmt: skip


def dictionary(random: Random, difficulty: int) -> Sketch:
    """A loop over the pairs of a dictionary."""
    name, key, value, keys, setting = pick(random, _RECORDS)
    k = between(random, 5, 40)
    kinds: tuple[tuple[str, str, str, tuple[str, ...], Callable[[dict[str, int]], object], str],
        ...] = (
        (f"{name}_above_{k}", "dict[str, int]", f"the entries of `{name}` with a value above {k}",
            (f"return {{{key}: {value} for {key}, {value} in {name}.items() if {value} > {k}}}",),
            lambda d: dict(p for p in d.items() if not p[1] <= k),
            "The order of the entries is kept."),
        (f"keys_with_at_least_{k}", "list[str]",
            f"the keys of `{name}` whose values are at least {k}, in alphabetical order",
            ("chosen = []", f"for {key}, {value} in {name}.items():", f"    if {value} >= {k}:",
            f"        chosen.append({key})", "return sorted(chosen)"),
            lambda d: sorted(x for x in d if d[x] > k - 1),
            "`items()` gives keys and values together."),
        (f"best_{key}", "str | None", f"the key of `{name}` with the largest value, or `None` if "
            f"there are no entries (the first one if several are equal)",
            ("best = None", f"for {key} in {name}:",
            f"    if best is None or {name}[{key}] > {name}[best]:", f"        best = {key}",
            "return best"), lambda d: next((x for x in d if d[x] == max(d.values())), None),
            "A loop over a dictionary visits its keys."),
        (f"total_{name}", "int", f"the sum of all values of `{name}`",
            (f"return sum({name}.values())",), lambda d: sum(d[x] for x in d),
            "`values()` leaves the keys aside."),
        (f"by_{value}", "dict[int, list[str]]",
            f"a dictionary from each value of `{name}` to the list of keys that have it",
            ("groups = {}", f"for {key}, {value} in {name}.items():",
            f"    if {value} not in groups:", f"        groups[{value}] = []",
            f"    groups[{value}].append({key})", "return groups"),
            lambda d: {v: [x for x in d if d[x] == v] for v in d.values()},
            "Several keys may share a value, therefore lists are needed."),
        (f"raise_{name}", "dict[str, int]",
            f"a new dictionary in which every value of `{name}` is larger by {k}",
            (f"return {{{key}: {value} + {k} for {key}, {value} in {name}.items()}}",),
            lambda d: {x: d[x] + k for x in d}, "The given dictionary is not changed."),
        (f"ranking_of_{name}", "list[str]",
            f"the keys of `{name}`, the one with the largest value first (equal ones in "
            f"alphabetical order)", (f"return sorted({name}, key=lambda {key}: (-{name}[{key}], "
            f"{key}))",), lambda d: [x for _, x in sorted((-v, x) for x, v in d.items())],
            "The minus sign makes the largest come first."),
    )  # fmt: skip
    slug, returns, summary, body, reference, remark = pick(random, kinds)
    inputs: list[tuple[object, ...]] = []
    for _ in range(4):
        chosen = several(random, keys, between(random, 2, min(5, len(keys))))
        inputs.append(({x: between(random, 1, 50) for x in chosen},))
    loop = len(body) > 2
    mistakes = (
        (
            Mistake(
                tuple(
                    line.replace(">=", ">").replace(f"> {name}[best]", f"< {name}[best]")
                    for line in body
                ),
                "The comparison is not the one that was asked for.",
            ),
        )
        if ">" in "".join(body) and loop
        else ()
    )
    return Sketch(
        slug, ((name, "dict[str, int]"),), returns, summary, body, reference, (*inputs, ({},)),
        (vary(random, "a dictionary (connects|joins) keys with values: here each {key} with its "
            "{value}.", key=key, value=value),
            vary(random, "(the loop|the code) goes through (all of them|every entry) (once|from "
            "the first to the last).") if loop else "One expression does the whole work."),
        (remark,), setting if chance(random, 0.7) else "", None, mistakes,
    )  # fmt: skip


def table(random: Random, difficulty: int) -> Sketch:
    """Nested loops over the rows of a matrix."""
    k = between(random, 2, 9)
    m = pick(random, ("grid", "matrix", "table", "rows"))
    kinds: tuple[tuple[str, str, str, tuple[str, ...], Callable[[list[list[int]]], object], str],
        ...] = (
        ("row_sums", "list[int]", f"the list of the sums of the rows of `{m}`",
            (f"return [sum(row) for row in {m}]",), lambda g: [sum(r) for r in g],
            "O(rows times columns)"),
        ("column_sums", "list[int]", f"the list of the sums of the columns of `{m}`",
            ("totals = []", f"for column in range(len({m}[0])):", "    total = 0",
            f"    for row in {m}:", "        total += row[column]", "    totals.append(total)",
            "return totals"), lambda g: [sum(c) for c in zip(*g, strict=True)],
            "O(rows times columns)"),
        ("transpose", "list[list[int]]",
            f"the transposed matrix of `{m}`, in which rows have become columns",
            (f"return [[row[column] for row in {m}] for column in range(len({m}[0]))]",),
            lambda g: [list(c) for c in zip(*g, strict=True)], "O(rows times columns)"),
        (f"count_above_{k}", "int", f"how many numbers in `{m}` are greater than {k}",
            ("count = 0", f"for row in {m}:", "    for value in row:", f"        if value > {k}:",
            "            count += 1", "return count"),
            lambda g: len([v for r in g for v in r if v >= k + 1]), "O(rows times columns)"),
        (f"times_{k}", "list[list[int]]",
            f"a new matrix in which every number of `{m}` is multiplied by {k}",
            (f"return [[{k} * value for value in row] for row in {m}]",),
            lambda g: [[v * k for v in r] for r in g], "O(rows times columns)"),
        ("diagonal", "list[int]", f"the numbers on the main diagonal of `{m}`",
            (f"size = min(len({m}), len({m}[0]))", f"return [{m}[i][i] for i in range(size)]"),
            lambda g: [r[i] for i, r in enumerate(g) if i < len(r)], "O(size)"),
        ("largest_in_rows", "list[int]", f"the list of the largest number of each row of `{m}`",
            ("result = []", f"for row in {m}:", "    best = row[0]", "    for value in row:",
            "        if value > best:", "            best = value", "    result.append(best)",
            "return result"), lambda g: [sorted(r)[-1] for r in g], "O(rows times columns)"),
        ("flip", "list[list[int]]", f"the matrix `{m}` with each row in reverse order",
            (f"return [row[::-1] for row in {m}]",), lambda g: [list(reversed(r)) for r in g],
            "O(rows times columns)"),
        ("rotate", "list[list[int]]", f"the matrix `{m}` turned by 90 degrees to the right",
            (f"return [list(column)[::-1] for column in zip(*{m})]",),
            lambda g: [[r[i] for r in reversed(g)] for i in range(len(g[0]))],
            "O(rows times columns)"),
    )  # fmt: skip
    slug, returns, summary, body, reference, cost = pick(random, kinds)
    inputs: list[tuple[object, ...]] = []
    for _ in range(4):
        width = between(random, 2, 3)
        inputs.append(
            (
                [
                    [between(random, 0, 12) for _ in range(width)]
                    for _ in range(between(random, 2, 3))
                ],
            )
        )
    return Sketch(
        slug if chance(random, 0.5) else f"{slug}_of_{m}", ((m, "list[list[int]]"),), returns,
            summary, body, reference, tuple(inputs),
        (f"`{m}` is a list of rows, and each row is a list of numbers.",
            "The outer loop or comprehension runs over one direction, the inner over the other.",
            "Row and column numbers begin at 0."),
        (f"Every number is visited once, so the cost is {cost}." if cost != "O(size)"
            else "Only the diagonal is visited.",), "", None, (),
    )  # fmt: skip


def calendar(random: Random, difficulty: int) -> Sketch:
    """Dates and times of day."""
    k = between(random, 2, 60)
    year = between(random, 1990, 2030)
    dates = [
        (datetime.date(year + place, between(random, 1, 12), between(random, 1, 28)))
        for place in range(4)
    ]
    kind = pick(random, ("later", "between", "minutes", "clock", "leap", "add_minutes"))
    if kind == "later":
        return Sketch(
            f"date_in_{k}_days", (("day", "str"),), "str",
                f"the date {k} days after `day`, both in the form YYYY-MM-DD",
                ("start = date.fromisoformat(day)",
                f"return (start + timedelta(days={k})).isoformat()"),
            lambda day: datetime.date.fromordinal(
                datetime.date(*map(int, day.split("-"))).toordinal() + k).isoformat(),
                tuple((d.isoformat(),) for d in dates),
            ("`date.fromisoformat` reads the text.",
                f"A `timedelta` of {k} days can be added to a date; months and leap years are "
                f"taken care of.", "`isoformat` writes the result in the same form."),
                ("Adding to the day number by hand would go wrong at the end of a month.",), "",
                None, (), "from datetime import date, timedelta",
        )  # fmt: skip
    if kind == "between":
        pairs = tuple(
            (a.isoformat(), (a + datetime.timedelta(days=between(random, 0, 400))).isoformat())
            for a in dates
        )
        return Sketch(
            pick(random, ("days_between", "day_count", "days_from_to")),
                (("start", "str"), ("end", "str")), "int",
                "the number of days from `start` to `end`, dates in the form YYYY-MM-DD",
                ("difference = date.fromisoformat(end) - date.fromisoformat(start)",
                "return difference.days"),
            lambda a, b: datetime.date(*map(int, b.split("-"))).toordinal() - datetime.date(
                *map(int, a.split("-"))).toordinal(), pairs,
            ("Both texts are turned into dates.",
                "The difference of two dates is a `timedelta`, whose `days` we want."),
                ("If `end` lies before `start`, the number is negative.",), "", None, (),
                "from datetime import date",
        )  # fmt: skip
    if kind == "leap":
        return Sketch(
            pick(random, ("is_leap_year", "leap", "has_february_29")), (("year", "int"),), "bool",
                "whether `year` is a leap year",
                ("if year % 400 == 0:", "    return True", "if year % 100 == 0:",
                "    return False", "return year % 4 == 0"),
            lambda y: (datetime.date(y, 3, 1) - datetime.date(y, 2, 28)).days == 2,
                ((year,), (2000,), (1900,), (between(random, 400, 600) * 4,), (year + 1,)),
            ("A year that 400 divides is a leap year.", "Other full centuries are not.",
                "All other years are leap years when 4 divides them."),
                ("The more special rule has to be tested first.",), "", None,
            (Mistake(("return year % 4 == 0",),
                "Full centuries such as 1900 are no leap years unless 400 divides them."),),
        )  # fmt: skip
    if kind == "minutes":
        return Sketch(
            pick(random, ("to_minutes", "minutes_since_midnight", "clock_to_minutes")),
                (("time", "str"),), "int", "the number of minutes since midnight for a `time` such "
                "as \"7:45\"", ('hours, minutes = time.split(":")',
                "return 60 * int(hours) + int(minutes)"),
            lambda t: int(t[: t.index(":")]) * 60 + int(t[t.index(":") + 1 :]),
                tuple((f"{between(random, 0, 23)}:{between(random, 0, 59):02d}",)
                for _ in range(4)),
            ("`split` cuts the text at the colon.", "`int` turns the two pieces into numbers.",
                "An hour has 60 minutes."), ("Without `int`, `60 * hours` would repeat the text "
                "sixty times.",), "", None,
            (Mistake(('hours, minutes = time.split(":")', "return 100 * int(hours) + int(minutes)"),
                "An hour has 60 minutes, not 100."),),
        )  # fmt: skip
    if kind == "clock":
        return Sketch(
            pick(random, ("as_clock", "minutes_to_clock", "format_minutes")), (("minutes", "int"),),
                "str", "the time of day, such as \"7:05\", that is `minutes` after midnight",
                ("hours, rest = divmod(minutes % 1440, 60)", 'return f"{hours}:{rest:02d}"'),
            lambda n: f"{n // 60 % 24}:{str(n % 60).zfill(2)}", _minutes(random),
                ("A day has 1440 minutes; `% 1440` starts again at midnight.",
                "`divmod` gives hours and the minutes that are left.",
                "`:02d` writes the minutes with two digits."),
                ("125 minutes after midnight it is 2:05.",), "", None,
            (Mistake(("hours, rest = divmod(minutes % 1440, 60)", 'return f"{hours}:{rest}"'),
                "Minutes below 10 need a leading zero."),),
        )  # fmt: skip
    return Sketch(
        f"clock_after_{k}_minutes", (("hour", "int"), ("minute", "int")), "tuple[int, int]",
            f"hour and minute of the time of day {k} minutes later than `hour` and `minute`", (
            f"total = 60 * hour + minute + {k}", "return total // 60 % 24, total % 60"),
        lambda h, m: ((h + (m + k) // 60) % 24, (m + k) % 60),
            tuple((between(random, 0, 23), between(random, 0, 59)) for _ in range(4)),
        ("The time is turned into minutes, and the minutes are added.",
            "`// 60` gives full hours, `% 24` starts again at midnight, `% 60` is what is left."),
            ("At midnight the hour goes from 23 to 0.",), "", None,
        (Mistake((f"total = 60 * hour + minute + {k}", "return total // 60, total % 60"),
            "After midnight the hour must start at 0 again: `% 24` is missing."),),
    )  # fmt: skip


def _minutes(random: Random) -> tuple[tuple[object, ...], ...]:
    early = (between(random, 1, 20) * 60 + 5,)
    return (*((between(random, 0, 1800),) for _ in range(3)), early)


TEXT_MAKERS = (characters, characters, caesar)
STRUCTURE_MAKERS = (dictionary, dictionary, table, calendar)
