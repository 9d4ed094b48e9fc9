"""Training that is killed, at random moments and inside every save, and goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phinery.files import ManifestError, read_manifest
from phinery.text import Tokenizer
from training_help import write_test_shards

INTERVAL = 10
STEPS = 500
KILLS = 20
KEEP_ALL = 10_000
PATIENCE = 120.0


class Worker:
    """A process that forks trainings; one at a time."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("kill_worker.py"))],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def start(self, **request: Any) -> int:
        """Begin a training; returns its process id."""
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        return self._answer()

    def wait(self) -> int:
        """The exit code of the training that was begun, negative for a signal."""
        return self._answer()

    def run(self, **request: Any) -> int:
        """Train until it ends by itself; returns the exit code."""
        self.start(**request)
        return self.wait()

    def close(self) -> None:
        """End the process, which waits for the last training."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()

    def _answer(self) -> int:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        assert line, "the worker is gone"
        return int(line)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def settings(byte_tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    shards = tmp_path_factory.mktemp("data") / "shards"
    write_test_shards(shards, byte_tokenizer)
    return {
        "shards": str(shards),
        "steps": STEPS,
        "warmup_steps": 20,
        "batch_size": 2,
        "checkpoint_every": INTERVAL,
    }


@pytest.fixture(scope="module")
def unbroken(
    worker: Worker, settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run that nobody disturbed, with all of its checkpoints."""
    directory = tmp_path_factory.mktemp("unbroken")
    assert worker.run(directory=str(directory), **settings, keep_checkpoints=KEEP_ALL) == 0
    return directory


def logged_steps(directory: Path) -> list[int]:
    """Steps of the whole lines in the log."""
    path = directory / "metrics.jsonl"
    content = path.read_bytes() if path.exists() else b""
    return [json.loads(line)["step"] for line in content[: content.rfind(b"\n") + 1].splitlines()]


def intact_checkpoints(directory: Path) -> dict[int, dict[str, str]]:
    """Step -> checksums of the tensor files of every checkpoint that a reader would accept."""
    found: dict[int, dict[str, str]] = {}
    for path in directory.glob("checkpoints/step-*"):
        try:
            manifest = read_manifest(path)
        except ManifestError:
            continue
        assert manifest["step"] == int(path.name.removeprefix("step-"))
        found[manifest["step"]] = {
            name: entry["sha256"]
            for name, entry in manifest["files"].items()
            if name.endswith(".safetensors")
        }
    return found


def check_nothing_is_wrong(directory: Path, unbroken: Path) -> int:
    """What a killed run left is right and recent; returns the step that it goes on from."""
    expected = intact_checkpoints(unbroken)
    found = intact_checkpoints(directory)
    for step, checksums in found.items():
        assert checksums == expected[step], step
    newest = max(found, default=0)
    steps = logged_steps(directory)
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) - newest <= INTERVAL
    return newest


def check_same_end(directory: Path, unbroken: Path, steps: int = STEPS) -> None:
    """The run ended as the unbroken one did, to the last bit, and logged the same."""
    assert len(expected := intact_checkpoints(unbroken)[steps]) == 3
    assert intact_checkpoints(directory)[steps] == expected
    logs = []
    for path in (directory, unbroken):
        rows = [json.loads(line) for line in (path / "metrics.jsonl").open()][:steps]
        logs.append([(r["step"], r["loss"], r["learning_rate"], r["grad_norm"]) for r in rows])
    assert logs[0] == logs[1]


def wait_for_step(directory: Path, step: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while max(logged_steps(directory), default=0) < step:
        assert time.monotonic() < deadline, f"step {step} was never logged"
        time.sleep(0.002)


def test_killed_at_random_moments_it_ends_bit_for_bit_the_same(
    worker: Worker, settings: dict[str, Any], unbroken: Path, tmp_path: Path
) -> None:
    moment = random.Random(20)
    resumed_from: list[int] = []
    newest = 0
    for kill in range(KILLS):
        process = worker.start(directory=str(tmp_path), **settings)
        if kill % 5 == 4:
            # Not yet training: reading the checkpoint, cutting the log.
            time.sleep(moment.uniform(0.0, 0.1))
        else:
            # The log may still have steps up to newest + INTERVAL from the attempt before.
            wait_for_step(tmp_path, newest + INTERVAL + moment.randint(1, INTERVAL))
            time.sleep(moment.uniform(0.0, 0.02))
        os.kill(process, signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL
        newest = check_nothing_is_wrong(tmp_path, unbroken)
        resumed_from.append(newest)
    assert resumed_from == sorted(resumed_from)
    assert len(set(resumed_from)) > KILLS // 2
    assert resumed_from[-1] < STEPS
    assert worker.run(directory=str(tmp_path), **settings) == 0
    check_same_end(tmp_path, unbroken)


def test_killed_at_every_disk_operation_of_a_save(
    worker: Worker, settings: dict[str, Any], unbroken: Path, tmp_path: Path
) -> None:
    # The third save also deletes the first checkpoint, so that every operation there is occurs.
    save = 3 * INTERVAL
    newest: list[int] = []
    number = 0
    while True:
        number += 1
        directory = tmp_path / str(number)
        first = {**settings, "directory": str(directory)}
        # With more operations than the save has, it dies in the next one.
        worker.start(**first, die_while_saving=[save, number])
        assert worker.wait() == -signal.SIGKILL
        newest.append(check_nothing_is_wrong(directory, unbroken))
        if newest[-1] > save:
            break
        again = worker.start(**first)
        # Later than any line that the attempt before can have left in the log.
        wait_for_step(directory, save + INTERVAL + 1)
        os.kill(again, signal.SIGTERM)
        assert worker.wait() == 128 + signal.SIGTERM
        assert not list(directory.glob("checkpoints/.*"))
    assert newest == sorted(newest)
    assert newest.count(save - INTERVAL) >= 10
    assert newest.count(save) >= 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_run_goes_on(
    worker: Worker,
    settings: dict[str, Any],
    unbroken: Path,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    for target in (3, 14, 25):
        process = worker.start(directory=str(tmp_path), **settings)
        wait_for_step(tmp_path, target)
        os.kill(process, number)
        assert worker.wait() == 128 + number
        steps = logged_steps(tmp_path)
        assert steps == list(range(1, len(steps) + 1))
        assert max(intact_checkpoints(tmp_path)) == len(steps)
        assert f"{number.name} after step {len(steps)}" in (tmp_path / "message").read_text()
    assert worker.run(directory=str(tmp_path), **settings) == 0
    check_same_end(tmp_path, unbroken)
