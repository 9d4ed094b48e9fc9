"""Which tiles are fastest: whole steps of a few layers of the model, one change after another."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import torch
from decode_gpu_help import FORMATS, Job, compile_ahead, random_model, seconds_of

from phinery.infer.cuda_tiles import ROW_PLANS, ROWS_PLANS, Plan, Tiles
from phinery.infer.cuda_weights import Quantization, Weights, from_model
from phinery.model import PhiConfig

LAYERS = 6
CONTEXT = 192
_ROW: dict[int, list[Tiles]] = {
    16: [
        Tiles(4, 512, 4),
        Tiles(8, 512, 4),
        Tiles(4, 1024, 4),
        Tiles(8, 512, 8),
        Tiles(16, 512, 8),
        Tiles(16, 256, 4),
    ],
    8: [
        Tiles(4, 512, 4),
        Tiles(8, 512, 4),
        Tiles(4, 1024, 4),
        Tiles(16, 512, 4),
        Tiles(16, 512, 8),
        Tiles(8, 1024, 8),
    ],
    4: [
        Tiles(4, 512, 2),
        Tiles(8, 512, 4),
        Tiles(4, 1024, 4),
        Tiles(8, 1024, 4),
        Tiles(8, 1024, 8),
    ],
}
_ROWS: dict[int, list[Tiles]] = {
    16: [
        Tiles(32, 128, 4, 4),
        Tiles(64, 128, 4, 4),
        Tiles(32, 256, 4, 3),
        Tiles(64, 64, 4, 6),
        Tiles(16, 256, 4, 4),
    ],
    8: [
        Tiles(32, 128, 4, 4),
        Tiles(64, 128, 4, 4),
        Tiles(32, 256, 4, 4),
        Tiles(64, 256, 8, 3),
        Tiles(16, 256, 4, 4),
    ],
    4: [
        Tiles(32, 128, 4, 4),
        Tiles(64, 128, 4, 4),
        Tiles(32, 256, 4, 3),
        Tiles(64, 256, 8, 3),
        Tiles(16, 256, 4, 3),
    ],
}

Found = dict[str, dict[str, Any]]
"""Format -> "row" and "rows": the plans to use."""


def tune(config: PhiConfig, formats: Sequence[str], deadline: float) -> Found:
    """Try all tiles for 1, 16 and 64 rows, until `deadline` (of time.perf_counter)."""
    small = PhiConfig.from_dict({**config.to_dict(), "num_hidden_layers": LAYERS})
    found: Found = {}
    jobs = [job for name in formats for job in _jobs(small, FORMATS[name])]
    print(f"compiled {len(jobs)} forms in {compile_ahead(jobs):.0f} s", flush=True)
    model = random_model(small, torch.bfloat16)
    for name in formats:
        quantization = FORMATS[name]
        weights = from_model(
            model, dtype=torch.bfloat16, quantization=quantization, device=torch.device("cuda")
        )
        bits = {None: 16, "int8": 8, "int4": 4}[quantization]
        row = _best(weights, small, quantization, [1], bits, deadline)
        rows = _best(weights, small, quantization, [16, 64], bits, deadline)
        found[name] = {"row": row, "rows": rows}
    return found


def _plans(rows: int, bits: int, plan: Plan) -> dict[str, Any]:
    if rows == 1:
        return {"row_plans": {**ROW_PLANS, bits: plan}}
    return {"rows_plans": {**ROWS_PLANS, bits: plan}}


def _jobs(config: PhiConfig, quantization: Quantization | None) -> list[Job]:
    bits = {None: 16, "int8": 8, "int4": 4}[quantization]
    jobs = [
        Job(config, torch.bfloat16, quantization, rows, **_plans(rows, bits, Plan(tiles, tiles)))
        for rows in (1, 16, 64)
        for tiles in (_ROW if rows == 1 else _ROWS)[bits]
    ]
    plan = ROW_PLANS[bits]
    return [*jobs, Job(config, torch.bfloat16, quantization, 1, norms_first=False,
                       **_plans(1, bits, plan))]  # fmt: skip


def _best(
    weights: Weights,
    config: PhiConfig,
    quantization: Quantization | None,
    batches: Sequence[int],
    bits: int,
    deadline: float,
) -> Plan:
    candidates = (_ROW if batches == [1] else _ROWS)[bits]
    default = (ROW_PLANS if batches == [1] else ROWS_PLANS)[bits]
    best, least = default, float("inf")

    def try_out(plan: Plan, note: str = "", **settings: Any) -> None:
        nonlocal best, least
        if time.perf_counter() > deadline:
            return
        times: list[float] = []
        try:
            for rows in batches:
                job = Job(
                    config, torch.bfloat16, quantization, rows,
                    **_plans(rows, bits, plan), **settings,
                )  # fmt: skip
                times.append(_seconds(weights, job))
        except Exception as error:  # noqa: BLE001 (at the edge: the other tiles go on)
            print(f"  {bits} bits {plan}: {type(error).__name__}: {str(error)[:120]}", flush=True)
            return
        rates = ", ".join(
            f"{rows} rows {1e6 * taken:.0f} us {weights.num_bytes / taken / 1e12:.2f} TB/s"
            for rows, taken in zip(batches, times, strict=True)
        )
        print(f"  {bits} bits {_short(plan)} {note}: {rates}", flush=True)
        if not note and sum(times) < least:
            best, least = plan, sum(times)

    for tiles in candidates:
        try_out(Plan(tiles, default.writing))
    for tiles in candidates:
        if tiles != default.writing:
            try_out(dataclasses.replace(best, writing=tiles))
    if batches == [1]:
        try_out(default, "norms inside", norms_first=False)
    print(f"  best: {best}", flush=True)
    return best


def _seconds(weights: Weights, job: Job) -> float:
    """Of a step of `job.rows` texts, each CONTEXT long."""
    pages = CONTEXT // job.page_size + 1
    decoder = job.decoder(weights, captures=True, tokens=job.rows * pages * job.page_size)
    table = torch.zeros_like(decoder.table[: job.rows])
    table[:, 1] = table[:, 2] = CONTEXT
    numbers = torch.arange(job.rows * pages, device=table.device, dtype=torch.int32)
    table[:, 4 : 4 + pages] = numbers.view(job.rows, pages)
    decoder.table[: job.rows] = table
    return seconds_of(lambda: decoder.run(job.rows), repeats=30, rounds=3)


def _short(plan: Plan) -> str:
    return " | ".join(
        f"{tiles.rows}x{tiles.depth} w{tiles.warps} s{tiles.stages}"
        for tiles in (plan.reading, plan.writing)
    )
