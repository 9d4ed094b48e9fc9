"""The caller's side: starts a sandbox, keeps the clock, reads the verdict, cleans up."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from phinery.sandbox import wire

LAYERS = (
    "user_namespace",
    "pid_namespace",
    "mount_namespace",
    "network_namespace",
    "ipc_namespace",
    "uts_namespace",
    "read_only_root",
    "no_new_privileges",
    "seccomp",
    "resource_limits",
)
ALLOW_UNISOLATED = "PHINERY_ALLOW_UNISOLATED_CODE"

_LEAST_MEMORY = 2**26
_MOST_OUTPUT = 2**20  # bytes, standard output and error together
_LONGEST_START = 60.0  # seconds; an interpreter on a machine that is busy with other things
_LONGEST_END = 10.0
_MACHINES = ("x86_64", "aarch64")
# The packages' own __init__ would import more than the inside needs, in every run.
_BOOTSTRAP = """
import sys
for name, path in zip(("phinery", "phinery.sandbox"), sys.argv[2:]):
    sys.modules[name] = type(sys)(name)
    sys.modules[name].__path__ = [path]
from phinery.sandbox import launch, wire
launch.Launcher(wire.decode(bytes.fromhex(sys.argv[1]))).run()
"""


@dataclass(frozen=True)
class Verdict:
    """What came of one program."""

    passed: bool
    reason: str
    """Empty when it passed; else "timeout", "memory", "output flood", "ended early", "killed",
    "garbled answer", or the name of an exception, such as "AssertionError"."""
    weak_verdict: bool
    """Whether the tests ran in the program's own process, where a program that means to can make
    them pass. Also when there were no tests: then the program only came to its end."""


class SandboxUnavailable(OSError):
    """This machine can't isolate untrusted code. One line that says what is missing."""


@dataclass(frozen=True)
class Layers:
    """Which layers of isolation work on this machine, and why the others don't."""

    active: frozenset[str]
    missing: dict[str, str]
    """Layer to reason, for the others of `LAYERS`."""

    @property
    def complete(self) -> bool:
        """Whether untrusted code may run here."""
        return not self.missing

    def __str__(self) -> str:
        return "\n".join(f"{layer}: {self.missing.get(layer, 'active')}" for layer in LAYERS)


def run_sandboxed(
    program: str,
    tests: str = "",
    *,
    entry_point: str | None = None,
    timeout: float,
    memory_bytes: int,
    allow_unisolated: bool = False,
) -> Verdict:
    """Run a Python program that nobody has read, and tests against it, isolated from the machine.

    The program runs in a process of its own, the tests in another. Names of the program that the
    tests use, above all `entry_point`, are functions there that pass arguments and results as plain
    values. `tests` are Python: assertions that call the program's functions (MBPP), or a function
    `check(candidate)` that nobody calls, which is then called with `entry_point` (HumanEval).
    Tests that need more than plain values run beside the program: see `Verdict.weak_verdict`.

    `timeout` is in seconds of the clock, once the sandbox stands; `memory_bytes` the address space
    of each process, at least 64 MiB. The program sees the standard library and nothing else of
    Python's packages, can make threads but no processes, has no network, and can write 16 MiB to
    its working folder, which is gone afterwards.

    Raises SandboxUnavailable where a layer of isolation is missing, before anything ran; with
    `allow_unisolated` (or `PHINERY_ALLOW_UNISOLATED_CODE=1` in the environment) the program then
    runs with the layers that there are. ValueError for limits that make no sense. OSError when no
    process can be started.
    """
    if not (math.isfinite(timeout) and timeout > 0):
        raise ValueError(f"timeout must be a positive number of seconds, not {timeout!r}")
    if memory_bytes < _LEAST_MEMORY:
        raise ValueError(f"memory_bytes must be at least {_LEAST_MEMORY}, not {memory_bytes!r}")
    if entry_point is not None and not entry_point.isidentifier():
        raise ValueError(f"entry_point must be a name, not {entry_point!r}")
    task = _Task(program, tests, entry_point, timeout, memory_bytes)
    task.optional = allow_unisolated or os.environ.get(ALLOW_UNISOLATED) == "1"
    outcome = task.run()
    if outcome[0] == "beside":
        task.beside = True
        outcome = task.run()
    return Verdict(outcome[0] == "passed", outcome[2], outcome[1] == "weak")


def probe() -> Layers:
    """Try every layer on this machine, without untrusted code. Takes as long as a short program."""
    try:
        task = _Task("", "", None, 30.0, 2**28)
        task.optional = task.probe = True
        outcome, *observed = task.run()
    except SandboxUnavailable as error:
        return Layers(frozenset(), dict.fromkeys(LAYERS, str(error)))
    active = (
        frozenset(observed) - task.missing.keys() if outcome == "observed" else frozenset[str]()
    )
    reasons = {layer: task.missing.get(layer, "has no effect") for layer in LAYERS}
    return Layers(active, {name: why for name, why in reasons.items() if name not in active})


