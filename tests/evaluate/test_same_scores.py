"""The harness's tasks: Phinery's answers are those of the harness's own `hf` model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

HUB = Path(__file__).parents[2].parent / "shared" / "benchmarks" / "hub"
WORKER = Path(__file__).with_name("compare_worker.py")
SCORED = [
    "piqa",
    "winogrande",
    "arc_easy",
    "arc_challenge",
    "social_iqa",
    "hellaswag",
    "openbookqa",
    "boolq",
    "truthfulqa_mc1",
    "truthfulqa_mc2",
    "wsc273",
    "mathqa",
    "crows_pairs_english",
    "winogender_all",
    "bbq",
    "toxigen",
]
FEW_SHOT = ["mmlu_anatomy", "mmlu_astronomy"]
GENERATED = ["bbh_cot_fewshot_boolean_expressions", "gsm8k_cot"]
FOLDERS = [
    *("piqa", "winogrande", "arc", "siqa", "hellaswag", "openbookqa", "super_glue/boolq"),
    *("truthfulqa", "wsc273", "mathqa", "crows_pairs", "winogender", "bbq", "toxigen"),
    *("mmlu/default", "bbh/cot_fewshot", "gsm8k"),
]
SETTINGS: dict[str, Any] = {
    "folders": FOLDERS,
    "tasks": dict.fromkeys(SCORED + GENERATED) | dict.fromkeys(FEW_SHOT, 5),
    "arguments": {"limit": 3, "gen_kwargs": "max_gen_toks=16"},
}


@pytest.fixture(scope="session")
def answers(
    phi_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, Any]]]:
    """What both said, by task."""
    if not HUB.is_dir():
        pytest.skip("needs the benchmarks' items in ../shared/benchmarks")
    folder = tmp_path_factory.mktemp("compared")
    settings, out = folder / "settings.json", folder / "answers.json"
    settings.write_text(json.dumps(SETTINGS))
    offline = dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"), "1")
    done = subprocess.run(
        [sys.executable, str(WORKER), str(phi_folder), str(settings), str(out)],
        cwd=HUB,
        env={**os.environ, **offline, "HF_DATASETS_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    by_task: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for answer in json.loads(out.read_text()):
        by_task[answer["task"]].append(answer)
    return by_task


@pytest.mark.parametrize("task", SCORED + FEW_SHOT)
def test_log_likelihoods_are_the_same(answers: dict[str, list[dict[str, Any]]], task: str):
    assert len(answers[task]) >= 3
    for answer in answers[task]:
        assert answer["kind"] == "loglikelihood"
        (ours, greedy), (theirs, is_greedy) = answer["ours"], answer["theirs"]
        assert ours == pytest.approx(theirs, abs=1e-4, rel=1e-6)
        assert greedy == is_greedy


@pytest.mark.parametrize("task", GENERATED)
def test_generations_are_the_same(answers: dict[str, list[dict[str, Any]]], task: str):
    assert len(answers[task]) == 3
    assert any(answer["ours"] for answer in answers[task])
    for answer in answers[task]:
        assert answer["kind"] == "generate_until"
        assert answer["ours"] == answer["theirs"]
