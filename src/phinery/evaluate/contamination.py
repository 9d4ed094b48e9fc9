"""Which benchmark items a run's text gave away, as its refining found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from phinery.files import read_json


def tainted_items_of(run: Path) -> Mapping[str, frozenset[str]] | None:
    """Benchmark to the ids of its items that were found in the run's text.

    `run` is a run directory or the folder of a refining. None when no refining there was given
    benchmarks to look for: then nobody knows. Raises ValueError when a file is damaged.
    """
    found: dict[str, set[str]] = {}
    looked = False
    for folder in (run, run / "refine", run / "synthesize"):
        ledger, tainted = folder / "ledger.json", folder / "tainted.json"
        if not (ledger.is_file() and tainted.is_file()):
            continue
        if read_json(ledger)["settings"].get("benchmarks") is None:
            continue
        looked = True
        for benchmark, items in read_json(tainted).items():
            found.setdefault(benchmark, set()).update(items)
    return {name: frozenset(items) for name, items in found.items()} if looked else None
