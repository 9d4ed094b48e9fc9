"""What the measures that read generated text share: prompts in, seeded continuations out."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phinery.evaluate.harness import HarnessModel
    from phinery.infer import Completion, Engine, SamplingParams

Tokens = Sequence[int]

_SIDE_BY_SIDE = 32


def seed_of(*parts: object) -> int:
    """A seed of 63 bits that these alone decide, so that no item's draws depend on the others."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8]) >> 1


def continuations(
    model: HarnessModel,
    prompts: Sequence[str | Tokens],
    params: SamplingParams,
    seeds: Sequence[int] | None = None,
) -> list[list[Completion]]:
    """`params.n` completions of each prompt, a text or its tokens.

    `seeds` has one for each prompt; a completion is the same alone and beside others, but for the
    rounding of sums. A prompt that leaves no room in the model's context loses its beginning; of an
    answer longer than half the context only that much is asked.

    With a cache among the model's options each completion is kept there as soon as it is finished,
    and is not made again. Without seeds only greedy ones are kept: the others are other draws each
    time.
    """
    from phinery.infer import Completion

    assert params.max_tokens is not None
    room = max(1, min(params.max_tokens, model.max_length // 2))
    asked = [
        (model.tok_encode(prompt) if isinstance(prompt, str) else list(prompt))[
            -(model.max_length - room) :
        ]
        for prompt in prompts
    ]
    chosen = [
        dataclasses.replace(params, max_tokens=room, seed=None if seeds is None else seeds[number])
        for number in range(len(asked))
    ]
    lasting = seeds is not None or params.greedy
    keys = [
        key
        for number, (prompt, one) in enumerate(zip(asked, chosen, strict=True))
        for key in _keys(prompt, one, -1 if lasting else number)
    ]
    with model.pending("continuations", keys) as pending:
        # A prompt of which one completion is missing is asked for all: they are made together.
        missing: dict[int, list[int]] = {}
        for number in pending.missing:
            missing.setdefault(number // params.n, []).append(number)

        def finished(prompt: int, one: Completion) -> None:
            number = prompt * params.n + one.index
            if number in missing[prompt]:
                result = [one.text, one.token_ids, one.finish_reason]
                pending.put([(number, result)], lasting=lasting)

        if missing:
            _generate(model, asked, chosen, list(missing), finished)
    done = [
        Completion(number % params.n, text, tokens, None, reason)
        for number, (text, tokens, reason) in enumerate(pending.results)
    ]
    return [done[start : start + params.n] for start in range(0, len(done), params.n)]


def _keys(prompt: list[int], params: SamplingParams, draw: int) -> list[list[Any]]:
    """What decides each of a prompt's completions; how many there are is no part of it."""
    fields = dataclasses.asdict(params)
    del fields["n"]
    return [[prompt, fields, index, draw] for index in range(params.n)]


def _generate(
    model: HarnessModel,
    asked: Sequence[list[int]],
    params: Sequence[SamplingParams],
    numbers: Sequence[int],
    finished: Callable[[int, Completion], None],
) -> None:
    """Complete the prompts of these numbers; `finished` takes a number and each completion."""
    from phinery.evaluate.harness.generation import run_to_end
    from phinery.infer import Engine

    texts = sum(params[number].n for number in numbers)
    size = min(model.options.max_batch_size or _SIDE_BY_SIDE, texts)
    longest = max(len(asked[number]) + (params[number].max_tokens or 0) for number in numbers) + 32
    engine = Engine(
        model.model,
        model.tokenizer,
        max_batch=size,
        cache_tokens=size * longest,
    )
    try:
        run_to_end(_follow_all(engine, asked, params, numbers, finished, 2 * size))
    finally:
        engine.close()


async def _follow_all(
    engine: Engine,
    asked: Sequence[list[int]],
    params: Sequence[SamplingParams],
    numbers: Sequence[int],
    finished: Callable[[int, Completion], None],
    at_once: int,
) -> None:
    """`at_once` prompts are with the engine at a time; the others wait."""
    waiting = iter(numbers)

    async def follow() -> None:
        for number in waiting:
            await _follow(engine, asked[number], params[number], number, finished)

    # Not a task group, which would wrap a ValueError that is to be shown as one line.
    await asyncio.gather(*(follow() for _ in range(min(at_once, len(numbers)))))


async def _follow(
    engine: Engine,
    prompt: list[int],
    params: SamplingParams,
    number: int,
    finished: Callable[[int, Completion], None],
) -> None:
    from phinery.infer import Completion

    texts = [""] * params.n
    tokens: list[list[int]] = [[] for _ in range(params.n)]
    async for delta in engine.stream(prompt, params):
        texts[delta.index] += delta.text
        tokens[delta.index] += delta.token_ids
        if delta.finish_reason is not None:
            text, ids = texts[delta.index], tokens[delta.index]
            finished(number, Completion(delta.index, text, ids, None, delta.finish_reason))
