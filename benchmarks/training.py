"""Training throughput and memory: the same Phi trained here, in transformers and in litgpt.

Each participant runs in a process and environment of its own, eager and compiled; they take turns
within one run, and the median over the rounds counts. The machine's matmul rate is measured in the
same rounds. `python benchmarks/training.py --help` tells the options, README.md how to read it.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import json
import math
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import machine
from environments import environment
from peers.training_shape import Shape
from training_report import print_cell, print_summary
from workers import Worker, WorkerError

HERE = Path(__file__).parent
PARTICIPANTS = ("phinery", "transformers", "litgpt")
DTYPES = ("float32", "bfloat16", "bfloat16-true")
# Two bf16 programs round differently; float32 programs only differ in the order of their sums.
LOSS_TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-3, "bfloat16-true": 2e-2}


def _shape(vocab: int, width: int, layers: int, batch: int, sequence: int) -> Shape:
    return Shape(
        vocab_size=vocab,
        hidden_size=width,
        num_hidden_layers=layers,
        batch_size=batch,
        sequence_length=sequence,
    )


CELLS = {
    "nano-8x256": _shape(4096, 128, 4, 8, 256),
    "17m-4x256": _shape(8192, 384, 6, 4, 256),
    "17m-4x1024": _shape(8192, 384, 6, 4, 1024),
    "small-8x512": _shape(51200, 768, 12, 8, 512),
}


@dataclasses.dataclass
class Entry:
    """A participant in one form, eager or compiled, and what was measured of it in one cell."""

    participant: str
    compiled: bool
    worker: Worker
    dtype: str
    losses: list[float] = dataclasses.field(default_factory=list)
    parameters: int = 0
    baseline_bytes: int = 0
    peak_bytes: int = 0
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    threads: int = 0
    tokens_per_second: list[float] = dataclasses.field(default_factory=list)
    other_load: list[float] = dataclasses.field(default_factory=list)
    error: str | None = None

    @property
    def name(self) -> str:
        """Participant and form."""
        return f"{self.participant}, {'compiled' if self.compiled else 'eager'}"

    def prepare(self, shape: Shape) -> None:
        """Build the model in the worker and train the first steps."""
        answer = self._ask(
            "prepare",
            shape=dataclasses.asdict(shape),
            dtype=self.dtype,
            compiled=self.compiled,
        )
        for field, value in answer.items():
            setattr(self, field, value)

    def measure(self, shape: Shape, seconds: float) -> None:
        """Train for about `seconds` and note the rate."""
        load = machine.OtherLoad([self.worker.pid, os.getpid()])
        answer = self._ask("step", seconds=seconds)
        if answer:
            self.other_load.append(load.share())
            self.tokens_per_second.append(answer["steps"] * shape.tokens / answer["seconds"])
            self.peak_bytes = answer["peak_bytes"]

    def _ask(self, command: str, **fields: Any) -> dict[str, Any]:
        if self.error is not None:
            return {}
        try:
            return self.worker.ask(command, **fields)
        except WorkerError as error:
            self.error = str(error)
            print(f"{self.name} failed: {error}", file=sys.stderr)
            return {}

    def result(self, shape: Shape) -> dict[str, Any]:
        """What goes into the table and the JSON file."""
        state = shape.state_bytes(self.dtype)
        measured = {
            "participant": self.participant,
            "form": "compiled" if self.compiled else "eager",
            "dtype": self.dtype,
            "versions": self.versions,
            "threads": self.threads,
            "first_losses": self.losses,
        }
        if self.error is not None:
            return measured | {"error": self.error}
        turns = list(zip(self.tokens_per_second, self.other_load, strict=True))
        alone = [rate for rate, load in turns if load <= machine.BUSY]
        return measured | {
            "tokens_per_second": statistics.median(alone or self.tokens_per_second),
            "turns_alone": len(alone),
            "tokens_per_second_by_round": self.tokens_per_second,
            "other_load_by_round": self.other_load,
            "peak_bytes": self.peak_bytes,
            "peak_less_state_bytes": self.peak_bytes - state,
            "libraries_bytes": self.baseline_bytes,
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the chosen cells, print a table for each, write the JSON file."""
    options = parse(arguments)
    pythons = {
        name: Path(sys.executable) if name == "phinery" else environment(name)
        for name in options.participants
    }
    results: list[dict[str, Any]] = []
    report = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "cells": results,
    }
    for dtype in options.dtypes:
        for cell in options.cells:
            result = measure_cell(cell, dtype, pythons, options)
            results.append(result)
            print_cell(result)
            write(options.output, report)
    print_summary(results)
    print(f"\nwritten to {options.output}")


