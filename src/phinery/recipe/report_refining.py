"""The report's part on data: what each step kept and dropped, samples, scores, the mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from phinery.files import read_json
from phinery.recipe import charts
from phinery.recipe.schema import format_count

Rows = list[tuple[str, ...]]
REFINED = ("refine", "synthesize")
_MOST_SOURCES = 8
_MOST_SAMPLES = 3


def gather(directory: Path, stages: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Stage -> its ledger and samples, for the stages that refined something."""
    return {
        name: {
            "ledger": read_json(directory / name / "ledger.json"),
            "samples": read_json(directory / name / "samples.json"),
        }
        for name in REFINED
        if name in stages
    }


def stage_rows(ledger: Mapping[str, Any]) -> Rows:
    """Step, documents and megabytes that left it, and what it dropped, the most frequent first."""
    rows: Rows = []
    for stage in ledger["stages"]:
        reasons = sorted(stage["dropped"].items(), key=lambda item: -item[1]["documents"])
        shown = [f"{reason} {count['documents']:,}" for reason, count in reasons[:5]]
        if len(reasons) > 5:
            shown.append(f"{len(reasons) - 5} more reasons")
        out = stage["out"]
        rows.append(
            (
                stage["stage"],
                "; ".join(shown),
                f"{out['documents']:,}",
                f"{out['bytes'] / 1e6:,.1f}",
            )
        )
    return rows


def source_rows(ledger: Mapping[str, Any]) -> Rows:
    """Source, documents in, kept, and the share kept, largest first; the rest as one row."""
    found: list[tuple[str, int, int]] = []
    for name, stages in ledger["sources"].items():
        accounts = list(stages.values())
        found.append((name, accounts[0]["in"]["documents"], accounts[-1]["out"]["documents"]))
    found.sort(key=lambda row: -row[1])
    if len(found) > _MOST_SOURCES:
        rest = found[_MOST_SOURCES - 1 :]
        others = (f"{len(rest)} others", sum(r[1] for r in rest), sum(r[2] for r in rest))
        found = [*found[: _MOST_SOURCES - 1], others]
    return [
        (name, f"{came:,}", f"{kept:,}", f"{100 * kept / max(came, 1):.0f}%")
        for name, came, kept in found
    ]


def mixture_rows(mixture: Mapping[str, Any]) -> Rows:
    """Source, tokens that training takes of it, what it holds, epochs, where it is used up."""
    return [
        (
            name,
            format_count(plan["tokens"]),
            format_count(plan["held_tokens"]),
            f"{plan['epochs']:.2f}",
            "" if plan["used_up_at"] is None else f"{plan['used_up_at']:.0%}",
        )
        for name, plan in mixture["plan"].items()
    ]


MIXTURE_HEAD = ("source", "tokens taken", "tokens held", "epochs", "used up at")
STAGE_HEAD = ("step", "dropped for", "documents left", "MB left")
SOURCE_HEAD = ("source", "documents read", "kept", "share")


def mixture_chart(mixture: Mapping[str, Any]) -> str:
    """Each source's share of the samples over the training."""
    shares = dict(mixture["shares"])
    progress = [100 * place for place in shares.pop("progress")]
    series = [
        charts.Series(name, f"hue{number % 6}", progress, [100 * share for share in column])
        for number, (name, column) in enumerate(shares.items())
    ]
    return charts.line_chart(
        series,
        title="What training draws on, in percent",
        x_label="progress of training, in percent",
        x_format=lambda x: f"{x:.0f}",
        y_format=lambda y: f"{y:.0f}",
        y_from_zero=True,
        height=240,
    )


def score_chart(scores: Mapping[str, Mapping[str, Sequence[int]]]) -> str:
    """How many documents have each mean score, and how many of them were kept."""
    names = ("all", "kept")
    totals = {
        n: [sum(c) for c in zip(*(s[n] for s in scores.values()), strict=True)] for n in names
    }
    if not totals["all"]:
        return ""
    middles = [0.25 + 0.5 * place for place in range(len(totals["all"]))]
    styles = {"all": "heldout", "kept": "train"}
    return charts.line_chart(
        [charts.Series(n, styles[n], middles, totals[n], points=True) for n in names],
        title="Documents by mean of educational value and teachability",
        x_label="mean score, 0 to 5, in steps of a half",
        x_format=lambda x: f"{x:.2g}",
        y_format=format_count,
        y_from_zero=True,
        height=240,
    )


def samples_html(samples: Sequence[Mapping[str, Any]]) -> str:
    """A few documents of every reason and of those kept, in folds."""
    by_reason: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for sample in samples:
        by_reason.setdefault((sample["stage"], sample["reason"]), []).append(sample)
    parts: list[str] = []
    for (stage, reason), found in by_reason.items():
        title = f"{stage}: {reason}" if stage else "kept"
        shown = "".join(
            f'<pre class="sample"><b>{escape(_heading(sample))}</b>\n'
            f"{escape(sample['excerpt'])}</pre>"
            for sample in found[:_MOST_SAMPLES]
        )
        parts.append(f"<details><summary>{escape(title)}</summary>{shown}</details>")
    return "".join(parts)


def _heading(sample: Mapping[str, Any]) -> str:
    scores = ""
    if sample.get("educational_value") is not None:
        value, teach = sample["educational_value"], sample["teachability"]
        scores = f" · educational value {value:.1f}, teachability {teach:.1f}"
    return f"{sample['id']}{scores}"


def notes(ledger: Mapping[str, Any]) -> list[str]:
    """Sentences on masked pieces and on tainted items, where there are any."""
    found: list[str] = []
    if ledger["masked"]:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in ledger["masked"].items())
        found.append(f"Private information that was masked: {kinds}.")
    if ledger["tainted_items"]:
        items = ", ".join(f"{name} {count:,}" for name, count in ledger["tainted_items"].items())
        found.append(f"Benchmark items that documents held: {items}.")
    return found