class _Task:
    """A program, its tests, and how to run them. `without` leaves out layers, for tests of them."""

    def __init__(
        self, program: str, tests: str, entry_point: str | None, timeout: float, memory: int
    ) -> None:
        self.program, self.tests, self.entry_point = program, tests, entry_point
        self.timeout, self.memory = timeout, memory
        self.optional = self.probe = self.beside = False
        self.without: Iterable[str] = ()
        self.missing: dict[str, str] = {}

    def run(self) -> list[str]:
        """The outcome, "weak" or "strong", the reason. Raises SandboxUnavailable, OSError."""
        if sys.platform != "linux":
            raise SandboxUnavailable(
                "untrusted code runs on Linux only; on Windows use WSL, on macOS a Linux container"
            )
        if os.uname().machine not in _MACHINES:
            raise SandboxUnavailable(f"untrusted code runs on {' and '.join(_MACHINES)} only")
        nonce = secrets.token_hex(16)
        with contextlib.ExitStack() as files:
            program = _in_memory(files, self.program.encode("utf-8", "surrogatepass"))
            tests = _in_memory(files, wire.encode((self.tests, self.entry_point, nonce)))
            lifeline_end, lifeline = _pipe(files)
            verdict, verdict_end = _pipe(files)
            inherited = {
                "program": program.fileno(),
                "tests": tests.fileno(),
                "verdict": verdict_end.fileno(),
                "lifeline": lifeline_end.fileno(),
            }
            package = Path(__file__).parent
            command = [sys.executable, "-s", "-S", "-P", "-X", "utf8", "-c", _BOOTSTRAP]
            command += [self._settings(inherited), str(package.parent), str(package)]
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(inherited.values()),
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )
            with child:
                try:
                    verdict_end.close()  # so that its end is seen when the sandbox is over
                    assert child.stdout is not None
                    listener = _Listener(verdict.fileno(), child.stdout.fileno(), self.timeout)
                    listener.listen()
                finally:
                    _end(child, lifeline)
        return self._outcome(listener, nonce)

    def _settings(self, inherited: dict[str, int]) -> str:
        settings = {
            **inherited,
            "timeout": float(self.timeout),
            "memory": self.memory,
            "has_tests": bool(self.tests),
            "beside": self.beside,
            "probe": self.probe,
            "optional": self.optional,
            "without": list(self.without),
        }
        return wire.encode(settings).hex()

    def _outcome(self, listener: _Listener, nonce: str) -> list[str]:
        lines = [line.split(" ") for line in listener.report.decode("utf-8", "replace").split("\n")]
        for word, *rest in lines:
            if word == "missing":
                self.missing.setdefault(rest[0].rstrip(":"), " ".join(rest[1:]))
        if self.missing and not self.optional:
            layer, why = next(iter(self.missing.items()))
            raise SandboxUnavailable(
                f"untrusted code can't be isolated here ({layer}: {why}); to run it all the same, "
                f"set {ALLOW_UNISOLATED}=1"
            )
        if not listener.is_ready:
            last = listener.output.decode("utf-8", "replace").strip().splitlines()[-1:] or ["ended"]
            raise SandboxUnavailable(f"the sandbox did not start: {last[0][:200]}")
        told = [rest for word, *rest in lines if word == nonce]
        if told and not listener.trouble:
            outcome, *rest = told[0]
            if outcome == "observed":
                return [outcome, *rest]
            return [outcome, rest[0], " ".join(rest[1:])[:80]]
        is_weak = self.beside or not self.tests
        return ["failed", "weak" if is_weak else "strong", listener.trouble or "killed"]


class _Listener:
    """Reads what a sandbox says until it is over, out of time, or says too much."""

    def __init__(self, verdict: int, output: int, timeout: float) -> None:
        self._verdict, self._output, self._timeout = verdict, output, timeout
        self.report, self.output = b"", b""  # of the output, the first part
        self._flood = 0
        self.is_ready = False
        self.trouble = ""

    def listen(self) -> None:
        deadline = time.monotonic() + _LONGEST_START
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            selector.register(self._verdict, selectors.EVENT_READ)
            while self._verdict in selector.get_map():
                left = deadline - time.monotonic()
                ready = selector.select(left) if left > 0 else []
                if not ready:
                    self.trouble = "timeout"
                    return
                for key, _ in ready:
                    data = os.read(key.fd, 2**16)
                    if not data:
                        selector.unregister(key.fd)
                    elif key.fd == self._verdict:
                        self.report += data
                    else:
                        self._flood += len(data)
                        self.output = (self.output + data)[:4096]
                if not self.is_ready and b"ready\n" in self.report:
                    self.is_ready = True
                    deadline = time.monotonic() + self._timeout
                if self._flood > _MOST_OUTPUT or len(self.report) > _MOST_OUTPUT:
                    self.trouble = "output flood"
                    return


def _end(child: subprocess.Popen[bytes], lifeline: IO[bytes]) -> None:
    """Have the launcher end all that it started, wait for it, and make sure."""
    with contextlib.suppress(OSError):
        lifeline.write(b"end")
    lifeline.close()
    # Waiting without taking its number away, which could then be another's when it is killed.
    patience = time.monotonic() + _LONGEST_END
    while not os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
        if time.monotonic() > patience:
            break
        time.sleep(0.001)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _in_memory(files: contextlib.ExitStack, content: bytes) -> IO[bytes]:
    """A file without a name that holds the content."""
    file = os.fdopen(os.memfd_create("phinery"), "wb")
    files.enter_context(file)
    file.write(content)
    file.flush()
    return file


def _pipe(files: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    read, write = os.pipe()
    return (
        files.enter_context(open(read, "rb", buffering=0)),
        files.enter_context(open(write, "wb", buffering=0)),
    )


def _environment() -> dict[str, str]:
    """Nothing of the caller's, but what the interpreter may need to find its own library.

    Sets of texts come in the same order in every run.
    """
    needed = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PYTHONHASHSEED": "0", **needed}
