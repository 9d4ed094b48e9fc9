"""Names of a Phi's tensors in files: Hugging Face's, and the two that Microsoft released before.

- `phi`: our own names, those of transformers' `PhiForCausalLM`.
- `mixformer-sequential` (phi-1 and phi-1.5 at first): one sequence `layers.0` to `layers.L+1`.
- `phi-msft` (phi-2 at first): `transformer.h.0` to `transformer.h.L-1` and `lm_head`.

Both old ones keep query, key and value in one `Wqkv` whose rows are (three, heads, head_dim), and
describe the shape with GPT-2's names (`n_embd`, `n_layer`, ...). Their rotary positions are
half-split, as ours are. Source: `modeling_mixformer_sequential.py` and `modeling_phi.py` of those
releases, and transformers' `convert_phi_weights_to_hf.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from phinery.model.config import PhiConfig

PHI = "phi"
MIXFORMER = "mixformer-sequential"
PHI_MSFT = "phi-msft"
LAYOUTS = (PHI, MIXFORMER, PHI_MSFT)


class Source(NamedTuple):
    """A parameter's place: the `part`-th of `parts` equal pieces of a tensor's rows."""

    tensor: str
    part: int = 0
    parts: int = 1


# A block's modules: our name, then the old layouts' name and the piece of it.
_BLOCK_MODULES = {
    "input_layernorm": Source("ln"),
    "self_attn.q_proj": Source("mixer.Wqkv", 0, 3),
    "self_attn.k_proj": Source("mixer.Wqkv", 1, 3),
    "self_attn.v_proj": Source("mixer.Wqkv", 2, 3),
    "self_attn.dense": Source("mixer.out_proj"),
    "mlp.fc1": Source("mlp.fc1"),
    "mlp.fc2": Source("mlp.fc2"),
}


def sources(layout: str, num_layers: int) -> Iterator[tuple[str, Source]]:
    """Every parameter of a Phi by our name, in the model's order, and where `layout` keeps it."""
    embedding, blocks, first_block, norm, head = _outer_modules(layout, num_layers)
    yield "model.embed_tokens.weight", Source(f"{embedding}.weight")
    for layer in range(num_layers):
        for module, source in _BLOCK_MODULES.items():
            old = module if layout == PHI else source.tensor
            part = (0, 1) if layout == PHI else source[1:]
            for kind in ("weight", "bias"):
                name = f"{blocks}.{first_block + layer}.{old}.{kind}"
                yield f"model.layers.{layer}.{module}.{kind}", Source(name, *part)
    for module, old in (("model.final_layernorm", norm), ("lm_head", head)):
        for kind in ("weight", "bias"):
            yield f"{module}.{kind}", Source(f"{old}.{kind}")


def shapes(config: PhiConfig) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter of a Phi, by our names and in the model's order."""
    width, mlp, vocabulary = config.hidden_size, config.mlp_size, config.vocab_size
    of_module = {
        "embed_tokens": (vocabulary, width),
        "lm_head": (vocabulary, width),
        "fc1": (mlp, width),
        "fc2": (width, mlp),
    }
    result: dict[str, tuple[int, ...]] = {}
    for name, _ in sources(PHI, config.num_hidden_layers):
        module, kind = name.split(".")[-2:]
        outputs, inputs = of_module.get(module, (width, width))
        is_matrix = kind == "weight" and not module.endswith("layernorm")
        result[name] = (outputs, inputs) if is_matrix else (outputs,)
    return result


def embedding_name(layout: str) -> str:
    """The name of the embedding's tensor in a layout."""
    return f"{_outer_modules(layout, 0)[0]}.weight"


def _outer_modules(layout: str, num_layers: int) -> tuple[str, str, int, str, str]:
    """Names of embedding, blocks, the first block's number, last LayerNorm and head."""
    if layout == PHI:
        return "model.embed_tokens", "model.layers", 0, "model.final_layernorm", "lm_head"
    if layout == MIXFORMER:
        last = f"layers.{num_layers + 1}"
        return "layers.0.wte", "layers", 1, f"{last}.ln", f"{last}.linear"
    assert layout == PHI_MSFT
    return "transformer.embd.wte", "transformer.h", 0, "lm_head.ln", "lm_head.linear"


def is_derived(name: str) -> bool:
    """Whether a stored tensor is a buffer that follows from the configuration."""
    return name.endswith("rotary_emb.inv_freq")


def read_config(values: Mapping[str, Any], *, embedding_rows: int | None = None) -> PhiConfig:
    """Read a `config.json` of any of the three layouts, told apart by its `model_type`.

    The old configuration classes round `vocab_size` up to a multiple of 64 when they are made; when
    that is how many `embedding_rows` the file has, the rounded number is taken. Raises ValueError
    for other models and for variants that are no Phi.
    """
    _refuse_odd_values(values)
    if values.get("model_type") not in (MIXFORMER, PHI_MSFT):
        return PhiConfig.from_dict(values)
    old = {key: _whole_number(values, key) for key in ("vocab_size", "n_embd", "n_layer", "n_head")}
    vocab_size = old["vocab_size"]
    if embedding_rows == -(-vocab_size // 64) * 64:
        vocab_size = embedding_rows
    head_dim = max(old["n_embd"] // old["n_head"], 1)
    rotary_dim = values.get("rotary_dim", 32)
    if not isinstance(rotary_dim, int):
        raise ValueError(f"rotary_dim must be a whole number, not {rotary_dim!r}")
    new: dict[str, Any] = {
        "model_type": PHI,
        "vocab_size": vocab_size,
        "hidden_size": old["n_embd"],
        "num_hidden_layers": old["n_layer"],
        "num_attention_heads": old["n_head"],
        "num_key_value_heads": values.get("n_head_kv") or None,
        "partial_rotary_factor": rotary_factor(min(rotary_dim, head_dim), head_dim),
        "max_position_embeddings": values.get("n_positions", 2048),
        "intermediate_size": values.get("n_inner"),
        "layer_norm_eps": values.get("layer_norm_epsilon", 1e-5),
        "hidden_act": values.get("activation_function", "gelu_new"),
        "attention_dropout": values.get("attn_pdrop", 0.0),
    }
    same = ("embd_pdrop", "resid_pdrop", "initializer_range", "tie_word_embeddings")
    same += ("bos_token_id", "eos_token_id", "pad_token_id")
    return PhiConfig.from_dict({**new, **{key: values[key] for key in same if key in values}})


def _refuse_odd_values(values: Mapping[str, Any]) -> None:
    if values.get("quantization_config"):
        raise ValueError("quantization_config is set; only plain floating-point weights are read")
    for key in ("rope_parameters", "rope_scaling"):
        if not isinstance(values.get(key), (dict, type(None))):
            raise ValueError(f"{key} must be an object or null, not {values[key]!r}")
    for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
        ids = values.get(key)
        for token_id in ids if isinstance(ids, list) else [ids]:
            if not isinstance(token_id, (int, type(None))):
                raise ValueError(f"{key} must be a token's number, not {token_id!r}")


def _whole_number(values: Mapping[str, Any], key: str) -> int:
    value = values.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{key} must be a positive whole number, not {value!r}")
    return value


def rotary_factor(rotary_dim: int, head_dim: int) -> float:
    """The share of a head that is rotated, such that share x head_dim truncates to rotary_dim."""
    factor = rotary_dim / head_dim
    return factor if int(head_dim * factor) == rotary_dim else math.nextafter(factor, math.inf)
