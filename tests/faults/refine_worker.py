"""Refines a folder; killed by test_kill_refine.py wherever it happens to be."""

from __future__ import annotations

import sys

from phinery.data import RefineSettings, refine

if __name__ == "__main__":
    source, out, shard_bytes, workers = sys.argv[1:]
    settings = RefineSettings(keep=0.7, shard_bytes=int(shard_bytes))
    refine(source, out, settings=settings, workers=int(workers))
