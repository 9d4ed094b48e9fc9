"""Asks Phinery's model and the harness's own the same requests, in a process without network.

Arguments: a model folder, a JSON file with `folders` of the harness's tasks, `tasks` with their
numbers of examples and `arguments` for `lm_eval.simple_evaluate`, and where the answers go. The
working directory holds the data sets. A process of its own, because the libraries read their
settings when they are imported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import lm_eval.tasks
from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from phinery.evaluate import HarnessModel


class Both(LM):
    """Answers as Phinery does, and remembers what both said."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.ours = HarnessModel(folder, device="cpu", dtype="float32", batch_tokens=512)
        harness_model: Any = HFLM
        self.theirs = harness_model(pretrained=folder, device="cpu", dtype="float32", batch_size=1)
        self.answers: list[dict[str, Any]] = []

    def _ask(self, kind: str, requests: list[Instance]) -> list[Any]:
        ours = getattr(self.ours, kind)(requests, disable_tqdm=True)
        theirs = getattr(self.theirs, kind)(requests, disable_tqdm=True)
        for request, one, other in zip(requests, ours, theirs, strict=True):
            task = request.task_name
            self.answers.append({"task": task, "kind": kind, "ours": one, "theirs": other})
        return ours

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """See `LM`."""
        return self._ask("loglikelihood", requests)

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """See `LM`."""
        return self._ask("loglikelihood_rolling", requests)

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """See `LM`."""
        return self._ask("generate_until", requests)


def main() -> None:
    """Evaluate once, with both."""
    folder, settings, out = sys.argv[1:]
    chosen = json.loads(Path(settings).read_text())
    # Reading the descriptions of all the harness's tasks takes longer than everything else.
    home = Path(lm_eval.tasks.__file__).parent
    folders: list[str | Path] = [str(home / name) for name in chosen["folders"]]
    manager = TaskManager(include_path=folders, include_defaults=False)
    tasks = manager.load(list(chosen["tasks"]))["tasks"]
    for name, examples in chosen["tasks"].items():
        if examples is not None:
            tasks[name].set_config("num_fewshot", examples)
    model = Both(folder)
    evaluate: Any = simple_evaluate
    evaluate(
        model,
        tasks=list(tasks.values()),
        bootstrap_iters=0,
        log_samples=False,
        **chosen["arguments"],
    )
    Path(out).write_text(json.dumps(model.answers))


if __name__ == "__main__":
    main()
