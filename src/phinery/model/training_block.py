"""A block's forward and backward pass for training, written out by hand.

Same result as `PhiBlock`'s plain form, in less time and memory. Against what autograd would do:
biases, activation, rotation and changes of layout are one pass each (`kernels`), the gradients of
products that share an input are summed by the matrix product itself, the GELU's output is computed
anew instead of kept, and what is kept may be bfloat16 while the products run in float32, for
processors that multiply float32 faster.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from phinery.model.kernels import Kernels

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

        Without tile instructions (AMX) x86 processors multiply bfloat16 no faster than float32, and
        oneDNN's kernels for it are slower; there autocast keeps activations in bfloat16 and
        multiplies in float32, which is also the more exact. The choice is the processor's alone, so
        that a resumed run makes the same.
        """
        if not torch.is_autocast_enabled(device.type):
            return cls(weights, weights)
        asked = torch.get_autocast_dtype(device.type)
        if device.type == "cpu" and not torch.cpu._is_amx_tile_supported():
            return cls(weights, asked)
        return cls(asked, asked)


def training_block(
    block: PhiBlock,
    hidden: Tensor,
    rotation: tuple[Tensor, Tensor],
    attend: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> Tensor:
    """The block's output, (batch, seq, hidden) in and out; `attend` mixes (query, key, value)."""
    norm, attention, mlp = block.input_layernorm, block.self_attn, block.mlp
    precision = Precision.current(hidden.dtype, hidden.device)
    with torch.autocast(hidden.device.type, enabled=False):
        query, key, value, normed = _AttentionInput.apply(
            hidden,
            norm.weight,
            norm.bias,
            attention.q_proj.weight,
            attention.q_proj.bias,
            attention.k_proj.weight,
            attention.k_proj.bias,
            attention.v_proj.weight,
            attention.v_proj.bias,
            *rotation,
            norm.eps,
            attention.config.num_attention_heads,
            precision,
            block.kernels,
        )
        mixed = attend(query, key, value).transpose(1, 2).flatten(2)
        return _BlockOutput.apply(
            mixed,
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
    """LayerNorm, then rotated queries and keys, and values: all that reads the block's input."""

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
        cos: Tensor,
        sin: Tensor,
        eps: float,
        heads: int,
        precision: Precision,
        kernels: Kernels,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        batch, seq, width = hidden.shape
        normed, mean, rstd = torch.native_layer_norm(hidden, (width,), norm_weight, norm_bias, eps)
        rows = normed.flatten(0, 1).to(precision.multiply)
        split = (batch, seq, heads, width // heads)
        no_turn = cos.new_empty(1, 1, 1, 0)
        outputs: list[Tensor] = []
        weights = tuple(
            weight.to(precision.multiply) for weight in (query_weight, key_weight, value_weight)
        )
        biases = (query_bias, key_bias, value_bias)
        for weight, bias, angles in zip(
            weights, biases, ((cos, sin), (cos, sin), (no_turn, no_turn)), strict=True
        ):
            projected = torch.mm(rows, weight.T).view(split)
            outputs.append(kernels.split_heads(projected, bias.view(split[2:]), *angles))
        normed = normed.to(precision.keep)
        ctx.save_for_backward(
            hidden, normed, mean, rstd, norm_weight, norm_bias, *weights, cos, sin
        )
        ctx.precision, ctx.kernels = precision, kernels
        query, key, value = outputs
        return query, key, value, normed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        *grad_heads, grad_normed = grad_outputs
        hidden, normed, mean, rstd, norm_weight, norm_bias, *weights, cos, sin = ctx.saved_tensors
        multiply = ctx.precision.multiply
        rows = normed.flatten(0, 1).to(multiply)
        no_turn = cos.new_empty(1, 1, 1, 0)
        angles = ((cos, sin), (cos, sin), (no_turn, no_turn))
        total = grad_normed.flatten(0, 1).to(multiply)
        gradients: list[Tensor] = []
        for grad, weight, turn in zip(grad_heads, weights, angles, strict=True):
            projected = ctx.kernels.merge_heads(grad, *turn).flatten(0, 1).flatten(1).to(multiply)
            total = torch.addmm(total, projected, weight)
            gradients += [torch.mm(projected.T, rows), projected.sum(0)]
        grad_hidden, grad_norm_weight, grad_norm_bias = torch.ops.aten.native_layer_norm_backward(
            total.view_as(hidden).to(hidden.dtype),
            hidden,
            (hidden.shape[-1],),
            mean,
            rstd,
            norm_weight,
            norm_bias,
            [True, True, True],
        )
        gradients = [gradient.to(norm_weight.dtype) for gradient in gradients]
        return (grad_hidden, grad_norm_weight, grad_norm_bias, *gradients, *[None] * 6)


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
        pre = torch.mm(normed.flatten(0, 1).to(multiply), fc1.T)
        branches = torch.mm(mixed.flatten(0, 1).to(multiply), dense.T)
        branches.addmm_(kernels.gelu(pre, fc1_bias).to(multiply), fc2.T)
        output = kernels.add_residual(branches.view_as(hidden), dense_bias, fc2_bias, hidden)
        ctx.save_for_backward(
            mixed.to(precision.keep), normed, pre.to(precision.keep), fc1_bias, *weights
        )
        ctx.kernels, ctx.multiply, ctx.mixed_dtype = kernels, multiply, mixed.dtype
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_output,) = grad_outputs
        mixed, normed, pre, fc1_bias, dense, fc1, fc2 = ctx.saved_tensors
        multiply = ctx.multiply
        exact = grad_output.flatten(0, 1)
        grad = exact.to(multiply)
        grad_pre, activated = ctx.kernels.gelu_backward(torch.mm(grad, fc2), pre, fc1_bias)
        grad_pre = grad_pre.to(multiply)
        bias = exact.sum(0)
        gradients = (
            torch.mm(grad.T, mixed.flatten(0, 1).to(multiply)),
            bias,
            torch.mm(grad_pre.T, normed.flatten(0, 1).to(multiply)),
            grad_pre.sum(0),
            torch.mm(grad.T, activated.to(multiply)),
            bias.clone(),
        )
        grad_mixed = torch.mm(grad, dense).view_as(mixed).to(ctx.mixed_dtype)
        grad_normed = torch.mm(grad_pre, fc1).view_as(normed).to(normed.dtype)
        exact_gradients = [gradient.to(fc1_bias.dtype) for gradient in gradients]
        return (grad_mixed, grad_normed, grad_output, *exact_gradients, None, None)
