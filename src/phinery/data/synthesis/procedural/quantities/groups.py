"""Word problems about equal groups and about ages."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.facts import (
    ANIMALS,
    CONTAINERS,
    SHOPS,
    SMALL_THINGS,
)
from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    counted,
    grouped,
    number_words,
    people,
    pick,
    plural,
    say,
)


def _groups(random: Random, difficulty: int) -> Problem:
    p, q = people(random, 2)
    thing = pick(random, SMALL_THINGS)
    container = pick(random, CONTAINERS)
    place = pick(random, (*SHOPS, "school kitchen", "library", "youth club", "clinic", "hotel"))
    a, b = between(random, 2, 6 * difficulty), between(random, 3, 8 * difficulty)
    kind = between(random, 0, 4)
    things, containers = thing.many, plural(container)
    if kind == 0:
        extra = between(random, 1, 30)
        value = a * b + extra
        prompt = say(
            random,
            "(The {place} (receives|has) {a} {cs} with {b} {ts} each and {e} loose ones.|{p} "
            "carries {a} {cs} to the {place}. In each there are {b} {ts}, and {q} brings {e} "
            "more.|There are {a} full {cs} of {b} {ts} each, and {e} {ts} lie beside them.) How "
            "many {ts} (are there|is that|are there altogether|does that make)?",
            p=p,
            q=q,
            place=place,
            a=a,
            b=b,
            e=extra,
            cs=containers,
            ts=things,
        )
        steps = (
            say(
                random,
                "(The {cs} are equal groups, so multiply|Equal groups are multiplied): {a} × {b} "
                "= {ab}.",
                cs=containers,
                a=a,
                b=b,
                ab=a * b,
            ),
            say(
                random,
                "(The {w} {come} on top|Add the others): {ab} + {e} = {v}.",
                w="others",
                come="come",
                ab=a * b,
                e=extra,
                v=value,
            ),
        )
        wrong = (a + b + extra, a * (b + extra), a * b, value + a)
    elif kind == 1:
        rest = between(random, 1, a - 1) if a > 1 else 0
        total = a * b + rest
        prompt = say(
            random,
            "{p} (packs|puts|sorts|lays) {n} {ts} into {cs} of {a}. How many {cs} (can be "
            "filled|are full), and how many {ts} are left over?",
            p=p,
            n=total,
            ts=things,
            cs=containers,
            a=a,
        )
        steps = (
            say(
                random,
                "(How often does {a} fit into {n}?|Divide with remainder, because only full {cs} "
                "count.) {n} = {b} × {a} + {r}.",
                a=a,
                n=total,
                b=b,
                r=rest,
                cs=containers,
            ),
            say(
                random,
                "(The {b} are full|That makes {b} full {cs}), and what is left, {r}, is too "
                "little for another.",
                b=b,
                cs=containers,
                r=rest,
            ),
        )
        return Problem(
            prompt,
            steps,
            f"{counted(b, container)}, {rest} left over",
            f"{say(random, '(So|Thus)')} {counted(b, container)} {'is' if b == 1 else 'are'} full "
            f"and {rest} {'is' if rest == 1 else 'are'} left over.",
            f"{b} × {a} + {rest} = {total}.",
            (
                f"{counted(b + 1, container)}, {rest} left over",
                f"{counted(b, container)}, {rest + 1} left over",
                f"{counted(b - 1, container)}, {rest} left over",
            ),
            "The number left over must be smaller than what fits into one.",
        )
    elif kind == 2:
        people_count = between(random, 2, 9)
        each = between(random, 2, 9 * difficulty)
        eaten = between(random, 2, 15)
        total = people_count * each + eaten
        value = each
        prompt = say(
            random,
            "(There are {n} {ts} in {ac}.|{p} brings {n} {ts}.|{p} and {p.his} friends have {n} "
            "{ts}.) {^e} of them (are|turn out to be) damaged, and the rest is shared equally "
            "among {k} (people|children|friends|helpers). How many does each get?",
            n=total,
            ts=things,
            ac=f"the {container}",
            p=p,
            e=number_words(eaten),
            k=people_count,
        )
        steps = (
            say(
                random,
                "(First take away what cannot be used|Only the good ones are shared): {n} - {e} = "
                "{g}.",
                n=total,
                e=eaten,
                g=total - eaten,
            ),
            say(
                random,
                "(Sharing equally is dividing|Then divide): {g} ÷ {k} = {v}.",
                g=total - eaten,
                k=people_count,
                v=each,
            ),
        )
        wrong = (
            total // people_count if total // people_count != each else each + 1,
            each + eaten,
            each - 1,
            total - eaten,
        )
    elif kind == 3:
        rows = between(random, 3, 20)
        per = between(random, 4, 25)
        taken = between(random, 2, rows * per - 2)
        value = rows * per - taken
        room = pick(
            random,
            (
                "theatre",
                "cinema",
                "concert hall",
                "stadium stand",
                "lecture hall",
                "circus tent",
                "ferry deck",
                "school hall",
            ),
        )
        prompt = say(
            random,
            "{^ar} has {r} rows of {s} seats. {t} seats are (taken|sold|occupied|reserved). How "
            "many are still free?",
            ar=say(random, "{a r}", r=room),
            r=rows,
            s=per,
            t=taken,
        )
        steps = (
            f"All seats: {rows} × {per} = {rows * per}.",
            say(
                random,
                "(Take away those that are not free|The free ones are the rest): {a} - {t} = {v}.",
                a=rows * per,
                t=taken,
                v=value,
            ),
        )
        wrong = (rows * per, rows * per + taken, value + per, rows + per)
    else:
        animal = pick(random, ANIMALS)
        per_day = between(random, 1, 4)
        count, days = between(random, 2, 5 * difficulty), between(random, 3, 20)
        value = count * per_day * days
        unit = pick(random, ("scoops of feed", "handfuls of feed", "bowls of feed", "cups of feed"))
        prompt = say(
            random,
            "{p} (keeps|looks after|feeds) {n} {anims}. Each needs {k} {u} a day. How many {u} "
            "(does {p.he} need|are needed) for {d} days?",
            p=p,
            n=count,
            anims=plural(animal) if count > 1 else animal,
            k=per_day,
            u=unit,
            d=days,
        )
        steps = (
            say(
                random,
                "(In one day|Each day): {n} × {k} = {x}.",
                n=count,
                k=per_day,
                x=count * per_day,
            ),
            say(
                random,
                "(In {d} days it is {d} times as much|Over {d} days): {x} × {d} = {v}.",
                d=days,
                x=count * per_day,
                v=value,
            ),
        )
        wrong = (count * per_day + days, count * days, per_day * days, value + count)
        things = unit
    return Problem(
        prompt,
        steps,
        str(grouped(value)),
        say(random, "(So the answer is {v}|It is {v}|That makes {v}).", v=value),
        wrong=tuple(grouped(w) for w in wrong if w > 0),
        slip="Ask what one number counts per one of the other: that is the sign of a "
        "multiplication.",
    )


def _ages(random: Random, difficulty: int) -> Problem:
    p, q = people(random, 2)
    kind = between(random, 0, 2)
    age = between(random, 5, 40)
    if kind == 0:
        difference, years = between(random, 2, 30), between(random, 2, 20)
        prompt = say(
            random,
            "{p} is {a} years old and {q} is {d} years older. How old will {q} be in {y} years?",
            p=p,
            q=q,
            a=age,
            d=difference,
            y=years,
        )
        steps = (
            f"Now {q} is {age} + {difference} = {age + difference}.",
            f"In {years} years: {age + difference} + {years} = {age + difference + years}.",
        )
        value, wrong = (
            age + difference + years,
            (age + years, age + difference, age - difference + years),
        )
    elif kind == 1:
        years, factor = between(random, 3, 15), between(random, 2, 3)
        child = between(random, 4, 20)
        adult = factor * (child + years) - years
        prompt = say(
            random,
            "{p} is {a} years old. In {y} years {q} will be {w} as old as {p} will be then. How "
            "old is {q} now?",
            p=p,
            q=q,
            a=child,
            y=years,
            w="twice" if factor == 2 else "three times",
        )
        steps = (
            f"In {years} years {p} will be {child} + {years} = {child + years}.",
            f"{q} will then be {factor} × {child + years} = {factor * (child + years)}.",
            f"Now {q} is {years} years younger: {factor * (child + years)} - {years} = {adult}.",
        )
        value, wrong = adult, (factor * child, factor * (child + years), adult - 1)
    else:
        factor = between(random, 2, 5)
        child = between(random, 3, 18)
        total = child * (factor + 1)
        prompt = say(
            random,
            "{q} is {k} as old as {p}, and together they are {t}. How old is {p}?",
            p=p,
            q=q,
            k="twice" if factor == 2 else f"{number_words(factor)} times",
            t=total,
        )
        steps = (
            say(
                random,
                "(If {p.s} age is one part, {q.s} is {k} parts; together|{p} has one part and {q} "
                "{k}, in all) {k} + 1 = {n} parts.",
                p=p,
                q=q,
                k=factor,
                n=factor + 1,
            ),
            f"{total} ÷ {factor + 1} = {child}.",
        )
        value, wrong = child, (total - child, total // factor, child + 1)
    return Problem(
        prompt,
        steps,
        str(value),
        say(random, "(So the answer is {v} years|It is {v} years).", v=value),
        wrong=tuple(str(w) for w in wrong if w > 0),
        slip="Everybody grows older at the same pace, so the difference between two ages "
        "never changes.",
    )


def _ages_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Riddles about ages are as old as arithmetic books|Two things help with ages). (The "
        "difference between two people's ages is the same all their lives|However long they live, "
        "the gap in years stays), (while the ratio changes|but one is not for ever twice as old "
        "as the other): (a mother of 30 is ten times as old as her child of 3, and at 60 not even "
        "twice as old as the child of 33|at 2 and 4 one is twice as old, at 20 and 22 hardly "
        "older). (Write down both ages for the same moment; mixing now and then is the usual "
        "mistake.|Make a small table with a column for now and one for later.)",
    )


def _group_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Multiplication and division are two ways to look at equal groups|Boxes, rows and "
        "portions have one thing in common: they are equal groups). (If we know how many groups "
        "there are and how large each is, we multiply to get the whole|Number of groups times "
        "size of a group is the whole). (If the whole is known and one of the two, we divide to "
        "get the other|Going back from the whole means dividing). (What is added on top, or was "
        "broken on the way, is an extra step before or after|Look for loose pieces: they come on "
        "top of the groups or must be taken away). (A drawing of the groups, however rough, shows "
        "at once which number belongs where.|Ask what is the same for every group; that number is "
        "multiplied.|When the groups do not come out even, the story decides what happens to the "
        "rest.)",
    )


TOPICS = (
    taught("word problems/equal groups", "reasoning", (1, 2, 3), _groups, _group_lesson),
    taught("word problems/ages", "reasoning", (2, 3), _ages, _ages_lesson),
)
