"""What the tests of several rooms share."""

from __future__ import annotations

import os

# The suite runs one worker a core; more threads than that only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from phinery.text import Tokenizer


@pytest.fixture(scope="session")
def byte_tokenizer() -> Tokenizer:
    """One token per byte, by rank in the byte-level alphabet, and the end-of-text token, 256."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {character: rank for rank, character in enumerate(alphabet)}
    backend = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(["<|endoftext|>"])
    return Tokenizer.from_backend(backend, eos_token="<|endoftext|>")
