"""What the parts of the GPU benchmark share: models, timing, kernels compiled side by side."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from phinery.infer.backend import Span
from phinery.infer.cuda_decode import Decoder
from phinery.infer.cuda_tiles import ROW_PLANS, ROWS_PLANS, Plans
from phinery.infer.cuda_weights import Quantization, Weights, from_model
from phinery.model import Phi, PhiConfig

Format = Literal["bf16", "int8", "int4"]
FORMATS: dict[str, Quantization | None] = {"bf16": None, "int8": "int8", "int4": "int4"}
# What the H200's data sheet says, in bytes a second.
NOMINAL_BANDWIDTH = {"NVIDIA H200": 4.8e12, "NVIDIA H100 80GB HBM3": 3.35e12}


def random_model(config: PhiConfig, dtype: torch.dtype, device: str = "cuda") -> Phi:
    """Random weights, the same for the same configuration; biases and gains random too."""
    torch.manual_seed(1)
    with torch.device(device):
        model = Phi(config).eval().requires_grad_(requires_grad=False)
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.1)
            if name.endswith("layernorm.weight"):
                parameter.normal_(1, 0.1)
    return model.to(dtype)


def span(tokens: Sequence[int], start: int, pages: Sequence[int], num_logits: int) -> Span:
    """A span from lists."""
    return Span(np.array(tokens, np.int32), start, np.array(pages, np.int32), num_logits)


def seconds_of(work: Callable[[], object], *, repeats: int = 20, rounds: int = 5) -> float:
    """Time of one call on the GPU: the median of some rounds of calls without a pause."""
    work()
    times: list[float] = []
    for _ in range(rounds):
        begin = torch.cuda.Event(enable_timing=True)
        end = torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(repeats):
            work()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 1000 / repeats)
    return statistics.median(times)


def memory_rates() -> dict[str, float]:
    """Bytes a second of a large copy (read and written) and a large sum (read)."""
    source = torch.randn(2**29, device="cuda")
    target = torch.empty_like(source)
    copied = seconds_of(lambda: target.copy_(source), repeats=5)
    summed = seconds_of(source.sum, repeats=5)
    return {"copy": 2 * source.nbytes / copied, "read": source.nbytes / summed}


@dataclass(frozen=True)
class Job:
    """Kernels to compile: those of a step of `rows` tokens."""

    config: PhiConfig
    dtype: torch.dtype
    quantization: Quantization | None
    rows: int
    page_size: int = 16
    row_plans: Any = None
    rows_plans: Any = None
    norms_first: bool = True

    def decoder(self, weights: Weights, *, captures: bool, tokens: int = 1024) -> Decoder:
        """A decoder as the job describes it."""
        config = weights.config
        shape = (config.num_hidden_layers, tokens // self.page_size + 1)
        keys = torch.zeros(
            (*shape, config.num_attention_heads, self.page_size, config.head_dim),
            dtype=weights.dtype,
            device=weights.device,
        )
        row_plans: Plans = self.row_plans or ROW_PLANS
        rows_plans: Plans = self.rows_plans or ROWS_PLANS
        return Decoder(
            weights,
            keys,
            torch.zeros_like(keys),
            max_rows=self.rows,
            captures=captures,
            norms_first=self.norms_first,
            row_plans=row_plans,
            rows_plans=rows_plans,
        )


def compile_ahead(jobs: Sequence[Job], processes: int = 14) -> float:
    """Compile the jobs' kernels side by side, into Triton's cache on the disk; the seconds.

    A job that does not compile fails again, and is told of, where it is used.
    """
    started = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(jobs)), mp_context=context) as pool:
        for problem in pool.map(_compile, jobs):
            if problem:
                print(f"compiling: {problem}", flush=True)
    return time.perf_counter() - started


def _compile(job: Job) -> str | None:
    values = {**job.config.to_dict(), "num_hidden_layers": 1}
    model = random_model(PhiConfig.from_dict(values), job.dtype)
    device = torch.device("cuda")
    weights = from_model(model, dtype=job.dtype, quantization=job.quantization, device=device)
    try:
        job.decoder(weights, captures=False, tokens=64).run(job.rows)
        torch.cuda.synchronize()
    except Exception as error:  # noqa: BLE001 (at the edge: the other jobs go on)
        return f"{job.quantization} rows {job.rows}: {type(error).__name__}: {str(error)[:200]}"
    return None
