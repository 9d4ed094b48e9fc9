"""The shapes and formats of the decoding benchmark, and the bytes that a step reads.

Standard library only: every participant's environment imports it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

FORMATS = ("bf16", "int8", "int4")
GROUP = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """A Phi's shape; the fields have Hugging Face's names, the MLP is 4 x hidden."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    partial_rotary_factor: float
    max_position_embeddings: int = 2048

    @classmethod
    def of(cls, config: dict[str, Any]) -> Shape:
        """Of a Hugging Face `config.json`."""
        rotary = config.get("rope_parameters") or {}
        factor = config.get("partial_rotary_factor", rotary.get("partial_rotary_factor", 0.5))
        names = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
        return cls(
            **{name: config[name] for name in names},
            partial_rotary_factor=factor,
            max_position_embeddings=config.get("max_position_embeddings", 2048),
        )

    @property
    def intermediate_size(self) -> int:
        """Width of the MLP."""
        return 4 * self.hidden_size

    @property
    def head_dim(self) -> int:
        """Width of a head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def embedding_weights(self) -> int:
        """Weights of the embedding: a step looks up a row of it for each token, and no more."""
        return self.vocab_size * self.hidden_size

    @property
    def matrix_weights(self) -> int:
        """Weights that multiply: the layers' matrices and the head."""
        return 12 * self.num_hidden_layers * self.hidden_size**2 + self.embedding_weights

    @property
    def num_parameters(self) -> int:
        """Number of weights, embedding, head, biases and norms included."""
        width = self.hidden_size
        vectors = self.num_hidden_layers * 11 * width + 2 * width + self.vocab_size
        return self.matrix_weights + self.embedding_weights + vectors

    def flops_per_token(self, position: float) -> float:
        """Floating-point operations of a token at `position`: two for each weight that multiplies,
        and four x hidden a layer for each position that it attends to.
        """
        attention = 4 * self.num_hidden_layers * self.hidden_size * (position + 1)
        return 2 * self.matrix_weights + attention

    def kv_bytes(self, position: float) -> float:
        """Bytes of 16-bit keys and values that a sequence's token at `position` attends to."""
        return 2 * 2 * self.num_hidden_layers * self.hidden_size * (position + 1)

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Hugging Face's names and sizes of all weights, in the order of a checkpoint."""
        width = self.hidden_size
        layer = {
            "input_layernorm": (width,),
            "self_attn.q_proj": (width, width),
            "self_attn.k_proj": (width, width),
            "self_attn.v_proj": (width, width),
            "self_attn.dense": (width, width),
            "mlp.fc1": (self.intermediate_size, width),
            "mlp.fc2": (width, self.intermediate_size),
        }
        modules: dict[str, tuple[int, ...]] = {}
        for index in range(self.num_hidden_layers):
            modules |= {f"model.layers.{index}.{name}": size for name, size in layer.items()}
        modules |= {"model.final_layernorm": (width,), "lm_head": (self.vocab_size, width)}
        tensors: dict[str, tuple[int, ...]] = {
            "model.embed_tokens.weight": (self.vocab_size, width)
        }
        for name, size in modules.items():
            tensors |= {f"{name}.weight": size, f"{name}.bias": size[:1]}
        return tensors


SHAPES = {
    "nano": Shape(
        vocab_size=4096,
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=2,
        partial_rotary_factor=0.5,
    ),
    "small": Shape(
        vocab_size=51200,
        hidden_size=768,
        num_hidden_layers=12,
        num_attention_heads=12,
        partial_rotary_factor=0.5,
    ),
    "phi-1.5": Shape(
        vocab_size=51200,
        hidden_size=2048,
        num_hidden_layers=24,
        num_attention_heads=32,
        partial_rotary_factor=0.5,
    ),
    "phi-2": Shape(
        vocab_size=51200,
        hidden_size=2560,
        num_hidden_layers=32,
        num_attention_heads=32,
        partial_rotary_factor=0.4,
    ),
}
