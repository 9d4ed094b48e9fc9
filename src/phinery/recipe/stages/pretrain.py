"""Pretrain: one phase of training, which goes on from its last checkpoint after an interruption."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from phinery.data import MixtureSampler, Sampler, TokenShards
from phinery.files import MANIFEST, read_json, write_json
from phinery.model import Phi, PhiConfig, preset
from phinery.model.checkpoint import load_model, save
from phinery.model.hub import resolve
from phinery.recipe.schema import Mixture, Pretrain, Training, format_count
from phinery.recipe.stage import Outcome, Progress, Workplace
from phinery.recipe.stages.sampling import mixture_counts, sampler_of, sampler_plans
from phinery.text import Tokenizer
from phinery.train import (
    Callback,
    Distillation,
    Evaluation,
    StepMetrics,
    TimeLeft,
    TrainConfig,
    Trainer,
    TrainResult,
    format_seconds,
    load_teacher,
)

MODEL = "model"
MOMENTS = "optimizer.safetensors"
_RESULT = "result.json"
_STATE = ("exp_avg", "exp_avg_sq", "step")


def steps_of(phase: Training) -> int:
    """Optimiser steps of a phase: its tokens in whole batches, one at least."""
    return max(1, phase.tokens // (phase.batch_size * phase.sequence_length))


def make(
    place: Workplace,
    phase: Pretrain,
    mixture: Mixture | None,
    *,
    seed: int,
    before: str | None,
    context_length: int,
    keep_moments: bool = False,
    teacher_phase: str | None = None,
) -> Outcome:
    """Train, and leave `model/` and `metrics.jsonl`.

    `before` is the phase whose model this one goes on with; `context_length` is the longest
    sequence of all phases; `keep_moments` leaves the optimiser's state for the phase after;
    `teacher_phase` is the phase that the table's teacher names, if it names one.
    """

    def begin(tokenizer: Tokenizer) -> Phi:
        return _model(place, phase, tokenizer, seed, before, context_length)

    def distillation(tokenizer: Tokenizer) -> Distillation:
        assert phase.teacher is not None
        source = place.of(teacher_phase) / MODEL if teacher_phase else phase.teacher
        return Distillation(
            load_teacher(source, tokenizer, device=_device()),
            tokens=tokenizer.vocab_size,
            weight=phase.teacher_weight,
            temperature=phase.teacher_temperature,
        )

    return train(
        place,
        phase,
        mixture,
        begin,
        seed=seed,
        keep_moments=keep_moments,
        distillation=distillation if phase.teacher is not None else None,
    )


def train(
    place: Workplace,
    phase: Training,
    mixture: Mixture | None,
    begin: Callable[[Tokenizer], Phi],
    *,
    seed: int,
    keep_moments: bool = False,
    moments: Callable[[], Mapping[str, Tensor]] | None = None,
    distillation: Callable[[Tokenizer], Distillation] | None = None,
) -> Outcome:
    """Train the model that `begin` gives, and leave `model/` and `metrics.jsonl`.

    `moments` are the optimiser's at the start, as a training checkpoint has them; by default none.
    `distillation` gives the teacher to learn from as well; by default there is none.
    """
    result_path = place.directory / _RESULT
    # Written once the model is saved: a run killed after that has nothing left to train.
    if not result_path.is_file():
        place.progress.update(None, "getting ready")
        tokenizer = Tokenizer.load(place.of("tokenizer"))
        config = train_config(phase, seed)
        sampler = sampler_of(
            place.of("shards"),
            mixture,
            sequence_length=phase.sequence_length,
            seed=seed,
            samples=config.steps * phase.batch_size,
            tokenizer=tokenizer,
            verify=False,
        )
        model = begin(tokenizer)
        callbacks: list[Callback] = [_Tell(place.progress)]
        if phase.evaluations:
            heldout = TokenShards.open(place.of("shards"), "heldout", verify=False)
            every = math.ceil(config.steps / phase.evaluations)
            evaluation = Evaluation(
                heldout, every, tokenizer=tokenizer, max_tokens=phase.evaluation_tokens
            )
            callbacks.append(evaluation)
        objective = None if distillation is None else distillation(tokenizer)
        trainer = Trainer(
            model,
            sampler,
            config,
            place.directory,
            callbacks,
            note=place.progress.note,
            objective=objective,
        )
        if moments is not None:
            _set_moments(trainer, moments())
        result = trainer.fit()
        if keep_moments:
            save_file(_moments_of(trainer), place.directory / MOMENTS)
        save(model.cpu(), tokenizer, place.directory / MODEL)
        counts = _counts(result, model, sampler, phase)
        if objective is not None:
            counts["teacher"] = _teacher_counts(result, objective, phase)
        write_json(result_path, counts)
    shutil.rmtree(place.directory / "checkpoints", ignore_errors=True)
    counts = read_json(result_path)
    loss = "NaN" if counts["loss"] is None else f"{counts['loss']:.3f}"
    return Outcome(f"loss {loss} after {format_count(counts['tokens'])} tokens", counts)


def _set_moments(trainer: Trainer, moments: Mapping[str, Tensor]) -> None:
    for name, weight in trainer.model.named_parameters():
        state = trainer.optimizer.state[weight]
        for key in _STATE:
            # The count of steps stays where fused AdamW wants it, on the weights' device.
            state[key] = moments[f"{name}.{key}"].to(weight.device, torch.float32)


def _moments_of(trainer: Trainer) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": trainer.optimizer.state[weight][key].cpu()
        for name, weight in trainer.model.named_parameters()
        for key in _STATE
    }


def train_config(phase: Training, seed: int) -> TrainConfig:
    """The trainer's configuration; shares of the steps become numbers of steps."""
    steps = steps_of(phase)
    return TrainConfig(
        steps=steps,
        batch_size=phase.batch_size,
        sequence_length=phase.sequence_length,
        learning_rate=phase.learning_rate,
        micro_batch_size=phase.micro_batch_size,
        warmup_steps=min(round(phase.warmup * steps), steps - 1),
        schedule=phase.schedule,
        decay_fraction=phase.decay,
        floor=phase.floor,
        weight_decay=phase.weight_decay,
        betas=phase.betas,
        eps=phase.eps,
        gradient_clip=phase.gradient_clip,
        dtype=phase.dtype,
        compile=phase.compile,
        separate_documents=phase.separate_documents,
        seed=seed,
        checkpoint_every=phase.checkpoint_every,
    )


