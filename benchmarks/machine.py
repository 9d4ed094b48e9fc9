"""What a benchmark ran on, and how much of it something else was using meanwhile. Linux only."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def describe() -> dict[str, Any]:
    """Processor, cores, memory and system."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    flags = set(facts.get("flags", "").split())
    return {
        "cpu": facts.get("model name", platform.machine()),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "bf16_instructions": sorted(flags & {"avx512_bf16", "amx_bf16"}),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


BUSY = 0.05
"""Share of the processors from which on what others do disturbs a measurement."""


class OtherLoad:
    """The share of all processors that other processes take, since it was made.

    `pids` are the benchmark's own processes. Time stolen by other guests of the host counts.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = list(pids)
        self._start = (time.monotonic(), _busy_seconds(), self._own_seconds())

    def share(self) -> float:
        """From 0 (alone) to 1. The clock ticks 100 times a second: measure a second at least."""
        wall, busy, own = self._start
        others = (_busy_seconds() - busy) - (self._own_seconds() - own)
        capacity = (time.monotonic() - wall) * (os.cpu_count() or 1)
        return max(0.0, others / capacity)

    def _own_seconds(self) -> float:
        return sum(cpu_seconds(pid) for pid in self._pids)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and its threads have used (not its children); 0 when gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # The second field is the command in parentheses, which may itself contain spaces.
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _busy_seconds() -> float:
    """All processors' time that was not idle, guests counted once (`man proc_stat`)."""
    first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, first.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
