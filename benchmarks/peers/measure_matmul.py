"""The machine's matmul rate: the ceiling that the participants are held against.

Speaks the protocol of `training_worker`; "step" answers with FLOP/s by shape.
"""

from __future__ import annotations

import time

import torch
from training_shape import Shape
from training_worker import requests


def main() -> None:
    """Answer requests until told to quit."""
    products: dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = {}
    for request, answer in requests():
        if request["command"] == "prepare":
            dtype = torch.float32 if request["dtype"] == "float32" else torch.bfloat16
            products = {
                f"{rows}x{inner}x{columns}": (
                    torch.randn(rows, inner).to(dtype),
                    torch.randn(columns, inner).to(dtype).T,
                    torch.empty(rows, columns, dtype=dtype),
                )
                for rows, inner, columns in sizes(Shape(**request["shape"]))
            }
            answer(rates=measure(products, 0.0))
        else:
            answer(rates=measure(products, request["seconds"] / len(products)))


def sizes(shape: Shape) -> list[tuple[int, int, int]]:
    """Rows, inner and columns: two large products, and the model's MLP and head."""
    rows, width, mlp = min(shape.tokens, 4096), shape.hidden_size, shape.intermediate_size
    return [
        (2048, 2048, 2048),
        (4096, 1024, 4096),
        (rows, width, mlp),
        (rows, mlp, width),
        (rows, width, min(shape.vocab_size, 8192)),
    ]


def measure(
    products: dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]], seconds_each: float
) -> dict[str, float]:
    """FLOP/s of each product, its result written in place so that no memory is allocated."""
    rates: dict[str, float] = {}
    for name, (left, right, result) in products.items():
        flops = 2 * left.shape[0] * left.shape[1] * right.shape[1]
        torch.mm(left, right, out=result)
        started = time.perf_counter()
        times, seconds = 0, 0.0
        while not times or seconds < seconds_each:
            torch.mm(left, right, out=result)
            times += 1
            seconds = time.perf_counter() - started
        rates[name] = times * flops / seconds
    return rates


if __name__ == "__main__":
    main()
