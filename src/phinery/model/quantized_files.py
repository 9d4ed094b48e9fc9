"""Model folders that hold quantised weights: what is in them and where. Needs no torch.

`phinery export --to int8|int4` writes them (docs/quantization.md). For every linear map X there are
`X.weight` and `X.weight_scale`:

- 8 bits: I8 (out, in) and F32 (out,); w = value * scale.
- 4 bits: U8 (out, in / 2), groups of 32 inputs in 16 bytes, byte j with input j in its low and
  j + 16 in its high four bits; F16 (out, in / 32); w = (value - 8) * scale. The head has 8 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from phinery.model import layouts
from phinery.model.folder import (
    CONFIG,
    QUANTIZATION,
    ModelFiles,
    check_folder,
    check_manifest,
    read_config,
    read_config_values,
    read_headers,
    read_model_files,
)
from phinery.model.layouts import Source
from phinery.model.stored import CheckpointError, StoredTensor, shown

_GROUP = 32


def read_generating_files(
    directory: str | Path,
) -> tuple[ModelFiles, Literal["int8", "int4"] | None]:
    """`read_model_files` for whatever can generate: a folder of floats, or a quantised one.

    The second is how the weights are stored, None for floats. Raises CheckpointError.
    """
    folder = check_folder(directory)
    values = read_config_values(folder)
    if QUANTIZATION not in values:
        return read_model_files(folder), None
    check_manifest(folder)
    bits = _bits(folder, values)
    stored = read_headers(folder)
    plain = {key: value for key, value in values.items() if key != QUANTIZATION}
    config = read_config(folder, plain, layouts.PHI, stored)
    places: dict[str, Source] = {}
    wanted: set[str] = set()
    for name, shape in layouts.shapes(config).items():
        for tensor, (types, size) in _tensors_of(name, shape, bits).items():
            found = stored.get(tensor)
            if found is None:
                raise CheckpointError(f"{folder}: tensor {shown(tensor)} is missing")
            if found.dtype not in types or found.shape != size:
                raise CheckpointError(
                    f"{found.path}: tensor {shown(tensor)} is {found.dtype} {list(found.shape)}, "
                    f"but {CONFIG} asks for {types[0]} {list(size)}"
                )
            wanted.add(tensor)
        places[name] = Source(name)
    if extra := stored.keys() - wanted:
        raise CheckpointError(f"{folder}: tensor {shown(min(extra))} is no part of the model")
    return ModelFiles(folder, config, stored, places), "int8" if bits == 8 else "int4"


def scale_of(files: ModelFiles, name: str) -> StoredTensor | None:
    """The scales of a parameter's weights, if it is quantised."""
    return files.stored.get(f"{name}_scale")


def _bits(folder: Path, values: Mapping[str, Any]) -> int:
    entry = values[QUANTIZATION]
    method = entry.get("quant_method") if isinstance(entry, dict) else None
    if method != "phinery":
        raise CheckpointError(
            f"{folder / CONFIG}: quantised by {shown(method)}; only folders of `phinery export` "
            "are read"
        )
    bits = entry.get("bits")
    group = entry.get("group_size", _GROUP)
    if bits not in (4, 8) or entry.get("head_bits", 8) != 8 or (bits == 4 and group != _GROUP):
        raise CheckpointError(
            f"{folder / CONFIG}: its {QUANTIZATION} is not one that this version of phinery reads"
        )
    return bits


def _tensors_of(
    name: str, shape: tuple[int, ...], bits: int
) -> dict[str, tuple[tuple[str, ...], tuple[int, ...]]]:
    """The tensors of one parameter: their possible types, and their shape."""
    if len(shape) == 1 or name == "model.embed_tokens.weight":
        return {name: (("BF16", "F32", "F16"), shape)}
    outputs, inputs = shape
    if bits == 8 or name == "lm_head.weight":
        return {name: (("I8",), shape), f"{name}_scale": (("F32",), (outputs,))}
    return {
        name: (("U8",), (outputs, inputs // 2)),
        f"{name}_scale": (("F16",), (outputs, inputs // _GROUP)),
    }
