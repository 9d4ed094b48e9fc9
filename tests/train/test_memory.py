from __future__ import annotations

import ctypes
import json
import platform
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from phinery.train.memory import reused_memory

needs_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="elsewhere reused_memory does nothing"
)
_PRELUDE = """
import json, resource
from pathlib import Path
import torch
from phinery.train.memory import reused_memory

torch.set_num_threads(1)
MEGABYTE = 2**20

def take_and_free(megabytes):
    torch.empty(megabytes * MEGABYTE, dtype=torch.uint8).fill_(1)

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def faults_each(megabytes, times=10):
    for _ in range(3):
        take_and_free(megabytes)
    before = faults()
    for _ in range(times):
        take_and_free(megabytes)
    return (faults() - before) / times

def resident():
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024
"""


def run(code: str) -> Any:
    """What `code` leaves in `result`, in a fresh process, whose memory is its own."""
    script = f"{_PRELUDE}\n{textwrap.dedent(code)}\nprint(json.dumps(result))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_glibc
def test_within_the_block_large_memory_is_not_taken_anew() -> None:
    outside, inside = run(
        """
        outside = faults_each(40)
        with reused_memory():
            inside = faults_each(40)
        result = outside, inside
        """
    )
    assert inside < outside / 10


@needs_glibc
def test_after_the_block_memory_goes_back() -> None:
    inside, after, held, freed = run(
        """
        try:
            with reused_memory():
                take_and_free(200)
                inside = resident()
                raise OSError
        except OSError:
            after = resident()
        block = torch.empty(200 * MEGABYTE, dtype=torch.uint8).fill_(1)
        held = resident()
        del block
        result = inside, after, held, resident()
        """
    )
    assert inside - after > 150
    assert held - freed > 150


@needs_glibc
def test_the_process_is_no_slower_afterwards_than_before() -> None:
    # glibc raises its thresholds as blocks are freed, but not once it was told any.
    sizes = "(1, 4, 16)"
    fresh = run(f"result = [faults_each(size) for size in {sizes}]")
    after = run(
        f"""
        with reused_memory():
            take_and_free(1)
        result = [faults_each(size) for size in {sizes}]
        """
    )
    assert all(late <= 1.5 * early + 100 for early, late in zip(fresh, after, strict=True))


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_without_glibc_nothing_is_called(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []

    class Musl:
        def __init__(self, name: object) -> None:
            opened.append(name)

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(ctypes, "CDLL", Musl)
    with reused_memory():
        pass
    assert opened == ([None] if system == "linux" else [])
