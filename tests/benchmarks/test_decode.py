from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import phinery
from phinery.model import PhiConfig, preset

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("the benchmarks are not there", allow_module_level=True)
# At the end: benchmarks/evaluate.py is not the library of that name.
sys.path += [str(BENCHMARKS), str(BENCHMARKS / "peers")]

from decode import parse, read_report, write  # noqa: E402
from decode_cell import Entry, Measure, Plan, _check_agreement  # noqa: E402
from decode_perplexity import change, held_out_tokens  # noqa: E402
from decode_report import floor_share, goal, matmul_share, print_cell, print_summary  # noqa: E402
from decode_weights import write_random_model  # noqa: E402
from decode_worker import Session, random_tokens  # noqa: E402
from peers.decode_shape import SHAPES, Shape  # noqa: E402

TINY = Shape(
    vocab_size=300,
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    partial_rotary_factor=0.5,
)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_the_presets(name: str):
    shape = SHAPES[name]
    config = preset(name, vocab_size=shape.vocab_size)
    assert shape.num_parameters == config.num_parameters()
    assert shape.num_parameters == sum(int(np.prod(size)) for size in shape.tensors().values())
    assert shape.head_dim * shape.partial_rotary_factor == pytest.approx(config.rotary_dim)
    assert shape.kv_bytes(9) == 10 * config.kv_bytes_per_token(2)
    # Forward and backward are three times the forward pass.
    full = shape.flops_per_token(config.max_position_embeddings - 1)
    assert 3 * full == config.flops_per_token(config.max_position_embeddings)


