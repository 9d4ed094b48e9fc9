"""The scorer's embedding: vectors of words and word pairs, learnt from unrated text.

Two views: what goes together in the same excerpt (latent semantic analysis: Deerwester et al.
1990), and what tells the collections apart, books of a series and groups of a forum among them (a
linear classifier behind a bottleneck). Only numbers and 64-bit hashes are kept.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from phinery.data.quality.embedding import Embedding, quantized
from phinery.data.quality.excerpts import EXCERPT
from phinery.data.quality.features import pair_hashes, text_numbers
from phinery.data.words import hash_words

TERMS = 16_000
SEMANTIC, COLLECTION = 96, 64  # dimensions
_MOST_OF_A_FILE = 9_000  # excerpts
_MOST_OF_A_COLLECTION, _LEAST_OF_A_COLLECTION = 1_500, 30
_EPOCHS = 2


def learn_embedding(corpora: Path) -> Embedding:
    """The embedding of everything below `corpora` that is there to be learnt from."""
    texts, collections = _sample(corpora)
    print(f"{len(texts):,} excerpts of {len(set(collections)):,} collections")
    vocabulary, frequencies = _vocabulary(texts)
    rarity = np.log((len(texts) + 1) / (frequencies + 1))
    counter = Embedding(
        vocabulary, np.zeros((TERMS, 1), np.int8), np.ones((TERMS, 1), np.float32), (1,)
    )
    matrix = _term_matrix(texts, counter, rarity)
    _, values, directions = randomized_svd(
        matrix, n_components=SEMANTIC + 64, n_iter=cast(Any, 4), random_state=0
    )
    semantic = directions[:SEMANTIC].T * rarity[:, None] * values[:SEMANTIC] ** -0.25
    collection = _collection_vectors(matrix, collections) * rarity[:, None]
    return quantized(vocabulary, [semantic, collection])


def _sample(corpora: Path) -> tuple[list[str], list[str]]:
    texts: list[str] = []
    collections: list[str] = []
    random = np.random.default_rng(0)
    files = [*corpora.rglob("*.jsonl.gz"), *corpora.glob("warc/*.warc.gz")]
    for path in sorted(files):
        read = _pages if path.name.endswith(".warc.gz") else _rows
        found = [
            (piece, collection)
            for text, collection in read(path)
            for start in range(0, max(len(text) - EXCERPT // 2, 1), EXCERPT)
            if len(piece := text[start : start + EXCERPT].strip()) >= 200
        ]
        for number in random.permutation(len(found))[:_MOST_OF_A_FILE]:
            texts.append(found[number][0])
            collections.append(found[number][1])
    return texts, collections


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            parts = str(row["id"]).split("/")
            group = parts[1] if len(parts) > 2 else ""
            yield row["text"], "/".join([path.name, row.get("book") or group])


def _pages(path: Path) -> Iterator[tuple[str, str]]:
    from fastwarc.warc import ArchiveIterator, WarcRecordType
    from resiliparse.extract.html2text import extract_plain_text

    with path.open("rb") as file:
        for record in ArchiveIterator(file, record_types=WarcRecordType.response):
            page = record.reader.read().decode("utf-8", "replace")
            yield extract_plain_text(page, main_content=True, alt_texts=False), path.name


def _vocabulary(texts: list[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The commonest words and pairs, and how many excerpts have each."""
    hashes: list[NDArray[np.uint64]] = []
    counts: list[NDArray[np.int64]] = []
    for begin in range(0, len(texts), 2000):
        words = hash_words(texts[begin : begin + 2000])
        text_of = text_numbers(words.offsets).astype(np.uint64)
        pairs, inside = pair_hashes(words)
        found = np.stack(
            [
                np.concatenate([words.hashes, pairs[inside]]),
                np.concatenate([text_of, text_of[:-1][inside]]),
            ]
        )
        found = found[:, np.lexsort(found)]
        new = np.append(True, (found[:, 1:] != found[:, :-1]).any(axis=0))
        different, count = np.unique(found[0, new], return_counts=True)
        hashes.append(different)
        counts.append(count)
    vocabulary, index = np.unique(np.concatenate(hashes), return_inverse=True)
    frequencies = np.bincount(index, np.concatenate(counts)).astype(np.int64)
    commonest = np.argsort(-frequencies, kind="stable")[:TERMS]
    return vocabulary[commonest], frequencies[commonest]


def _term_matrix(texts: list[str], counter: Embedding, rarity: NDArray[np.float64]) -> Any:
    """(excerpts, terms): (1 + ln count) * rarity, every excerpt of length 1."""
    blocks: list[Any] = []
    for begin in range(0, len(texts), 2000):
        part = texts[begin : begin + 2000]
        text_of, terms, weights = counter.counts(hash_words(part))
        values = weights * rarity[terms]
        norms = np.sqrt(np.bincount(text_of, values**2, len(part)))
        values /= np.maximum(norms, 1e-12)[text_of]
        blocks.append(
            sparse.csr_matrix((values.astype(np.float32), (text_of, terms)), (len(part), TERMS))
        )
    return sparse.vstack(blocks, format="csr")


def _collection_vectors(matrix: Any, collections: list[str]) -> NDArray[np.float64]:
    """(terms, COLLECTION): the first layer of a classifier of collections."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    names, labels = np.unique(collections, return_inverse=True)
    chosen: list[NDArray[np.int64]] = []
    for label in range(len(names)):
        members = random.permutation(np.flatnonzero(labels == label))
        if len(members) >= _LEAST_OF_A_COLLECTION:
            chosen.append(members[:_MOST_OF_A_COLLECTION])
    targets = torch.from_numpy(np.repeat(np.arange(len(chosen)), [len(part) for part in chosen]))
    rows = matrix[np.concatenate(chosen)]
    print(f"{rows.shape[0]:,} excerpts of {len(chosen)} collections to tell apart")
    bag = torch.nn.EmbeddingBag(TERMS, COLLECTION, mode="sum", sparse=True)
    torch.nn.init.normal_(bag.weight, std=0.3)
    classes = torch.nn.Linear(COLLECTION, len(chosen))
    optimizers = [
        torch.optim.SparseAdam(list(bag.parameters()), lr=0.01),
        torch.optim.Adam(classes.parameters(), lr=0.003),
    ]
    for epoch in range(_EPOCHS):
        total = 0.0
        for batch in np.array_split(random.permutation(rows.shape[0]), rows.shape[0] // 256):
            part = rows[batch]
            indices = torch.from_numpy(part.indices.astype(np.int64))
            offsets = torch.from_numpy(part.indptr[:-1].astype(np.int64))
            weights = torch.from_numpy(part.data)
            kept = 2 * (torch.rand_like(weights) > 0.5)  # half of the terms are left out
            hidden = torch.tanh(bag(indices, offsets, per_sample_weights=weights * kept))
            loss = torch.nn.functional.cross_entropy(
                classes(torch.nn.functional.dropout(hidden, 0.1)),
                targets[batch],
                label_smoothing=0.05,
            )
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            total += loss.item() * len(batch)
        print(f"epoch {epoch}: loss {total / rows.shape[0]:.3f}", flush=True)
    return bag.weight.detach().numpy().astype(np.float64)
