"""The Trainer: a step that reads like the textbook, and a loop around it.

What is not the step is a callback (`phinery.train.callbacks`).
"""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phinery.data import Batch, SampleOrder
from phinery.model import Phi, native
from phinery.model.loss import IGNORE_INDEX
from phinery.train import checkpoint
from phinery.train.callbacks import Callback, Checkpoints, MetricsLog
from phinery.train.checkpoint import Progress, TrainingState
from phinery.train.compilation import compile_or_explain, is_worth_compiling
from phinery.train.config import TrainConfig
from phinery.train.evaluation import HeldOutScore
from phinery.train.identity import run_identity
from phinery.train.interruption import Interrupted, noticed_interruption
from phinery.train.limits import TORCH_DTYPES, DtypeName, faster_dtype, matmul_ceiling
from phinery.train.memory import reused_memory
from phinery.train.objective import Objective
from phinery.train.optimizer import clipped_step, make_optimizer, set_learning_rate
from phinery.train.results import StepMetrics, TrainResult
from phinery.train.schedule import learning_rate_scale
from phinery.train.splitting import micro_batch_rows


class TrainingDiverged(ValueError):
    """Too many steps in a row had a NaN or infinite loss or gradient."""


class Trainer:
    """Trains `model` on the samples of `sampler`, keeping everything in `directory`.

    Step s (from 0) takes the samples s x batch_size to (s + 1) x batch_size. `directory` gets
    `metrics.jsonl` and `checkpoints/`; a run that was stopped goes on from the newest checkpoint.

    Parameters
    ----------
    model
        With float32 weights, on the device where it is to be trained; it is trained in place.
    sampler
        Its `sequence_length` must be the configuration's.
    config
        How to train.
    directory
        Made when absent.
    callbacks
        Told of everything, in order.
    note
        Is given lines that a person should read; by default they go to stderr.
    objective
        What is minimised; next-token prediction by default.
    matmul_rate
        Ceiling for the model FLOPs utilisation; by default it is measured, in about a second.

    Raises ValueError, in one line, when these do not fit together.
    """

    def __init__(
        self,
        model: Phi,
        sampler: SampleOrder,
        config: TrainConfig,
        directory: str | Path,
        callbacks: Sequence[Callback] = (),
        *,
        note: Callable[[str], None] | None = None,
        objective: Objective | None = None,
        matmul_rate: float | None = None,
    ) -> None:
        _check_fit(model, sampler, config)
        self.objective = objective or Objective()
        self.objective.check(model, config)
        self.model = model
        self.sampler = sampler
        self.config = config
        self.directory = Path(directory)
        # The log comes first and the checkpoint last, so that a checkpoint lacks nothing of a step.
        self.callbacks = (MetricsLog(), *callbacks, Checkpoints())
        self.note = note or _note_on_stderr
        self.progress = Progress()
        self.dtype: DtypeName = "float32"
        self.compiled = False
        self.optimizer = make_optimizer(
            model,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            betas=config.betas,
            eps=config.eps,
        )
        self._weights = [weight for weight in model.parameters() if weight.requires_grad]
        self._given_rate = matmul_rate
        self._saved_step: int | None = None

    def fit(self) -> TrainResult:
        """Train to the end, going on from the newest checkpoint in the directory if there is one.

        Raises
        ------
        Interrupted
            On SIGINT or SIGTERM, once the step is done and saved.
        TrainingDiverged
            After `max_skipped_in_a_row` steps with a NaN or infinite loss or gradient.
        ValueError
            When the directory holds another run, or no checkpoint of it is intact.
        """
        with noticed_interruption() as interruption, reused_memory():
            self._begin()
            started: list[Callback] = []
            try:
                for callback in self.callbacks:
                    callback.on_start(self)
                    started.append(callback)
                while self.step < self.config.steps and interruption.received is None:
                    metrics = self.train_step()
                    for callback in self.callbacks:
                        callback.on_step(self, metrics)
                    self._check_convergence()
                if interruption.received is not None:
                    self.save_checkpoint()
                    raise Interrupted(interruption.received, self.step)
            finally:
                for callback in started:
                    callback.on_end(self)
        return self._result()

    def train_step(self) -> StepMetrics:
        """Take one step: forward and backward in micro-batches, clip, update.

        When the loss or the gradient is not finite, weights and moments stay as they are; the
        samples count as seen.
        """
        started = time.perf_counter()
        batch = self.sampler.batch(self.step * self.config.batch_size, self.config.batch_size)
        tokens = int((batch.labels != IGNORE_INDEX).sum())
        count = self.objective.count(batch)

        self.model.train()
        total_loss = torch.zeros((), device=self.model.device)
        parts: dict[str, Tensor] = {}
        for micro_batch in self._micro_batches(batch):
            with self.autocast():
                found = self.objective(self.model, micro_batch)
                # Over the count of the whole batch, so that its split makes no difference.
                loss = found.total / count
            loss.backward()
            total_loss += loss.detach()
            for name, part in found.parts.items():
                parts[name] = parts.get(name, 0.0) + part.detach() / count
        gradients = [weight.grad for weight in self._weights if weight.grad is not None]
        grad_norm = torch.nn.utils.get_total_norm(gradients)

        learning_rate = self._learning_rate()
        set_learning_rate(self.optimizer, learning_rate)
        is_finite = bool(torch.isfinite(total_loss) & torch.isfinite(grad_norm))
        if is_finite:
            clipped_step(self.optimizer, grad_norm, self.config.gradient_clip)
        self.optimizer.zero_grad()

        loss_value = total_loss.item()
        seconds = time.perf_counter() - started
        done = self.progress
        self.progress = Progress(
            step=done.step + 1,
            tokens=done.tokens + tokens,
            seconds=done.seconds + seconds,
            loss=loss_value if is_finite else done.loss,
            skipped_steps=done.skipped_steps + (not is_finite),
            skipped_in_a_row=0 if is_finite else done.skipped_in_a_row + 1,
        )
        return StepMetrics(
            step=self.step,
            loss=loss_value,
            learning_rate=learning_rate,
            grad_norm=grad_norm.item(),
            tokens=self.progress.tokens,
            tokens_per_second=tokens / seconds,
            mfu=self._utilisation(1, seconds),
            seconds=seconds,
            skipped=not is_finite,
            skipped_steps=self.progress.skipped_steps,
            parts={name: part.item() for name, part in parts.items()},
        )

    @property
    def step(self) -> int:
        """Steps done."""
        return self.progress.step

    @functools.cached_property
    def matmul_rate(self) -> float:
        """Ceiling of the matrix products in the run's type, in operations a second."""
        return self._given_rate or matmul_ceiling(self.dtype, self.model.device)

    def autocast(self) -> torch.autocast:
        """The context of the forward pass: bfloat16 where it is safe, or everything as it is."""
        enabled = self.dtype == "bfloat16"
        return torch.autocast(self.model.device.type, TORCH_DTYPES["bfloat16"], enabled=enabled)

    def save_checkpoint(self) -> None:
        """Save the state after the present step, if it is not yet, and delete the oldest."""
        if self._saved_step == self.step:
            return
        for callback in self.callbacks:
            callback.on_checkpoint(self)
        directory = self._checkpoint_directory
        state = TrainingState(self.progress, self._identity, self._choices())
        checkpoint.save_checkpoint(directory, self.model, self.optimizer, state)
        self._saved_step = self.step
        checkpoint.prune_checkpoints(directory, newest=self.step, keep=self.config.keep_checkpoints)

    def tell_evaluation(self, score: HeldOutScore) -> None:
        """Let every callback know of a held-out score."""
        for callback in self.callbacks:
            callback.on_evaluation(self, score)

    @property
    def _checkpoint_directory(self) -> Path:
        return self.directory / "checkpoints"

    @functools.cached_property
    def _identity(self) -> dict[str, Any]:
        return run_identity(self.model.config, self.sampler, self.config, self.objective)

    def _begin(self) -> None:
        """Set up this attempt: a fresh start, or what the newest checkpoint says."""
        self.directory.mkdir(parents=True, exist_ok=True)
        found = checkpoint.find_checkpoint(self._checkpoint_directory, self.note)
        # What "auto" became stays so when a run goes on, lest a measurement change its results.
        chosen: Mapping[str, Any] = {}
        if found is not None:
            state = checkpoint.read_state(found)
            checkpoint.check_identity(self.directory, state.identity, self._identity)
            checkpoint.restore_checkpoint(found, self.model, self.optimizer)
            self.progress, self._saved_step = state.progress, state.progress.step
            chosen = state.choices
            self._note_changes(chosen)
        elif self.step == 0:
            torch.manual_seed(self.config.seed)
        if self.model.device.type == "cpu" and not native.is_available():
            self.note(
                "training is slower without the C++ kernels: install a C++ compiler and then "
                "Phinery again"
            )
        self.dtype = chosen.get("dtype") or self._wanted_dtype()
        if self.step < self.config.steps:
            self.compiled = self._wants_compile(chosen.get("compiled")) and self._compile()
        else:
            self.compiled = bool(chosen.get("compiled"))

    def _wanted_dtype(self) -> DtypeName:
        return faster_dtype(self.model.device) if self.config.dtype == "auto" else self.config.dtype

    def _wants_compile(self, before: bool | None) -> bool:
        if self.config.compile != "auto":
            return self.config.compile
        if before is not None:
            return before
        operations = self._operations(self.config.steps)
        return is_worth_compiling(operations, self.matmul_rate, self.model.device)

    def _compile(self) -> bool:
        """Compile the model, or say why not; whether it worked."""
        batch = self.sampler.batch(self.step * self.config.batch_size, self.config.batch_size)

        def try_out() -> None:
            self.model.train()
            with self.autocast():
                loss = self.objective(self.model, next(self._micro_batches(batch))).total
            loss.backward()

        reason = compile_or_explain(self.model, try_out)
        self.optimizer.zero_grad()
        if reason is not None:
            self.note(f"training goes on uncompiled, since compiling failed: {reason}")
        return reason is None

    def _choices(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "compiled": self.compiled, **_environment()}

    def _note_changes(self, before: Mapping[str, Any]) -> None:
        changes = [
            f"{key} was {before.get(key)}, now {value}"
            for key, value in _environment().items()
            if before.get(key) != value
        ]
        if changes:
            self.note(
                f"results will differ by rounding from those of a run that was never stopped: "
                f"{'; '.join(changes)}"
            )

    def _micro_batches(self, batch: Batch) -> Iterator[dict[str, Any]]:
        """The arrays of one micro-batch after another, by name, as an objective takes them."""
        size = self._micro_batch_size()
        for start in range(0, len(batch.input_ids), size):
            tensors = {
                field.name: self._tensor(getattr(batch, field.name)[start : start + size])
                for field in dataclasses.fields(batch)
            }
            yield tensors if self.config.separate_documents else {**tensors, "document_ids": None}

    def _micro_batch_size(self) -> int:
        config = self.config
        if config.micro_batch_size is not None:
            return config.micro_batch_size
        if self.model.device.type != "cpu":
            return config.batch_size
        mlp_size = self.model.config.mlp_size
        return micro_batch_rows(config.batch_size, config.sequence_length, mlp_size)

    def _tensor(self, array: NDArray[np.int64 | np.float32]) -> Tensor:
        return torch.from_numpy(array).to(self.model.device)

    def _learning_rate(self) -> float:
        config = self.config
        return config.learning_rate * learning_rate_scale(
            self.step,
            total_steps=config.steps,
            warmup_steps=config.warmup_steps,
            schedule=config.schedule,
            decay_fraction=config.decay_fraction,
            floor=config.floor,
        )

    def _check_convergence(self) -> None:
        in_a_row = self.progress.skipped_in_a_row
        if in_a_row >= self.config.max_skipped_in_a_row:
            raise TrainingDiverged(
                f"the loss or the gradient was NaN or infinite in {in_a_row} steps in a row, up to "
                f"step {self.step}: lower the learning rate or lengthen the warm-up"
            )

    def _operations(self, steps: int) -> float:
        tokens = steps * self.config.batch_size * self.config.sequence_length
        return float(tokens * self.model.flops_per_token(self.config.sequence_length))

    def _utilisation(self, steps: int, seconds: float) -> float:
        return self._operations(steps) / max(seconds, 1e-9) / self.matmul_rate

    def _result(self) -> TrainResult:
        progress = self.progress
        return TrainResult(
            steps=progress.step,
            tokens=progress.tokens,
            loss=math.nan if progress.loss is None else progress.loss,
            seconds=progress.seconds,
            tokens_per_second=progress.tokens / max(progress.seconds, 1e-9),
            mfu=self._utilisation(progress.step, progress.seconds),
            skipped_steps=progress.skipped_steps,
            dtype=self.dtype,
            compiled=self.compiled,
        )


def _environment() -> dict[str, Any]:
    """What decides how sums are rounded."""
    return {
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "kernels": native.build() or "torch",
    }


def _note_on_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def _check_fit(model: Phi, sampler: SampleOrder, config: TrainConfig) -> None:
    if model.dtype != torch.float32:
        raise ValueError(
            f"the model's weights are {str(model.dtype).removeprefix('torch.')}: load it with "
            'dtype="float32", in which weights are kept while training'
        )
    if sampler.sequence_length != config.sequence_length:
        raise ValueError(
            f"sequence_length is {config.sequence_length}, but the sampler's is "
            f"{sampler.sequence_length}: make them equal"
        )
    if config.sequence_length > model.config.max_position_embeddings:
        raise ValueError(
            f"sequence_length {config.sequence_length} is longer than the model's "
            f"max_position_embeddings, {model.config.max_position_embeddings}"
        )
