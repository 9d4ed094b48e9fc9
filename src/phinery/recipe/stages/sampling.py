"""Which samples a phase of training sees: of one source, or of several after a mixture."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from phinery.data import Anneal, Mixture, MixtureSampler, Sampler, TokenShards
from phinery.recipe import schema


def sampler_of(
    directory: Path,
    table: schema.Mixture | None,
    *,
    sequence_length: int,
    seed: int,
    samples: int,
    **options: Any,
) -> Sampler | MixtureSampler:
    """The samples of a phase, from the shards in a stage's directory.

    `options` are those of `TokenShards.open`.
    """
    if table is None:
        shards = TokenShards.open(directory, **options)
        return Sampler(shards, sequence_length=sequence_length, seed=seed)
    return MixtureSampler(
        {name: TokenShards.open(directory / name, **options) for name in table.weights},
        mixture_of(table),
        sequence_length=sequence_length,
        seed=seed,
        samples=samples,
    )


def mixture_of(table: schema.Mixture) -> Mixture:
    """The mixture that a recipe's table tells of."""
    weights = table.weights
    anneal = None
    if table.anneal:
        ends = {name: _last(weights[name]) for name in table.best}
        if not any(ends.values()):
            ends = dict.fromkeys(table.best, 1.0)
        anneal = Anneal(table.anneal, ends)
    return Mixture(
        weights,
        anneal=anneal,
        epochs=dict.fromkeys(weights, table.epochs) if table.epochs is not None else {},
        order=dict.fromkeys(table.by_difficulty, "difficulty"),
    )


def _last(weight: Any) -> float:
    """The weight at the end of training."""
    while isinstance(weight, tuple):
        weight = weight[-1]
    return float(weight)


def mixture_counts(sampler: MixtureSampler) -> dict[str, Any]:
    """What a phase takes of each source, and the shares on the way."""
    plan = {name: asdict(part) for name, part in sampler.plan.items()}
    return {"plan": plan, "shares": sampler.shares()}


def sampler_plans(sampler: Sampler | MixtureSampler, count: int) -> list[tuple[Sampler, int]]:
    """The samplers of single sources behind the first `count` samples, and how many of each."""
    if isinstance(sampler, Sampler):
        return [(sampler, count)]
    return [(sampler.samplers[name], taken) for name, taken in sampler.counts(count).items()]
