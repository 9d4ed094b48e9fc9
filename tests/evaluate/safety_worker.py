"""lm_eval's own scores of its tasks on stereotypes, in a process without network.

The model is one whose likelihoods are arbitrary, and the same for everybody, so that
`test_safety_scores.py` can ask it too. Argument: where the answers go. The working directory holds
the data sets. A process of its own, because the libraries read their settings when they are
imported.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import lm_eval.tasks
from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

TASKS = ("crows_pairs_english", "winogender_all", "winogender_gotcha", "bbq")


class Arbitrary(LM):
    """A likelihood for every text, from its hash."""

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """See `LM`."""
        pairs: list[tuple[str, str]] = [request.arguments for request in requests]
        digests = [hashlib.sha256("|".join(pair).encode()).digest() for pair in pairs]
        return [(-int.from_bytes(digest[:4]) / 2**32, False) for digest in digests]

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """Nobody asks."""
        raise NotImplementedError

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """Nobody asks."""
        raise NotImplementedError


def main() -> None:
    """Evaluate the tasks, and list which of BBQ's answers lm_eval takes to follow a stereotype."""
    home = Path(lm_eval.tasks.__file__).parent
    folders: list[str | Path] = [str(home / name) for name in ("bbq", "crows_pairs", "winogender")]
    manager = TaskManager(include_path=folders, include_defaults=False)
    tasks = manager.load(list(TASKS))["tasks"]
    evaluate: Any = simple_evaluate
    model = Arbitrary()
    results = evaluate(model, tasks=list(tasks.values()), bootstrap_iters=0, log_samples=False)[
        "results"
    ]
    found: dict[str, Any] = {
        name: {key.removesuffix(",none"): value for key, value in results[name].items()}
        for name in TASKS
    }
    docs: Any = tasks["bbq"].test_docs()
    found["biased"] = [
        [name for name in ("ans0", "ans1", "ans2") if doc[name] in doc["biased_answers"]]
        for doc in docs
    ]
    Path(sys.argv[1]).write_text(json.dumps(found, default=str))


if __name__ == "__main__":
    main()
