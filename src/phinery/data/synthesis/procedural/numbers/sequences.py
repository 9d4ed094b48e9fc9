"""Number patterns and their rules."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import between, chance, grouped, ordinal, pick, say


def _next(random: Random, difficulty: int) -> Problem:
    kind = pick(
        random,
        ("add", "add", "multiply", "grow", "alternate", "fibonacci", "square")
        if difficulty > 1
        else ("add", "add", "subtract"),
    )
    length = between(random, 4, 6)
    if kind in ("add", "subtract"):
        step = between(random, 2, 6 * difficulty) * (
            -1 if kind == "subtract" or chance(random, 0.3) else 1
        )
        start = (
            between(random, 1, 20 * difficulty)
            if step > 0
            else between(random, 1, 20) - step * (length + 2)
        )
        terms = [start + step * k for k in range(length + 1)]
        rule = say(
            random,
            "(Each number is|Every term is|Every number is) {s} {w} than the one before{e}.",
            s=abs(step),
            w="more" if step > 0 else "less",
            e="",
        )
        work = f"{terms[-2]} {'+' if step > 0 else '-'} {abs(step)} = {terms[-1]}."
    elif kind == "multiply":
        factor, start = between(random, 2, 4), between(random, 1, 9)
        terms = [start * factor**k for k in range(length + 1)]
        rule = say(
            random,
            "(Each number is {f} times the one before|Every term is the one before it multiplied "
            "by {f}).",
            f=factor,
        )
        work = f"{grouped(terms[-2])} × {factor} = {grouped(terms[-1])}."
    elif kind == "grow":
        step, start, more = between(random, 1, 5), between(random, 1, 15), between(random, 1, 4)
        terms = [start]
        for k in range(length):
            terms.append(terms[-1] + step + more * k)
        rule = say(
            random,
            "(The steps themselves grow|Look at the differences): {d}, so each step is {m} larger "
            "than the last.",
            d=", ".join(str(terms[k + 1] - terms[k]) for k in range(length - 1)),
            m=more,
        )
        work = (
            f"The next step is {terms[-1] - terms[-2]}: {terms[-2]} + {terms[-1] - terms[-2]} = "
            f"{terms[-1]}."
        )
    elif kind == "alternate":
        up, down, start = between(random, 4, 12), between(random, 1, 3), between(random, 3, 30)
        terms = [start]
        for k in range(length):
            terms.append(terms[-1] + (up if k % 2 == 0 else -down))
        rule = say(
            random,
            "(The pattern takes turns|Two rules alternate): add {u}, then subtract {d}.",
            u=up,
            d=down,
        )
        last_up = (length - 1) % 2 == 0
        work = (
            f"It is the turn of {'adding' if last_up else 'subtracting'}: {terms[-2]} "
            f"{'+' if last_up else '-'} {up if last_up else down} = {terms[-1]}."
        )
    elif kind == "fibonacci":
        terms = [between(random, 1, 6), between(random, 1, 9)]
        while len(terms) < length + 1:
            terms.append(terms[-1] + terms[-2])
        rule = say(
            random,
            "(From the third on, each number is the sum of the two before it|Add two neighbours "
            "and you get the next): {a} + {b} = {c}.",
            a=terms[0],
            b=terms[1],
            c=terms[2],
        )
        work = f"{terms[-3]} + {terms[-2]} = {terms[-1]}."
    else:
        start, shift = between(random, 1, 6), between(random, -3, 9)
        terms = [(start + k) ** 2 + shift for k in range(length + 1)]
        rule = (
            say(
                random,
                "(These are square numbers|The numbers are squares): {a} × {a}, {b} × {b} and so "
                "on.",
                a=start,
                b=start + 1,
            )
            if shift == 0
            else say(
                random,
                "(They are square numbers with {s} {w}|Each is {s} {v} than a square number): {a} "
                "× {a} {g} {s} = {t}.",
                s=abs(shift),
                w="added" if shift > 0 else "taken away",
                v="more" if shift > 0 else "less",
                a=start,
                g="+" if shift > 0 else "-",
                t=terms[0],
            )
        )
        n = start + length
        work = (
            f"{n} × {n}{'' if not shift else f' + {shift}' if shift > 0 else f' - {-shift}'} = "
            f"{terms[-1]}."
        )
    text = ", ".join(str(value) for value in terms[:-1])
    if difficulty > 1 and kind in ("add", "multiply") and chance(random, 0.3):
        gap = between(random, 1, length - 2)
        holes = [str(value) if place != gap else "?" for place, value in enumerate(terms)]
        value = terms[gap]
        steps = (
            rule,
            say(
                random,
                "(The gap comes after {p}|Before the gap stands {p}), so it holds {v}.",
                p=terms[gap - 1],
                v=value,
            ),
            say(
                random,
                "(And the next number fits too|The number after it agrees): {n}.",
                n=terms[gap + 1],
            ),
        )
        return Problem(
            say(
                random,
                "(Which number is missing: {t}?|What belongs in the place of the question mark: "
                "{t}?|Fill the gap: {t}.)",
                t=", ".join(holes),
            ),
            steps,
            str(value),
            f"The missing number is {value}.",
            wrong=(str(value + 1), str(value - 1), str(value + 2), str(terms[gap + 1])),
        )
    return Problem(
        say(
            random,
            "(What comes next: {t}, ...?|Find the next number: {t}, ...|Continue the pattern {t}, "
            "... by one number.|Which number follows in the sequence {t}, ...?|A sequence begins "
            "{t}. What is the next term?)",
            t=text,
        ),
        (
            say(
                random,
                "(Compare neighbours|Look at how each number comes from the one before|Ask what "
                "happens between one number and the next).",
            ),
            rule,
            work,
        ),
        str(terms[-1]),
        say(
            random,
            "(So the next number is {n}|The next term is {n}|It goes on with {n}).",
            n=str(terms[-1]),
        ),
        wrong=(
            str(terms[-1] + 1),
            str(terms[-1] - 1),
            str(terms[-1] + abs(terms[1] - terms[0])),
            str(2 * terms[-1]),
        ),
        slip="Test a rule on all the numbers that are given, not only on the first two.",
    )


def _nth(random: Random, difficulty: int) -> Problem:
    start, step = (
        between(random, 1, 15 * (difficulty - 2)),
        between(random, 2, 5 * (difficulty - 1)),
    )
    n = between(random, 10, 30 * (difficulty - 2))
    geometric = difficulty > 3 and chance(random, 0.35)
    if geometric:
        factor, n = between(random, 2, 5), between(random, 5, 8)
        start = between(random, 1, 6)
        value = start * factor ** (n - 1)
        first = [start * factor**k for k in range(4)]
        steps = (
            say(
                random,
                "(Each term is {f} times the one before|The factor from term to term is {f}).",
                f=factor,
            ),
            say(
                random,
                "(From the first to the {n} term there are {k} steps|To reach the {n} term we "
                "multiply {k} times), one fewer than the number of the term: {m} - 1 = {k}.",
                n=ordinal(n),
                k=n - 1,
                m=n,
            ),
            f"{factor}^{n - 1} = {grouped(factor ** (n - 1))}, and {start} × "
            f"{grouped(factor ** (n - 1))} = {grouped(value)}.",
        )
        wrong = (
            grouped(value * factor),
            grouped(value // factor),
            grouped(start * factor * (n - 1)),
        )
    else:
        value = start + step * (n - 1)
        first = [start + step * k for k in range(4)]
        total = chance(random, 0.35) and difficulty > 3
        steps = (
            say(random, "(The step is always {s}|From term to term we add {s}).", s=step),
            say(
                random,
                "(The {n} term comes after {k} steps, because the first term needs none|Between "
                "the first and the {n} term lie {k} steps): {m} - 1 = {k}.",
                n=ordinal(n),
                k=n - 1,
                m=n,
            ),
            f"{start} + {n - 1} × {step} = {grouped(value)}.",
        )
        wrong = (
            grouped(value + step),
            grouped(n * step),
            grouped(value - step),
            grouped(value + 1),
        )
        if total:
            amount = n * (start + value) // 2
            return Problem(
                say(
                    random,
                    "(Add up the first {n} terms of {t}, ...|What is the sum of the first {n} "
                    "terms of the sequence {t}, ...?)",
                    n=n,
                    t=", ".join(str(v) for v in first),
                ),
                (
                    *steps,
                    say(
                        random,
                        "(Pair the first term with the last, the second with the one before the "
                        "last: every pair has the same sum|Written forwards and backwards, the "
                        "two rows give {n} equal sums): {a} + {z} = {s}.",
                        n=n,
                        a=start,
                        z=value,
                        s=start + value,
                    ),
                    f"{n} × {grouped(start + value)} ÷ 2 = {grouped(amount)}.",
                ),
                grouped(amount),
                f"The sum is {grouped(amount)}.",
                wrong=(grouped(amount * 2), grouped(amount + value), grouped(value)),
                slip="The pairs count every term twice if all of them are taken, so halve at the "
                "end.",
            )
    return Problem(
        say(
            random,
            "(What is the {n} term of the sequence {t}, ...?|A sequence begins {t}, ... Find its "
            "{n} term.|The pattern {t}, ... goes on for ever. Which number stands in the {n} "
            "place?)",
            n=ordinal(n),
            t=", ".join(str(v) for v in first),
        ),
        steps,
        grouped(value),
        say(random, "(So the {n} term is {v}|The {n} term is {v}).", n=ordinal(n), v=value),
        wrong=wrong,
        slip="There is one step fewer than there are terms, like the gaps between fence posts.",
    )


def _lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A sequence is a list of numbers with a rule|Numbers in a row often follow a rule, and "
        "finding it is a kind of detective work). (First look at the differences|Begin with the "
        "differences between neighbours). If they are all equal, (the same number is added each "
        "time|we call the sequence arithmetic). If they grow, (look whether each number is a "
        "multiple of the one before|try quotients): equal quotients mean a geometric sequence. "
        "(If neither fits, perhaps the differences have a pattern of their own, or each number is "
        "made from the two before it.|Squares, and sums of two neighbours, are other favourites.) "
        "(A rule that explains only some of the numbers is not the rule.|Strictly speaking, a few "
        "numbers never force a rule; we look for the simplest one.)",
    )


TOPICS = (
    taught("sequences/next number", "reasoning", (1, 2, 3), _next, _lesson),
    taught("sequences/terms far along", "mathematics", (3, 4), _nth, _lesson),
)
