"""Word problems: stories whose events are sums."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.facts import (
    COLLECTED,
    PLACES,
    SHOPS,
    TOWNS,
)
from phinery.data.synthesis.procedural.forms import Problem, near_numbers, taught
from phinery.data.synthesis.procedural.grammar import (
    Person,
    between,
    chance,
    counted,
    noun_for,
    number_words,
    people,
    pick,
    plural,
    say,
)

_DISTRACTORS = (
    "{^p.s} (sister|brother|cousin|neighbour|aunt) is {k} years old.",
    "It is the {o} day of the (month|holidays).",
    "The (bus|tram|train) to the {place} leaves at {h} o'clock.",
    "The (room|kitchen|hall) has {w} windows.",
    "{^p} lives at number {k}.",
    "The sun (has been shining|shines) for {h} hours.",
    "There are {w} chairs round the table.",
    "{^p.s} rucksack is {c}.",
    "{^p} is {k2} centimetres tall.",
    "The {place} opened {k} years ago.",
    "On the wall hangs a (clock|picture|map) that {p.he} (likes|has known for {w} years).",
    "A (dog|cat) sleeps under the (table|bench).",
    "It is (raining|windy|warm|cold) outside.",
    "The (radio|clock) in the hall (is old|has just been repaired).",
    "{^p.s} (grandmother|uncle|friend) comes from {town}.",
    "The {place} is {w} minutes away on foot.",
    "{^p} has been up since {h} o'clock.",
    "Somebody has painted the door of the {place} {c}.",
)


def _distractor(random: Random, person: Person) -> str:
    return say(
        random,
        pick(random, _DISTRACTORS),
        p=person,
        k=between(random, 8, 60),
        o=pick(random, ("first", "second", "third", "fifth", "tenth", "last")),
        place=pick(random, PLACES),
        h=between(random, 6, 11),
        w=between(random, 2, 9),
        c=pick(random, ("red", "blue", "green", "yellow", "grey")),
        k2=between(random, 128, 182),
        town=pick(random, TOWNS),
    )


_MORE = (
    "{^p.he} (finds|discovers|picks up) {n} more (in a drawer|under the bed|on the way home|in an "
    "old coat|behind the cupboard)",
    "{q} gives {p.him} {n} more(| as a present| for helping in the garden| out of kindness)",
    "{^p.he} (buys|gets) {n} more (at the {shop}|in {town}|from a friend)",
    "{^p.his} (uncle|aunt|grandmother|neighbour) (sends|brings|leaves) {p.him} {n}",
    "{^p.he} wins {n} (in a game|at a fair|in a raffle)",
    "(In the afternoon|Later|The next day|On {day}) {p.he} adds {n}",
    "{q} gives {p.him} {n} in return for an old game",
)


_LESS = (
    "{^p.he} gives {n} (to {q}|away|to {p.his} (sister|brother|cousin|neighbour))",
    "{^p.he} loses {n} (on the way|at the {place}|through a hole in {p.his} pocket|somewhere)",
    "{q} (borrows|takes|is given) {n}",
    "{^p.he} sells {n} (at the {shop}|to a collector|to {q})",
    "{n} (break|get wet and are thrown away|go missing|are damaged)",
    "(In the evening|Later|The next day|On {day}) {p.he} gives {n} away",
    "{^p.he} puts {n} aside for {q}",
    "{^p.he} leaves {n} (in {town}|at the {place})",
)


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _events(random: Random, difficulty: int) -> Problem:
    p, q = people(random, 2)
    noun = pick(random, COLLECTED)
    thing = plural(noun)
    big = (20, 60, 300, 2000)[difficulty - 1]
    have = start = between(random, big // 4, big)
    count = (1, 2, 3, 4)[difficulty - 1]
    sentences = [
        say(
            random,
            "{p} (has|owns|has collected|keeps|starts with) {n} {t}(| in a box| in a jar| on a "
            "shelf| in a drawer| in {p.his} room).",
            p=p,
            n=start,
            t=thing,
        )
    ]
    steps: list[str] = []
    wrong = start
    for _ in range(count):
        kind = pick(
            random, ("more", "less", "times", "half") if difficulty >= 3 else ("more", "less")
        )
        if (kind == "half" and (have % 2 or have < 10)) or (kind == "times" and have > big):
            kind = "less" if have > 8 else "more"
        if kind == "less" and have < 5:
            kind = "more"
        if kind == "times":
            factor = between(random, 2, 4)
            sentences.append(
                say(
                    random,
                    "(Within a year|After that|By the summer|Thanks to {q}) the number grows to "
                    "{w} what it was.",
                    q=q,
                    w={2: "twice", 3: "three times", 4: "four times"}[factor],
                )
            )
            steps.append(
                say(
                    random,
                    "(To grow to {f} times the number means multiplying|The number is "
                    "multiplied): {a} × {f} = {b}.",
                    f=factor,
                    a=have,
                    b=have * factor,
                )
            )
            wrong += factor
            have *= factor
        elif kind == "half":
            sentences.append(
                say(
                    random,
                    "(Half of them go|Exactly half of what {p.he} then has goes) to {q}."
                    if chance(random, 0.5)
                    else "{^p.he} gives half of all {t} to {q}.",
                    p=p,
                    q=q,
                    t=thing,
                )
            )
            steps.append(
                say(
                    random,
                    "(Half goes away and half stays|Only half remains): {a} ÷ 2 = {b}.",
                    a=have,
                    b=have // 2,
                )
            )
            wrong -= 2
            have //= 2
        else:
            amount = (
                between(random, 2, max(3, big // 3))
                if kind == "more"
                else between(random, 2, max(2, min(have - 2, big // 3)))
            )
            frame = pick(random, _MORE if kind == "more" else _LESS)
            text = say(
                random,
                frame,
                p=p,
                q=q,
                n=amount if not frame.startswith("{n}") else number_words(amount),
                shop=pick(random, SHOPS),
                town=pick(random, TOWNS),
                day=pick(random, _DAYS),
                place=pick(random, PLACES),
            )
            sentences.append(
                (
                    say(random, "(Then|After that|Next|Soon after|A little later), ")
                    + text[0].lower()
                    + text[1:]
                    if text.split()[0] in ("He", "She", "His", "Her") and chance(random, 0.5)
                    else text
                )
                + "."
            )
            sign = "+" if kind == "more" else "-"
            steps.append(
                say(
                    random,
                    "({^how}|{^how}, so we {verb}|Since {low}, {verb}): {a} {s} {n} = {b}.",
                    how=pick(
                        random,
                        ("that makes more", "the number goes up", "these come on top")
                        if kind == "more"
                        else ("that leaves fewer", "the number goes down", "these are gone"),
                    ),
                    low="some are added" if kind == "more" else "some are taken away",
                    verb="add" if kind == "more" else "subtract",
                    a=have,
                    s=sign,
                    n=amount,
                    b=have + amount if kind == "more" else have - amount,
                )
            )
            wrong += -amount if kind == "more" else amount
            have = have + amount if kind == "more" else have - amount
    if chance(random, 0.35):
        sentences.insert(between(random, 1, len(sentences)), _distractor(random, p))
    question = say(
        random,
        "(How many {t} does {p} have (now|then|in the end|at the end)?|How many {t} are left with "
        "{p}?|What number of {t} has {p} (now|in the end)?|How many {t} is that in the end?)",
        t=thing,
        p=p,
    )
    return Problem(
        " ".join((*sentences, question)),
        tuple(steps),
        counted(have, noun),
        say(
            random,
            "(So {p} has {n} {t}|In the end {p} has {n} {t}|{p} ends with {n} {t}).",
            p=p,
            n=have,
            t=noun_for(have, noun),
        ),
        check=say(
            random,
            "(Go backwards through the story|Walk back), and you (come to|reach) {n} again.",
            n=start,
        ),
        wrong=tuple(
            counted(int(v.replace(",", "")), noun)
            for v in (*near_numbers(random, have), str(max(1, wrong)))
        ),
        slip=say(
            random,
            "(Not every number in a story belongs to the sum|Ask of each sentence whether the "
            "number goes up or down|Read to the end before you calculate).",
        ),
    )


def _story_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A word problem is a sum in disguise|In a word problem the hard part is to see which sum "
        "it is|Numbers in a story have names, and the names tell what to do with them). (Read it "
        "twice: once to see what happens, once to collect the numbers|First find out what is "
        "asked, then look for what helps|Begin at the end, with the question, so that you know "
        "what to look for). (Some sentences only paint the scene|Not every number is needed|Some "
        "numbers are there only for colour). (Whatever comes in is added, whatever leaves is "
        "subtracted; equal groups are multiplied, sharing is dividing|Ask at each event: does the "
        "amount grow, shrink, repeat or get shared?). (At the end look back: does the answer fit "
        "the story?|A half child or a walk of 900 km an hour tells you that something went "
        "wrong.|Say the answer in a full sentence; it shows whether you answered what was asked.)",
    )


def _compare(random: Random, difficulty: int) -> Problem:
    p, q, r = people(random, 3)
    noun = pick(random, COLLECTED)
    things = plural(noun)
    base = between(random, 3, 15 * difficulty)
    more, times = between(random, 2, 8 * difficulty), between(random, 2, 5)
    order = chance(random, 0.5)
    second = base + more
    third = times * base if order else times * second
    word = {2: "twice", 3: "three times", 4: "four times", 5: "five times"}[times]
    facts = [
        say(random, "{p} has {n} {t}.", p=p, n=base, t=things),
        say(random, "({q} has {m} more than {p}|{p} has {m} fewer than {q}).", p=p, q=q, m=more),
        say(random, "{r} has {w} as many as {x}.", r=r, w=word, x=p if order else q),
    ]
    if difficulty > 2:
        facts = [
            facts[place] for place in pick(random, ((0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)))
        ]
    kind = between(random, 0, 2)
    steps = [
        say(
            random,
            "({q} has {m} more than {p}, so add|More means adding): {b} + {m} = {s}.",
            p=p,
            q=q,
            b=base,
            m=more,
            s=second,
        ),
        say(
            random,
            "(For {r} multiply, because {w} as many means {k} equal groups|{r} has {k} times the "
            "number of {x}): {k} × {y} = {z}.",
            r=r,
            w=word,
            k=times,
            x=p if order else q,
            y=base if order else second,
            z=third,
        ),
    ]
    if kind == 0:
        question, value = f"How many {things} does {r} have?", third
        if order:
            steps = steps[1:]
    elif kind == 1:
        question, value = (
            say(random, "How many {t} do the three have (together|in all|altogether)?", t=things),
            base + second + third,
        )
        steps.append(f"Together: {base} + {second} + {third} = {value}.")
    else:
        high, low = max(third, second), min(third, second)
        if high == low:
            high, low, question, value = (
                third,
                base,
                f"How many more {things} does {r} have than {p}?",
                third - base,
            )
        else:
            x, y = (r, q) if third > second else (q, r)
            question, value = f"How many more {things} does {x} have than {y}?", high - low
        steps.append(f"The difference is {high} - {low} = {value}.")
    return Problem(
        " ".join((*facts, question)),
        tuple(steps),
        str(value),
        say(random, "(So the answer is {v}|The answer is {v}|It is {v}).", v=value),
        wrong=(*near_numbers(random, value), str(base + more + times)),
        slip=f"Mind who is compared with whom: {p if order else q} is the measure for {r}.",
    )


def _comparison_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Comparing can be done in two ways, by difference and by ratio|More than and times as "
        "many are two different comparisons). (Five more than somebody means adding 5; five times "
        "as many means multiplying by 5|With more we add, with times we multiply). (The tricky "
        "part is the direction: if Ann has 3 fewer than Ben, Ben has 3 more than Ann|Turn the "
        "sentence round if it helps: fewer for one is more for the other). (Start with the person "
        "whose number is given and walk from one to the next|Find the sentence that gives a plain "
        "number; everything else hangs on it). (A small picture with bars of different length "
        "makes the rest clear.|Then look at what is asked: one number, the sum or a "
        "difference.|At the end test each sentence of the story with your numbers.)",
    )


TOPICS = (
    taught("word problems/events in a row", "reasoning", (1, 2, 3, 4), _events, _story_lesson),
    taught("word problems/comparisons", "reasoning", (1, 2, 3), _compare, _comparison_lesson),
)
