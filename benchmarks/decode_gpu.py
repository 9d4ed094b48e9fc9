"""Decoding on a GPU: phi-2's shape with random weights, ours and transformers', side by side.

    PYTHONPATH=src python benchmarks/decode_gpu.py --check     the arithmetic only, a minute
    PYTHONPATH=src python benchmarks/decode_gpu.py [--tune]    the figures, four minutes at most

Of ours, `step` is `Backend.step` with the logits copied to the host and the likeliest tokens chosen
there by numpy; `GPU` is the captured step by itself. Bytes are those that a step must read: the
matrices once, and every text's keys and values. Before anything is timed, its logits are held
against the same weights' in float32. The table goes to stdout, everything to `decode_gpu.json` in
--out, by default the folder that the variable OUT names.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import os
import signal
import statistics
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from decode_gpu_check import check_all
from decode_gpu_help import (
    FORMATS,
    NOMINAL_BANDWIDTH,
    Job,
    compile_ahead,
    memory_rates,
    random_model,
    seconds_of,
    span,
)
from decode_gpu_tune import Found, tune
from training_report import print_table

from phinery.infer import cuda_tiles
from phinery.infer.cuda_backend import CudaBackend
from phinery.infer.cuda_decode import Decoder
from phinery.model import Phi, PhiConfig, preset

PROMPT = 128
STEPS = 48
PAGE = 16
PAGES = (PROMPT + STEPS) // PAGE + 2
# Relative error of logits that a format may have on random weights, against float32.
TOLERANCES = {"bf16": 0.05, "int8": 0.1, "int4": 0.6, "transformers": 0.05}


def main() -> int:
    """Run it; 1 when a check failed, or one of our own cells."""
    parser = argparse.ArgumentParser(description="Decoding on a GPU, beside transformers.")
    parser.add_argument("--check", action="store_true", help="check the arithmetic, time nothing")
    parser.add_argument("--tune", action="store_true", help="find the fastest tiles first")
    parser.add_argument("--model", default="phi-2", help="a preset (phi-2)")
    parser.add_argument("--formats", default="bf16,int8,int4")
    parser.add_argument("--batches", default="1,16,64")
    parser.add_argument("--no-peer", action="store_true", help="leave transformers out")
    parser.add_argument("--seconds", type=float, default=230, help="begin nothing new after this")
    parser.add_argument("--out", default=os.environ.get("OUT", "."))
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("there is no CUDA device")
    if options.check:
        return 0 if check_all() else 1
    deadline = time.perf_counter() + options.seconds
    run = Run(
        preset(options.model),
        options.formats.split(","),
        [int(batch) for batch in options.batches.split(",")],
        deadline,
    )
    if options.tune:
        run.tune()
    try:
        run.measure(with_peer=not options.no_peer)
    finally:
        run.report(Path(options.out))
    ours = [cell for cell in run.cells if cell["participant"] == "phinery"]
    return 0 if ours and not any("error" in cell for cell in ours) else 1


class Run:
    """One run of the benchmark and what it found."""

    def __init__(
        self, config: PhiConfig, formats: list[str], batches: list[int], deadline: float
    ) -> None:
        self.config = config
        self.formats = formats
        self.batches = batches
        self.deadline = deadline
        self.cells: list[dict[str, Any]] = []
        self.found: Found = {}
        device = torch.cuda.get_device_name()
        rates = memory_rates()
        self.facts: dict[str, Any] = {
            "device": device,
            "torch": str(torch.__version__),
            "nominal": NOMINAL_BANDWIDTH.get(device),
            "prompt": PROMPT,
            "steps": STEPS,
            **rates,
        }
        self.bandwidth = max(rates.values())
        print(
            f"{device}: copies {rates['copy'] / 1e12:.2f} TB/s (read and written), "
            f"sums {rates['read'] / 1e12:.2f} TB/s",
            flush=True,
        )

    def tune(self) -> None:
        """Find tiles, in at most half of the time."""
        half = time.perf_counter() + (self.deadline - time.perf_counter()) / 2
        with told("tuning"):
            self.found = tune(self.config, self.formats, half)

    def measure(self, *, with_peer: bool) -> None:
        """All cells, as long as there is time."""
        jobs = [
            Job(self.config, torch.bfloat16, FORMATS[name], batch, **self._plans(name))
            for name in self.formats
            for batch in self.batches
        ]
        print(f"compiled in {compile_ahead(jobs):.0f} s", flush=True)
        model = random_model(self.config, torch.bfloat16)
        with told("the reference"):
            reference = Reference(model)
            for name in self.formats:
                if self._has_time(name):
                    with told(name):
                        self._measure_ours(model, name, reference)
            if with_peer and self._has_time("transformers"):
                with told("transformers"):
                    self._measure_peer(model, reference)

    def _has_time(self, name: str) -> bool:
        left = self.deadline - time.perf_counter()
        if left <= 0:
            print(f"no time left for {name}", flush=True)
        return left > 0

    def _plans(self, name: str) -> dict[str, Any]:
        found = self.found.get(name)
        if found is None:
            return {}
        bits = {"bf16": 16, "int8": 8, "int4": 4}[name]
        return {
            "row_plans": {**cuda_tiles.ROW_PLANS, bits: found["row"]},
            "rows_plans": {**cuda_tiles.ROWS_PLANS, bits: found["rows"]},
        }

    def _measure_ours(self, model: Phi, name: str, reference: Reference) -> None:
        backend = CudaBackend(
            model,
            quantization=FORMATS[name],
            cache_tokens=max(self.batches) * PAGES * PAGE,
            page_size=PAGE,
            max_batch=max(self.batches),
        )
        decoder = backend.decoder
        assert decoder is not None
        if self.found:
            backend._decoder = decoder = Decoder(
                backend.weights, backend._keys, backend._values,
                max_rows=decoder.max_rows, captures=True, **self._plans(name),
            )  # fmt: skip
        error = reference.error_of(lambda texts: our_logits(backend, texts))
        print(f"{name}: relative error of logits {error:.2e}", flush=True)
        if not error <= TOLERANCES[name]:
            raise AssertionError(f"logits differ by {error:.2e}: this is another model")
        for batch in self.batches:
            cell: dict[str, Any] = {
                "participant": "phinery",
                "format": name,
                "batch": batch,
                "logits_error": error,
                "bytes": backend.weight_bytes + self._cache_bytes(batch),
            }
            with self._cell(cell):
                cell["step_seconds"] = time_steps(backend, batch)
                cell["seconds"] = seconds_of(lambda: decoder.run(batch), repeats=20)  # noqa: B023
        backend.close()

    def _measure_peer(self, model: Phi, reference: Reference) -> None:
        from decode_gpu_peer import Peer

        peer = Peer(model)
        error = reference.error_of(peer.logits)
        print(f"transformers: relative error of logits {error:.2e}", flush=True)
        if not error <= TOLERANCES["transformers"]:
            raise AssertionError(f"logits differ by {error:.2e}: this is another model")
        weight_bytes = 2 * (
            model.num_parameters() - self.config.vocab_size * self.config.hidden_size
        )
        for form in ("eager", "graph", "compiled"):
            for batch in self.batches:
                if not self._has_time(f"transformers {form}, batch {batch}"):
                    return
                cell: dict[str, Any] = {
                    "participant": f"transformers {form}",
                    "format": "bf16",
                    "batch": batch,
                    "logits_error": error,
                    "bytes": weight_bytes + self._cache_bytes(batch),
                }
                with self._cell(cell), time_limit(60):
                    cell["seconds"] = peer.seconds(form, batch, PROMPT, STEPS)

    def _cache_bytes(self, batch: int) -> int:
        """Keys and values of texts in the middle of the measured steps."""
        return batch * (PROMPT + STEPS // 2) * self.config.kv_bytes_per_token(2)

    @contextlib.contextmanager
    def _cell(self, cell: dict[str, Any]) -> Generator[None, None, None]:
        self.cells.append(cell)
        name = f"{cell['participant']} {cell['format']} batch {cell['batch']}"
        try:
            yield
        except Exception as error:  # noqa: BLE001 (at the edge: the other cells go on)
            cell["error"] = f"{type(error).__name__}: {str(error)[:500]}"
            print(f"{name} FAILED: {cell['error']}", flush=True)
            return
        print(f"{name}: {1e3 * cell['seconds']:.3f} ms a step", flush=True)

    def report(self, folder: Path) -> None:
        """Write the JSON file, print the table."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {**self.facts, "cells": self.cells}
        (folder / "decode_gpu.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        nominal = self.facts["nominal"]
        rows = [("", "format", "batch", "tokens/s", "step tokens/s", "TB/s", "of measured",
                 "of nominal", "logits error")]  # fmt: skip
        for cell in self.cells:
            if "error" in cell:
                rows.append(
                    (cell["participant"], cell["format"], str(cell["batch"]), "failed",
                     "", "", "", "", "")
                )  # fmt: skip
                continue
            rate = cell["bytes"] / cell["seconds"]
            step = cell.get("step_seconds")
            rows.append(
                (
                    cell["participant"],
                    cell["format"],
                    str(cell["batch"]),
                    f"{cell['batch'] / cell['seconds']:,.0f}",
                    "" if step is None else f"{cell['batch'] / step:,.0f}",
                    f"{rate / 1e12:.2f}",
                    f"{rate / self.bandwidth:.0%}",
                    "" if nominal is None else f"{rate / nominal:.0%}",
                    f"{cell['logits_error']:.1e}",
                )
            )
        print_table(rows)


class Reference:
    """Logits in float32 of two texts, at their last nine tokens."""

    LAST = 9

    def __init__(self, model: Phi) -> None:
        generator = np.random.default_rng(2)
        vocab = model.config.vocab_size
        self.texts: list[list[int]] = generator.integers(0, vocab, (2, PROMPT + 8)).tolist()
        exact = copy.deepcopy(model).float()
        with torch.inference_mode():
            tokens = torch.tensor(self.texts, device=model.device)
            self._logits = exact(tokens)[:, -self.LAST :].cpu().numpy()

    def error_of(self, logits: Callable[[list[list[int]]], np.ndarray]) -> float:
        """Of the logits (texts, LAST, vocab) that a function gives."""
        found = logits(self.texts)
        return float(np.linalg.norm(found - self._logits) / np.linalg.norm(self._logits))


def our_logits(backend: CudaBackend, texts: list[list[int]]) -> np.ndarray:
    """Of the prompts' last token, then token by token."""
    tables = [list(range(PAGES * place, PAGES * (place + 1))) for place in range(len(texts))]
    parts = [
        backend.step(
            [span(text[:PROMPT], 0, table, 1) for text, table in zip(texts, tables, strict=True)]
        )
    ]
    for place in range(PROMPT, len(texts[0])):
        spans = [
            span([text[place]], place, table, 1) for text, table in zip(texts, tables, strict=True)
        ]
        # Alone at every other place, so that both sorts of kernels are used.
        if place % 2:
            parts.append(backend.step(spans))
        else:
            parts.append(np.concatenate([backend.step([each]) for each in spans]))
    return np.stack(parts, axis=1)


def time_steps(backend: CudaBackend, batch: int) -> float:
    """Seconds of a step, the median: tokens in, logits out, the likeliest chosen by numpy."""
    generator = np.random.default_rng(3)
    texts = generator.integers(0, backend.config.vocab_size, (batch, PROMPT)).tolist()
    tables = [list(range(PAGES * place, PAGES * (place + 1))) for place in range(batch)]
    logits = backend.step(
        [span(text, 0, table, 1) for text, table in zip(texts, tables, strict=True)]
    )
    times: list[float] = []
    for position in range(PROMPT, PROMPT + STEPS):
        begin = time.perf_counter()
        chosen = logits.argmax(1)
        logits = backend.step(
            [
                span([int(token)], position, table, 1)
                for token, table in zip(chosen, tables, strict=True)
            ]
        )
        times.append(time.perf_counter() - begin)
    return statistics.median(times[4:])


@contextlib.contextmanager
def told(name: str) -> Generator[None, None, None]:
    """What fails is told of, and the rest goes on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 (at the edge)
        print(f"{name} FAILED: {type(error).__name__}: {str(error)[:800]}", flush=True)


@contextlib.contextmanager
def time_limit(seconds: float) -> Generator[None, None, None]:
    """Raise TimeoutError in what takes longer."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"not done within {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    raise SystemExit(main())
