"""Training samples with what a teacher says of them, from its stores."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phinery.data import Batch, MixtureSampler, Sampler
from phinery.train.teacher import TopLogProbs
from phinery.train.teacher_store import TeacherStore


@dataclasses.dataclass(frozen=True)
class TaughtBatch(Batch):
    """Training windows, and what a teacher says of each of their tokens."""

    teacher_ids: NDArray[np.int64]
    """(batch, seq, k)"""
    teacher_log_probs: NDArray[np.float32]
    """(batch, seq, k + 1), the rest last."""


class TaughtSampler:
    """The samples of a sampler with what a teacher says of them, for `StoredDistillation`.

    `stores` is the store of the sampler's shards, or for a mixture one for each source.
    """

    def __init__(
        self, sampler: Sampler | MixtureSampler, stores: TeacherStore | Mapping[str, TeacherStore]
    ) -> None:
        """ValueError unless there is a store for each source, all with the same k."""
        names = {""} if isinstance(sampler, Sampler) else set(sampler.samplers)
        self._stores = {"": stores} if isinstance(stores, TeacherStore) else dict(stores)
        if self._stores.keys() != names:
            raise ValueError(
                "give one store for a sampler of one source, and one by name for each source of a "
                "mixture"
            )
        samplers = {"": sampler} if isinstance(sampler, Sampler) else sampler.samplers
        for name, store in self._stores.items():
            store.check_shards(samplers[name].shards)
        if len({store.plan.top_k for store in self._stores.values()}) > 1:
            raise ValueError("the stores have different numbers of tokens a position: write anew")
        self.sampler = sampler
        self.sequence_length = sampler.sequence_length
        self.seed = sampler.seed

    def batch(self, first_index: int, count: int) -> TaughtBatch:
        """Samples `first_index` to `first_index + count - 1`."""
        batch = self.sampler.batch(first_index, count)
        rows = [self._said(index) for index in range(first_index, first_index + count)]
        ids, log_probs = (np.stack(part) for part in zip(*rows, strict=True))
        return TaughtBatch(batch.input_ids, batch.labels, batch.document_ids, ids, log_probs)

    def fingerprint(self) -> dict[str, Any]:
        """That of the sampler, and of the stores."""
        stores = {name: store.fingerprint() for name, store in self._stores.items()}
        return {**self.sampler.fingerprint(), "teacher_stores": stores}

    def _said(self, index: int) -> TopLogProbs:
        name = ""
        sampler = self.sampler
        if isinstance(sampler, MixtureSampler):
            name, index = sampler.locate(index)
            sampler = sampler.samplers[name]
        start = sampler.window(index)
        return self._stores[name].read(start, start + self.sequence_length)
