"""The metric `code_eval`, in the sandbox instead of fetched from the hub.

pass@k as in Chen et al. 2021 (https://arxiv.org/abs/2107.03374), with the hub's limit of 3 seconds
a program. One that does not keep to it has another 10, so that a busy machine fails none.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import sys
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from phinery.sandbox import Verdict, run_sandboxed

_TIMEOUT, _SECOND_TIMEOUT = 3.0, 10.0
_MEMORY = 2**30


class CodeJudge:
    """What `evaluate.load("code_eval")` gives, for one evaluation of one task."""

    def __init__(self) -> None:
        self.is_used = False
        self._verdicts: dict[tuple[str, str], Verdict] = {}
        self._counted: list[tuple[str, str]] = []

    def compute(
        self,
        *,
        references: Sequence[str],
        predictions: Sequence[Sequence[str]],
        k: Sequence[int] = (1, 10, 100),
        **settings: Any,
    ) -> tuple[dict[str, float], dict[int, list[Verdict]]]:
        """pass@k over tasks, for those k that no task has fewer programs than, and the verdicts.

        Raises OSError where programs cannot be isolated.
        """
        pairs = [
            [(program, tests) for program in programs]
            for programs, tests in zip(predictions, references, strict=True)
        ]
        self.run([pair for programs in pairs for pair in programs])
        verdicts = {n: [self._verdicts[one] for one in own] for n, own in enumerate(pairs)}
        rates = {
            f"pass@{count}": math.fsum(pass_at_k(own, count) for own in verdicts.values())
            / len(verdicts)
            for count in k
            if all(len(own) >= count for own in verdicts.values())
        }
        return rates, verdicts

    def run(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Run programs with their tests, as many at a time as there are processors."""
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._verdicts]
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
            self._verdicts.update(zip(new, threads.map(_verdict, new), strict=True))

    def judge(self, task: Any) -> int:
        """Run all answers of a task of the harness whose filters are applied; how many."""
        pairs: list[tuple[str, str]] = []
        for instance in task.instances:
            tests = task.doc_to_target(instance.doc)
            for answer in instance.filtered_resps.values():
                programs = [answer] if isinstance(answer, str) else answer
                pairs += [(program, tests) for program in programs]
        self.run(pairs)
        self._counted += pairs
        return len(pairs)

    def note(self) -> str:
        """What to say about the verdicts of `judge`; empty when all are strong."""
        weak = sum(self._verdicts[pair].weak_verdict for pair in self._counted)
        if not weak:
            return ""
        return f"{weak} of {len(self._counted)} verdicts are weak: tests beside the program"

    @contextlib.contextmanager
    def standing_in(self) -> Generator[None]:
        """Be `code_eval` to tasks that are loaded meanwhile; everything is as before afterwards.

        The harness's modules for humaneval and mbpp ask for the metric, and try it, when they are
        imported, and the harness keeps them.
        """
        library: Any = importlib.import_module("evaluate")
        original = library.load
        metrics: tuple[type[Any], ...] = (library.EvaluationModule, CodeJudge)

        def load(path: str, *arguments: Any, **settings: Any) -> Any:
            if path != "code_eval":
                return original(path, *arguments, **settings)
            self.is_used = True
            return self

        others = _modules_with(metrics)
        for name in others:
            del sys.modules[name]
        library.load = load
        try:
            yield
        finally:
            library.load = original
            for name in _modules_with((CodeJudge,)):
                del sys.modules[name]
            sys.modules.update(others)


def pass_at_k(verdicts: Sequence[Verdict], k: int) -> float:
    """Unbiased estimate that one of k programs passes: 1 - C(n - c, k) / C(n, k)."""
    n, passed = len(verdicts), sum(verdict.passed for verdict in verdicts)
    return 1 - math.comb(n - passed, k) / math.comb(n, k)


def _verdict(pair: tuple[str, str]) -> Verdict:
    program, tests = pair
    verdict = run_sandboxed(program, tests, timeout=_TIMEOUT, memory_bytes=_MEMORY)
    if verdict.reason != "timeout":
        return verdict
    return run_sandboxed(program, tests, timeout=_SECOND_TIMEOUT, memory_bytes=_MEMORY)


def _modules_with(kinds: tuple[type[Any], ...]) -> dict[str, Any]:
    """Modules of the harness's tasks that hold a metric of these kinds."""
    return {
        name: module
        for name, module in sys.modules.items()
        if name.startswith("lm_eval.tasks.") and hasattr(module, "__mtime__")
        if any(isinstance(value, kinds) for value in vars(module).values())
    }
