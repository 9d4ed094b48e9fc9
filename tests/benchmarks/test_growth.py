from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from phinery.files import read_json, write_json
from phinery.text import Tokenizer
from training_help import write_test_shards

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("the benchmarks are not there", allow_module_level=True)
# At the end: benchmarks/evaluate.py is not the library of that name.
sys.path.append(str(BENCHMARKS))

import growth  # noqa: E402
import growth_report  # noqa: E402


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
        *("--batch", "1", "--points", "6", "--evaluation-tokens", "64", "--dtype", "float32"),
        *("--methods", "lossless,random,lossless+moments", "--work", str(tmp_path / "work")),
        *("--output", str(tmp_path / "out.json")),
    ]


def curve(method: str, points: list[list[float]], seed: int = 1) -> growth_report.Curve:
    """Of a model with 1,000 parameters; the small one trains half the tokens for a tenth each."""
    small = method == growth_report.SMALL
    return growth_report.Curve(
        pair="main",
        seed=seed,
        method=method,
        parameters=1000,
        tokens_per_step=100,
        flops_per_step=10.0 if small else 100.0,
        steps=int(points[-1][0]),
        points=points,
        seconds=1.0,
    )


def falling(steps: int, start: float = 0.0) -> list[list[float]]:
    """The loss is 10 - step / 10: one smoothing leaves as it is."""
    return [[step, 10 - (start + step) / 10] for step in range(0, steps + 1, 2)]


