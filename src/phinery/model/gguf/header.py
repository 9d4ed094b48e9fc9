"""The container of llama.cpp's model files, read without trusting a byte of it.

The format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), all little endian: magic
`GGUF`, version, how many tensors, how many keys; the keys, each a name, a type and a value; the
tensors, each a name, its sizes (the innermost first), a type and an offset; then, from the next
multiple of the alignment on, their bytes. Every count is held against what the file still has
before anything is allocated for it.
"""

from __future__ import annotations

import io
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from phinery.model.stored import CheckpointError, shown

_MAGIC = b"GGUF"
# Version 1 had shorter counts; nothing writes it any more.
_VERSIONS = (2, 3)
_STRING, _ARRAY, _BOOL = 8, 9, 7
_SCALARS = {
    0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", _BOOL: "<u1",
    10: "<u8", 11: "<i8", 12: "<f8",
}  # fmt: skip
_DEFAULT_ALIGNMENT = 32
_MAX_DIMENSIONS = 4
# Vocabularies of a million tokens take some 30 MB; what claims more is corrupt.
_MAX_HEADER_BYTES = 2**28
# What an entry takes at least: an empty name, a type and a value; or one size and an offset.
_LEAST_KEY_BYTES, _LEAST_TENSOR_BYTES = 8 + 4 + 1, 8 + 4 + 8 + 4 + 8


@dataclass(frozen=True, slots=True)
class GGUFTensor:
    """Where a tensor lies: `shape` has the innermost size last, `offset` counts from the file's
    start, `type_id` is ggml's number of the type.
    """

    name: str
    shape: tuple[int, ...]
    type_id: int
    offset: int


@dataclass(frozen=True, slots=True)
class GGUFHeader:
    """What stands before the weights. Values are Python numbers, texts and lists of either."""

    metadata: dict[str, Any]
    tensors: dict[str, GGUFTensor]
    file_bytes: int


def read_gguf_header(path: Path) -> GGUFHeader:
    """Read keys and tensors' places. Raises CheckpointError for what the format does not allow.

    Whether a tensor's bytes are all there depends on its type, which is not looked at.
    """
    try:
        with path.open("rb") as file:
            cursor = _Cursor(file, path, os.fstat(file.fileno()).st_size)
            return _read_header(cursor)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error


