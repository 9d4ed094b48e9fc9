from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phinery.infer import SamplingParams
from phinery.infer.sampling import choose, draw, log_probabilities, penalize, probabilities

WRONG = [
    ({"n": 0}, "n must be a whole number from 1 up, not 0"),
    ({"n": True}, "n must be"),
    ({"n": 2, "temperature": 0}, "raise the temperature or set n to 1"),
    ({"max_tokens": 0}, "max_tokens must be a whole number from 1 up, or None"),
    ({"max_tokens": 2.5}, "max_tokens must be"),
    ({"temperature": -0.1}, "temperature must be a number from 0"),
    ({"temperature": math.nan}, "temperature must be"),
    ({"temperature": "hot"}, "temperature must be"),
    ({"top_p": 0}, "top_p must be a number above 0 and at most 1, not 0"),
    ({"top_p": 1.01}, "top_p must be"),
    ({"top_k": -2}, "top_k must be a whole number from 1 up, or 0 or -1 for all, not -2"),
    ({"top_k": 3.0}, "top_k must be"),
    ({"min_p": 1.5}, "min_p must be a number from 0 to 1, not 1.5"),
    ({"min_p": -0.1}, "min_p must be"),
    ({"stop": ""}, "stop must be a text or a list of texts, none of them empty"),
    ({"stop": ["a", ""]}, "stop must be"),
    ({"stop": [1]}, "stop must be"),
    ({"stop": 7}, "stop must be"),
    ({"seed": 1.5}, "seed must be"),
    ({"seed": 2**63}, "seed must be a whole number of at most 64 bits"),
    ({"logprobs": -1}, "logprobs must be a whole number from 0 up, not -1"),
    ({"ignore_eos": 1}, "ignore_eos must be True or False, not 1"),
    ({"presence_penalty": 2.1}, "presence_penalty must be a number from -2 to 2"),
    ({"frequency_penalty": -3}, "frequency_penalty must be a number from -2 to 2"),
    ({"logit_bias": {5: 101}}, "logit_bias must be a mapping from token ids to numbers"),
    ({"logit_bias": {"5": 1}}, "logit_bias must be"),
    ({"logit_bias": [5]}, "logit_bias must be"),
]


@pytest.mark.parametrize(
    ("fields", "message"), WRONG, ids=lambda v: str(v) if type(v) is dict else ""
)
def test_wrong_parameters_say_in_one_line_what_they_must_be(fields, message):
    with pytest.raises(ValueError) as caught:
        SamplingParams(**fields)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_field_is_checked():
    defaults = SamplingParams()
    for name in vars(defaults):
        with pytest.raises(ValueError, match=name):
            SamplingParams(**{name: object()})


def test_defaults_are_those_of_vllm():
    assert vars(SamplingParams()) == {
        "n": 1,
        "max_tokens": 16,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "stop": None,
        "seed": None,
        "logprobs": None,
        "ignore_eos": False,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "logit_bias": None,
    }


def test_borders_of_every_range_are_allowed():
    SamplingParams(temperature=0, top_p=1, top_k=-1, min_p=1, seed=-(2**63), stop=("a",))
    SamplingParams(max_tokens=None, logit_bias={0: -100}, presence_penalty=-2, logprobs=0)


def reference(logits, *, temperature, min_p, top_k, top_p):
    """The filters one token at a time, in float64."""
    scaled = logits.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max())
    kept = [token for token in np.argsort(-scaled) if weights[token] >= min_p]
    if 0 < top_k < len(kept):
        kept = [token for token in kept if scaled[token] >= scaled[kept[top_k - 1]]]
    if top_p < 1:
        total, mass = sum(weights[kept]), 0.0
        for last in kept:
            mass += weights[last] / total
            if mass >= top_p:
                break
        kept = [token for token in kept if scaled[token] >= scaled[last]]
    result = np.zeros(len(weights))
    result[kept] = weights[kept]
    return result / result.sum()


@settings(deadline=None, max_examples=200)
@given(
    seed=st.integers(0, 2**32 - 1),
    vocab=st.integers(1, 60),
    scale=st.sampled_from([0.3, 1.0, 5.0, 40.0]),
    temperature=st.floats(0.05, 5.0),
    min_p=st.just(0.0) | st.floats(0.001, 0.9),
    top_k=st.sampled_from([-1, 0]) | st.integers(1, 70),
    top_p=st.just(1.0) | st.floats(0.01, 0.999),
)
def test_distribution_is_the_reference(seed, vocab, scale, temperature, min_p, top_k, top_p):
    logits = np.random.default_rng(seed).normal(0, scale, (3, vocab)).astype(np.float32)
    chosen = {"temperature": temperature, "min_p": min_p, "top_k": top_k, "top_p": top_p}
    ours = probabilities(torch.from_numpy(logits), SamplingParams(**chosen)).numpy()
    expected = np.stack([reference(row, **chosen) for row in logits])
    np.testing.assert_array_equal(ours > 0, expected > 0)
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-300)


