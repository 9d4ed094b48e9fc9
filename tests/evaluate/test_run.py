"""Suites carried out: what runs is scored, what cannot run is skipped with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from phinery.evaluate import HarnessModel, suites
from phinery.evaluate.contamination import tainted_items_of
from phinery.evaluate.outcome import Outcome, Score
from phinery.evaluate.run import evaluate
from phinery.evaluate.setting import Measure, Setting
from phinery.evaluate.suites import Suite, SuiteCategory, Task
from phinery.evaluate.told import Told
from phinery.files import write_json
from phinery.model import Phi
from phinery.text import Tokenizer


def alternating(model: HarnessModel, setting: Setting) -> list[Outcome]:
    """Ten items, every other one right."""
    rows = setting.chosen(10)
    return [
        Outcome(
            task="even",
            metric="acc",
            benchmark="piqa",
            ids=tuple(f"test:{row}" for row in rows),
            values=np.array([[float(row % 2 == 0)] for row in rows]).reshape(-1, 1),
        )
    ]


def refusing(model: HarnessModel, setting: Setting) -> list[Outcome]:
    """What a measure without its items does."""
    raise ValueError("no items\n of BBQ")


MEASURES = {"some.even": alternating, "some.refusing": refusing}


@pytest.fixture
def model(phi: Phi, bpe_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> HarnessModel:
    def resolve(name: str) -> Measure:
        return MEASURES[name]

    monkeypatch.setattr(suites, "resolve_measure", resolve)
    return HarnessModel(phi, bpe_tokenizer, progress=False)


def suite_of(*names: str) -> Suite:
    tasks = tuple(Task(name=name.partition(".")[2], measure=name) for name in names)
    headline = ("even",) if "some.even" in names else ()
    category = SuiteCategory(name="only", headline=headline, tasks=tasks)
    return Suite(name="some", title="Some", categories=(category,))


class Listener(Told):
    def __init__(self) -> None:
        self.heard: list[object] = []

    def task(self, number: int, count: int, name: str) -> None:
        self.heard.append((number, count, name))

    def scored(self, scores: Sequence[Score]) -> None:
        self.heard.append(scores[0].estimate.value)

    def skipped(self, name: str, reason: str) -> None:
        self.heard.append(reason)


def test_scores_and_reasons(model: HarnessModel):
    listener = Listener()
    found = evaluate(
        model,
        [suite_of("some.refusing", "some.even")],
        Setting(limit=5),
        name="tiny",
        tainted={"piqa": ["test:1", "test:9"]},
        told=listener,
    )
    (category,) = found.suites[0].categories
    assert category.skipped == {"refusing": "no items of BBQ"}
    (score,) = category.scores
    assert score.estimate.value == pytest.approx(3 / 5)
    assert score.tainted == 1
    assert score.clean is not None
    assert score.clean.value == pytest.approx(3 / 4)
    assert category.average is not None
    assert found.model["name"] == "tiny"
    assert found.model["dtype"] == "float32"
    assert found.setting == {"items": "hub", "limit": 5, "sample": None, "seed": 0}
    assert listener.heard == [
        (0, 2, "refusing"),
        "no items of BBQ",
        (1, 2, "even"),
        pytest.approx(3 / 5),
    ]


def test_nothing_that_runs_is_told(model: HarnessModel):
    found = evaluate(model, [suite_of("some.refusing")])
    assert found.suites[0].scores == ()
    assert found.suites[0].categories[0].skipped == {"refusing": "no items of BBQ"}


def test_samples_are_drawn_by_the_seed_alone():
    first = Setting(sample=20, seed=1).chosen(1000)
    assert first == Setting(sample=20, seed=1).chosen(1000)
    assert first != Setting(sample=20, seed=2).chosen(1000)
    assert first == sorted(set(first))
    assert len(first) == 20
    assert Setting(sample=20).chosen(7) == list(range(7))
    assert Setting(limit=3).chosen(7) == [0, 1, 2]
    assert Setting().chosen(2) == [0, 1]


@pytest.mark.parametrize(
    "fields", [{"limit": 0}, {"sample": -1}, {"limit": 1, "sample": 1}, {"seed": -1}]
)
def test_numbers_that_mean_nothing_are_refused(fields: dict[str, int]):
    with pytest.raises(ValueError, match="limit|sample|seed"):
        Setting(**fields)  # pyright: ignore[reportArgumentType]


def test_tainted_items_of_a_run(tmp_path: Path):
    for stage, benchmarks, tainted in (
        ("refine", "shared", {"piqa": {"validation:3": ["doc"]}}),
        ("synthesize", "shared", {"piqa": {"validation:9": ["doc"]}, "boolq": {"train:1": []}}),
    ):
        (tmp_path / stage).mkdir()
        write_json(tmp_path / stage / "ledger.json", {"settings": {"benchmarks": benchmarks}})
        write_json(tmp_path / stage / "tainted.json", tainted)
    assert tainted_items_of(tmp_path) == {
        "piqa": {"validation:3", "validation:9"},
        "boolq": {"train:1"},
    }
    assert tainted_items_of(tmp_path / "refine") == {"piqa": {"validation:3"}}
    write_json(tmp_path / "refine" / "ledger.json", {"settings": {"benchmarks": None}})
    assert tainted_items_of(tmp_path / "refine") is None
    assert tainted_items_of(tmp_path / "elsewhere") is None


def test_benchmarks_that_were_looked_for_in_vain_have_no_items(tmp_path: Path):
    settings = {"benchmarks": "shared"}
    ledger = {"settings": settings, "benchmarks": ["boolq", "piqa"]}
    write_json(tmp_path / "ledger.json", ledger)
    write_json(tmp_path / "tainted.json", {"piqa": {"validation:3": ["doc"]}})
    assert tainted_items_of(tmp_path) == {"boolq": set(), "piqa": {"validation:3"}}


@pytest.mark.parametrize(
    "ledger", [{}, [], {"settings": None}, {"settings": {}, "benchmarks": "piqa"}]
)
def test_a_damaged_ledger_is_one_line(tmp_path: Path, ledger: object):
    write_json(tmp_path / "ledger.json", ledger)
    write_json(tmp_path / "tainted.json", {})
    with pytest.raises(ValueError, match=r"ledger\.json .*: refine again") as caught:
        tainted_items_of(tmp_path)
    assert "\n" not in str(caught.value)
