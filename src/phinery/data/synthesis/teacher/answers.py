"""The log of answers: what a teacher was paid for is never asked twice.

One line of JSON an entry, appended by a single write and flushed to the disk. A process that is
killed leaves at most a torn last line, which the next one cuts off.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import KeysView
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from phinery.data.synthesis.teacher.session import Answer, Failure
from phinery.files import sync_directory


class AnswersLog:
    """Answers, failures and verdicts by key. Use as a context manager: it locks the file.

    Only places in the file are held in memory, and verdicts. Raises ValueError on entering when
    another process has the log open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0
        """Lines that are no entries; what they held is asked again."""
        self.failures: dict[str, list[Failure]] = {}
        """Key -> what went wrong each time that it was asked in vain."""
        self.retries: Counter[str] = Counter()
        """Reason -> attempts that failed before an answer or a failure came."""
        self._places: dict[str, tuple[int, int]] = {}
        self._verdicts: dict[str, str] = {}
        self._descriptor = -1
        self._end = 0

    def __enter__(self) -> AnswersLog:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise ValueError(
                f"{self.path} is being written by another run: wait for it, or give another folder"
            ) from error
        sync_directory(self.path.parent)
        self._load()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def keys(self) -> KeysView[str]:
        """The keys that there are answers for."""
        return self._places.keys()

    def answer(self, key: str) -> Answer:
        """The answer under a key; KeyError when there is none."""
        offset, length = self._places[key]
        entry = _entry(os.pread(self._descriptor, length, offset))
        assert entry is not None
        return Answer(**entry["answer"])

    def is_refused(self, key: str) -> bool:
        """Whether the server refused this question for good."""
        return any(failure.permanent for failure in self.failures.get(key, ()))

    def add(self, key: str, result: Answer | Failure) -> None:
        """Keep what came of a request; it is on the disk on return."""
        self.retries.update(result.retries)
        if isinstance(result, Answer):
            self._places[key] = self._append({"key": key, "answer": asdict(result)})
        else:
            self._append({"key": key, "failure": asdict(result)})
            self.failures.setdefault(key, []).append(result)

    def verdict(self, key: str) -> str | None:
        """What running programs showed: "" for passed, else a reason; None if not run."""
        return self._verdicts.get(key)

    def add_verdict(self, key: str, verdict: str) -> None:
        """Keep what running programs showed, under `Draft.programs_key`."""
        self._append({"key": key, "verdict": verdict})
        self._verdicts[key] = verdict

    def _append(self, entry: dict[str, Any]) -> tuple[int, int]:
        line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        place = self._end, len(line)
        try:
            written = os.write(self._descriptor, line)
            if written != len(line):
                raise OSError(f"{self.path}: the disk is full")
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self._end)  # no torn line before the next one
            raise
        self._end += len(line)
        return place

    def _load(self) -> None:
        with open(self._descriptor, "rb", closefd=False) as file:
            for line in file:
                if not line.endswith(b"\n"):
                    os.ftruncate(self._descriptor, self._end)
                    break
                self._remember(line)
                self._end += len(line)

    def _remember(self, line: bytes) -> None:
        entry = _entry(line)
        try:
            if entry is None:
                self.damaged += 1
            elif "answer" in entry:
                self.retries.update(Answer(**entry["answer"]).retries)
                self._places[entry["key"]] = self._end, len(line)
            elif "failure" in entry:
                failure = Failure(**entry["failure"])
                self.retries.update(failure.retries)
                self.failures.setdefault(entry["key"], []).append(failure)
            else:
                self._verdicts[entry["key"]] = entry["verdict"]
        except (KeyError, TypeError):
            self.damaged += 1


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return cast("dict[str, Any]", entry) if isinstance(entry, dict) else None
