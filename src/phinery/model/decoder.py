"""The Phi decoder: one LayerNorm per block feeds attention and MLP in parallel.

Architecture: arXiv 2306.11644 section 2.3 and the released `config.json` files. Module and
parameter names are those of Hugging Face's `PhiForCausalLM`, so that weights go in and out
unchanged.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from phinery.model.attention import Rotation, Visibility, attend
from phinery.model.cache import KVCache
from phinery.model.config import PhiConfig
from phinery.model.kernels import Kernels, compiled_kernels, default_kernels
from phinery.model.loss import linear_cross_entropy
from phinery.model.training_block import training_block


class Phi(nn.Module):
    """A Phi with its language-model head. Weights start as N(0, initializer_range), biases as 0.

    Build it under `torch.device("meta")` to get names and shapes without memory.
    """

    def __init__(self, config: PhiConfig) -> None:
        super().__init__()
        self.config = config
        self.model = PhiDecoder(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size)
        self.initialize_weights()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        position_ids: Tensor | None = None,
        document_ids: Tensor | None = None,
        cache: KVCache | None = None,
    ) -> Tensor:
        """Logits (batch, seq, vocab) of the word that follows each position.

        Parameters
        ----------
        input_ids : int64 (batch, seq)
        attention_mask : (batch, cached + seq), 1 for words and 0 for padding, on either side.
            The logits at padding are finite and mean nothing.
        position_ids : int64 (batch, seq); by default words are counted from 0, padding excluded.
        document_ids : int64 (batch, seq); positions attend only to their own document.
        cache : keys and values of the positions before; this pass appends its own.

        Raises ValueError for shapes that do not fit together.
        """
        hidden = self.model(
            input_ids,
            attention_mask,
            position_ids=position_ids,
            document_ids=document_ids,
            cache=cache,
        )
        return self.lm_head(hidden)

    def loss(
        self,
        input_ids: Tensor,
        labels: Tensor,
        *,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        document_ids: Tensor | None = None,
        reduction: Literal["mean", "sum"] = "mean",
    ) -> Tensor:
        """Cross-entropy in nats of `labels`, averaged over them or summed; never holds all logits.

        `labels` is int64 (batch, seq): `labels[b, t]` is the word that should be predicted *at*
        position t (nothing is shifted inside), -100 where nothing is to be predicted.
        """
        hidden = self.model(
            input_ids, attention_mask, position_ids=position_ids, document_ids=document_ids
        )
        if labels.shape != input_ids.shape:
            raise ValueError(
                f"labels have shape {tuple(labels.shape)}, input_ids {tuple(input_ids.shape)}"
            )
        return linear_cross_entropy(
            hidden.flatten(0, 1),
            self.lm_head.weight,
            self.lm_head.bias,
            labels.flatten(),
            reduction=reduction,
            kernels=self.model.kernels,
        )

    def compile_kernels(self) -> None:
        """From now on train with compiled element-wise arithmetic; needs a C++ or CUDA compiler."""
        self.model.use_kernels(compiled_kernels())

    def initialize_weights(self) -> None:
        """Draw every weight anew from torch's default generator: N(0, initializer_range)."""
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=self.config.initializer_range)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.lm_head.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The weights' type."""
        return self.lm_head.weight.dtype

    def num_parameters(self) -> int:
        """Number of weights, embedding and head included."""
        return sum(parameter.numel() for parameter in self.parameters())

    def flops_per_token(self, seq_len: int) -> int:
        """Floating-point operations to train on one token of a sequence of `seq_len`."""
        return self.config.flops_per_token(seq_len)

    def kv_bytes_per_token(self, dtype: torch.dtype) -> int:
        """Bytes that one position takes in a key-value cache of `dtype`."""
        return self.config.kv_bytes_per_token(dtype.itemsize)


class PhiDecoder(nn.Module):
    """Embedding, blocks and final LayerNorm: words in, hidden states out."""

    def __init__(self, config: PhiConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            PhiBlock(config, index) for index in range(config.num_hidden_layers)
        )
        self.final_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.kernels = default_kernels()

    def use_kernels(self, kernels: Kernels) -> None:
        """Train with these element-wise functions."""
        self.kernels = kernels
        for layer in self.layers:
            assert isinstance(layer, PhiBlock)
            layer.kernels = kernels

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        position_ids: Tensor | None = None,
        document_ids: Tensor | None = None,
        cache: KVCache | None = None,
    ) -> Tensor:
        """Hidden states (batch, seq, hidden) after the final LayerNorm; arguments as `Phi`'s."""
        if input_ids.dim() != 2:
            raise ValueError(f"input_ids must be (batch, seq), not {tuple(input_ids.shape)}")
        if cache is not None:
            cache.check_room(input_ids.shape[1])
        past = cache.length if cache is not None else 0
        _check_shapes(input_ids, past, attention_mask, position_ids, document_ids)
        if position_ids is None:
            position_ids = _positions(input_ids, attention_mask, past)
        visibility = Visibility(input_ids, past, attention_mask, document_ids)
        rotation = rotary_angles(position_ids, self.config)
        hidden = self.embed_tokens(input_ids)
        if self.training and self.config.embd_pdrop:
            hidden = functional.dropout(hidden, self.config.embd_pdrop)
        for layer in self.layers:
            hidden = layer(hidden, rotation, visibility, cache)
        if cache is not None:
            cache.length += input_ids.shape[1]
        return self.final_layernorm(hidden)


