from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinery.infer.drawing import draw, least_kept
from phinery.infer.sampling import Sampler, SamplingParams, check_finite, log_probabilities

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
    ({"prompt_logprobs": 0.5}, "prompt_logprobs must be a whole number from 0 up, not 0.5"),
    ({"repetition_penalty": 0}, "repetition_penalty must be a number from 0.01 to 100"),
    ({"json_schema": ""}, "json_schema must be a JSON schema, as a mapping or as text"),
    ({"regex": ""}, "regex must be a text that is not empty"),
    ({"regex": "a", "json_schema": {}}, "json_schema and regex cannot both hold"),
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
        "prompt_logprobs": None,
        "ignore_eos": False,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
        "logit_bias": None,
        "json_schema": None,
        "regex": None,
    }


def test_sampling_needs_no_torch():
    program = "import sys, phinery.infer.sampling; print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"


BORDERS = [
    ("n", 1, 0),
    ("max_tokens", 1, 0),
    ("temperature", 0.0, math.nextafter(0, -1)),
    ("top_p", math.nextafter(0, 1), 0.0),
    ("top_p", 1.0, math.nextafter(1, 2)),
    ("top_k", -1, -2),
    ("min_p", 0.0, math.nextafter(0, -1)),
    ("min_p", 1.0, math.nextafter(1, 2)),
    ("stop", ("a",), ("",)),
    ("seed", -(2**63), -(2**63) - 1),
    ("seed", 2**63 - 1, 2**63),
    ("logprobs", 0, -1),
    ("prompt_logprobs", 0, -1),
    ("repetition_penalty", 0.01, math.nextafter(0.01, 0)),
    ("repetition_penalty", 100, math.nextafter(100, 101)),
    ("presence_penalty", -2, math.nextafter(-2, -3)),
    ("presence_penalty", 2, math.nextafter(2, 3)),
    ("frequency_penalty", -2, math.nextafter(-2, -3)),
    ("frequency_penalty", 2, math.nextafter(2, 3)),
    ("logit_bias", {0: -100}, {0: math.nextafter(-100, -101)}),
    ("logit_bias", {0: 100}, {0: math.nextafter(100, 101)}),
]


@pytest.mark.parametrize(("field", "border", "beyond"), BORDERS)
def test_borders_of_every_range_are_allowed_and_what_lies_beyond_is_not(field, border, beyond):
    assert getattr(SamplingParams(**{field: border}), field) == border
    with pytest.raises(ValueError, match=f"^{field} must be"):
        SamplingParams(**{field: beyond})


def test_no_limit_of_tokens_is_allowed():
    assert SamplingParams(max_tokens=None).max_tokens is None


def reference_kept(logits, *, temperature, min_p, top_k, top_p):
    """Which tokens the filters keep, one at a time, in float64."""
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
    return np.isin(np.arange(len(logits)), kept)


def reference(logits, *, temperature, **filters):
    """The distribution in float64."""
    scaled = logits.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max())
    weights[~reference_kept(logits, temperature=temperature, **filters)] = 0
    return weights / weights.sum()


def kept(logits, params):
    return logits >= least_kept(logits, params)


@settings(deadline=None, max_examples=300)
@given(
    seed=st.integers(0, 2**32 - 1),
    vocab=st.integers(1, 60) | st.sampled_from([1500, 3000, 9000]),
    scale=st.sampled_from([0.3, 1.0, 5.0, 40.0]),
    shift=st.sampled_from([0.0, 1000.0, -1000.0]),
    temperature=st.floats(0.05, 5.0),
    min_p=st.just(0.0) | st.floats(0.001, 0.9),
    top_k=st.sampled_from([-1, 0]) | st.integers(1, 70),
    top_p=st.just(1.0) | st.floats(0.01, 0.999),
)
def test_filters_keep_what_the_reference_keeps(
    seed, vocab, scale, shift, temperature, min_p, top_k, top_p
):
    logits = np.random.default_rng(seed).normal(shift, scale, vocab).astype(np.float32)
    chosen = {"temperature": temperature, "min_p": min_p, "top_k": top_k, "top_p": top_p}
    ours = kept(logits, SamplingParams(**chosen))
    np.testing.assert_array_equal(ours, reference_kept(logits, **chosen))


