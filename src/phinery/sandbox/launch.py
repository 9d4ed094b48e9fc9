"""Inside the sandbox's first process: puts up the walls, then becomes four processes.

    launcher   outside the namespaces of processes; ends everything when it is told to
      judge    process 1 inside; holds the tests and the only way to the verdict
        warden process 1 of a further namespace of processes; tells how the program ended
          program

Each step is a layer, by the names of `LAYERS`. A layer that can't be put up ends the run before
any untrusted code, unless the settings make it optional. This runs in an interpreter of its own
without `site`, and imports little, because every run waits for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import select
import sys

from phinery.sandbox import candidate, kernel, observe, seccomp, wire
from phinery.sandbox.judge import Judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_NAMESPACES = {
    "pid_namespace": kernel.NEW_PID,
    "mount_namespace": kernel.NEW_MOUNT,
    "network_namespace": kernel.NEW_NET,
    "ipc_namespace": kernel.NEW_IPC,
    "uts_namespace": kernel.NEW_UTS,
}
_SCRATCH_BYTES, _SCRATCH_FILES = 2**24, 1024  # of the folder that the program may write to
_MOST_THREADS, _MOST_OPEN_FILES = 64, 64
_NOBODY = 2_000_000_000  # user and group numbers from here on belong to no account
_INSIDE_USER = 65534  # what a user without other rights is called inside its namespace
_BASE = "/proc"  # where the new root is put together; nothing that it shows lies there
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


class Launcher:
    """One run. `settings`: see `phinery.sandbox.run`."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        # With root's rights the mounts are root's and the program runs as a user who owns nothing.
        # Otherwise all happens in a namespace whose only user is the caller.
        self.is_root = (
            os.geteuid() == 0
            and kernel.has_capability(kernel.SYS_ADMIN)
            and bool(os.stat(os.__file__).st_mode & 0o004)
        )
        self.user = _NOBODY + 2 * os.getpid()  # no two runs share a count of processes

    def put_up(self, layer: str, step: Callable[[], object]) -> None:
        """One layer; a failure is told, and ends the run unless layers are optional."""
        if layer in self.settings["without"]:
            return
        try:
            step()
        except OSError as error:
            self.tell("missing", f"{layer}: {error.strerror or error}")
            if not self.settings["optional"]:
                os._exit(1)

    def tell(self, *words: str) -> None:
        line = " ".join(words).replace("\n", " ")
        os.write(self.settings["verdict"], line.encode("utf-8", "replace") + b"\n")

    def run(self) -> NoReturn:
        """Fork the judge, and end it when the caller says so or is gone."""
        if not self.is_root:
            self.put_up("user_namespace", _enter_user_namespace)
        for layer, flag in _NAMESPACES.items():
            self.put_up(layer, lambda flag=flag: kernel.unshare(flag))
        process = os.fork()
        if process == 0:
            try:
                self._inside()
            finally:
                os._exit(1)
        lifeline = self.settings["lifeline"]
        for name in ("program", "tests", "verdict"):
            os.close(self.settings[name])
        watched = os.pidfd_open(process)
        select.select([lifeline, watched], [], [])
        os.kill(process, 9)  # and with it, everything in its namespace
        os.waitpid(process, 0)
        os._exit(0)

    def _inside(self) -> NoReturn:
        kernel.die_with_parent()
        os.close(self.settings["lifeline"])
        self.put_up("read_only_root", self._build_root)
        self.put_up("pid_namespace", lambda: kernel.unshare(kernel.NEW_PID))
        request_end, requests = os.pipe()
        answers, answer_end = os.pipe()
        self.tell("ready")
        if os.fork() == 0:
            try:
                self._guard(request_end, answer_end)
            finally:
                os._exit(1)
        os.close(request_end)
        os.close(answer_end)
        self._give_up_rights(self.user + 1)
        kernel.die_with_parent()
        self._limit()
        program = _content(self.settings["program"]).decode("utf-8", "surrogatepass")
        tests, entry_point, nonce = wire.decode(_content(self.settings["tests"]))
        os.environ.clear()
        judge = Judge(requests, answers)
        if self.settings["probe"]:
            self.tell(nonce, "observed", *judge.observed())
        else:
            words = judge.verdict(
                program, tests, entry_point, nonce, beside=self.settings["beside"]
            )
            outcome, is_weak, reason = words
            self.tell(nonce, outcome, "weak" if is_weak else "strong", reason)
        os._exit(0)

    def _guard(self, requests: int, answers: int) -> NoReturn:
        """The warden: starts the program, and tells the judge when and how it ended."""
        os.close(self.settings["tests"])
        self._give_up_rights(self.user)
        process = os.fork()
        if process == 0:
            try:
                self._start_program(requests, answers)
            finally:
                os._exit(0)
        os.close(requests)
        os.close(self.settings["verdict"])
        _, status = os.waitpid(process, 0)
        signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        with contextlib.suppress(OSError):
            wire.send(answers, wire.encode(("died", signal)))
        os._exit(0)

    def _start_program(self, requests: int, answers: int) -> None:
        program = _content(self.settings["program"]).decode("utf-8", "surrogatepass")
        name = "program" if self.settings["has_tests"] else "__main__"
        if "read_only_root" not in self.settings["without"]:
            os.chdir("/tmp")
        before: list[str] = []
        if self.settings["probe"]:
            before = observe.before_limits()
        self._limit()
        # Out of the way of the two places that they get; nothing else stays open.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 32) for end in (requests, answers)]
        low, high = 3, 4
        for end, place in zip(ends, (low, high), strict=True):
            os.dup2(end, place)
        os.closerange(high + 1, 2**16)
        os.environ.clear()
        sys.argv[:] = ["program.py"]
        if self.settings["probe"]:
            after = observe.after_limits(self.settings["memory"])
            wire.send(high, wire.encode(("observed", [*before, *after])))
            return
        candidate.serve(program, low, high, name)

    def _give_up_rights(self, user: int) -> None:
        if self.is_root:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            self.put_up("user_namespace", lambda: kernel.unshare(kernel.NEW_USER))
        kernel.drop_capabilities()
        kernel.forbid_inspection()
        self.put_up("no_new_privileges", kernel.forbid_new_privileges)

    def _limit(self) -> None:
        """The last walls, in the process itself. No rights are needed any more after them."""
        kernel.share_one_heap()
        self.put_up("resource_limits", self._set_limits)
        self.put_up("seccomp", lambda: kernel.install_filter(seccomp.build_filter(os.getpid())))

    def _set_limits(self) -> None:
        seconds = int(self.settings["timeout"]) + 2
        limits = {
            resource.RLIMIT_AS: self.settings["memory"],
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: _SCRATCH_BYTES,
            resource.RLIMIT_NPROC: _MOST_THREADS,
            resource.RLIMIT_NOFILE: _MOST_OPEN_FILES,
            resource.RLIMIT_MEMLOCK: 0,
            resource.RLIMIT_MSGQUEUE: 0,
            resource.RLIMIT_CPU: seconds,
        }
        for limit, value in limits.items():
            _, most = resource.getrlimit(limit)
            value = value if most == resource.RLIM_INFINITY else min(value, most)
            # At the soft limit of processor time comes SIGXCPU, which tells what it was.
            soft = max(value - 1, 0) if limit == resource.RLIMIT_CPU else value
            resource.setrlimit(limit, (soft, value))

    def _build_root(self) -> None:
        """A root in memory that shows Python's library and the machine's, all read-only."""
        plain = kernel.NO_SUID | kernel.NO_DEVICES
        kernel.make_mounts_private()
        library = os.path.dirname(os.__file__)
        shown: list[str] = []
        for path in (os.path.dirname(library), *sys.path, *_LIBRARIES):
            inside_another = any(path == other or path.startswith(other + "/") for other in shown)
            if os.path.isdir(path) and not os.path.islink(path) and not inside_another:
                shown.append(path)
        kernel.mount_memory(_BASE, plain, size=2**20, mode="755")
        for path in shown:
            os.makedirs(_BASE + path, exist_ok=True)
            kernel.bind(path, _BASE + path)
            kernel.protect(_BASE + path, kernel.READ_ONLY | plain)
        for path in _LIBRARIES:
            if os.path.islink(path):
                os.symlink(os.readlink(path), _BASE + path)
        packages = _BASE + os.path.join(library, "site-packages")
        if os.path.isdir(packages):  # nothing of it is on the path
            kernel.mount_memory(packages, plain | kernel.READ_ONLY, size=4096, mode="755")
        os.mkdir(_BASE + "/dev")
        for device in _DEVICES:
            os.close(os.open(_BASE + device, os.O_CREAT | os.O_WRONLY))
            kernel.bind(device, _BASE + device)
            kernel.protect(_BASE + device, kernel.READ_ONLY | kernel.NO_SUID | kernel.NO_EXECUTION)
        os.mkdir(_BASE + "/tmp")
        kernel.mount_memory(
            _BASE + "/tmp",
            plain | kernel.NO_EXECUTION,
            size=_SCRATCH_BYTES,
            files=_SCRATCH_FILES,
            mode="1777",
        )
        kernel.protect(_BASE, kernel.READ_ONLY, recursive=False)
        kernel.change_root(_BASE)


def _enter_user_namespace() -> None:
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.NEW_USER)
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{_INSIDE_USER} {user} 1"),
        ("gid_map", f"{_INSIDE_USER} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
