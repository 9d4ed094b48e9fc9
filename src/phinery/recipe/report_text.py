"""Sentences and tables that both forms of the report share, and the report as Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from phinery.evaluate.table import render_markdown
from phinery.recipe import report_refining as refining
from phinery.recipe.report_data import ReportData
from phinery.recipe.schema import format_count
from phinery.recipe.terminal import duration

Rows = list[tuple[str, ...]]


def bytes_text(count: float) -> str:
    """Bytes for a person: "24.1 MB"."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"


def subtitle(data: ReportData) -> str:
    """The whole run in one sentence."""
    took = f"in {duration(data.seconds)}"
    place = data.machine["processor"]
    if not data.trained:
        return f"Made {took} on {place}."
    tokens = sum(counts["tokens"] for counts in data.trained)
    parameters = data.trained[-1]["parameters"]
    return (
        f"A Phi of {format_count(parameters)} parameters, trained on {format_count(tokens)} tokens "
        f"{took}, on {data.machine['cores used']} cores of {place}."
    )


def cards(data: ReportData) -> list[tuple[str, str]]:
    """The figures that matter most: (value, what it is)."""
    found: list[tuple[str, str]] = []
    if data.scores is not None:
        found.append((f"{data.scores['bits_per_byte']:.3f}", "bits per held-out byte"))
        if data.scores["xz_bits_per_byte"] is not None:
            found.append((f"{data.scores['xz_bits_per_byte']:.3f}", "what xz -9 needs for it"))
    if data.trained:
        tokens = sum(counts["tokens"] for counts in data.trained)
        rate = tokens / max(sum(counts["training_seconds"] for counts in data.trained), 1e-9)
        found += [
            (format_count(data.trained[-1]["parameters"]), "parameters"),
            (format_count(tokens), "tokens trained on"),
            (format_count(rate), "tokens a second"),
        ]
    minutes = data.seconds / 60
    time = f"{minutes:.1f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
    return [*found, (time, "from text to report")]


def score_sentence(scores: Mapping[str, Any]) -> str:
    """What the held-out score means beside xz."""
    held_out = (
        f"On {bytes_text(scores['bytes'])} of text that was kept out of training the model needs "
        f"{scores['bits_per_byte']:.3f} bits per byte (a loss of {scores['loss']:.3f} nats per "
        f"token, perplexity {math.exp(scores['loss']):.1f})."
    )
    baseline = scores["xz_bits_per_byte"]
    if baseline is None:
        return (
            f"{held_out} xz was not asked: training saw {bytes_text(scores['training_bytes'])}, "
            "more than the recipe's evaluate.baseline."
        )
    change = 100 * (1 - scores["bits_per_byte"] / baseline)
    verdict = (
        f"the model needs {change:.0f}% less"
        if change >= 0.5
        else f"the model needs {-change:.0f}% more"
        if change <= -0.5
        else "the model needs as much"
    )
    return (
        f"{held_out} `xz -9`, after it has seen the same {bytes_text(scores['training_bytes'])} of "
        f"training text, needs {baseline:.3f} for the same bytes: {verdict}."
    )


def corpus_rows(counts: Mapping[str, Any]) -> Rows:
    """Source, documents, size and share, largest first."""
    sources: Mapping[str, Mapping[str, int]] = counts["sources"]
    total = max(counts["bytes"], 1)
    ordered = sorted(sources.items(), key=lambda item: -item[1]["bytes"])
    return [
        (
            name,
            f"{source['documents']:,}",
            bytes_text(source["bytes"]),
            f"{100 * source['bytes'] / total:.1f}%",
        )
        for name, source in ordered
    ]


def left_out_rows(counts: Mapping[str, Any]) -> Rows:
    """Why files, rows or lines were left out, the first of them, and how many."""
    ordered = sorted(counts["left_out"].items(), key=lambda item: -item[1]["count"])
    return [(reason, left["example"], f"{left['count']:,}") for reason, left in ordered]


