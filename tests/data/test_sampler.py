from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from phinery.data import Document, Sampler, TokenShards, write_shards
from phinery.data.sampler import Order
from phinery.text import Tokenizer

EOS_ID = 256


class Numbers(TokenShards):
    """Shards in memory whose token at place p is p, or any tokens that are given."""

    def __init__(self, tokens: int | list[int]) -> None:
        self.split, self.directory = "train", Path("memory")
        self.eos_token_id = EOS_ID
        self._tokens = np.arange(tokens) if isinstance(tokens, int) else np.array(tokens)
        self.num_tokens = len(self._tokens)

    def read(self, start: int, stop: int) -> NDArray[np.int64]:
        assert 0 <= start <= stop <= self.num_tokens
        return self._tokens[start:stop].astype(np.int64)


def sampler(tokens: int, length: int, seed: int = 1) -> Sampler:
    return Sampler(Numbers(tokens), sequence_length=length, seed=seed)


sizes = st.tuples(st.integers(1, 20), st.integers(1, 400)).map(lambda s: (s[0], s[0] + s[1]))


@given(size=sizes, seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 10**6))
def test_an_epoch_is_every_window_once(size: tuple[int, int], seed: int, epoch: int):
    length, tokens = size
    order = sampler(tokens, length, seed)
    first = epoch * len(order)
    starts = [order.window(first + i) for i in range(len(order))]
    shift = min(starts)
    assert sorted(starts) == [shift + i * length for i in range(len(order))]
    assert 0 <= shift < length
    assert max(starts) + length + 1 <= tokens
    assert tokens - 1 - len(order) * length < 2 * length, "less than two windows are left out"


@given(size=sizes, seed=st.integers(0, 99), first=st.integers(0, 500), counts=st.data())
def test_batches_do_not_depend_on_how_they_are_cut(
    size: tuple[int, int], seed: int, first: int, counts: st.DataObject
):
    length, tokens = size
    whole = sampler(tokens, length, seed).batch(first, 12)
    fresh = sampler(tokens, length, seed)
    cuts = sorted({0, 12, *counts.draw(st.sets(st.integers(0, 12), max_size=4))})
    spans = list(itertools.pairwise(cuts))
    parts = {a: fresh.batch(first + a, b - a) for a, b in reversed(spans)}
    for name in ("input_ids", "labels", "document_ids"):
        together = np.concatenate([getattr(parts[a], name) for a, _ in spans])
        assert np.array_equal(together, getattr(whole, name))
        assert together.dtype == np.int64
        assert together.shape == (12, length)


def test_samples_are_the_tokens_of_their_windows():
    order = sampler(1000, 7)
    for index in range(300):
        start = order.window(index)
        assert order.sample(index).tolist() == list(range(start, start + 8))
    batch = order.batch(3, 5)
    assert np.array_equal(batch.labels, batch.input_ids + 1)


def test_document_ids_grow_after_each_end_of_text():
    tokens = [5, 6, EOS_ID, 7, EOS_ID, EOS_ID, 8, 9, 1]
    batch = Sampler(Numbers(tokens), sequence_length=8, seed=0).batch(0, 1)
    assert batch.input_ids.tolist() == [tokens[:8]]
    assert batch.labels.tolist() == [tokens[1:]]
    assert batch.document_ids.tolist() == [[0, 0, 0, 1, 1, 2, 3, 3]]


