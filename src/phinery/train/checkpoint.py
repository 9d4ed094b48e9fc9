"""The state of a training run on the disk: safetensors and JSON, whole or absent.

A checkpoint is the directory `step-00000123` with

- `model.safetensors`: the weights, under their names;
- `optimizer.safetensors`: for each weight `NAME.exp_avg`, `NAME.exp_avg_sq` and `NAME.step`;
- `random.safetensors`: the states of torch's generators, as bytes;
- `state.json`: position and counts, what the run was told, Python's and NumPy's generators;
- `manifest.json`: size and checksum of each.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from phinery.files import (
    ManifestError,
    atomic_directory,
    read_json,
    read_manifest,
    remove_leftovers,
    write_json,
)
from phinery.train.generators import (
    other_states,
    restore_other_states,
    restore_torch_states,
    torch_states,
)

_MODEL = "model.safetensors"
_OPTIMIZER = "optimizer.safetensors"
_RANDOM = "random.safetensors"
_STATE = "state.json"
_FORMAT = 1
_NAME = re.compile(r"step-(\d{8,})")


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run is: everything that training counts."""

    step: int = 0
    """Steps done, skipped ones included; the next step takes the samples from step x batch size."""
    tokens: int = 0
    """Labels trained on."""
    seconds: float = 0.0
    """Time spent in steps, over all attempts."""
    loss: float | None = None
    """Of the last step that was not skipped."""
    skipped_steps: int = 0
    skipped_in_a_row: int = 0


@dataclasses.dataclass(frozen=True)
class TrainingState:
    """What a checkpoint holds beside its tensors."""

    progress: Progress
    identity: Mapping[str, Any]
    """Dotted name -> value of everything that decides the run's outcome."""
    choices: Mapping[str, Any]
    """What "auto" settings became, and the threads and version of torch the run began with."""


def checkpoint_path(directory: Path, step: int) -> Path:
    """Where, below `directory`, the checkpoint after `step` steps lies."""
    return directory / f"step-{step:08d}"


def save_checkpoint(
    directory: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: TrainingState
) -> Path:
    """Write the checkpoint of `state.progress.step` below `directory`; it is on the disk on return.

    Killed at any moment, it leaves no checkpoint of this step, or the whole one.
    """
    progress = state.progress
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    moments = {
        f"{name}.{key}": value
        for name, weight in model.named_parameters()
        for key, value in optimizer.state.get(weight, {}).items()
    }
    target = checkpoint_path(directory, progress.step)
    with atomic_directory(target, kind="training checkpoint", step=progress.step) as temporary:
        save_file(weights, temporary / _MODEL)
        save_file(moments, temporary / _OPTIMIZER)
        save_file(torch_states(), temporary / _RANDOM)
        content = {
            "format": _FORMAT,
            "progress": dataclasses.asdict(progress),
            "identity": state.identity,
            "choices": state.choices,
            "generators": other_states(),
        }
        write_json(temporary / _STATE, content)
    return target


def find_checkpoint(directory: Path, note: Callable[[str], None]) -> Path | None:
    """The newest intact checkpoint below `directory`, or None when there is none at all.

    Removes what killed writers left behind. Damaged checkpoints are passed over, with a line to
    `note` for each; ValueError when there are only such.
    """
    if not directory.is_dir():
        return None
    _clean(directory)
    damaged: list[Path] = []
    for path in reversed(_checkpoints(directory)):
        try:
            read_manifest(path)
        except ManifestError as error:
            note(f"checkpoint {path.name} is passed over: {error}")
            damaged.append(path)
        else:
            return path
    if damaged:
        raise ValueError(
            f"no checkpoint in {directory} is intact; delete that directory to train from the start"
        )
    return None


def read_state(checkpoint: Path) -> TrainingState:
    """Read what a checkpoint holds beside its tensors; ValueError when it is not as we write it."""
    content = read_json(checkpoint / _STATE)
    if content.get("format") != _FORMAT:
        raise ValueError(
            f"{checkpoint} has format {content.get('format')!r}, this version reads {_FORMAT}: "
            "go on with the version that wrote it, or delete it to train from the start"
        )
    progress = Progress(**content["progress"])
    if checkpoint_path(checkpoint.parent, progress.step) != checkpoint:
        raise ValueError(f"{checkpoint} holds step {progress.step}: it was renamed, name it back")
    return TrainingState(progress, content["identity"], content["choices"])


def restore_checkpoint(
    checkpoint: Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Put a checkpoint's weights, moments and random states back where they were.

    The checkpoint's manifest was verified by `find_checkpoint`. Raises ValueError when its tensors
    are not those of `model`.
    """
    weights = dict(model.named_parameters())
    with torch.no_grad(), safe_open(checkpoint / _MODEL, framework="pt") as file:
        _check_names(checkpoint / _MODEL, file, weights)
        for name, weight in weights.items():
            weight.copy_(file.get_tensor(name))
    with safe_open(checkpoint / _OPTIMIZER, framework="pt") as file:
        for stored in file.keys():  # noqa: SIM118 (a file is no mapping)
            name, _, key = stored.rpartition(".")
            value: Tensor = file.get_tensor(stored)
            # A copy, since what is mapped from the file is not aligned as torch's own memory is.
            optimizer.state[weights[name]][key] = value.to(weights[name].device, copy=True)
    with safe_open(checkpoint / _RANDOM, framework="pt") as file:
        restore_torch_states({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    restore_other_states(read_json(checkpoint / _STATE)["generators"])


def prune_checkpoints(directory: Path, *, newest: int, keep: int) -> None:
    """Delete all but the last `keep` checkpoints up to step `newest`.

    Later ones are damaged, since a run goes on from the newest that is not; they count for nothing.
    """
    past = [path for path in _checkpoints(directory) if _step_of(path) <= newest]
    for path in past[:-keep]:
        # Half deleted, its manifest would list files that are missing, or be missing itself.
        shutil.rmtree(path)


def check_identity(directory: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with a run that was told something else; ValueError names the differences."""
    plain = json.loads(json.dumps(now))
    differences = [
        f"{key} was {before.get(key)!r}, now {plain.get(key)!r}"
        for key in sorted({*before, *plain})
        if before.get(key) != plain.get(key)
    ]
    if differences:
        raise ValueError(
            f"{directory} holds another run: {'; '.join(differences)}. Set it back to go on, or "
            "train in another directory"
        )


def _checkpoints(directory: Path) -> list[Path]:
    """All checkpoints, by step, damaged ones included."""
    found = [path for path in directory.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=_step_of)


def _step_of(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[1])


def _clean(directory: Path) -> None:
    for path in list(directory.iterdir()):
        match = _NAME.match(path.name.removeprefix("."))
        if path.name.startswith(".") and match is not None:
            remove_leftovers(directory / match[0])


def _check_names(path: Path, file: Any, weights: Mapping[str, Tensor]) -> None:
    names = set(file.keys())
    for name in sorted(names ^ set(weights)):
        where = "has" if name in names else "lacks"
        raise ValueError(f"{path} {where} {name}, unlike the model that is to be trained on")
