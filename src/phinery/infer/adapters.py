"""LoRA adapters in peft's layout, read with numpy.

A folder has `adapter_config.json` and `adapter_model.safetensors`. An adapted linear map adds
scale * B A x to its output (arXiv 2106.09685), A being (rank, in) and B (out, rank); scale is
lora_alpha / rank, or lora_alpha / sqrt(rank) with `use_rslora` (arXiv 2312.03732).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from phinery.model.config import PhiConfig

TARGETS = ("q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2")

_NAME = re.compile(
    r"base_model\.model\.model\.layers\.(\d+)\.(?:self_attn|mlp)\.(\w+)\.lora_([AB])\.weight"
)
# Settings of peft that would change the computation, and the values at which they do not.
_PLAIN: dict[str, tuple[Any, ...]] = {
    "bias": ("none", None),
    "use_dora": (False, None),
    "fan_in_fan_out": (False, None),
    "modules_to_save": (None, []),
    "layer_replication": (None, []),
    "alora_invocation_tokens": (None, []),
}


@dataclass(frozen=True, slots=True)
class LowRank:
    """What is added to one linear map: `up @ down`, float32.

    `down` is (rank, in), `up` is (out, rank) with the scale multiplied in.
    """

    down: NDArray[np.float32]
    up: NDArray[np.float32]


def read_adapter(directory: str | Path, config: PhiConfig) -> dict[tuple[int, str], LowRank]:
    """The adapted maps of a folder, by layer and name (one of `TARGETS`).

    Raises ValueError, in one line that names the folder, for what is missing, damaged, of another
    kind or does not fit a model of this configuration.
    """
    folder = Path(directory)
    try:
        return _read(folder, config)
    except (OSError, ValueError) as error:
        raise ValueError(f"adapter {folder}: {' '.join(str(error).split())}") from error


def _read(folder: Path, config: PhiConfig) -> dict[tuple[int, str], LowRank]:
    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    if not isinstance(settings, dict):
        raise ValueError("adapter_config.json holds no object")
    if settings.get("peft_type") != "LORA":
        raise ValueError(f"peft_type is {settings.get('peft_type')!r}; only LORA is supported")
    for key, plain in _PLAIN.items():
        if settings.get(key) not in plain:
            raise ValueError(f"{key} {settings[key]!r} is not supported")
    parts: dict[tuple[int, str], dict[str, NDArray[np.float32]]] = {}
    for name, tensor in _tensors(folder / "adapter_model.safetensors").items():
        match = _NAME.fullmatch(name)
        if match is None or match[2] not in TARGETS or int(match[1]) >= config.num_hidden_layers:
            raise ValueError(f"{name} is for no linear map of the model's layers")
        parts.setdefault((int(match[1]), match[2]), {})[match[3]] = tensor
    if not parts:
        raise ValueError("there are no weights in it")
    return {key: _low_rank(key, pair, settings, config) for key, pair in sorted(parts.items())}


def _low_rank(
    key: tuple[int, str],
    pair: Mapping[str, NDArray[np.float32]],
    settings: Mapping[str, Any],
    config: PhiConfig,
) -> LowRank:
    layer, name = key
    if set(pair) != {"A", "B"}:
        raise ValueError(f"layer {layer}'s {name} has no lora_{'B' if 'A' in pair else 'A'}")
    inputs = config.mlp_size if name == "fc2" else config.hidden_size
    outputs = config.mlp_size if name == "fc1" else config.hidden_size
    down, up = pair["A"], pair["B"]
    rank = down.shape[0]
    if down.shape != (rank, inputs) or up.shape != (outputs, rank) or not rank:
        raise ValueError(
            f"layer {layer}'s {name} has shapes {down.shape} and {up.shape}; "
            f"(rank, {inputs}) and ({outputs}, rank) would fit the model"
        )
    alpha = _of_module(settings.get("alpha_pattern"), key, settings.get("lora_alpha", 8))
    stated = _of_module(settings.get("rank_pattern"), key, settings.get("r", rank))
    if stated != rank:
        raise ValueError(f"layer {layer}'s {name} has rank {rank}; its configuration says {stated}")
    scale = alpha / (math.sqrt(rank) if settings.get("use_rslora") else rank)
    return LowRank(down, up * np.float32(scale))


def _of_module(patterns: Any, key: tuple[int, str], default: float) -> float:
    """As peft looks up: a pattern, a regular expression, is the end of a module's path."""
    layer, name = key
    room = "mlp" if name in ("fc1", "fc2") else "self_attn"
    path = f"model.layers.{layer}.{room}.{name}"
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", path):
            return value
    return default


def _tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Every tensor of a safetensors file, as float32."""
    import safetensors

    try:
        stored = safetensors.deserialize(path.read_bytes())
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path.name} is no safetensors file: {error}") from error
    return {name: _to_float32(name, tensor) for name, tensor in stored}


def _to_float32(name: str, tensor: Mapping[str, Any]) -> NDArray[np.float32]:
    data, shape = tensor["data"], tensor["shape"]
    kind = tensor["dtype"]
    if kind == "BF16":
        bits = np.frombuffer(data, dtype="<u2").astype(np.uint32) << np.uint32(16)
        return bits.view(np.float32).reshape(shape)
    types = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}
    if kind not in types:
        raise ValueError(f"{name} is of type {kind}; F32, F16 or BF16 would do")
    return np.frombuffer(data, dtype=types[kind]).astype(np.float32).reshape(shape)
