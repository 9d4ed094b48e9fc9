"""What tests of training share: a tiny model, its configuration, and token shards."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from phinery.data import Document, write_shards
from phinery.model import Phi, PhiConfig
from phinery.text import Tokenizer
from phinery.train import TrainConfig, Trainer

SEQUENCE_LENGTH = 16
TrainerMaker = Callable[..., Trainer]


def write_test_shards(directory: Path, tokenizer: Tokenizer) -> None:
    """Token shards of a few hundred short documents, a fifth of them held out."""
    texts = [Path(module.__file__ or "").read_text() for module in (json, textwrap)]
    paragraphs = [part for text in texts for part in text.split("\n\n")]
    documents = [
        Document(id=str(number), text=f"{text} ü", source="test")
        for number, text in enumerate(paragraphs)
    ]
    write_shards(documents, tokenizer, directory, heldout_share=0.2)


def make_model(**overrides: Any) -> Phi:
    """Fresh, equal at every call, but for what `overrides` say."""
    settings = {
        "vocab_size": 257,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 64,
        "initializer_range": 0.1,
        **overrides,
    }
    torch.manual_seed(11)
    return Phi(PhiConfig(**settings))


def make_config(**overrides: Any) -> TrainConfig:
    """Twelve quick steps, but for what `overrides` say."""
    settings: dict[str, Any] = {
        "steps": 12,
        "batch_size": 4,
        "sequence_length": SEQUENCE_LENGTH,
        "learning_rate": 1e-2,
        "warmup_steps": 2,
        "dtype": "float32",
        "checkpoint_every": 5,
        **overrides,
    }
    return TrainConfig(**settings)
