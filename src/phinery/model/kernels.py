"""The element-wise arithmetic of a training step, as small pure functions that can be compiled.

Each function makes one pass over memory once compiled: biases, activations, rotations and layout
changes ride along with it instead of taking passes of their own. Uncompiled they are the same
formulas in plain torch.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# gelu_new(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), arXiv 1606.08415; with
# (1 + tanh(z)) / 2 = sigmoid(2z) it costs one exponential.
_SLOPE = 2.0 * math.sqrt(2.0 / math.pi)
_CUBIC = 0.044715


def gelu(pre: Tensor, bias: Tensor) -> Tensor:
    """gelu_new(pre + bias): pre (rows, features), bias (features,)."""
    x = pre + bias
    return x * torch.sigmoid(_SLOPE * (x + _CUBIC * x * x * x))


def gelu_backward(grad: Tensor, pre: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient of `gelu` in its first argument, and its value anew, in the type of `grad`."""
    x = pre.to(grad.dtype) + bias
    gate = torch.sigmoid(_SLOPE * (x + _CUBIC * x * x * x))
    value = x * gate
    slope = gate + value * (1.0 - gate) * (_SLOPE + 3.0 * _SLOPE * _CUBIC * x * x)
    return grad * slope, value


def split_heads(projected: Tensor, bias: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """(batch, seq, heads, head_dim) plus bias, rotated, seen as (batch, heads, seq, head_dim).

    `cos` and `sin` are (batch or 1, seq, 1, rotary_dim / 2); `bias` is (heads, head_dim).
    """
    heads = projected + bias
    half = cos.shape[-1]
    first, second, rest = heads[..., :half], heads[..., half : 2 * half], heads[..., 2 * half :]
    rotated = torch.cat((first * cos - second * sin, second * cos + first * sin, rest), dim=-1)
    return rotated.transpose(1, 2)


def merge_heads(grad: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Gradient of `split_heads` in its first argument: rotated back, heads after positions."""
    heads = grad.transpose(1, 2)
    half = cos.shape[-1]
    first, second, rest = heads[..., :half], heads[..., half : 2 * half], heads[..., 2 * half :]
    turned = torch.cat((first * cos + second * sin, second * cos - first * sin, rest), dim=-1)
    return turned.contiguous()


def add_residual(branches: Tensor, bias_1: Tensor, bias_2: Tensor, hidden: Tensor) -> Tensor:
    """What both branches of a block computed, their last biases, and the residual stream."""
    return branches + (bias_1 + bias_2) + hidden


def softmax_gradient(
    logits: Tensor, bias: Tensor, targets: Tensor, row_scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of (logits + bias) per row, and row_scale x softmax written over `logits`.

    logits (rows, vocab), targets int64 (rows, 1), row_scale (rows, 1). The gradient still lacks
    its -row_scale at the targets. Returns the cross-entropies (rows, 1) and `logits`.
    """
    # Two exponentials, because keeping one would be a second copy of the logits in memory.
    shifted = logits + bias
    highest = shifted.amax(1, keepdim=True)
    at_target = shifted.gather(1, targets)
    log_total = (shifted - highest).exp().sum(1, keepdim=True).log()
    logits.copy_((shifted - highest - log_total).exp() * row_scale)
    return log_total + (highest - at_target), logits


@dataclasses.dataclass(frozen=True)
class Kernels:
    """The functions of this file, plain or compiled."""

    gelu: Callable[[Tensor, Tensor], Tensor] = gelu
    gelu_backward: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] = gelu_backward
    split_heads: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = split_heads
    merge_heads: Callable[[Tensor, Tensor, Tensor], Tensor] = merge_heads
    add_residual: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = add_residual
    softmax_gradient: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] = (
        softmax_gradient
    )


PLAIN_KERNELS = Kernels()


@functools.cache
def compiled_kernels() -> Kernels:
    """Every kernel through `torch.compile`, which builds each on its first call (a second or two).

    The build is kept by torch in its cache directory, so that later processes start at once.
    """
    compiled: dict[str, Any] = {
        field.name: torch.compile(getattr(PLAIN_KERNELS, field.name), fullgraph=True)
        for field in dataclasses.fields(Kernels)
    }
    return Kernels(**compiled)
