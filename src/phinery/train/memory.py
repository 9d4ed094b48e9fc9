"""Memory that is kept between steps, where the C library would give it back at every free."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Generator

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_M_MMAP_MAX = -4
_KIB = 2**10
_MIB = 2**20
# No block is a mapping of its own, and the heap, which grows in large pieces, never shrinks.
_REUSING = {
    _M_MMAP_MAX: 0,
    _M_TRIM_THRESHOLD: 2**31 - 1,
    _M_TOP_PAD: 64 * _MIB,
}
# glibc's defaults. It raises the thresholds by itself, up to these, as larger blocks are freed, but
# no longer once it was told any of these values: with the thresholds of a fresh process (128 KiB)
# everything after the block would lose at every free what it has to take anew.
_ORDINARY = {
    _M_MMAP_MAX: 65_536,
    _M_MMAP_THRESHOLD: 32 * _MIB,
    _M_TRIM_THRESHOLD: 64 * _MIB,
    _M_TOP_PAD: 128 * _KIB,
}


@contextlib.contextmanager
def reused_memory() -> Generator[None]:
    """Keep freed memory in the process for the time of the block; give it back at its end.

    A training step frees what it took, and the next takes it again. glibc returns large blocks to
    the kernel at every free, which then has to clear each of their pages anew: up to a tenth of a
    step on the CPU. Where the C library is not glibc the block changes nothing.

    The settings are the process's. Blocks do not nest: the end of an inner one is that of the outer
    too, which costs speed and nothing else.
    """
    library = _glibc()
    if library is None:
        yield
        return
    _set(library, _REUSING)
    try:
        yield
    finally:
        _set(library, _ORDINARY)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None


def _set(library: ctypes.CDLL, options: dict[int, int]) -> None:
    for option, value in options.items():
        library.mallopt(option, value)
