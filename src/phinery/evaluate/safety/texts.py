"""What the measures that read generated text share: prompts in, seeded continuations out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phinery.evaluate.harness import HarnessModel
    from phinery.infer import Completion, SamplingParams

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
    """
    from phinery.infer import Engine

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
    if not asked:
        return []
    size = min(model.options.max_batch_size or _SIDE_BY_SIDE, len(asked) * params.n)
    longest = max(map(len, asked)) + room + 32
    engine = Engine(
        model.model,
        model.tokenizer,
        max_batch=size,
        cache_tokens=size * longest,
    )
    try:
        done = engine.generate(asked, chosen)
    finally:
        engine.close()
    return [done[start : start + params.n] for start in range(0, len(done), params.n)]
