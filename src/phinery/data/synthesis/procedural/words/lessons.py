"""Questions on words and sentences whose answers follow from the lexicon by rules."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.forms import Problem
from phinery.data.synthesis.procedural.grammar import (
    between,
    capitalized,
    chance,
    listed,
    ordinal_words,
    people,
    phrase,
    pick,
    plural,
    several,
    shuffled,
    with_article,
)
from phinery.data.synthesis.procedural.wording import vary
from phinery.data.synthesis.procedural.words.lexicon import (
    ACTORS,
    ADJECTIVES,
    ADVERBS,
    ANTONYMS,
    CLASSES,
    CONNECTIVES,
    DEEDS,
    JOINED,
    NOUNS,
    PLACES,
    REGULAR,
    RELATIONS,
    SYNONYMS,
    VERBS,
)


def quoted(word: str) -> str:
    """A word as it is spoken of."""
    return f'"{word}"'


def past_of(verb: str) -> str:
    """The past tense of a regular verb."""
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ied"
    if verb in {"stop", "plan", "drop", "rub"}:
        return verb + verb[-1] + "ed"
    return verb + "ed"


def plural_reason(noun: str) -> str:
    """Why the plural of a noun is formed as it is."""
    many = plural(noun)
    if many == noun:
        return f"{quoted(noun)} is one of the few nouns that do not change in the plural"
    if many == noun[:-1] + "ies":
        return f"{quoted(noun)} ends in a consonant and y, and such a y becomes ies"
    if many == noun + "es" and noun.endswith("o"):
        return f"{quoted(noun)} ends in o and belongs to the nouns that take es"
    if many == noun + "es":
        return f"{quoted(noun)} ends in a hissing sound, so es is added to make it easy to say"
    if many.endswith("ves"):
        return f"{quoted(noun)} belongs to the nouns whose f or fe becomes ves"
    if many == noun + "s":
        extra = ", and y after a vowel stays" if noun.endswith("y") else " as with most nouns"
        return f"s is added to {quoted(noun)}{extra}"
    return f"{quoted(noun)} has an old irregular plural that one has to learn"


def plural_problem(random: Random, difficulty: int) -> Problem:
    """The plural of a noun."""
    noun = pick(random, NOUNS)
    many = plural(noun)
    stem = noun[:-1]
    wrong = (noun + "s", noun + "es", stem + "ies", stem + "ves", noun + "en", noun + "'s")
    sentence = pick(
        random,
        (
            "there is one {n} in the picture",
            "I saw a single {n}",
            "we need only one {n}",
            "here comes one {n}",
        ),
    )
    return Problem(
        vary(random, "(what is the plural of {q}?|how do we write more than one {n}?|" + sentence +
            ". what would we say of several?|give the plural form: one {n}, two ...?)",
            q=quoted(noun), n=noun),
        (capitalized(plural_reason(noun)) + ".",), many,
            vary(random, "(so|thus) it is (\"one {n}, two {m}\"|\"{m}\").", n=noun, m=many),
            wrong=wrong,
    )  # fmt: skip


def tense_problem(random: Random, difficulty: int) -> Problem:
    """A verb in the past tense, or its participle."""
    if chance(random, 0.45):
        verb = pick(random, REGULAR)
        past = past_of(verb)
        rule = (
            "a verb that ends in e only takes d" if verb.endswith("e")
                else "a y after a consonant becomes i before ed" if past.endswith("ied")
            else "a single consonant after a short stressed vowel is doubled"
                if len(past) - len(verb) == 3 else "regular verbs take ed"
        )  # fmt: skip
        when = pick(random, ("yesterday", "last week", "an hour ago", "in 1990", "the other day"))
        return Problem(
            vary(random, "(what is {q} in the past tense|what is the past tense of {q}|\"{when} we "
                "...\": which form of {q} is missing)?", q=quoted(verb), when=when),
            (f"{capitalized(rule)}.",), past,
                vary(random, "(so|therefore) we say \"{when} we {past}\".", when=when, past=past),
            wrong=(verb + "ed", verb + "d", verb, verb + "ing", verb + verb[-1] + "ed",
                verb + "ied"),
        )  # fmt: skip
    verb, past, participle = pick(random, VERBS)
    perfect = difficulty > 1 and chance(random, 0.5)
    answer = participle if perfect else past
    frame = (
        "we have already ..."
        if perfect
        else pick(random, ("yesterday we ...", "last night we ...", "a year ago we ..."))
    )
    others = [row[1 + perfect] for row in VERBS if row[0] != verb]
    return Problem(
        vary(random, "(which form of {q} completes the sentence|complete with the verb {q}|fill "
            "the gap with a form of {q}): \"{frame}\"?", q=quoted(verb), frame=frame),
        (f"{quoted(verb).capitalize()} is an irregular verb: {verb}, {past}, {participle}.",
            ("After \"have\" stands the past participle." if perfect
            else "A point of time in the past asks for the past tense.")),
        answer, vary(random, "(so|thus) it is: \"{told}\".", told=frame.replace("...", answer)),
        wrong=(verb + "ed", verb if verb != answer else "is " + verb,
            past if perfect else participle, verb + "s", *several(random, others, 1)),
    )  # fmt: skip


def meaning_problem(random: Random, difficulty: int) -> Problem:
    """A synonym or an opposite."""
    if chance(random, 0.5):
        group = pick(random, SYNONYMS)
        word, answer = several(random, group, 2)
        wrong = [
            pick(random, other)
            for other in several(random, SYNONYMS, 5)
            if not set(other) & set(group)
        ]
        return Problem(
            vary(random, "(which word means (nearly|almost) the same as {q}?|find a synonym of "
                "{q}.|what other word could stand for {q}?|{q}: which word is closest in meaning?)",
                q=quoted(word)),
            ("A synonym can take the place of a word without changing the sense much.",), answer,
            vary(random, "(so the answer is|it is) {a}: {word} and {other} are synonyms.",
                a=quoted(answer), word=quoted(word), other=quoted(answer)), wrong=tuple(wrong),
        )  # fmt: skip
    word, answer, kind = pick(random, ANTONYMS)
    if chance(random, 0.5):
        word, answer = answer, word
    fits = {x for a, b, _ in ANTONYMS for x in (a, b) if word in (a, b)}
    same = [pick(random, (a, b)) for a, b, other in ANTONYMS if other == kind and not {a, b} & fits]
    spare = [a for a, b, _ in several(random, ANTONYMS, 8) if not {a, b} & fits]
    return Problem(
        vary(random, "(what is the opposite of {q}?|which word means the opposite of {q}?|find an "
            "antonym of {q}.|not {word}, but ...: which word says the opposite?)", q=quoted(word),
            word=word),
        (f"Antonyms are words of the same kind, here {with_article(kind)}, with opposite meanings.",
            ), answer,
        vary(random, "the opposite of {q} is {a}.", q=quoted(word), a=quoted(answer)),
            wrong=tuple(several(random, same, min(3, len(same))) or spare),
    )  # fmt: skip


def odd_problem(random: Random, difficulty: int) -> Problem:
    """The word that does not belong, or the class that words share."""
    name, other = several(random, list(CLASSES), 2)
    words = several(random, CLASSES[name], 3 + (difficulty > 2))
    if chance(random, 0.35):
        wrong = several(random, [x for x in CLASSES if x != name], 3)
        return Problem(
            vary(random, "(what do these words have in common|under which heading do these words "
                "belong|find a heading for): {words}?", words=listed(words)),
            (vary(random, "{one} belongs to {name}, and so do the others.",
                one=capitalized(words[0]), name=name),), name,
                vary(random, "(so|thus) the heading is {q}.", q=quoted(name)), wrong=tuple(wrong),
        )  # fmt: skip
    stranger = pick(random, CLASSES[other])
    return Problem(
        vary(random, "(which word does not belong|find the odd one out|one word does not fit. "
            "which): {words}?", words=listed(shuffled(random, [*words, stranger]), "or")),
        (vary(random, "{words} (belong to|come under) the heading {q}.",
            words=capitalized(listed(words)), q=quoted(name)),
            vary(random, "{stranger} belongs to another group: {other}.", stranger=quoted(stranger),
            other=other)),
        stranger, vary(random, "(so|therefore) {stranger} is the odd one out.",
            stranger=quoted(stranger)), wrong=tuple(words),
    )  # fmt: skip


def analogy_problem(random: Random, difficulty: int) -> Problem:
    """A pair, half of another, and the relation between them."""
    relation, pairs = pick(random, RELATIONS)
    (a, b), (c, d) = several(random, pairs, 2)
    # Words that stand in some relation to the third are left out: they might do as well.
    related = {x for _, row in RELATIONS for one, x in row if one == c}
    wrong = [
        x
        for x in (*(y for _, y in pairs), a, pick(random, pick(random, RELATIONS)[1])[1])
        if x not in related
    ]
    return Problem(
        vary(random, "(complete the analogy: {a} is to {b} as {c} is to what?|{a} is to {b} as {c} "
            "is to ... ?|which word goes with {c} as {b} goes with {a}?|{a} goes with {b}. in the "
            "same way, what goes with {c}?)", a=a, b=b, c=c),
        (vary(random, "(look at the first pair|begin with the complete pair|ask how the first two "
            "belong together): {a} and {b}. {relation}.", a=a, b=b, relation=capitalized(relation)),
            vary(random, "(now look at|the same relation is needed for|so look for) {c}(.| and its "
            "partner.)", c=quoted(c))),
        d, vary(random, "(so the answer is|the missing word is) {d}: {c} is to {d} as {a} is to "
            "{b}.", a=a, b=b, c=c, d=d), wrong=tuple(wrong),
    )  # fmt: skip


def order_problem(random: Random, difficulty: int) -> Problem:
    """Alphabetical order."""
    pool = sorted(
        {word for words in CLASSES.values() for word in words if word.islower() and " " not in word}
    )
    if difficulty > 1 and chance(random, 0.6):
        start = pick(random, "bcfgps")
        same = [word for word in pool if word[0] == start]
        words = several(random, same, min(len(same), 3 + (difficulty > 2)))
    else:
        words = several(random, pool, 3 + (difficulty > 1))
    ordered = sorted(words)
    place = between(random, 0, len(words) - 1)
    first, second = ordered[0], ordered[1]
    depth = next(n for n in range(30) if first[n : n + 1] != second[n : n + 1])
    why = (
        f"{quoted(first)} and {quoted(second)} differ in their {ordinal_words(depth + 1)} letter: "
        + (f"{first[depth]} comes before {second[depth]}" if depth < len(first)
            else f"{quoted(first)} is over there, and the shorter word comes first")
    )  # fmt: skip
    return Problem(
        vary(random, "(in a dictionary, which of these words comes {nth}|put these words in "
            "alphabetical order. which one is {nth}|which word stands {nth} when these are sorted "
            "by the alphabet): {words}?", nth=ordinal_words(place + 1), words=listed(words)),
        ("Compare the first letters; where they are equal, compare the next ones.",
            capitalized(why) + "."), ordered[place],
        vary(random, "the order is {words}(, so the {nth} is {q}|).", words=listed(ordered),
            nth=ordinal_words(place + 1), q=quoted(ordered[place])), wrong=tuple(words),
    )  # fmt: skip


def parsed_sentence(random: Random) -> tuple[str, list[tuple[str, str]]]:
    """A sentence and its words with their parts of speech."""
    actor, adjective, adverb = pick(random, ACTORS), pick(random, ADJECTIVES), pick(random, ADVERBS)
    verb, thing = pick(random, DEEDS)
    preposition, place = pick(random, PLACES)
    parts = [("the", "article"), (adjective, "adjective"), (actor, "noun"), (adverb, "adverb"),
        (verb, "verb"), ("the", "article"), (thing, "noun"), (preposition, "preposition"),
        ("the", "article"), (place, "noun")]  # fmt: skip
    if chance(random, 0.3):
        del parts[1]
    elif chance(random, 0.3):
        del parts[3]
    return capitalized(" ".join(word for word, _ in parts)) + ".", parts


PARTS = {
    "noun": "nouns name people, animals, things and ideas",
        "verb": "verbs say what is done or what happens",
        "adjective": "adjectives say what something is like",
    "adverb": "adverbs say how, when or how often something is done",
        "preposition": "prepositions say where or when something is in relation to something else",
}  # fmt: skip


def parts_problem(random: Random, difficulty: int) -> Problem:
    """Parts of speech, subject and object in a sentence."""
    sentence, parts = parsed_sentence(random)
    word, kind = pick(random, [part for part in parts if part[1] in PARTS])
    if difficulty > 1 and chance(random, 0.35):
        nouns = [x for x, k in parts if k == "noun"]
        verb = next(x for x, k in parts if k == "verb")
        subject = chance(random, 0.5)
        answer = nouns[0] if subject else nouns[1]
        role = "subject" if subject else "direct object"
        ask = (
            f"Who or what {verb} something? That is the subject."
            if subject
            else f"The {nouns[0]} {verb} what? That is the direct object."
        )
        return Problem(
            vary(random, "(find the {role} of this sentence|which noun is the {role}|what is the "
                "{role} here): \"{s}\"", role=role, s=sentence), (ask,),
            f"the {answer}", f"So the {role} is \"the {answer}\".",
                wrong=tuple(f"the {x}" for x in nouns),
        )  # fmt: skip
    if chance(random, 0.5):
        return Problem(
            vary(random, "(what part of speech is|to which class of words belongs|which kind of "
                "word is) {q} in this sentence: \"{s}\"", q=quoted(word), s=sentence),
            (f"{capitalized(PARTS[kind])}.",), kind,
                vary(random, "(so|here) {q} is {a}.", q=quoted(word), a=with_article(kind)),
                wrong=tuple(PARTS),
        )  # fmt: skip
    wrong = [x for x, k in parts if k != kind and x != "the"]
    right = next(x for x, k in parts if k == kind)
    return Problem(
        vary(random, "(find|point out|name) the first {kind} in this sentence: \"{s}\"", kind=kind,
            s=sentence),
        (f"{capitalized(PARTS[kind])}.",), right,
            vary(random, "in this sentence that is {q}.", q=quoted(right)), wrong=tuple(wrong),
    )  # fmt: skip


def joining_problem(random: Random, difficulty: int) -> Problem:
    """The connective that joins two clauses sensibly."""
    first, second, connective = pick(random, JOINED)
    p = people(random, 1)[0]
    one, two = phrase(random, first, p=p), phrase(random, second, p=p)
    rule = dict(CONNECTIVES)[connective]
    wrong = [word for word, _ in CONNECTIVES if word != connective]
    comma = "," if connective == "so" else ""
    return Problem(
        vary(random, "(which word joins these sentences best|combine the two sentences with one of "
            "because, although, so, until, before. which one fits|which connective fits in the "
            "gap): \"{one} ___ {two}.\"", one=capitalized(one), two=two),
        (vary(random, "(ask how the two clauses belong together|think of the sense): {rule}.",
            rule=rule), vary(random, "{word} (expresses|says) (just this|exactly that).",
            word=quoted(connective))),
        connective, f"{capitalized(one)}{comma} {connective} {two}.", wrong=tuple(wrong),
    )  # fmt: skip


def _right_sentence(
    random: Random, what: str, right: str, wrong: tuple[str, ...], steps: tuple[str, ...]
) -> Problem:
    right, *wrong_ones = (sentence.rstrip(".") for sentence in (right, *wrong))
    shown = "\n".join(shuffled(random, [right, *several(random, wrong_ones, 2)]))
    prompt = f"Which sentence has its {what} in the right places?\n{shown}"
    return Problem(prompt, steps, right, f"So it is: {right}.", wrong=tuple(wrong_ones))


def punctuation_problem(random: Random, difficulty: int) -> Problem:
    """Which sign ends a sentence, or where capitals and commas go."""
    p = people(random, 1)[0]
    verb, thing = pick(random, DEEDS)
    preposition, place = pick(random, PLACES)
    kind = between(random, 0, 2)
    if kind == 0:
        ends = (("where is the " + thing, "?", "it asks something"),
            ("who " + verb + " the " + thing, "?", "it asks something"),
            ("the " + thing + " is " + preposition + " the " + place, ".", "it states something"),
                ("what a beautiful " + thing, "!", "it is an exclamation"),
                    (f"{p} {verb} the {thing}", ".", "it states something"),
                    ("how quickly you found the " + thing, "!",
                    "it is an exclamation"))  # fmt: skip
        sentence, sign, why = pick(random, ends)
        names = {"?": "a question mark", ".": "a full stop", "!": "an exclamation mark"}
        return Problem(
            vary(random, "(which sign is missing at the end|how should this sentence end|which "
                "punctuation mark belongs at the end): \"{s}\"", s=capitalized(sentence)),
            (f"Read the sentence: {why}.",), names[sign],
                f"It is written: \"{capitalized(sentence)}{sign}\"", wrong=tuple(names.values()),
        )  # fmt: skip
    things = [row[1] for row in several(random, DEEDS, 3)]
    if kind == 1:
        right = f"{p} saw the {things[0]}, the {things[1]} and the {things[2]}."
        wrong = (
            f"{p} saw the {things[0]} the {things[1]} and the {things[2]}.",
            f"{p} saw, the {things[0]} the {things[1]}, and the, {things[2]}.",
            f"{p}, saw the {things[0]} the, {things[1]} and the {things[2]}.",
        )
        return _right_sentence(
            random,
            "commas",
            right,
            wrong,
            (
                'In a list, commas stand between the things, and "and" stands before the last one.',
                f"The list here has three parts: {listed(things)}.",
            ),
        )
    day = pick(random, ("Monday", "Tuesday", "Friday", "Sunday"))
    right = f"On {day} {p} {verb} the {thing}."
    wrong = (
        right.lower(),
        right.replace(day, day.lower()),
        right.replace(p.name, p.name.lower()),
        right.replace(thing, thing.capitalize()),
    )
    return _right_sentence(
        random,
        "capital letters",
        right,
        wrong,
        (
            "The first word of a sentence, names of people and names of days begin with a capital; "
            "other nouns do not.",
            f'Here these are "On", {quoted(day)} and {quoted(p.name)}.',
        ),
    )