def test_tokens_equal_to_the_last_one_kept_are_kept():
    logits = np.array([1, 0, 1, 1], dtype=np.float32)
    for filters in ({"top_k": 2}, {"top_p": 0.5}, {"top_k": 1}, {"min_p": 1.0}):
        assert kept(logits, SamplingParams(**filters)).tolist() == [True, False, True, True]


@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("top_k", [0, 3000])
@pytest.mark.parametrize("top_p", [0.5, 0.9, 0.99])
def test_a_large_vocabulary_is_filtered_alike(scale, top_k, top_p):
    """At the smaller scales no few tokens hold the share that is asked for."""
    logits = np.random.default_rng(1).normal(0, scale, 51_200).astype(np.float32)
    chosen = {"temperature": 0.8, "min_p": 0, "top_k": top_k, "top_p": top_p}
    wanted = reference_kept(logits, **chosen)
    np.testing.assert_array_equal(kept(logits, SamplingParams(**chosen)), wanted)


def test_a_share_that_ends_exactly_between_two_tokens_is_decided_in_float64():
    """Float32 cannot tell; a hair more or less of the share adds or drops the last token."""
    logits = np.random.default_rng(2).normal(0, 2, 20_000).astype(np.float32)
    weights = np.exp(logits.astype(np.float64) - float(logits.max()))
    ladder = np.cumsum(np.sort(weights)[::-1]) / weights.sum()
    for count in (5, 400, 1000, 1023, 1024, 1025, 5000, 8192, 8193, 15_000):
        for hair, wanted in ((-1e-10, count), (1e-10, count + 1)):
            params = SamplingParams(top_p=float(ladder[count - 1]) + hair)
            assert kept(logits, params).sum() == wanted, (count, hair)


def test_a_share_that_is_reached_exactly_needs_no_further_token():
    exact = 0
    for last in np.linspace(-3, -0.1, 30, dtype=np.float32):
        logits = np.array([0, last], dtype=np.float32)
        share = 1 / (1 + math.exp(last))
        if share * (1 + math.exp(last)) == 1:
            exact += 1
            assert kept(logits, SamplingParams(top_p=share)).tolist() == [True, False]
    assert exact > 5


def test_the_likeliest_token_survives_the_sharpest_filters():
    logits = np.array([0, 3, 1], dtype=np.float32)
    for sharp in ({"top_p": 1e-9}, {"top_k": 1}, {"min_p": 1.0}, {"temperature": 1.001e-5}):
        params = SamplingParams(**sharp, seed=1)
        assert {Sampler(params, index, [], 3).next(logits) for index in range(50)} == {1}


def chi_square_of_draws(logits, params, chosen, count, group=1):
    """Chi-square against the reference and its degrees of freedom; `group` tokens count as one."""
    sampler = Sampler(params, 0, [], len(logits))
    drawn = np.bincount([sampler.next(logits) for _ in range(count)], minlength=len(logits))
    expected = reference(logits, **chosen) * count
    assert drawn[expected == 0].sum() == 0
    starts = np.arange(0, len(logits), group)
    drawn, expected = np.add.reduceat(drawn, starts), np.add.reduceat(expected, starts)
    # What is rarely expected counts together.
    rare = expected < 10
    pairs = [*zip(drawn[~rare], expected[~rare], strict=True)]
    if expected[rare].sum() > 0:
        pairs.append((drawn[rare].sum(), expected[rare].sum()))
    return sum((seen - wanted) ** 2 / wanted for seen, wanted in pairs), len(pairs) - 1


def test_draws_have_the_frequencies_of_the_distribution():
    logits = np.array([2, 1, 0.5, 0, -0.5, -1, -2, -6], dtype=np.float32)
    chosen = {"temperature": 1.3, "min_p": 0, "top_k": 0, "top_p": 0.95}
    params = SamplingParams(seed=5, **chosen)
    chi_square, freedom = chi_square_of_draws(logits, params, chosen, 10_000)
    # 99.9th percentile for 5 degrees of freedom: six tokens are left by the filter.
    assert freedom == 5
    assert chi_square < 20.5


@pytest.mark.parametrize("scale", [0.0, 1.0, 4.0])
def test_draws_from_a_large_vocabulary_have_the_right_frequencies(scale):
    """More tokens than get a random time each, in blocks of three positions, the last not full."""
    logits = np.random.default_rng(3).normal(0, scale, 2500).astype(np.float32)
    chosen = {"temperature": 1.0, "min_p": 0, "top_k": 0, "top_p": 1.0}
    params = SamplingParams(seed=6, **chosen)
    chi_square, freedom = chi_square_of_draws(logits, params, chosen, 4000, group=50)
    # Chi-square is near normal for so many degrees of freedom: 3.1 deviations are 0.1%.
    assert freedom > 15
    assert abs(chi_square - freedom) < 3.1 * math.sqrt(2 * freedom) + 5


