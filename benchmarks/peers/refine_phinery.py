"""The refinery with the steps that datatrove is given: heuristics, exact, MinHash."""

from __future__ import annotations

from refining_worker import serve

from phinery.data import RefineSettings, refine

SETTINGS = RefineSettings(
    languages=(), repetition=False, privacy=False, quality=False, heuristics=True
)


def run(source: str, output: str) -> dict[str, int]:
    """Refine a folder of JSON lines on one core."""
    ledger = refine(source, output, settings=SETTINGS, workers=1).ledger
    return {stage: ledger.totals(stage).went_out.documents for stage in ledger.stages}


if __name__ == "__main__":
    serve(("phinery", "daft", "pyarrow"), run)
