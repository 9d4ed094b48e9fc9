"""A block's forward and backward pass for training, written out by hand.

Same result as `PhiBlock`'s plain form, in less time and memory. Against what autograd would do:
biases, activation, rotation and changes of layout are one pass each (`kernels`), the gradients of
products that share an input are summed by the matrix product itself, the GELU's output is computed
anew instead of kept, and what is kept may be bfloat16 while the products run in float32, for
processors that multiply float32 faster.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from phinery.model.attention import Rotation, Visibility, training_attention
from phinery.model.kernels import Kernels
from phinery.model.products import linear, linear_onto, multiplies_bfloat16

if TYPE_CHECKING:
    from phinery.model.decoder import PhiBlock


@dataclasses.dataclass(frozen=True)
class Precision:
    """In what types a training step computes: `multiply` matrix products, `keep` activations."""

    multiply: torch.dtype
    keep: torch.dtype

    @classmethod
    def current(cls, weights: torch.dtype, device: torch.device) -> Precision:
        """The precision that `torch.autocast` asks for, else the weights' own.

        Where products in bfloat16 are no faster (`multiplies_bfloat16`), autocast keeps activations
        in bfloat16 and multiplies in float32, which is also the more exact.
        """
        if not torch.is_autocast_enabled(device.type):
            return cls(weights, weights)
        asked = torch.get_autocast_dtype(device.type)
        if not multiplies_bfloat16(device):
            return cls(weights, asked)
        return cls(asked, asked)


def training_block(
    block: PhiBlock, hidden: Tensor, rotation: Rotation, visibility: Visibility
) -> Tensor:
    """The block's output, (batch, seq, hidden) in and out."""
    norm, attention, mlp = block.input_layernorm, block.self_attn, block.mlp
    precision = Precision.current(hidden.dtype, hidden.device)
    split = (*hidden.shape[:2], attention.config.num_attention_heads, attention.config.head_dim)
    with torch.autocast(hidden.device.type, enabled=False):
        *projected, normed = _AttentionInput.apply(
            hidden,
            norm.weight,
            norm.bias,
            attention.q_proj.weight,
            attention.q_proj.bias,
            attention.k_proj.weight,
            attention.k_proj.bias,
            attention.v_proj.weight,
            attention.v_proj.bias,
            norm.eps,
            precision,
        )
        query, key, value = (one.view(split) for one in projected)
        mixed = training_attention(query, key, value, rotation, visibility, block.kernels)
        return _BlockOutput.apply(
            mixed.flatten(2),
            normed,
            hidden,
            attention.dense.weight,
            attention.dense.bias,
            mlp.fc1.weight,
            mlp.fc1.bias,
            mlp.fc2.weight,
            mlp.fc2.bias,
            precision,
            block.kernels,
        )


class _AttentionInput(torch.autograd.Function):
    """LayerNorm, then the projections to queries, keys and values: all that reads the input."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        norm_weight: Tensor,
        norm_bias: Tensor,
        query_weight: Tensor,
        query_bias: Tensor,
        key_weight: Tensor,
        key_bias: Tensor,
        value_weight: Tensor,
        value_bias: Tensor,
        eps: float,
        precision: Precision,
    ) -> tuple[Tensor, ...]:
        normed, mean, rstd = torch.native_layer_norm(
            hidden, hidden.shape[-1:], norm_weight, norm_bias, eps
        )
        rows = normed.flatten(0, 1).to(precision.multiply)
        weights = [one.to(rows.dtype) for one in (query_weight, key_weight, value_weight)]
        biases = [one.to(rows.dtype) for one in (query_bias, key_bias, value_bias)]
        projected = [
            linear(rows, weight, bias).view_as(hidden)
            for weight, bias in zip(weights, biases, strict=True)
        ]
        normed = normed.to(precision.keep)
        ctx.save_for_backward(hidden, normed, mean, rstd, norm_weight, norm_bias, *weights)
        ctx.multiply = precision.multiply
        return (*projected, normed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        *grad_projected, grad_normed = grad_outputs
        hidden, normed, mean, rstd, norm_weight, norm_bias, *weights = ctx.saved_tensors
        rows = normed.flatten(0, 1).to(ctx.multiply)
        total = grad_normed.flatten(0, 1).to(ctx.multiply)
        gradients: list[Tensor] = []
        for grad, weight in zip(grad_projected, weights, strict=True):
            grad = grad.flatten(0, 1)
            total = linear_onto(total, grad, weight.T)
            gradients += [torch.mm(grad.T, rows), grad.sum(0)]
        grad_hidden, grad_norm_weight, grad_norm_bias = torch.ops.aten.native_layer_norm_backward(
            total.view_as(hidden).to(hidden.dtype),
            hidden,
            hidden.shape[-1:],
            mean,
            rstd,
            norm_weight,
            norm_bias,
            [True, True, True],
        )
        gradients = [gradient.to(norm_weight.dtype) for gradient in gradients]
        return (grad_hidden, grad_norm_weight, grad_norm_bias, *gradients, None, None)


class _BlockOutput(torch.autograd.Function):
    """hidden + dense(mixed) + fc2(gelu(fc1(normed)))."""

    @staticmethod
    def forward(
        ctx: Any,
        mixed: Tensor,
        normed: Tensor,
        hidden: Tensor,
        dense_weight: Tensor,
        dense_bias: Tensor,
        fc1_weight: Tensor,
        fc1_bias: Tensor,
        fc2_weight: Tensor,
        fc2_bias: Tensor,
        precision: Precision,
        kernels: Kernels,
    ) -> Tensor:
        multiply = precision.multiply
        weights = tuple(weight.to(multiply) for weight in (dense_weight, fc1_weight, fc2_weight))
        dense, fc1, fc2 = weights
        rows = mixed.flatten(0, 1).to(multiply)
        attention = linear(rows, dense, dense_bias.to(multiply))
        pre = linear(normed.flatten(0, 1).to(multiply), fc1, fc1_bias.to(multiply))
        branch = linear(kernels.gelu(pre), fc2, fc2_bias.to(multiply))
        output = kernels.add_branches(hidden.flatten(0, 1), attention, branch).view_as(hidden)
        ctx.save_for_backward(mixed.to(precision.keep), normed, pre.to(precision.keep), *weights)
        ctx.kernels, ctx.multiply, ctx.mixed_dtype = kernels, multiply, mixed.dtype
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_output,) = grad_outputs
        mixed, normed, pre, dense, fc1, fc2 = ctx.saved_tensors
        multiply = ctx.multiply
        exact = grad_output.flatten(0, 1)
        grad = exact.to(multiply)
        grad_pre, activated = ctx.kernels.gelu_backward(linear(grad, fc2.T), pre)
        bias = exact.sum(0)
        gradients = (
            torch.mm(grad.T, mixed.flatten(0, 1).to(multiply)),
            bias,
            torch.mm(grad_pre.T, normed.flatten(0, 1).to(multiply)),
            grad_pre.sum(0),
            torch.mm(grad.T, activated),
            bias.clone(),
        )
        grad_mixed = linear(grad, dense.T).view_as(mixed).to(ctx.mixed_dtype)
        grad_normed = linear(grad_pre, fc1.T).view_as(normed).to(normed.dtype)
        exact_gradients = [gradient.to(exact.dtype) for gradient in gradients]
        return (grad_mixed, grad_normed, grad_output, *exact_gradients, None, None)