def uniform(counter, key):
    """SplitMix64's number `counter` after `key`, in whole numbers."""
    word = 2**64 - 1
    bits = (counter * 0x9E3779B97F4A7C15 + key) & word
    bits = ((bits ^ bits >> 30) * 0xBF58476D1CE4E5B9) & word
    bits = ((bits ^ bits >> 27) * 0x94D049BB133111EB) & word
    return (((bits ^ bits >> 31) >> 12) + 0.5) / 2**52


def race(logits, temperature, key):
    """The winner among all tokens, one at a time."""
    count = math.ceil(len(logits) / 1024)
    best, winner = math.inf, None
    for token, logit in enumerate(logits.tolist()):
        place, block = divmod(token, 1024)
        time = -math.log(uniform(block, key)) / count
        if place != math.floor(uniform(block + 1024, key) * count):
            time -= math.log(uniform(token + 2048, key))
        if math.log(time) - logit / temperature < best:
            best, winner = math.log(time) - logit / temperature, token
    return winner


@settings(deadline=None, max_examples=100)
@given(
    seed=st.integers(0, 2**32 - 1),
    vocab=st.sampled_from([1, 2, 257, 1024, 1025, 2048, 2049, 5000]),
    scale=st.sampled_from([0.0, 1.0, 4.0]),
    shift=st.sampled_from([0.0, -300.0, 300.0]),
    temperature=st.sampled_from([0.3, 1.0, 2.5]),
    key=st.integers(0, 2**64 - 1),
)
def test_the_winner_is_found_without_a_time_for_every_token(
    seed, vocab, scale, shift, temperature, key
):
    logits = np.random.default_rng(seed).normal(shift, scale, vocab).astype(np.float32)
    params = SamplingParams(temperature=temperature)
    assert draw(logits, params, key) == race(logits, temperature, key)


def test_a_filter_does_not_change_the_times_of_the_tokens_it_keeps():
    """So that a token that wins without a filter wins with it, unless the filter drops it."""
    logits = np.random.default_rng(4).normal(0, 2, 5000).astype(np.float32)
    filtered = SamplingParams(top_p=0.9)
    survivors = kept(logits, filtered)
    same = 0
    for key in range(1, 200):
        winner = draw(logits, SamplingParams(), key * 0x9E3779B97F4A7C15 % 2**64)
        if survivors[winner]:
            assert draw(logits, filtered, key * 0x9E3779B97F4A7C15 % 2**64) == winner
            same += 1
    assert same > 150


@settings(deadline=None)
@given(
    allowed=st.lists(st.booleans(), min_size=1, max_size=20).filter(any),
    key=st.integers(0, 2**64 - 1),
)
def test_impossible_tokens_are_never_drawn(allowed, key):
    logits = np.where(allowed, np.float32(0), np.float32(-np.inf))
    for filters in ({}, {"top_p": 0.999}, {"top_k": 19}, {"min_p": 0.5}):
        assert allowed[draw(logits, SamplingParams(**filters), key)]


def test_most_of_a_large_vocabulary_may_be_impossible():
    logits = np.full(51_200, -np.inf, dtype=np.float32)
    logits[[7, 30_000, 51_199]] = [0, 1, 2]
    for filters in ({}, {"top_p": 0.999}, {"top_k": 40}, {"min_p": 1e-3}, {"temperature": 0}):
        sampler = Sampler(SamplingParams(seed=1, **filters), 0, [], 51_200, Allowing(logits > -9))
        drawn = {sampler.next(np.zeros(51_200, dtype=np.float32)) for _ in range(200)}
        assert drawn == ({7} if "temperature" in filters else {7, 30_000, 51_199})


class Allowing:
    """A constraint that lets the same tokens follow at every place, and notes what it is told."""

    def __init__(self, allowed, accepted=()):
        self.allowed, self.accepted = allowed, list(accepted)

    def mask(self):
        return self.allowed

    def accept(self, token):
        self.accepted.append(token)

    def fork(self):
        return Allowing(self.allowed, self.accepted)


