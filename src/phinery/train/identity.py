"""What makes two runs the same run: everything that decides what comes out of training."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from phinery.data import Sampler
from phinery.model import PhiConfig
from phinery.train.config import TrainConfig

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


def run_identity(model: PhiConfig, sampler: Sampler, training: TrainConfig) -> dict[str, Any]:
    """Dotted name -> value, ready for JSON, of model, data plan and training."""
    parts = {
        "model": _fields(model, _FREE_MODEL_KEYS),
        "data": data_plan(sampler),
        "training": _fields(training, _FREE_SETTINGS),
    }
    return {
        f"{part}.{key}": value for part, values in parts.items() for key, value in values.items()
    }


def data_plan(sampler: Sampler) -> dict[str, Any]:
    """What the samples are and in which order they come.

    The order is told by a checksum of the samples 0, 1, 2, 4, ..., 4096, of which another order
    changes at least one.
    """
    shards = sampler.shards
    files = {name: entry["sha256"] for name, entry in shards.manifest["files"].items()}
    text = json.dumps(
        {name: files[name] for name in sorted(files) if name.startswith(shards.split)}
    )
    order = hashlib.sha256()
    for index in (0, *(2**power for power in range(13))):
        batch = sampler.batch(index, 1)
        for ids in (batch.input_ids, batch.labels, batch.document_ids):
            order.update(ids.tobytes())
    return {
        "seed": sampler.seed,
        "tokens": shards.num_tokens,
        "shards_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "order_sha256": order.hexdigest(),
    }


def _fields(config: PhiConfig | TrainConfig, free: frozenset[str]) -> dict[str, Any]:
    values = dataclasses.asdict(config)
    return {key: value for key, value in values.items() if key not in free}
