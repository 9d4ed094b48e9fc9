"""WARC to text: Phinery against datatrove's WarcReader and Trafilatura, speed and quality.

Each in its own process and environment, on one core, taking turns over the same files. Quality is
F1 over strings that must and must not come out of 22 annotated pages. README.md tells how to read
the figures; `python benchmarks/extraction.py --help` tells the options.
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
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
from environments import environment
from workers import Worker

from phinery.data.html import extract
from phinery.data.sources.http_body import parse_response
from phinery.data.sources.warc import read_records

HERE = Path(__file__).parent
CORPORA = HERE.resolve().parent.parent / "shared" / "corpora" / "warc"
GOLD = "cc-licensed-pages"
RESAMPLES = 10_000


@dataclass(frozen=True)
class Counts:
    """Annotated strings of pages: wanted ones found and missed, unwanted ones found."""

    found: int
    missed: int
    unwanted: int

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.found + other.found, self.missed + other.missed, self.unwanted + other.unwanted
        )

    @property
    def precision(self) -> float:
        """Share of wanted ones in what was found."""
        return self.found / max(1, self.found + self.unwanted)

    @property
    def recall(self) -> float:
        """Share of wanted ones that were found."""
        return self.found / max(1, self.found + self.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return 2 * self.found / max(1, 2 * self.found + self.missed + self.unwanted)


def count(text: str, gold: dict[str, Any]) -> Counts:
    """One page against its annotation, as trafilatura's evaluation counts: plain substrings."""
    found = sum(string in text for string in gold["with"])
    return Counts(found, len(gold["with"]) - found, sum(s in text for s in gold["without"]))


def interval(pages: list[Counts]) -> tuple[float, float]:
    """95% of F1 over resamples of the pages (percentile bootstrap, always the same ones)."""
    draw = random.Random(1)
    scores = sorted(
        sum(draw.choices(pages, k=len(pages)), Counts(0, 0, 0)).f1 for _ in range(RESAMPLES)
    )
    return scores[int(0.025 * RESAMPLES)], scores[int(0.975 * RESAMPLES) - 1]


def quality(name: str, text_of: Callable[[str], str], gold: dict[str, Any]) -> dict[str, Any]:
    """Scores of an extractor over all annotated pages."""
    pages = [count(text_of(url), annotation) for url, annotation in gold.items()]
    total = sum(pages, Counts(0, 0, 0))
    low, high = interval(pages)
    return {
        "extractor": name,
        "precision": total.precision,
        "recall": total.recall,
        "f1": total.f1,
        "interval": [low, high],
    }


def annotated_pages() -> dict[str, bytes]:
    """Address and HTML of the annotated pages."""
    pages: dict[str, bytes] = {}
    with (CORPORA / f"{GOLD}.repacked.warc.gz").open("rb") as file:
        for record in read_records(file, types=frozenset({"response"}), longest=2**25):
            response = parse_response(record.block or b"")
            assert response is not None
            assert record.url is not None
            pages[record.url] = response.body(2**25)
    return pages


def labelled(path: Path, folder: Path) -> Path:
    """A copy whose records say that they are HTML, as those of a crawl do.

    Without that, datatrove asks libmagic, which takes pages with an XML declaration for XML, and
    leaves them out.
    """
    target = folder / path.name
    rest = path.read_bytes()
    with target.open("wb") as file:
        while rest:
            member = zlib.decompressobj(31)
            record = member.decompress(rest)
            rest = member.unused_data
            label = b"\r\nWARC-Identified-Payload-Type: text/html\r\n"
            file.write(gzip.compress(record.replace(b"\r\n", label, 1), mtime=0))
    return target


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print both tables, write the JSON file."""
    options = parse(arguments)
    gold = json.loads((CORPORA / f"{GOLD}.gold.json").read_text(encoding="utf-8"))
    pages = annotated_pages()
    pythons = {"phinery": Path(sys.executable), "datatrove": environment("datatrove", torch=False)}
    seconds: dict[str, list[float]] = {name: [] for name in pythons}
    documents: dict[str, int] = {}
    versions: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        paths = [str(labelled(path, folder)) for path in sorted(CORPORA.glob("*.warc.gz"))]
        workers = {
            name: stack.enter_context(Worker(python, HERE / "peers" / f"extract_{name}.py"))
            for name, python in pythons.items()
        }
        for worker in workers.values():
            versions |= worker.ask("prepare", core=options.core)["versions"]
        annotated = [path for path in paths if GOLD in path]
        texts = {
            name: worker.ask("extract", paths=annotated, texts=True)["texts"]
            for name, worker in workers.items()
        }
        for number in range(options.rounds):
            order = list(workers.items())
            for name, worker in order[:: 1 if number % 2 == 0 else -1]:
                answer = worker.ask("extract", paths=paths, texts=False)
                seconds[name].append(answer["cpu_seconds"])
                documents[name] = answer["documents"]
                print(f"round {number + 1}, {name}: {answer['cpu_seconds']:.2f} s", file=sys.stderr)
    scores = [
        quality("phinery", lambda url: extract(pages[url], url=url), gold),
        quality("phinery, precise", lambda url: extract(pages[url], url=url, precise=True), gold),
        quality("datatrove", lambda url: texts["datatrove"].get(url, ""), gold),
    ]
    ratios = [b / a for a, b in zip(seconds["phinery"], seconds["datatrove"], strict=True)]
    report = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "versions": versions,
        "documents": documents,
        "cpu_seconds": seconds,
        "ratio": statistics.median(ratios),
        "ratio_by_round": ratios,
        "quality": scores,
    }
    print_tables(report)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {options.output}")


def print_tables(report: dict[str, Any]) -> None:
    """Speed, then quality."""
    print("| | documents | CPU seconds | documents/s |\n| --- | --- | --- | --- |")
    for name, turns in report["cpu_seconds"].items():
        count_, middle = report["documents"][name], statistics.median(turns)
        print(f"| {name} | {count_:,} | {middle:.2f} | {count_ / middle:,.0f} |")
    low, high = min(report["ratio_by_round"]), max(report["ratio_by_round"])
    print(f"\nratio of CPU seconds: {report['ratio']:.1f} (rounds: {low:.1f} to {high:.1f})\n")
    print("| extractor | precision | recall | F1 | 95% |\n| --- | --- | --- | --- | --- |")
    for row in report["quality"]:
        low, high = row["interval"]
        print(
            f"| {row['extractor']} | {row['precision']:.3f} | {row['recall']:.3f} | "
            f"{row['f1']:.3f} | {low:.3f} to {high:.3f} |"
        )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", type=int, default=0, help="the processor that both run on")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "extraction.json")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


if __name__ == "__main__":
    main()
