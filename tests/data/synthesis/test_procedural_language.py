"""Lessons on everyday life, reading and words: their answers follow from tables and events."""

from __future__ import annotations

import re
from random import Random

import pytest

from phinery.data.synthesis.procedural import everyday, language, passages
from phinery.data.synthesis.procedural.grammar import article, people
from phinery.data.synthesis.procedural.item import Item, Topic
from phinery.data.synthesis.procedural.living import pronouns, routines, use
from phinery.data.synthesis.procedural.living.laws import LAWS
from phinery.data.synthesis.procedural.living.things import (
    MATERIALS,
    NEEDS,
    OBJECTS,
    PROPERTIES,
    material_is,
)
from phinery.data.synthesis.procedural.reading import errands, tracking
from phinery.data.synthesis.procedural.wording import choice_question, tidy, vary
from phinery.data.synthesis.procedural.words import lessons
from phinery.data.synthesis.procedural.words.lexicon import ANTONYMS, CLASSES

TOPICS = (*everyday.TOPICS, *passages.TOPICS, *language.TOPICS)


def _items(topic: Topic, count: int) -> list[Item]:
    return [
        topic.write(Random(f"{topic.name} {number}"),
            topic.difficulties[number % len(topic.difficulties)])
        for number in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_texts_are_clean_repeatable_and_their_choices_hold_the_answer_once(topic: Topic) -> None:
    for number, item in enumerate(_items(topic, 80)):
        difficulty = topic.difficulties[number % len(topic.difficulties)]
        assert topic.write(Random(f"{topic.name} {number}"), difficulty) == item
        for text in (item.text, *(question.prompt for question in item.questions)):
            assert text == text.strip()
            assert "  " not in text
            assert "|" not in text, text
            assert not re.search(r"[{}]|\(\w[^()\n]*\|", text), text
            assert not re.search(r" [,;!](?:\s|$)|\.\.(?!\.)(?<!\.\.\.)", text), text
            # A sentence that follows another begins with a capital letter.
            assert not re.search(r"[a-z]{3}\. [a-z]", text), text
            for word, noun in re.findall(r"(?<![\w'-])(an?) ([a-z]+)", text):
                assert word == article(noun), (word, noun)
        assert item.questions
        for question in item.questions:
            assert question.answer
            assert not question.choices or question.choices.count(question.answer) == 1
            assert len(set(question.choices)) == len(question.choices)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_writes_many_different_texts(topic: Topic) -> None:
    texts = {item.text for item in _items(topic, 120)}
    assert len(texts) > 110


def test_vary_gives_sentences_their_capitals_and_leaves_no_gaps() -> None:
    written = {
        vary(Random(n), "(one|two) day(, or so|) it rained. {p} was wet.", p="Ann")
        for n in range(40)
    }
    assert written == {
        "One day, or so it rained. Ann was wet.", "Two day, or so it rained. Ann was wet.",
        "One day it rained. Ann was wet.", "Two day it rained. Ann was wet.",
    }  # fmt: skip
    assert tidy('"why ?" asked Ann .') == '"Why?" asked Ann.'


def test_a_choice_question_drops_wrong_answers_that_are_right() -> None:
    question = choice_question(Random(1), "Q?", "a", ["a", "b", "b", "c"])
    assert sorted(question.choices) == ["a", "b", "c"]
    assert choice_question(Random(1), "Q?", "a", ["a"]).choices == ()


def test_no_material_has_and_lacks_a_property() -> None:
    for material, (yes, no) in MATERIALS.items():
        assert not set(yes.split()) & set(no.split()), material
    assert material_is("iron", "rusts") is True
    assert material_is("glass", "rusts") is False
    assert material_is("plastic", "floats") is None


def test_only_the_thing_that_is_named_has_the_property_that_is_asked_for() -> None:
    materials = {thing.noun: thing.material for thing in OBJECTS}
    asks = {prop.ask: prop.name for prop in PROPERTIES}
    for number in range(300):
        problem = use.which_material(Random(number), 2)
        name = next(asks[ask] for ask in asks if problem.prompt.endswith(f"{ask}?"))
        for choice in (problem.answer, *problem.wrong):
            has = material_is(materials[choice.removeprefix("the ")], name)
            assert has is (choice == problem.answer)


def test_claims_about_things_are_judged_by_their_material() -> None:
    materials = {thing.noun: thing.material for thing in OBJECTS}
    verdicts: set[str] = set()
    for number in range(300):
        problem = use.material_fact(Random(number), 1)
        noun = max((noun for noun in materials if f"the {noun}" in problem.prompt), key=len)
        known = [
            p for p in PROPERTIES if p.yes.format(m=f"the {noun}") in problem.prompt
        ]  # fmt: skip
        assert material_is(materials[noun], known[0].name) is (problem.answer == "yes")
        verdicts.add(problem.answer)
    assert verdicts == {"yes", "no"}


def test_the_better_way_uses_a_thing_with_the_needed_trait_and_the_other_does_not() -> None:
    traits = {thing.noun: thing.traits for thing in OBJECTS}
    for number in range(300):
        problem = use.better_way(Random(number), 1)
        need = next(need for need in NEEDS if any(goal in problem.prompt for goal in need.goals))
        for way in (problem.answer, problem.wrong[0]):
            noun = max((noun for noun in traits if re.search(rf"\ban? {noun}\b", way)), key=len)
            assert (need.trait in traits[noun]) is (way == problem.answer)


def test_every_need_has_fitting_and_enough_unfitting_things() -> None:
    for need in NEEDS:
        assert use.fits(need), need.trait
    assert len({law.setup for law in LAWS}) == len(LAWS)


def test_steps_are_asked_for_in_their_order() -> None:
    orders = [[step for step, _ in routine.steps] for routine in routines.ROUTINES]
    for number in range(300):
        problem = routines.order_problem(Random(number), 2)
        answer = problem.answer[0].lower() + problem.answer[1:]
        order = next(
            o for o in orders if answer in o and any(f": {x}" in problem.prompt for x in o)
        )
        given = next(x for x in order if f": {x}" in problem.prompt)
        ahead = "finish" in problem.prompt
        assert order.index(answer) - order.index(given) == (1 if ahead else -1)


def test_a_pronoun_means_the_one_that_its_twist_names() -> None:
    for number in range(300):
        problem = pronouns.pronoun_problem(Random(number), 3)
        assert problem.answer != problem.wrong[0]
        sentence = problem.prompt.split(".", 1)[0].lower()
        assert problem.answer.lower() in sentence
        assert problem.wrong[0].lower() in sentence
    for schema in pronouns.SCHEMAS:
        if len(schema.twists) == 2:
            assert schema.twists[0].first is not schema.twists[1].first


def _replay(count: int, events: list[tracking.Event], start: dict[str, str]) -> dict[str, str]:
    """Where things end, by a search back through the events instead of a simulation forwards."""
    ends: dict[str, str] = {}
    for thing, room in start.items():
        about = [(n, e) for n, e in enumerate(events) if e.thing == thing]
        if not about:
            ends[thing] = room
            continue
        number, event = about[-1]
        if event.act == "put":
            moves = [e.place for e in events[:number] if e.act == "go" and e.who == event.who]
            ends[thing] = moves[-1] if moves else event.place
        else:
            holder = event.to if event.act == "give" else event.who
            moves = [e.place for e in events if e.act == "go" and e.who == holder]
            ends[thing] = moves[-1] if moves else f"holder {holder}"
    return ends


def test_things_end_where_the_last_event_about_them_left_them() -> None:
    carried = 0
    for number in range(400):
        world, events, start = tracking.simulate(Random(number), 1 + number % 5)
        for thing, place in _replay(len(world.rooms), events, start).items():
            if place.startswith("holder"):
                assert world.holder[thing] == int(place.split()[1])
            else:
                assert world.room_of(thing) == place
            carried += thing in world.holder
    assert carried > 100


def test_the_owner_looks_where_she_knows_the_thing_to_be() -> None:
    topic = next(topic for topic in passages.TOPICS if topic.name == "reading/who knows what")
    seen: set[bool] = set()
    for item in _items(topic, 300):
        for question in item.questions:
            if "look for" in question.prompt:
                passage = question.prompt.rpartition("\n\n")[0]
                spots = re.search(r"out of the (.+?) and put it into the (.+?),", passage)
                assert spots
                knows = "watched what happened" in passage or (
                    "where the" in passage.split("told", 1)[-1] and "told" in passage)  # fmt: skip
                assert question.answer == f"in the {spots[2] if knows else spots[1]}"
                seen.add(knows)
    assert seen == {True, False}


def test_a_day_is_told_in_the_order_of_its_stops_and_asked_about_by_it() -> None:
    for number in range(150):
        random = Random(number)
        day = errands.simulate(random, 1 + number % 4)
        text = errands.narrate(random, day, number % 2 == 0)
        places = [text.index(stop.place) for stop in day.stops]
        assert places == sorted(places)
        assert [stop.minutes for stop in day.stops] == sorted(stop.minutes for stop in day.stops)
        for stop in day.stops:
            assert stop.did in text
            assert stop.reason.lower() in text.lower()
        asked = {one.prompt: one.answer for one in errands.questions(random, day)}
        assert asked[f"Where did {day.who} go first?"] == f"to the {day.stops[0].place}"
        for prompt, answer in asked.items():
            order = re.search(r" to the (.+) before \w+ went to the (.+)\.$", prompt)
            if order:
                first = [stop.place for stop in day.stops].index(order[1])
                assert (first < [stop.place for stop in day.stops].index(order[2])) is (
                    answer == "true"
                )


def test_words_are_formed_related_and_ordered_as_the_lexicon_says() -> None:
    for verb, past in (
        ("walk", "walked"),
        ("hope", "hoped"),
        ("carry", "carried"),
        ("play", "played"),
        ("stop", "stopped"),
    ):
        assert lessons.past_of(verb) == past
    opposites = {(a, b) for a, b, _ in ANTONYMS} | {(b, a) for a, b, _ in ANTONYMS}
    for number in range(300):
        order = lessons.order_problem(Random(number), 1 + number % 3)
        nth = next(
            n
            for n, word in enumerate(("first", "second", "third", "fourth", "fifth"))
            if word in order.prompt
        )
        assert sorted(order.wrong)[nth] == order.answer
        odd = lessons.odd_problem(Random(number), 2)
        if odd.answer not in CLASSES:
            group = next(c for c in CLASSES.values() if set(odd.wrong) <= set(c))
            assert odd.answer not in group
        meaning = lessons.meaning_problem(Random(number), 2)
        if "opposite of" in meaning.conclusion:
            asked, answer = re.findall(r'"([^"]+)"', meaning.conclusion)
            assert (asked.lower(), answer) in opposites
            assert not any((asked.lower(), wrong) in opposites for wrong in meaning.wrong)


def test_people_in_a_scene_have_different_names() -> None:
    for number in range(100):
        names = [person.name for person in people(Random(number), 3)]
        assert len(set(names)) == 3
