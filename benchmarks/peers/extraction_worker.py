"""One participant's process: WARC files into text on request, answers in JSON lines.

Runs in the participant's own environment. Requests on stdin and answers on stdout are one JSON
object a line:

    {"command": "prepare", "core": 0}  -> {"versions": {...}}
    {"command": "extract", "paths": [...], "texts": false}
        -> {"documents": n, "characters": n, "seconds": s, "cpu_seconds": s, "texts": {url: text}}
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata

Read = Callable[[str], Iterator[tuple[str, str]]]
"""A WARC file's path to the address and text of each page."""


def serve(packages: tuple[str, ...], read: Read) -> None:
    """Answer requests until stdin ends; `packages` are the distributions to report."""
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        if request["command"] == "prepare":
            # The participant's helper processes inherit it.
            os.sched_setaffinity(0, {request["core"]})
            answer = {"versions": {name: metadata.version(name) for name in packages}}
        else:
            answer = _extract(read, request["paths"], keep_texts=request["texts"])
        print(json.dumps(answer), file=answers, flush=True)


def _extract(read: Read, paths: list[str], *, keep_texts: bool) -> dict[str, object]:
    texts: dict[str, str] = {}
    documents = characters = 0
    start, cpu_start = time.perf_counter(), _cpu_seconds()
    for path in paths:
        for url, text in read(path):
            documents += 1
            characters += len(text)
            if keep_texts:
                texts[url] = text
    return {
        "documents": documents,
        "characters": characters,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": _cpu_seconds() - cpu_start,
        "texts": texts,
    }


def _cpu_seconds() -> float:
    """Of this process and those that it started and that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
