"""What a report tells, gathered from a run directory: numbers and texts, no layout."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import phinery
from phinery.data import MixtureSampler
from phinery.evaluate.evaluation import Evaluation, load_evaluations
from phinery.files import read_json
from phinery.recipe import report_refining
from phinery.recipe.load import show_recipe
from phinery.recipe.schema import Recipe
from phinery.text import Tokenizer, available_cores

_LIBRARIES = ("torch", "numpy", "tokenizers", "safetensors")


@dataclass(frozen=True)
class Curve:
    """One phase of training as it was logged; all lists are as long as `tokens` beside them."""

    name: str
    tokens: list[float]
    loss: list[float]
    learning_rate: list[float]
    tokens_per_second: list[float]
    held_out_tokens: list[float]
    held_out_loss: list[float]
    held_out_bits: list[float]


@dataclass(frozen=True)
class ReportData:
    """Everything that a report shows."""

    recipe: Recipe
    records: Mapping[str, Mapping[str, Any]]
    recipe_text: str
    curves: list[Curve]
    scores: Mapping[str, Any] | None
    samples: list[Mapping[str, Any]]
    evaluations: list[Evaluation]
    """The suites' scores: before training, and after each phase."""
    longest_tokens: list[str]
    mixtures: Mapping[str, Mapping[str, Any]]
    """Phase of training -> what it takes of each source; empty without a mixture."""
    refined: Mapping[str, Mapping[str, Any]]
    """Stage -> ledger and samples, of the stages that refined something."""
    machine: Mapping[str, str]
    finished: str

    def counts(self, stage: str) -> Mapping[str, Any]:
        """What a stage counted; empty when the recipe has no such stage."""
        return self.records.get(stage, {}).get("counts", {})

    @property
    def seconds(self) -> float:
        """Time of all stages together."""
        return sum(record["seconds"] for record in self.records.values())

    @property
    def trained(self) -> list[Mapping[str, Any]]:
        """The counts of every phase of training, in order."""
        return [self.counts(curve.name) for curve in self.curves]


def gather(directory: Path, recipe: Recipe, records: Mapping[str, Mapping[str, Any]]) -> ReportData:
    """Read what the stages of a finished run left behind."""
    trained = [name for name in recipe.phases if name in records]
    evaluated = directory / "evaluate"
    return ReportData(
        recipe=recipe,
        records=records,
        recipe_text=show_recipe(recipe),
        curves=read_curves(directory, trained),
        scores=read_json(evaluated / "scores.json") if "evaluate" in records else None,
        samples=read_json(evaluated / "samples.json") if "evaluate" in records else [],
        evaluations=load_evaluations(evaluated / "suites.json") if "evaluate" in records else [],
        longest_tokens=longest_words(directory / "tokenizer") if "tokenizer" in records else [],
        mixtures=planned_mixtures(directory, recipe, records),
        refined=report_refining.gather(directory, list(records)),
        machine=machine(),
        finished=max(record["finished"] for record in records.values()),
    )


def planned_mixtures(
    directory: Path, recipe: Recipe, records: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    """What each phase takes of each source: as it was trained, or as it will be."""
    from phinery.recipe.stages.pretrain import steps_of
    from phinery.recipe.stages.sampling import mixture_counts, sampler_of

    found: dict[str, Mapping[str, Any]] = {}
    if recipe.mixture is None or "shards" not in records:
        return found
    for number, (name, phase) in enumerate(recipe.phases.items()):
        if name in records:
            found[name] = records[name]["counts"]["mixture"]
            continue
        sampler = sampler_of(
            directory / "shards",
            recipe.mixture,
            sequence_length=phase.sequence_length,
            seed=recipe.seed + number,
            samples=steps_of(phase) * phase.batch_size,
            verify=False,
        )
        assert isinstance(sampler, MixtureSampler)
        found[name] = mixture_counts(sampler)
    return found


def read_curves(directory: Path, stages: list[str]) -> list[Curve]:
    """The curves of every phase, tokens counted on from one phase to the next."""
    curves: list[Curve] = []
    before = 0.0
    for stage in stages:
        lines = (directory / stage / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        curve = curve_of(stage, [json.loads(line) for line in lines], before)
        before = max([*curve.tokens, before])
        curves.append(curve)
    return curves


def curve_of(name: str, rows: list[dict[str, Any]], before: float = 0.0) -> Curve:
    """Sort logged rows into steps and held-out scores."""
    steps = [row for row in rows if "learning_rate" in row]
    scores = [row for row in rows if "held_out_loss" in row]
    return Curve(
        name=name,
        tokens=[before + row["tokens"] for row in steps],
        loss=[_number(row["loss"]) for row in steps],
        learning_rate=[_number(row["learning_rate"]) for row in steps],
        tokens_per_second=[_number(row["tokens_per_second"]) for row in steps],
        held_out_tokens=[before + row["tokens"] for row in scores],
        held_out_loss=[_number(row["held_out_loss"]) for row in scores],
        held_out_bits=[_number(row["held_out_bits_per_byte"]) for row in scores],
    )


def longest_words(tokenizer: Path, most: int = 24) -> list[str]:
    """The longest tokens with a letter in them, longest first: what the text is full of."""
    loaded = Tokenizer.load(tokenizer)
    texts = {loaded.decode([token]) for token in range(loaded.vocab_size)} - {loaded.eos_token}
    words = [text for text in texts if text.isprintable() and any(map(str.isalpha, text))]
    return sorted(words, key=lambda word: (-len(word), word))[:most]


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def machine() -> dict[str, str]:
    """This machine and the versions of what a run rests on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores used": str(available_cores()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Phinery": phinery.__version__,
        **{name: metadata.version(name) for name in _LIBRARIES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
