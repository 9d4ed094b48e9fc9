"""Writes what the harness asks of a model: arguments of every request of some tasks.

Arguments: JSON {"tasks": {name: examples or null}, "limit": n, "folders": [...], "arguments":
{...} for generation} and the directory to write NAME.json into, each {"kind", "requests"}. The
working directory holds the data sets.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import lm_eval.tasks
from lm_eval.tasks import TaskManager


def main() -> None:
    """Write a file for each task."""
    chosen, out = json.loads(sys.argv[1]), Path(sys.argv[2])
    home = Path(lm_eval.tasks.__file__).parent
    folders: list[str | Path] = [home / name for name in chosen["folders"]]
    manager = TaskManager(include_path=folders, include_defaults=False)
    for name, examples in chosen["tasks"].items():
        task = manager.load([name])["tasks"][name]
        if examples is not None:
            task.set_config("num_fewshot", examples)
        elif task.get_config("num_fewshot") is None:
            task.set_config("num_fewshot", 0)
        if task.OUTPUT_TYPE == "generate_until":
            task.set_config("generation_kwargs", chosen["arguments"], update=True)
        task.set_fewshot_seed(1234)
        task.build_all_requests(limit=chosen["limit"], rank=0, world_size=1)
        content = {
            "kind": task.instances[0].request_type,
            "requests": [list(instance.args) for instance in task.instances],
        }
        (out / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main()
