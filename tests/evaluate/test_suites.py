"""Suites as data: what is in them, what is refused, what `--suite` means."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from phinery.evaluate.suites import (
    Task,
    load_suite,
    read_suite,
    resolve_measure,
    suites,
    suites_of,
)
from phinery.evaluate.tasks.names import harness_names, task_folder, tasks_folder

SOUND = """
title = "Mine"
[[category]]
name = "one"
headline = ["piqa"]
[[category.task]]
name = "piqa"
harness = "piqa"
metrics = { acc = "acc" }
[[category.task]]
name = "bias"
measure = "safety.bias"
"""


def test_phi2_is_microsofts_table():
    suite = load_suite("phi2")
    headline = {category.name: category.headline for category in suite.categories}
    assert headline == {
        "BBH": ("bbh",),
        "Commonsense": ("piqa", "winogrande", "arc_easy", "arc_challenge", "siqa"),
        "Language": ("hellaswag", "openbookqa", "mmlu", "squadv2", "boolq"),
        "Math": ("gsm8k",),
        "Coding": ("humaneval", "mbpp"),
        "Others": (),
    }
    shots = {task.name: task.shots for task in suite.tasks if task.shots}
    assert shots == {"bbh": 3, "mmlu": 5, "squadv2": 2, "gsm8k": 8, "mbpp": 3}
    language = next(one for one in suite.categories if one.name == "Language")
    first = [next(iter(task.metrics)) for task in language.tasks]
    assert first == ["acc", "acc", "acc", "exact", "acc"]


def test_the_harness_has_what_the_suite_names():
    pytest.importorskip("lm_eval")
    started = time.monotonic()
    names = harness_names()
    assert time.monotonic() - started < 60
    for task in load_suite("phi2").tasks:
        assert task.harness is not None
        assert task.folder is not None
        assert names[task.harness] in (task.folder, None), task.name
        assert (tasks_folder() / task.folder).is_dir()
    assert names["mmlu"] is None  # a group
    assert names["truthfulqa_mc2"] == "truthfulqa"


@pytest.mark.parametrize("name", suites())
def test_each_suite_is_sound(name: str):
    suite = load_suite(name)
    for task in suite.tasks:
        if task.measure is not None:
            assert callable(resolve_measure(task.measure))


def test_a_suite_is_read(tmp_path: Path):
    (tmp_path / "mine.toml").write_text(SOUND)
    suite = read_suite(tmp_path / "mine.toml")
    assert (suite.name, suite.title) == ("mine", "Mine")
    assert suite.tasks == (
        Task(name="piqa", harness="piqa", metrics={"acc": "acc"}),
        Task(name="bias", measure="safety.bias"),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('harness = "piqa"', 'harnes = "piqa"', "harnes"),
        ('title = "Mine"', 'title = "Mine"\nauthor = "me"', "author: Extra inputs"),
        ('["piqa"]', '["arc"]', "headline of one names arc"),
        ('name = "bias"', 'name = "piqa"', "two tasks are called piqa"),
        ('measure = "safety.bias"', "", "task bias needs either harness or measure"),
        ('measure = "safety.bias"', 'measure = "safety.bias"\nshots = 3', "has no shots"),
        ('measure = "safety.bias"', 'measure = "bias"', "PACKAGE.NAME, not 'bias'"),
        ('{ acc = "acc" }', '{ acc = "acc" }\nshots = -1', "shots: Input should be greater"),
        ('title = "Mine"', "title = Mine", "is no TOML"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, old: str, new: str, message: str):
    assert old in SOUND
    (tmp_path / "mine.toml").write_text(SOUND.replace(old, new))
    with pytest.raises(ValueError, match=message) as caught:
        read_suite(tmp_path / "mine.toml")
    assert "\n" not in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_suites_and_tasks_by_name():
    named, single = suites_of(["phi2", "piqa", " social_iqa", "piqa"])
    assert named == load_suite("phi2")
    assert (single.name, [task.name for task in single.tasks]) == ("tasks", ["piqa", "siqa"])
    assert single.categories[0].headline == ()
    assert single.tasks[0] == named.tasks[1]


def test_names_of_one_task_are_one_task():
    (single,) = suites_of(["siqa", "social_iqa", "gsm8k_cot", "gsm8k"])
    assert [task.name for task in single.tasks] == ["siqa", "gsm8k"]


def test_the_harness_has_its_own_task_of_a_name_that_is_ours():
    pytest.importorskip("lm_eval")
    (single,) = suites_of(["gsm8k", "lm_eval:gsm8k", "lm_eval:toxigen", "toxigen", "lm_eval:gsm8k"])
    ours, theirs, toxigen, measure = single.tasks
    assert (ours.harness, ours.shots) == ("gsm8k_cot", 8)
    assert theirs == Task(name="lm_eval:gsm8k", harness="gsm8k")
    assert toxigen == Task(name="lm_eval:toxigen", harness="toxigen")
    assert measure.measure == "safety.toxigen"
    with pytest.raises(ValueError, match="has no task 'gsm8kk'; did you mean .*gsm8k") as caught:
        suites_of(["lm_eval:gsm8kk"])
    assert "\n" not in str(caught.value)


def test_the_harness_is_read_once_and_only_if_needed(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("lm_eval")
    assert harness_names() is harness_names()
    read: list[Path] = []
    original = Path.read_bytes

    def read_bytes(file: Path) -> bytes:
        read.append(file)
        return original(file)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    task_folder.cache_clear()
    expected = {"mmlu_anatomy": "mmlu/default", "lambada_openai": "lambada"}
    for name, folder in expected.items():
        assert task_folder(name) == folder == harness_names()[name]
    assert {file.stem for file in read} == set(expected)
    assert task_folder("mmlu") is None  # a group
    assert task_folder("social_iqa") is None  # its folder has another name
    assert harness_names()["social_iqa"] == "siqa"


def test_any_task_of_the_harness():
    pytest.importorskip("lm_eval")
    (single,) = suites_of(["lambada_openai", "mmlu_anatomy"])
    assert single.tasks == (
        Task(name="lambada_openai", harness="lambada_openai"),
        Task(name="mmlu_anatomy", harness="mmlu_anatomy"),
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["phi3"], "no suite or task 'phi3'; did you mean phi2"),
        (["hellaswagg"], "did you mean hellaswag"),
        ([""], "name a suite"),
    ],
)
def test_unknown_names(names: list[str], message: str):
    with pytest.raises(ValueError, match=message):
        suites_of(names)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.piqa", "no package of measures 'nowhere'"),
        ("safety.crows_pair", "no measure 'safety.crows_pair'; did you mean crows_pairs"),
    ],
)
def test_unknown_measures(name: str, message: str):
    with pytest.raises(ValueError, match=message):
        resolve_measure(name)
