"""The frame of the procedural teacher: grammar, documents, held-out questions."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.data.synthesis.procedural import numbers, puzzles, quantities, science
from phinery.data.synthesis.procedural.grammar import (
    PEOPLE,
    article,
    between,
    decimal,
    listed,
    number_words,
    ordinal,
    ordinal_words,
    people,
    phrase,
    plural,
    say,
    several,
    shuffled,
)
from phinery.data.synthesis.procedural.item import Topic
from phinery.data.synthesis.procedural.writer import (
    TOPICS,
    generator,
    held_out_questions,
    is_held_out,
    procedural_document,
    procedural_documents,
)

OWN = (*numbers.TOPICS, *quantities.TOPICS, *science.TOPICS, *puzzles.TOPICS)


def test_phrases_choose_and_fill() -> None:
    person = PEOPLE[0]
    seen = {
        phrase(
            Random(seed), "(a (big|small)|no) {thing} for {p.him} (see p. 3)", thing="dog", p=person
        )
        for seed in range(60)
    }
    assert seen == {
        f"{words} dog for {person.him} (see p. 3)" for words in ("a big", "a small", "no")
    }


def test_rules_expand_with_the_same_slots() -> None:
    rule = ("{a thing}", "two {many}")
    seen = {
        phrase(Random(s), "{np} of {n}", np=rule, thing="owl", many="owls", n=12_000)
        for s in range(30)
    }
    assert seen == {"an owl of 12,000", "two owls of 12,000"}


def test_sentences_are_mended_where_alternatives_are_empty() -> None:
    assert say(Random(0), "it is {x} high {y}.", x=3, y="") == "It is 3 high."
    assert say(Random(0), "(how is it?|how is it?).") == "How is it?"
    assert say(Random(0), "{x}, ...", x="1, 2") == "1, 2, ..."


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("apple", "an"), ("unit", "a"), ("hour", "an"), ("8", "an"), ("80", "an"),
     ("18", "an"), ("11,000", "an"), ("110", "a"),
     ("uncle", "an"), ("unidentified", "an"), ("house", "a"),
     ("one-way", "a"), ("umbrella", "an"), ("European", "a"), ("1", "a"), ("180", "a")],
)  # fmt: skip
def test_articles(text: str, wanted: str) -> None:
    assert article(text) == wanted


@pytest.mark.parametrize(
    ("one", "many"),
    [("loaf of bread", "loaves of bread"), ("baby", "babies"), ("toy", "toys"), ("box", "boxes"),
     ("bus", "buses"),
     ("paint tin", "paint tins"),
     ("sheep", "sheep"), ("potato", "potatoes"), ("child", "children"), ("peach", "peaches"),
     ("toy car", "toy cars"), ("shelf", "shelves")],
)  # fmt: skip
def test_plurals(one: str, many: str) -> None:
    assert plural(one) == many


def test_words_for_numbers() -> None:
    assert number_words(0) == "zero"
    assert number_words(342) == "three hundred and forty-two"
    assert number_words(20_005) == "twenty thousand and five"
    assert (
        number_words(1_234_567)
        == "one million, two hundred and thirty-four thousand, five hundred and sixty-seven"
    )
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112, 123)] == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "11th",
        "12th",
        "13th",
        "21st",
        "112th",
        "123rd",
    ]
    assert [ordinal_words(n) for n in (1, 5, 12, 20, 23)] == [
        "first",
        "fifth",
        "twelfth",
        "twentieth",
        "twenty-third",
    ]
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"


@given(st.fractions(min_value=-(10**6), max_value=10**6), st.integers(0, 6))
def test_decimals_are_rounded_correctly(value: Fraction, places: int) -> None:
    shown = decimal(value, places).replace(",", "")
    assert abs(Fraction(shown) - value) * 2 * 10**places <= 1
    if value >= 0:
        assert "-" not in shown


def test_a_decimal_without_end_needs_places() -> None:
    assert decimal(Fraction(-7, 8)) == "-0.875"
    with pytest.raises(ValueError, match="give the places"):
        decimal(Fraction(1, 3))


@given(st.integers(0, 10**6))
def test_draws_stay_within_their_bounds(seed: int) -> None:
    random = Random(seed)
    assert 3 <= between(random, 3, 17, 2) <= 17
    assert sorted(shuffled(random, range(20))) == list(range(20))
    assert len(set(several(random, range(9), 5))) == 5
    three = people(random, 3)
    assert len({person.name[:2] for person in three}) == 3


def test_documents_are_a_pure_function_of_seed_and_number() -> None:
    first = list(islice(procedural_documents(seed=3), 150))
    again = list(islice(procedural_documents(seed=3), 150))
    later = list(islice(procedural_documents(seed=3, start=60), 90))
    assert first == again
    assert first[60:] == later
    assert procedural_document(140, seed=3) == first[140]
    other = list(islice(procedural_documents(seed=4), 150))
    assert not {document.text for document in first} & {document.text for document in other}


def test_documents_stop_at_the_characters_asked_for() -> None:
    documents = list(procedural_documents(seed=1, characters=50_000))
    written = sum(len(document.text) for document in documents)
    assert written >= 50_000
    assert written - len(documents[-1].text) < 50_000


def test_every_topic_comes_equally_often_at_all_its_difficulties() -> None:
    rounds = 12
    documents = list(islice(procedural_documents(seed=2), rounds * len(TOPICS)))
    counts = Counter(document.topic for document in documents)
    assert counts == {topic.name: rounds for topic in TOPICS}
    reached = {(document.topic, document.difficulty) for document in documents}
    assert reached == {(topic.name, level) for topic in TOPICS for level in topic.difficulties}
    assert len({document.id for document in documents}) == len(documents)
    assert all(document.id.startswith(f"procedural/{document.topic}/") for document in documents)


def test_names_of_topics_are_unique() -> None:
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
    assert len(TOPICS) >= 100


def test_documents_have_the_length_of_a_short_chapter() -> None:
    lengths = [len(document.text) for document in islice(procedural_documents(seed=6), 600)]
    assert sum(700 <= length <= 3600 for length in lengths) > 0.95 * len(lengths)
    assert max(lengths) < 8000


def test_held_out_questions_never_stand_in_training_documents() -> None:
    held = held_out_questions(1, 300)
    assert len({entry.question.prompt for entry in held}) == 300
    assert all(is_held_out(entry.question.prompt) for entry in held)
    text = "\n".join(document.text for document in islice(procedural_documents(seed=8), 1500))
    assert not [
        entry for entry in held if len(entry.question.prompt) > 25 and entry.question.prompt in text
    ]
    for document in islice(procedural_documents(seed=9), 300):
        assert not any(is_held_out(question.prompt) for question in document.questions)


def test_about_a_fiftieth_is_held_out_whatever_case_and_space() -> None:
    share = sum(is_held_out(f"What is {n} + 5?") for n in range(20_000)) / 20_000
    assert 0.017 < share < 0.023
    prompts = [f"What is {n} + 5?" for n in range(300)]
    assert [is_held_out(p) for p in prompts] == [
        is_held_out(p.upper().replace(" ", "  ")) for p in prompts
    ]


def test_held_out_questions_of_a_category() -> None:
    held = held_out_questions(5, 60, category="reasoning")
    assert {entry.category for entry in held} == {"reasoning"}
    assert len({entry.topic for entry in held}) > 20
    with pytest.raises(ValueError, match="no topic of category"):
        held_out_questions(5, 1, category="cooking")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("topic", OWN, ids=lambda topic: topic.name)
def test_items_read_well(topic: Topic) -> None:
    for difficulty in topic.difficulties:
        for seed in range(80):
            item = topic.write(generator("writer test", topic.name, difficulty, seed), difficulty)
            text = item.text
            assert text == text.strip()
            assert not re.search(
                r"\{[a-z_.^ ]+\}(?![^\n]*\})|\|[a-z]", text
            ) or topic.name.startswith(("sets/", "statistics/")), text
            assert "  " not in text
            assert not re.search(
                r"[a-z] [,;?]|[,;]:| \.(?!\.)|(?<!\.)\.\.(?!\.)|\?[.:]|Fraction\(", text
            ), text
            assert item.questions
            for question in item.questions:
                assert question.prompt
                assert question.answer
                assert question.prompt[0].isupper() or not question.prompt[0].isalpha(), question
                if question.choices:
                    assert question.choices.count(question.answer) == 1, question
                    assert 2 <= len(question.choices) <= 4
                    assert len(set(question.choices)) == len(question.choices)


_ARTICLE = re.compile(r"(?<![\w'\"])([Aa]n?) ([a-z][a-z-]+|\d[\d,]*)")


def test_articles_agree_with_the_word_after_them() -> None:
    wrong: Counter[str] = Counter()
    for topic in OWN:
        for difficulty in topic.difficulties:
            for seed in range(40):
                item = topic.write(generator("articles", topic.name, difficulty, seed), difficulty)
                for used, word in _ARTICLE.findall(item.text):
                    # Sets, statements, people of a riddle and unknowns are called A or a as well.
                    if word in ("is", "are", "and", "or", "if", "on", "inside"):
                        continue
                    if article(word) != used.lower():
                        wrong[f"{used} {word} ({topic.name})"] += 1
    assert not wrong
