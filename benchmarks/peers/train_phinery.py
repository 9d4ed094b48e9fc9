"""Participant: Phinery's own Trainer, fed with random tokens."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from training_shape import Shape
from training_worker import (
    BATCHES,
    BETAS,
    EPS,
    GRADIENT_CLIP,
    LEARNING_RATE,
    WEIGHT_DECAY,
    Training,
    load_reference_weights,
    random_batches,
    serve,
)

from phinery.data import Batch, Sampler
from phinery.model import Phi, PhiConfig
from phinery.train import TrainConfig, Trainer
from phinery.train.memory import reused_memory


class RandomSampler:
    """Stands in for a sampler of token shards."""

    def __init__(self, shape: Shape) -> None:
        self.sequence_length = shape.sequence_length
        self._batches = [
            Batch(input_ids.numpy(), labels.numpy(), document_ids=torch.zeros_like(labels).numpy())
            for input_ids, labels in random_batches(shape)
        ]

    def batch(self, first_index: int, count: int) -> Batch:
        """The next one."""
        return self._batches[first_index // count % BATCHES]


class TrainerTraining:
    """Steps of the Trainer."""

    def __init__(self, shape: Shape, dtype: str, compiled: bool) -> None:
        assert dtype in ("float32", "bfloat16")
        config = PhiConfig(
            vocab_size=shape.vocab_size,
            hidden_size=shape.hidden_size,
            num_hidden_layers=shape.num_hidden_layers,
            num_attention_heads=shape.num_attention_heads,
            partial_rotary_factor=0.5,
        )
        self.model = Phi(config)
        load_reference_weights(self.model, shape)
        if compiled:
            self.model.compile_kernels()
        self.trainer = Trainer(
            self.model,
            cast(Sampler, RandomSampler(shape)),
            TrainConfig(
                steps=10**9,
                batch_size=shape.batch_size,
                sequence_length=shape.sequence_length,
                learning_rate=LEARNING_RATE,
                schedule="constant",
                weight_decay=WEIGHT_DECAY,
                betas=BETAS,
                eps=EPS,
                gradient_clip=GRADIENT_CLIP,
                dtype=dtype,
            ),
            Path("unused"),
            matmul_rate=1.0,
        )
        self.trainer.dtype = dtype

    def step(self) -> float:
        """One step of the Trainer; its loss."""
        return self.trainer.train_step().loss


def start(shape: Shape, dtype: str, compiled: bool) -> Training:
    """The Trainer, about to take its first step."""
    return TrainerTraining(shape, dtype, compiled)


if __name__ == "__main__":
    # What `Trainer.fit` does around its steps, which are taken here one by one.
    with reused_memory():
        serve("phinery", start)
