"""Scores of a tree of sequences against plain forward passes of each sequence by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phinery.evaluate.harness.scoring import TreeScorer
from phinery.evaluate.harness.tree import Plan, Query
from phinery.model import Phi, PhiConfig


def small_phi(**changes: Any) -> Phi:
    """Random weights, large enough that predictions differ."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "vocab_size": 61,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "partial_rotary_factor": 0.5,
        "max_position_embeddings": 64,
        "initializer_range": 0.3,
    }
    return Phi(PhiConfig(**(sizes | changes))).eval()


MODEL = small_phi()


def plain(model: Phi, query: Query) -> tuple[float, bool]:
    """One forward pass over the whole sequence."""
    tokens = torch.from_numpy(query.tokens.astype(np.int64))
    with torch.inference_mode():
        rows = model(tokens[None, :-1])[0].log_softmax(-1)[-query.count :]
    wanted = tokens[-query.count :]
    chosen = rows.gather(1, wanted[:, None])
    return float(chosen.sum()), bool((rows.argmax(-1) == wanted).all())


def query(tokens: list[int], count: int) -> Query:
    """A query of these tokens."""
    return Query(np.array(tokens, dtype=np.int32), count)


@st.composite
def trees(draw: st.DrawFn) -> list[Query]:
    """Sequences that share beginnings, end in each other's middle and come twice."""
    token = st.integers(0, 60)
    stems = draw(st.lists(st.lists(token, min_size=1, max_size=20), min_size=1, max_size=3))
    few = st.lists(st.integers(0, 2), min_size=1, max_size=8)
    queries: list[Query] = []
    for _ in range(draw(st.integers(1, 25))):
        stem = draw(st.sampled_from(stems))
        tokens = stem[: draw(st.integers(0, len(stem)))] + draw(few) + draw(few)
        if len(tokens) > 1:
            queries.append(query(tokens, draw(st.integers(1, len(tokens) - 1))))
    return queries + queries[: draw(st.integers(0, 3))]


def check(model: Phi, queries: list[Query], budget: int) -> None:
    """All scores, each exactly once."""
    seen: dict[int, tuple[float, bool]] = {}
    for done in TreeScorer(model, budget=budget).scores(queries):
        for number, value, greedy in done:
            assert number not in seen
            seen[number] = (value, greedy)
    assert sorted(seen) == list(range(len(queries)))
    for number, one in enumerate(queries):
        value, greedy = plain(model, one)
        assert seen[number][0] == pytest.approx(value, abs=1e-4)
        assert seen[number][1] == greedy


@settings(max_examples=80, deadline=None)
@given(queries=trees(), budget=st.sampled_from([1, 2, 5, 16, 40, 1000]))
def test_a_tree_scores_as_its_sequences_do(queries: list[Query], budget: int):
    check(MODEL, queries, budget)


@settings(max_examples=60, deadline=None)
@given(queries=trees(), budget=st.integers(1, 60), overhead=st.integers(0, 30))
def test_a_plan_computes_what_is_needed_and_little_more(
    queries: list[Query], budget: int, overhead: int
):
    plan = Plan(queries, budget=budget, overhead=overhead)
    steps = list(plan.steps())
    inputs = {tuple(one.tokens[:end]) for one in queries for end in range(1, len(one.tokens))}
    assert plan.distinct == len(inputs)
    computed = sum(len(step.tokens) for step in steps)
    assert computed >= len(inputs)
    assert all(len(step.tokens) <= budget for step in steps)
    if budget >= len(inputs):
        assert len(steps) <= 1
        assert computed == len(inputs)
    assert sum(len(step.asked_rows) for step in steps) == sum(one.count for one in queries)


def test_a_shared_beginning_is_computed_once():
    beginning = list(range(30))
    queries = [query([*beginning, *[40 + number] * 6], 2) for number in range(20)]
    scorer = TreeScorer(MODEL, budget=32)
    list(scorer.scores(queries))
    # What follows differs in its first token; the last token is only predicted.
    assert scorer.computed_tokens == 30 + 20 * 5
    check(MODEL, queries, 32)


def test_choices_of_one_token_share_their_row():
    queries = [query([1, 2, 3, choice], 1) for choice in range(10)]
    (step,) = Plan(queries, budget=100, overhead=0).steps()
    assert len(step.tokens) == 3
    assert step.rows.tolist() == [2]
    assert sorted(step.asked_tokens.tolist()) == list(range(10))


def test_no_queries_need_no_steps():
    assert list(TreeScorer(MODEL).scores([])) == []


def test_of_equal_logits_the_first_token_is_the_likeliest():
    model = small_phi()
    with torch.no_grad():
        model.lm_head.weight.zero_()
    scores = {
        number: greedy
        for done in TreeScorer(model).scores([query([5, 0], 1), query([5, 1], 1)])
        for number, _, greedy in done
    }
    assert scores == {0: True, 1: False}


def test_hooks_and_replaced_layers_count():
    model = small_phi()
    queries = [query([3, 1, 4, 1, 5], 3), query([3, 1, 4, 2], 2)]
    layers: Any = model.model.layers
    with torch.no_grad():
        layers[0].mlp.register_forward_hook(lambda _m, _i, output: output * 2)
        layers[1].self_attn.q_proj.register_forward_hook(lambda _m, _i, out: out + 1)
    check(model, queries, 8)


def test_a_model_in_training_is_scored_without_dropout_and_trains_on():
    model = small_phi(resid_pdrop=0.5)
    model.train()
    (done,) = TreeScorer(model).scores([query([3, 1, 4, 1, 5], 3)])
    assert model.training
    assert done[0][1] == pytest.approx(plain(model.eval(), query([3, 1, 4, 1, 5], 3))[0], abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_types_stay_close(dtype: torch.dtype):
    model = small_phi(initializer_range=0.1).to(dtype)
    one = query(list(range(20)), 10)
    (done,) = TreeScorer(model, budget=64).scores([one])
    assert done[0][1] == pytest.approx(plain(model.float(), one)[0], rel=0.02)
