"""A small random Phi in a folder, with a tokenizer that merges."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from phinery.model import Phi, PhiConfig, save
from phinery.text import Tokenizer
from text_help import codegen_backend


@pytest.fixture(scope="session")
def bpe_tokenizer() -> Tokenizer:
    """Some hundred merges and runs of spaces, as CodeGen's."""
    return Tokenizer.from_backend(codegen_backend())


@pytest.fixture(scope="session")
def phi(bpe_tokenizer: Tokenizer) -> Phi:
    """Random weights, large enough that predictions differ, and a context of Phi's length."""
    torch.manual_seed(0)
    config = PhiConfig(
        vocab_size=bpe_tokenizer.vocab_size + 3,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        partial_rotary_factor=0.5,
        max_position_embeddings=2048,
        initializer_range=0.2,
    )
    return Phi(config).eval()


@pytest.fixture(scope="session")
def phi_folder(
    phi: Phi, bpe_tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same as files."""
    folder = tmp_path_factory.mktemp("phi") / "model"
    save(phi, bpe_tokenizer, folder)
    return folder
