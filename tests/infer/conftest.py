from __future__ import annotations

import itertools

import pytest
import torch

from phinery.model import Phi, PhiConfig
from phinery.text import Tokenizer


@pytest.fixture(autouse=True)
def _one_thread():
    """Models this small are many times slower on several threads of a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tokenizer(byte_tokenizer: Tokenizer) -> Tokenizer:
    return byte_tokenizer


@pytest.fixture(scope="session")
def model() -> Phi:
    """Random weights, wide enough that what it writes is varied."""
    torch.manual_seed(3)
    model = Phi(
        PhiConfig(
            vocab_size=257,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=64,
            initializer_range=0.2,
        )
    )
    return model.eval()


@pytest.fixture(scope="session")
def writer(tokenizer: Tokenizer):
    """A model that recites: writer("abca") has learned that b follows a, c follows b, a follows c.

    The blocks add nothing, embeddings are one-hot and the head is a table of successors, so the
    next token depends on the last one only. The end-of-text token may be in a text.
    """

    def make(text: str, context: int = 64) -> Phi:
        config = PhiConfig(
            vocab_size=257,
            hidden_size=272,
            num_hidden_layers=1,
            num_attention_heads=4,
            max_position_embeddings=context,
        )
        model = Phi(config).eval()
        ids = tokenizer.encode(text, special_tokens=True)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
            model.model.embed_tokens.weight.fill_diagonal_(1.0)
            model.model.final_layernorm.weight.fill_(1.0)
            for before, after in itertools.pairwise(ids):
                model.lm_head.weight[after, before] = 1.0
        return model

    return make
