"""Refining JSON lines: Phinery against datatrove, the same steps, one core each, taking turns.

Read, Gopher-like quality rules, exact duplicates (ours only: datatrove has no such step), MinHash
of 112 hashes in 14 x 8 bands over word 5-grams, write. The documents are made of real paragraphs of
../shared/corpora, with duplicates planted. `--documents 20000 200000` shows how the cost grows.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gzip
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import machine
from environments import environment
from workers import Worker

HERE = Path(__file__).parent
CORPORA = HERE.resolve().parent.parent / "shared" / "corpora"
SOURCES = ("textbooks/openstax", "web/digitalgov", "web/stackexchange", "web/18f", "docs/peps")
CHARACTERS = 3000
NEAR, EXACT = 0.05, 0.02
"""Shares of the documents that are near-duplicates and exact duplicates of earlier ones."""
FILES = 10


def paragraphs() -> list[str]:
    """All paragraphs of 80 characters or more."""
    found: list[str] = []
    for name in SOURCES:
        with gzip.open(CORPORA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                parts = json.loads(line)["text"].split("\n\n")
                found += [part for part in parts if len(part) >= 80]
    return found


def write_corpus(directory: Path, count: int, pool: Sequence[str]) -> int:
    """Write `count` documents into files of JSON lines; returns their UTF-8 bytes."""
    draw = random.Random(count)
    directory.mkdir(parents=True)
    earlier: list[list[str]] = []
    size = 0
    for number in range(FILES):
        with (directory / f"{number:02d}.jsonl").open("w", encoding="utf-8") as file:
            for row in range(number * count // FILES, (number + 1) * count // FILES):
                chance = draw.random()
                if earlier and chance < EXACT:
                    parts = draw.choice(earlier)
                elif earlier and chance < EXACT + NEAR:
                    parts = [*draw.choice(earlier), "Thank you for reading this page to its end."]
                else:
                    parts = _document(draw, pool)
                    if len(earlier) < 10_000:
                        earlier.append(parts)
                text = "\n\n".join(parts)
                size += len(text.encode())
                file.write(json.dumps({"id": f"d{row}", "text": text}) + "\n")
    return size


def _document(draw: random.Random, pool: Sequence[str]) -> list[str]:
    parts: list[str] = []
    length = 0
    wanted = draw.uniform(0.3, 1.7) * CHARACTERS
    while length < wanted:
        parts.append(draw.choice(pool))
        length += len(parts[-1])
    return parts


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the JSON file."""
    options = parse(arguments)
    pythons = {"phinery": Path(sys.executable)}
    if not options.alone:
        pythons["datatrove"] = environment("datatrove", torch=False)
    pool = paragraphs()
    rows: list[dict[str, Any]] = []
    versions: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workers = {
            name: stack.enter_context(Worker(python, HERE / "peers" / f"refine_{name}.py"))
            for name, python in pythons.items()
        }
        for worker in workers.values():
            versions |= worker.ask("prepare", core=options.core)["versions"]
        for count in options.documents:
            size = write_corpus(folder / str(count), count, pool)
            taken: dict[str, list[float]] = {name: [] for name in workers}
            counts: dict[str, Any] = {}
            for number in range(options.rounds):
                for name, worker in list(workers.items())[:: 1 if number % 2 == 0 else -1]:
                    answer = worker.ask(
                        "refine", input=str(folder / str(count)), output=str(folder / f"out-{name}")
                    )
                    taken[name].append(answer["cpu_seconds"])
                    counts[name] = answer["counts"]
                    print(
                        f"{count:,}, round {number + 1}, {name}: {answer['cpu_seconds']:.1f} CPU s",
                        file=sys.stderr,
                    )
            rows.append({"documents": count, "bytes": size, "cpu_seconds": taken, "counts": counts})
    report = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "versions": versions,
        "rows": rows,
    }
    print_table(rows)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {options.output}")


def print_table(rows: list[dict[str, Any]]) -> None:
    """Documents a CPU second of each, and the ratio."""
    print("| documents | MB | who | CPU seconds | documents/s | kept | ratio |")
    print("| ---: | ---: | --- | ---: | ---: | --- | ---: |")
    for row in rows:
        base = row["cpu_seconds"].get("datatrove")
        for name, turns in row["cpu_seconds"].items():
            middle = statistics.median(turns)
            ratio = f"{statistics.median(base) / middle:.1f}" if base else ""
            kept = ", ".join(f"{step} {count:,}" for step, count in row["counts"][name].items())
            print(
                f"| {row['documents']:,} | {row['bytes'] / 1e6:.0f} | {name} | {middle:.1f} | "
                f"{row['documents'] / middle:,.0f} | {kept} | {ratio} |"
            )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="without datatrove")
    parser.add_argument("--core", type=int, default=0, help="the processor that both run on")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "refining.json")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


if __name__ == "__main__":
    main()
