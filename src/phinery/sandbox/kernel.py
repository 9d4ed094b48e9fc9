"""The few calls of the Linux kernel that Python 3.11 has no function for, through ctypes.

Numbers and flags are those of the kernel's headers (`linux/sched.h`, `linux/mount.h`,
`linux/prctl.h`, `linux/capability.h`); manual pages unshare(2), mount(2), mount_setattr(2),
pivot_root(2), prctl(2), capset(2). Every function raises OSError with the kernel's error number.
"""

from __future__ import annotations

import ctypes
import os

NEW_MOUNT = 0x0002_0000
NEW_UTS = 0x0400_0000
NEW_IPC = 0x0800_0000
NEW_USER = 0x1000_0000
NEW_PID = 0x2000_0000
NEW_NET = 0x4000_0000

READ_ONLY, NO_SUID, NO_DEVICES, NO_EXECUTION = 1, 2, 4, 8  # of mount(2) and mount_setattr(2) alike
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000

_SET_PARENT_DEATH_SIGNAL, _SET_DUMPABLE, _SET_SECCOMP = 1, 4, 22
_DROP_FROM_BOUNDING_SET, _SET_NO_NEW_PRIVILEGES, _GET_NO_NEW_PRIVILEGES = 24, 38, 39
_CAPABILITY_VERSION_3 = 0x2008_0522
_SECCOMP_MODE_FILTER = 2
_MOST_HEAPS = -8  # M_ARENA_MAX of malloc.h
SYS_ADMIN, _MOST_CAPABILITIES = 21, 64

MACHINES = {
    "x86_64": {"pivot_root": 155, "mount_setattr": 442},
    "aarch64": {"pivot_root": 41, "mount_setattr": 442},
}

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "user")]


class _FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def _checked(result: int, what: str) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _system_call(name: str, *arguments: object) -> None:
    number = MACHINES[os.uname().machine][name]
    _checked(_libc.syscall(ctypes.c_long(number), *arguments), name)


def unshare(flag: int) -> None:
    """Leave one namespace for a new one; a new namespace of processes begins with the next fork."""
    _checked(_libc.unshare(ctypes.c_int(flag)), "unshare")


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    result = _libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3])
    _checked(result, f"mount {target}")


def make_mounts_private() -> None:
    """What is mounted from now on is seen in this namespace only, and the other way round."""
    _mount(None, "/", None, _RECURSIVE | _PRIVATE, None)


def mount_memory(target: str, flags: int, *, size: int, mode: str, files: int = 0) -> None:
    """A file system in memory of at most `size` bytes and `files` files (0: no limit)."""
    limits = f"size={size},nr_inodes={files},mode={mode}"
    _mount("tmpfs", target, "tmpfs", flags, limits)


def bind(source: str, target: str) -> None:
    """Show a file or folder, with all that is mounted below it, at another place too."""
    _mount(source, target, None, _BIND | _RECURSIVE, None)


def protect(target: str, flags: int, *, recursive: bool = True) -> None:
    """Add flags such as READ_ONLY to a mount, and to those below it."""
    attributes = _MountAttributes(flags, 0, 0, 0)
    _system_call(
        "mount_setattr",
        ctypes.c_long(_AT_FDCWD),
        os.fsencode(target),
        ctypes.c_long(_AT_RECURSIVE if recursive else 0),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )


def change_root(folder: str) -> None:
    """Make a mount the root and let go of everything else that was mounted."""
    os.chdir(folder)
    _system_call("pivot_root", b".", b".")  # stacks the old root on the new one
    _checked(_libc.umount2(b".", ctypes.c_int(_DETACH)), "umount2")
    os.chdir("/")


def _control(option: int, *arguments: object) -> int:
    padded = [*arguments, *[ctypes.c_ulong(0)] * (4 - len(arguments))]
    return _checked(_libc.prctl(ctypes.c_int(option), *padded), "prctl")


def die_with_parent() -> None:
    """SIGKILL when the parent ends. Forgotten by the kernel at each change of user."""
    _control(_SET_PARENT_DEATH_SIGNAL, ctypes.c_ulong(9))


def forbid_inspection() -> None:
    """No core file; no process of the same user may look into this one's memory."""
    _control(_SET_DUMPABLE, ctypes.c_ulong(0))


def forbid_new_privileges() -> None:
    """No program that is started from here on gains rights by its file's mode or capabilities."""
    _control(_SET_NO_NEW_PRIVILEGES, ctypes.c_ulong(1))


def has_no_new_privileges() -> bool:
    return _control(_GET_NO_NEW_PRIVILEGES) == 1


def drop_capabilities() -> None:
    """Give up every capability for good."""
    for capability in range(_MOST_CAPABILITIES):
        try:
            _control(_DROP_FROM_BOUNDING_SET, ctypes.c_ulong(capability))
        except OSError:
            break  # beyond the last that this kernel knows, or dropped before without the right to
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def has_capability(capability: int) -> bool:
    header, sets = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    _checked(_libc.capget(header, sets), "capget")
    return bool(
        sets[0] >> capability & 1
    )  # capabilities 0 to 31; effective, permitted, inheritable


def share_one_heap() -> None:
    """Have threads allocate from one heap, where the C library is glibc.

    Otherwise it sets 64 MiB of address space aside for each, which the limit then counts.
    """
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(ctypes.c_int(_MOST_HEAPS), ctypes.c_int(1))


def install_filter(instructions: bytes) -> None:
    """Put every later system call of this process before a classic BPF program, 8 bytes a step."""
    program = _FilterProgram(len(instructions) // 8, instructions)
    _control(_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program))
