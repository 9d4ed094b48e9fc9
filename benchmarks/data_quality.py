"""Does data quality help? The same model and the same number of tokens on four diets.

    raw                     everything in ../shared/corpora as it was read
    refined                 what the refinery keeps of it
    refined + lessons       and text of the procedural teacher
    refined + lessons + Primer

The `micro` preset, three seeds. Scored in bits per held-out byte on textbooks, on the Primer's
held-out sections and on raw web pages. No document that is held out, nor a near-duplicate of one,
is in any diet; one tokenizer, learned from all of them, serves all. A run that was stopped goes on:
finished trainings are kept in --work. `python benchmarks/data_quality.py --help` tells the options.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import math
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import machine
import pyarrow.parquet as pq
import torch

from phinery.data import (
    Document,
    Mixture,
    MixtureSampler,
    ReadReport,
    RefineSettings,
    TokenShards,
    is_held_out,
    read_documents,
    refine,
    refined_documents,
    train_tokenizer,
    write_shards,
)
from phinery.data.sources.corpus import CorpusWriter, corpus_documents
from phinery.data.sources.primer import primer_documents
from phinery.data.synthesis.lessons import lessons
from phinery.files import atomic_directory
from phinery.model import Phi, preset
from phinery.text import Tokenizer
from phinery.train import TrainConfig, Trainer, held_out_loss

HERE = Path(__file__).parent
CORPORA = HERE.resolve().parent.parent / "shared" / "corpora"
SETTINGS = RefineSettings(keep=0.5, floor=1.5)
DIETS: dict[str, dict[str, float]] = {
    "raw": {"raw": 1.0},
    "refined": {"refined": 1.0},
    "refined + lessons": {"refined": 0.7, "lessons": 0.3},
    "refined + lessons + Primer": {"refined": 0.6, "lessons": 0.25, "primer": 0.15},
}
TESTS = ("textbooks", "primer", "raw web")
TITLES = {"textbooks": "textbooks", "primer": "Primer, held out", "raw web": "raw web"}
SEQUENCE, BATCH = 256, 16
# Two-sided 95% of Student's t for the mean of three.
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}


def kind_of(document: Document) -> str:
    """The folder of ../shared/corpora that a document comes from."""
    return document.id.split("/", 1)[0]


def prepare(work: Path, vocab_size: int) -> Tokenizer:
    """Corpora, refined text, lessons, tokenizer and shards; what is there already is kept."""
    if not (work / "tokenizer").is_dir():
        _write_pools(work)
        refine(work / "raw", work / "refined", settings=SETTINGS)
        with atomic_directory(work / "lessons", kind="corpus") as place, CorpusWriter(place) as out:
            for document in lessons(seed=7, characters=8_000_000):
                out.write(document)
        texts = itertools.chain.from_iterable(
            itertools.islice((d.text for d in documents), 0, None, step)
            for documents, step in (
                (corpus_documents(work / "raw"), 12),
                (refined_documents(work / "refined"), 8),
                (corpus_documents(work / "lessons"), 3),
                (primer_documents(), 1),
            )
        )
        tokenizer = train_tokenizer(texts, vocab_size)
        with atomic_directory(work / "tokenizer", kind="tokenizer") as place:
            tokenizer.save(place)
    tokenizer = Tokenizer.load(work / "tokenizer")
    pools: dict[str, Iterable[Document]] = {
        "raw": corpus_documents(work / "raw"),
        "refined": refined_documents(work / "refined"),
        "lessons": corpus_documents(work / "lessons"),
        "primer": primer_documents(),
    }
    for name, documents in pools.items():
        if not (work / "shards" / name).is_dir():
            write_shards(documents, tokenizer, work / "shards" / name, heldout_share=0.0)
    held_out: dict[str, Iterable[Document]] = {
        "textbooks": _of_kind(work, "textbooks"),
        "primer": primer_documents(held_out=True),
        "raw web": _of_kind(work, "web", "warc"),
    }
    for name, documents in held_out.items():
        if not (work / "tests" / name).is_dir():
            write_shards(documents, tokenizer, work / "tests" / name, held_out=lambda d: True)
    return tokenizer


def _of_kind(work: Path, *kinds: str) -> Iterator[Document]:
    return (d for d in corpus_documents(work / "held-out") if kind_of(d) in kinds)


def _write_pools(work: Path) -> None:
    """Read the corpora; put 2% of the documents aside, and drop near-duplicates of those."""
    everything = list(read_documents(CORPORA, ReadReport()))
    with atomic_directory(work / "all", kind="corpus") as place, CorpusWriter(place) as out:
        for document in everything:
            out.write(document)
    alike = RefineSettings(
        languages=(), heuristics=False, repetition=False, privacy=False, quality=False
    )
    refine(work / "all", work / "alike", settings=alike)
    clusters: dict[str, str] = {}
    for row in pq.read_table(work / "alike" / "duplicates.parquet").to_pylist():
        clusters[row["id"]] = row["survivor"]

    def is_aside(document: Document) -> bool:
        return is_held_out(clusters.get(document.id, document.id), share=0.02)

    for name, wanted in (("held-out", True), ("raw", False)):
        with atomic_directory(work / name, kind="corpus") as place, CorpusWriter(place) as out:
            for document in everything:
                # Only one of a held-out cluster is scored.
                if is_aside(document) == wanted and not (wanted and document.id in clusters):
                    out.write(document)


def train(work: Path, tokenizer: Tokenizer, diet: str, seed: int, tokens: int) -> dict[str, Any]:
    """One training and its scores."""
    steps = tokens // (SEQUENCE * BATCH)
    sampler = MixtureSampler(
        {name: TokenShards.open(work / "shards" / name) for name in DIETS[diet]},
        Mixture(DIETS[diet]),
        sequence_length=SEQUENCE,
        seed=seed,
        samples=steps * BATCH,
    )
    config = preset(
        "micro",
        vocab_size=tokenizer.vocab_size,
        max_position_embeddings=SEQUENCE,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    torch.manual_seed(seed)
    model = Phi(config)
    training = TrainConfig(
        steps=steps,
        batch_size=BATCH,
        sequence_length=SEQUENCE,
        learning_rate=2e-3,
        warmup_steps=steps // 50,
        schedule="warmup-stable-decay",
        seed=seed,
    )
    started = time.monotonic()
    directory = work / "runs" / f"{diet} {seed} {tokens}"
    loss = Trainer(model, sampler, training, directory, []).fit().loss
    scores = {
        test: held_out_loss(
            model,
            TokenShards.open(work / "tests" / test, "heldout"),
            SEQUENCE,
            tokenizer=tokenizer,
            max_tokens=100_000,
        ).bits_per_byte
        for test in TESTS
    }
    epochs = {name: plan.epochs for name, plan in sampler.plan.items()}
    seconds = time.monotonic() - started
    return {"loss": loss, "scores": scores, "epochs": epochs, "seconds": seconds}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train everything that is missing, print the table, draw the picture."""
    options = parse(arguments)
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = prepare(work, options.vocab_size)
    results: dict[str, dict[str, Any]] = {}
    for seed in range(1, options.seeds + 1):
        for diet in DIETS:
            name = f"{diet} {seed} {options.tokens}"
            path = work / f"{name}.json"
            if not path.is_file():
                found = train(work, tokenizer, diet, seed, options.tokens)
                path.write_text(json.dumps(found), encoding="utf-8")
            results[f"{diet}/{seed}"] = json.loads(path.read_text(encoding="utf-8"))
            scores = results[f"{diet}/{seed}"]["scores"]
            print(name, {test: round(bits, 3) for test, bits in scores.items()}, file=sys.stderr)
    table = summary(results, options.seeds)
    print_table(table)
    report = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "tokens": options.tokens,
        "results": results,
        "summary": table,
        "pools": {name: _size(work / "shards" / name) for name in ("raw", "refined", "lessons")},
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    options.picture.write_text(picture(table, options.tokens, options.seeds), encoding="utf-8")
    print(f"\nwritten to {options.output} and {options.picture}")


