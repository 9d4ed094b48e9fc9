"""Trains in processes that are there to be killed.

Importing torch takes seconds, forking milliseconds: this program imports, starts no thread, and
forks a child for every line on stdin, a JSON object with the arguments of `train`. It answers with
the child's process id, and with its exit code (negative for a signal) once that is known.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # torch.optim would import it in every child, for seconds

from phinery.data import Sampler, TokenShards
from phinery.train import Callback, Interrupted, Trainer
from training_help import SEQUENCE_LENGTH, make_config, make_model

_DISK_CALLS = ("fsync", "rename", "replace", "unlink", "rmdir", "mkdir")


class DieWhileSaving(Callback):
    """Kills the process just before disk operation number `number` from the save of `step` on."""

    def __init__(self, step: int, number: int) -> None:
        self.step = step
        self.left = number

    def on_checkpoint(self, trainer: Trainer) -> None:
        if trainer.step == self.step:
            for name in _DISK_CALLS:
                setattr(os, name, self.counted(getattr(os, name)))

    def counted(self, function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call


def train(
    shards: str,
    directory: str,
    die_while_saving: list[int] | None = None,
    **settings: Any,
) -> int:
    """Train, or go on training, a tiny model with dropout; returns the exit code."""
    sampler = Sampler(TokenShards.open(shards), sequence_length=SEQUENCE_LENGTH, seed=5)
    model = make_model(embd_pdrop=0.1)
    callbacks = [DieWhileSaving(*die_while_saving)] if die_while_saving else []
    trainer = Trainer(
        model, sampler, make_config(**settings), directory, callbacks, matmul_rate=1e12
    )
    try:
        trainer.fit()
    except Interrupted as error:
        Path(directory, "message").write_text(str(error))
        return 128 + error.signal
    return 0


def serve() -> None:
    """Fork a child for every line, until stdin ends."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = train(**json.loads(line))
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve()
