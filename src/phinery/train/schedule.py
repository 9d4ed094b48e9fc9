"""Learning-rate schedules: a warm-up, then a shape, as a factor of the peak rate."""

from __future__ import annotations

import math
from typing import Literal, get_args

Schedule = Literal["constant", "linear", "cosine", "warmup-stable-decay"]
SCHEDULES: tuple[str, ...] = get_args(Schedule)


def learning_rate_scale(
    step: int,
    *,
    total_steps: int,
    warmup_steps: int,
    schedule: Schedule,
    decay_fraction: float = 0.2,
    floor: float = 0.0,
) -> float:
    """The factor of the peak learning rate with which step `step` (from 0) is taken.

    The warm-up rises linearly and gives step s the factor (s + 1) / warmup_steps. What follows
    falls from 1 towards `floor`, which it would reach at step `total_steps`, so that no step is
    spent at rate 0:

    - "constant" does not fall;
    - "linear" falls in a straight line over all steps after the warm-up;
    - "cosine" falls along half a cosine over the same steps (arXiv 1608.03983);
    - "warmup-stable-decay" stays at 1 and falls linearly over the last `decay_fraction` of all
      steps (arXiv 2404.06395, 2405.18392), though never before the warm-up is over.
    """
    assert 0 <= step < total_steps
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule == "constant":
        return 1.0
    begin = warmup_steps
    if schedule == "warmup-stable-decay":
        begin = max(begin, total_steps - round(decay_fraction * total_steps))
        if step < begin:
            return 1.0
    progress = (step - begin) / (total_steps - begin)
    if schedule == "cosine":
        remaining = 0.5 * (1.0 + math.cos(math.pi * progress))
    else:
        remaining = 1.0 - progress
    return floor + (1.0 - floor) * remaining
