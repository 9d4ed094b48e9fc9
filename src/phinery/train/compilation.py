"""Compiling the model's arithmetic where a compiler is at hand, plain arithmetic elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import torch

from phinery.model import Phi, native
from phinery.model.kernels import default_kernels
from phinery.train.generators import kept_torch_states

# Compiling takes up to a minute the first time; a run should be several times longer.
_WORTHWHILE_SECONDS = 180.0


def is_worth_compiling(operations: float, matmul_rate: float, device: torch.device) -> bool:
    """Whether a run of so many operations lasts long enough, were it as fast as can be.

    On a CPU with the C++ kernels there is nothing left for it to gain.
    """
    has_kernels = device.type == "cpu" and native.is_available()
    return not has_kernels and operations / matmul_rate > _WORTHWHILE_SECONDS


def compile_or_explain(model: Phi, try_out: Callable[[], None]) -> str | None:
    """Compile the model's arithmetic; when that fails go back, and return why, in one line.

    `try_out` runs the model forward and backward, which is when the compiling happens. Torch's
    generators are afterwards as they were.
    """
    model.compile_kernels()
    try:
        with kept_torch_states(model.device):
            try_out()
    except RuntimeError as error:
        model.model.use_kernels(default_kernels())
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return lines[0] if lines else type(error).__name__
    return None
