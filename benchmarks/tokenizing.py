"""How fast documents become token shards' ids: Phinery's encoding beside the `tokenizers` library.

Both encode the same texts with the same tokenizer, in processes of their own that take turns; the
ids are compared. Rates are by processor time on one core, and by wall time on more; what more cores
bring is by wall time, in turns with one core.

Texts: OpenStax's textbooks (`../shared/corpora`) and Python's standard library. Tokenizers: trained
on both, and one with CodeGen's runs of whitespace as added tokens, as Phi's.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gzip
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import machine
from tokenizers import AddedToken

from phinery.data import train_tokenizer
from phinery.text import Tokenizer

HERE = Path(__file__).parent
OPENSTAX = HERE.parents[1] / "shared/corpora/textbooks/openstax.jsonl.gz"
PARTICIPANTS = ("tokenizers", "phinery")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every cell, print a line for each, write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=8, help="of each kind of text")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[4096, 50_000])
    parser.add_argument("--output", type=Path, default=HERE / "results/tokenizing.json")
    options = parser.parse_args(arguments)
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        texts = write_texts(Path(scratch), int(options.megabytes * 1e6))
        folders = write_tokenizers(Path(scratch), list(texts.values()), options.vocabularies)
        for cores in options.cores:
            for kind, file in texts.items():
                for name, folder in folders.items():
                    cell = measure(folder, file, cores, options.rounds)
                    results.append({"text": kind, "tokenizer": name, "cores": cores, **cell})
                    print_cell(results[-1])
    report = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "megabytes": options.megabytes,
        "rounds": options.rounds,
        "cells": results,
    }
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print_scaling(results)
    print(f"\nwritten to {options.output}")


def write_texts(scratch: Path, size: int) -> dict[str, Path]:
    """Files of documents, evenly taken from each collection until `size` bytes are reached."""
    with gzip.open(OPENSTAX, "rt", encoding="utf-8") as lines:
        textbooks = [str(json.loads(line)["text"]) for line in lines]
    library = Path(sysconfig.get_paths()["stdlib"])
    code: list[str] = []
    for path in sorted(library.rglob("*.py")):
        if not {"site-packages", "test", "tests"} & {*path.parts}:
            # One file of the library is in another encoding on purpose.
            with contextlib.suppress(UnicodeDecodeError):
                code.append(path.read_text(encoding="utf-8"))
    files: dict[str, Path] = {}
    for kind, documents in (("openstax", textbooks), ("python", code)):
        total = sum(len(text.encode()) for text in documents)
        step = max(1, total // size)
        files[kind] = scratch / f"{kind}.json"
        files[kind].write_text(json.dumps(documents[::step]), encoding="utf-8")
    return files


def write_tokenizers(scratch: Path, files: list[Path], sizes: list[int]) -> dict[str, Path]:
    """Folders with a tokenizer of each size, and the largest with CodeGen's added tokens."""
    texts = [text for file in files for text in json.loads(file.read_text(encoding="utf-8"))]
    folders: dict[str, Path] = {}
    for size in sizes:
        tokenizer = train_tokenizer(texts, size)
        folders[f"{size:,}"] = scratch / str(size)
        folders[f"{size:,}"].mkdir()
        tokenizer.save(folders[f"{size:,}"])
    largest = scratch / str(max(sizes))
    state = json.loads((largest / "tokenizer.json").read_text(encoding="utf-8"))
    runs = [" " * length for length in range(31, 1, -1)]
    runs += ["\t" * length for length in range(9, 1, -1)]
    backend = Tokenizer.load(largest)
    name = f"{max(sizes):,} + runs"
    folders[name] = scratch / "runs"
    folders[name].mkdir()
    first = backend.vocab_size
    state["added_tokens"] += [
        {**_fields(AddedToken(run, normalized=True)), "id": first + number}
        for number, run in enumerate(runs)
    ]
    (folders[name] / "tokenizer.json").write_text(json.dumps(state), encoding="utf-8")
    return folders


