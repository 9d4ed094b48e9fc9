from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.data import train_tokenizer
from phinery.text import Tokenizer

TEXTS = ["def f(x):\n    return x ** 2\n", "the end of the beginning of the end <|endoftext|> "] * 9


@pytest.fixture(scope="module")
def trained() -> Tokenizer:
    return train_tokenizer(TEXTS, 290)


@given(text=st.text())
def test_any_text_comes_back(trained: Tokenizer, text: str):
    assert trained.decode(trained.encode(text)) == text


def test_the_end_of_text_comes_last_and_bytes_are_all_there(trained: Tokenizer):
    assert trained.vocab_size == 290
    assert trained.eos_token_id == 289
    assert trained.eos_token == "<|endoftext|>"
    assert {trained.token_bytes(i) for i in range(256)} == {bytes([i]) for i in range(256)}
    assert trained.eos_token_id not in trained.encode("a <|endoftext|> in a document")


def test_it_learned_what_is_frequent(trained: Tokenizer):
    assert len(trained.encode("the end of the beginning")) < 12
    assert len(train_tokenizer([], 300).encode("the end of the beginning")) == 24


def test_it_is_gpt2s_pattern(trained: Tokenizer):
    state = json.loads(trained._backend.to_str())
    assert state["pre_tokenizer"]["type"] == state["decoder"]["type"] == "ByteLevel"
    assert state["pre_tokenizer"]["use_regex"] is True
    assert state["pre_tokenizer"]["add_prefix_space"] is False
    assert state["normalizer"] is state["post_processor"] is None


def test_the_same_texts_give_the_same_tokenizer(trained: Tokenizer):
    assert train_tokenizer(iter(TEXTS), 290).sha256 == trained.sha256
    assert train_tokenizer(TEXTS[:1], 300).sha256 != trained.sha256


def test_few_texts_give_a_smaller_vocabulary():
    tokenizer = train_tokenizer(["abab"], 1000)
    assert tokenizer.eos_token_id == tokenizer.vocab_size - 1
    assert 257 <= tokenizer.vocab_size < 260
    assert train_tokenizer(["abc"], 257).vocab_size == 257


def test_a_vocabulary_without_room_for_the_bytes_is_refused():
    with pytest.raises(ValueError, match="needs 257"):
        train_tokenizer(TEXTS, 256)


def test_errors_of_the_reader_come_through():
    def texts():
        yield "a"
        raise ValueError("the third file is broken")

    with pytest.raises(ValueError, match="third file"):
        train_tokenizer(texts(), 300)
