"""Which benchmark items a run's text gave away, as its refining found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phinery.files import read_json


def tainted_items_of(run: Path) -> Mapping[str, frozenset[str]] | None:
    """Benchmark to the ids of its items that were found in the run's text.

    `run` is a run directory or the folder of a refining. None when no refining there was given
    benchmarks to look for: then nobody knows. A benchmark that was looked for in vain has no items;
    one that no refining looked for is missing. Ledgers that do not list their benchmarks have only
    those of which something was found. Raises ValueError, in one line, when a file is damaged.
    """
    found: dict[str, set[str]] = {}
    looked = False
    for folder in (run, run / "refine", run / "synthesize"):
        ledger, tainted = folder / "ledger.json", folder / "tainted.json"
        if not (ledger.is_file() and tainted.is_file()):
            continue
        record = _object(ledger)
        settings, indexed = record.get("settings"), record.get("benchmarks", [])
        if not isinstance(settings, dict) or not isinstance(indexed, list):
            raise ValueError(f"{ledger} is no refining's ledger, it has no settings: refine again")
        if settings.get("benchmarks") is None:
            continue
        looked = True
        for benchmark in indexed:
            found.setdefault(benchmark, set())
        for benchmark, items in _object(tainted).items():
            found.setdefault(benchmark, set()).update(items)
    return {name: frozenset(items) for name, items in found.items()} if looked else None


def _object(file: Path) -> dict[str, Any]:
    value: Any = read_json(file)
    if not isinstance(value, dict):
        raise ValueError(f"{file} holds no JSON object: refine again")
    return value
