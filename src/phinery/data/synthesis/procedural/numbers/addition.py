"""Addition and subtraction, with the reason for every step."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    grouped,
    phrase,
    pick,
    say,
)
from phinery.data.synthesis.procedural.numbers.written import (
    PLACES,
    digits_of,
    round_to,
    sum_prompt,
)


def _addends(random: Random, difficulty: int) -> tuple[int, int]:
    if difficulty == 1:
        return between(random, 3, 60), between(random, 2, 39)
    size = 10**difficulty
    return between(random, size // 10, size - 1), between(random, size // 20, size - 1)


def addition_steps(random: Random, a: int, b: int) -> list[str]:
    """The columns of a written addition, from the ones on."""
    steps: list[str] = []
    carry = 0
    x, y = digits_of(a), digits_of(b)
    for place in range(max(len(x), len(y))):
        first = x[place] if place < len(x) else 0
        second = y[place] if place < len(y) else 0
        total = first + second + carry
        shown = " + ".join(
            str(part)
            for part in (
                first if place < len(x) else None,
                second if place < len(y) else None,
                carry or None,
            )
            if part is not None
        )
        unit = PLACES[place]
        last = place == max(len(x), len(y)) - 1
        if " + " not in shown:
            steps.append(
                say(
                    random,
                    "(The {unit}: there is only {d} here, so it (stays|comes down|is copied)|Only "
                    "one number has {unit}, so the {d} comes down).",
                    unit=unit,
                    d=first or second,
                )
            )
        elif total >= 10 and not last:
            steps.append(
                say(
                    random,
                    "(Add the {unit}|The {unit} give|In the {unit} column|For the {unit}): "
                    "{shown} = {total}(, so write {d} and carry 1, because ten {unit} make one of "
                    "the next place|. That is ten {unit} and {d} more, so {d} stays here and the "
                    "ten moves left as 1|. Write {d}; the ten {unit} are one {next}, which is "
                    "carried|, so we write {d} and carry 1|. The {d} stays and 1 is carried to "
                    "the {nexts}).",
                    unit=unit,
                    shown=shown,
                    total=total,
                    d=total - 10,
                    next=PLACES[place + 1][:-1],
                    nexts=PLACES[place + 1],
                )
            )
        else:
            steps.append(
                say(
                    random,
                    "(Add the {unit}|The {unit} give|In the {unit} column|For the {unit}|Then the "
                    "{unit}): {shown} = {total}.",
                    unit=unit,
                    shown=shown,
                    total=total,
                )
            )
        carry = total // 10
    return steps


def _addition(random: Random, difficulty: int) -> Problem:
    a, b = _addends(random, difficulty)
    total = a + b
    if difficulty <= 2 and chance(random, 0.5):
        step = (10 - a % 10) % 10
        if step and step < b:
            steps = (
                say(
                    random,
                    "(Go to the next ten first|Jump to a round number first|Tens are easy to add "
                    "to, so aim for the next ten): {a} + {step} = {ten}.",
                    a=a,
                    step=step,
                    ten=a + step,
                ),
                say(
                    random,
                    "({step} of the {b} is used up, so|We had {b} to add and used {step}, so|Of "
                    "the {b},) {rest} (is left to add|remains|is still to be added): {ten} + "
                    "{rest} = {total}.",
                    step=step,
                    b=b,
                    rest=b - step,
                    ten=a + step,
                    total=total,
                ),
            )
        else:
            tens = b - b % 10
            steps = (
                say(
                    random,
                    "(Split|Break|Take apart) {b} into {parts}, (because|since) parts are easier "
                    "to add than the whole.",
                    b=b,
                    parts=f"{tens} and {b % 10}",
                ),
                say(
                    random,
                    "(Add|Put on|Take) the {which} first: {a} + {x} = {y}.",
                    which="larger part",
                    a=a,
                    x=tens,
                    y=a + tens,
                ),
                f"Then {a + tens} + {b % 10} = {total}.",
            )
    else:
        lead = say(
            random,
            "(Write the numbers under each other so that ones stand under ones|Line the numbers "
            "up on the right, so that each place has its column|Put the ones under the ones and "
            "the tens under the tens, for only like parts can be added|Work from the right, "
            "because a carry always moves to the left).",
        )
        steps = (lead, *addition_steps(random, a, b))
    near = 10 ** max(1, len(str(total)) - 1)
    rounded_a, rounded_b = round_to(a, near), round_to(b, near)
    checks = [
        say(
            random,
            "(Subtraction undoes addition|Take one number away again): {t} - {b} = {a}.",
            t=total,
            a=a,
            b=b,
        ),
        say(
            random,
            "(The order does not matter|Add in the other order): {b} + {a} = {t}.",
            t=total,
            a=a,
            b=b,
        ),
    ]
    if difficulty > 1 and rounded_a and rounded_b:
        checks.append(
            say(
                random,
                "(Round first|An estimate): {x} + {y} = {z}, (and {t} is close to that|which is "
                "near {t}|not far from {t}).",
                x=grouped(rounded_a),
                y=grouped(rounded_b),
                z=grouped(rounded_a + rounded_b),
                t=grouped(total),
            )
        )
    return Problem(
        sum_prompt(random, "+", a, b),
        tuple(steps),
        grouped(total),
        say(
            random,
            "(So {a} + {b} = {t}|The sum is {t}|The total is {t}|Together they make {t}|We have "
            "{a} + {b} = {t}).",
            a=a,
            b=b,
            t=total,
        ),
        check=pick(random, checks),
        wrong=(
            grouped(total + 10),
            grouped(total - 10) if total > 12 else grouped(total + 1),
            grouped(total + 1),
            grouped(total - 1),
            grouped(total + 100) if total > 100 else grouped(total + 2),
        ),
        slip=say(
            random,
            "Forgetting a carry makes the answer (too small|ten or a hundred too small); (write "
            "it above the next column|note it down at once).",
        ),
    )


def _addition_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(To add is to put together|Adding means joining two amounts and counting the "
        "whole|Addition answers the question: how many are there together?). (We add like to "
        "like|Ones go with ones and tens with tens|Only parts of the same size can be added), "
        "(just as you would count coins by their kind|because 3 tens and 4 ones are not 7 of "
        "anything|and that is why numbers are written in columns). (When a column holds ten or "
        "more|If the digits of a column make ten or more|As soon as a column reaches ten), ten of "
        "them are (exchanged for|bundled into|traded for) one of the next place, and that one is "
        "carried. (Nothing is lost in the exchange: ten ones and one ten are the same amount.|The "
        "value stays the same; only the way of writing changes.|The order of adding does not "
        "matter, which gives you a way to check: add from the bottom up.|It helps to guess first. "
        "A rough sum shows at once if a digit went astray.)",
    )


def subtraction_steps(random: Random, a: int, b: int) -> list[str]:
    """The columns of a written subtraction of b from a, from the ones on, after a first line."""
    steps = [
        say(
            random,
            "(Write {b} under {a} with the ones in line|Set {b} below {a}, places in line|Start "
            "with the ones, on the right).",
            a=a,
            b=b,
        )
    ]
    borrow = 0
    x, y = digits_of(a), digits_of(b)
    for place, digit in enumerate(x):
        if place >= len(y) and not borrow:
            steps.append(
                say(
                    random,
                    "(Nothing is taken from the {unit}|From the {unit} on, nothing is taken "
                    "away), so the rest stays as it is: {rest}.",
                    unit=PLACES[place],
                    rest=str(a // 10**place),
                )
            )
            break
        lower = y[place] if place < len(y) else 0
        have = digit - borrow
        owed = phrase(random, "( after lending 1| less the 1 that was lent)") if borrow else ""
        if have < 0:
            form = (
                "The {unit} have 0 and owe 1 already, so (borrow|take) one {next} and open it into "
                "ten {unit}, one of which is owed: (10 - 1 = 9, and |)9 - {lower} = {result}."
            )
        elif have < lower:
            form = (
                "(In the {unit} we have {digit}{owed}, too little to take {lower} from|The {unit}: "
                "{digit}{owed} is too small to take {lower} from), so (borrow|take) one {next} and "
                "open it into ten {unit}: {more} - {lower} = {result}."
            )
        else:
            form = (
                "(The {unit}|In the {unit} column|For the {unit}){owed}: {have} - {lower} = "
                "{result}."
            )
        steps.append(
            say(
                random,
                form,
                unit=PLACES[place],
                next=PLACES[place + 1][:-1],
                digit=digit,
                owed=owed,
                lower=lower,
                have=have,
                more=have + 10,
                result=(have - lower) % 10,
            )
        )
        borrow = int(have < lower)
    return steps


def _subtraction(random: Random, difficulty: int) -> Problem:
    if difficulty == 1:
        a = between(random, 12, 99)
        b = between(random, 3, a - 2)
    else:
        a = between(random, 10**difficulty // 5, 10**difficulty - 1)
        b = between(random, 10**difficulty // 20, a - 5)
    rest = a - b
    if difficulty <= 3 and chance(random, 0.4):
        steps: list[str] = [
            say(
                random,
                "(Count up from {b} to {a}; the jumps together are the difference|The difference "
                "is the distance from {b} to {a}, so we can walk it in easy jumps|Instead of "
                "taking away, ask what must be added to {b} to reach {a}).",
                a=a,
                b=b,
            )
        ]
        at = b
        jumps: list[int] = []
        for unit in (10, 100, 1000):
            target = -(-at // unit) * unit
            if at < target <= a:
                jumps.append(target - at)
                steps.append(f"From {at} to {target} is {target - at}.")
                at = target
        for unit in (1000, 100, 10, 1):
            if at < a:
                jump = (a - at) // unit * unit
                if jump:
                    jumps.append(jump)
                    steps.append(
                        say(
                            random,
                            "(From|Then from) {at} to {to} is {jump}.",
                            at=at,
                            to=at + jump,
                            jump=jump,
                        )
                    )
                    at += jump
        if len(jumps) > 1:
            steps.append(
                say(
                    random,
                    "(Put the jumps together|Add the jumps|The jumps add up): {sum} = {rest}.",
                    sum=" + ".join(str(jump) for jump in jumps),
                    rest=rest,
                )
            )
    else:
        steps = subtraction_steps(random, a, b)
    return Problem(
        sum_prompt(random, "-", a, b),
        tuple(steps),
        grouped(rest),
        say(
            random,
            "(So {a} - {b} = {r}|The difference is {r}|That leaves {r}|What remains is {r}).",
            a=grouped(a),
            b=grouped(b),
            r=grouped(rest),
        ),
        check=say(
            random,
            "(Add back|Addition undoes subtraction|Put back what was taken): {r} + {b} = {a}.",
            a=grouped(a),
            b=grouped(b),
            r=grouped(rest),
        ),
        wrong=(
            grouped(rest + 10),
            grouped(rest + 1),
            grouped(rest + 2),
            grouped(a + b),
            grouped(rest + 100) if rest > 60 else grouped(rest + 4),
        ),
        slip=say(
            random,
            "Do not turn a column round and take the upper digit from the lower one; (borrow "
            "instead|that changes the question).",
        ),
    )


def _subtraction_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Subtraction has two faces|We subtract for two reasons|There are two ways to see a "
        "subtraction). (It can mean taking away|One is taking away), as when (some of the bread "
        "is eaten|coins leave a purse|people get off a bus). (It can also mean comparing|The "
        "other is comparing): how much (taller is the tree than the fence|longer is one road than "
        "the other|older is one sister than the other)? (Both lead to the same sum.|The "
        "calculation is the same.|Either way we look for what must be added to the smaller number "
        "to get the larger.) When a digit is too small, we (break up|open|change) one unit of the "
        "next place into ten of this one. (This is fair, because one ten and ten ones are worth "
        "the same.|The number does not change; it is only written in another way.|It is like "
        "changing a ten-coin note into single coins in order to pay.)",
    )


TOPICS = (
    taught("arithmetic/addition", "mathematics", (1, 2, 3, 4), _addition, _addition_lesson),
    taught(
        "arithmetic/subtraction", "mathematics", (1, 2, 3, 4), _subtraction, _subtraction_lesson
    ),
)
