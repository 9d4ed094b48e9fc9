"""Grow: the model of the phase before made larger, and trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from safetensors.torch import load_file
from torch import Tensor

from phinery.model import Phi, PhiConfig
from phinery.model.checkpoint import load_model
from phinery.model.folder import read_model_files
from phinery.model.growth import check_growth, grow, grow_moments, target_config
from phinery.recipe.schema import Grow, Mixture, Pretrain, Training
from phinery.recipe.stage import Outcome, Workplace
from phinery.recipe.stages.pretrain import MODEL, MOMENTS, first_config, train
from phinery.text import Tokenizer


def make(
    place: Workplace,
    phase: Grow,
    mixture: Mixture | None,
    *,
    seed: int,
    before: str,
    keep_moments: bool = False,
) -> Outcome:
    """Grow the model of the phase `before` and train it; leave `model/` and `metrics.jsonl`.

    `keep_moments` leaves the optimiser's state for the phase after. Raises ValueError, in one line,
    when the recipe's shape and method do not go with that model.
    """
    source = read_model_files(place.of(before) / MODEL).config
    target = _target(phase, source)
    device = "cuda" if torch.cuda.is_available() else "cpu"

    def begin(tokenizer: Tokenizer) -> Phi:
        small = load_model(place.of(before) / MODEL, device=device, dtype=torch.float32)
        return grow(small, target, method=phase.method, seed=seed)

    def moments() -> dict[str, Tensor]:
        stored = load_file(place.of(before) / MOMENTS)
        return grow_moments(stored, source, target, method=phase.method, seed=seed)

    outcome = train(
        place,
        phase,
        mixture,
        begin,
        seed=seed,
        keep_moments=keep_moments,
        moments=moments if phase.moments == "carried" else None,
    )
    lineage = {
        "from": before,
        "from_parameters": source.num_parameters(),
        "method": phase.method,
        "moments": phase.moments,
        "seed": seed,
    }
    grown = f"{source.num_hidden_layers} x {source.hidden_size} to "
    grown += f"{target.num_hidden_layers} x {target.hidden_size}, "
    return dataclasses.replace(
        outcome, summary=grown + outcome.summary, counts={**outcome.counts, "grown": lineage}
    )


def check_phases(phases: Sequence[Training], tokenizer: Tokenizer) -> None:
    """Raise ValueError, in one line, when a phase cannot grow out of the one before it.

    Nothing but the shapes is looked at, so that a mistake is found before the first training.
    """
    first = phases[0]
    assert isinstance(first, Pretrain)
    config = first_config(first, tokenizer, max(phase.sequence_length for phase in phases))
    for phase in phases:
        if isinstance(phase, Grow):
            config = _target(phase, config)


def _target(phase: Grow, source: PhiConfig) -> PhiConfig:
    try:
        target = target_config(phase.to, source)
        check_growth(source, target, method=phase.method)
    except ValueError as error:
        raise ValueError(f"grow.to = {phase.to!r}: {error}") from error
    return target
