"""Safetensors files: what is in them and where. Needs no torch.

The format (https://huggingface.co/docs/safetensors): 8 bytes with the header's length, little
endian; the header, JSON `{name: {"dtype", "shape", "data_offsets"}, "__metadata__": {...}}`; then
the tensors' bytes without gaps. Every number of a header is checked before anything is allocated
for it.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
from pathlib import Path
from typing import Any

# The types of the format and their bits.
_TYPE_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "BF16": 16, "F16": 16, "F32": 32, "F64": 64, "C64": 64,
}  # fmt: skip
# The same limit as the reference implementation's.
_MAX_HEADER_BYTES = 100_000_000


class CheckpointError(ValueError):
    """A model folder that cannot be read or written; the message is one line naming the place."""


@dataclasses.dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor lies: `dtype` is the format's name, `offset` counts from the file's start."""

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def num_bytes(self) -> int:
        """Bytes that it takes in the file."""
        return math.prod(self.shape) * _TYPE_BITS[self.dtype] // 8


def shown(name: object) -> str:
    """A name from a file as it may stand in a message: on one line, not long, quoted."""
    text = repr(name)
    return text if len(text) <= 100 else f"{text[:90]}...{text[-5:]}"


def read_header(path: Path) -> dict[str, StoredTensor]:
    """Read and check a file's header: every tensor by name, in the order of the file.

    Raises CheckpointError for anything that the format does not allow.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            header, data_start = _read_header_object(file, path, size)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    metadata = header.pop("__metadata__", {})
    if not _is_text_mapping(metadata):
        raise CheckpointError(f"{path}: its __metadata__ is not an object of texts")
    tensors: dict[str, StoredTensor] = {}
    spans: list[tuple[int, int, str]] = []
    for name, entry in header.items():
        begin, end = _check_entry(path, name, entry)
        spans.append((begin, end, name))
        shape = tuple(entry["shape"])
        tensors[name] = StoredTensor(path, name, entry["dtype"], shape, data_start + begin)
    _check_spans(path, sorted(spans), size - data_start)
    return tensors


def _read_header_object(
    file: io.BufferedReader, path: Path, size: int
) -> tuple[dict[str, Any], int]:
    """The header, and where the tensors' bytes begin."""
    if size < 8:
        raise CheckpointError(
            f"{path} has {size} bytes, too few for a safetensors file: it is truncated or another "
            "kind of file"
        )
    length = int.from_bytes(file.read(8), "little")
    if length > _MAX_HEADER_BYTES:
        raise CheckpointError(
            f"{path}: its header claims {length} bytes, the limit is {_MAX_HEADER_BYTES}: it is "
            "corrupt or not a safetensors file"
        )
    if length > size - 8:
        raise CheckpointError(
            f"{path}: its header claims {length} bytes, longer than the file ({size} bytes): it is "
            "truncated or corrupt"
        )
    try:
        header = json.loads(file.read(length), object_pairs_hook=_object_without_duplicates)
    # ValueError covers bad UTF-8, bad JSON, repeated names and numbers too long to convert.
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: its header is not valid JSON: {error}") from error
    if not isinstance(header, dict):
        raise CheckpointError(f"{path}: its header is not a JSON object")
    return header, 8 + length


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"{shown(name)} occurs twice")
        result[name] = value
    return result


def _is_text_mapping(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_entry(path: Path, name: str, entry: Any) -> tuple[int, int]:
    """First and last byte of a tensor, counted from the end of the header."""
    where = f"{path}: tensor {shown(name)}"
    if not isinstance(entry, dict) or not entry.keys() >= {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{where} has no dtype, shape and data_offsets in the header")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _TYPE_BITS:
        raise CheckpointError(f"{where} has dtype {shown(dtype)}, which safetensors does not know")
    if not isinstance(shape, list) or not all(_is_count(size) for size in shape):
        raise CheckpointError(f"{where} has shape {shown(shape)}, not a list of sizes")
    if not isinstance(offsets, list) or not all(_is_count(offset) for offset in offsets):
        raise CheckpointError(f"{where} has data_offsets {shown(offsets)}, not two positions")
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise CheckpointError(f"{where} has data_offsets {shown(offsets)}, not two positions")
    bits = math.prod(shape) * _TYPE_BITS[dtype]
    if bits != 8 * (offsets[1] - offsets[0]):
        raise CheckpointError(
            f"{where} has {shown(offsets[1] - offsets[0])} bytes, but {dtype} of shape "
            f"{shown(shape)} takes {shown(-(-bits // 8))}"
        )
    return offsets[0], offsets[1]


def _check_spans(path: Path, spans: list[tuple[int, int, str]], data_bytes: int) -> None:
    """Tensors must fill the file's data from first to last byte, without gap or overlap."""
    position = 0
    for begin, end, name in spans:
        if begin != position:
            raise CheckpointError(
                f"{path}: tensor {shown(name)} begins at byte {shown(begin)} of the data, the one "
                f"before ends at {position}: the header is corrupt"
            )
        position = end
        if end > data_bytes:
            raise CheckpointError(
                f"{path}: tensor {shown(name)} ends at byte {shown(end)} of the data, but the file "
                f"has only {data_bytes}: it is truncated"
            )
    if position != data_bytes:
        raise CheckpointError(
            f"{path} has {data_bytes - position} bytes after its last tensor: it is corrupt"
        )


def fill(stored: StoredTensor, file: io.FileIO, target: memoryview) -> None:
    """Read from where `file` stands until `target`, bytes of a stored tensor, is full.

    Plain reads into memory of our own, not a memory map, whose pages count as memory of the process
    until the kernel takes them back. Raises CheckpointError when the file ends before.
    """
    while target:
        count = file.readinto(target)
        if not count:
            raise CheckpointError(
                f"{stored.path} ended inside tensor {shown(stored.name)}: it changed while it was "
                "read"
            )
        target = target[count:]
