"""Prompts that begin alike: what is computed once, and that nobody notices."""

from __future__ import annotations

import pytest

from engine_help import HashBackend, check, prompts_of, written
from phinery.infer import Engine, SamplingParams

PLAIN = SamplingParams(max_tokens=20, seed=5, ignore_eos=True)


def test_shared_prefixes_are_computed_once(byte_tokenizer):
    """A hundred requests that share 1,000 tokens."""
    (prefix,) = prompts_of([1000])
    prompts = [prefix + tail for tail in prompts_of([1 + place % 23 for place in range(100)], 1)]
    params = SamplingParams(max_tokens=5, seed=5, ignore_eos=True)
    backend = HashBackend(context=1100, num_pages=400)
    engine = Engine(backend, byte_tokenizer)
    completions = engine.generate(prompts, params)
    check(backend, prompts, [params] * 100, completions)
    # 62 full pages of 16 are shared; what is after them is each request's own.
    tails = sum(len(prompt) - 992 for prompt in prompts)
    assert engine.stats.prefill_tokens <= 992 + tails
    assert engine.stats.prefill_tokens + engine.stats.cached_tokens == sum(map(len, prompts))
    assert engine.stats.cached_tokens >= 99 * 992
    assert engine.pages_in_use == 0

    apart = HashBackend(context=1100, num_pages=70 * 32)
    uncached = Engine(apart, byte_tokenizer, prefix_cache=False)
    assert uncached.generate(prompts, params) == completions
    assert uncached.stats.prefill_tokens == sum(map(len, prompts))


def test_a_later_call_finds_what_an_earlier_one_computed(byte_tokenizer):
    backend = HashBackend()
    engine = Engine(backend, byte_tokenizer)
    (prompt,) = prompts_of([40])
    (first,) = engine.generate([prompt], PLAIN)
    assert engine.stats.cached_tokens == 0
    assert engine.generate([prompt], PLAIN) == [first]
    assert engine.stats.cached_tokens == 32
    # The answer is found as well: a conversation goes on.
    longer = prompt + first.token_ids + [1]
    check(backend, [longer], [PLAIN], engine.generate([longer], PLAIN))
    assert engine.stats.cached_tokens == 32 + 48


def test_a_whole_prompt_that_is_cached_still_gives_logits(byte_tokenizer):
    backend = HashBackend()
    engine = Engine(backend, byte_tokenizer)
    (prompt,) = prompts_of([32])
    first = engine.generate([prompt], PLAIN)
    assert engine.generate([prompt], PLAIN) == first
    assert engine.stats.cached_tokens == 16


def test_adapters_share_no_pages(byte_tokenizer):
    backend = HashBackend()
    engine = Engine(backend, byte_tokenizer, adapters={"one": "somewhere", "other": "elsewhere"})
    (prompt,) = prompts_of([40])
    for adapter, number in ((None, 0), ("one", 1), ("other", 2), ("one", 1)):
        (completion,) = engine.generate([prompt], PLAIN, adapter=adapter)
        assert completion.token_ids == written(backend, prompt, PLAIN, adapter=number)[0]
    assert engine.stats.cached_tokens == 32
    with pytest.raises(ValueError, match="no adapter is called 'third'; there are: one, other"):
        engine.generate([prompt], PLAIN, adapter="third")


def test_several_completions_share_their_prompts_pages(byte_tokenizer):
    for prefix_cache in (True, False):
        backend = HashBackend()
        engine = Engine(backend, byte_tokenizer, prefix_cache=prefix_cache)
        (prompt,) = prompts_of([40])
        params = SamplingParams(max_tokens=8, seed=5, n=4, ignore_eos=True)
        check(backend, [prompt], [params], engine.generate([prompt], params))
        assert engine.stats.prefill_tokens == 40 + 3 * 8
        assert engine.stats.cached_tokens == 3 * 32


def test_prompt_logprobs_are_computed_though_the_prompt_is_cached(byte_tokenizer):
    backend = HashBackend()
    engine = Engine(backend, byte_tokenizer)
    prompts = prompts_of([40])
    engine.generate(prompts, PLAIN)
    for n in (1, 3):
        params = SamplingParams(max_tokens=4, seed=1, ignore_eos=True, prompt_logprobs=0, n=n)
        check(backend, prompts, [params], engine.generate(prompts, params))


def test_who_waits_for_a_cancelled_ones_pages_computes_them(byte_tokenizer):
    backend = HashBackend()
    engine = Engine(backend, byte_tokenizer, prefill_chunk=16)
    (prompt,) = prompts_of([60])
    one, other = (engine._ticket([prompt], [PLAIN], None, streams=False) for _ in range(2))
    engine._scheduler.add(one)
    engine._scheduler.add(other)
    engine._scheduler.step()
    engine._scheduler.step()
    # The other one waits: it computes nothing that the first is about to compute.
    assert backend.steps == [[(0, 16, 0)], [(16, 16, 0)]]
    engine._scheduler.remove(one)
    assert engine.pages_in_use == 0
    while not other.is_done:
        engine._scheduler.step()
    check(backend, [prompt], [PLAIN], other.completions())
    assert (engine.stats.prefill_tokens, engine.stats.cached_tokens) == (60, 32)


def test_without_the_cache_nothing_is_found(byte_tokenizer):
    engine = Engine(HashBackend(), byte_tokenizer, prefix_cache=False)
    prompts = prompts_of([40]) * 2
    for _ in range(2):
        engine.generate(prompts, PLAIN)
    assert engine.stats.prefill_tokens == 4 * 40
    assert engine.stats.cached_tokens == 0