def test_epochs_and_seeds_differ():
    order = sampler(50_000, 16)
    count = len(order)
    first = [order.window(i) for i in range(count)]
    second = [order.window(i + count) for i in range(count)]
    other = [sampler(50_000, 16, seed=2).window(i) for i in range(count)]
    assert np.mean(np.array(first) // 16 == np.array(second) // 16) < 0.01
    assert np.mean(np.array(first) // 16 == np.array(other) // 16) < 0.01
    shifts = {min(order.window(e * count + i) for i in range(count)) for e in range(12)}
    assert len(shifts) > 4, "the grid moves from epoch to epoch"


def test_the_order_is_as_good_as_random():
    order = sampler(2**14 + 1, 1)
    places = np.array([order.window(i) for i in range(len(order))])
    expected = np.arange(len(places))
    assert abs(np.corrcoef(places, expected)[0, 1]) < 0.04, "five standard deviations"
    assert abs(np.corrcoef(places[1:], places[:-1])[0, 1]) < 0.04
    assert np.mean(np.abs(np.diff(places)) == 1) < 0.002, "neighbours are rarely neighbours"


def test_all_orders_of_few_windows_occur():
    orders = {tuple(sampler(4, 1, seed).window(i) for i in range(3)) for seed in range(300)}
    assert len(orders) == 6


def test_the_order_never_changes():
    order = sampler(1000, 10, seed=42)
    assert [order.window(i) for i in (0, 1, 2, 98, 99, 10**9)] == [167, 747, 687, 207, 288, 383]


@given(size=sizes, seed=st.integers(0, 99), epoch=st.integers(0, 10**6), share=st.floats(0.01, 1))
def test_by_difficulty_windows_move_among_their_neighbours(
    size: tuple[int, int], seed: int, epoch: int, share: float
):
    length, tokens = size
    windows = len(sampler(tokens, length))
    span = max(1, round(share * windows))
    order = Sampler(
        Numbers(tokens), sequence_length=length, seed=seed, order="difficulty", span=span
    )
    assert len(order) == span
    starts = np.array([order.window(epoch * span + place) for place in range(span)])
    shifts = starts % length
    assert (shifts == shifts[0]).all()
    assert len(set(starts)) == span
    assert starts.min() >= 0
    assert starts.max() + length + 1 <= tokens
    moved = (starts - starts[0] % length) // length - np.arange(span) * windows // span
    assert np.abs(moved).max() < -(-windows // 32)


def test_by_difficulty_neighbours_are_mixed_and_every_epoch_differs():
    order = Sampler(Numbers(32_001), sequence_length=4, seed=5, order="difficulty")
    count = len(order)
    epochs = np.array([order.window(i) for i in range(2 * count)]).reshape(2, count) // 4
    assert not np.array_equal(epochs[0], epochs[1])
    for places in epochs:
        moved = np.abs(places - np.arange(count))
        assert 250 > moved.max() > 150, "a stretch has 250 windows"
        assert np.mean(moved) == pytest.approx(250 / 3, rel=0.1)
    crossed = [set(places[1000:1250]) for places in epochs]
    assert crossed[0] != crossed[1], "the stretches begin elsewhere"


def test_the_order_by_difficulty_never_changes():
    order = Sampler(Numbers(1000), sequence_length=2, seed=42, order="difficulty")
    assert [order.window(i) for i in (0, 1, 2, 250, 497, 498)] == [5, 1, 3, 493, 969, 979]


def test_a_fingerprint_is_of_files_and_order(tmp_path: Path, byte_tokenizer: Tokenizer):
    documents = [Document(str(n), f"document number {n}", "s") for n in range(50)]
    write_shards(documents, byte_tokenizer, tmp_path / "s", heldout_share=0)
    shards = TokenShards.open(tmp_path / "s")

    def fingerprint(seed: int = 1, order: Order = "random") -> dict[str, Any]:
        return Sampler(shards, sequence_length=8, seed=seed, order=order).fingerprint()

    base = fingerprint()
    assert base == fingerprint()
    assert (base["seed"], base["tokens"]) == (1, shards.num_tokens)
    for other in (fingerprint(seed=2), fingerprint(order="difficulty")):
        assert other["order_sha256"] != base["order_sha256"]
        assert other["shards_sha256"] == base["shards_sha256"]


def test_another_process_gives_the_same_order(tmp_path: Path, byte_tokenizer: Tokenizer):
    documents = [Document(str(n), f"document number {n}", "s") for n in range(200)]
    write_shards(documents, byte_tokenizer, tmp_path / "s", shard_tokens=333)
    here = Sampler(TokenShards.open(tmp_path / "s"), sequence_length=24, seed=9).batch(100, 40)
    program = """
import sys
from phinery.data import Sampler, TokenShards
sampler = Sampler(TokenShards.open(sys.argv[1]), sequence_length=24, seed=9)
sys.stdout.buffer.write(b"".join(sampler.batch(i, 1).input_ids.tobytes() for i in range(100, 140)))
"""
    arguments = [sys.executable, "-c", program, str(tmp_path / "s")]
    there = subprocess.run(arguments, check=True, capture_output=True).stdout
    assert there == here.input_ids.tobytes()
    for row in here.input_ids:
        assert "umber" in byte_tokenizer.decode(row.tolist())


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="holds 10 tokens, but one window takes 11"):
        sampler(10, 10)
    assert len(sampler(11, 10)) == 1
    with pytest.raises(ValueError, match="sequence_length is 0"):
        sampler(10, 0)
    with pytest.raises(ValueError, match="counted from 0"):
        sampler(11, 10).window(-1)
    with pytest.raises(ValueError, match="no order 'size': random and difficulty exist"):
        Sampler(Numbers(99), sequence_length=4, seed=1, order="size")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="span is 30: .* from 1 to the 23 windows"):
        Sampler(Numbers(99), sequence_length=4, seed=1, order="difficulty", span=30)
    with pytest.raises(ValueError, match="span is 3: "):
        Sampler(Numbers(99), sequence_length=4, seed=1, span=3)