def test_it_trains_resumes_and_reports(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    arguments = [*arguments, "--whole"]
    assert growth.main([*arguments, "--work", str(tmp_path / "at once")]) == 0
    at_once = read_json(tmp_path / "out.json")["runs"]
    capsys.readouterr()
    assert growth.main([*arguments, "--status"]) == 0
    assert "0 of 8 trainings done" in capsys.readouterr().out
    # Each call stops after a step, in the middle of a training; all together are the whole.
    for _ in range(3):
        assert growth.main([*arguments, "--seconds", "1e-9"]) == 0
    shown = capsys.readouterr()
    assert "the time is over" in shown.err
    assert "seed 1 small model" in shown.out
    assert growth.main(arguments) == 0
    assert "8 of 8 trainings done" in capsys.readouterr().out
    report = read_json(tmp_path / "out.json")
    # The small one saw as many tokens as the large one: there is no half of that to compare at.
    assert [(row["pair"], row["method"]) for row in report["savings"]] == [
        ("main", "lossless"),
        ("main", "lossless+moments"),
    ]
    assert len(report["runs"]) == 2 * 4
    for run in report["runs"]:
        assert [step for step, _ in run["points"]] == [0, 1, 2, 3, 4, 5, 6]
    # Stopped after every step or never: the same curves.
    assert [run["points"] for run in report["runs"]] == [run["points"] for run in at_once]
    curves = {(run["seed"], run["method"]): run["points"] for run in report["runs"]}
    # A lossless start is where the small one stopped.
    assert curves[1, "lossless"][0][1] == pytest.approx(curves[1, "small model"][-1][1], abs=1e-4)
    assert curves[1, "random"] != curves[2, "random"]
    # Both seeds and their mean.
    assert (tmp_path / "out.svg").read_text().count("<polyline") == 3 * 3
    assert growth.main(arguments) == 0
    again = read_json(tmp_path / "out.json")["runs"]
    assert {(run["seed"], run["method"]): run["points"] for run in again} == curves
    assert growth_report.main([str(tmp_path / "out.json")]) == 0
    assert "| main |" in capsys.readouterr().out


def test_a_grown_model_stops_at_its_target(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    arguments = [*arguments, "--seeds", "1"]
    bench = growth.Bench(growth.parse(arguments))
    random = next(run for run in bench.runs() if run.method == "random")
    lossless = next(run for run in bench.runs() if run.method == "lossless")
    assert [run.method for run in bench.runs()].index("random") == 1
    bench.carry_out(bench.small(lossless))
    bench.carry_out(random)
    found = bench.result(random)
    assert found is not None
    assert bench.target(random) is None
    assert bench.target(lossless) == min(
        loss for _, loss in growth_report.smoothed(found["points"])
    )
    bench.options.whole = True
    assert bench.target(lossless) is None
    bench.carry_out(lossless)
    whole = bench.result(lossless)
    bench.options.whole = False
    assert whole is not None
    assert not whole["reached"]
    smoothed = growth_report.smoothed(whole["points"])
    # Half of the way down; the smoothed point at step 3 is known when step 4 was measured.
    target = (smoothed[2][1] + smoothed[3][1]) / 2
    assert [step for step, _ in smoothed[2:4]] == [2, 3]
    monkeypatch.setattr(bench, "target", lambda run: target)
    assert bench.result(lossless) is None
    bench.carry_out(lossless)
    cut = bench.result(lossless)
    assert cut is not None
    assert cut["reached"]
    assert cut["points"] == whole["points"][:5]
    reached = growth_report.steps_to_reach(growth_report.smoothed(cut["points"]), target)
    assert reached == growth_report.steps_to_reach(smoothed, target) == pytest.approx(2.5)
    assert bench.steps_done(lossless) == 4
    # One that begins as good as random is done with the first step.
    monkeypatch.setattr(bench, "target", lambda run: 1000.0)
    carried = next(run for run in bench.runs() if run.method == "lossless+moments")
    bench.carry_out(carried)
    assert bench.steps_done(carried) == 1


def test_smoothing_is_in_both_directions():
    points = growth_report.smoothed([[0, 4.0], [10, 4.0], [20, 4.0], [30, 1.0], [40, 1.0]])
    assert points == [(0, 4.0), (10, 4.0), (20, 3.0), (30, 2.0)]
    assert growth_report.steps_to_reach(points, 2.5) == pytest.approx(25)
    assert growth_report.steps_to_reach(points, 4.5) == 0
    assert growth_report.steps_to_reach(points, 0.5) is None
    assert growth_report.best_until(points, 25) == pytest.approx(2.5)
    assert growth_report.best_until(points, 99) == 2
    assert growth_report.best_until([(0, 3.0), (1, 1.0), (2, 2.0)], 2) == 1
    straight = growth_report.smoothed(falling(20))
    assert all(loss == pytest.approx(10 - step / 10) for step, loss in straight)


def test_mean_and_interval():
    assert growth_report.mean_and_half([]) is None
    assert growth_report.mean_and_half([0.5]) == [0.5]
    mean, half = growth_report.mean_and_half([1.0, 2.0, 3.0]) or (0, 0)
    assert mean == pytest.approx(2)
    assert half == pytest.approx(4.303 / 3**0.5)


def test_savings_at_each_budget():
    small = curve(growth_report.SMALL, falling(20))
    random = curve("random", falling(42))
    # 12 steps ahead of random.
    grown = curve("lossless", falling(42, start=12))
    never = curve("tile", [[0, 10.0], [20, 9.9], [42, 9.9]])
    rows = growth_report.savings([small, random, grown, never])
    assert [(row["method"], row["tokens"]) for row in rows] == [
        ("lossless", 4000),
        ("tile", 4000),
        ("lossless", 2000),
        ("tile", 2000),
    ]
    assert [row["tokens_per_parameter"] for row in rows[::2]] == [4, 2]
    assert [row["of_small_tokens"] for row in rows[::2]] == [2, 1]
    # 28 of 40 steps, and 8 of 20; the small one cost 20 x 10 of 100 a step: 2 steps.
    assert rows[0]["saved"] == pytest.approx([1 - 28 / 40])
    assert rows[0]["saved_small_counted"] == pytest.approx([1 - 30 / 40])
    assert rows[2]["saved"] == pytest.approx([1 - 8 / 20])
    assert rows[2]["saved_small_counted"] == pytest.approx([1 - 10 / 20])
    assert (rows[1]["saved"], rows[1]["unreached"], rows[1]["seeds"]) == (None, 1, 0)


def test_a_mean_without_those_that_never_got_there_would_flatter():
    curves: list[growth_report.Curve] = []
    for seed in (1, 2):
        curves += [
            curve(growth_report.SMALL, falling(20), seed),
            curve("random", falling(42), seed),
        ]
    grown = [curve("tile", falling(42, start=12), 1), curve("tile", [[0, 10.0], [42, 9.9]], 2)]
    row = growth_report.savings([*curves, *grown])[0]
    assert (row["saved"], row["seeds"], row["unreached"]) == (None, 1, 1)


def test_a_flat_curve_saves_nothing_against_itself():
    points = [[0, 9.0], [10, 3.05], [20, 3.0], [30, 3.02], [40, 3.01], [50, 3.02]]
    runs = [curve(growth_report.SMALL, points), curve("random", points), curve("tile", points)]
    assert growth_report.savings(runs)[0]["saved"] == [0.0]


def test_a_curve_that_ended_early_counts():
    small = curve(growth_report.SMALL, falling(20))
    seeds = [curve("random", falling(42), seed) for seed in (1, 2)]
    grown = [curve("lossless", falling(32, start=12), 1), curve("lossless", falling(30, 14), 2)]
    small_too = [small, curve(growth_report.SMALL, falling(20), 2)]
    row = growth_report.savings([*small_too, *seeds, *grown])[0]
    assert row["seeds"] == 2
    mean, half = row["saved"]
    assert mean == pytest.approx(1 - 27 / 40)
    # The shares differ by 2 of 40.
    assert half == pytest.approx(12.706 * (2 / 40) / 2**0.5 / 2**0.5)
    assert "lossless" in growth_report.picture([*small_too, *seeds, *grown])


def test_random_must_be_there(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        growth.parse([*arguments, "--methods", "lossless"])
    assert "random must be among" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [("--points", "3"), ("--scale", "0"), ("--small-share", "-1"), ("--batch", "0")],
)
def test_wrong_numbers_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str], option: str, value: str
):
    with pytest.raises(SystemExit):
        growth.parse([*arguments, option, value])
    assert option in capsys.readouterr().err


def test_other_settings_are_other_trainings(arguments: list[str]):
    directories: set[Path] = set()
    for more in ([], ["--dtype", "auto"], ["--warmup", "0.1"], ["--whole"], ["--small-share", "2"]):
        bench = growth.Bench(growth.parse([*arguments, *more]))
        run = next(run for run in bench.runs() if run.method == "lossless")
        directories.add(bench.directory(run))
    assert len(directories) == 5


def test_files_with_the_same_trainings_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = dataclasses.asdict(curve("random", falling(42)))
    write_json(tmp_path / "a.json", {"runs": [run]})
    write_json(tmp_path / "b.json", {"runs": [run]})
    assert growth_report.main([str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 2
    assert "in common" in capsys.readouterr().err
