"""Asks the harness's tasks plainly, as its own users do, and writes down what it reports.

Arguments: a model folder, a JSON file with `folders`, `tasks` with their numbers of examples, and
`limit`, and where the results go. The working directory holds the data sets. A process of its own,
because the harness finds them by the working directory.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from phinery.evaluate import HarnessModel


def main() -> None:
    """Evaluate once."""
    folder, settings, out = sys.argv[1:]
    chosen = json.loads(Path(settings).read_text())
    manager = TaskManager(include_path=chosen["folders"], include_defaults=False)
    evaluate: Any = simple_evaluate
    found: dict[str, Any] = {}
    for name, shots in chosen["tasks"].items():
        results = evaluate(
            HarnessModel(folder, device="cpu", dtype="float32"),
            tasks=[name],
            num_fewshot=shots,
            task_manager=manager,
            limit=chosen["limit"],
            bootstrap_iters=0,
        )
        samples = {
            task: [
                {
                    "doc_id": one["doc_id"],
                    "filter": one["filter"],
                    "prompt": one["arguments"][0][0],
                    **{metric: one[metric] for metric in one["metrics"]},
                }
                for one in rows
            ]
            for task, rows in results["samples"].items()
        }
        found[name] = {"results": results["results"][name], "samples": samples}
    Path(out).write_text(json.dumps(found, default=str))


if __name__ == "__main__":
    main()