def test_random_model_opens_as_a_phi(tmp_path: Path):
    write_random_model(TINY, tmp_path / "model")
    model, tokenizer = phinery.load(tmp_path / "model")
    config: PhiConfig = model.config
    assert config.num_parameters() == TINY.num_parameters
    assert tokenizer.decode(tokenizer.encode("a ü\n")) == "a ü\n"
    state = model.state_dict()
    assert state["model.embed_tokens.weight"].float().std().item() == pytest.approx(0.02, rel=0.05)
    gains = [value for name, value in state.items() if name.endswith("layernorm.weight")]
    assert all(abs(gain.float().mean().item() - 1) < 0.02 for gain in gains)
    before = (tmp_path / "model" / "model.safetensors").stat().st_mtime_ns
    write_random_model(TINY, tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").stat().st_mtime_ns == before


class CountingDecoder:
    """Logits that favour the token which follows in the alphabet, and a log of the calls."""

    matrix_bytes = 10

    def __init__(self) -> None:
        self.versions = {"nothing": "1"}
        self.calls: list[tuple[str, Any]] = []
        self.length = 0
        self.last = np.zeros(0, np.int32)

    def variants(self, batch: int, steps: bool) -> list[dict[str, Any]]:
        return [{"slow": True}, {"slow": False}]

    def start(self, variant: dict[str, Any], batch: int, capacity: int) -> None:
        self.calls.append(("start", variant))
        self.slow, self.length, self.capacity = variant["slow"], 0, capacity

    def feed(self, tokens: np.ndarray[Any, np.dtype[np.int32]], position: int) -> None:
        assert position == self.length
        self.length += tokens.shape[1]
        assert self.length <= self.capacity
        self.last = tokens[:, -1]
        self.calls.append(("feed", tokens.shape))
        if self.slow:
            import time

            time.sleep(0.005)

    def logits(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        scores = np.zeros((len(self.last), 128), np.float32)
        scores[np.arange(len(self.last)), (self.last + 1) % 128] = 3.0
        return scores

    def rewind(self, position: int) -> None:
        assert position <= self.length
        self.length = position

    def close(self) -> None:
        pass


def test_worker_takes_the_fastest_variant_and_counts_tokens(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("decode_worker.TRIAL_SECONDS", 0.02)
    decoder = CountingDecoder()
    session = Session(128, lambda: decoder, None)
    assert session.prepare()["matrix_bytes"] == 10
    started = session.start(3, 5, 4, None)
    assert started["variant"] == {"slow": False}
    assert len(started["trials"]) == 2
    measured = session.measure(0.0)
    assert measured["tokens"] == 3 * 4
    assert decoder.calls[-4:] == [("feed", (3, 1))] * 4
    session.start(1, 7, 0, {"slow": False})
    assert session.measure(0.0)["tokens"] == 7
    assert decoder.calls[-1] == ("feed", (1, 7))
    with pytest.raises(SystemExit, match="no way"):
        session.generate(1, 2, 3, 0.0)


def test_worker_refuses_requests_that_end_early():
    session = Session(128, CountingDecoder, lambda: lambda prompts, tokens: [[1] * (tokens - 1)])
    with pytest.raises(SystemExit, match="asked for 3"):
        session.generate(1, 2, 3, 0.0)


def test_perplexity_is_that_of_the_logits():
    session = Session(128, CountingDecoder, None)
    session.prepare()
    following = np.tile(np.arange(6, dtype=np.int32), (2, 1))
    chosen = np.exp(3) / (np.exp(3) + 127)
    assert session.perplexity(following) == pytest.approx(1 / chosen)
    assert session.perplexity(following[:, ::-1]) == pytest.approx(np.exp(3) + 127)


def test_tokens_are_the_same_for_any_length():
    assert (random_tokens(1000, 3, 9)[:, :4] == random_tokens(1000, 3, 4)).all()
    assert random_tokens(1000, 3, 9).max() < 256


def plan(**changes: Any) -> Plan:
    """One decode measure in bf16."""
    fields: dict[str, Any] = {
        "shape": TINY,
        "format": "bf16",
        "threads": 1,
        "measures": (Measure("decode", 1, 8, 4),),
        "rounds": 1,
        "seconds": 0.0,
        "own": (),
    }
    return Plan(**(fields | changes))


@pytest.mark.parametrize(("error", "fails"), [(0.001, False), (0.2, True)])
def test_a_participant_with_other_logits_has_failed(error: float, fails: bool):
    noise = np.random.default_rng(0)
    logits = noise.standard_normal(100)
    entries = [Entry(name, Path("python"), {}) for name in ("phinery", "llama_cpp")]
    other = logits + error * noise.standard_normal(100)
    for entry, values in zip(entries, (other, logits), strict=True):
        entry.measures["decode-1"] = {"rates": [1.0], "other_load": [0.0], "logits": list(values)}
    _check_agreement(plan(), entries)
    assert (entries[0].error is not None) == fails
    assert entries[1].error is None


def cell(**changes: Any) -> dict[str, Any]:
    """A result as it stands in the file: Phinery twice as fast as llama.cpp."""
    entries: list[dict[str, Any]] = []
    for name, factor in (("phinery", 2.0), ("llama_cpp", 1.0), ("llama_cpp_f16", 0.5)):
        entries.append(
            {
                "participant": name,
                "matrix_bytes": 2 * TINY.matrix_weights,
                "bits_per_weight": 16.0,
                "measures": {
                    "decode-1": {"tokens_per_second": 100 * factor, "turns_alone": 1},
                    "prefill-8": {"tokens_per_second": 1000 * factor, "turns_alone": 0},
                },
            }
        )
    result = {
        "cell": "tiny",
        "format": "bf16",
        "threads": 2,
        "isa": "best",
        "contended": False,
        "shape": {
            "vocab_size": 300,
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "partial_rotary_factor": 0.5,
        },
        "parameters": TINY.num_parameters,
        "limits": {
            "read_bytes_per_second": 5e7,
            "matmul_flops": {"float32": 1e9, "bfloat16": 2e9},
            "rounds_alone": 1,
        },
        "measures": [
            {"kind": "decode", "batch": 1, "prompt": 8, "tokens": 4},
            {"kind": "prefill", "batch": 1, "prompt": 8, "tokens": 0},
        ],
        "entries": entries,
    }
    return result | changes


def test_shares_of_the_limits():
    result = cell()
    own = result["entries"][0]
    # Positions 8 to 11 attend to 9 to 12: 10.5 on average.
    size = 2 * TINY.matrix_weights + 10.5 * 2 * 2 * 2 * 64
    assert floor_share(result, own) == pytest.approx(size * 200 / 5e7)
    layers = 2 * (TINY.matrix_weights - TINY.embedding_weights) + 4 * 2 * 64 * 4.5
    operations = layers + 2 * TINY.embedding_weights / 8
    assert matmul_share(result, own) == pytest.approx(operations * 2000 / 2e9)


@pytest.mark.parametrize(
    ("changes", "name", "wanted"),
    [
        ({}, "decode-1", 1.2),
        ({}, "decode-32", 2.0),
        ({"format": "int8"}, "prefill-512", 2.0),
        ({"cell": "phi-2"}, "decode-16", 1.0),
        ({"isa": "avx2"}, "decode-16", 0.8),
        ({"contended": True}, "decode-1", 1.0),
        ({}, "generate-1", None),
    ],
)
def test_goals(changes: dict[str, Any], name: str, wanted: float | None):
    assert goal(cell(**changes), name) == wanted


def test_tables_tell_ratios_failures_and_disturbance(capsys: pytest.CaptureFixture[str]):
    result = cell()
    perplexity = {"formats": {"float32": {"transformers": 10.0}, "bf16": {"phinery": 10.1}}}
    print_cell(result, perplexity)
    printed = capsys.readouterr().out
    assert "+1.00%" in printed
    assert "not to be trusted: phinery prefill-8, llama_cpp prefill-8" in printed
    print_summary([{"cells": [cell(format="int8")]}, {"cells": [result]}])
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if "bf16, 2 threads, decode-1" in line)
    assert row.split()[5:11] == ["200.0", "100.0", "2.00", "1.2", "llama_cpp", "2.00"]
    assert "missed" not in row
    result["entries"][0]["measures"]["decode-1"]["tokens_per_second"] = 110
    print_summary([{"cells": [result]}])
    missed = [line for line in capsys.readouterr().out.splitlines() if line.endswith("missed")]
    assert len(missed) == 1


def test_change_needs_both_figures():
    assert change(None, "bf16", "phinery") is None
    assert change({"formats": {"int8": {"phinery": 2.0}}}, "int8", "phinery") is None


def test_held_out_text_is_wanted(tmp_path: Path):
    with pytest.raises(SystemExit, match="name a --text"):
        held_out_tokens(tmp_path, tmp_path, None, 8)


def test_runs_are_added_to_the_file(tmp_path: Path):
    path = tmp_path / "results" / "decode.json"
    report = read_report(path)
    report["runs"].append({"cells": []})
    write(path, report)
    again = read_report(path)
    again["runs"].append({"cells": []})
    write(path, again)
    assert len(json.loads(path.read_text(encoding="utf-8"))["runs"]) == 2


def test_impossible_sizes_are_refused(capsys: pytest.CaptureFixture[str]):
    for words in (["--threads", "0"], ["--prefill", "4000"], ["--rounds", "0"]):
        with pytest.raises(SystemExit):
            parse(words)
    assert "more than the models' context" in capsys.readouterr().err
    assert parse([]).shapes == ["small"]
