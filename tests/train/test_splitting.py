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
        (64, 256, 128, 16),  # 4,096 tokens stay in the cache
        (4, 256, 384, 4),
        (8, 1024, 384, 2),  # more than 2,048 tokens do not
        (8, 512, 768, 4),
        (9, 512, 768, 3),  # at most four, so three micro-batches of three
        (11, 256, 768, 6),  # at most eight: six and five
        (3, 4096, 2560, 1),  # one sequence at least
    ],
)
def test_micro_batches_are_small_but_not_too_small(
    batch_size: int, sequence_length: int, width: int, rows: int
) -> None:
    assert micro_batch_rows(batch_size, sequence_length, 4 * width) == rows


@given(st.integers(1, 3000), st.integers(1, 4096), st.integers(1, 20_000))
def test_as_few_micro_batches_as_allowed_and_none_larger_than_need_be(
    batch_size: int, sequence_length: int, mlp_size: int
) -> None:
    rows = micro_batch_rows(batch_size, sequence_length, mlp_size)
    allowed = max(max(2048, 2**21 // mlp_size) // sequence_length, 1)
    assert 1 <= rows <= min(allowed, batch_size)
    splits = math.ceil(batch_size / rows)
    assert splits <= math.ceil(batch_size / allowed)
    assert rows == 1 or math.ceil(batch_size / (rows - 1)) > splits
