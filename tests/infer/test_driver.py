"""Threads and event loops: who does the work, and what stops it."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time

import pytest

from engine_help import HashBackend, check, prompts_of, written
from phinery.infer import Engine, SamplingParams

PLAIN = SamplingParams(max_tokens=20, seed=5, ignore_eos=True)
ENDLESS = SamplingParams(max_tokens=None, seed=5, ignore_eos=True)


class SlowBackend(HashBackend):
    """Takes a moment for a step, as a real one, so that threads meet; and knows who calls."""

    def __init__(self, **options):
        super().__init__(**options)
        self.threads: set[str] = set()

    def step(self, spans):
        self.threads.add(threading.current_thread().name)
        time.sleep(0.0005)
        return super().step(spans)


@pytest.fixture
def backend():
    return SlowBackend(context=1000, num_pages=500)


@pytest.fixture
def engine(backend, byte_tokenizer):
    return Engine(backend, byte_tokenizer)


def pump_threads():
    return [thread for thread in threading.enumerate() if thread.name == "phinery-engine"]


def wait_until(condition):
    """For what other threads do soon."""
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.005)
    pytest.fail("it did not happen")


def test_several_threads_are_one_batch(engine, backend):
    prompts = prompts_of([3 + place for place in range(8)])
    results = {}
    barrier = threading.Barrier(8)

    def run(place):
        barrier.wait()
        results[place] = engine.generate([prompts[place]], PLAIN)[0]

    threads = [threading.Thread(target=run, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(backend, prompts, [PLAIN] * 8, [results[place] for place in range(8)])
    # One after the other they would take 160 steps.
    assert len(backend.steps) < 100
    assert not pump_threads()


def test_a_thread_that_is_done_does_not_wait_for_the_others(engine):
    with_others = threading.Event()
    long = threading.Thread(target=lambda: engine.generate([[1]], ENDLESS))
    long.start()
    wait_until(lambda: engine.stats.decode_tokens > 5)
    engine.generate([[2]], PLAIN)
    with_others.set()
    assert engine.stats.decode_tokens < 900
    assert long.is_alive()
    long.join()


def test_streams_of_a_loop_share_one_thread_that_ends(engine, backend):
    prompts = prompts_of([3 + place for place in range(12)])

    async def collect(prompt):
        return [token async for delta in engine.stream(prompt, PLAIN) for token in delta.token_ids]

    async def all_of_them():
        return await asyncio.gather(*map(collect, prompts))

    assert asyncio.run(all_of_them()) == [written(backend, p, PLAIN)[0] for p in prompts]
    assert backend.threads == {"phinery-engine"}
    assert len(backend.steps) < 60
    wait_until(lambda: not pump_threads())
    # Another loop, later.
    assert asyncio.run(all_of_them()) == [written(backend, p, PLAIN)[0] for p in prompts]


def test_nothing_runs_before_somebody_asks(engine, backend):
    async def ask_for_nothing():
        engine.stream([1], PLAIN)
        await asyncio.sleep(0.02)

    asyncio.run(ask_for_nothing())
    engine.stream_sync([1], PLAIN)
    assert backend.steps == []
    assert not pump_threads()


def test_a_cancelled_task_frees_its_pages(engine, backend):
    async def listen(told):
        async for delta in engine.stream([1] * 40, ENDLESS):
            told += delta.token_ids

    async def cancel():
        told: list[int] = []
        task = asyncio.create_task(listen(told))
        while len(told) < 5:
            await asyncio.sleep(0.001)
        assert engine.pages_in_use > 0
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        steps = len(backend.steps)
        while engine.pages_in_use:
            await asyncio.sleep(0.001)
        assert len(backend.steps) <= steps + 1

    asyncio.run(cancel())
    wait_until(lambda: not pump_threads())
    assert engine.stats.decode_tokens < 900


def test_a_stream_that_is_left_is_cancelled(engine):
    async def leave():
        stream = engine.stream([1], ENDLESS)
        async for _ in stream:
            break
        await stream.aclose()
        while engine.pages_in_use:
            await asyncio.sleep(0.001)

    async def forget():
        async for _ in engine.stream([1], ENDLESS):
            break
        gc.collect()

    for way in (leave, forget):
        asyncio.run(way())
        wait_until(lambda: not engine.pages_in_use and not pump_threads())
    assert engine.stats.decode_tokens < 1800


def test_a_loop_that_was_closed_under_a_stream(engine):
    loop = asyncio.new_event_loop()
    stream = engine.stream([1], ENDLESS)
    loop.run_until_complete(anext(stream))
    loop.close()
    wait_until(lambda: not engine.pages_in_use and not pump_threads())
    assert engine.stats.decode_tokens < 900
    del stream


def test_loops_and_threads_together(engine, backend):
    prompts = prompts_of([4, 9, 30])

    async def collect():
        stream = engine.stream(prompts[0], PLAIN)
        return [token async for delta in stream for token in delta.token_ids]

    results: list[list[int]] = []
    threads = [
        threading.Thread(target=lambda: results.append(asyncio.run(collect()))),
        threading.Thread(target=lambda: results.append(asyncio.run(collect()))),
    ]
    for thread in threads:
        thread.start()
    completions = engine.generate(prompts[1:], PLAIN)
    for thread in threads:
        thread.join()
    check(backend, prompts[1:], [PLAIN] * 2, completions)
    assert results == [written(backend, prompts[0], PLAIN)[0]] * 2


def test_an_error_reaches_the_stream_that_made_it(engine, backend):
    backend.poison = {77}
    params = SamplingParams(max_tokens=20, seed=5, ignore_eos=True, logit_bias={77: -100})

    async def collect(prompt):
        stream = engine.stream(prompt, params)
        return [token async for delta in stream for token in delta.token_ids]

    async def both():
        return await asyncio.gather(collect([1]), collect([77]), return_exceptions=True)

    good, bad = asyncio.run(both())
    assert good == written(backend, [1], params)[0]
    assert isinstance(bad, RuntimeError)
    assert engine.pages_in_use == 0


def test_a_fault_of_the_scheduler_reaches_everybody(engine, monkeypatch):
    def fault():
        raise LookupError("a fault")

    async def collect(prompt):
        return [delta async for delta in engine.stream(prompt, ENDLESS)]

    async def both():
        tasks = [asyncio.create_task(collect([place])) for place in range(2)]
        while engine.stats.decode_tokens < 10:
            await asyncio.sleep(0.001)
        monkeypatch.setattr(engine._scheduler, "_plan", fault)
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert [str(error) for error in asyncio.run(both())] == ["a fault"] * 2
    monkeypatch.undo()
    assert engine.pages_in_use == 0
    assert len(engine.generate([[1]], PLAIN)[0].token_ids) == 20


def test_an_event_loop_stays_free(engine):
    """Steps of a millisecond leave a loop time for thousands of turns."""

    async def count():
        turns = 0
        stream = engine.stream([1], ENDLESS)
        task = asyncio.create_task(anext(stream))
        while not task.done():
            turns += 1
            await asyncio.sleep(0)
        await stream.aclose()
        return turns

    assert asyncio.run(count()) > 1


def test_neither_the_engine_nor_its_parts_import_torch():
    program = """
import sys
import phinery.infer
from phinery.infer import Completion, CompletionDelta, Engine, FinishReason, SamplingParams
import phinery.infer.adapters, phinery.infer.constrain, phinery.infer.native
assert "torch" not in sys.modules
assert "transformers" not in sys.modules
assert "llguidance" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
