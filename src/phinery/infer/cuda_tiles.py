"""How the products of a decoding step are cut; `benchmarks/decode_gpu.py --tune` measures it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tiles:
    """How one product is cut.

    rows, depth : rows and inputs that a program takes at a time; depth is a multiple of 32.
    warps : of a program.
    stages : loads in flight, for the matrix units.
    """

    rows: int
    depth: int
    warps: int
    stages: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """Tiles of a block's two matrices (`cuda_weights`); the head's are those of `reading`."""

    reading: Tiles
    writing: Tiles


Plans = Mapping[int, Plan]
"""By the bits of a weight, 16 for floats of any width."""

# Measured on an H200 at phi-2's shape.
ROW_PLANS: Plans = {
    16: Plan(Tiles(4, 512, 4), Tiles(4, 1024, 4)),
    8: Plan(Tiles(4, 512, 4), Tiles(4, 1024, 4)),
    4: Plan(Tiles(8, 512, 4), Tiles(8, 1024, 4)),
}
"""For one row, on the ordinary lanes."""
ROWS_PLANS: Plans = {
    16: Plan(Tiles(32, 128, 4, 4), Tiles(64, 64, 4, 6)),
    8: Plan(Tiles(32, 128, 4, 4), Tiles(64, 128, 4, 4)),
    4: Plan(Tiles(32, 128, 4, 4), Tiles(64, 128, 4, 4)),
}
"""For several rows, on the matrix units."""
