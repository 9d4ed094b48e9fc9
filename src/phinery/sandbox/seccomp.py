"""Which system calls a program in the sandbox may not make: a filter for seccomp, built by hand.

A classic BPF program over `struct seccomp_data` (`linux/seccomp.h`: the call's number at byte 0,
the machine's at 4, the arguments from 16 on, 8 bytes each, little-endian here). Numbers of calls:
`asm/unistd_64.h` (x86-64) and `asm-generic/unistd.h` (aarch64). What is refused fails with
EPERM and the program goes on; a call in another machine's convention (32-bit code) ends it.
"""

from __future__ import annotations

import errno
import os
import struct

_MACHINES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}  # AUDIT_ARCH_*, linux/audit.h

# name: number on x86-64, on aarch64; None where the machine has no such call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # Further processes and programs (clone and clone3: see below).
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    # Other processes: their memory, files, signals.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    # Mounts, roots, namespaces, and files by other ways than their path.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "mount_setattr": (442, 442),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "unshare": (272, 97),
    "setns": (308, 268),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    # The network. Pairs of connected sockets, which event loops want, reach nobody else.
    "socket": (41, 198),
    # Memory that the limit on address space doesn't count, and channels to other processes.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    # Parts of the kernel with a long record of holes, and no use for an exercise.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "seccomp": (317, 277),
    "vmsplice": (278, 75),
    "remap_file_pages": (216, 234),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "modify_ldt": (154, None),
    "personality": (135, 92),
    "uselib": (134, None),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    # The machine as a whole.
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
}
_SIGNALS = {"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131)}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_THREAD = 0x0001_0000
# New mount, cgroup, UTS, IPC, user, process, network and time namespaces, linux/sched.h.
_NAMESPACES = 0x7E02_0000 | 0x80
_FIRST_UNKNOWN = 457  # statmount and what came after it: unknown to this list
_X32 = 0x4000_0000  # calls of the x32 convention carry this bit

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _KILL, _FAIL = 0x7FFF_0000, 0x8000_0000, 0x0005_0000


def build_filter(process: int) -> bytes:
    """The filter for the process with that number, which may signal itself and nobody else.

    Threads are allowed, new processes and programs are not. `clone3` and calls that are newer
    than this list fail with ENOSYS, so that the C library falls back to older ones. Raises
    OSError on a machine that is neither x86-64 nor aarch64.
    """
    name = os.uname().machine
    if name not in _MACHINES:
        raise OSError(errno.ENOSYS, f"no list of system calls for {name}")
    column, audit = _MACHINES[name]
    refuse, unknown = _FAIL | errno.EPERM, _FAIL | errno.ENOSYS
    steps = [
        _step(_LOAD, _MACHINE),
        _step(_JUMP_EQUAL, audit, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    for number, answer in ((_X32, refuse), (_FIRST_UNKNOWN, unknown)):
        steps += [_step(_JUMP_GREATER_EQUAL, number, 0, 1), _step(_RETURN, answer)]
    for numbers in _REFUSED.values():
        if (number := numbers[column]) is not None:
            steps += [_step(_JUMP_EQUAL, number, 0, 1), _step(_RETURN, refuse)]
    steps += [_step(_JUMP_EQUAL, _CLONE3[column], 0, 1), _step(_RETURN, unknown)]
    steps += [
        _step(_JUMP_EQUAL, _CLONE[column], 0, 5),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_JUMP_ANY_BIT, _NAMESPACES, 1, 0),
        _step(_JUMP_ANY_BIT, _THREAD, 1, 0),
        _step(_RETURN, refuse),
        _step(_RETURN, _ALLOW),
    ]
    for numbers in _SIGNALS.values():
        steps += [
            _step(_JUMP_EQUAL, numbers[column], 0, 4),
            _step(_LOAD, _FIRST_ARGUMENT),
            _step(_JUMP_EQUAL, process, 1, 0),
            _step(_RETURN, refuse),
            _step(_RETURN, _ALLOW),
        ]
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction, `struct sock_filter` of linux/filter.h; jumps count steps to leave out."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
