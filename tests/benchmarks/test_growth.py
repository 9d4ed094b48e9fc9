from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from phinery.files import read_json
from phinery.text import Tokenizer
from training_help import write_test_shards

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("the benchmarks are not there", allow_module_level=True)
# At the end: benchmarks/evaluate.py is not the library of that name.
sys.path.append(str(BENCHMARKS))

import growth  # noqa: E402


@pytest.fixture
def arguments(
    byte_tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """A pair that takes a moment, on a few documents."""
    write_test_shards(tmp_path / "shards", byte_tokenizer)
    shape = {"num_hidden_layers": 1, "num_attention_heads": 1, "partial_rotary_factor": 0.5}
    large = {"num_hidden_layers": 2, "num_attention_heads": 2, "partial_rotary_factor": 0.5}
    pair = growth.Pair({"hidden_size": 16, **shape}, {"hidden_size": 32, **large}, 192, 192, 1e-3)
    monkeypatch.setattr(growth, "PAIRS", {"main": pair})
    monkeypatch.setattr(growth, "SEQUENCE", 32)
    return [
        *("--shards", str(tmp_path / "shards"), "--pairs", "main", "--seeds", "2"),
        *("--batch", "1", "--points", "3", "--evaluation-tokens", "64", "--dtype", "float32"),
        *("--methods", "random,lossless,lossless+moments", "--work", str(tmp_path / "work")),
        *("--output", str(tmp_path / "out.json")),
    ]


def test_it_trains_resumes_and_reports(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert growth.main([*arguments, "--status"]) == 0
    assert "(0%)" in capsys.readouterr().out
    # Each call stops after a step, in the middle of a training; all together are the whole.
    for _ in range(3):
        assert growth.main([*arguments, "--seconds", "1e-9"]) == 0
    shown = capsys.readouterr()
    assert "the time is over" in shown.err
    assert "seed 1 small model" in shown.out
    assert growth.main(arguments) == 0
    assert "(100%)" in capsys.readouterr().out
    report = read_json(tmp_path / "out.json")
    assert [(row["pair"], row["method"]) for row in report["savings"]] == [
        ("main", "lossless"),
        ("main", "lossless+moments"),
    ]
    assert len(report["runs"]) == 2 * 4
    for run in report["runs"]:
        assert [step for step, _ in run["curve"]] == [0, 2, 4, 6]
    curves = {(run["seed"], run["method"]): run["curve"] for run in report["runs"]}
    # A lossless start is where the small one stopped.
    assert curves[1, "lossless"][0][1] == pytest.approx(curves[1, "small model"][-1][1], abs=1e-4)
    assert curves[1, "random"] != curves[2, "random"]
    assert (tmp_path / "out.svg").read_text().count("<polyline") == 3
    before = dict(curves)
    assert growth.main(arguments) == 0
    again = read_json(tmp_path / "out.json")["runs"]
    assert {(run["seed"], run["method"]): run["curve"] for run in again} == before


def test_steps_to_reach_are_read_off_the_smoothed_curve():
    curve = [[0, 4.0], [10, 4.0], [20, 4.0], [30, 1.0], [40, 1.0], [50, 1.0]]
    assert growth.smoothed(curve)[3:] == [(30, 3.0), (40, 2.0), (50, 1.0)]
    assert growth.steps_to_reach(curve, 2.5) == pytest.approx(35)
    assert growth.steps_to_reach(curve, 4.5) == 0
    assert growth.steps_to_reach(curve, 0.5) is None


def test_mean_and_interval():
    assert growth.mean_and_half([]) is None
    assert growth.mean_and_half([0.5]) == [0.5]
    mean, half = growth.mean_and_half([1.0, 2.0, 3.0]) or (0, 0)
    assert mean == pytest.approx(2)
    assert half == pytest.approx(4.303 / 3**0.5)


def test_savings_count_the_small_model(arguments: list[str], monkeypatch: pytest.MonkeyPatch):
    bench = growth.Bench(growth.parse(arguments))
    curves = {"random": [[0, 5.0], [6, 2.0]], "lossless": [[0, 2.0], [6, 1.0]]}

    def result(run: growth.Run) -> dict[str, object] | None:
        return {"curve": curves[run.method]} if run.method in curves else None

    monkeypatch.setattr(growth, "SMOOTH", 1)
    monkeypatch.setattr(bench, "result", result)
    lossless, carried = growth.savings(bench)
    run = next(run for run in bench.runs() if run.method == "random")
    small = bench.small(run)
    # It begins where random ends, so that nothing of the large one's training is needed.
    assert lossless["saved"] == [1.0, 0.0]
    share = bench.flops(small, small.steps) / bench.flops(run, run.steps)
    assert lossless["saved_small_counted"] == pytest.approx([1 - share, 0.0])
    assert carried["saved"] is None
    assert dataclasses.replace(run, method="x").steps == 6


def test_random_must_be_there(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        growth.parse([*arguments, "--methods", "lossless"])
    assert "random must be among" in capsys.readouterr().err
