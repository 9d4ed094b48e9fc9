"""A refining of far more text than it may hold in memory."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from phinery.data.sources.primer import primer_sections

INPUT = 10_000_000_000
LIMIT = 4_000_000_000
PROGRAM = """
import sys
from phinery.data import RefineSettings, refine

if __name__ == "__main__":
    settings = RefineSettings(languages=(), repetition=False, privacy=False, quality=False)
    print(refine(sys.argv[1], sys.argv[2], settings=settings, workers=2).documents)
"""


def write_input(folder: Path, size: int) -> int:
    """One file of `size` bytes, its documents made of shuffled sentences; returns how many."""
    sentences = [
        sentence
        for section in primer_sections()
        for sentence in section.text.replace("\n", " ").split(". ")
        if len(sentence) > 30
    ]
    draw = random.Random(1)
    folder.mkdir()
    documents = written = 0
    with (folder / "one.jsonl").open("w", encoding="utf-8") as file:
        while written < size:
            text = ". ".join(draw.choices(sentences, k=40)) + "."
            written += file.write(json.dumps({"text": text}) + "\n")
            documents += 1
    return documents


def peak_of(process: subprocess.Popen[str]) -> int:
    """The most memory that a process and those it started held at one moment, shared counted once.

    Proportional set sizes add up to what is in use; where they can't be read, resident ones do.
    """
    peak = 0
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        total = 0
        for one in [watched, *watched.children(recursive=True)]:
            try:
                total += one.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        peak = max(peak, total)
        time.sleep(0.5)
    return peak


def refine_and_watch(tmp_path: Path, size: int) -> tuple[int, int, int]:
    """Documents written, documents kept, and the peak of memory in bytes."""
    documents = write_input(tmp_path / "in", size)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "in"), str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    peak = peak_of(process)
    assert process.stdout is not None
    kept = int(process.stdout.read())
    assert process.returncode == 0
    return documents, kept, peak


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_gigabytes_in_four(tmp_path: Path):
    documents, kept, peak = refine_and_watch(tmp_path, INPUT)
    assert 0.9 * documents < kept <= documents
    assert peak < LIMIT, f"{peak / 1e9:.2f} GB"


def test_memory_does_not_grow_with_the_input(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, _, small = refine_and_watch(tmp_path / "a", 40_000_000)
    _, _, large = refine_and_watch(tmp_path / "b", 120_000_000)
    assert large < small + 150_000_000, f"{small / 1e6:.0f} MB, then {large / 1e6:.0f} MB"
