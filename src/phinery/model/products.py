"""Matrix products for training, by whichever of torch's libraries is faster on this processor."""

from __future__ import annotations

import functools
import platform

import torch
from torch import Tensor


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The product inputs (rows, in) @ weight.T + bias.

    weight is (out, in) or the transpose of such, bias (out,). To be called where autograd does not
    record, as in the forward and backward of a Function.
    """
    if _prefers_onednn(inputs):
        return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    if bias is None:
        return torch.mm(inputs, weight.T)
    return torch.addmm(bias, inputs, weight.T)


def linear_onto(total: Tensor, inputs: Tensor, weight: Tensor) -> Tensor:
    """The sum total (rows, out) + inputs (rows, in) @ weight.T, taken within the product."""
    if _prefers_onednn(inputs):
        return torch.ops.mkldnn._linear_pointwise.binary(inputs, total, weight, None, "add")
    return torch.addmm(total, inputs, weight.T)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 are faster on `device` than in float32.

    Of x86 processors those with tile instructions (AMX), and AMD's with AVX512-BF16, whose dot
    product does twice the work of a float32 multiply-add; Intel's does the same work, and oneDNN's
    kernels for it are slower. Decided by the processor's features and never by a measurement, so
    that a resumed run rounds alike.
    """
    if device.type != "cpu":
        return True
    return torch.cpu._is_amx_tile_supported() or (
        _is_amd() and torch.cpu._is_avx512_bf16_supported()
    )


def _prefers_onednn(inputs: Tensor) -> bool:
    """MKL, torch's library for float32, leaves a tenth of the rate of AMD's processors unused."""
    return inputs.dtype == torch.float32 and inputs.device.type == "cpu" and _has_onednn_on_amd()


@functools.cache
def _has_onednn_on_amd() -> bool:
    return _is_amd() and torch.backends.mkldnn.is_available()


def _is_amd() -> bool:
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return is_x86 and "AMD" in str(torch.cpu.get_capabilities().get("cpu_name", ""))
