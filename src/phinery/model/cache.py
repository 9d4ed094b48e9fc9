"""The key-value cache of incremental decoding: one preallocated pair of tensors a layer."""

from __future__ import annotations

import torch
from torch import Tensor

from phinery.model.config import PhiConfig


class KVCache:
    """Keys (rotated) and values of every layer for up to `max_length` positions.

    `keys` and `values` have shape (layers, batch, heads, max_length, head_dim). A forward pass
    writes its positions behind the `length` already there; `length` grows when the pass is done.
    Raises ValueError when a pass would not fit.
    """

    def __init__(
        self,
        config: PhiConfig,
        batch: int,
        max_length: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        shape = (
            config.num_hidden_layers,
            batch,
            config.num_attention_heads,
            max_length,
            config.head_dim,
        )
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.max_length = max_length
        self.length = 0

    def check_room(self, positions: int) -> None:
        """Raise ValueError when `positions` more do not fit."""
        if self.length + positions > self.max_length:
            raise ValueError(
                f"the key-value cache holds {self.max_length} positions, {self.length} are taken "
                f"and {positions} more do not fit: give it a larger max_length"
            )

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Store a layer's new keys and values (batch, heads, seq, head_dim); return all so far."""
        end = self.length + key.shape[2]
        self.keys[layer, :, :, self.length : end] = key
        self.values[layer, :, :, self.length : end] = value
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def keep_rows(self, rows: Tensor) -> None:
        """Keep only these batch rows (int64 indices), in this order."""
        self.keys = self.keys[:, rows]
        self.values = self.values[:, rows]
