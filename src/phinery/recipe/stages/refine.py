"""Refine: of the corpus, the documents that are worth training on."""

from __future__ import annotations

from typing import Any

from phinery.data import RefineSettings, refine, refined_documents
from phinery.files import read_json
from phinery.recipe import schema
from phinery.recipe.stage import Outcome, Workplace
from phinery.recipe.stages.sources import share_that_splits


def make(place: Workplace, table: schema.Refine, *, held_out: float) -> Outcome:
    """Write what `phinery.data.refine` writes."""
    settings = RefineSettings(
        languages=table.languages,
        heuristics=table.heuristics,
        repetition=table.repetition,
        privacy=table.privacy,
        quality=table.quality,
        scorer=table.scorer,
        keep=table.keep,
        floor=table.floor,
        exact=table.exact,
        near=table.near,
        agreement=table.agreement,
        benchmarks=table.benchmarks,
    )
    return refined(
        place, place.of("corpus"), settings, held_out, engine=table.engine, workers=table.workers
    )


def refined(
    place: Workplace,
    source: Any,
    settings: RefineSettings,
    held_out: float,
    *,
    engine: str = "embedded",
    workers: int | None = None,
) -> Outcome:
    """Refine a directory into the stage's own; counts what was kept and dropped, and why."""
    summary = refine(
        source,
        place.directory,
        settings=settings,
        engine=engine,
        workers=workers,
        on_progress=place.progress.update,
    )
    if summary.documents == 0:
        raise ValueError(
            f"{place.name} kept no document of {source}: look at "
            f"{place.directory / 'samples.json'} for why, and loosen [{place.name}]"
        )
    ledger = read_json(place.directory / "ledger.json")
    came_in, kept = ledger["stages"][0]["in"], ledger["stages"][-1]["out"]
    share = share_that_splits(lambda: refined_documents(place.directory), held_out)
    counts = {
        **kept,
        "held_out_share": share,
        "in": came_in,
        "stages": ledger["stages"],
        "sources": {
            name: list(stages.values())[-1]["out"] for name, stages in ledger["sources"].items()
        },
        "masked": ledger["masked"],
        "tainted_items": ledger["tainted_items"],
    }
    text = (
        f"{kept['documents']:,} of {came_in['documents']:,} documents, "
        f"{kept['bytes'] / 1e6:.1f} of {came_in['bytes'] / 1e6:.1f} MB"
    )
    return Outcome(text, counts)
