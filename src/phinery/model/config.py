"""What a Phi is: its shape as a frozen configuration with Hugging Face's key names, and presets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhiConfig:
    """The shape of a Phi decoder. Fields are the keys of Hugging Face's `config.json`.

    `intermediate_size=None` means four times `hidden_size`. Raises ValueError, in one line that
    names the field, when the values do not make a model.
    """

    vocab_size: int = 51200
    hidden_size: int = 2048
    intermediate_size: int | None = None
    num_hidden_layers: int = 24
    num_attention_heads: int = 32
    partial_rotary_factor: float = 0.5
    rope_theta: float = 10000.0
    max_position_embeddings: int = 2048
    layer_norm_eps: float = 1e-5
    initializer_range: float = 0.02
    attention_dropout: float = 0.0
    embd_pdrop: float = 0.0
    resid_pdrop: float = 0.0
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None

    def __post_init__(self) -> None:
        if self.intermediate_size is None and isinstance(self.hidden_size, int):
            object.__setattr__(self, "intermediate_size", 4 * self.hidden_size)
        for name in _POSITIVE_INTEGERS:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a positive whole number, not {value!r}")
        for name in _POSITIVE_NUMBERS:
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 < value < math.inf:
                raise ValueError(f"{name} must be a positive number, not {value!r}")
        for name in ("attention_dropout", "embd_pdrop", "resid_pdrop"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 <= value < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, not {value!r}")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not divisible by "
                f"num_attention_heads {self.num_attention_heads}"
            )
        if not 2 <= self.rotary_dim <= self.head_dim or self.rotary_dim % 2:
            raise ValueError(
                f"partial_rotary_factor {self.partial_rotary_factor} of head size {self.head_dim} "
                f"gives {self.rotary_dim} rotary dimensions; it must give an even number from 2 "
                f"to {self.head_dim}"
            )

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def rotary_dim(self) -> int:
        """How many leading dimensions of a head are rotated by position."""
        return int(self.head_dim * self.partial_rotary_factor)

    @property
    def mlp_size(self) -> int:
        """`intermediate_size` with its default resolved."""
        assert self.intermediate_size is not None
        return self.intermediate_size

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PhiConfig:
        """Read the content of a Hugging Face `config.json` of a Phi.

        Keys that do not change the computation are ignored. Raises ValueError for a key that asks
        for something else than the Phi that Microsoft released (other activation, grouped key and
        value heads, query and key norms, tied embeddings, scaled rotary positions).
        """
        _refuse_variants(values)
        known = {field.name for field in dataclasses.fields(cls)}
        chosen: dict[str, Any] = {
            key: value
            for key, value in values.items()
            if key in known and (value is not None or key.endswith("_token_id"))
        }
        rotary = values.get("rope_parameters") or values.get("rope_scaling") or {}
        for key in ("rope_theta", "partial_rotary_factor"):
            if key not in chosen and key in rotary:
                chosen[key] = rotary[key]
        eos = chosen.get("eos_token_id")
        if isinstance(eos, list):
            chosen["eos_token_id"] = eos[0] if eos else None
        return cls(**chosen)

    def to_dict(self) -> dict[str, Any]:
        """Content of a Hugging Face `config.json` that transformers 4 and 5 open as this model."""
        return {
            "architectures": ["PhiForCausalLM"],
            "model_type": "phi",
            **dataclasses.asdict(self),
            "num_key_value_heads": self.num_attention_heads,
            "hidden_act": "gelu_new",
            "qk_layernorm": False,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": self.rope_theta,
                "partial_rotary_factor": self.partial_rotary_factor,
            },
            "rope_scaling": None,
            "tie_word_embeddings": False,
            "use_cache": True,
        }

    def num_parameters(self) -> int:
        """Number of weights, embedding and head included."""
        width, mlp = self.hidden_size, self.mlp_size
        block = 2 * width + 4 * (width * width + width) + 2 * width * mlp + mlp + width
        return (
            2 * self.vocab_size * width
            + self.vocab_size
            + self.num_hidden_layers * block
            + 2 * width
        )

    def flops_per_token(self, seq_len: int) -> int:
        """Floating-point operations to train on one token: forward and backward, no recomputation.

        Six for each weight that multiplies (embedding look-up excluded), and for each layer
        12 x hidden x seq_len for the scores and the weighted sum over all `seq_len` positions,
        the convention of PaLM's appendix B (arXiv 2204.02311), which does not halve for causality.
        """
        width = self.hidden_size
        block = 4 * width * width + 2 * width * self.mlp_size
        matmul_weights = self.num_hidden_layers * block + self.vocab_size * width
        return 6 * matmul_weights + 12 * self.num_hidden_layers * width * seq_len

    def kv_bytes_per_token(self, bytes_per_value: int) -> int:
        """Bytes that one position adds to the key-value cache."""
        return 2 * self.num_hidden_layers * self.hidden_size * bytes_per_value


_POSITIVE_INTEGERS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
)
_POSITIVE_NUMBERS = ("partial_rotary_factor", "rope_theta", "layer_norm_eps", "initializer_range")


def _refuse_variants(values: Mapping[str, Any]) -> None:
    model_type = values.get("model_type", "phi")
    if model_type != "phi":
        raise ValueError(f"model_type is {model_type!r}, not 'phi': this is another architecture")
    activation = values.get("hidden_act", "gelu_new")
    if activation not in ("gelu_new", "gelu_pytorch_tanh"):
        raise ValueError(f"hidden_act {activation!r} is not supported; a Phi has 'gelu_new'")
    if values.get("qk_layernorm"):
        raise ValueError(
            "qk_layernorm is true; only Phis without query and key norms are supported"
        )
    if values.get("tie_word_embeddings"):
        raise ValueError("tie_word_embeddings is true; a Phi has a head of its own")
    heads = values.get("num_attention_heads", 32)
    if values.get("num_key_value_heads") not in (None, heads):
        raise ValueError(
            f"num_key_value_heads {values['num_key_value_heads']} differs from "
            f"num_attention_heads {heads}; grouped heads are not supported"
        )
    scaling = values.get("rope_scaling") or values.get("rope_parameters") or {}
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind != "default":
        raise ValueError(f"rotary positions of type {kind!r} are not supported, only 'default'")


def _ladder(width: int, layers: int) -> dict[str, Any]:
    """A size with heads of 64 and 32 rotary dimensions throughout."""
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 64,
        "partial_rotary_factor": 0.5,
    }


# Microsoft's four released or reported sizes (arXiv 2306.11644, 2309.05463; phi-2's config.json),
# and a ladder of sizes with heads of 64, so that each can grow into the next without loss.
_PRESETS: dict[str, dict[str, Any]] = {
    "nano": _ladder(128, 4),
    "micro": _ladder(256, 4),
    "mini": _ladder(512, 6),
    "small": _ladder(768, 12),
    "medium": _ladder(1024, 20),
    "phi-1-small": _ladder(1024, 20),
    "phi-1": _ladder(2048, 24),
    "phi-1.5": _ladder(2048, 24),
    "phi-2": {
        "hidden_size": 2560,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "partial_rotary_factor": 0.4,
    },
}


def preset(name: str, **overrides: Any) -> PhiConfig:
    """The configuration of a named size; `overrides` replace fields.

    Names: nano, micro, mini, small, medium (= phi-1-small), phi-1, phi-1.5, phi-2. Raises
    ValueError for another name or an override that is no field.
    """
    if name not in _PRESETS:
        raise ValueError(f"no model size is called {name!r}; there are {', '.join(_PRESETS)}")
    fields = {field.name for field in dataclasses.fields(PhiConfig)}
    for key in overrides:
        if key not in fields:
            raise ValueError(f"{key!r} is no field of a Phi; there are {', '.join(sorted(fields))}")
    return PhiConfig(**{**_PRESETS[name], **overrides})
