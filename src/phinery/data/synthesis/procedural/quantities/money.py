"""Bills, change, budgets and better offers."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.facts import SHOPS, SMALL_THINGS, THINGS
from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    counted,
    grouped,
    listed,
    people,
    pick,
    say,
    several,
)
from phinery.data.synthesis.procedural.quantities.coins import amount, currency_sign, plain


def _bill(random: Random, difficulty: int) -> Problem:
    p = people(random, 1)[0]
    sign = currency_sign(random)
    kinds = several(random, SMALL_THINGS if difficulty < 3 else THINGS, min(3, difficulty))
    counts = [between(random, 1 if len(kinds) > 1 else 2, 3 + difficulty) for _ in kinds]
    prices = [thing.price(random, 25 if difficulty == 1 else 5) for thing in kinds]
    total = sum(n * cents for n, cents in zip(counts, prices, strict=True))
    shop = pick(random, SHOPS)
    steps: list[str] = []
    for thing, n, cents in zip(kinds, counts, prices, strict=True):
        if n > 1:
            steps.append(
                say(
                    random,
                    "({n} {t} at {a} each|For the {t}): {n} × {c} = {v}.",
                    n=n,
                    t=thing.many,
                    a=amount(cents, sign),
                    c=plain(cents),
                    v=plain(n * cents),
                )
            )
    if len(kinds) > 1:
        parts = " + ".join(plain(n * cents) for n, cents in zip(counts, prices, strict=True))
        steps.append(
            say(
                random,
                "(Add it all up|All together|The bill is the sum): {p} = {v}.",
                p=parts,
                v=plain(total),
            )
        )
    items = [
        say(
            random,
            "{n} for {a} each" if n > 1 else "{n} for {a}",
            n=counted(n, thing.noun),
            a=amount(cents, sign),
        )
        for thing, n, cents in zip(kinds, counts, prices, strict=True)
    ]
    shopping = listed(items)
    kind = between(random, 0, 2) if difficulty > 1 else between(random, 0, 1)
    head = say(
        random,
        "(At the {s}, {p} buys|{p} goes to the {s} and buys|In the {s} {p} puts into the "
        "basket|{p} needs|{p} takes from the shelves of the {s}) {l}.",
        s=shop,
        p=p,
        l=shopping,
    )
    if kind == 0:
        prompt = (
            head
            + " "
            + say(
                random,
                "(How much is that|What does that cost|How much does {p.he} have to pay|What is "
                "the total) (in all|altogether)?",
                p=p,
            )
        )
        answer, value = amount(total, sign), total
        wrong = (
            total + 100,
            total - 50 if total > 100 else total + 5,
            sum(prices) if sum(prices) != total else total + 25,
        )
    else:
        notes = [n * 100 for n in (1, 2, 5, 10, 20, 50, 100, 200, 500) if n * 100 > total]
        if not notes:
            notes = [(total // 10_000 + 1) * 10_000]
        note = notes[0] if chance(random, 0.7) else notes[min(1, len(notes) - 1)]
        prompt = (
            head
            + " "
            + say(
                random,
                "{^p.he} (pays with|hands over|puts down|gives) {n}. (How much change does {p.he} "
                "get?|What does {p.he} get back?|How much comes back?|How much change is due?)",
                p=p,
                n=amount(note, sign),
            )
        )
        value = note - total
        steps.append(
            say(
                random,
                "(The change is what is paid less what it costs|Take the price from the money "
                "given): {n} - {t} = {v}.",
                n=plain(note),
                t=plain(total),
                v=plain(value),
            )
        )
        answer = amount(value, sign)
        wrong = (total, value + 100, value + 10, max(5, value - 10))
    return Problem(
        prompt,
        tuple(steps),
        answer,
        say(random, "(So the answer is {a}|That makes {a}|It is {a}).", a=answer),
        check="" if kind == 0 else f"{plain(total)} + {plain(value)} = {plain(total + value)}.",
        wrong=tuple(amount(w, sign) for w in wrong if w > 0),
        slip="Keep the points under one another: 5 cents are 0.05, not 0.5.",
    )


def _bill_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Money is counted in two sizes, wholes and hundredths|A price has two parts, before and "
        "after the point). (Several things of one kind are multiplied, different kinds are "
        "added|First multiply for each kind, then add the kinds). (Change is the difference "
        "between what is given and what is owed|To find the change, subtract; or count up from "
        "the price to the money given, as a cashier does). (Counting up is quick: from 3.60 to 4 "
        "it is 0.40, from 4 to 10 it is 6, so the change is 6.40.|It helps to calculate in cents, "
        "since then there is no point to lose.) (A rough total in the head tells you whether the "
        "bill can be right.|Round each price up, and you know at once whether the money will do.)",
    )


def _budget(random: Random, difficulty: int) -> Problem:
    p = people(random, 1)[0]
    sign = currency_sign(random)
    thing = pick(random, SMALL_THINGS)
    price = thing.price(random, 10)
    kind = between(random, 0, 2)
    if kind == 0:
        most = between(random, 2, 9 * difficulty)
        money = price * most + between(random, 0, max(0, price // 10 - 1)) * 10
        left = money - price * most
        prompt = say(
            random,
            "{p} has {m}. One {t} costs {c}. How many {ts} can {p.he} buy (at most|), and how "
            "much (is left|money is left over)?",
            p=p,
            m=amount(money, sign),
            t=thing.noun,
            ts=thing.many,
            c=amount(price, sign),
        )
        steps = (
            say(
                random,
                "(How often does the price fit into the money?|Divide, and keep only the whole "
                "part, for nobody sells half of one.) In cents, {m} = {n} × {c} + {r}.",
                m=money,
                n=most,
                c=price,
                r=left,
            ),
            f"For {most + 1} {p.he} would need {plain(price * (most + 1))}, which is more than "
            f"{plain(money)}.",
        )
        answer = f"{counted(most, thing.noun)}, {amount(left, sign)} left"
        wrong = (
            f"{counted(most + 1, thing.noun)}, {amount(left, sign)} left",
            f"{counted(most, thing.noun)}, {amount(left + 10, sign)} left",
            f"{counted(most - 1, thing.noun)}, {amount(left + price, sign)} left",
        )
        slip = "The rest must be less than the price of one."
    elif kind == 1:
        weekly, goal_weeks = between(random, 2, 12 * difficulty) * 50, between(random, 3, 20)
        have = between(random, 0, 20) * 100
        goal = have + weekly * goal_weeks - between(random, 0, weekly // 50 - 1) * 50
        object_ = pick(
            random,
            (
                "bicycle",
                "guitar",
                "tent",
                "telescope",
                "pair of skates",
                "drum",
                "camera",
                "sewing machine",
                "rucksack",
                "kayak trip",
                "music lesson book",
                "football",
            ),
        )
        prompt = say(
            random,
            "{p} is saving for a {o} that costs {g}. {^p.he} has {h} and puts aside {w} every "
            "week. After how many weeks is there enough?",
            p=p,
            o=object_,
            g=amount(goal, sign),
            h=amount(have, sign) if have else "nothing yet",
            w=amount(weekly, sign),
        )
        missing = goal - have
        weeks = -(-missing // weekly)
        steps = (
            say(
                random,
                "(What is still missing|First what is missing): {g} - {h} = {m}.",
                g=plain(goal),
                h=plain(have),
                m=plain(missing),
            ),
            f"In {weeks - 1} weeks there would be {weeks - 1} × {plain(weekly)} = "
            f"{plain((weeks - 1) * weekly)}, not enough yet."
            if weeks > 2
            else "One week alone is not enough.",
            f"In {weeks} weeks it is {weeks} × {plain(weekly)} = {plain(weeks * weekly)}, and "
            f"that is enough.",
        )
        answer, wrong = (
            f"{weeks} weeks",
            (
                f"{weeks - 1} weeks",
                f"{weeks + 1} weeks",
                f"{-(-goal // weekly)} weeks" if have else f"{weeks + 2} weeks",
            ),
        )
        slip = "Round up: one week too few leaves the purse too light."
    else:
        names = several(
            random,
            (
                "rent",
                "food",
                "travel",
                "clothes",
                "heating",
                "books",
                "telephone",
                "repairs",
                "insurance",
                "savings",
                "music lessons",
            ),
            between(random, 2, 4),
        )
        costs = [between(random, 3, 60) * 10 for _ in names]
        income = sum(costs) + between(random, 2, 40) * 10
        prompt = say(
            random,
            "{p} earns {i} a month. (Of this|From this) {l}. How much is left (at the end of the "
            "month|)?",
            p=p,
            i=amount(income * 100, sign),
            l="; ".join(
                f"{sign}{c} goes to {n}" if k == 0 else f"{sign}{c} to {n}"
                for k, (n, c) in enumerate(zip(names, costs, strict=True))
            ),
        )
        spent = sum(costs)
        steps = (
            f"The spending is {' + '.join(str(c) for c in costs)} = {spent}.",
            f"{grouped(income)} - {spent} = {income - spent}.",
        )
        answer, wrong = (
            amount((income - spent) * 100, sign),
            (
                amount(spent * 100, sign),
                amount((income - spent + 10) * 100, sign),
                amount((income - costs[0]) * 100, sign),
            ),
        )
        slip = "A budget works only if every expense is on the list."
    return Problem(
        prompt,
        steps,
        answer,
        say(random, "(So the answer is|It is|That makes) {a}.", a=answer),
        wrong=wrong,
        slip=slip,
    )


def _budget_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A budget is a plan for money|Whoever plans with money makes a list of what comes in and "
        "what goes out). (What comes in less what goes out is left|The rest is income minus "
        "spending); (if the rest is negative, something must be given up|a rest below zero means "
        "debt). (When we ask how many things the money will buy, we divide and round down; when "
        "we ask how long we must save, we divide and round up|Sometimes the remainder is dropped "
        "and sometimes it costs a whole week more, and only the story can tell). (Nobody can buy "
        "three quarters of a bicycle.|Numbers have to make sense in the world that they describe.)",
    )


def _best_buy(random: Random, difficulty: int) -> Problem:
    sign = currency_sign(random)
    thing = pick(random, SMALL_THINGS)
    per_a = thing.price(random, 5)
    per_b = per_a + pick(random, (-1, 1)) * between(random, 1, max(1, per_a // 10))
    if per_b <= 0:
        per_b = per_a + 1
    n, m = between(random, 2, 12), between(random, 2, 12)
    while n == m:
        m = between(random, 2, 12)
    cheaper = "first" if per_a < per_b else "second"
    prompt = say(
        random,
        "(One shop|The first seller|One stall) (offers|sells) {n} {t} for {a}, (another|the "
        "second) {m} for {b}. (Where is one {s} cheaper|Which offer is better per piece|Which is "
        "the better buy), the first or the second?",
        n=n,
        m=m,
        t=thing.many,
        s=thing.noun,
        a=amount(n * per_a, sign),
        b=amount(m * per_b, sign),
    )
    steps = (
        say(
            random,
            "(Compare the price of one|To compare, find the price of a single one): {a} ÷ {n} = "
            "{x}.",
            a=plain(n * per_a),
            n=n,
            x=plain(per_a),
        ),
        f"In the other case {plain(m * per_b)} ÷ {m} = {plain(per_b)}.",
        f"{plain(min(per_a, per_b))} is less than {plain(max(per_a, per_b))}.",
    )
    return Problem(
        prompt,
        steps,
        f"the {cheaper}",
        f"So the {cheaper} is the better offer, by {amount(abs(per_a - per_b), sign)} apiece.",
        wrong=("the first", "the second"),
        slip="The smaller total is not always the better price: it may simply be fewer pieces.",
    )


def _offer_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Shops sell the same thing in packs of different size, so totals are hard to "
        "compare|Three for one price or five for another: which is the better offer?). (The fair "
        "comparison is the price of one piece, or of one kilogram|Divide the price by the number "
        "of pieces). (The larger pack is often cheaper per piece, but not always, and it is no "
        "saving to buy what you do not need|Beware of the rule that more is cheaper; reckon it "
        "out). (One can also compare equal numbers: six of these against six of those.|A "
        "difference of a few cents matters only if you buy many.|Labels on shelves often print "
        "the price per kilogram for this very reason.)",
    )


TOPICS = (
    taught("money/bills and change", "mathematics", (1, 2, 3), _bill, _bill_lesson),
    taught("money/budgets and saving", "reasoning", (2, 3), _budget, _budget_lesson),
    taught("money/better offers", "reasoning", (2, 3), _best_buy, _offer_lesson),
)