def test_constraint_is_asked_and_told():
    constraint = Allowing(np.array([False, True, False, True]))
    sampler = Sampler(SamplingParams(seed=1), 0, [], 4, constraint)
    logits = np.array([9, 0, 9, 0], dtype=np.float32)
    drawn = [sampler.next(logits) for _ in range(30)]
    assert set(drawn) == {1, 3}
    assert constraint.accepted == drawn


def draws(sampler, count, scale=1.0):
    logits = np.random.default_rng(9).normal(0, scale, (count, sampler.vocab_size))
    return [sampler.next(row) for row in logits.astype(np.float32)]


def test_seed_and_index_decide_all_random_numbers():
    first = draws(Sampler(SamplingParams(seed=3), 0, [], 300), 40)
    assert draws(Sampler(SamplingParams(seed=3), 0, [5, 6], 300), 40) == first
    others = [(4, 0), (3, 1), (-3, 0), (3 + 2**32, 0), (None, 0)]
    runs = [draws(Sampler(SamplingParams(seed=s), i, [], 300), 40) for s, i in others]
    assert len({tuple(run) for run in [first, *runs]}) == 6
    new = [draws(Sampler(SamplingParams(), 0, [], 300), 40) for _ in range(2)]
    assert new[0] != new[1]


def test_draws_of_a_seed_are_the_same_in_every_version():
    sampler = Sampler(SamplingParams(seed=2026, temperature=0.8, top_p=0.95), 1, [], 3000)
    assert draws(sampler, 12, scale=2.0) == [
        *(2269, 2440, 2, 1697, 2615, 669, 925, 2276, 2742, 2555, 1561, 1028)
    ]


def test_a_step_that_is_greedy_by_its_filters_uses_up_its_random_number_too():
    params = SamplingParams(seed=3)
    logits = np.zeros(300, dtype=np.float32)
    certain = logits.copy()
    certain[7] = 80
    one, two = (Sampler(params, 0, [], 300) for _ in range(2))
    one.next(logits), two.next(certain)
    assert draws(one, 20) == draws(two, 20)


def test_fork_draws_the_same_and_leaves_the_original_alone():
    """Where the penalties decide nearly everything, so that shared counts would show."""
    params = SamplingParams(
        seed=3, repetition_penalty=1.3, presence_penalty=2, frequency_penalty=1, temperature=0.3
    )
    constraint = Allowing(np.arange(200) % 2 == 0)
    sampler = Sampler(params, 0, [1, 2], 200, constraint)
    draws(sampler, 5)
    fork = sampler.fork()
    again = fork.fork()
    proposed = draws(fork, 150)
    assert len(constraint.accepted) == 5
    assert draws(again, 150) == proposed
    assert draws(sampler, 150) == proposed
    assert len(constraint.accepted) == 155


def test_a_draft_that_is_nearly_right_proposes_nearly_always_the_right_token():
    """At least (1 - d) / (1 + d) of the time, d the total variation distance (2408.07978)."""
    random = np.random.default_rng(8)
    params = SamplingParams(seed=1)
    agreed = bound = 0.0
    for index in range(300):
        target = random.normal(0, 2, 2000).astype(np.float32)
        draft = target + random.normal(0, 0.3, 2000).astype(np.float32)
        sampler = Sampler(params, index, [], 2000)
        agreed += sampler.fork().next(draft) == sampler.next(target)
        p, q = (np.exp(x - x.max()) / np.exp(x - x.max()).sum() for x in (target, draft))
        distance = np.abs(p - q).sum() / 2
        bound += (1 - distance) / (1 + distance)
    # Three standard deviations of 300 draws.
    assert agreed > bound - 3 * math.sqrt(300 * 0.25)
    assert bound > 200


