"""How a batch is split when nobody says: so that activations stay in the processor's cache."""

from __future__ import annotations

import math

# Elements of a layer's widest activation, 8 MB in float32. The processor's cache holds that much,
# and matrix products of some 700 rows or more still run at the full rate.
CACHED_ELEMENTS = 2**21


def micro_batch_rows(batch_size: int, sequence_length: int, mlp_size: int) -> int:
    """Sequences of a micro-batch on the CPU.

    As many as keep the widest activation, (rows, sequence_length, mlp_size), within
    `CACHED_ELEMENTS`, but at least one; fewer where all micro-batches then have about the same
    size. It follows from its arguments alone, so that a resumed run splits its batches alike.
    """
    most = min(max(CACHED_ELEMENTS // (mlp_size * sequence_length), 1), batch_size)
    return math.ceil(batch_size / math.ceil(batch_size / most))