def test_tokens_equal_to_the_last_one_kept_are_kept():
    logits = torch.tensor([[1.0, 0.0, 1.0, 1.0]])
    third = pytest.approx([1 / 3, 0, 1 / 3, 1 / 3])
    for filters in ({"top_k": 2}, {"top_p": 0.5}, {"top_k": 1}, {"min_p": 1.0}):
        assert probabilities(logits, SamplingParams(**filters)).tolist() == [third]


@pytest.mark.parametrize("scale", [0.0, 0.1, 3.0])
def test_a_large_vocabulary_is_filtered_alike(scale):
    """At the smaller scales no few tokens hold the share that is asked for."""
    logits = np.random.default_rng(1).normal(0, scale, (2, 5000)).astype(np.float32)
    ours = probabilities(torch.from_numpy(logits), SamplingParams(top_p=0.9)).numpy()
    for row, expected in zip(ours, logits, strict=True):
        wanted = reference(expected, temperature=1, min_p=0, top_k=0, top_p=0.9)
        np.testing.assert_array_equal(row > 0, wanted > 0)
        np.testing.assert_allclose(row, wanted, rtol=1e-9)


def test_the_likeliest_token_survives_the_sharpest_filters():
    logits = torch.tensor([[0.0, 3.0, 1.0]])
    for sharp in ({"top_p": 1e-9}, {"top_k": 1}, {"min_p": 1.0}, {"temperature": 1.001e-5}):
        assert probabilities(logits, SamplingParams(**sharp)).tolist() == [[0, 1, 0]]


def test_draws_have_the_frequencies_of_the_distribution():
    logits = torch.tensor([[2.0, 1.0, 0.5, 0.0, -0.5, -1.0, -2.0, -6.0]])
    params = SamplingParams(temperature=1.3, top_p=0.95)
    count = 20_000
    generator = torch.Generator().manual_seed(5)
    drawn = choose(logits.expand(count, -1), params, [[]] * count, [generator] * count).numpy()
    expected = reference(logits[0].numpy(), temperature=1.3, min_p=0, top_k=0, top_p=0.95) * count
    observed = np.bincount(drawn, minlength=8)
    possible = expected > 0
    assert observed[~possible].sum() == 0
    chi_square = ((observed - expected)[possible] ** 2 / expected[possible]).sum()
    # 99.9th percentile for 5 degrees of freedom: six tokens are left by the filter.
    assert possible.sum() == 6
    assert chi_square < 20.5


@settings(deadline=None)
@given(
    weights=st.lists(st.floats(1e-9, 1) | st.just(0.0), min_size=1, max_size=20).filter(any),
    uniform=st.floats(0, 1, exclude_max=True) | st.sampled_from([0.0, 1 - 2**-53]),
)
def test_impossible_tokens_are_never_drawn(weights, uniform):
    distribution = torch.tensor([weights], dtype=torch.float64)
    distribution /= distribution.sum()
    token = draw(distribution, torch.tensor([uniform], dtype=torch.float64)).item()
    assert weights[int(token)] > 0


def test_a_draw_inverts_the_cumulative_distribution():
    distribution = torch.tensor([[0.25, 0.0, 0.5, 0.25]] * 5, dtype=torch.float64)
    uniforms = torch.tensor([0.0, 0.2499, 0.25, 0.7499, 0.75], dtype=torch.float64)
    assert draw(distribution, uniforms).tolist() == [0, 0, 2, 2, 3]


def test_penalties_count_the_tokens_of_each_row_only():
    params = SamplingParams(presence_penalty=0.5, frequency_penalty=0.25)
    penalized = penalize(torch.zeros(3, 4), params, [[1, 1, 3], [0], []])
    assert penalized.tolist() == [[0, -1.0, 0, -0.75], [-0.75, 0, 0, 0], [0, 0, 0, 0]]


def test_bias_moves_the_named_tokens():
    logits = torch.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])
    biased = penalize(logits, SamplingParams(logit_bias={1: 5, 2: -100}), [[], []])
    assert biased.tolist() == [[0, 6, -98], [2, 6, -100]]
    assert logits.tolist() == [[0, 1, 2], [2, 1, 0]]


def test_temperature_zero_takes_the_first_of_the_likeliest():
    logits = torch.tensor([[1.0, 4.0, 4.0], [7.0, 2.0, 7.0]])
    for temperature in (0, 1e-9):
        params = SamplingParams(temperature=temperature, top_p=0.3)
        assert choose(logits, params, [[], []], []).tolist() == [1, 0]


def test_log_probabilities_are_the_models_own():
    logits = torch.tensor([[1.0, 3.0, 2.0, 0.0]])
    expected = logits.double().log_softmax(1)[0].tolist()
    (only,) = log_probabilities(logits, torch.tensor([3]), 0)
    assert only == {3: pytest.approx(expected[3])}
    (three,) = log_probabilities(logits, torch.tensor([3]), 2)
    assert list(three) == [3, 1, 2]
    (all_of_them,) = log_probabilities(logits, torch.tensor([1]), 50)
    assert all_of_them == {i: pytest.approx(expected[i]) for i in range(4)}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_logits_that_are_not_finite_are_refused(bad):
    logits = torch.tensor([[0.0, bad]])
    with pytest.raises(ValueError, match="not finite"):
        choose(logits, SamplingParams(), [[]], [torch.Generator()])
