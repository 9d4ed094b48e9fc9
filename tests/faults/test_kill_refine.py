"""A refining that is killed, at any moment and again and again, ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from refine_help import contents, write_corpus

WORKER = Path(__file__).with_name("refine_worker.py")
CORPORA = Path(__file__).resolve().parents[2].parent / "shared" / "corpora"


def start(source: Path, out: Path, *, shard_bytes: int, workers: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, str(WORKER), str(source), str(out), str(shard_bytes), str(workers)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )


def finish(source: Path, out: Path, **options: int) -> float:
    """Refine without being killed; returns the seconds it took."""
    started = time.monotonic()
    process = start(source, out, **options)
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors.decode()[-2000:]
    return time.monotonic() - started


def kill_often(
    source: Path, out: Path, *, kills: int, most: float, draw: random.Random, **options: int
) -> int:
    """Start and kill the main process `kills` times; returns how many pieces survived at most."""
    pieces = 0
    for _ in range(kills):
        process = start(source, out, **options)
        children: list[psutil.Process] = []
        deadline = time.monotonic() + draw.uniform(0.5, most)
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        if process.poll() is None:
            children = psutil.Process(process.pid).children(recursive=True)
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        pieces = max(pieces, len(list(out.with_name(out.name + ".work").glob("piece-*"))))
        gone, alive = psutil.wait_procs(children, timeout=60)
        assert not alive, f"{len(gone)} workers ended, {len(alive)} did not"
    return pieces


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_refining_ends_the_same(tmp_path: Path, workers: int):
    write_corpus(tmp_path / "corpus")
    whole, out = tmp_path / "whole", tmp_path / "out"
    seconds = finish(tmp_path / "corpus", whole, shard_bytes=100_000, workers=1)
    kill_often(
        tmp_path / "corpus",
        out,
        kills=4,
        most=seconds,
        draw=random.Random(workers),
        shard_bytes=100_000,
        workers=workers,
    )
    finish(tmp_path / "corpus", out, shard_bytes=100_000, workers=workers)
    assert contents(out) == contents(whole)
    assert not out.with_name("out.work").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_interrupted_refining_says_how_to_go_on(tmp_path: Path, workers: int):
    write_corpus(tmp_path / "corpus", files=12)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "phinery", "refine", str(tmp_path / "corpus")]
    command += ["--out", str(out), "--workers", str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    plan = tmp_path / "out.work" / "plan.json"
    while process.poll() is None and not plan.is_file():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "give the same command again to go on" in errors.decode()
    assert not out.exists()
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert (out / "manifest.json").is_file()


@pytest.mark.slow
def test_twenty_kills_of_the_corpora(tmp_path: Path):
    if not CORPORA.is_dir():
        pytest.skip(f"{CORPORA} is not there")
    whole, out = tmp_path / "whole", tmp_path / "out"
    seconds = finish(CORPORA, whole, shard_bytes=2_000_000, workers=2)
    pieces = kill_often(
        CORPORA,
        out,
        kills=20,
        most=seconds / 4,
        draw=random.Random(1),
        shard_bytes=2_000_000,
        workers=2,
    )
    assert pieces > 5
    finish(CORPORA, out, shard_bytes=2_000_000, workers=2)
    assert contents(out) == contents(whole)
