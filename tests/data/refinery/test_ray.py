from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from refine_help import contents, write_corpus

PROGRAM = """
import json, os, sys
from phinery.data import RefineSettings, refine

if __name__ == "__main__":
    source, out, engine = sys.argv[1:]
    settings = RefineSettings(keep=0.8, shard_bytes=200_000)
    made = refine(source, out, settings=settings, engine=engine, workers=2)
    import ray
    resources = ray.cluster_resources() if ray.is_initialized() else {}
    print(json.dumps({"documents": made.documents, "cpus": resources.get("CPU", 0)}))
"""


def run(source: Path, out: Path, engine: str) -> dict[str, float]:
    """A refining in a process of its own, since an engine is chosen once for a process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(source), str(out), engine],
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_a_ray_cluster_of_two_workers_gives_the_same_output(tmp_path: Path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'phinery[ray]'")
    write_corpus(tmp_path / "corpus")
    here = run(tmp_path / "corpus", tmp_path / "here", "embedded")
    there = run(tmp_path / "corpus", tmp_path / "there", "ray")
    assert there["cpus"] == 2
    assert here["documents"] == there["documents"] > 200
    assert contents(tmp_path / "here") == contents(tmp_path / "there")


def test_an_absent_cluster_is_said_in_one_line(tmp_path: Path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'phinery[ray]'")
    write_corpus(tmp_path / "corpus", files=1)
    with pytest.raises(AssertionError, match="there is no Ray cluster at 127.0.0.1:1"):
        run(tmp_path / "corpus", tmp_path / "out", "127.0.0.1:1")
