"""A worker of `tokenizing.py`: encodes the texts of a file each time it is asked to.

It tells both processor time, where on one core other processes don't count, and wall time.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from phinery.text import Tokenizer


def main() -> None:
    """Answer each line on the standard input with bytes, seconds and a checksum of the ids."""
    name, folder, file, cores = sys.argv[1:]
    texts: list[str] = json.loads(Path(file).read_text(encoding="utf-8"))
    size = sum(len(text.encode()) for text in texts)
    encode = _phinery(folder, int(cores)) if name == "phinery" else _tokenizers(folder)
    for _ in sys.stdin:
        begin, begin_wall = time.process_time(), time.perf_counter()
        encoded = encode(texts)
        seconds, wall = time.process_time() - begin, time.perf_counter() - begin_wall
        digest = hashlib.sha256()
        for ids in encoded:
            digest.update(np.array(ids, dtype=np.uint32).tobytes() + b"end")
        answer = {
            "bytes": size,
            "processor_seconds": seconds,
            "wall_seconds": wall,
            "sha256": digest.hexdigest(),
        }
        print(json.dumps(answer), flush=True)


def _phinery(folder: str, threads: int) -> Callable[[list[str]], Any]:
    tokenizer = Tokenizer.load(folder)
    return lambda texts: tokenizer.encode_arrays(texts, threads=threads)


def _tokenizers(folder: str) -> Callable[[list[str]], Any]:
    backend = tokenizers.Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    backend.encode_special_tokens = True
    return lambda texts: [
        answer.ids for answer in backend.encode_batch_fast(texts, add_special_tokens=False)
    ]


if __name__ == "__main__":
    main()
