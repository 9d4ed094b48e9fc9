from __future__ import annotations

import lzma
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.data import Document, Sampler, TokenShards, train_tokenizer, write_shards
from phinery.recipe.compression import consumed_tokens, decoded, xz_extra_bytes, xz_size
from phinery.text import Tokenizer

TEXTS = [f"document {number}: " + "ab cd ef \u00e9 " * number for number in range(1, 40)]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(TEXTS, 300)


@pytest.fixture(scope="module")
def shards(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> TokenShards:
    directory = tmp_path_factory.mktemp("shards") / "shards"
    documents = [Document(str(number), text, "made up") for number, text in enumerate(TEXTS)]
    write_shards(documents, tokenizer, directory, heldout_share=0.1)
    return TokenShards.open(directory)


@given(st.binary(max_size=3000))
def test_size_is_that_of_xz_9(data: bytes):
    assert abs(xz_size(data) - len(lzma.compress(data, preset=9))) <= 4


def test_dictionary_reaches_over_everything():
    noise = random.Random(1).randbytes(3 * 2**20)
    # The second half repeats the first: no more than a few bytes for a dictionary that reaches it.
    assert xz_size(noise + noise) - xz_size(noise) < 0.001 * len(noise)


def test_text_seen_before_costs_next_to_nothing():
    text = random.Random(2).randbytes(20_000)
    assert xz_extra_bytes(text, text[5_000:15_000]) < 500
    assert xz_extra_bytes(text, random.Random(3).randbytes(10_000)) > 9_900


def test_progress_counts_every_byte():
    told: list[int] = []
    xz_size(bytes(5 * 2**20 + 17), told.append)
    assert sum(told) == 5 * 2**20 + 17
    assert len(told) > 3


def test_progress_may_end_it():
    def stop(count: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        xz_extra_bytes(b"a" * 100, b"b" * 100, stop)


def test_consumed_tokens_are_those_of_the_samples(shards: TokenShards):
    sampler = Sampler(shards, sequence_length=8, seed=1)
    touched = consumed_tokens(shards, [(sampler, 3)])
    expected = np.zeros(shards.num_tokens, dtype=bool)
    for index in range(3):
        start = sampler.window(index)
        expected[start : start + 9] = True
        assert (shards.read(start, start + 9) == sampler.sample(index)).all()
    assert (touched == expected).all()
    assert 24 <= touched.sum() <= 27


def test_an_epoch_consumes_nearly_everything_once(shards: TokenShards):
    sampler = Sampler(shards, sequence_length=8, seed=1)
    touched = consumed_tokens(shards, [(sampler, len(sampler))])
    assert shards.num_tokens - 16 <= touched.sum() <= shards.num_tokens


def test_decoding_gives_the_text_back(shards: TokenShards, tokenizer: Tokenizer):
    expected = [tokenizer.decode(ids.tolist()) for ids in shards.documents()]
    assert decoded(shards, tokenizer).decode() == "".join(f"{text}\n" for text in expected)


def test_decoding_of_chosen_tokens(shards: TokenShards, tokenizer: Tokenizer):
    chosen = np.zeros(shards.num_tokens, dtype=bool)
    chosen[3:7] = True
    ids = shards.read(3, 7).tolist()
    assert decoded(shards, tokenizer, chosen) == b"".join(map(tokenizer.token_bytes, ids))
