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

from phinery.model import native

# gelu_new(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), arXiv 1606.08415; with
# (1 + tanh(z)) / 2 = sigmoid(2z) it costs one exponential.
_SLOPE = 2.0 * math.sqrt(2.0 / math.pi)
_CUBIC = 0.044715


def gelu(pre: Tensor) -> Tensor:
    """gelu_new(pre), of any shape."""
    return pre * torch.sigmoid(_SLOPE * (pre + _CUBIC * pre * pre * pre))


def gelu_backward(grad: Tensor, pre: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient of `gelu` in its argument, and its value anew, in the type of `grad`.

    `grad` may be written over.
    """
    x = pre.to(grad.dtype)
    gate = torch.sigmoid(_SLOPE * (x + _CUBIC * x * x * x))
    value = x * gate
    slope = gate + value * (1.0 - gate) * (_SLOPE + 3.0 * _SLOPE * _CUBIC * x * x)
    return grad * slope, value


def split_heads(projected: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """(batch, seq, heads, head_dim) rotated, in the layout (batch, heads, seq, head_dim).

    `cos` and `sin` are (batch or 1, seq, 1, rotary_dim / 2).
    """
    half = cos.shape[-1]
    first, second = projected[..., :half], projected[..., half : 2 * half]
    rest = projected[..., 2 * half :]
    rotated = torch.cat((first * cos - second * sin, second * cos + first * sin, rest), dim=-1)
    return rotated.to(projected.dtype).transpose(1, 2).contiguous()


def merge_heads(grad: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Gradient of `split_heads` in its first argument: rotated back, heads after positions."""
    heads = grad.transpose(1, 2)
    half = cos.shape[-1]
    first, second, rest = heads[..., :half], heads[..., half : 2 * half], heads[..., 2 * half :]
    turned = torch.cat((first * cos + second * sin, second * cos - first * sin, rest), dim=-1)
    return turned.to(grad.dtype).contiguous()


def add_branches(hidden: Tensor, attention: Tensor, mlp: Tensor) -> Tensor:
    """The residual stream and what both branches of a block add to it, in the stream's type."""
    return hidden + attention + mlp


def softmax_gradient(
    logits: Tensor, bias: Tensor, targets: Tensor, row_scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of (logits + bias) per row, and its gradient x row_scale over `logits`.

    logits (rows, vocab), targets int64 (rows, 1), row_scale (rows, 1); computed in the type of
    `bias`. Returns the cross-entropies (rows, 1) and `logits`.
    """
    # Two exponentials, because keeping one would be a second copy of the logits in memory.
    shifted = logits.to(bias.dtype) + bias
    highest = shifted.amax(1, keepdim=True)
    at_target = shifted.gather(1, targets)
    log_total = (shifted - highest).exp().sum(1, keepdim=True).log()
    is_target = torch.arange(logits.shape[1], device=logits.device) == targets
    probabilities = (shifted - highest - log_total).exp()
    logits.copy_((probabilities - is_target.to(bias.dtype)) * row_scale)
    return log_total + (highest - at_target), logits


@dataclasses.dataclass(frozen=True)
class Kernels:
    """The functions of this file: plain, compiled by torch, or those of `native/`."""

    gelu: Callable[[Tensor], Tensor] = gelu
    gelu_backward: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = gelu_backward
    split_heads: Callable[[Tensor, Tensor, Tensor], Tensor] = split_heads
    merge_heads: Callable[[Tensor, Tensor, Tensor], Tensor] = merge_heads
    add_branches: Callable[[Tensor, Tensor, Tensor], Tensor] = add_branches
    softmax_gradient: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] = (
        softmax_gradient
    )


PLAIN_KERNELS = Kernels()


def default_kernels() -> Kernels:
    """Those of `native/` where the package was built with them, else the plain ones."""
    return NATIVE_KERNELS if native.is_available() else PLAIN_KERNELS


@functools.cache
def compiled_kernels() -> Kernels:
    """Every kernel through `torch.compile`, which builds each on its first call (a second or two).

    The build is kept by torch in its cache directory, so that later processes start at once. A
    function that has been built for many shapes runs plain for further ones.
    """
    compiled: dict[str, Any] = {
        field.name: torch.compile(getattr(PLAIN_KERNELS, field.name))
        for field in dataclasses.fields(Kernels)
    }
    return Kernels(**compiled)


def _native_gelu(pre: Tensor) -> Tensor:
    return native.gelu(pre) if native.takes(pre) else gelu(pre)


def _native_gelu_backward(grad: Tensor, pre: Tensor) -> tuple[Tensor, Tensor]:
    # Activations may be kept in a smaller type than the products have.
    pre = pre.to(grad.dtype)
    if native.takes(grad, pre):
        return native.gelu_backward(grad, pre)
    return gelu_backward(grad, pre)


def _native_add_branches(hidden: Tensor, attention: Tensor, mlp: Tensor) -> Tensor:
    if native.takes(hidden) and hidden.dtype == torch.float32 and native.takes(attention, mlp):
        return native.add_branches(hidden, attention, mlp)
    return add_branches(hidden, attention, mlp)


def _native_softmax_gradient(
    logits: Tensor, bias: Tensor, targets: Tensor, row_scale: Tensor
) -> tuple[Tensor, Tensor]:
    if native.takes(logits) and native.takes(bias, row_scale) and bias.dtype == torch.float32:
        return native.softmax_gradient(logits, bias, targets.contiguous(), row_scale)
    return softmax_gradient(logits, bias, targets, row_scale)


NATIVE_KERNELS = Kernels(
    gelu=_native_gelu,
    gelu_backward=_native_gelu_backward,
    add_branches=_native_add_branches,
    softmax_gradient=_native_softmax_gradient,
)
