"""The back end that reads shared beginnings once: log-probabilities of plain forward passes."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from phinery.evaluate.harness.sharing import SharingBackend
from phinery.infer import Completion, Engine, SamplingParams
from phinery.infer.backend import Backend, Span
from phinery.model import Phi
from phinery.text import Tokenizer


def check(model: Phi, prompt: list[int], completion: Completion) -> None:
    """Every chosen token has the log-probability that the whole text gives it."""
    tokens = torch.tensor([prompt + completion.token_ids])
    with torch.inference_mode():
        rows = model(tokens)[0, len(prompt) - 1 : -1].log_softmax(-1)
    assert completion.logprobs is not None
    for row, token, scores in zip(rows, completion.token_ids, completion.logprobs, strict=True):
        assert scores[token] == pytest.approx(float(row[token]), abs=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_texts_that_begin_alike_or_not(phi: Phi, bpe_tokenizer: Tokenizer, seed: int):
    draw = random.Random(seed)
    stems = [[draw.randrange(256) for _ in range(draw.choice([5, 16, 40, 100]))] for _ in range(3)]
    prompts = [
        draw.choice(stems)[: draw.choice([3, 15, 16, 17, 100])]
        + [draw.randrange(256) for _ in range(draw.randrange(0, 30))]
        for _ in range(12)
    ]
    engine = Engine(
        SharingBackend(phi, max_batch=5),
        bpe_tokenizer,
        max_batch=5,
        prefill_chunk=draw.choice([7, 64]),
    )
    params = [
        SamplingParams(max_tokens=draw.randrange(1, 40), temperature=1, seed=number, logprobs=0)
        for number in range(len(prompts))
    ]
    for prompt, completion in zip(prompts, engine.generate(prompts, params), strict=True):
        check(phi, prompt, completion)
    engine.close()


def test_a_shared_beginning_is_computed_once(phi: Phi, bpe_tokenizer: Tokenizer):
    backend = SharingBackend(phi)
    assert isinstance(backend, Backend)
    engine = Engine(backend, bpe_tokenizer)
    prompts = [[*range(64), number] for number in range(20)]
    engine.generate(prompts, SamplingParams(max_tokens=4, temperature=0))
    assert engine.stats.prefill_tokens <= 64 + 20 * 2


def test_half_precision_stays_close(phi: Phi):
    spans = [Span(np.arange(20, dtype=np.int32), 0, np.array([0, 1], np.int32), 1)]
    after = [Span(np.array([7], np.int32), 20, np.array([0, 1], np.int32), 1)]
    exact = SharingBackend(phi)
    exact.step(spans)
    wanted = exact.step(after)
    half = SharingBackend(Phi(phi.config).half())
    half.model.load_state_dict(phi.state_dict())
    half.step(spans)
    assert half.step(after) == pytest.approx(wanted, abs=0.05 * float(np.abs(wanted).max()))


def test_adapters_are_refused(phi: Phi):
    with pytest.raises(ValueError, match="merged"):
        SharingBackend(phi).load_adapter("law")
