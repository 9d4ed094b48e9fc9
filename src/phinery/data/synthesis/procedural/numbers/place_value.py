"""Place value, rounding and estimation."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    grouped,
    listed,
    number_words,
    pick,
    plural,
    say,
)
from phinery.data.synthesis.procedural.numbers.written import PLACES, digits_of, round_to


def _place_value(random: Random, difficulty: int) -> Problem:
    length = difficulty + between(random, 1, 2)
    number = between(random, 10 ** (length - 1) + 1, 10**length - 1)
    digits = digits_of(number)
    shown = grouped(number)
    if chance(random, 0.35):
        words = number_words(number)
        prompt = say(
            random,
            "(Write|How do you write|Put) (the number |){words} in (digits|figures){end}",
            words=words,
            end="",
        )
        prompt += "?" if prompt.startswith("How") else "."
        parts = [
            f"{digits[place]} in the {PLACES[place]} place" for place in range(length - 1, -1, -1)
        ]
        steps = (
            say(
                random,
                "(Read the words from the left, because the largest part is said first|The words "
                "name the largest part first, so work from the left|Each word tells us a digit "
                "and the place it stands in).",
            ),
            say(random, "(We get|That gives|The words mean) {parts}.", parts=listed(parts)),
            *(
                (
                    say(
                        random,
                        "(A place that no word names gets a zero, which keeps the other digits in "
                        "their places|Where nothing is said we write 0; without it, the digits "
                        "before it would slide to a smaller place).",
                    ),
                )
                if 0 in digits
                else ()
            ),
        )
        wrong = [str(number // 10), str(number * 10), "".join(sorted(str(number), reverse=True))]
        return Problem(
            prompt,
            steps,
            shown,
            say(random, "(So the number is|We write) {n}.", n=shown),
            wrong=tuple(grouped(int(text)) for text in wrong),
        )
    place = pick(random, [place for place, digit in enumerate(digits) if digit])
    if digits.count(digits[place]) > 1:
        prompt = say(
            random,
            "(What is the value of|What amount is shown by) the {d} in the {place} place of {n}?",
            d=digits[place],
            place=PLACES[place],
            n=shown,
        )
    else:
        prompt = say(
            random,
            "(What is the value of the digit {d} in {n}?|In {n}, what does the (digit |){d} stand "
            "for?|How much is the (digit |){d} worth in (the number |){n}?|Look at {n}. What is "
            "the {d} worth?)",
            d=digits[place],
            n=shown,
        )
    value = digits[place] * 10**place
    parts = " + ".join(
        grouped(digit * 10**power) for power, digit in reversed(list(enumerate(digits))) if digit
    )
    steps = (
        say(
            random,
            "(Count the places from the right|Start at the right end and name the places|The "
            "places, from the right, are): {places}.",
            places=", ".join(PLACES[:length]),
        ),
        say(
            random,
            "(The {d} stands in|We find the {d} in) the {place} place, (so|and so|which means "
            "that) it (counts|means|tells of) {d} {unit}.",
            d=digits[place],
            place=PLACES[place],
            unit=PLACES[place] if digits[place] > 1 else PLACES[place][:-1],
        ),
    )
    return Problem(
        prompt,
        steps,
        grouped(value),
        say(random, "(It is worth|Its value is|So it stands for) {v}.", v=grouped(value)),
        check=say(random, "(Taken apart|Written out|In full), {n} = {parts}.", n=shown, parts=parts)
        if sum(1 for digit in digits if digit) > 1
        else "",
        wrong=(
            str(digits[place]),
            grouped(value * 10),
            grouped(max(1, value // 10)),
            grouped(value + 1),
        ),
        slip=say(
            random,
            "The (digit|figure) alone is not its value; (its place decides|what counts is where "
            "it stands).",
        ),
    )


def _place_value_lesson(random: Random, difficulty: int) -> str:
    digit = between(random, 2, 9)
    return say(
        random,
        "(We write every number with only ten digits|Ten digits, 0 to 9, are enough to write any "
        "number|It is a wonder that ten small signs can write every number). (The trick is "
        "that|This works because|What makes it possible is that) (the place of a digit decides "
        "how much it is worth|a digit is worth more the further left it stands|each place is "
        "worth ten times the place to its right). An example: the digit {d} in the ones place is "
        "just {d}, (but|while) (one place to the left|in the tens place) it means {tens}, and in "
        "the hundreds place {hundreds}. (Zero is as important as the other digits: it holds a "
        "place open.|The zero keeps a place when there is nothing in it, so 50{d} and 5{d} are "
        "different numbers.|Why ten? Most likely because people have always counted on ten "
        "fingers.)",
        d=digit,
        tens=digit * 10,
        hundreds=digit * 100,
    )


def _rounding(random: Random, difficulty: int) -> Problem:
    unit = 10 ** between(random, 1, min(4, difficulty + 1))
    number = between(random, unit * 2, unit * 90)
    while number % unit == 0:
        number += between(random, 1, unit - 1)
    low = number // unit * unit
    high = low + unit
    result = round_to(number, unit)
    name = {10: "ten", 100: "hundred", 1000: "thousand", 10_000: "ten thousand"}[unit]
    context = pick(
        random,
        (
            "",
            "",
            "A stadium sold {n} tickets. ",
            "A town has {n} inhabitants. ",
            "A library owns {n} books. ",
            "A truck drove {n} km in a year. ",
            "A bakery made {n} rolls last season. ",
            "An election counted {n} votes. ",
        ),
    ).format(n=grouped(number))
    if unit < 100 and context:
        context = ""
    prompt = context + say(
        random,
        "(Round {n} to the nearest {name}.|What is {n} to the nearest {name}?|Give {n} rounded to "
        "the nearest {name}.|Which multiple of {unit} is closest to {n}?)",
        n="this number" if context and chance(random, 0.4) else grouped(number),
        name=name,
        unit=grouped(unit),
    )
    below, above = number - low, high - number
    steps = [
        say(
            random,
            "(The neighbours among the {name}s are|{n} lies between|We have two candidates,) "
            "{low} and {high}.",
            name=name,
            n=grouped(number),
            low=grouped(low),
            high=grouped(high),
        )
    ]
    if below == above:
        steps.append(
            say(
                random,
                "(It stands exactly in the middle|Both are equally far), and (by agreement|as a "
                "rule) we then round up.",
            )
        )
    else:
        steps.append(
            say(
                random,
                "(From {low} it is {x} away, from {high} it is {y}|The distances are {x} and {y}, "
                "so the nearer one is {r}|The middle is {mid}, and {n} is {side} it).",
                low=grouped(low),
                high=grouped(high),
                x=grouped(below),
                y=grouped(above),
                r=grouped(result),
                mid=grouped(low + unit // 2),
                n=grouped(number),
                side="above" if below > above else "below",
            )
        )
    return Problem(
        prompt,
        tuple(steps),
        grouped(result),
        say(
            random,
            "(So we round {way} to {r}|Rounded, it is {r}|The rounded number is {r}).",
            way="up" if result == high else "down",
            r=grouped(result),
        ),
        wrong=(
            grouped(low),
            grouped(high),
            grouped(result + unit),
            grouped(round_to(number, unit // 10) if unit > 10 else number),
        ),
        slip=say(
            random,
            "Look only at the digit just right of the {name}s; rounding digit by digit can lead "
            "astray.",
            name=name,
        ),
    )


def _rounding_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Not every digit matters|Often we do not need every digit|Exact numbers can hide what is "
        "important). (Somebody who asks how many people live in a city does not want to hear "
        "84,317; about 84,000 is a better answer|A newspaper writes about 20,000 visitors, not "
        "19,876|If you want to know whether your money is enough, a rough total will do). To "
        "round, (find the two round numbers on either side|look for the nearest round number "
        "above and below) and choose the closer one. (The digit right after the place you round "
        "to decides: 0 to 4 go down, 5 to 9 go up.|A 5 in the deciding place goes up; that is a "
        "custom, chosen so that all do the same.) (Rounding is also a shield against mistakes: an "
        "exact result that is far from the rounded one must be wrong.|Use it to check: if the "
        "estimate and the result disagree, look again.)",
    )


def _estimation(random: Random, difficulty: int) -> Problem:
    a = between(random, 11, 99) if difficulty == 2 else between(random, 110, 990)
    b = between(random, 11, 99)
    while a % 10 == 0 or b % 10 == 0:
        a, b = a + 1, b + 1
    unit = 10 if a < 100 else 100
    x, y = round_to(a, unit), round_to(b, 10)
    what, per = pick(
        random,
        (
            ("seats", "row"),
            ("pages", "book"),
            ("bricks", "layer"),
            ("letters", "line"),
            ("trees", "row"),
            ("bottles", "crate"),
            ("words", "page"),
            ("stitches", "round"),
            ("passengers", "train"),
            ("plants", "bed"),
        ),
    )
    prompt = say(
        random,
        "(There are|A {place} has|Somebody counts) {b} {pers} with about {a} {what} each. "
        "Estimate the (total |whole |)number of {what} by rounding both numbers to one (leading "
        "|)digit.",
        a=a,
        b=b,
        what=what,
        pers=plural(per),
        place=pick(random, ("firm", "town", "museum", "school", "club")),
    )
    exact = a * b
    estimate = x * y
    direction = "more" if estimate < exact else "less"
    steps = (
        say(
            random,
            "(Round each number so that the sum can be done in the head|Keep only the leading "
            "digit): {a} is about {x} and {b} is about {y}.",
            a=a,
            b=b,
            x=x,
            y=y,
        ),
        say(
            random,
            "(Multiply the round numbers|Now the product is easy): {x} × {y} = {z}.",
            x=x,
            y=y,
            z=grouped(estimate),
        ),
    )
    return Problem(
        prompt,
        steps,
        f"about {grouped(estimate)}",
        say(
            random,
            "(So there are about {z} {what}|The estimate is about {z} {what}).",
            z=grouped(estimate),
            what=what,
        ),
        check=say(
            random,
            "(Exactly|With every digit), {a} × {b} = {e}, which is {dir} than the estimate "
            "(but|and) of the same size.",
            a=a,
            b=b,
            e=grouped(exact),
            dir=direction,
        )
        if estimate != exact
        else "",
        wrong=(
            f"about {grouped(estimate * 10)}",
            f"about {grouped(estimate // 10)}",
            f"about {grouped(x + y)}",
        ),
        slip="Count the zeros with care: one zero too many makes the estimate ten times too large.",
    )


def _estimation_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(An estimate is a thoughtful guess|Estimating is not guessing blindly; it is calculating "
        "with easy numbers|A good estimate takes three seconds and catches most mistakes). (Round "
        "every number to its leading digit|Change each number into a friendly one nearby), and "
        "(calculate with those|do the easy sum). (If both numbers were rounded up, the estimate "
        "is too large; if one went up and one down, the errors partly cancel.|The answer will be "
        "off by a little, and it tells you the size that the true answer must have.|It is enough "
        "to know whether the result has three digits or four.)",
    )


TOPICS = (
    taught("arithmetic/place value", "mathematics", (1, 2, 3), _place_value, _place_value_lesson),
    taught("arithmetic/rounding", "mathematics", (1, 2, 3), _rounding, _rounding_lesson),
    taught("arithmetic/estimation", "mathematics", (2, 3), _estimation, _estimation_lesson),
)
