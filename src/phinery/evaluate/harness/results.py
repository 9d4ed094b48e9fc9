"""Results that outlive a killed run: one SQLite file per model."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from phinery.model.decoder import Phi
from phinery.text import Tokenizer


def model_hash(model: Phi, tokenizer: Tokenizer) -> str:
    """Hexadecimal SHA-256 of everything that scores depend on: shape, weights, types, tokenizer."""
    digest = hashlib.sha256(json.dumps(model.config.to_dict(), sort_keys=True).encode())
    digest.update(tokenizer.sha256.encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        content = tensor.detach().contiguous().cpu().flatten().view(torch.uint8)
        digest.update(content.numpy().data)
    return digest.hexdigest()


class Results:
    """What is known for one model: requests, as JSON values, and their results.

    `directory` is made when it is missing. What was put is on the disk when the call returns.
    Raises ValueError when the file is not one of ours.
    """

    def __init__(self, directory: str | Path, model: str) -> None:
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{model}.sqlite"
        # Generation may put results from another thread, one at a time.
        self._database = sqlite3.connect(self._path, check_same_thread=False)
        try:
            with self._database:
                self._database.execute("PRAGMA journal_mode=WAL")
                self._database.execute(
                    "CREATE TABLE IF NOT EXISTS results (request BLOB PRIMARY KEY, result TEXT)"
                )
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"{self._path} is not a file of results ({error}): delete it"
            ) from error

    def get(self, requests: Sequence[Sequence[Any]]) -> list[Any]:
        """The result of each request, None for those that are not known."""
        found: list[Any] = []
        for request in requests:
            row = self._database.execute(
                "SELECT result FROM results WHERE request = ?", (_key(request),)
            ).fetchone()
            found.append(None if row is None else json.loads(row[0]))
        return found

    def put(self, results: Iterable[tuple[Sequence[Any], Any]]) -> None:
        """Keep results; a result is a JSON value other than None."""
        rows = [(_key(request), json.dumps(result)) for request, result in results]
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO results VALUES (?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _key(request: Sequence[Any]) -> bytes:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).digest()


class Pending:
    """The requests of one call: what is known already, what is missing, what came since.

    Requests that are alike are one request. `results` has an entry for each, None until it is
    known; `missing` are the numbers of those to compute. `keep`, if there is one, is where results
    are looked up and put.
    """

    def __init__(self, requests: Sequence[Sequence[Any]], keep: Results | None) -> None:
        self._requests = requests
        self._keep = keep
        alike: dict[bytes, list[int]] = {}
        for number, request in enumerate(requests):
            alike.setdefault(_key(request), []).append(number)
        self._alike = {numbers[0]: numbers for numbers in alike.values()}
        self.results: list[Any] = [None] * len(requests)
        firsts = list(self._alike)
        found = keep.get([requests[number] for number in firsts]) if keep else []
        self._fill((one, result) for one, result in zip(firsts, found, strict=False))
        self.missing = [number for number in firsts if self.results[number] is None]

    def put(self, results: Iterable[tuple[int, Any]], *, lasting: bool = True) -> None:
        """Take results of missing requests; those that are not `lasting` are for this call only."""
        results = list(results)
        if self._keep is not None and lasting:
            self._keep.put((self._requests[number], result) for number, result in results)
        self._fill(results)

    def _fill(self, results: Iterable[tuple[int, Any]]) -> None:
        for first, result in results:
            for number in self._alike[first]:
                self.results[number] = result
