"""Evaluation: are Phinery's answers those of lm-evaluation-harness' own `hf` model?

Every task that the unmodified harness can run offline, 200 items each, float32 on the CPU, `hf`
with a batch size of 1; on a small random Phi, and on each `--model`. A log-likelihood must be
within the larger of 1e-4 and a millionth of its value. Greedy marks and texts must be the same,
unless the two likeliest tokens are within 1e-4 of each other where they part: such ties are listed.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gzip
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import machine
import torch
from environments import environment
from evaluate_items import SHARED, TASKS, write_requests
from workers import Worker

from phinery.data import train_tokenizer
from phinery.model import Phi, PhiConfig, checkpoint, save
from phinery.text import Tokenizer

HERE = Path(__file__).resolve().parent
TIE = 1e-4
# Tasks that stand for many: folder of the items, and how lm_eval names the parts.
PARTS = {"mmlu": "mmlu_{}", "bbh": "bbh_cot_fewshot_{}"}
_ONE_OF_MANY = ("mmlu_anatomy", "bbh_cot_fewshot_date_understanding")


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, print a line a task, write the JSON file; exit status 1 when something differs."""
    options = parse(arguments)
    python = Path(sys.executable) if options.here else environment("lm_eval")
    report: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "items": options.items,
        "answer_tokens": options.answer_tokens,
        "versions": {},
        "models": {},
    }
    wrong = 0
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        models = {"random": write_random(folder / "random")} if options.random else {}
        models |= {model.name: model for model in options.model}
        groups = dict(tasks_of(options.tasks))
        for name, tasks in groups.items():
            requests = folder / "requests" / name
            requests.mkdir(parents=True)
            limit = math.ceil(options.items / len(tasks))
            write_requests(
                python,
                requests,
                argparse.Namespace(tasks=tasks, limit=limit, answer_tokens=options.answer_tokens),
            )
        for label, model in models.items():
            rows: list[dict[str, Any]] = []
            report["models"][label] = rows
            print(f"\n{label}")
            with (
                Worker(Path(sys.executable), HERE / "peers" / "evaluate_phinery.py") as ours,
                Worker(python, HERE / "peers" / "evaluate_hf.py") as theirs,
            ):
                for worker in (ours, theirs):
                    report["versions"] |= worker.ask("prepare", model=str(model))["versions"]
                referee = Referee(model)
                for name in groups:
                    row = compare_group(name, folder / "requests" / name, ours, theirs, referee)
                    rows.append(row)
                    wrong += row["wrong"] + (not row["requests"])
                    print_row(row)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {options.output}")
    if wrong:
        raise SystemExit(f"{wrong} answers are not the same")


def tasks_of(chosen: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Name of a row and the harness's tasks that make it up."""
    for name in chosen:
        if name in PARTS:
            folders = sorted(path.name for path in (SHARED / "benchmarks" / name).iterdir())
            parts = [part for part in folders if "." not in part]
            yield name, [PARTS[name].format(part) for part in parts]
        else:
            yield name, [name]


def write_random(folder: Path) -> Path:
    """A small Phi whose random weights are large enough that its predictions differ."""
    books = SHARED / "corpora/textbooks/openstax.jsonl.gz"
    with gzip.open(books, "rt", encoding="utf-8") as lines:
        texts = [str(json.loads(next(lines))["text"]) for _ in range(200)]
    tokenizer = train_tokenizer(texts, 2048)
    config = PhiConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        partial_rotary_factor=0.5,
        max_position_embeddings=2048,
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    save(Phi(config), tokenizer, folder)
    return folder


class Referee:
    """Tells whether two answers part at a tie, by a float32 forward pass of its own."""

    def __init__(self, folder: Path) -> None:
        self._model = checkpoint.load_model(folder, dtype=torch.float32)
        self._tokenizer = Tokenizer.load(folder)

    @torch.inference_mode()
    def is_tied(self, context: str, ours: Any, theirs: Any, continuation: str) -> bool:
        """Whether the two likeliest tokens are within 1e-4 where the answers part."""
        most = self._model.config.max_position_embeddings
        if isinstance(ours, str):
            one, other = (self._tokenizer.encode(text) for text in (ours, theirs))
            same = next(
                (
                    place
                    for place, (mine, reference) in enumerate(zip(one, other, strict=False))
                    if mine != reference
                ),
                min(len(one), len(other)),
            )
            ids = [*self._tokenizer.encode(context), *one[:same]]
            places = [-1]
        else:
            ids = self._tokenizer.encode(context + continuation)
            count = len(ids) - len(self._tokenizer.encode(context))
            ids, places = ids[:-1], list(range(-count, 0))
        logits = self._model(torch.tensor([ids[-most:]]))[0]
        best = logits[places].float().log_softmax(-1).topk(2).values
        return bool(((best[:, 0] - best[:, 1]) < TIE).any())


def compare_group(
    name: str, folder: Path, ours: Worker, theirs: Worker, referee: Referee
) -> dict[str, Any]:
    """How far the answers of a row's tasks are apart."""
    row: dict[str, Any] = {"task": name, "requests": 0, "largest": 0.0, "wrong": 0, "ties": []}
    for file in sorted(folder.glob("*.json")):
        asked = json.loads(file.read_text(encoding="utf-8"))["requests"]
        one = ours.ask("answer", requests=str(file), batch_size=0)["answers"]
        other = theirs.ask("answer", requests=str(file), batch_size=1)["answers"]
        for request, mine, reference in zip(asked, one, other, strict=True):
            row["requests"] += 1
            if not isinstance(mine, str):
                apart = abs(mine[0] - reference[0])
                row["largest"] = max(row["largest"], apart)
                row["wrong"] += not apart <= max(1e-4, 1e-6 * abs(reference[0]))
                if mine[1] == reference[1]:
                    continue
            elif mine == reference:
                continue
            continuation = request[1] if isinstance(request[1], str) else ""
            if referee.is_tied(request[0], mine, reference, continuation):
                row["ties"].append([file.stem, row["requests"] - 1])
            else:
                row["wrong"] += 1
    return row


def print_row(row: dict[str, Any]) -> None:
    """One line of the table."""
    ties = f", {len(row['ties'])} part at a tie" if row["ties"] else ""
    print(
        f"{row['task']:24} {row['requests']:6,} answers, log-likelihoods at most "
        f"{row['largest']:.1e} apart, {row['wrong']} wrong{ties}",
        flush=True,
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    names = [*PARTS, *(name for name in TASKS if name not in _ONE_OF_MANY)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=names, choices=names)
    parser.add_argument("--items", type=int, default=200, help="of each task, or group of tasks")
    parser.add_argument("--answer-tokens", type=int, default=48)
    parser.add_argument("--model", type=Path, nargs="*", default=[], help="folders of trained ones")
    parser.add_argument("--no-random", dest="random", action="store_false")
    parser.add_argument("--here", action="store_true", help="hf in this environment, not its own")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "evaluate-parity.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
