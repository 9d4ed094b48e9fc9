"""A block's maps on rows of tokens, (n, hidden) in and out, without a batch dimension.

They are the modules of a `Phi` itself: hooks run, and replaced layers count. Unaltered linear maps
go through the faster of torch's libraries.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from phinery.model.attention import Rotation
from phinery.model.decoder import PhiAttention, PhiBlock, rotate
from phinery.model.products import linear


def project(module: PhiAttention, normed: Tensor, rotation: Rotation) -> tuple[Tensor, ...]:
    """Queries, keys (both rotated) and values, each (n, heads, head_dim)."""
    config = module.config
    split = (1, -1, config.num_attention_heads, config.head_dim)
    query = rotate(apply_linear(module.q_proj, normed).view(split), rotation)[0]
    key = rotate(apply_linear(module.k_proj, normed).view(split), rotation)[0]
    return query, key, apply_linear(module.v_proj, normed).view(split)[0]


def finish_block(layer: PhiBlock, mixed: Tensor, normed: Tensor, hidden: Tensor) -> Tensor:
    """A block's output from what attention gathered, the LayerNorm's output and the input."""
    mlp = layer.mlp
    if _has_hooks(mlp):
        expanded = mlp(normed)
    else:
        raised = functional.gelu(apply_linear(mlp.fc1, normed), approximate="tanh")
        expanded = apply_linear(mlp.fc2, raised)
    return apply_linear(layer.self_attn.dense, mixed) + expanded + hidden


def apply_linear(module: nn.Module, inputs: Tensor) -> Tensor:
    """A linear map of (rows, in)."""
    if type(module) is nn.Linear and not _has_hooks(module):
        return linear(inputs, module.weight, module.bias)
    return module(inputs)


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)