def shard_rows(counts: Mapping[str, Any]) -> Rows:
    """The two splits: documents, tokens, bytes, bytes per token."""
    return [
        (
            title,
            f"{split['documents']:,}",
            f"{split['tokens']:,}",
            bytes_text(split["bytes"]),
            f"{split['bytes'] / max(split['tokens'], 1):.2f}",
        )
        for title, split in (("training", counts["train"]), ("held out", counts["heldout"]))
    ]


def training_rows(counts: Mapping[str, Any]) -> Rows:
    """A phase of training in figures."""
    return [
        ("optimiser steps", f"{counts['steps']:,}"),
        ("tokens", f"{counts['tokens']:,}"),
        ("epochs of the corpus", f"{counts['epochs']:.2f}"),
        ("parameters", f"{counts['parameters']:,}"),
        ("operations", f"{counts['flops']:.3g} floating-point"),
        ("matrix products in", str(counts["dtype"])),
        ("speed", f"{counts['tokens'] / max(counts['training_seconds'], 1e-9):,.0f} tokens/s"),
        ("steps skipped for a bad gradient", f"{counts['skipped_steps']:,}"),
    ]


def stage_rows(data: ReportData) -> list[tuple[str, float, str, str]]:
    """Every stage: name, seconds, seconds as text, what came out."""
    return [
        (name, record["seconds"], duration(record["seconds"]), record["summary"])
        for name, record in data.records.items()
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines
    )


def markdown(data: ReportData) -> str:
    """The report as Markdown."""
    parts = [f"# {data.recipe.name}\n\n{subtitle(data)}\n"]
    if data.scores is not None:
        parts.append(f"## Score\n\n{score_sentence(data.scores)}\n")
    if data.evaluations:
        parts.append(render_markdown(data.evaluations))
    for curve in data.curves:
        rows = [
            (format_count(tokens), f"{loss:.3f}", f"{bits:.3f}")
            for tokens, loss, bits in zip(
                curve.held_out_tokens, curve.held_out_loss, curve.held_out_bits, strict=True
            )
        ]
        parts.append(
            f"## {curve.name}\n\n{_table(('', ''), training_rows(data.counts(curve.name)))}"
        )
        if rows:
            head = ("tokens trained on", "held-out loss (nats/token)", "bits per byte")
            parts.append(_table(head, rows))
    for sample in data.samples:
        text = f"{sample['prompt']}{sample['completion']}"
        fence = "`" * max(3, 1 + max((len(run) for run in _backticks(text)), default=0))
        parts.append(
            f"## Sample: {' '.join(sample['prompt'].split())}\n\n{fence}text\n{text}\n{fence}\n"
        )
    counts = data.counts("corpus")
    parts.append(
        "## Corpus\n\n" + _table(("source", "documents", "size", "share"), corpus_rows(counts))
    )
    if counts["left_out"]:
        parts.append(_table(("left out", "for example", "count"), left_out_rows(counts)))
    if data.counts("shards"):
        head = ("split", "documents", "tokens", "size", "bytes per token")
        parts.append(f"## Tokens\n\n{_table(head, shard_rows(data.counts('shards')))}")
    for name, found in data.refined.items():
        ledger = found["ledger"]
        parts.append(
            f"## Data: {name}\n\n{_table(refining.STAGE_HEAD, refining.stage_rows(ledger))}\n"
            f"{_table(refining.SOURCE_HEAD, refining.source_rows(ledger))}"
        )
        parts += [f"{note}\n" for note in refining.notes(ledger)]
    for phase, mixture in data.mixtures.items():
        rows = refining.mixture_rows(mixture)
        parts.append(f"## Mixture: {phase}\n\n{_table(refining.MIXTURE_HEAD, rows)}")
    stages = [(name, taken, summary) for name, _, taken, summary in stage_rows(data)]
    parts.append(f"## Stages\n\n{_table(('stage', 'time', 'result'), stages)}")
    parts.append(f"## Recipe\n\n```toml\n{data.recipe_text}```\n")
    parts.append(f"## Machine\n\n{_table(('', ''), list(data.machine.items()))}")
    return "\n".join(parts)


def _backticks(text: str) -> list[str]:
    return re.findall("`+", text)
