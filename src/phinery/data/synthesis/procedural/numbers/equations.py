"""Equations in one unknown, given or told as a story, solved with every step."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import between, chance, people, pick, say
from phinery.data.synthesis.procedural.numbers.terms import LETTERS, in_brackets, plus, term


def _linear(random: Random, difficulty: int) -> Problem:
    x = pick(random, LETTERS)
    root = between(random, 1, 12) if difficulty == 2 else between(random, -9, 15)
    while root == 0:
        root = between(random, -9, 15)
    a = between(random, 2, 9)
    if difficulty == 2:
        if chance(random, 0.4):
            b = between(random, 2, 40)
            equation = f"{x} + {b} = {root + b}"
            steps = (
                say(
                    random,
                    "(Take {b} away on both sides, for then {x} stands alone|What was added must "
                    "be taken away again; do it on both sides, so that they stay equal): {x} = "
                    "{c} - {b}.",
                    b=b,
                    x=x,
                    c=root + b,
                ),
                f"{root + b} - {b} = {root}.",
            )
            check = f"{root} + {b} = {root + b}."
            wrong = (root + 2 * b, root + 1, root - 1, b)
        else:
            b = between(random, 1, 30)
            equation = f"{a}{x} + {b} = {a * root + b}"
            steps = (
                say(
                    random,
                    "(Subtract {b} from both sides|The {b} stands in the way, so take it away on "
                    "both sides; equals stay equal): {ax} = {c} - {b} = {d}.",
                    b=b,
                    ax=f"{a}{x}",
                    c=a * root + b,
                    d=a * root,
                ),
                say(
                    random,
                    "(Divide both sides by {a}|{a} times {x} is {d}, so divide by {a}|Undo the "
                    "multiplication by dividing by {a}): {x} = {d} ÷ {a} = {r}.",
                    a=a,
                    x=x,
                    d=a * root,
                    r=root,
                ),
            )
            check = f"{a} × {root} + {b} = {a * root + b}."
            wrong = (root + b, a * root, root + 1, root - 1)
    elif difficulty == 3:
        b = between(random, -20, 20) or 7
        c = between(random, 2, 9)
        while c == a:
            c = between(random, 2, 9)
        a, c = max(a, c), min(a, c)
        d = (a - c) * root + b
        equation = f"{a}{x}{plus(b)} = {c}{x}{plus(d)}"
        steps = (
            say(
                random,
                "(Collect the terms with {x} on one side|Bring all {x} to the left): subtract "
                "{cx} from both sides. {m}{b} = {d}.",
                x=x,
                cx=f"{c}{x}",
                m=term(a - c, x),
                b=plus(b),
                d=d,
            ),
            say(
                random,
                "(Then|Next|Now) {verb} {b} (on both sides|left and right, to keep the balance): "
                "{m} = {v}.",
                verb="subtract" if b > 0 else "add",
                b=abs(b),
                m=term(a - c, x),
                v=d - b,
            ),
            *(
                (
                    say(
                        random,
                        "(Divide|Finally divide) by {k}: {x} = {v} ÷ {k} = {r}.",
                        k=a - c,
                        x=x,
                        v=d - b,
                        r=root,
                    ),
                )
                if a - c > 1
                else ()
            ),
        )
        left = a * root + b
        check = (
            f"Left: {a} × {in_brackets(root)}{plus(b)} = {left}. Right: {c} × "
            f"{in_brackets(root)}{plus(d)} = {left}."
        )
        wrong = (-root, root + 1, d - b if a - c > 1 else root + 2, root - 2)
    else:
        b, c = between(random, -9, 9) or 4, between(random, -20, 20)
        e = between(random, 1, a - 1) if a > 2 else 1
        d = a * (root + b) + c - e * root
        equation = f"{a}({x}{plus(b)}){plus(c)} = {term(e, x)}{plus(d)}"
        steps = (
            say(
                random,
                "(Multiply out the bracket, for {a} multiplies both terms in it|First remove the "
                "bracket: each term inside is multiplied by {a}): {ax}{ab}{c} = {ex}{d}.",
                a=a,
                ax=f"{a}{x}",
                ab=plus(a * b),
                c=plus(c),
                ex=term(e, x),
                d=plus(d),
            ),
            (
                f"On the left {a * b}{plus(c)} = {a * b + c}, so {a}{x}{plus(a * b + c)} = "
                f"{term(e, x)}{plus(d)}."
                if c
                else f"Now subtract {term(e, x)} on both sides."
            ),
            say(
                random,
                "(Bring the terms with {x} to the left and the numbers to the right|Sort: {x} on "
                "the left, numbers on the right): {m} = {v}.",
                x=x,
                m=term(a - e, x),
                v=d - a * b - c,
            ),
            *(
                (f"Divide by {a - e}: {x} = {d - a * b - c} ÷ {a - e} = {root}.",)
                if a - e > 1
                else ()
            ),
        )
        left = a * (root + b) + c
        check = (
            f"Left: {a} × ({root}{plus(b)}){plus(c)} = {left}. Right: {e} × "
            f"{in_brackets(root)}{plus(d)} = {left}."
        )
        wrong = (-root, root + 2, root - 1, root * 2)
    return Problem(
        say(
            random,
            "(Solve {e} for {x}.|Solve the equation {e}.|Find {x} if {e}.|For which {x} is "
            "{e}?|What is {x}, if {e}?|Which number must {x} be so that {e}?)",
            e=equation,
            x=x,
        ),
        steps,
        f"{x} = {root}",
        say(random, "(So|Therefore|The solution is) {x} = {r}.", x=x, r=root),
        check=say(
            random,
            "(Put it back into the equation|Substitute {r} for {x}|Try it in the equation). {c}",
            r=root,
            x=x,
            c=check,
        ),
        wrong=tuple(f"{x} = {value}" for value in wrong),
        slip=say(
            random,
            "(Whatever is done to one side must be done to the other|An equation is a balance: "
            "treat both sides alike).",
        ),
    )


def _equation_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(An equation says that two things are equal|Think of an equation as a pair of scales in "
        "balance|An equation is a statement with a hole in it, and the letter marks the hole). (A "
        "letter stands for a number that we do not know yet|The letter is only a name for a "
        "number that waits to be found). (To find it|To solve the equation), (undo what was done "
        "to it, in reverse order|peel away what surrounds it): subtract what was added, divide by "
        "what multiplied. (Why on both sides? Equal things stay equal only if the same happens to "
        "both|The balance is kept only if both sides are treated alike). (At the end put the "
        "value back: if both sides agree, the solution is right.|The great comfort of equations "
        "is that every solution can be checked.)",
    )


def _stories(random: Random, difficulty: int) -> Problem:
    p, q = people(random, 2)
    kind = between(random, 0, 4)
    if kind == 0:
        times, more = between(random, 2, 7), between(random, 3, 40)
        root = between(random, 3, 30)
        total = times * root + more
        prompt = say(
            random,
            "{p} thinks of a number, multiplies it by {t} and adds {m}. The result is {r}. (What "
            "is the number?|Which number was it?|What number did {p.he} think of?)",
            p=p,
            t=times,
            m=more,
            r=total,
        )
        steps = (
            say(
                random,
                "(Call the number x|Let x be the number). Then {t}x + {m} = {r}.",
                t=times,
                m=more,
                r=total,
            ),
            say(
                random,
                "(Undo the last step first: subtract {m}|Going backwards, take {m} away): {t}x = "
                "{v}.",
                t=times,
                m=more,
                v=times * root,
            ),
            f"Divide by {times}: {times * root} ÷ {times} = {root}.",
        )
        check = f"{times} × {root} + {more} = {total}."
        answer, wrong = root, (root + more, times * root, root + 1)
    elif kind == 1:
        older = between(random, 2, 15)
        root = between(random, 4, 40)
        total = 2 * root + older
        prompt = say(
            random,
            "{p} is {o} years older than {q}. Together they are {t} years old. How old is {q}?",
            p=p,
            q=q,
            o=older,
            t=total,
        )
        steps = (
            say(
                random,
                "(Let x be the age of {q}|Call {q.s} age x). Then {p} is x + {o}, and x + x + {o} "
                "= {t}.",
                p=p,
                q=q,
                o=older,
                t=total,
            ),
            f"So 2x = {total} - {older} = {2 * root}.",
            say(
                random,
                "Divide by 2: {d} ÷ 2 = {r}.",
                d=2 * root,
                r=root,
            ),
        )
        check = f"{p} is then {root + older}, and {root} + {root + older} = {total}."
        answer, wrong = root, (root + older, total // 2, root - 1)
    elif kind == 2:
        first = between(random, 3, 120)
        total = 3 * first + 3
        prompt = say(
            random,
            "(The sum of three consecutive whole numbers is {t}.|Three whole numbers that follow "
            "one another add up to {t}.) (What is the smallest of them?|Which is the smallest?)",
            t=total,
        )
        steps = (
            "Call the smallest x; then the next two are x + 1 and x + 2.",
            f"Together that is 3x + 3 = {total}.",
            f"Subtract 3: 3x = {total - 3}. Divide by 3: {total - 3} ÷ 3 = {first}.",
        )
        check = f"{first} + {first + 1} + {first + 2} = {total}."
        answer, wrong = first, (first + 1, first + 2, total // 3 + 3)
    elif kind == 3:
        width, more = between(random, 3, 40), between(random, 2, 15)
        total = 2 * (2 * width + more)
        thing = pick(
            random,
            (
                "rectangular field",
                "garden",
                "room",
                "poster",
                "picture frame",
                "playground",
                "carpet",
            ),
        )
        unit = (
            pick(random, ("metres",)) if thing not in ("poster", "picture frame") else "centimetres"
        )
        prompt = say(
            random,
            "{a t} is {m} {u} longer than it is wide. Its perimeter is {n} {u}. How wide is it?",
            t=thing,
            m=more,
            u=unit,
            n=total,
        )
        steps = (
            f"Let x be the width. The length is x + {more}.",
            f"Two widths and two lengths make the perimeter: 4x + {2 * more} = {total}.",
            f"So 4x = {total - 2 * more}, and {total - 2 * more} ÷ 4 = {width}.",
        )
        check = f"2 × ({width} + {width + more}) = {total}."
        answer, wrong = width, (width + more, total // 4, width * 2)
    else:
        small, large = between(random, 2, 12), between(random, 2, 12)
        n_small, n_large = between(random, 3, 30), between(random, 3, 30)
        small, large = (2, 5) if small == large else (min(small, large), max(small, large))
        total, count = small * n_small + large * n_large, n_small + n_large
        prompt = say(
            random,
            "(At a concert|At a fair|In a swimming pool|At the theatre) a child's ticket costs "
            "{s} {m} and an adult's {l} {m}. {n} tickets are sold for {t} {m} in all. How many "
            "(of them are for adults|were for adults)?",
            s=small,
            l=large,
            n=count,
            t=total,
            m=pick(random, ("dollars", "euros", "pounds")),
        )
        steps = (
            say(
                random,
                "(Suppose that all {n} were for children|If all were children's tickets): {n} × "
                "{s} = {x}.",
                n=count,
                s=small,
                x=count * small,
            ),
            f"The sum is larger by {total} - {count * small} = {total - count * small}.",
            say(
                random,
                "(Each adult's ticket brings {d} more|Every adult in place of a child adds {l} - "
                "{s} = {d}), so there are {y} ÷ {d} = {v}.",
                d=large - small,
                l=large,
                s=small,
                y=total - count * small,
                v=n_large,
            ),
        )
        check = f"{n_large} × {large} + {n_small} × {small} = {total}."
        answer, wrong = n_large, (n_small, n_large + 1, count)
    return Problem(
        prompt,
        steps,
        str(answer),
        say(random, "(So the answer is {a}|It is {a}|We find {a}).", a=answer),
        check,
        tuple(str(w) for w in wrong),
        "Read again what is asked: the letter may stand for something else than the answer.",
    )


def _stories_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(To turn a story into an equation|When words become an equation), (first choose a letter "
        "for what is unknown|begin by naming the unknown), and say in a sentence what it stands "
        "for. (Then|Next) write the same amount in two ways; between them goes the equals sign. "
        "(A word like more tells of adding, times of multiplying, together of a sum|Look for the "
        "words that carry numbers: older than, twice as many, altogether). (The equation knows "
        "nothing of the story any more, and that is its strength: the same steps solve many "
        "stories.|Solving is then routine. The art lies in the first two lines.)",
    )


TOPICS = (
    taught("algebra/linear equations", "mathematics", (2, 3, 4), _linear, _equation_lesson),
    taught("algebra/equations from stories", "mathematics", (3, 4), _stories, _stories_lesson),
)
