"""A benchmark's worker: a process in its own environment that answers requests in JSON lines."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

# Workers need nothing from the network, and do not tell anybody that they ran.
_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}


class WorkerError(RuntimeError):
    """A worker ended without an answer; the message is the last line it wrote to stderr."""


class Worker:
    """Runs `script` with `python` and exchanges one JSON object a line with it."""

    def __init__(self, python: Path, script: Path) -> None:
        # Closed with the worker, not with a block.
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [str(python), str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | _OFFLINE,
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        """Send a request and wait for its answer. Raises WorkerError when the process ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"command": command, **fields}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._failure() from error
        line = self._process.stdout.readline()
        if not line:
            raise self._failure()
        return json.loads(line)

    def close(self) -> None:
        """End the process and wait for it."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _failure(self) -> WorkerError:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return WorkerError(lines[-1] if lines else f"ended with exit code {code}")
