"""Expressions, and equations with two unknowns."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import between, chance, pick, say
from phinery.data.synthesis.procedural.numbers.terms import LETTERS, in_brackets, plus, term


def _expressions(random: Random, difficulty: int) -> Problem:
    x = pick(random, LETTERS)
    if difficulty == 2 or chance(random, 0.3):
        a, b, value = between(random, 2, 9), between(random, -12, 12) or 5, between(random, 2, 12)
        result = a * value + b
        expression = f"{a}{x}{plus(b)}"
        return Problem(
            say(
                random,
                "(Find the value of {e} for {x} = {v}.|What is {e} when {x} = {v}?|Let {x} = {v}. "
                "How much is {e}?|Evaluate {e} at {x} = {v}.)",
                e=expression,
                x=x,
                v=value,
            ),
            (
                say(
                    random,
                    "(Put {v} in the place of {x}|Replace {x} by {v}); a number next to a letter "
                    "means multiplication.",
                    v=value,
                    x=x,
                ),
                f"{a} × {value}{plus(b)} = {a * value}{plus(b)} = {result}.",
            ),
            str(result),
            say(
                random,
                "(So|Hence) the value is {r}.",
                r=result,
            ),
            wrong=(str(int(f"{a}{value}") + b), str(a + value + b), str(result - 2 * b)),
            slip=f"{a}{x} is a product: with {x} = {value} it is {a * value}, not {a}{value}.",
        )
    if difficulty == 3:
        a, b, c, d = (
            between(random, 2, 9),
            between(random, 1, 9),
            between(random, 1, 8),
            between(random, -9, 9) or 2,
        )
        expression = f"{a}{x} + {b}{' + ' if d > 0 else ' - '}{abs(d)} + {term(c, x)}"
        result = f"{a + c}{x}{plus(b + d)}"
        return Problem(
            say(
                random,
                "(Simplify {e}.|Collect like terms: {e}.|Write {e} as short as possible.)",
                e=expression,
            ),
            (
                say(
                    random,
                    "(Terms with {x} go together and numbers go together|Only like terms can be "
                    "added, as apples go with apples).",
                    x=x,
                ),
                f"{a}{x} + {term(c, x)} = {a + c}{x}, because {a} + {c} = {a + c}.",
                f"The numbers give {b}{plus(d)} = {b + d}.",
            ),
            result,
            say(random, "(So the expression is|Simplified, it is) {r}.", r=result),
            check=f"For {x} = 1 the long form is {a} + {b}{plus(d)} + {c} = {a + b + c + d}, "
            f"and the short form {a + c}{plus(b + d)} = {a + b + c + d}.",
            wrong=(f"{a + c + b + d}{x}", f"{a * c}{x}{plus(b + d)}", f"{a + c}{x}{plus(b - d)}"),
            slip="Terms with the letter and terms without it cannot be put together.",
        )
    a, b = between(random, -9, 9) or 3, between(random, -9, 9) or -2
    middle = (" + " if a + b > 0 else " - ") + term(abs(a + b), x) if a + b else ""
    result = f"{x}^2{middle}{plus(a * b)}"
    expand = chance(random, 0.5)
    product = f"({x}{plus(a)})({x}{plus(b)})"
    wrong_sum = f"{x}^2{(' + ' if a * b > 0 else ' - ') + term(abs(a * b), x)}{plus(a + b)}"
    if expand:
        return Problem(
            say(random, "(Expand {e}.|Multiply out {e}.|Write {e} without brackets.)", e=product),
            (
                say(
                    random,
                    "(Every term of the first bracket meets every term of the second|Four "
                    "products arise, for each of two terms is multiplied by each of two others).",
                ),
                f"{x} times {x} is {x}^2; the outer and inner products give {term(b, x)} and "
                f"{term(a, x)}; the last one is {in_brackets(a)} × {in_brackets(b)} = {a * b}.",
                f"The middle terms go together: {a}{plus(b)} = {a + b}.",
            ),
            result,
            say(random, "(So|Therefore) {e} = {r}.", e=product, r=result),
            wrong=(
                f"{x}^2{plus(a * b)}",
                wrong_sum,
                f"{x}^2{middle}{plus(-a * b)}",
            ),
            slip="Do not forget the two products in the middle.",
        )
    roots = sorted({-a, -b})
    answer = " or ".join(f"{x} = {root}" for root in roots)
    return Problem(
        say(
            random,
            "(Solve {e} = 0.|Find all solutions of {e} = 0.|For which {x} is {e} = 0?)",
            e=result,
            x=x,
        ),
        (
            say(
                random,
                "(Look for|We need|Find) two numbers with the product {p} and the sum {s}: they "
                "are {a} and {b}, since {sa} × {sb} = {p} and {a}{pb} = {s}.",
                p=a * b,
                s=a + b,
                a=a,
                b=b,
                sa=in_brackets(a),
                sb=in_brackets(b),
                pb=plus(b),
            ),
            say(random, "(So the equation is|Factored, it reads) {e} = 0.", e=product),
            say(
                random,
                "(A product is zero only if one of its factors is zero|If a product vanishes, one "
                "factor must vanish).",
            ),
        ),
        answer,
        say(random, "(So|Therefore) {a}.", a=answer),
        wrong=(
            " or ".join(f"{x} = {-root}" for root in reversed(roots)),
            f"{x} = {a * b}",
            f"{x} = {a + b}",
        ),
        slip=f"The signs turn round: the factor {x}{plus(a)} is zero when {x} = {-a}.",
    )


def _expression_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Letters let us calculate with numbers that we do not know|In algebra a letter can stand "
        "for any number|An expression with letters is a recipe that works for every number). 3x "
        "means 3 times x, (and the sign is left out because it is clear|the sign between them is "
        "not written), and x^2 means x times x. (Like terms may be collected: 3x + 2x = 5x, just "
        "as three boxes and two boxes are five boxes|3x + 2x is 5x, whatever is in the box called "
        "x). (But 3x + 2 cannot be shortened, for a box and two loose things are not three "
        "boxes.|Brackets are opened by multiplying everything inside: 2(x + 5) = 2x + 10, for two "
        "bags that each hold x and 5 hold 2x and 10 together.)",
    )


def _system(random: Random, difficulty: int) -> Problem:
    x, y = between(random, -6, 12), between(random, -6, 12)
    if chance(random, 0.5):
        s, d = x + y, x - y
        equations = f"x + y = {s} and x - y = {d}"
        steps = (
            say(
                random,
                "(Add the two equations, because y then disappears|The y cancels when we add "
                "them): 2x = {t}.",
                t=s + d,
            ),
            f"So x = {s + d} ÷ 2 = {x}.",
            say(
                random,
                "(Put this into the first equation|From the first equation): y = {s} - {x} = {y}.",
                s=s,
                x=in_brackets(x),
                y=y,
            ),
        )
    else:
        a, b = between(random, 2, 6), between(random, 2, 6)
        k = between(random, -5, 5)
        left = a * x + b * (x + k)
        y = x + k
        equations = f"{a}x + {b}y = {left} and y = {'x' + plus(k)}"
        steps = (
            say(
                random,
                "(The second equation says what y is, so put it into the first|Replace y in the "
                "first equation by what the second says): {a}x + {b}(x{k}) = {l}.",
                a=a,
                b=b,
                k=plus(k),
                l=left,
            ),
            f"That is {a + b}x{plus(b * k)} = {left}, so {a + b}x = {left - b * k} and x = "
            f"{left - b * k} ÷ {a + b} = {x}.",
            f"Then y = {x}{plus(k)} = {y}." if k else f"Then y = {y}, too.",
        )
    answer = f"x = {x}, y = {y}"
    return Problem(
        say(
            random,
            "(Solve the system {e}.|Find x and y if {e}.|Two numbers x and y satisfy {e}. What "
            "are they?|Solve for x and y: {e}.)",
            e=equations,
        ),
        steps,
        answer,
        say(random, "(So|The solution is|Therefore) {a}.", a=answer),
        wrong=(
            f"x = {y}, y = {x}",
            f"x = {x + 1}, y = {y - 1}",
            f"x = {-x}, y = {-y}",
            f"x = {x}, y = {-y}",
        ),
        slip="A solution is a pair: both equations must be true at once.",
    )


def _system_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(One equation with two unknowns has many solutions|A single equation cannot fix two "
        "unknowns): x + y = 10 is true for 1 and 9, for 2 and 8, and so on. (A second equation "
        "picks one pair|Only with a second equation does one pair remain). (The aim is always to "
        "get rid of one letter|Whatever the method, the plan is to make one letter disappear), "
        "(by putting one equation into the other or by adding them|either by substitution or by "
        "adding the equations), (because an equation with one letter is something we know how to "
        "solve|for with a single letter we are back on known ground). (As a picture, each "
        "equation is a straight line, and the solution is the point where the lines cross.|In the "
        "end test the pair in both equations.)",
    )


TOPICS = (
    taught("algebra/expressions", "mathematics", (2, 3, 4), _expressions, _expression_lesson),
    taught("algebra/two unknowns", "mathematics", (4, 5), _system, _system_lesson),
)
