"""The head and its cross-entropy in chunks of rows: the logits of a batch are never all there."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from phinery.model.kernels import PLAIN_KERNELS, Kernels
from phinery.model.products import linear
from phinery.model.training_block import Precision

IGNORE_INDEX = -100
# Rows of logits held at once: enough for the full rate of the matrix products, which at fewer rows
# spend their time on the weights' traffic; more gained nothing.
_CHUNK_ROWS = 512


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    labels: Tensor,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    kernels: Kernels = PLAIN_KERNELS,
) -> Tensor:
    """Cross-entropy in nats of softmax(hidden @ weight.T + bias) against `labels`, a float32 scalar
    (float64 for float64 weights).

    hidden (rows, width), weight (vocab, width), bias (vocab,), labels int64 (rows,) with -100 for
    rows to ignore. Gradients are computed along with the value, chunk by chunk, so that memory is
    one chunk of logits instead of all of them; second derivatives are not available. The mean over
    no rows at all is 0.
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction must be 'mean' or 'sum', not {reduction!r}")
    precision = Precision.current(weight.dtype, hidden.device)
    exact = torch.promote_types(precision.multiply, torch.float32)
    scale = torch.ones((), dtype=exact, device=hidden.device)
    if reduction == "mean":
        scale = scale / (labels != IGNORE_INDEX).sum().clamp_min(1)
    with torch.autocast(hidden.device.type, enabled=False):
        return _LinearCrossEntropy.apply(
            hidden, weight, bias, labels, scale, precision.multiply, kernels
        )


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        labels: Tensor,
        scale: Tensor,
        multiply: torch.dtype,
        kernels: Kernels,
    ) -> Tensor:
        rows = hidden.shape[0]
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        head, states, exact = weight.to(multiply), hidden.to(multiply), scale.dtype
        offset = bias.to(exact)
        grad_hidden = torch.empty_like(states) if wants_hidden else None
        grad_weight = torch.empty_like(head) if wants_weight else None
        grad_bias = torch.zeros_like(bias) if wants_bias else None
        counted = (labels != IGNORE_INDEX)[:, None]
        targets = torch.where(counted, labels[:, None], 0)
        row_scale = counted * scale
        total = torch.zeros_like(scale)
        chunk = min(rows, _CHUNK_ROWS)
        for start in range(0, rows, chunk):
            part = slice(start, min(start + chunk, rows))
            logits = linear(states[part], head)
            nll, grad = kernels.softmax_gradient(logits, offset, targets[part], row_scale[part])
            total += (nll * counted[part]).sum()
            if not (wants_hidden or wants_weight or wants_bias):
                continue
            if grad_bias is not None:
                grad_bias += grad.sum(0).to(grad_bias.dtype)
            if grad_hidden is not None:
                grad_hidden[part] = linear(grad, head.T)
            if grad_weight is not None:
                # The first chunk writes, so that the sum needs no zeroed memory.
                torch.addmm(
                    grad_weight, grad.T, states[part], beta=float(start > 0), out=grad_weight
                )
            # Gone before the next chunk's are made.
            del logits, grad
        ctx.gradients = tuple(
            None if gradient is None else gradient.to(dtype)
            for gradient, dtype in (
                (grad_hidden, hidden.dtype),
                (grad_weight, weight.dtype),
                (grad_bias, bias.dtype),
            )
        )
        return total * scale

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_output,) = grad_outputs
        gradients = ctx.gradients
        del ctx.gradients
        if float(grad_output) != 1.0:
            gradients = [None if one is None else one.mul_(grad_output) for one in gradients]
        return (*gradients, None, None, None, None)
