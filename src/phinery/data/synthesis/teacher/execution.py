"""Runs a short Python program that nobody has read, in a child process with limits.

**This limits accidents; it is no security boundary.** A program that means harm can read this
machine's files, and can get around what is said below. It is meant for what a teacher model that
you chose wrote when it was asked for small functions, and only when you said that it may be run.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from phinery.data.synthesis.teacher.harness import HARNESS

_MOST_OUTPUT = 2**20  # bytes, standard output and error together


@dataclass(frozen=True)
class Result:
    """Whether a program ran to its end, and if not, why."""

    passed: bool
    reason: str
    """Empty when it passed; else "timeout", "memory", "output flood", "ended early", "killed", or
    the name of the exception that it raised, such as "AssertionError"."""


def run_limited(program: str, *, timeout: float = 5.0, memory_bytes: int = 2**29) -> Result:
    """Run a program as `__main__` and tell whether its last line was reached.

    It runs in a fresh isolated interpreter (`python -I -S`) in a session and an empty temporary
    folder of its own, with an empty environment and no standard input; its output is read and
    thrown away. Limits: `timeout` seconds of the clock and of the processor, `memory_bytes` of
    address space, 1 MiB of output, no core file, no further process. An audit hook refuses new
    processes, connections, signals, and to open files for anything but reading or to change them.
    Root is exempt from the limit on processes: there, the program changes to a user that owns
    nothing, if such a user can read the interpreter's library. At the end the whole process group
    is killed and the folder removed.

    An exit status proves nothing: the harness around the program hands back a random word, drawn
    for this run, once the program's last line is done. **This limits accidents, and is no security
    boundary.** Raises OSError when no process can be started.
    """
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="phinery-run-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the user it may change to has to get in
        task = {"program": program, "token": token, "memory": memory_bytes, "seconds": timeout}
        task_path = Path(folder, "task.json")
        # A program may hold lone surrogates, which JSON can spell and UTF-8 cannot.
        task_path.write_text(json.dumps(task), encoding="ascii")
        report_end, child_end = os.pipe()
        try:
            child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", HARNESS, str(child_end)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(child_end,),
                cwd=folder,
                env={},
                start_new_session=True,
            )
        except BaseException:
            os.close(report_end)
            raise
        finally:
            os.close(child_end)
        with child, open(report_end, "rb", buffering=0) as reports:
            assert child.stdout is not None
            try:
                report, trouble = _listen(child.stdout.fileno(), reports.fileno(), timeout)
            finally:
                # Until it is waited for, the leader's number can't become another's.
                with contextlib.suppress(ProcessLookupError, PermissionError):  # all gone already
                    os.killpg(child.pid, signal.SIGKILL)
    if trouble:
        return Result(False, trouble)
    return _verdict(report, token, child.returncode)


def _listen(output: int, reports: int, timeout: float) -> tuple[bytes, str]:
    """What the harness reported, and why waiting for it was given up, if it was."""
    deadline = time.monotonic() + timeout + 1.0  # an interpreter needs a moment to start
    report, flood = b"", 0
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        selector.register(reports, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready:
                return report, "timeout"
            for key, _ in ready:
                data = os.read(key.fd, 2**16)
                if not data:
                    selector.unregister(key.fd)
                elif key.fd == output:
                    flood += len(data)
                else:
                    report += data
            if flood > _MOST_OUTPUT or len(report) > _MOST_OUTPUT:
                return report, "output flood"
            if reports not in selector.get_map():
                break  # the program is over, whoever still holds its output
    return report, ""


def _verdict(report: bytes, token: str, status: int) -> Result:
    lines = report.decode("utf-8", errors="replace").splitlines()
    if token in lines:
        return Result(True, "")
    if lines:
        return Result(False, "memory" if lines[0] == "MemoryError" else lines[0][:80])
    if status == -signal.SIGXCPU:
        return Result(False, "timeout")
    # The harness had no time to report before the group was killed only if the program closed
    # the channel or left the interpreter by a way of its own.
    return Result(False, "killed" if status < 0 and status != -signal.SIGKILL else "ended early")