def penalized(logits, params, prompt, output):
    """Penalties in vLLM's order, one token at a time."""
    logits = logits.astype(np.float64)
    for token, bias in (params.logit_bias or {}).items():
        logits[token] += bias
    for token in {*prompt, *output}:
        scale = params.repetition_penalty
        logits[token] = logits[token] / scale if logits[token] > 0 else logits[token] * scale
    for token, times in Counter(output).items():
        logits[token] -= params.frequency_penalty * times + params.presence_penalty
    return logits


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    presence=st.sampled_from([0.0, 0.5, -0.7]),
    frequency=st.sampled_from([0.0, 0.25, -0.1]),
    repetition=st.sampled_from([1.0, 1.3, 0.8]),
    bias=st.none() | st.dictionaries(st.integers(0, 199), st.floats(-5, 5), max_size=4),
    prompt=st.lists(st.integers(0, 199), max_size=150),
)
def test_penalties_count_what_was_chosen(seed, presence, frequency, repetition, bias, prompt):
    params = SamplingParams(
        temperature=0,
        presence_penalty=presence,
        frequency_penalty=frequency,
        repetition_penalty=repetition,
        logit_bias=bias,
    )
    sampler = Sampler(params, 0, prompt, 200)
    output = []
    for logits in np.random.default_rng(seed).normal(0, 0.5, (100, 200)).astype(np.float32):
        before = logits.copy()
        token = sampler.next(logits)
        wanted = penalized(logits, params, prompt, output)
        assert wanted[token] >= wanted.max() - 1e-5
        np.testing.assert_array_equal(logits, before)
        output.append(token)


def test_the_prompt_counts_for_the_repetition_penalty_only():
    logits = np.array([1.0, 1.2, 0.9], dtype=np.float32)
    for fields, wanted in (
        ({"presence_penalty": 1.0}, [1, 0, 2]),
        ({"frequency_penalty": 1.0}, [1, 0, 2]),
        ({"repetition_penalty": 2.0}, [0, 2, 1]),
    ):
        sampler = Sampler(SamplingParams(temperature=0, **fields), 0, [1], 3)
        assert [sampler.next(logits) for _ in range(3)] == wanted, fields


def test_bias_moves_the_named_tokens():
    logits = np.array([0, 1, 2], dtype=np.float32)
    biased = Sampler(SamplingParams(temperature=0, logit_bias={1: 5, 2: -100}), 0, [], 3)
    assert biased.next(logits) == 1
    barred = Sampler(SamplingParams(seed=1, logit_bias={1: -100, 2: -100}), 0, [], 3)
    assert {barred.next(logits) for _ in range(100)} == {0}
    with pytest.raises(ValueError, match="logit_bias names a token id that the model of 3 has not"):
        Sampler(SamplingParams(logit_bias={3: 1}), 0, [], 3)


def test_temperature_zero_takes_the_first_of_the_likeliest():
    for temperature in (0, 1e-9):
        params = SamplingParams(temperature=temperature, top_p=0.3)
        assert Sampler(params, 0, [], 3).next(np.array([1, 4, 4], dtype=np.float32)) == 1
        assert Sampler(params, 0, [], 3).next(np.array([7, 2, 7], dtype=np.float32)) == 0


def test_log_probabilities_are_the_models_own():
    logits = np.array([1, 3, 2, 0], dtype=np.float32)
    exact = logits - math.log(sum(math.exp(logit) for logit in logits.tolist()))
    assert log_probabilities(logits, 3, 0) == {3: pytest.approx(exact[3])}
    assert list(log_probabilities(logits, 3, 2)) == [3, 1, 2]
    assert list(log_probabilities(logits, 1, 2)) == [1, 2]
    everything = log_probabilities(logits, 1, 50)
    assert list(everything) == [1, 2, 0, 3]
    assert everything == {i: pytest.approx(exact[i]) for i in range(4)}


def test_log_probabilities_name_the_lower_id_first_where_two_are_alike():
    logits = np.array([0, 5, 0, 5, 0], dtype=np.float32)
    assert list(log_probabilities(logits, 4, 3)) == [4, 1, 3, 0]


@pytest.mark.parametrize("scale", [0.01, 3.0, 30.0])
def test_log_probabilities_of_a_large_vocabulary_are_exact_to_a_millionth(scale):
    logits = np.random.default_rng(1).normal(500, scale, 51_200).astype(np.float32)
    wide = logits.astype(np.float64)
    exact = wide - wide.max() - math.log(math.fsum(np.exp(wide - wide.max())))
    for token, value in log_probabilities(logits, 17, 100).items():
        assert abs(value - exact[token]) < 1e-6


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("temperature", [0, 1])
def test_logits_that_are_not_finite_are_refused(bad, temperature):
    logits = np.zeros(100, dtype=np.float32)
    check_finite(logits)
    logits[60] = bad
    with pytest.raises(ValueError, match="not finite"):
        Sampler(SamplingParams(temperature=temperature), 0, [], 100).next(logits)
    with pytest.raises(ValueError, match="not finite"):
        check_finite(logits)
