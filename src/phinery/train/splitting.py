"""How a batch is split when nobody says: small for memory and caches, large for speed."""

from __future__ import annotations

import math

# A micro-batch reads every weight, and adds to every gradient, once more. Over so many tokens that
# is some hundredths of the arithmetic.
LEAST_TOKENS = 2048
# Elements of a layer's widest activation, 8 MB in float32, that stay in the cache. Small
# models take more tokens than the least, since their many small operations cost by the call.
CACHED_ELEMENTS = 2**21


def micro_batch_rows(batch_size: int, sequence_length: int, mlp_size: int) -> int:
    """Sequences of a micro-batch on the CPU.

    As many as make `LEAST_TOKENS`, or as keep the widest activation, (rows, sequence_length,
    mlp_size), within `CACHED_ELEMENTS` if those are more; one at least, and fewer where all
    micro-batches then have about the same size. It follows from its arguments alone, so that a
    resumed run splits its batches alike.
    """
    tokens = max(LEAST_TOKENS, CACHED_ELEMENTS // mlp_size)
    most = min(max(tokens // sequence_length, 1), batch_size)
    return math.ceil(batch_size / math.ceil(batch_size / most))
