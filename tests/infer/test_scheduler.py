"""The scheduler, on a back end whose logits are an exact function of the text."""

from __future__ import annotations

import contextlib
import functools
import random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from engine_help import HashBackend, check, prompts_of, written
from phinery.infer import Engine, SamplingParams

PLAIN = SamplingParams(max_tokens=20, seed=5, ignore_eos=True)

# Where a draft model that fails isn't the matter, it would hide a mistake.
pytestmark = pytest.mark.filterwarnings("error:the draft model failed")


def test_one_by_one_is_the_reference(byte_tokenizer):
    backend = HashBackend()
    prompts = prompts_of([1, 5, 16, 17, 40])
    completions = Engine(backend, byte_tokenizer).generate(prompts, PLAIN)
    check(backend, prompts, [PLAIN] * 5, completions)


def test_a_prompt_is_computed_in_chunks_beside_the_others(byte_tokenizer):
    backend = HashBackend()
    engine = Engine(backend, byte_tokenizer, prefill_chunk=10)
    prompts = prompts_of([4, 35, 12])
    completions = engine.generate(prompts, PLAIN)
    check(backend, prompts, [PLAIN] * 3, completions)
    # Single tokens of those that have begun to write, beside ten of prompts.
    assert [[count for _, count, _ in spans] for spans in backend.steps[:7]] == [
        [4, 6],
        [1, 10],
        [1, 10],
        [1, 9, 1],
        [1, 1, 10],
        [1, 1, 1],
        [1, 1, 1],
    ]
    assert engine.stats.prefill_tokens == 4 + 35 + 12
    assert engine.stats.decode_tokens == 60
    assert engine.stats.steps == len(backend.steps)


def test_only_wanted_logits_are_computed(byte_tokenizer):
    backend = HashBackend()
    Engine(backend, byte_tokenizer, prefill_chunk=16).generate(prompts_of([40]), PLAIN)
    assert [spans[0] for spans in backend.steps[:4]] == [
        (0, 16, 0),
        (16, 16, 0),
        (32, 8, 1),
        (40, 1, 1),
    ]


def test_when_pages_run_out_the_youngest_waits(byte_tokenizer):
    backend = HashBackend(num_pages=8)
    engine = Engine(backend, byte_tokenizer)
    prompts = prompts_of([20, 30, 17, 9])
    params = SamplingParams(max_tokens=60, seed=5, ignore_eos=True)
    completions = engine.generate(prompts, params)
    check(backend, prompts, [params] * 4, completions)
    assert engine.stats.preemptions > 0
    assert engine.pages_in_use == 0
    # The oldest was never kept waiting: it ends first, a token a step.
    assert [start for spans in backend.steps[:60] for start, *_ in spans[:1]] == [
        0,
        *range(20, 79),
    ]


def test_they_do_not_take_turns_in_preempting_each_other(byte_tokenizer):
    engine = Engine(HashBackend(num_pages=12), byte_tokenizer)
    prompts = prompts_of([17] * 30)
    params = SamplingParams(max_tokens=30, seed=5, ignore_eos=True)
    check(engine.backend, prompts, [params] * 30, engine.generate(prompts, params))
    assert engine.stats.preemptions < 3


def test_a_prompt_that_is_preempted_half_way(byte_tokenizer):
    backend = HashBackend(num_pages=5, context=80)
    engine = Engine(backend, byte_tokenizer, prefill_chunk=1)
    prompts = prompts_of([15, 33])
    params = SamplingParams(max_tokens=40, seed=5, ignore_eos=True)
    check(backend, prompts, [params] * 2, engine.generate(prompts, params))
    assert engine.stats.preemptions == 1
    assert engine.stats.prefill_tokens > 48


def test_a_preempted_text_is_told_once(byte_tokenizer):
    backend = HashBackend(num_pages=8)
    engine = Engine(backend, byte_tokenizer)
    params = SamplingParams(max_tokens=40, seed=5, n=4, ignore_eos=True, logprobs=1)
    (prompt,) = prompts_of([30])
    told = [[] for _ in range(4)]
    for delta in engine.stream_sync(prompt, params):
        told[delta.index] += delta.token_ids
    assert engine.stats.preemptions > 0
    assert told == [written(backend, prompt, params, index)[0] for index in range(4)]


