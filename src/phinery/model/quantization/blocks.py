"""A Phi's blocks run one at a time, in float32, with what each linear map is given."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from phinery.model.attention import Visibility
from phinery.model.decoder import Phi, PhiBlock, rotary_angles

READ_NORMED = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.fc1")
"""The linear maps of a block that read its LayerNorm."""
READ_THEIRS = ("self_attn.dense", "mlp.fc2")
"""Those that read what comes of these."""
LINEARS = READ_NORMED + READ_THEIRS
HEAD = "lm_head"
# Sequences that go through a block at once.
BATCH = 8


def linear_of(module: nn.Module, name: str) -> nn.Linear:
    """The linear map of that name below `module`."""
    found = module.get_submodule(name)
    assert isinstance(found, nn.Linear)
    return found


def block_of(model: Phi, index: int) -> PhiBlock:
    """A block, in float32 and evaluation mode: the model's own if it is so, or else a copy."""
    block = model.model.layers[index]
    assert isinstance(block, PhiBlock)
    return block if model.dtype == torch.float32 and not block.training else copied(block)


def copied(block: PhiBlock) -> PhiBlock:
    """A copy of a block in float32 and evaluation mode."""
    return copy.deepcopy(block).float().eval()


def embed(model: Phi, tokens: Tensor) -> list[Tensor]:
    """The hidden states (batch, seq, hidden) that the first block is given, for batches of tokens
    (sequences, seq).
    """
    return [model.model.embed_tokens(batch).float() for batch in tokens.split(BATCH)]


def run_block(
    block: PhiBlock, hidden: list[Tensor], see: Callable[[str, Tensor], None] | None = None
) -> list[Tensor]:
    """What a block makes of batches of hidden states (batch, seq, hidden).

    `see` is told the name and the input (batch, seq, in) of each linear map.
    """
    hooks = [] if see is None else [_tell(see, block, name) for name in LINEARS]
    try:
        return [_run(block, batch) for batch in hidden]
    finally:
        for hook in hooks:
            hook.remove()


def _tell(see: Callable[[str, Tensor], None], block: PhiBlock, name: str) -> RemovableHandle:
    def tell(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
        see(name, arguments[0])

    return linear_of(block, name).register_forward_pre_hook(tell)


def _run(block: PhiBlock, hidden: Tensor) -> Tensor:
    position_ids = torch.arange(hidden.shape[1], device=hidden.device)[None]
    rotation = rotary_angles(position_ids, block.self_attn.config)
    # Nothing is masked or packed, so of its input_ids only the length matters.
    return block(hidden, rotation, Visibility(position_ids), None)
