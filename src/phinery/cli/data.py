"""The verbs of the data room: refine and synthesize."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from phinery.cli.errors import UsageError

if TYPE_CHECKING:
    from phinery.data import RefineSettings
    from phinery.data.synthesis.teacher import Teacher
    from phinery.recipe.terminal import Terminal

REFINE_HELP = """\
Turn raw documents into textbook-quality ones: read, select, mask, rate, de-duplicate.

IN is a file or folder of WARC, WET, HTML, JSON lines, Parquet or plain text, an address (s3://,
https://, hf://datasets/ORG/NAME), or "machine": the text every machine has. DIR gets
documents-*.parquet, duplicates.parquet, tainted.json, samples.json and ledger.json, in which every
document that came in is counted: kept, or dropped by a step for a reason. A refining that was
stopped or killed goes on where it was when the same command is given again.

examples:
  phinery refine crawl.warc.gz --out refined
  phinery refine ~/Documents notes.jsonl --out refined --keep 0.4 --floor 1.5
  phinery refine s3://bucket/crawl --out refined --languages en,de --workers 16
  phinery refine crawl/ --out refined --benchmarks benchmarks/   drop what would give answers away
  phinery refine crawl/ --out refined --engine ray               on a Ray cluster
  phinery refine crawl/ --annotate 200 --teacher URL --model NAME --out scorer
                                                 rate 200 documents and train the scores anew
"""
SYNTHESIZE_HELP = """\
Write synthetic textbooks: lessons, worked examples, exercises with answers, reading passages,
Python functions with tests.

The procedural teacher, the default, needs neither network nor model. With --teacher URL any
OpenAI-compatible endpoint is asked; its key is read from PHINERY_TEACHER_KEY or OPENAI_API_KEY.
Answers are kept as they come: after an interruption only what is missing is asked again.

examples:
  phinery synthesize --tokens 2M --out lessons
  phinery synthesize --tokens 2M --out lessons --topics arithmetic,logic
  phinery synthesize --teacher http://localhost:8000/v1 --model NAME --tokens 100k --out textbooks
  phinery synthesize --teacher URL --model NAME --tokens 1M --estimate --prices 0.15,0.60
  phinery refine textbooks --out refined --keep 1                rate and de-duplicate them
"""

Verb = Callable[..., argparse.ArgumentParser]


def add_verbs(add: Verb, verbs: Any) -> None:
    """Add both verbs to the command line."""
    _add_refine(add(verbs, "refine", "raw documents into good ones", REFINE_HELP, _refine))
    _add_synthesize(
        add(verbs, "synthesize", "write synthetic textbooks", SYNTHESIZE_HELP, _synthesize)
    )


def _add_refine(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("inputs", metavar="IN", nargs="+")
    add("--out", metavar="DIR", required=True, help="the directory to make")
    add(
        "--languages",
        metavar="CODES",
        default="en",
        help="languages to keep, as in en,de; all keeps every one; default: %(default)s",
    )
    add(
        "--keep",
        type=float,
        default=0.6,
        metavar="SHARE",
        help="share of each source to keep, the best by both scores; default: %(default)s",
    )
    add(
        "--floor",
        type=float,
        default=0.0,
        metavar="SCORE",
        help="least mean score, 0 to 5; default: %(default)s",
    )
    add("--scorer", metavar="FILE", help="scores of your own, made with --annotate")
    add("--benchmarks", metavar="DIR", help="drop documents that hold items of these benchmarks")
    add(
        "--extractor",
        choices=("fast", "precise"),
        default="fast",
        help="precise takes text out of web pages with trafilatura; default: %(default)s",
    )
    add(
        "--skip",
        metavar="STEPS",
        default="",
        help="leave out steps: heuristics, repetition, privacy, quality, exact, near",
    )
    add(
        "--engine",
        default="embedded",
        metavar="WHERE",
        help="embedded, ray, or the address of a Ray cluster; default: %(default)s",
    )
    add("--workers", type=int, metavar="N", help="processes; default: one for each core")
    add("--annotate", type=int, metavar="N", help="let a teacher rate N documents; trains scores")
    _teacher_options(parser)


def _teacher_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--teacher", metavar="URL", help="an OpenAI-compatible endpoint")
    parser.add_argument("--model", metavar="NAME", help="the model to ask there")
    parser.add_argument("--requests-per-minute", type=int, metavar="N", help="its limit")
    parser.add_argument("--concurrency", type=int, default=8, metavar="N", help="default: 8")


def _add_synthesize(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--tokens", required=True, metavar="N", help="how much, about: 300k, 2M; 4 bytes a token")
    add("--out", metavar="DIR", required=True, help="the directory to make")
    add("--seed", type=int, default=1, metavar="N", help="decides every choice; default: 1")
    add("--topics", metavar="NAMES", help="procedural: only topics that begin with one of these")
    _teacher_options(parser)
    add("--run-code", action="store_true", help="run the teacher's code exercises: read docs first")
    add("--prices", metavar="IN,OUT", help="per million tokens of prompts and of answers")
    add("--estimate", action="store_true", help="tell what it would cost, and ask nothing")


def _refine(arguments: argparse.Namespace) -> int:
    from phinery.recipe.terminal import Terminal, duration

    settings = _settings(arguments)
    terminal = Terminal()
    if arguments.annotate is not None:
        return _annotate(arguments, settings, terminal)
    if arguments.workers is not None and arguments.workers < 1:
        raise UsageError(f"--workers is {arguments.workers}: one at least must do the work")
    from phinery.data import refine

    with terminal.stage("refine") as line:
        summary = refine(
            arguments.inputs,
            arguments.out,
            settings=settings,
            engine=arguments.engine,
            workers=arguments.workers,
            on_progress=line.update,
        )
    ledger = summary.ledger
    rows = [("", "documents", "MB", "dropped for")]
    for stage in ledger.stages:
        account = ledger.totals(stage)
        reasons = sorted(account.dropped.items(), key=lambda item: (-item[1].documents, item[0]))
        shown = ", ".join(f"{reason} {count.documents:,}" for reason, count in reasons[:3])
        more = f", {len(reasons) - 3} more reasons" if len(reasons) > 3 else ""
        out = account.went_out
        rows.append((stage, f"{out.documents:,}", f"{out.bytes / 1e6:,.1f}", shown + more))
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    for name, documents, size, reasons in rows:
        print(f"  {name:{widths[0]}}  {documents:>{widths[1]}}  {size:>{widths[2]}}  {reasons}")
    masked = ", ".join(f"{count:,} {kind}" for kind, count in sorted(ledger.masked.items()))
    if masked:
        print(f"  masked: {masked}")
    print(f"{summary.documents:,} documents in {arguments.out}, {duration(summary.seconds)}")
    return 0


_STEPS = ("heuristics", "repetition", "privacy", "quality", "exact", "near")


def _settings(arguments: argparse.Namespace) -> RefineSettings:
    from phinery.data import RefineSettings

    skipped = [name.strip() for name in arguments.skip.split(",") if name.strip()]
    for name in skipped:
        if name not in _STEPS:
            raise UsageError(f"--skip {name}: there is no such step; {', '.join(_STEPS)} are")
    codes = [code.strip() for code in arguments.languages.split(",") if code.strip()]
    if not codes:
        raise UsageError("--languages names none: write codes, as in en,de, or all")
    try:
        return RefineSettings(
            languages=() if codes == ["all"] else tuple(codes),
            keep=arguments.keep,
            floor=arguments.floor,
            scorer=arguments.scorer,
            benchmarks=arguments.benchmarks,
            extractor=arguments.extractor,
            **{name: name not in skipped for name in _STEPS},
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _teacher(arguments: argparse.Namespace) -> Teacher:
    from phinery.data.synthesis.teacher import Teacher

    if not arguments.teacher or not arguments.model:
        raise UsageError("name the teacher's address and model: --teacher URL --model NAME")
    return Teacher(
        arguments.teacher,
        arguments.model,
        requests_per_minute=arguments.requests_per_minute,
        concurrency=arguments.concurrency,
    )


def _annotate(arguments: argparse.Namespace, settings: RefineSettings, terminal: Terminal) -> int:
    from phinery.data import ReadReport
    from phinery.data.quality.retrain import retrain
    from phinery.data.refinery.shard import scorer_of
    from phinery.data.sources import list_inputs, read_input

    if arguments.annotate < 1:
        raise UsageError(f"--annotate is {arguments.annotate}: ask for one rating at least")
    teacher = _teacher(arguments)
    report = ReadReport()
    inputs = [source for path in arguments.inputs for source in list_inputs(path, report)]
    documents = (document for source in inputs for document in read_input(source, report))
    with terminal.stage("annotate") as line:
        line.update(None, f"asking {teacher.model} about {arguments.annotate:,} documents")
        made = retrain(
            documents,
            arguments.annotate,
            teacher.ask,
            arguments.out,
            scorer=scorer_of(settings),
        )
    found = made.annotation
    print(
        f"{len(found.ratings):,} of {arguments.annotate:,} documents rated, chosen from "
        f"{made.pool:,}; {found.unanswered:,} without an answer, {found.unreadable:,} answers "
        f"unreadable\n{made.path} knows {made.ratings:,} ratings more: use it with "
        f"--scorer {made.path}"
    )
    return 0


def _synthesize(arguments: argparse.Namespace) -> int:
    from phinery.data.synthesis.lessons import topics_of, write_lessons
    from phinery.recipe.terminal import Terminal, duration

    tokens = _tokens(arguments.tokens)
    if arguments.teacher or arguments.estimate:
        return _ask_teacher(arguments, tokens)
    prefixes = [name.strip() for name in (arguments.topics or "").split(",") if name.strip()]
    try:
        topics = topics_of(prefixes)
    except ValueError as error:
        raise UsageError(f"--topics: {error}") from error
    started = time.monotonic()
    with Terminal().stage("synthesize") as line:
        summary = write_lessons(
            arguments.out,
            seed=arguments.seed,
            characters=4 * tokens,
            topics=topics,
            on_progress=line.update,
        )
    print(
        f"{summary.documents:,} documents, {summary.bytes / 1e6:.1f} MB, on {len(topics):,} topics "
        f"in {arguments.out}, {duration(time.monotonic() - started)}"
    )
    return 0


def _tokens(text: str) -> int:
    from phinery.recipe.schema import parse_count

    try:
        tokens = parse_count(text)
    except ValueError as error:
        raise UsageError(f"--tokens: {error}") from error
    assert isinstance(tokens, int)
    if tokens < 1:
        raise UsageError("--tokens is 0: ask for one at least")
    return tokens


def _ask_teacher(arguments: argparse.Namespace, tokens: int) -> int:
    from phinery.data.synthesis.teacher import (
        DEFAULT_KINDS,
        Plan,
        Progress,
        estimate,
        requests_for,
        synthesize,
    )
    from phinery.data.synthesis.teacher.plan import CODE
    from phinery.recipe.terminal import Terminal

    prices = _prices(arguments.prices)
    kinds = {kind: w for kind, w in DEFAULT_KINDS.items() if arguments.run_code or kind != CODE}
    plan = Plan(seed=arguments.seed, kinds=kinds)
    wanted = requests_for(plan, tokens)
    print(estimate(plan, wanted, input_price=prices[0], output_price=prices[1]).summary())
    if arguments.estimate:
        return 0
    teacher = _teacher(arguments)
    with Terminal().stage("synthesize") as line:

        def tell(progress: Progress) -> None:
            ending = ", ending" if progress.stopping else ""
            text = f"{progress.documents:,} documents, {progress.in_flight} under way{ending}"
            line.update(min(progress.tokens / tokens, 1.0), text)

        summary = synthesize(
            plan,
            teacher,
            arguments.out,
            tokens=tokens,
            run_code=arguments.run_code,
            input_price=prices[0],
            output_price=prices[1],
            on_progress=tell,
        )
    print(f"{summary.text()}; in {arguments.out}")
    return 0


def _prices(text: str | None) -> tuple[float | None, float | None]:
    if text is None:
        return None, None
    try:
        first, last = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--prices {text}: write two numbers, as in 0.15,0.60") from error
    return first, last
