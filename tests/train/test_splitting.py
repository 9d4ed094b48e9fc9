from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.train.splitting import micro_batch_rows


@pytest.mark.parametrize(
    ("batch_size", "sequence_length", "width", "rows"),
    [
        (8, 256, 128, 8),  # at most 16 sequences: the whole batch
        (64, 256, 128, 16),
        (4, 256, 384, 4),
        (8, 256, 384, 4),  # at most five, so two micro-batches, of four each
        (4, 1024, 384, 1),  # at most 1,365 tokens
        (8, 512, 768, 1),  # at most 682 tokens
        (9, 64, 768, 9),
        (11, 64, 768, 6),  # at most ten: six and five
        (3, 2048, 2560, 1),  # not even one sequence fits
    ],
)
def test_the_widest_activation_stays_in_the_cache(
    batch_size: int, sequence_length: int, width: int, rows: int
) -> None:
    assert micro_batch_rows(batch_size, sequence_length, 4 * width) == rows


@given(st.integers(1, 3000), st.integers(1, 4096), st.integers(1, 20_000))
def test_as_few_micro_batches_as_the_cache_allows_and_none_larger_than_need_be(
    batch_size: int, sequence_length: int, mlp_size: int
) -> None:
    rows = micro_batch_rows(batch_size, sequence_length, mlp_size)
    allowed = max(2**21 // (sequence_length * mlp_size), 1)
    assert 1 <= rows <= min(allowed, batch_size)
    splits = math.ceil(batch_size / rows)
    assert splits <= math.ceil(batch_size / allowed)
    assert rows == 1 or math.ceil(batch_size / (rows - 1)) > splits
