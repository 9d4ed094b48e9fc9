"""Discounts, taxes and interest."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from phinery.data.synthesis.procedural.facts import SHOPS, THINGS, Thing
from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    decimal,
    people,
    pick,
    say,
    with_article,
)
from phinery.data.synthesis.procedural.quantities.coins import amount, currency_sign, plain


def _discount(random: Random, difficulty: int) -> Problem:
    sign = currency_sign(random)
    thing: Thing = pick(random, [t for t in THINGS if t.cents[1] >= 1500])
    percent = pick(
        random, (10, 20, 25, 50) if difficulty == 2 else (5, 10, 15, 20, 25, 30, 35, 40, 60)
    )
    price = thing.price(random, 200 if difficulty == 2 else 100)
    while price * percent % 100:
        price += 100
    off = price * percent // 100
    kind = (1 if percent <= 25 and chance(random, 0.4) else 0) if difficulty < 4 else 2
    if kind == 0:
        prompt = say(
            random,
            "({^at} costs {a}.|The price of {at} is {a}.|In the window of the {s} stands {at} for "
            "{a}.) (In the sale|Today|On {day}) it is {k}% cheaper. What does it cost (now|then)?",
            at=with_article(thing.noun),
            a=amount(price, sign),
            s=pick(random, SHOPS),
            k=percent,
            day=pick(random, ("Friday", "Saturday", "the last day")),
        )
        steps = (
            say(
                random,
                "(First the discount|The reduction is {k}% of the price): {p} × {k} ÷ 100 = {o}.",
                k=percent,
                p=plain(price),
                o=plain(off),
            ),
            say(
                random,
                "(Take it off|Subtract it from the price): {p} - {o} = {v}.",
                p=plain(price),
                o=plain(off),
                v=plain(price - off),
            ),
        )
        value, wrong = price - off, (off, price + off, price - off + 100)
        check = (
            f"What remains is {100 - percent}% of the price: {plain(price)} × {100 - percent} ÷ "
            f"100 = {plain(price - off)}."
        )
    elif kind == 1:
        prompt = say(
            random,
            "{^at} costs {a} without tax. The tax is {k}%. What is the price with tax?",
            at=with_article(thing.noun),
            a=amount(price, sign),
            k=percent,
        )
        steps = (
            f"The tax is {plain(price)} × {percent} ÷ 100 = {plain(off)}.",
            f"{plain(price)} + {plain(off)} = {plain(price + off)}.",
        )
        value, wrong, check = price + off, (off, price - off, price + off + 100), ""
    else:
        second = 10
        price = -(-price // 1000) * 1000
        first_off = price * percent // 100
        middle = price - first_off
        last_off = middle * second // 100
        value = middle - last_off
        prompt = say(
            random,
            "{^at} for {a} is reduced by {k}%, and later the new price is reduced by another "
            "{z}%. What does it cost in the end?",
            at=with_article(thing.noun),
            a=amount(price, sign),
            k=percent,
            z=second,
        )
        steps = (
            f"First reduction: {plain(price)} × {percent} ÷ 100 = {plain(first_off)}, and "
            f"{plain(price)} - {plain(first_off)} = {plain(middle)}.",
            f"The second is taken from the new price: {plain(middle)} × {second} ÷ 100 = "
            f"{plain(last_off)}.",
            f"{plain(middle)} - {plain(last_off)} = {plain(value)}.",
        )
        wrong, check = (price - price * (percent + second) // 100, middle, first_off), ""
    return Problem(
        prompt,
        steps,
        amount(value, sign),
        say(random, "(So it costs {a}|The price is {a}|It is {a}).", a=amount(value, sign)),
        check,
        tuple(amount(w, sign) for w in wrong),
        "A discount belongs to the price at that moment; two discounts of 10% are not one of 20%.",
    )


def _discount_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A discount is a percentage of the price that need not be paid|Shops speak in percent, "
        "purses in money). (To get the new price, find the discount and subtract it|One way is to "
        "find the discount and take it off), or (take what remains: 20% off leaves 80%|go "
        "straight to the part that is left). (Taxes work in the other direction, since they are "
        "added|A tax is put on top in the same manner). (Percentages of different amounts must "
        "not be added: 10% off twice makes 19% off, because the second 10% is taken from less.|Be "
        "wary of large percentages of small prices.)",
    )


def _interest(random: Random, difficulty: int) -> Problem:
    p = people(random, 1)[0]
    sign = currency_sign(random)
    principal = between(random, 2, 90) * 100
    rate = between(random, 1, 8)
    years = between(random, 2, 6)
    if difficulty < 5 and chance(random, 0.6):
        yearly = Fraction(principal * rate, 100)
        total = yearly * years
        prompt = say(
            random,
            "{p} (lends|saves|puts into the bank) {m} at {r}% simple interest a year. How much "
            "interest (is that|does it bring) in {y} years?",
            p=p,
            m=amount(principal * 100, sign),
            r=rate,
            y=years,
        )
        steps = (
            say(
                random,
                "(One year brings|In one year): {m} × {r} ÷ 100 = {v}.",
                m=principal,
                r=rate,
                v=decimal(yearly),
            ),
            say(
                random,
                "(Simple interest is the same every year, so multiply|Each year brings the same): "
                "{v} × {y} = {t}.",
                v=decimal(yearly),
                y=years,
                t=decimal(total),
            ),
        )
        answer, wrong = (
            amount(int(total * 100), sign),
            (
                amount(int(yearly * 100), sign),
                amount(int((principal + total) * 100), sign),
                amount(int(total * 100) + 1000, sign),
            ),
        )
        slip = "Interest is not the whole balance; it comes on top of what was saved."
    else:
        years = between(random, 2, 3)
        rate = pick(random, (2, 3, 4, 5, 10))
        principal = between(random, 1, 30) * 1000
        balance = Fraction(principal)
        steps_list: list[str] = [
            say(
                random,
                "(With compound interest, the interest of one year earns interest in the "
                "next|Each year the interest joins the balance and earns interest itself).",
            )
        ]
        for year in range(1, years + 1):
            gain = balance * rate / 100
            steps_list.append(
                f"Year {year}: {decimal(balance)} × {rate} ÷ 100 = {decimal(gain)}, and "
                f"{decimal(balance)} + {decimal(gain)} = {decimal(balance + gain)}."
            )
            balance += gain
        steps = tuple(steps_list)
        prompt = say(
            random,
            "{p} (saves|invests|puts away) {m} at {r}% compound interest a year. How much is "
            "there after {y} years?",
            p=p,
            m=amount(principal * 100, sign),
            r=rate,
            y=years,
        )
        answer = (
            f"{sign}{decimal(balance)}"
            if balance.denominator == 1
            else f"{sign}{decimal(balance, 2)}"
        )
        wrong = (
            f"{sign}{decimal(principal * (1 + Fraction(rate * years, 100)))}",
            f"{sign}{decimal(balance - principal, 2)}",
            f"{sign}{decimal(balance + 100, 2)}",
        )
        slip = (
            "Compound interest is more than simple interest, and the difference grows with the "
            "years."
        )
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the answer is|It is|That makes) {a}.", a=answer),
        wrong=wrong,
        slip=slip,
    )


def _interest_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Interest is the rent for money|Who lends money can ask for a price, and the price is "
        "called interest|A bank pays for the use of your savings). (The rate is given in percent "
        "per year|It is reckoned in percent of the sum, year by year). With simple interest, "
        "(every year brings the same|the yearly amount does not change); with compound interest, "
        "(what has been earned earns too|each year starts from a larger balance). (At 10%, simple "
        "interest doubles a sum in ten years, compound interest in little more than seven.|At "
        "first the two hardly differ, but over decades compound interest runs away.)",
    )


TOPICS = (
    taught("money/discounts and taxes", "mathematics", (2, 3, 4), _discount, _discount_lesson),
    taught("money/interest", "mathematics", (3, 4, 5), _interest, _interest_lesson),
)
