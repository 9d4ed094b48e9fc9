"""A task of lm-evaluation-harness, asked by the harness itself, with what came of each item."""

from __future__ import annotations

import contextlib
import logging
import random
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from phinery.evaluate.tasks import loading  # sets what the harness's libraries read when imported

# isort: split
import lm_eval.api.task
from lm_eval.api.model import LM
from lm_eval.evaluator import evaluate

from phinery.evaluate.outcome import Outcome
from phinery.evaluate.tasks.code import CodeJudge
from phinery.evaluate.tasks.loading import Loaded, Place, unfit
from phinery.evaluate.tasks.readings import leaf_of, outcomes_of

if TYPE_CHECKING:
    from phinery.evaluate.setting import Setting
    from phinery.evaluate.suites import Task

# Those of `lm_eval.simple_evaluate`.
_RANDOM_SEED = 0
_OTHER_SEED = 1234
# The harness's names for the most tokens of an answer; the first that is given counts.
_MOST_TOKENS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
# Methods of the harness's tasks that read items.
_READING_ITEMS = (
    "build_all_requests",
    "doc_to_choice",
    "doc_to_target",
    "doc_to_text",
    "process_results",
)


def run_harness_task(model: LM, task: Task, setting: Setting) -> list[Outcome]:
    """Ask `model` a task, or a group of tasks, of the harness: an outcome a metric.

    Prompts, examples, stop texts, filters and metrics are the harness's, with its default seeds. A
    group that the harness makes one figure of, such as MMLU, is one outcome with groups; of others,
    and of tags, each task has outcomes under its own name. `setting.limit` is of each task of a
    group, as in the harness; `setting.sample` is drawn from all of them.

    Raises ValueError, in one line, for a task that cannot run here: no items, no such metric, a
    library that lacks, no sandbox for programs.
    """
    judge = CodeJudge()
    with _as_before(), _quiet():
        random.seed(_RANDOM_SEED)
        np.random.seed(_OTHER_SEED)
        torch.manual_seed(_OTHER_SEED)
        if setting.items is None and setting.offline:
            raise ValueError(f"{task.name} needs items: give a folder of them (--items DIR)")
        loaded = loading.load(task, setting, judge)
        chosen = _chosen(loaded, setting)
        tasks = {name: one for name, one in loaded.tasks.items() if chosen[name]}
        lengths = _Lengths(getattr(model, "max_length", None), getattr(model, "max_gen_toks", 256))
        for name, one in tasks.items():
            _guarded(name, one, loaded.places.get(name), setting)
            lengths.watch(one)
        if judge.is_used:
            for one in tasks.values():
                _after_filters(one, judge, setting.tell)
        setting.tell(f"{sum(map(len, chosen.values()))} items")
        results: Any = evaluate(
            lm=model,
            task_dict={"tasks": tasks},
            # Only where some are left out: the harness looks each item up in the list.
            samples={
                name: chosen[name]
                for name, one in tasks.items()
                if len(chosen[name]) < len(one.eval_docs)
            },
            bootstrap_iters=0,
            log_samples=True,
            confirm_run_unsafe_code=True,
        )
        leaves = [
            leaf_of(
                name,
                one,
                loaded.places.get(name, Place("", None)),
                results["samples"][name],
                setting,
            )
            for name, one in tasks.items()
        ]
        return outcomes_of(
            task, leaves, loaded.group, "; ".join(filter(None, [lengths.note(), judge.note()]))
        )


class _Lengths:
    """Lets answers have half the model's context at most, so that prompts have the other half.

    `default` is how many tokens an answer may have where a task does not say.
    """

    def __init__(self, max_length: int | None, default: int) -> None:
        self._max_length, self._default = max_length, default
        self._shortened = False

    def watch(self, task: Any) -> None:
        """Have a task's requests shortened as soon as they are built."""
        original = task.build_all_requests

        def build_all_requests(**settings: Any) -> None:
            original(**settings)
            for instance in task.instances:
                if instance.request_type == "generate_until":
                    prompt, asked = instance.arguments
                    instance.arguments = (prompt, self._shortened_to_half(asked))

        task.build_all_requests = build_all_requests

    def note(self) -> str:
        """What to say of the answers; empty when all may be as long as the tasks say."""
        if not self._shortened:
            return ""
        most = (self._max_length or 0) // 2
        return f"answers of at most {most} tokens: the model sees {self._max_length}"

    def _shortened_to_half(self, asked: dict[str, Any]) -> dict[str, Any]:
        given = {name: asked[name] for name in _MOST_TOKENS if asked.get(name) is not None}
        count = int(next(iter(given.values()), self._default))
        if self._max_length is None or count <= self._max_length // 2:
            return asked
        self._shortened = True
        rest = {name: value for name, value in asked.items() if name not in _MOST_TOKENS}
        return {**rest, "max_gen_toks": self._max_length // 2}


def _guarded(name: str, task: Any, place: Place | None, setting: Setting) -> None:
    """Have a task say in one line which field its items lack, whoever asks it."""

    def guard(original: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any, **settings: Any) -> Any:
            try:
                return original(*arguments, **settings)
            except Exception as error:
                told = unfit(error, name, place, setting)
                if told is None:
                    raise
                raise told from error

        return guarded

    for method in _READING_ITEMS:
        if hasattr(task, method):
            setattr(task, method, guard(getattr(task, method)))


def _chosen(loaded: Loaded, setting: Setting) -> dict[str, list[int]]:
    """The numbers of the items to ask, by task."""
    counts = {name: len(task.eval_docs) for name, task in loaded.tasks.items()}
    if setting.sample is None:
        return {name: setting.chosen(count) for name, count in counts.items()}
    numbers = iter(setting.chosen(sum(counts.values())))
    number = next(numbers, None)
    chosen: dict[str, list[int]] = {}
    start = 0
    for name, count in counts.items():
        chosen[name] = []
        while number is not None and number < start + count:
            chosen[name].append(number - start)
            number = next(numbers, None)
        start += count
    return chosen


def _after_filters(task: Any, judge: CodeJudge, tell: Callable[[str], None]) -> None:
    """Have all programs of a task run at once, before the harness asks for them one by one."""
    original = task.apply_filters

    def apply_filters() -> Any:
        applied = original()
        tell("running the answers' programs")
        judge.judge(task)
        return applied

    task.apply_filters = apply_filters


@contextlib.contextmanager
def _as_before() -> Generator[None]:
    """Leave the shared generators of random numbers, which the harness seeds, as they were."""
    plain, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(plain)
            np.random.set_state(numpy)


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """Without the harness's remarks and its bars on the terminal; the model has its own."""
    log = logging.getLogger("lm_eval")
    level = log.level
    bar = lm_eval.api.task.tqdm

    def no_bar(items: Iterable[Any], **settings: Any) -> Iterable[Any]:
        return items

    log.setLevel(logging.ERROR)
    lm_eval.api.task.tqdm = no_bar
    try:
        yield
    finally:
        log.setLevel(level)
        lm_eval.api.task.tqdm = bar
