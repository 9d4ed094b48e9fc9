"""A quantised Phi as a folder: `config.json`, `model.safetensors`, tokenizer, card, manifest."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from phinery.files import atomic_directory, write_json
from phinery.model.config import PhiConfig
from phinery.model.decoder import Phi
from phinery.model.folder import (
    CONFIG,
    WEIGHTS,
    check_folder,
    check_manifest,
    check_replaceable,
    read_config_values,
    read_headers,
)
from phinery.model.quantization.quantize import METHODS, QuantizedPhi, quantized_names
from phinery.model.quantization.rounding import GROUP_SIZE, QuantizedWeight
from phinery.model.safetensors_io import WEIGHT_TYPES, read_into
from phinery.model.stored import CheckpointError, StoredTensor, shown
from phinery.text import Tokenizer

_KEY = "quantization_config"
_QUANT_METHOD = "phinery"
_CODE_TYPES = {"I8": np.dtype(np.int8), "U8": np.dtype(np.uint8)}
_SPECIAL = ("bos_token_id", "eos_token_id", "pad_token_id")


def save_quantized(
    quantized: QuantizedPhi,
    tokenizer: Tokenizer,
    directory: str | Path,
    *,
    figures: Mapping[str, str] | None = None,
) -> None:
    """Write a quantised model's folder, whole or not at all.

    `figures` are rows of the model card, as in "perplexity before": "12.3". A model that Phinery
    wrote there before is replaced; CheckpointError when something else is in the way.
    """
    folder = Path(directory).resolve()
    check_replaceable(folder)
    config = quantized.config
    special = {name: _special_id(config, tokenizer, name) for name in _SPECIAL}
    special = {name: number for name, number in special.items() if number is not None}
    entry: dict[str, Any] = {"quant_method": _QUANT_METHOD, "bits": quantized.bits}
    if quantized.bits == 4:
        entry["group_size"] = GROUP_SIZE
    entry |= {"head_bits": 8, "rounding": quantized.method}
    tensors = {name: tensor.contiguous() for name, tensor in quantized.others.items()}
    for name, weight in quantized.linears.items():
        tensors[f"{name}.weight"] = weight.packed()
        tensors[f"{name}.weight_scale"] = weight.scale
    dtype = str(tensors["model.embed_tokens.weight"].dtype).removeprefix("torch.")
    with atomic_directory(folder, kind="model") as temporary:
        write_json(temporary / CONFIG, {**config.to_dict(), **special, "dtype": dtype, _KEY: entry})
        write_json(temporary / "generation_config.json", special)
        tokenizer.save(temporary)
        (temporary / "README.md").write_text(_card(quantized, figures or {}), encoding="utf-8")
        save_file(tensors, temporary / WEIGHTS, metadata={"format": "pt"})
        # safetensors' writer leaves a file that only its owner may read.
        shutil.copymode(temporary / CONFIG, temporary / WEIGHTS)


def is_quantized(values: Mapping[str, Any]) -> bool:
    """Whether `values`, of a `config.json`, are those of a folder that `save_quantized` wrote."""
    entry = values.get(_KEY)
    return isinstance(entry, dict) and entry.get("quant_method") == _QUANT_METHOD


def load_quantized(directory: str | Path) -> tuple[Phi, Tokenizer]:
    """The Phi that a quantised folder's codes stand for, in float32, and the tokenizer.

    Raises CheckpointError in one line for whatever is not right.
    """
    quantized, tokenizer = read_quantized(directory)
    return quantized.dequantize(), tokenizer


def read_quantized(directory: str | Path) -> tuple[QuantizedPhi, Tokenizer]:
    """A quantised folder as it was when it was saved. Raises CheckpointError."""
    folder = check_folder(directory)
    check_manifest(folder)
    values = read_config_values(folder)
    if not is_quantized(values):
        raise CheckpointError(
            f"{folder} is no quantised model of Phinery: its {CONFIG} has no {_KEY}"
        )
    bits, method = _checked_entry(folder, values[_KEY])
    try:
        config = PhiConfig.from_dict(values)
        tokenizer = Tokenizer.load(folder)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder}: {' '.join(str(error).split())}") from error
    stored = read_headers(folder)
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in Phi(config).state_dict().items()}
    names = quantized_names(config)
    linears: dict[str, QuantizedWeight] = {}
    others: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        module = name.removesuffix(".weight")
        if module in names:
            linears[module] = _read_weight(
                folder, stored, module, shape, 8 if module == "lm_head" else bits
            )
        else:
            others[name] = _read(_find(folder, stored, name, shape, tuple(WEIGHT_TYPES)))
    if left := stored.keys() - shapes.keys() - {f"{name}.weight_scale" for name in names}:
        raise CheckpointError(
            f"{folder / WEIGHTS}: tensor {shown(min(left))} is no part of this model"
        )
    return QuantizedPhi(config, bits, method, linears, others), tokenizer


def _checked_entry(folder: Path, entry: Mapping[str, Any]) -> tuple[int, Any]:
    bits, method = entry.get("bits"), entry.get("rounding", "rtn")
    known = entry.get("head_bits") == 8 and method in METHODS
    if bits not in (4, 8) or not known or (bits == 4 and entry.get("group_size") != GROUP_SIZE):
        raise CheckpointError(
            f"{folder / CONFIG}: {_KEY} is {shown(dict(entry))}; only 8 bits, and 4 bits in groups "
            f"of {GROUP_SIZE}, both with a head of 8, are read"
        )
    return bits, method


def _read_weight(
    folder: Path, stored: Mapping[str, StoredTensor], name: str, shape: tuple[int, ...], bits: int
) -> QuantizedWeight:
    rows, columns = shape
    codes, scale = f"{name}.weight", f"{name}.weight_scale"
    if bits == 8:
        code_type, code_shape, scale_type, scale_shape = "I8", shape, "F32", (rows,)
    else:
        code_type, code_shape = "U8", (rows, columns // 2)
        scale_type, scale_shape = "F16", (rows, columns // GROUP_SIZE)
    return QuantizedWeight.unpacked(
        bits,
        _read(_find(folder, stored, codes, code_shape, (code_type,))),
        _read(_find(folder, stored, scale, scale_shape, (scale_type,))),
    )


def _find(
    folder: Path,
    stored: Mapping[str, StoredTensor],
    name: str,
    shape: tuple[int, ...],
    types: tuple[str, ...],
) -> StoredTensor:
    if name not in stored:
        raise CheckpointError(f"{folder / WEIGHTS}: tensor {shown(name)} is missing")
    found = stored[name]
    if found.shape != shape or found.dtype not in types:
        raise CheckpointError(
            f"{found.path}: tensor {shown(name)} is {found.dtype} {list(found.shape)}, but should "
            f"be {' or '.join(types)} {list(shape)}"
        )
    return found


def _read(stored: StoredTensor) -> Tensor:
    if stored.dtype in _CODE_TYPES:
        count = int(np.prod(stored.shape))
        read = np.fromfile(
            stored.path, _CODE_TYPES[stored.dtype], count=count, offset=stored.offset
        )
        return torch.from_numpy(read.reshape(stored.shape))
    tensor = torch.empty(stored.shape, dtype=WEIGHT_TYPES[stored.dtype])
    read_into(stored, tensor)
    return tensor


def _special_id(config: PhiConfig, tokenizer: Tokenizer, name: str) -> int | None:
    number: int | None = getattr(config, name)
    return getattr(tokenizer, name) if number is None else number


def _card(quantized: QuantizedPhi, figures: Mapping[str, str]) -> str:
    config = quantized.config
    scales = (
        "a scale for each row" if quantized.bits == 8 else f"a scale for each {GROUP_SIZE} inputs"
    )
    method = "rounded to nearest" if quantized.method == "rtn" else "GPTQ (arXiv 2210.17323)"
    bits_per_weight = 8 * quantized.num_bytes / config.num_parameters()
    rows = {
        "weights": f"int{quantized.bits}, {scales}; the head int8",
        "method": method,
        "bits per weight": f"{bits_per_weight:.2f}, everything counted",
        "parameters": f"{config.num_parameters():,}",
        "layers": str(config.num_hidden_layers),
        "width": f"{config.hidden_size:,}",
        **figures,
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"""---
pipeline_tag: text-generation
tags:
- phi
- phinery
---

# A Phi in {quantized.bits} bits a weight

Weights in Phinery's own quantised format, which other libraries do not open; for llama.cpp write
GGUF, from the model that this was made of.

| | |
| --- | --- |
{table}

```
phinery generate PATH/OF/THIS/FOLDER "text to continue"
```
"""
