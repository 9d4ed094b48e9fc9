"""A Phi's weights as a GPU wants them: few large matrices, in floats, int8 or int4.

A block's two matrices: `reading` takes the LayerNorm's output (queries, keys, values, and the MLP's
first matrix below each other), `writing` adds to the residual stream (attention's output matrix and
the MLP's second side by side, so that its inputs are attention's and the MLP's).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from phinery.model.config import PhiConfig
from phinery.model.decoder import Phi
from phinery.model.folder import ModelFiles
from phinery.model.quantization.rounding import (
    GROUP_SIZE,
    QuantizedWeight,
    round_to_nearest,
)
from phinery.model.quantized_files import read_generating_files, scale_of
from phinery.model.safetensors_io import WEIGHT_TYPES, read_into
from phinery.model.stored import CheckpointError, StoredTensor, fill

Quantization = Literal["int8", "int4"]
BITS: dict[Quantization | None, int] = {None: 16, "int8": 8, "int4": 4}

_READING = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.fc1")
_WRITING = ("self_attn.dense", "mlp.fc2")
_STORED_TYPES = {"I8": torch.int8, "U8": torch.uint8, **WEIGHT_TYPES}


@dataclass(frozen=True, slots=True)
class Packed:
    """One linear map as stored: floats, or codes and scales as `QuantizedWeight.packed` has them.

    bits : 16 (floats of any width), 8 or 4.
    """

    bits: int
    weight: Tensor
    scale: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Matrix:
    """A linear map, or several as one.

    bits : 16 stands for floats of whatever width.
    weight : (out, in) floats or int8, or uint8 (out, in / 2).
    scale : float32 (1 or 2, out) of 8 bits, the second for inputs from `boundary` on; float16
        (out, in / 32) of 4 bits; else the weight again, which nobody reads as a scale.
    bias : float32 (out,).
    """

    bits: int
    weight: Tensor
    scale: Tensor
    bias: Tensor
    boundary: int

    @property
    def outputs(self) -> int:
        """Rows of the matrix."""
        return self.weight.shape[0]

    @property
    def inputs(self) -> int:
        """Columns of the matrix."""
        return self.weight.shape[1] * (2 if self.bits == 4 else 1)

    @property
    def num_bytes(self) -> int:
        """Bytes that a product reads."""
        return self.weight.nbytes + (self.scale.nbytes if self.bits < 16 else 0)

    def product(self, x: Tensor) -> Tensor:
        """(rows, in) times the matrix, without the bias, in x's type: for many rows at a time.

        Quantised weights are made floats of x's type first.
        """
        if self.bits == 16:
            return functional.linear(x, self.weight)
        if self.bits == 4:
            codes = QuantizedWeight.unpacked(4, self.weight, self.scale).codes
            grouped = codes.to(x.dtype).unflatten(1, (-1, GROUP_SIZE))
            return functional.linear(x, (grouped * self.scale[..., None].to(x.dtype)).flatten(1))
        sides = [slice(0, self.boundary), slice(self.boundary, self.inputs)][: len(self.scale)]
        products = [
            functional.linear(x[:, side], self.weight[:, side].to(x.dtype)).float() * scale
            for side, scale in zip(sides, self.scale, strict=True)
        ]
        return torch.stack(products).sum(0).to(x.dtype)


@dataclass(frozen=True, slots=True)
class Block:
    """A block's weights; LayerNorm in float32."""

    gain: Tensor
    shift: Tensor
    reading: Matrix
    writing: Matrix


@dataclass(frozen=True, slots=True)
class Weights:
    """All of a model's weights; the final LayerNorm in float32."""

    config: PhiConfig
    dtype: torch.dtype
    quantization: Quantization | None
    embedding: Tensor
    blocks: list[Block]
    gain: Tensor
    shift: Tensor
    head: Matrix

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.embedding.device

    @property
    def num_bytes(self) -> int:
        """Bytes of the matrices that one token reads all of."""
        matrices = [matrix for block in self.blocks for matrix in (block.reading, block.writing)]
        return sum(matrix.num_bytes for matrix in (*matrices, self.head))


def from_model(
    model: Phi, *, dtype: torch.dtype, quantization: Quantization | None, device: torch.device
) -> Weights:
    """A copy of a model's weights, rounded to `dtype` or as `quantization` says."""
    tensors = model.state_dict()

    def vector(name: str) -> Tensor:
        return tensors[name].detach().to(device)

    def linear(name: str) -> Packed:
        weight = vector(f"{name}.weight")
        return _packed(name, weight, dtype, quantization)

    return _assembled(model.config, dtype, quantization, vector, linear)


