"""The items of the evaluation benchmarks: the harness's tasks, and what they ask of a model."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARED = HERE.parent.parent / "shared"
FOLDERS = [
    *("piqa", "arc", "hellaswag", "truthfulqa", "mmlu/default", "bbh/cot_fewshot", "gsm8k"),
    *("winogrande", "siqa", "openbookqa", "super_glue/boolq", "wsc273", "mathqa", "crows_pairs"),
    *("winogender", "bbq", "toxigen"),
]
# Task: examples (None: the task's own number), and the ratio to reach.
TASKS: dict[str, tuple[int | None, float]] = {
    "mmlu_anatomy": (5, 5.0),
    "truthfulqa_mc2": (None, 8.0),
    "gsm8k_cot": (None, 4.0),
    "bbh_cot_fewshot_date_understanding": (None, 4.0),
    "arc_easy": (None, 1.5),
    "arc_challenge": (None, 1.5),
    "hellaswag": (None, 1.5),
    "piqa": (None, 1.5),
    "winogrande": (None, 1.0),
    "social_iqa": (None, 1.0),
    "openbookqa": (None, 1.0),
    "boolq": (None, 1.0),
    "truthfulqa_mc1": (None, 1.0),
    "wsc273": (None, 1.0),
    "mathqa": (None, 1.0),
    "crows_pairs_english": (None, 1.0),
    "winogender_all": (None, 1.0),
    "bbq": (None, 1.0),
    "toxigen": (None, 1.0),
}

# Nothing is fetched, and no bars are drawn.
_QUIET = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TQDM_DISABLE")


def shots_of(task: str) -> int | None:
    """Examples before each question; None for the task's own number."""
    return (
        TASKS["mmlu_anatomy" if task.startswith("mmlu_") else task][0]
        if (task in TASKS or task.startswith("mmlu_"))
        else None
    )


def write_requests(python: Path, folder: Path, options: argparse.Namespace) -> None:
    """A file for each task with what the harness asks."""
    chosen = {
        "tasks": {task: shots_of(task) for task in options.tasks},
        "limit": options.limit,
        "folders": FOLDERS,
        "arguments": {"max_gen_toks": options.answer_tokens},
    }
    subprocess.run(
        [str(python), str(HERE / "peers/evaluate_requests.py"), json.dumps(chosen), str(folder)],
        cwd=SHARED / "benchmarks/hub",
        env={
            **os.environ,
            **dict.fromkeys(_QUIET, "1"),
            "HF_DATASETS_CACHE": str(folder / "datasets"),
        },
        stdout=subprocess.DEVNULL,
        check=True,
    )