def _fields(token: AddedToken) -> dict[str, Any]:
    names = ("content", "single_word", "lstrip", "rstrip", "normalized", "special")
    return {name: getattr(token, name) for name in names}


def measure(folder: Path, file: Path, cores: int, rounds: int) -> dict[str, Any]:
    """Rounds in which all take turns; MB/s are medians, ratios are medians of ratios."""
    turns = [(name, count) for count in sorted({1, cores}) for name in PARTICIPANTS]
    answers: dict[tuple[str, int], list[dict[str, Any]]] = {turn: [] for turn in turns}
    with contextlib.ExitStack() as stack:
        workers = {
            (name, count): stack.enter_context(start(name, folder, file, count))
            for name, count in turns
        }
        for number in range(rounds + 1):
            for turn in turns if number % 2 else turns[::-1]:
                answers[turn].append(ask(workers[turn]))
    if len({answer["sha256"] for given in answers.values() for answer in given}) != 1:
        raise SystemExit(f"the ids differ on {file.name} with {folder.name}")
    clock = "processor_seconds" if cores == 1 else "wall_seconds"
    rates = {name: _rates(answers[name, cores], clock) for name in PARTICIPANTS}
    ratios = _ratios(rates["phinery"], rates["tokenizers"])
    return {
        "megabytes_per_second": {name: statistics.median(rates[name]) for name in PARTICIPANTS},
        "rates": rates,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "times_one_core": {
            name: _ratios(
                _rates(answers[name, cores], "wall_seconds"),
                _rates(answers[name, 1], "wall_seconds"),
            )
            for name in PARTICIPANTS
        },
    }


def _rates(answers: Sequence[dict[str, Any]], clock: str) -> list[float]:
    """MB/s of each round but the first, which warms up."""
    return [answer["bytes"] / answer[clock] / 1e6 for answer in answers[1:]]


def _ratios(rates: Sequence[float], others: Sequence[float]) -> list[float]:
    return [rate / other for rate, other in zip(rates, others, strict=True)]


def start(name: str, folder: Path, file: Path, cores: int) -> subprocess.Popen[str]:
    """A worker that is told how many cores there are, and held to them where that can be done."""
    environment = {
        **os.environ,
        "RAYON_NUM_THREADS": str(cores),
        "TOKENIZERS_PARALLELISM": "true" if cores > 1 else "false",
    }
    script = HERE / "peers/encode_texts.py"
    command = [sys.executable, str(script), name, str(folder), str(file), str(cores)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def ask(worker: subprocess.Popen[str]) -> dict[str, Any]:
    """One pass over the texts; SystemExit when the worker has died."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("encode\n")
    worker.stdin.flush()
    line = worker.stdout.readline()
    if not line:
        raise SystemExit("a worker ended early: see its message above")
    return json.loads(line)


def print_cell(cell: dict[str, Any]) -> None:
    """One line of the table."""
    rates = cell["megabytes_per_second"]
    print(
        f"{cell['text']:9} {cell['tokenizer']:14} {cell['cores']} core(s)  "
        f"tokenizers {rates['tokenizers']:6.1f} MB/s  phinery {rates['phinery']:6.1f} MB/s  "
        f"{cell['ratio']:5.1f} x  ({min(cell['ratios']):.1f} to {max(cell['ratios']):.1f})",
        flush=True,
    )


def print_scaling(results: list[dict[str, Any]]) -> None:
    """What more cores bring, for both: median and range of the rounds."""
    for cell in results:
        if cell["cores"] > 1:
            gains = [
                f"{name} {statistics.median(gain):.2f} x ({min(gain):.2f} to {max(gain):.2f})"
                for name, gain in cell["times_one_core"].items()
            ]
            print(f"{cell['cores']} cores, {cell['text']}, {cell['tokenizer']}: {', '.join(gains)}")


if __name__ == "__main__":
    main()
