"""What training minimises: next-token prediction, unless the Trainer is given another objective."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from phinery.data import Batch
from phinery.model import Phi
from phinery.model.loss import IGNORE_INDEX
from phinery.train.config import TrainConfig

MicroBatch = Mapping[str, Any]
"""Some rows of a `Batch`, or of a subclass: its arrays as tensors, by the names of its fields.

`document_ids` is None where documents are not kept apart.
"""


@dataclasses.dataclass(frozen=True)
class LossSum:
    """An objective's value on a micro-batch, summed over what `Objective.count` counts."""

    total: Tensor
    """What is minimised: a scalar, with gradients."""
    parts: Mapping[str, Tensor] = dataclasses.field(default_factory=dict[str, Tensor])
    """Sums that `metrics.jsonl` shows as well, by name."""


class Objective:
    """Next-token prediction; a subclass says what else is to be minimised.

    A step's loss is the sum of `__call__` over the batch's micro-batches, divided by `count` of the
    whole batch, so that loss and gradient do not depend on how the batch is split.
    """

    def check(self, model: Phi, config: TrainConfig) -> None:
        """Raise ValueError, in one line, when the objective does not go with what is trained."""

    def fingerprint(self) -> dict[str, Any]:
        """What decides the objective's value beside model and samples, ready for JSON.

        A run whose fingerprint has changed is another run. Next-token prediction has none.
        """
        return {}

    def count(self, batch: Batch) -> int:
        """What a step's loss is the mean over: the labels that are not ignored."""
        return int((batch.labels != IGNORE_INDEX).sum())

    def __call__(self, model: Phi, batch: MicroBatch) -> LossSum:
        """The value on a micro-batch, under the run's autocast."""
        loss = model.loss(
            input_ids=batch["input_ids"],
            labels=batch["labels"],
            document_ids=batch["document_ids"],
            reduction="sum",
        )
        return LossSum(loss)
