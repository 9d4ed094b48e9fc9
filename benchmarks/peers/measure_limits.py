"""What this machine can do at most: read memory and multiply matrices, by threads.

Speaks the protocol of `decode_worker`; "limits" answers with bytes/s and FLOP/s.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from decode_worker import requests
from measure_matmul import rate

from phinery.infer.bench import ReadProbe

SIZES = ((2048, 2048, 2048), (512, 2048, 8192))


def main() -> None:
    """Answer requests until the end of the input."""
    probes: dict[int, ReadProbe] = {}
    for request, answer in requests():
        if request["command"] == "open":
            answer(pid=os.getpid())
            continue
        threads, seconds = request["threads"], request["seconds"]
        if threads not in probes:
            probes[threads] = ReadProbe(threads)
        read = probes[threads].bytes_per_second(seconds / 2)
        torch.set_num_threads(threads)
        rates: dict[str, Any] = {
            dtype: max(rate(size, dtype, seconds / 2 / 2 / len(SIZES)) for size in SIZES)
            for dtype in ("float32", "bfloat16")
        }
        answer(read_bytes_per_second=read, matmul_flops=rates)


if __name__ == "__main__":
    main()
