"""What this machine can do at most: the rate of its matrix products, measured."""

from __future__ import annotations

import time
from typing import Literal

import torch

DtypeName = Literal["float32", "bfloat16"]
TORCH_DTYPES: dict[DtypeName, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
}
# (rows, inner, columns): the shape of a training step's products, large enough for the full rate.
_CPU_SHAPE = (1024, 1024, 2048)
_GPU_SHAPE = (8192, 8192, 8192)
# A step is not matrix products alone: below this ratio bfloat16 gains little and costs precision.
_WORTHWHILE_RATIO = 1.3


def measure_matmul_rate(
    dtype: torch.dtype,
    *,
    device: torch.device | str = "cpu",
    shape: tuple[int, int, int] | None = None,
    seconds: float = 0.4,
) -> float:
    """Best rate of a matrix product of `dtype` on `device`, in floating-point operations a second.

    `shape` is (rows, inner, columns). Repeats for about `seconds` after one product to warm up, at
    least three times, and takes the fastest, since a ceiling is wanted.
    """
    device = torch.device(device)
    rows, inner, columns = shape or (_CPU_SHAPE if device.type == "cpu" else _GPU_SHAPE)
    left = torch.ones((rows, inner), dtype=dtype, device=device)
    right = torch.ones((inner, columns), dtype=dtype, device=device)
    out = torch.empty((rows, columns), dtype=dtype, device=device)
    _timed_product(left, right, out)
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        times.append(_timed_product(left, right, out))
    return 2.0 * rows * inner * columns / min(times)


def _timed_product(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> float:
    _finish(left.device)
    started = time.perf_counter()
    torch.mm(left, right, out=out)
    _finish(left.device)
    return time.perf_counter() - started


def _finish(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def matmul_ceiling(dtype: DtypeName, device: torch.device) -> float:
    """The rate against which a training step in `dtype` is held, in operations a second.

    For bfloat16 it is the higher of both types' rates: a model is free to multiply in float32
    where the processor does that faster.
    """
    rate = measure_matmul_rate(torch.float32, device=device)
    if dtype == "bfloat16":
        rate = max(rate, measure_matmul_rate(torch.bfloat16, device=device))
    return rate


def faster_dtype(device: torch.device) -> DtypeName:
    """The type in which matrix products are worth training here, by a measurement of a second."""
    ratio = measure_matmul_rate(torch.bfloat16, device=device) / measure_matmul_rate(
        torch.float32, device=device
    )
    return "bfloat16" if ratio >= _WORTHWHILE_RATIO else "float32"