def test_prompt_logprobs_survive_preemption_and_chunks(byte_tokenizer):
    backend = HashBackend(num_pages=8)
    engine = Engine(backend, byte_tokenizer, prefill_chunk=7)
    prompts = prompts_of([30, 50, 33])
    params = SamplingParams(max_tokens=40, seed=1, ignore_eos=True, prompt_logprobs=2)
    check(backend, prompts, [params] * 3, engine.generate(prompts, params))
    assert engine.stats.preemptions > 0


def test_long_prompts_are_scored_in_small_pieces(byte_tokenizer):
    backend = HashBackend(context=300)
    prompts = prompts_of([200])
    params = SamplingParams(max_tokens=1, seed=1, prompt_logprobs=1)
    check(backend, prompts, [params], Engine(backend, byte_tokenizer).generate(prompts, params))
    assert max(sum(wanted for *_, wanted in spans) for spans in backend.steps) <= 64


def test_cancelling_frees_pages_at_once(byte_tokenizer):
    engine = Engine(HashBackend(), byte_tokenizer)
    prompts = prompts_of([40, 20])
    one, other = (engine.stream_sync(prompt, PLAIN) for prompt in prompts)
    next(one)
    assert engine.pages_in_use == 3
    next(other)
    assert engine.pages_in_use == 5
    one.close()
    assert engine.pages_in_use == 2
    with contextlib.closing(other):
        next(other)
    assert engine.pages_in_use == 0


def test_an_error_harms_only_the_request_that_made_it(byte_tokenizer):
    backend = HashBackend()
    backend.poison = {77}
    engine = Engine(backend, byte_tokenizer)
    params = SamplingParams(max_tokens=30, seed=2, ignore_eos=True, logit_bias={77: -100})
    prompts = [[1, 2], [1, 77], [3]]
    streams = [engine.stream_sync(prompt, params) for prompt in prompts]
    told: list[list[int]] = [[], [], []]
    failed = []
    for _ in range(31):
        for place, stream in enumerate(streams):
            try:
                told[place] += next(stream).token_ids
            except StopIteration:
                pass
            except RuntimeError as error:
                failed.append((place, str(error)))
    assert failed == [(1, "the back end broke down")]
    assert [told[0], told[2]] == [written(backend, prompts[i], params)[0] for i in (0, 2)]
    assert told[1] == []
    assert engine.pages_in_use == 0
    with pytest.raises(RuntimeError, match="broke down"):
        engine.generate(prompts, params)
    assert engine.pages_in_use == 0
    check(backend, [[4, 5]], [params], engine.generate([[4, 5]], params))


def test_logits_of_one_request_that_are_not_finite(byte_tokenizer):
    backend = HashBackend()
    healthy = backend.step

    def step(spans):
        logits = healthy(spans)
        for row, span in enumerate(spans):
            if span.start >= 20:
                logits[row, 3] = np.nan
        return logits

    backend.step = step
    engine = Engine(backend, byte_tokenizer)
    params = SamplingParams(max_tokens=15, seed=2, ignore_eos=True)
    good, bad = engine.stream_sync([1, 2], params), engine.stream_sync([1] * 18, params)
    told = [next(bad).token_ids[0], next(good).token_ids[0], next(bad).token_ids[0]]
    with pytest.raises(ValueError, match="not finite"):
        told += [delta.token_ids[0] for delta in bad]
    assert [told[1], *(delta.token_ids[0] for delta in good)] == (
        written(backend, [1, 2], params)[0]
    )


def test_an_interrupt_leaves_the_others_as_they_were(byte_tokenizer):
    for draft in (None, HashBackend(noise=1.0)):
        backend = HashBackend()
        engine = Engine(backend, byte_tokenizer, draft=draft)
        healthy = backend.step
        prompts = prompts_of([3, 30])
        survivor = engine.stream_sync(prompts[0], PLAIN)
        told = [next(survivor).token_ids[0]]

        def interrupted(spans, healthy=healthy):
            healthy(spans)
            raise KeyboardInterrupt

        backend.step = interrupted
        with pytest.raises(KeyboardInterrupt):
            engine.generate([prompts[1]], PLAIN)
        backend.step = healthy
        told += [delta.token_ids[0] for delta in survivor]
        assert told == written(backend, prompts[0], PLAIN)[0]
        assert engine.pages_in_use == 0


