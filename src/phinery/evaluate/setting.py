"""What every task is given beside the model: where items are, how many, from which seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from phinery.evaluate.harness import HarnessModel
    from phinery.evaluate.outcome import Outcome


def _silent(text: str) -> None:
    pass


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """How a suite is carried out.

    Parameters
    ----------
    items : a folder of benchmarks' items, `NAME/[CONFIG/]SPLIT.jsonl[.gz]`; None for the hub.
    offline : never ask the hub: without `items`, tasks that need them raise ValueError.
    limit : the first so many items of each task; None for all.
    sample : so many items of each task, drawn by `seed`; None for all.
    seed : of samples, of sampled answers, of intervals.
    shards : token shards that the model was trained on, for what looks for copies of them.
    toxicity_scorer : who scores generated text: toxigen, counting, or MODULE:NAME of your own.
    tell : takes a few words on what is being done.

    Raises ValueError when limit and sample are both given or not positive, or the seed is negative.
    """

    items: Path | None = None
    offline: bool = False
    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    shards: Path | None = None
    toxicity_scorer: str = "toxigen"
    tell: Callable[[str], None] = _silent

    def __post_init__(self) -> None:
        if self.limit is not None and self.sample is not None:
            raise ValueError("limit takes the first items, sample draws them: choose one")
        for name in ("limit", "sample"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, not {self.seed}")

    def chosen(self, count: int) -> list[int]:
        """Which of a task's `count` items are asked, in ascending order."""
        if self.limit is not None:
            return list(range(min(self.limit, count)))
        if self.sample is None or self.sample >= count:
            return list(range(count))
        draw = np.random.default_rng([self.seed, count]).permutation(count)
        return sorted(draw[: self.sample].tolist())


Measure = Callable[["HarnessModel", Setting], "list[Outcome]"]
"""A task of our own: asks the model, and gives what came of each item."""
Measures = Mapping[str, Measure]
Row = Mapping[str, Any]
