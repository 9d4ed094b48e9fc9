"""The machine's matmul rate: the ceiling that the participants are held against.

Speaks the protocol of `training_worker`; "step" answers with FLOP/s by type and size.
"""

from __future__ import annotations

import time

import torch
from training_shape import Shape
from training_worker import requests

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Size = tuple[int, int, int]


def main() -> None:
    """Answer requests until told to quit."""
    dtypes: list[str] = []
    measured: list[Size] = []
    for request, answer in requests():
        seconds = 0.0
        if request["command"] == "prepare":
            measured = sizes(Shape(**request["shape"]))
            dtypes = ["float32"] if request["dtype"] == "float32" else list(DTYPES)
        else:
            seconds = request["seconds"] / (len(measured) * len(dtypes))
        answer(
            rates={
                dtype: {"x".join(map(str, size)): rate(size, dtype, seconds) for size in measured}
                for dtype in dtypes
            }
        )


def sizes(shape: Shape) -> list[Size]:
    """Rows, inner and columns: two large products, and the model's MLP and head."""
    rows, width, mlp = min(shape.tokens, 4096), shape.hidden_size, shape.intermediate_size
    return [
        (2048, 2048, 2048),
        (4096, 1024, 4096),
        (rows, width, mlp),
        (rows, mlp, width),
        (rows, width, min(shape.vocab_size, 8192)),
    ]


def rate(size: Size, dtype: str, seconds: float) -> float:
    """FLOP/s of a product after one to warm up, written in place so that nothing is allocated."""
    rows, inner, columns = size
    left = torch.randn(rows, inner).to(DTYPES[dtype])
    right = torch.randn(columns, inner).to(DTYPES[dtype]).T
    result = torch.empty(rows, columns, dtype=DTYPES[dtype])
    torch.mm(left, right, out=result)
    started = time.perf_counter()
    times, spent = 0, 0.0
    while not times or spent < seconds:
        torch.mm(left, right, out=result)
        times += 1
        spent = time.perf_counter() - started
    return 2.0 * rows * inner * columns * times / spent


if __name__ == "__main__":
    main()
