"""Evaluation: `phinery.evaluate.HarnessModel` beside lm-evaluation-harness' own `hf` model.

The same random weights (`small`, 164M parameters), the same items, float32 on the CPU, each in a
process of its own, taking turns. `hf` runs with batch sizes of 1, 8 and 32, and its best counts.
Generations have `--answer-tokens` tokens each, because random weights never end a text; Phi's own
chains of thought are of about that length. Answers are compared with those of `hf` at batch size 1.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gzip
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import machine
import torch
from environments import environment
from evaluate_items import SHARED, TASKS, write_requests
from workers import Worker

from phinery.data import train_tokenizer
from phinery.model import Phi, preset, save

HERE = Path(__file__).resolve().parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a line a task, write the JSON file."""
    options = parse(arguments)
    rows: list[dict[str, Any]] = []
    versions: dict[str, str] = {}
    python = Path(sys.executable) if options.here else environment("lm_eval")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = options.model or write_model(folder / "model", options.preset)
        write_requests(python, folder, options)
        workers = {
            name: stack.enter_context(Worker(path, HERE / "peers" / f"evaluate_{name}.py"))
            for name, path in (("phinery", Path(sys.executable)), ("hf", python))
        }
        for worker in workers.values():
            versions |= worker.ask("prepare", model=str(model))["versions"]
        for task in options.tasks:
            rows.append(measure(workers, folder / f"{task}.json", options))
            print_row(rows[-1])
    report = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "versions": versions,
        "limit": options.limit,
        "answer_tokens": options.answer_tokens,
        "tasks": rows,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {options.output}")


def write_model(folder: Path, name: str) -> Path:
    """Random weights of a preset, and a tokenizer of as many tokens trained on textbooks."""
    books = SHARED / "corpora/textbooks/openstax.jsonl.gz"
    with gzip.open(books, "rt", encoding="utf-8") as lines:
        texts = [str(json.loads(line)["text"]) for line in lines]
    config = preset(name)
    tokenizer = train_tokenizer(texts, min(50_000, config.vocab_size))
    torch.manual_seed(0)
    save(Phi(config), tokenizer, folder)
    return folder


def measure(
    workers: dict[str, Worker], requests: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """Seconds of each in each round, and how far the answers are apart."""
    turns = [("phinery", 0), *(("hf", size) for size in options.batch_sizes)]
    seconds: dict[str, list[float]] = {_label(*turn): [] for turn in turns}
    answers: dict[str, list[Any]] = {}
    others: list[float] = []
    for number in range(options.rounds):
        for name, size in turns if number % 2 == 0 else turns[::-1]:
            load = machine.OtherLoad([worker.pid for worker in workers.values()])
            answer = workers[name].ask("answer", requests=str(requests), batch_size=size)
            others.append(load.share())
            seconds[_label(name, size)].append(answer["seconds"])
            answers[_label(name, size)] = answer["answers"]
    best = {label: statistics.median(taken) for label, taken in seconds.items()}
    peer = min((label for label in best if label != "phinery"), key=best.__getitem__)
    return {
        "task": requests.stem,
        "requests": len(answers["phinery"]),
        "seconds": seconds,
        "best_peer": peer,
        "ratio": best[peer] / best["phinery"],
        "goal": TASKS[requests.stem][1],
        "apart": compare(answers["phinery"], answers["hf@1"]),
        "others": max(others),
    }


def compare(ours: Sequence[Any], theirs: Sequence[Any]) -> dict[str, Any]:
    """The largest difference of log-likelihoods, and how many other answers are not the same."""
    differ = 0
    largest = 0.0
    for one, other in zip(ours, theirs, strict=True):
        if isinstance(one, str):
            differ += one != other
        else:
            largest = max(largest, abs(one[0] - other[0]))
            differ += one[1] != other[1]
    return {"log_likelihood": largest, "others": differ}


def print_row(row: dict[str, Any]) -> None:
    """One line of the table."""
    taken = ", ".join(
        f"{label} {statistics.median(values):.1f} s" for label, values in row["seconds"].items()
    )
    print(
        f"{row['task']}: {row['ratio']:.1f} x (goal {row['goal']:.1f}); {taken}; "
        f"{row['requests']} requests, log-likelihoods at most {row['apart']['log_likelihood']:.1e} "
        f"apart, {row['apart']['others']} greedy marks or texts differ; "
        f"others took up to {row['others']:.0%} of the processors",
        flush=True,
    )


def _label(name: str, size: int) -> str:
    return f"hf@{size}" if name == "hf" else name


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--limit", type=int, default=40, help="items of each task")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--answer-tokens", type=int, default=128)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--model", type=Path, help="a folder, instead of random weights")
    parser.add_argument("--here", action="store_true", help="hf in this environment, not its own")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "evaluate.json")
    options = parser.parse_args(arguments)
    if 1 not in options.batch_sizes:
        parser.error("--batch-sizes must have 1, whose answers are the reference")
    return options


if __name__ == "__main__":
    main()