class PhiBlock(nn.Module):
    """x + attention(LayerNorm(x)) + MLP(LayerNorm(x)), one LayerNorm for both."""

    def __init__(self, config: PhiConfig, index: int) -> None:
        super().__init__()
        self.input_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.self_attn = PhiAttention(config, index)
        self.mlp = PhiMLP(config)
        self.dropout = config.resid_pdrop
        self.kernels = default_kernels()

    def forward(
        self, hidden: Tensor, rotation: Rotation, visibility: Visibility, cache: KVCache | None
    ) -> Tensor:
        """(batch, seq, hidden) in and out."""
        if cache is None and self.is_plain_training():
            return training_block(self, hidden, rotation, visibility)
        normed = self.input_layernorm(hidden)
        attention = self.self_attn(normed, rotation, visibility, cache)
        mlp = self.mlp(normed)
        if self.training and self.dropout:
            attention = functional.dropout(attention, self.dropout)
            mlp = functional.dropout(mlp, self.dropout)
        return attention + mlp + hidden

    def is_plain_training(self) -> bool:
        """Whether this pass trains all weights of unaltered layers, without hooks or dropout."""
        return (
            self.training
            and torch.is_grad_enabled()
            and not self.dropout
            and not self.self_attn.config.attention_dropout
            and all(_is_unaltered(module) for module in self.modules() if module is not self)
        )


def _is_unaltered(module: nn.Module) -> bool:
    if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks:
        return False
    if isinstance(module, (PhiAttention, PhiMLP, nn.LayerNorm)):
        return True
    return type(module) is nn.Linear and module.weight.requires_grad


class PhiMLP(nn.Module):
    """Two linear maps around the tanh form of GELU (arXiv 1606.08415), "gelu_new"."""

    def __init__(self, config: PhiConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.mlp_size)
        self.fc2 = nn.Linear(config.mlp_size, config.hidden_size)

    def forward(self, normed: Tensor) -> Tensor:
        """(batch, seq, hidden) in and out."""
        return self.fc2(functional.gelu(self.fc1(normed), approximate="tanh"))


class PhiAttention(nn.Module):
    """Causal multi-head attention with rotary positions in the first dimensions of each head."""

    def __init__(self, config: PhiConfig, index: int) -> None:
        super().__init__()
        self.config = config
        self.index = index
        width = config.hidden_size
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.dense = nn.Linear(width, width)

    def forward(
        self, normed: Tensor, rotation: Rotation, visibility: Visibility, cache: KVCache | None
    ) -> Tensor:
        """(batch, seq, hidden) in and out."""
        split = (*normed.shape[:2], self.config.num_attention_heads, self.config.head_dim)
        query = rotate(self.q_proj(normed).view(split), rotation).transpose(1, 2)
        key = rotate(self.k_proj(normed).view(split), rotation).transpose(1, 2)
        value = self.v_proj(normed).view(split).transpose(1, 2)
        if cache is not None:
            key, value = cache.append(self.index, key, value)
        dropout = self.config.attention_dropout if self.training else 0.0
        mixed = attend(query, key, value, visibility.mask, dropout)
        return self.dense(mixed.transpose(1, 2).flatten(2))


def rotary_angles(position_ids: Tensor, config: PhiConfig) -> Rotation:
    """Cosine and sine (batch or 1, seq, 1, rotary_dim / 2) of each position's angles.

    Frequency i is rope_theta^(-2i / rotary_dim) (arXiv 2104.09864), in float32 whatever the
    weights' type, as the released models were run.
    """
    steps = torch.arange(0, config.rotary_dim, 2, dtype=torch.float32, device=position_ids.device)
    frequencies = 1.0 / (config.rope_theta ** (steps / config.rotary_dim))
    angles = (position_ids[..., None].float() * frequencies)[:, :, None, :]
    return angles.cos(), angles.sin()


def rotate(heads: Tensor, rotation: Rotation) -> Tensor:
    """Rotate the first rotary_dim dimensions of (batch, seq, heads, head_dim).

    Dimension i is paired with i + rotary_dim / 2 (half-split, not interleaved).
    """
    cos, sin = rotation[0].to(heads.dtype), rotation[1].to(heads.dtype)
    half = cos.shape[-1]
    first, second, rest = heads.split((half, half, heads.shape[-1] - 2 * half), dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin, rest), dim=-1)


def _positions(input_ids: Tensor, attention_mask: Tensor | None, past: int) -> Tensor:
    length = input_ids.shape[1]
    if attention_mask is None:
        return torch.arange(past, past + length, device=input_ids.device)[None]
    return (attention_mask.long().cumsum(1) - 1).clamp_min(0)[:, past:]


def _check_shapes(
    input_ids: Tensor,
    past: int,
    attention_mask: Tensor | None,
    position_ids: Tensor | None,
    document_ids: Tensor | None,
) -> None:
    batch, length = input_ids.shape
    if attention_mask is not None and attention_mask.shape != (batch, past + length):
        raise ValueError(
            f"attention_mask must be (batch, cached + seq) = {(batch, past + length)}, "
            f"not {tuple(attention_mask.shape)}"
        )
    for name, ids in (("position_ids", position_ids), ("document_ids", document_ids)):
        if ids is not None and ids.shape[-1] != length:
            raise ValueError(f"{name} must have seq = {length} columns, not {ids.shape[-1]}")
    if document_ids is not None and past:
        raise ValueError("document_ids cannot be combined with a cache that is not empty")
