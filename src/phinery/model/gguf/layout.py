"""What a GGUF file of a Phi holds, in llama.cpp's names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from phinery.model import layouts
from phinery.model.config import PhiConfig

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType

ARCHITECTURE = "phi2"
# Elements at a time of a tensor on its way: 1 MiB as float32.
SLAB = 2**18


class Place(NamedTuple):
    """A tensor of the file: its name, its shape, and our parameters whose rows it holds in turn."""

    name: str
    shape: tuple[int, ...]
    parameters: tuple[str, ...]


_BLOCK_MODULES = {
    "attn_norm": ("input_layernorm",),
    "attn_qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attn_output": ("self_attn.dense",),
    "ffn_up": ("mlp.fc1",),
    "ffn_down": ("mlp.fc2",),
}


def places(config: PhiConfig) -> Iterator[Place]:
    """Every tensor of a Phi in llama.cpp's names."""
    shapes = layouts.shapes(config)
    for name, parameters in _names(config.num_hidden_layers):
        rows, *inputs = shapes[parameters[0]]
        yield Place(name, (len(parameters) * rows, *inputs), parameters)


def _names(num_layers: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A tensor's name in the file, and our names of what it holds."""
    yield "token_embd.weight", ("model.embed_tokens.weight",)
    for layer in range(num_layers):
        for module, ours in _BLOCK_MODULES.items():
            for kind in ("weight", "bias"):
                parameters = tuple(f"model.layers.{layer}.{name}.{kind}" for name in ours)
                yield f"blk.{layer}.{module}.{kind}", parameters
    for module, name in (("output_norm", "model.final_layernorm"), ("output", "lm_head")):
        for kind in ("weight", "bias"):
            yield f"{module}.{kind}", (f"{name}.{kind}",)


def row_bytes(kind: GGMLQuantizationType, shape: tuple[int, ...]) -> int:
    """Bytes of one row of a tensor."""
    from gguf import GGML_QUANT_SIZES

    block, size = GGML_QUANT_SIZES[kind]
    return shape[-1] // block * size
