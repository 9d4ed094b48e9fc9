from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from phinery.cli import bench as verb
from phinery.cli.errors import UsageError
from phinery.infer import bench
from phinery.infer.backend import Span
from phinery.model import Phi, PhiConfig, save
from phinery.text import Tokenizer

CONFIG = PhiConfig(
    vocab_size=300, hidden_size=64, num_hidden_layers=2, num_attention_heads=1, bos_token_id=None
)


class Recorder:
    """A back end that computes nothing, and refuses what no cache could hold."""

    config = CONFIG
    page_size = 16
    bitwise = True
    weight_bytes = 1000

    def __init__(self, num_pages: int = 1000) -> None:
        self.num_pages = num_pages
        self.steps: list[list[tuple[int, int]]] = []
        self.written: dict[tuple[int, ...], int] = {}

    def step(self, spans: Sequence[Span]) -> NDArray[np.float32]:
        pages = np.concatenate([span.pages for span in spans])
        assert len(set(pages.tolist())) == len(pages)
        assert pages.max() < self.num_pages
        for span in spans:
            end = span.start + len(span.tokens)
            assert span.start <= self.written.get(tuple(span.pages.tolist()), 0), "a gap"
            assert end <= len(span.pages) * self.page_size
            key = tuple(span.pages.tolist())
            self.written[key] = max(end, self.written.get(key, 0))
            assert span.tokens.dtype == np.int32
            assert span.tokens.max() < CONFIG.vocab_size
        self.steps.append([(len(span.tokens), span.start) for span in spans])
        return np.zeros((sum(span.num_logits for span in spans), CONFIG.vocab_size), np.float32)

    def load_adapter(self, directory: str | Path) -> int:
        raise AssertionError

    def close(self) -> None:
        pass


def test_prompts_share_the_tokens_and_steps_go_round_after_a_context():
    backend = Recorder()
    rates = list(bench.measure_rates(backend, batches=[1, 4], prompt_tokens=100, seconds=0.01))
    assert [(rate.kind, rate.batch, rate.tokens) for rate in rates] == [
        ("prompt", 1, 100),
        ("decode", 1, 1),
        ("prompt", 4, 25),
        ("decode", 4, 1),
    ]
    assert [(25, 0)] * 4 in backend.steps
    positions = {spans[0][1] for spans in backend.steps if spans[0][0] == 1}
    assert min(positions) == bench.CONTEXT
    assert max(positions) < bench.CONTEXT + bench.STEPS


def test_the_cache_that_is_asked_for_is_enough_and_not_a_page_more_than_needed():
    tokens = bench.tokens_in_cache([1, 4], 100, 16)
    assert tokens == 4 * 96
    list(bench.measure_rates(Recorder(tokens // 16), batches=[1, 4], prompt_tokens=100, seconds=0))
    with pytest.raises(ValueError, match="cache has 23 pages, 24 are needed"):
        backend = Recorder(tokens // 16 - 1)
        list(bench.measure_rates(backend, batches=[4], prompt_tokens=100, seconds=0))


def test_a_context_that_is_too_short_is_told():
    with pytest.raises(ValueError, match="context is 2048"):
        list(bench.measure_rates(Recorder(), batches=[1], prompt_tokens=4000, seconds=0))


def test_bytes_and_operations_are_counted_from_the_shape(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bench, "_median", lambda step, seconds: 0.5)
    backend = Recorder()
    prompt, decode = bench.measure_rates(backend, batches=[2], prompt_tokens=200)
    assert (prompt.tokens_per_second, decode.tokens_per_second) == (400, 4)
    matrices = CONFIG.num_hidden_layers * 12 * 64 * 64
    # Steps 64 to 95 attend to 65 to 96 positions: 80.5 on average.
    attention = 4 * CONFIG.num_hidden_layers * 64
    assert decode.flops * 0.5 == 2 * (2 * matrices + attention * 80.5 + 2 * 300 * 64)
    assert decode.bytes_per_second * 0.5 == 1000 + 2 * 80.5 * CONFIG.kv_bytes_per_token(2)
    # The prompts' tokens attend to 1 to 100; the head is for the last ones only.
    assert prompt.flops * 0.5 == 2 * (100 * (2 * matrices + attention * 50.5) + 2 * 300 * 64)


def test_torch_weights_are_counted_without_the_embedding():
    from phinery.infer.torch_backend import TorchBackend

    backend = TorchBackend(Phi(CONFIG))
    assert bench.read_bytes(backend) == 4 * (CONFIG.num_parameters() - 300 * 64)


def test_limits_are_measured():
    limits = bench.measure_limits(1, seconds=0.02)
    assert limits.threads == 1
    assert 1e8 < limits.read_bytes_per_second < 1e13
    assert 1e8 < limits.matmul_flops < 1e15
    with pytest.raises(ValueError, match="at least 1"):
        bench.ReadProbe(0)


def test_memory_is_read_without_the_native_core(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bench, "_native_probe", lambda: None)
    monkeypatch.setattr(bench, "READ_BYTES", 2**24)
    assert 1e8 < bench.ReadProbe(2).bytes_per_second(0.0) < 1e13


def arguments(*words: str) -> argparse.Namespace:
    """As the command line parses them."""
    parser = argparse.ArgumentParser()

    def add(verbs: Any, name: str, summary: str, text: str, action: Any) -> argparse.ArgumentParser:
        made = verbs.add_parser(name)
        made.set_defaults(action=action)
        return made

    verb.add_verb(add, parser.add_subparsers())
    return parser.parse_args(["bench", *words])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batches", "1,x"], "--batches must be numbers"),
        (["--batches", "0"], "--batches must be numbers"),
        (["--threads", "0"], "--threads must be at least 1"),
        (["--prompt-tokens", "-3"], "--prompt-tokens must be at least 1"),
        (["--seconds", "0"], "--seconds must be more than 0"),
    ],
)
def test_wrong_numbers_are_refused_before_anything_is_opened(words: list[str], message: str):
    asked = arguments("/nowhere", *words)
    with pytest.raises(UsageError, match=message):
        asked.action(asked)


def test_the_verb_prints_limits_and_rates(
    tmp_path: Path, byte_tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
):
    save(Phi(CONFIG), byte_tokenizer, tmp_path / "run" / "model")
    asked = arguments(
        str(tmp_path / "run"), "--batches", "1,3", "--seconds", "0.01", "--backend", "torch"
    )
    assert asked.action(asked) == 0
    printed = capsys.readouterr().out
    assert "MB read for each step" in printed
    lines = [line.split() for line in printed.splitlines()]
    assert [line[:4] for line in lines if line[:1] == ["prompts"]] == [
        ["prompts", "of", "512", "1"],
        ["prompts", "of", "170", "3"],
    ]
    assert [line[:2] for line in lines if line[:1] == ["decode"]] == [
        ["decode", "1"],
        ["decode", "3"],
    ]


def test_torch_is_not_needed():
    program = (
        "import sys, phinery.infer.bench as bench, phinery.cli.bench\n"
        "bench.ReadProbe(1).bytes_per_second(0.0)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
