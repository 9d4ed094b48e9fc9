"""From what the harness logs about each item to outcomes, with the baselines beside them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from lm_eval.api.metrics import mean as harness_mean

from phinery.data.contamination import as_item
from phinery.evaluate.outcome import Outcome, Statistic, Values, mean
from phinery.evaluate.tasks.items import item_ids
from phinery.evaluate.tasks.loading import Place

if TYPE_CHECKING:
    from phinery.evaluate.setting import Setting
    from phinery.evaluate.suites import Task

Key = tuple[str, str]
"""The harness's metric and filter."""


@dataclasses.dataclass(frozen=True, eq=False)
class Leaf:
    """One task of the harness: `docs` and `values` by the number of an item, which has `ids`."""

    name: str
    task: Any
    benchmark: str
    ids: Sequence[str]
    docs: Mapping[int, Mapping[str, Any]]
    values: Mapping[Key, Mapping[int, Any]]

    @property
    def label(self) -> str:
        """A short name among others of its group."""
        config = self.task.config
        return str(config.task_alias or config.dataset_name or self.name)

    @property
    def shots(self) -> int | None:
        """How many examples were shown before each question."""
        return self.task.get_config("num_fewshot")

    def aggregation(self, metric: str) -> Callable[[Any], float]:
        """What makes one number of a metric's values, as in the harness the mean by default."""
        return self.task.aggregation().get(metric, harness_mean)

    @cached_property
    def chances(self) -> dict[int, float]:
        """One over the number of choices, of each item; empty when there is nothing to choose."""
        if not self.is_choice:
            return {}
        return {number: 1 / len(self.task.doc_to_choice(doc)) for number, doc in self.docs.items()}

    @cached_property
    def golds(self) -> Counter[str | int] | None:
        """How often each answer is the right one; of choices, each position. None without one.

        Of all items, not only those that were asked, so that a few don't have a majority by chance.
        """
        golds = [self._gold(doc) for doc in self.task.eval_docs]
        known = [gold for gold in golds if gold is not None]
        return Counter(known) if len(known) == len(golds) else None

    @property
    def is_choice(self) -> bool:
        task = self.task
        return task.OUTPUT_TYPE == "multiple_choice" and not callable(task.config.process_results)

    def _gold(self, doc: Mapping[str, Any]) -> str | int | None:
        task = self.task
        if self.is_choice:
            gold = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
            if isinstance(gold, str):
                choices = task.doc_to_choice(doc)
                gold = choices.index(gold) if gold in choices else None
            return gold if isinstance(gold, int) else None
        if task.OUTPUT_TYPE == "multiple_choice":  # scored in a way of its own, not by one answer
            return None
        gold = task.doc_to_target(doc)
        return gold if isinstance(gold, str | int) else None

    def units(self, numbers: Sequence[int]) -> list[str]:
        """What belongs together: the passage that questions are about, else the item."""
        found: list[str] = []
        for number in numbers:
            passages = as_item(self.docs[number], self.benchmark, "").passages
            text = "\n".join(passages) if passages else f"{self.name} {number}"
            found.append(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16])
        return found


def leaf_of(
    name: str, task: Any, place: Place, samples: Sequence[Mapping[str, Any]], setting: Setting
) -> Leaf:
    """What the harness logged of one task."""
    docs: dict[int, Mapping[str, Any]] = {}
    values: dict[Key, dict[int, Any]] = defaultdict(dict)
    for sample in samples:
        docs[sample["doc_id"]] = sample["doc"]
        for metric in sample["metrics"]:
            values[metric, sample["filter"]][sample["doc_id"]] = sample[metric]
    ids, benchmark = _ids(name, task, place, docs, setting)
    return Leaf(name, task, benchmark, ids, docs, values)


