"""How varied the procedural teacher's text is, beside real and written textbooks.

    python -m benchmarks.procedural --characters 5_000_000 --shared ../shared

Prints a JSON object: for the procedural documents, openstax and the Primer, on equally many
characters each,

- `words`, `distinct_13_grams_per_million_words`,
- `xz` and `gzip`: characters (as UTF-8 bytes) per compressed byte,
- `near_duplicates`: the share of documents that MinHash would remove (none of which differ from
  another by more than 40% of their signature),
- `distinct_skeletons`: of the sentences, the share of different ones after every number, quoted
  name and capitalized word is replaced by a mark,
- `educational value` and `teachability`: means of the shipped scorer, 0 to 5,

and the speed of writing, in characters per second of processor time of one core.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from phinery.data.duplicates import near_duplicates, signature
from phinery.data.quality import quality_scores
from phinery.data.synthesis.procedural.writer import procedural_documents

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_NUMBER = re.compile(r"[-+]?\d[\d,.:/]*\d|\d")
_NAME = re.compile(r"\b[A-Z][a-zà-ÿ]+\b")


def _upto(texts: Iterable[str], characters: int) -> Iterator[str]:
    written = 0
    for text in texts:
        if written >= characters:
            return
        yield text
        written += len(text)


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)["text"]


def _pieces(texts: Iterable[str], size: int) -> Iterator[str]:
    """Long chapters in pieces of the size of the procedural documents, cut between paragraphs."""
    for text in texts:
        piece = ""
        for paragraph in text.split("\n\n"):
            piece += paragraph + "\n\n"
            if len(piece) >= size:
                yield piece.strip()
                piece = ""
        if piece.strip():
            yield piece.strip()


def skeleton(sentence: str) -> str:
    """A sentence without its numbers and names."""
    return _NAME.sub("N", _NUMBER.sub("0", sentence))


def _duplicates(texts: list[str]) -> float:
    import daft
    import numpy as np

    frame = daft.from_pydict({"text": texts}).select(signature(daft.col("text")).alias("signature"))
    column = frame.to_arrow().column("signature").combine_chunks()
    signatures = np.asarray(column.flatten()).reshape(len(texts), -1)
    clusters = near_duplicates(
        [signatures], np.zeros(len(texts)), [f"{n:09d}" for n in range(len(texts))]
    )
    return float(np.mean(clusters.survivor != np.arange(len(texts))))


def measure(texts: list[str]) -> dict[str, Any]:
    """The figures of a collection."""
    words = 0
    grams: set[int] = set()
    skeletons: set[str] = set()
    sentences = 0
    for text in texts:
        split = text.split()
        words += len(split)
        grams.update(hash(tuple(split[place : place + 13])) for place in range(len(split) - 12))
        for sentence in _SENTENCE_END.split(text):
            if len(sentence) > 20:
                sentences += 1
                skeletons.add(skeleton(sentence))
    raw = "\n\n".join(texts).encode()
    scores = quality_scores(texts[:2000])
    return {
        "documents": len(texts),
        "characters": sum(len(text) for text in texts),
        "words": words,
        "distinct_13_grams_per_million_words": round(len(grams) / words * 1e6),
        "xz": round(len(raw) / len(lzma.compress(raw, preset=9)), 2),
        "gzip": round(len(raw) / len(gzip.compress(raw, 9)), 2),
        "near_duplicates": round(_duplicates(texts), 4),
        "sentences": sentences,
        "distinct_skeletons": round(len(skeletons) / sentences, 3),
        "educational value": round(float(scores[:, 0].mean()), 2),
        "teachability": round(float(scores[:, 1].mean()), 2),
    }


def topics(characters: int, seed: int) -> dict[str, dict[str, float]]:
    """Per topic: distinct skeletons and compression, from the most to the least monotonous."""
    texts: dict[str, list[str]] = defaultdict(list)
    for document in procedural_documents(seed=seed, characters=characters):
        texts[document.topic].append(document.text)
    result: dict[str, dict[str, float]] = {}
    for name, own in texts.items():
        raw = "\n\n".join(own)[:40_000].encode()
        sentences = [s for t in own for s in _SENTENCE_END.split(t) if len(s) > 20][:400]
        result[name] = {
            "xz": round(len(raw) / len(lzma.compress(raw, preset=9)), 2),
            "distinct_skeletons": round(len({skeleton(s) for s in sentences}) / len(sentences), 3),
        }
    return dict(sorted(result.items(), key=lambda item: -item[1]["xz"]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--characters", type=int, default=5_000_000)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--topics", action="store_true", help="figures per topic as well")
    options = parser.parse_args()
    list(procedural_documents(seed=options.seed, characters=200_000))
    start = time.process_time()
    texts = [d.text for d in procedural_documents(seed=options.seed, characters=options.characters)]
    seconds = time.process_time() - start
    report: dict[str, Any] = {
        "characters_per_second": round(sum(len(text) for text in texts) / seconds),
        "procedural": measure(texts),
    }
    sources = {
        "openstax": options.shared / "corpora" / "textbooks" / "openstax.jsonl.gz",
        "primer": options.shared / "primer" / "primer.jsonl.gz",
    }
    for name, path in sources.items():
        if path.exists():
            pieces = list(_upto(_pieces(_lines(path), 1800), options.characters))
            report[name] = measure(pieces)
            # Compression and repetition depend on the amount, so compare equal amounts.
            size = sum(len(piece) for piece in pieces)
            if size < 0.9 * options.characters:
                report[f"procedural, as much as {name}"] = measure(list(_upto(texts, size)))
    if options.topics:
        report["topics"] = topics(options.characters, options.seed)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
