"""What makes two runs the same run: everything that decides what comes out of training."""

from __future__ import annotations

import dataclasses
from typing import Any

from phinery.data import SampleOrder
from phinery.model import PhiConfig
from phinery.train.config import TrainConfig
from phinery.train.objective import Objective

# Settings that say how a run is carried out; they change its results by rounding at most.
_FREE_SETTINGS = frozenset(
    {
        "micro_batch_size",
        "compile",
        "max_skipped_in_a_row",
        "checkpoint_every",
        "keep_checkpoints",
    }
)
# Special tokens of the model's configuration are for those who generate.
_FREE_MODEL_KEYS = frozenset({"bos_token_id", "eos_token_id", "pad_token_id"})


def run_identity(
    model: PhiConfig, sampler: SampleOrder, training: TrainConfig, objective: Objective
) -> dict[str, Any]:
    """Dotted name -> value, ready for JSON, of model, data plan, training and objective."""
    parts = {
        "model": _fields(model, _FREE_MODEL_KEYS),
        "data": sampler.fingerprint(),
        "training": _fields(training, _FREE_SETTINGS),
        "objective": objective.fingerprint(),
    }
    return {
        f"{part}.{key}": value for part, values in parts.items() for key, value in values.items()
    }


def _fields(config: PhiConfig | TrainConfig, free: frozenset[str]) -> dict[str, Any]:
    values = dataclasses.asdict(config)
    return {key: value for key, value in values.items() if key not in free}
