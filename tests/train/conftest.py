from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from phinery.data import Sampler, TokenShards
from phinery.model import Phi
from phinery.text import Tokenizer
from phinery.train import Trainer
from training_help import (
    SEQUENCE_LENGTH,
    TrainerMaker,
    make_config,
    make_model,
    write_test_shards,
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny products gain nothing from threads, and wait for each other where a machine is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def shards_directory(byte_tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("data") / "shards"
    write_test_shards(directory, byte_tokenizer)
    return directory


@pytest.fixture
def sampler(shards_directory: Path) -> Sampler:
    shards = TokenShards.open(shards_directory, "train")
    return Sampler(shards, sequence_length=SEQUENCE_LENGTH, seed=5)


@pytest.fixture
def held_out(shards_directory: Path) -> TokenShards:
    return TokenShards.open(shards_directory, "heldout")


@pytest.fixture
def make_trainer(sampler: Sampler, tmp_path: Path) -> TrainerMaker:
    """Makes a Trainer in `tmp_path / "run"`; settings of the configuration by keyword."""

    def make(
        callbacks: Any = (),
        *,
        model: Phi | None = None,
        samples: Sampler | None = None,
        directory: Path | None = None,
        note: Callable[[str], None] | None = None,
        **settings: Any,
    ) -> Trainer:
        return Trainer(
            model or make_model(),
            samples or sampler,
            make_config(**settings),
            directory or tmp_path / "run",
            callbacks,
            note=note,
            matmul_rate=1e12,
        )

    return make
