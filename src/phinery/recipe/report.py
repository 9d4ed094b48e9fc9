"""The report of a run: one HTML page without outside parts, and the same as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import phinery
from phinery.evaluate.table import render_fragment
from phinery.files import write_atomic
from phinery.recipe import charts
from phinery.recipe import report_refining as refining
from phinery.recipe import report_text as text
from phinery.recipe.report_data import Curve, ReportData, gather
from phinery.recipe.schema import Recipe, format_count

_HERE = Path(__file__).resolve().parent
_BITS_PER_NAT = 1.4426950408889634


def write_report(
    directory: Path, recipe: Recipe, records: Mapping[str, Mapping[str, Any]], mark: str
) -> None:
    """Write `report.html`, which ends with `mark`, and `report.md` into a run directory."""
    data = gather(directory, recipe, records)
    write_atomic(directory / "report.md", text.markdown(data))
    write_atomic(directory / "report.html", page(data) + mark)


def page(data: ReportData) -> str:
    """The whole report as HTML; style and script are inside."""
    style = (_HERE / "report.css").read_text(encoding="utf-8")
    script = (_HERE / "report.js").read_text(encoding="utf-8")
    name = escape(data.recipe.name)
    body = "\n".join(
        part
        for part in (
            _header(data),
            _score(data),
            _suites(data),
            _training(data),
            _samples(data),
            _corpus(data),
            _refined(data),
            _mixture(data),
            _stages(data),
            _recipe(data),
            _machine(data),
        )
        if part
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name} · Phinery</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f"{body}\n<footer>Written by Phinery {phinery.__version__}; the run ended "
        f"{escape(data.finished)}.</footer>\n</main>\n<script>\n{script}</script>\n</body>\n"
        f"</html>\n"
    )


def _header(data: ReportData) -> str:
    figures = "".join(
        f'<div class="card{" first" if number == 0 and data.scores else ""}">'
        f"<b>{escape(value)}</b><span>{escape(meaning)}</span></div>"
        for number, (value, meaning) in enumerate(text.cards(data))
    )
    return (
        f"<header><h1>{escape(data.recipe.name)}</h1><p>{escape(text.subtitle(data))}</p>"
        f'</header><div class="cards">{figures}</div>'
    )


def _score(data: ReportData) -> str:
    if data.scores is None:
        return ""
    model, xz = data.scores["bits_per_byte"], data.scores["xz_bits_per_byte"]
    rows = [("this model", model, f"{model:.3f}", "heldout")]
    if xz is not None:
        rows.append(("xz -9, same training text", xz, f"{xz:.3f}", "plain"))
    sentence = _code(text.score_sentence(data.scores))
    return f"<h2>Bits per held-out byte</h2>{charts.bars(rows)}<p>{sentence}</p>"


def _suites(data: ReportData) -> str:
    return render_fragment(data.evaluations) if data.evaluations else ""


def _training(data: ReportData) -> str:
    parts: list[str] = []
    for curve in data.curves:
        title = "Training" if len(data.curves) == 1 else f"Training: {curve.name}"
        figures = _table(("", ""), text.training_rows(data.counts(curve.name)))
        parts.append(
            f"<h2>{escape(title)}</h2>{_loss_chart(data, curve)}"
            f'<div class="pair">{_rate_chart(curve)}{_speed_chart(curve)}</div>'
            f"<details><summary>In figures</summary>{figures}</details>"
        )
    return "\n".join(parts)


def _loss_chart(data: ReportData, curve: Curve) -> str:
    xs, raw = charts.thin(curve.tokens, curve.loss)
    series = [
        charts.Series("each step", "pale", xs, raw),
        charts.Series("training", "train", xs, charts.smooth(raw, len(raw) // 40)),
        charts.Series(
            "held out", "heldout", curve.held_out_tokens, curve.held_out_loss, points=True
        ),
    ]
    references: list[charts.Reference] = []
    if data.scores is not None and data.scores["xz_bits_per_byte"] is not None:
        bytes_per_token = data.scores["bytes"] / data.scores["tokens"]
        nats = data.scores["xz_bits_per_byte"] * bytes_per_token / _BITS_PER_NAT
        references.append(charts.Reference("xz -9 on the held-out text", nats))
    return charts.line_chart(
        series,
        title="Loss, in nats per token",
        x_label="tokens trained on",
        x_format=format_count,
        y_format=_short,
        references=references,
        height=340,
    )


def _rate_chart(curve: Curve) -> str:
    xs, ys = charts.thin(curve.tokens, curve.learning_rate, 300)
    return charts.line_chart(
        [charts.Series("learning rate", "train", xs, ys)],
        title="Learning rate",
        x_label="tokens trained on",
        x_format=format_count,
        y_format=lambda y: f"{y:.2g}",
        y_from_zero=True,
        width=420,
        height=230,
    )


def _speed_chart(curve: Curve) -> str:
    xs, ys = charts.thin(curve.tokens, curve.tokens_per_second, 150)
    return charts.line_chart(
        [charts.Series("tokens/s", "train", xs, ys)],
        title="Tokens a second",
        x_label="tokens trained on",
        x_format=format_count,
        y_format=format_count,
        y_from_zero=True,
        width=420,
        height=230,
    )


def _samples(data: ReportData) -> str:
    if not data.samples:
        return ""
    evaluate = data.recipe.evaluate
    assert evaluate is not None
    shown = "".join(
        f'<pre class="sample"><b>{escape(sample["prompt"])}</b>{escape(sample["completion"])}'
        f"{'<i> …</i>' if sample['finish_reason'] == 'length' else ''}</pre>"
        for sample in data.samples
    )
    return (
        f'<h2>What it writes</h2><p class="note">The prompt in bold, then the model, at '
        f"temperature {evaluate.temperature:g}; taken as they came, none chosen.</p>{shown}"
    )


def _corpus(data: ReportData) -> str:
    counts = data.counts("corpus")
    rows = text.corpus_rows(counts)
    sources = sorted(counts["sources"].items(), key=lambda item: -item[1]["bytes"])
    shares = [(name, float(source["bytes"])) for name, source in sources]
    if len(shares) > 6:
        shares = [*shares[:5], ("other", sum(value for _, value in shares[5:]))]
    parts = [
        "<h2>What it read</h2>",
        charts.stacked_bar(shares),
        _table(("source", "documents", "size", "share"), rows[:20]),
    ]
    if len(rows) > 20:
        parts.append(f'<p class="note">and {len(rows) - 20} smaller sources.</p>')
    if counts["left_out"]:
        parts.append(
            _table(("left out", "for example", "count"), text.left_out_rows(counts), left=2)
        )
    if data.counts("shards"):
        head = ("split", "documents", "tokens", "size", "bytes per token")
        parts.append(_table(head, text.shard_rows(data.counts("shards"))))
    if data.longest_tokens:
        chips = "".join(f"<code>{escape(token)}</code>" for token in data.longest_tokens)
        parts.append(
            f'<p>The longest words its tokenizer learned:</p><div class="chips">{chips}</div>'
        )
    return "".join(parts)


def _refined(data: ReportData) -> str:
    parts: list[str] = []
    titles = {"refine": "What it kept", "synthesize": "What the teacher wrote"}
    for name, found in data.refined.items():
        ledger = found["ledger"]
        parts += [
            f"<h2>{titles[name]}</h2>",
            _table(refining.STAGE_HEAD, refining.stage_rows(ledger), left=2),
            _table(refining.SOURCE_HEAD, refining.source_rows(ledger)),
            refining.score_chart(ledger["scores"]) if ledger["scores"] else "",
            *(f"<p>{escape(note)}</p>" for note in refining.notes(ledger)),
            "<p>Documents of every kind, chosen by a hash of their names:</p>",
            refining.samples_html(found["samples"]),
        ]
    return "".join(parts)


def _mixture(data: ReportData) -> str:
    parts: list[str] = []
    for phase, mixture in data.mixtures.items():
        title = "Mixture" if len(data.mixtures) == 1 else f"Mixture: {phase}"
        table = _table(refining.MIXTURE_HEAD, refining.mixture_rows(mixture))
        parts.append(f"<h2>{escape(title)}</h2>{refining.mixture_chart(mixture)}{table}")
    return "".join(parts)


def _stages(data: ReportData) -> str:
    rows = text.stage_rows(data)
    bars = charts.bars([(name, seconds, taken, "train") for name, seconds, taken, _ in rows])
    table = _table(("stage", "result"), [(name, summary) for name, _, _, summary in rows], left=2)
    return f"<h2>Where the time went</h2>{bars}{table}"


def _recipe(data: ReportData) -> str:
    lines: list[str] = []
    for line in data.recipe_text.splitlines():
        setting, mark, origin = line.rpartition("  # ")
        if not mark:
            lines.append(escape(line))
            continue
        style = "set" if origin == "--set" else "from"
        lines.append(f'{escape(setting)}  <span class="{style}"># {escape(origin)}</span>')
    return "<h2>Recipe</h2><pre>" + "\n".join(lines) + "</pre>"


def _machine(data: ReportData) -> str:
    return "<h2>Machine and versions</h2>" + _table(("", ""), list(data.machine.items()), left=2)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """A table whose columns after the first `left` hold numbers."""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=number' if place >= left else ''}>{escape(cell)}</{tag}>"
            for place, cell in enumerate(row)
        )

    top = f"<tr>{cells(head, 'th')}</tr>" if any(head) else ""
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table>{top}{body}</table>"


def _code(sentence: str) -> str:
    """Escape a sentence and set what stands between backticks as code."""
    pieces = escape(sentence).split("`")
    return "".join(
        f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces)
    )


def _short(value: float) -> str:
    return f"{value:.3g}"