def outcomes_of(
    task: Task, leaves: Sequence[Leaf], group: Any | None, note: str = ""
) -> list[Outcome]:
    """The outcomes of one task; of a group that has no figure of its own, those of its tasks."""
    weights = _weights(group)
    if group is None and len(leaves) == 1:
        chosen = _chosen(task, leaves)
        return [_single(task.name, label, key, leaves[0], note) for label, key in chosen.items()]
    together = {
        label: key
        for label, key in _chosen(task, leaves).items()
        if key[0] in weights
        and all(key in leaf.values for leaf in leaves)
        and all(leaf.aggregation(key[0]) is harness_mean for leaf in leaves)
    }
    if together:
        return [
            dataclasses.replace(
                _grouped(task.name, label, key, leaves, weights[key[0]], note),
                harness=task.harness or "",
            )
            for label, key in together.items()
        ]
    return [
        _single(leaf.name, label, key, leaf, note)
        for leaf in leaves
        for label, key in _chosen(task, [leaf]).items()
    ]


def _weights(group: Any | None) -> dict[str, bool]:
    """Metrics that a group has to whether its tasks count by their sizes."""
    metrics = (group.aggregate_metric_list or []) if group is not None else []
    return {one.metric: bool(one.weight_by_size) for one in metrics}


def _chosen(task: Task, leaves: Sequence[Leaf]) -> dict[str, Key]:
    """Names in tables to the harness's metrics: those that a task asks for, or all."""
    keys = list(dict.fromkeys(key for leaf in leaves for key in leaf.values))
    if not task.metrics:
        return {metric if kind == "none" else f"{metric}, {kind}": (metric, kind)
                for metric, kind in keys}  # fmt: skip
    found: dict[str, Key] = {}
    for label, text in task.metrics.items():
        metric, _, kind = text.partition(",")
        key = (metric, kind or "none")
        if key not in keys and any(metric in leaf.task.aggregation() for leaf in leaves):
            continue  # it is about none of these items
        if key not in keys:
            there = ", ".join(",".join(one).removesuffix(",none") for one in keys)
            raise ValueError(f"task {task.name} has no metric {text!r}: it has {there}")
        found[label] = key
    return found


def _single(name: str, label: str, key: Key, leaf: Leaf, note: str) -> Outcome:
    numbers = sorted(leaf.values[key])
    found = [leaf.values[key][number] for number in numbers]
    values, statistic = _statistic(found, leaf.aggregation(key[0]))
    return Outcome(
        task=name,
        metric=label,
        ids=tuple(leaf.ids[number] for number in numbers),
        values=values,
        benchmark=leaf.benchmark,
        statistic=statistic,
        units=_shared(leaf.units(numbers)),
        chance=_chance(key, [leaf]),
        majority=_majority(key, [leaf]),
        higher_is_better=leaf.task.higher_is_better().get(key[0]),
        note=note,
        harness=leaf.name,
        shots=leaf.shots,
    )


def _grouped(
    name: str, label: str, key: Key, leaves: Sequence[Leaf], by_size: bool, note: str
) -> Outcome:
    rows = [
        (leaf.ids[number], float(leaf.values[key][number]), position, number)
        for position, leaf in enumerate(leaves)
        for number in sorted(leaf.values[key])
    ]
    values = np.array([row[1:3] for row in rows], dtype=np.float64).reshape(-1, 2)
    benchmarks, shots = {leaf.benchmark for leaf in leaves}, {leaf.shots for leaf in leaves}
    units = [unit for leaf in leaves for unit in leaf.units(sorted(leaf.values[key]))]
    labels = [leaf.label for leaf in leaves]
    if len(set(labels)) < len(labels):
        labels = [leaf.name for leaf in leaves]
    return Outcome(
        task=name,
        metric=label,
        ids=tuple(row[0] for row in rows),
        values=values[:, :1] if by_size else values,
        benchmark=benchmarks.pop() if len(benchmarks) == 1 else "",
        statistic=mean if by_size else mean_of_groups,
        groups=tuple(labels[row[2]] for row in rows),
        units=_shared(units),
        chance=_chance(key, leaves),
        majority=_majority(key, leaves),
        higher_is_better=leaves[0].task.higher_is_better().get(key[0]),
        note=note,
        shots=shots.pop() if len(shots) == 1 else None,
    )


