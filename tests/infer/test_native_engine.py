"""The engine on the native core: what it writes does not depend on how it was computed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from phinery.infer import Engine, SamplingParams, native
from phinery.infer.native import NativeBackend
from phinery.model import Phi, PhiConfig, save
from phinery.text import Tokenizer

pytestmark = pytest.mark.skipif(
    not native.is_available(), reason="the package was built without a C++ compiler"
)

PARAMS = SamplingParams(max_tokens=40, seed=3, logprobs=1, ignore_eos=True)


def save_model(folder: Path, tokenizer: Tokenizer, *, layers: int, seed: int = 1) -> Path:
    torch.manual_seed(seed)
    config = PhiConfig(
        vocab_size=300,
        hidden_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=1200,
        initializer_range=0.15,
    )
    save(Phi(config).eval(), tokenizer, folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, byte_tokenizer: Tokenizer) -> Path:
    return save_model(tmp_path_factory.mktemp("native") / "model", byte_tokenizer, layers=2)


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    """64 prompts, many of which begin alike."""
    generator = random.Random(0)

    def tokens(count: int) -> list[int]:
        return [generator.randrange(300) for _ in range(count)]

    beginning = tokens(80)
    return [
        beginning[: generator.randrange(80)] + tokens(1 + generator.randrange(40))
        for _ in range(64)
    ]


@pytest.fixture(scope="module")
def expected(folder: Path, prompts: list[list[int]]) -> Any:
    engine = Engine.open(folder, threads=1, max_batch=64)
    assert isinstance(engine.backend, NativeBackend)
    return engine.generate(prompts, PARAMS)


@pytest.mark.parametrize(
    "options",
    [
        {"max_batch": 1, "prefix_cache": False, "prefill_chunk": 7},
        {"cache_tokens": 512, "page_size": 32, "prefill_chunk": 33},
        {"threads": 2, "max_batch": 13},
    ],
    ids=["alone", "in a small cache", "on two threads"],
)
def test_tokens_and_log_probabilities_are_the_same_to_the_last_bit(
    options: dict[str, Any], folder: Path, prompts: list[list[int]], expected: Any
):
    engine = Engine.open(folder, **{"threads": 1, **options})
    assert engine.generate(prompts, PARAMS) == expected


def test_a_draft_changes_nothing(
    folder: Path, prompts: list[list[int]], expected: Any, tmp_path: Path, byte_tokenizer: Tokenizer
):
    """A stranger as the draft, and the model itself, whose every proposal stands."""
    draft = save_model(tmp_path / "draft", byte_tokenizer, layers=1, seed=9)
    for name in (draft, folder):
        engine = Engine.open(folder, threads=1, draft=name)
        assert engine.generate(prompts, PARAMS) == expected
    assert engine.stats.accepted > 0.9 * engine.stats.proposed > 0


def test_a_shared_beginning_is_computed_once(folder: Path):
    beginning = [n % 256 for n in range(1000)]
    prompts = [[*beginning, n, n + 1] for n in range(100)]
    params = SamplingParams(max_tokens=3, temperature=0, ignore_eos=True)
    engine = Engine.open(folder, threads=2)
    made = engine.generate(prompts, params)
    # Whole pages are shared: 992 of the 1,000 tokens.
    assert engine.stats.prefill_tokens == 992 + 100 * 10
    plain = Engine.open(folder, threads=2, prefix_cache=False)
    assert plain.generate(prompts, params) == made
    assert plain.stats.prefill_tokens == 100 * 1002


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_quantised_engines_are_as_independent(
    quantization: Any, folder: Path, prompts: list[list[int]]
):
    options: dict[str, Any] = {"quantization": quantization, "kv_dtype": "int8", "threads": 1}
    together = Engine.open(folder, **options).generate(prompts[:16], PARAMS)
    alone = Engine.open(folder, max_batch=1, prefill_chunk=5, **options)
    assert alone.generate(prompts[:16], PARAMS) == together
