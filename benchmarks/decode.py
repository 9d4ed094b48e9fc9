"""Decoding and prompts on a CPU: Phinery's native core beside llama.cpp, transformers and OpenVINO.

Each participant runs the same weights in a process and environment of its own; they take turns
within one run, and the median over the rounds counts. The machine's memory and matmul rates are
measured in the same rounds. `python benchmarks/decode.py --help` tells the options, README.md how
to read it.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import decode_perplexity
import decode_weights
import machine
from decode_cell import HERE, PARTICIPANTS, Entry, Measure, Plan, measure_cell
from decode_report import print_cell, print_summary
from environments import environment
from peers.decode_shape import FORMATS, SHAPES

# torch.compile unrolls the layers: minutes for a large model, which is not faster by it.
COMPILED_PARAMETERS = 500e6
# llama.cpp as it is built for processors with AVX2.
WITHOUT_AVX512 = {
    "CMAKE_ARGS": "-DGGML_NATIVE=OFF -DGGML_AVX512=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON "
    "-DGGML_BMI2=ON"
}
BY_DEFAULT = ("phinery", "llama_cpp", "llama_cpp_f16", "transformers", "openvino")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the chosen cells, print a table for each, add the run to the JSON file."""
    options = parse(arguments)
    report = read_report(options.output)
    if options.report:
        print_summary(report["runs"])
        return
    pythons = {name: python_of(name) for name in options.participants}
    run: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "options": {
            name: str(value) if isinstance(value, Path) else value
            for name, value in vars(options).items()
        },
        "perplexity": None,
        "cells": [],
    }
    report["runs"].append(run)
    if options.model is not None:
        run["perplexity"] = decode_perplexity.measure_perplexity(
            options.model, options.text, options.formats, pythons, options.perplexity_tokens
        )
        write(options.output, report)
    with contextlib.ExitStack() as stack:
        own = [stack.enter_context(busy_process())] if options.contended else []
        for shape, format_, threads in itertools.product(
            options.shapes, options.formats, options.threads
        ):
            result = cell(shape, format_, threads, pythons, options, own)
            run["cells"].append(result)
            print_cell(result, run["perplexity"])
            write(options.output, report)
    print_summary([run])
    print(f"\nadded to {options.output}")
    if any("error" in entry for result in run["cells"] for entry in result["entries"]):
        raise SystemExit("some participants failed")


def cell(
    name: str,
    format_: str,
    threads: int,
    pythons: dict[str, Path],
    options: argparse.Namespace,
    own: Sequence[int],
) -> dict[str, Any]:
    """Write the weights where they are missing, and measure."""
    shape = SHAPES[name]
    folder = options.weights / name
    decode_weights.write_random_model(shape, folder / "model")
    measures = [
        Measure("decode", batch, options.prompt, options.tokens) for batch in options.batches
    ]
    measures += [Measure("prefill", 1, length, 0) for length in options.prefill]
    measures += [
        Measure("generate", batch, options.prompt, options.tokens) for batch in options.generate
    ]
    environment_ = {} if options.isa is None else {"PHINERY_ENGINE_ISA": options.isa}
    entries: list[Entry] = []
    for participant, python in pythons.items():
        if format_ not in PARTICIPANTS[participant]:
            continue
        kind = "f16" if participant.endswith("_f16") else format_
        gguf = folder / f"{kind}.gguf"
        if participant.startswith("llama_cpp"):
            decode_weights.write_gguf(folder / "model", gguf, kind)
        opening = {
            "directory": str((folder / "model").resolve()),
            "gguf": str(gguf.resolve()),
            "cache": str(folder.resolve()),
            "format": format_,
            "threads": threads,
            "vocab_size": shape.vocab_size,
            # Room for each sequence to fill whole pages.
            "cache_tokens": max(
                measure.batch * (measure.prompt + measure.tokens + 64) for measure in measures
            ),
            "compile": shape.num_parameters < COMPILED_PARAMETERS,
            "contended": options.contended,
            "environment": environment_ if participant == "phinery" else {},
        }
        entries.append(Entry(participant, python, opening))
    plan = Plan(
        shape,
        format_,
        threads,
        tuple(measures),
        options.rounds,
        options.seconds,
        tuple(own),
        options.one_at_a_time,
    )
    facts = {"cell": name, "isa": options.isa or "best", "contended": options.contended}
    return facts | measure_cell(plan, entries)


def python_of(participant: str) -> Path:
    """The python of a participant's environment."""
    if participant == "phinery":
        return Path(sys.executable)
    name = participant.removesuffix("_f16")
    return environment(
        name,
        torch=not name.startswith("llama_cpp"),
        build=WITHOUT_AVX512 if name == "llama_cpp_avx2" else None,
    )


@contextlib.contextmanager
def busy_process() -> Generator[int]:
    """A process that computes all the time on the last of the cores; its id."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
            yield process.pid
        finally:
            process.kill()


def read_report(path: Path) -> dict[str, Any]:
    """The runs so far."""
    if not path.exists():
        return {"runs": []}
    return json.loads(path.read_text(encoding="utf-8"))


def write(path: Path, report: dict[str, Any]) -> None:
    """Write the report as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--shapes", nargs="+", choices=SHAPES, default=["small"])
    add("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    add("--threads", nargs="+", type=int, default=[1, 2])
    add("--batches", nargs="*", type=int, default=[1, 16, 32], help="of the decoding measures")
    add("--prefill", nargs="*", type=int, default=[512], help="tokens of the prompt measures")
    add("--generate", nargs="*", type=int, default=[1], help="batches of whole requests")
    add("--participants", nargs="+", choices=PARTICIPANTS, default=list(BY_DEFAULT))
    add("--prompt", type=int, default=64, help="tokens before the steps that are timed")
    add("--tokens", type=int, default=16, help="steps of a run")
    add("--rounds", type=int, default=3)
    add("--seconds", type=float, default=1.0, help="per measurement; one run is the least")
    add("--isa", choices=("avx2", "portable"), help="instruction set of Phinery's core")
    add("--contended", action="store_true", help="beside a process that keeps one core busy")
    add("--one-at-a-time", action="store_true", help="no two models in memory, even if they fit")
    add("--model", type=Path, help="a run directory or model folder: perplexity in each format")
    add("--text", type=Path, help="held-out text for --model, when it is no run directory")
    add("--perplexity-tokens", type=int, default=256, help="of each of 32 sequences")
    add("--weights", type=Path, default=HERE / "results" / "decode-weights")
    add("--output", type=Path, default=HERE / "results" / "decode.json")
    add("--report", action="store_true", help="print the summary of all runs in the file, and end")
    options = parser.parse_args(arguments)
    sizes = [*options.threads, *options.batches, *options.prefill, *options.generate]
    if min([*sizes, options.rounds, options.prompt, options.tokens]) < 1:
        parser.error("numbers must be at least 1")
    longest = max(options.prompt + options.tokens, *options.prefill, 1)
    if longest > min(SHAPES[name].max_position_embeddings for name in options.shapes):
        parser.error(f"{longest} tokens are more than the models' context")
    return options


if __name__ == "__main__":
    main()
