"""How many near-duplicates MinHash finds, against the exact Jaccard similarity of word 5-grams.

Two experiments on real documents (`../shared/corpora`): edited copies, whose likeness is spread
over 0.2 to 1; and the books of openstax, which share chapters, where every pair of documents is
compared exactly. Then what clustering costs at 20,000 and 200,000 documents.

    python benchmarks/minhash_recall.py --corpora ../shared/corpora
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import daft
import numpy as np
from daft import col
from numpy.typing import NDArray

from phinery.data.duplicates import NUM_HASHES, band_keys, near_duplicates, normalized, signature

BINS = [(0.2, 0.4), (0.4, 0.5), (0.5, 0.6), (0.6, 0.7), (0.72, 0.78), (0.78, 0.85), (0.85, 1.001)]
OPENSTAX = "textbooks/openstax"
EDITED = (OPENSTAX, "web/stackexchange", "web/digitalgov", "docs/peps", "web/18f")
PAIRS_OF_A_SOURCE = 3_000


def texts_of(corpora: Path, name: str) -> list[str]:
    """The texts of a corpus."""
    with gzip.open(corpora / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def edited(text: str, share: float, rng: random.Random) -> str:
    """`text` with that share of its words replaced, left out or followed by another of them."""
    words = text.split()
    result: list[str] = []
    for word in words:
        draw = rng.random() / share
        other = rng.choice(words)
        result += [word] if draw >= 1 else [[other], [], [word, other]][int(draw * 3)]
    return " ".join(result)


def shingles(normal: str) -> NDArray[np.int64]:
    """Hashes of the word 5-grams of a normalised text, sorted, each once."""
    words = normal.split()
    return np.unique([hash(tuple(words[at : at + 5])) for at in range(len(words) - 4)])


def prepared(texts: list[str]) -> tuple[NDArray[np.uint32], list[NDArray[np.int64]]]:
    """Signatures, (n, 112), and sets of 5-grams."""
    columns = daft.from_pydict({"text": texts}).select(
        signature(col("text")).alias("signature"), normalized(col("text")).alias("normal")
    )
    found = columns.to_pydict()
    sets = [shingles(normal) for normal in found["normal"]]
    return np.array(found["signature"], dtype=np.uint32), sets


def jaccard(left: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    """The size of the intersection over that of the union."""
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / max(1, len(left) + len(right) - common)


def edited_pairs(corpora: Path) -> dict[str, Any]:
    """Recall on edited copies by exact similarity, and how good the estimate is."""
    rng = random.Random(20)
    exact: list[float] = []
    left: list[NDArray[np.uint32]] = []
    right: list[NDArray[np.uint32]] = []
    for name in EDITED:
        texts = [text[:8_000] for text in texts_of(corpora, name) if len(text.split()) > 50]
        originals = [rng.choice(texts) for _ in range(PAIRS_OF_A_SOURCE)]
        copies = [edited(text, rng.uniform(0.001, 0.16), rng) for text in originals]
        signatures, sets = prepared(originals + copies)
        n = len(originals)
        exact += [jaccard(a, b) for a, b in zip(sets[:n], sets[n:], strict=True)]
        left.append(signatures[:n])
        right.append(signatures[n:])
    return recall_by_similarity(np.array(exact), np.concatenate(left), np.concatenate(right))


def recall_by_similarity(
    exact: NDArray[np.float64], left: NDArray[np.uint32], right: NDArray[np.uint32]
) -> dict[str, Any]:
    """What is found of the pairs of each class of similarity."""
    agreement = (left == right).mean(axis=1)
    candidate = (band_keys(left) == band_keys(right)).any(axis=1)
    found = candidate & (agreement >= 0.6)
    within = (exact > 0.02) & (exact < 0.98)
    scaled = ((agreement - exact) / np.sqrt(np.maximum(exact * (1 - exact), 1e-9) / NUM_HASHES))[
        within
    ]
    rows: list[dict[str, Any]] = []
    for low, high in BINS:
        inside = (exact >= low) & (exact < high)
        expected = 1 - (1 - exact[inside] ** 8) ** 14
        rows.append(
            {
                "from": low,
                "to": min(high, 1.0),
                "pairs": int(inside.sum()),
                "share a band": round(float(candidate[inside].mean()), 4),
                "expected": round(float(expected.mean()), 4),
                "linked": round(float(found[inside].mean()), 4),
            }
        )
    return {
        "pairs": len(exact),
        "bias": round(float((agreement - exact).mean()), 5),
        "errors over their expected deviation": [
            round(float(scaled.mean()), 3),
            round(float(scaled.std()), 3),
        ],
        "lowest similarity linked": round(float(exact[found].min()), 3),
        "by similarity": rows,
    }


def all_pairs(sets: list[NDArray[np.int64]], lowest: float) -> dict[tuple[int, int], float]:
    """Every pair of a similarity of at least `lowest`, through an index of all 5-grams."""
    owners = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    grams = np.concatenate(sets)
    order = np.argsort(grams, kind="stable")
    owners, grams = owners[order], grams[order]
    starts = np.flatnonzero(np.concatenate([[True], grams[1:] != grams[:-1]]))
    common: Counter[tuple[int, int]] = Counter()
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(grams)], strict=True):
        together = owners[start:end].tolist()
        if len(together) > 1:
            common.update(
                (one, other)
                for place, one in enumerate(together)
                for other in together[place + 1 :]
            )
    similar: dict[tuple[int, int], float] = {}
    for (one, other), count in common.items():
        similarity = count / (len(sets[one]) + len(sets[other]) - count)
        if similarity >= lowest:
            similar[one, other] = similarity
    return similar


def openstax_pairs(corpora: Path) -> dict[str, Any]:
    """All pairs of the textbooks, by exact similarity and by whether a cluster holds both."""
    signatures, sets = prepared(texts_of(corpora, OPENSTAX))
    exact = all_pairs(sets, lowest=0.2)
    ids = [f"{number:06}" for number in range(len(sets))]
    clusters = near_duplicates([signatures], np.zeros(len(sets)), ids)
    rows: list[dict[str, Any]] = []
    for low, high in BINS:
        inside = [pair for pair, similarity in exact.items() if low <= similarity < high]
        together = [clusters.survivor[a] == clusters.survivor[b] for a, b in inside]
        row = {"from": low, "to": min(high, 1.0), "pairs": len(inside)}
        rows.append({**row, "in one cluster": int(np.sum(together))})
    linked = [exact.get((min(pair), max(pair)), 0.0) for pair in clusters.links.tolist()]
    return {
        "documents": len(sets),
        "clusters": clusters.num_clusters,
        "duplicates": clusters.num_duplicates,
        "links": len(clusters.links),
        "lowest similarity linked": round(min(linked), 3),
        "by similarity": rows,
    }


def cost(n: int) -> dict[str, Any]:
    """Seconds to cluster `n` documents, one in five of them a near-duplicate of another."""
    rng = np.random.default_rng(n)
    signatures = rng.integers(0, 2**32, size=(n, NUM_HASHES), dtype=np.uint32)
    kept = rng.random((n // 5, NUM_HASHES)) < 0.9
    signatures[: n // 5] = np.where(kept, signatures[-(n // 5) :], signatures[: n // 5])
    ids = [f"{number:09}" for number in rng.permutation(n)]
    quality = rng.random(n)
    started = time.process_time()
    clusters = near_duplicates(np.array_split(signatures, 20), quality, ids)
    mixed = time.process_time() - started
    same = np.broadcast_to(signatures[:1], signatures.shape)
    started = time.process_time()
    near_duplicates([same], quality, ids)
    copies = time.process_time() - started
    return {
        "documents": n,
        "duplicates": clusters.num_duplicates,
        "seconds": round(mixed, 3),
        "seconds when all are copies of one page": round(copies, 3),
    }


def main() -> None:
    """Print all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    default = Path(__file__).resolve().parents[2] / "shared" / "corpora"
    parser.add_argument("--corpora", type=Path, default=default)
    corpora: Path = parser.parse_args().corpora
    print(json.dumps({"edited copies": edited_pairs(corpora)}, indent=1))
    print(json.dumps({"openstax": openstax_pairs(corpora)}, indent=1))
    print(json.dumps({"cost": [cost(20_000), cost(200_000)]}, indent=1))


if __name__ == "__main__":
    main()
