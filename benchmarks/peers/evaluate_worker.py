"""One participant's process: a model of lm-evaluation-harness that answers requests when asked.

Requests on stdin and answers on stdout are one JSON object a line:

    {"command": "prepare", "model": folder}
        -> {"versions": {...}, "threads": n}
    {"command": "answer", "requests": file, "batch_size": 8}
        -> {"seconds": s, "answers": [...]}

The file is one of `evaluate_requests.py`. Between requests the process
waits in a read and uses no processor.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM


def serve(package: str, start: Callable[[str], LM], resize: Callable[[Any, int], None]) -> None:
    """Answer requests until the input ends.

    `start` makes a model from a folder, `resize` sets its batch size; `package` is the distribution
    whose version is reported.
    """
    model: Any = None
    # What a library prints goes to stderr, so that it cannot get between the answers.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            request = json.loads(line)
            if request["command"] == "prepare":
                model = start(request["model"])
                names = ("torch", "lm_eval", package)
                answer: dict[str, Any] = {
                    "versions": {name: metadata.version(name) for name in names},
                    "threads": torch.get_num_threads(),
                }
            else:
                resize(model, request["batch_size"])
                asked = json.loads(Path(request["requests"]).read_text(encoding="utf-8"))
                kind = asked["kind"]
                instances = [
                    Instance(kind, {}, tuple(one), number)
                    for number, one in enumerate(asked["requests"])
                ]
                started = time.perf_counter()
                given = getattr(model, kind)(instances, disable_tqdm=True)
                answer = {"seconds": time.perf_counter() - started, "answers": given}
            print(json.dumps(answer), file=answers, flush=True)
