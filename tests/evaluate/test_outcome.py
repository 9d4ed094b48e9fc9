"""Outcomes become scores: intervals that hold what they promise, groups, items without taint."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phinery.evaluate.evaluation import (
    Category,
    Evaluation,
    SuiteScores,
    load_evaluations,
    save_evaluations,
)
from phinery.evaluate.outcome import (
    Estimate,
    Outcome,
    Score,
    Values,
    estimate_of,
    score_of,
    wilson,
)


def outcome(values: list[float], **fields: object) -> Outcome:
    ids = tuple(f"test:{number}" for number in range(len(values)))
    return Outcome(
        task="piqa",
        metric="acc",
        benchmark="piqa",
        ids=ids,
        values=np.array(values, dtype=np.float64).reshape(-1, 1),
        **fields,  # pyright: ignore[reportArgumentType]
    )


def test_a_mean_has_the_interval_of_the_normal_law():
    rng = np.random.default_rng(5)
    values = rng.normal(3.0, 2.0, 2500).tolist()
    found = estimate_of(outcome(values))
    error, middle = float(np.std(values)) / 50, float(np.mean(values))
    assert found.value == pytest.approx(middle)
    assert found.low == pytest.approx(middle - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(middle + 1.96 * error, abs=0.15 * error)
    assert found.n == 2500


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    hits = 0
    for number in range(300):
        found = estimate_of(outcome((rng.random(80) < 0.3).astype(float).tolist()), seed=number)
        hits += found.low <= 0.3 <= found.high
    assert 0.90 <= hits / 300 <= 0.98


def test_items_of_a_unit_are_drawn_together():
    """Ten copies of each of 40 items tell no more than the 40."""
    rng = np.random.default_rng(2)
    base = rng.random(40)
    alone = estimate_of(outcome(base.tolist()))
    units = tuple(str(number) for number in range(40) for _ in range(10))
    copies = np.repeat(base, 10).tolist()
    together = estimate_of(outcome(copies, units=units))
    apart = estimate_of(outcome(copies))
    width = alone.high - alone.low
    assert together.high - together.low == pytest.approx(width, rel=0.15)
    assert apart.high - apart.low < 0.5 * width


def test_a_statistic_of_its_own():
    def ratio(values: Values) -> float:
        return float(values[:, 0].sum() / values[:, 1].sum())

    values = np.random.default_rng(3).uniform(1, 2, (500, 2))
    whole = Outcome(
        task="t", metric="m", ids=tuple(map(str, range(500))), values=values, statistic=ratio
    )
    found = estimate_of(whole)
    assert found.value == pytest.approx(values[:, 0].sum() / values[:, 1].sum())
    assert found.value - 0.04 < found.low < found.value < found.high < found.value + 0.04


def test_what_all_agree_on_is_not_certain():
    found = estimate_of(outcome([1.0] * 20))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.839, abs=1e-3)  # Wilson's lower bound of 20 of 20
    assert wilson(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    lone = estimate_of(outcome([0.25]))
    assert lone.value == 0.25
    assert math.isnan(lone.low)


def test_alike_units_are_counted_once():
    """24 prompts of ten texts each: as certain as 24 items, not as 240."""
    units = tuple(str(number // 10) for number in range(240))
    found = estimate_of(outcome([0.0] * 240, units=units))
    assert found.n == 240
    assert (found.low, found.high) == pytest.approx(wilson(0, 24))
    one_unit = estimate_of(outcome([0.0, 1.0, 1.0], units=("a", "a", "a")))
    assert math.isnan(one_unit.low)
    assert math.isnan(estimate_of(outcome([0.4] * 30)).high)


def test_a_statistic_that_never_varies_is_not_certain():
    values = np.tile([[0.0, 1.0], [0.0, 0.0]], (10, 1))

    def difference(values: Values) -> float:
        chosen = values[:, 1] == 1
        if chosen.all() or not chosen.any():
            return math.nan
        return float(values[chosen, 0].mean() - values[~chosen, 0].mean())

    ids = tuple(map(str, range(20)))
    whole = Outcome(task="t", metric="m", ids=ids, values=values, statistic=difference)
    found = estimate_of(whole)
    assert found.value == 0.0
    assert math.isnan(found.low)


def test_nothing_gives_nothing():
    found = estimate_of(outcome([]))
    assert found.n == 0
    assert math.isnan(found.value)


def test_scores_by_group_and_without_tainted_items():
    values = [1.0, 0.0, 1.0, 1.0]
    score = score_of(
        outcome(values, groups=("a", "b", "a", "b")), {"piqa": ["test:1"], "boolq": ["test:0"]}
    )
    assert score.estimate.value == 0.75
    assert {name: one.value for name, one in score.by_group.items()} == {"a": 1.0, "b": 0.5}
    assert score.tainted == 1
    assert score.clean is not None
    assert (score.clean.value, score.clean.n) == (1.0, 3)


def test_nobody_looked_is_not_none_found():
    assert score_of(outcome([1.0, 0.0])).tainted is None
    assert score_of(outcome([1.0, 0.0]), {"boolq": ["test:0"]}).tainted is None
    looked = score_of(outcome([1.0, 0.0]), {"piqa": []})
    assert (looked.tainted, looked.clean) == (0, None)


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12),
    st.lists(st.text(max_size=5), min_size=12, max_size=12),
)
def test_scores_survive_json(values: list[float], groups: list[str]):
    score = score_of(outcome(values, groups=tuple(groups[: len(values)]), chance=0.5), {"piqa": []})
    again = Score.from_dict(json.loads(json.dumps(score.as_dict(), allow_nan=False)))
    assert str(again) == str(score)  # NaN is not equal to itself


def test_an_average_is_over_the_headline_alone():
    def one(task: str, value: float, width: float) -> Score:
        return Score(task, "acc", Estimate(value, 100, value - width, value + width))

    scores = (one("a", 0.5, 0.03), one("a", 0.9, 0.5), one("b", 0.7, 0.04), one("c", 0.1, 0.2))
    average = Category("x", scores, ("a", "b")).average
    assert average is not None
    assert average.value == pytest.approx(0.6)
    assert average.high - average.value == pytest.approx(0.025)  # sqrt(3^2 + 4^2) / 2 hundredths
    assert average.n == 200
    assert Category("x", scores, ("a", "d")).average is None
    assert Category("x", scores).average is None


def test_evaluations_survive_a_file(tmp_path: Path):
    score = score_of(outcome([1.0, 0.0, 1.0], groups=("é", "|", "é")), {"piqa": ["test:0"]})
    suite = SuiteScores("s", "S", (Category("c", (score,), ("piqa",), {"x": "no items"}),))
    kept = Evaluation({"name": "m", "parameters": 3}, {"seed": 0}, (suite,), 1.5)
    save_evaluations(tmp_path / "scores.json", [kept, kept])
    assert load_evaluations(tmp_path / "scores.json") == [kept, kept]
    for content in ('{"format": 1, "suites": 3}', '[{"format": 1, "suites": 3}]', "[1]", "3"):
        (tmp_path / "other.json").write_text(content)
        with pytest.raises(ValueError, match=r"other\.json is no list of evaluations"):
            load_evaluations(tmp_path / "other.json")
    (tmp_path / "other.json").write_text('[{"format": 99}]')
    with pytest.raises(ValueError, match="format 1"):
        load_evaluations(tmp_path / "other.json")