def from_folder(
    directory: str | Path,
    *,
    dtype: torch.dtype,
    quantization: Quantization | None,
    device: torch.device,
) -> Weights:
    """Read a model folder, of floats or one that `phinery export` quantised.

    Raises CheckpointError for a folder that is not in order, ValueError for one that holds weights
    of another quantisation.
    """
    files, stored_in = read_generating_files(directory)
    if stored_in and quantization not in (None, stored_in):
        raise ValueError(f"{files.folder} holds {stored_in} weights, not {quantization}")

    def vector(name: str) -> Tensor:
        return _read_floats(files, name, device)

    def linear(name: str) -> Packed:
        if stored_in:
            return _read_packed(files, f"{name}.weight", device)
        return _packed(name, vector(f"{name}.weight"), dtype, quantization)

    return _assembled(files.config, dtype, stored_in or quantization, vector, linear)


def _assembled(
    config: PhiConfig,
    dtype: torch.dtype,
    quantization: Quantization | None,
    vector: Callable[[str], Tensor],
    linear: Callable[[str], Packed],
) -> Weights:
    """`vector` gives any parameter in floats, `linear` a linear map's weight, both on the device.

    One block at a time is held twice.
    """
    if quantization == "int4" and (config.hidden_size % GROUP_SIZE or config.mlp_size % GROUP_SIZE):
        raise ValueError(f"int4 needs sizes that are multiples of {GROUP_SIZE}")

    def norm(name: str) -> tuple[Tensor, Tensor]:
        return vector(f"{name}.weight").float(), vector(f"{name}.bias").float()

    def bias(name: str) -> Tensor:
        return vector(f"{name}.bias").float()

    def block(index: int) -> Block:
        place = f"model.layers.{index}."
        reading = [place + name for name in _READING]
        writing = [place + name for name in _WRITING]
        return Block(
            *norm(f"{place}input_layernorm"),
            _below([linear(name) for name in reading], torch.cat([bias(name) for name in reading])),
            _beside(
                [linear(name) for name in writing],
                torch.stack([bias(name) for name in writing]).sum(0),
            ),
        )

    return Weights(
        config,
        dtype,
        quantization,
        vector("model.embed_tokens.weight").to(dtype).contiguous(),
        [block(index) for index in range(config.num_hidden_layers)],
        *norm("model.final_layernorm"),
        _below([linear("lm_head")], bias("lm_head")),
    )


def _packed(
    name: str, weight: Tensor, dtype: torch.dtype, quantization: Quantization | None
) -> Packed:
    if quantization is None:
        return Packed(16, weight.to(dtype))
    bits = 8 if name == "lm_head" else BITS[quantization]
    rounded = round_to_nearest(weight.float(), bits)
    return Packed(bits, rounded.packed(), rounded.scale)


def _below(parts: list[Packed], bias: Tensor) -> Matrix:
    """Linear maps of the same inputs as one."""
    weight = torch.cat([part.weight for part in parts]).contiguous()
    scales = [part.scale for part in parts if part.scale is not None]
    scale = torch.cat(scales).contiguous() if scales else weight
    bits = parts[0].bits
    inputs = weight.shape[1] * (2 if bits == 4 else 1)
    return Matrix(bits, weight, scale[None] if bits == 8 else scale, bias, inputs)


def _beside(parts: list[Packed], bias: Tensor) -> Matrix:
    """Linear maps whose outputs are added, as one."""
    weight = torch.cat([part.weight for part in parts], dim=1).contiguous()
    scales = [part.scale for part in parts if part.scale is not None]
    bits = parts[0].bits
    scale = weight
    if scales:
        scale = torch.stack(scales) if bits == 8 else torch.cat(scales, dim=1)
    boundary = parts[0].weight.shape[1] * (2 if bits == 4 else 1)
    return Matrix(bits, weight, scale.contiguous(), bias, boundary)


def _read_floats(files: ModelFiles, name: str, device: torch.device) -> Tensor:
    source, stored = files.places[name], files.tensor(name)
    shape = (stored.shape[0] // source.parts, *stored.shape[1:])
    tensor = torch.empty(shape, dtype=WEIGHT_TYPES[stored.dtype], device=device)
    read_into(stored, tensor, start=source.part * tensor.numel())
    return tensor


def _read_packed(files: ModelFiles, name: str, device: torch.device) -> Packed:
    stored, scale = files.tensor(name), scale_of(files, name)
    assert scale is not None
    bits = 4 if stored.dtype == "U8" else 8
    return Packed(bits, _read_raw(stored, device), _read_raw(scale, device))


def _read_raw(stored: StoredTensor, device: torch.device) -> Tensor:
    room = torch.empty(stored.num_bytes, dtype=torch.uint8)
    try:
        with stored.path.open("rb", buffering=0) as file:
            file.seek(stored.offset)
            fill(stored, file, room.numpy().data)
    except OSError as error:
        raise CheckpointError(f"{stored.path} cannot be read: {error.strerror}") from error
    return room.view(_STORED_TYPES[stored.dtype]).view(stored.shape).to(device)
