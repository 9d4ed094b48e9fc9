"""Attention: who may look at whom, and the weighted mean over what is seen."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from phinery.model import native
from phinery.model.kernels import Kernels

Rotation = tuple[Tensor, Tensor]
"""Cosine and sine of the rotary angles, each (batch or 1, seq, 1, rotary_dim / 2)."""


@dataclasses.dataclass(frozen=True)
class Visibility:
    """At which positions a position may look: itself and earlier ones, less what is masked.

    attention_mask is (batch, past + seq), 0 at padding; document_ids int64 (batch, seq), whose
    positions see only their own document; `past` positions are in the cache.
    """

    input_ids: Tensor
    past: int = 0
    attention_mask: Tensor | None = None
    document_ids: Tensor | None = None

    @functools.cached_property
    def mask(self) -> Tensor | None:
        """Boolean (batch or 1, 1, seq, past + seq), True where it may look; None: all before.

        Every position sees itself, padding too, so that no row of the softmax is empty.
        """
        length = self.input_ids.shape[1]
        is_plain = self.attention_mask is None and self.document_ids is None
        if is_plain and (self.past == 0 or length == 1):
            return None
        keys = torch.arange(self.past + length, device=self.input_ids.device)
        queries = keys[self.past :, None]
        allowed = (keys <= queries)[None]
        if self.document_ids is not None:
            same = self.document_ids[:, :, None] == self.document_ids[:, None, :]
            allowed = allowed & same
        if self.attention_mask is not None:
            allowed = allowed & (self.attention_mask[:, None, :].bool() | (keys == queries))
        return allowed[:, None]


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float = 0.0
) -> Tensor:
    """Scaled dot-product attention, (batch, heads, seq, head_dim) in and out.

    `mask` is boolean (batch, 1, queries, keys); None means causal when there are as many queries
    as keys, and that a single query sees every key. Phi-2's scores overflow float16, so that type
    is computed in float32.
    """
    dtype = query.dtype
    if dtype == torch.float16:
        query, key, value = query.float(), key.float(), value.float()
    causal = mask is None and query.shape[2] > 1
    mixed = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=dropout, is_causal=causal
    )
    return mixed.to(dtype)


def training_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    rotation: Rotation,
    visibility: Visibility,
    kernels: Kernels,
) -> Tensor:
    """Attention over rotated queries and keys without a cache, (batch, seq, heads, head_dim)."""
    if visibility.attention_mask is None and native.takes(query, key, value):
        return _NativeAttention.apply(query, key, value, *rotation, visibility.document_ids)
    cos, sin = rotation
    still = cos.new_empty(1, 1, 1, 0)
    query = _SplitHeads.apply(query, cos, sin, kernels)
    key = _SplitHeads.apply(key, cos, sin, kernels)
    value = _SplitHeads.apply(value, still, still, kernels)
    return attend(query, key, value, visibility.mask).transpose(1, 2)


class _NativeAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        cos: Tensor,
        sin: Tensor,
        documents: Tensor | None,
    ) -> Tensor:
        ctx.save_for_backward(query, key, value, cos, sin, documents)
        return native.attention_forward(query, key, value, cos, sin, documents)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grad_outputs
        query, key, value, cos, sin, documents = ctx.saved_tensors
        gradients = native.attention_backward(
            query, key, value, cos, sin, documents, grad.contiguous()
        )
        return (*gradients, None, None, None)


class _SplitHeads(torch.autograd.Function):
    """(batch, seq, heads, head_dim) to (batch, heads, seq, head_dim), rotated."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, cos: Tensor, sin: Tensor, kernels: Kernels) -> Tensor:
        ctx.save_for_backward(cos, sin)
        ctx.kernels = kernels
        return kernels.split_heads(projected, cos, sin)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.kernels.merge_heads(grad_outputs[0], *ctx.saved_tensors), None, None, None