def mean_of_groups(values: Values) -> float:
    """Mean over groups, numbered in the second column, of the means of the first; NaN of none."""
    if not len(values):
        return math.nan
    _, group = np.unique(values[:, 1], return_inverse=True)
    return float((np.bincount(group, values[:, 0]) / np.bincount(group)).mean())


def _statistic(found: Sequence[Any], aggregate: Callable[[Any], float]) -> tuple[Values, Statistic]:
    """Values and what makes one number of them.

    Where that is not the mean, a value is the place of what the harness keeps of an item, which
    can be anything.
    """
    if aggregate is harness_mean:
        return np.array(found, dtype=np.float64).reshape(-1, 1), mean

    def statistic(places: Values) -> float:
        items = [found[int(place)] for place in places[:, 0]]
        return float(aggregate(items)) if items else math.nan

    return np.arange(len(found), dtype=np.float64).reshape(-1, 1), statistic


def _chance(key: Key, leaves: Sequence[Leaf]) -> float | None:
    chances = [chance for leaf in leaves for chance in leaf.chances.values()]
    if not key[0].startswith("acc") or len(chances) < sum(len(leaf.docs) for leaf in leaves):
        return None
    return math.fsum(chances) / len(chances)


def _majority(key: Key, leaves: Sequence[Leaf]) -> float | None:
    """What always giving the commonest answer scores; None where that means nothing.

    Of choices it is one position for all. Of written answers each task of a group has its own.
    """
    if len(leaves) == 1 and hasattr(leaves[0].task, "majority"):
        return leaves[0].task.majority(key[0], list(leaves[0].docs.values()))
    if not key[0].startswith(("acc", "exact_match")):
        return None
    counts = [leaf.golds for leaf in leaves if leaf.golds]
    if len(counts) < len(leaves):
        return None
    if all(leaf.is_choice for leaf in leaves):
        counts = [sum(counts, Counter[str | int]())]
        if len(counts[0]) == 1:  # a habit of who made the items
            return None
    elif len(leaves) == 1 and 4 * len(counts[0]) > counts[0].total():  # as numbers, or names
        return None
    shares = [count.most_common(1)[0][1] / count.total() for count in counts]
    if len(shares) == 1:
        return shares[0]
    asked = [len(leaf.docs) for leaf in leaves]
    return float(np.average(shares, weights=asked))


def _shared(units: Sequence[str]) -> tuple[str, ...]:
    """Units, or nothing when each item has one of its own."""
    return tuple(units) if len(set(units)) < len(units) else ()


def _ids(
    name: str, task: Any, place: Place, docs: Mapping[int, Mapping[str, Any]], setting: Setting
) -> tuple[Sequence[str], str]:
    """Ids of a task's items by their numbers, and the benchmark that they are of."""
    config = task.config
    if task.has_test_docs():
        split = config.test_split or "test"
    else:
        split = config.validation_split or "validation"
    rows = list(task.dataset[split])
    own = [f"{name}:{number}" for number in range(len(task.eval_docs))]
    if not place.benchmark:
        return own, ""
    ids = item_ids(rows, place.benchmark, place.config, split, setting)
    if len(rows) == len(own):
        return ids, place.benchmark
    # The task leaves out items: an item is the first row that has nothing else than it.
    known = {_content(row, row): item for row, item in reversed(list(zip(rows, ids, strict=True)))}
    found = {number: known.get(_content(doc, rows[0])) for number, doc in docs.items()}
    if None in found.values():
        return own, ""
    return [found.get(number) or text for number, text in enumerate(own)], place.benchmark


def _content(doc: Mapping[str, Any], fields: Mapping[str, Any]) -> str:
    return json.dumps({name: doc.get(name) for name in fields}, sort_keys=True, default=str)