class _Cursor:
    """A place in the file that moves on as values are taken."""

    def __init__(self, file: io.BufferedReader, path: Path, size: int) -> None:
        self._file = file
        self.path = path
        self.size = size
        self.position = 0

    @property
    def left(self) -> int:
        """Bytes that the header may still have."""
        return min(self.size, _MAX_HEADER_BYTES) - self.position

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes."""
        if count > self.left:
            holder = "a header has" if self.size > _MAX_HEADER_BYTES else "the file has left"
            raise CheckpointError(
                f"{self.path}: {what} takes {count} bytes at byte {self.position}, more than "
                f"{holder}: it is truncated or corrupt"
            )
        data = self._file.read(count)
        if len(data) != count:
            raise CheckpointError(f"{self.path} changed while it was read")
        self.position += count
        return data

    def count(self, what: str, least_bytes: int) -> int:
        """A 64-bit count of things that take at least so many bytes each."""
        (count,) = struct.unpack("<Q", self.take(8, what))
        if count * least_bytes > self.left:
            raise CheckpointError(
                f"{self.path}: {what} is {count}, more than the file can hold: it is truncated or "
                "corrupt"
            )
        return count

    def number(self, what: str) -> int:
        """A 32-bit number."""
        return struct.unpack("<I", self.take(4, what))[0]

    def text(self, what: str) -> str:
        """A text with its length before it."""
        (length,) = struct.unpack("<Q", self.take(8, what))
        data = self.take(length, what)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{self.path}: {what} is not UTF-8: {shown(data)}") from error


def _read_header(cursor: _Cursor) -> GGUFHeader:
    path = cursor.path
    magic = cursor.take(4, "its beginning")
    if magic != _MAGIC:
        raise CheckpointError(f"{path} begins with {magic!r}, not {_MAGIC!r}: it is no GGUF file")
    version = cursor.number("its version")
    if version not in _VERSIONS:
        if int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS:
            raise CheckpointError(f"{path} is for big-endian machines, which is not read")
        raise CheckpointError(f"{path} has version {version} of GGUF; 2 and 3 are read")
    num_tensors = cursor.count("the number of tensors", _LEAST_TENSOR_BYTES)
    num_keys = cursor.count("the number of keys", _LEAST_KEY_BYTES)
    metadata: dict[str, Any] = {}
    for number in range(num_keys):
        key = cursor.text(f"the name of key {number}")
        if key in metadata:
            raise CheckpointError(f"{path}: key {shown(key)} occurs twice")
        metadata[key] = _read_value(cursor, f"key {shown(key)}")
    entries: dict[str, tuple[tuple[int, ...], int, int]] = {}
    for number in range(num_tensors):
        name = cursor.text(f"the name of tensor {number}")
        if name in entries:
            raise CheckpointError(f"{path}: tensor {shown(name)} occurs twice")
        entries[name] = _read_tensor(cursor, f"tensor {shown(name)}")
    alignment = _alignment(path, metadata)
    data_start = -(-cursor.position // alignment) * alignment
    tensors: dict[str, GGUFTensor] = {}
    for name, (shape, type_id, offset) in entries.items():
        if offset % alignment or data_start + offset > cursor.size:
            raise CheckpointError(
                f"{path}: tensor {shown(name)} begins at byte {offset} of the data, which is "
                f"{'outside of the file' if offset % alignment == 0 else 'not aligned'}: it is "
                "truncated or corrupt"
            )
        tensors[name] = GGUFTensor(name, shape, type_id, data_start + offset)
    return GGUFHeader(metadata, tensors, cursor.size)


def _read_value(cursor: _Cursor, what: str) -> Any:
    kind = cursor.number(f"the type of {what}")
    if kind == _STRING:
        return cursor.text(what)
    if kind in _SCALARS:
        return _read_scalars(cursor, what, kind, 1)[0]
    if kind != _ARRAY:
        raise CheckpointError(f"{cursor.path}: {what} has type {kind}, which GGUF does not know")
    kind = cursor.number(f"the type of {what}")
    if kind == _STRING:
        count = cursor.count(f"the number of texts of {what}", 8)
        return [cursor.text(what) for _ in range(count)]
    if kind not in _SCALARS:
        raise CheckpointError(f"{cursor.path}: {what} is a list of type {kind}, which is not read")
    least = np.dtype(_SCALARS[kind]).itemsize
    return _read_scalars(cursor, what, kind, cursor.count(f"the number of items of {what}", least))


def _read_scalars(cursor: _Cursor, what: str, kind: int, count: int) -> list[Any]:
    dtype = np.dtype(_SCALARS[kind])
    values = np.frombuffer(cursor.take(count * dtype.itemsize, what), dtype=dtype)
    if kind != _BOOL:
        return values.tolist()
    if (values > 1).any():
        raise CheckpointError(f"{cursor.path}: {what} is neither true nor false")
    return values.astype(bool).tolist()


def _read_tensor(cursor: _Cursor, what: str) -> tuple[tuple[int, ...], int, int]:
    """Shape, type and offset."""
    num_dimensions = cursor.number(f"the number of sizes of {what}")
    if not 1 <= num_dimensions <= _MAX_DIMENSIONS:
        raise CheckpointError(
            f"{cursor.path}: {what} has {num_dimensions} sizes, not 1 to {_MAX_DIMENSIONS}"
        )
    sizes = struct.unpack(
        f"<{num_dimensions}Q", cursor.take(8 * num_dimensions, f"the shape of {what}")
    )
    if not 0 < math.prod(sizes) < 2**63:
        raise CheckpointError(f"{cursor.path}: {what} has shape {shown(sizes)}, which is absurd")
    type_id = cursor.number(f"the type of {what}")
    (offset,) = struct.unpack("<Q", cursor.take(8, f"the offset of {what}"))
    return sizes[::-1], type_id, offset


def _alignment(path: Path, metadata: dict[str, Any]) -> int:
    alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
    is_power = isinstance(alignment, int) and alignment > 0 and alignment & (alignment - 1) == 0
    if not is_power or alignment > 2**20:
        raise CheckpointError(
            f"{path}: general.alignment is {shown(alignment)}, no power of two up to a million"
        )
    return alignment
