"""What training gives: figures of a step and of a whole run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from phinery.train.limits import DtypeName


@dataclasses.dataclass(frozen=True)
class StepMetrics:
    """What one step gave."""

    step: int
    """Steps done with this one, so the first has 1."""
    loss: float
    """Mean over the step's labels, in nats; NaN or infinite only when the step was skipped."""
    learning_rate: float
    grad_norm: float
    """Global norm before clipping."""
    tokens: int
    """Labels that the run has seen so far."""
    tokens_per_second: float
    """Of this step."""
    mfu: float
    """Model FLOPs utilisation: the model's operations a second over the measured rate of matrix
    products."""
    seconds: float
    """Of this step."""
    skipped: bool
    """Whether the loss or the gradient was NaN or infinite, so that nothing was updated."""
    skipped_steps: int
    """Steps skipped so far."""
    parts: Mapping[str, float] = dataclasses.field(default_factory=dict[str, float])
    """What the objective tells beside its loss, by name, as means over the step's labels."""


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """What a finished run gave; times and rates are those of its steps alone, over all attempts."""

    steps: int
    tokens: int
    loss: float
    """Of the last step that was not skipped, in nats per token; NaN when every step was."""
    seconds: float
    tokens_per_second: float
    mfu: float
    skipped_steps: int
    dtype: DtypeName
    """Of the matrix products."""
    compiled: bool
    """Whether the model's element-wise arithmetic was compiled."""
