"""What a process inside the sandbox finds when it tries the walls itself, for the probe."""

from __future__ import annotations

import os
import resource

from phinery.sandbox import kernel


def before_limits() -> list[str]:
    """Layers that hold, of those that later layers would hide."""
    import socket

    interfaces = [name for _, name in socket.if_nameindex()]
    held = [] if set(interfaces) - {"lo"} else ["network_namespace"]
    if _fails(lambda: os.setgroups([0])):
        held.append("user_namespace")
    if _fails(lambda: kernel.unshare(kernel.NEW_UTS)):
        held.append("uts_namespace")
    return held


def after_limits(memory: int) -> list[str]:
    """The other layers that hold, seen from where the program would run."""
    held: list[str] = []
    if os.getpid() <= 2:
        held.append("pid_namespace")
    if not os.path.exists("/proc/self"):
        held.append("mount_namespace")
    if _fails(lambda: os.mkdir("/new")) and not os.path.exists("/etc/passwd"):
        held.append("read_only_root")
    if kernel.has_no_new_privileges():
        held.append("no_new_privileges")
    if _fails(_fork):
        held += ["seccomp", "ipc_namespace"]  # of the latter, only its making can be told
    if resource.getrlimit(resource.RLIMIT_AS) == (memory, memory):
        held.append("resource_limits")
    return held


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _fails(attempt: object) -> bool:
    assert callable(attempt)
    try:
        attempt()
    except OSError:
        return True
    return False
