from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from phinery.model import PhiConfig

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("the benchmarks are not there", allow_module_level=True)
# At the end: benchmarks/evaluate.py is not the library of that name.
sys.path.append(str(BENCHMARKS))

from machine import cpu_seconds  # noqa: E402
from peers.training_shape import Shape  # noqa: E402
from training import CELLS  # noqa: E402
from training_report import print_cell, print_summary  # noqa: E402
from workers import Worker, WorkerError  # noqa: E402

TINY = Shape(vocab_size=64, hidden_size=64, num_hidden_layers=1, batch_size=2, sequence_length=8)


@pytest.mark.parametrize("shape", CELLS.values(), ids=CELLS)
def test_work_is_counted_as_the_model_counts_it(shape: Shape):
    config = PhiConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.num_hidden_layers,
        num_attention_heads=shape.num_attention_heads,
    )
    assert shape.num_parameters == config.num_parameters()
    assert shape.flops_per_token() == config.flops_per_token(shape.sequence_length)
    assert shape.flops_per_token(causal=True) < shape.flops_per_token()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_our_worker_trains_and_is_idle_between_requests(dtype: str):
    with Worker(Path(sys.executable), BENCHMARKS / "peers" / "train_phinery.py") as worker:
        answer = worker.ask("prepare", shape=dataclasses.asdict(TINY), dtype=dtype, compiled=False)
        assert answer["parameters"] == TINY.num_parameters
        assert answer["losses"] == pytest.approx([4.16, 4.16], abs=0.2)
        answer = worker.ask("step", seconds=0.0)
        assert answer["steps"] == 1
        assert answer["peak_bytes"] > TINY.state_bytes(dtype)
        used = cpu_seconds(worker.pid)
        time.sleep(0.5)
        assert used > 0
        assert cpu_seconds(worker.pid) - used < 0.1


def test_a_worker_that_fails_says_why(tmp_path: Path):
    script = tmp_path / "broken.py"
    script.write_text("input()\nraise ValueError('no such thing')\n")
    with (
        Worker(Path(sys.executable), script) as worker,
        pytest.raises(WorkerError, match="no such thing"),
    ):
        worker.ask("prepare")


def entry(participant: str, rate: float, peak: float, **fields: Any) -> dict[str, Any]:
    return {
        "participant": participant,
        "form": "eager",
        "dtype": "float32",
        "tokens_per_second": rate,
        "turns_alone": 1,
        "peak_bytes": peak,
        "peak_less_state_bytes": peak - 1e9,
        "libraries_bytes": 1e8,
        **fields,
    }


def test_the_report_compares_with_the_fastest_and_the_leanest(capsys: pytest.CaptureFixture[str]):
    cell = {
        "cell": "nano-8x256",
        "dtype": "float32",
        "shape": dataclasses.asdict(CELLS["nano-8x256"]),
        "parameters": 10**6,
        "state_bytes": 10**9,
        "flops_per_token": 10**7,
        "matmul_flops": {"float32": {"1x1x1": 1e10, "2x2x2": 2e10}},
        "entries": [
            entry("phinery", 1500.0, 3e9),
            entry("transformers", 1000.0, 4e9, turns_alone=0),
            entry("litgpt", 500.0, 2e9),
            {"participant": "litgpt", "form": "compiled", "dtype": "float32", "error": "no g++"},
        ],
    }
    print_cell(cell)
    table = capsys.readouterr().out
    rows = [line.split() for line in table.splitlines()]
    assert ["phinery,", "eager", "1,500", "1.50", "75%", "3.00", "2.00", "0.10"] in rows
    assert ["litgpt,", "compiled", "failed"] in rows
    assert "never alone on the machine, so not to be trusted: transformers eager)" in table
    faster = {**cell, "dtype": "bfloat16", "entries": [entry("litgpt", 2000.0, 2e9)]}
    print_summary([cell, faster])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["nano-8x256,", "float32", "1,500", "1.50", "0.75", "75%", "1.50", "2.00"] in rows
