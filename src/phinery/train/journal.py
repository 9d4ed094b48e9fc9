"""Append-only files of JSON lines that stay in step with the checkpoints."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Journal:
    """A file with one JSON object a line, each with its `step`, in the order of the steps.

    Opening it for a run that goes on after step `after` drops every line of a later step, and a
    last line that a killed writer left half-written.
    """

    def __init__(self, path: Path, *, after: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            os.truncate(path, _length_until(path, after))
        # Unbuffered, so that a killed process loses nothing but the line it is writing.
        self._file = path.open("ab", buffering=0)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append an object; numbers that are not finite become null."""
        plain = {key: _plain(value) for key, value in row.items()}
        self._file.write(json.dumps(plain, ensure_ascii=False, allow_nan=False).encode() + b"\n")

    def sync(self) -> None:
        """Bring what was written to the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; nothing can be written any more."""
        self._file.close()


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _length_until(path: Path, step: int) -> int:
    """Bytes of the file's whole lines, up to the first that is of a later step or torn."""
    length = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n") or not _is_of_past(line, step):
                break
            length += len(line)
    return length


def _is_of_past(line: bytes, step: int) -> bool:
    try:
        row = json.loads(line)
    except ValueError:
        return False
    return isinstance(row, dict) and isinstance(row.get("step"), int) and row["step"] <= step
