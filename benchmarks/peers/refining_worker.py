"""One participant's process: JSON lines refined on request, answers in JSON lines.

Runs in the participant's own environment. Requests on stdin and answers on stdout are one JSON
object a line:

    {"command": "prepare", "core": 0}                   -> {"versions": {...}}
    {"command": "refine", "input": DIR, "output": DIR}  -> {"seconds": s, "cpu_seconds": s, ...}
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from importlib import metadata

Refine = Callable[[str, str], dict[str, int]]
"""Input and output folder to counts: documents after each step."""


def serve(packages: tuple[str, ...], refine: Refine) -> None:
    """Answer requests until stdin ends; `packages` are the distributions to report."""
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        if request["command"] == "prepare":
            os.sched_setaffinity(0, {request["core"]})
            answer: dict[str, object] = {"versions": {n: metadata.version(n) for n in packages}}
        else:
            shutil.rmtree(request["output"], ignore_errors=True)
            start, cpu_start = time.perf_counter(), _cpu_seconds()
            counts = refine(request["input"], request["output"])
            answer = {
                "seconds": time.perf_counter() - start,
                "cpu_seconds": _cpu_seconds() - cpu_start,
                "counts": counts,
            }
        print(json.dumps(answer), file=answers, flush=True)


def _cpu_seconds() -> float:
    """Of this process and those that it started and that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