def _size(directory: Path) -> dict[str, int]:
    shards = TokenShards.open(directory, verify=False)
    return {"documents": shards.num_documents, "tokens": shards.num_tokens}


def summary(results: dict[str, dict[str, Any]], seeds: int) -> dict[str, dict[str, list[float]]]:
    """Diet -> test -> mean over the seeds and half of its 95% interval."""
    table: dict[str, dict[str, list[float]]] = {}
    for diet in DIETS:
        table[diet] = {}
        for test in TESTS:
            values = [results[f"{diet}/{seed}"]["scores"][test] for seed in range(1, seeds + 1)]
            half = math.nan
            if seeds > 1:
                half = T_95[seeds] * statistics.stdev(values) / math.sqrt(seeds)
            table[diet][test] = [statistics.mean(values), half]
    return table


def print_table(table: dict[str, dict[str, list[float]]]) -> None:
    """Means with their intervals, as Markdown."""
    print(f"| diet | {' | '.join(TITLES[test] for test in TESTS)} |")
    print("| --- | ---: | ---: | ---: |")
    for diet, row in table.items():
        cells = [f"{row[test][0]:.3f} ± {row[test][1]:.3f}" for test in TESTS]
        print(f"| {diet} | {' | '.join(cells)} |")


def picture(table: dict[str, dict[str, list[float]]], tokens: int, seeds: int) -> str:
    """An SVG: a panel a test, a dot a diet, the bar its interval; left is better."""
    left, width, row, gap = 200, 190, 26, 24
    height = 64 + row * len(DIETS) + 20
    parts: list[str] = []
    for number, test in enumerate(TESTS):
        x0 = left + number * (width + gap)
        low = min(mean - half for mean, half in (row_[test] for row_ in table.values()))
        high = max(mean + half for mean, half in (row_[test] for row_ in table.values()))
        span = (high - low) or 1.0
        parts.append(f'<text x="{x0}" y="44" font-weight="bold">{TITLES[test]}</text>')
        for place, (diet, scores) in enumerate(table.items()):
            mean, half = scores[test]
            y = 68 + place * row

            def at(value: float, start: float = low, size: float = span, x: int = x0) -> float:
                return x + (value - start) / size * (width - 60)

            parts.append(
                f'<line x1="{at(mean - half):.1f}" x2="{at(mean + half):.1f}" y1="{y}" y2="{y}" '
                'stroke="#7b8490" stroke-width="2"/>'
                f'<circle cx="{at(mean):.1f}" cy="{y}" r="5" fill="#2f66d0"/>'
                f'<text x="{at(mean + half) + 6:.1f}" y="{y + 4}">{mean:.3f}</text>'
            )
            if number == 0:
                parts.append(f'<text x="8" y="{y + 4}">{diet}</text>')
    total = left + len(TESTS) * (width + gap)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {height}" '
        'font-family="sans-serif" font-size="12" fill="#22262d">'
        '<rect width="100%" height="100%" fill="#ffffff"/>'
        f'<text x="8" y="20" font-size="14">Bits per held-out byte after {tokens / 1e6:g} million '
        f"tokens, mean of {seeds} seeds with 95% interval; further left is better</text>"
        f"{''.join(parts)}</svg>\n"
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=3_000_000)
    parser.add_argument("--seeds", type=int, default=3, choices=range(1, 6))
    parser.add_argument("--vocab-size", type=int, default=4096)
    parser.add_argument("--work", type=Path, default=HERE / "results" / "data_quality")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "data_quality.json")
    parser.add_argument("--picture", type=Path, default=HERE.parent / "docs" / "data-quality.svg")
    options = parser.parse_args(arguments)
    if not CORPORA.is_dir():
        parser.error(f"{CORPORA} is not there")
    return options


if __name__ == "__main__":
    main()