@pytest.mark.parametrize("noise", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("temperature", [0, 0.8])
def test_speculation_changes_nothing_but_the_number_of_steps(byte_tokenizer, noise, temperature):
    params = SamplingParams(
        max_tokens=50, seed=3, temperature=temperature, logprobs=2, ignore_eos=True
    )
    prompts = prompts_of([1, 20, 33, 5])
    backend, draft = HashBackend(), HashBackend(noise=noise)
    engine = Engine(backend, byte_tokenizer, draft=draft, num_draft_tokens=3)
    completions = engine.generate(prompts, params)
    check(backend, prompts, [params] * 4, completions)
    stats = engine.stats
    assert stats.proposed > 0
    share = stats.accepted / stats.proposed
    if noise == 0:
        # The same model proposes: what stands is all, and steps are four times fewer.
        assert share == 1
        assert stats.steps <= 50 / 4 + 3
    else:
        assert 0 <= share < 1
    assert (share < 0.2) == (noise == 30)


def test_the_drafts_cache_is_shared_like_the_models(byte_tokenizer):
    """What an answer left in the pages serves both models, wherever in a page it ended."""
    engine = Engine(HashBackend(), byte_tokenizer, draft=HashBackend(), num_draft_tokens=3)
    params = SamplingParams(max_tokens=9, seed=1, ignore_eos=True)
    for length in range(1, 40):
        (text,) = prompts_of([length], length)
        for _ in range(2):
            (completion,) = engine.generate([text], params)
            check(engine.backend, [text], [params], [completion])
            text = [*text, *completion.token_ids]
    assert engine.stats.cached_tokens > 500
    assert engine.stats.accepted == engine.stats.proposed > 200


@pytest.mark.filterwarnings("default:the draft model failed")
def test_a_draft_that_fails_is_told_and_left(byte_tokenizer):
    backend, draft = HashBackend(), HashBackend()
    engine = Engine(backend, byte_tokenizer, draft=draft)
    (prompt,) = prompts_of([20])
    draft.poison = {written(backend, prompt, PLAIN)[0][6]}
    with pytest.warns(UserWarning, match="the draft model failed and is not used any more"):
        completions = engine.generate([prompt], PLAIN)
    check(backend, [prompt], [PLAIN], completions)
    check(backend, [prompt], [PLAIN], engine.generate([prompt], PLAIN))


def test_models_that_do_not_belong_together_are_refused(byte_tokenizer):
    for draft, message in (
        (HashBackend(vocab_size=258), "the draft model has 258 token ids, the model 257"),
        (HashBackend(context=64), "the draft model's context of 64 tokens is shorter"),
        (HashBackend(num_pages=5), "the draft model's cache must have the model's pages"),
    ):
        with pytest.raises(ValueError) as caught:
            Engine(HashBackend(), byte_tokenizer, draft=draft)
        assert message in str(caught.value)


def test_a_small_cache_is_the_context(byte_tokenizer):
    engine = Engine(HashBackend(num_pages=2), byte_tokenizer)
    assert engine.context_length == 32
    params = SamplingParams(temperature=0, max_tokens=None, ignore_eos=True)
    (completion,) = engine.generate([[1] * 20], params)
    assert (len(completion.token_ids), completion.finish_reason) == (12, "length")
    with pytest.raises(ValueError, match="holds 32"):
        engine.generate([[1] * 32])


def test_ten_thousand_requests_of_which_many_are_cancelled(byte_tokenizer):
    backend = HashBackend(context=96, num_pages=60)
    engine = Engine(backend, byte_tokenizer, max_batch=24, prefill_chunk=48)
    generator = random.Random(7)
    stems = prompts_of([33, 48, 20])
    kinds = [
        (
            generator.choice(stems)[: generator.randrange(1, 48)] + tail,
            SamplingParams(
                max_tokens=generator.randrange(1, 9),
                seed=generator.randrange(3),
                temperature=generator.choice([0, 0, 0, 1.0]),
                ignore_eos=True,
            ),
        )
        for tail in prompts_of([place % 9 for place in range(60)], 2)
    ]

    @functools.cache
    def expected(kind):
        prompt, params = kinds[kind]
        return written(backend, prompt, params)[0]

    remaining = 10_000
    live: list[tuple[int, list[int], object]] = []
    cancelled = finished = 0
    while remaining or live:
        while remaining and len(live) < 40:
            kind = generator.randrange(len(kinds))
            live.append((kind, [], engine.stream_sync(*kinds[kind])))
            remaining -= 1
        place = generator.randrange(len(live))
        kind, told, stream = live[place]
        if generator.random() < 0.1:
            stream.close()
            assert told == expected(kind)[: len(told)]
            cancelled += 1
            del live[place]
            continue
        delta = next(stream, None)
        if delta is not None:
            told += delta.token_ids
        else:
            assert told == expected(kind)
            finished += 1
            del live[place]
    assert cancelled + finished == 10_000
    assert min(cancelled, finished) > 2_000
    assert engine.pages_in_use == 0
    assert engine.stats.cached_tokens > 0
    # Nothing was leaked: one request can have every page.
    whole = SamplingParams(max_tokens=None, seed=1, ignore_eos=True)
    assert len(engine.generate([[1]], whole)[0].token_ids) == 95


def test_every_page_comes_back(byte_tokenizer):
    """As many completions at once as fill the whole cache, after all that was cancelled."""
    backend = HashBackend(num_pages=32)
    engine = Engine(backend, byte_tokenizer)
    for _ in range(5):
        streams = [engine.stream_sync(prompt, PLAIN) for prompt in prompts_of([100] * 4)]
        for stream in streams:
            next(stream)
        for stream in streams:
            stream.close()
        assert engine.pages_in_use == 0
    params = SamplingParams(max_tokens=28, seed=1, ignore_eos=True)
    engine.generate(prompts_of([100] * 4, 9), params)
    assert engine.stats.preemptions == 0


requests = st.tuples(
    st.integers(0, 2),  # which stem
    st.integers(0, 60),  # how much of it
    st.lists(st.integers(0, 255), min_size=1, max_size=4),  # then this
    st.builds(
        SamplingParams,
        max_tokens=st.integers(1, 40),
        temperature=st.sampled_from([0.7, 1.0]),
        seed=st.integers(0, 3),
        n=st.sampled_from([1, 1, 2, 3]),
        ignore_eos=st.booleans(),
        logprobs=st.sampled_from([None, 0, 2]),
        prompt_logprobs=st.sampled_from([None, None, None, 1]),
        frequency_penalty=st.sampled_from([0.0, 1.0]),
    ),
)


@settings(max_examples=80, deadline=None)
@given(
    mix=st.lists(requests, min_size=1, max_size=8),
    page_size=st.sampled_from([16, 32, 48]),
    contexts=st.integers(1, 4),
    max_batch=st.integers(1, 9),
    prefill_chunk=st.integers(1, 70),
    prefix_cache=st.booleans(),
    draft_noise=st.sampled_from([None, None, 0.0, 1.0]),
    num_draft_tokens=st.integers(1, 5),
)
def test_any_mix_is_one_by_one(
    byte_tokenizer,
    mix,
    page_size,
    contexts,
    max_batch,
    prefill_chunk,
    prefix_cache,
    draft_noise,
    num_draft_tokens,
):
    stems = prompts_of([60, 60, 60])
    prompts = [stems[stem][:length] + tail for stem, length, tail, _ in mix]
    params = [chosen for *_, chosen in mix]
    pages = contexts * -(-112 // page_size)

    def backend(noise):
        return HashBackend(context=112, num_pages=pages, page_size=page_size, noise=noise)

    model = backend(0.0)
    engine = Engine(
        model,
        byte_tokenizer,
        max_batch=max_batch,
        prefill_chunk=prefill_chunk,
        prefix_cache=prefix_cache,
        draft=None if draft_noise is None else backend(draft_noise),
        num_draft_tokens=num_draft_tokens,
    )
    for _ in range(2):
        check(model, prompts, params, engine.generate(prompts, params))
        assert engine.pages_in_use == 0