def _model(
    place: Workplace,
    phase: Pretrain,
    tokenizer: Tokenizer,
    seed: int,
    before: str | None,
    context_length: int,
) -> Phi:
    """The model of the phase before, or a new one, in float32 on the fastest device there is."""
    device = _device()
    if before is not None:
        return load_model(place.of(before) / MODEL, device=device, dtype=torch.float32)
    config = first_config(phase, tokenizer, context_length)
    torch.manual_seed(seed)
    return Phi(config).to(device)


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def first_config(phase: Pretrain, tokenizer: Tokenizer, context_length: int) -> PhiConfig:
    """The shape that a first phase begins with. Raises ValueError when its vocabulary is too small.

    `context_length` is the longest sequence of all phases.
    """
    config = preset(
        phase.model,
        vocab_size=phase.vocab_size or tokenizer.vocab_size,
        max_position_embeddings=context_length,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    if config.vocab_size < tokenizer.vocab_size:
        raise ValueError(
            f"pretrain.vocab_size is {config.vocab_size:,}, but the tokenizer has "
            f"{tokenizer.vocab_size:,} tokens: give at least as many, or leave it out"
        )
    return replace(config, pad_token_id=tokenizer.pad_token_id)


def _counts(
    result: TrainResult, model: Phi, sampler: Sampler | MixtureSampler, phase: Training
) -> dict[str, Any]:
    samples = result.steps * phase.batch_size
    plans = sampler_plans(sampler, samples)
    mixed = isinstance(sampler, MixtureSampler)
    return {
        "steps": result.steps,
        "tokens": result.tokens,
        "epochs": samples / sum(len(part) for part, _ in plans),
        **({"mixture": mixture_counts(sampler)} if mixed else {}),
        "loss": result.loss if math.isfinite(result.loss) else None,
        "parameters": model.num_parameters(),
        "flops": float(result.tokens * model.flops_per_token(phase.sequence_length)),
        "training_seconds": result.seconds,
        "mfu": result.mfu,
        "skipped_steps": result.skipped_steps,
        "dtype": result.dtype,
        "compiled": result.compiled,
    }


def _teacher_counts(
    result: TrainResult, objective: Distillation, phase: Training
) -> dict[str, Any]:
    per_token = objective.flops_per_token(phase.sequence_length)
    return {
        **objective.fingerprint(),
        "parameters": objective.teacher.num_parameters(),
        "flops": float(result.tokens * per_token),
    }


def describe_teacher(teacher: str) -> Any:
    """Which model a recipe's teacher is: checksums where Phinery wrote it, the hub's commit, or
    else names, sizes and times of its files. Raises ValueError when there is none.
    """
    folder = resolve(teacher)
    if (folder / MANIFEST).is_file():
        # Without a check of the files: their sizes are checked, and cards edited, elsewhere.
        files = read_json(folder / MANIFEST)["files"]
        return {name: file["sha256"] for name, file in files.items() if _decides(name)}
    if folder.parent.name == "snapshots":
        return [teacher, folder.name]
    return [
        [path.name, path.stat().st_size, path.stat().st_mtime_ns]
        for path in sorted(folder.iterdir())
        if _decides(path.name)
    ]


def _decides(name: str) -> bool:
    """Whether a file of a model folder says what the model is; cards and the like do not."""
    return Path(name).suffix in (".safetensors", ".json")


class _Tell(Callback):
    """Passes the training's progress on to the terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._clock = TimeLeft()

    def on_start(self, trainer: Trainer) -> None:
        """Start the clock; say so when training goes on after an interruption."""
        self._clock.start(trainer.step)
        if trainer.step:
            self._progress.note(f"going on after step {trainer.step:,} of {trainer.config.steps:,}")

    def on_step(self, trainer: Trainer, metrics: StepMetrics) -> None:
        """Show loss, speed and the time left."""
        total = trainer.config.steps
        left = format_seconds(self._clock.left(metrics.step, total))
        skipped = f" · {metrics.skipped_steps} skipped" if metrics.skipped_steps else ""
        self._progress.update(
            metrics.step / total,
            f"loss {metrics.loss:.2f} · {format_count(metrics.tokens_per_second)} tokens/s · "
            f"MFU {metrics.mfu:.0%}{skipped} · {left} left",
        )
