"""Safetensors files as torch's tensors, read and written one at a time."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from phinery.model.stored import CheckpointError, StoredTensor, fill

# The types that weights can have.
WEIGHT_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
_TYPE_NAMES = {dtype: name for name, dtype in WEIGHT_TYPES.items()}
# Elements at a time of a tensor that changes type or device; small beside any model. On the CPU
# below 2**15, from where torch spreads a copy over threads, which on a busy machine wait for each
# other longer than they copy.
_CPU_SLAB = 2**14
_DEVICE_SLAB = 2**22


def read_into(stored: StoredTensor, target: Tensor, *, start: int = 0) -> None:
    """Fill the contiguous `target` with a stored tensor's elements from element `start` on.

    Type and device are converted on the way, a slab at a time, so that nothing but `target` takes
    memory. The stored type must be one of WEIGHT_TYPES. Raises CheckpointError when the file
    cannot be read to the end.
    """
    if target.numel() == 0:
        return
    stored_type = WEIGHT_TYPES[stored.dtype]
    flat = target.view(-1)
    try:
        with stored.path.open("rb", buffering=0) as file:
            file.seek(stored.offset + start * stored_type.itemsize)
            if flat.device.type == "cpu" and flat.dtype == stored_type:
                _fill(file, flat, stored)
                return
            length = _CPU_SLAB if flat.device.type == "cpu" else _DEVICE_SLAB
            slab = torch.empty(min(flat.numel(), length), dtype=stored_type)
            for begin in range(0, flat.numel(), slab.numel()):
                piece = flat[begin : begin + slab.numel()]
                _fill(file, slab[: piece.numel()], stored)
                piece.copy_(slab[: piece.numel()])
    except OSError as error:
        raise CheckpointError(f"{stored.path} cannot be read: {error.strerror}") from error


def _fill(file: io.FileIO, tensor: Tensor, stored: StoredTensor) -> None:
    fill(stored, file, tensor.view(torch.uint8).numpy().data)


def write_file(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors of WEIGHT_TYPES in the order given, with the metadata `format: pt`.

    One tensor at a time is copied to the CPU. Readers that map the file want every tensor aligned,
    so wide types come first.
    """
    ordered = sorted(tensors.items(), key=lambda item: -item[1].dtype.itemsize)
    write_streamed(
        path,
        {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in ordered},
        tensors.__getitem__,
    )


def write_streamed(
    path: Path,
    tensors: Mapping[str, tuple[torch.dtype, tuple[int, ...]]],
    make: Callable[[str], Tensor],
) -> None:
    """Write tensors, given by type and shape, that `make` makes one after another, in this order.

    The header is padded to 8 bytes, as readers that map the file want tensors aligned.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, (dtype, shape) in tensors.items():
        end = position + math.prod(shape) * dtype.itemsize
        header[name] = {
            "dtype": _TYPE_NAMES[dtype],
            "shape": list(shape),
            "data_offsets": [position, end],
        }
        position = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little"))
        file.write(encoded)
        for name, expected in tensors.items():
            tensor = make(name)
            assert (tensor.dtype, tuple(tensor.shape)) == expected
            flat = tensor.detach().to("cpu").contiguous().view(-1)
            file.write(flat.view(torch.uint8).numpy().data)