def measure_cell(
    cell: str, dtype: str, pythons: dict[str, Path], options: argparse.Namespace
) -> dict[str, Any]:
    """All participants and forms on one shape: prepare each, then rounds in which they take turns.

    Only one worker computes at a time; the order turns by one every round.
    """
    shape = CELLS[cell]
    with contextlib.ExitStack() as stack:
        ceiling = stack.enter_context(
            Worker(Path(sys.executable), HERE / "peers/measure_matmul.py")
        )
        ceiling.ask("prepare", shape=dataclasses.asdict(shape), dtype=dtype)
        entries: list[Entry] = []
        for name, python in pythons.items():
            for form in options.forms:
                script = HERE / "peers" / f"train_{name}.py"
                worker = stack.enter_context(Worker(python, script))
                # Phinery has no pure bf16 training: there its mixed training stands beside theirs.
                own = "bfloat16" if name == "phinery" and dtype == "bfloat16-true" else dtype
                entry = Entry(name, form == "compiled", worker, own)
                progress(f"{cell} {dtype}: preparing {entry.name}")
                entry.prepare(shape)
                entries.append(entry)
        rates: list[dict[str, dict[str, float]]] = []
        for number in range(options.rounds):
            turn = number % len(entries)
            rates.append(ceiling.ask("step", seconds=options.seconds)["rates"])
            for entry in entries[turn:] + entries[:turn]:
                progress(f"{cell} {dtype}: round {number + 1}/{options.rounds}, {entry.name}")
                entry.measure(shape, options.seconds)
        progress("")
    check_same_training(entries, shape, dtype)
    return {
        "cell": cell,
        "dtype": dtype,
        "shape": dataclasses.asdict(shape),
        "parameters": shape.num_parameters,
        "state_bytes": shape.state_bytes(dtype),
        "flops_per_token": shape.flops_per_token(),
        "causal_flops_per_token": shape.flops_per_token(causal=True),
        "matmul_flops": {
            dtype: {
                size: statistics.median(round_[dtype][size] for round_ in rates) for size in by_size
            }
            for dtype, by_size in rates[0].items()
        },
        "entries": [entry.result(shape) for entry in entries],
    }


def check_same_training(entries: list[Entry], shape: Shape, dtype: str) -> None:
    """All start from the same weights on the same tokens, so their first losses must agree.

    Raises SystemExit when they do not: then they would not be training the same model.
    """
    running = [entry for entry in entries if entry.error is None]
    for entry in running:
        if entry.parameters != shape.num_parameters:
            raise SystemExit(f"{entry.name} has {entry.parameters} weights: not the same model")
        for loss, reference in zip(entry.losses, running[0].losses, strict=True):
            if not math.isclose(loss, reference, rel_tol=LOSS_TOLERANCE[dtype]):
                raise SystemExit(
                    f"{entry.name} starts with losses {entry.losses}, "
                    f"{running[0].name} with {running[0].losses}: not the same training"
                )


def progress(text: str) -> None:
    """Replace the status line on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def write(path: Path, report: dict[str, Any]) -> None:
    """Write the report as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES[:2]))
    parser.add_argument("--participants", nargs="+", choices=PARTICIPANTS, default=PARTICIPANTS)
    forms = ("eager", "compiled")
    parser.add_argument("--forms", nargs="+", choices=forms, default=forms)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="per measurement; one step is the least"
    )
    parser.add_argument("--output", type=Path, default=HERE / "results" / "training.json")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


if __name__ == "__main__":
    main()
