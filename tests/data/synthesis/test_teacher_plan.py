from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.data import Document
from phinery.data.synthesis.teacher import DEFAULT_KINDS, KINDS, Plan, estimate, requests_for
from phinery.data.synthesis.teacher.ledger import EXPECTED_TOKENS
from phinery.data.synthesis.teacher.session import estimate_tokens
from phinery.data.synthesis.teacher.subjects import programming_topics, topics, variety

PAGES = [
    Document(
        f"page-{n}", "\n".join(f"Line {i} of page {n} says {i * n}." for i in range(400)), "web"
    )
    for n in range(20)
]


def test_the_tables_are_wide_and_without_doubles():
    names = [(topic.subject, topic.name) for topic in topics()]
    assert len(names) == len(set(names)) >= 500
    assert len(programming_topics()) >= 80
    assert {topic.field for topic in topics()} >= {
        "mathematics", "science", "reasoning", "common sense", "the world", "programming"
    }  # fmt: skip
    for topic in topics():
        assert 1 <= topic.lowest < topic.highest <= 5
        assert any(topic.lowest <= a.level <= topic.highest for a in variety().audiences)
    for entries in vars(variety()).values():
        assert len(entries) == len(set(entries)) >= 8


@given(st.integers(0, 2**40), st.integers(0, 10**9))
def test_a_request_is_a_function_of_seed_and_number(seed: int, index: int):
    kinds = dict.fromkeys(KINDS, 1.0)
    request = Plan(seed, kinds, PAGES).request(index)
    assert Plan(seed, kinds, PAGES).request(index) == request
    assert request.key("m") == Plan(seed, kinds, PAGES).request(index).key("m")
    assert request.key("m") != request.key("n")
    assert request.index == index
    assert 1 <= request.brief.difficulty <= 5
    assert "{" not in request.prompt
    assert request.prompt != Plan(seed + 1, kinds, PAGES).request(index).prompt


def test_what_a_brief_says_is_asked_for():
    for request in Plan(kinds=dict.fromkeys(KINDS, 1.0), pages=PAGES).requests(200):
        brief = request.brief
        assert brief.audience in request.prompt
        for word in brief.words:
            assert f'"{word}"' in request.prompt
        if brief.kind == "code exercises":
            assert f"The function is called {brief.function};" in request.prompt
            assert brief.construct in request.prompt
        elif brief.kind == "rewrite":
            assert brief.excerpt in request.prompt
            page = next(page for page in PAGES if page.id == brief.page)
            assert brief.excerpt in page.text
            assert 1000 < len(brief.excerpt) <= 3000
            assert brief.excerpt.startswith("Line ")
            assert brief.excerpt.endswith(".")
        else:
            assert f"Topic: {brief.topic}\n" in request.prompt
            assert len(brief.words) == 3


def test_any_stretch_of_requests_keeps_the_shares():
    requests = list(Plan(7).requests(3000))
    for start in (0, 1000, 2500):
        counts = Counter(request.kind for request in requests[start : start + 500])
        for kind, share in DEFAULT_KINDS.items():
            assert counts[kind] == pytest.approx(500 * share, abs=6)


def test_requests_are_diverse():
    requests = list(Plan(1).requests(20_000))
    assert len({request.prompt for request in requests}) == 20_000
    briefs = [request.brief for request in requests]
    assert len({(b.subject, b.topic) for b in briefs}) == len(topics())
    assert len({(b.topic, b.audience, b.voice) for b in briefs}) > 17_000
    assert len({b.words for b in briefs if b.words}) > 16_000
    functions = Counter(b.function for b in briefs if b.function)
    assert len(functions) > 1500
    for pick in (lambda b: b.voice, lambda b: b.opening):  # every choice comes as often as others
        counts = Counter(pick(b) for b in briefs)
        assert max(counts.values()) < 1.25 * min(counts.values())
    topic_counts = Counter(b.topic for b in briefs if not b.function)
    assert max(topic_counts.values()) < 3 * 17_000 / len(topics())


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"poems": 1.0}, "no such kind: 'poems'; there are textbook"),
        ({"textbook": 0.0}, "must be 0 or more"),
        ({}, "must be 0 or more"),
        ({"textbook": -1.0, "exercises": 2.0}, "must be 0 or more"),
        ({"textbook": float("nan")}, "must be 0 or more"),
        ({"rewrite": 1.0}, "needs pages"),
    ],
)
def test_plans_that_cannot_be(kinds: dict[str, float], message: str):
    with pytest.raises(ValueError, match=message):
        Plan(kinds=kinds)


def test_short_pages_are_no_pages():
    with pytest.raises(ValueError, match="needs pages of 400 characters"):
        Plan(kinds={"rewrite": 1}, pages=[Document("a", "short", "web")])


def test_an_estimate_counts_the_prompts_and_adds_up():
    plan = Plan(5)
    guess = estimate(plan, 700, input_price=2.0, output_price=10.0)
    requests = list(plan.requests(700))
    assert guess.requests == 700
    assert {kind: entry.requests for kind, entry in guess.kinds.items()} == Counter(
        request.kind for request in requests
    )
    assert guess.input_tokens == sum(estimate_tokens(request.prompt) for request in requests)
    assert guess.output_tokens == sum(EXPECTED_TOKENS[request.kind] for request in requests)
    assert guess.cost == pytest.approx(guess.input_tokens * 2e-6 + guess.output_tokens * 1e-5)
    most = sum(request.max_tokens for request in requests)
    assert guess.most_cost == pytest.approx(guess.input_tokens * 2e-6 + most * 1e-5)
    assert "700 requests" in guess.summary()
    assert f"{guess.cost:.2f}" in guess.summary()


def test_a_large_estimate_is_a_scaled_sample():
    large, small = estimate(Plan(5), 1_000_003), estimate(Plan(5), 1000)
    assert large.requests == 1_000_003
    assert large.input_tokens == pytest.approx(1000.003 * small.input_tokens, rel=1e-3)
    assert large.cost is None
    assert "give the prices" in large.summary()


def test_estimates_that_cannot_be():
    with pytest.raises(ValueError, match="0 requests"):
        estimate(Plan(), 0)
    for prices in ((-1.0, 1.0), (1.0, float("nan"))):
        with pytest.raises(ValueError, match="can't be negative"):
            estimate(Plan(), 1, input_price=prices[0], output_price=prices[1])


def test_requests_for_an_amount_of_text():
    assert requests_for(Plan(kinds={"textbook": 3.0}), 900 * 50) == 50
    assert requests_for(Plan(kinds={"textbook": 3.0}), 900 * 50 + 1) == 51
    assert requests_for(Plan(), 1) == 1
    counts = [requests_for(Plan(), tokens) for tokens in range(1, 100_000, 999)]
    assert all(a <= b for a, b in itertools.pairwise(counts))
