"""Syllogisms and if-then reasoning."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.facts import PLACES
from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import (
    between,
    chance,
    people,
    pick,
    plural,
    say,
    several,
    with_article,
)

_CHAINS = (
    # each kind is contained in the next
    ("poodle", "dog", "mammal", "animal"),
    ("sparrow", "bird", "animal", "living thing"),
    ("oak", "tree", "plant", "living thing"),
    ("rose", "flower", "plant", "living thing"),
    ("square", "rectangle", "parallelogram", "quadrilateral"),
    ("violin", "string instrument", "musical instrument", "object"),
    ("salmon", "fish", "animal", "living thing"),
    ("novel", "book", "publication", "object"),
    ("bee", "insect", "animal", "living thing"),
    ("canoe", "boat", "vehicle", "object"),
    ("cube", "prism", "solid", "figure"),
    ("tulip", "flower", "plant", "living thing"),
    ("cobra", "snake", "reptile", "animal"),
    ("surgeon", "doctor", "professional", "person"),
)


_MADE = (
    "blick",
    "dorf",
    "glim",
    "tarn",
    "vosk",
    "plint",
    "quab",
    "snark",
    "wump",
    "zeb",
    "frim",
    "lorp",
    "mib",
    "norl",
    "trell",
    "yorp",
    "kess",
    "drim",
    "pell",
    "grack",
)


def _syllogism(random: Random, difficulty: int) -> Problem:
    if difficulty > 1 and chance(random, 0.6):
        a, b, c = several(random, _MADE, 3)
    else:
        chain = pick(random, _CHAINS)
        start = between(random, 0, 1)
        a, b, c = chain[start], chain[start + 1], chain[start + 2]
    x, y, z = plural(a), plural(b), plural(c)
    p = people(random, 1)[0]
    forms = (
        # premises, question, answer, reason
        (
            f"All {x} are {y}. All {y} are {z}.",
            f"all {x} are {z}",
            "yes",
            f"(Whatever is {with_article(a)} is {with_article(b)}, and whatever is "
            f"{with_article(b)} is {with_article(c)}|The {x} lie inside the {y}, and the {y} "
            f"inside the {z}).",
        ),
        (
            f"All {x} are {y}. No {z} are {y}."
            if a in _MADE
            else f"All {x} are {y}. No stones are {y}.",
            f"some {x} are {z if a in _MADE else 'stones'}",
            "no",
            f"(Every {a} is {with_article(b)}, and nothing that is {with_article(b)} can be "
            f"{with_article(c if a in _MADE else 'stone')}|The two groups have nothing in common "
            f"with each other, because one lies among the {y} and the other outside).",
        ),
        (
            f"All {x} are {y}.",
            f"all {y} are {x}",
            "no",
            f"(The statement says where the {x} belong, not that there are no other {y}|There may "
            f"be {y} that are not {x}: the group of {y} can be larger).",
        ),
        (
            f"All {x} are {y}. No {y} are red.",
            f"some {x} are red",
            "no",
            f"(A red {a} would be a red {b}, and there is none|Since every {a} is among the {y}, "
            f"what is true of all {y} is true of it).",
        ),
        (
            f"Some {x} are {y}. All {y} are {z}."
            if a in _MADE
            else f"Some {x} are old. All old things are fragile.",
            f"some {x} are {z}" if a in _MADE else f"some {x} are fragile",
            "yes",
            (
                f"(Take one of the {x} that are {y}: it is also one of the {z}|Those {x} that are "
                f"{y} are {z} as well)."
                if a in _MADE
                else f"(Take one of the {x} that are old: it is fragile too|Those {x} that are old "
                f"are fragile)."
            ),
        ),
    )
    premises, claim, answer, reason = pick(random, forms)
    word = "follow" if answer == "yes" else "not follow"
    prompt = say(
        random,
        "{p} (Does it follow that {c}?|{n} concludes that {c}. Is that (conclusion "
        "|)(valid|right)?|Can we conclude that {c}?|Must it be true that {c}?)",
        p=premises,
        c=claim,
        n=p,
    )
    return Problem(
        prompt,
        (
            say(
                random,
                "(Take the statements as they stand, whether or not they are true in the "
                "world|Only the form counts, so picture the groups as circles|Forget what the "
                "words mean and look at how the groups lie).",
            ),
            say(random, reason),
        ),
        answer,
        say(random, "(So the conclusion does {w}|Therefore it does {w}).", w=word),
        wrong=("yes", "no"),
        slip="All A are B does not mean all B are A; turning a statement round is the "
        "oldest mistake in logic.",
    )


def _syllogism_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(Aristotle found that some conclusions are right because of their form alone|A "
        "conclusion is valid if it cannot be false while the premises are true|Logic asks what "
        "follows, not what is true). (Draw a circle for each group|Circles help): all A are B "
        "puts the circle of A inside that of B; no A are B puts the circles apart; some A are B "
        "lets them overlap. (If every drawing that fits the premises also shows the conclusion, "
        "it follows; one drawing that does not is enough to refute it|To refute a conclusion, one "
        "counterexample is enough). (Words without meaning are good practice, since they cannot "
        "tempt us to answer from knowledge.|A valid argument with false premises may lead to a "
        "false conclusion; it is still valid.)",
    )


_CONDITIONS = (
    ("it rains", "it does not rain", "the {place} is closed", "the {place} is open"),
    ("the lamp is on", "the lamp is off", "somebody is at home", "nobody is at home"),
    (
        "the alarm rings",
        "the alarm does not ring",
        "the door stays locked",
        "the door does not stay locked",
    ),
    (
        "{p} wins the game",
        "{p} does not win the game",
        "{q} washes the dishes",
        "{q} does not wash the dishes",
    ),
    ("the battery is empty", "the battery is not empty", "the radio is silent", "the radio plays"),
    ("the bus is late", "the bus is on time", "{p} walks", "{p} does not walk"),
    ("the bread has risen", "the bread has not risen", "the yeast is alive", "the yeast is dead"),
    (
        "a number ends in 0",
        "a number does not end in 0",
        "it is divisible by 5",
        "it is not divisible by 5",
    ),
    ("{p} has a key", "{p} has no key", "{p} can open the {place}", "{p} cannot open the {place}"),
    ("the flag is up", "the flag is down", "the king is in the castle", "the king is away"),
    (
        "the soil is dry",
        "the soil is moist",
        "{p} waters the plants",
        "{p} does not water the plants",
    ),
    ("the bell rings", "the bell does not ring", "the break begins", "the break does not begin"),
    ("the file is missing", "the file is there", "the program stops", "the program runs"),
    ("the ice is thick", "the ice is thin", "the children may skate", "the children may not skate"),
    (
        "the cat is hungry",
        "the cat is not hungry",
        "it sits by the door",
        "it does not sit by the door",
    ),
    (
        "the train is full",
        "the train is not full",
        "{q} takes the next one",
        "{q} does not take the next one",
    ),
)


def _if_then(random: Random, difficulty: int) -> Problem:
    p, q = people(random, 2)
    if_, not_if, then, not_then = _condition(random, p.name, q.name)
    rule = say(random, "(If {a}, (then |){b}.|Whenever {a}, {b}.|{^b} if {a}.)", a=if_, b=then)
    kind = between(random, 0, 3) if difficulty < 4 else between(random, 0, 4)
    if kind == 0:
        fact, claim, answer, valid = (
            if_,
            then,
            "yes",
            say(
                random,
                "(The condition is met, so the consequence must hold|The rule applies directly: "
                "what stands after if is true); this step is called modus ponens.",
            ),
        )
    elif kind == 1:
        fact, claim, answer, valid = (
            not_then,
            not_if,
            "yes",
            say(
                random,
                "(If the condition were met, the consequence would hold too, but it does "
                "not|Suppose the condition were true: then the rule would give the opposite of "
                "what we know); this is the contrapositive.",
            ),
        )
    elif kind == 2:
        fact, claim, answer, valid = (
            then,
            if_,
            "no",
            say(
                random,
                "(The consequence may have another cause|The rule does not say that this is the "
                "only way); to turn the rule round is called affirming the consequent.",
            ),
        )
    elif kind == 3:
        fact, claim, answer, valid = (
            not_if,
            not_then,
            "no",
            say(
                random,
                "(The rule is silent about what happens when the condition is not met|Nothing is "
                "said about the other case); this mistake is called denying the antecedent.",
            ),
        )
    else:
        fact, claim, answer, valid = (
            "",
            f"if {not_then}, {not_if}",
            "yes",
            say(
                random,
                "(The contrapositive says the same as the rule|A rule and its contrapositive are "
                "true in exactly the same cases): both are false only when the condition holds "
                "and the consequence does not.",
            ),
        )
    middle = f"{fact[0].upper()}{fact[1:]}. " if fact else ""
    prompt = say(
        random,
        "{r} {m}(Does it follow that {c}?|Can we be sure that {c}?|Must it be true that {c}?|Is "
        "it certain that {c}?)",
        r=rule,
        m=middle,
        c=claim,
    )
    return Problem(
        prompt,
        (
            say(
                random,
                "(Look which part of the rule we know|First see whether we know the condition or "
                "the consequence)."
                if fact
                else "(Compare the two rules case by case|Swap the two parts and negate both).",
            ),
            valid,
        ),
        answer,
        say(
            random,
            "(So it follows|Yes, it follows|So we can be sure)."
            if answer == "yes"
            else "(So it does not follow|No, we cannot be sure|It may be so, but it need not).",
        ),
        wrong=("yes", "no"),
        slip="From a rule and its consequence nothing follows about the condition.",
    )


def _condition(random: Random, p: str, q: str) -> tuple[str, str, str, str]:
    place = pick(random, PLACES)
    first, second, third, fourth = pick(random, _CONDITIONS)
    return (
        first.format(p=p, q=q, place=place),
        second.format(p=p, q=q, place=place),
        third.format(p=p, q=q, place=place),
        fourth.format(p=p, q=q, place=place),
    )


def _if_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A sentence with if and then is a promise about one case only|An if-then rule makes a "
        "promise). (If it rains, the street is wet says nothing about dry weather: a street can "
        "be wet because somebody washed a car|Whoever says that all who are ill stay at home does "
        "not say that all who stay at home are ill). (Two steps are safe: from the condition to "
        "the consequence, and from the missing consequence back to the missing condition|We may "
        "go forward with a true condition and backward with a false consequence). (The second "
        "step is called the contrapositive: if the street is not wet, it has not rained.|Two "
        "other steps look similar and are wrong: from the consequence to the condition, and from "
        "the missing condition to the missing consequence.)",
    )


TOPICS = (
    taught("logic/syllogisms", "reasoning", (1, 2, 3), _syllogism, _syllogism_lesson),
    taught("logic/if and then", "reasoning", (2, 3, 4), _if_then, _if_lesson),
)
