"""Rules on words and sentences as short paragraphs, with examples from the lexicon."""

from __future__ import annotations

from random import Random

from phinery.data.synthesis.procedural.grammar import (
    capitalized,
    listed,
    people,
    phrase,
    pick,
    plural,
    several,
    shuffled,
    with_article,
)
from phinery.data.synthesis.procedural.wording import vary
from phinery.data.synthesis.procedural.words.lessons import (
    PARTS,
    parsed_sentence,
    plural_reason,
    quoted,
)
from phinery.data.synthesis.procedural.words.lexicon import (
    ANTONYMS,
    CLASSES,
    CONNECTIVES,
    DEEDS,
    JOINED,
    NOUNS,
    RELATIONS,
    SYNONYMS,
    VERBS,
)


def plural_lesson(random: Random, difficulty: int) -> str:
    """Plurals and their rules, as a paragraph."""
    nouns = several(random, NOUNS, 3 + difficulty)
    lead = vary(
        random,
        "(how do nouns form their plural?|one and many: some examples.|the plural follows a few "
        "rules.)",
    )
    return f"{lead} " + " ".join(f"One {n}, two {plural(n)}: {plural_reason(n)}." for n in nouns)


def tense_lesson(random: Random, difficulty: int) -> str:
    """Irregular verbs, as a paragraph."""
    rows = several(random, VERBS, 3 + difficulty)
    lead = vary(
        random,
        "(irregular verbs have to be learned by heart.|some old verbs change their vowel.|not "
        "every verb takes ed.)",
    )
    return f"{lead} " + " ".join(
        f"Today we {verb}, yesterday we {past}, and we have {participle} before."
        for verb, past, participle in rows
    )


def meaning_lesson(random: Random, difficulty: int) -> str:
    """Opposites and synonyms, as a paragraph."""
    lead = vary(
        random,
        "(many words have an opposite|opposites help to describe|words often come in pairs).",
    )
    pairs = [
        f"The opposite of {quoted(a)} is {quoted(b)}." for a, b, _ in several(random, ANTONYMS, 3)
    ]
    alike = [
        f"{capitalized(listed([quoted(x) for x in group]))} mean nearly the same."
        for group in several(random, SYNONYMS, 2)
    ]
    return " ".join((lead, *pairs, *alike))


def class_lesson(random: Random, difficulty: int) -> str:
    """Headings and what they cover, as a paragraph."""
    names = several(random, list(CLASSES), 2)
    parts = [
        vary(
            random,
            "(the heading {q} covers|under {q} come|{q} is a common name for) {words}.",
            q=quoted(name),
            words=listed(several(random, CLASSES[name], 4)),
        )
        for name in names
    ]
    return " ".join(
        (
            vary(
                random,
                "(we can sort words into groups|one word can stand for many|a heading gathers "
                "words that belong together).",
            ),
            *parts,
        )
    )


def analogy_lesson(random: Random, difficulty: int) -> str:
    """A relation and pairs that stand in it, as a paragraph."""
    relation, pairs = pick(random, RELATIONS)
    shown = several(random, pairs, 3)
    return vary(
        random,
        "(pairs of words can be alike although the words are not|an analogy compares two pairs|two "
        "pairs match when the same thing joins each). (look at|take|think of) {pairs}. in each of "
        "them {relation}.",
        pairs=listed([f"{a} and {b}" for a, b in shown], "or"),
        relation=relation,
    )


def order_lesson(random: Random, difficulty: int) -> str:
    """How words are put in alphabetical order, as a paragraph."""
    words = sorted(several(random, CLASSES[pick(random, list(CLASSES))], 5), key=str.lower)
    return vary(
        random,
        "(dictionaries, indexes and lists of names are sorted by the alphabet|the alphabet helps "
        "to find words quickly). compare the first letters first; where they are the same, the "
        "second letters decide, and so on. (sorted like this|in this order), we get {words}.",
        words=listed(words),
    )


def parts_lesson(random: Random, difficulty: int) -> str:
    """A sentence taken apart, as a paragraph."""
    sentence, parts = parsed_sentence(random)
    told = [
        f"{quoted(word)} is {with_article(kind)}, for {PARTS[kind]}."
        for word, kind in parts
        if kind in PARTS
    ]
    lead = vary(
        random,
        "(let us take a sentence apart|every word in a sentence has its task|which words are in "
        "this sentence?).",
    ).replace("?.", "?")
    return f'{lead} "{sentence}" ' + " ".join(capitalized(text) for text in told)


def joining_lesson(random: Random, difficulty: int) -> str:
    """Connectives and what they say, as a paragraph."""
    p = people(random, 1)[0]
    shown: list[str] = []
    for first, second, connective in several(random, JOINED, 2 + difficulty // 2):
        comma = "," if connective == "so" else ""
        joined = capitalized(phrase(random, f"{first}{comma} {connective} {second}.", p=p))
        shown.append(
            f"{joined} The word {quoted(connective)} tells that {dict(CONNECTIVES)[connective]}."
        )
    return " ".join(
        (
            vary(
                random,
                "(short sentences can be joined|a connective shows how two thoughts belong "
                "together|two clauses make one sentence when a connective joins them).",
            ),
            *shown,
        )
    )


def sign_lesson(random: Random, difficulty: int) -> str:
    """Signs and capitals, as a paragraph."""
    p = people(random, 1)[0]
    verb, thing = pick(random, DEEDS)
    facts = shuffled(random, (
        f'A statement ends with a full stop: "{p} {verb} the {thing}."',
            f'A question ends with a question mark: "Where is the {thing}?"',
        f'An exclamation ends with an exclamation mark: "What a beautiful {thing}!"',
            f"Names begin with a capital letter: {p}.", "Commas separate the parts of a list.",
    ))  # fmt: skip
    return " ".join(facts[: 3 + difficulty])
