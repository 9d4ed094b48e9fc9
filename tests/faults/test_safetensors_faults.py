"""Every header that the safetensors format forbids is one line that names file and tensor."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from phinery.model.checkpoint import CheckpointError
from phinery.model.stored import read_header


def write_header(path: Path, header: Any, data: bytes) -> None:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data)


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"[1]", "not a JSON object"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 50_000, "not valid JSON"),
        (b'{"x": 1, "x": 2}', "'x' occurs twice"),
        (b'{"x": ' + b"9" * 5000 + b"}", "not valid JSON"),
        ({"__metadata__": [], "x": ENTRY}, "__metadata__"),
        ({"__metadata__": {"format": 1}, "x": ENTRY}, "__metadata__"),
        ({"x": None}, "'x' has no dtype"),
        ({"x": {"dtype": "F32", "shape": [2]}}, "'x' has no dtype"),
        ({"x": {**ENTRY, "dtype": "F33"}}, "'F33'"),
        ({"x": {**ENTRY, "dtype": ["F32"]}}, "dtype"),
        ({"x": {**ENTRY, "shape": [-2]}}, "shape [-2]"),
        ({"x": {**ENTRY, "shape": [True, 2]}}, "shape"),
        ({"x": {**ENTRY, "shape": [2.0]}}, "shape"),
        ({"x": {**ENTRY, "shape": 2}}, "shape"),
        ({"x": {**ENTRY, "shape": [3]}}, "has 8 bytes, but F32"),
        ({"x": {**ENTRY, "shape": [10**40]}}, "has 8 bytes, but F32"),
        ({"x": {**ENTRY, "data_offsets": [8, 0]}}, "data_offsets"),
        ({"x": {**ENTRY, "data_offsets": [0]}}, "data_offsets"),
        ({"x": {**ENTRY, "data_offsets": [0, 8, 8]}}, "data_offsets"),
        ({"x": {**ENTRY, "data_offsets": "08"}}, "data_offsets"),
        ({"x": {**ENTRY, "data_offsets": [8, 16]}}, "begins at byte 8"),
        ({"x": ENTRY, "y": ENTRY}, "begins at byte 0"),
        ({"x": ENTRY, "y": {**ENTRY, "data_offsets": [8, 16]}}, "only 8"),
        ({}, "8 bytes after its last tensor"),
        ({"new\nline": None}, "'new\\nline'"),
    ],
)
def test_headers_that_the_format_forbids(tmp_path, header, message):
    path = tmp_path / "x.safetensors"
    write_header(path, {"x": ENTRY}, bytes(8))
    assert read_header(path)["x"].shape == (2,)
    write_header(path, header, bytes(8))
    with pytest.raises(CheckpointError) as caught:
        read_header(path)
    found = str(caught.value)
    assert message in found
    assert "\n" not in found
    assert str(path) in found
    assert len(found) < 500
